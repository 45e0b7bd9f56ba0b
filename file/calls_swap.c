/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Swap areas: the calls swapon and swapoff, and the option swap=.
 * Source: Linux manual page swapon(2).
 */
#include <kernel/layer.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <process/commit.h>
#include <store/swap.h>

#include "open_file.h"
#include "path.h"

enum {
    SWAP_FLAG_PREFER = 0x8000,
    SWAP_FLAG_PRIORITY = 0x7FFF,
    SWAP_FLAGS_WITHOUT_EFFECT = 0x70000, /* DISCARD: a hint */
};

/* DEVICE becomes an area, and there is more that can be promised. */
static enum kerr begin(struct block_device *device, int32_t priority)
{
    enum kerr error = swap_on(device, priority);
    if (error == KERR_OK)
        commit_change_limit((int32_t)swap_of_device(device)->pages);
    return error;
}

static enum kerr end(struct block_device *device)
{
    const struct swap_area *area = swap_of_device(device);
    uint32_t pages = area != NULL ? area->pages : 0;
    if (!commit_can_lose(pages))
        return KERR_NO_MEMORY;
    enum kerr error = swap_off(device);
    if (error == KERR_OK)
        commit_change_limit(-(int32_t)pages);
    return error;
}

/* The device that the program's PATH names: "/dev/hda2". Files are no swap areas: docs/limits.md. */
static int32_t find_device(struct process *self, uint32_t path, struct block_device **device)
{
    struct inode *inode;
    int32_t result = path_find_user(self, AT_FDCWD, path, LINKS_FOLLOW, &inode);
    if (result != 0)
        return result;
    *device = disk_device(inode);
    inode_put(inode);
    return *device != NULL ? 0 : -EINVAL;
}

static int32_t swap_failed(enum kerr error)
{
    switch (error) {
    case KERR_EXISTS:
        return -EBUSY;
    case KERR_UNSUPPORTED:
    case KERR_NOT_FOUND:
    case KERR_NO_ROOM:
        return -EINVAL;
    case KERR_TOO_MANY:
        return -EPERM;
    default:
        return file_failed(error);
    }
}

SYSTEM_CALL(87, swapon)
{
    struct block_device *device;
    if ((ARG2 & ~(uint32_t)(SWAP_FLAG_PREFER | SWAP_FLAG_PRIORITY | SWAP_FLAGS_WITHOUT_EFFECT)) !=
        0)
        return -EINVAL;
    int32_t result = find_device(self, ARG1, &device);
    if (result != 0)
        return result;
    enum kerr error =
        begin(device, ARG2 & SWAP_FLAG_PREFER ? (int32_t)(ARG2 & SWAP_FLAG_PRIORITY) : -1);
    return error == KERR_OK ? 0 : swap_failed(error);
}

SYSTEM_CALL(115, swapoff)
{
    struct block_device *device;
    int32_t result = find_device(self, ARG1, &device);
    if (result != 0)
        return result;
    enum kerr error = end(device);
    return error == KERR_OK ? 0 : swap_failed(error);
}

/* ---- at boot ---- */

OPTION(swap, "swap", OPTION_TEXT);

static enum kerr swap_layer_init(const struct boot_info *boot)
{
    (void)boot;
    if (!swap_option.is_given)
        return KERR_OK;
    struct block_device *device = block_find(swap_option.text);
    enum kerr error = KERR_NOT_FOUND;
    if (device != NULL)
        do
            error = begin(device, -1);
        while (file_polls(error));
    if (error != KERR_OK)
        printk("swap=%s: %s\n", swap_option.text,
               error == KERR_UNSUPPORTED ? "it has no signature of mkswap" : kerr_text(error));
    else
        printk("swap=%s: %u KiB\n", swap_option.text,
               (unsigned)swap_of_device(device)->pages * (PAGE_BYTES / 1024));
    return KERR_OK;
}

LAYER(09y, "swap", swap_layer_init);

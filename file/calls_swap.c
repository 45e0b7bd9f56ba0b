/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Swap areas: the calls swapon and swapoff, and the option swap=.
 * Source: Linux manual page swapon(2).
 */
#include <kernel/layer.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/commit.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/victim.h>
#include <store/swap.h>

#include "open_file.h"
#include "path.h"

enum {
    SWAP_FLAG_PREFER = 0x8000,
    SWAP_FLAG_PRIORITY = 0x7FFF,
    SWAP_FLAGS_WITHOUT_EFFECT = 0x70000, /* DISCARD: a hint */
};

/*
 * By so much AREA changes what can be promised. In mode 2 (process/commit.c) frames that it has for itself are
 * none that were promised, and a few slots stay free, by which pages change places. How much a page
 * takes in RAM is known when it goes: nothing can be promised of that.
 */
static int32_t pages_for_promises(const struct swap_area *area)
{
    enum { PLACES_TO_CHANGE = 32 };
    if (commit_account.mode != OVERCOMMIT_NEVER)
        return (int32_t)area->pages;
    int32_t own = (int32_t)swap_own_frames(area);
    return area->is_ram ? -own : (int32_t)area->pages - own - PLACES_TO_CHANGE;
}

/* DEVICE becomes an area, and there is more that can be promised. */
static enum kerr begin(struct block_device *device, int32_t priority)
{
    enum kerr error = swap_on(device, priority);
    if (error == KERR_OK)
        commit_change_limit(pages_for_promises(swap_of_device(device)));
    return error;
}

/* What can be promised is less from the first step on: no page goes out to the area any more. */
static enum kerr end(struct block_device *device)
{
    const struct swap_area *area = swap_of_device(device);
    if (area == NULL || !area->is_open)
        return KERR_NOT_FOUND;
    int32_t pages = pages_for_promises(area);
    if (!area->is_closing) {
        if (pages > 0 && !commit_can_lose((uint32_t)pages))
            return KERR_NO_MEMORY;
        commit_change_limit(-pages);
    }
    enum kerr error = swap_off(device);
    if (error != KERR_OK && !area->is_closing)
        commit_change_limit(pages);
    return error;
}

/* ---- a call, which may end before it has done what it began ---- */

/* A device that SELF's call has begun to change. */
struct changing {
    struct call_holding holding;
    struct block_device *device;
};

/* What can be promised is as before: of an area that begins nothing was, yet. */
static void give_up(struct block_device *device)
{
    const struct swap_area *area = swap_of_device(device);
    if (area != NULL && area->is_closing)
        commit_change_limit(pages_for_promises(area));
    swap_give_up(device);
}

static void drop_changing(struct call_holding *holding)
{
    struct changing *changing = container_of(holding, struct changing, holding);
    give_up(changing->device);
    kfree(changing);
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

/* The same, and SELF's call holds it: repeated, it goes on with what it began. */
static int32_t hold_device(struct process *self, uint32_t path, struct block_device **device)
{
    void *block;
    if (call_held(self) != NULL) {
        *device = container_of(call_held(self), struct changing, holding)->device;
        return 0;
    }
    int32_t result = find_device(self, path, device);
    if (result != 0)
        return result;
    enum kerr error = kmalloc(sizeof(struct changing), &block);
    if (error != KERR_OK)
        return file_failed(error);
    struct changing *changing = block;
    *changing = (struct changing){{drop_changing}, *device};
    call_hold(self, &changing->holding);
    return 0;
}

/* There is nothing to be given up any more. */
static void let_go(struct process *self)
{
    struct changing *changing = container_of(call_held(self), struct changing, holding);
    call_take(self);
    kfree(changing);
}

/* What SELF's call returns, since begin() or end() said ERROR. */
static int32_t answer(struct process *self, enum kerr error)
{
    if (error == KERR_AGAIN) {
        process_request_leave();
        return call_repeat_later(self);
    }
    if (error == KERR_MUST_WAIT)
        return process_must_wait();
    let_go(self);
    switch (error) {
    case KERR_OK:
        return 0;
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
    int32_t result = hold_device(self, ARG1, &device);
    if (result != 0)
        return result;
    int32_t priority = ARG2 & SWAP_FLAG_PREFER ? (int32_t)(ARG2 & SWAP_FLAG_PRIORITY) : -1;
    return answer(self, begin(device, priority));
}

/* Files go before it is said that the area's pages don't fit; nobody has to end for them. */
SYSTEM_CALL(115, swapoff)
{
    struct block_device *device;
    int32_t result = hold_device(self, ARG1, &device);
    if (result != 0)
        return result;
    enum kerr error = end(device);
    if (error != KERR_NO_MEMORY)
        return answer(self, error);
    const struct swap_area *area = swap_of_device(device);
    if (area->is_closing && victim_give_cache_back())
        return answer(self, KERR_AGAIN);
    give_up(device);
    let_go(self);
    return -ENOMEM;
}

/* ---- at boot ---- */

OPTION(swap, "swap", OPTION_TEXT);

/*
 * "ram", or "ram:N" with N MiB of slots: the device of compressed memory is made, and a file for it.
 * Without a number there are as many slots as can be filled if pages become four times smaller.
 * False: it is something else.
 */
static bool make_ram(const char *text, struct block_device **device)
{
    enum { SLOTS_FOR_FRAME = 3, MIB_PAGES = 1024 * 1024 / PAGE_BYTES, MIB_MOST = 4096, NTH = 64 };
    uint32_t mib = 0, frames = frame_pool.frames - frame_pool.totals[FRAME_RESERVED];
    if (strncmp(text, "ram", 3) != 0 || (text[3] != '\0' && text[3] != ':') ||
        (text[3] == ':' && (!parse_u32(text + 4, &mib) || mib == 0 || mib > MIB_MOST)))
        return false;
    uint32_t pages = mib > 0 ? mib * MIB_PAGES : frames * SLOTS_FOR_FRAME;
    uint32_t most = FRAME_NUMBERS - frame_pool.frames;
    *device = swap_ram_device(pages < most ? pages : most);
    block_register(*device);
    return disk_file_add(*device, NTH) == KERR_OK;
}

static enum kerr swap_layer_init(const struct boot_info *boot)
{
    (void)boot;
    if (!swap_option.is_given)
        return KERR_OK;
    struct block_device *device;
    if (!make_ram(swap_option.text, &device))
        device = block_find(swap_option.text);
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

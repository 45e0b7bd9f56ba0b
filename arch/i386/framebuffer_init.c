/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Where the boot loader left a graphics mode (under UEFI there is no other), maps its
 * framebuffer and hands it to the console as a ready pointer.
 *
 * Up to here text went to the serial line and to a VGA text screen that is not there; the console
 * shows it again. A framebuffer that can't be used is said and is no reason to stop.
 */
#include <arch/i386/double_fault.h>
#include <arch/i386/framebuffer.h>
#include <kernel/console.h>
#include <kernel/layer.h>
#include <kernel/printk.h>
#include <mm/frame.h>
#include <mm/paging.h>

enum { FRAMEBUFFER_NONE = 0, FRAMEBUFFER_TEXT = 2 };

static struct framebuffer framebuffer;

/* Nothing else lies in it: layer 1 has left it alone. */
static bool is_reserved(uint64_t address, uint32_t bytes)
{
    uint32_t end = (uint32_t)((address + bytes - 1) >> PAGE_SHIFT);

    for (uint32_t n = (uint32_t)(address >> PAGE_SHIFT); n <= end && n < frame_pool.frames; n++)
        if (n == 0 || frame_kind(&frame_pool, FRAME(n)) != FRAME_RESERVED)
            return false;
    return true;
}

static kerr_t map(const struct boot_framebuffer *info, vaddr_t *address)
{
    uint32_t bytes;
    enum kerr error = framebuffer_check(info, &bytes);

    if (error == KERR_OK && !is_reserved(info->address, bytes))
        error = KERR_EXISTS;
    if (error == KERR_OK)
        error = paging_map_device(PADDR((uint32_t)info->address), bytes, address);
    if (error != KERR_OK)
        return error;
    for (uint32_t slot = vaddr_to_slot(*address);
         slot <= vaddr_to_slot(vaddr_add(*address, bytes - 1)); slot++)
        double_fault_share_slot(slot);
    return KERR_OK;
}

static enum kerr framebuffer_layer_init(const struct boot_info *boot)
{
    const struct boot_framebuffer *info = &boot->framebuffer;
    vaddr_t address;

    if (info->type == FRAMEBUFFER_NONE || info->type == FRAMEBUFFER_TEXT)
        return KERR_OK;
    enum kerr error = map(info, &address);
    if (error == KERR_OK) {
        framebuffer_init(&framebuffer, info, vaddr_to_pointer(address));
        framebuffer_clear(&framebuffer);
        console_show_on(&framebuffer.device);
    }
    printk("framebuffer: %ux%u, %u bits a pixel, %u bytes a line, at 0x%llx: %s\n",
           (unsigned)info->width, (unsigned)info->height, (unsigned)info->bits_per_pixel,
           (unsigned)info->pitch_bytes, (unsigned long long)info->address,
           error == KERR_OK ? "in use" : kerr_text(error));
    return KERR_OK;
}
LAYER(02b, "framebuffer", framebuffer_layer_init);

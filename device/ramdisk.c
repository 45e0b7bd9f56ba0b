/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Disks in RAM (ramdisk.h).
 *
 * A request is done before block_submit() returns: nothing waits for RAM. Data go from frame to
 * frame by way of two temporary pages of this layer's own, since the fault path comes here, too.
 */
#include <device/ramdisk.h>

#include <arch/i386/entry.h>
#include <kernel/layer.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

static bool module_exists(const char *name);
OPTION(ramdisk, "ramdisk", OPTION_TEXT, .exists = module_exists);

static struct ramdisk of_module;

/* ---- reading and writing ---- */

/* Copy BYTES bytes of RAM, which may lie in several frames on either side. */
static void copy_physical(paddr_t to, paddr_t from, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t to_offset = to.v % PAGE_BYTES, from_offset = from.v % PAGE_BYTES;
        uint32_t offset = to_offset > from_offset ? to_offset : from_offset;
        uint32_t part = bytes < PAGE_BYTES - offset ? bytes : PAGE_BYTES - offset;
        uint8_t *to_page = temp_map(TEMP_BLOCK_TO, paddr_to_frame(to));
        const uint8_t *from_page = temp_map(TEMP_BLOCK_FROM, paddr_to_frame(from));
        memcpy(to_page + to_offset, from_page + from_offset, part);
        temp_unmap(TEMP_BLOCK_FROM);
        temp_unmap(TEMP_BLOCK_TO);
        to.v += part;
        from.v += part;
        bytes -= part;
    }
}

static enum kerr carry_out(const struct ramdisk *ramdisk, const struct block_request *request)
{
    bool is_read = request->operation == BLOCK_READ;
    if (!is_read && !block_may_write(request))
        return KERR_READ_ONLY;
    if (request->operation == BLOCK_FLUSH)
        return KERR_OK;
    uint32_t sector = (uint32_t)block_disk_sector(request);
    uint32_t at = ramdisk->start.v + sector * BLOCK_SECTOR_BYTES, offset = request->offset;
    uint32_t left = request->sectors * BLOCK_SECTOR_BYTES;
    for (uint32_t i = 0; left > 0; i++, offset = 0) {
        paddr_t memory = PADDR(frame_to_paddr(request->frames[i]).v + offset);
        uint32_t part = left < PAGE_BYTES - offset ? left : PAGE_BYTES - offset;
        copy_physical(is_read ? memory : PADDR(at), is_read ? PADDR(at) : memory, part);
        at += part;
        left -= part;
    }
    return KERR_OK;
}

/* What `done` submits is carried out here as well, and not one call deeper each time. */
static void ramdisk_start(struct block_device *disk)
{
    struct ramdisk *ramdisk = disk->driver_data;
    struct block_request *request;
    if (ramdisk->is_working)
        return;
    ramdisk->is_working = true;
    while ((request = block_first_request(disk)) != NULL)
        block_complete(request, carry_out(ramdisk, request));
    ramdisk->is_working = false;
}

static const char *ramdisk_mode(const struct block_device *disk)
{
    (void)disk;
    return "RAM";
}

static const struct block_driver driver = {.start = ramdisk_start, .mode = ramdisk_mode};

void ramdisk_init(struct ramdisk *ramdisk, const char *name, paddr_t start, uint32_t bytes)
{
    ramdisk->start = start;
    ramdisk->is_working = false;
    block_init_disk(&ramdisk->device, name, &driver, ramdisk, bytes / BLOCK_SECTOR_BYTES);
}

/* ---- the module ---- */

static bool module_exists(const char *name)
{
    return boot_module_find(&boot_info, name) != NULL;
}

bool ramdisk_is_module(const struct boot_module *module)
{
    return ramdisk_option.is_given && module == boot_module_find(&boot_info, ramdisk_option.text);
}

static enum kerr ramdisk_layer_init(const struct boot_info *boot)
{
    (void)boot;
    if (!ramdisk_option.is_given)
        return KERR_OK;
    const struct boot_module *module = boot_module_find(&boot_info, ramdisk_option.text);
    ramdisk_init(&of_module, "ram0", module->start, module->bytes);
    text_copy(of_module.device.model, sizeof(of_module.device.model), ramdisk_option.text);
    block_register(&of_module.device);
    return KERR_OK;
}

LAYER(06a, "RAM disk", ramdisk_layer_init);

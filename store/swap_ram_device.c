/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. The device of compressed memory (swap_ram.h). A request is done before block_submit()
 * returns, as with a disk in RAM.
 */
#include "swap_ram.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/string.h>

enum { PAGE_SECTORS = PAGE_BYTES / BLOCK_SECTOR_BYTES };

static struct block_device device;
static bool is_working;

/* Page 0: what mkswap would have written. */
static void make_header(frame_t frame)
{
    uint8_t *page = temp_map(TEMP_BLOCK_TO, frame);
    const uint32_t numbers[] = {1, (uint32_t)(device.sectors / PAGE_SECTORS) - 1};
    static const char magic[10] = {'S', 'W', 'A', 'P', 'S', 'P', 'A', 'C', 'E', '2'};
    page_clear(page);
    memcpy(page + 1024, numbers, sizeof(numbers));
    memcpy(page + PAGE_BYTES - sizeof(magic), magic, sizeof(magic));
    temp_unmap(TEMP_BLOCK_TO);
}

/* The area, when it has slots; or NULL. */
static struct swap_area *area_with_slots(void)
{
    struct swap_area *area = swap_of_device(&device);
    return area != NULL && area->is_open ? area : NULL;
}

/* FRAME gets PAGE of the device. */
static bool read_page(const struct swap_area *area, uint32_t page, frame_t frame)
{
    if (page == 0) {
        make_header(frame);
    } else if (area == NULL) {
        page_clear(temp_map(TEMP_BLOCK_TO, frame));
        temp_unmap(TEMP_BLOCK_TO);
    } else {
        return ram_fetch(FRAME(area->slots.first + page), frame);
    }
    return true;
}

/* Whole pages are read and written; these are all that swap wants, and files of a device. */
static enum kerr carry_out(const struct block_request *request)
{
    bool is_write = request->operation == BLOCK_WRITE, is_good = true;
    const struct swap_area *area = area_with_slots();
    uint32_t page = (uint32_t)block_disk_sector(request) / PAGE_SECTORS;
    if (request->operation != BLOCK_READ && !block_may_write(request))
        return KERR_READ_ONLY;
    if (request->operation == BLOCK_FLUSH)
        return KERR_OK;
    if (block_disk_sector(request) % PAGE_SECTORS != 0 || request->sectors % PAGE_SECTORS != 0 ||
        request->offset != 0 || (is_write && (page == 0 || area == NULL)))
        return KERR_IO;
    for (uint32_t i = 0; i < request->sectors / PAGE_SECTORS && is_good; i++)
        if (is_write)
            ram_write(FRAME(area->slots.first + page + i), request->frames[i]);
        else
            is_good = read_page(area, page + i, request->frames[i]);
    return is_good ? KERR_OK : KERR_IO;
}

/* What `done` submits is carried out here as well, and not one call deeper each time. */
static void start(struct block_device *disk)
{
    struct block_request *request;
    if (is_working)
        return;
    is_working = true;
    while ((request = block_first_request(disk)) != NULL)
        block_complete(request, carry_out(request));
    is_working = false;
}

static const char *mode(const struct block_device *disk)
{
    (void)disk;
    return "compressed";
}

bool ram_is_device(const struct block_device *other)
{
    return other == &device;
}

struct block_device *swap_ram_device(uint32_t pages)
{
    static const struct block_driver driver = {.start = start, .mode = mode};
    block_init_disk(&device, "ram", &driver, NULL, (uint64_t)pages * PAGE_SECTORS);
    text_copy(device.model, sizeof(device.model), "compressed memory");
    return &device;
}

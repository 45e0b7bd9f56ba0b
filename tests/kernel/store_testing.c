/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. The disk of frames (store_testing.h).
 */
#include "store_testing.h"

#include <arch/i386/entry.h>
#include <kernel/string.h>
#include <mm/frame.h>

struct store_disk store_disk;

static void copy_sector(const struct block_request *request, uint32_t number)
{
    uint32_t at = request->offset + number * BLOCK_SECTOR_BYTES;
    uint32_t there = (uint32_t)request->sector + number;
    uint8_t sector[BLOCK_SECTOR_BYTES];
    frame_t mine = request->frames[at / PAGE_BYTES];
    frame_t theirs = FRAME(store_disk.memory.n + there / 8);
    bool is_read = request->operation == BLOCK_READ;
    const uint8_t *from = temp_map(TEMP_FRAME, is_read ? theirs : mine);
    memcpy(sector, from + (is_read ? there % 8 * BLOCK_SECTOR_BYTES : at % PAGE_BYTES),
           sizeof(sector));
    temp_unmap(TEMP_FRAME);
    uint8_t *to = temp_map(TEMP_FRAME, is_read ? mine : theirs);
    memcpy(to + (is_read ? at % PAGE_BYTES : there % 8 * BLOCK_SECTOR_BYTES), sector,
           sizeof(sector));
    temp_unmap(TEMP_FRAME);
}

static bool must_fail(const struct block_request *request)
{
    uint64_t bad = store_disk.bad_page * 8u;
    if (request->operation == BLOCK_WRITE && bad != 0 && request->sector <= bad &&
        bad < request->sector + request->sectors)
        return true;
    if (store_disk.fails_at == 0 || --store_disk.fails_at > 0)
        return false;
    store_disk.fails_at = store_disk.stays_broken;
    return true;
}

static void note_read(const struct block_request *request, bool fails)
{
    uint32_t page = (uint32_t)request->sector / 8, pages = request->sectors / 8;
    for (uint32_t i = page; i < page + pages && i < 64 && request->operation == BLOCK_READ; i++)
        store_disk.unread =
            (store_disk.unread & ~((uint64_t)1 << i)) | ((uint64_t)(fails ? 1 : 0) << i);
}

static void carry_out(struct block_request *request)
{
    store_disk.reads += request->operation == BLOCK_READ;
    store_disk.writes += request->operation == BLOCK_WRITE;
    store_disk.flushes += request->operation == BLOCK_FLUSH;
    if (request->sectors > store_disk.longest)
        store_disk.longest = request->sectors;
    bool fails = must_fail(request);
    note_read(request, fails);
    for (uint32_t i = 0; i < request->sectors && !fails; i++)
        copy_sector(request, i);
    block_complete(request, fails ? KERR_IO : KERR_OK);
}

/* All that has been asked for is done. */
void store_disk_work(void)
{
    struct block_request *request;
    while ((request = block_first_request(&store_disk.device)) != NULL)
        carry_out(request);
}

static void start(struct block_device *device)
{
    (void)device;
    if (!store_disk.holds_back)
        store_disk_work();
}

bool store_disk_begin(uint32_t pages)
{
    static const struct block_driver driver = {.start = start};
    memset(&store_disk, 0, sizeof(store_disk));
    block_init_disk(&store_disk.device, "test", &driver, NULL, pages * 8);
    if (frame_alloc_run(&frame_pool, FRAME_FILE, pages, 1, 0, &store_disk.memory) != KERR_OK)
        return false;
    if (object_create_file(store_disk.memory, pages, &store_disk.object) != KERR_OK) {
        frame_free_run(&frame_pool, store_disk.memory, pages);
        return false;
    }
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t *words = temp_map(TEMP_FRAME, FRAME(store_disk.memory.n + i));
        for (uint32_t word = 0; word < PAGE_BYTES / 4; word++)
            words[word] = i << 16 | word;
        temp_unmap(TEMP_FRAME);
    }
    store_disk.pages = pages;
    block_register(&store_disk.device);
    return true;
}

void store_disk_end(void)
{
    block_unregister(&store_disk.device);
    object_put(store_disk.object);
}

/* The word of the disk that byte AT begins with. */
uint32_t store_disk_word(uint32_t at)
{
    const uint32_t *words = temp_map(TEMP_FRAME, FRAME(store_disk.memory.n + at / PAGE_BYTES));
    uint32_t word = words[at % PAGE_BYTES / 4];
    temp_unmap(TEMP_FRAME);
    return word;
}

void store_disk_poke(uint32_t at, const void *from, uint32_t bytes)
{
    uint8_t *page = temp_map(TEMP_FRAME, FRAME(store_disk.memory.n + at / PAGE_BYTES));
    memcpy(page + at % PAGE_BYTES, from, bytes);
    temp_unmap(TEMP_FRAME);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. What tests of block devices share (block_testing.h).
 */
#include "block_testing.h"

#include <arch/i386/entry.h>
#include <kernel/option.h>
#include <kernel/string.h>
#include <mm/frame.h>

OPTION(testdisk, "testdisk", OPTION_TEXT);

struct block_device *test_disk_named(void)
{
    return testdisk_option.is_given ? block_find(testdisk_option.text) : NULL;
}

static void test_disk_start(struct block_device *device)
{
    struct test_disk *disk = device->driver_data;
    if (disk->under_way != NULL)
        return;
    disk->under_way = block_first_request(device);
    if (disk->under_way == NULL)
        return;
    disk->polls_left = disk->polls;
    disk->began[disk->begun++ % TEST_DISK_LOG] = block_disk_sector(disk->under_way);
}

static void test_disk_poll(struct block_device *device)
{
    struct test_disk *disk = device->driver_data;
    struct block_request *request = disk->under_way;
    if (request == NULL || --disk->polls_left > 0)
        return;
    disk->under_way = NULL;
    block_complete(request, disk->answer);
    test_disk_start(device);
}

static const struct block_driver driver = {.start = test_disk_start, .poll = test_disk_poll};

void test_disk_init(struct test_disk *disk, uint32_t polls)
{
    memset(disk, 0, sizeof(*disk));
    block_init_disk(&disk->device, "test", &driver, disk, TEST_DISK_SECTORS);
    disk->polls = polls;
}

void test_request(struct block_request *request, struct block_device *device,
                  enum block_operation operation, uint64_t sector, uint32_t sectors)
{
    memset(request, 0, sizeof(*request));
    request->device = device;
    request->operation = operation;
    request->sector = sector;
    request->sectors = sectors;
}

bool test_frames_take(frame_t *first, uint32_t count)
{
    bool is_there = frame_alloc_run(&frame_pool, FRAME_ANONYMOUS, count, 1, 0, first) == KERR_OK;
    EXPECT(is_there);
    return is_there;
}

void test_frames_give(frame_t first, uint32_t count)
{
    frame_free_run(&frame_pool, first, count);
}

enum { PAGE_WORDS = PAGE_BYTES / 4 };

void test_fill(frame_t first, uint32_t pages, uint32_t seed)
{
    for (uint32_t page = 0; page < pages; page++) {
        uint32_t *words = temp_map(TEMP_FRAME, FRAME(first.n + page));
        for (uint32_t i = 0; i < PAGE_WORDS; i++)
            words[i] = seed + page * PAGE_WORDS + i;
        temp_unmap(TEMP_FRAME);
    }
}

bool test_is_filled(frame_t first, uint32_t offset, uint32_t bytes, uint32_t seed, uint32_t number)
{
    bool is_right = true;
    for (uint32_t end = offset + bytes; offset < end;) {
        const uint32_t *words = temp_map(TEMP_FRAME, FRAME(first.n + offset / PAGE_BYTES));
        do {
            is_right = is_right && words[offset % PAGE_BYTES / 4] == seed + number++;
            offset += 4;
        } while (offset < end && offset % PAGE_BYTES != 0);
        temp_unmap(TEMP_FRAME);
    }
    return is_right;
}

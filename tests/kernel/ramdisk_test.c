/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Tests of disks in RAM.
 */
#include "block_testing.h"

#include <device/ramdisk.h>

enum { DISK_PAGES = 8, SECTOR_WORDS = BLOCK_SECTOR_BYTES / 4 };
enum { DISK_SEED = 0xD1000000u, DATA_SEED = 0xDA000000u };

static struct ramdisk ram;
static struct block_request request;
static frame_t medium, data;

/* A disk of BYTES bytes, START bytes into its frames, which are full of a pattern; and frames. */
static bool must_check set_up(uint32_t start, uint32_t bytes)
{
    if (!test_frames_take(&medium, DISK_PAGES))
        return false;
    if (!test_frames_take(&data, BLOCK_FRAMES_MAX)) {
        test_frames_give(medium, DISK_PAGES);
        return false;
    }
    test_fill(medium, DISK_PAGES, DISK_SEED);
    test_fill(data, BLOCK_FRAMES_MAX, DATA_SEED);
    ramdisk_init(&ram, "test", PADDR(frame_to_paddr(medium).v + start), bytes);
    return true;
}

static void tear_down(void)
{
    test_frames_give(medium, DISK_PAGES);
    test_frames_give(data, BLOCK_FRAMES_MAX);
}

/* The frames of the request come in reverse order. */
static enum kerr transfer(enum block_operation operation, uint64_t sector, uint32_t sectors,
                          uint32_t offset)
{
    test_request(&request, &ram.device, operation, sector, sectors);
    request.offset = offset;
    for (uint32_t i = 0; i < BLOCK_FRAMES_MAX; i++)
        request.frames[i] = FRAME(data.n + BLOCK_FRAMES_MAX - 1 - i);
    return block_wait(&request);
}

/* What is OFFSET bytes into the request's data. */
static bool data_is(uint32_t offset, uint32_t bytes, uint32_t seed, uint32_t number)
{
    frame_t frame = request.frames[offset / PAGE_BYTES];
    return test_is_filled(frame, offset % PAGE_BYTES, bytes, seed, number);
}

TEST("ramdisk", "frames apart and an offset, read: the sectors asked for, and nothing around them")
{
    REQUIRE(set_up(0, DISK_PAGES * PAGE_BYTES));
    EXPECT_EQUAL(ram.device.sectors, 64);
    EXPECT_EQUAL(transfer(BLOCK_READ, 3, 10, 3584), KERR_OK);
    EXPECT(data_is(3584, 512, DISK_SEED, 3 * SECTOR_WORDS));
    EXPECT(data_is(4096, 4096, DISK_SEED, 4 * SECTOR_WORDS));
    EXPECT(data_is(8192, 512, DISK_SEED, 12 * SECTOR_WORDS));
    EXPECT(data_is(0, 3584, DATA_SEED, (BLOCK_FRAMES_MAX - 1) * PAGE_BYTES / 4));
    EXPECT(data_is(8704, 3584, DATA_SEED, (BLOCK_FRAMES_MAX - 3) * PAGE_BYTES / 4 + SECTOR_WORDS));
    EXPECT(test_is_filled(medium, 0, DISK_PAGES * PAGE_BYTES, DISK_SEED, 0));
    tear_down();
}

TEST("ramdisk", "written: these sectors change, and no others")
{
    REQUIRE(set_up(0, DISK_PAGES * PAGE_BYTES));
    EXPECT_EQUAL(block_open_for_writing(&ram.device, "test"), KERR_OK);
    EXPECT_EQUAL(transfer(BLOCK_WRITE, 5, 2, 1024), KERR_OK);
    EXPECT_EQUAL(transfer(BLOCK_FLUSH, 0, 0, 0), KERR_OK);
    EXPECT(test_is_filled(medium, 0, 5 * 512, DISK_SEED, 0));
    EXPECT(test_is_filled(medium, 5 * 512, 1024, DATA_SEED,
                          (BLOCK_FRAMES_MAX - 1) * PAGE_BYTES / 4 + 256));
    EXPECT(test_is_filled(medium, 7 * 512, 57 * 512, DISK_SEED, 7 * SECTOR_WORDS));
    tear_down();
}

TEST("ramdisk", "a module that begins anywhere and ends in a sector: whole sectors, at their place")
{
    REQUIRE(set_up(100, 3 * PAGE_BYTES + 300));
    EXPECT_EQUAL(ram.device.sectors, 24);
    EXPECT_EQUAL(transfer(BLOCK_READ, 7, 2, 0), KERR_OK);
    EXPECT(data_is(0, 1024, DISK_SEED, 25 + 7 * SECTOR_WORDS));
    EXPECT_EQUAL(transfer(BLOCK_READ, 24, 1, 0), KERR_BAD_RANGE);
    tear_down();
}

TEST("ramdisk", "a write that got into the queue of a closed disk: refused by the driver, too")
{
    REQUIRE(set_up(0, DISK_PAGES * PAGE_BYTES));
    test_request(&request, &ram.device, BLOCK_WRITE, 0, 1);
    request.frames[0] = data;
    request.status = KERR_MUST_WAIT;
    list_add_last(&ram.device.queue, &request.link);
    ram.device.driver->start(&ram.device);
    EXPECT_EQUAL(request.status, KERR_READ_ONLY);
    EXPECT(test_is_filled(medium, 0, DISK_PAGES * PAGE_BYTES, DISK_SEED, 0));
    tear_down();
}

static unsigned rounds;

static void ask_again(struct block_request *done)
{
    done->sector = ++rounds % 64;
    if (rounds < 10000)
        EXPECT_EQUAL(block_submit(done), KERR_OK);
}

TEST("ramdisk", "what is done submits itself, 10,000 times: the stack does not grow")
{
    REQUIRE(set_up(0, DISK_PAGES * PAGE_BYTES));
    rounds = 0;
    test_request(&request, &ram.device, BLOCK_READ, 0, 1);
    request.frames[0] = data;
    request.done = ask_again;
    EXPECT_EQUAL(block_submit(&request), KERR_OK);
    EXPECT_EQUAL(rounds, 10000);
    EXPECT_EQUAL(request.status, KERR_OK);
    tear_down();
}

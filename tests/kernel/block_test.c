/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Tests of requests and queues, on a disk that holds nothing.
 */
#include "block_testing.h"

#include <kernel/string.h>

static struct test_disk disk;
static struct block_device part;
static struct block_request requests[3];

/* The disk takes POLLS polls a request; the partition has its sectors 100 to 149. */
static void set_up(uint32_t polls)
{
    test_disk_init(&disk, polls);
    block_init_partition(&part, "test1", &disk.device, 100, 50);
}

static enum kerr submit_read(struct block_device *device, uint64_t sector, uint32_t sectors,
                             uint32_t offset)
{
    test_request(&requests[0], device, BLOCK_READ, sector, sectors);
    requests[0].offset = offset;
    enum kerr error = block_submit(&requests[0]);
    if (error == KERR_OK)
        while (!requests[0].channel.is_ready(&requests[0].channel)) {
        }
    return error;
}

TEST("block", "a request: must wait until it is done, its channel is ready then")
{
    set_up(3);
    test_request(&requests[0], &disk.device, BLOCK_READ, 7, 1);
    struct channel *channel = &requests[0].channel;
    EXPECT_EQUAL(block_submit(&requests[0]), KERR_OK);
    EXPECT_EQUAL(requests[0].status, KERR_MUST_WAIT);
    EXPECT(!channel->is_ready(channel) && !channel->is_ready(channel));
    EXPECT(channel->is_ready(channel) && channel->is_ready(channel));
    EXPECT_EQUAL(requests[0].status, KERR_OK);
    EXPECT_EQUAL(disk.device.counts.requests[BLOCK_READ], 1);
    EXPECT_EQUAL(disk.device.counts.sectors[BLOCK_READ], 1);
}

TEST("block", "an error of the driver: the request's status, counted")
{
    set_up(1);
    disk.answer = KERR_IO;
    test_request(&requests[0], &part, BLOCK_READ, 7, 1);
    EXPECT_EQUAL(block_wait(&requests[0]), KERR_IO);
    EXPECT_EQUAL(part.counts.errors, 1);
    EXPECT_EQUAL(disk.device.counts.errors, 1);
    EXPECT_EQUAL(disk.device.counts.sectors[BLOCK_READ], 0);
}

TEST("block", "sectors at both ends and behind the end: the last one is read, the next refused")
{
    set_up(1);
    EXPECT_EQUAL(submit_read(&disk.device, 0, 1, 0), KERR_OK);
    EXPECT_EQUAL(submit_read(&disk.device, TEST_DISK_SECTORS - 1, 1, 0), KERR_OK);
    EXPECT_EQUAL(submit_read(&disk.device, TEST_DISK_SECTORS - 128, 128, 0), KERR_OK);
    EXPECT_EQUAL(submit_read(&disk.device, TEST_DISK_SECTORS - 127, 128, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, TEST_DISK_SECTORS, 1, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, UINT64_MAX, 1, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, 1ull << 32, 1, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(disk.begun, 3);
}

TEST("block", "no sectors, too many, an odd offset, more than the frames hold: refused")
{
    set_up(1);
    EXPECT_EQUAL(submit_read(&disk.device, 0, 0, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, 0, BLOCK_SECTORS_MAX + 1, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, 0, UINT32_MAX, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, 0, 1, 100), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, 0, 1, PAGE_BYTES), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, 0, BLOCK_SECTORS_MAX, 512), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&disk.device, 0, BLOCK_SECTORS_MAX - 1, 512), KERR_OK);
    EXPECT_EQUAL(block_request_frames(&requests[0]), BLOCK_FRAMES_MAX);
}

TEST("block", "a partition: counts from its own start, ends at its own end")
{
    set_up(1);
    EXPECT_EQUAL(submit_read(&part, 0, 1, 0), KERR_OK);
    EXPECT_EQUAL(submit_read(&part, 49, 1, 0), KERR_OK);
    EXPECT_EQUAL(submit_read(&part, 49, 2, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(submit_read(&part, 50, 1, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(disk.begun, 2);
    EXPECT_EQUAL(disk.began[0], 100);
    EXPECT_EQUAL(disk.began[1], 149);
    EXPECT_EQUAL(part.counts.requests[BLOCK_READ], 2);
    EXPECT_EQUAL(disk.device.counts.requests[BLOCK_READ], 2);
}

/* ---- who may write ---- */

static enum kerr wait_for(struct block_device *device, enum block_operation operation)
{
    test_request(&requests[0], device, operation, 7, 1);
    return block_wait(&requests[0]);
}

TEST("block",
     "a write or a flush, nobody has opened the device: read-only, the driver sees nothing")
{
    set_up(1);
    EXPECT_EQUAL(wait_for(&disk.device, BLOCK_WRITE), KERR_READ_ONLY);
    EXPECT_EQUAL(wait_for(&disk.device, BLOCK_FLUSH), KERR_READ_ONLY);
    EXPECT_EQUAL(wait_for(&part, BLOCK_WRITE), KERR_READ_ONLY);
    EXPECT_EQUAL(disk.begun, 0);
    EXPECT_EQUAL(requests[0].status, KERR_OK);
}

TEST("block", "open for writing, then closed: written while it is open, read always")
{
    set_up(1);
    EXPECT_EQUAL(block_open_for_writing(&disk.device, "test"), KERR_OK);
    EXPECT_EQUAL(wait_for(&disk.device, BLOCK_WRITE), KERR_OK);
    EXPECT_EQUAL(wait_for(&disk.device, BLOCK_FLUSH), KERR_OK);
    block_close_for_writing(&disk.device);
    EXPECT_EQUAL(wait_for(&disk.device, BLOCK_WRITE), KERR_READ_ONLY);
    EXPECT_EQUAL(wait_for(&disk.device, BLOCK_READ), KERR_OK);
    EXPECT_EQUAL(disk.begun, 3);
}

TEST("block", "a partition is open: neither the disk nor its other partitions can be written")
{
    struct block_device other;
    set_up(1);
    block_init_partition(&other, "test2", &disk.device, 150, 50);
    EXPECT_EQUAL(block_open_for_writing(&part, "test"), KERR_OK);
    EXPECT_EQUAL(wait_for(&part, BLOCK_WRITE), KERR_OK);
    EXPECT_EQUAL(wait_for(&disk.device, BLOCK_WRITE), KERR_READ_ONLY);
    EXPECT_EQUAL(wait_for(&other, BLOCK_WRITE), KERR_READ_ONLY);
    EXPECT_EQUAL(block_open_for_writing(&part, "again"), KERR_EXISTS);
    block_close_for_writing(&part);
}

TEST("block",
     "what shares sectors with an open device, to write or to read: refused; neighbours are not")
{
    static struct block_device before, behind, across;
    struct block_device *const all[] = {&disk.device, &part, &before, &behind, &across};
    set_up(1);
    block_init_partition(&before, "test2", &disk.device, 50, 50);
    block_init_partition(&behind, "test3", &disk.device, 150, 850);
    block_init_partition(&across, "test4", &disk.device, 149, 2);
    for (unsigned i = 0; i < ARRAY_LENGTH(all); i++)
        block_register(all[i]);
    EXPECT(block_find("test3") == &behind);
    EXPECT_EQUAL(block_open_for_writing(&before, "test"), KERR_OK);
    EXPECT_EQUAL(block_open_for_writing(&behind, "test"), KERR_OK);
    EXPECT_EQUAL(block_open_for_writing(&part, "test"), KERR_OK);
    EXPECT_EQUAL(block_open_for_writing(&across, "test"), KERR_EXISTS);
    EXPECT_EQUAL(block_open_for_writing(&disk.device, "test"), KERR_EXISTS);
    block_close_for_writing(&behind);
    EXPECT_EQUAL(block_open_for_writing(&disk.device, "test"), KERR_EXISTS);
    block_close_for_writing(&before);
    block_close_for_writing(&part);
    EXPECT_EQUAL(block_open_for_reading(&part, "test"), KERR_OK);
    EXPECT_EQUAL(wait_for(&part, BLOCK_WRITE), KERR_READ_ONLY);
    EXPECT_EQUAL(block_open_for_writing(&part, "test"), KERR_EXISTS);
    EXPECT_EQUAL(block_open_for_writing(&disk.device, "test"), KERR_EXISTS);
    EXPECT_EQUAL(block_open_for_reading(&across, "test"), KERR_EXISTS);
    block_close_for_reading(&part);
    EXPECT_EQUAL(block_open_for_writing(&disk.device, "test"), KERR_OK);
    EXPECT_EQUAL(block_open_for_reading(&part, "test"), KERR_EXISTS);
    block_close_for_writing(&disk.device);
    for (unsigned i = 0; i < ARRAY_LENGTH(all); i++)
        block_unregister(all[i]);
    EXPECT(block_find("test3") == NULL);
}

/* ---- the queue ---- */

TEST("block", "three requests at once, one by a partition: carried out in order, one at a time")
{
    set_up(2);
    test_request(&requests[0], &disk.device, BLOCK_READ, 300, 1);
    test_request(&requests[1], &part, BLOCK_READ, 1, 1);
    test_request(&requests[2], &disk.device, BLOCK_READ, 200, 1);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQUAL(block_submit(&requests[i]), KERR_OK);
    EXPECT_EQUAL(disk.begun, 1);
    while (!requests[2].channel.is_ready(&requests[2].channel))
        EXPECT(requests[2].status == KERR_MUST_WAIT);
    EXPECT_EQUAL(requests[0].status, KERR_OK);
    EXPECT_EQUAL(requests[1].status, KERR_OK);
    EXPECT_EQUAL(disk.begun, 3);
    EXPECT(disk.began[0] == 300 && disk.began[1] == 101 && disk.began[2] == 200);
}

static unsigned rounds;

/* Ask for the next sector, until the rounds are over. */
static void ask_again(struct block_request *request)
{
    if (--rounds == 0)
        return;
    request->sector++;
    EXPECT_EQUAL(block_submit(request), KERR_OK);
}

TEST("block", "what is done submits itself again: goes on in the same way")
{
    set_up(1);
    rounds = 5;
    test_request(&requests[0], &disk.device, BLOCK_READ, 10, 1);
    requests[0].done = ask_again;
    EXPECT_EQUAL(block_wait(&requests[0]), KERR_OK);
    EXPECT_EQUAL(rounds, 0);
    EXPECT_EQUAL(disk.begun, 5);
    EXPECT_EQUAL(disk.began[4], 14);
}

PANIC_TEST("block-submit-twice")
{
    set_up(1);
    test_request(&requests[0], &disk.device, BLOCK_READ, 0, 1);
    for (unsigned i = 0; i < 2; i++)
        EXPECT_EQUAL(block_submit(&requests[0]), KERR_OK);
}

PANIC_TEST("block-close-busy")
{
    set_up(1);
    EXPECT_EQUAL(block_open_for_writing(&disk.device, "test"), KERR_OK);
    test_request(&requests[0], &disk.device, BLOCK_WRITE, 0, 1);
    EXPECT_EQUAL(block_submit(&requests[0]), KERR_OK);
    block_close_for_writing(&disk.device);
}

PANIC_TEST("block-name-twice")
{
    static struct block_device twins[2];
    for (unsigned i = 0; i < 2; i++) {
        block_init_disk(&twins[i], "twin", disk.device.driver, &disk, 1);
        block_register(&twins[i]);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: block. Used by: tests of layer 6.
 *
 * A disk that holds nothing and takes its time: what is under way is done at a poll that the test
 * chooses, and well or badly as it says. And frames for requests.
 */
#ifndef TESTS_BLOCK_TESTING_H
#define TESTS_BLOCK_TESTING_H

#include <device/block.h>
#include <kernel/test.h>

enum { TEST_DISK_SECTORS = 1000, TEST_DISK_LOG = 16 };

struct test_disk {
    struct block_device device;
    uint32_t polls;                  /* that a request takes */
    enum kerr answer;                /* what it ends with */
    struct block_request *under_way; /* NULL: none */
    uint32_t polls_left;             /* of it */
    uint64_t began[TEST_DISK_LOG];   /* sectors of the disk, in the order in which they began */
    uint32_t begun;
};

/* A disk of TEST_DISK_SECTORS sectors; not registered. */
void test_disk_init(struct test_disk *disk, uint32_t polls);

/* REQUEST asks DEVICE for SECTORS sectors from SECTOR on; it has no frames yet. */
void test_request(struct block_request *request, struct block_device *device,
                  enum block_operation operation, uint64_t sector, uint32_t sectors);

/* The disk that `testdisk=NAME` names, the only one that tests may write; NULL: none. */
struct block_device *test_disk_named(void);

/* COUNT frames in a row; false: the test has failed, there are none. */
bool must_check test_frames_take(frame_t *first, uint32_t count);
void test_frames_give(frame_t first, uint32_t count);

/* Each word of PAGES frames from FIRST on is SEED + its number; and whether that is so of BYTES
 * bytes, OFFSET bytes from FIRST on, whose first word is to be number NUMBER. */
void test_fill(frame_t first, uint32_t pages, uint32_t seed);
bool test_is_filled(frame_t first, uint32_t offset, uint32_t bytes, uint32_t seed, uint32_t number);

#endif

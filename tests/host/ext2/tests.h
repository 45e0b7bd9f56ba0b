/* SPDX-License-Identifier: MIT */
/* Host test of ext2: the tests. */
#ifndef TESTS_HOST_EXT2_TESTS_H
#define TESTS_HOST_EXT2_TESTS_H

#include "disk.h"

#include <stdbool.h>
#include <stdint.h>

struct arguments {
    uint32_t seed, operations, rounds;
    const char *image, *log; /* of `replay`: the disk before, and what was written */
    uint32_t block_bytes;
};

void test_random_operations(const struct arguments *arguments);
void test_power_cuts(const struct arguments *arguments);
void test_allocation_failures(const struct arguments *arguments);
void test_disk_errors(const struct arguments *arguments);
void test_replay(const struct arguments *arguments);
void test_dead_disk(const struct arguments *arguments);
void test_many_names(const struct arguments *arguments);
void test_large_files(const struct arguments *arguments);
void test_hashed_directory(const struct arguments *arguments);
void test_features(const struct arguments *arguments);
void test_mount_state(const struct arguments *arguments);
void test_mutated_images(const struct arguments *arguments);

/* What is mounted keeps a promise (promise.h). */
struct promise;
void promise_check(const struct promise *promised);

/* The power went, behind write CUT, and left IMAGE: it is repaired and mounted, CHECK looks at it, and it is
 * unmounted. What e2fsck found. */
enum disk_state judge_image(const uint8_t *image, uint64_t bytes, uint32_t cut, bool may_ask,
                            void (*check)(uint32_t cut));

/* One operation of random.c. */
void random_operation(void);
void random_close_all(void);

/* Directories stay in their directory: one that moves has two names for a moment. */
extern bool random_keeps_directories;

#endif

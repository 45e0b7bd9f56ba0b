/* SPDX-License-Identifier: MIT */
/* Host test of ext2: the tests. */
#ifndef TESTS_HOST_EXT2_TESTS_H
#define TESTS_HOST_EXT2_TESTS_H

#include <stdbool.h>
#include <stdint.h>

struct arguments {
    uint32_t seed, operations, rounds;
};

void test_random_operations(const struct arguments *arguments);
void test_power_cuts(const struct arguments *arguments);
void test_allocation_failures(const struct arguments *arguments);
void test_disk_errors(const struct arguments *arguments);
void test_dead_disk(const struct arguments *arguments);
void test_many_names(const struct arguments *arguments);
void test_large_files(const struct arguments *arguments);
void test_hashed_directory(const struct arguments *arguments);
void test_features(const struct arguments *arguments);
void test_mount_state(const struct arguments *arguments);
void test_mutated_images(const struct arguments *arguments);

/* One operation of random.c. */
void random_operation(void);
void random_close_all(void);

/* Directories stay in their directory: one that moves has two names for a moment. */
extern bool random_keeps_directories;

#endif

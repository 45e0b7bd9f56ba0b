/* SPDX-License-Identifier: MIT */
/* Host test of ext2: the tests. */
#ifndef TESTS_HOST_EXT2_TESTS_H
#define TESTS_HOST_EXT2_TESTS_H

#include <stdint.h>

struct arguments {
    uint32_t seed, operations, rounds;
};

void test_random_operations(const struct arguments *arguments);

#endif

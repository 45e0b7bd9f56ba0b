/* SPDX-License-Identifier: MIT */
/* Host test of the whole kernel below its programs: the tests, and what they share. */
#ifndef TESTS_HOST_SYSTEM_TESTS_H
#define TESTS_HOST_SYSTEM_TESTS_H

#include "disk.h"

struct arguments {
    uint32_t seed, rounds, operations;
    uint32_t step; /* of the places where something fails, each STEPth */
    bool shows;
};

void test_random(const struct arguments *arguments);
void test_cases(const struct arguments *arguments);
void test_allocations(const struct arguments *arguments);
void test_errors(const struct arguments *arguments);
void test_dead_disk(const struct arguments *arguments);
void test_full_disk(const struct arguments *arguments);

/* A machine of MIB MiB of RAM is on, with a disk "hda" of a new ext2 of KIB KiB, made with OPTIONS; the test is
 * its first program. */
void system_begin(uint32_t seed, uint32_t mib, uint32_t kib, const char *options);

/* The ext2 is mounted; and not any more. Return what the calls do. */
int32_t system_mount(void);
int32_t system_unmount(void);

/* All the books of the kernel are in order. */
void system_audit(void);

/* As the kernel was is remembered: with nothing mounted, and one program. Then it is so again. */
void system_count(void);
void system_count_again(void);

#endif

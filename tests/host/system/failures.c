/* SPDX-License-Identifier: MIT */
/*
 * Host test. Memory and the disk fail, at each place in turn: a few operations are done again and again
 * from one state of the machine, and each time another allocation of a frame fails, or another request of
 * the disk, or all from there on. A failure is told or made good; what no failed operation was about is as
 * the model says, and so is the disk when it is well again.
 */
#include "operations.h"
#include "programs.h"
#include "rounds.h"
#include "tests.h"

#include "../machine.h"

#include <process/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MACHINE_MIB = 8,
    IMAGE_KIB = 2048,
    OPERATIONS = 150,
    VARIANTS = 7,
    TRIES_MAX = 20,
    EVERYTHING = (1 << BLOCK_OPERATIONS) - 1
};

static uint8_t image_before[IMAGE_KIB * 1024];
static uint32_t seed_of_all;

/* The state that each try begins with: an ext2 with something in it, mounted. */
static void prepare(uint32_t seed)
{
    seed_of_all = seed;
    system_begin(seed, MACHINE_MIB, IMAGE_KIB, seed % 2 ? "-b 1024" : "-b 4096");
    expect(system_mount(), 0, "mount");
    while (disk_step())
        continue;
    machine_save();
    memcpy(image_before, system_disk.image, sizeof(image_before));
}

static void begin_again(uint32_t number)
{
    machine_restore();
    memcpy(system_disk.image, image_before, sizeof(image_before));
    disk_seed(seed_of_all);
    tree_seed(seed_of_all + number % VARIANTS);
    tree_begin();
    programs_begin_again();
    rounds_begin();
    if (getenv("TRACE") != NULL)
        printf("---- number %u\n", number);
    holders[0].lives = true;
    operations_may_fail = true;
    operations_excused = 0;
}

/* What has failed does so no more: all that can be known is as the model says. */
static void judge(void)
{
    disk_heal(&system_disk);
    machine_fail_allocation(0, FAIL_ONCE);
    rounds_end();
    operations_may_fail = false;
    /* What was written in vain is told to who unmounts, once for each that keeps account of it. */
    uint32_t tries = TRIES_MAX;
    while (system_unmount() == -EIO)
        if (--tries == 0)
            wrong("no umount succeeds");
    expect(system_mount(), 0, "mount");
    rounds_judge();
    expect(system_unmount(), 0, "umount");
}

/* ---- memory ---- */

void test_allocations(const struct arguments *arguments)
{
    uint32_t excused = 0, failed = 0, beyond = 0;
    prepare(arguments->seed);
    for (uint32_t number = 1; beyond < VARIANTS; number += arguments->step) {
        begin_again(number);
        machine_fail_allocation(number, FAIL_ONCE);
        rounds_run(OPERATIONS, BY_CHILDREN);
        failed += machine_allocation_failed();
        beyond += !machine_allocation_failed();
        excused += operations_excused;
        judge();
    }
    printf("note: %u allocations failed, %u calls said so\n", failed, excused);
}

/* ---- the disk ---- */

static void fail_requests(const struct arguments *arguments, bool for_ever)
{
    uint32_t excused = 0, failed = 0, beyond = 0;
    prepare(arguments->seed);
    for (uint32_t number = 1; beyond < VARIANTS; number += arguments->step) {
        begin_again(number);
        system_disk.fail_number = system_disk.done + number;
        system_disk.fails_for_ever = for_ever;
        system_disk.fail_kinds = EVERYTHING;
        system_disk.has_failed = false;
        rounds_run(OPERATIONS, BY_CHILDREN);
        failed += system_disk.has_failed;
        beyond += !system_disk.has_failed;
        excused += operations_excused;
        judge();
    }
    printf("note: %u requests failed%s, %u calls said so\n", failed, for_ever ? " for ever" : "",
           excused);
}

void test_errors(const struct arguments *arguments)
{
    fail_requests(arguments, false);
}

void test_dead_disk(const struct arguments *arguments)
{
    fail_requests(arguments, true);
}

/* ---- room on the disk ---- */

/* What fails for want of room has changed nothing; a program that touches a page which can have none ends. */
void test_full_disk(const struct arguments *arguments)
{
    enum { SMALL_KIB = 160, MANY = 1500 };
    for (uint32_t i = 0; i < arguments->rounds; i++) {
        uint32_t seed = arguments->seed + i;
        printf("seed %u\n", seed);
        system_begin(seed, MACHINE_MIB, SMALL_KIB, seed % 2 ? "-b 1024 -N 64" : "-b 2048 -N 64");
        rounds_begin();
        expect(system_mount(), 0, "mount");
        operations_may_fail = true;
        rounds_run(MANY, BY_CHILDREN);
        judge();
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: memory and the disk fail, at each place in turn. A failure is told, and the next
 * try goes well: nothing that was there before is lost, and the disk is as e2fsck wants it.
 */
#include "disk.h"
#include "tests.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint8_t bytes[50000];

/* A step of a small workload; again and again until it is done. */
static void step(uint32_t number)
{
    struct node *directory = NULL, *file = NULL;
    struct entry *entry = tree_find(tree_root, "d");
    directory = entry == NULL ? NULL : entry->node;
    entry = directory == NULL ? NULL : tree_find(directory, "file");
    file = entry == NULL ? NULL : entry->node;
    struct node *node;
    switch (number) {
    case 0:
        (void)tree_create(tree_root, "d", S_IFDIR | 0755, NULL, &node);
        break;
    case 1:
        (void)tree_create(directory, "file", S_IFREG | 0644, NULL, &node);
        break;
    case 2:
        (void)tree_write(file, 0, bytes, sizeof(bytes));
        break;
    case 3:
        (void)tree_flush(file, FLUSH_ALL);
        break;
    case 4:
        (void)tree_create(directory, "link", S_IFLNK | 0777, "../d/file", &node);
        break;
    case 5:
        (void)tree_link(tree_root, "second", file);
        break;
    case 6:
        (void)tree_create(directory, "other", S_IFREG | 0644, NULL, &node);
        break;
    case 7:
        (void)tree_sync();
        break;
    case 8:
        if (tree_find(directory, "file") != NULL)
            (void)tree_rename(directory, "other", directory, "file");
        break;
    case 9:
        if (tree_find(tree_root, "second") != NULL)
            (void)tree_resize(tree_find(tree_root, "second")->node, 5000);
        break;
    case 10:
        if (tree_find(tree_root, "second") != NULL)
            (void)tree_remove(tree_root, "second");
        break;
    default:
        tree_leave();
    }
}
enum { STEPS = 12 };

/* What the workload does if nothing fails. */
static bool is_done(uint32_t number)
{
    struct entry *d = tree_find(tree_root, "d");
    switch (number) {
    case 0:
        return d != NULL;
    case 1:
        return tree_find(d->node, "file") != NULL;
    case 2:
        return tree_find(d->node, "file")->node->length == sizeof(bytes);
    case 4:
        return tree_find(d->node, "link") != NULL;
    case 5:
        return tree_find(tree_root, "second") != NULL;
    case 6:
        return tree_find(d->node, "other") != NULL;
    case 8:
        return tree_find(d->node, "other") == NULL;
    case 9:
        return tree_find(tree_root, "second")->node->length == 5000;
    case 10:
        return tree_find(tree_root, "second") == NULL;
    default:
        return true;
    }
}

static void work(void)
{
    enum { TRIES = 5 };
    for (uint32_t number = 0; number < STEPS; number++)
        for (uint32_t tries = 0; tries == 0 || !is_done(number); tries++) {
            if (tries == TRIES)
                world_fail("step %u: it does not come to an end", number);
            step(number);
        }
}

static void begin(const uint8_t *image, uint64_t size)
{
    uint8_t *copy = malloc(size);
    memcpy(copy, image, size);
    world_begin(copy, size);
    world.random = 1;
    inodes_begin();
    tree_begin();
}

/* Once more, without a failure, if it failed. */
static void mount_it(void)
{
    enum kerr error = tree_mount_it(0);
    if (error != KERR_OK && world.has_failed)
        error = tree_mount_it(0);
    if (error != KERR_OK)
        world_fail("it can't be mounted: error %d", error);
}

static void unmount_it(void)
{
    enum { TRIES = 20 };
    for (uint32_t tries = 0; tree_unmount() != KERR_OK; tries++)
        if (tries == TRIES)
            world_fail("it can't be unmounted");
}

/* True: the failure was met. */
static bool run(const uint8_t *image, uint64_t size)
{
    world.has_failed = false;
    world.requests = world.allocations = 0;
    tree_may_fail = true;
    begin(image, size);
    mount_it();
    work();
    tree_compare();
    unmount_it();
    if (inodes_in_core() != 0 || world.blocks_allocated != 0)
        world_fail("%u inodes and %u blocks of memory stay", inodes_in_core(),
                   world.blocks_allocated);
    disk_check(world.image, world.bytes);
    tree_end();
    return world.has_failed;
}

void test_allocation_failures(const struct arguments *arguments)
{
    uint32_t kib = 1024, number = 1;
    uint8_t *image = disk_make(kib, "-b 1024 -N 64");
    (void)arguments;
    for (;; number++) {
        world.fail_allocation = number;
        if (!run(image, kib * 1024))
            break;
    }
    world.fail_allocation = 0;
    free(image);
    printf("note: %u places\n", number - 1);
}

void test_disk_errors(const struct arguments *arguments)
{
    uint32_t kib = 1024, number = 1;
    uint8_t *image = disk_make(kib, "-b 1024 -N 64");
    (void)arguments;
    for (;; number++) {
        world.fail_request = number;
        if (!run(image, kib * 1024))
            break;
    }
    world.fail_request = 0;
    free(image);
    printf("note: %u requests\n", number - 1);
}

/* From a request on nothing goes to the disk or comes from there: errors, and an end. */
void test_dead_disk(const struct arguments *arguments)
{
    uint32_t kib = 1024, number = 1;
    uint8_t *image = disk_make(kib, "-b 1024 -N 64");
    bool met = true;
    (void)arguments;
    for (; met; number += 7) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            world.fail_request = number;
            world.fails_for_ever = true;
            tree_may_fail = true;
            begin(image, kib * 1024);
            if (tree_mount_it(0) == KERR_OK) {
                for (uint32_t i = 0; i < STEPS && (i == 0 || is_done(i - 1)); i++)
                    step(i);
                (void)tree_sync();
                (void)tree_unmount();
            }
            _exit(world.has_failed ? 0 : 1);
        }
        int status;
        if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
            world_fail("request %u and all behind it fail: it does not end well", number);
        met = WEXITSTATUS(status) == 0;
    }
    free(image);
    printf("note: %u requests\n", number);
}

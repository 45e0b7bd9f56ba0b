/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: images that lie. Bytes of a good image are changed, mostly where metadata are; then
 * all of it is read, and much is tried. Errors are answers; a crash, an endless loop, a write that is not on
 * the disk or over the superblock's sizes are not.
 */
#include "mutate.h"
#include "disk.h"
#include "tests.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arch/i386/entry.h>

#include "../../../file/ext2.h"

enum { KIB = 300, STEPS_MAX = 400 };
static uint8_t *good;
static uint32_t steps;

uint8_t *mutate_image(uint64_t *bytes)
{
    static uint8_t data[30000];
    struct node *directory, *node;
    char name[64];
    *bytes = KIB * 1024;
    if (good != NULL)
        return good;
    world.is_slow = false;
    world_begin(disk_make(KIB, "-b 1024 -N 64"), *bytes);
    inodes_begin();
    tree_begin();
    bool is_right = tree_mount_it(0) == KERR_OK &&
                    tree_create(tree_root, "d", S_IFDIR | 0755, NULL, &directory) == KERR_OK;
    for (uint32_t i = 0; i < 30 && is_right; i++) {
        snprintf(name, sizeof(name), "file with a name %u", i);
        is_right = tree_create(i % 2 ? directory : tree_root, name, S_IFREG | 0644, NULL, &node) ==
                   KERR_OK;
        if (i % 10 == 0)
            is_right = is_right && tree_write(node, i * 9000, data, sizeof(data)) == KERR_OK;
    }
    memset(data, 'x', 200);
    data[200] = '\0';
    is_right = is_right &&
               tree_create(tree_root, "l", S_IFLNK | 0777, (char *)data, &node) == KERR_OK &&
               tree_unmount() == KERR_OK;
    if (!is_right)
        world_fail("no image can be made");
    tree_end();
    good = malloc(*bytes);
    memcpy(good, world.image, *bytes);
    return good;
}

/* ---- trying ---- */

static void read_all(struct inode *inode)
{
    enum kerr error = KERR_OK;
    uint32_t pages = inode->object->pages;
    for (uint32_t page = 0; page < pages && page < 100; page++) {
        frame_t frame;
        AGAIN(error, ext2_page(inode, page, PAGE_TO_READ, &frame));
    }
}

static void write_some(struct inode *inode)
{
    struct flushing flushing = {0};
    enum kerr error;
    for (uint32_t i = 0; i < 4; i++) {
        frame_t frame;
        AGAIN(error, ext2_page(inode, i * 11, PAGE_TO_WRITE, &frame));
        if (error == KERR_OK)
            ext2_page_written(inode, (uint64_t)i * 11 * PAGE_BYTES + 100);
    }
    AGAIN(error, ext2_resize(inode, 5000));
    AGAIN(error, ext2_flush(inode, FLUSH_ALL, &flushing));
}

static void try_names(struct inode *directory, struct name old, struct inode *inode)
{
    static const struct name new = {"a new name", 10}, other = {"another", 7};
    const struct inode_wish wish = {.mode = S_IFREG | 0600};
    struct flushing flushing = {0};
    struct inode *made;
    enum kerr error;
    AGAIN(error, ext2_lookup(directory, new, &made));
    if (error == KERR_NOT_FOUND)
        AGAIN(error, ext2_create(directory, new, &wish, &made));
    if (error != KERR_OK)
        return;
    inode_set_parent(made, directory);
    AGAIN(error, ext2_flush(made, FLUSH_ALL, &flushing));
    bool is_other = made != inode && !inode_is_directory(made);
    if (is_other && !inode_is_directory(inode))
        AGAIN(error, ext2_rename(directory, new, made, directory, old, inode));
    else if (is_other)
        AGAIN(error, ext2_link(directory, other, made));
    inode_put(made);
}

static void walk(struct inode *directory, uint32_t depth)
{
    struct directory_entry entry = {.cursor = 2};
    enum kerr error;
    while (steps++ < STEPS_MAX) {
        char text[NAME_BYTES_MAX], target[PATH_BYTES_MAX];
        struct inode *inode;
        uint32_t length;
        AGAIN(error, ext2_read_directory(directory, entry.cursor, &entry));
        if (error != KERR_OK)
            break;
        struct name name = {text, entry.name.length};
        memcpy(text, entry.name.text, name.length);
        AGAIN(error, ext2_lookup(directory, name, &inode));
        if (error != KERR_OK)
            continue;
        bool is_known = inode->references > 1 || inode->parent != NULL;
        if (!is_known)
            inode_set_parent(inode, directory);
        if (inode_type(inode) == S_IFREG)
            read_all(inode);
        if (inode_type(inode) == S_IFREG && steps % 3 == 0)
            write_some(inode);
        if (inode_type(inode) == S_IFLNK)
            AGAIN(error, ext2_read_link(inode, target, &length));
        if (inode_is_directory(inode) && !is_known && depth < 4)
            walk(inode, depth + 1);
        if (steps % 4 == 1 && !is_known)
            try_names(directory, name, inode);
        else if (steps % 4 == 2 && !is_known)
            AGAIN(error, ext2_remove(directory, name, inode));
        inode_put(inode);
    }
}

/* The sizes that the superblock tells. */
static bool same_sizes(const uint8_t *image, const struct ext2_super *before)
{
    const struct ext2_super *super = (const struct ext2_super *)(image + EXT2_SUPER_OFFSET);
    return super->inodes == before->inodes && super->blocks == before->blocks &&
           super->first_block == before->first_block && super->magic == before->magic &&
           super->log_block_bytes == before->log_block_bytes &&
           super->blocks_per_group == before->blocks_per_group &&
           super->inodes_per_group == before->inodes_per_group;
}

bool mutate_try(uint8_t *image, uint64_t bytes)
{
    struct ext2_super before;
    memcpy(&before, image + EXT2_SUPER_OFFSET, sizeof(before));
    world_begin(image, bytes);
    inodes_begin();
    steps = 0;
    tree_may_fail = true;
    if (tree_mount_it(0) != KERR_OK)
        return true;
    if (!(tree_mount.flags & MOUNT_READ_ONLY))
        walk(tree_mount.root, 0);
    (void)tree_sync();
    bool is_unmounted = tree_unmount() == KERR_OK;
    if (!same_sizes(world.image, &before))
        world_fail("the superblock was written over");
    return is_unmounted;
}

/* ---- changing ---- */

static void change(uint8_t *image, uint64_t bytes)
{
    static const uint32_t values[] = {0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF};
    uint32_t count = 1 + world_random(6);
    while (count-- > 0) {
        uint32_t block, at, width = 1u << world_random(3);
        switch (world_random(5)) {
        case 0:
            block = 1; /* superblock */
            at = world_random(208);
            break;
        case 1:
            block = 2; /* descriptors */
            at = world_random(32);
            break;
        case 2: /* bitmaps, table of inodes */
            block = 3 + world_random(12);
            at = world_random(1024);
            break;
        default:
            block = world_random((uint32_t)(bytes / 1024));
            at = world_random(world_random(2) == 0 ? 64 : 1024);
        }
        uint32_t value =
            world_random(2) == 0 ? values[world_random(ARRAY_LENGTH(values))] : world_random(400);
        if (at + width <= 1024)
            memcpy(image + (uint64_t)block * 1024 + at, &value, width);
    }
}

void test_mutated_images(const struct arguments *arguments)
{
    uint64_t bytes;
    const uint8_t *image = mutate_image(&bytes);
    uint32_t unmounted = 0, count = arguments->rounds * 100;
    for (uint32_t i = 0; i < count; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            uint8_t *copy = malloc(bytes);
            memcpy(copy, image, bytes);
            world.random = arguments->seed + i;
            change(copy, bytes);
            alarm(20);
            _exit(mutate_try(copy, bytes) ? 0 : 1);
        }
        int status;
        if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
            world_fail("seed %u: status %x", arguments->seed + i, status);
        unmounted += WEXITSTATUS(status) == 0;
    }
    printf("note: %u images from seed %u on, %u could be unmounted\n", count, arguments->seed,
           unmounted);
}

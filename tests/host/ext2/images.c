/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: large directories, large files, images that Linux's programs made, features.
 */
#include "disk.h"
#include "tests.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/i386/entry.h>

#include "../../../file/ext2.h"

static void begin(uint8_t *image, uint64_t bytes)
{
    world.random = 1;
    world.is_slow = false;
    world.requests = 0;
    world_begin(image, bytes);
    inodes_begin();
}

static void must(enum kerr error, enum kerr wanted, const char *what)
{
    if (error != wanted)
        world_fail("%s: error %d and not %d", what, error, wanted);
}

static void end(void)
{
    must(tree_unmount(), KERR_OK, "unmount");
    disk_check(world.image, world.bytes);
}

/* ---- ten thousand names ---- */

static void check_requests(const char *what, uint32_t most)
{
    if (world.requests > most)
        world_fail("%s: %u requests, %u would do", what, world.requests, most);
    world.requests = 0;
}

static void ten_thousand(uint32_t kib, const char *options, uint32_t most)
{
    enum { NAMES = 10000 };
    char name[32];
    struct node *directory, *node;
    begin(disk_make(kib, options), (uint64_t)kib * 1024);
    tree_begin();
    must(tree_mount_it(0), KERR_OK, "mount");
    must(tree_create(tree_root, "many", S_IFDIR | 0755, NULL, &directory), KERR_OK, "mkdir");
    for (uint32_t i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "name-%u", i);
        must(tree_create(directory, name, S_IFREG | 0644, NULL, &node), KERR_OK, "create");
        if (i % 1000 == 999)
            must(tree_sync(), KERR_OK, "sync");
    }
    check_requests("ten thousand names are created", most);
    tree_leave();
    for (uint32_t i = 0; i < NAMES; i += 3) {
        snprintf(name, sizeof(name), "name-%u", i);
        must(tree_remove(directory, name), KERR_OK, name);
    }
    for (uint32_t i = 0; i < NAMES; i += 3) {
        snprintf(name, sizeof(name), "%u-more", i);
        must(tree_create(directory, name, S_IFREG | 0644, NULL, &node), KERR_OK, "create");
    }
    check_requests("a third of them goes and comes", 2 * most);
    tree_compare();
    end();
    tree_end();
}

void test_many_names(const struct arguments *arguments)
{
    (void)arguments;
    ten_thousand(12 * 1024, "-b 1024 -N 11000", 9000);
    ten_thousand(12 * 1024, "-b 4096 -N 11000", 3000);
}

/* ---- large files ---- */

static void check_found(struct inode *inode, uint32_t page, enum inode_content wanted,
                        uint32_t should_be)
{
    uint32_t found;
    enum kerr error;
    AGAIN(error, ext2_find_page(inode, page, wanted, &found));
    if (error != KERR_OK || found != should_be)
        world_fail("from page %u on, content %d is at %u and not %u (error %d)", page, wanted,
                   found, should_be, error);
}

static void large_file(uint32_t block_bytes)
{
    static const uint64_t offsets[] = {0,          0x7FFFFFFF - 5000, 0x80000000 - 3,
                                       0xFFFFFFF0, 0x140000000,       0x3F0000000};
    uint8_t written[100], read[100];
    char options[64];
    uint32_t kib = 4096;
    struct node *node;
    struct inode *inode;
    snprintf(options, sizeof(options), "-b %u -O ^large_file,^resize_inode", block_bytes);
    begin(disk_make(kib, options), (uint64_t)kib * 1024);
    must(tree_mount_it(0), KERR_OK, "mount");
    tree_begin();
    must(tree_create(tree_root, "large", S_IFREG | 0644, NULL, &node), KERR_OK, "create");
    must(tree_inode(node, &inode), KERR_OK, "lookup");
    for (unsigned i = 0; i < ARRAY_LENGTH(offsets); i++) {
        enum kerr error;
        frame_t frame;
        memset(written, (int)(i + 1), sizeof(written));
        for (uint32_t at = 0; at < sizeof(written); at++) { /* a byte at a time: over pages' ends */
            uint64_t offset = offsets[i] + at;
            AGAIN(error, ext2_page(inode, (uint32_t)(offset >> PAGE_SHIFT), PAGE_TO_WRITE, &frame));
            must(error, KERR_OK, "write");
            memcpy((uint8_t *)temp_map(TEMP_FRAME, frame) + offset % PAGE_BYTES, &written[at], 1);
            temp_unmap(TEMP_FRAME);
            ext2_page_written(inode, offset + 1);
        }
    }
    enum kerr error;
    AGAIN(error, ext2_resize(inode, ext2_bytes_max(tree_mount.data) + 1));
    must(error, KERR_TOO_LARGE, "too large");
    inode_put(inode);
    end();
    must(tree_mount_it(0), KERR_OK, "mount");
    must(tree_inode(node, &inode), KERR_OK, "lookup");
    if (inode->status.bytes != offsets[ARRAY_LENGTH(offsets) - 1] + sizeof(written))
        world_fail("a large file has %llu bytes", (unsigned long long)inode->status.bytes);
    for (unsigned i = 0; i < ARRAY_LENGTH(offsets); i++)
        for (uint32_t at = 0; at < sizeof(read); at++) {
            uint64_t offset = offsets[i] + at;
            frame_t frame;
            AGAIN(error, ext2_page(inode, (uint32_t)(offset >> PAGE_SHIFT), PAGE_TO_READ, &frame));
            must(error, KERR_OK, "read");
            uint8_t byte = ((uint8_t *)temp_map(TEMP_FRAME, frame))[offset % PAGE_BYTES];
            temp_unmap(TEMP_FRAME);
            if (byte != i + 1)
                world_fail("byte %llu of a large file is %u", (unsigned long long)offset, byte);
        }
    for (unsigned i = ARRAY_LENGTH(offsets); i-- > 0;) {
        AGAIN(error, ext2_resize(inode, offsets[i] + 50));
        must(error, KERR_OK, "shorten");
        must(tree_flush(node, FLUSH_ALL), KERR_OK, "flush");
        uint8_t *copy = malloc(world.bytes);
        memcpy(copy, world.image, world.bytes);
        (void)disk_repair(copy, world.bytes, false);
        free(copy);
    }
    must(tree_create(tree_root, "holes", S_IFREG | 0644, NULL, &node), KERR_OK, "create");
    must(tree_write(node, 20 << PAGE_SHIFT, written, 10), KERR_OK, "write");
    must(tree_write(node, 9000ull << PAGE_SHIFT, written, 10), KERR_OK, "write");
    inode_put(inode);
    must(tree_inode(node, &inode), KERR_OK, "lookup");
    check_found(inode, 0, CONTENT_DATA, 20);
    check_found(inode, 0, CONTENT_HOLE, 0);
    check_found(inode, 20, CONTENT_DATA, 20);
    check_found(inode, 20, CONTENT_HOLE, 21);
    check_found(inode, 21, CONTENT_DATA, 9000);
    check_found(inode, 9000, CONTENT_HOLE, 9001);
    inode_put(inode);
    end();
    tree_end();
}

void test_large_files(const struct arguments *arguments)
{
    (void)arguments;
    large_file(1024);
    large_file(2048);
    large_file(4096);
}

/* ---- what Linux's programs made ---- */

static uint32_t count_names(struct inode *directory)
{
    struct directory_entry entry = {.cursor = 2};
    uint32_t count = 0;
    enum kerr error;
    for (;; count++) {
        AGAIN(error, ext2_read_directory(directory, entry.cursor, &entry));
        if (error != KERR_OK)
            break;
    }
    must(error, KERR_NOT_FOUND, "read directory");
    return count;
}

/* A directory with a tree of hashes: names are found, and what changes it takes the tree away. */
void test_hashed_directory(const struct arguments *arguments)
{
    enum { NAMES = 3000 };
    static const struct name one = {"name-17", 7}, new = {"one more", 8};
    const struct inode_wish wish = {.mode = S_IFREG | 0600};
    const char *at = disk_directory();
    struct inode *directory, *inode;
    uint64_t bytes;
    enum kerr error;
    (void)arguments;
    disk_run(1,
             "cd %s && mkdir -p from/many && cd from/many && seq -f name-%%g 1 %u | xargs touch && "
             "cd ../.. && mke2fs -q -F -t ext2 -b 1024 -N 4000 -O dir_index -d from hashed 4096K",
             at, NAMES);
    disk_run(3, "e2fsck -fyD %s/hashed", at);
    disk_run(1, "debugfs -R 'htree_dump /many' %s/hashed | grep -q 'Root node'", at);
    uint8_t *image = disk_load("hashed", &bytes);
    begin(image, bytes);
    must(tree_mount_it(0), KERR_OK, "mount");
    AGAIN(error, ext2_lookup(tree_mount.root, (struct name){"many", 4}, &directory));
    must(error, KERR_OK, "lookup");
    inode_set_parent(directory, tree_mount.root);
    AGAIN(error, ext2_lookup(directory, one, &inode));
    must(error, KERR_OK, "lookup");
    inode_set_parent(inode, directory);
    if (count_names(directory) != NAMES)
        world_fail("%u names, and there are %u", count_names(directory), NAMES);
    AGAIN(error, ext2_remove(directory, one, inode));
    must(error, KERR_OK, "remove");
    inode_put(inode);
    AGAIN(error, ext2_create(directory, new, &wish, &inode));
    must(error, KERR_OK, "create");
    inode_set_parent(inode, directory);
    inode_put(inode);
    if (count_names(directory) != NAMES)
        world_fail("%u names, and there are %u", count_names(directory), NAMES);
    inode_put(directory);
    end();
    disk_store("hashed", world.image, world.bytes);
    disk_run(2, "debugfs -R 'htree_dump /many' %s/hashed 2>&1 | grep -q 'Root node'", at);
}

/* ---- features, and what the superblock says of mounts ---- */

static struct ext2_super *super_of(uint8_t *image)
{
    return (struct ext2_super *)(image + EXT2_SUPER_OFFSET);
}

static enum kerr mount_with(uint32_t compatible, uint32_t incompatible, uint32_t read_only,
                            uint32_t flags)
{
    uint8_t *image = disk_make(1024, "-b 1024");
    super_of(image)->compatible |= compatible;
    super_of(image)->incompatible |= incompatible;
    super_of(image)->read_only |= read_only;
    begin(image, 1024 * 1024);
    enum kerr error = tree_mount_it(flags);
    if (error == KERR_OK) {
        bool is_read_only = (tree_mount.flags & MOUNT_READ_ONLY) != 0;
        must(tree_unmount(), KERR_OK, "unmount");
        if (is_read_only)
            return KERR_READ_ONLY;
    }
    return error;
}

void test_features(const struct arguments *arguments)
{
    (void)arguments;
    must(mount_with(0x40000000, 0, 0, 0), KERR_OK, "compatible");
    must(mount_with(EXT2_COMPATIBLE_JOURNAL, 0, 0, 0), KERR_OK, "journal");
    must(mount_with(0, 0x40, 0, 0), KERR_BAD_VALUE, "extents");
    must(mount_with(0, 0x40, 0, MOUNT_READ_ONLY), KERR_BAD_VALUE, "extents, read-only");
    must(mount_with(0, 0, 0x10, 0), KERR_READ_ONLY, "checksums");
    uint8_t *image = disk_make(1024, "-b 1024");
    super_of(image)->incompatible |= EXT2_INCOMPATIBLE_RECOVERY;
    begin(image, 1024 * 1024);
    must(tree_mount_it(0), KERR_READ_ONLY, "recovery");
    must(tree_mount_it(MOUNT_READ_ONLY), KERR_OK, "recovery, read-only");
    must(tree_unmount(), KERR_OK, "unmount");
}

void test_mount_state(const struct arguments *arguments)
{
    struct node *node;
    struct mount_room room;
    (void)arguments;
    uint8_t *image = disk_make(1024, "-b 1024");
    begin(image, 1024 * 1024);
    tree_begin();
    must(tree_mount_it(0), KERR_OK, "mount");
    must(tree_create(tree_root, "x", S_IFREG | 0600, NULL, &node), KERR_OK, "create");
    if ((super_of(world.image)->state & EXT2_STATE_CLEAN) || super_of(world.image)->mounts != 1)
        world_fail("it changes, and the disk says that it is clean");
    must(ext2_room(&tree_mount, &room), KERR_OK, "statfs");
    if (room.files - room.free_files != 12 || room.blocks <= room.free_blocks)
        world_fail("%llu files are in use", (unsigned long long)(room.files - room.free_files));
    struct mount other = {.source = "disk"};
    must(ext2_mount(&other, ""), KERR_EXISTS, "mount twice");
    must(tree_unmount(), KERR_OK, "unmount");
    if (!(super_of(world.image)->state & EXT2_STATE_CLEAN))
        world_fail("it is unmounted, and the disk does not say so");
    super_of(world.image)->state = 0;
    must(tree_mount_it(0), KERR_OK, "mount");
    must(tree_unmount(), KERR_OK, "unmount");
    if (super_of(world.image)->state & EXT2_STATE_CLEAN)
        world_fail("it was not clean, nobody checked it, and the disk says that it is clean");
    tree_end();
}

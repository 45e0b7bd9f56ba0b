/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: random operations against the model. In between pages are written, and given
 * back, as the store does.
 */
#include "disk.h"
#include "tests.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 400, DATA_BYTES = 20000 };

static uint8_t data[DATA_BYTES];
bool random_keeps_directories;

/* All nodes with names of a type (a mask: 0: any), from DIRECTORY down. */
static uint32_t collect(struct node *directory, uint32_t type, struct node **nodes, uint32_t count)
{
    for (uint32_t i = 0; i < directory->count && count < NODES_MAX; i++) {
        struct node *node = directory->entries[i].node;
        if (directory == tree_root && strcmp(directory->entries[i].name, "lost+found") == 0)
            continue;
        if ((type == 0 || (node->mode & S_IFMT) == type) && (!node->is_kept || type == S_IFDIR))
            nodes[count++] = node;
        if ((node->mode & S_IFMT) == S_IFDIR)
            count = collect(node, type, nodes, count);
    }
    return count;
}

static struct node *pick(uint32_t type)
{
    struct node *nodes[NODES_MAX];
    uint32_t count = 0;
    if (type == S_IFDIR)
        nodes[count++] = tree_root;
    count = collect(tree_root, type, nodes, count);
    return count == 0 ? NULL : nodes[world_random(count)];
}

static struct entry *pick_entry(struct node **directory)
{
    for (int tries = 0; tries < 20; tries++) {
        *directory = pick(S_IFDIR);
        if ((*directory)->count == 0)
            continue;
        struct entry *entry = &(*directory)->entries[world_random((*directory)->count)];
        if (strcmp(entry->name, "lost+found") != 0 && !entry->node->is_kept)
            return entry;
    }
    return NULL;
}

static const char *new_name(struct node *directory)
{
    static char name[NAME_BYTES_MAX + 1];
    do {
        uint32_t length = world_random(10) == 0 ? 1 + world_random(255) : 1 + world_random(12);
        for (uint32_t i = 0; i < length; i++)
            name[i] = (char)('a' + world_random(20));
        name[length] = '\0';
    } while (tree_find(directory, name) != NULL);
    return name;
}

static bool is_below(const struct node *node, struct node *above)
{
    struct node *nodes[NODES_MAX];
    uint32_t count = collect(above, 0, nodes, 0);
    while (count > 0)
        if (nodes[--count] == node)
            return true;
    return node == above;
}

static void do_create(void)
{
    static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFCHR};
    struct node *directory = pick(S_IFDIR), *node;
    uint32_t type = types[world_random(ARRAY_LENGTH(types))];
    char target[1000];
    uint32_t length = world_random(3) == 0 ? 60 + world_random(800) : 1 + world_random(70);
    memset(target, 'x', length);
    target[length] = '\0';
    (void)tree_create(directory, new_name(directory), type | world_random(0777),
                      type == S_IFLNK ? target : NULL, &node);
}

static void do_write(void)
{
    struct node *node = pick(S_IFREG);
    if (node == NULL)
        return;
    uint64_t offset = world_random(2) == 0 ? node->length : world_random(60000);
    if (world_random(15) == 0)
        offset = world_random(3000000);
    uint32_t length = 1 + world_random(world_random(4) == 0 ? DATA_BYTES : 3000);
    for (uint32_t i = 0; i < length; i++)
        data[i] = (uint8_t)world_random(256);
    (void)tree_write(node, offset, data, length);
}

static void do_resize(void)
{
    struct node *node = pick(S_IFREG);
    if (node == NULL)
        return;
    uint64_t length = world_random(3) == 0   ? 0
                      : world_random(2) == 0 ? world_random((uint32_t)node->length + 1)
                                             : node->length + world_random(30000);
    (void)tree_resize(node, length);
}

static void do_link(void)
{
    struct node *node = pick(S_IFREG), *directory = pick(S_IFDIR);
    if (node != NULL)
        (void)tree_link(directory, new_name(directory), node);
}

static void do_remove(void)
{
    struct node *directory;
    struct entry *entry = pick_entry(&directory);
    char name[NAME_BYTES_MAX + 1];
    if (entry == NULL || (entry->node->open != NULL && (entry->node->mode & S_IFMT) == S_IFDIR))
        return;
    strcpy(name, entry->name);
    (void)tree_remove(directory, name);
}

static void do_rename(void)
{
    struct node *from, *to = pick(S_IFDIR), *node;
    struct entry *entry = pick_entry(&from), *old;
    char from_name[NAME_BYTES_MAX + 1], to_name[NAME_BYTES_MAX + 1];
    if (entry == NULL)
        return;
    node = entry->node;
    strcpy(from_name, entry->name);
    bool is_directory = (node->mode & S_IFMT) == S_IFDIR;
    if (world_random(3) == 0 || (is_directory && random_keeps_directories))
        to = from;
    if (is_directory && is_below(to, node))
        return;
    strcpy(to_name, new_name(to));
    if (world_random(2) == 0 && to->count > 0) {
        old = &to->entries[world_random(to->count)];
        bool is_other = ((old->node->mode & S_IFMT) == S_IFDIR) == is_directory;
        if (is_other && old->node != node && !old->node->is_kept &&
            strcmp(old->name, "lost+found") != 0 && !is_below(from, old->node))
            strcpy(to_name, old->name);
    }
    (void)tree_rename(from, from_name, to, to_name);
}

static void do_flush(void)
{
    struct node *node = pick(world_random(3) == 0 ? S_IFDIR : S_IFREG);
    if (node != NULL)
        (void)tree_flush(node, world_random(3));
}

static struct node *opened[8];

static void do_open(void)
{
    uint32_t i = world_random(ARRAY_LENGTH(opened));
    if (opened[i] != NULL) {
        tree_close(opened[i]);
        opened[i] = NULL;
        return;
    }
    struct node *node = pick(S_IFREG);
    if (node == NULL || node->open != NULL)
        return;
    tree_open(node);
    opened[i] = node;
}

void random_close_all(void)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(opened); i++)
        if (opened[i] != NULL)
            tree_close(opened[i]);
    memset(opened, 0, sizeof(opened));
}

static void do_status(void)
{
    struct node *node = pick(S_IFREG);
    struct inode *inode;
    if (node == NULL || tree_inode(node, &inode) != KERR_OK)
        return;
    node->mode = S_IFREG | world_random(07777);
    node->user = world_random(100000);
    node->group = world_random(100000);
    inode->status.mode = node->mode;
    inode->status.user = node->user;
    inode->status.group = node->group;
    inode_touch(inode, TIME_CHANGED);
    inode_put(inode);
}

static void do_sync(void)
{
    (void)tree_sync();
}

void random_operation(void)
{
    static void (*const often[])(void) = {do_create, do_create, do_create, do_write,  do_write,
                                          do_write,  do_resize, do_link,   do_remove, do_remove,
                                          do_rename, do_rename, do_flush,  do_open,   do_status};
    uint32_t what = world_random(ARRAY_LENGTH(often) + 1);
    if (what < ARRAY_LENGTH(often))
        often[what]();
    else if (world_random(3) == 0)
        do_sync();
    else if (world_random(2) == 0)
        tree_leave();
    world_write_some(world_random(12));
    world_drop_some(world_random(30));
}

static void round_of(uint32_t seed, uint32_t operations, uint32_t kib, const char *options)
{
    uint8_t *image = disk_make(kib, options);
    world.random = seed;
    world.is_slow = true;
    world_begin(image, (uint64_t)kib * 1024);
    inodes_begin();
    tree_begin();
    enum kerr mounted = tree_mount_it(0);
    if (mounted != KERR_OK)
        world_fail("it can't be mounted: error %d", mounted);
    for (uint32_t i = 0; i < operations; i++) {
        random_operation();
        if (i % 50 == 49)
            tree_compare();
    }
    random_close_all();
    tree_compare();
    if (tree_unmount() != KERR_OK)
        world_fail("it can't be unmounted");
    if (inodes_in_core() != 0 || world.blocks_allocated != 0)
        world_fail("%u inodes and %u blocks of memory stay", inodes_in_core(),
                   world.blocks_allocated);
    disk_check(world.image, world.bytes);
    disk_extract(world.image, world.bytes, "out");
    tree_compare_extracted("out");
    if (tree_mount_it(MOUNT_READ_ONLY) != KERR_OK)
        world_fail("it can't be mounted again");
    tree_compare();
    if (tree_unmount() != KERR_OK)
        world_fail("it can't be unmounted again");
    tree_end();
}

void test_random_operations(const struct arguments *arguments)
{
    static const struct {
        uint32_t kib;
        const char *options;
    } disks[] = {{4096, "-b 1024"},
                 {8192, "-b 2048 -I 256"},
                 {16384, "-b 4096"},
                 {1500, "-b 1024 -N 60"}, /* becomes full */
                 {6144, "-b 1024 -g 1024 -O ^sparse_super,^resize_inode -I 128"}};
    for (uint32_t i = 0; i < arguments->rounds; i++) {
        uint32_t seed = arguments->seed + i, disk = seed % ARRAY_LENGTH(disks);
        printf("seed %u: mke2fs %s, %u KiB\n", seed, disks[disk].options, disks[disk].kib);
        round_of(seed, arguments->operations, disks[disk].kib, disks[disk].options);
    }
    printf("note: seeds %u to %u, %u operations each\n", arguments->seed,
           arguments->seed + arguments->rounds - 1, arguments->operations);
}

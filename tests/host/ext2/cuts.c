/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: power cuts. A mixed workload runs, and every write that reaches the disk is kept in
 * order. Then the power goes behind each of them: e2fsck -p has to repair what there is without a
 * question, and what fsync() had promised by then has to be there.
 *
 * Three kinds of files are promised:
 *   saved    a new version is written beside it, flushed, and renamed over it; then the directory is
 *            flushed. Each version is whole, and no older than the one that was promised.
 *   log      grows, and is flushed: what was flushed is there.
 *   moved    written once, flushed, then renamed from place to place: it is in one of the two.
 */
#include "disk.h"
#include "promise.h"
#include "tests.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAVED = 4, MOVED = 3, PROMISES_MAX = 4000 };

static struct promise promises[PROMISES_MAX];
static uint32_t promise_count;

static struct node *directories[3];
static const char *const directory_names[] = {"one", "two", "three"};
static uint32_t versions[SAVED];
static uint8_t log_bytes[PROMISE_LOG_BYTES_MAX];
static uint32_t log_length;
static struct {
    char name[32];
    uint32_t directory;
} moved[MOVED];

static struct promise *promise(uint32_t kind, uint32_t which, uint32_t value)
{
    if (promise_count == PROMISES_MAX)
        world_fail("too many promises");
    struct promise *new = &promises[promise_count++];
    *new = (struct promise){
        .serial = promise_count, .kind = kind, .which = which, .value = value, .at = world.writes};
    return new;
}

/* ---- the workload ---- */

static void must(enum kerr error, const char *what)
{
    if (error != KERR_OK)
        world_fail("%s: error %d", what, error);
}

/* A disk may be full: then it was not saved. */
static void save(void)
{
    static uint8_t bytes[PROMISE_VERSION_BYTES_MAX + 200];
    uint32_t which = world_random(SAVED), length = promise_version(bytes, which, ++versions[which]);
    struct node *directory = directories[which % 3], *node;
    char name[16];
    snprintf(name, sizeof(name), "saved%u", which);
    if (tree_create(directory, "new", S_IFREG | 0644, NULL, &node) != KERR_OK)
        return;
    node->is_kept = true;
    enum kerr error = tree_write(node, 0, bytes, length);
    if (error == KERR_OK)
        error = tree_flush(node, FLUSH_ALL);
    if (error == KERR_OK)
        error = tree_rename(directory, "new", directory, name);
    if (error != KERR_OK) {
        must(tree_remove(directory, "new"), "remove");
        return;
    }
    if (world_random(3) != 0)
        return;
    must(tree_flush(directory, FLUSH_ALL), "flush");
    struct promise *done = promise(PROMISE_SAVED, which, versions[which]);
    snprintf(done->place[0], PROMISE_PLACE_BYTES, "%s/%s", directory_names[which % 3], name);
}

static void append(void)
{
    struct entry *entry = tree_find(tree_root, "log");
    uint32_t length = 1 + world_random(3000);
    if (log_length + length > PROMISE_LOG_BYTES_MAX)
        return;
    if (tree_write(entry->node, log_length, log_bytes + log_length, length) != KERR_OK)
        return;
    log_length += length;
    if (world_random(2) == 0)
        return;
    must(tree_flush(entry->node, FLUSH_DATA), "flush");
    strcpy(promise(PROMISE_LOG, 0, log_length)->place[0], "log");
}

static void place_of(char *place, uint32_t which)
{
    snprintf(place, 64, "%s/%s", directory_names[moved[which].directory], moved[which].name);
}

/* Moved without a promise of where it is: it may be anywhere it was since the last one. */
static void move(void)
{
    static uint32_t number;
    uint32_t which = world_random(MOVED), to = world_random(3);
    char name[32];
    number++;
    snprintf(name, sizeof(name), "m%u.%u%s", which, number, number % 3 == 0 ? "longer" : "");
    struct promise *until = promise(PROMISE_MOVED, which, 0);
    place_of(until->place[0], which);
    snprintf(until->place[1], sizeof(until->place[1]), "%s/%s", directory_names[to], name);
    struct node *from = directories[moved[which].directory];
    if (tree_rename(from, moved[which].name, directories[to], name) != KERR_OK)
        return;
    moved[which].directory = to;
    strcpy(moved[which].name, name);
    must(tree_flush(directories[to], FLUSH_ALL), "flush");
    must(tree_flush(from, FLUSH_ALL), "flush");
    struct promise *done = promise(PROMISE_MOVED, which, 0);
    place_of(done->place[0], which);
    place_of(done->place[1], which);
}

/* Files that fill a small disk, or take all inodes: what goes is wanted by what comes. */
static void churn(void)
{
    enum { LARGE_BYTES = 60000 };
    static uint8_t bytes[LARGE_BYTES];
    struct node *node;
    char name[16];
    uint32_t which = world_random(4);
    snprintf(name, sizeof(name), "large%u", which);
    struct entry *entry = tree_find(tree_root, name);
    if (entry != NULL && entry->node->length > LARGE_BYTES / 4 && world_random(2) == 0) {
        must(tree_resize(entry->node, world_random(LARGE_BYTES / 4)), "resize");
    } else if (entry != NULL) {
        must(tree_remove(tree_root, name), "remove");
    } else if (tree_create(tree_root, name, S_IFREG | 0644, NULL, &node) == KERR_OK) {
        node->is_kept = true;
        memset(bytes, (int)which + 1, sizeof(bytes));
        if (tree_write(node, 0, bytes, LARGE_BYTES) == KERR_OK && world_random(2) == 0)
            (void)tree_flush(node, world_random(3));
    }
    for (uint32_t i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "small%u", world_random(40));
        if (tree_find(directories[i % 3], name) != NULL)
            (void)tree_remove(directories[i % 3], name); /* it may be a directory in use */
        else if (tree_create(directories[i % 3], name, i % 2 ? S_IFREG | 0644 : S_IFDIR | 0755,
                             NULL, &node) == KERR_OK) {
            node->is_kept = true;
            if (world_random(3) == 0)
                (void)tree_flush(node, world_random(3));
        }
        world_write_some(world_random(12));
    }
}

static void begin_files(void)
{
    static uint8_t bytes[PROMISE_VERSION_BYTES_MAX + 200];
    struct node *node;
    for (uint32_t i = 0; i < PROMISE_LOG_BYTES_MAX; i++)
        log_bytes[i] = promise_log_byte(i);
    for (uint32_t i = 0; i < 3; i++)
        must(tree_create(tree_root, directory_names[i], S_IFDIR | 0755, NULL, &directories[i]),
             "mkdir");
    for (uint32_t i = 0; i < 3; i++)
        directories[i]->is_kept = true;
    must(tree_create(tree_root, "log", S_IFREG | 0644, NULL, &node), "create");
    node->is_kept = true;
    for (uint32_t i = 0; i < MOVED; i++) {
        uint32_t length = promise_moved(bytes, i);
        snprintf(moved[i].name, sizeof(moved[i].name), "m%u", i);
        moved[i].directory = 0;
        must(tree_create(directories[0], moved[i].name, S_IFREG | 0644, NULL, &node), "create");
        node->is_kept = true;
        must(tree_write(node, 0, bytes, length), "write");
        must(tree_flush(node, FLUSH_ALL), "flush");
        struct promise *done = promise(PROMISE_MOVED, i, 0);
        place_of(done->place[0], i);
        place_of(done->place[1], i);
    }
}

static void work(uint32_t operations, bool is_small)
{
    random_keeps_directories = true;
    begin_files();
    for (uint32_t i = 0; i < operations; i++)
        switch (world_random(8)) {
        case 0:
            save();
            break;
        case 1:
            append();
            break;
        case 2:
            move();
            break;
        case 3:
        case 4:
            if (is_small) {
                churn();
                break;
            }
            /* fall through */
        default:
            random_operation();
        }
}

/* ---- what is there afterwards ---- */

/* The last promise of each kind and file that was made before write CUT. */
static void check_promises(uint32_t cut)
{
    const struct promise *last[PROMISE_KINDS][PROMISE_FILES] = {{NULL}};
    for (uint32_t i = 0; i < promise_count && promises[i].at <= cut; i++)
        last[promises[i].kind][promises[i].which] = &promises[i];
    for (uint32_t kind = 0; kind < PROMISE_KINDS; kind++)
        for (uint32_t i = 0; i < PROMISE_FILES; i++)
            if (last[kind][i] != NULL)
                promise_check(last[kind][i]);
}

/* The power goes behind each write, or behind each STEPth. */
static void cut_everywhere(uint8_t *image, uint64_t bytes, uint32_t step)
{
    struct disk_write *log = world.log;
    uint32_t writes = world.writes;
    world.keeps_log = world.is_slow = random_keeps_directories = false;
    for (uint32_t cut = 0; cut <= writes; cut++) {
        if (cut % step == 0 || cut == writes) {
            if (getenv("SHOW") != NULL)
                printf("cut behind write %u of %u\n", cut, writes);
            (void)judge_image(image, bytes, cut, false, check_promises);
        }
        if (cut < writes)
            memcpy(image + log[cut].sector * BLOCK_SECTOR_BYTES, log[cut].data, log[cut].bytes);
    }
    for (uint32_t i = 0; i < writes; i++)
        free(log[i].data);
    free(log);
    world.log = NULL;
    world.writes = world.log_room = 0;
}

static uint32_t round_of(uint32_t seed, uint32_t operations, uint32_t kib, const char *options)
{
    uint64_t bytes = (uint64_t)kib * 1024;
    uint8_t *image = disk_make(kib, options), *before = malloc(bytes);
    memcpy(before, image, bytes);
    promise_count = log_length = 0;
    memset(versions, 0, sizeof(versions));
    world.random = seed;
    world.is_slow = world.keeps_log = true;
    world_begin(image, bytes);
    inodes_begin();
    tree_begin();
    must(tree_mount_it(0), "mount");
    work(operations, kib < 1024);
    random_close_all();
    must(tree_unmount(), "unmount");
    disk_check(world.image, world.bytes);
    uint32_t writes = world.writes;
    cut_everywhere(before, bytes, 1);
    free(before);
    tree_end();
    return writes;
}

void test_power_cuts(const struct arguments *arguments)
{
    static const struct {
        uint32_t kib;
        const char *options;
    } disks[] = {{1024, "-b 1024 -N 200"},
                 {2048, "-b 2048 -N 200"},
                 {2048, "-b 4096 -N 200"},
                 {300, "-b 1024 -N 48"}}; /* becomes full */
    uint32_t writes = 0;
    for (uint32_t i = 0; i < arguments->rounds; i++) {
        uint32_t seed = arguments->seed + i, disk = seed % ARRAY_LENGTH(disks);
        printf("seed %u: mke2fs %s, %u KiB\n", seed, disks[disk].options, disks[disk].kib);
        writes += round_of(seed, arguments->operations, disks[disk].kib, disks[disk].options);
    }
    printf("note: seeds %u to %u: %u cuts\n", arguments->seed,
           arguments->seed + arguments->rounds - 1, writes);
}

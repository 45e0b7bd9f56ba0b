/* SPDX-License-Identifier: MIT */
/*
 * Host test. Random operations of several programs at once, on an ext2 and on a tmpfs, in little memory,
 * with a slow disk; now and then all end, and what is on the disk is judged.
 */
#include "operations.h"
#include "programs.h"
#include "rounds.h"
#include "tests.h"

#include "../ext2/disk.h"

#include <stdio.h>
#include <store/cache.h>

/* All names go. */
static void remove_below(struct node *directory)
{
    char path[TREE_PATH_BYTES];
    while (directory->count > 0) {
        struct entry *entry = &directory->entries[0];
        bool is_directory = entry->node->type == NODE_DIRECTORY;
        if (is_directory)
            remove_below(entry->node);
        path_of(path, directory, entry->name);
        uint32_t text = put_text(0, path);
        expect(is_directory ? call(CALL_RMDIR, text) : call(CALL_UNLINK, text), 0, "removal");
        entry_remove(directory, entry->name);
    }
}

static void round_of(uint32_t seed, const struct arguments *arguments)
{
    static const char *const options[] = {"-b 1024", "-b 4096", "-b 2048", "-b 1024 -I 128"};
    enum { IMAGE_KIB = 16 * 1024, MACHINE_MIB = 6, QUIET_EVERY = 1000 };
    uint64_t end = operations_done + arguments->operations;
    printf("seed %u\n", seed);
    system_begin(seed, MACHINE_MIB, IMAGE_KIB, options[seed % ARRAY_LENGTH(options)]);
    rounds_begin();
    rounds_absent = seed % 3 == 0 ? 3 : 0;
    expect(system_mount(), 0, "mount");
    expect(system_unmount(), 0, "umount");
    system_count();
    expect(system_mount(), 0, "mount");
    while (operations_done < end) {
        uint64_t left = end - operations_done;
        rounds_run(left < QUIET_EVERY ? left : QUIET_EVERY, BY_ALL);
        rounds_end();
        rounds_judge();
        if (arguments->shows)
            printf("  %llu operations, %u requests, %u pages reclaimed\n",
                   (unsigned long long)operations_done, system_disk.done,
                   store_counts.pages_reclaimed);
    }
    for (uint32_t i = 0; i < TREE_MOUNTS; i++)
        remove_below(tree_roots[i]);
    expect(system_unmount(), 0, "umount");
    disk_check(system_disk.image, system_disk.bytes);
    system_count_again();
}

void test_random(const struct arguments *arguments)
{
    for (uint32_t i = 0; i < arguments->rounds; i++)
        round_of(arguments->seed + i, arguments);
    printf("note: %llu operations\n", (unsigned long long)operations_done);
    if (arguments->shows)
        operations_show();
}

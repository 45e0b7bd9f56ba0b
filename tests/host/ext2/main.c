/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2. Usage: ext2 [-s SEED] [-n OPERATIONS] [-r ROUNDS] TEST...
 *   random    operations against a plain model, then e2fsck -fn and debugfs
 *   cuts      e2fsck -p after a power cut at each write, and what was promised
 *   replay    -i IMAGE -l LOG -b BYTES of a block: the same of what was written in a boot; at most OPERATIONS
 *             cuts, and ROUNDS more out of order
 *   names, large, hashed, features, state   what their names say
 *   mutated   images that lie, 100 a round
 *   allocations, errors, dead   memory or the disk fail, once at each place, or for good
 */
#include "tests.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(const struct arguments *arguments);
} tests[] = {
    {"random", test_random_operations},
    {"cuts", test_power_cuts},
    {"replay", test_replay},
    {"allocations", test_allocation_failures},
    {"errors", test_disk_errors},
    {"dead", test_dead_disk},
    {"names", test_many_names},
    {"large", test_large_files},
    {"hashed", test_hashed_directory},
    {"features", test_features},
    {"state", test_mount_state},
    {"mutated", test_mutated_images},
};

int main(int argc, char **argv)
{
    struct arguments arguments = {.seed = 1, .operations = 300, .rounds = 3};
    int option;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((option = getopt(argc, argv, "s:n:r:i:l:b:")) != -1) {
        if (option == 'i' || option == 'l') {
            *(option == 'i' ? &arguments.image : &arguments.log) = optarg;
            continue;
        }
        uint32_t value = (uint32_t)strtoul(optarg, NULL, 0);
        *(option == 's'   ? &arguments.seed
          : option == 'n' ? &arguments.operations
          : option == 'b' ? &arguments.block_bytes
                          : &arguments.rounds) = value;
    }
    for (; optind < argc; optind++) {
        bool is_found = false;
        for (unsigned i = 0; i < ARRAY_LENGTH(tests); i++)
            if (strcmp(tests[i].name, argv[optind]) == 0) {
                tests[i].run(&arguments);
                printf("ok - %s\n", tests[i].name);
                is_found = true;
            }
        if (!is_found)
            return 2;
    }
    return 0;
}

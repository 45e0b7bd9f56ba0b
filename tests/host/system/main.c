/* SPDX-License-Identifier: MIT */
/*
 * Host test. The whole kernel below its programs, over the model of the machine: see docs/testing.md.
 *
 *   system [-s SEED] [-r ROUNDS] [-n OPERATIONS] [-e STEP] [-v] random|cases|allocations|errors|dead|full ...
 */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(const struct arguments *arguments);
} tests[] = {
    {"random", test_random}, {"cases", test_cases},    {"allocations", test_allocations},
    {"errors", test_errors}, {"dead", test_dead_disk}, {"full", test_full_disk},
};

int main(int count, char **words)
{
    struct arguments arguments = {.seed = 1, .rounds = 4, .operations = 3000, .step = 1};
    int option;
    while ((option = getopt(count, words, "s:r:n:e:v")) != -1) {
        uint32_t value = optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 0) : 0;
        if (option == 's')
            arguments.seed = value;
        else if (option == 'r')
            arguments.rounds = value;
        else if (option == 'n')
            arguments.operations = value;
        else if (option == 'e')
            arguments.step = value;
        else if (option == 'v')
            arguments.shows = true;
        else
            return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; optind < count; optind++) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
            if (strcmp(tests[i].name, words[optind]) == 0) {
                is_known = true;
                tests[i].run(&arguments);
            }
        if (!is_known)
            return 2;
        printf("note: %s passed\n", words[optind]);
    }
    return 0;
}

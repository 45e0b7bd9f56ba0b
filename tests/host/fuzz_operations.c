/* SPDX-License-Identifier: MIT */
/*
 * Host test, for libFuzzer: four bytes are an operation (operations.h).
 */
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct operation operations[OPERATIONS_MAX];
    static bool is_booted;
    uint32_t count = (uint32_t)(bytes / sizeof(operations[0])), at;
    if (!is_booted)
        operations_boot(8 << 20, 100);
    is_booted = true;
    if (count > OPERATIONS_MAX)
        count = OPERATIONS_MAX;
    memcpy(operations, data, count * sizeof(operations[0]));
    const char *what = operations_run(operations, count, CHECK_STEPS, &at);
    if (what == NULL)
        return 0;
    printf("operation %u: %s\n", at, what);
    for (uint32_t i = 0; i < count; i++) {
        char line[80];
        operation_print(&operations[i], line, sizeof(line));
        printf("    %s\n", line);
    }
    fflush(stdout);
    abort();
}

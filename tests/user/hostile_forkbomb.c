/* SPDX-License-Identifier: MIT */
/*
 * User test. Forks for ever, each child, too: processes run out, or memory does. It does not end:
 * the prompt must still answer, and `kill` must help (tests/lib/hostile.sh, check
 * hostile-forkbomb).
 *
 * run: on=never
 */
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    volatile char *memory = malloc(1 << 20);
    for (unsigned i = 0;; i++)
        if (fork() == 0 && memory != NULL)
            memory[i % (1 << 20)] = 1;
}

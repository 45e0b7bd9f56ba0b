/* SPDX-License-Identifier: MIT */
/*
 * User test. Reads nothing and does not end: what is typed finds no room in the end, and the key of
 * the prompt must be seen all the same (tests/lib/talk.sh, check prompt-key-in-burst).
 *
 * run: on=never
 */
#include <unistd.h>

int main(void)
{
    if (write(1, "deaf\n", 5) != 5)
        return 1;
    for (;;)
        pause();
}

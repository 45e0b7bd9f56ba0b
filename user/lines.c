/* SPDX-License-Identifier: MIT */
/*
 * Reads its input to the end (^D) and counts: the terminal's line editing is the kernel's.
 *
 *   make run INIT=build/user/lines
 *   printf 'one\ntwo\n' | make run INIT=build/user/lines
 */
#include <stdio.h>
#include <string.h>

int main(void)
{
    static char line[4096];
    int lines = 0, bytes = 0;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        lines++;
        bytes += (int)strlen(line);
    }
    printf("%d lines, %d bytes\n", lines, bytes);
    return lines;
}

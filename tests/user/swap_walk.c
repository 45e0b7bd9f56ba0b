/* SPDX-License-Identifier: MIT */
/*
 * For a conversation at the prompt (tests/lib/talk.sh): a page at a known place is out, and two tables
 * have an entry that names its slot: this process's, which a child shares, and another child's own.
 *
 * run: on=never
 */
#include "check.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_PAGEOUT
enum { MADV_PAGEOUT = 21 };
#endif

enum { PAGE_BYTES = 4096, PLACE = 0x50000000 };

static unsigned char here;

static void child(volatile char *memory, bool writes, int tell)
{
    if (fork() != 0)
        return;
    if (writes)
        memory[PAGE_BYTES] = 1; /* beside it: a table of its own */
    write(tell, "", 1);
    for (;;)
        pause();
}

int main(void)
{
    int line[2];
    char byte;
    volatile char *memory = mmap((void *)PLACE, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memory[0] = 1;
    if (madvise((void *)memory, PAGE_BYTES, MADV_PAGEOUT) != 0 || pipe(line) != 0)
        return 1;
    do
        sched_yield();
    while (mincore((void *)memory, PAGE_BYTES, &here) == 0 && (here & 1));
    child(memory, false, line[1]);
    child(memory, true, line[1]);
    if (read(line[0], &byte, 1) != 1 || read(line[0], &byte, 1) != 1)
        return 1;
    dprintf(1, "it is out\n");
    for (;;)
        pause();
}

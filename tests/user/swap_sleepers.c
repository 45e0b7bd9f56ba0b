/* SPDX-License-Identifier: MIT */
/*
 * User test. More processes than there is memory for: each writes to its stack, and sleeps. Their pages, their
 * tables and their directories go; all are woken at once, and each finds what it wrote. The first
 * argument is their number: `make hostile` has 60,000 in 128 MiB. With a second one they are woken when a
 * line has been typed.
 *
 * run: on=droste
 * run: arguments=2000
 * run: memory=16
 * run: swap=64
 * run: seconds=240
 */
#include "check.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

enum { WORDS = 512 };

static int ready[2], wake[2];

static uint32_t value(uint32_t child, uint32_t i)
{
    return (child * WORDS + i) * 2654435761u;
}

/* On the stack, which each has to have of its own anyway. Ends with 0 if all is as it was written. */
__attribute__((noreturn)) static void sleep_as(uint32_t child)
{
    volatile uint32_t words[WORDS];
    uint32_t wrong = 0;
    char byte = 0;
    close(wake[1]);
    for (uint32_t i = 0; i < WORDS; i++)
        words[i] = value(child, i);
    if (write(ready[1], &byte, 1) != 1)
        _exit(2);
    while (read(wake[0], &byte, 1) < 0)
        ;
    for (uint32_t i = 0; i < WORDS; i++)
        wrong += words[i] != value(child, i);
    _exit(wrong != 0);
}

/* COUNT children sleep. Returns how many there are. */
static uint32_t fork_sleepers(uint32_t count)
{
    char byte;
    for (uint32_t child = 0; child < count; child++) {
        long pid = syscall(SYS_fork); /* the library's writes to three pages more in the child */
        if (pid == 0)
            sleep_as(child);
        if (pid < 0 || read(ready[0], &byte, 1) != 1)
            return child;
        if ((child + 1) % 10000 == 0)
            check_note("%u sleep", child + 1);
    }
    return count;
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 100, wrong = 0, ended = 0;
    struct sysinfo asleep;
    CHECK(pipe(ready) == 0 && pipe(wake) == 0);
    CHECK_THAT("all fall asleep", fork_sleepers(count) == count);
    sysinfo(&asleep);
    check_note("asleep: %lu KiB of RAM free, %lu of swap in use", asleep.freeram / 1024,
               (asleep.totalswap - asleep.freeswap) / 1024);
    if (argc > 2)
        (void)getchar();
    close(wake[1]);
    for (int status; wait(&status) > 0; ended++)
        wrong += status != 0;
    CHECK_THAT("all have ended", ended == count);
    CHECK_THAT("and each had found what it wrote", wrong == 0);
    return check_end();
}

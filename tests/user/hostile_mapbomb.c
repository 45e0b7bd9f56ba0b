/* SPDX-License-Identifier: MIT */
/*
 * User test. Children that map and touch for ever, one at first, then several at once, as they like
 * and with small mappings only: each is refused or killed at some time, and their parent, which is
 * small, never is. Afterwards as much memory is free as before.
 *
 * run: on=droste
 * run: memory=48
 * run: seconds=120
 */
#include "check.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

enum { SLACK_BYTES = 256 * 1024 }; /* what the kernel keeps for reuse */

static _Noreturn void bomb(size_t bytes)
{
    for (;;) {
        char *memory =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            _exit(1); /* refused */
        for (size_t i = 0; i < bytes; i += 4096)
            memory[i] = 1;
    }
}

static unsigned long free_bytes(void)
{
    struct sysinfo information;
    sysinfo(&information);
    return information.freeram * information.mem_unit;
}

/* Waits for a child: 1 if it ended as a bomb does, 0 if not, -1 if there is none. */
static int wait_for_bomb(void)
{
    int status;
    if (wait(&status) < 0)
        return -1;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 1;
    return killed || refused;
}

/* Beside bombs a fork may be refused as well: it succeeds when one of them has ended. */
static void bombs(const char *text, int count, size_t bytes)
{
    unsigned long before = free_bytes();
    int ended = 0, one;
    for (int i = 0; i < count; i++) {
        pid_t child;
        while ((child = fork()) < 0 && errno == ENOMEM && (one = wait_for_bomb()) >= 0)
            ended += one;
        if (child == 0)
            bomb(bytes << i % 3 * 2);
        sched_yield(); /* those that were begun grow beside the next fork */
    }
    while ((one = wait_for_bomb()) >= 0)
        ended += one;
    check_note("%s: %d ended; free before %lu KiB, after %lu KiB", text, ended, before >> 10,
               free_bytes() >> 10);
    CHECK_THAT(text, ended == count && free_bytes() + SLACK_BYTES >= before);
}

int main(void)
{
    bombs("one bomb of large mappings", 1, 4 << 20);
    bombs("one bomb of a page each", 1, 4096);
    bombs("five bombs at once", 5, 64 << 10);
    bombs("twenty bombs at once", 20, 4096);
    return check_end();
}

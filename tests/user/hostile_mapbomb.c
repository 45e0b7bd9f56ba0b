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

static void bombs(const char *text, int count, size_t bytes)
{
    unsigned long before = free_bytes();
    int ended = 0, status;
    for (int i = 0; i < count; i++)
        if (fork() == 0)
            bomb(bytes << i % 3 * 2);
    while (wait(&status) > 0) {
        bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        bool refused = WIFEXITED(status) && WEXITSTATUS(status) == 1;
        ended += killed || refused;
    }
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

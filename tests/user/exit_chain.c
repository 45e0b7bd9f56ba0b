/* SPDX-License-Identifier: MIT */
/*
 * User test. A chain of processes, each the child of the one before, and each one's end sends its
 * parent SIGKILL: the last one's end is the end of all. The kernel's stack must not grow with them,
 * nor may their records be lost. Process 1 inherits and meets every one.
 *
 * usage: exit_chain [COUNT]
 *
 * run: on=droste
 * run: arguments=30000
 * run: memory=1024
 * run: seconds=300
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/syscall.h>

static int ends[2];

/* The next of the chain makes those that are LEFT, and the last one ends. */
static void chain(int left)
{
    for (; left > 1; left--) {
        long child = syscall(SYS_clone, SIGKILL, 0, 0, 0, 0);
        if (child < 0)
            break;
        if (child > 0)
            for (;;)
                syscall(SYS_pause);
    }
    char byte = left == 1 ? 'y' : 'n';
    syscall(SYS_write, ends[1], &byte, 1);
    syscall(SYS_exit_group, 0);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 200, ended = 0, killed = 0, status;
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_NPROC, &none);
    if (pipe(ends) != 0)
        return 99;
    if (fork() == 0)
        chain(count);
    char byte = 0;
    CHECK_EQUAL(read(ends[0], &byte, 1), 1);
    CHECK_THAT("the chain is as long as it was to be", byte == 'y');
    while (waitpid(-1, &status, __WALL) > 0) {
        ended++;
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    CHECK_EQUAL(ended, count);
    CHECK_EQUAL(killed, count - 1);
    return check_end();
}

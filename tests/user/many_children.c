/* SPDX-License-Identifier: MIT */
/*
 * User test. Children by the ten thousands, all alive and idle at the same time: 30,000 in 1 GiB
 * (and 60,000 in 3,500 MiB, a row of the matrix). All are told to end, all are waited for, and as
 * much memory is free as before. On Linux with fewer, as its limits are.
 *
 * usage: many_children [COUNT]
 *
 * run: on=droste
 * run: arguments=30000
 * run: memory=1024
 * run: seconds=300
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>

enum { SLACK_BYTES = 1 << 20 };

static unsigned long free_bytes(void)
{
    struct sysinfo information;
    sysinfo(&information);
    return information.freeram * information.mem_unit;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 200, ends[2], alive = 0, ended = 0, status;
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_NPROC, &none);
    if (pipe(ends) != 0)
        return 99;
    unsigned long before = free_bytes();
    while (alive < count) {
        long pid = syscall(SYS_fork); /* without what the C library writes after fork */
        if (pid < 0)
            break;
        if (pid == 0) {
            char byte;
            syscall(SYS_close, ends[1]);
            syscall(SYS_read, ends[0], &byte, 1); /* the end of the file, in time */
            syscall(SYS_exit_group, 7);
        }
        alive++;
    }
    unsigned long with_all = free_bytes();
    check_note("%lu bytes a child", alive == 0 ? 0 : (before - with_all) / (unsigned long)alive);
    CHECK_EQUAL(alive, count);
    close(ends[0]);
    close(ends[1]);
    while (wait(&status) > 0)
        ended += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    CHECK_EQUAL(ended, count);
    check_note("free before %lu KiB, after %lu KiB", before >> 10, free_bytes() >> 10);
    CHECK_THAT("the memory is back", !check_on_droste() || free_bytes() + SLACK_BYTES >= before);
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * fork copies nothing; writing does. A parent fills memory, forks, and both sides write: the
 * numbers tell who paid for which page, in free memory before and after each step.
 *
 *   make run INIT=build/user/forkshow
 *
 * Change this and see: let the child write the whole area; let the parent write before the child
 * does; fork twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, AREA = 16 * MIB, PART = 1 * MIB };

static long free_kib(void)
{
    struct sysinfo info;

    if (sysinfo(&info) != 0) {
        perror("sysinfo");
        exit(1);
    }
    return (long)((unsigned long long)info.freeram * info.mem_unit / 1024);
}

/* Say what the step since the last call took. */
static void say(const char *who, const char *what)
{
    static long before;
    long now = free_kib();

    if (before == 0)
        before = now;
    printf("%-7s %-44s %7ld KiB\n", who, what, before - now);
    fflush(stdout);
    before = free_kib(); /* what printf itself took is nobody's */
}

/* Wait until the other side has closed its end, or written: a word each way is enough. */
static void pass(int to)
{
    if (write(to, "", 1) != 1)
        exit(1);
}

static void wait_for(int from)
{
    char byte;

    if (read(from, &byte, 1) != 1)
        exit(1);
}

static int child_side(char *area, int from_parent, int to_parent)
{
    wait_for(from_parent);
    say("child", "(begins)");
    long sum = 0;
    for (int i = 0; i < AREA; i += 4096)
        sum += area[i];
    say("child", "reads all 16 MiB: nothing to copy");
    memset(area, 'c', PART);
    say("child", "writes the first MiB: its own copy");
    pass(to_parent);
    wait_for(from_parent);
    int intact = area[AREA - 1] == 'p' && area[0] == 'c';
    printf("child   sees its own first byte '%c', and the old last one '%c'\n", area[0],
           area[AREA - 1]);
    return sum == 'p' * (AREA / 4096) && intact ? 0 : 1;
}

int main(void)
{
    int down[2], up[2], status;
    char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED || pipe(down) != 0 || pipe(up) != 0) {
        perror("forkshow");
        return 1;
    }
    printf("%-7s %-44s %s\n", "who", "does what", "memory taken");
    say("parent", "(begins)");
    memset(area, 'p', AREA);
    say("parent", "writes 16 MiB");
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 1;
    }
    if (child == 0)
        return child_side(area, down[0], up[1]);
    say("parent", "forks: tables are shared, no page is copied");
    pass(down[1]);
    wait_for(up[0]);
    say("parent", "(lets the child read all, write 1 MiB)");
    memset(area, 'P', PART);
    say("parent", "writes the first MiB: the last owner, no copy");
    memset(area + AREA - PART, 'P', PART);
    say("parent", "writes the last MiB: copied, the child has it");
    pass(down[1]);
    waitpid(child, &status, 0);
    say("parent", "(the child has ended)");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

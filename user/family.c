/* SPDX-License-Identifier: MIT */
/*
 * A family to look at: a parent with 16 MiB written of 48 MiB promised, two children and a
 * grandchild, each of whom has written somewhere else, and one who has ended. All wait.
 *
 *   make run INIT=build/user/family, then Ctrl-], and ps, space 1, forest;
 *   `resume`, and Enter ends it
 *
 * Change this and see: write in another slot; do not wait for Enter, but call execve.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, WRITTEN = 16 * MIB, PROMISED = 48 * MIB };

static char *area, *shared;
static int ready[2], end[2];

static void check(int is_right, const char *what)
{
    if (is_right)
        return;
    perror(what);
    exit(1);
}

/* Say that we are where we wanted to be, and wait until the parent closes its side. */
static void wait_for_the_end(void)
{
    char byte;

    check(write(ready[1], "", 1) == 1, "write");
    check(read(end[0], &byte, 1) == 0, "read");
}

/* A child that writes MIB_WRITTEN MiB, and may have a child in its turn. */
static pid_t make_child(int mib_written, int generations)
{
    pid_t child = fork();

    check(child >= 0, "fork");
    if (child > 0)
        return child;
    close(end[1]);
    memset(area, 'c', (size_t)mib_written * MIB);
    shared[generations] = 1;
    if (generations > 1)
        make_child(mib_written + 1, generations - 1);
    wait_for_the_end();
    if (generations > 1)
        wait(NULL);
    _exit(0);
}

int main(void)
{
    enum { WAITING = 3 };
    char byte;

    area = mmap(NULL, PROMISED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    shared = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(area != MAP_FAILED && shared != MAP_FAILED, "mmap");
    check(pipe(ready) == 0 && pipe(end) == 0, "pipe");
    memset(area, 'p', WRITTEN);
    make_child(1, 1);
    make_child(5, 2);
    if (fork() == 0)
        _exit(0); /* nobody asks for this one: a zombie */
    for (int i = 0; i < WAITING; i++)
        check(read(ready[0], &byte, 1) == 1, "read");
    printf("all wait: press Ctrl-] to look at them, Enter to end them\n");
    getchar();
    close(end[1]);
    while (wait(NULL) > 0)
        ;
    printf("all have ended\n");
    return 0;
}

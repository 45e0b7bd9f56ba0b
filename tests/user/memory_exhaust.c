/* SPDX-License-Identifier: MIT */
/*
 * Children that map and touch for ever, in every way there is: each is killed, the parent is not,
 * and what they had is back.
 * run: on=droste
 * run: memory=48
 * run: seconds=120
 */
#include "check.h"

#include <fcntl.h>

#include <sys/mman.h>
#include <sys/sysinfo.h>

enum { PAGE = 4096, MIB = 1 << 20, RW = PROT_READ | PROT_WRITE };

static void touch(char *room, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += PAGE)
        room[i] = 1;
}

static int exhaust_private(void)
{
    for (;;) {
        char *room = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED)
            return 1;
        touch(room, 4 * MIB);
    }
}

static int exhaust_shared(void)
{
    for (;;) {
        char *room = mmap(NULL, 3 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED)
            return 1;
        touch(room, 3 * MIB);
    }
}

static int exhaust_heap(void)
{
    for (;;) {
        char *room = sbrk(MIB);
        if (room == (void *)-1)
            return 1;
        touch(room, MIB);
    }
}

static int exhaust_locked(void)
{
    for (;;)
        if (mmap(NULL, MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
            return 1;
}

static int exhaust_by_mlock(void)
{
    for (;;) {
        char *room = mmap(NULL, MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED || mlock(room, MIB) != 0)
            return 1;
    }
}

/* One page in each table: tables are what runs out. */
static int exhaust_tables(void)
{
    for (;;) {
        char *room = mmap(NULL, 40 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room == MAP_FAILED)
            return 1;
        for (size_t i = 0; i < 40 * MIB; i += PAGE)
            room[i] = 1;
    }
}

/* The kernel runs out of frames in the middle of a copy to the program. */
static int exhaust_by_read(void)
{
    int zero = open("/dev/zero", O_RDONLY);
    for (;;) {
        char *room = mmap(NULL, MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (zero < 0 || room == MAP_FAILED)
            return 1;
        for (ssize_t done = 0, more; done < MIB; done += more)
            if ((more = read(zero, room + done, (size_t)(MIB - done))) <= 0)
                return 2;
    }
}

/* Copies: parent and child write what they share; somebody of the family ends, again and again. */
static int exhaust_by_copies(void)
{
    char *room = mmap(NULL, 16 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int generation = 0; generation < 12; generation++) {
        touch(room, 16 * MIB);
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child > 0)
            return waitpid(child, NULL, 0) == child ? 0 : 2;
    }
    return 0;
}

static unsigned long free_pages(void)
{
    struct sysinfo info;
    return sysinfo(&info) == 0 ? info.freeram / PAGE * info.mem_unit : 0;
}

int main(void)
{
    unsigned long before = free_pages();
    CHECK(before > 0);
    CHECK_KILLED(exhaust_private, SIGKILL);
    CHECK_KILLED(exhaust_shared, SIGKILL);
    CHECK_KILLED(exhaust_heap, SIGKILL);
    CHECK_KILLED(exhaust_locked, SIGKILL);
    CHECK_KILLED(exhaust_by_mlock, SIGKILL);
    CHECK_KILLED(exhaust_tables, SIGKILL);
    CHECK_KILLED(exhaust_by_read, SIGKILL);
    check_child(exhaust_by_copies);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    unsigned long after = free_pages();
    CHECK_THAT("the frames are back", after + 16 >= before);
    check_note("free before %lu, after %lu pages", before, after);
    return check_end();
}

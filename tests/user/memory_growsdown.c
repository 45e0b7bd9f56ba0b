/* SPDX-License-Identifier: MIT */
/*
 * Regions that grow down: the first stack, and MAP_GROWSDOWN.
 */
#include "check.h"

#include <sys/mman.h>
#include <sys/resource.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, MIB = 1 << 20 };
enum { DOWN = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN };

/* COUNT pages that grow down, in the middle of 16 MiB where nothing else is. */
static char *map_down(int count)
{
    char *room = mmap(NULL, 16 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(room, 16 * MIB);
    return mmap(room + 8 * MIB, (size_t)count * PAGE, RW, DOWN | MAP_FIXED, -1, 0);
}

static char *volatile target;
static int write_target(void)
{
    *target = 1;
    return *target == 1 ? 0 : 1;
}

static bool is_there(char *page)
{
    target = page;
    return check_child(write_target) == 0;
}

static void test_grows(void)
{
    char *down = map_down(2);
    CHECK(down != MAP_FAILED);
    down[0] = 1;
    down[-1] = 2;
    CHECK_THAT("by a page", down[-1] == 2 && down[-PAGE] == 0 && down[0] == 1);
    down[-100 * PAGE] = 3;
    CHECK_THAT("by many at once", down[-100 * PAGE] == 3 && down[-50 * PAGE] == 0);
    CHECK_THAT("for a read as well", down[-120 * PAGE] == 0);
    CHECK_THAT("not up", !is_there(down + 2 * PAGE));
    CHECK(munmap(down - 120 * PAGE, 122 * PAGE) == 0);
    CHECK(!is_there(down - PAGE));
}

static void test_gap(void)
{
    char *down = map_down(1);
    char *below = mmap(down - 300 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(below == down - 300 * PAGE);
    CHECK_THAT("up to 256 pages above a neighbour", is_there(down - 40 * PAGE));
    CHECK_THAT("and no further", !is_there(down - 50 * PAGE) && !is_there(below + PAGE));
    CHECK(munmap(below, PAGE) == 0);
    CHECK(is_there(down - 250 * PAGE));
    CHECK(munmap(down, PAGE) == 0);
}

static int grow_far(void)
{
    struct rlimit limit = {MIB, MIB};
    char *down = map_down(1);
    if (setrlimit(RLIMIT_STACK, &limit) != 0)
        return 1;
    down[-200 * PAGE] = 1;
    down[-300 * PAGE] = 1;
    return 0;
}

static int grow_in_copy(void)
{
    for (int i = 1; i < 40; i++)
        target[-i * PAGE] = (char)i;
    return target[0] == 9 ? 0 : 1;
}

static void test_fork(void)
{
    char *down = map_down(1);
    target = down;
    down[0] = 9;
    CHECK_EXITS(grow_in_copy, 0);
    CHECK_THAT("a child's growth is its own", down[-PAGE] == 0 && down[-39 * PAGE] == 0);
    CHECK(munmap(down - 39 * PAGE, 40 * PAGE) == 0);
}

/* The kernel's copies make it grow as well. */
static void test_copies(void)
{
    char *down = map_down(1);
    int pipes[2];
    CHECK(pipe(pipes) == 0 && write(pipes[1], "0123456789", 10) == 10);
    CHECK(read(pipes[0], down - 5, 10) == 10);
    CHECK(memcmp(down - 5, "0123456789", 10) == 0);
    CHECK(write(pipes[1], down - 20 * PAGE, 4) == 4 && read(pipes[0], down, 4) == 4 &&
          down[0] == 0);
}

static void test_protect(void)
{
    char *down = map_down(4);
    CHECK(mprotect(down + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN) == 0);
    CHECK_THAT("from the start of the region on",
               !is_there(down) && !is_there(down + 2 * PAGE) && is_there(down + 3 * PAGE));
    CHECK(munmap(down, 4 * PAGE) == 0);
}

static int recursion(int depth)
{
    volatile char room[PAGE];
    room[0] = (char)depth;
    room[PAGE - 1] = 1;
    return depth == 0 ? 0 : recursion(depth - 1) + room[0] * 0;
}
static int recurse(void)
{
    return recursion(1200);
}
static int recurse_for_ever(void)
{
    return recursion(1 << 24);
}

int main(void)
{
    test_grows();
    test_gap();
    CHECK_KILLED(grow_far, SIGSEGV);
    test_fork();
    test_copies();
    test_protect();
    CHECK_EXITS(recurse, 0);
    CHECK_KILLED(recurse_for_ever, SIGSEGV);
    return check_end();
}

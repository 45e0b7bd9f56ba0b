/* SPDX-License-Identifier: MIT */
/*
 * Regions that grow down: the first stack, and MAP_GROWSDOWN.
 */
#include "check.h"

#include <stdint.h>
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

/* What keeps away from a region that grows down, and what need not. */
static void test_guard(void)
{
    enum { ANON = MAP_PRIVATE | MAP_ANONYMOUS };
    char *down = map_down(1);
    char *near = down - 100 * PAGE, *far = down - 257 * PAGE;
    char *hinted = mmap(near, PAGE, RW, ANON, -1, 0);
    CHECK_THAT("a hint below it is not taken", hinted != MAP_FAILED && hinted != near);
    CHECK_THAT("nor if the last page is too near",
               mmap(far, 2 * PAGE, PROT_NONE, ANON, -1, 0) != far);
    CHECK_THAT("a hint 256 pages below is", mmap(far, PAGE, RW, ANON, -1, 0) == far);
    CHECK(munmap(far, PAGE) == 0);
    CHECK_THAT("a hint above it is",
               mmap(down + PAGE, PAGE, PROT_READ, ANON, -1, 0) == down + PAGE);
    CHECK_THAT("a prescribed place is, next to it",
               mmap(down - PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == down - PAGE);
    CHECK(munmap(down - PAGE, PAGE) == 0);
    CHECK_THAT("and where nothing is to be replaced",
               mmap(near, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == near);
    CHECK(munmap(near, PAGE) == 0 && is_there(near));
    CHECK(munmap(down, 2 * PAGE) == 0);
}

/* All room is taken, a MiB each; none of it lies below DOWN, which can still grow. */
static int fill_all_room(void)
{
    char *down = target, *at = NULL;
    for (int i = 0; i < 4096 && at != MAP_FAILED; i++) {
        at = mmap(NULL, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at != MAP_FAILED && at < down && at + MIB > down - 256 * PAGE)
            return 1;
    }
    down[-255 * PAGE] = 1;
    return 0;
}

static void test_room(void)
{
    target = map_down(1);
    CHECK_EXITS(fill_all_room, 0);
    CHECK(munmap(target, PAGE) == 0);
}

/* The heap stays 257 pages below, one of which is its own guard. */
static int grow_heap(void)
{
    char *heap = (char *)(((uintptr_t)sbrk(0) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    if (mmap(heap + 4 * MIB, PAGE, RW, DOWN | MAP_FIXED, -1, 0) != heap + 4 * MIB)
        return 1;
    if (brk(heap + 4 * MIB - 256 * PAGE) == 0)
        return 2;
    if (brk(heap + 3 * MIB - 2 * PAGE) != 0 || brk(heap + 3 * MIB - PAGE) != 0)
        return 3;
    return brk(heap + 3 * MIB) == 0 ? 4 : 0;
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

/* However far: the array of a function that hands it to read(2) before anything touches it. */
static void test_far_copy(void)
{
    char *down = map_down(1);
    int pipes[2];
    CHECK(pipe(pipes) == 0 && write(pipes[1], "0123456789", 10) == 10);
    CHECK(read(pipes[0], down - 1000 * PAGE - 5, 10) == 10);
    CHECK(memcmp(down - 1000 * PAGE - 5, "0123456789", 10) == 0 && down[-500 * PAGE] == 0);
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
    test_guard();
    test_room();
    CHECK_EXITS(grow_heap, 0);
    CHECK_KILLED(grow_far, SIGSEGV);
    test_fork();
    test_copies();
    test_far_copy();
    test_protect();
    CHECK_EXITS(recurse, 0);
    CHECK_KILLED(recurse_for_ever, SIGSEGV);
    return check_end();
}

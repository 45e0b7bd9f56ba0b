/* SPDX-License-Identifier: MIT */
/*
 * brk: the raw call, which answers with the end of the heap whatever happens.
 */
#include "check.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { PAGE = 4096, ANON = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

static unsigned long brk_to(unsigned long end)
{
    return (unsigned long)syscall(SYS_brk, end);
}

static char *volatile target;
static int write_target(void)
{
    *target = 1;
    return 0;
}

static bool is_there(unsigned long address)
{
    target = (char *)address;
    return check_child(write_target) == 0;
}

static unsigned long start; /* page-aligned, at or above the heap that the library uses */

static void test_answers(void)
{
    unsigned long first = brk_to(0);
    CHECK(first != 0 && brk_to(0) == first);
    start = (first + PAGE - 1) / PAGE * PAGE;
    CHECK(brk_to(start) == start);
    CHECK_THAT("too low", brk_to(1) == start && brk_to(PAGE) == start);
    CHECK_THAT("too high", brk_to(0xFFFFF000) == start && brk_to(0xFFFFFFFF) == start);
}

static void test_bytes(void)
{
    CHECK(brk_to(start + 1) == start + 1);
    CHECK(brk_to(0) == start + 1);
    CHECK(is_there(start) && is_there(start + PAGE - 1) && !is_there(start + PAGE));
    CHECK(brk_to(start + PAGE) == start + PAGE);
    CHECK(!is_there(start + PAGE));
    CHECK(brk_to(start + PAGE + 5) == start + PAGE + 5);
    CHECK(is_there(start + PAGE));
    CHECK(brk_to(start + 3) == start + 3);
    CHECK(is_there(start) && !is_there(start + PAGE));
    CHECK(brk_to(start) == start);
    CHECK(!is_there(start));
}

static void test_contents(void)
{
    enum { MIB = 1 << 20 };
    char *heap = (char *)start;
    int wrong = 0;
    CHECK(brk_to(start + 20 * MIB) == start + 20 * MIB);
    for (int i = 0; i < 20 * MIB; i += PAGE)
        wrong += heap[i] != 0;
    for (int i = 0; i < 20 * MIB; i += PAGE)
        heap[i] = (char)(i >> 12);
    CHECK(brk_to(start + 7 * MIB + PAGE) == start + 7 * MIB + PAGE);
    for (int i = 0; i <= 7 * MIB; i += PAGE)
        wrong += heap[i] != (char)(i >> 12);
    CHECK(!is_there(start + 7 * MIB + PAGE) && !is_there(start + 19 * MIB));
    CHECK(brk_to(start + 20 * MIB) == start + 20 * MIB);
    for (int i = 7 * MIB + PAGE; i < 20 * MIB; i += PAGE)
        wrong += heap[i] != 0;
    CHECK_THAT("what stays is kept, what comes again is zero", wrong == 0);
    CHECK(brk_to(start) == start);
}

/* Something stands in the way. */
static void test_obstacle(void)
{
    char *obstacle = mmap((void *)(start + 8 * PAGE), PAGE, RW, ANON | MAP_FIXED, -1, 0);
    CHECK(obstacle == (char *)start + 8 * PAGE);
    CHECK(brk_to(start + 4 * PAGE) == start + 4 * PAGE);
    CHECK_THAT("not over it", brk_to(start + 9 * PAGE) == start + 4 * PAGE);
    CHECK_THAT("nor up to it: a page stays free", brk_to(start + 8 * PAGE) == start + 4 * PAGE);
    CHECK(brk_to(start + 7 * PAGE) == start + 7 * PAGE);
    CHECK(munmap(obstacle, PAGE) == 0);
    CHECK(brk_to(start + 9 * PAGE) == start + 9 * PAGE);
    CHECK_THAT("a hole in the heap is no obstacle to shrink",
               munmap((void *)(start + 2 * PAGE), PAGE) == 0 && brk_to(start) == start);
}

static int in_child(void)
{
    char *heap = (char *)start;
    if (heap[0] != 4 || brk_to(0) != start + PAGE)
        return 1;
    heap[0] = 5;
    if (brk_to(start + 2 * PAGE) != start + 2 * PAGE || heap[PAGE] != 0)
        return 2;
    return brk_to(start) == start ? 0 : 3;
}

static void test_fork(void)
{
    char *heap = (char *)start;
    CHECK(brk_to(start + PAGE) == start + PAGE);
    heap[0] = 4;
    CHECK_EXITS(in_child, 0);
    CHECK(heap[0] == 4 && brk_to(0) == start + PAGE);
    CHECK(brk_to(start) == start);
}

static int with_limit(void)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_DATA, &limit) != 0)
        return 1;
    if (brk_to(start + (8 << 20)) != start)
        return 2;
    return brk_to(start + PAGE) == start + PAGE ? 0 : 3;
}

int main(void)
{
    test_answers();
    test_bytes();
    test_contents();
    test_obstacle();
    test_fork();
    CHECK_EXITS(with_limit, 0);
    return check_end();
}

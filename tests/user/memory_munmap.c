/* SPDX-License-Identifier: MIT */
/*
 * munmap: any range, with holes, in the middle of regions and across many.
 */
#include "check.h"

#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096, ANON = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

static char *map(size_t bytes)
{
    return mmap(NULL, bytes, RW, ANON, -1, 0);
}

static char *volatile target;
static int touch(void)
{
    *target = 1;
    return 0;
}

/* Does the page take a write? */
static bool is_there(char *page)
{
    target = page;
    return check_child(touch) == 0;
}

static void test_errors(void)
{
    char *page = map(PAGE);
    CHECK_ERROR(syscall(SYS_munmap, page + 1, PAGE), EINVAL);
    CHECK_ERROR(syscall(SYS_munmap, page, 0), EINVAL);
    CHECK_ERROR(syscall(SYS_munmap, page, 0xFFFFFFFF), EINVAL);
    CHECK_ERROR(syscall(SYS_munmap, page, 0xFFFFF000), EINVAL);
    CHECK_ERROR(syscall(SYS_munmap, 0xFFFFF000, 2 * PAGE), EINVAL);
    CHECK_THAT("nothing was lost", is_there(page));
    CHECK_THAT("page 0 is not mapped, and that is no error", syscall(SYS_munmap, 0, PAGE) == 0);
    CHECK(munmap(page, PAGE) == 0);
    CHECK_THAT("nor is what was unmapped", munmap(page, PAGE) == 0);
}

static void test_parts(void)
{
    char *room = map(32 * PAGE) + 8 * PAGE;
    memset(room, 5, 16 * PAGE);
    CHECK(munmap(room + 4 * PAGE, 2 * PAGE) == 0);
    CHECK(!is_there(room + 4 * PAGE) && !is_there(room + 5 * PAGE));
    CHECK(is_there(room + 3 * PAGE) && is_there(room + 6 * PAGE));
    CHECK_THAT("the neighbours keep what they hold",
               room[4 * PAGE - 1] == 5 && room[6 * PAGE] == 5);
    CHECK(munmap(room + PAGE, 12 * PAGE) == 0);
    CHECK_THAT("across a hole", room[0] == 5 && room[13 * PAGE] == 5 && !is_there(room + PAGE) &&
                                    !is_there(room + 12 * PAGE));
    CHECK(munmap(room, 3) == 0);
    CHECK_THAT("a length is rounded up", !is_there(room));
    CHECK(munmap(room - 8 * PAGE, 32 * PAGE) == 0);
    CHECK(!is_there(room + 13 * PAGE));
}

/* Slots of 4 MiB, whole and in part, written or not. */
static void test_large(void)
{
    enum { MIB = 1 << 20 };
    char *room = map(64 * MIB);
    for (int i = 0; i < 64; i++)
        room[i * MIB] = (char)(i + 1);
    CHECK(munmap(room + 10 * MIB, 30 * MIB) == 0);
    int wrong = 0;
    for (int i = 0; i < 64; i++)
        wrong += i < 10 || i >= 40 ? room[i * MIB] != (char)(i + 1) : is_there(room + i * MIB);
    CHECK_EQUAL(wrong, 0);
    CHECK(mmap(room + 10 * MIB, 30 * MIB, RW, ANON | MAP_FIXED, -1, 0) == room + 10 * MIB);
    for (int i = 10; i < 40; i++)
        wrong += room[i * MIB] != 0;
    CHECK_THAT("mapped again it is zero", wrong == 0);
    CHECK(munmap(room + 3 * PAGE, PAGE) == 0);
    CHECK(!is_there(room + 3 * PAGE) && is_there(room + 4 * PAGE) && room[0] == 1);
    CHECK(munmap(room, 64 * MIB) == 0);
    CHECK(!is_there(room) && !is_there(room + 63 * MIB));
}

/* A hole in an untouched reservation. */
static void test_untouched(void)
{
    char *room = map(32 << 20);
    CHECK(munmap(room + (9 << 20), PAGE) == 0);
    CHECK(!is_there(room + (9 << 20)));
    CHECK(is_there(room + (9 << 20) - 1) && is_there(room + (9 << 20) + PAGE));
    CHECK(is_there(room) && is_there(room + (31 << 20)));
    CHECK(munmap(room, 32 << 20) == 0);
}

/* Below tables that a child shares. */
static int unmap_in_child(void)
{
    char *room = target;
    if (munmap(room + 2 * PAGE, 2 * PAGE) != 0 || room[PAGE] != 9 || room[4 * PAGE] != 9)
        return 1;
    room[PAGE] = 1;
    return 0;
}

static void test_after_fork(void)
{
    char *room = map(8 * PAGE);
    memset(room, 9, 8 * PAGE);
    target = room;
    CHECK_EXITS(unmap_in_child, 0);
    CHECK_THAT("the parent keeps its pages",
               room[PAGE] == 9 && room[2 * PAGE] == 9 && room[3 * PAGE] == 9);
    CHECK(munmap(room, 8 * PAGE) == 0);
}

int main(void)
{
    test_errors();
    test_parts();
    test_large();
    test_untouched();
    test_after_fork();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * mremap: grow where it is, move, shrink, to an address of the caller's.
 */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096, ANON = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

static const char *self_path;

static char *map(size_t bytes)
{
    return mmap(NULL, bytes, RW, ANON, -1, 0);
}

static long raw(const void *old, unsigned long old_bytes, unsigned long new_bytes, int flags,
                const void *new)
{
    return syscall(SYS_mremap, old, old_bytes, new_bytes, flags, new);
}

static char *volatile target;
static int write_target(void)
{
    *target = 1;
    return 0;
}

static bool is_there(char *page)
{
    target = page;
    return check_child(write_target) == 0;
}

static void fill(char *room, int pages)
{
    for (int i = 0; i < pages; i++)
        room[i * PAGE] = (char)(i + 1);
}

static bool is_filled(const char *room, int pages)
{
    for (int i = 0; i < pages; i++)
        if (room[i * PAGE] != (char)(i + 1))
            return false;
    return true;
}

static void test_errors(void)
{
    char *room = map(16 * PAGE), *other = map(16 * PAGE);
    CHECK_ERROR(raw(room, PAGE, PAGE, 8, NULL), EINVAL);
    CHECK_ERROR(raw(room, PAGE, PAGE, MREMAP_FIXED, other), EINVAL);
    CHECK_ERROR(raw(room + 1, PAGE, PAGE, 0, NULL), EINVAL);
    CHECK_ERROR(raw(room, PAGE, 0, 0, NULL), EINVAL);
    CHECK_ERROR(raw(room, 0, PAGE, MREMAP_MAYMOVE, NULL), EINVAL);
    CHECK_ERROR(raw(room, 4 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other + 1), EINVAL);
    CHECK_ERROR(raw(room, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + PAGE), EINVAL);
    CHECK_ERROR(raw(room + PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room), EINVAL);
    CHECK_ERROR(raw(room, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0xFFFFF000), EINVAL);
    CHECK(munmap(other, 16 * PAGE) == 0 && munmap(room + 8 * PAGE, 8 * PAGE) == 0);
    CHECK_ERROR(raw(room + 8 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, NULL), EFAULT);
    CHECK_ERROR(raw(room, 12 * PAGE, 13 * PAGE, MREMAP_MAYMOVE, NULL), EFAULT);
    CHECK_ERROR(raw(room, 8 * PAGE, 0xE0000000, 0, NULL), ENOMEM);
    CHECK(raw(room, 8 * PAGE, 8 * PAGE, 0, NULL) == (long)room);
    CHECK(munmap(room, 8 * PAGE) == 0);
}

static void test_grow_in_place(void)
{
    char *room = map(64 * PAGE);
    CHECK(munmap(room + 8 * PAGE, 56 * PAGE) == 0);
    fill(room, 8);
    CHECK(mremap(room, 8 * PAGE, 24 * PAGE, 0) == room);
    CHECK(is_filled(room, 8) && room[8 * PAGE] == 0 && room[23 * PAGE] == 0);
    room[23 * PAGE] = 1;
    CHECK(mmap(room + 24 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == room + 24 * PAGE);
    CHECK_ERROR(raw(room, 24 * PAGE, 25 * PAGE, 0, NULL), ENOMEM);
    CHECK_THAT("the middle of a region can't grow in place",
               raw(room, 4 * PAGE, 5 * PAGE, 0, NULL) == -1 && errno == ENOMEM);
    CHECK(is_filled(room, 8));
    CHECK(munmap(room, 25 * PAGE) == 0);
}

static void test_shrink(void)
{
    char *room = map(16 * PAGE);
    fill(room, 16);
    CHECK(mremap(room, 16 * PAGE, 5 * PAGE, 0) == room);
    CHECK(is_filled(room, 5) && !is_there(room + 5 * PAGE));
    CHECK(mremap(room, 5 * PAGE, 1, MREMAP_MAYMOVE) == room && !is_there(room + PAGE));
    CHECK(munmap(room, PAGE) == 0);
}

static void test_move(void)
{
    char *room = map(16 * PAGE);
    fill(room, 16);
    char *moved = mremap(room + 4 * PAGE, 4 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved != room + 4 * PAGE);
    CHECK_THAT("contents move", moved[0] == 5 && moved[3 * PAGE] == 8 && moved[4 * PAGE] == 0 &&
                                    moved[31 * PAGE] == 0);
    CHECK(!is_there(room + 4 * PAGE) && !is_there(room + 7 * PAGE) && is_there(room + 3 * PAGE));
    moved[31 * PAGE] = 1;
    CHECK(room[3 * PAGE] == 4 && room[8 * PAGE] == 9);
    CHECK(munmap(moved, 32 * PAGE) == 0 && munmap(room, 16 * PAGE) == 0);
}

static void test_move_large(void)
{
    enum { MIB = 1 << 20 };
    char *room = map(24 * MIB), *place = map(64 * MIB);
    int wrong = 0;
    for (int i = 0; i < 24; i++)
        room[i * MIB] = (char)(i + 1);
    char *moved = mremap(room, 24 * MIB, 40 * MIB, MREMAP_MAYMOVE);
    for (int i = 0; i < 40; i++)
        wrong += moved[i * MIB] != (i < 24 ? i + 1 : 0);
    CHECK_THAT("slots move", wrong == 0);
    char *again =
        mremap(moved, 40 * MIB, 40 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, place + MIB + 5 * PAGE);
    CHECK(again == place + MIB + 5 * PAGE);
    for (int i = 0; i < 40; i++)
        wrong += again[i * MIB] != (i < 24 ? i + 1 : 0);
    CHECK_THAT("to where no slot begins", wrong == 0 && again[PAGE] == 0);
    CHECK(munmap(place, 64 * MIB) == 0);
}

static void test_fixed(void)
{
    char *room = map(16 * PAGE), *other = map(16 * PAGE);
    fill(room, 16);
    memset(other, 99, 16 * PAGE);
    CHECK(mremap(room, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other + 4 * PAGE) ==
          other + 4 * PAGE);
    CHECK(other[4 * PAGE - 1] == 99 && is_filled(other + 4 * PAGE, 4) && other[8 * PAGE] == 99);
    CHECK(!is_there(room) && is_there(room + 4 * PAGE));
    CHECK(mremap(room + 8 * PAGE, 8 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) ==
          other);
    CHECK(other[0] == 9 && other[PAGE] == 10 && other[2 * PAGE] == 99);
    CHECK_THAT("what was cut off is gone", !is_there(room + 10 * PAGE));
    CHECK(munmap(other, 16 * PAGE) == 0 && munmap(room, 16 * PAGE) == 0);
}

/* An old length that leaves the address space: an error, and what is at the new address may
 * stay. */
static void test_fixed_refused(void)
{
    char *room = map(4 * PAGE), *other = map(4 * PAGE);
    fill(room, 4);
    CHECK_ERROR(raw(room, 0xFFFFF000, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other), EINVAL);
    CHECK_THAT("Linux has lost the page there, Droste has not",
               !check_on_droste() || is_there(other));
    CHECK(is_filled(room, 4) && is_there(other + PAGE));
    CHECK(munmap(room, 4 * PAGE) == 0 && munmap(other, 4 * PAGE) == 0);
}

static void test_dontunmap(void)
{
    char *room = map(4 * PAGE);
    fill(room, 4);
    char *moved = mremap(room, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    CHECK(moved != MAP_FAILED && moved != room && is_filled(moved, 4));
    CHECK_THAT("the old place reads as zero", room[0] == 0 && room[3 * PAGE] == 0);
    CHECK_ERROR(raw(room, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
    CHECK_ERROR(raw(room, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP, NULL), EINVAL);
    CHECK(munmap(moved, 4 * PAGE) == 0 && munmap(room, 4 * PAGE) == 0);
}

static void test_shared(void)
{
    char *room = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fill(room, 4);
    char *twin = mremap(room + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
    CHECK_THAT("an old size of 0 shows shared pages twice",
               twin != MAP_FAILED && twin[0] == 2 && twin[PAGE] == 3);
    twin[0] = 50;
    CHECK(room[PAGE] == 50);
    char *moved = mremap(room, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map(2 * PAGE));
    CHECK(moved[PAGE] == 50 && room[2 * PAGE] == 3);
    twin[0] = 51;
    CHECK(moved[PAGE] == 51);
    char *larger = mremap(moved, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    CHECK_THAT("it shows more of the same object", larger[PAGE] == 51 && larger[2 * PAGE] == 3);
    target = larger + 5 * PAGE;
    CHECK_THAT("up to its end", (check_child(write_target) & 0x7F) == SIGBUS);
}

static void test_file(void)
{
    int fd = open(self_path, O_RDONLY);
    char *file = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0), head[8];
    CHECK(read(fd, head, sizeof(head)) == sizeof(head));
    file[1] = 'x';
    char *moved = mremap(file, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    CHECK(moved[1] == 'x' && moved[0] == head[0]);
    CHECK_THAT("more of the file", memcmp(moved + PAGE, second, PAGE) == 0);
    close(fd);
}

/* Below tables that are shared with a child. */
static int move_in_child(void)
{
    char *moved =
        mremap(target, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + (16 << 20));
    if (moved == MAP_FAILED || !is_filled(moved, 4))
        return 1;
    moved[0] = 77;
    return 0;
}

static void test_after_fork(void)
{
    char *room = map(32 << 20);
    fill(room, 4);
    target = room;
    CHECK_EXITS(move_in_child, 0);
    CHECK(is_filled(room, 4) && room[16 << 20] == 0);
    CHECK(munmap(room, 32 << 20) == 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    self_path = argv[0];
    test_errors();
    test_grow_in_place();
    test_shrink();
    test_move();
    test_move_large();
    test_fixed();
    test_fixed_refused();
    test_dontunmap();
    test_shared();
    test_file();
    test_after_fork();
    return check_end();
}

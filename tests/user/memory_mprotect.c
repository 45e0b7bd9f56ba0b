/* SPDX-License-Identifier: MIT */
/*
 * mprotect: rights come and go, contents stay.
 */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096, ANON = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

static const char *self_path;

static char *map(size_t bytes, int protection)
{
    return mmap(NULL, bytes, protection, ANON, -1, 0);
}

static char *volatile target;
static int write_target(void)
{
    *target = 1;
    return 0;
}
static int read_target(void)
{
    return *(volatile char *)target & 0;
}

static bool is_writable(char *page)
{
    target = page;
    return check_child(write_target) == 0;
}

static bool is_readable(char *page)
{
    target = page;
    return check_child(read_target) == 0;
}

static void test_errors(void)
{
    char *room = map(4 * PAGE, RW);
    CHECK_ERROR(mprotect(room + 1, PAGE, RW), EINVAL);
    CHECK_ERROR(mprotect(room, PAGE, 0x40), EINVAL);
    CHECK_ERROR(mprotect(room, PAGE, RW | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
    CHECK_ERROR(mprotect(room, PAGE, RW | PROT_GROWSDOWN), EINVAL);
    CHECK(mprotect(room, 0, PROT_NONE) == 0);
    CHECK(is_writable(room));
    CHECK(munmap(room + PAGE, PAGE) == 0);
    CHECK_ERROR(mprotect(room + PAGE, PAGE, RW), ENOMEM);
    CHECK_ERROR(mprotect(room, 4 * PAGE, PROT_READ), ENOMEM);
    CHECK_THAT("before the hole all has changed", !is_writable(room) && is_readable(room));
    CHECK_THAT("behind the hole nothing has changed", is_writable(room + 2 * PAGE));
    CHECK_ERROR(mprotect(room + PAGE, 3 * PAGE, PROT_READ), ENOMEM);
    CHECK_THAT("nor if it begins with the hole", is_writable(room + 2 * PAGE));
    CHECK(munmap(room, 4 * PAGE) == 0);
    CHECK_ERROR(mprotect(room, PAGE, RW), ENOMEM);
}

static void test_contents_stay(void)
{
    char *room = map(16 * PAGE, RW);
    for (int i = 0; i < 16; i++)
        room[i * PAGE] = (char)(i + 1);
    CHECK(mprotect(room + 4 * PAGE, 4 * PAGE, PROT_NONE) == 0);
    CHECK(!is_readable(room + 4 * PAGE) && !is_readable(room + 7 * PAGE));
    CHECK(is_writable(room + 3 * PAGE) && is_writable(room + 8 * PAGE));
    CHECK(mprotect(room + 6 * PAGE, 4 * PAGE, PROT_READ) == 0);
    CHECK(is_readable(room + 6 * PAGE) && !is_writable(room + 6 * PAGE) &&
          !is_writable(room + 9 * PAGE));
    CHECK(mprotect(room, 16 * PAGE, RW) == 0);
    int wrong = 0;
    for (int i = 0; i < 16; i++)
        wrong += room[i * PAGE] != (char)(i + 1);
    CHECK_THAT("through no rights and back", wrong == 0);
    CHECK(mprotect(room, 1, PROT_READ) == 0);
    CHECK_THAT("a length is rounded up", !is_writable(room + PAGE - 1) && is_writable(room + PAGE));
    CHECK(munmap(room, 16 * PAGE) == 0);
}

/* Untouched: what reads as zero and what may be written is decided by the rights at the touch. */
static void test_untouched(void)
{
    enum { MIB = 1 << 20 };
    char *room = map(32 * MIB, PROT_READ);
    CHECK(room[20 * MIB] == 0);
    CHECK(mprotect(room + 7 * MIB, 18 * MIB, RW) == 0);
    CHECK(!is_writable(room + 7 * MIB - 1) && is_writable(room + 7 * MIB));
    CHECK(is_writable(room + 25 * MIB - 1) && !is_writable(room + 25 * MIB));
    room[20 * MIB] = 1;
    CHECK(mprotect(room, 32 * MIB, PROT_NONE) == 0);
    CHECK(!is_readable(room + 20 * MIB) && !is_readable(room));
    CHECK(mprotect(room, 32 * MIB, PROT_READ) == 0);
    CHECK(room[20 * MIB] == 1 && room[20 * MIB + 1] == 0 && room[0] == 0);
    CHECK(!is_writable(room + 20 * MIB));
    CHECK(munmap(room, 32 * MIB) == 0);
}

static void test_files(void)
{
    int fd = open(self_path, O_RDONLY);
    char *shared = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(shared != MAP_FAILED && private != MAP_FAILED);
    CHECK(shared[1] == 'E' && private[1] == 'E');
    CHECK_ERROR(mprotect(shared, PAGE, RW), EACCES);
    CHECK(mprotect(private, PAGE, RW) == 0);
    private[1] = 'x';
    CHECK(shared[1] == 'E' && private[1] == 'x' && private[2] == 'L');
    CHECK(!is_writable(private + PAGE));
    CHECK(mprotect(private, 2 * PAGE, PROT_NONE) == 0 && !is_readable(private));
    CHECK(mprotect(shared, 2 * PAGE, PROT_NONE) == 0 && !is_readable(shared));
    CHECK(mprotect(private, 2 * PAGE, RW) == 0 && private[1] == 'x' && private[2] == 'L');
    private[PAGE] = 'y';
    CHECK(mprotect(shared, 2 * PAGE, PROT_READ) == 0 && shared[1] == 'E' && shared[PAGE] != 'y');
    close(fd);
}

/* Several regions, of which one refuses: those before it have changed, those behind it not. */
static void test_obstacle(void)
{
    int fd = open(self_path, O_RDONLY);
    char *room = map(8 * PAGE, PROT_READ);
    CHECK(room[0] == 0); /* its table is there */
    CHECK(mprotect(room + PAGE, PAGE, PROT_NONE) == 0);
    CHECK(mmap(room + 4 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == room + 4 * PAGE);
    CHECK_ERROR(mprotect(room, 8 * PAGE, RW), EACCES);
    CHECK(is_writable(room) && is_writable(room + PAGE) && is_writable(room + 3 * PAGE));
    CHECK(!is_writable(room + 4 * PAGE) && is_readable(room + 4 * PAGE));
    CHECK(!is_writable(room + 5 * PAGE) && !is_writable(room + 7 * PAGE));
    CHECK(mprotect(room, 8 * PAGE, PROT_READ) == 0 && !is_writable(room + PAGE));
    CHECK(munmap(room + 6 * PAGE, PAGE) == 0);
    CHECK_ERROR(mprotect(room + PAGE, 7 * PAGE, PROT_NONE), ENOMEM);
    CHECK(is_readable(room) && !is_readable(room + PAGE) && !is_readable(room + 5 * PAGE) &&
          is_readable(room + 7 * PAGE));
    CHECK(munmap(room, 8 * PAGE) == 0);
    close(fd);
}

/* Shared memory by way of /dev/zero may become writable if the descriptor was open for it. */
static void test_device(void)
{
    int reads = open("/dev/zero", O_RDONLY), writes = open("/dev/zero", O_RDWR);
    char *shared = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, reads, 0);
    CHECK(shared != MAP_FAILED && shared[PAGE] == 0);
    CHECK_ERROR(mprotect(shared, PAGE, RW), EACCES);
    CHECK(mprotect(shared, PAGE, PROT_NONE) == 0 && mprotect(shared, PAGE, PROT_READ) == 0);
    CHECK(!is_writable(shared));
    char *moved = mremap(shared, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map(PAGE, RW));
    CHECK(moved != MAP_FAILED);
    CHECK_ERROR(mprotect(moved, PAGE, RW), EACCES);
    CHECK(mmap(NULL, PAGE, RW, MAP_SHARED, reads, 0) == MAP_FAILED && errno == EACCES);
    char *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, reads, 0);
    CHECK(mprotect(private, PAGE, RW) == 0 && is_writable(private));
    shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writes, 0);
    CHECK(shared != MAP_FAILED && mprotect(shared, PAGE, RW) == 0 && is_writable(shared));
    CHECK_THAT("what a child wrote is there", shared[0] == 1);
    close(reads);
    close(writes);
}

/* Below tables that a child shares: rights are each one's own. */
static int protect_in_child(void)
{
    if (target[0] != 3 || mprotect(target, PAGE, PROT_NONE) != 0)
        return 1;
    target[PAGE] = 4;
    return 0;
}

static void test_after_fork(void)
{
    char *room = map(2 * PAGE, RW);
    room[0] = room[PAGE] = 3;
    target = room;
    CHECK_EXITS(protect_in_child, 0);
    CHECK(room[0] == 3 && room[PAGE] == 3);
    room[0] = 5;
    CHECK(mprotect(room, PAGE, PROT_READ) == 0);
    CHECK(!is_writable(room) && is_writable(room + PAGE) && room[0] == 5);
    CHECK(munmap(room, 2 * PAGE) == 0);
}

/* Every page in turn, so that regions split and join. */
static void test_split_and_join(void)
{
    enum { COUNT = 64 };
    char *room = map(COUNT * PAGE, RW);
    int wrong = 0;
    for (int i = 0; i < COUNT; i++)
        room[i * PAGE] = (char)i;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < COUNT; i++) {
            int page = i * 37 % COUNT;
            wrong += mprotect(room + page * PAGE, PAGE, round == 1 ? RW : PROT_READ) != 0;
            wrong += room[page * PAGE] != (char)page;
        }
    CHECK_EQUAL(wrong, 0);
    CHECK(!is_writable(room + 11 * PAGE));
    CHECK(munmap(room, COUNT * PAGE) == 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    self_path = argv[0];
    test_errors();
    test_contents_stay();
    test_untouched();
    test_files();
    test_obstacle();
    test_device();
    test_after_fork();
    test_split_and_join();
    return check_end();
}

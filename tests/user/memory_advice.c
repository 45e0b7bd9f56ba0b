/* SPDX-License-Identifier: MIT */
/*
 * madvise, mincore, msync, and the mlock family.
 */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
    PAGE = 4096,
    ANON = MAP_PRIVATE | MAP_ANONYMOUS,
    RW = PROT_READ | PROT_WRITE,
    POPULATE_READ = 22, /* MADV_POPULATE_READ: newer than some headers */
    POPULATE_WRITE = 23,
};

static const char *self_path;

static char *map(size_t bytes)
{
    return mmap(NULL, bytes, RW, ANON, -1, 0);
}

/* BYTES, and a hole above them. */
static char *map_below_hole(size_t bytes)
{
    char *room = map(bytes + 4 * PAGE);
    munmap(room + bytes, 4 * PAGE);
    return room;
}

static void test_madvise_errors(void)
{
    char *room = map_below_hole(4 * PAGE);
    CHECK_ERROR(madvise(room, PAGE, 77), EINVAL);
    CHECK_ERROR(madvise(room, PAGE, -1), EINVAL);
    CHECK_ERROR(madvise(room + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_ERROR(syscall(SYS_madvise, room, 0xFFFFFFFF, MADV_DONTNEED), EINVAL);
    CHECK(madvise(room, 0, MADV_DONTNEED) == 0);
    CHECK_ERROR(madvise(room + 4 * PAGE, PAGE, MADV_DONTNEED), ENOMEM);
    CHECK_ERROR(madvise(room + 4 * PAGE, PAGE, MADV_NORMAL), ENOMEM);
    room[3 * PAGE] = 1;
    CHECK_ERROR(madvise(room + 3 * PAGE, 2 * PAGE, MADV_DONTNEED), ENOMEM);
    CHECK_THAT("what is there is dropped all the same", room[3 * PAGE] == 0);
    CHECK(madvise(room, 4 * PAGE, MADV_NORMAL) == 0 && madvise(room, PAGE, MADV_RANDOM) == 0 &&
          madvise(room, PAGE, MADV_SEQUENTIAL) == 0 && madvise(room, PAGE, MADV_WILLNEED) == 0 &&
          madvise(room, PAGE, MADV_DONTDUMP) == 0 && madvise(room, PAGE, MADV_DODUMP) == 0);
    CHECK(munmap(room, 4 * PAGE) == 0);
}

/* Each answers as Linux does, whatever of it is done. */
static void test_hints(void)
{
    static const int hints[] = {MADV_NORMAL,     MADV_RANDOM,    MADV_SEQUENTIAL,  MADV_WILLNEED,
                                MADV_DOFORK,     MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
                                MADV_NOHUGEPAGE, MADV_DONTDUMP,  MADV_DODUMP,      MADV_KEEPONFORK,
                                MADV_COLD,       MADV_PAGEOUT};
    char *room = map_below_hole(4 * PAGE);
    memset(room, 5, 4 * PAGE);
    for (unsigned i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        CHECK_EQUAL(madvise(room, 4 * PAGE, hints[i]), 0);
        CHECK_EQUAL(madvise(room + PAGE, 1, hints[i]), 0);
        CHECK_EQUAL(madvise(room, 0, hints[i]), 0);
        CHECK_ERROR(madvise(room + 1, PAGE, hints[i]), EINVAL);
        CHECK_ERROR(madvise(room + 3 * PAGE, 2 * PAGE, hints[i]), ENOMEM);
        CHECK_ERROR(madvise(room + 4 * PAGE, PAGE, hints[i]), ENOMEM);
    }
    CHECK_THAT("nothing was lost", room[0] == 5 && room[4 * PAGE - 1] == 5);
    for (int advice = 5; advice < 8; advice++)
        CHECK_ERROR(madvise(room, PAGE, advice), EINVAL);
    CHECK_ERROR(madvise(room, PAGE, 99), EINVAL);
    CHECK(munmap(room, 4 * PAGE) == 0);
}

/* What is locked is not to be dropped. */
static void test_locked(void)
{
    static const int droppers[] = {MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT, MADV_REMOVE};
    char *room = map(4 * PAGE);
    CHECK(mlock(room + PAGE, PAGE) == 0);
    for (unsigned i = 0; i < sizeof(droppers) / sizeof(droppers[0]); i++)
        CHECK_ERROR(madvise(room + PAGE, PAGE, droppers[i]), EINVAL);
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQUAL(madvise(room + 2 * PAGE, PAGE, droppers[i]), 0);
    CHECK(madvise(room, 4 * PAGE, MADV_WILLNEED) == 0);
    CHECK(munmap(room, 4 * PAGE) == 0);
}

static void test_remove(void)
{
    int fd = open(self_path, O_RDONLY);
    char *room = map(PAGE), *file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *copy = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
    CHECK_ERROR(madvise(room, PAGE, MADV_REMOVE), EINVAL);
    CHECK_ERROR(madvise(file, PAGE, MADV_REMOVE), EACCES);
    CHECK_ERROR(madvise(copy, PAGE, MADV_REMOVE), EACCES);
    close(fd);
}

static void test_dontneed(void)
{
    enum { MIB = 1 << 20 };
    char *room = map(16 * MIB);
    int wrong = 0;
    memset(room, 7, 16 * MIB);
    CHECK(madvise(room + MIB, 12 * MIB, MADV_DONTNEED) == 0);
    for (int i = 0; i < 16 * MIB; i += PAGE)
        wrong += room[i] != (i < MIB || i >= 13 * MIB ? 7 : 0);
    CHECK_THAT("what was dropped is zero, the rest is kept", wrong == 0);
    room[5 * MIB] = 3;
    CHECK(madvise(room + 5 * MIB, PAGE, MADV_DONTNEED) == 0 && room[5 * MIB] == 0);
    CHECK(mprotect(room, 2 * PAGE, PROT_READ) == 0);
    CHECK(madvise(room + PAGE, PAGE, MADV_DONTNEED) == 0 && room[PAGE] == 0 && room[0] == 7);
    CHECK(mprotect(room, 2 * PAGE, RW) == 0);
    room[PAGE] = 1;
    CHECK(madvise(room, 16 * MIB, MADV_FREE) == 0);
    room[0] = 1;
    CHECK(munmap(room, 16 * MIB) == 0);
}

static void test_dontneed_objects(void)
{
    int fd = open(self_path, O_RDONLY);
    char *file = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
    file[1] = 'x';
    CHECK(madvise(file, PAGE, MADV_DONTNEED) == 0 && file[1] == 'E');
    CHECK_ERROR(madvise(file, PAGE, MADV_FREE), EINVAL);
    char *shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared[0] = 5;
    CHECK(madvise(shared, 2 * PAGE, MADV_DONTNEED) == 0 && shared[0] == 5);
    close(fd);
}

static char *volatile target;
static int dontneed_in_child(void)
{
    return target[0] == 6 && madvise(target, 2 * PAGE, MADV_DONTNEED) == 0 && target[0] == 0 ? 0
                                                                                             : 1;
}

static void test_dontneed_after_fork(void)
{
    target = map(2 * PAGE);
    memset(target, 6, 2 * PAGE);
    CHECK_EXITS(dontneed_in_child, 0);
    CHECK(target[0] == 6 && target[PAGE] == 6);
}

static void test_populate(void)
{
    unsigned char real[4] = {9, 9, 9, 9};
    char *room = map_below_hole(4 * PAGE);
    CHECK(madvise(room, 2 * PAGE, POPULATE_WRITE) == 0);
    CHECK(mincore(room, 4 * PAGE, real) == 0);
    CHECK((real[0] & 1) == 1 && (real[1] & 1) == 1 && (real[2] & 1) == 0 && (real[3] & 1) == 0);
    CHECK(madvise(room, 4 * PAGE, POPULATE_READ) == 0);
    CHECK_ERROR(madvise(room, 5 * PAGE, POPULATE_WRITE), ENOMEM);
    CHECK(mprotect(room, PAGE, PROT_READ) == 0);
    CHECK_ERROR(madvise(room, PAGE, POPULATE_WRITE), EINVAL);
    CHECK(madvise(room, PAGE, POPULATE_READ) == 0);
    CHECK(mprotect(room, PAGE, PROT_NONE) == 0);
    CHECK_ERROR(madvise(room, PAGE, POPULATE_READ), EINVAL);
}

static void test_mincore(void)
{
    unsigned char real[16];
    char *room = map_below_hole(8 * PAGE);
    room[2 * PAGE] = room[5 * PAGE] = 1;
    memset(real, 9, sizeof(real));
    CHECK(mincore(room, 8 * PAGE, real) == 0);
    CHECK((real[0] & 1) == 0 && (real[2] & 1) == 1 && (real[4] & 1) == 0 && (real[5] & 1) == 1);
    CHECK_THAT("no more is written than pages are asked for", real[8] == 9);
    CHECK(mincore(room + 2 * PAGE, 1, real) == 0 && (real[0] & 1) == 1);
    CHECK(mincore(room, 0, real) == 0);
    CHECK_ERROR(mincore(room + 1, PAGE, real), EINVAL);
    CHECK_ERROR(mincore(room, 9 * PAGE, real), ENOMEM);
    CHECK_ERROR(mincore(room + 8 * PAGE, PAGE, real), ENOMEM);
    CHECK_ERROR(mincore(room, 8 * PAGE, (unsigned char *)room + 8 * PAGE), EFAULT);
    CHECK_ERROR(mincore(room, 8 * PAGE, NULL), EFAULT);
    CHECK(munmap(room, 8 * PAGE) == 0);
}

static void test_msync(void)
{
    char *room = map_below_hole(4 * PAGE);
    CHECK(msync(room, 4 * PAGE, MS_SYNC) == 0 && msync(room, PAGE, MS_ASYNC) == 0 &&
          msync(room, 0, MS_SYNC) == 0 && msync(room, PAGE, MS_SYNC | MS_INVALIDATE) == 0);
    CHECK_ERROR(msync(room, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERROR(msync(room, PAGE, 64), EINVAL);
    CHECK_ERROR(msync(room + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_ERROR(msync(room, 5 * PAGE, MS_SYNC), ENOMEM);
    CHECK_ERROR(msync(room + 4 * PAGE, PAGE, MS_SYNC), ENOMEM);
    CHECK(mlock(room, PAGE) == 0);
    CHECK_ERROR(msync(room, PAGE, MS_SYNC | MS_INVALIDATE), EBUSY);
    CHECK(munlock(room, PAGE) == 0);
}

static void test_mlock(void)
{
    unsigned char real[8];
    char *room = map_below_hole(8 * PAGE);
    CHECK(mlock(room + 5, 2 * PAGE) == 0);
    CHECK(mincore(room, 4 * PAGE, real) == 0);
    CHECK_THAT("locked pages are real, those in part as well",
               (real[0] & 1) && (real[1] & 1) && (real[2] & 1) && !(real[3] & 1));
    CHECK_ERROR(madvise(room, PAGE, MADV_DONTNEED), EINVAL);
    CHECK(munlock(room, 3 * PAGE) == 0);
    CHECK(madvise(room, PAGE, MADV_DONTNEED) == 0);
    CHECK(mlock(room, 0) == 0);
    CHECK_ERROR(mlock(room + 8 * PAGE, PAGE), ENOMEM);
    CHECK_ERROR(mlock(room, 9 * PAGE), ENOMEM);
    CHECK_ERROR(munlock(room + 8 * PAGE, PAGE), ENOMEM);
    CHECK_ERROR(syscall(SYS_mlock2, room, PAGE, 2), EINVAL);
    CHECK(syscall(SYS_mlock2, room + 4 * PAGE, PAGE, 1) == 0);
    CHECK(mincore(room + 4 * PAGE, PAGE, real) == 0 && !(real[0] & 1));
    CHECK(munlock(room, 8 * PAGE) == 0);
    CHECK_ERROR(mlockall(0), EINVAL);
    CHECK_ERROR(mlockall(8), EINVAL);
    CHECK_ERROR(mlockall(4), EINVAL);
    CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
    char *later = map(2 * PAGE);
    CHECK(mincore(later, 2 * PAGE, real) == 0 && (real[0] & 1) && (real[1] & 1));
    CHECK(munlockall() == 0);
    later = map(2 * PAGE);
    CHECK(mincore(later, 2 * PAGE, real) == 0 && !(real[0] & 1));
}

int main(int argc, char **argv)
{
    (void)argc;
    self_path = argv[0];
    test_madvise_errors();
    test_hints();
    test_locked();
    test_remove();
    test_dontneed();
    test_dontneed_objects();
    test_dontneed_after_fork();
    test_populate();
    test_mincore();
    test_msync();
    test_mlock();
    return check_end();
}

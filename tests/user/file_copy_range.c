/* SPDX-License-Identifier: MIT */
/*
 * copy_file_range(): bytes from file to file, at their offsets or at the call's.
 *
 * run: ext2=1024
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>

#include "file_place.h"

enum { BIG = 3 * 1024 * 1024 + 77 };
static char bytes[BIG], other[BIG];

static long copy(int from, long long *at, int to, long long *to_at, size_t count, unsigned flags)
{
    return syscall(SYS_copy_file_range, from, at, to, to_at, count, flags);
}

static void test_offsets(void)
{
    file_make("from", "0123456789");
    int from = open("from", O_RDONLY), to = open("to", O_RDWR | O_CREAT | O_TRUNC, 0644);
    long long at = 2, to_at = 5;
    CHECK_EQUAL(copy(from, NULL, to, NULL, 4, 0), 4);
    CHECK_EQUAL(lseek(from, 0, SEEK_CUR), 4);
    CHECK_EQUAL(lseek(to, 0, SEEK_CUR), 4);
    CHECK(file_holds("to", "0123"));
    CHECK_EQUAL(copy(from, &at, to, &to_at, 3, 0), 3);
    CHECK(at == 5 && to_at == 8);
    CHECK_EQUAL(lseek(from, 0, SEEK_CUR), 4);
    CHECK_EQUAL(lseek(to, 0, SEEK_CUR), 4);
    CHECK_EQUAL(pread(to, other, 20, 0), 8);
    CHECK(memcmp(other,
                 "0123\0"
                 "234",
                 8) == 0);
    CHECK_EQUAL(copy(from, NULL, to, NULL, 1000, 0), 6);
    CHECK_EQUAL(copy(from, NULL, to, NULL, 1000, 0), 0);
    CHECK_EQUAL(copy(from, NULL, to, NULL, 0, 0), 0);
    CHECK(file_holds("to", "0123456789"));
    at = 20;
    CHECK_EQUAL(copy(from, &at, to, NULL, 10, 0), 0);
    CHECK(at == 20);
    close(from);
    close(to);
}

static void test_big(void)
{
    for (int i = 0; i < BIG; i++)
        bytes[i] = (char)(i * 2654435761u >> 24);
    int from = open("big", O_RDWR | O_CREAT, 0644), to = open("copy", O_RDWR | O_CREAT, 0644);
    CHECK_EQUAL(write(from, bytes, BIG), BIG);
    long long at = 0, to_at = 100;
    long done = 0, got;
    while ((got = copy(from, &at, to, &to_at, 0x7FFFFFFF, 0)) > 0)
        done += got;
    CHECK_EQUAL(done, BIG);
    CHECK(at == BIG && to_at == BIG + 100);
    CHECK(pread(to, other, BIG, 100) == BIG && memcmp(bytes, other, BIG) == 0);
    /* Within one file, where the two do not touch. */
    at = 0;
    to_at = BIG;
    CHECK_EQUAL(copy(from, &at, from, &to_at, 10000, 0), 10000);
    CHECK(pread(from, other, 10000, BIG) == 10000 && memcmp(bytes, other, 10000) == 0);
    at = 0;
    to_at = 9999;
    CHECK_ERROR(copy(from, &at, from, &to_at, 10000, 0), EINVAL);
    to_at = 10000;
    CHECK_EQUAL(copy(from, &at, from, &to_at, 10000, 0), 10000);
    /* A hole is zeros. */
    CHECK_EQUAL(ftruncate(to, 0), 0);
    CHECK_EQUAL(ftruncate(to, 10000), 0);
    at = to_at = 0;
    CHECK_EQUAL(copy(to, &at, from, &to_at, 10000, 0), 10000);
    memset(bytes, 0, 10000);
    CHECK(pread(from, other, 10000, 0) == 10000 && memcmp(bytes, other, 10000) == 0);
    close(from);
    close(to);
}

static void test_refused(void)
{
    long long at = -1;
    int from = open("from", O_RDONLY), to = open("to", O_WRONLY), ends[2];
    int directory = open(".", O_RDONLY), append = open("to", O_WRONLY | O_APPEND);
    CHECK_ERROR(copy(-1, NULL, to, NULL, 1, 0), EBADF);
    CHECK_ERROR(copy(from, NULL, 99, NULL, 1, 0), EBADF);
    CHECK_ERROR(copy(to, NULL, to, NULL, 1, 0), EBADF);
    CHECK_ERROR(copy(from, NULL, from, NULL, 1, 0), EBADF);
    CHECK_ERROR(copy(from, NULL, append, NULL, 1, 0), EBADF);
    CHECK_ERROR(copy(from, NULL, to, NULL, 1, 1), EINVAL);
    CHECK_ERROR(copy(from, &at, to, NULL, 1, 0), EOVERFLOW);
    at = -5;
    CHECK_ERROR(copy(from, &at, to, NULL, 1, 0), EINVAL);
    CHECK_ERROR(copy(from, (void *)16, to, NULL, 1, 0), EFAULT);
    CHECK_ERROR(copy(directory, NULL, to, NULL, 1, 0), EISDIR);
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_ERROR(copy(ends[0], NULL, to, NULL, 1, 0), EINVAL);
    CHECK_ERROR(copy(from, NULL, ends[1], NULL, 1, 0), EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(from);
    close(to);
    close(directory);
    close(append);
}

int main(void)
{
    file_place_enter("copy");
    test_offsets();
    test_big();
    test_refused();
    unlink("from");
    unlink("to");
    unlink("big");
    unlink("copy");
    file_place_leave();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * The length of a file: truncate both ways, holes, SEEK_DATA and SEEK_HOLE, fallocate; in pages, as a
 * tmpfs has them.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "file_place.h"

enum { PAGE = 4096 };

static char buffer[3 * PAGE];

static bool is_zero(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_length(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    memset(buffer, 'x', sizeof(buffer));
    CHECK_EQUAL(write(fd, buffer, 3 * PAGE), 3 * PAGE);
    CHECK_EQUAL(ftruncate(fd, PAGE + 100), 0);
    CHECK_EQUAL(file_status("file").st_size, PAGE + 100);
    CHECK_EQUAL(file_status("file").st_blocks, 16);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 3 * PAGE);
    CHECK_EQUAL(read(fd, buffer, 1), 0);
    CHECK_EQUAL(ftruncate(fd, 3 * PAGE), 0);
    CHECK_EQUAL(pread(fd, buffer, 3 * PAGE, 0), 3 * PAGE);
    CHECK_THAT("what was cut off comes back as zeros",
               is_zero(buffer + PAGE + 100, 2 * PAGE - 100));
    CHECK(buffer[PAGE + 99] == 'x');
    CHECK_EQUAL(file_status("file").st_blocks, 16);
    CHECK_EQUAL(truncate("file", 0), 0);
    CHECK_EQUAL(file_status("file").st_blocks, 0);
    CHECK_EQUAL(truncate("file", 5), 0);
    CHECK(file_holds("file", "") == false && file_status("file").st_size == 5);
    CHECK_EQUAL(pwrite(fd, "end", 3, 2 * PAGE), 3); /* over a hole */
    CHECK_EQUAL(pread(fd, buffer, sizeof(buffer), 0), 2 * PAGE + 3);
    CHECK(is_zero(buffer, 2 * PAGE) && memcmp(buffer + 2 * PAGE, "end", 3) == 0);
    CHECK_EQUAL(file_status("file").st_blocks, 8);
    close(fd);
    unlink("file");
}

static void test_errors(void)
{
    file_make("file", "text");
    mkdir("dir", 0700);
    CHECK_ERROR(truncate("none", 0), ENOENT);
    CHECK_ERROR(truncate("file", -1), EINVAL);
    CHECK_ERROR(truncate("dir", 0), EISDIR);
    CHECK_ERROR(truncate("/dev/null", 0), EINVAL);
    CHECK_ERROR(truncate("file/x", 0), ENOTDIR);
    CHECK_ERROR(truncate("", 0), ENOENT);
    CHECK_ERROR(truncate("/proc/self/exe", 0), ETXTBSY);
    CHECK_ERROR(open("/proc/self/exe", O_RDWR), ETXTBSY);
    CHECK_ERROR(ftruncate(77, 0), EBADF);
    int fd = open("file", O_RDONLY);
    CHECK_ERROR(ftruncate(fd, 0), EINVAL);
    close(fd);
    fd = open("file", O_RDWR);
    CHECK_ERROR(ftruncate(fd, -1), EINVAL);
    close(fd);
    int ends[2];
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_ERROR(ftruncate(ends[1], 0), EINVAL);
    close(ends[0]);
    close(ends[1]);
    CHECK(file_holds("file", "text"));
    unlink("file");
    rmdir("dir");
}

static void test_holes(void)
{
    int fd = open("sparse", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(ftruncate(fd, 100 * PAGE), 0);
    CHECK_ERROR(lseek(fd, 0, SEEK_DATA), ENXIO);
    CHECK_EQUAL(lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_EQUAL(pwrite(fd, "a", 1, 10 * PAGE + 5), 1);
    CHECK_EQUAL(pwrite(fd, buffer, 2 * PAGE, 50 * PAGE), 2 * PAGE);
    CHECK_EQUAL(lseek(fd, 0, SEEK_DATA), 10 * PAGE);
    CHECK_EQUAL(lseek(fd, 10 * PAGE + 7, SEEK_DATA), 10 * PAGE + 7);
    CHECK_EQUAL(lseek(fd, 10 * PAGE, SEEK_HOLE), 11 * PAGE);
    CHECK_EQUAL(lseek(fd, 11 * PAGE, SEEK_DATA), 50 * PAGE);
    CHECK_EQUAL(lseek(fd, 50 * PAGE, SEEK_HOLE), 52 * PAGE);
    CHECK_EQUAL(lseek(fd, 7, SEEK_HOLE), 7);
    CHECK_ERROR(lseek(fd, 52 * PAGE, SEEK_DATA), ENXIO);
    CHECK_ERROR(lseek(fd, 100 * PAGE, SEEK_HOLE), ENXIO);
    CHECK_ERROR(lseek(fd, -1, SEEK_DATA), ENXIO);
    CHECK_EQUAL(file_status("sparse").st_blocks, 3 * 8);
    CHECK_EQUAL(pwrite(fd, "z", 1, 100 * PAGE - 1), 1);
    CHECK_EQUAL(lseek(fd, 99 * PAGE, SEEK_HOLE), 100 * PAGE);
    close(fd);
    unlink("sparse");
}

static void test_far(void)
{
    const off64_t far = 3221225472ll; /* 3 GiB */
    int fd = open64("far", O_RDWR | O_CREAT, 0600);
    struct stat64 status;
    CHECK_EQUAL(pwrite64(fd, "far", 3, far), 3);
    CHECK(fstat64(fd, &status) == 0 && status.st_size == far + 3 && status.st_blocks == 8);
    CHECK(lseek64(fd, -1, SEEK_END) == far + 2);
    CHECK(read(fd, buffer, 10) == 1 && buffer[0] == 'r');
    CHECK(lseek64(fd, 0, SEEK_DATA) == far);
    CHECK_ERROR(open("far", O_RDONLY), EOVERFLOW);
    CHECK_ERROR(syscall(SYS_stat, "far", buffer), EOVERFLOW);
    CHECK_ERROR(lseek(fd, 0, SEEK_END), EOVERFLOW);
    CHECK_EQUAL(ftruncate64(fd, far + 1), 0);
    CHECK(fstat64(fd, &status) == 0 && status.st_size == far + 1);
    close(fd);
    CHECK_EQUAL(truncate64("far", 2147483647), 0);
    fd = open("far", O_RDWR);
    CHECK_ERROR(pwrite64(fd, "xy", 2, 2147483647), EFBIG);
    CHECK_EQUAL(pwrite64(fd, "xy", 2, 2147483646), 1);
    close(fd);
    unlink("far");
}

static void test_allocation(void)
{
    int fd = open("room", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(fallocate(fd, 0, PAGE, 2 * PAGE), 0);
    CHECK_EQUAL(file_status("room").st_size, 3 * PAGE);
    CHECK_EQUAL(file_status("room").st_blocks, 16);
    CHECK_EQUAL(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 3 * PAGE), 0);
    CHECK_EQUAL(file_status("room").st_size, 3 * PAGE);
    CHECK_EQUAL(file_status("room").st_blocks, 24);
    CHECK_EQUAL(pread(fd, buffer, 3 * PAGE, 0), 3 * PAGE);
    CHECK(is_zero(buffer, 3 * PAGE));
    CHECK_EQUAL(fallocate(fd, 0, 0, 2000000), 0); /* more than is done at once */
    CHECK_EQUAL(file_status("room").st_blocks, (2000000 + PAGE - 1) / PAGE * 8);
    CHECK_ERROR(fallocate(fd, 0, -1, 10), EINVAL);
    CHECK_ERROR(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERROR(fallocate(fd, 0x4000, 0, 10), EOPNOTSUPP);
    CHECK_ERROR(fallocate(77, 0, 0, 10), EBADF);
    close(fd);
    fd = open("room", O_RDONLY);
    CHECK_ERROR(fallocate(fd, 0, 0, 10), EBADF);
    close(fd);
    int ends[2];
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_ERROR(fallocate(ends[1], 0, 0, 10), ESPIPE);
    close(ends[0]);
    close(ends[1]);
    fd = open("/dev/null", O_WRONLY);
    CHECK_ERROR(fallocate(fd, 0, 0, 10), ENODEV);
    close(fd);
    CHECK_EQUAL(truncate("room", 0), 0);
    CHECK_EQUAL(file_status("room").st_blocks, 0);
    unlink("room");
}

int main(void)
{
    file_place_enter("truncate");
    test_length();
    test_errors();
    test_holes();
    test_far();
    test_allocation();
    file_place_leave();
    return check_end();
}

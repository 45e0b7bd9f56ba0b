/* SPDX-License-Identifier: MIT */
/*
 * Rights, owners and times: chmod, chown, umask, access; what changes which time; utimensat and its
 * older relatives.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <utime.h>

#include "file_place.h"

static long long time_of(struct timespec time)
{
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

/* Which times of NAME have moved since BEFORE: 1 access, 2 modification, 4 change. */
static int moved(const struct stat *before, const char *name)
{
    struct stat now = file_status(name);
    return (time_of(now.st_atim) > time_of(before->st_atim)) +
           2 * (time_of(now.st_mtim) > time_of(before->st_mtim)) +
           4 * (time_of(now.st_ctim) > time_of(before->st_ctim));
}

/* The status of NAME; and the clock that files go by has moved on since. */
static struct stat status_and_wait(const char *name)
{
    struct stat status = file_status(name);
    struct timespec before, now;
    clock_gettime(CLOCK_REALTIME_COARSE, &before);
    do
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
    while (time_of(now) == time_of(before));
    return status;
}

static void test_what_moves(void)
{
    char buffer[10];
    mkdir("dir", 0755);
    file_make("dir/file", "text");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct stat status = file_status("dir/file");
    long long age = time_of(now) - time_of(status.st_mtim);
    CHECK_THAT("a new file is new", age >= -1000000000ll && age < 10000000000ll);
    status = status_and_wait("dir/file");
    int fd = open("dir/file", O_RDWR);
    CHECK_EQUAL(moved(&status, "dir/file"), 0);
    CHECK_EQUAL(write(fd, "TEXT", 4), 4);
    CHECK_EQUAL(moved(&status, "dir/file"), 6);
    status = status_and_wait("dir/file");
    CHECK_EQUAL(pread(fd, buffer, 4, 0), 4);
    CHECK_EQUAL(moved(&status, "dir/file"), 1);
    status = status_and_wait("dir/file");
    CHECK_EQUAL(pread(fd, buffer, 4, 0),
                4); /* it was read since it was written: as relatime has it */
    CHECK_EQUAL(moved(&status, "dir/file"), 0);
    CHECK_EQUAL(ftruncate(fd, 2), 0);
    CHECK_EQUAL(moved(&status, "dir/file"), 6);
    close(fd);
    status = status_and_wait("dir/file");
    CHECK_EQUAL(chmod("dir/file", 0600), 0);
    CHECK_EQUAL(moved(&status, "dir/file"), 4);
    status = status_and_wait("dir/file");
    struct stat directory = file_status("dir");
    CHECK_EQUAL(link("dir/file", "dir/other"), 0);
    CHECK_EQUAL(moved(&status, "dir/file"), 4);
    CHECK_EQUAL(moved(&directory, "dir"), 6);
    directory = status_and_wait("dir");
    status = file_status("dir/file");
    CHECK_EQUAL(unlink("dir/other"), 0);
    CHECK_EQUAL(moved(&status, "dir/file"), 4);
    CHECK_EQUAL(moved(&directory, "dir"), 6);
    directory = status_and_wait("dir");
    CHECK_EQUAL(rename("dir/file", "dir/new"), 0);
    CHECK_EQUAL(moved(&directory, "dir"), 6);
    unlink("dir/new");
    rmdir("dir");
}

static void test_setting(void)
{
    struct timespec times[2] = {{1000, 5}, {2000, 999999999}};
    file_make("file", "x");
    CHECK_EQUAL(utimensat(AT_FDCWD, "file", times, 0), 0);
    struct stat status = file_status("file");
    CHECK(status.st_atim.tv_sec == 1000 && status.st_atim.tv_nsec == 5);
    CHECK(status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 999999999);
    times[0].tv_nsec = UTIME_OMIT;
    times[1] = (struct timespec){3000, 7};
    CHECK_EQUAL(utimensat(AT_FDCWD, "file", times, 0), 0);
    status = file_status("file");
    CHECK(status.st_atim.tv_sec == 1000 && status.st_mtim.tv_sec == 3000);
    times[1].tv_nsec = UTIME_NOW;
    CHECK_EQUAL(utimensat(AT_FDCWD, "file", times, 0), 0);
    status = file_status("file");
    CHECK(status.st_atim.tv_sec == 1000 && status.st_mtim.tv_sec > 1000000);
    times[0].tv_nsec = 1000000000;
    CHECK_ERROR(utimensat(AT_FDCWD, "file", times, 0), EINVAL);
    times[0].tv_nsec = -1;
    CHECK_ERROR(utimensat(AT_FDCWD, "file", times, 0), EINVAL);
    CHECK_ERROR(utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
    CHECK_ERROR(utimensat(AT_FDCWD, "file", NULL, 1), EINVAL);
    CHECK_ERROR(syscall(SYS_utimensat, AT_FDCWD, "file", 16, 0), EFAULT);
    times[0].tv_nsec = times[1].tv_nsec = UTIME_OMIT;
    CHECK_EQUAL(utimensat(AT_FDCWD, "none", times, 0), 0); /* nothing is to be done */
    int fd = open("file", O_RDONLY);
    times[0] = times[1] = (struct timespec){4000, 0};
    CHECK_EQUAL(futimens(fd, times), 0);
    CHECK_EQUAL(file_status("file").st_mtim.tv_sec, 4000);
    CHECK_ERROR(syscall(SYS_utimensat, 77, NULL, times, 0), EBADF);
    close(fd);
    struct timeval old[2] = {{5000, 1}, {6000, 2}};
    CHECK_EQUAL(utimes("file", old), 0);
    CHECK_EQUAL(file_status("file").st_atim.tv_nsec, 1000);
    CHECK_EQUAL(file_status("file").st_mtim.tv_sec, 6000);
    old[0].tv_usec = 1000000;
    CHECK_ERROR(syscall(SYS_utimes, "file", old), EINVAL);
    struct utimbuf oldest = {7000, 8000};
    CHECK_EQUAL(utime("file", &oldest), 0);
    CHECK_EQUAL(file_status("file").st_atim.tv_sec, 7000);
    CHECK_EQUAL(file_status("file").st_mtim.tv_sec, 8000);
    CHECK_EQUAL(symlink("file", "link"), 0);
    times[0] = times[1] = (struct timespec){9000, 0};
    CHECK_EQUAL(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW), 0);
    CHECK_EQUAL(file_status("link").st_mtim.tv_sec, 9000);
    CHECK_EQUAL(file_status("file").st_mtim.tv_sec, 8000);
    unlink("link");
    unlink("file");
}

static void test_rights(void)
{
    file_make("file", "x");
    CHECK_EQUAL(chmod("file", 07777), 0);
    CHECK_EQUAL(file_status("file").st_mode, S_IFREG | 07777);
    CHECK_EQUAL(chown("file", 1, 2), 0);
    CHECK(file_status("file").st_uid == 1 && file_status("file").st_gid == 2);
    CHECK_EQUAL(file_status("file").st_mode, S_IFREG | 01777);
    CHECK_EQUAL(chown("file", (uid_t)-1, 3), 0);
    CHECK(file_status("file").st_uid == 1 && file_status("file").st_gid == 3);
    CHECK_EQUAL(chmod("file", 02644), 0);
    CHECK_EQUAL(chown("file", 0, 0), 0);
    CHECK_EQUAL(file_status("file").st_mode, S_IFREG | 02644);
    int fd = open("file", O_RDONLY);
    CHECK_EQUAL(fchmod(fd, 0400), 0);
    CHECK_EQUAL(fchown(fd, 70000, 70001), 0);
    CHECK(file_status("file").st_uid == 70000 && file_status("file").st_gid == 70001);
    CHECK_EQUAL(fchown(fd, 0, 0), 0);
    close(fd);
    fd = open("file", O_PATH);
    CHECK_ERROR(fchmod(fd, 0400), EBADF);
    CHECK_ERROR(fchown(fd, 0, 0), EBADF);
    close(fd);
    CHECK_EQUAL(symlink("file", "link"), 0);
    CHECK_EQUAL(lchown("link", 5, 6), 0);
    CHECK(file_status("link").st_uid == 5 && file_status("file").st_uid == 0);
    CHECK_EQUAL(chmod("link", 0644), 0);
    CHECK_EQUAL(file_status("file").st_mode, S_IFREG | 0644);
    CHECK_EQUAL(fchmodat(AT_FDCWD, "file", 0755, 0), 0);
    CHECK_EQUAL(fchownat(AT_FDCWD, "link", 7, 8, AT_SYMLINK_NOFOLLOW), 0);
    CHECK_EQUAL(file_status("link").st_gid, 8);
    CHECK_ERROR(fchownat(AT_FDCWD, "file", 7, 8, 1), EINVAL);
    CHECK_ERROR(chmod("none", 0600), ENOENT);
    CHECK_ERROR(chown("none", 0, 0), ENOENT);
    CHECK_ERROR(fchmod(77, 0600), EBADF);
    CHECK_ERROR(chmod("file/x", 0600), ENOTDIR);

    CHECK_EQUAL(access("file", R_OK | W_OK | X_OK), 0);
    CHECK_EQUAL(chmod("file", 0644), 0);
    CHECK_ERROR(access("file", X_OK), EACCES);
    CHECK_EQUAL(access("file", W_OK), 0);
    CHECK_EQUAL(access(".", W_OK | X_OK), 0);
    CHECK_EQUAL(symlink("none", "dangling"), 0);
    CHECK_ERROR(access("dangling", F_OK), ENOENT);
    CHECK_EQUAL(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW), 0);
    unlink("dangling");
    unlink("link");
    unlink("file");
}

static void test_statx(void)
{
    struct statx status;
    file_make("file", "twelve bytes");
    CHECK_EQUAL(statx(AT_FDCWD, "file", 0, STATX_ALL, &status), 0);
    CHECK(status.stx_size == 12 && status.stx_nlink == 1 && status.stx_blocks == 8);
    CHECK_EQUAL(status.stx_mtime.tv_sec, file_status("file").st_mtim.tv_sec);
    CHECK_EQUAL(status.stx_mtime.tv_nsec, file_status("file").st_mtim.tv_nsec);
    CHECK((status.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    CHECK((status.stx_mask & STATX_BTIME) != 0 && status.stx_btime.tv_sec > 0);
    unlink("file");
}

int main(void)
{
    file_place_enter("times");
    test_what_moves();
    test_setting();
    test_rights();
    test_statx();
    file_place_leave();
    return check_end();
}

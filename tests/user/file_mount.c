/* SPDX-License-Identifier: MIT */
/*
 * Mounting: what a tmpfs of one's own can hold, what covers what, who keeps it from being unmounted,
 * read-only. Where nothing may be mounted, nothing is checked.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "file_place.h"

enum { PAGE = 4096 };

static char buffer[20 * PAGE];

static void test_covering(void)
{
    struct statfs room;
    char path[200];
    file_make("m/below", "hidden");
    CHECK_EQUAL(mount("none", "m", "tmpfs", 0, "size=64k,nr_inodes=6,mode=700"), 0);
    CHECK(!file_is_there("m/below"));
    CHECK_EQUAL(file_status("m").st_mode, S_IFDIR | 0700);
    CHECK(file_status("m").st_dev != file_status(".").st_dev);
    CHECK_EQUAL(file_status("m/..").st_ino, file_status(".").st_ino);
    CHECK(statfs("m", &room) == 0 && room.f_type == 0x01021994 && room.f_bsize == PAGE);
    CHECK(room.f_blocks == 16 && room.f_bfree == 16 && room.f_files == 6 && room.f_ffree == 5);
    CHECK_EQUAL(chdir("m"), 0);
    CHECK(getcwd(path, sizeof(path)) != NULL && strcmp(path + strlen(path) - 2, "/m") == 0);
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_ERROR(rename("m", "n"), EBUSY);
    CHECK_ERROR(rmdir("m"), EBUSY);
    file_make("m/file", "x");
    CHECK_ERROR(link("m/file", "file"), EXDEV);
    CHECK_ERROR(rename("m/file", "file"), EXDEV);
    CHECK_EQUAL(unlink("m/file"), 0);
}

static void test_full(void)
{
    struct statfs room;
    int fd = open("m/full", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(write(fd, buffer, sizeof(buffer)), 16 * PAGE);
    CHECK_ERROR(write(fd, buffer, 1), ENOSPC);
    CHECK_EQUAL(pwrite(fd, buffer, 5, 100), 5);
    CHECK(statfs("m", &room) == 0 && room.f_bfree == 0);
    CHECK_EQUAL(ftruncate(fd, 20 * PAGE), 0);
    CHECK_ERROR(pwrite(fd, buffer, 1, 18 * PAGE), ENOSPC);
    CHECK_ERROR(fallocate(fd, 0, 16 * PAGE, PAGE), ENOSPC);
    CHECK_EQUAL(file_status("m/full").st_size, 20 * PAGE);
    CHECK_EQUAL(ftruncate(fd, 15 * PAGE), 0);
    CHECK(statfs("m", &room) == 0 && room.f_bfree == 1);
    CHECK_EQUAL(pwrite(fd, buffer, 1, 15 * PAGE), 1);
    CHECK_EQUAL(unlink("m/full"), 0);
    CHECK(statfs("m", &room) == 0 && room.f_bfree == 0);
    close(fd);
    CHECK(statfs("m", &room) == 0 && room.f_bfree == 16);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m/%d", i);
        CHECK_EQUAL(mknod(name, S_IFREG | 0600, 0), 0);
    }
    CHECK_ERROR(open("m/more", O_RDWR | O_CREAT, 0600), ENOSPC);
    CHECK_ERROR(mkdir("m/more", 0700), ENOSPC);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof(name), "m/%d", i);
        unlink(name);
    }
}

static void test_busy(void)
{
    int fd = open("m/open", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(write(fd, "x", 1), 1);
    CHECK_ERROR(umount("m"), EBUSY);
    char *memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    CHECK_ERROR(umount("m"), EBUSY);
    munmap(memory, PAGE);
    CHECK_EQUAL(chdir("m"), 0);
    CHECK_ERROR(umount("../m"), EBUSY);
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_EQUAL(mkdir("m/inner", 0700), 0);
    CHECK_EQUAL(mount("none", "m/inner", "tmpfs", 0, NULL), 0);
    CHECK_ERROR(umount("m"), EBUSY);
    CHECK_EQUAL(umount("m/inner"), 0);
    CHECK_EQUAL(umount2("m", 0), 0);
    CHECK(file_is_there("m/below"));
}

static void test_read_only(void)
{
    CHECK_EQUAL(mount("none", "m", "tmpfs", 0, NULL), 0);
    file_make("m/file", "x");
    CHECK_EQUAL(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    CHECK_ERROR(open("m/file", O_RDWR), EROFS);
    CHECK_ERROR(open("m/new", O_RDWR | O_CREAT, 0600), EROFS);
    CHECK_ERROR(mkdir("m/new", 0700), EROFS);
    CHECK_ERROR(unlink("m/file"), EROFS);
    CHECK_ERROR(rename("m/file", "m/new"), EROFS);
    CHECK_ERROR(link("m/file", "m/new"), EROFS);
    CHECK_ERROR(symlink("x", "m/new"), EROFS);
    CHECK_ERROR(chmod("m/file", 0600), EROFS);
    CHECK_ERROR(truncate("m/file", 0), EROFS);
    CHECK_ERROR(access("m/file", W_OK), EROFS);
    CHECK(file_holds("m/file", "x"));
    CHECK_EQUAL(mount("none", "m", NULL, MS_REMOUNT, NULL), 0);
    CHECK_EQUAL(unlink("m/file"), 0);
    CHECK_EQUAL(umount("m"), 0);
}

static void test_errors(void)
{
    CHECK_ERROR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
    CHECK_ERROR(mount("none", "none", "tmpfs", 0, NULL), ENOENT);
    CHECK_ERROR(mount("none", "m", "ext2", 0, NULL), ENOENT);
    CHECK_ERROR(mount("/dev/null", "m", "ext2", 0, NULL), ENOTBLK);
    CHECK_ERROR(mount("m", "m", "ext2", 0, NULL), ENOTBLK);
    CHECK_ERROR(mount("m/below/x", "m", "ext2", 0, NULL), ENOTDIR);
    CHECK_ERROR(syscall(SYS_mount, 16, "m", "ext2", 0, NULL), EFAULT);
    CHECK_ERROR(mount("none", "m/below", "tmpfs", 0, NULL), ENOTDIR);
    CHECK_ERROR(mount("none", "m", "tmpfs", 0, "nonsense=1"), EINVAL);
    CHECK_ERROR(syscall(SYS_mount, "none", "m", 16, 0, NULL), EFAULT);
    CHECK_ERROR(umount("m"), EINVAL);
    CHECK_ERROR(umount("none"), ENOENT);
    CHECK_ERROR(umount2("m", 0x100), EINVAL);
}

int main(void)
{
    file_place_enter("mount");
    mkdir("m", 0755);
    if (mount("none", "m", "tmpfs", 0, NULL) != 0)
        check_skip("nothing may be mounted here");
    CHECK_EQUAL(umount("m"), 0);
    test_covering();
    test_full();
    test_busy();
    test_read_only();
    test_errors();
    unlink("m/below");
    rmdir("m");
    file_place_leave();
    return check_end();
}

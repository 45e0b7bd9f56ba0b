/* SPDX-License-Identifier: MIT */
/*
 * Disks as files: /dev/hda is what this machine was started from, and has one partition. As root of an ext2,
 * what was written to a file is read from the disk itself.
 *
 * run: on=droste
 * run: ext2=1024
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "check.h"

enum { SECTOR = 512, FIRST_SECTOR = 2048, PAGE = 4096 };

static unsigned char bytes[PAGE + SECTOR], other[PAGE + SECTOR];

static void test_names(void)
{
    struct stat status;
    CHECK(stat("/dev/hda", &status) == 0 && status.st_mode == (S_IFBLK | 0660));
    CHECK(major(status.st_rdev) == 3 && minor(status.st_rdev) == 0);
    CHECK(stat("/dev/hda1", &status) == 0 && S_ISBLK(status.st_mode));
    CHECK(major(status.st_rdev) == 3 && minor(status.st_rdev) == 1);
    CHECK_EQUAL(status.st_size, 0);
    CHECK_ERROR(stat("/dev/hdd7", &status), ENOENT);
    DIR *directory = opendir("/dev");
    int found = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        found += entry->d_type == DT_BLK && strncmp(entry->d_name, "hda", 3) == 0;
    closedir(directory);
    CHECK_EQUAL(found, 2);
}

static void test_refused(void)
{
    CHECK_ERROR(open("/dev/hda", O_RDWR), EROFS);
    CHECK_ERROR(open("/dev/hda", O_WRONLY), EROFS);
    CHECK_ERROR(open("/dev/hda1", O_WRONLY | O_CREAT | O_TRUNC, 0600), EROFS);
    CHECK_ERROR(open("/dev/hda", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_EQUAL(mknod("/tmp/none", S_IFBLK | 0600, makedev(3, 60)), 0);
    CHECK_ERROR(open("/tmp/none", O_RDONLY), ENXIO);
    CHECK_ERROR(truncate("/dev/hda", 0), EINVAL);
    int fd = open("/dev/hda", O_RDONLY);
    CHECK_ERROR(write(fd, "x", 1), EBADF);
    CHECK_ERROR(ftruncate(fd, 0), EINVAL);
    CHECK_ERROR(read(fd, (void *)16, 1), EFAULT);
    CHECK_ERROR(ioctl(fd, BLKGETSIZE64, 16), EFAULT);
    CHECK_ERROR(ioctl(fd, 0x1234, bytes), ENOTTY);
    CHECK_EQUAL(fsync(fd), 0);
    close(fd);
}

static void test_sizes(void)
{
    int fd = open("/dev/hda", O_RDONLY), partition = open("/dev/hda1", O_RDONLY), value = 0;
    uint64_t size = 0, part_size = 0;
    unsigned long sectors = 0;
    CHECK(fd >= 0 && partition >= 0);
    CHECK_EQUAL(ioctl(fd, BLKGETSIZE64, &size), 0);
    CHECK_EQUAL(ioctl(partition, BLKGETSIZE64, &part_size), 0);
    CHECK_EQUAL(ioctl(fd, BLKGETSIZE, &sectors), 0);
    CHECK(size > 0 && size == (uint64_t)sectors * SECTOR);
    CHECK_EQUAL(size - part_size, FIRST_SECTOR * SECTOR);
    CHECK(ioctl(fd, BLKSSZGET, &value) == 0 && value == SECTOR);
    CHECK(ioctl(fd, BLKROGET, &value) == 0 && value == 1);
    CHECK(lseek(fd, 0, SEEK_END) == (off_t)size);
    CHECK_EQUAL(read(fd, bytes, SECTOR), 0);
    CHECK_EQUAL(pread(fd, bytes, PAGE, (off_t)size - 100), 100);
    CHECK(lseek(fd, 10, SEEK_END) == (off_t)size + 10);
    CHECK_EQUAL(read(fd, bytes, SECTOR), 0);
    CHECK_ERROR(lseek(fd, -1, SEEK_SET), EINVAL);
    close(fd);
    close(partition);
}

static void test_contents(void)
{
    int fd = open("/dev/hda", O_RDONLY), partition = open("/dev/hda1", O_RDONLY);
    CHECK_EQUAL(read(fd, bytes, SECTOR), SECTOR);
    CHECK_THAT("the first sector ends with the mark of a boot sector",
               bytes[510] == 0x55 && bytes[511] == 0xAA);
    CHECK_EQUAL(bytes[446 + 8] | bytes[446 + 9] << 8, FIRST_SECTOR);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), SECTOR);
    CHECK_EQUAL(pread(fd, bytes, sizeof(bytes), FIRST_SECTOR * SECTOR + 7), sizeof(bytes));
    CHECK_EQUAL(pread(partition, other, sizeof(other), 7), sizeof(other));
    CHECK(memcmp(bytes, other, sizeof(bytes)) == 0);

    unsigned char *map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, partition, 0);
    CHECK(map != MAP_FAILED && memcmp(map + 7, other, sizeof(other)) == 0);
    CHECK_EQUAL(ioctl(partition, BLKFLSBUF, 0), 0);
    CHECK(memcmp(map + 7, other, sizeof(other)) == 0);
    CHECK_EQUAL(pread(partition, bytes, sizeof(bytes), 7), sizeof(bytes));
    CHECK(memcmp(bytes, other, sizeof(bytes)) == 0);
    CHECK_ERROR(mprotect(map, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK_ERROR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, partition, 0), EACCES);
    munmap(map, 2 * PAGE);
    map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, partition, 0);
    CHECK(map != MAP_FAILED);
    map[7] ^= 0xFF;
    CHECK(pread(partition, bytes, 1, 7) == 1 && bytes[0] == other[0]);
    munmap(map, PAGE);

    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    CHECK(poll(&poll_fd, 1, 0) == 1 && poll_fd.revents == POLLIN);
    close(fd);
    close(partition);
}

/* A block of the disk that begins with TEXT: its place; -1: there is none. */
static off_t find_on_disk(int disk, const char *text)
{
    for (off_t at = 0; pread(disk, bytes, 1024, at) == 1024; at += 1024)
        if (memcmp(bytes, text, strlen(text)) == 0)
            return at;
    return -1;
}

static void test_written(void)
{
    struct statfs system;
    if (statfs("/", &system) != 0 || system.f_type != 0xEF53)
        return;
    int disk = open("/dev/hdb", O_RDONLY), fd = open("/tmp/file", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(find_on_disk(disk, "version 1 of this"), -1);
    CHECK_EQUAL(write(fd, "version 1 of this file", 22), 22);
    CHECK_EQUAL(fsync(fd), 0);
    off_t place = find_on_disk(disk, "version 1 of this");
    CHECK(place > 0);
    for (char version = '2'; version < '9'; version++) {
        CHECK_EQUAL(pwrite(fd, &version, 1, 8), 1);
        CHECK_EQUAL(fsync(fd), 0);
        CHECK(pread(disk, bytes, 22, place) == 22 && bytes[8] == version);
    }
    close(fd);
    close(disk);
    unlink("/tmp/file");
}

int main(void)
{
    test_names();
    test_refused();
    test_sizes();
    test_contents();
    test_written();
    return check_end();
}

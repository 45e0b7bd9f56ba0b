/* SPDX-License-Identifier: MIT */
/*
 * User test. What programs find in the tree of names at boot, on whatever its root is: devices, /proc, and a place
 * for shared memory that has a name.
 *
 * run: ext2=1024
 */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { TYPE_TMPFS = 0x01021994, TYPE_PROC = 0x9FA0 };

static void test_mounts(void)
{
    struct statfs room;
    struct stat status;
    CHECK(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    CHECK(statfs("/proc", &room) == 0 && room.f_type == TYPE_PROC);
    CHECK(statfs("/dev/shm", &room) == 0 && room.f_type == TYPE_TMPFS);
    CHECK(stat("/dev/shm", &status) == 0 && status.st_mode == (S_IFDIR | S_ISVTX | 0777));
    CHECK(stat("/tmp", &status) == 0 && S_ISDIR(status.st_mode));
}

static void test_shared_memory(void)
{
    static const char name[] = "/droste-file-tree";
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
    char *here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *there = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(here != MAP_FAILED && there != MAP_FAILED);
    if (here != MAP_FAILED && there != MAP_FAILED) {
        here[7] = 'x';
        CHECK_EQUAL(there[7], 'x');
    }
    CHECK(close(fd) == 0 && shm_unlink(name) == 0);
}

int main(void)
{
    test_mounts();
    test_shared_memory();
    return check_end();
}

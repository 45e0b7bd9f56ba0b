/* SPDX-License-Identifier: MIT */
/*
 * What has to be on the disk before a call ends: fsync, fdatasync, msync and sync come to an end while another
 * program writes to the same file without a pause; and what msync refuses.
 *
 * run: ext2=1024
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "file_place.h"

enum { PAGE = 4096, PAGES = 64 };

/* Writes all over the file, and behind its end, until it is killed. */
static pid_t hot_writer(const char *name)
{
    static char bytes[PAGE];
    pid_t child = fork();
    if (child != 0)
        return child;
    int fd = open(name, O_RDWR);
    char *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (unsigned i = 0;; i++) {
        memset(bytes, (int)i, sizeof(bytes));
        if (pwrite(fd, bytes, sizeof(bytes), (off_t)(i * 7 % (4 * PAGES)) * PAGE) < 0 ||
            map == MAP_FAILED)
            _exit(1);
        map[i * 13 % PAGES * PAGE] = (char)i;
    }
}

static void test_beside_a_writer(void)
{
    int fd = open("hot", O_RDWR | O_CREAT, 0600), status;
    CHECK_EQUAL(ftruncate(fd, PAGES * PAGE), 0);
    char *map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    pid_t child = hot_writer("hot");
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(fsync(fd), 0);
        CHECK_EQUAL(fdatasync(fd), 0);
        CHECK_EQUAL(msync(map, PAGES * PAGE, MS_SYNC), 0);
        CHECK_EQUAL(syncfs(fd), 0);
        sync();
    }
    int synchronous = open("hot", O_WRONLY | O_SYNC);
    CHECK_EQUAL(pwrite(synchronous, "all", 3, 0), 3);
    CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(munmap(map, PAGES * PAGE), 0);
    close(synchronous);
    close(fd);
    unlink("hot");
}

/* Who makes and removes names in a directory does not hold up who flushes it, or all. */
static void test_beside_names(void)
{
    CHECK_EQUAL(mkdir("names", 0700), 0);
    int fd = open("names", O_RDONLY), status;
    pid_t child = fork();
    if (child == 0)
        for (unsigned i = 0;; i++) {
            char name[32];
            snprintf(name, sizeof(name), "names/%u", i % 50);
            if (unlink(name) != 0 && (mknod(name, S_IFREG | 0600, 0) != 0))
                _exit(1);
        }
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQUAL(fsync(fd), 0);
        CHECK_EQUAL(syncfs(fd), 0);
    }
    CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
    CHECK_EQUAL(kill(child, SIGKILL), 0);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    for (unsigned i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof(name), "names/%u", i);
        unlink(name);
    }
    close(fd);
    CHECK_EQUAL(rmdir("names"), 0);
}

static void test_msync(void)
{
    char text[8] = "";
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(ftruncate(fd, 4 * PAGE), 0);
    char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(map, "one");
    strcpy(map + 3 * PAGE, "four");
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_SYNC), 0);
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_ASYNC), 0);
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_INVALIDATE), 0);
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_SYNC | MS_INVALIDATE), 0);
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_ASYNC | MS_INVALIDATE), 0);
    CHECK_EQUAL(msync(map, 4 * PAGE, 0), 0);
    CHECK_EQUAL(msync(map, 0, MS_SYNC), 0);
    CHECK_EQUAL(msync(map, 1, MS_SYNC), 0);
    CHECK_ERROR(msync(map, 4 * PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERROR(msync(map, 4 * PAGE, 8), EINVAL);
    CHECK_ERROR(msync(map + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_ERROR(msync(map, (size_t)-PAGE, MS_SYNC), ENOMEM);
    CHECK(pread(fd, text, 5, 3 * PAGE) == 5 && strcmp(text, "four") == 0);
    CHECK_EQUAL(close(fd), 0);
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_SYNC), 0); /* the mapping is enough */
    /* A hole: what is mapped is written all the same. */
    CHECK_EQUAL(munmap(map + PAGE, PAGE), 0);
    CHECK_ERROR(msync(map, 4 * PAGE, MS_SYNC), ENOMEM);
    CHECK_ERROR(msync(map, 4 * PAGE, MS_ASYNC), ENOMEM);
    CHECK_ERROR(msync(map + PAGE, PAGE, MS_SYNC), ENOMEM);
    CHECK_EQUAL(msync(map + 2 * PAGE, 2 * PAGE, MS_SYNC), 0);
    CHECK_EQUAL(mlock(map + 2 * PAGE, PAGE), 0);
    CHECK_ERROR(msync(map + 2 * PAGE, PAGE, MS_SYNC | MS_INVALIDATE), EBUSY);
    CHECK_ERROR(msync(map, 4 * PAGE, MS_INVALIDATE), EBUSY);
    CHECK_EQUAL(msync(map + 2 * PAGE, PAGE, MS_SYNC), 0);
    CHECK_EQUAL(munmap(map, 4 * PAGE), 0);
    /* Private and read-only ones: there is nothing to write. */
    fd = open("file", O_RDONLY);
    map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    map[0] = 'O';
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_SYNC), 0);
    CHECK(pread(fd, text, 4, 0) == 4 && strcmp(text, "one") == 0);
    CHECK_EQUAL(munmap(map, 4 * PAGE), 0);
    map = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK_EQUAL(msync(map, 4 * PAGE, MS_SYNC), 0);
    CHECK_EQUAL(munmap(map, 4 * PAGE), 0);
    close(fd);
    unlink("file");
}

int main(void)
{
    file_place_enter("flush");
    test_msync();
    test_beside_a_writer();
    test_beside_names();
    file_place_leave();
    return check_end();
}

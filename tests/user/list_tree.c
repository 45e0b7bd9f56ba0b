/* SPDX-License-Identifier: MIT */
/*
 * No test by itself: says of a tree of files what an archive carries, a line for each name, in the order
 * of names. What is said of a directory on Linux is compared with what came out of the archive
 * (tests/lib/initramfs.sh). /dev, /proc and /tmp of the tree are left out: Droste has its own.
 *
 * run: on=never
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS        64 /* archives know times up to 2106 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char root[4096];

/* Of the contents: FNV-1a. */
static uint32_t sum_of(const char *path)
{
    static unsigned char bytes[4096];
    uint32_t sum = 0x811C9DC5;
    int fd = open(path, O_RDONLY);
    for (ssize_t count; fd >= 0 && (count = read(fd, bytes, sizeof(bytes))) > 0;)
        for (ssize_t i = 0; i < count; i++)
            sum = (sum ^ bytes[i]) * 0x01000193;
    close(fd);
    return sum;
}

static void show(const char *path)
{
    char target[4096] = "";
    struct stat status;
    if (lstat(path, &status) != 0) {
        printf("not there: %s\n", path);
        return;
    }
    uint32_t type = status.st_mode & S_IFMT;
    printf("/%s %o %u %u:%u %lld", path, status.st_mode, (unsigned)status.st_nlink,
           (unsigned)status.st_uid, (unsigned)status.st_gid, (long long)status.st_mtime);
    if (type == S_IFREG)
        printf(" %lld %08x", (long long)status.st_size, sum_of(path));
    if (type == S_IFCHR || type == S_IFBLK)
        printf(" %u:%u", major(status.st_rdev), minor(status.st_rdev));
    if (type == S_IFLNK && readlink(path, target, sizeof(target) - 1) > 0)
        printf(" -> %s", target);
    printf("\n");
}

static int is_own(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void walk(const char *path)
{
    struct dirent **names;
    struct stat status;
    int count = scandir(path, &names, is_own, alphasort);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        int is_first = strcmp(path, ".") == 0;
        snprintf(inner, sizeof(inner), "%s%s%s", is_first ? "" : path, is_first ? "" : "/",
                 names[i]->d_name);
        free(names[i]);
        if (is_first &&
            (strcmp(inner, "dev") == 0 || strcmp(inner, "proc") == 0 || strcmp(inner, "tmp") == 0))
            continue;
        show(inner);
        if (lstat(inner, &status) == 0 && S_ISDIR(status.st_mode))
            walk(inner);
    }
}

int main(int count, char **arguments)
{
    snprintf(root, sizeof(root), "%s", count > 1 ? arguments[1] : "/");
    if (chdir(root) != 0)
        return 1;
    walk(".");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Directories: mkdir, rmdir, what they list while names come and go, the working directory in one
 * that moves or is removed.
 *
 * run: ext2=1024
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/syscall.h>

#include "file_place.h"

static char path[4200], buffer[8192];

static void test_make(void)
{
    CHECK_EQUAL(mkdir("a", 0777), 0);
    CHECK_EQUAL(file_status("a").st_mode, S_IFDIR | 0755);
    CHECK_EQUAL(file_status("a").st_nlink, 2);
    CHECK_ERROR(mkdir("a", 0777), EEXIST);
    CHECK_EQUAL(mkdir("a/b", 01777), 0);
    CHECK_EQUAL(file_status("a/b").st_mode, S_IFDIR | 01755);
    CHECK_EQUAL(file_status("a").st_nlink, 3);
    CHECK_EQUAL(mkdir("a/c/", 0700), 0);
    CHECK_EQUAL(file_status("a").st_nlink, 4);
    CHECK_ERROR(mkdir("a/.", 0700), EEXIST);
    CHECK_ERROR(mkdir("a/..", 0700), EEXIST);
    CHECK_ERROR(mkdir("/", 0700), EEXIST);
    CHECK_ERROR(mkdir("", 0700), ENOENT);
    CHECK_ERROR(mkdir("x/y", 0700), ENOENT);
    file_make("a/file", "x");
    CHECK_ERROR(mkdir("a/file", 0700), EEXIST);
    CHECK_ERROR(mkdir("a/file/", 0700), EEXIST);
    CHECK_ERROR(mkdir("a/file/x", 0700), ENOTDIR);
    CHECK_ERROR(syscall(SYS_mkdir, 16, 0700), EFAULT);
    CHECK_ERROR(mkdirat(77, "x", 0700), EBADF);
    int fd = open("a", O_RDONLY | O_DIRECTORY);
    CHECK_EQUAL(mkdirat(fd, "d", 0700), 0);
    CHECK(file_is_there("a/d"));
    close(fd);
}

static void test_remove(void)
{
    CHECK_ERROR(rmdir("a"), ENOTEMPTY);
    CHECK_ERROR(rmdir("a/file"), ENOTDIR);
    CHECK_ERROR(rmdir("a/none"), ENOENT);
    CHECK_ERROR(rmdir("a/b/."), EINVAL);
    CHECK_ERROR(rmdir("a/b/.."), ENOTEMPTY);
    CHECK_ERROR(rmdir("/"), EBUSY);
    CHECK_ERROR(rmdir(""), ENOENT);
    CHECK_ERROR(unlink("a/b"), EISDIR);
    CHECK_ERROR(unlink("a/b/"), EISDIR);
    CHECK_ERROR(unlink("a/file/"), ENOTDIR);
    CHECK_ERROR(unlink("a/none"), ENOENT);
    CHECK_ERROR(unlinkat(AT_FDCWD, "a/file", AT_REMOVEDIR), ENOTDIR);
    CHECK_ERROR(unlinkat(AT_FDCWD, "a/b", 0), EISDIR);
    CHECK_ERROR(unlinkat(AT_FDCWD, "a/b", 0x10), EINVAL);
    CHECK_EQUAL(rmdir("a/b/"), 0);
    CHECK_EQUAL(unlinkat(AT_FDCWD, "a/c", AT_REMOVEDIR), 0);
    CHECK_EQUAL(file_status("a").st_nlink, 3);
    CHECK_EQUAL(rmdir("a/d"), 0);
    CHECK_EQUAL(unlinkat(AT_FDCWD, "a/file", 0), 0);
    CHECK_EQUAL(file_status("a").st_nlink, 2);
    CHECK_EQUAL(rmdir("a"), 0);
    CHECK_ERROR(rmdir("a"), ENOENT);
}

/* How many entries DIRECTORY lists, and whether each was made here. */
static int list(const char *name, bool *all_known)
{
    DIR *directory = opendir(name);
    struct dirent *entry;
    int count = 0;
    *all_known = directory != NULL;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct stat status;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
        *all_known &= lstat(path, &status) == 0 && status.st_ino == entry->d_ino &&
                      (entry->d_type == DT_REG) == S_ISREG(status.st_mode);
        count++;
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

static void test_many(void)
{
    enum { NAMES = 500 };
    bool known, made = true;
    mkdir("many", 0755);
    for (int i = 0; i < NAMES; i++) {
        snprintf(path, sizeof(path), "many/name-%d", i);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        made &= fd >= 0;
        close(fd);
    }
    CHECK_THAT("five hundred names can be made", made);
    CHECK_EQUAL(list("many", &known), NAMES);
    CHECK_THAT("all of them are known", known);

    /* Each is removed as it is told: none is left out. */
    DIR *directory = opendir("many");
    struct dirent *entry;
    int removed = 0;
    while ((entry = readdir(directory)) != NULL)
        removed += entry->d_name[0] == 'n' && unlinkat(dirfd(directory), entry->d_name, 0) == 0;
    closedir(directory);
    CHECK_EQUAL(removed, NAMES);
    CHECK_EQUAL(list("many", &known), 0);
    CHECK_EQUAL(rmdir("many"), 0);
}

static void test_raw(void)
{
    mkdir("raw", 0755);
    file_make("raw/one", "");
    int fd = open("raw", O_RDONLY | O_DIRECTORY);
    CHECK_EQUAL(syscall(SYS_getdents64, fd, buffer, 24), 24);
    CHECK_EQUAL(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), 24 + 24);
    CHECK_EQUAL(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), 0);
    CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQUAL(syscall(SYS_getdents, fd, buffer, sizeof(buffer)), 3 * 16);
    CHECK_EQUAL(buffer[15], DT_DIR);
    CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    CHECK_ERROR(syscall(SYS_getdents64, fd, buffer, 10), EINVAL);
    CHECK_ERROR(syscall(SYS_getdents64, fd, 16, 1000), EFAULT);
    CHECK_ERROR(syscall(SYS_getdents64, 77, buffer, 1000), EBADF);
    unlink("raw/one");
    rmdir("raw");
    CHECK_ERROR(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), ENOENT);
    close(fd);
}

static bool cwd_ends(const char *text)
{
    char *cwd = getcwd(path, sizeof(path));
    size_t length = strlen(text);
    return cwd != NULL && strlen(cwd) >= length && strcmp(cwd + strlen(cwd) - length, text) == 0;
}

static void test_working_directory(void)
{
    mkdir("w", 0755);
    mkdir("w/x", 0755);
    mkdir("other", 0755);
    CHECK_EQUAL(chdir("w/x"), 0);
    CHECK(cwd_ends("/w/x"));
    CHECK_EQUAL(rename("../../w/x", "../../other/y"), 0);
    CHECK(cwd_ends("/other/y"));
    CHECK_EQUAL(chdir(".."), 0);
    CHECK(cwd_ends("/other"));
    CHECK_EQUAL(chdir("y"), 0);
    CHECK_EQUAL(rmdir("../y"), 0);
    CHECK_ERROR(syscall(SYS_getcwd, path, sizeof(path)), ENOENT);
    CHECK_ERROR(open("new", O_WRONLY | O_CREAT, 0600), ENOENT);
    CHECK_ERROR(mkdir("new", 0700), ENOENT);
    CHECK_ERROR(symlink("x", "new"), ENOENT);
    CHECK_ERROR(open("new", O_RDONLY), ENOENT);
    CHECK_EQUAL(file_status(".").st_nlink, 0);
    CHECK_EQUAL(chdir(".."), 0);
    CHECK(cwd_ends("/other"));
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_EQUAL(rmdir("other"), 0);
    CHECK_EQUAL(rmdir("w"), 0);
    CHECK_ERROR(chdir("w"), ENOENT);
    CHECK_ERROR(chdir(""), ENOENT);
    CHECK_ERROR(fchdir(77), EBADF);
}

/* A path that grows until it is too long to be told. */
static void test_deep(void)
{
    enum { DEPTH = 40, NAME = 200 };
    char name[NAME + 1];
    bool made = true;
    memset(name, 'd', NAME);
    name[NAME] = '\0';
    for (int i = 0; i < DEPTH; i++)
        made &= mkdir(name, 0755) == 0 && chdir(name) == 0;
    CHECK_THAT("forty long names in one another", made);
    CHECK_ERROR(syscall(SYS_getcwd, path, sizeof(path)), ENAMETOOLONG);
    for (int i = 0; i < DEPTH; i++)
        made &= chdir("..") == 0 && rmdir(name) == 0;
    CHECK_THAT("and out again", made);
}

int main(void)
{
    file_place_enter("directories");
    test_make();
    test_remove();
    test_many();
    test_raw();
    test_working_directory();
    test_deep();
    file_place_leave();
    return check_end();
}

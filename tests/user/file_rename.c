/* SPDX-License-Identifier: MIT */
/*
 * rename: files and directories, over what is there, and everything that it refuses.
 *
 * run: ext2=1024
 */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "file_place.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

static int rename_with(const char *from, const char *to, unsigned flags)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void test_files(void)
{
    file_make("a", "aaa");
    ino_t number = file_status("a").st_ino;
    CHECK_EQUAL(rename("a", "b"), 0);
    CHECK(!file_is_there("a") && file_holds("b", "aaa"));
    CHECK_EQUAL(file_status("b").st_ino, number);
    file_make("c", "ccc");
    int fd = open("c", O_RDONLY);
    char text[10];
    CHECK_EQUAL(rename("b", "c"), 0);
    CHECK(!file_is_there("b") && file_holds("c", "aaa"));
    CHECK(read(fd, text, 10) == 3 && memcmp(text, "ccc", 3) == 0);
    close(fd);
    CHECK_EQUAL(link("c", "d"), 0);
    CHECK_EQUAL(rename("c", "d"), 0); /* the same file: nothing happens */
    CHECK(file_is_there("c") && file_is_there("d"));
    CHECK_EQUAL(rename("c", "c"), 0);
    CHECK_ERROR(rename_with("c", "d", RENAME_NOREPLACE), EEXIST);
    CHECK_ERROR(rename_with("c", "e", 0x80), EINVAL);
    CHECK_EQUAL(rename_with("c", "e", RENAME_NOREPLACE), 0);
    CHECK_EQUAL(file_status("e").st_nlink, 2);
    unlink("d");
    unlink("e");
}

static void test_directories(void)
{
    mkdir("a", 0755);
    mkdir("a/inner", 0755);
    mkdir("b", 0755);
    CHECK_EQUAL(rename("a", "b/a"), 0);
    CHECK_EQUAL(file_status("b").st_nlink, 3);
    CHECK(file_is_there("b/a/inner"));
    CHECK_EQUAL(file_status("b/a/..").st_ino, file_status("b").st_ino);
    CHECK_EQUAL(rename("b/a/inner", "inner"), 0);
    CHECK_EQUAL(file_status("b/a").st_nlink, 2);
    CHECK_EQUAL(rename("inner", "b/a/"), 0); /* over an empty one */
    CHECK_EQUAL(file_status("b").st_nlink, 3);
    mkdir("c", 0755);
    CHECK_ERROR(rename("c", "b"), ENOTEMPTY);
    CHECK_ERROR(rename("b", "b/a/x"), EINVAL);
    CHECK_ERROR(rename("b", "b/x"), EINVAL);
    CHECK_ERROR(rename("b/a", "b"), ENOTEMPTY);
    rmdir("c");
    rmdir("b/a");
    rmdir("b");
}

static void test_errors(void)
{
    file_make("file", "x");
    mkdir("dir", 0755);
    CHECK_ERROR(rename("none", "x"), ENOENT);
    CHECK_ERROR(rename("file", "none/x"), ENOENT);
    CHECK_ERROR(rename("file", "file/x"), ENOTDIR);
    CHECK_ERROR(rename("file", "dir"), EISDIR);
    CHECK_ERROR(rename("dir", "file"), ENOTDIR);
    CHECK_ERROR(rename("file", "x/"), ENOTDIR);
    CHECK_ERROR(rename("file/", "x"), ENOTDIR);
    CHECK_ERROR(rename(".", "x"), EBUSY);
    CHECK_ERROR(rename("dir", ".."), EBUSY);
    CHECK_ERROR(rename("dir/.", "x"), EBUSY);
    CHECK_ERROR(rename("", "x"), ENOENT);
    CHECK_ERROR(rename("file", ""), ENOENT);
    CHECK_ERROR(rename("file", "/dev/x"), EXDEV);
    CHECK_ERROR(rename("file", (char *)16), EFAULT);
    CHECK_ERROR(renameat(77, "file", AT_FDCWD, "x"), EBADF);
    CHECK(file_holds("file", "x") && file_is_there("dir"));
    CHECK_EQUAL(rename("dir", "new/"), 0);
    CHECK(file_is_there("new"));
    CHECK_EQUAL(symlink("new", "link"), 0);
    CHECK_EQUAL(rename("link", "moved"), 0); /* the link itself */
    CHECK(S_ISLNK(file_status("moved").st_mode));
    CHECK_EQUAL(rename("file", "moved"), 0);
    CHECK(file_holds("moved", "x") && file_is_there("new"));
    unlink("moved");
    rmdir("new");
}

int main(void)
{
    file_place_enter("rename");
    test_files();
    test_directories();
    test_errors();
    file_place_leave();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * renameat2() with RENAME_EXCHANGE, on a tmpfs: two names change places.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/syscall.h>

#include "file_place.h"

static int exchange(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
}

static void test_files(void)
{
    char target[16];
    file_make("a", "text of a");
    file_make("b", "text of b");
    CHECK_EQUAL(exchange("a", "b"), 0);
    CHECK(file_holds("a", "text of b") && file_holds("b", "text of a"));
    CHECK_EQUAL(exchange("a", "a"), 0);
    CHECK(file_holds("a", "text of b"));
    symlink("nowhere", "link");
    CHECK_EQUAL(exchange("link", "a"), 0);
    CHECK(readlink("a", target, sizeof(target)) == 7 && file_holds("link", "text of b"));
    unlink("a");
    unlink("b");
    unlink("link");
}

static void test_directories(void)
{
    char path[256];
    mkdir("one", 0755);
    mkdir("two", 0755);
    mkdir("one/inner", 0755);
    file_make("two/file", "text");
    CHECK_EQUAL(exchange("one/inner", "two/file"), 0);
    CHECK(file_holds("one/inner", "text"));
    CHECK_EQUAL(file_status("one").st_nlink, 2);
    CHECK_EQUAL(file_status("two").st_nlink, 3);
    CHECK_EQUAL(chdir("two/file"), 0);
    CHECK(getcwd(path, sizeof(path)) != NULL && strstr(path, "/two/file") != NULL);
    CHECK(file_status("..").st_ino == file_status("../../two").st_ino);
    CHECK_EQUAL(chdir("../.."), 0);
    CHECK_EQUAL(exchange("one", "two"), 0);
    CHECK(file_holds("two/inner", "text"));
    CHECK_EQUAL(file_status("one").st_nlink, 3);
    CHECK_ERROR(exchange("one", "one/file"), EINVAL);
    CHECK_ERROR(exchange("one/file", "one"), EINVAL);
    CHECK_EQUAL(exchange("one/", "two/"), 0);
    CHECK_EQUAL(exchange("one/inner", "two/file/"), 0);
    CHECK(file_holds("two/file", "text"));
    CHECK_ERROR(exchange("two/file/", "one/inner"), ENOTDIR);
    CHECK_ERROR(exchange("one/inner", "two/file/"), ENOTDIR);
    unlink("two/file");
    CHECK_EQUAL(rmdir("one/inner"), 0);
    CHECK_EQUAL(rmdir("one"), 0);
    CHECK_EQUAL(rmdir("two"), 0);
}

static void test_refused(void)
{
    file_make("a", "text");
    CHECK_ERROR(exchange("a", "none"), ENOENT);
    CHECK_ERROR(exchange("none", "a"), ENOENT);
    CHECK_ERROR(exchange("a", "."), EBUSY);
    CHECK_ERROR(exchange("a", "/dev/null"), EXDEV);
    CHECK_ERROR(renameat2(AT_FDCWD, "a", AT_FDCWD, "a", RENAME_EXCHANGE | RENAME_NOREPLACE),
                EINVAL);
    CHECK_ERROR(renameat2(AT_FDCWD, "a", AT_FDCWD, "a", 0x100), EINVAL);
    unlink("a");
}

int main(void)
{
    file_place_enter("exchange");
    test_files();
    test_directories();
    test_refused();
    file_place_leave();
    return check_end();
}

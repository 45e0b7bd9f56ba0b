/* SPDX-License-Identifier: MIT */
/*
 * Names and links: hard links, symbolic links and how far they are followed, files without a name.
 *
 * run: ext2=4096
 */
#define _GNU_SOURCE
#include <sys/syscall.h>

#include "file_place.h"

static char buffer[5000];

static void test_hard(void)
{
    file_make("a", "text");
    CHECK_EQUAL(link("a", "b"), 0);
    CHECK_EQUAL(file_status("a").st_nlink, 2);
    CHECK_EQUAL(file_status("a").st_ino, file_status("b").st_ino);
    CHECK_ERROR(link("a", "b"), EEXIST);
    CHECK_ERROR(link("none", "c"), ENOENT);
    CHECK_ERROR(link("a", "none/c"), ENOENT);
    CHECK_ERROR(link("a", "a/c"), ENOTDIR);
    CHECK_ERROR(link("a", "c/"), ENOENT);
    CHECK_ERROR(link(".", "c"), EPERM);
    CHECK_ERROR(link("a", "."), EEXIST);
    CHECK_ERROR(link("a", ""), ENOENT);
    CHECK_ERROR(link("", "c"), ENOENT);
    CHECK_ERROR(link("/dev/null", "c"), EXDEV);
    CHECK_ERROR(linkat(AT_FDCWD, "a", AT_FDCWD, "c", 0x10), EINVAL);
    CHECK_ERROR(syscall(SYS_link, "a", 16), EFAULT);
    file_make("b", "other");
    CHECK(file_holds("a", "other"));
    CHECK_EQUAL(unlink("a"), 0);
    CHECK_EQUAL(file_status("b").st_nlink, 1);
    CHECK(file_holds("b", "other"));
    unlink("b");
}

static void test_unlinked(void)
{
    struct stat status;
    file_make("open", "still here");
    int fd = open("open", O_RDWR);
    CHECK_EQUAL(unlink("open"), 0);
    CHECK(fstat(fd, &status) == 0 && status.st_nlink == 0 && status.st_size == 10);
    CHECK(pread(fd, buffer, 100, 0) == 10 && memcmp(buffer, "still here", 10) == 0);
    CHECK_EQUAL(pwrite(fd, "S", 1, 0), 1);
    CHECK_ERROR(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH), ENOENT);
    file_make("open", "another");
    CHECK(pread(fd, buffer, 100, 0) == 10 && memcmp(buffer, "Still here", 10) == 0);
    close(fd);
    unlink("open");
}

static void test_symbolic(void)
{
    file_make("target", "text");
    mkdir("dir", 0755);
    CHECK_EQUAL(symlink("target", "link"), 0);
    CHECK_EQUAL(file_status("link").st_mode, S_IFLNK | 0777);
    CHECK_EQUAL(file_status("link").st_size, 6);
    CHECK(file_holds("link", "text"));
    CHECK(readlink("link", buffer, 100) == 6 && memcmp(buffer, "target", 6) == 0);
    CHECK_EQUAL(readlink("link", buffer, 3), 3);
    CHECK_ERROR(readlink("target", buffer, 3), EINVAL);
    CHECK_ERROR(readlink("none", buffer, 3), ENOENT);
    CHECK_ERROR(symlink("x", "link"), EEXIST);
    CHECK_ERROR(symlink("", "empty"), ENOENT);
    CHECK_ERROR(symlink("x", "none/link"), ENOENT);
    CHECK_ERROR(symlink("x", "new/"), ENOENT);
    CHECK_ERROR(symlink("x", "."), EEXIST);
    CHECK_ERROR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERROR(open("link", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_ERROR(mkdir("link", 0600), EEXIST);
    CHECK_ERROR(rmdir("link"), ENOTDIR);
    CHECK_EQUAL(unlink("link"), 0);
    CHECK(file_holds("target", "text"));

    CHECK_EQUAL(symlink("dir", "link"), 0);
    file_make("link/inside", "in");
    CHECK(file_holds("dir/inside", "in"));
    CHECK(file_holds("link/../dir/./inside", "in"));
    CHECK_ERROR(open("link", O_RDONLY | O_DIRECTORY | O_NOFOLLOW), ENOTDIR);
    CHECK_ERROR(rmdir("link/"), ENOTDIR);
    CHECK_ERROR(unlink("link/"), ENOTDIR);
    CHECK_EQUAL(unlink("link/inside"), 0);
    unlink("link");

    CHECK_EQUAL(symlink("made", "link"), 0);
    CHECK_ERROR(open("link", O_RDONLY), ENOENT);
    int fd = open("link", O_RDWR | O_CREAT, 0600); /* where it leads */
    CHECK(fd >= 0);
    close(fd);
    CHECK(file_is_there("made"));
    CHECK_EQUAL(unlink("made"), 0);
    fd = open("link", O_PATH | O_NOFOLLOW);
    struct stat status;
    CHECK(fstat(fd, &status) == 0 && S_ISLNK(status.st_mode));
    close(fd);
    CHECK_EQUAL(link("link", "hard"), 0);
    CHECK_EQUAL(file_status("hard").st_mode, S_IFLNK | 0777);
    CHECK_ERROR(linkat(AT_FDCWD, "link", AT_FDCWD, "c", AT_SYMLINK_FOLLOW), ENOENT);
    unlink("hard");
    unlink("link");
    unlink("target");
    rmdir("dir");
}

static void test_loops(void)
{
    char name[16], next[16];
    CHECK_EQUAL(symlink("b", "a"), 0);
    CHECK_EQUAL(symlink("a", "b"), 0);
    CHECK_ERROR(open("a", O_RDONLY), ELOOP);
    CHECK_ERROR(chdir("a/x"), ELOOP);
    CHECK_ERROR(mkdir("a/x", 0700), ELOOP);
    unlink("a");
    unlink("b");
    file_make("end", "end");
    for (int i = 0; i < 41; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        snprintf(next, sizeof(next), "l%d", i + 1);
        symlink(i == 40 ? "end" : next, name);
    }
    CHECK(file_holds("l1", "end")); /* forty links */
    CHECK_ERROR(open("l0", O_RDONLY), ELOOP);
    CHECK_EQUAL(readlink("l0", buffer, 10), 2);
    for (int i = 0; i < 41; i++) {
        snprintf(name, sizeof(name), "l%d", i);
        unlink(name);
    }
    unlink("end");
    memset(buffer, 'x', 4096);
    buffer[4096] = '\0';
    CHECK_ERROR(symlink(buffer, "long"), ENAMETOOLONG);
    buffer[4095] = '\0';
    CHECK_EQUAL(symlink(buffer, "long"), 0);
    CHECK_EQUAL(file_status("long").st_size, 4095);
    CHECK_ERROR(open("long", O_RDONLY), ENAMETOOLONG);
    unlink("long");
}

static void test_nameless(void)
{
    struct stat status;
    char path[64];
    int fd = open(".", O_TMPFILE | O_RDWR, 0640);
    CHECK(fd >= 0);
    CHECK(fstat(fd, &status) == 0 && status.st_nlink == 0);
    CHECK_EQUAL(status.st_mode, S_IFREG | 0640);
    CHECK_EQUAL(write(fd, "nobody", 6), 6);
    CHECK_EQUAL(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH), 0);
    CHECK(file_holds("named", "nobody"));
    CHECK_EQUAL(file_status("named").st_nlink, 1);
    close(fd);
    unlink("named");
    CHECK_ERROR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
    CHECK_ERROR(open("none", O_TMPFILE | O_RDWR, 0600), ENOENT);
    file_make("file", "");
    CHECK_ERROR(open("file", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
    unlink("file");
    snprintf(path, sizeof(path), "%s", "."); /* one that ends with its descriptor */
    close(open(path, O_TMPFILE | O_RDWR, 0600));
}

int main(void)
{
    file_place_enter("links");
    test_hard();
    test_unlinked();
    test_symbolic();
    test_loops();
    test_nameless();
    file_place_leave();
    return check_end();
}

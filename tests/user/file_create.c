/* SPDX-License-Identifier: MIT */
/*
 * Files that are made: open with its flags, reading back, appending, modes; and its errors.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>

#include "file_place.h"

static char buffer[1 << 18];

static void test_make(void)
{
    int fd = open("new", O_RDWR | O_CREAT, 0666);
    CHECK(fd >= 0);
    CHECK_EQUAL(file_status("new").st_mode, S_IFREG | 0644);
    CHECK_EQUAL(file_status("new").st_size, 0);
    CHECK_EQUAL(file_status("new").st_nlink, 1);
    CHECK_EQUAL(write(fd, "hello", 5), 5);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 5);
    CHECK_EQUAL(file_status("new").st_size, 5);
    CHECK_EQUAL(read(fd, buffer, 10), 0);
    CHECK_EQUAL(lseek(fd, 1, SEEK_SET), 1);
    CHECK(read(fd, buffer, 10) == 4 && memcmp(buffer, "ello", 4) == 0);
    CHECK_EQUAL(pwrite(fd, "J", 1, 0), 1);
    CHECK(file_holds("new", "Jello"));
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 5);
    close(fd);
    fd = open("new", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(file_status("new").st_mode, S_IFREG | 0644);
    close(fd);
    CHECK_ERROR(open("new", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    fd = open("new", O_WRONLY | O_TRUNC);
    CHECK_EQUAL(file_status("new").st_size, 0);
    CHECK_ERROR(read(fd, buffer, 1), EBADF);
    close(fd);
    fd = open("new", O_RDONLY);
    CHECK_ERROR(write(fd, "x", 1), EBADF);
    close(fd);
    CHECK_EQUAL(unlink("new"), 0);
    CHECK(!file_is_there("new"));
}

static void test_modes(void)
{
    static const struct {
        unsigned mask, asked, got;
    } cases[] = {{022, 0777, 0755}, {077, 0666, 0600}, {0, 07777, 07777}, {0777, 0777, 0}};
    for (unsigned i = 0; i < 4; i++) {
        umask(cases[i].mask);
        int fd = open("moded", O_RDWR | O_CREAT | O_EXCL, cases[i].asked);
        CHECK(fd >= 0);
        CHECK_EQUAL(file_status("moded").st_mode, S_IFREG | cases[i].got);
        close(fd);
        unlink("moded");
    }
    umask(022);
    int fd = creat("moded", 0666);
    CHECK_EQUAL(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    close(fd);
    unlink("moded");
}

static void test_append(void)
{
    file_make("log", "one");
    int fd = open("log", O_RDWR | O_APPEND), other = open("log", O_RDWR);
    CHECK_EQUAL(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQUAL(write(fd, "two", 3), 3);
    CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_EQUAL(lseek(other, 0, SEEK_END), 6);
    CHECK_EQUAL(write(other, "three", 5), 5);
    CHECK_EQUAL(write(fd, "four", 4), 4);
    CHECK(file_holds("log", "onetwothreefour"));
    CHECK_EQUAL(pwrite(fd, "!", 1, 0), 1); /* Linux appends all the same */
    CHECK(file_holds("log", "onetwothreefour!"));
    CHECK_EQUAL(fcntl(fd, F_SETFL, 0), 0);
    CHECK_EQUAL(pwrite(fd, "O", 1, 0), 1);
    CHECK(file_holds("log", "Onetwothreefour!"));
    close(fd);
    close(other);
    unlink("log");
}

/* Many pages, in odd pieces, over what a call does at once. */
static void test_large(void)
{
    int fd = open("large", O_RDWR | O_CREAT, 0644);
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)(i * 7 + i / 4096);
    CHECK_EQUAL(write(fd, buffer + 1, sizeof(buffer) - 1), sizeof(buffer) - 1);
    CHECK_EQUAL(write(fd, buffer, sizeof(buffer)), sizeof(buffer));
    CHECK_EQUAL(file_status("large").st_size, 2 * sizeof(buffer) - 1);
    CHECK_EQUAL(file_status("large").st_blocks, 2 * sizeof(buffer) / 512);
    bool same = true;
    char part[5000];
    for (off_t at = 0; at < (off_t)sizeof(buffer) - 1; at += 5000) {
        ssize_t bytes = pread(fd, part, sizeof(part), at);
        for (ssize_t i = 0; i < bytes; i++) {
            off_t place = at + i + 1;
            same &= part[i] == buffer[place % (off_t)sizeof(buffer)];
        }
        same &= bytes == 5000;
    }
    CHECK_THAT("what was written is read", same);
    close(fd);
    unlink("large");
}

static void test_errors(void)
{
    file_make("file", "x");
    CHECK_EQUAL(mkdir("dir", 0755), 0);
    CHECK_ERROR(open("none", O_RDWR), ENOENT);
    CHECK_ERROR(open("none/file", O_RDWR | O_CREAT, 0600), ENOENT);
    CHECK_ERROR(open("file/x", O_RDWR | O_CREAT, 0600), ENOTDIR);
    CHECK_ERROR(open("dir", O_RDWR), EISDIR);
    CHECK_ERROR(open("dir", O_RDONLY | O_TRUNC), EISDIR);
    CHECK_ERROR(open("dir", O_RDONLY | O_CREAT, 0600), EISDIR);
    CHECK_ERROR(open("none/", O_RDWR | O_CREAT, 0600), EISDIR);
    CHECK_ERROR(open("file/", O_RDONLY), ENOTDIR);
    CHECK_ERROR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERROR(open(".", O_RDWR | O_CREAT, 0600), EISDIR);
    CHECK_ERROR(open("", O_RDWR | O_CREAT, 0600), ENOENT);
    CHECK_ERROR(syscall(SYS_open, 16, O_RDWR | O_CREAT, 0600), EFAULT);
    CHECK_ERROR(openat(77, "x", O_RDWR | O_CREAT, 0600), EBADF);
    int fd = open("file", O_RDONLY);
    CHECK_ERROR(openat(fd, "x", O_RDWR | O_CREAT, 0600), ENOTDIR);
    close(fd);
    static char name[300];
    memset(name, 'n', 256);
    CHECK_ERROR(open(name, O_RDWR | O_CREAT, 0600), ENAMETOOLONG);
    name[255] = '\0';
    fd = open(name, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQUAL(unlink(name), 0);
    CHECK_ERROR(syscall(SYS_write, open("file", O_WRONLY), 16, 10), EFAULT);
    CHECK_EQUAL(file_status("file").st_size, 1);
    for (int i = 3; i < 20; i++)
        close(i);
    unlink("file");
    rmdir("dir");
}

/* Without a free descriptor nothing is made. */
static void test_no_descriptor(void)
{
    struct rlimit limit, small;
    getrlimit(RLIMIT_NOFILE, &limit);
    small = (struct rlimit){3, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &small);
    CHECK_ERROR(open("unmade", O_RDWR | O_CREAT, 0600), EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(!file_is_there("unmade"));
}

static int exceed_file_size(void)
{
    struct rlimit limit = {10, 10};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int fd = open("limited", O_RDWR | O_CREAT, 0600);
    if (write(fd, "0123456789abc", 13) != 10)
        return 1;
    if (write(fd, "x", 1) != -1 || errno != EFBIG)
        return 2;
    if (ftruncate(fd, 11) != -1 || errno != EFBIG)
        return 3;
    signal(SIGXFSZ, SIG_DFL);
    write(fd, "x", 1);
    return 4;
}

static void test_half_a_write(void)
{
    char *pages = sbrk(0);
    pages = (char *)(((unsigned long)pages + 8191) & ~4095ul);
    brk(pages + 4096); /* the page at PAGES is there, the one behind it is not */
    memset(pages, 'p', 4096);
    int fd = open("half", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(syscall(SYS_write, fd, pages + 4000, 200), 96);
    CHECK_EQUAL(file_status("half").st_size, 96);
    CHECK_ERROR(syscall(SYS_write, fd, pages + 4096, 200), EFAULT);
    CHECK_EQUAL(file_status("half").st_size, 96);
    close(fd);
    unlink("half");
}

int main(void)
{
    for (int i = 3; i < 20; i++)
        close(i);
    file_place_enter("create");
    test_make();
    test_modes();
    test_append();
    test_large();
    test_errors();
    test_no_descriptor();
    CHECK_KILLED(exceed_file_size, SIGXFSZ);
    unlink("limited");
    test_half_a_write();
    file_place_leave();
    return check_end();
}

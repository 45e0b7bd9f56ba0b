/* SPDX-License-Identifier: MIT */
/*
 * Named pipes: opening waits for the other end, or does not; what is in it goes with the last end;
 * device nodes.
 *
 * run: ext2=2048
 */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <sys/sysmacros.h>

#include "file_place.h"

static int write_hello(void)
{
    int fd = open("fifo", O_WRONLY);
    return fd >= 0 && write(fd, "hello", 5) == 5 ? 42 : 1;
}

static int read_hello(void)
{
    char buffer[10];
    int fd = open("fifo", O_RDONLY);
    return fd >= 0 && read(fd, buffer, 10) == 5 && read(fd, buffer, 10) == 0 ? 42 : 1;
}

/* As a rule they wait then; if not, the same must come out. */
static void let_others_run(void)
{
    for (int i = 0; i < 1000; i++)
        sched_yield();
}

static void test_meeting(void)
{
    char buffer[10];
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(write_hello());
    int fd = open("fifo", O_RDONLY); /* this one waits, or the other did */
    CHECK(fd >= 0);
    CHECK_EQUAL(read(fd, buffer, 10), 5);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(WEXITSTATUS(status), 42);
    CHECK_EQUAL(read(fd, buffer, 10), 0);
    close(fd);

    child = fork();
    if (child == 0)
        _exit(read_hello());
    let_others_run();
    CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
    fd = open("fifo", O_WRONLY);
    CHECK_EQUAL(write(fd, "hello", 5), 5);
    close(fd); /* before the other one runs, perhaps */
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(WEXITSTATUS(status), 42);
}

static void test_not_waiting(void)
{
    char buffer[10];
    struct stat status;
    CHECK_ERROR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    CHECK_ERROR(open("fifo", O_ACCMODE), EINVAL); /* neither */
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0);
    CHECK_EQUAL(read(reader, buffer, 10), 0);
    int writer = open("fifo", O_WRONLY | O_NONBLOCK);
    CHECK(writer >= 0);
    CHECK_ERROR(read(reader, buffer, 10), EAGAIN);
    CHECK_EQUAL(write(writer, "abc", 3), 3);
    struct pollfd wanted = {.fd = reader, .events = POLLIN};
    CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == POLLIN);
    CHECK_EQUAL(read(reader, buffer, 10), 3);
    CHECK_ERROR(lseek(reader, 0, SEEK_CUR), ESPIPE);
    CHECK(fstat(reader, &status) == 0 && S_ISFIFO(status.st_mode));
    CHECK_EQUAL(status.st_ino, file_status("fifo").st_ino);
    close(reader);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERROR(write(writer, "x", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(writer);
    int both = open("fifo", O_RDWR);
    CHECK(both >= 0);
    CHECK_EQUAL(write(both, "stays", 5), 5);
    CHECK_EQUAL(read(both, buffer, 10), 5);
    CHECK_EQUAL(write(both, "goes", 4), 4);
    close(both);
    reader = open("fifo", O_RDONLY | O_NONBLOCK);
    CHECK_EQUAL(read(reader, buffer, 10), 0); /* with the last end went what was in it */
    close(reader);
}

/* Who is interrupted while it waits is no reader any more. */
static void test_interrupted(void)
{
    file_interrupt(100000);
    CHECK_ERROR(open("fifo", O_RDONLY), EINTR);
    file_interrupt(0);
    CHECK_ERROR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(read_hello());
    let_others_run();
    kill(child, SIGKILL);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_ERROR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
}

static char moving_path[8] = "fifo";

static int open_moving_path(void *argument)
{
    (void)argument;
    return open(moving_path, O_RDONLY | O_TRUNC) >= 0 ? 42 : 1;
}

/* The path of who waits becomes that of a large file, which takes a while to be cut: he reads no pipe any more. */
static void test_path_changes(void)
{
    static char stack[16384];
    int status;
    int fd = open("large", O_RDWR | O_CREAT, 0600);
    for (int page = 0; page < 200; page++)
        CHECK_EQUAL(pwrite(fd, "x", 1, page * 4096L), 1);
    pid_t child = clone(open_moving_path, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
    let_others_run();
    memcpy(moving_path, "large", 6);
    int both = open("fifo", O_RDWR | O_NONBLOCK); /* wakes him */
    CHECK(both >= 0);
    close(both);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(WEXITSTATUS(status), 42);
    CHECK_ERROR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    close(fd);
    unlink("large");
}

static void test_nodes(void)
{
    CHECK_ERROR(mkfifo("fifo", 0600), EEXIST);
    CHECK_ERROR(mkfifo("none/fifo", 0600), ENOENT);
    CHECK_ERROR(mknod("dir", S_IFDIR | 0700, 0), EPERM);
    CHECK_ERROR(mknod("link", S_IFLNK | 0700, 0), EINVAL);
    CHECK_ERROR(mknod("odd", 0150000, 0), EINVAL);
    CHECK_EQUAL(mknod("plain", 0666, 0), 0);
    CHECK_EQUAL(file_status("plain").st_mode, S_IFREG | 0644);
    unlink("plain");
    if (mknod("null", S_IFCHR | 0666, makedev(1, 3)) != 0)
        check_skip("no device nodes may be made here");
    CHECK_EQUAL(file_status("null").st_rdev, makedev(1, 3));
    CHECK_EQUAL(mknod("nobody", S_IFCHR | 0666, makedev(240, 77)), 0);
    CHECK_ERROR(open("nobody", O_RDWR), ENXIO);
    CHECK_EQUAL(mknod("socket", S_IFSOCK | 0666, 0), 0);
    CHECK_ERROR(open("socket", O_RDWR), ENXIO);
    unlink("socket");
    unlink("nobody");
    unlink("null");
    int full = open("/dev/full", O_RDWR);
    char byte = 'x';
    CHECK_ERROR(write(full, "x", 1), ENOSPC);
    CHECK(read(full, &byte, 1) == 1 && byte == 0);
    close(full);
    unsigned words[8] = {0}, any = 0;
    int chance = open("/dev/urandom", O_RDONLY);
    CHECK_EQUAL(read(chance, words, sizeof(words)), sizeof(words));
    for (int i = 0; i < 8; i++)
        any |= words[i];
    CHECK(any != 0);
    close(chance);
}

int main(void)
{
    file_place_enter("fifo");
    CHECK_EQUAL(mkfifo("fifo", 0640), 0);
    CHECK_EQUAL(file_status("fifo").st_mode, S_IFIFO | 0640);
    test_meeting();
    test_not_waiting();
    test_interrupted();
    test_path_changes();
    test_nodes();
    unlink("fifo");
    file_place_leave();
    return check_end();
}

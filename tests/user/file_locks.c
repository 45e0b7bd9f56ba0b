/* SPDX-License-Identifier: MIT */
/*
 * Locks: fcntl's of ranges, which belong to a process; those of open files; flock's. Who must wait
 * waits, and a circle of those is refused.
 *
 * run: ext2=2048
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "file_place.h"

static int fd;

static int lock(int command, short type, off_t start, off_t length)
{
    struct flock wish = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &wish);
}

/* Run FUNCTION in a child and return its status. */
static int in_child(int (*function)(void))
{
    return check_child(function) >> 8;
}

/* The first lock that keeps somebody else from writing anywhere: its start, or -1. */
static int first_conflict(void)
{
    struct flock found = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &found) != 0)
        return 100;
    if (found.l_type == F_UNLCK)
        return 101;
    return (int)found.l_start;
}

static int conflict_of_parent(void)
{
    struct flock found = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 100};
    if (fcntl(fd, F_GETLK, &found) != 0 || found.l_type != F_WRLCK)
        return 1;
    return found.l_pid == getppid() && found.l_start == 20 && found.l_len == 10 ? 42 : 2;
}

static int try_to_write_20(void)
{
    return lock(F_SETLK, F_WRLCK, 20, 1) == -1 ? errno : 0;
}

static int try_to_read_20(void)
{
    return lock(F_SETLK, F_RDLCK, 20, 1) == -1 ? errno : 0;
}

static int try_to_write_30(void)
{
    return lock(F_SETLK, F_WRLCK, 30, 0) == -1 ? errno : 0;
}

static void test_ranges(void)
{
    CHECK_EQUAL(lock(F_SETLK, F_WRLCK, 20, 10), 0);
    CHECK_EQUAL(in_child(conflict_of_parent), 42);
    CHECK_EQUAL(in_child(try_to_write_20), EAGAIN);
    CHECK_EQUAL(in_child(try_to_read_20), EAGAIN);
    CHECK_EQUAL(in_child(try_to_write_30), 0);
    CHECK_EQUAL(lock(F_SETLK, F_RDLCK, 20, 10), 0);
    CHECK_EQUAL(in_child(try_to_read_20), 0);
    CHECK_EQUAL(in_child(try_to_write_20), EAGAIN);
    CHECK_EQUAL(lock(F_SETLK, F_UNLCK, 20, 5), 0); /* 25 to 29 are left */
    CHECK_EQUAL(in_child(try_to_write_20), 0);
    CHECK_EQUAL(in_child(first_conflict), 25);
    CHECK_EQUAL(lock(F_SETLK, F_WRLCK, 0, 100), 0);
    CHECK_EQUAL(lock(F_SETLK, F_UNLCK, 10, 80), 0); /* both ends are left */
    CHECK_EQUAL(in_child(try_to_write_20), 0);
    CHECK_EQUAL(in_child(first_conflict), 0);
    CHECK_EQUAL(lock(F_SETLK, F_UNLCK, 0, 10), 0);
    CHECK_EQUAL(in_child(first_conflict), 90);
    close(dup(fd)); /* any descriptor of the file, closed, ends all locks of the process */
    CHECK_EQUAL(in_child(first_conflict), 101);
}

static void test_errors(void)
{
    int reader = open("locked", O_RDONLY), saved = fd;
    CHECK_ERROR(lock(F_SETLK, 7, 0, 1), EINVAL);
    CHECK_ERROR(lock(F_SETLK, F_WRLCK, -1, 1), EINVAL);
    CHECK_ERROR(lock(F_SETLK, F_WRLCK, 5, -10), EINVAL);
    CHECK_ERROR(lock(F_GETLK, F_UNLCK, 0, 1), EINVAL);
    CHECK_ERROR(fcntl(fd, F_SETLK, 16), EFAULT);
    CHECK_ERROR(fcntl(77, F_SETLK, 16), EBADF);
    fd = reader;
    CHECK_ERROR(lock(F_SETLK, F_WRLCK, 0, 1), EBADF);
    CHECK_EQUAL(lock(F_SETLK, F_RDLCK, 0, 1), 0);
    fd = saved;
    close(reader);
    CHECK_ERROR(flock(fd, 0), EINVAL);
    CHECK_ERROR(flock(77, LOCK_SH), EBADF);
}

static int wait_for_lock(void)
{
    return lock(F_SETLKW, F_WRLCK, 0, 10) == 0 ? 42 : errno;
}

static void test_waiting(void)
{
    int status;
    CHECK_EQUAL(lock(F_SETLK, F_WRLCK, 0, 10), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(wait_for_lock());
    for (int i = 0; i < 1000; i++)
        sched_yield();
    CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
    CHECK_EQUAL(lock(F_SETLK, F_UNLCK, 0, 10), 0);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(WEXITSTATUS(status), 42);
}

static int be_interrupted(void)
{
    file_interrupt(100000);
    return lock(F_SETLKW, F_WRLCK, 0, 10) == -1 ? errno : 0;
}

static void test_interrupted(void)
{
    CHECK_EQUAL(lock(F_SETLK, F_WRLCK, 0, 10), 0);
    CHECK_EQUAL(in_child(be_interrupted), EINTR);
    CHECK_EQUAL(lock(F_SETLK, F_UNLCK, 0, 0), 0);
}

/* The child has 10 and wants 0, which the parent has, who wants 10: whoever comes last is refused. */
static void test_circle(void)
{
    int status, ready[2];
    char byte;
    CHECK_EQUAL(pipe(ready), 0);
    CHECK_EQUAL(lock(F_SETLK, F_WRLCK, 0, 1), 0);
    pid_t child = fork();
    if (child == 0) {
        lock(F_SETLK, F_WRLCK, 10, 1);
        write(ready[1], "x", 1);
        _exit(lock(F_SETLKW, F_WRLCK, 0, 1) == 0 ? 42 : errno);
    }
    CHECK_EQUAL(read(ready[0], &byte, 1), 1);
    int refused = lock(F_SETLKW, F_WRLCK, 10, 1) == -1 ? errno : 0;
    CHECK_EQUAL(lock(F_SETLK, F_UNLCK, 0, 0), 0);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_THAT("one of the two is refused", (refused == EDEADLK && WEXITSTATUS(status) == 42) ||
                                                (refused == 0 && WEXITSTATUS(status) == EDEADLK));
    close(ready[0]);
    close(ready[1]);
}

static int flock_other(int operation)
{
    int other = open("locked", O_RDWR);
    int result = flock(other, operation | LOCK_NB) == 0 ? 0 : errno;
    close(other);
    return result;
}

static void test_whole(void)
{
    CHECK_EQUAL(flock(fd, LOCK_SH), 0);
    CHECK_EQUAL(flock_other(LOCK_SH), 0);
    CHECK_EQUAL(flock_other(LOCK_EX), EWOULDBLOCK);
    CHECK_EQUAL(flock(fd, LOCK_EX), 0);
    CHECK_EQUAL(flock_other(LOCK_SH), EWOULDBLOCK);
    CHECK_EQUAL(lock(F_SETLK, F_WRLCK, 0, 0), 0); /* the other family does not see it */
    int copy = dup(fd);
    CHECK_EQUAL(flock(copy, LOCK_EX | LOCK_NB), 0);
    close(copy);
    CHECK_EQUAL(flock_other(LOCK_SH), EWOULDBLOCK);
    CHECK_EQUAL(flock(fd, LOCK_UN), 0);
    CHECK_EQUAL(flock_other(LOCK_EX), 0);
    int other = open("locked", O_RDWR);
    CHECK_EQUAL(flock(other, LOCK_EX), 0);
    CHECK_ERROR(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    close(other);
    CHECK_EQUAL(flock(fd, LOCK_EX | LOCK_NB), 0);
    CHECK_EQUAL(flock(fd, LOCK_UN), 0);
}

static int ofd(int descriptor, int command, short type)
{
    struct flock64 wish = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    return (int)syscall(SYS_fcntl64, descriptor, command, &wish);
}

static void test_open_files(void)
{
    int other = open("locked", O_RDWR);
    CHECK_EQUAL(ofd(fd, F_OFD_SETLK, F_WRLCK), 0);
    CHECK_ERROR(ofd(other, F_OFD_SETLK, F_RDLCK), EAGAIN);
    CHECK_ERROR(lock(F_SETLK, F_WRLCK, 0, 10), EAGAIN);
    CHECK_EQUAL(ofd(fd, F_OFD_SETLK, F_UNLCK), 0);
    CHECK_EQUAL(ofd(other, F_OFD_SETLK, F_WRLCK), 0);
    close(other);
    CHECK_EQUAL(ofd(fd, F_OFD_SETLK, F_RDLCK), 0);
    CHECK_EQUAL(ofd(fd, F_OFD_SETLK, F_UNLCK), 0);
}

int main(void)
{
    file_place_enter("locks");
    file_make("locked", "");
    fd = open("locked", O_RDWR);
    test_ranges();
    test_errors();
    test_waiting();
    test_interrupted();
    test_circle();
    test_whole();
    test_open_files();
    close(fd);
    unlink("locked");
    file_place_leave();
    return check_end();
}

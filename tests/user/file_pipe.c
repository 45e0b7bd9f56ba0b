/* SPDX-License-Identifier: MIT */
/*
 * Pipes between processes: order, ends, blocking, signals, bad pointers.
 *
 * run: seconds=30
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "check.h"

enum { CAPACITY = 65536, PAGE = 4096, MUCH = 500000 };

static char buffer[2 * CAPACITY];
static int ends[2];
static volatile sig_atomic_t signals_seen;

static void note_signal(int number)
{
    (void)number;
    signals_seen++;
}

static void handle(int number, int flags)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = flags};
    sigaction(number, &action, NULL);
}

static void open_pipe(int flags)
{
    CHECK(pipe2(ends, flags) == 0);
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void pause_ms(int milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void test_basics(void)
{
    struct stat status;
    open_pipe(0);
    CHECK(write(ends[1], "hello", 5) == 5);
    CHECK(write(ends[1], "", 0) == 0);
    int left = 0;
    CHECK(ioctl(ends[0], FIONREAD, &left) == 0 && left == 5);
    CHECK(read(ends[0], buffer, 2) == 2 && memcmp(buffer, "he", 2) == 0);
    CHECK(read(ends[0], buffer, 100) == 3 && memcmp(buffer, "llo", 3) == 0);
    CHECK_ERROR(read(ends[1], buffer, 1), EBADF);
    CHECK_ERROR(write(ends[0], buffer, 1), EBADF);
    CHECK_ERROR(lseek(ends[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERROR(pread(ends[0], buffer, 1, 0), ESPIPE);
    CHECK_ERROR(pwrite(ends[1], buffer, 1, 0), ESPIPE);
    CHECK(fstat(ends[0], &status) == 0 && S_ISFIFO(status.st_mode));
    CHECK(fcntl(ends[0], F_GETFL) == O_RDONLY);
    CHECK(fcntl(ends[1], F_GETFL) == O_WRONLY);
    CHECK(fcntl(ends[1], F_GETPIPE_SZ) == CAPACITY);
    CHECK_ERROR(ioctl(ends[0], TIOCGWINSZ, buffer), ENOTTY);
    close_pipe();
    CHECK_ERROR(pipe2(ends, 0x40000000), EINVAL);
    CHECK_ERROR(syscall(SYS_pipe, (int *)16), EFAULT);
    int next = dup(0);
    close(next);
    open_pipe(O_CLOEXEC);
    CHECK(ends[0] == next && ends[1] == next + 1);
    CHECK(fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
    close_pipe();
}

static void test_nonblocking(void)
{
    open_pipe(O_NONBLOCK);
    CHECK_ERROR(read(ends[0], buffer, 1), EAGAIN);
    CHECK(write(ends[1], buffer, sizeof(buffer)) == CAPACITY);
    CHECK_ERROR(write(ends[1], buffer, 1), EAGAIN);
    CHECK(read(ends[0], buffer, PAGE) == PAGE);
    CHECK(write(ends[1], buffer, PAGE) == PAGE);
    CHECK_ERROR(write(ends[1], buffer, PAGE), EAGAIN);
    CHECK(read(ends[0], buffer, sizeof(buffer)) == CAPACITY);
    CHECK_ERROR(read(ends[0], buffer, 1), EAGAIN);
    close_pipe();
}

static void test_ends(void)
{
    open_pipe(0);
    CHECK(write(ends[1], "x", 1) == 1);
    close(ends[1]);
    CHECK(read(ends[0], buffer, 10) == 1);
    CHECK(read(ends[0], buffer, 10) == 0);
    close(ends[0]);
    open_pipe(0);
    close(ends[0]);
    handle(SIGPIPE, 0);
    signals_seen = 0;
    CHECK_ERROR(write(ends[1], "x", 1), EPIPE);
    CHECK(signals_seen == 1);
    CHECK(write(ends[1], "x", 0) == 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERROR(write(ends[1], "x", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(ends[1]);
}

static int write_without_reader(void)
{
    int mine[2];
    if (pipe(mine) != 0)
        return 1;
    close(mine[0]);
    return (int)write(mine[1], "x", 1);
}

/* ---- two processes ---- */

static int send_much(void)
{
    static char bytes[MUCH];
    for (int i = 0; i < MUCH; i++)
        bytes[i] = (char)(i * 31 + i / 1000);
    close(ends[0]);
    return write(ends[1], bytes, MUCH) == MUCH ? 0 : 1;
}

static void test_much(void)
{
    int total = 0, wrong = 0, status;
    open_pipe(0);
    pid_t child = fork();
    if (child == 0)
        _exit(send_much());
    close(ends[1]);
    for (int size = 1;; size = size * 3 % 70001 + 1) {
        int got = (int)read(ends[0], buffer, (size_t)size);
        if (got <= 0)
            break;
        for (int i = 0; i < got; i++)
            wrong += buffer[i] != (char)((total + i) * 31 + (total + i) / 1000);
        total += got;
    }
    CHECK(total == MUCH);
    CHECK(wrong == 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(ends[0]);
}

/* The table of descriptors is shared after fork until one side changes it. */
static int close_in_child(void)
{
    close(ends[0]);
    close(ends[1]);
    return fcntl(ends[0], F_GETFD) == -1 ? 0 : 1;
}

static void test_tables(void)
{
    open_pipe(0);
    CHECK_EXITS(close_in_child, 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(read(ends[0], buffer, 1) == 1);
    pid_t child = fork();
    if (child == 0) {
        pause_ms(50);
        _exit(0); /* the last writer goes with it */
    }
    close(ends[1]);
    CHECK_THAT("the end comes when the child has ended", read(ends[0], buffer, 1) == 0);
    waitpid(child, NULL, 0);
    close(ends[0]);
}

/* ---- signals ---- */

/* A child that signals its parent after a while, then reads or writes. */
static pid_t signal_later(int number, int reads_then)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    pause_ms(100);
    kill(getppid(), number);
    pause_ms(100);
    for (; reads_then > 0; reads_then -= PAGE)
        if (read(ends[0], buffer, PAGE) <= 0)
            break;
    if (reads_then < 0 && write(ends[1], "w", 1) != 1)
        _exit(1);
    _exit(0);
}

static void test_signals(void)
{
    int status;
    open_pipe(0);
    handle(SIGUSR1, 0);
    signals_seen = 0;
    pid_t child = signal_later(SIGUSR1, 0);
    CHECK_ERROR(read(ends[0], buffer, 1), EINTR);
    CHECK(signals_seen == 1);
    waitpid(child, &status, 0);

    handle(SIGUSR1, SA_RESTART);
    child = signal_later(SIGUSR1, -1);
    CHECK(read(ends[0], buffer, 1) == 1 && buffer[0] == 'w');
    CHECK(signals_seen == 2);
    waitpid(child, &status, 0);

    child = signal_later(SIGUSR1, 0);
    CHECK_THAT("a write interrupted in the middle says how much was written",
               write(ends[1], buffer, CAPACITY + 3 * PAGE) == CAPACITY);
    CHECK(signals_seen == 3);
    waitpid(child, &status, 0);
    CHECK(read(ends[0], buffer, sizeof(buffer)) == CAPACITY);
    close_pipe();
}

/* ---- pieces and bad pointers ---- */

static void test_pieces(void)
{
    char a[3], b[10];
    struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cdefg", 5}};
    struct iovec in[] = {{a, 3}, {b, 10}};
    open_pipe(0);
    CHECK(writev(ends[1], out, 3) == 7);
    CHECK(readv(ends[0], in, 2) == 7 && memcmp(a, "abc", 3) == 0 && memcmp(b, "defg", 4) == 0);
    CHECK(writev(ends[1], out, 0) == 0);
    CHECK_ERROR(syscall(SYS_writev, ends[1], out, -1), EINVAL);
    CHECK_ERROR(syscall(SYS_writev, ends[1], out, 1025), EINVAL);
    CHECK_ERROR(syscall(SYS_writev, ends[1], (struct iovec *)16, 1), EFAULT);
    struct iovec negative[] = {{"ab", (size_t)-1}};
    CHECK_ERROR(writev(ends[1], negative, 1), EINVAL);
    close_pipe();
}

static void test_bad_pointers(void)
{
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 2 * PAGE, PAGE);
    memset(pages, 'p', 2 * PAGE);
    char *end = pages + 2 * PAGE;
    open_pipe(O_NONBLOCK);
    CHECK_ERROR(syscall(SYS_write, ends[1], 0x10, 4), EFAULT);
    CHECK_ERROR(syscall(SYS_write, ends[1], 0xFFFFFFF0, 4), EFAULT);
    CHECK_ERROR(syscall(SYS_write, ends[1], 0x1000, 0xFFFFFFFF), EFAULT);
    CHECK_ERROR(write(ends[1], end - 10, 20), EFAULT);
    CHECK_ERROR(read(ends[0], buffer, 1), EAGAIN);
    CHECK(write(ends[1], end - 10, 10) == 10);
    CHECK_ERROR(read(ends[0], end - 5, 10), EFAULT);
    CHECK_THAT("what could not be copied was not taken", read(ends[0], buffer, 100) == 10);
    CHECK(write(ends[1], buffer, 2 * PAGE) == 2 * PAGE);
    CHECK_THAT("what was copied before the bad page counts",
               read(ends[0], end - PAGE, 2 * PAGE) == PAGE);
    CHECK(read(ends[0], buffer, sizeof(buffer)) == PAGE);
    CHECK(write(ends[1], end - PAGE, 2 * PAGE) == PAGE);
    close_pipe();
}

int main(void)
{
    test_basics();
    test_nonblocking();
    test_ends();
    CHECK_KILLED(write_without_reader, SIGPIPE);
    test_much();
    test_tables();
    test_signals();
    test_pieces();
    test_bad_pointers();
    return check_end();
}

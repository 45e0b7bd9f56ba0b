/* SPDX-License-Identifier: MIT */
/*
 * User test. Progress of a call that is repeated belongs to it alone: however the call ends, the
 * next one begins at its beginning, and plain code is left as it was. Somebody who shares the
 * memory makes repeated calls read something else than before: Linux, which reads its arguments
 * once, has no such case.
 * run: on=droste
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

enum { PIPE_BYTES = 0x10000, LONG_BYTES = 150000, BIG_BYTES = 16 << 20 };

static volatile sig_atomic_t hits;
static int ends[2], probe_ends[2];
static char *big;
static volatile struct iovec pieces[1];
static volatile struct timespec limit;
static char stack[16384];

static void count(int signal_number)
{
    (void)signal_number;
    hits++;
}

static void handle(int flags)
{
    struct sigaction action = {.sa_handler = count, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
}

static void alarm_after(long microseconds)
{
    struct itimerval timer = {{0, 0}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* A write finds no progress of another call, and nobody's signals are blocked. */
static void probe(const char *after)
{
    char text[96], bytes[16];
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    long wrote = write(probe_ends[1], "0123456789", 10);
    long got = read(probe_ends[0], bytes, sizeof(bytes));
    snprintf(text, sizeof(text), "after %s: a write of 10 bytes moves 10", after);
    CHECK_THAT(text, wrote == 10 && got == 10 && memcmp(bytes, "0123456789", 10) == 0);
    snprintf(text, sizeof(text), "after %s: the mask is the old one", after);
    CHECK_THAT(text, !sigismember(&mask, SIGUSR2));
}

static void drain(void)
{
    while (read(ends[0], big, BIG_BYTES) > 0)
        ;
}

/* ---- calls that keep progress; each would sleep, or take long ---- */

static long do_write(void)
{
    long result = write(ends[1], big, LONG_BYTES);
    drain();
    return result == PIPE_BYTES ? 0 : -2; /* what the pipe holds */
}

static long do_nanosleep(void)
{
    const struct timespec time = {5, 0};
    struct timespec rest;
    return nanosleep(&time, &rest);
}

static long do_futex(void)
{
    static int word;
    return syscall(SYS_futex, &word, 0, 0, NULL);
}

static long do_futex_until(void)
{
    static int word;
    const struct timespec time = {5, 0};
    return syscall(SYS_futex, &word, 0, 0, &time);
}

static long do_poll(void)
{
    struct pollfd file = {.fd = ends[0], .events = POLLIN};
    return poll(&file, 1, 5000);
}

static long do_ppoll(void)
{
    struct pollfd file = {.fd = ends[0], .events = POLLIN};
    const struct timespec time = {5, 0};
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    return ppoll(&file, 1, &time, &mask);
}

static long do_select(void)
{
    fd_set files;
    struct timeval time = {5, 0};
    FD_ZERO(&files);
    FD_SET(ends[0], &files);
    return select(ends[0] + 1, &files, NULL, NULL, &time);
}

static long do_sigtimedwait(void)
{
    const struct timespec time = {5, 0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return sigtimedwait(&set, NULL, &time);
}

/* These move bytes: a handler's signal ends them after a piece. */
static long partly(long result, long whole)
{
    return result > 0 && result < whole ? 0 : -2;
}

static long do_getrandom(void)
{
    return partly(syscall(SYS_getrandom, big, BIG_BYTES, 0), BIG_BYTES);
}

static long do_read_zeros(void)
{
    enum { TIMES = 64 };
    static struct iovec same[TIMES];
    int zero = open("/dev/zero", O_RDONLY);
    for (int i = 0; i < TIMES; i++)
        same[i] = (struct iovec){big, BIG_BYTES};
    long result = readv(zero, same, TIMES);
    close(zero);
    return partly(result, (long)TIMES * BIG_BYTES);
}

static long do_process_vm(void)
{
    enum { TIMES = 64 };
    static struct iovec same[TIMES];
    for (int i = 0; i < TIMES; i++)
        same[i] = (struct iovec){big, BIG_BYTES / 2};
    long result = process_vm_readv(getpid(), same, TIMES, same, TIMES, 0);
    return partly(result, (long)TIMES * BIG_BYTES / 2);
}

static const struct {
    const char *name;
    long (*run)(void);
    bool moves_bytes;
} calls[] = {
    {"write", do_write, true},
    {"nanosleep", do_nanosleep, false},
    {"futex", do_futex, false},
    {"futex with a limit", do_futex_until, false},
    {"poll", do_poll, false},
    {"ppoll", do_ppoll, false},
    {"select", do_select, false},
    {"sigtimedwait", do_sigtimedwait, false},
    {"getrandom", do_getrandom, true},
    {"read of zeros", do_read_zeros, true},
    {"process_vm_readv", do_process_vm, true},
};

/* Each ended by a handler. */
static void by_handler(int flags, const char *how)
{
    char text[96];
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (flags == SA_RESTART && calls[i].run == do_futex)
            continue; /* which goes on */
        handle(flags);
        hits = 0;
        alarm_after(20000);
        errno = 0;
        long result = calls[i].run();
        snprintf(text, sizeof(text), "%s, %s: ends, and says how", calls[i].name, how);
        CHECK_THAT(text, calls[i].moves_bytes ? result == 0 : result == -1 && errno == EINTR);
        CHECK_EQUAL(hits, 1);
        probe(calls[i].name);
    }
}

/* ---- calls that read something else when they are repeated ---- */

static void with_sibling(int (*sibling)(void *))
{
    alarm_after(0);
    clone(sibling, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
}

static void nap(void)
{
    const struct timespec time = {0, 40000000};
    syscall(SYS_nanosleep, &time, NULL);
}

static int empty_the_piece(void *unused)
{
    (void)unused;
    nap();
    pieces[0].iov_len = 0;
    syscall(SYS_read, ends[0], big, PIPE_BYTES);
    syscall(SYS_exit, 0);
    return 0;
}

static int spoil_the_piece(void *unused)
{
    (void)unused;
    nap();
    pieces[0].iov_base = (void *)-4096;
    syscall(SYS_read, ends[0], big, PIPE_BYTES);
    syscall(SYS_exit, 0);
    return 0;
}

static int spoil_the_limit(void *unused)
{
    (void)unused;
    nap();
    limit.tv_nsec = -1;
    syscall(SYS_write, ends[1], "x", 1);
    syscall(SYS_exit, 0);
    return 0;
}

static void write_pieces(int (*sibling)(void *), const char *after)
{
    pieces[0].iov_base = big;
    pieces[0].iov_len = LONG_BYTES;
    with_sibling(sibling);
    CHECK_THAT("the bytes that were moved are the result",
               writev(ends[1], (const struct iovec *)pieces, 1) == PIPE_BYTES);
    wait(NULL);
    drain();
    probe(after);
}

static void by_others(void)
{
    write_pieces(empty_the_piece, "a writev whose piece is empty when it is repeated");
    write_pieces(spoil_the_piece, "a writev whose piece is bad when it is repeated");

    struct pollfd file = {.fd = ends[0], .events = POLLIN};
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    limit.tv_sec = 5;
    limit.tv_nsec = 0;
    with_sibling(spoil_the_limit);
    CHECK_ERROR(syscall(SYS_ppoll, &file, 1, &limit, &mask, 8), EINVAL);
    wait(NULL);
    drain();
    probe("a ppoll whose limit is bad when it is repeated");
}

/* ---- plain code ---- */

static void plain_code(void)
{
    unsigned eax = 0x1234;
    handle(SA_RESTART);
    hits = 0;
    alarm_after(20000);
    __asm__ volatile("1: cmpl $0, %1; je 1b" : "+a"(eax) : "m"(hits) : "memory", "cc");
    CHECK_EQUAL(eax, 0x1234);
}

int main(void)
{
    big = mmap(NULL, BIG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pipe2(ends, 0) == 0 && pipe(probe_ends) == 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    memset(big, 1, BIG_BYTES);
    by_handler(0, "a handler");
    by_handler(SA_RESTART, "a handler with SA_RESTART");
    by_others();
    plain_code();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * User test. A handler's signal in the middle of a call that sleeps: EINTR, or the call goes on
 * (SA_RESTART), or it tells what it has done. A signal without a handler disturbs nothing.
 */
#include "check.h"

#include <poll.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t hits;
static int ends[2];

static void count(int signal_number)
{
    (void)signal_number;
    hits++;
}

static void act(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signal_number, &action, NULL);
}

/* A child that sends SIGNAL after 40 ms, and writes a byte after 80. */
static pid_t disturb(int signal_number)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    usleep(40000);
    kill(parent, signal_number);
    usleep(40000);
    if (write(ends[1], "z", 1) != 1)
        _exit(1);
    _exit(0);
}

static void finish(pid_t child)
{
    char left;
    while (waitpid(child, NULL, 0) != child)
        ;
    struct pollfd ready = {.fd = ends[0], .events = POLLIN};
    while (poll(&ready, 1, 0) == 1)
        if (read(ends[0], &left, 1) != 1)
            break;
}

static void reading(void)
{
    char byte = 0;
    hits = 0;
    act(SIGUSR1, count, 0);
    pid_t child = disturb(SIGUSR1);
    CHECK_ERROR(read(ends[0], &byte, 1), EINTR);
    CHECK_EQUAL(hits, 1);
    finish(child);

    act(SIGUSR1, count, SA_RESTART);
    child = disturb(SIGUSR1);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'z');
    CHECK_EQUAL(hits, 2);
    finish(child);

    act(SIGUSR1, SIG_IGN, 0);
    child = disturb(SIGUSR1);
    CHECK(read(ends[0], &byte, 1) == 1);
    finish(child);
    act(SIGWINCH, SIG_DFL, 0);
    child = disturb(SIGWINCH);
    CHECK(read(ends[0], &byte, 1) == 1);
    finish(child);
}

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleeping(void)
{
    struct timespec wish = {0, 300000000}, rest = {9, 9};
    act(SIGUSR1, count, SA_RESTART);
    pid_t child = disturb(SIGUSR1);
    CHECK_ERROR(nanosleep(&wish, &rest), EINTR);
    CHECK(rest.tv_sec == 0 && rest.tv_nsec > 100000000 && rest.tv_nsec < 290000000);
    finish(child);

    act(SIGUSR1, SIG_IGN, 0);
    child = disturb(SIGUSR1);
    long start = milliseconds();
    CHECK(nanosleep(&wish, &rest) == 0);
    CHECK(milliseconds() - start >= 300);
    finish(child);

    act(SIGUSR1, count, SA_RESTART);
    child = disturb(SIGUSR1);
    CHECK_ERROR(poll(NULL, 0, 300), EINTR);
    finish(child);
    child = disturb(SIGUSR1);
    struct pollfd ready = {.fd = ends[0], .events = POLLIN};
    CHECK_ERROR(poll(&ready, 1, -1), EINTR);
    finish(child);
}

static void waiting(void)
{
    int status;
    act(SIGUSR1, count, 0);
    pid_t child = disturb(SIGUSR1);
    CHECK_ERROR(waitpid(child, &status, 0), EINTR);
    finish(child);
    act(SIGUSR1, count, SA_RESTART);
    child = disturb(SIGUSR1);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    char byte;
    CHECK(read(ends[0], &byte, 1) == 1);
}

/* A write of more than the pipe holds: what has gone through is told. */
static void writing(void)
{
    static char bytes[200000];
    act(SIGUSR1, count, SA_RESTART);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        usleep(40000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    ssize_t done = write(ends[1], bytes, sizeof(bytes));
    CHECK_THAT("a part is told", done > 0 && done < (ssize_t)sizeof(bytes));
    while (waitpid(child, NULL, 0) != child)
        ;
    ssize_t left = done;
    while (left > 0) {
        ssize_t got = read(ends[0], bytes, sizeof(bytes));
        if (got <= 0)
            break;
        left -= got;
    }
    CHECK_EQUAL(left, 0);
}

/* Stopped and continued in the middle of a call: it goes on. */
static int read_one(void)
{
    char byte = 0;
    return read(ends[0], &byte, 1) == 1 && byte == 'q' ? 6 : 1;
}

static void stopping(void)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(read_one());
    usleep(20000);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGCONT);
    usleep(20000);
    CHECK(write(ends[1], "q", 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 6);
}

/* Registers survive any number of ticks and signals. */
static void many(void)
{
    struct itimerval timer = {{0, 10000}, {0, 10000}}, off = {{0, 0}, {0, 0}};
    unsigned sum = 0;
    hits = 0;
    act(SIGALRM, count, SA_RESTART);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (hits < 10) {
        unsigned a = 1, b = 2, c = 3;
        __asm__ volatile("1: addl $1, %0; addl $1, %1; addl $1, %2; cmpl $100000, %0; jb 1b"
                         : "+r"(a), "+r"(b), "+r"(c));
        sum += (a != 100000) + (b != 100001) + (c != 100002);
    }
    setitimer(ITIMER_REAL, &off, NULL);
    CHECK_EQUAL(sum, 0);
}

int main(void)
{
    CHECK(pipe(ends) == 0);
    reading();
    sleeping();
    waiting();
    writing();
    stopping();
    many();
    return check_end();
}

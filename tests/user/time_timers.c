/* SPDX-License-Identifier: MIT */
/*
 * User test. ITIMER_REAL and alarm: what is told of a timer is never more than was set, timers of
 * many processes go off in order, and periods are kept. And the timeouts that select takes.
 */
#include "check.h"

#include <limits.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

enum { PROCESSES = 60, STEP_USECONDS = 20000 };

static volatile sig_atomic_t hits;

static void count(int signal_number)
{
    (void)signal_number;
    hits++;
}

static bool is_less_or_equal(struct timeval left, struct timeval right)
{
    return left.tv_sec < right.tv_sec ||
           (left.tv_sec == right.tv_sec && left.tv_usec <= right.tv_usec);
}

static bool is_same(struct timeval left, struct timeval right)
{
    return left.tv_sec == right.tv_sec && left.tv_usec == right.tv_usec;
}

/* A timer of VALUE and INTERVAL is told as one of no more than VALUE, and exactly INTERVAL. */
static bool is_told(struct timeval value, struct timeval interval)
{
    struct itimerval wish = {interval, value}, now, old, none = {{0, 0}, {0, 0}};
    bool right = setitimer(ITIMER_REAL, &wish, NULL) == 0 && getitimer(ITIMER_REAL, &now) == 0 &&
                 setitimer(ITIMER_REAL, &none, &old) == 0;
    right = right && is_less_or_equal(now.it_value, value) && is_same(now.it_interval, interval);
    right =
        right && is_less_or_equal(old.it_value, now.it_value) && is_same(old.it_interval, interval);
    right = right && (now.it_value.tv_sec > 0 || now.it_value.tv_usec > 0);
    return right && now.it_value.tv_sec >= value.tv_sec - 1;
}

static void told(void)
{
    struct itimerval timer;
    CHECK(getitimer(ITIMER_REAL, &timer) == 0 && timer.it_value.tv_sec == 0 &&
          timer.it_value.tv_usec == 0);
    CHECK(is_told((struct timeval){9, 30000}, (struct timeval){9, 30000}));
    CHECK(is_told((struct timeval){100, 1}, (struct timeval){0, 1}));
    CHECK(is_told((struct timeval){5, 999999}, (struct timeval){0, 0}));
    CHECK(is_told((struct timeval){INT_MAX, 999999}, (struct timeval){INT_MAX, 999999}));
    CHECK(alarm(INT_MAX) == 0 && alarm(0) == INT_MAX);
    timer = (struct itimerval){{0, 0}, {0, 1000000}};
    CHECK_ERROR(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
    timer = (struct itimerval){{0, -1}, {1, 0}};
    CHECK_ERROR(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
    CHECK(alarm(100) == 0 && alarm(50) == 100 && alarm(0) == 50);
}

static long microseconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - start->tv_sec) * 1000000L + (now.tv_nsec - start->tv_nsec) / 1000;
}

static void periods(void)
{
    struct itimerval timer = {{0, 20000}, {0, 20000}}, none = {{0, 0}, {0, 0}};
    struct timespec start;
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, &old);
    signal(SIGALRM, count);
    clock_gettime(CLOCK_MONOTONIC, &start);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (hits < 5)
        sigsuspend(&old);
    CHECK_THAT("five periods are not shorter than they should be",
               microseconds_since(&start) >= 100000);
    setitimer(ITIMER_REAL, &none, NULL);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* The later a child's place, the earlier its alarm; all are set before the first one is due. */
static void in_order(void)
{
    pid_t children[PROCESSES];
    int status, right = 0, killed = 0;
    signal(SIGALRM, SIG_DFL);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] != 0)
            continue;
        struct itimerval timer = {{0, 0}, {0, (PROCESSES - i) * STEP_USECONDS}};
        timer.it_value.tv_sec = 1 + timer.it_value.tv_usec / 1000000;
        timer.it_value.tv_usec %= 1000000;
        setitimer(ITIMER_REAL, &timer, NULL);
        for (;;)
            pause();
    }
    kill(children[PROCESSES / 2], SIGKILL); /* one is taken out of the middle */
    waitpid(children[PROCESSES / 2], &status, 0);
    for (int i = PROCESSES - 1; i >= 0; i--) {
        if (i == PROCESSES / 2)
            continue;
        pid_t child = wait(&status);
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
        right += child == children[i];
    }
    CHECK_EQUAL(killed, PROCESSES - 1);
    check_note("%d of %d in order", right, PROCESSES - 1);
    CHECK_THAT("nearly all ended in the order of their alarms", right > PROCESSES / 2);
}

static long select_for(long seconds, long useconds)
{
    long words[2] = {seconds, useconds};
    errno = 0;
    return syscall(SYS__newselect, 0, NULL, NULL, NULL, words);
}

static void select_timeouts(void)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK(select_for(0, 1000000) == 0 && microseconds_since(&start) >= 1000000);
    CHECK_ERROR(select_for(-1, 0), EINVAL);
    CHECK_ERROR(select_for(0, -1), EINVAL);
    CHECK_ERROR(select_for(-1, 1), EINVAL);
    CHECK(select_for(-1, 1000000) == 0);
    CHECK(select_for(1, -1000000) == 0);
}

int main(void)
{
    told();
    periods();
    in_order();
    select_timeouts();
    return check_end();
}

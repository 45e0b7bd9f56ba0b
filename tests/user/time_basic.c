/* SPDX-License-Identifier: MIT */
/*
 * User test. Clocks, sleeping, and the small calls that ask about the machine and the process.
 */
#include "check.h"

#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

static long long nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void clocks(void)
{
    static const clockid_t all[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,
                                    CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
                                    CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
                                    CLOCK_MONOTONIC_COARSE,   CLOCK_BOOTTIME};
    struct timespec now, resolution;
    int wrong = 0;
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        wrong += clock_gettime(all[i], &now) != 0 || now.tv_nsec < 0 || now.tv_nsec >= 1000000000;
        wrong += clock_getres(all[i], &resolution) != 0 || resolution.tv_sec != 0;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_ERROR(clock_gettime(77, &now), EINVAL);
    CHECK_ERROR(clock_getres(77, &now), EINVAL);
    CHECK(clock_getres(CLOCK_MONOTONIC, NULL) == 0);
    CHECK_ERROR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 4), EFAULT);
    CHECK_ERROR(syscall(SYS_clock_gettime64, CLOCK_MONOTONIC, 4), EFAULT);

    long long before = nanoseconds(CLOCK_MONOTONIC), last = before;
    int steps = 0;
    for (int i = 0; i < 20000; i++) {
        long long next = nanoseconds(CLOCK_MONOTONIC);
        wrong += next < last;
        steps += next != last;
        last = next;
    }
    CHECK_THAT("the clock never goes back", wrong == 0);
    CHECK_THAT("it moves", steps > 0);

    struct timeval tv;
    struct timezone zone;
    CHECK(gettimeofday(&tv, &zone) == 0 && tv.tv_usec >= 0 && tv.tv_usec < 1000000);
    CHECK_THAT("the year is one that this test may see", tv.tv_sec > 1600000000);
    time_t seconds = 0, returned = (time_t)syscall(SYS_time, &seconds);
    CHECK(returned == seconds && seconds - tv.tv_sec <= 1);
    struct tms times_now;
    CHECK(times(&times_now) != -1);
}

static void sleeping(void)
{
    struct timespec wish = {0, 50000000}, bad = {0, 1000000000}, negative = {-1, 0}, none = {0, 0};
    long long start = nanoseconds(CLOCK_MONOTONIC);
    CHECK(nanosleep(&wish, NULL) == 0);
    long long slept = nanoseconds(CLOCK_MONOTONIC) - start;
    CHECK_THAT("at least 50 ms, not much more", slept >= 50000000 && slept < 500000000);
    CHECK(nanosleep(&none, NULL) == 0);
    CHECK_ERROR(syscall(SYS_nanosleep, &bad, NULL), EINVAL);
    CHECK_ERROR(syscall(SYS_nanosleep, &negative, NULL), EINVAL);
    CHECK_ERROR(syscall(SYS_nanosleep, 4, NULL), EFAULT);

    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 30000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    long long end = until.tv_sec * 1000000000ll + until.tv_nsec;
    CHECK_THAT("not before its time", nanoseconds(CLOCK_MONOTONIC) >= end);
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    CHECK_EQUAL(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &wish, NULL), EINVAL);
    CHECK_EQUAL(clock_nanosleep(77, 0, &wish, NULL), EINVAL);
}

/* Sleepers wake in the order of their times. */
static void order(void)
{
    int ends[2];
    char seen[5] = {0};
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 4; i++) {
        if (fork() != 0)
            continue;
        usleep((useconds_t)(240000 - i * 60000));
        char letter = (char)('a' + i);
        _exit(write(ends[1], &letter, 1) == 1 ? 0 : 1);
    }
    for (int i = 0; i < 4; i++)
        if (read(ends[0], seen + i, 1) != 1)
            break;
    while (wait(NULL) > 0)
        ;
    CHECK(strcmp(seen, "dcba") == 0);
}

static void machine(void)
{
    struct utsname name;
    struct sysinfo info;
    struct rusage usage;
    unsigned cpu = 99, node = 99;
    CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0 && name.release[0] >= '3');
    CHECK_ERROR(syscall(SYS_uname, 4), EFAULT);
    CHECK(sysinfo(&info) == 0 && info.totalram >= info.freeram && info.procs > 0 &&
          info.mem_unit > 0);
    CHECK_ERROR(syscall(SYS_sysinfo, 4), EFAULT);
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && getrusage(RUSAGE_CHILDREN, &usage) == 0);
    CHECK_ERROR(getrusage(77, &usage), EINVAL);
    CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 99 && node < 99);
    uint32_t mask[32] = {0};
    CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask) > 0 && mask[0] != 0);
    CHECK_ERROR(syscall(SYS_sched_getaffinity, 0, 3, mask), EINVAL);
}

static void process(void)
{
    char text[16];
    unsigned char random[64] = {0};
    CHECK(prctl(PR_SET_NAME, "a name that is cut") == 0);
    CHECK(prctl(PR_GET_NAME, text) == 0 && strcmp(text, "a name that is ") == 0);
    CHECK_ERROR(prctl(12345678), EINVAL);
    CHECK_ERROR(syscall(SYS_prctl, PR_SET_NAME, 4), EFAULT);
    CHECK_EQUAL(getrandom(random, sizeof(random), 0), sizeof(random));
    int zeros = 0;
    for (unsigned i = 0; i < sizeof(random); i++)
        zeros += random[i] == 0;
    CHECK_THAT("not all zeros", zeros < 16);
    CHECK_ERROR(getrandom(random, 8, 77), EINVAL);
    CHECK_ERROR(syscall(SYS_getrandom, 4, 8, 0), EFAULT);
    CHECK(getuid() == geteuid() && getgid() == getegid());

    uint32_t word = 5;
    struct timespec short_time = {0, 20000000};
    CHECK_ERROR(syscall(SYS_futex, &word, 0, 6, NULL), EAGAIN);
    CHECK_ERROR(syscall(SYS_futex, &word, 0, 5, &short_time), ETIMEDOUT);
    CHECK_EQUAL(syscall(SYS_futex, &word, 1, 1, NULL), 0);
    CHECK_ERROR(syscall(SYS_futex, (char *)&word + 1, 0, 5, NULL), EINVAL);
    CHECK_ERROR(syscall(SYS_futex, 4, 0, 5, NULL), EFAULT);
}

int main(void)
{
    clocks();
    sleeping();
    order();
    machine();
    process();
    return check_end();
}

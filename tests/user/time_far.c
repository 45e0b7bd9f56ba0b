/* SPDX-License-Identifier: MIT */
/*
 * A date that 31 bits of seconds do not hold, on a machine whose clock says so: 64 bits tell it, 32
 * the lower ones, and who waits until then waits as long.
 * run: on=droste
 * run: date=2071-01-01T00:00:00
 */
#include "check.h"

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

struct time_64 {
    int64_t seconds, nanoseconds;
};
struct time_32 {
    int32_t seconds, nanoseconds;
};

static const int64_t start = 3187296000; /* date -u -d 2071-01-01 +%s */

static int64_t now_ms(int clock)
{
    struct time_64 now = {0, 0};
    syscall(SYS_clock_gettime64, clock, &now);
    return now.seconds * 1000 + now.nanoseconds / 1000000;
}

static void test_clocks(void)
{
    struct time_64 now = {0, 0};
    struct time_32 narrow = {0, 0}, day = {0, 0};
    int32_t seconds = 0;
    CHECK(syscall(SYS_clock_gettime64, CLOCK_REALTIME, &now) == 0);
    CHECK(now.seconds >= start && now.seconds < start + 60);
    CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &narrow) == 0);
    CHECK(syscall(SYS_gettimeofday, &day, NULL) == 0);
    int32_t told = (int32_t)syscall(SYS_time, &seconds);
    CHECK((uint32_t)narrow.seconds - (uint32_t)now.seconds <= 1);
    CHECK((uint32_t)day.seconds - (uint32_t)now.seconds <= 1);
    CHECK((uint32_t)seconds - (uint32_t)now.seconds <= 1 && told == seconds);
}

/* Waits until 100 ms from now, by the date. */
static void test_waits(void)
{
    struct time_64 end = {0, 0};
    uint32_t word = 0;
    int64_t before = now_ms(CLOCK_MONOTONIC);
    syscall(SYS_clock_gettime64, CLOCK_REALTIME, &end);
    end.nanoseconds += 100000000;
    end.seconds += end.nanoseconds / 1000000000;
    end.nanoseconds %= 1000000000;
    CHECK(syscall(SYS_clock_nanosleep_time64, CLOCK_REALTIME, TIMER_ABSTIME, &end, NULL) == 0);
    CHECK(now_ms(CLOCK_MONOTONIC) - before >= 100);
    CHECK(now_ms(CLOCK_REALTIME) >= end.seconds * 1000 + end.nanoseconds / 1000000);
    before = now_ms(CLOCK_MONOTONIC);
    end.seconds++;
    CHECK_ERROR(syscall(SYS_futex_time64, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &end,
                        NULL, 1),
                ETIMEDOUT);
    CHECK(now_ms(CLOCK_MONOTONIC) - before >= 900);
    CHECK_THAT("32 bits of seconds are long ago",
               syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME,
                       &(struct time_32){INT32_MAX, 0}, NULL) == 0);
}

int main(void)
{
    test_clocks();
    test_waits();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Clocks and sleeping.
 *
 * Time is ticks of the PIT, and between two of them what its counter says. The date is read once
 * from the battery-backed clock. A process's own time is counted in whole ticks. Clocks can't be
 * set. Seconds have 64 bits; calls that tell them in 32 tell the lower ones, as on Linux.
 * Source: Linux manual pages clock_gettime(2), nanosleep(2), clock_nanosleep(2), times(2).
 */
#include <arch/i386/cpu.h>
#include <arch/i386/pit.h>
#include <arch/i386/rtc.h>
#include <process/clock.h>
#include <process/repeat.h>
#include <process/signal_table.h>
#include <process/system_call.h>
#include <process/timer.h>

enum { NS_PER_SECOND = 1000000000, NS_PER_USECOND = 1000 };

/* ---- clocks ---- */

/* The machine runs for less than 136 years, which is what 32 bits of seconds are. */
struct time ticks_to_time(uint64_t ticks)
{
    uint32_t rest;
    uint32_t seconds = cpu_divide(ticks, TIMER_HZ, &rest);
    return (struct time){seconds, rest * TIMER_TICK_NS};
}

uint64_t time_to_ticks(struct time time)
{
    return time.seconds * TIMER_HZ + (time.nanoseconds + (TIMER_TICK_NS - 1)) / TIMER_TICK_NS;
}

static struct time add(struct time time, uint32_t nanoseconds)
{
    time.nanoseconds += nanoseconds;
    if (time.nanoseconds >= NS_PER_SECOND) {
        time.nanoseconds -= NS_PER_SECOND;
        time.seconds++;
    }
    return time;
}

/* A tick that has waited for long can't be told from one that has not come: never go back. */
struct time clock_monotonic(void)
{
    static struct time last;
    uint32_t rest;
    uint64_t part = (uint64_t)pit_clocks_since_tick() * NS_PER_SECOND;
    struct time now = add(ticks_to_time(timer_ticks()), cpu_divide(part, PIT_INPUT_HZ, &rest));
    if (time_is_before(last, now))
        last = now;
    return last;
}

struct time clock_monotonic_coarse(void)
{
    return ticks_to_time(timer_ticks());
}

/* NOW, of a monotonic clock, since 1970. */
static struct time real_of(struct time now)
{
    static uint64_t start; /* of the monotonic clock, in seconds since 1970 */
    if (unlikely(start == 0))
        start = rtc_read() - now.seconds;
    now.seconds += start;
    return now;
}

struct time clock_real(void)
{
    return real_of(clock_monotonic());
}

/* Asked for each file that is touched, and the same until the next tick. */
struct time clock_real_coarse(void)
{
    static struct time last;
    static uint64_t last_ticks = UINT64_MAX;
    if (last_ticks != timer_ticks()) {
        last_ticks = timer_ticks();
        last = real_of(clock_monotonic_coarse());
    }
    return last;
}

/* source: clock_gettime(2) */
enum clock {
    CLOCK_REALTIME,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME_COARSE,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
    CLOCKS
};

static int32_t read_clock(const struct process *self, uint32_t clock, struct time *now)
{
    switch (clock) {
    case CLOCK_REALTIME:
        *now = clock_real();
        return 0;
    case CLOCK_REALTIME_COARSE:
        *now = clock_real_coarse();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        *now = ticks_to_time(self->ticks);
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        *now = clock_monotonic();
        return 0;
    case CLOCK_MONOTONIC_COARSE:
        *now = clock_monotonic_coarse();
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- the program's structures ---- */

struct timespec_32 {
    int32_t seconds, nanoseconds;
};
struct timespec_64 {
    int64_t seconds;
    int32_t nanoseconds, padding; /* what i386 programs leave there means nothing */
};

int32_t time_read(uint32_t address, enum time_format format, struct time *time)
{
    struct timespec_64 long_form;
    struct timespec_32 short_form;
    enum kerr error = format == TIME_64 ? user_read(&long_form, address, sizeof(long_form))
                                        : user_read(&short_form, address, sizeof(short_form));
    if (error != KERR_OK)
        return user_access_failed(error);
    int64_t seconds = format == TIME_64 ? long_form.seconds : short_form.seconds;
    int32_t nanoseconds = format == TIME_64 ? long_form.nanoseconds : short_form.nanoseconds;
    if (seconds < 0 || nanoseconds < 0 || nanoseconds >= NS_PER_SECOND)
        return -EINVAL;
    /* Whatever no clock will ever show is as good as any other; in ticks it still is a number. */
    const int64_t seconds_max = INT64_MAX / NS_PER_SECOND;
    time->seconds = (uint64_t)(seconds < seconds_max ? seconds : seconds_max);
    time->nanoseconds = (uint32_t)nanoseconds;
    return 0;
}

int32_t time_write(uint32_t address, enum time_format format, struct time time)
{
    struct timespec_64 long_form = {(int64_t)time.seconds, (int32_t)time.nanoseconds, 0};
    struct timespec_32 short_form = {(int32_t)time.seconds, (int32_t)time.nanoseconds};
    enum kerr error = format == TIME_64 ? user_write(address, &long_form, sizeof(long_form))
                                        : user_write(address, &short_form, sizeof(short_form));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

/* ---- reading clocks ---- */

static int32_t get_clock(struct process *self, enum time_format format)
{
    struct time now;
    int32_t result = read_clock(self, ARG1, &now);
    return result != 0 ? result : time_write(ARG2, format, now);
}

static int32_t get_resolution(struct process *self, enum time_format format)
{
    enum { NS_PER_PIT_CLOCK = 839 };
    struct time resolution = {0, NS_PER_PIT_CLOCK};
    if (ARG1 >= CLOCKS)
        return -EINVAL;
    if (ARG1 == CLOCK_REALTIME_COARSE || ARG1 == CLOCK_MONOTONIC_COARSE ||
        ARG1 == CLOCK_PROCESS_CPUTIME_ID || ARG1 == CLOCK_THREAD_CPUTIME_ID)
        resolution.nanoseconds = TIMER_TICK_NS;
    return ARG2 == 0 ? 0 : time_write(ARG2, format, resolution);
}

SYSTEM_CALL(265, clock_gettime)
{
    return get_clock(self, TIME_32);
}

SYSTEM_CALL(403, clock_gettime64)
{
    return get_clock(self, TIME_64);
}

SYSTEM_CALL(266, clock_getres)
{
    return get_resolution(self, TIME_32);
}

SYSTEM_CALL(406, clock_getres_time64)
{
    return get_resolution(self, TIME_64);
}

SYSTEM_CALL(78, gettimeofday)
{
    struct time now = clock_real();
    const uint32_t timeval[2] = {(uint32_t)now.seconds, now.nanoseconds / NS_PER_USECOND};
    const uint32_t zone[2] = {0, 0};
    enum kerr error = KERR_OK;
    if (ARG1 != 0)
        error = user_write(ARG1, timeval, sizeof(timeval));
    if (error == KERR_OK && ARG2 != 0)
        error = user_write(ARG2, zone, sizeof(zone));
    return error != KERR_OK ? user_access_failed(error) : 0;
}

SYSTEM_CALL(13, time)
{
    uint32_t seconds = (uint32_t)clock_real().seconds;
    if (ARG1 != 0) {
        enum kerr error = user_write(ARG1, &seconds, sizeof(seconds));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    return (int32_t)seconds;
}

/* Time in the kernel is not told apart, and children's is not kept. */
SYSTEM_CALL(43, times)
{
    const uint32_t times[4] = {self->ticks, 0, 0, 0};
    if (ARG1 != 0) {
        enum kerr error = user_write(ARG1, times, sizeof(times));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    return (int32_t)timer_ticks();
}

/* ---- sleeping ---- */

enum { END_BITS = 0x7FFFFFFF, WAIT_TICKS_MAX = END_BITS / 2 };

/* The low bits of the deadline are kept; it is near enough for that. 0 would mean none. */
uint64_t wait_deadline(struct process *self, uint64_t ticks)
{
    uint64_t now = timer_ticks();
    uint32_t end = progress_of(self, PROGRESS_WAIT);
    if (end == 0) {
        uint64_t deadline = now + (ticks < WAIT_TICKS_MAX ? ticks : WAIT_TICKS_MAX - 1) + 1;
        if (((uint32_t)deadline & END_BITS) == 0)
            deadline++;
        end = (uint32_t)deadline & END_BITS;
        progress_note(self, PROGRESS_WAIT, end);
    }
    uint32_t ahead = (end - (uint32_t)now) & END_BITS;
    if (ahead <= WAIT_TICKS_MAX + 1)
        return now + ahead;
    return now - (((uint32_t)now - end) & END_BITS);
}

static int32_t sleep_for(struct process *self, struct time time)
{
    uint64_t ticks = time_to_ticks(time);
    if (ticks == 0)
        return 0;
    uint64_t deadline = wait_deadline(self, ticks);
    if (deadline > timer_ticks())
        return process_sleep(NULL, deadline);
    return 0;
}

/* Until CLOCK shows TIME: the clock itself tells when it is over. */
static int32_t sleep_until(const struct process *self, uint32_t clock, struct time time)
{
    struct time now;
    int32_t result = read_clock(self, clock, &now);
    if (result != 0)
        return result;
    if (!time_is_before(now, time))
        return 0;
    struct time rest = {time.seconds - now.seconds, time.nanoseconds};
    if (rest.nanoseconds < now.nanoseconds) {
        rest.seconds--;
        rest.nanoseconds += NS_PER_SECOND;
    }
    rest.nanoseconds -= now.nanoseconds;
    return process_sleep(NULL, timer_ticks() + time_to_ticks(rest) + 1);
}

SYSTEM_CALL(162, nanosleep)
{
    struct time time = {0, 0};
    int32_t result = time_read(ARG1, TIME_32, &time);
    return result != 0 ? result : sleep_for(self, time);
}

enum { TIMER_ABSTIME = 1 };

static int32_t clock_sleep(struct process *self, enum time_format format)
{
    uint32_t clock = ARG1;
    struct time time = {0, 0};
    if (clock == CLOCK_THREAD_CPUTIME_ID || clock >= CLOCKS)
        return -EINVAL;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
        return -EOPNOTSUPP;
    int32_t result = time_read(ARG3, format, &time);
    if (result != 0)
        return result;
    return (ARG2 & TIMER_ABSTIME) != 0 ? sleep_until(self, clock, time) : sleep_for(self, time);
}

SYSTEM_CALL(267, clock_nanosleep)
{
    return clock_sleep(self, TIME_32);
}

SYSTEM_CALL(407, clock_nanosleep_time64)
{
    return clock_sleep(self, TIME_64);
}

/* Where the call that SELF is in wants the rest of its time; 0: nowhere. */
static uint32_t rest_address(const struct process *self)
{
    if (self->call == 162)
        return ARG2;
    return (ARG2 & TIMER_ABSTIME) != 0 ? 0 : ARG4;
}

enum kerr time_sleep_interrupted(struct process *self, int32_t *result)
{
    uint32_t address = rest_address(self);
    *result = -EINTR;
    if (address == 0 || progress_of(self, PROGRESS_WAIT) == 0)
        return KERR_OK;
    uint64_t now = timer_ticks(), deadline = wait_deadline(self, 0);
    struct time rest = ticks_to_time(deadline > now ? deadline - now : 0);
    struct timespec_64 long_form = {(int64_t)rest.seconds, (int32_t)rest.nanoseconds, 0};
    struct timespec_32 short_form = {(int32_t)rest.seconds, (int32_t)rest.nanoseconds};
    bool is_long = self->call == 407;
    enum kerr error = is_long ? user_replace(address, &long_form, sizeof(long_form))
                              : user_replace(address, &short_form, sizeof(short_form));
    if (error_goes_by(error))
        return error;
    if (error != KERR_OK)
        *result = error == KERR_IO ? -EIO : -EFAULT;
    return KERR_OK;
}

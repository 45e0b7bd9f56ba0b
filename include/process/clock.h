/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layer 0, process. Used by: process/, file/ (times).
 *
 * Clocks as programs see them, and calls that wait for a time at the most.
 */
#ifndef PROCESS_CLOCK_H
#define PROCESS_CLOCK_H

#include <process/process.h>

struct time {
    uint64_t seconds;
    uint32_t nanoseconds; /* below 10^9 */
};

static inline bool time_is_before(struct time left, struct time right)
{
    return left.seconds < right.seconds ||
           (left.seconds == right.seconds && left.nanoseconds < right.nanoseconds);
}

/* Since the first process started; and since 1970, as the machine's clock says. */
struct time clock_monotonic(void);
struct time clock_real(void);

/* Both as they were at the last tick: never ahead of the others, and cheap. Times of files are such. */
struct time clock_monotonic_coarse(void);
struct time clock_real_coarse(void);

/* TIME in ticks, rounded up. */
uint64_t time_to_ticks(struct time time);
struct time ticks_to_time(uint64_t ticks);

/*
 * A call that sleeps for TICKS at the most is repeated when it wakes: the first time notes the end
 * as the call's progress (what is more than 124 days is cut), the next ones find it there. TICKS is
 * then not looked at.
 *   returns the deadline; at least as far as asked, since the tick that runs is not counted
 */
uint64_t wait_deadline(struct process *self, uint64_t ticks);

/* A struct timespec (or timespec64) of the program's: 0, -EINVAL, -EFAULT or a repetition. */
enum time_format { TIME_32, TIME_64 };
int32_t time_read(uint32_t address, enum time_format format, struct time *time) must_check;
int32_t time_write(uint32_t address, enum time_format format, struct time time) must_check;

#endif

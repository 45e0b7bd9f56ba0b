/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layer 0. Used by: process/, file/, program/init.c, prompt/attention.c, prompt/commands_watch.c.
 *
 * Time in ticks: the PIT ticks TIMER_HZ times a second from the first process on. Deadlines of
 * sleepers, and the end of a time slice, hang on it.
 */
#ifndef PROCESS_TIMER_H
#define PROCESS_TIMER_H

#include <arch/i386/cpu.h>
#include <process/process.h>

enum { TIMER_HZ = 100, TIMER_TICK_NS = 1000000000 / TIMER_HZ };

/* Ticks since the timer started; 0 before. */
uint64_t timer_ticks(void);

uint32_t timer_clock_of_pit(void);

/*
 * A clock finer than the ticks, for the time between two moments that are less than half a second
 * apart; and how far it runs in a tick, about.
 */
static inline uint32_t timer_clock(void)
{
    return cpu_features.tsc ? (uint32_t)cpu_cycles() : timer_clock_of_pit();
}
uint32_t timer_clocks_in_tick(void);

/*
 * In the middle of a tick, which has done DONE of what is due: so many QUARTERs of a tick's time
 * are gone since it began, and the rest is left to the next one. So a tick is a short event,
 * however many wait for one moment; and as many timers as there can be leave half of the time to
 * the programs.
 */
enum quarter { QUARTER_OF_SLEEPS = 1, QUARTER_OF_ALARMS };
bool timer_tick_is_used_up(uint32_t done, enum quarter quarter);

/* Let it tick, if it does not. */
void timer_start(void);

/* PROCESS, whose deadline is set, wakes when it has passed; timer_remove: or not. */
void timer_add(struct process *process);
void timer_remove(struct process *process);

#endif

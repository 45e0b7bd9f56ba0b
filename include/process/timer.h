/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layer 0. Used by: process/.
 *
 * Time in ticks: the PIT ticks TIMER_HZ times a second from the first process on. Deadlines of
 * sleepers, and the end of a time slice, hang on it.
 */
#ifndef PROCESS_TIMER_H
#define PROCESS_TIMER_H

#include <process/process.h>

enum { TIMER_HZ = 100, TIMER_TICK_NS = 1000000000 / TIMER_HZ };

/* Ticks since the timer started; 0 before. */
uint64_t timer_ticks(void);

/* Let it tick, if it does not. */
void timer_start(void);

/* PROCESS, whose deadline is set, wakes when it has passed; timer_remove: or not. */
void timer_add(struct process *process);
void timer_remove(struct process *process);

#endif

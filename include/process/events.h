/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layer 0. Used by: process/, file/proc_process.c.
 *
 * How long the longest events are: the stretches from a way into the kernel, or from a point where
 * interrupts could come, to the next such point or to the return. With the option `events` each is
 * measured, and the longest of each system call is printed when process 1 ends.
 *
 * Without it nothing is done at a system call: with it the table of calls and the way out are
 * others (events.c). What stays are the tests below, where the way out lets interrupts in.
 */
#ifndef PROCESS_EVENTS_H
#define PROCESS_EVENTS_H

#include <kernel/types.h>

/* The calls and the way out are there: measure them from here on, if that was asked for. */
void events_begin(void);

extern bool events_are_measured;

/* For below. */
void events_cut(void);
void events_close(void);
void events_open_tick(void);
void events_close_tick(void);

/* Interrupts could come: one event ends here, and the next one begins. */
static inline void event_is_cut(void)
{
    if (unlikely(events_are_measured))
        events_cut();
}

/* The kernel waits now; nothing runs. Then event_is_cut(). */
static inline void event_ends(void)
{
    if (unlikely(events_are_measured))
        events_close();
}

/* The timer's interrupt came, from wherever; and it has been served. */
static inline void event_begins_with_tick(void)
{
    if (unlikely(events_are_measured))
        events_open_tick();
}
static inline void event_ends_with_tick(void)
{
    if (unlikely(events_are_measured))
        events_close_tick();
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: list, process. Used by: schedule.c, its tests.
 *
 * Whose turn it is. Time goes in rounds, and in a round each process may run for one slice, in one
 * piece or in many:
 *
 *     woken    those that slept, or begin, and have some of their slice left    first in, first out
 *     waiting  those that have some left and did not sleep                      behind them
 *     done     those that have had their slice: the next round's                behind all
 *
 * So who uses less than its share never waits for those that compute, and never for longer than the
 * others of its kind run; and nobody waits for more than one slice of each other process, however
 * often those sleep, yield or fork. The credit of a sleeper is at most the slice of one round.
 *
 * Time is in clocks, whatever they are: this knows none. What runs over the end of its slice (an
 * event is not interrupted) is short of it in the next round.
 */
#ifndef PROCESS_TURNS_H
#define PROCESS_TURNS_H

#include <process/process.h>

struct turns {
    struct list woken, waiting, done;
    uint32_t round;
    int32_t slice; /* clocks */
};

/* The slice may be changed at any time: it counts from the next round on. */
void turns_init(struct turns *turns, int32_t slice);

/* PROCESS, in no queue, wakes or begins. Another round's slice is looked at more closely. */
void turns_wake_anew(struct turns *turns, struct process *process);
static inline void turns_wake(struct turns *turns, struct process *process)
{
    if (process->round == turns->round)
        list_add_last(&turns->woken, &process->queue);
    else
        turns_wake_anew(turns, process);
}

/* PROCESS ran for CLOCKS. */
static inline void turns_charge(struct process *process, uint32_t clocks)
{
    process->slice_left -= (int32_t)clocks;
}

/* PROCESS, charged, is not the one that runs any more; if it could go on it waits for its turn. */
void turns_put_back(struct turns *turns, struct process *process);
static inline void turns_leave(struct turns *turns, struct process *process)
{
    if (process->slice_left <= 0 || process->state == PROCESS_RUNNABLE)
        turns_put_back(turns, process);
}

/* The process whose turn it is, taken out; or NULL. */
struct process *turns_take_waiting(struct turns *turns);
static inline struct process *turns_take(struct turns *turns)
{
    struct list *first = turns->woken.next;
    if (first == &turns->woken)
        return turns_take_waiting(turns);
    list_remove(first);
    return container_of(first, struct process, queue);
}

/* PROCESS, which runs and is charged, is to make room for another. */
bool turns_is_over(struct turns *turns, struct process *process);

/* PROCESS gives up what it has left: all others come first. */
void turns_give_up(struct process *process);

/*
 * CHILD begins. If its PARENT (or NULL) has much left, with half of that, and its end gives back
 * what it has not used; else in the next round. So a round has an end, whoever forks, and forks
 * cost a parent at most three quarters of its slice.
 */
void turns_divide(struct turns *turns, struct process *parent, struct process *child);
void turns_return(const struct turns *turns, struct process *parent, const struct process *child);

#endif

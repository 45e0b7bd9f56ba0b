/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: list, process. Used by: schedule.c, its tests.
 *
 * Whose turn it is. Time goes in rounds, and in a round each process may run for one slice, in one
 * piece or in many:
 *
 *     woken    those that have slept, or begun, in this round    the lightest first
 *     waiting  those that have not                               behind them
 *     done     those that have had their slice                   the next round's
 *
 * A process is as heavy as the most that it used of one slice: of this one, so far; or of an
 * earlier one, halved for each other slice that it was given in between. Who begins is heavier than
 * its parent. The woken wait in levels, four from each weight to its double. In a level the first
 * comes first; whom a tick interrupts there for another falls to the next one, until it sleeps.
 *
 * So who wakes waits for what runs, until the next tick, and for those that are not heavier, by
 * level; never for those that have had more, however they compute, sleep, yield or fork. Who needs
 * less than its slice in each round therefore runs within two slices of waking, if those that are
 * as light as it and want to run at once need less than that together.
 *
 * A round ends when all have had their slice, or nobody wants to run: so nobody starves, and the
 * credit of a sleeper is at most the slice of one round. The next round begins with those that
 * slept after their slice, and woke; of those that wait, the ones that were woken come first.
 *
 * Time is in clocks, whatever they are: this knows none. What runs over the end of its slice (an
 * event is not interrupted) is short of it in the next round.
 */
#ifndef PROCESS_TURNS_H
#define PROCESS_TURNS_H

#include <process/process.h>

enum { TURNS_LEVELS = 30, TURNS_WAITING = TURNS_LEVELS, TURNS_NOBODY };

struct turns {
    struct list queues[TURNS_NOBODY + 1];     /* the woken, by level; the waiting; always empty */
    struct list done, done_woken, done_slept; /* were waiting; were woken; slept since, and woke */
    uint32_t ready; /* bit N is 0: queue N is empty; that of TURNS_NOBODY is 1 */
    uint32_t round;
    int32_t slice; /* clocks */
};

/* The slice may be changed at any time: it counts from the next round on. */
void turns_init(struct turns *turns, int32_t slice);

/* PROCESS's level is right: it waits there. */
static inline void turns_add(struct turns *turns, struct process *process)
{
    list_add_last(&turns->queues[process->level], &process->queue);
    turns->ready |= 1u << process->level;
}

/* PROCESS, in no queue, wakes or begins. Another round's slice is looked at more closely. */
void turns_wake_anew(struct turns *turns, struct process *process);
static inline void turns_wake(struct turns *turns, struct process *process)
{
    if (process->round == turns->round)
        turns_add(turns, process);
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
    if (process->slice_left <= process->level_end || process->state == PROCESS_RUNNABLE)
        turns_put_back(turns, process);
}

/* The process whose turn it is, taken out; or NULL. */
struct process *turns_take_behind(struct turns *turns);
static inline struct process *turns_take(struct turns *turns)
{
    struct list *queue = &turns->queues[__builtin_ctz(turns->ready)], *first = queue->next;
    if (first == queue)
        return turns_take_behind(turns);
    list_remove_first(queue);
    if (likely(list_is_empty(queue)))
        turns->ready &= turns->ready - 1;
    return container_of(first, struct process, queue);
}

/* PROCESS, which runs and is charged, is to make room for another. */
bool turns_is_over(struct turns *turns, struct process *process);

/* PROCESS gives up what it has left: all others come first. */
void turns_give_up(struct process *process);

/*
 * CHILD begins. If its PARENT (or NULL) has much left, with half of that, and its end gives back
 * what it has not used; else in the next round. So a round has an end, whoever forks, and forks
 * cost a parent at most three quarters of its slice. CHILD's weight is half-way from its parent's
 * (nobody's: 0) to a whole slice.
 */
void turns_divide(struct turns *turns, struct process *parent, struct process *child);
void turns_return(const struct turns *turns, struct process *parent, const struct process *child);

#endif

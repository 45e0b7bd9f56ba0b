/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Rounds and slices (turns.h).
 *
 * A record says in which round its `slice_left` may be used. It is brought up to date when it is
 * looked at: a round costs nothing for those that sleep through it.
 */
#include "turns.h"

#include <kernel/list.h>

/* Of a slice: what is left after a debt; and what a parent must have to give a child half of it. */
enum { LEAST_PART = 32, DIVISIBLE_PART = 2 };

void turns_init(struct turns *turns, int32_t slice)
{
    list_init(&turns->woken);
    list_init(&turns->waiting);
    list_init(&turns->done);
    turns->round = 0;
    turns->slice = slice;
}

/* A round that has gone by: what was left of its slice is gone as well. */
static void bring_up_to_date(const struct turns *turns, struct process *process)
{
    if ((int32_t)(process->round - turns->round) >= 0)
        return;
    process->round = turns->round;
    process->slice_left = turns->slice;
}

/* The slice is used up: the next round has another one, less what was too much. */
static void expire(const struct turns *turns, struct process *process)
{
    int32_t least = turns->slice / LEAST_PART;
    process->round = turns->round + 1;
    process->slice_left += turns->slice;
    if (process->slice_left < least)
        process->slice_left = least;
}

static bool is_done(const struct turns *turns, const struct process *process)
{
    return process->round != turns->round;
}

void turns_wake_anew(struct turns *turns, struct process *process)
{
    bring_up_to_date(turns, process);
    list_add_last(is_done(turns, process) ? &turns->done : &turns->woken, &process->queue);
}

void turns_put_back(struct turns *turns, struct process *process)
{
    if (process->slice_left <= 0)
        expire(turns, process);
    if (process->state != PROCESS_RUNNABLE)
        return;
    if (is_done(turns, process))
        list_add_last(&turns->done, &process->queue);
    else
        list_add_first(&turns->waiting, &process->queue);
}

static bool nobody_waits(const struct turns *turns)
{
    return list_is_empty(&turns->woken) && list_is_empty(&turns->waiting) &&
           list_is_empty(&turns->done);
}

/* All have had their slice: those that wait for the next round are those of this one. */
static void begin_round(struct turns *turns)
{
    turns->round++;
    list_add_before(&turns->done, &turns->waiting);
    list_remove(&turns->done);
}

struct process *turns_take_waiting(struct turns *turns)
{
    if (list_is_empty(&turns->waiting)) {
        if (list_is_empty(&turns->done))
            return NULL;
        begin_round(turns);
    }
    struct list *first = turns->waiting.next;
    list_remove(first);
    return container_of(first, struct process, queue);
}

bool turns_is_over(struct turns *turns, struct process *process)
{
    bool is_used_up = process->slice_left <= 0;
    if (!nobody_waits(turns))
        return is_used_up || !list_is_empty(&turns->woken);
    if (is_used_up) { /* alone, it goes on in a round of its own */
        turns->round++;
        bring_up_to_date(turns, process);
    }
    return false;
}

void turns_give_up(struct process *process)
{
    if (process->slice_left > 0)
        process->slice_left = 0;
}

void turns_divide(struct turns *turns, struct process *parent, struct process *child)
{
    child->round = turns->round;
    child->slice_left = turns->slice;
    if (parent == NULL)
        return;
    bring_up_to_date(turns, parent);
    if (parent->slice_left >= turns->slice / DIVISIBLE_PART) {
        child->round = parent->round;
        child->slice_left = parent->slice_left /= 2;
    } else {
        child->round = turns->round + 1;
    }
}

void turns_return(const struct turns *turns, struct process *parent, const struct process *child)
{
    if (parent == NULL || parent->round != child->round || child->slice_left <= 0)
        return;
    parent->slice_left += child->slice_left;
    if (parent->slice_left > turns->slice)
        parent->slice_left = turns->slice;
}

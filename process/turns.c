/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Rounds and slices (turns.h).
 *
 * A record says in which round its `slice_left` may be used. It is brought up to date when it is
 * looked at: a round costs nothing for those that sleep through it. Likewise a level is found anew
 * only when less is left than `level_end`.
 */
#include "turns.h"

#include <kernel/list.h>

/* Of a slice: what is left after a debt; and what a parent must have to give a child half of it. */
enum { LEAST_PART = 32, DIVISIBLE_PART = 2 };

/* The last level is that of 7/8 of a slice and more; 6/8, 5/8, 4/8, their halves and so on lead up
 * to it. So many halvings are told apart. */
enum { LAST_LEVEL = TURNS_LEVELS - 1, HALVINGS = 7 };

void turns_init(struct turns *turns, int32_t slice)
{
    for (unsigned i = 0; i <= TURNS_NOBODY; i++)
        list_init(&turns->queues[i]);
    list_init(&turns->done);
    list_init(&turns->done_woken);
    list_init(&turns->done_slept);
    turns->ready = 1u << TURNS_NOBODY;
    turns->round = 0;
    turns->slice = slice;
}

/* ---- weights and levels ---- */

static int32_t weight_of(const struct process *process)
{
    int32_t used = process->slice_given - process->slice_left;
    return used > process->past_weight ? used : process->past_weight;
}

/* PROCESS sleeps, wakes or begins: its level is right until it has used more. */
static void find_level(const struct turns *turns, struct process *process)
{
    uint32_t slice = (uint32_t)turns->slice, weight = (uint32_t)weight_of(process);
    uint32_t halvings = 0;
    while (weight < slice / 2 && halvings < HALVINGS) {
        weight *= 2;
        halvings++;
    }
    uint32_t eighths = weight < slice ? weight * 8 / slice : 7;
    uint32_t below_last = 4 * halvings + 7 - eighths;
    process->level = below_last < LAST_LEVEL ? LAST_LEVEL - below_last : 0;
    int32_t end = process->slice_given - (int32_t)(slice * (eighths + 1) / 8 >> halvings);
    process->level_end = below_last != 0 && end > 0 ? end : 0;
}

/* PROCESS goes on: its level is not below LEAST, if there is that, until it sleeps. */
static void raise_level(const struct turns *turns, struct process *process, uint32_t least)
{
    find_level(turns, process);
    if (process->level < least)
        process->level = least < LAST_LEVEL ? least : LAST_LEVEL;
    process->level_end = INT32_MAX;
}

/* PROCESS is none of the woken until it sleeps. */
static void leave_levels(struct process *process)
{
    process->level = TURNS_WAITING;
    process->level_end = INT32_MAX;
}

/* ---- rounds ---- */

static bool is_done(const struct turns *turns, const struct process *process)
{
    return process->round == turns->round + 1;
}

/* PROCESS gets a slice, of SLICE clocks, for ROUND. What it used of the one before stays known. */
static void give_slice(struct process *process, int32_t slice, uint32_t round)
{
    process->past_weight /= 2;
    process->past_weight = weight_of(process);
    process->round = round;
    process->slice_left = process->slice_given = slice;
}

/* A round that has gone by: what was left of its slice is gone as well. */
static __attribute__((noinline)) void enter_round(const struct turns *turns,
                                                  struct process *process)
{
    give_slice(process, turns->slice, turns->round);
    find_level(turns, process);
}

static void bring_up_to_date(const struct turns *turns, struct process *process)
{
    if (process->round != turns->round && !is_done(turns, process))
        enter_round(turns, process);
}

/* The slice is used up: the next round has another one, less what was too much. */
static void expire(const struct turns *turns, struct process *process)
{
    int32_t next = turns->slice + process->slice_left, least = turns->slice / LEAST_PART;
    give_slice(process, next > least ? next : least, turns->round + 1);
}

/* All have had their slice: those that wait for the next round are those of this one. */
static void begin_round(struct turns *turns)
{
    turns->round++;
    list_append(&turns->queues[TURNS_WAITING], &turns->done_woken);
    list_append(&turns->queues[TURNS_WAITING], &turns->done);
    list_append(&turns->queues[LAST_LEVEL], &turns->done_slept);
    turns->ready |= 1u << TURNS_WAITING | 1u << LAST_LEVEL;
}

/* ---- queues ---- */

/* The first queue that somebody is in, or TURNS_NOBODY. */
static uint32_t first_queue(struct turns *turns)
{
    for (;;) {
        uint32_t first = (uint32_t)__builtin_ctz(turns->ready);
        if (first == TURNS_NOBODY || !list_is_empty(&turns->queues[first]))
            return first;
        turns->ready &= turns->ready - 1; /* who was there has been taken out by others */
    }
}

void turns_wake_anew(struct turns *turns, struct process *process)
{
    bring_up_to_date(turns, process);
    if (!is_done(turns, process)) {
        turns_add(turns, process);
    } else if (process->level == TURNS_WAITING) {
        list_add_last(&turns->done, &process->queue);
    } else {
        raise_level(turns, process, LAST_LEVEL);
        list_add_last(&turns->done_slept, &process->queue);
    }
}

void turns_put_back(struct turns *turns, struct process *process)
{
    if (process->slice_left <= 0)
        expire(turns, process);
    if (process->state != PROCESS_RUNNABLE) {
        find_level(turns, process);
    } else if (is_done(turns, process)) {
        bool was_woken = process->level != TURNS_WAITING;
        leave_levels(process);
        list_add_last(was_woken ? &turns->done_woken : &turns->done, &process->queue);
    } else if (process->level == TURNS_WAITING) { /* the first of them, as before */
        list_add_first(&turns->queues[TURNS_WAITING], &process->queue);
        turns->ready |= 1u << TURNS_WAITING;
    } else {
        raise_level(turns, process, process->level + 1);
        turns_add(turns, process);
    }
}

struct process *turns_take_behind(struct turns *turns)
{
    if (first_queue(turns) == TURNS_NOBODY) {
        begin_round(turns);
        if (first_queue(turns) == TURNS_NOBODY)
            return NULL;
    }
    return turns_take(turns);
}

bool turns_is_over(struct turns *turns, struct process *process)
{
    bool is_used_up = process->slice_left <= 0;
    uint32_t first = first_queue(turns);
    if (first == TURNS_NOBODY && list_is_empty(&turns->done) && list_is_empty(&turns->done_woken) &&
        list_is_empty(&turns->done_slept)) {
        if (is_used_up) { /* alone, it goes on in a round of its own */
            turns->round++;
            bring_up_to_date(turns, process);
            leave_levels(process);
        }
        return false;
    }
    if (process->level != TURNS_WAITING)
        raise_level(turns, process, process->level);
    return is_used_up || (first < TURNS_WAITING && first <= process->level);
}

void turns_give_up(struct process *process)
{
    if (process->slice_left > 0)
        process->slice_left = 0;
}

void turns_divide(struct turns *turns, struct process *parent, struct process *child)
{
    int32_t slice = turns->slice, weight = 0;
    uint32_t round = turns->round;
    if (parent != NULL) {
        bring_up_to_date(turns, parent);
        weight = weight_of(parent);
        if (parent->slice_left >= slice / DIVISIBLE_PART) {
            slice = parent->slice_left / 2;
            round = parent->round;
            parent->slice_left -= slice;
            parent->slice_given -= slice;
        } else {
            round++;
        }
    }
    child->round = round;
    child->slice_left = child->slice_given = slice;
    child->past_weight = (weight + turns->slice) / 2;
    if (is_done(turns, child))
        leave_levels(child);
    else
        find_level(turns, child);
}

void turns_return(const struct turns *turns, struct process *parent, const struct process *child)
{
    if (parent == NULL || parent->round != child->round || child->slice_left <= 0)
        return;
    parent->slice_left += child->slice_left;
    parent->slice_given += child->slice_left;
    if (parent->level != TURNS_WAITING)
        find_level(turns, parent);
}

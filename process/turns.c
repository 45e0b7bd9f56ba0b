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
    for (unsigned i = 0; i <= TURNS_WAITING; i++)
        list_init(&turns->queues[i]);
    list_init(&turns->done);
    turns->ready = 1u << TURNS_WAITING;
    turns->round = 0;
    turns->slice = slice;
}

/* ---- weights and levels ---- */

static int32_t weight_of(const struct turns *turns, const struct process *process)
{
    int32_t used = turns->slice - process->slice_left;
    return used > process->past_weight ? used : process->past_weight;
}

/* PROCESS sleeps, wakes or begins: its level is right until it has used more. */
static void find_level(const struct turns *turns, struct process *process)
{
    uint32_t slice = (uint32_t)turns->slice, weight = (uint32_t)weight_of(turns, process);
    uint32_t halvings = 0;
    while (weight < slice / 2 && halvings < HALVINGS) {
        weight *= 2;
        halvings++;
    }
    uint32_t eighths = weight < slice ? weight * 8 / slice : 7;
    uint32_t below_last = 4 * halvings + 7 - eighths;
    process->level = below_last < LAST_LEVEL ? LAST_LEVEL - below_last : 0;
    process->level_end =
        below_last == 0 ? 0 : (int32_t)(slice - (slice * (eighths + 1) / 8 >> halvings));
}

/* PROCESS goes on: its level is not below LEAST until it sleeps. */
static void raise_level(const struct turns *turns, struct process *process, uint32_t least)
{
    find_level(turns, process);
    if (process->level < least)
        process->level = least;
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

/* The last round that PROCESS ran in is over. */
static void remember_weight(const struct turns *turns, struct process *process)
{
    int32_t used = turns->slice - process->slice_left;
    process->past_weight /= 2;
    if (process->past_weight < used)
        process->past_weight = used;
}

/* A round that has gone by: what was left of its slice is gone as well. */
static void bring_up_to_date(const struct turns *turns, struct process *process)
{
    if (process->round == turns->round || is_done(turns, process))
        return;
    remember_weight(turns, process);
    process->round = turns->round;
    process->slice_left = turns->slice;
}

/* The slice is used up: the next round has another one, less what was too much. */
static void expire(const struct turns *turns, struct process *process)
{
    int32_t least = turns->slice / LEAST_PART;
    remember_weight(turns, process);
    process->round = turns->round + 1;
    process->slice_left += turns->slice;
    if (process->slice_left < least)
        process->slice_left = least;
}

/* All have had their slice: those that wait for the next round are those of this one. */
static void begin_round(struct turns *turns)
{
    turns->round++;
    list_add_before(&turns->done, &turns->queues[TURNS_WAITING]);
    list_remove(&turns->done);
}

/* ---- queues ---- */

/* The level of those whose turn is next; TURNS_WAITING, if none of the woken is there. */
static uint32_t first_level(struct turns *turns)
{
    for (;;) {
        uint32_t level = (uint32_t)__builtin_ctz(turns->ready);
        if (level == TURNS_WAITING || !list_is_empty(&turns->queues[level]))
            return level;
        turns->ready &= turns->ready - 1; /* who was there has been taken out by others */
    }
}

void turns_wake_anew(struct turns *turns, struct process *process)
{
    bring_up_to_date(turns, process);
    if (is_done(turns, process)) {
        leave_levels(process);
        list_add_last(&turns->done, &process->queue);
    } else {
        find_level(turns, process);
        turns_add(turns, process);
    }
}

void turns_put_back(struct turns *turns, struct process *process)
{
    if (process->slice_left <= 0)
        expire(turns, process);
    if (process->state != PROCESS_RUNNABLE) {
        find_level(turns, process);
    } else if (is_done(turns, process)) {
        leave_levels(process);
        list_add_last(&turns->done, &process->queue);
    } else if (process->level == TURNS_WAITING) {
        list_add_first(&turns->queues[TURNS_WAITING], &process->queue);
    } else {
        uint32_t next = process->level + 1;
        raise_level(turns, process, next < LAST_LEVEL ? next : LAST_LEVEL);
        turns_add(turns, process);
    }
}

struct process *turns_take_behind(struct turns *turns)
{
    if (first_level(turns) == TURNS_WAITING && list_is_empty(&turns->queues[TURNS_WAITING])) {
        begin_round(turns);
        if (list_is_empty(&turns->queues[TURNS_WAITING]))
            return NULL;
    }
    return turns_take(turns);
}

static bool nobody_waits(struct turns *turns)
{
    return first_level(turns) == TURNS_WAITING && list_is_empty(&turns->queues[TURNS_WAITING]) &&
           list_is_empty(&turns->done);
}

bool turns_is_over(struct turns *turns, struct process *process)
{
    bool is_used_up = process->slice_left <= 0;
    if (nobody_waits(turns)) {
        if (is_used_up) { /* alone, it goes on in a round of its own */
            turns->round++;
            bring_up_to_date(turns, process);
            leave_levels(process);
        }
        return false;
    }
    if (process->level != TURNS_WAITING)
        raise_level(turns, process, process->level);
    uint32_t level = first_level(turns);
    return is_used_up || (level < TURNS_WAITING && level <= process->level);
}

void turns_give_up(struct process *process)
{
    if (process->slice_left > 0)
        process->slice_left = 0;
}

void turns_divide(struct turns *turns, struct process *parent, struct process *child)
{
    int32_t weight = 0;
    child->round = turns->round;
    child->slice_left = turns->slice;
    if (parent != NULL) {
        bring_up_to_date(turns, parent);
        if (parent->slice_left >= turns->slice / DIVISIBLE_PART) {
            child->round = parent->round;
            child->slice_left = parent->slice_left /= 2;
        } else {
            child->round = turns->round + 1;
        }
        weight = weight_of(turns, parent);
    }
    child->past_weight = (weight + turns->slice) / 2;
    find_level(turns, child);
}

void turns_return(const struct turns *turns, struct process *parent, const struct process *child)
{
    if (parent == NULL || parent->round != child->round || child->slice_left <= 0)
        return;
    parent->slice_left += child->slice_left;
    if (parent->slice_left > turns->slice)
        parent->slice_left = turns->slice;
    if (parent->level != TURNS_WAITING)
        find_level(turns, parent);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layer 0, process. Used by: process/, file/, program/.
 *
 * System calls that are repeated, and what they remember of themselves.
 *
 * A call that can't go on now returns process_sleep(), process_out_of_memory() or call_continue().
 * The way out (process/schedule.c) calls its handler again, with the same registers, as soon as
 * what it waits for is there; no instruction of the program runs in between. Whatever the handler
 * has done for good by then, it notes here, and finds it again when it is repeated.
 *
 * Progress belongs to one call. It is there while that call is repeated, and is dropped by the way
 * out when the call ends: with a result, an error, a handler, execve, or the end of the process. So
 * a call that runs for the first time finds none, and no handler clears any. A handler that is
 * repeated for a reason of its own (a frame that was lacking) finds what it noted before.
 *
 * All else is done anew: the arguments' memory is read again, and may say something else by then.
 * What a handler derives from it is checked in each repetition as if it were the first.
 */
#ifndef PROCESS_REPEAT_H
#define PROCESS_REPEAT_H

#include <process/process.h>

/*
 * What the call runs for at the most before the way out is asked: pages to be moved or made, and
 * bytes. A piece is far shorter than a tick on any machine with paging, and a thousand times longer
 * than it takes to repeat a call.
 */
enum { CALL_PIECE_PAGES = 64, CALL_PIECE_BYTES = CALL_PIECE_PAGES * PAGE_BYTES };

/* The call of SELF has noted VALUE so far; 0: no progress of that kind. */
static inline uint32_t progress_of(const struct process *self, enum progress_kind kind)
{
    return self->progress.kind == kind ? self->progress.value : 0;
}

/* SELF's call notes VALUE instead of what it noted before, or held (call_hold()); a call that ends all the same has
 * noted nothing. */
void progress_note(struct process *self, enum progress_kind kind, uint32_t value);

/*
 * What a call holds while it sleeps, and is lost when it ends before it has come so far: an end of a named
 * pipe that waits for the other. In the record of whoever holds it.
 */
struct call_holding {
    void (*drop)(struct call_holding *holding);
};

/* SELF's call holds HOLDING, until it is taken from it again or dropped. call_held(): what a call that is
 * repeated holds, or NULL. */
void call_hold(struct process *self, struct call_holding *holding);
struct call_holding *call_held(const struct process *self);
void call_take(struct process *self);

/*
 * The current process, SELF, has done a piece of its call and is to go on: it notes VALUE, and
 * repeats the call after interrupts, keys, signals and the processes whose turn it is. The handler
 * returns what this returns.
 */
int32_t call_continue(struct process *self, enum progress_kind kind, uint32_t value) must_check;

/* SELF's call is to be repeated; the caller requests the way out. Returned as above. */
static inline int32_t must_check call_repeat_later(struct process *self)
{
    self->is_in_call = IN_CALL;
    if (likely(self->goes_on_in == NULL))
        self->call = self->frame.eax;
    return (int32_t)self->frame.eax;
}

/*
 * SELF's call has its result, which the handler returns; before the program sees it, HANDLER does
 * the rest in pieces, called as a repeated call. It returns frame->eax if the result stays. Only
 * with PROGRESS_STEPS.
 */
void call_go_on_in(struct process *self, system_call_t *handler, enum progress_kind kind,
                   uint32_t value);

/* SELF has a call that is to be repeated. */
static inline bool call_is_repeated(const struct process *self)
{
    return self->is_in_call != IN_NO_CALL;
}

/* For the way out: if SELF's call has ended, nothing of it stays. */
void call_ended(struct process *self);
static inline void call_look_after(struct process *self)
{
    if (unlikely((self->progress.kind | self->restore_blocked) != 0) && !call_is_repeated(self))
        call_ended(self);
}

/* Bytes that were moved are the result, whatever ends the call then. */
int32_t call_result_with_bytes(const struct process *self, int32_t result);

/* For the way out: repeat SELF's call. In the header, since a pipe's speed hangs on it. */
static inline void call_repeat(struct process *self)
{
    int32_t result;
    self->is_in_call = IN_NO_CALL;
    self->is_woken = 0;
    if (likely(self->goes_on_in == NULL)) {
        self->frame.eax = self->call; /* whatever it returned the last time */
        result = trap_system_calls[self->call](&self->frame);
    } else {
        result = self->goes_on_in(&self->frame);
    }
    if (unlikely(self->progress.kind == PROGRESS_BYTES))
        result = call_result_with_bytes(self, result);
    self->frame.eax = (uint32_t)result;
    call_look_after(self);
}

/* SELF's call ends with RESULT, since a handler comes in between; or begins anew behind it. */
void call_end(struct process *self, int32_t result);
void call_begin_anew(struct process *self);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. System calls that are repeated, and their progress (repeat.h).
 *
 * `is_in_call` in the record says that its call is to be repeated, and is the one mark that
 * progress is valid. The registers stay as the program left them, EIP behind the int 0x80; but EAX
 * may hold the result already, when the call goes on in another handler.
 */
#include <process/repeat.h>

#include <process/schedule.h>
#include <process/signal.h>

enum { INT_0X80_BYTES = 2 };

/* What SELF's call notes from here on is something else: what it held is not taken any more. */
static void drop_held(struct process *self)
{
    if (self->progress.kind != PROGRESS_HOLDS)
        return;
    struct call_holding *holding = (struct call_holding *)(uintptr_t)self->progress.value;
    self->progress.kind = PROGRESS_NONE;
    holding->drop(holding);
}

void progress_note(struct process *self, enum progress_kind kind, uint32_t value)
{
    drop_held(self);
    self->progress.kind = kind;
    self->progress.value = value;
    process_request_leave(); /* where it is dropped if the call ends */
}

int32_t call_continue(struct process *self, enum progress_kind kind, uint32_t value)
{
    progress_note(self, kind, value);
    return call_repeat_later(self); /* the way out is requested */
}

void call_go_on_in(struct process *self, system_call_t *handler, enum progress_kind kind,
                   uint32_t value)
{
    self->goes_on_in = handler;
    int32_t ignored = call_continue(self, kind, value); /* the result is in EAX, and stays there */
    (void)ignored;
}

/* What a call leaves behind that has come to its end. */
static void forget(struct process *self)
{
    self->is_in_call = IN_NO_CALL;
    self->goes_on_in = NULL;
    drop_held(self);
    self->progress.kind = PROGRESS_NONE;
    self->progress.flushing[0] = self->progress.flushing[1] = 0;
}

void call_hold(struct process *self, struct call_holding *holding)
{
    progress_note(self, PROGRESS_HOLDS, (uint32_t)(uintptr_t)holding);
}

struct call_holding *call_held(const struct process *self)
{
    return (struct call_holding *)(uintptr_t)progress_of(self, PROGRESS_HOLDS);
}

void call_take(struct process *self)
{
    self->progress.kind = PROGRESS_NONE;
}

void call_ended(struct process *self)
{
    forget(self);
    if (self->restore_blocked) { /* the mask was the call's */
        self->restore_blocked = 0;
        signal_set_blocked(self, self->signals_to_restore);
    }
}

int32_t call_result_with_bytes(const struct process *self, int32_t result)
{
    int32_t moved = (int32_t)progress_of(self, PROGRESS_BYTES);
    return !call_is_repeated(self) && result < moved ? moved : result;
}

void call_end(struct process *self, int32_t result)
{
    forget(self);
    self->frame.eax = (uint32_t)result;
}

void call_begin_anew(struct process *self)
{
    self->frame.eip -= INT_0X80_BYTES;
    call_end(self, (int32_t)self->call);
}

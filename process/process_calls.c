/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. System calls that make and end processes. For waiting see wait_calls.c.
 *
 * fork, vfork and clone are one: flags say what the child shares with its parent. Threads are not
 * supported: what a child may share is its memory (CLONE_VM), as posix_spawn() wants it.
 * Source: Linux manual pages fork(2), vfork(2), clone(2), _exit(2).
 */
#include <kernel/string.h>
#include <process/part.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <process/system_call.h>

/* ---- fork ---- */

/* What a child has of its parent beside its parts. */
static void copy_plain_fields(struct process *child, const struct process *parent,
                              const struct clone_wish *wish)
{
    child->frame = parent->frame;
    child->frame.eax = 0;
    if (wish->stack != 0)
        child->frame.user_esp = wish->stack;
    child->exit_signal = wish->flags & CLONE_EXIT_SIGNAL;
    child->group = parent->group;
    child->session = parent->session;
    if (wish->flags & CLONE_CHILD_CLEARTID)
        child->clear_tid = wish->child_tid;
    memcpy(child->name, parent->name, sizeof(child->name));
}

/*
 * The child finds its own number in its memory. Where it may not write it is not told. Returns 0, or
 * a repetition: the page has to come first, or a frame.
 */
static int32_t tell_child(const struct process *child, uint32_t address)
{
    struct space *mine = space_current();
    space_switch(&child->memory->space);
    enum kerr error = user_replace(address, &child->pid, sizeof(child->pid));
    space_switch(mine);
    return error_goes_by(error) ? user_access_failed(error) : 0;
}

/* The child is complete when this ends; nothing of it was seen by a program yet. */
static int32_t build_child(struct process *child, struct process *parent,
                           const struct clone_wish *wish)
{
    copy_plain_fields(child, parent, wish);
    int32_t answer = process_parts_fork(parent, child, wish);
    if (answer == 0 && (wish->flags & CLONE_PARENT_SETTID))
        answer = answer_prepare(wish->parent_tid, sizeof(child->pid));
    if (answer == 0 && (wish->flags & CLONE_CHILD_SETTID))
        answer = tell_child(child, wish->child_tid);
    if (answer == 0 && (wish->flags & CLONE_PARENT_SETTID))
        answer_tell(wish->parent_tid, &child->pid, sizeof(child->pid));
    return answer;
}

static int32_t clone(struct process *self, const struct clone_wish *wish)
{
    struct process *child;
    if (process_count() >= self->limits->pair[LIMIT_NPROC].soft)
        return -EAGAIN;
    enum kerr error = process_create(self, &child);
    if (error != KERR_OK)
        return error == KERR_NO_ROOM ? -EAGAIN : process_lacks_frames(-ENOMEM);
    int32_t answer = build_child(child, self, wish);
    if (answer != 0) {
        process_discard(child);
        return answer == -ENOMEM ? process_lacks_frames(answer) : answer;
    }
    process_start(child);
    if (wish->flags & CLONE_VFORK) {
        child->is_vfork_child = 1;
        process_sleep_vforking(self, child);
    }
    return (int32_t)child->pid;
}

SYSTEM_CALL(2, fork)
{
    const struct clone_wish wish = {.flags = SIGCHLD};
    return clone(self, &wish);
}

SYSTEM_CALL(190, vfork)
{
    const struct clone_wish wish = {.flags = SIGCHLD | CLONE_VM | CLONE_VFORK};
    return clone(self, &wish);
}

/* i386 passes the TLS descriptor before the child's tid. */
SYSTEM_CALL(120, clone)
{
    const struct clone_wish wish = {
        .flags = ARG1, .stack = ARG2, .parent_tid = ARG3, .tls = ARG4, .child_tid = ARG5};
    if ((wish.flags & ~(uint32_t)CLONE_KNOWN) != 0 ||
        (wish.flags & CLONE_EXIT_SIGNAL) > SIGNALS_MAX)
        return -EINVAL;
    return clone(self, &wish);
}

/* ---- the end ---- */

enum { STATUS_CODE_SHIFT = 8 }; /* as wait4 reports it */

/*
 * Others may wait for the word that is cleared at the end, which can't wait itself. (Who is ended by a
 * signal does not wait for its page: it could not be ended while that does not come.)
 */
static int32_t exit_with(struct process *self, uint32_t code)
{
    enum kerr error = KERR_OK;
    if (self->clear_tid != 0 && self->memory->references > 1)
        error = user_touch(self->clear_tid, sizeof(uint32_t));
    if (error_goes_by(error))
        return user_access_failed(error);
    process_exit(self, (code & 0xFF) << STATUS_CODE_SHIFT);
    return 0;
}

SYSTEM_CALL(1, exit)
{
    return exit_with(self, ARG1);
}

SYSTEM_CALL(252, exit_group)
{
    return exit_with(self, ARG1);
}

/* ---- who ---- */

SYSTEM_CALL(20, getpid)
{
    return (int32_t)self->pid;
}

SYSTEM_CALL(224, gettid)
{
    return (int32_t)self->pid;
}

SYSTEM_CALL(64, getppid)
{
    return self->parent != NULL ? (int32_t)self->parent->pid : 0;
}

SYSTEM_CALL(258, set_tid_address)
{
    self->clear_tid = ARG1;
    return (int32_t)self->pid;
}

SYSTEM_CALL(158, sched_yield)
{
    process_yield();
    return 0;
}

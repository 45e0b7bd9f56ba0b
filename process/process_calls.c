/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. System calls that make, end and wait for processes.
 *
 * fork, vfork and clone are one: flags say what the child shares with its parent. Threads are not
 * supported: what a child may share is its memory (CLONE_VM), as posix_spawn() wants it.
 * Source: Linux manual pages fork(2), vfork(2), clone(2), wait4(2), _exit(2).
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
    memcpy(child->limits, parent->limits, sizeof(child->limits));
    memcpy(child->name, parent->name, sizeof(child->name));
}

/* The child finds its own number in its memory. What it can't be told there, it is not told. */
static void tell_child(const struct process *child, uint32_t address)
{
    struct space *mine = space_current();
    space_switch(&child->memory->space);
    enum kerr ignored = user_write(address, &child->pid, sizeof(child->pid));
    (void)ignored;
    space_switch(mine);
}

/* The child is complete when this ends; nothing of it was seen by a program yet. */
static int32_t build_child(struct process *child, struct process *parent,
                           const struct clone_wish *wish)
{
    copy_plain_fields(child, parent, wish);
    int32_t answer = process_parts_fork(parent, child, wish);
    if (answer != 0 || !(wish->flags & CLONE_PARENT_SETTID))
        return answer;
    enum kerr error = user_write(wish->parent_tid, &child->pid, sizeof(child->pid));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static int32_t clone(struct process *self, const struct clone_wish *wish)
{
    struct process *child;
    if (process_count() >= self->limits[LIMIT_NPROC].soft)
        return -EAGAIN;
    enum kerr error = process_create(self, &child);
    if (error != KERR_OK)
        return error == KERR_NO_ROOM ? -EAGAIN : -ENOMEM;
    int32_t answer = build_child(child, self, wish);
    if (answer != 0) {
        process_discard(child);
        return answer;
    }
    if (wish->flags & CLONE_CHILD_SETTID)
        tell_child(child, wish->child_tid);
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

enum { RUSAGE_WORDS = 18 }; /* of struct rusage; all zero: no times are kept */

enum { STATUS_CODE_SHIFT = 8, STATUS_STOPPED = 0x7F, STATUS_CONTINUED = 0xFFFF };

SYSTEM_CALL(1, exit)
{
    process_exit(self, (ARG1 & 0xFF) << STATUS_CODE_SHIFT);
    return 0;
}

SYSTEM_CALL(252, exit_group)
{
    process_exit(self, (ARG1 & 0xFF) << STATUS_CODE_SHIFT);
    return 0;
}

/* ---- waiting ---- */

enum wait_options {
    WNOHANG = 1,
    WUNTRACED = 2,
    WCONTINUED = 8,
    WNOTHREAD = 0x20000000,
    WCLONE = (int)0x80000000,
    WALL = 0x40000000,
};

/* Does wait4(PID), not positive, mean CHILD? 0: the caller's group; -1: any; below: a group. */
static bool is_meant(const struct process *self, const struct process *child, int32_t pid)
{
    if (pid == -1)
        return true;
    return child->group == (pid == 0 ? self->group : (uint32_t)-pid);
}

/* CHILD has something to tell: *STATUS is what. */
static bool has_news(const struct process *child, uint32_t options, uint32_t *status)
{
    if (child->state == PROCESS_ZOMBIE) {
        *status = child->exit_status;
        return true;
    }
    if (child->wait_event == WAIT_STOPPED && (options & WUNTRACED)) {
        *status = child->exit_status << STATUS_CODE_SHIFT | STATUS_STOPPED;
        return true;
    }
    *status = STATUS_CONTINUED;
    return child->wait_event == WAIT_CONTINUED && (options & WCONTINUED);
}

/* CHILD's news, STATUS, for the program; a zombie is gone afterwards. */
static int32_t report(struct process *self, struct process *child, uint32_t status,
                      uint32_t status_at, uint32_t usage_at)
{
    const uint32_t usage[RUSAGE_WORDS] = {0};
    enum kerr error = KERR_OK;
    if (usage_at != 0)
        error = user_write(usage_at, usage, sizeof(usage));
    if (error == KERR_OK && status_at != 0)
        error = user_write(status_at, &status, sizeof(status));
    if (error != KERR_OK)
        return user_access_failed(error);
    int32_t pid = (int32_t)child->pid;
    child->wait_event = WAIT_NOTHING;
    if (child->state == PROCESS_ZOMBIE) {
        self->child_faults += child->faults + child->child_faults;
        process_reap(child);
    }
    return pid;
}

/* Zombies stand in front of the living (process_exit()), so the search is short. */
static int32_t wait(struct process *self, int32_t pid, uint32_t status_at, uint32_t options,
                    uint32_t usage_at)
{
    bool has_child = false;
    uint32_t status;
    const uint32_t known = WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | (uint32_t)WCLONE | WALL;
    if ((options & ~known) != 0)
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid > 0) {
        struct process *child = process_find((uint32_t)pid);
        has_child = child != NULL && child->parent == self;
        if (has_child && has_news(child, options, &status))
            return report(self, child, status, status_at, usage_at);
    }
    for (struct list *link = self->children.next; pid <= 0 && link != &self->children;
         link = link->next) {
        struct process *child = container_of(link, struct process, sibling);
        if (!is_meant(self, child, pid))
            continue;
        has_child = true;
        if (has_news(child, options, &status))
            return report(self, child, status, status_at, usage_at);
    }
    if (!has_child)
        return -ECHILD;
    return options & WNOHANG ? 0 : process_sleep(&self->children, 0);
}

SYSTEM_CALL(114, wait4)
{
    return wait(self, (int32_t)ARG1, ARG2, ARG3, ARG4);
}

SYSTEM_CALL(7, waitpid)
{
    return wait(self, (int32_t)ARG1, ARG2, ARG3, 0);
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

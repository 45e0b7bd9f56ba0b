/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. System calls about signals, process groups and sessions.
 *
 * Source: Linux manual pages sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2),
 * sigtimedwait(2), sigaltstack(2), signal(2), kill(2), tkill(2), rt_sigqueueinfo(2), pause(2),
 * setpgid(2), setsid(2). Where old values can't be told no new ones are set.
 */
#include <process/clock.h>
#include <process/schedule.h>
#include <process/signal_table.h>
#include <process/system_call.h>
#include <process/timer.h>

enum { MASK_BYTES = sizeof(uint64_t) };
enum mask_change { MASK_BLOCK, MASK_UNBLOCK, MASK_SET };

/* ---- actions ---- */

enum { FLAGS_KNOWN_LOW = ACTION_NO_CHILD_STOP | ACTION_NO_CHILD_WAIT | ACTION_SIGINFO };
#define FLAGS_KNOWN                                                                                \
    ((uint32_t)FLAGS_KNOWN_LOW | ACTION_RESTORER | ACTION_ON_STACK | ACTION_RESTART |              \
     ACTION_NO_DEFER | ACTION_RESET_HANDLER)

_Static_assert(sizeof(void *) != 4 || sizeof(struct signal_action) == 20,
               "struct kernel_sigaction of the i386 ABI");

/* struct old_sigaction */
struct old_action {
    uint32_t handler, mask, flags, restorer;
};

static bool is_signal(uint32_t signal)
{
    return signal >= 1 && signal <= SIGNALS_MAX;
}

static int32_t set_action(struct process *self, uint32_t signal, struct signal_action *action)
{
    if ((signal_bit(signal) & SIGNALS_ABSOLUTE) != 0)
        return -EINVAL;
    action->flags &= FLAGS_KNOWN;
    return signal_set_action(self, signal, action) == KERR_OK ? 0 : process_out_of_memory();
}

SYSTEM_CALL(174, rt_sigaction)
{
    uint32_t signal = ARG1, new_address = ARG2, old_address = ARG3;
    struct signal_action action;
    if (ARG4 != MASK_BYTES || !is_signal(signal))
        return -EINVAL;
    if (new_address != 0) {
        enum kerr error = user_read(&action, new_address, sizeof(action));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    const struct signal_action old = *signal_action(self, signal);
    int32_t result = answer_prepare(old_address, sizeof(old));
    if (result == 0 && new_address != 0)
        result = set_action(self, signal, &action);
    if (result == 0)
        answer_tell(old_address, &old, sizeof(old));
    return result;
}

SYSTEM_CALL(67, sigaction)
{
    uint32_t signal = ARG1, new_address = ARG2, old_address = ARG3;
    struct old_action wish = {0, 0, 0, 0};
    if (!is_signal(signal))
        return -EINVAL;
    if (new_address != 0) {
        enum kerr error = user_read(&wish, new_address, sizeof(wish));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    const struct signal_action *old = signal_action(self, signal);
    const struct old_action answer = {old->handler, (uint32_t)old->mask, old->flags, old->restorer};
    int32_t result = answer_prepare(old_address, sizeof(answer));
    struct signal_action action = {wish.handler, wish.flags, wish.restorer, wish.mask};
    if (result == 0 && new_address != 0)
        result = set_action(self, signal, &action);
    if (result == 0)
        answer_tell(old_address, &answer, sizeof(answer));
    return result;
}

SYSTEM_CALL(48, signal)
{
    uint32_t signal = ARG1;
    if (!is_signal(signal))
        return -EINVAL;
    struct signal_action action = {.handler = ARG2,
                                   .flags = ACTION_RESET_HANDLER | ACTION_NO_DEFER};
    uint32_t old = signal_action(self, signal)->handler;
    int32_t result = set_action(self, signal, &action);
    return result != 0 ? result : (int32_t)old;
}

/* ---- masks ---- */

static int32_t changed_mask(uint64_t *mask, uint32_t how, uint64_t set)
{
    switch (how) {
    case MASK_BLOCK:
        *mask |= set;
        return 0;
    case MASK_UNBLOCK:
        *mask &= ~set;
        return 0;
    case MASK_SET:
        *mask = set;
        return 0;
    default:
        return -EINVAL;
    }
}

/* A set of BYTES bytes at ADDRESS; the rest of *SET stays. */
static int32_t read_set(uint32_t address, uint32_t bytes, uint64_t *set)
{
    enum kerr error = user_read(set, address, bytes);
    return error == KERR_OK ? 0 : user_access_failed(error);
}

/* ALL: the bits that this call knows of. */
static int32_t change_mask(struct process *self, uint32_t bytes, uint64_t all)
{
    uint32_t how = ARG1, new_address = ARG2, old_address = ARG3;
    uint64_t old = self->signals_blocked, mask = old;
    if (new_address != 0) {
        uint64_t set = 0;
        int32_t result = read_set(new_address, bytes, &set);
        if (result == 0)
            result = changed_mask(&mask, how, set);
        if (result != 0)
            return result;
    }
    int32_t result = answer_prepare(old_address, bytes);
    if (result != 0)
        return result;
    if (new_address != 0)
        signal_set_blocked(self, (mask & all) | (old & ~all));
    answer_tell(old_address, &old, bytes);
    return 0;
}

SYSTEM_CALL(175, rt_sigprocmask)
{
    return ARG4 != MASK_BYTES ? -EINVAL : change_mask(self, MASK_BYTES, ~0ull);
}

SYSTEM_CALL(126, sigprocmask)
{
    return change_mask(self, sizeof(uint32_t), UINT32_MAX);
}

static int32_t tell_pending(const struct process *self, uint32_t address, uint32_t bytes)
{
    uint64_t set = self->signals_pending & self->signals_blocked;
    enum kerr error = user_write(address, &set, bytes);
    return error == KERR_OK ? 0 : user_access_failed(error);
}

SYSTEM_CALL(176, rt_sigpending)
{
    return ARG2 > MASK_BYTES ? -EINVAL : tell_pending(self, ARG1, ARG2);
}

SYSTEM_CALL(73, sigpending)
{
    return tell_pending(self, ARG1, sizeof(uint32_t));
}

/* ---- waiting for signals ---- */

/* Repeated until a handler has run, which finds the old mask in its frame. */
static int32_t suspend(struct process *self, uint64_t mask)
{
    signal_replace_mask(self, mask);
    return process_sleep(NULL, 0);
}

SYSTEM_CALL(179, rt_sigsuspend)
{
    uint64_t mask = 0;
    if (ARG2 != MASK_BYTES)
        return -EINVAL;
    int32_t result = read_set(ARG1, MASK_BYTES, &mask);
    return result != 0 ? result : suspend(self, mask);
}

/* The first two arguments have been without meaning for ages. */
SYSTEM_CALL(72, sigsuspend)
{
    return suspend(self, ARG3);
}

SYSTEM_CALL(29, pause)
{
    return process_sleep(NULL, 0);
}

/* One of SET is pending: tell it, and take it. */
static int32_t take_one_of(struct process *self, uint64_t ready)
{
    uint32_t low = (uint32_t)ready;
    unsigned signal = low != 0 ? (unsigned)__builtin_ctz(low) + 1
                               : (unsigned)__builtin_ctz((uint32_t)(ready >> 32)) + 33;
    struct signal_info info;
    signal_describe(self, signal, &info);
    if (ARG2 != 0) {
        enum kerr error = user_replace(ARG2, &info, sizeof(info));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    signal_take(self, signal);
    return (int32_t)signal;
}

/* Until one of *SET comes, which nothing else takes meanwhile: blocked or not, it is blocked
 * now. */
static int32_t sleep_for_signal(struct process *self, uint64_t set, const struct time *limit)
{
    uint64_t deadline = 0;
    if (limit != NULL) {
        if (limit->seconds == 0 && limit->nanoseconds == 0)
            return -EAGAIN;
        deadline = wait_deadline(self, time_to_ticks(*limit));
        if (deadline <= timer_ticks())
            return -EAGAIN;
    }
    signal_replace_mask(self, self->signals_blocked | set);
    return process_sleep(&self->signals_pending, deadline);
}

static int32_t wait_for_signal(struct process *self, enum time_format format)
{
    uint64_t set = 0;
    struct time limit = {0, 0};
    if (ARG4 != MASK_BYTES)
        return -EINVAL;
    int32_t result = read_set(ARG1, MASK_BYTES, &set);
    if (result == 0 && ARG3 != 0)
        result = time_read(ARG3, format, &limit);
    if (result != 0)
        return result;
    uint64_t ready = self->signals_pending & set & ~SIGNALS_ABSOLUTE;
    return ready != 0 ? take_one_of(self, ready)
                      : sleep_for_signal(self, set, ARG3 != 0 ? &limit : NULL);
}

SYSTEM_CALL(177, rt_sigtimedwait)
{
    return wait_for_signal(self, TIME_32);
}

SYSTEM_CALL(421, rt_sigtimedwait_time64)
{
    return wait_for_signal(self, TIME_64);
}

/* ---- the alternate stack ---- */

SYSTEM_CALL(186, sigaltstack)
{
    uint32_t new_address = ARG1, old_address = ARG2, esp = self->frame.user_esp;
    struct signal_stack wish, old;
    if (new_address != 0) {
        enum kerr error = user_read(&wish, new_address, sizeof(wish));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    int32_t result = answer_prepare(old_address, sizeof(old));
    signal_stack_get(self, esp, &old);
    if (result == 0 && new_address != 0)
        result = signal_stack_set(self, esp, &wish);
    if (result == 0)
        answer_tell(old_address, &old, sizeof(old));
    return result;
}

/* ---- sending ---- */

/* Everything runs as root: whoever is there may be sent to. Signal 0 only asks. */
static void send(struct process *target, uint32_t signal, uint32_t sender)
{
    if (signal != 0)
        signal_send(target, signal, sender);
}

enum { GROUP_ALL = 0 };

/* To all of GROUP; GROUP_ALL: to everybody but process 1 and SELF. Returns 0 or -ESRCH. */
static int32_t send_to_group(struct process *self, uint32_t group, uint32_t signal)
{
    enum { PROCESSES_OF_PIECE = 4096 };
    uint32_t pid = self->pid, left = PROCESSES_OF_PIECE;
    bool found = false;
    for (struct process *target = process_next(NULL), *next; target != NULL; target = next) {
        next = process_next(target);
        bool is_meant = group == GROUP_ALL ? target != process_reaper() && target->pid != pid
                                           : target->group == group;
        if (!is_meant || target->state == PROCESS_NONE)
            continue;
        found = true;
        send(target, signal, pid);
        if (--left == 0) {
            process_take_interrupts(); /* a fork in between would escape: nobody else runs */
            left = PROCESSES_OF_PIECE;
        }
    }
    return found ? 0 : -ESRCH;
}

/* PID is -1 or a group: 0 the own one, else negative. */
static int32_t kill_many(struct process *self, int32_t pid, uint32_t signal)
{
    if (pid == -1)
        return send_to_group(self, GROUP_ALL, signal);
    if (pid == INT32_MIN)
        return -ESRCH;
    return send_to_group(self, pid == 0 ? self->group : (uint32_t)-pid, signal);
}

SYSTEM_CALL(37, kill)
{
    int32_t pid = (int32_t)ARG1;
    uint32_t signal = ARG2;
    if (signal > SIGNALS_MAX)
        return -EINVAL;
    if (pid <= 0)
        return kill_many(self, pid, signal);
    struct process *target = process_find((uint32_t)pid);
    if (target == NULL)
        return -ESRCH;
    send(target, signal, self->pid);
    return 0;
}

/* A process is a thread here: both numbers are its pid. */
static int32_t send_to_thread(struct process *self, int32_t group, int32_t thread, uint32_t signal)
{
    if (signal > SIGNALS_MAX || thread <= 0 || group <= 0)
        return -EINVAL;
    struct process *target = process_find((uint32_t)thread);
    if (target == NULL || group != thread)
        return -ESRCH;
    if (signal == 0 || signal_send_by_tkill(target, signal, self->pid) == KERR_OK)
        return 0;
    return -EAGAIN;
}

SYSTEM_CALL(238, tkill)
{
    return send_to_thread(self, (int32_t)ARG1, (int32_t)ARG1, ARG2);
}

SYSTEM_CALL(270, tgkill)
{
    return send_to_thread(self, (int32_t)ARG1, (int32_t)ARG2, ARG3);
}

/* Only about itself may a process tell what the kernel, kill or tkill would. */
static bool may_tell(const struct process *self, int32_t code, uint32_t pid)
{
    return pid == self->pid || (code < 0 && code != SI_TKILL);
}

static int32_t send_with(struct process *self, uint32_t pid, uint32_t signal, uint32_t address)
{
    struct signal_info info;
    enum kerr error = user_read(&info, address, sizeof(info));
    if (error != KERR_OK)
        return user_access_failed(error);
    if (!may_tell(self, info.code, pid))
        return -EPERM;
    struct process *target = process_find(pid);
    if (target == NULL)
        return -ESRCH;
    if (signal > SIGNALS_MAX)
        return -EINVAL;
    if (signal == 0 || signal_send_with(target, signal, self->pid, &info) == KERR_OK)
        return 0;
    return -EAGAIN;
}

SYSTEM_CALL(178, rt_sigqueueinfo)
{
    return send_with(self, ARG1, ARG2, ARG3);
}

SYSTEM_CALL(335, rt_tgsigqueueinfo)
{
    if ((int32_t)ARG1 <= 0 || (int32_t)ARG2 <= 0)
        return -EINVAL;
    return ARG1 != ARG2 ? -ESRCH : send_with(self, ARG2, ARG3, ARG4);
}

/* ---- groups and sessions ---- */

/* The process that PID means to SELF (0: itself), or NULL. */
static struct process *meant(struct process *self, uint32_t pid)
{
    return pid == 0 ? self : process_find(pid);
}

static bool group_exists(uint32_t group, uint32_t session)
{
    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->group == group && process->session == session)
            return true;
    return false;
}

SYSTEM_CALL(57, setpgid)
{
    struct process *process = meant(self, ARG1);
    if ((int32_t)ARG2 < 0)
        return -EINVAL;
    if (process == NULL || (process != self && process->parent != self))
        return -ESRCH;
    if (process->session == process->pid || process->session != self->session)
        return -EPERM;
    uint32_t group = ARG2 == 0 ? process->pid : ARG2;
    if (group != process->pid && !group_exists(group, self->session))
        return -EPERM;
    process->group = group;
    return 0;
}

SYSTEM_CALL(132, getpgid)
{
    const struct process *process = meant(self, ARG1);
    return process == NULL ? -ESRCH : (int32_t)process->group;
}

SYSTEM_CALL(65, getpgrp)
{
    return (int32_t)self->group;
}

SYSTEM_CALL(66, setsid)
{
    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->group == self->pid)
            return -EPERM;
    self->group = self->session = self->pid;
    return (int32_t)self->pid;
}

SYSTEM_CALL(147, getsid)
{
    const struct process *process = meant(self, ARG1);
    return process == NULL ? -ESRCH : (int32_t)process->session;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Signals: who gets one, and what comes of it (signal.h).
 *
 * A signal is a bit in the record of its process. On the way out to that process one pending bit
 * at a time becomes what the table of actions says. A table is shared by fork until one side
 * changes it; no table at all means that every action is the default.
 *
 * A process that slept in a system call is about to repeat it (process/repeat.h). A handler comes
 * in between, and the call begins anew behind it, or ends with EINTR or with what it has moved so
 * far.
 */
#include <process/signal.h>

#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <process/part.h>
#include <process/repeat.h>
#include <process/schedule.h>
#include <process/signal_table.h>
#include <process/system_call.h>
#include <process/timer.h>
#include <process/victim.h>

/* What a signal does to a process that says nothing about it; else it ends it. */
#define IGNORED_BY_DEFAULT                                                                         \
    (1ull << (SIGCHLD - 1) | 1ull << (SIGCONT - 1) | 1ull << (SIGURG - 1) | 1ull << (SIGWINCH - 1))

static const struct signal_action default_action;

const char *signal_name(unsigned signal)
{
    static const char *const names[] = {
        "signal 0",  "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
        "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
        "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
        "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
    };
    return signal < ARRAY_LENGTH(names) ? names[signal] : "real-time signal";
}

/* ---- the table of actions ---- */

const struct signal_action *signal_action(const struct process *process, unsigned signal)
{
    return process->signals == NULL ? &default_action : &process->signals->actions[signal - 1];
}

void signal_sets(const struct process *process, uint64_t *ignored, uint64_t *caught)
{
    *ignored = *caught = 0;
    for (unsigned signal = 1; signal <= SIGNALS_MAX; signal++) {
        uint32_t handler = signal_action(process, signal)->handler;
        if (handler == HANDLER_IGNORE)
            *ignored |= signal_bit(signal);
        else if (handler != HANDLER_DEFAULT)
            *caught |= signal_bit(signal);
    }
}

static void signals_put(struct signals *signals)
{
    if (signals != NULL && --signals->references == 0)
        kfree(signals);
}

/* SELF's table can be changed: it is SELF's alone. */
static enum kerr own_table(struct process *self)
{
    struct signals *old = self->signals;
    if (old != NULL && old->references == 1)
        return KERR_OK;
    void *block;
    if (kmalloc(sizeof(struct signals), &block) != KERR_OK)
        return KERR_NO_MEMORY;
    struct signals *table = block;
    if (old != NULL)
        *table = *old;
    else
        memset(table, 0, sizeof(*table));
    table->references = 1;
    signals_put(old);
    self->signals = table;
    return KERR_OK;
}

/* SIGNAL is not pending any more, however often it was sent. */
static void forget(struct process *process, unsigned signal)
{
    process->signals_pending &= ~signal_bit(signal);
    while (signal_queue_take(process, signal))
        ;
}

/* A signal that is ignored from now on is not pending any more. */
static void forget_if_ignored(struct process *self, unsigned signal, uint32_t handler)
{
    uint64_t bit = signal_bit(signal);
    if (handler == HANDLER_IGNORE ||
        (handler == HANDLER_DEFAULT && (IGNORED_BY_DEFAULT & bit) != 0))
        forget(self, signal);
}

enum kerr signal_set_action(struct process *self, unsigned signal,
                            const struct signal_action *action)
{
    enum kerr error = own_table(self);
    if (error != KERR_OK)
        return error;
    self->signals->actions[signal - 1] = *action;
    self->signals->actions[signal - 1].mask &= ~SIGNALS_ABSOLUTE;
    forget_if_ignored(self, signal, action->handler);
    return KERR_OK;
}

/* Handlers become default; what is ignored stays so. */
static enum kerr reset_for_exec(struct process *self)
{
    if (self->signals == NULL)
        return KERR_OK;
    enum kerr error = own_table(self);
    if (error != KERR_OK)
        return error;
    for (unsigned i = 0; i < SIGNALS_MAX; i++) {
        struct signal_action *action = &self->signals->actions[i];
        bool stays = action->handler == HANDLER_IGNORE;
        *action = (struct signal_action){.handler = stays ? HANDLER_IGNORE : HANDLER_DEFAULT};
    }
    return KERR_OK;
}

bool signals_reap_children(const struct process *process)
{
    const struct signal_action *action = signal_action(process, SIGCHLD);
    return action->handler == HANDLER_IGNORE || (action->flags & ACTION_NO_CHILD_WAIT) != 0;
}

/* ---- as a part of a process ---- */

/* A child that shares the memory, and goes on beside its parent, can't share the stack for
 * signals. */
static int32_t fork_part(struct process *parent, struct process *child,
                         const struct clone_wish *wish)
{
    child->signals = parent->signals;
    if (child->signals != NULL)
        child->signals->references++;
    child->signals_blocked = parent->signals_blocked;
    if ((wish->flags & CLONE_VM) && !(wish->flags & CLONE_VFORK))
        return 0;
    child->alternate_stack = parent->alternate_stack;
    child->alternate_stack_bytes = parent->alternate_stack_bytes;
    child->alternate_stack_flags = parent->alternate_stack_flags;
    return 0;
}

static void exec_part(struct process *process)
{
    process->alternate_stack = process->alternate_stack_bytes = 0;
    process->alternate_stack_flags = 0;
}

static void drop_part(struct process *process)
{
    signals_put(process->signals);
    process->signals = NULL;
}

PROCESS_PART(signals, .fork = fork_part, .prepare_exec = reset_for_exec, .exec = exec_part,
             .drop = drop_part);

/* ---- sending ---- */

/* Process 1 is what orphans hang on: nobody but the kernel ends or stops it by a signal. */
static bool is_protected(const struct process *process, uint32_t sender)
{
    return sender != 0 && process == process_reaper();
}

/* What PROCESS blocks; rt_sigtimedwait blocks in addition what it waits for. */
static uint64_t blocked_by_program(const struct process *process)
{
    return process->channel == &process->signals_pending ? process->signals_to_restore
                                                         : process->signals_blocked;
}

/* PROCESS, which has no handler for it, does not want SIGNAL. */
static bool is_ignored(const struct process *process, unsigned signal, uint32_t sender)
{
    uint64_t bit = signal_bit(signal);
    if ((bit & SIGNALS_ABSOLUTE) != 0)
        return is_protected(process, sender);
    if ((blocked_by_program(process) & bit) != 0)
        return false; /* it may think otherwise by the time it looks */
    return signal_action(process, signal)->handler == HANDLER_IGNORE ||
           (IGNORED_BY_DEFAULT & bit) != 0 || is_protected(process, sender);
}

/* The parent learns that PROCESS has stopped, or goes on. */
static void tell_parent(struct process *process, enum wait_event event)
{
    struct process *parent = process->parent;
    process->wait_event = (uint8_t)event;
    if (parent == NULL)
        return;
    process_wake(&parent->children);
    if ((signal_action(parent, SIGCHLD)->flags & ACTION_NO_CHILD_STOP) == 0)
        signal_send(parent, SIGCHLD, process->pid);
}

/* What happens at once, whether or not there is a handler: stopping and continuing undo each other.
 */
static __attribute__((noinline)) void settle(struct process *process, unsigned signal)
{
    if (signal != SIGCONT) {
        forget(process, SIGCONT);
        return;
    }
    forget(process, SIGSTOP);
    for (unsigned stopping = SIGTSTP; stopping <= SIGTTOU; stopping++)
        forget(process, stopping);
    if (process->state == PROCESS_STOPPED) {
        process_continue(process);
        tell_parent(process, WAIT_CONTINUED);
    }
}

/*
 * PROCESS has no handler for SIGNAL and does not ignore it. If that ends it, and nothing has to
 * come before, it is marked for its end, asleep or not: so a parent that waits for its vfork child
 * can be ended. The current one looks itself, on its way out; a stopped one when it goes on, but
 * for SIGKILL. source: Linux kernel/signal.c, complete_signal()
 */
static bool ends_at_once(const struct process *process, unsigned signal)
{
    uint64_t bit = signal_bit(signal);
    if (process == process_current || ((SIGNALS_STOPPING | IGNORED_BY_DEFAULT) & bit) != 0)
        return false;
    return signal == SIGKILL || (process->state != PROCESS_STOPPED && !signal_is_pending(process) &&
                                 (blocked_by_program(process) & bit) == 0);
}

/* PROCESS, which is not the current one or blocks SIGNAL, has it to look at. */
static void wake_for(struct process *process, bool is_blocked)
{
    if (!is_blocked)
        process_wake_one(process);
    else if (process->channel == &process->signals_pending)
        process_end_sleep(process); /* rt_sigtimedwait */
}

/* Those that do something at once: a bit each. */
#define SETTLED_AT_ONCE                                                                            \
    (1u << (SIGSTOP - 1) | 1u << (SIGTSTP - 1) | 1u << (SIGTTIN - 1) | 1u << (SIGTTOU - 1) |       \
     1u << (SIGCONT - 1))

/* INFO is what kill or tkill tells. */
static void tell_sender(uint32_t sender, int32_t code, struct signal_info *info)
{
    memset(info, 0, sizeof(*info));
    info->code = sender == 0 ? (int32_t)SI_KERNEL : code;
    info->pid = sender;
}

/* What is to be kept of a signal that queues. INFO: what the sender tells; NULL: kill, which is
 * content with the bit. */
static __attribute__((noinline)) enum kerr queue(struct process *process, unsigned signal,
                                                 uint32_t sender, const struct signal_info *info)
{
    struct signal_info plain;
    if (info == NULL)
        tell_sender(sender, SI_USER, &plain);
    enum kerr error = signal_queue_add(process, signal, info != NULL ? info : &plain);
    return info != NULL && signal >= SIGNAL_FIRST_REAL_TIME ? error : KERR_OK;
}

/* SIGNAL pends from now on. */
static inline enum kerr note(struct process *process, unsigned signal, uint32_t sender,
                             const struct signal_info *info)
{
    uint32_t bit = signal_word_bit(signal), word = signal_word(signal);
    unsigned slot = signal < ARRAY_LENGTH(process->senders) ? signal : 0;
    if ((process->signals_pending_words[word] & bit) != 0 && signal < SIGNAL_FIRST_REAL_TIME)
        return KERR_OK;
    if (info != NULL || signal >= SIGNAL_FIRST_REAL_TIME) {
        enum kerr error = queue(process, signal, sender, info);
        if (error != KERR_OK)
            return error;
    }
    process->senders[slot] = (uint16_t)sender;
    process->sent_by_tkill &= ~(1u << slot);
    process->signals_pending_words[word] |= bit;
    return KERR_OK;
}
_Static_assert(PROCESS_RECORDS_COUNT <= 0x10000, "a pid fits in 16 bits");

static inline enum kerr send(struct process *process, unsigned signal, uint32_t sender,
                             const struct signal_info *info)
{
    uint32_t bit = signal_word_bit(signal), word = signal_word(signal);
    if (process->state == PROCESS_NONE || process->state >= PROCESS_ENDING)
        return KERR_OK;
    if ((bit & SETTLED_AT_ONCE) != 0 && word == 0)
        settle(process, signal);
    if (signal_action(process, signal)->handler <= HANDLER_IGNORE) {
        if (is_ignored(process, signal, sender))
            return KERR_OK;
        if (ends_at_once(process, signal)) {
            process_exit(process, signal);
            return KERR_OK;
        }
    }
    enum kerr error = note(process, signal, sender, info);
    if (error != KERR_OK)
        return error;
    bool is_blocked = (process->signals_blocked_words[word] & bit) != 0;
    if (process == process_current && !is_blocked)
        process_request_leave();
    else
        wake_for(process, is_blocked);
    return KERR_OK;
}

void signal_send(struct process *process, unsigned signal, uint32_t sender)
{
    enum kerr ignored = send(process, signal, sender, NULL); /* fails only with siginfo */
    (void)ignored;
}

enum kerr signal_send_with(struct process *process, unsigned signal, uint32_t sender,
                           const struct signal_info *info)
{
    return send(process, signal, sender, info);
}

enum kerr signal_send_by_tkill(struct process *process, unsigned signal, uint32_t sender)
{
    if (signal >= SIGNAL_FIRST_REAL_TIME) {
        struct signal_info info;
        tell_sender(sender, SI_TKILL, &info);
        return send(process, signal, sender, &info);
    }
    bool was_pending = (process->signals_pending & signal_bit(signal)) != 0;
    signal_send(process, signal, sender);
    if (!was_pending)
        process->sent_by_tkill |= 1u << signal;
    return KERR_OK;
}

/* For a person: a program that ends by its own mistake. A few lines a second at the most. */
static void say_end(const struct process *self, unsigned signal, uint32_t address)
{
    enum { LINES_PER_SECOND = 10 };
    static uint64_t second_end;
    static uint32_t lines;

    if (timer_ticks() >= second_end) {
        second_end = timer_ticks() + TIMER_HZ;
        lines = 0;
    }
    if (lines++ < LINES_PER_SECOND)
        printk("process %u (%s): %s, address " PRI_VADDR ", EIP " PRI_VADDR ", ESP " PRI_VADDR
               ", %s\n",
               self->pid, self->name, signal_name(signal), address, self->frame.eip,
               self->frame.user_esp, trap_name(self->frame.vector));
}

void signal_end_by_fault(struct process *self, unsigned signal, uint32_t address)
{
    say_end(self, signal, address);
    process_exit(self, signal);
}

void signal_send_fault(struct process *self, unsigned signal, uint32_t code, uint32_t address)
{
    uint64_t bit = signal_bit(signal);
    if (self == process_current && ((self->signals_blocked & bit) != 0 ||
                                    signal_action(self, signal)->handler <= HANDLER_IGNORE)) {
        signal_end_by_fault(self, signal, address);
        return;
    }
    self->signals_blocked &= ~bit;
    self->fault_signal = signal;
    self->fault_code = code;
    self->fault_address = address;
    self->signals_pending |= bit;
    process_request_leave();
}

void signal_set_blocked(struct process *self, uint64_t mask)
{
    self->signals_blocked = mask & ~SIGNALS_ABSOLUTE;
    if (signal_is_pending(self))
        process_request_leave();
}

void signal_replace_mask(struct process *self, uint64_t mask)
{
    if (self->restore_blocked)
        return;
    self->signals_to_restore = self->signals_blocked;
    self->restore_blocked = 1;
    process_request_leave(); /* where the mask is given back if the call ends */
    signal_set_blocked(self, mask);
}

void signal_restore_mask(struct process *self)
{
    if (!self->restore_blocked)
        return;
    self->restore_blocked = 0;
    signal_set_blocked(self, self->signals_to_restore);
}

/* ---- delivering ---- */

void signal_take(struct process *self, unsigned signal)
{
    if (self->fault_signal == signal)
        self->fault_signal = 0;
    if (self->signal_queue == NULL || !signal_queue_take(self, signal))
        self->signals_pending &= ~signal_bit(signal);
}

/* The pending signal to take; 0: none. Mistakes of the program come first: their registers are
 * those of the mistake. */
static inline __attribute__((always_inline)) unsigned choose(const struct process *self)
{
    uint32_t ready = self->signals_pending_words[0] & ~self->signals_blocked_words[0];
    if ((ready & signal_word_bit(SIGKILL)) != 0)
        return SIGKILL;
    if (self->fault_signal != 0)
        return self->fault_signal;
    if (ready != 0)
        return (unsigned)__builtin_ctz(ready) + 1;
    ready = self->signals_pending_words[1] & ~self->signals_blocked_words[1];
    return ready != 0 ? (unsigned)__builtin_ctz(ready) + 33 : 0;
}

static void stop(struct process *self, unsigned signal)
{
    self->exit_status = signal; /* while it is stopped */
    process_stop(self);
    tell_parent(self, WAIT_STOPPED);
}

static bool is_sleep(uint32_t call)
{
    return call == 162 || call == 267 || call == 407; /* nanosleep, clock_nanosleep */
}

static bool is_signal_wait(uint32_t call)
{
    return call == 177 || call == 421; /* rt_sigtimedwait */
}

/* Calls that never go on behind a handler. source: Linux manual page signal(7) */
static bool never_goes_on(uint32_t call)
{
    static const uint16_t calls[] = {
        29,  /* pause */
        72,  /* sigsuspend */
        82,  /* select */
        142, /* _newselect */
        168, /* poll */
        179, /* rt_sigsuspend */
        308, /* pselect6 */
        309, /* ppoll */
        413, /* pselect6_time64 */
        414, /* ppoll_time64 */
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(calls); i++)
        if (calls[i] == call)
            return true;
    return is_sleep(call) || is_signal_wait(call);
}

/* SELF's sleep ends before its time. Returns as interrupt_call(). */
static kerr_t end_sleep(struct process *self)
{
    int32_t result;
    enum kerr error = time_sleep_interrupted(self, &result);
    if (error == KERR_OK)
        call_end(self, result);
    return error;
}

/*
 * A handler comes between SELF and the call that it is about to repeat.
 *   returns KERR_OK; KERR_NO_MEMORY, KERR_MUST_WAIT: not yet, nothing has changed
 */
static __attribute__((noinline)) kerr_t interrupt_call(struct process *self, uint32_t action_flags)
{
    uint32_t call = self->call;
    bool goes_on = (action_flags & ACTION_RESTART) != 0 && !never_goes_on(call) &&
                   self->progress.kind != PROGRESS_WAIT;
    if (is_signal_wait(call))
        signal_restore_mask(self);
    /* It slept for nothing that it was asked for: that is no matter of a signal's. */
    bool only_lacks =
        self->is_in_call == IN_CALL_THAT_LACKS && self->progress.kind == PROGRESS_NONE;
    if (self->progress.kind == PROGRESS_BYTES)
        call_end(self, (int32_t)self->progress.value);
    else if (only_lacks || (goes_on && !is_sleep(call)))
        call_begin_anew(self);
    else if (is_sleep(call))
        return end_sleep(self);
    else
        call_end(self, -EINTR);
    return KERR_OK;
}

/* No handler wants SIGNAL. */
static __attribute__((noinline)) void act_by_default(struct process *self, unsigned signal,
                                                     uint32_t handler)
{
    uint64_t bit = signal_bit(signal);
    enum kerr ignored = KERR_OK;
    uint32_t sender = self->senders[signal < ARRAY_LENGTH(self->senders) ? signal : 0];
    if (self->fault_signal == signal) {
        signal_end_by_fault(self, signal, self->fault_address);
        return;
    }
    if ((bit & SIGNALS_STOPPING) != 0 && call_is_repeated(self) && is_signal_wait(self->call))
        ignored = interrupt_call(self, 0); /* to be stopped ends it; source: signal(7) */
    (void)ignored;                         /* only a sleep has something to tell */
    signal_take(self, signal);
    if (handler == HANDLER_IGNORE || (bit & IGNORED_BY_DEFAULT) != 0 || is_protected(self, sender))
        return;
    if ((bit & SIGNALS_STOPPING) != 0)
        stop(self, signal);
    else
        process_exit(self, signal);
}

/* The handler runs now: SIGNAL is done, and more is blocked until it returns. */
static inline void enter_handler(struct process *self, unsigned signal,
                                 const struct signal_action *action)
{
    uint32_t bit = signal_word_bit(signal), word = signal_word(signal);
    if (likely(self->signal_queue == NULL))
        self->signals_pending_words[word] &= ~bit;
    else
        signal_take(self, signal);
    self->signals_blocked |= action->mask; /* which holds nothing absolute */
    if ((action->flags & ACTION_NO_DEFER) == 0)
        self->signals_blocked_words[word] |= bit;
    self->restore_blocked = 0;
    if (self->fault_signal == signal)
        self->fault_signal = 0;
    if ((action->flags & ACTION_RESET_HANDLER) != 0)
        self->signals->actions[signal - 1].handler = HANDLER_DEFAULT;
}

/* The stack can't take the frame of SIGNAL: that is SIGSEGV, and for SIGSEGV the end. */
static __attribute__((noinline)) void stack_is_bad(struct process *self, unsigned signal)
{
    signal_take(self, signal);
    if (signal == SIGSEGV) {
        signal_end_by_fault(self, signal, self->frame.user_esp);
        return;
    }
    signal_send_fault(self, SIGSEGV, SI_KERNEL, 0);
}

/* SELF goes on in the handler of SIGNAL. */
static void run_handler(struct process *self, unsigned signal, const struct signal_action *action)
{
    enum kerr error = KERR_OK;
    if (call_is_repeated(self))
        error = interrupt_call(self, action->flags);
    if (error == KERR_OK && (action->flags & ACTION_RESET_HANDLER) != 0) {
        error = own_table(self);
        action = signal_action(self, signal);
    }
    if (error == KERR_OK)
        error = signal_frame_enter(self, signal, action,
                                   self->restore_blocked ? self->signals_to_restore
                                                         : self->signals_blocked);
    if (likely(error == KERR_OK))
        enter_handler(self, signal, action);
    else if (error == KERR_NO_MEMORY)
        victim_make_room(self, frame_available(&frame_pool)); /* the next way out tries again */
    else if (error == KERR_MUST_WAIT)
        process_wait_for_page(); /* likewise, when its stack is there */
    else
        stack_is_bad(self, signal);
}

__attribute__((noinline)) bool signal_is_for_handler(const struct process *self)
{
    unsigned signal = choose(self);
    return signal != 0 && signal_action(self, signal)->handler > HANDLER_IGNORE;
}

void signal_deliver(struct process *self)
{
    unsigned signal = choose(self);
    if (signal == 0)
        return;
    const struct signal_action *action = signal_action(self, signal);
    if (action->handler <= HANDLER_IGNORE)
        act_by_default(self, signal, action->handler);
    else
        run_handler(self, signal, action);
}

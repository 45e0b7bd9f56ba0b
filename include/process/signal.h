/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/, file/ (SIGPIPE), program/,
 * prompt/commands_process.c.
 *
 * Signals, as Linux has them on i386: actions, masks, frames on the user's stack. One below 32 is
 * pending or not; real-time ones queue: what is sent n times comes n times.
 */
#ifndef PROCESS_SIGNAL_H
#define PROCESS_SIGNAL_H

#include <process/process.h>

enum signal_number {
    SIGHUP = 1,
    SIGINT,
    SIGQUIT,
    SIGILL,
    SIGTRAP,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGKILL,
    SIGUSR1,
    SIGSEGV,
    SIGUSR2,
    SIGPIPE,
    SIGALRM,
    SIGTERM,
    SIGSTKFLT,
    SIGCHLD,
    SIGCONT,
    SIGSTOP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGXCPU,
    SIGXFSZ,
    SIGVTALRM,
    SIGPROF,
    SIGWINCH,
    SIGIO,
    SIGPWR,
    SIGSYS,
    SIGNAL_FIRST_REAL_TIME,
    SIGNALS_MAX = 64
};

/* si_code of siginfo: who or what is behind a signal. source: sigaction(2) */
enum signal_code {
    SI_USER = 0,
    SI_KERNEL = 0x80,
    SI_TKILL = -6,
    ILL_ILLOPN = 2,
    ILL_COPROC = 7,
    FPE_INTDIV = 1,
    SEGV_MAPERR = 1,
    SEGV_ACCERR = 2,
    BUS_ADRALN = 1,
    BUS_ADRERR = 2,
    TRAP_BRKPT = 1,
    TRAP_TRACE = 2,
    CLD_EXITED = 1,
    CLD_KILLED = 2,
    CLD_STOPPED = 5,
    CLD_CONTINUED = 6,
};

/* "SIGSEGV", ...; for people. */
const char *signal_name(unsigned signal);

/* The signals that PROCESS has said to ignore, and those that it has a handler for; bit N-1: signal N. */
void signal_sets(const struct process *process, uint64_t *ignored, uint64_t *caught);

/*
 * SIGNAL is pending for PROCESS from now on, unless it ignores it; a sleeper that does not block it
 * wakes. SENDER is the pid that siginfo names; 0: the kernel. A signal that ends a process only
 * marks it (process_exit()): no process ends in here, and PROCESS is still one afterwards. Process
 * 1 gets from others only what it has a handler for.
 */
void signal_send(struct process *process, unsigned signal, uint32_t sender);

/* CHILD, a zombie, has its exit signal sent to PARENT, if it has one; siginfo tells how it ended. */
void signal_send_end(struct process *parent, const struct process *child);

/*
 * The current process did what the CPU refused: SIGNAL, which it can't put off (blocked, ignored
 * or without a handler: it ends here and now), with si_code CODE and si_addr ADDRESS; vector and
 * error code are in its frame. A process that has not begun yet ends when it would begin.
 */
void signal_send_fault(struct process *self, unsigned signal, uint32_t code, uint32_t address);

/* The current process ends by SIGNAL, here and now, for a mistake at ADDRESS. No handler is
 * asked. */
void signal_end_by_fault(struct process *self, unsigned signal, uint32_t address);

/* A signal is pending that PROCESS does not block. */
static inline bool signal_is_pending(const struct process *process)
{
    return (process->signals_pending & ~process->signals_blocked) != 0;
}

/*
 * On the way out to the current process, SELF: take one pending signal and do what is to be done:
 * nothing, stop, end the process (process_exit), or let it go on in a handler. A system call that
 * it slept in ends with EINTR, or is repeated after the handler.
 */
void signal_deliver(struct process *self);

/* The signal that signal_deliver() would take has a handler. */
bool signal_is_for_handler(const struct process *self);

/* SELF blocks what MASK says, from now on; SIGKILL and SIGSTOP can't be blocked. */
void signal_set_blocked(struct process *self, uint64_t mask);

/*
 * The same until the call ends, in whatever way (process/repeat.h). When it is repeated, that has
 * been done already. A handler that ends the call gives the old mask back when it returns; for
 * calls whose handlers run with the old mask, signal_restore_mask() does so before.
 */
void signal_replace_mask(struct process *self, uint64_t mask);
void signal_restore_mask(struct process *self);

/* PROCESS ignores SIGCHLD, or said SA_NOCLDWAIT: its children leave no zombies. */
bool signals_reap_children(const struct process *process);

/* ---- alarms (process/alarm.c) ---- */

/* So many TICKS have come: SIGALRM for those who asked. Called at each tick. */
void alarms_tick(uint64_t ticks);

#endif

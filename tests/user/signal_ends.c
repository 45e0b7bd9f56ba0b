/* SPDX-License-Identifier: MIT */
/*
 * User test. Signals that end a process, whatever it does: it waits for a vfork child, sleeps, is
 * stopped; and the signal comes from its own child's end, in a chain as well.
 */
#define _GNU_SOURCE
#include "check.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { CHAIN = 50 };

static int gate[2]; /* who reads from it waits until the test closes it */

static void wait_at_gate(void)
{
    char byte;
    close(gate[1]);
    while (read(gate[0], &byte, 1) < 0)
        ;
}

static pid_t fork_with(int exit_signal)
{
    return (pid_t)syscall(SYS_clone, exit_signal, 0, 0, 0, 0);
}

static int signal_of(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

/* ---- a parent in vfork ---- */

static void on_signal(int signal_number)
{
    (void)signal_number;
}

/* What ends a process whose child has vfork's memory until the test lets it go. */
static int end_in_vfork(int signal_number, bool blocked)
{
    int ready[2];
    if (pipe(ready) != 0 || pipe(gate) != 0)
        return -1;
    pid_t parent = fork();
    if (parent == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        if (blocked)
            sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGUSR1, on_signal);
        if (syscall(SYS_vfork) == 0) { /* may return to a memory that is its alone by now */
            syscall(SYS_write, ready[1], "x", 1);
            wait_at_gate();
            syscall(SYS_exit, 0);
        }
        _exit(3);
    }
    char byte;
    close(ready[1]);
    CHECK_EQUAL(read(ready[0], &byte, 1), 1);
    kill(parent, SIGCONT);
    kill(parent, signal_number);
    if (blocked)
        kill(parent, SIGKILL);
    int ended_by = signal_of(parent); /* the gate is still closed */
    close(gate[0]);
    close(gate[1]);
    close(ready[0]);
    return ended_by;
}

static void in_vfork(void)
{
    CHECK_THAT("SIGTERM ends a parent in vfork", end_in_vfork(SIGTERM, false) == SIGTERM);
    CHECK_THAT("SIGKILL ends a parent in vfork", end_in_vfork(SIGKILL, false) == SIGKILL);
    CHECK_THAT("so does a real-time signal", end_in_vfork(SIGRTMIN, false) == SIGRTMIN);
    CHECK_THAT("a blocked SIGTERM does not", end_in_vfork(SIGTERM, true) == SIGKILL);
}

/* ---- one that sleeps, or is stopped ---- */

static void asleep_or_stopped(void)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    kill(child, SIGTERM);
    CHECK_EQUAL(signal_of(child), SIGTERM);

    child = fork();
    if (child == 0)
        for (;;)
            pause();
    kill(child, SIGSTOP);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    kill(child, SIGTERM);
    CHECK_THAT("SIGTERM waits while a process is stopped", waitpid(child, &status, WNOHANG) == 0);
    kill(child, SIGCONT);
    CHECK_EQUAL(signal_of(child), SIGTERM);

    child = fork();
    if (child == 0)
        for (;;)
            pause();
    kill(child, SIGSTOP);
    CHECK(waitpid(child, &status, WUNTRACED) == child);
    kill(child, SIGKILL);
    CHECK_EQUAL(signal_of(child), SIGKILL);
}

/* ---- the signal of a child's end ---- */

/* A parent whose child ends with EXIT_SIGNAL; what ended the parent. */
static int ended_by_child(int exit_signal)
{
    pid_t parent = fork();
    if (parent == 0) {
        if (fork_with(exit_signal) == 0)
            _exit(7);
        for (;;)
            pause();
    }
    return signal_of(parent);
}

/* Every one's end is its parent's: the number of processes that the caller, their reaper, meets. */
static int end_chain(int length)
{
    int met = 0, status;
    while (waitpid(-1, &status, __WALL) > 0)
        ; /* orphans of what was before, if this is process 1 */
    pid_t first = fork();
    if (first == 0) {
        for (int i = 1; i < length; i++)
            if (fork_with(SIGKILL) != 0)
                for (;;)
                    pause();
        _exit(0);
    }
    while (waitpid(-1, &status, __WALL) > 0)
        met++;
    return met;
}

static void by_children(void)
{
    CHECK_EQUAL(ended_by_child(SIGKILL), SIGKILL);
    CHECK_EQUAL(ended_by_child(SIGTERM), SIGTERM);
    CHECK_EQUAL(ended_by_child(SIGRTMAX), SIGRTMAX);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 || check_on_droste());
    CHECK_EQUAL(end_chain(CHAIN), CHAIN);
    int status;
    CHECK_ERROR(waitpid(-1, &status, __WALL), ECHILD);
}

int main(void)
{
    alarm(50); /* instead of waiting for ever */
    in_vfork();
    asleep_or_stopped();
    by_children();
    return check_end();
}

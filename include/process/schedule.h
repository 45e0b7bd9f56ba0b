/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/, and above it who works on the way out
 * (program/init.c, prompt/attention.c).
 *
 * What goes on with the scheduler behind the scenes: see process.h for what all others need.
 */
#ifndef PROCESS_SCHEDULE_H
#define PROCESS_SCHEDULE_H

#include <process/process.h>

/* PROCESS runs when its turn comes. */
void process_enqueue(struct process *process);

/* Take PROCESS out of what it waits in: the run queue, a bucket of sleepers, the deadlines. */
void process_dequeue(struct process *process);

/* PROCESS, asleep, was woken by what it slept for: its call begins anew. */
void process_end_sleep(struct process *process);

/* PROCESS, asleep in a system call, is woken by somebody who ends the call for it, with RESULT. */
void process_end_call(struct process *process, int32_t result);

/* The parent of a vfork child waits until it is let go; its own call is done. */
void process_sleep_vforking(struct process *parent, const struct process *child);
void process_end_vfork(struct process *child);

/* A process that begins gets a part of what PARENT (or NULL) may still run; its end returns it. */
void process_share_slice(struct process *parent, struct process *child);
void process_return_slice(const struct process *child);

/* A tick fell into the current process's time; and how many fell into anybody's. */
void process_tick(void);
extern uint64_t process_ticks;

/* Page faults that were not counted yet were the current process's, or for it in the kernel. */
void process_count_faults(void);

/* Reap the zombies that nobody will ask for: the kernel's own children, and those whose parents
 * said so (process/process.c). */
void process_reap_orphans(void);

/* The way out has something to look at; or something rare: a zombie of the kernel's, a key. */
void process_request_leave(void);
void process_request_rare_work(void);

/*
 * Interrupts that have waited come here, inside of long work that programs must see as a whole. A
 * tick or a device may wake and mark processes, and leave work for the way out; no record ends, and
 * no program runs.
 */
void process_take_interrupts(void);

/* No process is current: what it holds stays in its record; the boot space is loaded. */
void process_put_aside(void);

/* Run processes; never returns. */
void process_run(void) noreturn;

#endif

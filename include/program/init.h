/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layers 0-5, process. Used by: process/schedule.c, prompt/prompt.c.
 *
 * The first process, by the option init=FILE, and those that the prompt starts: the kernel is the
 * parent of both.
 */
#ifndef PROGRAM_INIT_H
#define PROGRAM_INIT_H

#include <process/process.h>

/*
 * Start PATH as a child of the kernel; ARGUMENTS, COUNT of them, PATH first.
 *   returns 0 and *PID, or an error_number negated
 */
int32_t init_start_program(const char *const *arguments, unsigned count, uint32_t *pid);

/* The process that orphans go to: process 1, or NULL. */
struct process *init_process(void);

/* PROCESS, whose parent is the kernel (or does not want to know), is a zombie. */
void init_take_zombie(struct process *zombie);

/* On the way out: reap what init_take_zombie() took; the end of process 1 ends the machine. */
void init_look_after(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Uses: layers 0-5, process. Used by: prompt/.
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

/* For people: why a program was not started, which is the error_number -ERROR. */
const char *init_failed(int32_t error);

/* Start the program that the option init=FILE names, if there is one: process 1. */
void init_start_by_option(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/.
 *
 * Futexes: words of a program's that it sleeps on (process/futex.c).
 */
#ifndef PROCESS_FUTEX_H
#define PROCESS_FUTEX_H

#include <process/process.h>

/* As FUTEX_WAKE of one, of the word at ADDRESS in the memory of PROCESS. */
void futex_wake_one(const struct process *process, uint32_t address);

#endif

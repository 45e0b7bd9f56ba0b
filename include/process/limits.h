/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/ (first process).
 *
 * Resource limits (setrlimit). They stand in struct process; who hands something out asks there:
 * mmap and brk (AS, DATA, MEMLOCK), growing stacks (STACK), fork (NPROC), open (NOFILE).
 */
#ifndef PROCESS_LIMITS_H
#define PROCESS_LIMITS_H

#include <process/process.h>

/* The limits of process 1: those of Linux, NPROC as many as there are records. */
void limits_init(struct process *process);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/, file/ (lengths).
 *
 * Resource limits (setrlimit), a part of each process (struct limits in process.h); who hands
 * something out asks there: mmap and brk (AS, DATA, MEMLOCK), growing stacks (STACK), fork (NPROC),
 * open (NOFILE).
 */
#ifndef PROCESS_LIMITS_H
#define PROCESS_LIMITS_H

#include <process/process.h>

/* PROCESS gets those of process 1: what process_parts_begin() does, too. Returns 0. */
int32_t limits_begin(struct process *process);

/*
 * Those that bind in the fault path are copied to the space. It may be that of several processes
 * (vfork, CLONE_VM), each with limits of its own: so when PROCESS has its turn, they are PROCESS's.
 */
static inline void limits_begin_turn(const struct process *process)
{
    struct memory *memory = process->memory;
    if (likely(memory->limits_of == process))
        return;
    memory->limits_of = process;
    /* 0 pages mean that nothing grows. */
    memory->space.stack_pages_max = process->limits->pair[LIMIT_STACK].soft >> PAGE_SHIFT;
    memory_limit_growth(memory, process->limits->pair[LIMIT_AS].soft);
}

/* Limits of somebody who uses MEMORY have changed, or there is one user more. */
static inline void limits_forget_turn(struct memory *memory)
{
    memory->limits_of = NULL;
}

#endif

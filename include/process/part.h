/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: process. Used by: every unit that keeps something for each process.
 *
 * A process is made of parts: memory, signals, TLS, FPU state, open files. A part says here what is
 * to happen to it at each turn of a process's life; who walks the set knows no part by name, so
 * that layers above can add theirs.
 *
 *   begins (by the kernel)   begin                      may fail: the process is discarded
 *   fork, vfork, clone       fork                       may fail: the child is discarded
 *   execve                   prepare_exec ... exec      may fail ... must not
 *   ends, or is discarded    drop                       must not fail, nor allocate
 *
 * Hooks are called in the order of the link, lower layers first. NULL: nothing to do.
 */
#ifndef PROCESS_PART_H
#define PROCESS_PART_H

#include <process/process.h>

enum clone_flags {
    CLONE_EXIT_SIGNAL = 0xFF, /* a mask */
    CLONE_VM = 0x100,
    CLONE_FS = 0x200, /* working directory, umask: the child has a copy all the same */
    CLONE_VFORK = 0x4000,
    CLONE_SYSVSEM = 0x40000,
    CLONE_SETTLS = 0x80000,
    CLONE_PARENT_SETTID = 0x100000,
    CLONE_CHILD_CLEARTID = 0x200000,
    CLONE_DETACHED = 0x400000, /* ignored, as in Linux */
    CLONE_CHILD_SETTID = 0x1000000,
    CLONE_IO = 0x80000000,
    CLONE_KNOWN = CLONE_EXIT_SIGNAL | CLONE_VM | CLONE_FS | CLONE_VFORK | CLONE_SYSVSEM |
                  CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED |
                  CLONE_CHILD_SETTID | (int)CLONE_IO,
};

/* What clone() is asked for; addresses are the program's. */
struct clone_wish {
    uint32_t flags, stack, parent_tid, tls, child_tid;
};

struct process_part {
    /* PROCESS is one that the kernel starts: give it what process 1 has at first.
     * Returns 0, or an error_number negated. */
    int32_t (*begin)(struct process *process);

    /* CHILD shares or copies what PARENT, the current process, has: WISH->flags say which. A thread
     * is a child that shares all.
     * Returns 0, or what clone() is to answer: an error_number negated, or a repetition. */
    int32_t (*fork)(struct process *parent, struct process *child, const struct clone_wish *wish);

    /* execve may still fail: make sure that exec() can't. Nothing that a program sees changes.
     * Returns KERR_OK, KERR_NO_MEMORY, KERR_NO_ROOM. */
    enum kerr (*prepare_exec)(struct process *process);

    /* PROCESS begins another program; its new memory is in its record. */
    void (*exec)(struct process *process);

    /* Give back what PROCESS has, if it has any: begin() or fork() may not have come so far.
     * Whoever holds nothing afterwards leaves zeros in the record. */
    void (*drop)(struct process *process);

    /* Frames that PROCESS's end gives back, beyond those of its memory; never walks far. */
    uint32_t (*footprint)(const struct process *process);

    /* A sentence that must hold of every process, and does not of PROCESS; NULL: all do. */
    const char *(*audit)(const struct process *process);
};

/* PROCESS_PART(files, .drop = drop, ...): at most one of a name. The alignment is said, as
 * compilers align a structure of this size to 32, which would leave gaps in the set. */
#define PROCESS_PART(part_name, ...)                                                               \
    static in_link_order const struct process_part process_part_##part_name                        \
        __attribute__((section(".process_parts"), aligned(4), used)) = {__VA_ARGS__}

/* The set, in the order of the link; from linker.ld. */
extern const struct process_part process_parts_first[], process_parts_end[];

/*
 * What the part at PLACE keeps for PROCESS: a pointer of its own, NULL at first. It is for parts of
 * layers above this one: each layer's header numbers its places, from where the layer below ends.
 */
static inline void *process_state(const struct process *process, uint32_t place)
{
    return process->states[place];
}
static inline void process_set_state(struct process *process, uint32_t place, void *state)
{
    process->states[place] = state;
}

/* ---- for those that lead a process through its life: each hook of all parts ---- */

int32_t process_parts_begin(struct process *process);
int32_t process_parts_fork(struct process *parent, struct process *child,
                           const struct clone_wish *wish);
kerr_t process_parts_prepare_exec(struct process *process);
void process_parts_exec(struct process *process);
void process_parts_drop(struct process *process);
uint32_t process_parts_footprint(const struct process *process);
const char *process_parts_audit(const struct process *process);

#endif

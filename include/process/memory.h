/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5. Used by: process/, program/.
 *
 * The memory of one process, or of several (vfork, CLONE_VM): a space, and the books about it.
 */
#ifndef PROCESS_MEMORY_H
#define PROCESS_MEMORY_H

#include <mm/space.h>

struct process;

struct memory {
    struct space space;
    uint32_t references;           /* processes */
    struct memory *next_ending;    /* of those that nobody has any more */
    uint32_t heap_start, heap_end; /* brk, in bytes; the end as the program asked, not rounded */
    struct vma *heap_region; /* the heap's last one, while brk alone has changed regions; or NULL */
    uint32_t stack_top;      /* first byte above the first stack */
    const struct process *limits_of;         /* whose limits the space has (process/limits.h) */
    uint32_t lock_future;                    /* mlockall(MCL_FUTURE): 0 or VMA_LOCKED */
    uint32_t arguments_start, arguments_end; /* of the program; behind them its environment: */
    uint32_t environment_end;
};

/* Names of regions that the kernel knows: one pointer for each, since regions merge by it. */
extern const char memory_anonymous_name[]; /* "" */
extern const char memory_heap_name[];      /* "[heap]" */

/*
 * An empty user space with one reference.
 *   returns KERR_OK; KERR_NO_MEMORY (no frame, or no directory, is free)
 */
kerr_t memory_create(struct memory **memory);

/*
 * A copy of FROM, whose space is loaded, for fork. Locks are not inherited.
 *   returns as above; KERR_NO_ROOM (the account of promises refuses: no victim would help).
 *   Nothing changed on failure.
 */
kerr_t memory_fork(struct memory *from, struct memory **copy);

/*
 * One process fewer; the last one gives all back. The space must not be loaded then. A large memory
 * goes in pieces: the way out gives back one after another, with interrupts in between.
 *   memory_give_back      one piece; returns true if there are more
 *   memory_give_all_back  all: for who counts on the frames, or on no memory being half gone
 */
void memory_put(struct memory *memory);
bool memory_give_back(void);
void memory_give_all_back(void);

/*
 * Touch pages of the range, MOST at the most, as the program may: writable private ones become
 * real, the others get their entries. Holes are skipped. *FIRST_PAGE becomes the page to go on
 * with, behind LAST_PAGE if there is none.
 *   returns KERR_OK; KERR_NO_MEMORY; KERR_BAD_ACCESS (the rest of some region can't be touched)
 */
kerr_t memory_populate(struct memory *memory, uint32_t *first_page, uint32_t last_page,
                       uint32_t most);

/* The same with ACCESS, in the space that is loaded. */
kerr_t memory_touch_pages(uint32_t first_page, uint32_t last_page, enum access access);

/* Regions that grow down may do so as far as LIMIT, RLIMIT_AS in bytes, leaves room. */
static inline void memory_limit_growth(struct memory *memory, uint32_t limit)
{
    uint32_t pages = limit >> PAGE_SHIFT, reserved = memory->space.reserved_pages;
    memory->space.growable_pages = pages > reserved ? pages - reserved : 0;
    if (likely(limit == UINT32_MAX))
        memory->space.growable_pages = UINT32_MAX;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, memory. Used by: process/, file/, program/, prompt/commands_memory.c.
 *
 * Overcommit: `overcommit=0|1|2` on the command line, as in Linux; default 0. Charged are private
 * writable pages and shared anonymous ones, at mmap, mprotect, brk and growth, and the whole copy
 * at fork; in mode 2 also tables. In mode 2 a touch of accepted memory never fails (commit.c).
 *
 * Who changes regions asks first, which charges what is asked for; then changes them or fails; then
 * lets the account follow what the regions say: so nothing need be undone after a failure. (What
 * the change itself takes for the kernel, a page of nodes, finds the charge there already.)
 */
#ifndef PROCESS_COMMIT_H
#define PROCESS_COMMIT_H

#include <mm/frame.h>
#include <process/memory.h>

enum overcommit {
    OVERCOMMIT_GUESS,  /* refused is only a request that no machine of this size could fulfil */
    OVERCOMMIT_ALWAYS, /* nothing is refused */
    OVERCOMMIT_NEVER,  /* what is accepted is there */
};

struct commit_account {
    enum overcommit mode;
    uint32_t single_max; /* modes 0 and 1: the largest request that is not refused, in pages */
};
extern struct commit_account commit_account;

/* From now on promises are made as MODE says: at boot, and for tests. */
void commit_start(enum overcommit mode);

/* ---- a change of regions ---- */

bool must_check commit_allows_exactly(struct memory *memory, uint32_t charged, uint32_t first_page,
                                      uint32_t last_page);
void commit_follow_exactly(struct memory *memory);

/* May CHARGED pages more be promised to MEMORY, by regions that lie in [first_page, last_page]? */
static inline bool must_check commit_allows(struct memory *memory, uint32_t charged,
                                            uint32_t first_page, uint32_t last_page)
{
    if (unlikely(commit_account.mode == OVERCOMMIT_NEVER))
        return commit_allows_exactly(memory, charged, first_page, last_page);
    return charged <= commit_account.single_max;
}

/* The same for PAGES pages that lie together, wherever that will be. */
bool must_check commit_allows_room_exactly(struct memory *memory, uint32_t charged, uint32_t pages);
static inline bool must_check commit_allows_room(struct memory *memory, uint32_t charged,
                                                 uint32_t pages)
{
    if (unlikely(commit_account.mode == OVERCOMMIT_NEVER))
        return commit_allows_room_exactly(memory, charged, pages);
    return charged <= commit_account.single_max;
}

/* What is charged to MEMORY is NOW, in frames. */
static inline void commit_set(struct memory *memory, uint32_t now)
{
    uint32_t before = memory->space.promised_frames;
    if (now == before)
        return;
    memory->space.promised_frames = now;
    frame_change_commit(&frame_pool, (int32_t)(now - before));
}

/* The same when it is known that PAGES charged pages have come; not in mode 2. */
static inline void commit_more(struct memory *memory, uint32_t pages)
{
    frame_commit(&frame_pool, pages);
    memory->space.promised_frames += pages;
}

/* The regions of MEMORY have changed. */
static inline void commit_follow(struct memory *memory)
{
    if (unlikely(commit_account.mode == OVERCOMMIT_NEVER))
        commit_follow_exactly(memory);
    else
        commit_set(memory, memory->space.charged_pages);
}

/* ---- other charges ---- */

/* COUNT frames for what belongs to no memory, yet or ever: charged at once, if they may be. */
bool must_check commit_take(uint32_t count);
static inline void commit_give(uint32_t count)
{
    frame_uncommit(&frame_pool, count);
}

/* Frames that PAGES pages of shared anonymous memory can need, the levels of its object
 * included. */
uint32_t commit_object_frames(uint32_t pages);

/*
 * A swap area of PAGES pages begins (or ends: negative): so much more can be promised, or less. Before
 * it ends: may so many promises go?
 */
void commit_change_limit(int32_t pages);
bool commit_can_lose(uint32_t pages);

#endif

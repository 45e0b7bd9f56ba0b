/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3, vma. Used by: layers 5 and up.
 *
 * Address spaces: a directory and a tree of regions for the lower 3 GiB. The upper GiB is the
 * kernel's, the same in all of them, with a tree of its own.
 */
#ifndef MM_SPACE_H
#define MM_SPACE_H

#include <mm/vma.h>

extern struct space kernel_space; /* the upper GiB */
extern struct space
    boot_space; /* directory 0: lives for ever; supervisor-only, for tests and prompt */

extern struct space *space_loaded; /* for the functions below; space_switch() sets it */

/* The space that is loaded, and the one that ADDRESS belongs to: the kernel's or the current. */
static inline struct space *space_current(void)
{
    return space_loaded;
}
static inline struct space *space_of(vaddr_t address)
{
    return address.v >= KERNEL_BASE ? &kernel_space : space_loaded;
}

/* All spaces that there are, but the kernel's, those that are folded last; NULL at the end. */
struct space *space_first(void);
struct space *space_next(const struct space *space);

/*
 * Make SPACE, a structure of the caller's that stays where it is, an empty space with a directory
 * of its own.
 *   user  RIGHTS_USER if user mode may have the lower half
 *   => costs one frame   returns KERR_OK, KERR_NO_MEMORY (no frame, or no directory is free)
 */
kerr_t space_create(struct space *space, enum rights user);

/*
 * Make COPY, a structure of the caller's, a copy of the current space: its regions and every
 * table of the lower half shared (mm/cow.h), so that the cost does not grow with what was written.
 *   => costs a directory, and a region node; where pages are locked or promises kept, a node for each region
 *   returns KERR_OK, KERR_NO_MEMORY (nothing changed)
 */
kerr_t space_fork(struct space *copy);

/* Load SPACE's directory, if it is not loaded. It has one: space_make_ready(). */
void space_switch(struct space *space);

/*
 * Give back all that SPACE holds. It is not the current one, and not the boot space. The second
 * does so piece by piece, none of them long: returns true when SPACE is gone. In between it is good
 * for nothing else, and no audit is content with it.
 */
void space_destroy(struct space *space);
bool must_check space_destroy_piece(struct space *space);

/* ---- spaces without a directory (mm/space_fold.c) ---- */

/*
 * Of a space that was not loaded for long, and whose own tables are out, a handful of directory entries
 * is left: they are kept in its structure, and the frame of its directory goes. All that reads entries of
 * others' spaces does it by these functions.
 */
static inline bool space_is_folded(const struct space *space)
{
    return space->directory == DIRECTORY_NONE;
}

/* SPACE has a directory from here on. KERR_OK; KERR_NO_MEMORY: a frame or two lack. */
kerr_t space_make_ready(struct space *space);

/* SPACE is folded: tables that it shares, and that have become empty in others' hands, go. Takes no memory. */
void space_drop_empty_tables(struct space *space);

/* Entries of its lower half; how many of the COUNT from SLOT on (at least 1) are equal to the first. */
pde_t space_pde_read(const struct space *space, uint32_t slot);
uint32_t space_pde_run(const struct space *space, uint32_t slot, uint32_t count);

/*
 * To look at tables of SPACE, loaded or not, folded or not: one space at a time, to be read only.
 * space_view_table() is NULL if SLOT has no table; else it is good until the next call.
 */
void space_view_open(const struct space *space);
const volatile uint32_t *space_view_table(uint32_t slot, pde_t *pde);
void space_view_query(vaddr_t address, struct translation *translation);
void space_view_close(void);

/* SLOT's entry of SPACE is swapped: the table comes back. As cow_bring_table(). */
kerr_t space_bring_table(struct space *space, uint32_t slot);

/* TABLE lies below a locked region of some space. Nobody need ask while `vma_locked_pages` is 0. */
bool space_locks_table(frame_t table);

/*
 * Tables that nobody shares and that show no page in RAM go (mm/cow.h, "tables that are out"): a hand
 * goes on from space to space until WANTED have gone, or *VISITS spaces were visited; spaces that are left without
 * a table of their own are folded. What was used since it came by last stays.
 *   may_write  they may go to slots; else only those that hold nothing go
 *   => *GONE have gone; *VISITS are left; takes no memory       TLB: paid
 *   returns true if the hand has come to the end of all spaces; it begins anew with the next call
 */
bool space_put_tables_out(uint32_t wanted, bool may_write, uint32_t *visits, uint32_t *gone);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: layers 0-3. Used by: mm/space.c, mm/space_tables.c, mm/space_fold.c.
 */
#ifndef MM_SPACE_PARTS_H
#define MM_SPACE_PARTS_H

#include <mm/space.h>

/* SPACE goes from the list of all: the hand of mm/space_tables.c must not stay with it. */
void space_leaves_hand(const struct space *space);

/* SPACE has been folded, or is folded no more: its place among all others is another one. */
void space_takes_its_place(struct space *space);

/* A directory that no space has is live: *ID. MAKE_REAL is told its page. */
kerr_t space_new_directory(enum kerr (*make_real)(vaddr_t first, uint32_t pages), uint32_t *id);

/* SPACE, which is not loaded, is left without its directory, if what that holds is little enough. */
bool space_fold(struct space *space);

/* SPACE ends, and is folded: the tables that it leads to. */
void space_drop_folded(struct space *space);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: layers 0-3. Used by: mm/space.c, mm/space_tables.c.
 */
#ifndef MM_SPACE_PARTS_H
#define MM_SPACE_PARTS_H

#include <mm/space.h>

/* SPACE goes from the list of all: the hand of mm/space_tables.c must not stay with it. */
void space_leaves_hand(const struct space *space);

#endif

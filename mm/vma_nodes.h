/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: layers 0-3. Used by: mm/vma*.c, mm/object.c, mm/audit.c.
 *
 * Where region nodes live: a fixed array of pages in kernel space, a promise that becomes real as
 * it grows and a promise again where it empties. No heap.
 */
#ifndef MM_VMA_NODES_H
#define MM_VMA_NODES_H

#include <mm/vma.h>

/*
 * Make sure that the next COUNT calls of node_take() succeed.
 *   returns KERR_OK, KERR_NO_MEMORY (no frame, or the array is full)
 */
kerr_t nodes_prepare(uint32_t count);

/* A node with any contents; one was prepared. node_give() takes it back. */
struct vma *node_take(void);
void node_give(struct vma *region);

/* Give back the one empty page that is kept so that a node more or less costs no page each time. */
void nodes_trim(void);

uint32_t nodes_in_use(void);

/*
 * Recount pages, free nodes and the list; IN_USE is how many nodes all regions have. Returns NULL,
 * or the sentence that is not true.
 */
const char *nodes_check(uint32_t in_use);

#endif

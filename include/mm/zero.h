/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Uses: layers 0-2. Used by: layer 3 (cow), layers 4 and up.
 *
 * Promises: pages that read as zero and cost nothing until they are written.
 *
 *   the zero frame     one frame of zeros, shared by every promised page
 *   the zero tables    two tables whose 1024 entries all are "zero frame, read-only": one with the
 *                      COW mark (a write is answered), one without (a write is refused)
 *
 * A whole slot is promised by one PDE that shares a zero table; so a GiB costs 256 stores. From
 * there on nothing knows of promises: to layer 3 they are shared tables and shared frames.
 */
#ifndef MM_ZERO_H
#define MM_ZERO_H

#include <mm/paging.h>

/* A zero table for each kind of promise, by the rights of its pages. */
enum zero_table { ZERO_TABLE_COW, ZERO_TABLE_READ_ONLY, ZERO_TABLES };

extern frame_t zero_frame;
extern frame_t zero_tables[ZERO_TABLES];

/*
 * Promise the COUNT whole slots from SLOT on, which are all empty, with RIGHTS (READ or WRITE).
 *   => all or nothing     returns KERR_OK, KERR_EXISTS
 *   TLB: nothing to do (not-present -> present)
 */
kerr_t zero_promise_slots(uint32_t slot, uint32_t count, enum rights rights);

/*
 * Promise the PAGES pages from FIRST on, all in one slot, in a table of the slot's own, which is
 * made if the slot is empty. Entries that are in use stay as they are.
 *   => the slot's PDE is empty or points to an own table
 *   returns KERR_OK, KERR_NO_MEMORY (nothing changed)      TLB: nothing to do
 */
kerr_t zero_promise_pages(vaddr_t first, uint32_t pages, enum rights rights);

/* SLOT is promised as a whole and was never written: its PDE shares a zero table. */
bool zero_slot_is_untouched(uint32_t slot);

/* A PDE that promises its whole slot with RIGHTS; it holds a reference to a zero table. */
pde_t zero_take_table(enum rights rights);

/* A PTE that promises a page with RIGHTS. */
pte_t zero_pte(enum rights rights);

/* Returns NULL, or the sentence that is not true: zero frame of zeros, zero tables intact. */
const char *zero_check(void);

#endif

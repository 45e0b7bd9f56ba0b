/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Uses: layers 0-2. Used by: layer 2 (directory), layers 4 and up (ps, maps, pictures).
 *
 * The alternate window, slot 1022: the tables of one foreign directory, as slot 1023 shows those of
 * the current one. Read-only use. It is closed before the foreign directory can be freed, before
 * another directory is loaded, and before return to user mode; the fault path never aims it.
 */
#ifndef ARCH_I386_ALTERNATE_H
#define ARCH_I386_ALTERNATE_H

#include <mm/paging.h>

/*
 * Aim the window at directory ID, live. It must be closed. For the current directory nothing is
 * mapped: slot 1023 shows its tables.
 *   TLB: nothing to do (not-present -> present)
 */
void alternate_open(uint32_t id);

/* Close it, which must be open. TLB: paid. */
void alternate_close(void);
bool alternate_is_open(void);

/*
 * As paging_query(), in the directory that the window is aimed at; lower half only. Frames and
 * tables may be looked at as long as nobody changes them: nothing is locked, nothing sleeps here.
 */
void alternate_query(vaddr_t address, struct translation *translation);

/*
 * The 1024 entries of SLOT's table in that directory (lower half), to be read before the window is
 * closed; NULL if its directory entry, *PDE, leads to none.
 */
const volatile uint32_t *alternate_table(uint32_t slot, pde_t *pde);

/* ---- for directory.c ---- */

/* The foreign directory that is seen in slot 1022: its entries have an alias there. */
enum { ALTERNATE_SHOWS_NONE = 0xFFFFFFFF };
extern uint32_t alternate_shown;

/* What entry 1022 of the loaded directory is to be, but for A and D. */
pde_t alternate_entry(void);

#endif

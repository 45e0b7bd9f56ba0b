/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Uses: layers 0, 1. Used by: tlb.h, process/schedule.c, prompt/, tests.
 *
 * The ledger of owed invalidations, in checked builds: a model of a TLB that caches all it may and
 * forgets nothing by itself. Writers of entries open debts, what the CPU is told pays them. It
 * knows the aliases: a PDE owes the pages below it, the CPU's cached copy of itself, and the page
 * of the window that shows its table. Emulators forgive a missing invalidation; this does not.
 *
 * A debt that is open when its event level ends (a fault handler, a self-test), or when a frame is
 * freed that the old translation leads to, is a panic that names the entry and the line.
 */
#ifndef ARCH_I386_LEDGER_H
#define ARCH_I386_LEDGER_H

#include <arch/i386/pte.h>
#include <mm/memlayout.h>

struct ledger_counters {
    uint32_t opened, paid; /* debts */
    uint32_t needless;     /* INVLPGs and flushes that paid nothing */
};
extern struct ledger_counters ledger_counters;

/* From here on, in checked builds: the entries are what the CPU knows. Options: see `mutants`. */
struct boot_info;
void ledger_start(void);

/* ---- told by the writers: an entry of the loaded directory changes from BEFORE to AFTER ---- */

void ledger_pte_stored(vaddr_t page, pte_t before, pte_t after, const char *where);

/* Called before the store, with the tables of both entries as they are. */
void ledger_pde_changes(uint32_t slot, pde_t before, pde_t after, const char *where);

/*
 * An entry of the directory that the alternate window shows: the page there is owed. Nothing else
 * of a directory that is not loaded is remembered.
 */
void ledger_alias_changes(uint32_t slot, pde_t before, pde_t after, const char *where);

/* ---- told by tlb.h: what the CPU was made to forget ---- */

void ledger_page_invalidated(vaddr_t page);
void ledger_flushed(void);        /* a load of CR3: all but global pages */
void ledger_global_flushed(void); /* a toggle of CR4.PGE: everything */

/* The page of the recursive window that shows the table of the slot of ADDRESS. */
static inline vaddr_t window_page(vaddr_t address)
{
    return VADDR(WINDOW_BASE + vaddr_to_slot(address) * PAGE_BYTES);
}

/* The page of the alternate window that shows the other directory's table of that slot. */
static inline vaddr_t alternate_page(vaddr_t address)
{
    return VADDR(ALT_WINDOW_BASE + vaddr_to_slot(address) * PAGE_BYTES);
}

/* ---- asked ---- */

/* Panics if the entry of PAGE, a page or the first of a slot, owes anything. */
void ledger_expect_nothing(vaddr_t page, const char *claim);

/* An event begins, or ends: debts opened in it must have been paid. */
void ledger_enter(void);
void ledger_leave(void);

/* Debts that are open now. */
uint32_t ledger_open(void);

/* ---- mutants: one invalidation left out, or called not needed, to see the ledger bite ---- */

/* A place in the source that pays or waives a debt; linker set `.tlb_sites`, in checked builds. */
struct tlb_site {
    const char *where; /* "file:line" */
    const char *what;  /* the function that stands there */
};
extern const struct tlb_site tlb_sites_first[], tlb_sites_end[];

enum tlb_mutation {
    TLB_OMIT,
    TLB_CLAIM_NOT_PRESENT,
    TLB_CLAIM_MORE_RIGHTS,
    TLB_CLAIM_NOT_LOADED,
    TLB_MUTATIONS
};

/* The site that misbehaves, by `mutant=N` on the command line; NULL: none. */
extern const struct tlb_site *tlb_mutant;
extern enum tlb_mutation tlb_mutation;

/* SITE is the mutant. (The same line, inlined into several files, is one site.) */
bool tlb_is_mutant(const struct tlb_site *site);

#endif

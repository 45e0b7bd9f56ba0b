/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: early mapping, layers 2-4.
 *
 * Directory and table entries, encoded and decoded; pure functions, no access to memory.
 *
 *   31                    12 11  10   9    8   7   6   5   4   3   2   1   0
 *  +------------------------+---+----+----+---+---+---+---+---+---+---+---+---+
 *  | frame                  |MAP|SHRD|COW | G |PS | D | A |PCD|PWT| U |RW | P |
 *  +------------------------+---+----+----+---+---+---+---+---+---+---+---+---+
 *
 * Bits 9-11 are ours (the CPU ignores them). COW is for PTEs, SHARED for PDEs, and they differ on
 * purpose: through the window a PDE is read as a PTE, and a store into the window page of a shared
 * table must look refused, not resolvable. MAP marks a PTE of a shared mapping (a file, shared
 * memory): never copied at a write, copied unchanged when its table is unshared.
 *
 *   PTE empty      all zero
 *   PTE writable   P RW            own, or shared mapping (MAP)
 *   PTE cow        P    COW        a write is answered with a private copy
 *   PTE clean      P    COW MAP    a write is asked for, and reaches the shared frame
 *   PTE read-only  P
 *   PTE kept           bit 1       no rights; the frame stays in bits 12-31 (MAP is kept, too)
 *   PTE swapped        bits 1, 8   out: bits 12-31 are a swap slot. U and COW as they were; A: it
 *                                  has rights, else it was kept
 *   PDE own        P RW
 *   PDE shared     P    SHARED     a write below is answered with a private table
 *   PDE large      P x  PS
 *   PDE swapped        bits 1, 8   the table is out: bits 12-31 are a swap slot. U as it was
 *
 * A is set from the start. Entries that show an object lose it, to see who is used (mm/cow_lose.c);
 * D means nothing: a write to an object is asked for before it happens.
 * Never set: G or PS in a PDE that points to a table (its window page would become global, or be
 * reserved); A is set in zero-table entries from the start, so that the CPU never writes there.
 * Source: Intel SDM vol. 3A, "32-Bit Paging", tables "Use of ... Paging-Structure Entries".
 */
#ifndef ARCH_I386_PTE_H
#define ARCH_I386_PTE_H

#include <kernel/types.h>

typedef struct {
    uint32_t bits;
} pte_t;

typedef struct {
    uint32_t bits;
} pde_t;

enum entry_flags {
    ENTRY_PRESENT = 1u << 0,
    ENTRY_WRITABLE = 1u << 1,
    ENTRY_USER = 1u << 2,
    ENTRY_WRITE_THROUGH = 1u << 3,
    ENTRY_CACHE_DISABLE = 1u << 4,
    ENTRY_ACCESSED = 1u << 5,
    ENTRY_DIRTY = 1u << 6,
    PDE_LARGE = 1u << 7,
    ENTRY_GLOBAL = 1u << 8,
    PTE_COW = 1u << 9,
    PDE_SHARED = 1u << 10,
    PTE_SHARED_MAPPING = 1u << 11,
    PTE_KEPT = 1u << 1,                   /* the tag of a not-present PTE that keeps its frame, */
    PTE_SWAPPED = 1u << 8,                /* and of one that keeps a slot instead; */
    PDE_SWAPPED = PTE_KEPT | PTE_SWAPPED, /* both of a not-present PDE whose table is in a slot */
};

#define ENTRY_FLAGS_MASK 0xFFFu

static inline pte_t pte_make(frame_t frame, uint32_t flags)
{
    return (pte_t){frame.n << PAGE_SHIFT | flags};
}

static inline pde_t pde_make(frame_t table, uint32_t flags)
{
    return (pde_t){table.n << PAGE_SHIFT | flags};
}

#define PTE_EMPTY ((pte_t){0})
#define PDE_EMPTY ((pde_t){0})

static inline frame_t pte_frame(pte_t pte)
{
    return FRAME(pte.bits >> PAGE_SHIFT);
}

static inline frame_t pde_frame(pde_t pde)
{
    return FRAME(pde.bits >> PAGE_SHIFT);
}

static inline bool pte_is_empty(pte_t pte)
{
    return pte.bits == 0;
}

static inline bool pte_is_present(pte_t pte)
{
    return (pte.bits & ENTRY_PRESENT) != 0;
}

static inline bool pte_is_writable(pte_t pte)
{
    return (pte.bits & (ENTRY_PRESENT | ENTRY_WRITABLE)) == (ENTRY_PRESENT | ENTRY_WRITABLE);
}

static inline bool pte_is_cow(pte_t pte)
{
    return (pte.bits & (ENTRY_PRESENT | PTE_COW)) == (ENTRY_PRESENT | PTE_COW);
}

/* A write is asked for first, and reaches the shared frame. */
static inline bool pte_is_clean_shared(pte_t pte)
{
    return pte_is_cow(pte) && (pte.bits & PTE_SHARED_MAPPING) != 0;
}

static inline bool pte_is_kept(pte_t pte)
{
    return (pte.bits & (ENTRY_PRESENT | PTE_KEPT)) == PTE_KEPT;
}

/* The page is out: the entry names a swap slot. */
static inline bool pte_is_swapped(pte_t pte)
{
    const uint32_t tags = PTE_KEPT | PTE_SWAPPED;
    return (pte.bits & (ENTRY_PRESENT | tags)) == tags;
}

/* The entry names a frame, or a slot, and holds a reference to it. */
static inline bool pte_holds_frame(pte_t pte)
{
    return (pte.bits & (ENTRY_PRESENT | PTE_KEPT)) != 0;
}

static inline bool pde_is_present(pde_t pde)
{
    return (pde.bits & ENTRY_PRESENT) != 0;
}

static inline bool pde_is_empty(pde_t pde)
{
    return pde.bits == 0;
}

/* The table is out: the entry names a swap slot, and holds a reference to it. */
static inline bool pde_is_swapped(pde_t pde)
{
    return (pde.bits & (ENTRY_PRESENT | PDE_SWAPPED)) == PDE_SWAPPED;
}

static inline bool pde_is_large(pde_t pde)
{
    return (pde.bits & (ENTRY_PRESENT | PDE_LARGE)) == (ENTRY_PRESENT | PDE_LARGE);
}

static inline bool pde_is_table(pde_t pde)
{
    return (pde.bits & (ENTRY_PRESENT | PDE_LARGE)) == ENTRY_PRESENT;
}

static inline bool pde_is_own_table(pde_t pde)
{
    return (pde.bits & (ENTRY_PRESENT | PDE_LARGE | PDE_SHARED)) == ENTRY_PRESENT;
}

static inline bool pde_is_shared(pde_t pde)
{
    return (pde.bits & (ENTRY_PRESENT | PDE_SHARED)) == (ENTRY_PRESENT | PDE_SHARED);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Uses: layers 0, 1. Used by: layers 3 and up.
 *
 * Pages, tables and directories of the current space, seen through the recursive window; the
 * temporary mappings; and the kernel half, which is equal in every live directory. Never calls
 * the heap: tables come from frame_alloc() and nowhere else.
 *
 * A frame that is mapped here keeps the reference its caller holds: paging counts references of
 * tables, and layer 3 those of frames in promised memory.
 */
#ifndef MM_PAGING_H
#define MM_PAGING_H

#include <arch/i386/pte.h>
#include <kernel/kerr.h>
#include <mm/memlayout.h>

/* What may be done with a page. i386 without PAE can't refuse execution: it is recorded only. */
enum rights {
    RIGHTS_NONE = 0,
    RIGHTS_READ = 1,
    RIGHTS_WRITE = 2, /* implies READ */
    RIGHTS_EXECUTE = 4,
    RIGHTS_USER = 8,      /* from user mode, too */
    RIGHTS_UNCACHED = 16, /* device memory: every access reaches the device */
    RIGHTS_READ_WRITE = RIGHTS_READ | RIGHTS_WRITE,
};

/* ---- one page ---- */

/*
 * Map PAGE to FRAME. What is there is never overwritten.
 *   page   page-aligned, below the temporary slot     frame   caller keeps its reference
 *   => a missing table comes from frame_alloc(); on failure nothing has changed
 *   returns KERR_OK, KERR_EXISTS (also for any page of a large or shared slot), KERR_NO_MEMORY
 *   TLB: nothing to do (not-present -> present)
 */
kerr_t paging_map(vaddr_t page, frame_t frame, enum rights rights);

/*
 * Unmap PAGE; *FRAME is what it was mapped to, and the caller's to free. A table that becomes
 * empty is given back.
 *   returns KERR_OK, KERR_NOT_FOUND (not mapped by paging_map)      TLB: paid
 */
kerr_t paging_unmap(vaddr_t page, frame_t *frame);

/* Change the rights of a mapped PAGE. Returns KERR_OK, KERR_NOT_FOUND. TLB: paid. */
kerr_t paging_protect(vaddr_t page, enum rights rights);

/* The entries that translate ADDRESS, any address at all; `pte` means something if `has_pte`. */
struct translation {
    pde_t pde;
    pte_t pte;
    bool has_pte;
};
void paging_query(vaddr_t address, struct translation *translation);

/*
 * Print ADDRESS's entries, their frames and bits by name; one line each. In the double-fault task
 * it describes the interrupted space.
 */
void paging_describe(vaddr_t address);

/* False in the double-fault task, which sees the image and the frame table, but no promises. */
bool paging_sees_current_space(void);

/* ---- a large page: 4 MiB, a whole slot ---- */

/*
 * Map the slot at ADDRESS to the 1024 frames from FIRST on (a multiple of 1024).
 *   returns KERR_OK, KERR_EXISTS, KERR_UNSUPPORTED (the CPU has no PSE)
 * The window page of the slot shows the contents of the large page: nobody may take it for a table.
 */
kerr_t paging_map_large(vaddr_t address, frame_t first, enum rights rights);
kerr_t paging_unmap_large(vaddr_t address, frame_t *first);

/* ---- device memory ---- */

/*
 * Map BYTES of device memory from START on at the next free place of the device area, uncached.
 * Such mappings stay for good. *ADDRESS is where START is seen.
 *   returns KERR_OK, KERR_NO_ROOM, KERR_NO_MEMORY, KERR_BAD_RANGE
 */
kerr_t paging_map_device(paddr_t start, uint32_t bytes, vaddr_t *address);

/* ---- tables of the current space (layer 3 and 4 build on these) ---- */

/*
 * Give the empty SLOT a table of its own with every entry empty; RIGHTS_USER opens it to user mode.
 * The table is cleared through the temporary page VIA, then linked.
 */
kerr_t table_create(uint32_t slot, enum rights rights, enum temp_page via);

/* Give back SLOT's table, own or shared, if no entry of it is in use. TLB: paid. */
void table_release_if_empty(uint32_t slot);

/* ---- directories ---- */

/*
 * Directories have numbers, 0..DIRECTORIES_COUNT-1, and each its page in the directories area.
 * 0 is the boot directory, which lives for ever.
 *
 * directory_register(ID): the page of ID in the area is a real frame, cleared and writable. It
 * becomes live: kernel entries are copied from the current directory, and from now on every change
 * of one is written into it at once. directory_unregister: not the current one, not 0.
 */
#define DIRECTORY_NONE (~0u)
void directory_register(uint32_t id);
void directory_unregister(uint32_t id);
bool directory_is_live(uint32_t id);
uint32_t directory_live_count(void);

/* Load CR3. All non-global translations are dropped. */
void directory_load(uint32_t id);
uint32_t directory_current(void);

static inline vaddr_t directory_page(uint32_t id)
{
    return VADDR(DIRECTORIES_BASE + id * PAGE_BYTES);
}

/* The entries of any live directory, by way of the directories area. */
pde_t directory_pde_read(uint32_t id, uint32_t slot);

/* How many of the COUNT entries from SLOT on (at least 1) are equal to the first. */
uint32_t directory_pde_run(uint32_t id, uint32_t slot, uint32_t count);

/* Store into a live directory that is not loaded: nothing is owed. SLOT is in the lower half. */
void directory_pde_write(uint32_t id, uint32_t slot, pde_t pde);

/*
 * Copy the COUNT entries from SLOT on, in the lower half, from the current directory into ID's, which is live, not
 * loaded, and empty there: nothing is owed.
 */
void directory_pde_copy(uint32_t id, uint32_t slot, uint32_t count);

/*
 * Compare the kernel halves of all live directories without A and D bits, which the CPU sets in
 * each by itself. Returns NULL, or the sentence that is not true.
 */
const char *directory_check(void);

/* ENTRY_GLOBAL where the CPU has it, else 0: for PTEs of kernel pages. */
extern uint32_t paging_global_flag;

#endif

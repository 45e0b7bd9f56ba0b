/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Uses: layers 0-2, zero, cow. Used by: the tests of layers 3 and 4.
 *
 * What the tests of promises have in common: a place to play in, accesses that may fail, what a
 * step has cost, directories made by hand, and a recount of everything below some slots.
 */
#ifndef TESTS_KERNEL_VM_TESTING_H
#define TESTS_KERNEL_VM_TESTING_H

#include <kernel/test.h>
#include <mm/frame.h>
#include <mm/paging.h>

/* Slots that nobody uses: 1 GiB of the lower half, and a few between arrays of the kernel. */
enum {
    TEST_SLOT = KERNEL_FIRST_SLOT / 3,
    TEST_SLOTS = 256,
    KERNEL_TEST_SLOT = (DIRECTORIES_BASE >> SLOT_SHIFT) - 8,
    KERNEL_TEST_SLOTS = 4,
};

static const enum rights all_rights[] = {RIGHTS_NONE, RIGHTS_READ, RIGHTS_READ_WRITE};

static inline vaddr_t page_of_slot(uint32_t slot, uint32_t page)
{
    return vaddr_add(slot_to_vaddr(slot), page << PAGE_SHIFT);
}

/* ---- accesses ---- */

/* Read or write a word by the probe routines; a refusal fails the test and says the address. */
uint32_t peek(vaddr_t address);
void poke(vaddr_t address, uint32_t value);

/* Every word of PAGE reads as 0, but those of the first two that SKIPPED (0..2) says. */
bool page_is_zero_behind(vaddr_t page, uint32_t skipped);

/* ---- costs ---- */

struct cost {
    uint32_t tables, anonymous, free;
};
void cost_start(struct cost *start);
void cost_expect(const char *file, int line, const struct cost *start, int tables, int frames);

/* Since cost_start() exactly so many tables and anonymous frames were taken (negative: freed). */
#define EXPECT_COST(start, tables, frames)                                                         \
    cost_expect(__FILE__, __LINE__, &(start), (int)(tables), (int)(frames))

/* Only COUNT frames are to be had from here on, until all_frames(). */
void leave_frames(uint32_t count);
void all_frames(void);

/* ---- entries ---- */

/* The zero table of RIGHTS. */
frame_t zero_table(enum rights rights);

/* The entry of PAGE in directory ID, loaded or not; empty if it has no table there. */
pte_t pte_in(uint32_t id, vaddr_t page);

/*
 * Recount what the directories IDS[COUNT] hold in the slots [slot, slot + slots), of which nobody
 * else has anything. Returns NULL, or the sentence that is not true.
 */
const char *recount(const uint32_t *ids, uint32_t count, uint32_t slot, uint32_t slots);

/* ---- directories made by hand ---- */

/* Make a live directory, not loaded, with an empty lower half. False: no memory. */
bool must_check directory_make(uint32_t *id);

/* Drop its lower half and end it. It is not the loaded one. */
void directory_end(uint32_t id);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Sides for the tests of copy-on-write (cow_testing.h).
 */
#include "cow_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/zero.h>

uint32_t cow_sides[SIDES_MAX], side_count;

void on_side(uint32_t side)
{
    directory_load(cow_sides[side]);
}

void sides_end(void)
{
    on_side(0);
    while (side_count > 1)
        directory_end(cow_sides[--side_count]);
}

bool sides_make(uint32_t count)
{
    for (side_count = 1; side_count < count; side_count++)
        if (!directory_make(&cow_sides[side_count])) {
            sides_end();
            return false;
        }
    return true;
}

void share_slots(uint32_t from, uint32_t to)
{
    on_side(from);
    cow_share(TEST_SLOT, SLOTS, cow_sides[to]);
}

uint32_t look(vaddr_t address)
{
    uint32_t value;
    return probe_read(address, &value) == FAULT_RESOLVED ? value : REFUSED;
}

uint32_t look_on(uint32_t side, vaddr_t address)
{
    on_side(side);
    return look(address);
}

void write_on(uint32_t side, vaddr_t address, uint32_t value)
{
    on_side(side);
    poke(address, value);
}

bool promise_slots(void)
{
    on_side(0);
    return zero_promise_slots(TEST_SLOT, SLOTS, RIGHTS_READ_WRITE) == KERR_OK;
}

bool share_written(void)
{
    if (!sides_make(2) || !promise_slots())
        return false;
    poke(first_page, 1);
    share_slots(0, 1);
    return true;
}

void release_slots(void)
{
    EXPECT(cow_release(first_page, SLOTS * SLOT_PAGES) == KERR_OK);
}

void release_and_end(void)
{
    on_side(0);
    release_slots();
    sides_end();
}

void expect_whole(const char *file, int line)
{
    const char *broken = recount(cow_sides, side_count, TEST_SLOT, SLOTS);
    if (broken != NULL)
        test_fail(file, line, broken);
}

uint32_t table_references(uint32_t side, uint32_t slot)
{
    return frame_references(&frame_pool, pde_frame(directory_pde_read(cow_sides[side], slot)));
}

uint32_t page_references(uint32_t side, vaddr_t page)
{
    return frame_references(&frame_pool, pte_frame(pte_in(cow_sides[side], page)));
}

bool make_sorts(void)
{
    frame_t frame;
    on_side(0);
    if (zero_promise_pages(first_page, MAPPED, RIGHTS_READ_WRITE) != KERR_OK ||
        frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) != KERR_OK)
        return false;
    vaddr_t mapped = page_of_slot(TEST_SLOT, MAPPED);
    pte_t pte = pte_make(frame, pte_flags(mapped, RIGHTS_READ_WRITE) | PTE_SHARED_MAPPING);
    tlb_unneeded(pte_write(mapped, pte), TLB_WAS_NOT_PRESENT);
    static const enum sort written[] = {OWN, READ_ONLY, KEPT, MAPPED};
    for (unsigned i = 0; i < ARRAY_LENGTH(written); i++)
        poke(page_of_slot(TEST_SLOT, written[i]), 1 + written[i]);
    return cow_protect(page_of_slot(TEST_SLOT, READ_ONLY), 1, RIGHTS_READ) == KERR_OK &&
           cow_protect(page_of_slot(TEST_SLOT, KEPT), 1, RIGHTS_NONE) == KERR_OK;
}

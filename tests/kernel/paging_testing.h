/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. What the tests of paging and of directories share.
 */
#ifndef TESTS_KERNEL_PAGING_TESTING_H
#define TESTS_KERNEL_PAGING_TESTING_H

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/fault.h>
#include <kernel/test.h>
#include <mm/frame.h>

/* Kernel addresses where nothing is mapped: the room for later arrays. */
#define KERNEL_GAP_BASE (PROCESS_RECORDS_BASE + PROCESS_RECORDS_ROOM_BYTES)
_Static_assert(KERNEL_GAP_BASE + 8 * SLOT_BYTES <= DIRECTORIES_BASE, "the tests use 8 slots of it");

enum { NOT_SEEN = 0x0BADADD2 };

/* A frame of the caller's, every word of it VALUE. */
static inline frame_t frame_with(uint32_t value)
{
    frame_t frame;
    if (frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) != KERR_OK)
        panic("the tests of layer 2 need a few free frames");
    words_fill(temp_map(TEMP_FRAME, frame), value, PAGE_BYTES / 4);
    temp_unmap(TEMP_FRAME);
    return frame;
}

/* The word at ADDRESS; NOT_SEEN if reading it faults. */
static inline uint32_t seen_at(vaddr_t address)
{
    uint32_t value;
    return probe_read(address, &value) == FAULT_RESOLVED ? value : NOT_SEEN;
}

/* The first of COUNT empty slots in the upper part of the lower half; 0 if it is that full. */
static inline uint32_t find_empty_slots(uint32_t count)
{
    uint32_t empty = 0;
    for (uint32_t slot = KERNEL_FIRST_SLOT - 2; slot > 0; slot--) {
        empty = pde_read(slot).bits == 0 ? empty + 1 : 0;
        if (empty == count)
            return slot;
    }
    return 0;
}

/* The next number from ID on that no live directory has. */
static inline uint32_t free_directory(uint32_t id)
{
    while (directory_is_live(id))
        id++;
    return id;
}

/*
 * Make directory ID live with what layer 2 has: a frame at its page in the directories area, laid
 * over the promise that the full kernel has there. Returns that, for directory_take_away().
 */
static inline pte_t directory_lay(uint32_t id)
{
    vaddr_t page = directory_page(id);
    pte_t promise = pte_read(page);
    pte_t pte = pte_make(frame_with(0), pte_flags(page, RIGHTS_READ_WRITE));
    tlb_invalidate_page(pte_write(page, pte));
    directory_register(id);
    return promise;
}

static inline void directory_take_away(uint32_t id, pte_t promise)
{
    vaddr_t page = directory_page(id);
    frame_t frame = pte_frame(pte_read(page));
    directory_unregister(id);
    tlb_invalidate_page(pte_write(page, promise));
    frame_free(&frame_pool, frame);
}

static inline void expect_unmap(vaddr_t page, frame_t expected)
{
    frame_t frame = FRAME(0);
    EXPECT_EQUAL(paging_unmap(page, &frame), KERR_OK);
    EXPECT_EQUAL(frame.n, expected.n);
}

/* The entries of SLOT's table that are not empty; and how many it counts. */
static inline uint32_t count_entries(uint32_t slot)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        used += !pte_is_empty(pte_read(vaddr_add(slot_to_vaddr(slot), i << PAGE_SHIFT)));
    return used;
}

static inline uint32_t used_entries(uint32_t slot)
{
    return frame_record(&frame_pool, pde_frame(pde_read(slot)))->used_entries;
}

/* The flags of ADDRESS's entry; 0 without a table. */
static inline uint32_t flags_at(vaddr_t address)
{
    struct translation t;
    paging_query(address, &t);
    return t.has_pte ? t.pte.bits & ENTRY_FLAGS_MASK : 0;
}

/* Two empty slots for a test, or the test is skipped. */
#define REQUIRE_SLOTS(base)                                                                        \
    uint32_t base##_slot = find_empty_slots(2);                                                    \
    if (base##_slot == 0)                                                                          \
        SKIP("needs two empty slots in the lower half");                                           \
    vaddr_t base = slot_to_vaddr(base##_slot)

/* No frame is to be had until the matching give_frames_back(). */
static inline uint32_t hide_all_frames(void)
{
    uint32_t hidden = frame_available(&frame_pool);
    if (frame_set_aside(&frame_pool, hidden) != KERR_OK)
        panic("what is available can't be set aside");
    return hidden;
}

static inline void give_frames_back(uint32_t hidden)
{
    frame_end_set_aside(&frame_pool, hidden);
}

#endif

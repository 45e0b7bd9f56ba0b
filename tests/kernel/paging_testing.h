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

#endif

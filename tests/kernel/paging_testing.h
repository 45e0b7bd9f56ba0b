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

static inline void expect_unmap(vaddr_t page, frame_t expected)
{
    frame_t frame = FRAME(0);
    EXPECT_EQUAL(paging_unmap(page, &frame), KERR_OK);
    EXPECT_EQUAL(frame.n, expected.n);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. What one page costs, with its table there and without.
 */
#include "measure.h"

#include <arch/i386/entry.h>
#include <mm/frame.h>

/* Free in every kernel: the heap's room is its owner's, device mappings are made from below. */
#define BENCH_PAGE VADDR(TEMP_BASE - SLOT_BYTES)

static void must(enum kerr error)
{
    if (error != KERR_OK)
        test_fail(__FILE__, __LINE__, kerr_text(error));
}

BENCH("paging")
{
    uint64_t first = 0, map = 0, protect = 0, unmap = 0, last = 0, temp = 0;
    vaddr_t neighbour = vaddr_add(BENCH_PAGE, PAGE_BYTES);
    frame_t frame, was;

    must(frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame));
    MEASURE(first, must(paging_map(BENCH_PAGE, frame, RIGHTS_READ_WRITE)));
    MEASURE(map, must(paging_map(neighbour, frame, RIGHTS_READ_WRITE)));
    MEASURE(protect, must(paging_protect(neighbour, RIGHTS_READ)));
    MEASURE(unmap, must(paging_unmap(neighbour, &was)));
    MEASURE(last, must(paging_unmap(BENCH_PAGE, &was)));
    MEASURE(temp, {
        temp_map(TEMP_FRAME, frame);
        temp_unmap(TEMP_FRAME);
    });
    frame_free(&frame_pool, frame);

    bench_row("map", map, "insn", NULL);
    bench_row("map_with_new_table", first, "insn", "clear_frame");
    bench_row("protect", protect, "insn", NULL);
    bench_row("unmap", unmap, "insn", NULL);
    bench_row("unmap_last_of_table", last, "insn", NULL);
    bench_row("temp_map_and_unmap", temp, "insn", NULL);
}

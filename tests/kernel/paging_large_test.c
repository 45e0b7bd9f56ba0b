/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of large pages.
 */
#include "paging_testing.h"

#include <kernel/early.h>

#define REQUIRE_LARGE_PAGES()                                                                      \
    if (!cpu_features.pse)                                                                         \
    SKIP("this CPU has no 4 MiB pages")

/* Lies in the image, and so in the first 4 MiB of RAM, which every machine has. */
static volatile uint32_t mark;

static vaddr_t mark_below(vaddr_t large)
{
    return vaddr_add(large, image_to_paddr(&mark).v);
}

TEST("paging", "a large page: shows its 1024 frames, writable or not, until it is unmapped")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    frame_t first = FRAME(77);

    mark = 29;
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(seen_at(mark_below(large)), 29);
    EXPECT_EQUAL(probe_write(mark_below(large), 30), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    EXPECT_EQUAL(first.n, 0);
    EXPECT_EQUAL(seen_at(mark_below(large)), NOT_SEEN);

    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(probe_write(mark_below(large), 30), FAULT_RESOLVED);
    EXPECT_EQUAL(mark, 30);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    EXPECT_EQUAL(pde_read(large_slot).bits, 0);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_NOT_FOUND);
}

TEST("paging", "a large page and a small page of the same frame: show the same")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    vaddr_t small = vaddr_add(large, SLOT_BYTES);
    frame_t frame = paddr_to_frame(image_to_paddr(&mark)), first;

    mark = 31;
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ_WRITE) == KERR_OK);
    REQUIRE(paging_map(small, frame, RIGHTS_READ_WRITE) == KERR_OK);
    vaddr_t in_small = vaddr_add(small, image_to_paddr(&mark).v % PAGE_BYTES);
    EXPECT_EQUAL(seen_at(in_small), 31);
    EXPECT_EQUAL(probe_write(mark_below(large), 32), FAULT_RESOLVED);
    EXPECT_EQUAL(seen_at(in_small), 32);
    expect_unmap(small, frame);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
}

TEST("paging", "a slot with a large page: nothing else is mapped, unmapped or protected there")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    struct translation t;
    frame_t frame = FRAME(1), first;

    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(paging_map(vaddr_add(large, 5 * PAGE_BYTES), frame, RIGHTS_READ), KERR_EXISTS);
    EXPECT_EQUAL(paging_map_large(large, FRAME(0), RIGHTS_READ), KERR_EXISTS);
    EXPECT_EQUAL(paging_unmap(large, &frame), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_protect(large, RIGHTS_READ_WRITE), KERR_NOT_FOUND);
    EXPECT_EQUAL(paging_unmap_large(vaddr_add(large, PAGE_BYTES), &frame), KERR_NOT_FOUND);
    EXPECT_EQUAL(frame.n, 1);
    paging_query(large, &t);
    EXPECT(!t.has_pte && pde_is_large(t.pde));
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
}

TEST("paging", "the window below a large page: shows its contents, and a table's place after it")
{
    REQUIRE_LARGE_PAGES();
    REQUIRE_SLOTS(large);
    frame_t frame = frame_with(33), first;

    /* The CPU takes the PDE for the PTE of the slot's window page, which so shows frame 0. */
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    uint32_t word = *(volatile uint32_t *)temp_map(TEMP_FRAME, FRAME(0));
    temp_unmap(TEMP_FRAME);
    EXPECT_EQUAL(*pte_slot(large), word);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    REQUIRE(paging_map(large, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(count_entries(large_slot), 1);
    EXPECT_EQUAL(pte_frame(pte_read(large)).n, frame.n);
    expect_unmap(large, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "a large page of the kernel: is global where the CPU has it, and leaves no trace")
{
    REQUIRE_LARGE_PAGES();
    vaddr_t large = VADDR(KERNEL_GAP_BASE);
    frame_t first, frame = frame_with(34);
    uint32_t global = cpu_features.pge ? (uint32_t)ENTRY_GLOBAL : 0;

    mark = 35;
    REQUIRE(paging_map_large(large, FRAME(0), RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(pde_read(vaddr_to_slot(large)).bits & (ENTRY_GLOBAL | ENTRY_USER), global);
    EXPECT_EQUAL(seen_at(mark_below(large)), 35);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    EXPECT_EQUAL(seen_at(mark_below(large)), NOT_SEEN);
    vaddr_t page = vaddr_to_page(mark_below(large));
    REQUIRE(paging_map(page, frame, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(seen_at(mark_below(large)), 34);
    expect_unmap(page, frame);
    frame_free(&frame_pool, frame);
}

TEST("paging", "a CPU without 4 MiB pages: KERR_UNSUPPORTED")
{
    frame_t first;
    if (cpu_features.pse)
        SKIP("this CPU has 4 MiB pages");
    REQUIRE_SLOTS(large);
    EXPECT_EQUAL(paging_map_large(large, FRAME(0), RIGHTS_READ), KERR_UNSUPPORTED);
    EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_NOT_FOUND);
    EXPECT_EQUAL(pde_read(large_slot).bits, 0);
}

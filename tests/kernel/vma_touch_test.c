/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of what a touch makes of a region, and of touches and regions without memory.
 */
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>

/* ---- touching ---- */

TEST("vma", "a partial slot: costs nothing reserved, one fault and one table at its first touch")
{
    struct cost cost;

    cost_start(&cost);
    lay_strip("AAAA");
    EXPECT_COST(cost, 0, 0);
    uint32_t faults = fault_counters.total;
    EXPECT_EQUAL(peek(strip_page(2)), 0);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQUAL(peek(strip_page(i)), 0);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    clear_strip();
    EXPECT_COST(cost, 0, 0);
}

TEST("vma", "the first touch is a write: one fault, one table and one frame")
{
    struct cost cost;

    lay_strip("AAAA");
    cost_start(&cost);
    uint32_t faults = fault_counters.total;
    poke(strip_page(2), 2);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    EXPECT_EQUAL(peek(strip_page(1)), 0);
    clear_strip();
}

TEST("vma", "two regions in one slot: share its table, and each keeps its rights")
{
    struct cost cost;
    uint32_t value;

    cost_start(&cost);
    lay_strip("AA.b");
    poke(strip_page(0), 1);
    EXPECT_EQUAL(peek(strip_page(3)), 0);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(probe_write(strip_page(3), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(strip_page(2), &value), FAULT_BAD_ACCESS);
    EXPECT(vma_release(&boot_space, strip_page(0), 2) == KERR_OK);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(peek(strip_page(3)), 0);
    clear_strip();
    EXPECT_COST(cost, 0, 0);
}

TEST("vma", "a touched slot that a region comes to cover whole: keeps data, the rest is zero")
{
    vaddr_t first = slot_to_vaddr(TEST_SLOT), half = page_of_slot(TEST_SLOT, SLOT_PAGES / 2);

    REQUIRE(vma_reserve_at(&boot_space, first, SLOT_PAGES / 2, RIGHTS_READ_WRITE,
                           region_names[0]) == KERR_OK);
    poke(first, 1);
    EXPECT(vma_reserve_at(&boot_space, half, SLOT_PAGES / 2, RIGHTS_READ_WRITE, region_names[0]) ==
           KERR_OK);
    EXPECT_EQUAL(boot_space.region_count - regions_before.boot_regions, 1);
    EXPECT_EQUAL(peek(half), 0);
    poke(page_of_slot(TEST_SLOT, LAST_PAGE), 2);
    EXPECT_EQUAL(peek(first), 1);
    EXPECT(vma_release(&boot_space, first, SLOT_PAGES) == KERR_OK);
}

TEST("vma", "access outside any region, or against its rights: is a bad access and costs nothing")
{
    struct cost cost;
    uint32_t value, bad = fault_counters.bad_access;

    lay_strip(".a.0.");
    cost_start(&cost);
    EXPECT_EQUAL(probe_read(strip_page(0), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(2), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(1), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(strip_page(3), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(3), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(slot_to_vaddr(KERNEL_TEST_SLOT), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(fault_counters.bad_access - bad, 6);
    EXPECT_COST(cost, 0, 0);
    clear_strip();
}

TEST("vma", "a touch from user mode: only where the region is the user's")
{
    lay_strip("A");
    EXPECT_EQUAL(vma_touch(strip_page(0), ACCESS_READ, MODE_USER), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(vma_touch(strip_page(0), ACCESS_READ, MODE_KERNEL), FAULT_RESOLVED);
    EXPECT_EQUAL(vma_touch(VADDR(PROCESS_RECORDS_BASE), ACCESS_READ, MODE_USER), FAULT_BAD_ACCESS);
    clear_strip();
}

TEST("vma", "a touch without a fault: builds what a fault would")
{
    struct cost cost;

    lay_strip("AAa");
    cost_start(&cost);
    EXPECT_EQUAL(vma_touch(vaddr_add(strip_page(0), 123), ACCESS_READ, MODE_KERNEL),
                 FAULT_RESOLVED);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(vma_touch(strip_page(1), ACCESS_WRITE, MODE_KERNEL), FAULT_RESOLVED);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(vma_touch(strip_page(2), ACCESS_WRITE, MODE_KERNEL), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(vma_touch(strip_page(3), ACCESS_READ, MODE_KERNEL), FAULT_BAD_ACCESS);
    uint32_t faults = fault_counters.total;
    poke(strip_page(1), 1);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    clear_strip();
}

TEST("vma", "a range made real: is written without a fault; without rights or region it is not")
{
    struct cost cost;

    lay_strip("AAAAAAAA.a");
    cost_start(&cost);
    EXPECT(vma_make_real(strip_page(0), 8) == KERR_OK);
    EXPECT_COST(cost, 2, 8);
    EXPECT(vma_make_real(strip_page(0), 8) == KERR_OK);
    EXPECT_COST(cost, 2, 8);
    uint32_t faults = fault_counters.total;
    for (uint32_t i = 0; i < 8; i++)
        poke(strip_page(i), i);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    EXPECT(vma_make_real(strip_page(7), 2) == KERR_BAD_ACCESS);
    EXPECT(vma_make_real(strip_page(9), 1) == KERR_BAD_ACCESS);
    EXPECT_COST(cost, 2, 8);
    clear_strip();
}

/* ---- no memory ---- */

TEST("vma", "a touch with too few frames: no memory, and zero all the same")
{
    for (uint32_t frames = 0; frames <= 2; frames++) {
        lay_strip("AAAA");
        leave_frames(frames);
        EXPECT_EQUAL(probe_write(strip_page(1), 1), frames < 2 ? FAULT_NO_MEMORY : FAULT_RESOLVED);
        all_frames();
        EXPECT_EQUAL(peek(strip_page(1)), frames < 2 ? 0 : 1);
        clear_strip();
    }
}

TEST("vma", "a range made real with too few frames: what is real stays, the rest is zero")
{
    for (uint32_t frames = 0; frames <= 10; frames++) {
        lay_strip("AAAAAAAA");
        leave_frames(frames);
        EXPECT(vma_make_real(strip_page(0), 8) == (frames < 10 ? KERR_NO_MEMORY : KERR_OK));
        all_frames();
        for (uint32_t i = 0; i < 8; i++)
            EXPECT_EQUAL(peek(strip_page(i)), 0);
        clear_strip();
    }
}

/* Reserve single pages, a hole after each, until no node is left; returns their number. */
static uint32_t use_up_nodes(void)
{
    enum { ENOUGH = 300 };
    uint32_t count = 0;
    while (count < ENOUGH && vma_reserve_at(&boot_space, page_of_slot(TEST_SLOT + 8, 2 * count), 1,
                                            RIGHTS_READ, region_names[2]) == KERR_OK)
        count++;
    return count < ENOUGH ? count : 0;
}

TEST("vma", "no region node and no frame: no memory, regions stay, and whole ones can be released")
{
    lay_strip("AAAA..BBBB");
    for (uint32_t i = 0; i < 4; i++)
        poke(strip_page(i), i + 1);
    leave_frames(0);
    uint32_t count = use_up_nodes(), regions = boot_space.region_count;
    enum kerr in_middle = vma_release(&boot_space, strip_page(1), 2);
    enum kerr to_protect = vma_protect(&boot_space, strip_page(1), 2, RIGHTS_READ);
    enum kerr to_grow =
        vma_reserve_at(&boot_space, strip_page(4), 1, RIGHTS_READ_WRITE, region_names[0]);
    uint32_t regions_after = boot_space.region_count;
    enum kerr whole = vma_release(&boot_space, strip_page(6), 4);
    all_frames();
    EXPECT(vma_release(&boot_space, slot_to_vaddr(TEST_SLOT + 8), SLOT_PAGES) == KERR_OK);
    if (count == 0) {
        clear_strip();
        SKIP("more region nodes were made real than this test can use up");
    }
    EXPECT(in_middle == KERR_NO_MEMORY && to_protect == KERR_NO_MEMORY);
    EXPECT(to_grow == KERR_OK); /* a neighbour that is alike wants no node */
    EXPECT(whole == KERR_OK);
    EXPECT_EQUAL(regions_after, regions);
    EXPECT_STRIP("AAAAA.....");
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQUAL(peek(strip_page(i)), i + 1);
    clear_strip();
}

/* ---- panics ---- */

PANIC_TEST("access-lower-half")
{
    if (vma_reserve_at(&boot_space, strip_page(0), 1, RIGHTS_READ_WRITE, region_names[0]) ==
        KERR_OK)
        *(volatile uint32_t *)vaddr_to_pointer(strip_page(0)) = 1;
}

PANIC_TEST("fault-outside-region")
{
    *(volatile uint32_t *)vaddr_to_pointer(slot_to_vaddr(KERNEL_TEST_SLOT)) = 1;
}

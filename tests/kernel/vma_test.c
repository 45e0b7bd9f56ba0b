/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of regions: reserving, finding, cutting and joining them, and what becomes of
 * their pages. Regions are drawn as strips (vma_testing.h).
 */
#include "vma_testing.h"

/* ---- reserving and finding ---- */

TEST("vma", "a region: is found at every page of it, and nowhere else")
{
    struct cost cost;

    lay_strip("..AAAAAA");
    cost_start(&cost);
    EXPECT(vma_find(&boot_space, strip_page(1)) == NULL);
    EXPECT(vma_find(&boot_space, strip_page(8)) == NULL);
    const struct vma *region = vma_find(&boot_space, strip_page(2));
    REQUIRE(region != NULL);
    for (uint32_t byte = 0; byte < 6 * PAGE_BYTES; byte += PAGE_BYTES - 1)
        EXPECT(vma_find(&boot_space, vaddr_add(strip_page(2), byte)) == region);
    EXPECT_STRIP("..AAAAAA..");
    EXPECT_COST(cost, 0, 0);
    clear_strip();
}

TEST("vma", "a range that is taken anywhere: exists, and nothing changes")
{
    lay_strip("..AAA..");
    for (uint32_t first = 0; first < 7; first++)
        for (uint32_t pages = 1; first + pages <= 7; pages++)
            if (first + pages > 2 && first < 5)
                EXPECT(vma_reserve_at(&boot_space, strip_page(first), pages, RIGHTS_READ_WRITE,
                                      region_names[0]) == KERR_EXISTS);
    EXPECT_STRIP("..AAA..");
    clear_strip();
}

TEST("vma", "neighbours that are alike: become one region, from either side and between")
{
    static const char *const steps[] = {"..A.....", "..AA....", ".AAA....", ".AAA.A..", ".AAAAA.."};
    static const uint32_t added[] = {2, 3, 1, 5, 4};

    for (unsigned i = 0; i < ARRAY_LENGTH(steps); i++) {
        EXPECT(vma_reserve_at(&boot_space, strip_page(added[i]), 1, RIGHTS_READ_WRITE,
                              region_names[0]) == KERR_OK);
        EXPECT_STRIP(steps[i]);
    }
    clear_strip();
}

TEST("vma", "neighbours of another name or other rights: stay apart")
{
    lay_strip("AABBaabb0011CC");
    EXPECT_STRIP("AABBaabb0011CC");
    clear_strip();
}

TEST("vma", "ranges that can't be: are refused")
{
    const struct {
        vaddr_t first;
        uint32_t pages;
    } bad[] = {
        {strip_page(0), 0},                                                /* empty */
        {VADDR(0), 1},                                                     /* the first page */
        {VADDR(0), 2},                                                     /* and beyond it */
        {vaddr_add(strip_page(0), 1), 1},                                  /* misaligned */
        {vaddr_add(strip_page(0), PAGE_BYTES / 2), 1},                     /* the same */
        {VADDR(KERNEL_BASE), 1},                                           /* the kernel's */
        {VADDR(KERNEL_BASE - PAGE_BYTES), 2},                              /* into the kernel */
        {VADDR(WINDOW_DIRECTORY), 1},                                      /* the last page */
        {strip_page(0), 0x100000},                                         /* all pages */
        {strip_page(0), ~0u},                                              /* wraps */
        {strip_page(0), 0u - (strip_page(0).v >> PAGE_SHIFT)},             /* ends at 2^32 */
        {strip_page(0), 0x100000 - (strip_page(0).v >> PAGE_SHIFT)},       /* ends at 4 GiB */
        {strip_page(0), (KERNEL_BASE - strip_page(0).v) / PAGE_BYTES + 1}, /* one too many */
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
        vaddr_t first = bad[i].first;
        EXPECT(vma_reserve_at(&boot_space, first, bad[i].pages, RIGHTS_READ, region_names[0]) ==
               KERR_BAD_RANGE);
        EXPECT(vma_release(&boot_space, first, bad[i].pages) == KERR_BAD_RANGE);
        EXPECT(vma_protect(&boot_space, first, bad[i].pages, RIGHTS_READ) == KERR_BAD_RANGE);
    }
    vaddr_t first;
    EXPECT(vma_reserve(&boot_space, 0, RIGHTS_READ, region_names[0], &first) == KERR_BAD_RANGE);
    EXPECT(vma_reserve(&boot_space, ~0u, RIGHTS_READ, region_names[0], &first) == KERR_NO_ROOM);
    EXPECT(vma_reserve(&boot_space, KERNEL_BASE / PAGE_BYTES, RIGHTS_READ, region_names[0],
                       &first) == KERR_NO_ROOM);
    EXPECT(vma_reserve_at(&kernel_space, VADDR(KERNEL_BASE - PAGE_BYTES), 2, RIGHTS_READ,
                          region_names[0]) == KERR_BAD_RANGE);
    EXPECT(vma_reserve_at(&kernel_space, VADDR(TEMP_BASE), 1, RIGHTS_READ, region_names[0]) ==
           KERR_BAD_RANGE);
}

TEST("vma", "the lower half as one region: from the first page to the last")
{
    uint32_t pages = (KERNEL_BASE - USER_FIRST_ADDRESS) / PAGE_BYTES;
    vaddr_t first = VADDR(USER_FIRST_ADDRESS), last = VADDR(KERNEL_BASE - PAGE_BYTES), room;

    REQUIRE(vma_reserve_at(&boot_space, first, pages, RIGHTS_READ_WRITE, region_names[0]) ==
            KERR_OK);
    EXPECT(vma_find_room(&boot_space, 1, &room) == KERR_NO_ROOM);
    poke(first, 1);
    poke(vaddr_add(last, PAGE_BYTES - 4), 2);
    EXPECT_EQUAL(peek(first), 1);
    EXPECT_EQUAL(peek(vaddr_add(last, PAGE_BYTES - 4)), 2);
    uint32_t value;
    EXPECT_EQUAL(probe_read(VADDR(0), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(VADDR(KERNEL_BASE - 2), 1), FAULT_BAD_ACCESS);
    EXPECT(vma_release(&boot_space, first, pages) == KERR_OK);
}

/* ---- release ---- */

/* BEFORE, of which some pages are released or protected, as the marks in RANGE say, is AFTER. */
struct change {
    const char *before, *range, *after;
};

static uint32_t range_first(const struct change *change)
{
    uint32_t first = 0;
    while (change->range[first] != '^')
        first++;
    return first;
}

TEST("vma", "release of any part: the rest stays, cut where the range begins and ends")
{
    static const struct change changes[] = {
        {"AAAAAAAA", "^^^^^^^^", "........"}, /* all */
        {"AAAAAAAA", "^^      ", "..AAAAAA"}, /* left */
        {"AAAAAAAA", "      ^^", "AAAAAA.."}, /* right */
        {"AAAAAAAA", "  ^^^^  ", "AA....AA"}, /* middle */
        {"AAAAAAAA", "   ^    ", "AAA.AAAA"}, /* one page at the slot's border */
        {"..AAAA..", "^^^^^^^^", "........"}, /* more than there is */
        {"..AAAA..", "^^^     ", "...AAA.."}, /* a hole and the left part */
        {"..AAAA..", "     ^^^", "..AAA..."}, /* the right part and a hole */
        {"AABBCC..", " ^^^^   ", "A....C.."}, /* parts of three */
        {"AA.BB.CC", " ^^^^^^ ", "A......C"}, /* the same with holes */
        {"AAaaBBbb", "  ^^^^  ", "AA....bb"}, /* whole ones */
        {"A.A.A.A.", "^^^^^^^^", "........"}, /* many */
        {"A.A.A.A.", " ^^^^   ", "A.....A."}, /* two between holes */
        {"00aaAA11", " ^^^^^^ ", "0......1"}, /* whatever the rights */
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(changes); i++) {
        const struct change *change = &changes[i];
        uint32_t first = range_first(change);
        lay_strip(change->before);
        EXPECT(vma_release(&boot_space, strip_page(first), run_of(change->range, first)) ==
               KERR_OK);
        EXPECT_STRIP(change->after);
        clear_strip();
    }
}

TEST("vma", "release of holes alone: is not found")
{
    lay_strip("AA....BB");
    for (uint32_t pages = 1; pages <= 4; pages++)
        EXPECT(vma_release(&boot_space, strip_page(2), pages) == KERR_NOT_FOUND);
    EXPECT_STRIP("AA....BB");
    clear_strip();
}

TEST("vma", "release of a written region: gives back its frames and its tables")
{
    struct cost cost;

    cost_start(&cost);
    lay_strip("AAAAAAAA");
    for (uint32_t i = 0; i < 8; i++)
        poke(strip_page(i), i + 1);
    EXPECT_COST(cost, 2, 8);
    EXPECT(vma_release(&boot_space, strip_page(2), 4) == KERR_OK);
    EXPECT_COST(cost, 2, 4);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t value = 0;
        enum fault_result result = probe_read(strip_page(i), &value);
        bool released = i >= 2 && i < 6;
        EXPECT_EQUAL(result, released ? FAULT_BAD_ACCESS : FAULT_RESOLVED);
        EXPECT_EQUAL(value, released ? 0 : i + 1);
    }
    clear_strip();
    EXPECT_COST(cost, 0, 0);
}

TEST("vma", "a page released and reserved again: is zero")
{
    lay_strip("AAAAAAAA");
    poke(strip_page(1), 1);
    poke(strip_page(2), 2);
    EXPECT(vma_release(&boot_space, strip_page(1), 1) == KERR_OK);
    EXPECT(vma_reserve_at(&boot_space, strip_page(1), 1, RIGHTS_READ_WRITE, region_names[0]) ==
           KERR_OK);
    EXPECT_STRIP("AAAAAAAA");
    EXPECT_EQUAL(peek(strip_page(1)), 0);
    EXPECT_EQUAL(peek(strip_page(2)), 2);
    clear_strip();
}

TEST("vma", "release of a part of an untouched GiB: the rest still reads as zero")
{
    struct cost cost;
    vaddr_t first = slot_to_vaddr(TEST_SLOT);
    uint32_t pages = TEST_SLOTS * SLOT_PAGES, value;

    REQUIRE(vma_reserve_at(&boot_space, first, pages, RIGHTS_READ_WRITE, region_names[0]) ==
            KERR_OK);
    cost_start(&cost);
    EXPECT(vma_release(&boot_space, page_of_slot(TEST_SLOT + 9, 5), 1) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(probe_read(page_of_slot(TEST_SLOT + 9, 5), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 9, 4)), 0);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 9, 6)), 0);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 8, LAST_PAGE)), 0);
    EXPECT_COST(cost, 1, 0); /* the slot is in two parts now: it has a table from its first touch */
    EXPECT(vma_release(&boot_space, first, pages) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
}

/* ---- protect ---- */

TEST("vma", "protect of any part: regions are cut, and joined with what is alike")
{
    static const struct change changes[] = {
        {"AAAAAAAA", "^^^^^^^^", "aaaaaaaa"}, /* all */
        {"AAAAAAAA", "^^      ", "aaAAAAAA"}, /* left */
        {"AAAAAAAA", "      ^^", "AAAAAAaa"}, /* right */
        {"AAAAAAAA", "  ^^^^  ", "AAaaaaAA"}, /* middle */
        {"AAaaaaAA", "^^      ", "aaaaaaAA"}, /* joined with the one above */
        {"AAaaaaAA", "      ^^", "AAaaaaaa"}, /* with the one below */
        {"aaAAAAaa", "  ^^^^  ", "aaaaaaaa"}, /* with both */
        {"aaAAAAaa", "   ^^   ", "aaAaaAaa"}, /* with none */
        {"AaAaAaAa", "^^^^^^^^", "aaaaaaaa"}, /* many become one */
        {"aAaAaAaA", " ^^^^^  ", "aaaaaaaA"}, /* and with both neighbours */
        {"aaA0AaAA", "  ^^^^  ", "aaaaaaAA"}, /* whatever the rights were */
        {"aaAA00aa", "  ^^^^  ", "aaaaaaaa"}, /* two, and both neighbours */
        {"BBAA00aa", "  ^^^^  ", "BBaaaaaa"}, /* two, and the one above */
        {"AABBAABB", " ^^^^^^ ", "AabbaabB"}, /* names stay apart */
        {"BBAAAABB", "^^^^^^^^", "bbaaaabb"}, /* the same, whole ones */
        {"..aAAa..", "  ^^^^  ", "..aaaa.."}, /* holes beside it */
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(changes); i++) {
        const struct change *change = &changes[i];
        uint32_t first = range_first(change);
        lay_strip(change->before);
        EXPECT(vma_protect(&boot_space, strip_page(first), run_of(change->range, first),
                           RIGHTS_READ) == KERR_OK);
        EXPECT_STRIP(change->after);
        clear_strip();
    }
}

TEST("vma", "protect there and back: one region again, with its data")
{
    lay_strip("AAAAAAAA");
    for (uint32_t i = 0; i < 8; i++)
        poke(strip_page(i), i + 1);
    EXPECT(vma_protect(&boot_space, strip_page(2), 4, RIGHTS_NONE) == KERR_OK);
    EXPECT_STRIP("AA0000AA");
    EXPECT(vma_protect(&boot_space, strip_page(2), 4, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_STRIP("AAAAAAAA");
    for (uint32_t i = 0; i < 8; i++)
        EXPECT_EQUAL(peek(strip_page(i)), i + 1);
    clear_strip();
}

TEST("vma", "protect over a hole: is not found, and nothing changes")
{
    lay_strip("AAA..AAA");
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT(vma_protect(&boot_space, strip_page(2), 2, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT(vma_protect(&boot_space, strip_page(4), 2, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT(vma_protect(&boot_space, strip_page(3), 2, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT_STRIP("AAA..AAA");
    poke(strip_page(2), 1);
    clear_strip();
}

TEST("vma", "a region without rights: refuses all access, and gives its data back with its rights")
{
    uint32_t value;

    lay_strip("AAAAAAAA");
    poke(strip_page(3), 33); /* page 4, in the next slot, stays untouched */
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_NONE) == KERR_OK);
    for (uint32_t i = 0; i < 8; i++) {
        EXPECT_EQUAL(probe_read(strip_page(i), &value), FAULT_BAD_ACCESS);
        EXPECT_EQUAL(probe_write(strip_page(i), 1), FAULT_BAD_ACCESS);
    }
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(peek(strip_page(3)), 33);
    EXPECT_EQUAL(peek(strip_page(4)), 0);
    EXPECT_EQUAL(probe_write(strip_page(3), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(4), 1), FAULT_BAD_ACCESS);
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_READ_WRITE) == KERR_OK);
    poke(strip_page(3), 34);
    poke(strip_page(4), 44);
    EXPECT_EQUAL(peek(strip_page(3)), 34);
    clear_strip();
}

TEST("vma", "whole slots without rights: are promises again when they get some")
{
    struct cost cost;
    vaddr_t first = slot_to_vaddr(TEST_SLOT);

    cost_start(&cost);
    REQUIRE(vma_reserve_at(&boot_space, first, 4 * SLOT_PAGES, RIGHTS_NONE, region_names[0]) ==
            KERR_OK);
    EXPECT_EQUAL(probe_write(first, 1), FAULT_BAD_ACCESS);
    EXPECT(vma_protect(&boot_space, first, 4 * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 2, 100)), 0);
    EXPECT_COST(cost, 0, 0);
    poke(page_of_slot(TEST_SLOT + 3, 100), 3);
    EXPECT_COST(cost, 1, 1);
    EXPECT(vma_release(&boot_space, first, 4 * SLOT_PAGES) == KERR_OK);
}

TEST("vma", "half of an untouched slot made read-only: each half keeps its own rights")
{
    vaddr_t first = slot_to_vaddr(TEST_SLOT), half = page_of_slot(TEST_SLOT, SLOT_PAGES / 2);

    REQUIRE(vma_reserve_at(&boot_space, first, SLOT_PAGES, RIGHTS_READ_WRITE, region_names[0]) ==
            KERR_OK);
    EXPECT(vma_protect(&boot_space, half, SLOT_PAGES / 2, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(probe_write(half, 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(half), 0);
    poke(first, 1);
    poke(VADDR(half.v - PAGE_BYTES), 2);
    EXPECT_EQUAL(probe_write(half, 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT, LAST_PAGE)), 0);
    EXPECT(vma_protect(&boot_space, half, SLOT_PAGES / 2, RIGHTS_READ_WRITE) == KERR_OK);
    poke(half, 3);
    EXPECT_EQUAL(boot_space.region_count - regions_before.boot_regions, 1);
    EXPECT_EQUAL(peek(first), 1);
    EXPECT(vma_release(&boot_space, first, SLOT_PAGES) == KERR_OK);
}

/* ---- the kernel's own ---- */

TEST("vma", "permanent kernel regions: refuse release and protect, whole, in part, with holes")
{
    uint32_t regions = 0;

    for (struct vma *region = vma_first(&kernel_space); region != NULL; region = vma_next(region)) {
        regions++;
        if (!region->is_permanent)
            continue;
        vaddr_t first = vma_start(region), last = VADDR(region->last_page << PAGE_SHIFT);
        EXPECT(vma_release(&kernel_space, first, vma_pages(region)) == KERR_BAD_RANGE);
        EXPECT(vma_release(&kernel_space, first, 1) == KERR_BAD_RANGE);
        EXPECT(vma_protect(&kernel_space, last, 1, RIGHTS_READ) == KERR_BAD_RANGE);
        if (vma_find(&kernel_space, vaddr_add(last, PAGE_BYTES)) == NULL && last.v < DEVICE_BASE)
            EXPECT(vma_release(&kernel_space, last, 2) == KERR_BAD_RANGE);
        EXPECT(vma_reserve_at(&kernel_space, last, 1, RIGHTS_READ, region_names[0]) == KERR_EXISTS);
    }
    EXPECT_EQUAL(regions, kernel_space.region_count);
}

TEST("vma", "a region of kernel space: is reserved, written and released like any other")
{
    struct cost cost;
    vaddr_t first;

    cost_start(&cost);
    REQUIRE(vma_reserve(&kernel_space, 10, RIGHTS_READ_WRITE, region_names[0], &first) == KERR_OK);
    EXPECT(first.v >= KERNEL_BASE);
    EXPECT_COST(cost, 0, 0);
    uint32_t *words = vaddr_to_pointer(first);
    words[0] = 1;
    words[10 * PAGE_BYTES / 4 - 1] = 2;
    EXPECT_EQUAL(words[0], 1);
    EXPECT_EQUAL(words[1], 0);
    EXPECT(vma_release(&kernel_space, first, 10) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
}

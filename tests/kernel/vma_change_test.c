/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of what is done with ranges of regions: move, marks, discard; and of regions that
 * grow down. What a page holds is written to it as 1 + its number in the range.
 */
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/object.h>

static const char name[] = "change", other_name[] = "other";
static struct space child;

static vaddr_t page_at(uint32_t page)
{
    return page_of_slot(TEST_SLOT, page);
}

static bool must_check reserve(uint32_t page, uint32_t pages)
{
    return vma_reserve_at(&boot_space, page_at(page), pages, RIGHTS_READ_WRITE, name) == KERR_OK;
}

static enum kerr move(uint32_t from, uint32_t pages, uint32_t to)
{
    return vma_move(space_current(), page_at(from), pages, page_at(to));
}

static bool is_reserved(uint32_t page)
{
    return vma_find(space_current(), page_at(page)) != NULL;
}

static void release_all(void)
{
    EXPECT(vma_release(space_current(), page_at(0), TEST_SLOTS * SLOT_PAGES) == KERR_OK);
}

/* ---- the upper end ---- */

TEST("vma", "a region's end moves up: the whole slots above are promised, and one page stays free")
{
    struct vma *region;
    struct translation t;
    uint32_t reserved = boot_space.reserved_pages;

    REQUIRE(reserve(10, 2));
    REQUIRE(reserve(4 * SLOT_PAGES, 1));
    region = vma_find(&boot_space, page_at(10));
    poke(page_at(11), 1);
    EXPECT_EQUAL(vma_extend(&boot_space, region, 4 * SLOT_PAGES - 12), KERR_EXISTS);
    EXPECT_EQUAL(vma_extend(&boot_space, region, 4 * SLOT_PAGES - 13), KERR_OK);
    EXPECT_EQUAL(vma_pages(region), 4 * SLOT_PAGES - 11);
    EXPECT_EQUAL(boot_space.reserved_pages - reserved, 4 * SLOT_PAGES - 10);
    paging_query(page_at(SLOT_PAGES), &t);
    EXPECT(pde_is_shared(t.pde));
    poke(page_at(12), 2);
    poke(page_at(4 * SLOT_PAGES - 2), 3);
    EXPECT_EQUAL(peek(page_at(11)), 1);
    EXPECT_EQUAL(peek(page_at(2 * SLOT_PAGES)), 0);
    EXPECT_AUDIT();
    release_all();
}

TEST("vma", "the end of a region without rights moves up: nothing is promised")
{
    struct vma *region;
    struct translation t;
    uint32_t value;

    REQUIRE(vma_reserve_at(&boot_space, page_at(0), 1, RIGHTS_NONE, name) == KERR_OK);
    region = vma_find(&boot_space, page_at(0));
    EXPECT_EQUAL(vma_extend(&boot_space, region, 3 * SLOT_PAGES), KERR_OK);
    paging_query(page_at(SLOT_PAGES), &t);
    EXPECT(!pde_is_present(t.pde));
    EXPECT_EQUAL(probe_read(page_at(SLOT_PAGES), &value), FAULT_BAD_ACCESS);
    EXPECT_AUDIT();
    release_all();
}

TEST("vma", "a region's end moves down: what was there is given back, and may come again")
{
    struct vma *region;
    uint32_t value, reserved = boot_space.reserved_pages;

    REQUIRE(reserve(10, 2 * SLOT_PAGES));
    region = vma_find(&boot_space, page_at(10));
    poke(page_at(12), 1);
    poke(page_at(13), 2);
    poke(page_at(SLOT_PAGES + 5), 3);
    EXPECT_EQUAL(vma_shorten(&boot_space, region, 2 * SLOT_PAGES - 3), KERR_OK);
    EXPECT_EQUAL(vma_pages(region), 3);
    EXPECT_EQUAL(boot_space.reserved_pages - reserved, 3);
    EXPECT_EQUAL(probe_read(page_at(13), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_at(12)), 1);
    EXPECT_EQUAL(vma_extend(&boot_space, region, 1), KERR_OK);
    EXPECT_EQUAL(peek(page_at(13)), 0);
    EXPECT_AUDIT();
    release_all();
}

/* ---- move ---- */

/* Pages [from, from + pages) of a region that begins BEFORE pages below and ends BEHIND above. */
struct move {
    uint32_t from, pages, to, before, behind;
    const char *what;
};

static const struct move moves[] = {
    {0, 1, 5, 0, 0, "a page, in its slot"},
    {5, 3, 0, 0, 0, "three pages down, in their slot"},
    {5, 3, 8, 0, 0, "three pages to where they end"},
    {5, 3, 100, 2, 2, "three pages out of the middle"},
    {5, 3, SLOT_PAGES + 5, 2, 0, "three pages to another slot"},
    {1022, 4, 3000, 0, 0, "four pages over a border"},
    {100, 4, 2046, 0, 0, "four pages onto a border"},
    {0, 1024, 4096, 0, 0, "a whole slot"},
    {0, 3072, 8192, 0, 0, "three whole slots"},
    {1024, 1024, 8192, 1024, 1024, "a whole slot out of the middle"},
    {1000, 1100, 8192, 0, 0, "a slot in two parts onto a boundary"},
    {1024, 1024, 8200, 0, 0, "a whole slot to two parts"},
    {1000, 2048, 8192 + 1000, 3, 3, "parts and a whole slot, equally aligned"},
    {2048, 1030, 0, 0, 0, "a slot and a part down"},
    {0, 40, 1024, 0, 0, "more pages than are invalidated one by one"},
};

/* How the pages came to be what they are before the move. */
enum past { UNTOUCHED, WRITTEN, READ, FORKED, FORKED_AND_WRITTEN, KEPT, PASTS };

static bool is_sampled(const struct move *m, uint32_t i)
{
    return i < 3 || i + 3 >= m->pages || i % 341 == 0;
}

static bool prepare_past(const struct move *m, enum past past)
{
    for (uint32_t i = 0; i < m->pages && past != UNTOUCHED; i++)
        if (is_sampled(m, i)) {
            if (past == READ)
                (void)peek(page_at(m->from + i));
            else
                poke(page_at(m->from + i), 1 + i);
        }
    if (past == FORKED || past == FORKED_AND_WRITTEN)
        if (space_fork(&child) != KERR_OK)
            return false;
    if (past == FORKED_AND_WRITTEN)
        poke(page_at(m->from), 1);
    return past != KEPT ||
           vma_protect(&boot_space, page_at(m->from), m->pages, RIGHTS_NONE) == KERR_OK;
}

static void expect_contents(const struct move *m, uint32_t at, enum past past)
{
    for (uint32_t i = 0; i < m->pages; i++)
        if (is_sampled(m, i))
            EXPECT_EQUAL(peek(page_at(at + i)), past == UNTOUCHED || past == READ ? 0 : 1 + i);
}

static void try_move(const struct move *m, enum past past)
{
    uint32_t value;
    REQUIRE(reserve(m->from - m->before, m->before + m->pages + m->behind));
    if (m->behind > 0)
        poke(page_at(m->from + m->pages), 77);
    REQUIRE(prepare_past(m, past));
    uint32_t reserved = boot_space.reserved_pages;

    EXPECT_EQUAL(move(m->from, m->pages, m->to), KERR_OK);
    EXPECT_AUDIT();
    EXPECT_EQUAL(boot_space.reserved_pages, reserved);
    for (uint32_t i = 0; i < m->pages; i++)
        if (is_sampled(m, i) && m->from + i - m->to >= m->pages) {
            EXPECT(!is_reserved(m->from + i));
            EXPECT_EQUAL(probe_read(page_at(m->from + i), &value), FAULT_BAD_ACCESS);
        }
    if (past == KEPT)
        EXPECT(vma_protect(&boot_space, page_at(m->to), m->pages, RIGHTS_READ_WRITE) == KERR_OK);
    expect_contents(m, m->to, past);
    if (m->behind > 0)
        EXPECT_EQUAL(peek(page_at(m->from + m->pages)), 77);
    poke(page_at(m->to), 99);
    if (past == FORKED || past == FORKED_AND_WRITTEN) {
        space_switch(&child);
        expect_contents(m, m->from, past);
        EXPECT(m->to - m->from < m->pages || !is_reserved(m->to) || m->before + m->behind > 0);
        space_switch(&boot_space);
        space_destroy(&child);
    }
    EXPECT_AUDIT();
    release_all();
}

TEST("vma", "moved, every way and whatever it was before: is there, with its data, and not here")
{
    for (unsigned i = 0; i < ARRAY_LENGTH(moves); i++)
        for (enum past past = UNTOUCHED; past < PASTS; past++)
            try_move(&moves[i], past);
}

TEST("vma", "whole slots moved: by their directory entries, at no cost")
{
    struct cost cost;

    REQUIRE(reserve(0, 8 * SLOT_PAGES));
    for (uint32_t slot = 0; slot < 8; slot += 2)
        poke(page_at(slot * SLOT_PAGES + 7), slot);
    cost_start(&cost);
    leave_frames(0);
    uint32_t copied = cow_counters.tables_copied;
    EXPECT_EQUAL(move(0, 8 * SLOT_PAGES, 16 * SLOT_PAGES), KERR_OK);
    all_frames();
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(cow_counters.tables_copied, copied);
    EXPECT_EQUAL(peek(page_at(22 * SLOT_PAGES + 7)), 6);
    EXPECT_EQUAL(peek(page_at(23 * SLOT_PAGES + 7)), 0);
    release_all();
}

TEST("vma", "moved with too few frames: no memory, and all is as before")
{
    for (uint32_t frames = 0;; frames++) {
        struct cost cost;
        REQUIRE(reserve(1000, 100));
        for (uint32_t i = 0; i < 100; i += 9)
            poke(page_at(1000 + i), 1 + i);
        REQUIRE(space_fork(&child) == KERR_OK);
        cost_start(&cost);
        leave_frames(frames);
        enum kerr error = move(1000, 100, 4000); /* two shared tables here, two new ones there */
        all_frames();
        EXPECT_AUDIT();
        if (error != KERR_OK) {
            EXPECT_EQUAL(error, KERR_NO_MEMORY);
            EXPECT(!is_reserved(4000) && frames < 4);
        }
        for (uint32_t i = 0; i < 100; i += 9)
            EXPECT_EQUAL(peek(page_at((error == KERR_OK ? 4000 : 1000) + i)), 1 + i);
        release_all();
        space_switch(&child);
        for (uint32_t i = 0; i < 100; i += 9)
            EXPECT_EQUAL(peek(page_at(1000 + i)), 1 + i);
        space_switch(&boot_space);
        space_destroy(&child);
        if (error == KERR_OK)
            break;
    }
}

TEST("vma", "moves that can't be: are refused, and nothing changes")
{
    REQUIRE(reserve(0, 10));
    REQUIRE(vma_reserve_at(&boot_space, page_at(10), 10, RIGHTS_READ, other_name) == KERR_OK);
    poke(page_at(3), 3);
    EXPECT_EQUAL(move(5, 10, 100), KERR_NOT_FOUND);  /* two regions */
    EXPECT_EQUAL(move(15, 10, 100), KERR_NOT_FOUND); /* and a hole */
    EXPECT_EQUAL(move(50, 1, 100), KERR_NOT_FOUND);
    EXPECT_EQUAL(move(0, 4, 16), KERR_EXISTS);
    EXPECT_EQUAL(move(0, 4, 18), KERR_EXISTS);
    EXPECT_EQUAL(move(0, 4, 2), KERR_EXISTS); /* overlaps itself */
    EXPECT_EQUAL(move(0, 0, 100), KERR_BAD_RANGE);
    EXPECT_EQUAL(vma_move(&boot_space, page_at(0), 4, VADDR(0)), KERR_BAD_RANGE);
    EXPECT_EQUAL(vma_move(&boot_space, page_at(0), 4, VADDR(KERNEL_BASE - 3 * PAGE_BYTES)),
                 KERR_BAD_RANGE);
    EXPECT_EQUAL(vma_move(&boot_space, page_at(0), 4, vaddr_add(page_at(100), 1)), KERR_BAD_RANGE);
    EXPECT_EQUAL(vma_move(&kernel_space, VADDR(KERNEL_BASE), 1, page_of_slot(KERNEL_TEST_SLOT, 0)),
                 KERR_BAD_RANGE);
    EXPECT_EQUAL(peek(page_at(3)), 3);
    EXPECT_AUDIT();
    release_all();
}

TEST("vma", "moved to where a like region ends or begins: becomes one with it")
{
    uint32_t regions = boot_space.region_count;

    REQUIRE(reserve(0, 10));
    poke(page_at(8), 8);
    REQUIRE(reserve(1018, 6));
    REQUIRE(reserve(1030, 6));
    EXPECT_EQUAL(move(4, 6, 1024), KERR_OK);
    EXPECT_EQUAL(boot_space.region_count - regions, 2);
    EXPECT_EQUAL(vma_pages(vma_find(&boot_space, page_at(1018))), 18);
    EXPECT_EQUAL(peek(page_at(1028)), 8);
    EXPECT_AUDIT();
    release_all();
}

TEST("vma", "a mapping of an object moved: shows the same pages there")
{
    struct object *object;
    uint32_t regions = boot_space.region_count;

    REQUIRE(object_create_anonymous(50, &object) == KERR_OK);
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = name, .object = object};
    REQUIRE(vma_map_at(&boot_space, page_at(0), 50, &wish) == KERR_OK);
    for (uint32_t i = 0; i < 50; i += 2)
        poke(page_at(i), i);
    EXPECT_EQUAL(move(20, 10, 2000), KERR_OK);
    EXPECT_EQUAL(object->references, 4);
    EXPECT_EQUAL(vma_find(&boot_space, page_at(2000))->object_page, 20);
    EXPECT_EQUAL(vma_find(&boot_space, page_at(30))->object_page, 30);
    EXPECT_EQUAL(peek(page_at(2004)), 24);
    poke(page_at(2005), 25);
    EXPECT_AUDIT();
    EXPECT_EQUAL(move(2000, 10, 20), KERR_OK);
    EXPECT_EQUAL(peek(page_at(25)), 25);
    EXPECT_EQUAL(boot_space.region_count - regions, 1);
    EXPECT_EQUAL(object->references, 2);
    release_all();
    object_put(object);
}

TEST("vma", "a region of the kernel moved: is seen there in every space")
{
    vaddr_t from = page_of_slot(KERNEL_TEST_SLOT, 0), to = page_of_slot(KERNEL_TEST_SLOT + 2, 0);
    uint32_t value;

    REQUIRE(space_create(&child, RIGHTS_NONE) == KERR_OK);
    REQUIRE(vma_reserve_at(&kernel_space, from, SLOT_PAGES + 40, RIGHTS_READ_WRITE, name) ==
            KERR_OK);
    poke(from, 1);
    poke(page_of_slot(KERNEL_TEST_SLOT + 1, 39), 2);
    EXPECT_EQUAL(vma_move(&kernel_space, from, SLOT_PAGES + 40, to), KERR_OK);
    EXPECT_AUDIT();
    space_switch(&child);
    EXPECT_EQUAL(peek(to), 1);
    EXPECT_EQUAL(peek(page_of_slot(KERNEL_TEST_SLOT + 3, 39)), 2);
    EXPECT_EQUAL(probe_read(from, &value), FAULT_BAD_ACCESS);
    space_switch(&boot_space);
    EXPECT(vma_release(&kernel_space, to, SLOT_PAGES + 40) == KERR_OK);
    space_destroy(&child);
}

/* ---- discard ---- */

TEST("vma", "discard of pages, slots and regions without rights: all are zero, frames come back")
{
    struct cost cost;

    cost_start(&cost);
    REQUIRE(reserve(1000, 2 * SLOT_PAGES));
    for (uint32_t i = 0; i < 2 * SLOT_PAGES; i += 100)
        poke(page_at(1000 + i), 1);
    EXPECT(vma_protect(&boot_space, page_at(1100), 100, RIGHTS_NONE) == KERR_OK);
    EXPECT(vma_protect(&boot_space, page_at(1200), 100, RIGHTS_READ) == KERR_OK);
    EXPECT(vma_discard(&boot_space, page_at(0), 3 * SLOT_PAGES) == KERR_OK);
    EXPECT_AUDIT();
    EXPECT_COST(cost, 3, 0); /* the tables hold promises still */
    EXPECT(vma_protect(&boot_space, page_at(1000), 2 * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    for (uint32_t i = 0; i < 2 * SLOT_PAGES; i += 100)
        EXPECT_EQUAL(peek(page_at(1000 + i)), 0);
    EXPECT_AUDIT();
    release_all();
    EXPECT_COST(cost, 0, 0);
}

TEST("vma", "discard in a slot of two regions: folded into a promise, each keeps what it is")
{
    struct cost cost;

    cost_start(&cost);
    REQUIRE(reserve(0, SLOT_PAGES / 2));
    REQUIRE(vma_reserve_at(&boot_space, page_at(SLOT_PAGES / 2), SLOT_PAGES / 2, RIGHTS_READ_WRITE,
                           other_name) == KERR_OK);
    EXPECT_EQUAL(peek(page_at(0)), 0);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES - 1)), 0);
    poke(page_at(5), 5);
    EXPECT_COST(cost, 1, 1);
    EXPECT(vma_discard(&boot_space, page_at(0), 10) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
    EXPECT_AUDIT();
    poke(page_at(SLOT_PAGES - 1), 6);
    EXPECT_EQUAL(peek(page_at(5)), 0);
    EXPECT_AUDIT();
    EXPECT(vma_protect(&boot_space, page_at(0), 10, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES - 1)), 6);
    EXPECT_AUDIT();
    release_all();
    EXPECT_COST(cost, 0, 0);
}

/* ---- marks ---- */

TEST("vma", "marks set and cleared: regions are cut, joined and counted")
{
    uint32_t regions = boot_space.region_count;

    REQUIRE(reserve(0, 100));
    REQUIRE(reserve(200, 100));
    EXPECT(vma_set_flags(&boot_space, page_at(50), 200, VMA_LOCKED, 0) == KERR_OK);
    EXPECT_EQUAL(boot_space.locked_pages, 100);
    EXPECT_EQUAL(boot_space.region_count - regions, 4);
    EXPECT(vma_set_flags(&boot_space, page_at(0), 300, VMA_CHARGED, 0) == KERR_OK);
    EXPECT_EQUAL(boot_space.charged_pages, 200);
    EXPECT(vma_set_flags(&boot_space, page_at(60), 10, 0, VMA_CHARGED | VMA_LOCKED) == KERR_OK);
    EXPECT_EQUAL(boot_space.locked_pages, 90);
    EXPECT_EQUAL(boot_space.charged_pages, 190);
    EXPECT_EQUAL(boot_space.region_count - regions, 6);
    EXPECT_AUDIT();
    REQUIRE(space_fork(&child) == KERR_OK);
    EXPECT_EQUAL(child.charged_pages, 190);
    EXPECT_EQUAL(child.locked_pages, 0); /* mlock(2): not inherited */
    EXPECT(vma_check(&child) == NULL);
    space_destroy(&child);
    EXPECT(vma_release(&boot_space, page_at(70), 10) == KERR_OK);
    EXPECT_EQUAL(boot_space.locked_pages, 80);
    EXPECT_EQUAL(boot_space.charged_pages, 180);
    EXPECT(vma_set_flags(&boot_space, page_at(0), 400, 0, VMA_CHARGED | VMA_LOCKED) == KERR_OK);
    EXPECT_EQUAL(boot_space.locked_pages, 0);
    EXPECT_EQUAL(boot_space.charged_pages, 0);
    EXPECT_EQUAL(boot_space.region_count - regions, 3);
    EXPECT(vma_set_flags(&boot_space, page_at(400), 10, VMA_LOCKED, 0) == KERR_OK); /* a hole */
    EXPECT_EQUAL(vma_set_flags(&boot_space, page_at(0), 0, VMA_LOCKED, 0), KERR_BAD_RANGE);
    EXPECT_EQUAL(vma_set_flags(&kernel_space, VADDR(KERNEL_BASE), 1, VMA_LOCKED, 0),
                 KERR_BAD_RANGE);
    release_all();
}

TEST("vma", "a guard above: the range is refused if it is not free")
{
    struct vma_wish wish = {.rights = RIGHTS_READ, .name = name, .guard_pages = 3};
    vaddr_t last = VADDR(KERNEL_BASE - PAGE_BYTES);

    REQUIRE(reserve(10, 5));
    EXPECT_EQUAL(vma_map_at(&boot_space, page_at(2), 6, &wish), KERR_EXISTS);
    EXPECT_EQUAL(vma_map_at(&boot_space, page_at(2), 5, &wish), KERR_OK);
    EXPECT_EQUAL(vma_map_at(&boot_space, last, 1, &wish), KERR_OK); /* nothing is above */
    EXPECT(vma_release(&boot_space, last, 1) == KERR_OK);
    release_all();
}

/* ---- growing down ---- */

enum { STACK_PAGE = 5000, STACK_PAGES = 10 };

static bool must_check make_stack(uint32_t pages_max)
{
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_GROWS_DOWN, .name = name};
    boot_space.stack_pages_max = pages_max;
    return vma_map_at(&boot_space, page_at(STACK_PAGE), STACK_PAGES, &wish) == KERR_OK;
}

static uint32_t stack_start(void)
{
    const struct vma *region = vma_find(&boot_space, page_at(STACK_PAGE));
    return region->first_page - (page_at(0).v >> PAGE_SHIFT);
}

static void end_stack(void)
{
    release_all();
    boot_space.stack_pages_max = 0;
    boot_space.growable_pages = ~0u;
}

TEST("vma", "a stack touched below its end: grows down to that page, up to its limit")
{
    uint32_t value, reserved;

    REQUIRE(make_stack(2000));
    reserved = boot_space.reserved_pages;
    poke(page_at(STACK_PAGE), 1);
    poke(page_at(STACK_PAGE - 1), 2);
    EXPECT_EQUAL(stack_start(), STACK_PAGE - 1);
    EXPECT_EQUAL(peek(page_at(STACK_PAGE - 100)), 0); /* a read does it as well */
    EXPECT_EQUAL(stack_start(), STACK_PAGE - 100);
    EXPECT_EQUAL(boot_space.reserved_pages - reserved, 100);
    EXPECT_EQUAL(boot_space.growable_pages, ~0u - 100);
    poke(page_at(STACK_PAGE + STACK_PAGES - 2000),
         3); /* over a slot border, a whole slot between */
    EXPECT_EQUAL(stack_start(), STACK_PAGE + STACK_PAGES - 2000);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE + STACK_PAGES - 2001), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_at(STACK_PAGE - 1)), 2);
    EXPECT_EQUAL(peek(page_at(4 * SLOT_PAGES)), 0);
    EXPECT_AUDIT();
    end_stack();
}

TEST("vma", "a stack, and something below it: 256 pages stay free, but not above another stack")
{
    uint32_t value;
    const struct vma_wish stack = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_GROWS_DOWN, .name = other_name};

    REQUIRE(make_stack(2000));
    REQUIRE(reserve(STACK_PAGE - 300, 10)); /* up to 290 pages below */
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 35), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 291), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(stack_start(), STACK_PAGE);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 34), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(stack_start(), STACK_PAGE - 34);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 35), &value), FAULT_BAD_ACCESS);

    EXPECT(vma_protect(&boot_space, page_at(STACK_PAGE - 300), 10, RIGHTS_NONE) == KERR_OK);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 35), &value), FAULT_RESOLVED); /* a guard itself */
    EXPECT(vma_release(&boot_space, page_at(STACK_PAGE - 300), 10) == KERR_OK);
    REQUIRE(vma_map_at(&boot_space, page_at(STACK_PAGE - 300), 10, &stack) == KERR_OK);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 290), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(stack_start(), STACK_PAGE - 290);
    EXPECT_AUDIT();
    end_stack();
}

TEST("vma", "a stack without growable pages: grows by what is left, and no more")
{
    uint32_t value;

    REQUIRE(make_stack(2000));
    boot_space.growable_pages = 20;
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 21), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 15), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(boot_space.growable_pages, 5);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 21), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 20), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(boot_space.growable_pages, 0);
    REQUIRE(space_fork(&child) == KERR_OK);
    EXPECT_EQUAL(child.stack_pages_max, 2000);
    EXPECT_EQUAL(child.growable_pages, 0);
    space_destroy(&child);
    end_stack();
}

TEST("vma", "a touch below what does not grow, or below the first page: is refused as ever")
{
    uint32_t value;
    const struct vma_wish low = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_GROWS_DOWN, .name = name};

    REQUIRE(make_stack(0)); /* no limit is set */
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 1), &value), FAULT_BAD_ACCESS);
    boot_space.stack_pages_max = 2000;
    REQUIRE(reserve(STACK_PAGE - 10, 1)); /* between the touch and the stack */
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 11), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE + STACK_PAGES), &value), FAULT_BAD_ACCESS);
    REQUIRE(vma_map_at(&boot_space, VADDR(3 * PAGE_BYTES), 1, &low) == KERR_OK);
    EXPECT_EQUAL(probe_read(VADDR(0), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(VADDR(PAGE_BYTES), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(probe_read(VADDR(PAGE_BYTES - 1), &value), FAULT_BAD_ACCESS);
    EXPECT(vma_release(&boot_space, VADDR(PAGE_BYTES), 3) == KERR_OK);
    EXPECT_EQUAL(probe_read(VADDR(KERNEL_BASE - 4), &value), FAULT_BAD_ACCESS);
    end_stack();
}

TEST("vma", "a stack that shows an object: grows as far as the object begins")
{
    struct object *object;
    uint32_t value;

    REQUIRE(object_create_anonymous(20, &object) == KERR_OK);
    const struct vma_wish wish = {.rights = RIGHTS_READ_WRITE,
                                  .flags = VMA_GROWS_DOWN | VMA_SHARED,
                                  .name = name,
                                  .object = object,
                                  .object_page = 4};
    boot_space.stack_pages_max = 100;
    REQUIRE(vma_map_at(&boot_space, page_at(STACK_PAGE), 10, &wish) == KERR_OK);
    poke(page_at(STACK_PAGE), 4);
    poke(page_at(STACK_PAGE - 4), 1);
    EXPECT_EQUAL(vma_find(&boot_space, page_at(STACK_PAGE))->object_page, 0);
    EXPECT_EQUAL(probe_read(page_at(STACK_PAGE - 5), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_at(STACK_PAGE)), 4);
    EXPECT_AUDIT();
    end_stack();
    object_put(object);
}

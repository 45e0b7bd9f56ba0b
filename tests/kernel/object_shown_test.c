/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of what entries that show an object lose (object_take_writes, object_age): what
 * stays, what comes back at a touch, that no frame is needed, and that a table shared by forks is
 * changed once for all. The object's pages are brought by the pager for tests, which counts first
 * writes. Pages are of the test slots.
 */
#include "test_pager.h"
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/object.h>

enum { LAST = TEST_PAGES - 1 };

static const char name[] = "shown";
static struct test_pager pager;
static struct object *object;
static struct space child, grandchild;

static vaddr_t page_at(uint32_t page)
{
    return page_of_slot(TEST_SLOT, page);
}

static bool must_check map(uint32_t page, uint32_t pages, uint32_t object_page, enum rights rights,
                           enum vma_flags flags)
{
    const struct vma_wish wish = {.rights = rights,
                                  .flags = flags,
                                  .name = name,
                                  .object = object,
                                  .object_page = object_page};
    return vma_map_at(space_current(), page_at(page), pages, &wish) == KERR_OK;
}

/* A new object, all of it at page 0: shared, or private. */
static bool must_check show(enum vma_flags flags)
{
    return test_pager_make(&pager, 0, &object) == KERR_OK &&
           map(0, TEST_PAGES, 0, RIGHTS_READ_WRITE, flags);
}

static void hide(void)
{
    EXPECT(vma_release(&boot_space, page_at(0), 3 * SLOT_PAGES) == KERR_OK);
    object_put(object);
    EXPECT_EQUAL(pager.ended, 1);
    EXPECT_AUDIT();
}

/* What PAGE's entry in SPACE says. */
static pte_t entry_in(const struct space *space, uint32_t page)
{
    return pte_in(space->directory, page_at(page));
}

static bool is_there(const struct space *space, uint32_t page)
{
    return pte_is_present(entry_in(space, page));
}

/* Entries and the object itself that lead to the frame of PAGE of the object. */
static uint32_t references(uint32_t page)
{
    return frame_references(&frame_pool, page_word_frame(object_page_word(object, page)));
}

/* Do it with no frame left. */
static void take_writes(uint32_t first, uint32_t last)
{
    struct space *before = space_current();
    leave_frames(0);
    object_take_writes(object, first, last);
    all_frames();
    EXPECT(space_current() == before);
    EXPECT_AUDIT();
}

/* The same. What the CPU knows it does not mark as used again, so it is made to forget. */
static uint32_t age(uint32_t first, uint32_t last)
{
    struct space *before = space_current();
    leave_frames(0);
    uint32_t gone = object_age(object, first, last);
    all_frames();
    tlb_flush();
    EXPECT(space_current() == before);
    EXPECT_AUDIT();
    return gone;
}

/* ---- writes are taken ---- */

TEST("object_shown", "writes taken: the next one to each page is asked for again, and no other")
{
    REQUIRE(show(VMA_SHARED));
    REQUIRE(map(100, TEST_PAGES, 0, RIGHTS_READ_WRITE, VMA_SHARED));
    REQUIRE(map(200, TEST_PAGES, 0, RIGHTS_READ_WRITE, 0));
    for (uint32_t i = 0; i < 4; i++) {
        poke(page_at(i), i);
        poke(page_at(100 + i), 10 + i);
        poke(page_at(200 + i), 20 + i);
    }
    take_writes(1, 2);
    for (uint32_t i = 0; i < 4; i++) {
        bool is_taken = i == 1 || i == 2;
        EXPECT_EQUAL(pager.pages[i].times_written, 2);
        EXPECT(pte_is_clean_shared(entry_in(&boot_space, i)) == is_taken);
        EXPECT(pte_is_writable(entry_in(&boot_space, 200 + i)));
        EXPECT_EQUAL(peek(page_at(i)), 10 + i);
        poke(page_at(i), 30 + i);
        poke(page_at(i), 40 + i);
        EXPECT_EQUAL(pager.pages[i].times_written, is_taken ? 3 : 2);
        poke(page_at(100 + i), 50 + i);
        EXPECT_EQUAL(pager.pages[i].times_written, is_taken ? 4 : 2);
        EXPECT_EQUAL(peek(page_at(i)), 50 + i);
        poke(page_at(200 + i), 60 + i);
        EXPECT_EQUAL(pager.pages[i].times_written, is_taken ? 4 : 2);
    }
    hide();
}

TEST("object_shown", "writes taken below tables that forks share: from all of them, none is copied")
{
    struct cost cost;
    REQUIRE(show(VMA_SHARED));
    poke(page_at(5), 1);
    REQUIRE(space_fork(&child) == KERR_OK);
    space_switch(&child);
    REQUIRE(space_fork(&grandchild) == KERR_OK);
    cost_start(&cost);
    take_writes(0, LAST);
    EXPECT_COST(cost, 0, 0);
    EXPECT(pde_is_shared(pde_read(TEST_SLOT)));
    EXPECT(pte_is_clean_shared(entry_in(&boot_space, 5)));
    poke(page_at(5), 2);
    EXPECT_EQUAL(pager.pages[5].times_written, 2);
    space_switch(&grandchild);
    poke(page_at(5), 3);
    EXPECT_EQUAL(pager.pages[5].times_written, 3);
    take_writes(0, LAST); /* of three tables */
    poke(page_at(5), 4);
    space_switch(&child);
    poke(page_at(5), 5);
    space_switch(&boot_space);
    poke(page_at(5), 6);
    EXPECT_EQUAL(pager.pages[5].times_written, 6);
    EXPECT_EQUAL(peek(page_at(5)), 6);
    space_destroy(&child);
    space_destroy(&grandchild);
    hide();
}

TEST("object_shown", "writes taken, rights gone and come back, in either order: it is asked for")
{
    REQUIRE(show(VMA_SHARED));
    poke(page_at(1), 1);
    EXPECT(vma_protect(&boot_space, page_at(0), TEST_PAGES, RIGHTS_NONE) == KERR_OK);
    take_writes(0, LAST);
    EXPECT(vma_protect(&boot_space, page_at(0), TEST_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    poke(page_at(1), 2);
    EXPECT_EQUAL(pager.pages[1].times_written, 2);
    take_writes(0, LAST);
    EXPECT(vma_protect(&boot_space, page_at(0), TEST_PAGES, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(probe_write(page_at(1), 3), FAULT_BAD_ACCESS);
    EXPECT(vma_protect(&boot_space, page_at(0), TEST_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    poke(page_at(1), 3);
    EXPECT_EQUAL(pager.pages[1].times_written, 3);
    hide();
}

TEST("object_shown", "a mapping of the kernel: loses writes and entries as any other")
{
    vaddr_t first;
    REQUIRE(test_pager_make(&pager, 0, &object) == KERR_OK);
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = name, .object = object};
    REQUIRE(vma_map(&kernel_space, TEST_PAGES, &wish, &first) == KERR_OK);
    REQUIRE(space_create(&child, RIGHTS_NONE) == KERR_OK);
    poke(first, 1);
    take_writes(0, LAST);
    space_switch(&child);
    EXPECT_EQUAL(peek(first), 1); /* the TLB knows it, read-only */
    EXPECT_EQUAL(vma_make_real(first, 1), KERR_OK);
    uint32_t faults = fault_counters.total;
    poke(first, 2);
    EXPECT_EQUAL(fault_counters.total, faults);
    EXPECT_EQUAL(pager.pages[0].times_written, 2);
    EXPECT_EQUAL(age(0, LAST) + age(0, LAST), 1);
    EXPECT_EQUAL(peek(first), 2);
    EXPECT_EQUAL(object_resize(object, 0), KERR_OK);
    uint32_t value;
    EXPECT_EQUAL(probe_read(first, &value), FAULT_BEYOND_END);
    space_switch(&boot_space);
    space_destroy(&child);
    EXPECT(vma_release(&kernel_space, first, TEST_PAGES) == KERR_OK);
    object_put(object);
}

/* ---- ageing ---- */

TEST("object_shown", "aged twice: what was used in between stays, all else is gone and comes back")
{
    REQUIRE(show(VMA_SHARED));
    REQUIRE(map(100, TEST_PAGES, 0, RIGHTS_READ_WRITE, 0));
    REQUIRE(map(200, TEST_PAGES, 0, RIGHTS_READ, 0));
    for (uint32_t i = 0; i < 4; i++) {
        poke(page_at(i), i);
        EXPECT_EQUAL(peek(page_at(100 + i)), i);
        EXPECT_EQUAL(peek(page_at(200 + i)), i);
    }
    poke(page_at(103), 33); /* a copy: it is no business of the object's */
    EXPECT_EQUAL(age(0, LAST), 0);
    EXPECT_EQUAL(peek(page_at(1)), 1);
    EXPECT_EQUAL(peek(page_at(102)), 2);
    EXPECT_EQUAL(peek(page_at(203)), 3);
    EXPECT_EQUAL(age(0, 2), 7);
    EXPECT(is_there(&boot_space, 1) && is_there(&boot_space, 102) && is_there(&boot_space, 3));
    EXPECT_EQUAL(references(0), 1);
    EXPECT_EQUAL(references(1), 2);
    EXPECT_EQUAL(age(0, LAST), 2 + 1); /* 3 was not in the range; 203 was used */
    EXPECT_EQUAL(age(0, LAST), 1);
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQUAL(references(i), 1);
    uint32_t brought = pager.brought;
    for (uint32_t i = 0; i < 4; i++) {
        EXPECT_EQUAL(peek(page_at(i)), i);
        EXPECT_EQUAL(peek(page_at(100 + i)), i == 3 ? 33 : i);
        EXPECT_EQUAL(peek(page_at(200 + i)), i);
    }
    EXPECT_EQUAL(pager.brought, brought);
    poke(page_at(102), 22);
    poke(page_at(2), 2);
    EXPECT_EQUAL(pager.pages[2].times_written, 2); /* it came back clean */
    EXPECT_EQUAL(peek(page_at(102)), 22);
    EXPECT_AUDIT();
    hide();
}

TEST("object_shown", "aged below tables that forks share: once for all, in place, and tables go")
{
    struct cost cost;
    REQUIRE(show(VMA_SHARED));
    REQUIRE(map(SLOT_PAGES, TEST_PAGES, 0, RIGHTS_READ_WRITE, 0));
    REQUIRE(vma_reserve_at(&boot_space, page_at(SLOT_PAGES + 100), 1, RIGHTS_READ_WRITE, name) ==
            KERR_OK);
    cost_start(&cost);
    poke(page_at(3), 3);
    poke(page_at(4), 4);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES + 4)), 4);
    poke(page_at(SLOT_PAGES + 100), 1);
    REQUIRE(space_fork(&child) == KERR_OK);
    space_switch(&child);
    REQUIRE(space_fork(&grandchild) == KERR_OK);
    EXPECT_EQUAL(age(0, LAST), 0); /* each page is forgiven once, not once a space */
    EXPECT(is_there(&boot_space, 3) && is_there(&child, 3));
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE] + frame_pool.totals[FRAME_INDEX] - cost.tables, 3);
    EXPECT_EQUAL(age(3, 3), 2); /* a touch of a file shows its neighbours as well */
    EXPECT(!is_there(&grandchild, 3) && is_there(&grandchild, 4));
    EXPECT_EQUAL(age(0, LAST), 2);
    EXPECT_EQUAL(references(4), 1);
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE] + frame_pool.totals[FRAME_INDEX] - cost.tables, 2);
    EXPECT_EQUAL(directory_pde_read(boot_space.directory, TEST_SLOT).bits, 0);
    EXPECT_EQUAL(directory_pde_read(grandchild.directory, TEST_SLOT).bits, 0);
    EXPECT(pde_is_shared(directory_pde_read(child.directory, TEST_SLOT + 1)));
    EXPECT_EQUAL(peek(page_at(4)), 4);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES + 4)), 4);
    poke(page_at(SLOT_PAGES + 4), 44);
    space_switch(&grandchild);
    poke(page_at(4), 5);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES + 4)), 5);
    space_switch(&boot_space);
    EXPECT_EQUAL(peek(page_at(4)), 5);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES + 100)), 1);
    EXPECT_AUDIT();
    space_destroy(&child);
    space_destroy(&grandchild);
    hide();
}

TEST("object_shown", "a shared table that has moved to another slot: is emptied at both places")
{
    REQUIRE(test_pager_make(&pager, 0, &object) == KERR_OK);
    REQUIRE(map(0, SLOT_PAGES, 0, RIGHTS_READ_WRITE, VMA_SHARED));
    poke(page_at(7), 7);
    REQUIRE(space_fork(&child) == KERR_OK);
    space_switch(&child);
    EXPECT(vma_move(&child, page_at(0), SLOT_PAGES, page_at(2 * SLOT_PAGES)) == KERR_OK);
    EXPECT(is_there(&child, 2 * SLOT_PAGES + 7));
    EXPECT_EQUAL(age(0, LAST) + age(0, LAST), 1);
    EXPECT(!is_there(&child, 2 * SLOT_PAGES + 7) && !is_there(&boot_space, 7));
    EXPECT_EQUAL(peek(page_at(2 * SLOT_PAGES + 7)), 7);
    space_switch(&boot_space);
    poke(page_at(7), 8);
    EXPECT_EQUAL(references(7), 3);
    space_destroy(&child);
    hide();
}

TEST("object_shown", "locked pages: stay, also below a table shared with those who did not lock")
{
    REQUIRE(show(VMA_SHARED));
    for (uint32_t i = 0; i < 8; i++)
        EXPECT_EQUAL(peek(page_at(i)), TEST_PAGER_WORD + i);
    EXPECT(vma_set_flags(&boot_space, page_at(2), 3, VMA_LOCKED, 0) == KERR_OK);
    REQUIRE(space_fork(&child) == KERR_OK);
    space_switch(&child);
    EXPECT_EQUAL(age(0, LAST), 0);
    EXPECT_EQUAL(age(0, LAST), 5);
    EXPECT_EQUAL(age(0, LAST), 0);
    for (uint32_t i = 0; i < 8; i++)
        EXPECT(is_there(&boot_space, i) == (i >= 2 && i < 5));
    space_switch(&boot_space);
    EXPECT(vma_set_flags(&boot_space, page_at(2), 3, 0, VMA_LOCKED) == KERR_OK);
    EXPECT_EQUAL(age(0, LAST), 0);
    EXPECT_EQUAL(age(0, LAST), 3);
    space_destroy(&child);
    hide();
}

TEST("object_shown", "no entry left: the frame can be given back, and is brought at the next touch")
{
    REQUIRE(show(0));
    REQUIRE(space_fork(&child) == KERR_OK);
    EXPECT_EQUAL(peek(page_at(9)), TEST_PAGER_WORD + 9);
    EXPECT_EQUAL(age(9, 9) + age(9, 9), 1);
    REQUIRE(references(9) == 1);
    frame_put(&frame_pool, object_remove_page(object, 9));
    EXPECT_EQUAL(pager.brought, 1);
    poke(page_at(9), 1);
    EXPECT_EQUAL(pager.brought, 2);
    space_switch(&child);
    EXPECT_EQUAL(peek(page_at(9)), TEST_PAGER_WORD + 9);
    EXPECT_EQUAL(pager.brought, 2);
    space_switch(&boot_space);
    space_destroy(&child);
    hide();
}

TEST("object_shown", "an entry that went: the CPU has forgotten it, though it knew it until then")
{
    REQUIRE(show(VMA_SHARED));
    EXPECT_EQUAL(peek(page_at(9)), TEST_PAGER_WORD + 9);
    EXPECT_EQUAL(object_age(object, 9, 9), 0);
    EXPECT_EQUAL(peek(page_at(9)), TEST_PAGER_WORD + 9);
    EXPECT_EQUAL(object_age(object, 9, 9), 1); /* it was not marked again */
    uint32_t faults = fault_counters.total;
    EXPECT_EQUAL(peek(page_at(9)), TEST_PAGER_WORD + 9);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    hide();
}

TEST("object_shown", "pages kept without rights: go, and are there again with the rights")
{
    REQUIRE(show(VMA_SHARED));
    REQUIRE(map(100, TEST_PAGES, 0, RIGHTS_READ_WRITE, 0));
    poke(page_at(1), 1);
    EXPECT_EQUAL(peek(page_at(101)), 1);
    poke(page_at(102), 2);
    EXPECT(vma_protect(&boot_space, page_at(0), TEST_PAGES, RIGHTS_NONE) == KERR_OK);
    EXPECT(vma_protect(&boot_space, page_at(100), TEST_PAGES, RIGHTS_NONE) == KERR_OK);
    EXPECT_EQUAL(age(0, LAST), 2); /* nobody can use them */
    EXPECT_EQUAL(references(1), 1);
    EXPECT(vma_protect(&boot_space, page_at(0), TEST_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT(vma_protect(&boot_space, page_at(100), TEST_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(peek(page_at(1)), 1);
    EXPECT_EQUAL(peek(page_at(101)), 1);
    EXPECT_EQUAL(peek(page_at(102)), 2);
    EXPECT_AUDIT();
    hide();
}

/* Both spaces share a table whose entries are all gone but that of page 40; or its whole slot. */
static bool must_check make_aged(bool is_all)
{
    if (!show(VMA_SHARED) || !map(100, TEST_PAGES, 0, RIGHTS_READ_WRITE, 0))
        return false;
    for (uint32_t i = 0; i < 4; i++) {
        poke(page_at(i), i);
        EXPECT_EQUAL(peek(page_at(100 + i)), i);
    }
    poke(page_at(40), 40);
    if (space_fork(&child) != KERR_OK)
        return false;
    uint32_t last = is_all ? LAST : 3;
    EXPECT_EQUAL(age(0, last) + age(0, last), is_all ? 9 : 8);
    return true;
}

static void expect_aged(const struct space *space, uint32_t moved_by)
{
    struct space *before = space_current();
    space_switch((struct space *)(uintptr_t)space);
    for (uint32_t i = 0; i < 4; i++) {
        EXPECT_EQUAL(peek(page_at(moved_by + i)), i);
        EXPECT_EQUAL(peek(page_at(100 + i)), i);
    }
    EXPECT_EQUAL(peek(page_at(moved_by + 40)), 40);
    space_switch(before);
}

TEST("object_shown", "what is done to aged pages, below a shared table: forks and all else go on")
{
    for (uint32_t what = 0; what < 12; what++) {
        uint32_t moved_by = 0;
        REQUIRE(make_aged(what % 2 != 0));
        switch (what / 2) {
        case 0:
            REQUIRE(space_fork(&grandchild) == KERR_OK);
            EXPECT_AUDIT();
            expect_aged(&grandchild, 0);
            space_destroy(&grandchild);
            break;
        case 1:
            EXPECT(vma_protect(&boot_space, page_at(1), 102, RIGHTS_READ) != KERR_OK); /* a hole */
            EXPECT(vma_protect(&boot_space, page_at(1), 40, RIGHTS_READ) == KERR_OK);
            break;
        case 2:
            EXPECT(vma_discard(&boot_space, page_at(0), 102) == KERR_OK);
            break;
        case 3:
            moved_by = SLOT_PAGES - 10;
            EXPECT(vma_move(&boot_space, page_at(0), TEST_PAGES, page_at(moved_by)) == KERR_OK);
            break;
        case 4:
            space_destroy(&child);
            REQUIRE(space_fork(&child) == KERR_OK);
            break;
        default:
            EXPECT_EQUAL(object_resize(object, 41), KERR_OK);
        }
        EXPECT_AUDIT();
        expect_aged(&boot_space, moved_by);
        expect_aged(&child, 0);
        EXPECT_AUDIT();
        space_destroy(&child);
        hide();
    }
}

TEST("object_shown", "beside a space that ends: its entries stay, those of the others go")
{
    REQUIRE(show(VMA_SHARED));
    for (uint32_t i = 0; i < 70; i++) /* more slots than are dropped at once */
        REQUIRE(map(i * SLOT_PAGES + 100, 1, 0, RIGHTS_READ, 0));
    for (uint32_t i = 0; i < 70; i++)
        EXPECT_EQUAL(peek(page_at(i * SLOT_PAGES + 100)), TEST_PAGER_WORD);
    REQUIRE(space_fork(&child) == KERR_OK);
    space_switch(&child);
    EXPECT(cow_unshare(TEST_SLOT + 69) == KERR_OK);
    space_switch(&boot_space);
    EXPECT(!space_destroy_piece(&child));
    EXPECT_EQUAL(object_age(object, 0, LAST), 0);
    EXPECT_EQUAL(object_age(object, 0, LAST), 70);
    object_take_writes(object, 0, LAST);
    EXPECT(!is_there(&boot_space, 68 * SLOT_PAGES + 100));
    EXPECT(is_there(&child, 69 * SLOT_PAGES + 100));
    while (!space_destroy_piece(&child))
        ;
    EXPECT_EQUAL(references(0), 1);
    EXPECT_AUDIT();
    EXPECT(vma_release(&boot_space, page_at(0), 70 * SLOT_PAGES) == KERR_OK);
    object_put(object);
}

TEST("object_shown", "nothing shown: nothing is looked at; and ranges may be of any size")
{
    frame_t frame;
    REQUIRE(test_pager_make(&pager, 0, &object) == KERR_OK);
    EXPECT_EQUAL(age(0, LAST), 0);
    REQUIRE(object_frame(object, 3, &frame) == KERR_OK);
    take_writes(0, ~0u);
    EXPECT_EQUAL(age(0, ~0u), 0);
    REQUIRE(map(0, TEST_PAGES, 0, RIGHTS_READ_WRITE, VMA_SHARED));
    poke(page_at(3), 1);
    EXPECT_EQUAL(age(4, 3) + age(4, 3) + age(TEST_PAGES, ~0u), 0);
    EXPECT_EQUAL(age(0, ~0u) + age(0, ~0u), 1);
    hide();
}

TEST("object_shown", "a region across two slots, the only owner of its object: both ends are found")
{
    REQUIRE(test_pager_make(&pager, 0, &object) == KERR_OK);
    REQUIRE(map(SLOT_PAGES - 2, 4, 5, RIGHTS_READ_WRITE, VMA_SHARED));
    object_put(object);
    for (uint32_t i = 0; i < 4; i++)
        poke(page_at(SLOT_PAGES - 2 + i), i);
    take_writes(6, 7);
    for (uint32_t i = 0; i < 4; i++)
        EXPECT(pte_is_clean_shared(entry_in(&boot_space, SLOT_PAGES - 2 + i)) ==
               (i == 1 || i == 2));
    EXPECT_EQUAL(age(0, LAST), 0);
    EXPECT_EQUAL(age(6, 8), 3);
    EXPECT(is_there(&boot_space, SLOT_PAGES - 2) && !is_there(&boot_space, SLOT_PAGES + 1));
    EXPECT(vma_release(&boot_space, page_at(0), 2 * SLOT_PAGES) == KERR_OK);
    EXPECT_EQUAL(pager.ended, 1);
}

TEST("object_shown", "pages far apart in object and space: each is found")
{
    static const uint32_t pages[] = {0, 1023, 1024, 5000, 0x100000};
    struct object *far;
    REQUIRE(object_create_anonymous(OBJECT_PAGE_LIMIT - 1, &far) == KERR_OK);
    object = far;
    for (uint32_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        REQUIRE(map(i * 1000, 1, pages[i], RIGHTS_READ_WRITE, VMA_SHARED));
        poke(page_at(i * 1000), i);
    }
    take_writes(0, ~0u);
    for (uint32_t i = 0; i < ARRAY_LENGTH(pages); i++)
        EXPECT(pte_is_clean_shared(entry_in(&boot_space, i * 1000)));
    EXPECT_EQUAL(age(1, ~0u), 0);
    EXPECT_EQUAL(age(1, 5000), 3);
    EXPECT_EQUAL(age(0, ~0u), 1);
    for (uint32_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        poke(page_at(i * 1000 + 0), 10 + i); /* a page without a pager is just written */
        EXPECT_EQUAL(peek(page_at(i * 1000)), 10 + i);
    }
    EXPECT(vma_release(&boot_space, page_at(0), 5 * SLOT_PAGES) == KERR_OK);
    object_put(far);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of pages that somebody else must bring: at once, after a while, never, or not at
 * all. The object's pages are seen in the test slot.
 */
#include "test_pager.h"
#include "vm_testing.h"

#include <kernel/fault.h>
#include <mm/audit.h>
#include <mm/space.h>

static struct test_pager pager;

static vaddr_t page_at(uint32_t page)
{
    return page_of_slot(TEST_SLOT, page);
}

static void expect_audit(int line)
{
    struct audit audit;
    if (vm_audit(&audit, frame_pool.set_aside) != NULL) {
        test_fail(__FILE__, line, audit.broken);
        test_fail(__FILE__, line, audit.where);
    }
}
#define EXPECT_AUDIT() expect_audit(__LINE__)

/* All pages of an object, each there after POLLS, from the slot's first page on. */
static bool must_check show(uint32_t polls, enum vma_flags flags)
{
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = flags, .name = "paged"};
    if (test_pager_make(&pager, polls, &wish.object) != KERR_OK)
        return false;
    enum kerr error = vma_map_at(space_current(), page_at(0), TEST_PAGES, &wish);
    object_put(wish.object); /* the region's reference is left */
    return error == KERR_OK;
}

static void hide(void)
{
    EXPECT(vma_release(space_current(), page_at(0), TEST_PAGES) == KERR_OK);
    EXPECT_EQUAL(pager.ended, 1);
    EXPECT_AUDIT();
}

TEST("pager", "a page that is there at once: one touch, filled, brought once for all who look")
{
    struct cost cost;
    cost_start(&cost);
    REQUIRE(show(0, VMA_SHARED));
    EXPECT_EQUAL(peek(page_at(5)), TEST_PAGER_WORD + 5);
    EXPECT_EQUAL(peek(page_at(5)), TEST_PAGER_WORD + 5);
    EXPECT_EQUAL(pager.brought, 1);
    poke(page_at(5), 1);
    poke(page_at(6), 2);
    EXPECT_EQUAL(peek(page_at(5)), 1);
    EXPECT_EQUAL(pager.brought, 2);
    EXPECT_AUDIT();
    hide();
    EXPECT_COST(cost, 0, 0);
}

TEST("pager", "a page that arrives after three polls: must wait, until they were made")
{
    uint32_t value = 0;
    REQUIRE(show(3, VMA_SHARED));
    EXPECT_EQUAL(probe_read(page_at(7), &value), FAULT_MUST_WAIT);
    struct channel *channel = channel_left();
    EXPECT(channel == &pager.pages[7].channel);
    EXPECT_EQUAL(probe_write(page_at(7), 1), FAULT_MUST_WAIT);
    EXPECT(!channel->is_ready(channel) && !channel->is_ready(channel));
    EXPECT_EQUAL(probe_read(page_at(7), &value), FAULT_MUST_WAIT);
    EXPECT_AUDIT();
    EXPECT(channel->is_ready(channel));
    EXPECT_EQUAL(probe_read(page_at(7), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(value, TEST_PAGER_WORD + 7);
    EXPECT_EQUAL(pager.brought, 1);
    hide();
}

TEST("pager", "touched by the kernel itself: it polls, and its instruction goes on")
{
    REQUIRE(show(1000, VMA_SHARED));
    uint32_t waits = fault_counters.must_wait;
    fault_allow_lower_half(true);
    volatile uint32_t *word = vaddr_to_pointer(page_at(9));
    uint32_t value = *word;
    *word = 17;
    fault_allow_lower_half(false);
    EXPECT_EQUAL(value, TEST_PAGER_WORD + 9);
    EXPECT_EQUAL(peek(page_at(9)), 17);
    EXPECT_EQUAL(fault_counters.must_wait - waits, 1);
    EXPECT_EQUAL(pager.pages[9].times_asked, 2);
    hide();
}

TEST("pager", "a page that can't be had: an error, not memory, and asked again it is tried again")
{
    uint32_t value;
    REQUIRE(show(1, VMA_SHARED));
    pager.pages[3].fails = true;
    EXPECT_EQUAL(probe_read(page_at(3), &value), FAULT_MUST_WAIT);
    channel_poll();
    EXPECT_EQUAL(probe_read(page_at(3), &value), FAULT_IO_ERROR);
    EXPECT_EQUAL(vma_make_real(page_at(3), 1), KERR_MUST_WAIT);
    channel_poll();
    EXPECT_EQUAL(vma_make_real(page_at(3), 1), KERR_IO);
    pager.pages[3].fails = false;
    EXPECT_EQUAL(vma_make_real(page_at(3), 1), KERR_MUST_WAIT);
    channel_poll();
    EXPECT_EQUAL(peek(page_at(3)), TEST_PAGER_WORD + 3);
    EXPECT_AUDIT();
    hide();
}

TEST("pager", "dropped while a page is under way, or will never come: all is given back")
{
    uint32_t value;
    struct cost cost;
    cost_start(&cost);
    REQUIRE(show(ARRIVES_NEVER, VMA_SHARED));
    pager.pages[1].polls = 0;
    EXPECT_EQUAL(probe_read(page_at(0), &value), FAULT_MUST_WAIT);
    EXPECT_EQUAL(probe_write(page_at(TEST_PAGES - 1), 1), FAULT_MUST_WAIT);
    EXPECT(!channel_left()->is_ready(channel_left()));
    EXPECT_EQUAL(peek(page_at(1)), TEST_PAGER_WORD + 1);
    hide();
    EXPECT_COST(cost, 0, 0);
}

TEST("pager",
     "a private mapping: a read shows the object's page, a write copies it when it is there")
{
    uint32_t value;
    REQUIRE(show(1, 0));
    EXPECT_EQUAL(probe_write(vaddr_add(page_at(2), 4), 99), FAULT_MUST_WAIT);
    channel_poll();
    poke(vaddr_add(page_at(2), 4), 99);
    EXPECT_EQUAL(peek(page_at(2)), TEST_PAGER_WORD + 2);
    EXPECT_EQUAL(probe_read(page_at(4), &value), FAULT_MUST_WAIT);
    channel_poll();
    EXPECT_EQUAL(peek(page_at(4)), TEST_PAGER_WORD + 4);
    EXPECT_AUDIT();
    hide();
}

TEST("pager", "no frame left when the page is there: no memory, and then it is done")
{
    uint32_t value;
    REQUIRE(show(1, VMA_SHARED));
    EXPECT_EQUAL(probe_read(page_at(8), &value), FAULT_MUST_WAIT);
    channel_poll();
    leave_frames(0);
    EXPECT_EQUAL(probe_read(page_at(8), &value), FAULT_NO_MEMORY);
    all_frames();
    EXPECT_EQUAL(peek(page_at(8)), TEST_PAGER_WORD + 8);
    hide();
}

TEST("pager", "behind the end of the object: refused as ever, nobody is asked")
{
    uint32_t value;
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = "paged"};
    REQUIRE(test_pager_make(&pager, 1, &wish.object) == KERR_OK);
    EXPECT(vma_map_at(space_current(), page_at(0), TEST_PAGES + 1, &wish) == KERR_OK);
    object_put(wish.object);
    EXPECT_EQUAL(probe_read(page_at(TEST_PAGES), &value), FAULT_BEYOND_END);
    EXPECT(vma_release(space_current(), page_at(0), TEST_PAGES + 1) == KERR_OK);
    EXPECT_EQUAL(pager.ended, 1);
}

/* ---- the first write ---- */

static bool is_dirty(uint32_t page)
{
    const struct vma *region = vma_find(space_current(), page_at(0));
    return region != NULL && (object_page_word(region->object, page) & PAGE_DIRTY) != 0;
}

TEST("pager", "a shared page that was read: the first write is asked for, once, and reaches all")
{
    static struct space child;
    REQUIRE(show(0, VMA_SHARED));
    EXPECT_EQUAL(peek(page_at(3)), TEST_PAGER_WORD + 3);
    EXPECT(!is_dirty(3));
    EXPECT_EQUAL(pager.pages[3].times_written, 0);
    REQUIRE(space_fork(&child) == KERR_OK);
    poke(page_at(3), 5); /* below a table that is shared */
    poke(page_at(3), 6);
    EXPECT(is_dirty(3));
    EXPECT_EQUAL(pager.pages[3].times_written, 1);
    EXPECT_AUDIT();
    space_switch(&child);
    EXPECT_EQUAL(peek(page_at(3)), 6);
    poke(page_at(3), 7);
    EXPECT_EQUAL(pager.pages[3].times_written, 2);
    EXPECT_AUDIT();
    space_switch(&boot_space);
    EXPECT_EQUAL(peek(page_at(3)), 7);
    space_destroy(&child);
    hide();
}

TEST("pager", "a first touch that is a write: is asked for as well; a private one never")
{
    REQUIRE(show(0, VMA_SHARED));
    poke(page_at(4), 1);
    EXPECT_EQUAL(pager.pages[4].times_written, 1);
    EXPECT(is_dirty(4));
    hide();
    REQUIRE(show(0, 0));
    poke(page_at(4), 1);
    EXPECT_EQUAL(peek(page_at(5)), TEST_PAGER_WORD + 5);
    poke(page_at(5), 1);
    EXPECT_EQUAL(pager.pages[4].times_written + pager.pages[5].times_written, 0);
    EXPECT(!is_dirty(4) && !is_dirty(5));
    hide();
}

TEST("pager", "a write that must wait, or is refused: the fault says so, and nothing has changed")
{
    static const struct {
        enum kerr answer;
        enum fault_result result;
    } cases[] = {{KERR_MUST_WAIT, FAULT_MUST_WAIT},
                 {KERR_IO, FAULT_IO_ERROR},
                 {KERR_NO_SPACE, FAULT_IO_ERROR},
                 {KERR_NO_MEMORY, FAULT_NO_MEMORY}};
    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        REQUIRE(show(0, VMA_SHARED));
        pager.pages[8].write_answer = cases[i].answer;
        EXPECT_EQUAL(probe_write(page_at(8), 1), cases[i].result);
        EXPECT_EQUAL(peek(page_at(8)), TEST_PAGER_WORD + 8);
        EXPECT_EQUAL(probe_write(page_at(8), 1), cases[i].result);
        EXPECT_AUDIT();
        pager.pages[8].write_answer = KERR_OK;
        EXPECT_EQUAL(probe_write(page_at(8), 1), FAULT_RESOLVED);
        EXPECT_EQUAL(peek(page_at(8)), 1);
        hide();
    }
}

TEST("pager", "rights taken and given back: a clean page stays clean, and is asked for")
{
    REQUIRE(show(0, VMA_SHARED));
    EXPECT_EQUAL(peek(page_at(2)), TEST_PAGER_WORD + 2);
    poke(page_at(1), 1);
    EXPECT(vma_protect(space_current(), page_at(0), 4, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(probe_write(page_at(1), 2), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(page_at(2), 2), FAULT_BAD_ACCESS);
    EXPECT(vma_protect(space_current(), page_at(0), 4, RIGHTS_NONE) == KERR_OK);
    EXPECT(vma_protect(space_current(), page_at(0), 4, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_AUDIT();
    poke(page_at(1), 2);
    poke(page_at(2), 2);
    EXPECT_EQUAL(pager.pages[1].times_written, 2);
    EXPECT_EQUAL(pager.pages[2].times_written, 1);
    EXPECT_AUDIT();
    hide();
}

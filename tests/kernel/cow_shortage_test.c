/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tests of copy-on-write with too few frames: what fails leaves both sides as they were.
 */
#include "cow_testing.h"

#include <kernel/fault.h>
#include <mm/cow.h>

enum { HALF = SLOT_PAGES / 2 };

static enum kerr run_release(void)
{
    return cow_release(page_of_slot(TEST_SLOT, HALF), SLOT_PAGES);
}

static enum kerr run_protect(void)
{
    return cow_protect(page_of_slot(TEST_SLOT, HALF), SLOT_PAGES, RIGHTS_READ);
}

static enum kerr run_discard(void)
{
    return cow_discard(page_of_slot(TEST_SLOT, HALF), SLOT_PAGES, RIGHTS_READ_WRITE);
}

static enum kerr run_unshare(void)
{
    return cow_unshare(TEST_SLOT);
}

static enum kerr run_make_real(void)
{
    return cow_make_real(page_of_slot(TEST_SLOT, LAST_PAGE), 2);
}

static enum kerr run_write(void)
{
    enum fault_result result = probe_write(first_page, 11);
    return result == FAULT_NO_MEMORY  ? KERR_NO_MEMORY
           : result == FAULT_RESOLVED ? KERR_OK
                                      : KERR_BAD_ACCESS;
}

/* Pages 0 and 1023 of two slots hold 11 to 14, on both sides. */
static void expect_four_pages(uint32_t side)
{
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQUAL(look_on(side, page_of_slot(TEST_SLOT + i / 2, i % 2 * LAST_PAGE)), 11 + i);
}

/* OPERATION on side 0, below tables that side 1 shares: fails with less than NEEDED frames. */
static void fails_until(enum kerr (*operation)(void), uint32_t needed)
{
    for (uint32_t frames = 0; frames <= needed; frames++) {
        REQUIRE(sides_make(2));
        REQUIRE(promise_slots());
        for (uint32_t i = 0; i < 4; i++)
            poke(page_of_slot(TEST_SLOT + i / 2, i % 2 * LAST_PAGE), 11 + i);
        share_slots(0, 1);
        leave_frames(frames);
        enum kerr error = operation();
        all_frames();
        EXPECT_EQUAL(error, frames < needed ? KERR_NO_MEMORY : KERR_OK);
        EXPECT_WHOLE();
        if (error != KERR_OK)
            expect_four_pages(0);
        expect_four_pages(1);
        release_and_end();
    }
}

TEST("cow", "a write with too few frames: no memory, and both sides are as before")
{
    fails_until(run_write, 2);
}

TEST("cow", "unsharing with too few frames: no memory, and both sides are as before")
{
    fails_until(run_unshare, 1);
}

TEST("cow", "release with too few frames: no memory, and both sides are as before")
{
    fails_until(run_release, 2);
}

TEST("cow", "protect with too few frames: no memory, and both sides are as before")
{
    fails_until(run_protect, 2);
}

TEST("cow", "discard with too few frames: no memory, and both sides are as before")
{
    fails_until(run_discard, 2);
}

TEST("cow", "pages made real with too few frames: no memory, and both sides are as before")
{
    fails_until(run_make_real, 4);
}

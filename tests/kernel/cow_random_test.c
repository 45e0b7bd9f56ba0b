/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tests of copy-on-write by sequences, compared with a plain model after each step: every
 * order of a few writes, and then anything at random, memory short at times.
 */
#include "cow_testing.h"

#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/zero.h>

/* ---- all orders of writes ---- */

static uint32_t expected[SIDES_MAX][2];

static void expect_all_sides(void)
{
    for (uint32_t side = 0; side < side_count; side++) {
        EXPECT_EQUAL(look_on(side, first_page), expected[side][0]);
        EXPECT_EQUAL(look_on(side, second_page), expected[side][1]);
    }
    EXPECT_WHOLE();
}

enum family { CHILDREN_OF_ONE, EACH_OF_THE_LAST };

/*
 * One written and one untouched page, shared among COUNT sides; then LENGTH writes, each by any
 * side to either page: every sequence there is.
 */
static void all_sequences(uint32_t count, uint32_t length, enum family family)
{
    uint32_t sequences = 1;
    for (uint32_t i = 0; i < length; i++)
        sequences *= 2 * count;
    REQUIRE(sides_make(count));
    for (uint32_t sequence = 0; sequence < sequences; sequence++) {
        REQUIRE(promise_slots());
        poke(first_page, 1);
        for (uint32_t side = 0; side < count; side++) {
            expected[side][0] = 1;
            expected[side][1] = 0;
            if (side > 0)
                share_slots(family == CHILDREN_OF_ONE ? 0 : side - 1, side);
        }
        uint32_t rest = sequence;
        for (uint32_t i = 0; i < length; i++, rest /= 2 * count) {
            uint32_t side = rest % count, page = rest / count % 2;
            expected[side][page] = 1000 + i;
            write_on(side, page == 0 ? first_page : second_page, 1000 + i);
            expect_all_sides();
        }
        on_side(0);
        release_slots();
        for (uint32_t side = 1; side < count; side++)
            cow_drop_lower_half(cow_sides[side]);
    }
    sides_end();
}

TEST("cow", "two sides, every sequence of four writes: neither sees the other's data")
{
    all_sequences(2, 4, CHILDREN_OF_ONE);
}

TEST("cow", "three sides, every sequence of three writes: none sees another's data")
{
    all_sequences(3, 3, CHILDREN_OF_ONE);
}

TEST("cow", "child, grandchild, every sequence of three writes: none sees another's data")
{
    all_sequences(3, 3, EACH_OF_THE_LAST);
}

TEST("cow", "four generations, every pair of writes: none sees another's data")
{
    all_sequences(4, 2, EACH_OF_THE_LAST);
}

/* ---- anything, at random, against a model ---- */

enum { MODEL_PAGES = 6, STEPS = 4000 };

enum page_state { IS_EMPTY, IS_KEPT, IS_READ, IS_WRITE };

struct model_page {
    enum page_state state;
    uint32_t value;
};

static struct model_page (*const model)[MODEL_PAGES] = (void *)test_scratch;
_Static_assert(SIDES_MAX *MODEL_PAGES * sizeof(struct model_page) <= TEST_SCRATCH_BYTES,
               "they fit");
static bool is_alive[SIDES_MAX];
static uint32_t random_state;

static uint32_t dice(uint32_t sides_of_it)
{
    return test_random(&random_state) % sides_of_it;
}

/* The first, second and last page of each slot. */
static vaddr_t model_page(uint32_t i)
{
    static const uint32_t places[] = {0, 1, LAST_PAGE};
    return page_of_slot(TEST_SLOT + i / 3, places[i % 3]);
}

static uint32_t pages_between(uint32_t first, uint32_t last)
{
    return ((model_page(last).v - model_page(first).v) >> PAGE_SHIFT) + 1;
}

static enum page_state state_of_rights(enum rights rights)
{
    return rights == RIGHTS_NONE ? IS_KEPT : rights == RIGHTS_READ ? IS_READ : IS_WRITE;
}

static void expect_model(uint32_t side)
{
    on_side(side);
    for (uint32_t i = 0; i < MODEL_PAGES; i++) {
        const struct model_page *page = &model[side][i];
        EXPECT_EQUAL(look(model_page(i)), page->state >= IS_READ ? page->value : REFUSED);
    }
}

/* A range that covers a slot in part empties it as a whole, if it was never written. */
static void model_empty_untouched(struct model_page *pages, uint32_t first, uint32_t last)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        bool touches = first / 3 <= slot && slot <= last / 3;
        bool is_whole = first <= slot * 3 && last >= slot * 3 + 2;
        if (touches && !is_whole && zero_slot_is_untouched(TEST_SLOT + slot))
            for (uint32_t i = slot * 3; i < slot * 3 + 3; i++)
                pages[i].state = IS_EMPTY;
    }
}

static void step_write(struct model_page *page, vaddr_t at)
{
    uint32_t value = dice(1000000);
    enum fault_result result = probe_write(at, value);
    if (page->state != IS_WRITE)
        EXPECT_EQUAL(result, FAULT_BAD_ACCESS);
    else if (result == FAULT_RESOLVED)
        page->value = value;
    else
        EXPECT_EQUAL(result, FAULT_NO_MEMORY);
}

/* Where there is nothing: a promise of a whole slot or of what is empty in it. */
static void step_promise(struct model_page *pages, uint32_t slot)
{
    enum rights rights = all_rights[1 + dice(2)];
    vaddr_t first = page_of_slot(TEST_SLOT + slot, 0);
    if (zero_promise_slots(TEST_SLOT + slot, 1, rights) != KERR_OK &&
        (zero_slot_is_untouched(TEST_SLOT + slot) || cow_unshare(TEST_SLOT + slot) != KERR_OK ||
         zero_promise_pages(first, SLOT_PAGES, rights) != KERR_OK))
        return;
    for (uint32_t i = slot * 3; i < slot * 3 + 3; i++)
        if (pages[i].state == IS_EMPTY) {
            pages[i].state = state_of_rights(rights);
            pages[i].value = 0;
        }
}

static void step_release(struct model_page *pages, uint32_t first, uint32_t last)
{
    struct model_page after[MODEL_PAGES];
    for (uint32_t i = 0; i < MODEL_PAGES; i++)
        after[i] = pages[i];
    model_empty_untouched(after, first, last);
    for (uint32_t i = first; i <= last; i++)
        after[i].state = IS_EMPTY;
    enum kerr error = cow_release(model_page(first), pages_between(first, last));
    for (uint32_t i = 0; i < MODEL_PAGES && error == KERR_OK; i++)
        pages[i] = after[i];
}

static void step_protect(struct model_page *pages, uint32_t first, uint32_t last)
{
    enum rights rights = all_rights[dice(3)];
    struct model_page after[MODEL_PAGES];
    for (uint32_t i = 0; i < MODEL_PAGES; i++)
        after[i] = pages[i];
    model_empty_untouched(after, first, last);
    for (uint32_t i = first; i <= last; i++)
        if (after[i].state != IS_EMPTY) {
            bool is_promise = zero_slot_is_untouched(TEST_SLOT + i / 3);
            after[i].state = state_of_rights(rights);
            if (is_promise && rights == RIGHTS_NONE)
                after[i].state = IS_EMPTY;
        }
    enum kerr error = cow_protect(model_page(first), pages_between(first, last), rights);
    for (uint32_t i = 0; i < MODEL_PAGES && error == KERR_OK; i++)
        pages[i] = after[i];
}

/* One page: what has rights is zero again, with the same rights. */
static void step_discard(struct model_page *page, vaddr_t at)
{
    enum rights rights = page->state == IS_READ ? RIGHTS_READ : RIGHTS_READ_WRITE;
    if (page->state != IS_KEPT && cow_discard(at, 1, rights) == KERR_OK)
        page->value = 0;
}

/* Side 0 always lives. FROM shares with another one, or another one ends. */
static void step_sides(uint32_t from, uint32_t other)
{
    if (other == 0 || other == from)
        return;
    on_side(from);
    if (is_alive[other])
        cow_drop_lower_half(cow_sides[other]);
    else
        share_slots(from, other);
    is_alive[other] = !is_alive[other];
    for (uint32_t i = 0; i < MODEL_PAGES; i++)
        model[other][i] = is_alive[other] ? model[from][i] : (struct model_page){IS_EMPTY, 0};
}

static void model_step(uint32_t side)
{
    uint32_t first = dice(MODEL_PAGES), last = first + dice(MODEL_PAGES - first);
    struct model_page *page = &model[side][first];
    on_side(side);
    switch (dice(12)) {
    case 0:
    case 1:
        step_promise(model[side], first / 3);
        break;
    case 2:
        step_release(model[side], first, last);
        break;
    case 3:
        step_protect(model[side], first, last);
        break;
    case 4:
        step_discard(page, model_page(first));
        break;
    case 5:
    case 6:
        step_sides(side, dice(SIDES_MAX));
        break;
    default:
        step_write(page, model_page(first));
    }
}

TEST("cow", "4,000 random steps on four sides, memory short at times: as the model says")
{
    random_state = 20240101;
    printk("# seed %u\n", random_state);
    if (frame_available(&frame_pool) < 80)
        SKIP("needs 320 KiB of free memory");
    REQUIRE(sides_make(SIDES_MAX));
    for (uint32_t side = 0; side < SIDES_MAX; side++) {
        is_alive[side] = side == 0;
        for (uint32_t i = 0; i < MODEL_PAGES; i++)
            model[side][i] = (struct model_page){IS_EMPTY, 0};
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t side = dice(SIDES_MAX);
        if (!is_alive[side])
            side = 0;
        leave_frames(dice(4) == 0 ? dice(3) : 64);
        model_step(side);
        all_frames();
        expect_model(side);
        if (step % 16 == 0) {
            for (uint32_t i = 0; i < SIDES_MAX; i++)
                expect_model(i);
            EXPECT_WHOLE();
        }
    }
    release_and_end();
}

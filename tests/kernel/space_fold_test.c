/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of spaces without a directory: folded by reclaim, looked at, made ready, ended.
 */
#include "audit_testing.h"
#include "swap_testing.h"

#include <mm/object.h>

static struct space sleeper;

/* SLEEPER has what fill_pages() has made, and nobody else. */
static bool must_check sleeper_begin(void)
{
    if (!swap_begin() || !fill_pages(0) || space_fork(&sleeper) != KERR_OK)
        return false;
    release_pages();
    return true;
}

static bool must_check fold_sleeper(void)
{
    for (uint32_t i = 0; i < 4 && !space_is_folded(&sleeper); i++)
        (void)swap_put_out(PAGES + 2);
    return space_is_folded(&sleeper);
}

static void expect_sleepers_pages(void)
{
    EXPECT_EQUAL(space_make_ready(&sleeper), KERR_OK);
    space_switch(&sleeper);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    space_switch(&boot_space);
}

static void sleeper_end(void)
{
    space_destroy(&sleeper);
    for (uint32_t i = 0; i < 2 * PAGES; i++)
        swap_tick();
    EXPECT_EQUAL(swap_trim(), KERR_OK);
    EXPECT_EQUAL(swap_sum().used, 0);
    swap_end();
}

TEST("fold", "a space that was not loaded for long: is folded, and is what it was when it is ready")
{
    REQUIRE(sleeper_begin());
    uint32_t live = directory_live_count(), kernels = frame_pool.kernel_frames;
    REQUIRE(fold_sleeper());
    EXPECT_EQUAL(directory_live_count(), live - 1);
    /* It keeps its place in the account; the table of its page in the area may have gone with it. */
    EXPECT(kernels - frame_pool.kernel_frames <= 1);
    EXPECT_EQUAL(sleeper.folded_runs, 1);
    EXPECT_AUDIT();
    expect_sleepers_pages();
    EXPECT_EQUAL(directory_live_count(), live);
    EXPECT_EQUAL(frame_pool.kernel_frames, kernels);
    EXPECT_AUDIT();
    sleeper_end();
}

TEST("fold", "a folded space that ends: nothing is left of it")
{
    REQUIRE(sleeper_begin() && fold_sleeper());
    sleeper_end();
}

TEST("fold", "an area that ends: the table of a folded space is back before; it is folded no more")
{
    REQUIRE(sleeper_begin() && fold_sleeper());
    EXPECT_EQUAL(swap_off(&store_disk.device), KERR_OK);
    store_disk_end();
    EXPECT_AUDIT();
    expect_sleepers_pages();
    space_destroy(&sleeper);
}

TEST("fold", "runs of zero tables, and a table that is shared: they are kept, and can be looked at")
{
    REQUIRE(sleeper_begin());
    space_switch(&sleeper);
    vaddr_t promised = page_of_slot(TEST_SLOT + 2, 0), shared = page_of_slot(TEST_SLOT + 8, 1);
    EXPECT_EQUAL(vma_reserve_at(&sleeper, promised, 3 * SLOT_PAGES, RIGHTS_READ_WRITE, "promised"),
                 KERR_OK);
    EXPECT_EQUAL(vma_reserve_at(&sleeper, shared, 2, RIGHTS_READ_WRITE, "shared"), KERR_OK);
    poke(shared, 0x5EA);
    static struct space sharer;
    REQUIRE(space_fork(&sharer) == KERR_OK);
    space_switch(&boot_space);
    for (uint32_t i = 0; i < 6; i++)
        (void)swap_put_out(PAGES + 4);
    EXPECT(space_is_folded(&sleeper) && space_is_folded(&sharer));
    EXPECT_EQUAL(sleeper.folded_runs, 3);
    EXPECT_EQUAL(space_pde_run(&sleeper, TEST_SLOT + 2, 100), 3);
    EXPECT_EQUAL(space_pde_run(&sleeper, 0, KERNEL_FIRST_SLOT), TEST_SLOT);
    EXPECT_EQUAL(space_pde_run(&sleeper, TEST_SLOT + 9, 50), 50);
    struct translation t;
    space_view_open(&sleeper);
    space_view_query(shared, &t);
    EXPECT(t.has_pte && pte_is_swapped(t.pte));
    space_view_query(promised, &t);
    EXPECT(t.has_pte && pte_frame(t.pte).n == zero_frame.n);
    space_view_close();
    EXPECT_AUDIT();
    expect_sleepers_pages();
    space_destroy(&sharer);
    EXPECT_AUDIT();
    sleeper_end();
}

TEST("fold", "an object that gets shorter: a folded space that shows it gets its directory again")
{
    struct object *object;
    REQUIRE(sleeper_begin());
    REQUIRE(object_create_anonymous(4, &object) == KERR_OK);
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .object = object, .name = "shared"};
    space_switch(&sleeper);
    EXPECT_EQUAL(vma_map_at(&sleeper, test_page(100), 4, &wish), KERR_OK);
    poke(test_page(103), 77);
    space_switch(&boot_space);
    REQUIRE(fold_sleeper());
    EXPECT_EQUAL(object_resize(object, 2), KERR_OK);
    EXPECT(!space_is_folded(&sleeper));
    EXPECT_AUDIT();
    object_put(object);
    sleeper_end();
}

TEST("fold", "a table that others emptied: goes from a folded space, too")
{
    static struct space sharer;
    struct object *file;
    uint32_t tables = frame_pool.totals[FRAME_TABLE];
    REQUIRE(sleeper_begin());
    REQUIRE(object_create(OBJECT_FILE, 4, &file) == KERR_OK);
    const struct vma_wish wish = {.rights = RIGHTS_READ, .object = file, .name = "file"};
    space_switch(&sleeper);
    vaddr_t page = page_of_slot(TEST_SLOT + 8, 1);
    EXPECT_EQUAL(vma_map_at(&sleeper, page, 4, &wish), KERR_OK);
    EXPECT_EQUAL(peek(page), 0);
    REQUIRE(space_fork(&sharer) == KERR_OK);
    space_switch(&sharer); /* so it is not folded, too */
    REQUIRE(fold_sleeper());
    for (unsigned i = 0; i < 2; i++)
        (void)object_age(file, 0, 3);
    EXPECT(pde_is_empty(space_pde_read(&sleeper, TEST_SLOT + 8)));
    EXPECT_AUDIT();
    space_switch(&boot_space);
    space_destroy(&sharer);
    object_put(file);
    sleeper_end();
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE], tables);
}

TEST("fold", "a space with a table in RAM, a locked page, too many runs, or in use: is not folded")
{
    REQUIRE(sleeper_begin());
    space_switch(&sleeper);
    EXPECT_EQUAL(vma_set_flags(&sleeper, test_page(0), 1, VMA_LOCKED, 0), KERR_OK);
    space_switch(&boot_space);
    REQUIRE(!fold_sleeper());
    space_switch(&sleeper);
    EXPECT_EQUAL(vma_set_flags(&sleeper, test_page(0), 1, 0, VMA_LOCKED), KERR_OK);
    for (uint32_t i = 0; i < FOLDED_RUNS_MAX; i++)
        EXPECT_EQUAL(vma_reserve_at(&sleeper, page_of_slot(TEST_SLOT + 2 * i + 2, 0), SLOT_PAGES,
                                    RIGHTS_READ_WRITE, "run"),
                     KERR_OK);
    space_switch(&boot_space);
    REQUIRE(!fold_sleeper());
    space_switch(&sleeper);
    EXPECT_EQUAL(vma_release(&sleeper, page_of_slot(TEST_SLOT + 2, 0), SLOT_PAGES), KERR_OK);
    REQUIRE(!fold_sleeper()); /* it is loaded */
    space_switch(&boot_space);
    REQUIRE(fold_sleeper());
    expect_sleepers_pages();
    sleeper_end();
}

TEST("fold", "the audit of a folded space: its runs")
{
    REQUIRE(sleeper_begin() && fold_sleeper());
    struct folded_run run = sleeper.folded[0];
    sleeper.folded[0].count = 0;
    EXPECT_SAID("the entries of a folded space are in order");
    sleeper.folded[0] = run;
    sleeper.folded[0].slot = KERNEL_FIRST_SLOT;
    EXPECT_SAID("the entries of a folded space are in order");
    sleeper.folded[0] = run;
    sleeper_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of swap on a disk that fails: each request of a fixed piece of work in its turn.
 */
#include "swap_testing.h"

/* What page I holds, in this run. */
static uint32_t held[PAGES];

/* The disk fails at the run's request, and has not been mended. */
static bool has_failed(void)
{
    return store_disk.fails_at == store_disk.stays_broken;
}

/* All that can goes: pages, their table, and what of them is in RAM. What can't be written is tried again. */
static void put_all_out(void)
{
    static uint32_t seconds;
    uint32_t freed;
    for (uint32_t i = 0; i < 4; i++) {
        (void)swap_put_out(PAGES);
        store_tick(++seconds);
    }
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < 4; i++)
        (void)(store_reclaim(2 * PAGES, &freed) == KERR_OK);
    EXPECT_AUDIT();
}

/* What page I, or its table, stands in. */
static uint32_t place_of(uint32_t i)
{
    pde_t pde = pde_read(TEST_SLOT);
    frame_t slot = pde_is_swapped(pde) ? pde_frame(pde) : pte_frame(pte_read(test_page(i)));
    return slot.n - swap_of_device(&store_disk.device)->slots.first;
}

/* Page I can be accessed. If not, it is for a read of this very page, or its table. */
static bool is_reached(uint32_t i, enum access access)
{
    enum fault_result result = vma_touch(test_page(i), access, MODE_KERNEL);
    if (result != FAULT_IO_ERROR)
        return true; /* it was there, or has come */
    EXPECT(has_failed());
    EXPECT((store_disk.unread >> place_of(i) & 1) != 0);
    if (store_disk.stays_broken)
        return false;
    EXPECT_EQUAL(vma_touch(test_page(i), access, MODE_KERNEL), FAULT_RESOLVED);
    return true;
}

static void look_at_pages(void)
{
    for (uint32_t i = 0; i < PAGES; i++)
        if (is_reached(i, ACCESS_READ))
            EXPECT_EQUAL(peek(test_page(i)), held[i]);
    EXPECT_AUDIT();
}

static void write_some(void)
{
    for (uint32_t i = 0; i < PAGES; i += 3)
        if (is_reached(i, ACCESS_WRITE))
            poke(test_page(i), held[i] += 100);
    EXPECT_AUDIT();
}

/* What OPERATION on the disk says: nothing is wrong, or the disk is. */
static bool went(enum kerr error)
{
    EXPECT(error == KERR_OK || (error == KERR_IO && has_failed()));
    return error == KERR_OK;
}

static void mend(void)
{
    store_disk.fails_at = 0;
    store_disk.stays_broken = false;
}

/* From an area that begins to one that ends. Only then the disk is mended. */
static void work(void)
{
    bool is_on = went(swap_on(&store_disk.device, -1));
    for (uint32_t i = 0; i < PAGES; i++)
        held[i] = i + 1;
    REQUIRE(fill_pages(0));
    for (uint32_t i = 0; i < 2; i++) {
        put_all_out();
        look_at_pages();
        write_some();
    }
    put_all_out();
    bool is_off = !is_on || went(swap_off(&store_disk.device));
    EXPECT_AUDIT();
    mend();
    look_at_pages();
    if (!is_off)
        EXPECT_EQUAL(swap_off(&store_disk.device), KERR_OK);
    look_at_pages();
    release_pages();
}

static void fail_each(bool stays_broken)
{
    uint32_t free = 0;
    bool is_done = false;
    for (uint32_t n = 1; !is_done; n++) {
        REQUIRE(store_disk_begin(DISK_PAGES));
        write_header();
        store_disk.fails_at = n;
        store_disk.stays_broken = stays_broken;
        work();
        is_done = store_disk.reads + store_disk.writes < n;
        store_disk_end();
        heap_trim(&kernel_heap, 0);
        if (n > 2)
            EXPECT_EQUAL(frame_available(&frame_pool), free);
        free = frame_available(&frame_pool);
    }
}

TEST("swap_errors", "request 1, 2, 3 ... fails once: only who asked for its page is told, once")
{
    fail_each(false);
}

TEST("swap_errors",
     "the disk fails from request 1, 2, 3 ... on: what is in RAM is right, and stays")
{
    fail_each(true);
}

TEST("swap_errors",
     "a page that can't be written: goes to another slot, alone; the area has one less")
{
    enum { BAD = 9 };
    REQUIRE(swap_begin() && fill_pages(0));
    const struct swap_area *area = swap_of_device(&store_disk.device);
    store_disk.bad_page = BAD;
    for (uint32_t i = 0; i < PAGES; i++)
        held[i] = i + 1;
    for (uint32_t i = 0; i < 3; i++) {
        put_all_out();
        EXPECT_EQUAL(area->cache.dirty_pages, 0);
        EXPECT_EQUAL(swap_sum().cached, 0);
        EXPECT_EQUAL(area->moved_count, 1);
        look_at_pages();
        write_some();
    }
    EXPECT_EQUAL(store_disk_word(BAD * PAGE_BYTES), BAD << 16); /* as it was at first */
    EXPECT_EQUAL(swap_sum().pages, SLOTS - 1);
    release_pages();
    EXPECT_AUDIT();
    swap_end();
}

TEST("swap_errors",
     "what was read ahead in vain: goes when frames are wanted, or nobody has the slot")
{
    REQUIRE(swap_begin() && fill_pages(0));
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t freed;
        put_all_out();
        EXPECT_EQUAL(peek(test_page(0)), 1); /* its table is back */
        store_disk.fails_at = 1;
        EXPECT(swap_begin_read(pte_frame(pte_read(test_page(8))), 4));
        EXPECT_EQUAL(swap_sum().cached, 5);
        for (uint32_t j = 0; j < 2 && i == 0; j++)
            (void)(store_reclaim(PAGES, &freed) == KERR_OK);
        EXPECT_EQUAL(swap_sum().cached, i == 0 ? 0 : 5);
    }
    release_pages();
    EXPECT_EQUAL(swap_trim(), KERR_OK);
    EXPECT_EQUAL(swap_sum().used, 0);
    swap_end();
}

TEST("swap_errors", "frames lack and nothing can go: it is tried once a second, not each tick")
{
    REQUIRE(swap_begin() && fill_pages(0));
    store_disk.fails_at = store_disk.stays_broken = true;
    put_all_out();
    leave_frames(0);
    store_tick(1000);
    uint32_t scanned = swap_counts.scanned;
    store_tick(1000);
    EXPECT_EQUAL(swap_counts.scanned, scanned);
    store_tick(1001);
    EXPECT(swap_counts.scanned > scanned);
    all_frames();
    mend();
    release_pages();
    swap_end();
}

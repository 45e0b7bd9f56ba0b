/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of swap with a disk of frames, and promises of the boot space: pages go out and come
 * back, without a process.
 */
#include "swap_testing.h"

/* What is in a slot is in RAM no more. */
static void drop_copies(void)
{
    uint32_t freed;
    for (uint32_t i = 0; i < 4 && swap_sum().cached > 0; i++)
        EXPECT_EQUAL(store_reclaim(PAGES, &freed), KERR_OK);
}

static void answer_all(void)
{
    store_disk.holds_back = false;
    store_disk_work();
}

TEST("swap",
     "an area: without signature refused; begins, has what is not bad, ends without a trace")
{
    REQUIRE(swap_begin());
    swap_end();
    heap_trim(&kernel_heap, 0); /* what the first one leaves is there: tables, pages of nodes */
    uint32_t free = frame_available(&frame_pool);
    REQUIRE(store_disk_begin(DISK_PAGES));
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_UNSUPPORTED);
    EXPECT(store_disk.device.opened_for == NULL);
    write_header();
    const uint32_t all_bad = DISK_PAGES - 1, one = 1;
    store_disk_poke(1032, &all_bad, sizeof(all_bad));
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_UNSUPPORTED);
    store_disk_poke(1032, &one, sizeof(one));
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_OK);
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_EXISTS);
    EXPECT_EQUAL(swap_sum().pages, SLOTS);
    EXPECT_EQUAL(swap_sum().used, 0);
    EXPECT_AUDIT();
    swap_end();
    heap_trim(&kernel_heap, 0);
    EXPECT_EQUAL(frame_available(&frame_pool), free);
}

TEST("swap", "an area whose header is still read, and that is given up: ends by itself, or goes on "
             "for others")
{
    REQUIRE(store_disk_begin(DISK_PAGES));
    write_header();
    store_disk.holds_back = true;
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_MUST_WAIT);
    swap_give_up(&store_disk.device);
    swap_tick(); /* it is under way */
    EXPECT(swap_of_device(&store_disk.device) != NULL);
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_MUST_WAIT);
    swap_give_up(&store_disk.device);
    answer_all();
    swap_tick();
    EXPECT(swap_of_device(&store_disk.device) == NULL);
    EXPECT(store_disk.device.opened_for == NULL);
    store_disk.holds_back = true;
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_MUST_WAIT);
    swap_give_up(&store_disk.device);
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_MUST_WAIT);
    answer_all();
    swap_tick(); /* somebody has asked again */
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_OK);
    EXPECT_AUDIT();
    swap_end();
}

TEST("swap", "an area that ends, and is given up: takes pages again")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    drop_copies();
    store_disk.holds_back = true;
    EXPECT_EQUAL(swap_off(&store_disk.device), KERR_MUST_WAIT);
    EXPECT_EQUAL(swap_put_out(PAGES), 0);
    swap_give_up(&store_disk.device);
    answer_all();
    poke(test_page(0), 100);
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT_EQUAL(peek(test_page(0)), 100);
    EXPECT_EQUAL(peek(test_page(PAGES - 1)), PAGES);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "a disk of which a part is in use, and a part of one in use: no area")
{
    static struct block_device part;
    REQUIRE(store_disk_begin(DISK_PAGES));
    write_header();
    block_init_partition(&part, "part", &store_disk.device, 0, DISK_PAGES * 8);
    block_register(&part);
    EXPECT_EQUAL(block_open_for_reading(&part, "test"), KERR_OK);
    EXPECT_EQUAL(swap_on(&store_disk.device, -1), KERR_EXISTS);
    block_close_for_reading(&part);
    EXPECT_EQUAL(block_open_for_reading(&store_disk.device, "test"), KERR_OK);
    EXPECT_EQUAL(swap_on(&part, -1), KERR_EXISTS);
    block_close_for_reading(&store_disk.device);
    EXPECT_EQUAL(swap_on(&part, -1), KERR_OK);
    EXPECT_EQUAL(block_open_for_reading(&store_disk.device, "test"), KERR_EXISTS);
    EXPECT_EQUAL(swap_off(&part), KERR_OK);
    block_unregister(&part);
    store_disk_end();
}

TEST("swap", "pages that nobody uses: go out, are written, and come back as they were")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(count_swapped(), PAGES);
    EXPECT_EQUAL(swap_sum().used, PAGES);
    EXPECT_EQUAL(store_disk.writes, 2); /* the bad page lies between */
    EXPECT_AUDIT();
    drop_copies();
    EXPECT_EQUAL(swap_sum().cached, 0);
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_EQUAL(count_swapped(), 0);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "a page that came back and was not written: goes again without a write")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    uint32_t writes = store_disk.writes;
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(store_disk.writes, writes);
    poke(test_page(3), 100);
    EXPECT_EQUAL(peek(test_page(3)), 100);
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT_EQUAL(store_disk.writes, writes + 1);
    EXPECT_EQUAL(peek(test_page(3)), 100);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "a page that is being read, and nothing else can go: who lacks a frame waits for it")
{
    uint32_t freed;
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    drop_copies();
    store_disk.holds_back = true;
    EXPECT_EQUAL(vma_touch(test_page(2), ACCESS_READ, MODE_KERNEL), FAULT_MUST_WAIT);
    EXPECT_EQUAL(vma_set_flags(&boot_space, test_page(4), 1, VMA_LOCKED, 0), KERR_OK);
    EXPECT_EQUAL(store_reclaim(1, &freed), KERR_MUST_WAIT);
    EXPECT_EQUAL(vma_set_flags(&boot_space, test_page(4), 1, 0, VMA_LOCKED), KERR_OK);
    store_disk.holds_back = false;
    store_disk_work();
    EXPECT_EQUAL(peek(test_page(2)), 3);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "pages full of zeros: need no slot and no write")
{
    uint32_t zero = swap_counts.zero;
    REQUIRE(swap_begin() && fill_pages(PAGES / 2));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(swap_counts.zero, zero + PAGES / 2);
    EXPECT_EQUAL(swap_sum().used, PAGES / 2);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i < PAGES / 2 ? 0 : i + 1);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap",
     "no slot is free: the page stays; slots of pages that are here are given up for others")
{
    enum { MANY = SLOTS + 8 };
    REQUIRE(swap_begin());
    REQUIRE(vma_reserve_at(&boot_space, test_page(0), MANY, RIGHTS_READ_WRITE, "test") == KERR_OK);
    for (uint32_t i = 0; i < MANY; i++)
        poke(test_page(i), i + 1);
    EXPECT_EQUAL(swap_put_out(MANY), SLOTS);
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT(swap_put_out(MANY) >= SLOTS);
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_AUDIT();
    EXPECT_EQUAL(vma_release(&boot_space, test_page(0), MANY), KERR_OK);
    swap_end();
}

TEST("swap", "a page loses its rights while it is out, and gets them again: it comes back")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(vma_protect(&boot_space, test_page(0), PAGES, RIGHTS_NONE), KERR_OK);
    EXPECT_AUDIT();
    EXPECT_EQUAL(vma_protect(&boot_space, test_page(0), PAGES, RIGHTS_READ), KERR_OK);
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_EQUAL(vma_protect(&boot_space, test_page(0), PAGES, RIGHTS_NONE), KERR_OK);
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(vma_protect(&boot_space, test_page(0), PAGES, RIGHTS_READ_WRITE), KERR_OK);
    for (uint32_t i = 0; i < PAGES; i++)
        poke(test_page(i), i + 2);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "an area that ends: all its pages are back before")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    drop_copies();
    swap_end();
    EXPECT_EQUAL(count_swapped(), 0);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_AUDIT();
    release_pages();
}

TEST("swap", "what was released while it was out: its slots are free, and nobody writes it")
{
    REQUIRE(swap_begin() && fill_pages(0));
    store_disk.holds_back = true;
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    release_pages();
    store_disk.holds_back = false;
    store_disk_work();
    EXPECT_AUDIT();
    uint32_t freed;
    for (uint32_t i = 0; i < 4 && swap_sum().used > 0; i++)
        (void)(store_reclaim(PAGES, &freed) == KERR_OK);
    EXPECT_EQUAL(swap_sum().used, 0);
    swap_end();
}

TEST("swap", "a page that can't be read: the touch is refused, again and again; others are not")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    drop_copies();
    store_disk.fails_at = 1;
    EXPECT_EQUAL(vma_touch(test_page(2), ACCESS_READ, MODE_KERNEL), FAULT_IO_ERROR);
    EXPECT_EQUAL(peek(test_page(7)), 8);
    EXPECT_EQUAL(peek(test_page(2)), 3);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

TEST("swap", "a range put out: its pages go though they are used, and no others")
{
    REQUIRE(swap_begin() && fill_pages(0));
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_EQUAL(swap_put_range_out(test_page(3), 5), 5);
    EXPECT_EQUAL(count_swapped(), 5);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(pte_is_swapped(pte_read(test_page(i))), i >= 3 && i < 8);
    EXPECT_AUDIT();
    EXPECT_EQUAL(swap_put_range_out(test_page(0), PAGES), PAGES - 5);
    EXPECT_EQUAL(swap_put_range_out(test_page(0), PAGES), 0);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
    REQUIRE(fill_pages(0));
    EXPECT_EQUAL(swap_put_range_out(test_page(0), PAGES), 0); /* there is no area */
    release_pages();
}

TEST("swap",
     "pages read ahead of a touch: are here and show nothing; forgotten, they are read again")
{
    REQUIRE(swap_begin() && fill_pages(0));
    EXPECT_EQUAL(swap_put_range_out(test_page(0), PAGES), PAGES);
    frame_t first = pte_frame(pte_read(test_page(8)));
    EXPECT(!swap_is_here(first));
    EXPECT(swap_begin_read(first, 4));
    EXPECT(swap_is_here(first) && swap_is_here(FRAME(first.n + 3)));
    EXPECT_EQUAL(count_swapped(), PAGES);
    uint32_t reads = store_disk.reads;
    EXPECT_EQUAL(peek(test_page(9)), 10);
    EXPECT_EQUAL(store_disk.reads, reads);
    EXPECT(swap_forget_read(first, 4));
    EXPECT(!swap_is_here(first) && swap_is_here(FRAME(first.n + 1))); /* an entry shows that */
    EXPECT_EQUAL(peek(test_page(8)), 9);
    EXPECT(store_disk.reads > reads);
    EXPECT_AUDIT();
    release_pages();
    swap_end();
}

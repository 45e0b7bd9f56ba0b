/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of it: what those of swap have in common: an area on a disk of frames, and pages of the boot space.
 */
#ifndef TESTS_SWAP_TESTING_H
#define TESTS_SWAP_TESTING_H

#include "store_testing.h"
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/cow.h>
#include <mm/heap.h>
#include <mm/zero.h>
#include <store/swap.h>

enum { DISK_PAGES = 64, SLOTS = DISK_PAGES - 2, BAD_PAGE = 5, PAGES = 16 };

/* mkswap's header: 64 pages, one of them bad. */
static inline void write_header(void)
{
    const uint32_t numbers[] = {1, DISK_PAGES - 1, 1}, bad = BAD_PAGE;
    store_disk_poke(1024, numbers, sizeof(numbers));
    store_disk_poke(1536, &bad, sizeof(bad));
    store_disk_poke(4086, "SWAPSPACE2", 10);
}

static inline bool must_check swap_begin(void)
{
    if (!store_disk_begin(DISK_PAGES))
        return false;
    write_header();
    return swap_on(&store_disk.device, -1) == KERR_OK;
}

static inline void swap_end(void)
{
    EXPECT_EQUAL(swap_off(&store_disk.device), KERR_OK);
    store_disk_end();
}

static inline vaddr_t test_page(uint32_t i)
{
    return page_of_slot(TEST_SLOT, i);
}

/* PAGES pages are reserved, and page I holds I + 1 in its first word, but for ZEROS of them. */
static inline bool must_check fill_pages(uint32_t zeros)
{
    if (vma_reserve_at(&boot_space, test_page(0), PAGES, RIGHTS_READ_WRITE, "test") != KERR_OK)
        return false;
    for (uint32_t i = 0; i < PAGES; i++)
        poke(test_page(i), i < zeros ? 0 : i + 1);
    return true;
}

static inline void release_pages(void)
{
    EXPECT_EQUAL(vma_release(&boot_space, test_page(0), PAGES), KERR_OK);
}

static inline uint32_t count_swapped(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < PAGES; i++)
        count += pte_is_swapped(pte_read(test_page(i)));
    return count;
}

#endif

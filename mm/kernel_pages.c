/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The kernel's own pages, and the account of what they cost.
 *
 * The cost is what the free frames say: a page may bring a table with it, or take one along.
 */
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/kernel_pages.h>
#include <mm/vma.h>

/* As many frames fewer, or more, are free than FREE_BEFORE: they are the kernel's, or were. */
static void count_since(uint32_t free_before)
{
    frame_pool.kernel_frames += free_before - frame_pool.totals[FRAME_FREE];
}

/* The entries know best, and are there before the regions are; the regions know the rest. */
static enum kerr make_real(vaddr_t first, uint32_t pages)
{
    enum kerr error = cow_make_real(first, pages);
    return error == KERR_BAD_ACCESS ? vma_make_real(first, pages) : error;
}

enum kerr kernel_pages_make_real(vaddr_t first, uint32_t pages)
{
    uint32_t free_before = frame_pool.totals[FRAME_FREE];
    uint32_t tables =
        vaddr_to_slot(vaddr_add(first, (pages << PAGE_SHIFT) - 1)) - vaddr_to_slot(first) + 1;
    if (!frame_can_grow(&frame_pool, pages + tables))
        return KERR_NO_MEMORY;
    enum kerr error = make_real(first, pages);
    count_since(free_before);
    return error;
}

void kernel_pages_discard(vaddr_t first, uint32_t pages)
{
    uint32_t free_before = frame_pool.totals[FRAME_FREE];
    enum kerr error = cow_discard(first, pages, RIGHTS_READ_WRITE);
    ASSERT(error == KERR_OK, "a table of the kernel's own pages is shared");
    count_since(free_before);
}

void kernel_pages_put_away(vaddr_t first, uint32_t pages)
{
    kernel_pages_discard(first, pages);
    frame_pool.kernel_frames += pages;
}

enum kerr kernel_pages_take_back(vaddr_t first, uint32_t pages)
{
    uint32_t free_before = frame_pool.totals[FRAME_FREE];
    enum kerr error = make_real(first, pages);
    count_since(free_before);
    if (error == KERR_OK)
        frame_pool.kernel_frames -= pages;
    return error;
}

void kernel_pages_forget(uint32_t pages)
{
    frame_pool.kernel_frames -= pages;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Slots that can't be written. Entries, tables and objects know a page by its slot's number, and not all of
 * them can be found; so the page keeps its number, and stands at the place of a free slot, which is out of use from
 * then on. The place that could not be written is nobody's: the area has one slot less.
 */
#include "swap_area.h"

uint32_t swap_place_of(const struct swap_area *area, uint32_t page)
{
    for (uint32_t i = 0; i < area->moved_count; i++)
        if (area->moved[i].page == page)
            return area->moved[i].place;
    return page;
}

/* PAGE, of those that moved, has its own place again: the other one is a free slot's. */
static bool move_back(struct swap_area *area, uint32_t page)
{
    uint32_t i = 0;
    while (i < area->moved_count && area->moved[i].page != page)
        i++;
    if (i == area->moved_count)
        return false;
    frame_pool_add(&area->slots, FRAME(area->slots.first + area->moved[i].place), 1);
    area->moved[i] = area->moved[--area->moved_count];
    return true;
}

bool swap_not_written(struct cache *cache, uint32_t page)
{
    struct swap_area *area = container_of(cache, struct swap_area, cache);
    frame_t slot;
    if (move_back(area, page) || area->moved_count == SWAP_MOVED_MOST ||
        frame_alloc(&area->slots, FRAME_SLOT, &slot) != KERR_OK)
        return false;
    frame_pool_claim(&area->slots, slot, 1, FRAME_RESERVED);
    area->moved[area->moved_count++] =
        (struct swap_moved){.page = page, .place = swap_page_of(area, slot)};
    return true;
}

void swap_try_again(void)
{
    static uint32_t tried;
    if (tried == store_seconds)
        return;
    tried = store_seconds;
    for (uint32_t i = 0; i < swap_area_count; i++)
        cache_try_to_write(&swap_areas[i]->cache);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Swap areas begin and end (include/store/swap.h). The header of mkswap, in page 0:
 *
 *     1024  version, 1          1028  number of the last page     1032  number of bad pages
 *     1036  UUID, label         1536  the bad pages' numbers      4086  "SWAPSPACE2"
 */
#include "swap_area.h"
#include "swap_ram.h"

#include <arch/i386/entry.h>
#include <kernel/string.h>
#include <mm/cow.h>
#include <mm/heap.h>
#include <mm/space.h>

enum { SLOTS_STEP = 1024, RECORDS_PAGE = PAGE_BYTES / sizeof(struct frame_record) };

struct header {
    uint8_t boot[1024];
    uint32_t version, last_page, bad_pages;
    uint8_t uuid[16];
    char label[16];
    uint32_t padding[117];
    uint32_t bad_page[637];
    char magic[12]; /* 10 bytes: with the 2 before it, which are no bad page's */
};
_Static_assert(sizeof(struct header) == PAGE_BYTES, "the header is a page");

struct swap_area *swap_areas[SLOT_POOLS_MAX];
uint32_t swap_area_count, swap_area_changes;

struct swap_area *swap_of_device(const struct block_device *device)
{
    for (uint32_t i = 0; i < swap_area_count; i++)
        if (swap_areas[i]->cache.device == device)
            return swap_areas[i];
    return NULL;
}

const struct swap_area *swap_next(const struct swap_area *area)
{
    uint32_t i = 0;
    while (area != NULL && swap_areas[i++] != area)
        ;
    while (i < swap_area_count && !swap_areas[i]->is_open)
        i++;
    return i < swap_area_count ? swap_areas[i] : NULL;
}

uint32_t swap_used_pages(const struct swap_area *area)
{
    return area->slots.totals[FRAME_SLOT];
}

/* Records and a table for them, the levels above its pages, and what is set aside or put by. */
uint32_t swap_own_frames(const struct swap_area *area)
{
    uint32_t pages = area->cache.object->pages;
    uint32_t records = (area->slots.frames - area->slots.first) / RECORDS_PAGE + 1;
    uint32_t levels = (pages + SLOT_PAGES - 1) / SLOT_PAGES + (pages > SLOT_PAGES);
    return records + levels + 1 + (area->is_ram ? RAM_BY_FRAMES : 0);
}

struct swap_sum swap_sum(void)
{
    struct swap_sum sum = {0};
    for (const struct swap_area *area = swap_next(NULL); area != NULL; area = swap_next(area)) {
        sum.pages += area->pages - area->moved_count;
        sum.used += swap_used_pages(area);
        sum.cached += area->cache.object->real_pages;
    }
    return sum;
}

/* AREA, or none, has its place among the others by its priority. */
static void list_area(struct swap_area *area)
{
    uint32_t i = swap_area_count++;
    swap_area_changes++;
    for (; i > 0 && swap_areas[i - 1]->priority < area->priority; i--)
        swap_areas[i] = swap_areas[i - 1];
    swap_areas[i] = area;
}

static void unlist_area(const struct swap_area *area)
{
    uint32_t i = 0;
    while (swap_areas[i] != area)
        i++;
    swap_area_changes++;
    for (swap_area_count--; i < swap_area_count; i++)
        swap_areas[i] = swap_areas[i + 1];
}

/* ---- the records of slots ---- */

static vaddr_t records_page(uint32_t slot)
{
    return pointer_to_vaddr(&frame_pool.records[slot]);
}

static void unmap_records(uint32_t first, uint32_t end)
{
    frame_t frame;
    for (; first < end; first += RECORDS_PAGE)
        if (paging_unmap(records_page(first), &frame) == KERR_OK)
            frame_free(&frame_pool, frame);
}

static enum kerr map_records(uint32_t first, uint32_t end)
{
    enum kerr error = KERR_OK;
    for (uint32_t slot = first; slot < end && error == KERR_OK; slot += RECORDS_PAGE) {
        frame_t frame;
        error = frame_alloc(&frame_pool, FRAME_KERNEL, &frame);
        if (error != KERR_OK)
            break;
        error = paging_map(records_page(slot), frame, RIGHTS_READ_WRITE);
        if (error != KERR_OK)
            frame_free(&frame_pool, frame);
    }
    if (error != KERR_OK)
        unmap_records(first, end);
    return error;
}

/* ---- on ---- */

/* What AREA has of the heap is there. The first area brings the array of all frames' slots. */
static enum kerr take_heap(struct swap_area *area, uint32_t slots)
{
    void *bitmap, *array;
    enum kerr error = kmalloc(slots / 8, &bitmap);
    if (error != KERR_OK)
        return error;
    area->bitmap = bitmap;
    if (swap_slot_of_frame != NULL)
        return KERR_OK;
    error = kmalloc(frame_pool.frames * sizeof(uint32_t), &array);
    if (error != KERR_OK)
        return error;
    memset(array, 0, frame_pool.frames * sizeof(uint32_t)); /* and its frames are there */
    swap_slot_of_frame = array;
    return KERR_OK;
}

/* The levels above all pages are there from now on: to enter one takes no memory. */
static enum kerr make_levels(struct swap_area *area, uint32_t pages)
{
    enum kerr error = cache_resize(&area->cache, pages);
    if (error == KERR_OK) /* the highest first: the tree is as high from then on */
        error = object_prepare_page(area->cache.object, pages - 1);
    for (uint32_t page = 0; page < pages && error == KERR_OK; page += SLOT_PAGES)
        error = object_prepare_page(area->cache.object, page);
    return error;
}

/* The pages of AREA that HEADER lets use are free slots. */
static void add_slots(struct swap_area *area, const struct header *header)
{
    uint32_t first = area->slots.first;
    frame_pool_add(&area->slots, FRAME(first + 1), header->last_page);
    for (uint32_t i = 0; i < header->bad_pages; i++)
        frame_pool_claim(&area->slots, FRAME(first + header->bad_page[i]), 1, FRAME_RESERVED);
    area->pages = area->slots.totals[FRAME_FREE];
}

static bool is_sound(const struct header *header, const struct block_device *device)
{
    if (memcmp(header->magic + 2, "SWAPSPACE2", 10) != 0 || header->version != 1 ||
        header->bad_pages > ARRAY_LENGTH(header->bad_page) ||
        header->bad_pages >= header->last_page || /* nothing is left */
        header->last_page >= device->sectors / (PAGE_BYTES / BLOCK_SECTOR_BYTES))
        return false;
    for (uint32_t i = 0; i < header->bad_pages; i++)
        if (header->bad_page[i] == 0 || header->bad_page[i] > header->last_page)
            return false;
    return true;
}

/* AREA's header has been read: it is HEADER. */
static enum kerr open_area(struct swap_area *area, const struct header *header)
{
    frame_t first;
    if (!is_sound(header, area->cache.device))
        return KERR_UNSUPPORTED;
    uint32_t pages = header->last_page + 1;
    uint32_t slots = (pages + SLOTS_STEP - 1) / SLOTS_STEP * SLOTS_STEP;
    if (pages > FRAME_NUMBERS || !frame_slots_find(&frame_pool, slots, &first))
        return KERR_NO_ROOM;
    enum kerr error = take_heap(area, slots);
    if (error == KERR_OK)
        error = make_levels(area, pages);
    if (error == KERR_OK)
        error = swap_put_frame_by();
    if (error == KERR_OK)
        error = map_records(first.n, first.n + slots);
    if (error != KERR_OK)
        return error;
    if (area->is_ram) {
        error = ram_begin(first, pages);
        if (error != KERR_OK) {
            unmap_records(first.n, first.n + slots);
            return error;
        }
    }
    frame_slots_begin(&frame_pool, &area->slots, first, slots, area->bitmap);
    area->slots.on_drop = area->is_ram ? ram_drop : NULL;
    area->cache.object->first_slot = first.n;
    add_slots(area, header);
    return KERR_OK;
}

/* Of all areas, or 0: whoever comes without a priority gets one below it. */
static int32_t lowest_priority(void)
{
    int32_t last = swap_area_count > 0 ? swap_areas[swap_area_count - 1]->priority : 0;
    return last < 0 ? last : 0;
}

static enum kerr begin_area(struct block_device *device, int32_t priority)
{
    void *block;
    if (swap_area_count == SLOT_POOLS_MAX)
        return KERR_TOO_MANY;
    enum kerr error = kmalloc(sizeof(struct swap_area), &block);
    if (error != KERR_OK)
        return error;
    struct swap_area *area = block;
    memset(area, 0, sizeof(*area));
    error = block_open_for_writing(device, "swap");
    if (error == KERR_OK) {
        area->is_ram = ram_is_device(device);
        error = cache_begin(&area->cache,
                            area->is_ram ? &swap_ram_cache_operations : &swap_cache_operations,
                            device, NULL, 1);
        if (error != KERR_OK)
            block_close_for_writing(device);
    }
    if (error != KERR_OK) {
        kfree(area);
        return error;
    }
    area->cache.object->kind = OBJECT_SWAP;
    area->priority = priority >= 0 ? priority : lowest_priority() - 1;
    list_area(area);
    return KERR_OK;
}

/* Nothing is under way, and no slot is in use. */
static void end_area(struct swap_area *area)
{
    struct block_device *device = area->cache.device;
    uint32_t first = area->slots.first, end = area->slots.frames;
    if (area->slots.records != NULL) {
        frame_slots_end(&frame_pool, &area->slots);
        unmap_records(first, end);
        if (area->is_ram)
            ram_end();
    }
    unlist_area(area);
    object_put(area->cache.object);
    cache_forget_device(device);
    block_close_for_writing(device);
    if (swap_area_count == 0) {
        cow_set_swapper(NULL);
        swap_end_put_by();
        kfree(swap_slot_of_frame);
        swap_slot_of_frame = NULL;
    }
    kfree(area->bitmap);
    kfree(area);
}

enum kerr swap_on(struct block_device *device, int32_t priority)
{
    frame_t frame;
    struct swap_area *area = swap_of_device(device);
    enum kerr error = KERR_OK;
    if (area != NULL && area->is_open)
        return KERR_EXISTS;
    if (area == NULL)
        error = begin_area(device, priority);
    if (error != KERR_OK)
        return error;
    area = swap_of_device(device);
    area->is_given_up = false;
    error = cache_page(&area->cache, 0, &frame);
    if (error == KERR_MUST_WAIT)
        return error;
    if (error == KERR_OK) {
        error = open_area(area, temp_map(TEMP_FRAME, frame));
        temp_unmap(TEMP_FRAME);
        frame_put(&frame_pool, cache_remove_page(&area->cache, 0));
    }
    if (error != KERR_OK) {
        end_area(area);
        return error;
    }
    area->is_open = true;
    cow_set_swapper(&swap_pager);
    return KERR_OK;
}

/* ---- off ---- */

bool swap_is_closing(void)
{
    for (uint32_t i = 0; i < swap_area_count; i++)
        if (swap_areas[i]->is_closing)
            return true;
    return false;
}

/* All tables come back: what is in others' areas may name AREA's slots. */
static enum kerr bring_tables_back(void)
{
    uint32_t left = COW_BACK_MOST, run;
    enum kerr error = KERR_OK;
    for (struct space *space = space_first(); space != NULL && error == KERR_OK;
         space = space_next(space))
        for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT && error == KERR_OK; slot += run) {
            run = 1;
            if (pde_is_swapped(space_pde_read(space, slot)))
                error = left-- > 0 ? space_bring_table(space, slot) : KERR_AGAIN;
            else
                run = space_pde_run(space, slot, KERNEL_FIRST_SLOT - slot);
        }
    return error;
}

/* All pages of AREA come back to the entries, and objects, that name its slots. */
static enum kerr bring_all_back(const struct swap_area *area)
{
    const frame_t first = FRAME(area->slots.first), end = FRAME(area->slots.frames);
    for (uint32_t n = 0; n < frame_pool.frames; n++) {
        if (frame_pool.records[n].kind != FRAME_TABLE)
            continue;
        enum kerr error = cow_bring_table_back(FRAME(n), first, end);
        if (error != KERR_OK)
            return error;
    }
    return object_bring_all_back(first, end);
}

/* No page of AREA is in its cache any more. KERR_MUST_WAIT: one is under way. */
static enum kerr empty_cache(struct swap_area *area)
{
    uint32_t word, page = 0;
    enum kerr error = cache_settle(&area->cache, CACHE_DROP);
    if (error != KERR_OK)
        return error;
    while (object_next_page(area->cache.object, &page, area->cache.object->pages, PAGE_HERE, &word))
        frame_put(&frame_pool, cache_remove_page(&area->cache, page));
    return KERR_OK;
}

enum kerr swap_off(struct block_device *device)
{
    struct swap_area *area = swap_of_device(device);
    if (area == NULL || !area->is_open)
        return KERR_NOT_FOUND;
    area->is_closing = true;
    enum kerr error = swap_give_back_tables(); /* and slots that only these use */
    if (error == KERR_OK &&
        swap_used_pages(area) > area->cache.object->real_pages + frame_available(&frame_pool))
        error = KERR_NO_MEMORY;
    if (error == KERR_OK)
        error = bring_tables_back();
    if (error == KERR_OK)
        error = bring_all_back(area);
    if (error == KERR_OK)
        error = empty_cache(area);
    if (error == KERR_MUST_WAIT || error == KERR_AGAIN || error == KERR_NO_MEMORY)
        return error;
    area->is_closing = false;
    if (error == KERR_OK) {
        ASSERT(swap_used_pages(area) == 0, "%u slots of an area that ends are in use",
               swap_used_pages(area));
        end_area(area);
    }
    return error;
}

/* ---- given up ---- */

void swap_give_up(struct block_device *device)
{
    struct swap_area *area = swap_of_device(device);
    if (area == NULL)
        return;
    area->is_closing = false;
    area->is_given_up = !area->is_open;
}

void swap_end_given_up(void)
{
    for (uint32_t i = swap_area_count; i-- > 0;)
        if (swap_areas[i]->is_given_up && empty_cache(swap_areas[i]) == KERR_OK)
            end_area(swap_areas[i]);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Slots and their pages (include/store/swap.h): what the pager is told when a page goes out,
 * comes back, or is written again. Areas begin and end in swap_area.c.
 *
 * Nothing here takes memory on the way out: the levels of an area's object are made when it begins,
 * and so is the array that finds the slot of a frame.
 */
#include "requests.h"
#include "store.h"
#include "swap_area.h"
#include "swap_ram.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <mm/cow.h>
#include <mm/object.h>
#include <mm/space.h>
#include <mm/zero.h>

enum { PAGE_SECTORS = PAGE_BYTES / BLOCK_SECTOR_BYTES };

struct swap_counts swap_counts;
uint32_t *swap_slot_of_frame;

struct swap_area *swap_area_of(frame_t slot)
{
    for (uint32_t i = 0; i < swap_area_count; i++)
        if (slot.n >= swap_areas[i]->slots.first && slot.n < swap_areas[i]->slots.frames)
            return swap_areas[i];
    panic("slot %u is of no swap area", slot.n);
}

uint32_t swap_page_of(const struct swap_area *area, frame_t slot)
{
    return slot.n - area->slots.first;
}

static frame_t slot_of(const struct cache *cache, uint32_t page)
{
    const struct swap_area *area = container_of(cache, struct swap_area, cache);
    return FRAME(area->slots.first + page);
}

/* ---- the cache's side ---- */

static enum kerr locate(struct cache *cache, uint32_t page, struct cache_place *place)
{
    const struct swap_area *area = container_of(cache, struct swap_area, cache);
    /* What is read ahead ends where a slot is in use by nobody. */
    if (area->is_open && frame_kind(&frame_pool, slot_of(cache, page)) != FRAME_SLOT)
        return KERR_NOT_FOUND;
    *place = (struct cache_place){.pieces = 1,
                                  .sectors = PAGE_SECTORS,
                                  .sector = {(uint64_t)swap_place_of(area, page) * PAGE_SECTORS}};
    return KERR_OK;
}

/* PAGE has a frame: it is found by that, and the slot stays as long. */
static void entered(struct cache *cache, uint32_t page, frame_t frame)
{
    if (!container_of(cache, struct swap_area, cache)->is_open)
        return;
    frame_t slot = slot_of(cache, page);
    frame_set_kind(&frame_pool, frame, FRAME_SWAPPED);
    swap_slot_of_frame[frame.n] = slot.n;
    frame_get(&frame_pool, slot);
}

static void removed(struct cache *cache, uint32_t page, frame_t frame)
{
    if (!container_of(cache, struct swap_area, cache)->is_open)
        return;
    swap_slot_of_frame[frame.n] = 0;
    frame_set_kind(&frame_pool, frame, FRAME_ANONYMOUS);
    frame_put(&frame_pool, slot_of(cache, page));
}

/* No entry names PAGE's slot. */
static bool is_unwanted(const struct cache *cache, uint32_t page)
{
    return frame_references(&frame_pool, slot_of(cache, page)) == 1;
}

/* PAGE's slot holds the same as its frame, which goes if no entry shows it. */
static void written(struct cache *cache, uint32_t page)
{
    uint32_t word = object_page_word(cache->object, page);
    if (frame_references(&frame_pool, page_word_frame(word)) > 1)
        return;
    frame_put(&frame_pool, cache_remove_page(cache, page));
    store_counts.pages_reclaimed++;
}

const struct cache_operations swap_cache_operations = {.locate = locate,
                                                       .entered = entered,
                                                       .removed = removed,
                                                       .written = written,
                                                       .not_written = swap_not_written,
                                                       .is_unwanted = is_unwanted,
                                                       .name = "swap"};

const struct cache_operations swap_ram_cache_operations = {.locate = locate,
                                                           .entered = entered,
                                                           .removed = removed,
                                                           .written = written,
                                                           .is_unwanted = is_unwanted,
                                                           .is_at_once = true,
                                                           .name = "swap"};

/* ---- the pager's side ---- */

static enum kerr bring(frame_t slot, frame_t *frame)
{
    struct swap_area *area = swap_area_of(slot);
    enum kerr error = cache_page(&area->cache, swap_page_of(area, slot), frame);
    swap_counts.in += error == KERR_OK && frame_record(&frame_pool, slot)->used_entries == 0;
    return error;
}

bool swap_begin_read(frame_t first, uint32_t slots)
{
    struct swap_area *area = swap_area_of(first);
    uint32_t page = swap_page_of(area, first);
    return cache_begin_read(&area->cache, page, page + slots);
}

bool swap_forget_read(frame_t first, uint32_t slots)
{
    struct swap_area *area = swap_area_of(first);
    uint32_t page = swap_page_of(area, first);
    cache_put_out(&area->cache, page, page + slots);
    return true;
}

bool swap_is_here(frame_t slot)
{
    const struct swap_area *area = swap_area_of(slot);
    uint32_t word = object_page_word(area->cache.object, swap_page_of(area, slot));
    return (word & (PAGE_HERE | PAGE_FILLING)) == PAGE_HERE;
}

/* The frame is anonymous again, if an entry shows it. */
bool swap_forget_copy(struct swap_area *area, uint32_t page)
{
    uint32_t word = object_page_word(area->cache.object, page);
    if (cache_is_under_way(word) || !is_unwanted(&area->cache, page))
        return false;
    if (word & PAGE_DIRTY)
        cache_mark_clean(&area->cache, page, 0);
    frame_put(&frame_pool, cache_remove_page(&area->cache, page));
    return true;
}

enum kerr swap_trim(void)
{
    enum kerr error = KERR_OK;
    uint32_t word;
    for (uint32_t i = 0; i < swap_area_count; i++) {
        struct swap_area *area = swap_areas[i];
        const struct object *object = area->cache.object;
        for (uint32_t page = 0;
             area->is_open && object_next_page(object, &page, object->pages, PAGE_HERE, &word);
             page++) {
            if (frame_references(&frame_pool, page_word_frame(word)) > 1 ||
                !is_unwanted(&area->cache, page) || swap_forget_copy(area, page))
                continue;
            error = request_wait(&area->cache, page);
        }
    }
    return error;
}

static bool let_go(frame_t frame)
{
    frame_t slot = FRAME(swap_slot_of_frame[frame.n]);
    struct swap_area *area = swap_area_of(slot);
    bool is_gone = swap_forget_copy(area, swap_page_of(area, slot));
    swap_counts.let_go += is_gone;
    return is_gone;
}

static bool is_full_of_zeros(frame_t frame)
{
    const void *words = temp_map(TEMP_FAULT_FRAME, frame);
    bool is_zero = words_run(words, 0, PAGE_BYTES / 4) == PAGE_BYTES / 4;
    temp_unmap(TEMP_FAULT_FRAME);
    return is_zero;
}

/* What came of a page that wants to go: it got a slot; it takes too much room in RAM, and others may not;
 * all areas are full. */
enum taking { TAKEN, TOO_LARGE, NONE_LEFT };

/*
 * FRAME's page gets a slot of AREA, with one reference. In RAM it is kept at once; but a table changes
 * before it is written, so that room for it is promised.
 */
static enum taking take_slot_of(struct swap_area *area, frame_t frame, frame_t *slot)
{
    if (!area->is_open || area->is_closing || cache_is_stuck(&area->cache) ||
        (area->is_ram && !ram_has_room(area->cache.dirty_pages)) ||
        frame_alloc(&area->slots, FRAME_SLOT, slot) != KERR_OK)
        return NONE_LEFT;
    if (!area->is_ram || frame_kind(&frame_pool, frame) == FRAME_TABLE || ram_keep(*slot, frame))
        return TAKEN;
    frame_put(&frame_pool, *slot);
    return TOO_LARGE;
}

/* The same of the first area that takes it. */
static enum taking take_slot(frame_t frame, frame_t *slot, struct swap_area **area)
{
    enum taking taking = NONE_LEFT;
    for (uint32_t i = 0; i < swap_area_count; i++) {
        *area = swap_areas[i];
        enum taking here = take_slot_of(*area, frame, slot);
        if (here == TAKEN)
            return TAKEN;
        taking = here == TOO_LARGE ? TOO_LARGE : taking;
    }
    return taking;
}

/* Slots whose page is in RAM anyway, and is named by no entry, are given up. False: there are none. */
static bool free_slots(void)
{
    enum { LOOKS = 1024, ENOUGH = 16 };
    uint32_t freed = 0, word;
    for (uint32_t i = 0; i < swap_area_count; i++) {
        struct swap_area *area = swap_areas[i];
        struct object *object = area->cache.object;
        for (uint32_t looks = 0; area->is_open && freed < ENOUGH && looks < LOOKS; looks++) {
            if (!object_next_page(object, &area->slot_hand, object->pages, PAGE_HERE, &word)) {
                area->slot_hand = 0;
                break;
            }
            freed += swap_forget_copy(area, area->slot_hand++);
        }
    }
    return freed > 0;
}

/*
 * Within one swap_put_out(): there is no slot any more; and how many pages turned out not to become small enough.
 * That takes long to know, so there is an end to it in one event, and the hand goes on from there in another.
 */
enum { REFUSED_MOST = 64 };
static bool is_full;
static uint32_t refused;
static uint32_t free_before; /* and so many frames were free when it began */

static void begin_to_put_out(void)
{
    is_full = false;
    refused = 0;
    free_before = frame_available(&frame_pool);
}

static enum kerr put_out(frame_t frame, frame_t *number)
{
    struct swap_area *area;
    frame_t slot;
    if (frame_kind(&frame_pool, frame) == FRAME_SWAPPED) {
        *number = FRAME(swap_slot_of_frame[frame.n]);
        frame_get(&frame_pool, *number);
        swap_counts.again++;
        return KERR_OK;
    }
    bool is_table = frame_kind(&frame_pool, frame) == FRAME_TABLE;
    if (!is_table && is_full_of_zeros(frame)) {
        frame_get(&frame_pool, zero_frame);
        swap_counts.zero++;
        *number = zero_frame;
        return KERR_OK;
    }
    if (is_full)
        return KERR_NO_SPACE;
    if (refused == REFUSED_MOST)
        return KERR_AGAIN;
    enum taking taking = take_slot(frame, &slot, &area);
    if (taking == NONE_LEFT && free_slots())
        taking = take_slot(frame, &slot, &area);
    is_full = taking == NONE_LEFT;
    refused += taking == TOO_LARGE;
    if (taking != TAKEN)
        return is_full ? KERR_NO_SPACE : KERR_TOO_LARGE;
    frame_get(&frame_pool, frame);
    object_enter_page(area->cache.object, swap_page_of(area, slot), frame, 0);
    entered(&area->cache, swap_page_of(area, slot), frame);
    if (!area->is_ram || is_table)
        cache_mark_dirty(&area->cache, swap_page_of(area, slot));
    swap_counts.out += !is_table;
    swap_counts.tables_out += is_table;
    *number = slot;
    return KERR_OK;
}

static void left(frame_t frame)
{
    frame_t slot = FRAME(swap_slot_of_frame[frame.n]);
    struct swap_area *area = swap_area_of(slot);
    uint32_t page = swap_page_of(area, slot), word = object_page_word(area->cache.object, page);
    if (!(word & (PAGE_DIRTY | PAGE_WRITING)))
        written(&area->cache, page);
}

const struct swapper swap_pager = {.bring = bring,
                                   .let_go = let_go,
                                   .put_out = put_out,
                                   .left = left,
                                   .take = swap_take_table,
                                   .forget = swap_forget_table};

/* ---- which pages go ---- */

/* Where the hand stands: a table, and an entry of it; or with tables that go themselves; or with objects. */
enum place { AT_TABLES, AT_SPACES, AT_OBJECTS, PLACES };
static struct {
    uint32_t frame, entry;
    enum place place;
    uint32_t tables; /* AT_TABLES: seen since the start of RAM, */
    uint32_t pages;  /* and how many pages of theirs went out */
    uint32_t visits; /* AT_SPACES: so many spaces may still be visited */
} hand;

/* The hand goes on to the next frame that is a table. False: it has come to the end of RAM. */
static bool next_table(void)
{
    const struct frame_record *records = frame_pool.records;
    while (hand.frame < frame_pool.frames && records[hand.frame].kind != FRAME_TABLE)
        hand.frame++;
    return hand.frame < frame_pool.frames;
}

/* TABLE is of the kernel's own half, whose pages stay. */
static bool is_kernel_table(frame_t table)
{
    for (uint32_t slot = KERNEL_FIRST_SLOT; slot <= KERNEL_LAST_SHARED_SLOT; slot++) {
        pde_t pde = pde_read(slot);
        if (pde_is_table(pde) && pde_frame(pde).n == table.n)
            return true;
    }
    return false;
}

/*
 * What compressed memory has taken is put by again: it takes less than the pages that went give. But
 * an eighth of what is free by now is left to whoever asked for it, and one frame at least.
 */
static void put_frames_by(void)
{
    enum { LEFT_SHARE = 8 };
    uint32_t free = frame_available(&frame_pool);
    if (free > free_before)
        ram_put_by(free_before + 1 + (free - free_before) / LEFT_SHARE);
}

static uint32_t put_out_of_table(uint32_t count)
{
    frame_t table = FRAME(hand.frame);
    uint32_t gone = 0;
    if (is_kernel_table(table) || (vma_locked_pages != 0 && space_locks_table(table)))
        hand.entry = SLOT_PAGES;
    while (hand.entry < SLOT_PAGES && gone < count && refused < REFUSED_MOST) {
        uint32_t most = count - gone < COW_OUT_MOST ? count - gone : COW_OUT_MOST;
        gone += cow_put_out(table, &hand.entry, most);
        put_frames_by();
    }
    return gone;
}

/* The hand goes on over pages. Returns how many went. True in *ENDS: it came to the end of RAM. */
static uint32_t put_pages_out(uint32_t count, bool *ends)
{
    *ends = !next_table();
    if (*ends) {
        hand.visits = hand.pages > 0 ? hand.tables : UINT32_MAX;
        hand.frame = hand.entry = hand.tables = hand.pages = 0;
        return 0;
    }
    swap_counts.scanned += hand.entry == 0;
    hand.tables += hand.entry == 0;
    uint32_t gone = put_out_of_table(count);
    hand.pages += gone;
    if (hand.entry == SLOT_PAGES) {
        hand.entry = 0;
        hand.frame++;
    }
    return gone;
}

/*
 * The same over tables of spaces. Who shares tables is visited here alone, and there may be ten thousand for a few
 * tables: as long as pages are found, no more spaces are visited than tables were.
 */
static uint32_t put_tables_out(uint32_t count, bool *ends)
{
    uint32_t gone;
    *ends = space_put_tables_out(count, !is_full && !swap_is_closing(), &hand.visits, &gone) ||
            hand.visits == 0;
    swap_counts.tables_gone += gone;
    return gone;
}

/* The same over objects. */
static uint32_t put_objects_out(uint32_t count, bool *ends)
{
    uint32_t gone = object_put_out(count, ends);
    put_frames_by();
    return gone;
}

/* The same where the hand stands. */
static uint32_t put_out_at(enum place place, uint32_t count, bool *ends)
{
    switch (place) {
    case AT_SPACES:
        return put_tables_out(count, ends);
    case AT_OBJECTS:
        return put_objects_out(count < COW_OUT_MOST ? count : COW_OUT_MOST, ends);
    default:
        return put_pages_out(count, ends);
    }
}

/* What went is written. */
static void begin_to_write(void)
{
    for (uint32_t i = 0; i < swap_area_count; i++)
        if (swap_areas[i]->cache.dirty_pages > 0 && !cache_is_stuck(&swap_areas[i]->cache))
            cache_begin_write_back(&swap_areas[i]->cache, 0, swap_areas[i]->cache.object->pages);
}

uint32_t swap_put_range_out(vaddr_t first, uint32_t pages)
{
    if (swap_next(NULL) == NULL) /* one whose header is being read is none yet */
        return 0;
    begin_to_put_out();
    uint32_t gone = cow_put_range_out(first, pages);
    begin_to_write();
    put_frames_by();
    return gone;
}

/*
 * The last swap_put_out() put nothing out, but more can be tried. Not for ever: when as many pages have been refused
 * in a row as there are of those that could go, each has been.
 */
static bool is_broken_off;
static uint32_t refused_in_a_row;

static uint32_t pages_that_could_go(void)
{
    return frame_pool.totals[FRAME_ANONYMOUS] + frame_pool.totals[FRAME_FILE];
}

bool swap_is_broken_off(void)
{
    return is_broken_off;
}

uint32_t swap_put_out(uint32_t count)
{
    uint32_t gone = 0, ends = 0;
    if (swap_next(NULL) == NULL) /* one whose header is being read is none yet */
        return 0;
    begin_to_put_out();
    /*
     * Twice round each, in turn: the first visit takes the marks away, the second finds who has none.
     * Tables come when their pages have gone.
     */
    while (ends < 3 * PLACES && gone < count && refused < REFUSED_MOST) {
        bool is_end;
        gone += put_out_at(hand.place, count - gone, &is_end);
        if (is_end)
            hand.place = (hand.place + 1) % PLACES;
        ends += is_end;
    }
    refused_in_a_row += refused;
    is_broken_off =
        gone == 0 && refused == REFUSED_MOST && refused_in_a_row < pages_that_could_go();
    if (!is_broken_off)
        refused_in_a_row = 0;
    begin_to_write();
    put_frames_by();
    return gone;
}

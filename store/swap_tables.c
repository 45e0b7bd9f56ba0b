/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Slots that keep a table: how it becomes one again, and what is done when nobody wants it.
 *
 * The entries of a table hold references, also while it is out. So a slot whose last entry has gone
 * can't just be free: its table is read once more, and what it refers to given back. Who ends does not
 * wait for that: the slot is marked, and steps of later events do it, at the latest when somebody lacks
 * a frame (store_reclaim()).
 *
 * What such tables hold is promised to nobody, and may be all slots that there are. So the frame that
 * one of them is read to must not come from what has no room for want of these slots: one is put by.
 */
#include "requests.h"
#include "swap_area.h"

#include <mm/cow.h>

/* Slots that are marked; and where they are looked for next. */
static uint32_t marked_count;
static frame_t marked_hand;

/* A frame is put by, to read a table to. */
static bool frame_is_there;

/* PAGE of AREA, with WORD, is in RAM anyway: it need not be written, nor kept. */
static frame_t take_page(struct swap_area *area, uint32_t page, uint32_t word)
{
    if (word & PAGE_DIRTY)
        cache_mark_clean(&area->cache, page, 0);
    return cache_remove_page(&area->cache, page);
}

enum kerr swap_take_table(frame_t slot, frame_t frame)
{
    struct swap_area *area = swap_area_of(slot);
    uint32_t page = swap_page_of(area, slot), word = object_page_word(area->cache.object, page);
    ASSERT(page_word_frame(word).n == frame.n, "the table of slot %u is in RAM", slot.n);
    if (word & PAGE_WRITING)
        return request_wait(&area->cache, page);
    frame_record(&frame_pool, slot)->used_entries = 0;
    (void)take_page(area, page, word);
    frame_put(&frame_pool, slot);
    swap_counts.tables_in++;
    return KERR_OK;
}

/* ---- tables of nobody ---- */

/* FRAME shows the table of SLOT, whose last reference but the cache's goes with all that it held. */
static void give_back(frame_t slot, frame_t frame)
{
    struct frame_record *record = frame_record(&frame_pool, slot);
    uint32_t used = record->used_entries;
    record->used_entries = 0;
    cow_drop_entries(frame, used);
    frame_put(&frame_pool, slot);
}

void swap_forget_table(frame_t slot)
{
    const struct swap_area *area = swap_area_of(slot);
    struct frame_record *record = frame_record(&frame_pool, slot);
    uint32_t word = object_page_word(area->cache.object, swap_page_of(area, slot));
    bool is_here = (word & PAGE_HERE) != 0;
    if (record->references > (is_here ? 2u : 1u)) {
        frame_put(&frame_pool, slot);
    } else if (is_here && !(word & PAGE_FILLING)) {
        give_back(slot, page_word_frame(word));
    } else {
        record->mark = 1;
        marked_count++;
    }
}

/* The next slot that is marked, from the hand on; there is one. */
static frame_t next_marked(void)
{
    for (;; marked_hand.n++) {
        if (marked_hand.n >= frame_pool.numbers)
            marked_hand.n = frame_pool.frames;
        for (uint32_t i = 0; i < swap_area_count; i++)
            if (marked_hand.n >= swap_areas[i]->slots.first &&
                marked_hand.n < swap_areas[i]->slots.frames &&
                frame_record(&frame_pool, marked_hand)->mark != 0)
                return marked_hand;
    }
}

static void put_frame_by(void)
{
    if (!frame_is_there)
        frame_is_there = frame_set_aside(&frame_pool, 1) == KERR_OK;
}

enum kerr swap_put_frame_by(void)
{
    put_frame_by();
    return frame_is_there ? KERR_OK : KERR_NO_MEMORY;
}

uint32_t swap_frames_put_by(void)
{
    return frame_is_there;
}

void swap_end_put_by(void)
{
    if (frame_is_there)
        frame_end_set_aside(&frame_pool, 1);
    frame_is_there = false;
}

/* FRAME is the table of SLOT, of AREA, which is marked. */
static enum kerr read_table(struct swap_area *area, frame_t slot, frame_t *frame)
{
    uint32_t page = swap_page_of(area, slot);
    enum kerr error = cache_page(&area->cache, page, frame);
    if (error != KERR_NO_MEMORY || !frame_is_there)
        return error;
    swap_end_put_by();
    error = cache_page(&area->cache, page, frame);
    put_frame_by(); /* if it was not taken */
    return error;
}

/* The table of SLOT, of AREA, is in FRAME: it goes, with all that it held, and the frame is put by again. */
static void end_marked(struct swap_area *area, frame_t slot, frame_t frame)
{
    frame_record(&frame_pool, slot)->mark = 0;
    marked_count--;
    give_back(slot, frame);
    (void)swap_forget_copy(area, swap_page_of(area, slot));
    put_frame_by();
}

enum kerr swap_give_back_tables(void)
{
    enum { AT_ONCE = 16 };
    enum kerr error = KERR_OK;
    for (uint32_t left = AT_ONCE; marked_count > 0 && left > 0; left--) {
        frame_t frame, slot = next_marked();
        struct swap_area *area = swap_area_of(slot);
        marked_hand.n++;
        enum kerr result = read_table(area, slot, &frame);
        if (result == KERR_OK)
            end_marked(area, slot, frame);
        else if (error == KERR_OK || result == KERR_MUST_WAIT)
            error = result;
    }
    return error == KERR_OK && marked_count > 0 ? KERR_AGAIN : error;
}

enum kerr swap_settle(void)
{
    enum kerr error = KERR_AGAIN;
    while (error == KERR_AGAIN)
        error = swap_give_back_tables();
    return error == KERR_OK ? swap_trim() : error;
}

void swap_tick(void)
{
    swap_try_again();
    swap_end_given_up();
    if (marked_count == 0)
        return;
    enum kerr error = swap_give_back_tables();
    (void)error; /* what can't be read now may be later */
}

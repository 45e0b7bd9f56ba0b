/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Private. Uses: layers 0-6. Used by: store/.
 *
 * What the units of the page cache share: the list of caches, and how a page becomes dirty.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <mm/frame.h>
#include <store/cache.h>

/* All caches; those with dirty pages, the one that became so first at the beginning. */
extern struct list store_caches, store_dirty;
extern uint32_t store_cache_count, store_dirty_count; /* caches; dirty pages of all of them */

/* Seconds since boot, as store_tick() was told last. */
extern uint32_t store_seconds;

/* PAGE, which is here, is dirty from now on, if it is not already. And no more. */
void cache_mark_dirty(struct cache *cache, uint32_t page);
void cache_mark_clean(struct cache *cache, uint32_t page,
                      uint32_t set); /* and gets the states of SET */

/* A page of CACHE could not be written: others' dirt comes first from here on, until this is old again. */
void cache_note_failure(struct cache *cache);

/*
 * CACHE has dirty pages, and what was tried last could not be written. It is tried again by the clock, a page of it,
 * and not by who wants a frame: he would wait for what does not come.
 */
static inline bool cache_is_stuck(const struct cache *cache)
{
    return cache->is_failing && cache->dirty_pages > 0;
}
void cache_try_to_write(struct cache *cache);

/* [*FIRST, *END) becomes the part of it in which CACHE may have pages that are DIRTY or WRITING. What was so at the
 * beginning of its span, and is no more, is forgotten. */
void cache_clip(struct cache *cache, uint32_t *first, uint32_t *end);

/* The page of WORD is part of a request. One that is FILLING and is not could not be read: it holds nothing. */
static inline bool cache_is_under_way(uint32_t word)
{
    return (word & (PAGE_FILLING | PAGE_WRITING)) != 0 &&
           frame_record(&frame_pool, page_word_frame(word))->used_entries > 0;
}

/* A page that stands at PLACE is PAGE_PLACED. */
bool cache_is_placed(const struct cache *cache, const struct cache_place *place);

/* PAGE has no frame any more: the object's reference to it goes to the caller. */
frame_t cache_remove_page(struct cache *cache, uint32_t page);

/* Few frames are left: nothing is read that nobody waits for. And a step of reclaim then (reclaim.c). */
bool reclaim_is_wanted(void);
void reclaim_below_low_mark(void);

/* Dirty pages of all caches are too many: whoever makes more has to wait. */
bool writer_is_behind(void);

/*
 * They are, and CACHE is to get one more. What can't be written is no reason to wait: it does not become less.
 *   returns KERR_OK; KERR_MUST_WAIT: others are being written, a channel was left; KERR_IO: CACHE's own pages
 *   can't be written
 */
kerr_t writer_admit(const struct cache *cache);

#endif

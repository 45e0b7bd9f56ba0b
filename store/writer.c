/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Write-back: dirty pages go to their devices, when somebody asks for it (fsync), when
 * they are old, and when they are many.
 */
#include "requests.h"
#include "store.h"

#include <kernel/panic.h>
#include <mm/frame.h>
#include <store/swap.h>

enum {
    MANY_SHARE = 8,     /* so much of RAM may be dirty before writing begins, */
    TOO_MANY_SHARE = 4, /* and before whoever dirties more has to wait */
    LEAST_MANY = 64,    /* pages */
    STEP_PAGES = 64,    /* are begun by one tick at most */
};

uint32_t store_seconds;

/* ---- writing ---- */

/*
 * PAGE, dirty, whose word is WORD, goes on its way: alone, if it failed before, since it may have been a neighbour
 * that is bad. KERR_MUST_WAIT; or it can't, and stays dirty.
 */
static enum kerr begin_page(struct run *run, uint32_t page, uint32_t word)
{
    struct cache *cache = run->cache;
    struct cache_place place;
    if (!requests_are_there())
        return KERR_MUST_WAIT;
    enum kerr error = cache->operations->locate(cache, page, &place);
    if (error != KERR_OK)
        return error;
    /* From here on a write to it makes it dirty again: so its contents are read after that. */
    cache_mark_clean(cache, page,
                     PAGE_WRITING | (word & PAGE_ASKED ? PAGE_ASKED_OUT : 0) |
                         (cache_is_placed(cache, &place) ? PAGE_PLACED : 0));
    if (word & PAGE_FAILED)
        run_submit(run);
    run_add(run, page, page_word_frame(word), &place);
    if (word & PAGE_FAILED)
        run_submit(run);
    return KERR_OK;
}

/*
 * Of the pages of [FIRST, END) that are STATE (PAGE_DIRTY, or PAGE_ASKED), begin at most MOST.
 * KERR_MUST_WAIT: not all, and a channel was left. KERR_NO_MEMORY: not all, for want of memory to find
 * out where they stand; that is no error of the disk, so they are as they were.
 */
static enum kerr begin_pages(struct cache *cache, uint32_t first, uint32_t end, uint32_t most,
                             enum page_state state)
{
    enum { RUN_PAGES = 32 };
    struct run run = {.cache = cache, .operation = BLOCK_WRITE};
    enum kerr error = KERR_OK, lacking = KERR_OK;
    uint32_t words[RUN_PAGES];
    cache_clip(cache, &first, &end);
    if (cache->dirty_pages == 0 || !object_next_page(cache->object, &first, end, state, words))
        return KERR_OK;
    do {
        uint32_t pages = object_run(cache->object, first, end, state, RUN_PAGES, words);
        object_take_writes(cache->object, first, first + pages - 1);
        for (uint32_t i = 0; i < pages && error != KERR_MUST_WAIT && most > 0; i++, first++) {
            if (words[i] & PAGE_WRITING)
                continue; /* it waits for its turn to come again */
            error = begin_page(&run, first, words[i]);
            most--;
            if (error == KERR_NO_MEMORY)
                lacking = error;
            if (error == KERR_OK || error == KERR_MUST_WAIT || error == KERR_NO_MEMORY)
                continue;
            cache_note_failure(cache); /* whoever asked is told */
            object_change_page(cache->object, first, PAGE_ASKED, PAGE_FAILED);
        }
    } while (cache->dirty_pages > 0 && error != KERR_MUST_WAIT && most > 0 &&
             object_next_page(cache->object, &first, end, state, words));
    run_submit(&run);
    return error == KERR_MUST_WAIT ? error : lacking;
}

void cache_try_to_write(struct cache *cache)
{
    (void)begin_pages(cache, 0, cache->object->pages, 1, PAGE_DIRTY);
}

void cache_begin_write_back(struct cache *cache, uint32_t first, uint32_t end)
{
    (void)begin_pages(cache, first, end, UINT32_MAX, PAGE_DIRTY);
}

/* Some page of [FIRST, END) is dirty since it could not be written. */
static bool some_failed(struct cache *cache, uint32_t first, uint32_t end)
{
    uint32_t word;
    cache_clip(cache, &first, &end);
    for (;
         cache->dirty_pages > 0 && object_next_page(cache->object, &first, end, PAGE_FAILED, &word);
         first++)
        if (word & PAGE_DIRTY)
            return true;
    return false;
}

/* An error of these pages that nobody was told: who asks for it is. */
static bool tell_error(struct cache *cache, uint32_t first, uint32_t end)
{
    if (cache->write_errors == cache->errors_told || !some_failed(cache, first, end))
        return false;
    cache->errors_told = cache->write_errors;
    return true;
}

/*
 * The last page of [FIRST, END) that has one of STATES: it went to the device last, as a rule, and others are
 * done when it is. So who waits is woken once. False: there is none.
 */
static bool last_of(struct cache *cache, uint32_t first, uint32_t end, uint32_t states,
                    uint32_t *page)
{
    uint32_t word;
    cache_clip(cache, &first, &end);
    *page = end;
    return cache->busy_pages > 0 && object_previous_page(cache->object, first, page, states, &word);
}

enum kerr cache_write_back(struct cache *cache, uint32_t first, uint32_t end)
{
    uint32_t page;
    if (tell_error(cache, first, end))
        return KERR_IO;
    enum kerr error = begin_pages(cache, first, end, UINT32_MAX, PAGE_DIRTY);
    if (error != KERR_OK)
        return error;
    if (last_of(cache, first, end, PAGE_WRITING, &page))
        return request_wait(cache, page);
    return tell_error(cache, first, end) ? KERR_IO : KERR_OK;
}

/* ---- what was asked for ---- */

/* A page that is dirty and under way is written once more. */
void cache_ask(struct cache *cache, uint32_t first, uint32_t end)
{
    cache_clip(cache, &first, &end);
    object_change_pages_if(cache->object, first, end, PAGE_DIRTY, 0, PAGE_ASKED);
    if (cache->busy_pages > 0)
        object_change_pages_if(cache->object, first, end, PAGE_WRITING, PAGE_DIRTY, PAGE_ASKED_OUT);
}

enum kerr cache_write_asked(struct cache *cache, uint32_t first, uint32_t end, uint32_t *seen)
{
    uint32_t page;
    enum kerr error = begin_pages(cache, first, end, UINT32_MAX, PAGE_ASKED);
    if (error != KERR_OK)
        return error;
    if (last_of(cache, first, end, PAGE_ASKED | PAGE_ASKED_OUT, &page))
        return request_wait(cache, page);
    if (seen == NULL) {
        if (!some_failed(cache, first, end))
            return KERR_OK;
        cache->errors_told = cache->write_errors;
        return KERR_IO;
    }
    if (cache->write_errors == *seen)
        return KERR_OK;
    *seen = cache->write_errors;
    return KERR_IO;
}

/* ---- all of them ---- */

static bool is_more_than(uint32_t pages, uint32_t share)
{
    uint32_t ram = frame_pool.frames - frame_pool.totals[FRAME_RESERVED];
    return pages > LEAST_MANY && pages > ram / share;
}

bool writer_is_behind(void)
{
    return is_more_than(store_dirty_count, TOO_MANY_SHARE);
}

static struct cache *oldest(void)
{
    return list_is_empty(&store_dirty) ? NULL
                                       : container_of(store_dirty.next, struct cache, dirty_link);
}

/* Something is being written, or will be: wait for it. */
static enum kerr wait_for_others(void)
{
    struct cache *cache = oldest();
    ASSERT(cache != NULL, "something is dirty");
    enum kerr error = begin_pages(cache, 0, cache->object->pages, STEP_PAGES, PAGE_DIRTY);
    if (error == KERR_MUST_WAIT || request_wait_for_write(cache) == KERR_MUST_WAIT)
        return KERR_MUST_WAIT;
    if (error != KERR_OK)
        return error;
    requests_wait_for_any(); /* a disk of RAM: it is done already */
    return KERR_MUST_WAIT;
}

enum kerr writer_admit(const struct cache *cache)
{
    uint32_t pages = store_dirty_count;
    if (cache->is_failing)
        return KERR_IO;
    for (struct list *at = store_dirty.next; at != &store_dirty; at = at->next) {
        const struct cache *other = container_of(at, struct cache, dirty_link);
        pages -= other->is_failing ? other->dirty_pages : 0;
    }
    return is_more_than(pages, TOO_MANY_SHARE) ? wait_for_others() : KERR_OK;
}

void store_tick(uint32_t seconds)
{
    store_seconds = seconds;
    reclaim_below_low_mark();
    swap_tick();
    struct cache *cache = oldest();
    if (cache == NULL || !requests_are_there())
        return;
    if (seconds - cache->dirty_since >= DIRTY_SECONDS ||
        is_more_than(store_dirty_count, MANY_SHARE))
        (void)begin_pages(cache, 0, cache->object->pages, STEP_PAGES, PAGE_DIRTY);
}

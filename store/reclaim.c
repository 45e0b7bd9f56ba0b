/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Frames are wanted: pages that can be brought again go.
 *
 * A hand goes round each cache, and from cache to cache. A page that was used since the hand was
 * here last stays, once; by a program that has it mapped as well (object_age()). A dirty one is begun
 * to be written, and goes when the hand comes again.
 */
#include "requests.h"
#include "store.h"
#include "swap_ram.h"

#include <mm/frame.h>
#include <store/swap.h>

enum {
    LOOK_PAGES = 512,      /* so many are looked at in one call, at most */
    WRITTEN_ENOUGH = 64,   /* so many pages on their way to a disk are frames enough for now */
    LOW_LEAST_FRAMES = 32, /* below so many free frames, and this part of RAM, each tick takes */
    LOW_SHARE = 64,        /* a step; */
    PACKED_STEP = 64,      /* of so many pages at most, where they are compressed */
};

/*
 * PAGE is here, or was read in vain, and can go: nobody shows it, nothing is under way. (A page of swap may have
 * gone when it had been written: to a disk of RAM, at once.)
 */
static bool can_go(uint32_t word)
{
    return (word & (PAGE_HERE | PAGE_DIRTY)) == PAGE_HERE && !cache_is_under_way(word) &&
           frame_references(&frame_pool, page_word_frame(word)) == 1;
}

/* Nobody will ask for PAGE again: it need not be written. */
static bool is_unwanted(const struct cache *cache, uint32_t page, uint32_t word)
{
    return cache->operations->is_unwanted != NULL &&
           frame_references(&frame_pool, page_word_frame(word)) == 1 &&
           cache->operations->is_unwanted(cache, page);
}

/* Look at PAGE, whose word is WORD. Returns how many frames that gives. */
static uint32_t look_at(struct cache *cache, uint32_t page, uint32_t word)
{
    if (word & PAGE_USED) {
        object_change_page(cache->object, page, PAGE_USED, 0);
        return 0;
    }
    if (frame_references(&frame_pool, page_word_frame(word)) > 1)
        (void)object_age(cache->object, page, page);
    if ((word & PAGE_DIRTY) && is_unwanted(cache, page, word)) {
        cache_mark_clean(cache, page, 0);
        word &= ~(uint32_t)PAGE_DIRTY;
    }
    if ((word & PAGE_DIRTY) && !(word & PAGE_WRITING) && !cache_is_stuck(cache))
        cache_begin_write_back(cache, page, (page | (BLOCK_FRAMES_MAX - 1)) + 1);
    if (!can_go(object_page_word(cache->object, page)))
        return 0;
    frame_put(&frame_pool, cache_remove_page(cache, page));
    store_counts.pages_reclaimed++;
    return 1;
}

/* The hand of CACHE goes on. Returns the frames it gave. */
static uint32_t turn_hand(struct cache *cache, uint32_t wanted, uint32_t *looks)
{
    uint32_t freed = 0, word;
    while (*looks > 0 && freed < wanted) {
        if (!object_next_page(cache->object, &cache->hand, cache->object->pages, PAGE_HERE,
                              &word)) {
            cache->hand = 0;
            break;
        }
        freed += look_at(cache, cache->hand++, word);
        --*looks;
    }
    return freed;
}

enum kerr cache_forget_clean(struct cache *cache, uint32_t *from)
{
    uint32_t looks = LOOK_PAGES, word;
    while (object_next_page(cache->object, from, cache->object->pages, PAGE_HERE, &word)) {
        if (looks-- == 0)
            return KERR_AGAIN;
        if (can_go(word))
            frame_put(&frame_pool, cache_remove_page(cache, *from));
        ++*from;
    }
    return KERR_OK;
}

/*
 * Files have so little left beside private pages that theirs are what everybody needs just now. There
 * is swap then, and private pages go first.
 */
static bool files_are_few(void)
{
    enum { FEW_SHARE = 8 };
    const uint32_t *totals = frame_pool.totals;
    return swap_next(NULL) != NULL &&
           totals[FRAME_FILE] <
               (totals[FRAME_ANONYMOUS] + totals[FRAME_SWAPPED] + totals[FRAME_TABLE]) / FEW_SHARE;
}

/* The hands go round, over the caches of swap alone or over all, with LOOKS looks at a page at most.
 * Returns the frames that gives. */
static uint32_t turn_hands(uint32_t wanted, uint32_t looks, bool swap_alone)
{
    uint32_t freed = 0;
    /* Each cache twice: the first look takes away what the second one asks for. */
    for (uint32_t turns = 2 * store_cache_count; turns > 0 && freed < wanted && looks > 0;
         turns--) {
        struct list *first = store_caches.next;
        struct cache *cache = container_of(first, struct cache, link);
        if (!swap_alone || cache->object->kind == OBJECT_SWAP)
            freed += turn_hand(cache, wanted - freed, &looks);
        if (freed < wanted && looks > 0) { /* it came to its end: the next one's turn */
            list_remove(first);
            list_add_last(&store_caches, first);
        }
    }
    return freed;
}

/*
 * Private pages go out. Returns the frames that are free at once: of what is zero, or still the same in its
 * slot, or on a disk of RAM. Where many are being written already, those come first. A page that thousands of
 * entries share, and whose slot holds the same, gives none before the last of them has let it go: so it goes
 * on as long as some do.
 */
static uint32_t put_out(uint32_t wanted)
{
    uint32_t before = frame_available(&frame_pool), gone;
    if (requests_pages_written() >= WRITTEN_ENOUGH)
        return 0;
    do
        gone = swap_put_out(wanted);
    while (gone > 0 && frame_available(&frame_pool) == before && requests_pages_written() == 0);
    return frame_available(&frame_pool) - before;
}

/*
 * Nothing can go, but something is under way. A page that is being read has a frame and a slot: when it is here,
 * it is shown, or can go.
 */
static enum kerr wait_for_others(void)
{
    if (request_wait_for_write(NULL) == KERR_MUST_WAIT)
        return KERR_MUST_WAIT;
    if (request_wait_for_read() == KERR_MUST_WAIT)
        return KERR_MUST_WAIT;
    return swap_is_broken_off() ? KERR_AGAIN : KERR_NO_MEMORY;
}

enum kerr store_reclaim(uint32_t count, uint32_t *freed)
{
    bool is_swap_first = files_are_few();
    *freed = 0;
    swap_tick(); /* first: a table of nobody that has been read is not to go before it gave its slots back */
    if (is_swap_first) { /* what was read ahead of nobody goes, too, in the long run */
        *freed = turn_hands(count, (count + 1) / 2, true);
        if (*freed < count)
            *freed += put_out(count - *freed);
        if (*freed == 0 && request_wait_for_write(NULL) == KERR_MUST_WAIT)
            return KERR_MUST_WAIT;
    }
    if (*freed == 0)
        *freed = turn_hands(count, LOOK_PAGES, false);
    if (*freed == 0 && !is_swap_first)
        *freed = put_out(count);
    if (*freed > 0)
        return KERR_OK;
    return wait_for_others();
}

/* What private pages can give is known after one round: nobody has touched one since. */
enum kerr store_reclaim_at_last(uint32_t count, uint32_t *freed)
{
    enum { ROUNDS = 64 }; /* the first look at a page takes away what the next one asks for */
    enum kerr error = store_reclaim(count, freed);
    for (uint32_t i = 1; i < ROUNDS && error == KERR_NO_MEMORY; i++) {
        *freed = turn_hands(count, LOOK_PAGES, false);
        if (*freed > 0)
            return KERR_OK;
        error = request_wait_for_write(NULL) == KERR_MUST_WAIT ? KERR_MUST_WAIT : KERR_NO_MEMORY;
    }
    return error;
}

void cache_age(struct cache *cache, uint32_t first, uint32_t end)
{
    uint32_t word;
    for (; object_next_page(cache->object, &first, end, PAGE_USED, &word); first++)
        object_change_page(cache->object, first, PAGE_USED, 0);
}

void cache_put_out(struct cache *cache, uint32_t first, uint32_t end)
{
    uint32_t word;
    cache_age(cache, first, end);
    cache_begin_write_back(cache, first, end);
    for (; object_next_page(cache->object, &first, end, PAGE_HERE, &word); first++) {
        if (!can_go(word))
            continue;
        frame_put(&frame_pool, cache_remove_page(cache, first));
        store_counts.pages_reclaimed++;
    }
}

static uint32_t low_mark(void)
{
    uint32_t ram = frame_pool.frames - frame_pool.totals[FRAME_RESERVED];
    return LOW_LEAST_FRAMES + ram / LOW_SHARE;
}

bool reclaim_is_wanted(void)
{
    return frame_available(&frame_pool) <= low_mark();
}

void reclaim_below_low_mark(void)
{
    uint32_t mark = low_mark(), freed;
    uint32_t there = frame_available(&frame_pool) + requests_pages_written(); /* or soon */
    static uint32_t in_vain = UINT32_MAX; /* the second in which nothing could be given back */
    if (there >= mark) {
        ram_put_by(mark);
        return;
    }
    if (in_vain == store_seconds)
        return;
    uint32_t wanted = mark - there;
    if (swap_ram_counts.frames > 0 && wanted > PACKED_STEP)
        wanted = PACKED_STEP;
    enum kerr error = store_reclaim(wanted, &freed);
    /* Many pages have been looked at then: to do so every tick would leave no time to anybody else. */
    if (error == KERR_NO_MEMORY || error == KERR_AGAIN)
        in_vain = store_seconds;
}

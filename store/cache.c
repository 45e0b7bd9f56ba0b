/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. The page cache (include/store/cache.h): how caches begin and end, and how their pages
 * come and become dirty. Writing is writer.c, giving back reclaim.c.
 */
#include "requests.h"
#include "store.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/panic.h>
#include <kernel/string.h>

/* How much is asked for ahead of who reads page after page: at first, and at most. */
enum { AHEAD_FIRST_PAGES = 4, AHEAD_MOST_PAGES = 32 };

/* And around a page that is touched in memory, aligned: layer 4 shows as many. */
enum { AROUND_PAGES = 16 };

struct list store_caches = {&store_caches, &store_caches},
            store_dirty = {&store_dirty, &store_dirty};
uint32_t store_cache_count, store_dirty_count;

struct cache *cache_next(const struct cache *cache)
{
    struct list *next = cache == NULL ? store_caches.next : cache->link.next;
    return next == &store_caches ? NULL : container_of(next, struct cache, link);
}

/* ---- states ---- */

uint32_t store_dirty_pages(void)
{
    return store_dirty_count;
}

/* PAGE has become dirty. */
static void count_dirty(struct cache *cache, uint32_t page)
{
    bool is_alone = cache->dirty_pages + cache->busy_pages == 0;
    if (is_alone || page < cache->span_first)
        cache->span_first = page;
    if (is_alone || page >= cache->span_end)
        cache->span_end = page + 1;
    store_dirty_count++;
    if (cache->dirty_pages++ > 0)
        return;
    cache->dirty_since = store_seconds;
    list_add_last(&store_dirty, &cache->dirty_link);
}

void cache_mark_dirty(struct cache *cache, uint32_t page)
{
    if (object_page_word(cache->object, page) & PAGE_DIRTY)
        return;
    object_change_page(cache->object, page, 0, PAGE_DIRTY);
    count_dirty(cache, page);
}

void cache_mark_clean(struct cache *cache, uint32_t page, uint32_t set)
{
    object_change_page(cache->object, page, PAGE_DIRTY | PAGE_FAILED | PAGE_ASKED, set);
    store_dirty_count--;
    if (--cache->dirty_pages == 0)
        list_remove(&cache->dirty_link);
}

void cache_note_failure(struct cache *cache)
{
    cache->write_errors++;
    cache->is_failing = true;
    if (cache->dirty_pages == 0)
        return;
    cache->dirty_since = store_seconds;
    list_remove(&cache->dirty_link);
    list_add_last(&store_dirty, &cache->dirty_link);
}

void cache_clip(struct cache *cache, uint32_t *first, uint32_t *end)
{
    uint32_t word;
    if (cache->dirty_pages + cache->busy_pages == 0)
        *end = *first;
    if (*end > cache->span_end)
        *end = cache->span_end;
    if (*first > cache->span_first)
        return;
    *first = cache->span_first;
    if (object_next_page(cache->object, first, *end, PAGE_DIRTY | PAGE_WRITING, &word))
        cache->span_first = *first;
}

bool cache_is_placed(const struct cache *cache, const struct cache_place *place)
{
    return cache->operations->keeps_places && place->pieces == 1 &&
           place->sectors * BLOCK_SECTOR_BYTES == PAGE_BYTES && place->sector[0] != CACHE_HOLE;
}

static void enter_page(struct cache *cache, uint32_t page, frame_t frame, uint32_t state)
{
    object_enter_page(cache->object, page, frame, state);
    if (cache->operations->entered != NULL)
        cache->operations->entered(cache, page, frame);
}

frame_t cache_remove_page(struct cache *cache, uint32_t page)
{
    frame_t frame = object_remove_page(cache->object, page);
    if (cache->operations->removed != NULL)
        cache->operations->removed(cache, page, frame);
    return frame;
}

/* ---- filling ---- */

/* The parts of FRAME that nothing is read into read as zeros. */
static void clear_holes(frame_t frame, const struct cache_place *place)
{
    uint32_t bytes = place->sectors * BLOCK_SECTOR_BYTES;
    bool is_whole = place->pieces * bytes == PAGE_BYTES;
    for (uint32_t i = 0; i < place->pieces; i++)
        is_whole = is_whole && place->sector[i] != CACHE_HOLE;
    if (is_whole)
        return;
    page_clear(temp_map(TEMP_FAULT_FRAME, frame));
    temp_unmap(TEMP_FAULT_FRAME);
}

/* PAGE, which has no frame, gets one, and what stands behind it is asked for. */
static enum kerr begin_fill(struct run *run, uint32_t page)
{
    struct cache *cache = run->cache;
    struct cache_place place;
    frame_t frame;
    if (!requests_are_there())
        return KERR_MUST_WAIT;
    enum kerr error = cache->operations->locate(cache, page, &place);
    if (error == KERR_OK)
        error = object_prepare_page(cache->object, page);
    if (error == KERR_OK)
        error = frame_alloc(&frame_pool, FRAME_FILE, &frame);
    if (error != KERR_OK)
        return error;
    clear_holes(frame, &place);
    enter_page(cache, page, frame,
               PAGE_FILLING | PAGE_USED | (cache_is_placed(cache, &place) ? PAGE_PLACED : 0));
    run_add(run, page, frame, &place);
    return KERR_OK;
}

/* Pages [first, end). */
struct window {
    uint32_t first, end;
};

/*
 * What is read for who reads PAGE: if he reads one page after the other, a window that is twice as
 * large each time; else no more than that.
 */
static struct window ahead_of(struct cache *cache, uint32_t page)
{
    bool goes_on = page == cache->ahead_page && !cache->operations->is_at_once;
    uint32_t pages = goes_on ? 2 * cache->ahead_pages : 1;
    if (goes_on && pages < AHEAD_FIRST_PAGES)
        pages = AHEAD_FIRST_PAGES;
    if (pages > AHEAD_MOST_PAGES)
        pages = AHEAD_MOST_PAGES;
    cache->ahead_pages = pages;
    return (struct window){page, page + pages};
}

/* What is read for who touches PAGE in memory: neighbours will be shown with it. */
static struct window around(uint32_t page)
{
    uint32_t first = page & ~(AROUND_PAGES - 1u);
    return (struct window){first, first + AROUND_PAGES};
}

/*
 * PAGE is read, and what else lies in WINDOW: others' errors come later, to whom they concern. What is
 * known of PAGE's own place comes first: an error of that is told once, and must not go to a neighbour.
 */
static enum kerr begin_read(struct cache *cache, uint32_t page, struct window window)
{
    struct run run = {.cache = cache, .operation = BLOCK_READ};
    struct cache_place place;
    uint32_t pages = cache->object->pages;
    enum kerr error = cache->operations->locate(cache, page, &place), begun = KERR_OK;
    if (error != KERR_OK)
        return error;
    if (window.end > pages)
        window.end = pages;
    uint32_t next = window.first;
    for (; next < window.end && begun == KERR_OK; next++)
        if (object_page_word(cache->object, next) == 0) {
            begun = begin_fill(&run, next);
            store_counts.pages_ahead += begun == KERR_OK && next != page;
        }
    cache->ahead_page = begun == KERR_OK ? next : next - 1;
    /* One before it may have been what failed. */
    if (object_page_word(cache->object, page) == 0)
        error = begin_fill(&run, page);
    if (error == KERR_OK)
        object_change_page_if(cache->object, page, PAGE_FILLING, 0, PAGE_WANTED);
    run_submit(&run);
    return error;
}

bool cache_begin_read(struct cache *cache, uint32_t first, uint32_t end)
{
    struct run run = {.cache = cache, .operation = BLOCK_READ};
    enum kerr error = KERR_OK;
    if (end > cache->object->pages)
        end = cache->object->pages;
    for (; first < end && error == KERR_OK; first++) {
        if (object_page_word(cache->object, first) != 0)
            continue;
        error = reclaim_is_wanted() ? KERR_NO_MEMORY : begin_fill(&run, first);
        store_counts.pages_ahead += error == KERR_OK;
    }
    run_submit(&run);
    return error == KERR_OK;
}

/*
 * PAGE has no contents: it is asked for, with what else is in WINDOW, or on its way. What could not be read is told
 * once, and tried again by who asks next. A page that failed beside others is read once more, alone: it may have been
 * another one that is bad.
 */
static enum kerr fill(struct cache *cache, uint32_t page, struct window window)
{
    if (object_page_word(cache->object, page) == 0) {
        enum kerr error = begin_read(cache, page, window);
        if (error != KERR_OK)
            return error;
    }
    uint32_t word = object_page_word(cache->object, page);
    if (!(word & PAGE_FILLING))
        return KERR_OK;
    if (cache_is_under_way(word))
        return request_wait(cache, page);
    frame_put(&frame_pool, cache_remove_page(cache, page));
    return word & PAGE_WANTED ? KERR_IO : fill(cache, page, (struct window){page, page + 1});
}

static enum kerr bring(struct object *object, uint32_t page)
{
    return fill(object->pager_data, page, around(page));
}

/* ---- writing to pages ---- */

/* PAGE may not become dirty, or not now. */
static enum kerr may_write(struct cache *cache, uint32_t page, uint32_t word)
{
    const struct cache_operations *operations = cache->operations;
    if (cache->device->opened_for == NULL)
        return KERR_READ_ONLY;
    if ((word & PAGE_WRITING) && operations->is_stable)
        return request_wait(cache, page);
    if ((word & PAGE_DIRTY) && !cache->lacks_room)
        return KERR_OK;
    /* What a file system's own order of writes needs is never held up. */
    enum kerr error = KERR_OK;
    if (!operations->is_stable && writer_is_behind())
        error = writer_admit(cache);
    if (error != KERR_OK)
        return error;
    return operations->allocate == NULL || (word & PAGE_PLACED) ? KERR_OK
                                                                : operations->allocate(cache, page);
}

/* PAGE, whose word is WORD, has its contents, and is about to be written. */
static enum kerr make_dirty(struct cache *cache, uint32_t page, uint32_t word)
{
    const uint32_t wanted = PAGE_USED | PAGE_DIRTY;
    enum kerr error = may_write(cache, page, word);
    if (error != KERR_OK || (word & wanted) == wanted)
        return error;
    object_change_page(cache->object, page, 0, wanted);
    if (!(word & PAGE_DIRTY))
        count_dirty(cache, page);
    return KERR_OK;
}

/* PAGE, if it is clean and at rest, and there is nobody to ask, is dirty; returns its word. Else 0. */
static inline uint32_t make_dirty_at_once(struct cache *cache, uint32_t page)
{
    if (cache->device->opened_for == NULL || writer_is_behind())
        return 0;
    uint32_t word =
        object_change_page_if(cache->object, page, PAGE_HERE | PAGE_PLACED,
                              PAGE_FILLING | PAGE_WRITING | PAGE_DIRTY, PAGE_USED | PAGE_DIRTY);
    if (word != 0)
        count_dirty(cache, page);
    return word;
}

static enum kerr before_write(struct object *object, uint32_t page)
{
    if (likely(make_dirty_at_once(object->pager_data, page) != 0))
        return KERR_OK;
    return make_dirty(object->pager_data, page, object_page_word(object, page));
}

/* PAGE, which has no frame, is to be written as a whole: what stands behind it is of no interest. */
static enum kerr enter_blank(struct cache *cache, uint32_t page)
{
    frame_t frame;
    enum kerr error = may_write(cache, page, 0);
    if (error == KERR_OK)
        error = object_prepare_page(cache->object, page);
    if (error == KERR_OK)
        error = frame_alloc(&frame_pool, FRAME_FILE, &frame);
    if (error != KERR_OK)
        return error;
    enter_page(cache, page, frame, PAGE_USED);
    cache_mark_dirty(cache, page);
    return KERR_OK;
}

/* ---- for files and file systems ---- */

static inline bool has_contents(uint32_t word)
{
    return (word & (PAGE_HERE | PAGE_FILLING)) == PAGE_HERE;
}

/* PAGE, within the object, has its contents; *WORD is its word. */
static enum kerr reach(struct cache *cache, uint32_t page, uint32_t *word)
{
    *word = object_page_word(cache->object, page);
    if (likely(has_contents(*word)))
        return KERR_OK;
    enum kerr error = fill(cache, page, ahead_of(cache, page));
    if (error == KERR_OK)
        *word = object_page_word(cache->object, page);
    return error;
}

enum kerr cache_page(struct cache *cache, uint32_t page, frame_t *frame)
{
    uint32_t word;
    if (page >= cache->object->pages)
        return KERR_BAD_RANGE;
    enum kerr error = reach(cache, page, &word);
    if (error != KERR_OK)
        return error;
    *frame = page_word_frame(word);
    if (!(word & PAGE_USED))
        object_change_page(cache->object, page, 0, PAGE_USED);
    return KERR_OK;
}

enum kerr cache_pages(struct cache *cache, uint32_t page, uint32_t count, frame_t frames[],
                      uint32_t *found)
{
    *found = object_use_frames(cache->object, page, count, frames);
    if (*found > 0)
        return KERR_OK;
    *found = 1;
    return cache_page(cache, page, frames);
}

enum kerr cache_page_to_write(struct cache *cache, uint32_t page, bool all, frame_t *frame)
{
    if (page >= cache->object->pages)
        return KERR_BAD_RANGE;
    if (all && object_page_word(cache->object, page) == 0) {
        enum kerr error = enter_blank(cache, page);
        return error != KERR_OK ? error : object_find_frame(cache->object, page, frame);
    }
    uint32_t word = make_dirty_at_once(cache, page);
    enum kerr error = KERR_OK;
    if (word == 0) {
        error = reach(cache, page, &word);
        if (error == KERR_OK)
            error = make_dirty(cache, page, word);
    }
    *frame = page_word_frame(word);
    return error;
}

enum kerr cache_read(struct cache *cache, uint64_t offset, void *to, uint32_t bytes)
{
    frame_t frame;
    uint32_t in_page = (uint32_t)offset % PAGE_BYTES;
    enum kerr error = cache_page(cache, (uint32_t)(offset >> PAGE_SHIFT), &frame);
    if (error != KERR_OK)
        return error;
    ASSERT(in_page + bytes <= PAGE_BYTES, "%u bytes at %u are read of one page", bytes, in_page);
    memcpy(to, (const uint8_t *)temp_map(TEMP_FAULT_FRAME, frame) + in_page, bytes);
    temp_unmap(TEMP_FAULT_FRAME);
    return KERR_OK;
}

enum kerr cache_write(struct cache *cache, uint64_t offset, const void *from, uint32_t bytes)
{
    frame_t frame;
    uint32_t in_page = (uint32_t)offset % PAGE_BYTES;
    enum kerr error =
        cache_page_to_write(cache, (uint32_t)(offset >> PAGE_SHIFT), bytes == PAGE_BYTES, &frame);
    if (error != KERR_OK)
        return error;
    ASSERT(in_page + bytes <= PAGE_BYTES, "%u bytes at %u are written of one page", bytes, in_page);
    memcpy((uint8_t *)temp_map(TEMP_FAULT_FRAME, frame) + in_page, from, bytes);
    temp_unmap(TEMP_FAULT_FRAME);
    return KERR_OK;
}

/* ---- life ---- */

static uint32_t count_reclaimable(const struct object *object)
{
    const struct cache *cache = object->pager_data;
    return object->real_pages - cache->dirty_pages - cache->busy_pages;
}

static void end(struct object *object)
{
    struct cache *cache = object->pager_data;
    ASSERT(cache->busy_pages == 0, "%u pages of a cache that ends are under way",
           cache->busy_pages);
    ASSERT(cache->dirty_pages == 0, "%u pages of a cache that ends are dirty", cache->dirty_pages);
    list_remove(&cache->link);
    store_cache_count--;
    cache->object = NULL;
}

static const struct pager pager = {.name = "cache",
                                   .bring = bring,
                                   .before_write = before_write,
                                   .count_reclaimable = count_reclaimable,
                                   .end = end};

struct cache *cache_of_object(const struct object *object)
{
    return object->pager == &pager ? object->pager_data : NULL;
}

enum kerr cache_begin(struct cache *cache, const struct cache_operations *operations,
                      struct block_device *device, void *owner, uint32_t pages)
{
    *cache = (struct cache){.operations = operations, .device = device, .owner = owner};
    enum kerr error = object_create_paged(OBJECT_FILE, pages, &pager, cache, &cache->object);
    if (error != KERR_OK)
        return error;
    list_init(&cache->dirty_link);
    list_add_last(&store_caches, &cache->link);
    store_cache_count++;
    return KERR_OK;
}

/* The first page of [FIRST, END) that is under way; wait for it. KERR_OK: there is none. */
static enum kerr wait_for_busy(const struct cache *cache, uint32_t first, uint32_t end)
{
    uint32_t word;
    while (cache->busy_pages > 0 &&
           object_next_page(cache->object, &first, end, PAGE_FILLING | PAGE_WRITING, &word)) {
        if (cache_is_under_way(word))
            return request_wait(cache, first);
        first++; /* it failed, and nobody came to hear of it */
    }
    return KERR_OK;
}

/* The pages of [FIRST, END) need not be written any more. */
static void drop_dirt(struct cache *cache, uint32_t first, uint32_t end)
{
    uint32_t word;
    cache_clip(cache, &first, &end);
    while (cache->dirty_pages > 0 &&
           object_next_page(cache->object, &first, end, PAGE_DIRTY, &word))
        cache_mark_clean(cache, first, 0);
}

/* What is dirty is tried once, and an error told: whoever asks again begins anew. */
static enum kerr keep_dirt(struct cache *cache)
{
    enum kerr error = KERR_OK;
    while (error == KERR_OK && cache->dirty_pages > 0) {
        if (!cache->is_settling)
            cache_ask(cache, 0, cache->object->pages);
        error = cache_write_asked(cache, 0, cache->object->pages, NULL);
        cache->is_settling = error == KERR_MUST_WAIT || error == KERR_NO_MEMORY;
    }
    return error;
}

enum kerr cache_settle(struct cache *cache, enum cache_end how)
{
    uint32_t pages = cache->object->pages;
    enum kerr error = how == CACHE_KEEP ? keep_dirt(cache) : KERR_OK;
    if (error == KERR_OK)
        error = wait_for_busy(cache, 0, pages);
    if (error == KERR_OK && how == CACHE_DROP)
        drop_dirt(cache, 0, pages);
    return error;
}

enum kerr cache_resize(struct cache *cache, uint32_t pages)
{
    struct object *object = cache->object;
    if (pages < object->pages) {
        enum kerr error = wait_for_busy(cache, pages, object->pages);
        if (error != KERR_OK)
            return error;
        drop_dirt(cache, pages, object->pages);
        if (cache->hand > pages)
            cache->hand = 0;
    }
    return object_resize(object, pages);
}

/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: a page cache of the contract of store/cache.h, and no more; objects and frames as
 * far as it needs them; a disk. Requests are carried out in the order in which they come.
 */
#include "world.h"

#include <arch/i386/entry.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

enum { TEMP_PAGES_MAX = 64, FRAMES_MAX = 1 << 17, CHAINS = 1 << 14, EVENTS_MAX = 200000 };

struct page {
    struct page *next; /* of the chain */
    struct page *next_all, *previous_all;
    struct object *object;
    uint32_t page, word;
    uint8_t *bytes;
};
static struct page *chains[CHAINS], all = {.next_all = &all, .previous_all = &all};
static uint32_t page_count;

static uint8_t *frames[FRAMES_MAX];
static uint32_t free_frames[FRAMES_MAX], free_count, used_frames = 1;

struct request {
    struct request *next;
    struct cache *cache; /* NULL: a flush */
    uint32_t page;
    bool is_write;
    struct cache_place place;
};
static struct request *first_request, **last_request = &first_request;
static struct channel channel;
static uint32_t flushes_begun, flushes_done;

static struct list caches = {&caches, &caches};

void world_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "failed: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

uint32_t world_random(uint32_t below)
{
    world.random = world.random * 1664525u + 1013904223u;
    return below == 0 ? 0 : (world.random >> 8) % below;
}

/* ---- frames and temporary pages ---- */

static frame_t frame_new(void)
{
    uint32_t n = free_count > 0 ? free_frames[--free_count] : used_frames++;
    if (n >= FRAMES_MAX)
        world_fail("too many frames");
    frames[n] = malloc(PAGE_BYTES);
    memset(frames[n], 0xA5, PAGE_BYTES);
    return FRAME(n);
}

static void frame_end(frame_t frame)
{
    free(frames[frame.n]);
    frames[frame.n] = NULL;
    free_frames[free_count++] = frame.n;
}

static bool is_mapped[TEMP_PAGES_MAX];

void *temp_map(enum temp_page number, frame_t frame)
{
    if (is_mapped[number])
        world_fail("temporary page %d is in use", number);
    is_mapped[number] = true;
    return frames[frame.n];
}

void temp_unmap(enum temp_page number)
{
    is_mapped[number] = false;
}

/* ---- pages of objects ---- */

static struct page **chain_of(const struct object *object, uint32_t page)
{
    return &chains[((uintptr_t)object / 64 * 31 + page) % CHAINS];
}

static struct page *find(const struct object *object, uint32_t page)
{
    for (struct page *at = *chain_of(object, page); at != NULL; at = at->next)
        if (at->object == object && at->page == page)
            return at;
    return NULL;
}

uint32_t object_page_word(const struct object *object, uint32_t page)
{
    struct page *found = find(object, page);
    return found == NULL ? 0 : found->word;
}

static struct page *page_enter(struct object *object, uint32_t number, uint32_t state)
{
    struct page *page = calloc(1, sizeof(*page)), **chain = chain_of(object, number);
    frame_t frame = frame_new();
    *page = (struct page){.next = *chain,
                          .next_all = &all,
                          .previous_all = all.previous_all,
                          .object = object,
                          .page = number,
                          .word = frame.n << PAGE_SHIFT | PAGE_HERE | state,
                          .bytes = frames[frame.n]};
    *chain = page;
    all.previous_all->next_all = page;
    all.previous_all = page;
    object->real_pages++;
    page_count++;
    return page;
}

static void page_leave(struct page *page)
{
    struct page **at = chain_of(page->object, page->page);
    while (*at != page)
        at = &(*at)->next;
    *at = page->next;
    page->previous_all->next_all = page->next_all;
    page->next_all->previous_all = page->previous_all;
    page->object->real_pages--;
    frame_end(page_word_frame(page->word));
    free(page);
    page_count--;
}

static struct cache *cache_of(const struct page *page)
{
    return page->object->pager_data;
}

static void set_dirty(struct page *page)
{
    if (!(page->word & PAGE_DIRTY))
        cache_of(page)->dirty_pages++;
    page->word |= PAGE_DIRTY;
}

static void set_clean(struct page *page)
{
    if (page->word & PAGE_DIRTY)
        cache_of(page)->dirty_pages--;
    page->word &= ~(uint32_t)(PAGE_DIRTY | PAGE_FAILED | PAGE_ASKED);
}

void object_get(struct object *object)
{
    object->references++;
}

void object_put(struct object *object)
{
    if (--object->references > 0)
        return;
    struct cache *cache = object->pager_data;
    for (struct page *at = all.next_all, *next; at != &all; at = next) {
        next = at->next_all;
        if (at->object != object)
            continue;
        if (at->word & (PAGE_DIRTY | PAGE_FILLING | PAGE_WRITING))
            world_fail("page %u of a cache that ends is %x", at->page, at->word & PAGE_STATES);
        page_leave(at);
    }
    list_remove(&cache->link);
    cache->object = NULL;
    free(object);
}

/* ---- requests ---- */

static bool ready(struct channel *unused)
{
    (void)unused;
    return true;
}

static void request(struct request new)
{
    struct request *request = malloc(sizeof(*request));
    *request = new;
    request->next = NULL;
    *last_request = request;
    last_request = &request->next;
}

static void log_write(uint64_t sector, const uint8_t *data, uint32_t bytes)
{
    if (!world.keeps_log)
        return;
    if (world.writes == world.log_room) {
        world.log_room = world.log_room * 2 + 64;
        world.log = realloc(world.log, world.log_room * sizeof(*world.log));
    }
    struct disk_write *write = &world.log[world.writes++];
    *write = (struct disk_write){sector, bytes, malloc(bytes)};
    memcpy(write->data, data, bytes);
}

/* One piece. False: it fails, as the test wants. */
static bool move(uint64_t sector, uint8_t *data, uint32_t sectors, bool is_write)
{
    uint64_t at = sector * BLOCK_SECTOR_BYTES;
    uint32_t bytes = sectors * BLOCK_SECTOR_BYTES;
    if (at + bytes > world.bytes)
        world_fail("sectors %llu and %u more are not on the disk", (unsigned long long)sector,
                   sectors);
    if (is_write && world.device.opened_for == NULL)
        world_fail("a write, and the disk is not open for it");
    world.requests++;
    if (world.fail_request != 0 &&
        (world.requests == world.fail_request ||
         (world.fails_for_ever && world.requests > world.fail_request))) {
        world.has_failed = true;
        return false;
    }
    if (is_write) {
        memcpy(world.image + at, data, bytes);
        log_write(sector, data, bytes);
    } else {
        memcpy(data, world.image + at, bytes);
    }
    return true;
}

static void carry_out(const struct request *request)
{
    if (request->cache == NULL) {
        flushes_done++;
        return;
    }
    struct page *page = find(request->cache->object, request->page);
    bool is_right = true;
    for (uint32_t i = 0; i < request->place.pieces; i++)
        if (request->place.sector[i] != CACHE_HOLE)
            is_right = move(request->place.sector[i],
                            page->bytes + i * (PAGE_BYTES / request->place.pieces),
                            request->place.sectors, request->is_write) &&
                       is_right;
    if (!request->is_write) {
        if (is_right)
            page->word &= ~(uint32_t)PAGE_FILLING;
        else
            page->word |= PAGE_FAILED;
        return;
    }
    page->word &= ~(uint32_t)(PAGE_WRITING | PAGE_ASKED_OUT);
    if (is_right)
        return;
    request->cache->write_errors++;
    set_dirty(page);
    page->word |= PAGE_FAILED;
}

bool world_step(void)
{
    struct request *request = first_request;
    if (request == NULL)
        return false;
    first_request = request->next;
    if (first_request == NULL)
        last_request = &first_request;
    carry_out(request);
    free(request);
    return true;
}

void world_finish(void)
{
    while (world_step())
        ;
}

void channel_leave(struct channel *left)
{
    (void)left;
}

/* It is under way. Now and then the disk is so fast that it is there at once. */
static bool is_done_at_once(void)
{
    if (world.is_slow && world_random(8) != 0)
        return false;
    world_finish();
    return true;
}

/* ---- filling ---- */

static enum kerr fill(struct cache *cache, uint32_t number, struct page **page)
{
    *page = find(cache->object, number);
    if (*page == NULL) {
        struct cache_place place;
        enum kerr error = cache->operations->locate(cache, number, &place);
        if (error != KERR_OK)
            return error;
        uint32_t real = 0;
        for (uint32_t i = 0; i < place.pieces; i++)
            real += place.sector[i] != CACHE_HOLE;
        *page = page_enter(cache->object, number, 0);
        uint32_t bytes = place.pieces * place.sectors * BLOCK_SECTOR_BYTES;
        if (real < place.pieces || bytes < PAGE_BYTES)
            memset((*page)->bytes, 0, PAGE_BYTES);
        if (real == 0)
            return KERR_OK;
        (*page)->word |= PAGE_FILLING;
        request((struct request){.cache = cache, .page = number, .place = place});
        (void)is_done_at_once();
    }
    if (!((*page)->word & PAGE_FILLING))
        return KERR_OK;
    if ((*page)->word & PAGE_FAILED) {
        page_leave(*page);
        return KERR_IO;
    }
    return KERR_MUST_WAIT;
}

static enum kerr may_write(struct cache *cache, uint32_t number, uint32_t word)
{
    if (cache->device->opened_for == NULL)
        return KERR_READ_ONLY;
    if ((word & PAGE_WRITING) && cache->operations->is_stable)
        return KERR_MUST_WAIT;
    if ((word & PAGE_DIRTY) || cache->operations->allocate == NULL)
        return KERR_OK;
    return cache->operations->allocate(cache, number);
}

enum kerr cache_page(struct cache *cache, uint32_t number, frame_t *frame)
{
    struct page *page;
    if (number >= cache->object->pages)
        return KERR_BAD_RANGE;
    enum kerr error = fill(cache, number, &page);
    if (error == KERR_OK)
        *frame = page_word_frame(page->word);
    return error;
}

enum kerr cache_pages(struct cache *cache, uint32_t number, uint32_t count, frame_t frames_found[],
                      uint32_t *found)
{
    (void)count;
    *found = 1;
    return cache_page(cache, number, frames_found);
}

enum kerr cache_page_to_write(struct cache *cache, uint32_t number, bool whole, frame_t *frame)
{
    struct page *page;
    enum kerr error = KERR_OK;
    if (number >= cache->object->pages)
        return KERR_BAD_RANGE;
    page = find(cache->object, number);
    if (page == NULL && whole) {
        error = may_write(cache, number, 0);
        if (error == KERR_OK)
            page = page_enter(cache->object, number, 0);
    } else {
        error = fill(cache, number, &page);
        if (error == KERR_OK)
            error = may_write(cache, number, page->word);
    }
    if (error != KERR_OK)
        return error;
    set_dirty(page);
    *frame = page_word_frame(page->word);
    return KERR_OK;
}

enum kerr cache_read(struct cache *cache, uint64_t offset, void *to, uint32_t bytes)
{
    frame_t frame;
    uint32_t in_page = (uint32_t)offset % PAGE_BYTES;
    enum kerr error = cache_page(cache, (uint32_t)(offset >> PAGE_SHIFT), &frame);
    if (in_page + bytes > PAGE_BYTES)
        world_fail("%u bytes at %u are read of one page", bytes, in_page);
    if (error == KERR_OK)
        memcpy(to, frames[frame.n] + in_page, bytes);
    return error;
}

enum kerr cache_write(struct cache *cache, uint64_t offset, const void *from, uint32_t bytes)
{
    frame_t frame;
    uint32_t in_page = (uint32_t)offset % PAGE_BYTES;
    enum kerr error =
        cache_page_to_write(cache, (uint32_t)(offset >> PAGE_SHIFT), bytes == PAGE_BYTES, &frame);
    if (in_page + bytes > PAGE_BYTES)
        world_fail("%u bytes at %u are written of one page", bytes, in_page);
    if (error == KERR_OK)
        memcpy(frames[frame.n] + in_page, from, bytes);
    return error;
}

/* ---- writing ---- */

static enum kerr begin_write(struct cache *cache, struct page *page)
{
    struct cache_place place;
    if (page->word & PAGE_WRITING)
        return KERR_OK;
    enum kerr error = cache->operations->locate(cache, page->page, &place);
    if (error != KERR_OK)
        return error;
    page->word |= PAGE_WRITING | (page->word & PAGE_ASKED ? PAGE_ASKED_OUT : 0u);
    set_clean(page);
    request((struct request){.cache = cache, .page = page->page, .is_write = true, .place = place});
    (void)is_done_at_once();
    return KERR_OK;
}

static enum kerr begin_pages(struct cache *cache, uint32_t first, uint32_t end, uint32_t state)
{
    for (struct page *at = all.next_all; at != &all; at = at->next_all) {
        if (at->object != cache->object || at->page < first || at->page >= end ||
            !(at->word & state))
            continue;
        enum kerr error = begin_write(cache, at);
        if (error == KERR_MUST_WAIT)
            return error;
        if (error == KERR_OK)
            continue;
        cache->write_errors++;
        at->word = (at->word & ~(uint32_t)PAGE_ASKED) | PAGE_FAILED;
    }
    return KERR_OK;
}

static struct page *next_of(const struct cache *cache, uint32_t first, uint32_t end, uint32_t any)
{
    struct page *found = NULL;
    for (struct page *at = all.next_all; at != &all; at = at->next_all)
        if (at->object == cache->object && at->page >= first && at->page < end &&
            (at->word & any) && (found == NULL || at->page < found->page))
            found = at;
    return found;
}

static bool some_failed(const struct cache *cache, uint32_t first, uint32_t end)
{
    const struct page *failed = next_of(cache, first, end, PAGE_FAILED);
    return failed != NULL && (failed->word & PAGE_DIRTY);
}

static bool tell_error(struct cache *cache, uint32_t first, uint32_t end)
{
    if (cache->write_errors == cache->errors_told || !some_failed(cache, first, end))
        return false;
    cache->errors_told = cache->write_errors;
    return true;
}

enum kerr cache_write_back(struct cache *cache, uint32_t first, uint32_t end)
{
    if (tell_error(cache, first, end))
        return KERR_IO;
    if (begin_pages(cache, first, end, PAGE_DIRTY) != KERR_OK)
        return KERR_MUST_WAIT;
    for (struct page *at = all.next_all; at != &all; at = at->next_all)
        if (at->object == cache->object && at->page >= first && at->page < end &&
            (at->word & PAGE_WRITING))
            return KERR_MUST_WAIT;
    return tell_error(cache, first, end) ? KERR_IO : KERR_OK;
}

bool object_next_page(const struct object *object, uint32_t *page, uint32_t end, uint32_t any,
                      uint32_t *word)
{
    const struct page *found = next_of(object->pager_data, *page, end, any);
    if (found == NULL)
        return false;
    *page = found->page;
    *word = found->word;
    return true;
}

void cache_ask(struct cache *cache, uint32_t first, uint32_t end)
{
    for (struct page *at = all.next_all; at != &all; at = at->next_all)
        if (at->object == cache->object && at->page >= first && at->page < end)
            at->word |= at->word & PAGE_DIRTY     ? PAGE_ASKED
                        : at->word & PAGE_WRITING ? PAGE_ASKED_OUT
                                                  : 0u;
}

enum kerr cache_write_asked(struct cache *cache, uint32_t first, uint32_t end, uint32_t *seen)
{
    if (begin_pages(cache, first, end, PAGE_ASKED) != KERR_OK ||
        next_of(cache, first, end, PAGE_ASKED | PAGE_ASKED_OUT) != NULL)
        return KERR_MUST_WAIT;
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

void cache_begin_write_back(struct cache *cache, uint32_t first, uint32_t end)
{
    (void)!begin_pages(cache, first, end, PAGE_DIRTY);
}

enum kerr cache_know_device(struct block_device *device)
{
    (void)device;
    return KERR_OK;
}

enum kerr cache_flush(struct block_device *device, uint32_t *ticket)
{
    if (device->opened_for == NULL)
        return KERR_OK;
    if (*ticket == 0)
        *ticket = flushes_begun + 1;
    if ((int32_t)(*ticket - flushes_begun) > 0 && flushes_begun == flushes_done) {
        flushes_begun++;
        request((struct request){.cache = NULL});
        (void)is_done_at_once();
    }
    if ((int32_t)(flushes_done - *ticket) < 0)
        return KERR_MUST_WAIT;
    *ticket = 0;
    return KERR_OK;
}

static struct page *page_number(uint32_t number)
{
    struct page *page = all.next_all;
    while (number-- > 0)
        page = page->next_all;
    return page;
}

void world_write_some(uint32_t pages)
{
    while (pages-- > 0 && page_count > 0) {
        struct page *page = page_number(world_random(page_count));
        if (page->word & PAGE_DIRTY)
            (void)!begin_write(cache_of(page), page);
        if (world_random(2) == 0)
            (void)world_step();
    }
}

void world_drop_some(uint32_t pages)
{
    while (pages-- > 0 && page_count > 0) {
        struct page *page = page_number(world_random(page_count));
        if (!(page->word & (PAGE_DIRTY | PAGE_WRITING | PAGE_FILLING)))
            page_leave(page);
    }
}

uint32_t world_busy_pages(void)
{
    uint32_t count = 0;
    for (struct page *at = all.next_all; at != &all; at = at->next_all)
        count += (at->word & (PAGE_WRITING | PAGE_FILLING)) != 0;
    return count;
}

uint32_t world_dirty_pages(void)
{
    uint32_t count = 0;
    for (struct page *at = all.next_all; at != &all; at = at->next_all)
        count += (at->word & PAGE_DIRTY) != 0;
    return count;
}

/* ---- life ---- */

enum kerr cache_begin(struct cache *cache, const struct cache_operations *operations,
                      struct block_device *device, void *owner, uint32_t pages)
{
    if (world.fail_allocation != 0 && ++world.allocations == world.fail_allocation) {
        world.has_failed = true;
        return KERR_NO_MEMORY;
    }
    *cache = (struct cache){.operations = operations, .device = device, .owner = owner};
    cache->object = calloc(1, sizeof(*cache->object));
    *cache->object = (struct object){.references = 1, .pages = pages, .pager_data = cache};
    list_add_last(&caches, &cache->link);
    return KERR_OK;
}

static enum kerr wait_for_busy(struct cache *cache, uint32_t first)
{
    for (struct page *at = all.next_all, *next; at != &all; at = next) {
        next = at->next_all;
        if (at->object != cache->object || at->page < first ||
            !(at->word & (PAGE_WRITING | PAGE_FILLING)))
            continue;
        if (!(at->word & PAGE_FILLING) || !(at->word & PAGE_FAILED))
            return KERR_MUST_WAIT;
        page_leave(at); /* it failed, and nobody came to hear of it */
    }
    return KERR_OK;
}

static void drop_dirt(struct cache *cache, uint32_t first)
{
    for (struct page *at = all.next_all; at != &all; at = at->next_all)
        if (at->object == cache->object && at->page >= first)
            set_clean(at);
}

enum kerr cache_settle(struct cache *cache, enum cache_end how)
{
    enum kerr error = KERR_OK;
    while (how == CACHE_KEEP && error == KERR_OK && cache->dirty_pages > 0) {
        if (!cache->is_settling)
            cache_ask(cache, 0, cache->object->pages);
        error = cache_write_asked(cache, 0, cache->object->pages, NULL);
        cache->is_settling = error == KERR_MUST_WAIT;
    }
    if (error == KERR_OK)
        error = wait_for_busy(cache, 0);
    if (error == KERR_OK && how == CACHE_DROP)
        drop_dirt(cache, 0);
    return error;
}

enum kerr cache_resize(struct cache *cache, uint32_t pages)
{
    enum { AT_ONCE = 40 };
    uint32_t gone = 0;
    if (pages < cache->object->pages) {
        enum kerr error = wait_for_busy(cache, pages);
        if (error != KERR_OK)
            return error;
        drop_dirt(cache, pages);
        uint32_t end = cache->object->pages;
        for (struct page *at = all.next_all, *next; at != &all && gone < AT_ONCE; at = next) {
            next = at->next_all;
            if (at->object == cache->object && at->page >= pages) {
                (void)end;
                page_leave(at);
                gone++;
            }
        }
        if (gone == AT_ONCE)
            return KERR_AGAIN;
    }
    cache->object->pages = pages;
    return KERR_OK;
}

/* ---- the rest of the world ---- */

struct block_device *block_find(const char *name)
{
    return strcmp(name, world.device.name) == 0 ? &world.device : NULL;
}

enum kerr block_open_for_writing(struct block_device *device, const char *purpose)
{
    if (device->opened_for != NULL)
        return KERR_EXISTS;
    device->opened_for = purpose;
    return KERR_OK;
}

enum kerr block_open_for_reading(struct block_device *device, const char *purpose)
{
    if (device->read_for != NULL)
        return KERR_EXISTS;
    device->read_for = purpose;
    return KERR_OK;
}

void block_close_for_reading(struct block_device *device)
{
    device->read_for = NULL;
}

void block_close_for_writing(struct block_device *device)
{
    if (first_request != NULL)
        world_fail("the disk is closed, and something is under way");
    device->opened_for = NULL;
}

void world_begin(uint8_t *image, uint64_t bytes)
{
    free(world.image);
    world.image = image;
    world.bytes = bytes;
    world.device = (struct block_device){.name = "disk", .sectors = bytes / BLOCK_SECTOR_BYTES};
    channel.is_ready = ready;
}

static uint32_t events;

void world_begin_event(void)
{
    for (int i = 0; i < TEMP_PAGES_MAX; i++)
        if (is_mapped[i])
            world_fail("temporary page %d was left", i);
}

bool world_goes_on(enum kerr error)
{
    if (error != KERR_MUST_WAIT && error != KERR_AGAIN) {
        events = 0;
        return false;
    }
    if (++events > EVENTS_MAX)
        world_fail("a call gets no further");
    if (error == KERR_MUST_WAIT && !world_step() && events > 1000)
        world_fail("a call waits for nothing");
    if (world_random(3) == 0)
        world_finish();
    if (world.is_slow && world.fail_request == 0)
        world_write_some(world_random(4));
    return true;
}

/* ---- memory ---- */

enum kerr kmalloc(size_t bytes, void **block)
{
    if (world.fail_allocation != 0 && ++world.allocations == world.fail_allocation) {
        world.has_failed = true;
        return KERR_NO_MEMORY;
    }
    *block = malloc(bytes);
    memset(*block, 0xA5, bytes);
    world.blocks_allocated++;
    return KERR_OK;
}

void kfree(void *block)
{
    world.blocks_allocated -= block != NULL;
    free(block);
}

/* ---- texts and time ---- */

void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "panic: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

void printk(const char *format, ...)
{
    va_list arguments;
    if (getenv("SHOW") == NULL)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

size_t format_text(char *buffer, size_t bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, bytes, format, arguments);
    va_end(arguments);
    return (size_t)length;
}

bool text_begins(const char *text, const char *prefix);
bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

struct time clock_real_coarse(void)
{
    static uint64_t now = 1700000000;
    return (struct time){.seconds = now++};
}

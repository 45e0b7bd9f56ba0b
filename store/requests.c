/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Requests (requests.h): from pages to sectors, and what happens to pages when they are
 * done.
 */
#include "requests.h"
#include "store.h"

#include <kernel/panic.h>

/* Who found too few waits until some more are free, and is not woken for each. */
enum { REQUESTS = 64, FREE_TO_WAKE = REQUESTS / 2 };

static struct cache_request {
    struct block_request block;
    struct cache *cache; /* NULL: free */
    uint32_t page;       /* the first one; the others follow */
} requests[REQUESTS];
static uint32_t in_use, pages_under_way; /* requests; pages that are being written */

struct store_counts store_counts;

/* ---- waiting ---- */

static bool some_are_free(struct channel *channel)
{
    (void)channel;
    block_poll();
    return REQUESTS - in_use >= FREE_TO_WAKE;
}
static struct channel pool_channel = {some_are_free};

bool requests_are_there(void)
{
    if (REQUESTS - in_use >= CACHE_PIECES_MAX)
        return true;
    channel_leave(&pool_channel);
    return false;
}

void requests_wait_for_any(void)
{
    channel_leave(&pool_channel);
}

static bool has_page(const struct cache_request *request, uint32_t page)
{
    return page - request->page < block_request_frames(&request->block);
}

enum kerr request_wait(const struct cache *cache, uint32_t page)
{
    for (uint32_t i = 0; i < REQUESTS; i++)
        if (requests[i].cache == cache && has_page(&requests[i], page)) {
            channel_leave(&requests[i].block.channel);
            return KERR_MUST_WAIT;
        }
    panic("page %u is under way, but no request has it", page);
}

uint32_t requests_pages_written(void)
{
    return pages_under_way;
}

static enum kerr wait_for(const struct cache *cache, enum block_operation operation)
{
    for (uint32_t i = 0; i < REQUESTS; i++)
        if (requests[i].cache != NULL && (cache == NULL || requests[i].cache == cache) &&
            requests[i].block.operation == operation) {
            channel_leave(&requests[i].block.channel);
            return KERR_MUST_WAIT;
        }
    return KERR_OK;
}

enum kerr request_wait_for_write(const struct cache *cache)
{
    return wait_for(cache, BLOCK_WRITE);
}

enum kerr request_wait_for_read(void)
{
    return wait_for(NULL, BLOCK_READ);
}

/* ---- done ---- */

/* The last request that PAGE was part of is done. */
static void page_done(struct cache *cache, uint32_t page, enum block_operation operation)
{
    cache->busy_pages--;
    if (operation == BLOCK_READ) { /* of what failed who asks for it is told, and then it goes */
        if (!(object_page_word(cache->object, page) & PAGE_FAILED))
            object_change_page(cache->object, page, PAGE_FILLING | PAGE_WANTED, 0);
        return;
    }
    pages_under_way--;
    uint32_t word = object_change_page(cache->object, page, PAGE_WRITING | PAGE_ASKED_OUT, 0);
    if (word & PAGE_FAILED) {
        cache_mark_dirty(cache, page);
        cache_note_failure(cache);
        return;
    }
    cache->is_failing = false;
    if (cache->operations->written != NULL && !(word & PAGE_DIRTY))
        cache->operations->written(cache, page);
}

static void count(const struct cache_request *request, uint32_t pages)
{
    bool is_read = request->block.operation == BLOCK_READ;
    store_counts.reads += is_read;
    store_counts.writes += !is_read;
    if (request->block.status != KERR_OK) {
        store_counts.read_errors += is_read;
        store_counts.write_errors += !is_read;
    } else if (is_read) {
        store_counts.pages_read += pages;
    } else {
        store_counts.pages_written += pages;
    }
}

/* What REQUEST, of PAGES, was to write and could not may still be written: each page alone, or elsewhere. */
static bool may_yet_be_written(const struct cache_request *request, uint32_t pages)
{
    struct cache *cache = request->cache;
    if (request->block.status == KERR_OK || request->block.operation != BLOCK_WRITE ||
        cache->operations->not_written == NULL)
        return false;
    return pages > 1 || cache->operations->not_written(cache, request->page);
}

static void request_done(struct block_request *block)
{
    struct cache_request *request = container_of(block, struct cache_request, block);
    struct cache *cache = request->cache;
    uint32_t pages = block_request_frames(block);
    count(request, pages);
    bool was_failing = cache->is_failing, is_hopeful = may_yet_be_written(request, pages);
    for (uint32_t i = 0; i < pages; i++) {
        struct frame_record *record = frame_record(&frame_pool, block->frames[i]);
        if (block->status != KERR_OK)
            object_change_page(cache->object, request->page + i, 0, PAGE_FAILED);
        if (--record->used_entries == 0)
            page_done(cache, request->page + i, block->operation);
    }
    if (is_hopeful)
        cache->is_failing = was_failing;
    request->cache = NULL;
    in_use--;
    if (REQUESTS - in_use >= FREE_TO_WAKE)
        channel_wake(&pool_channel);
}

/* ---- runs ---- */

static struct cache_request *take(const struct run *run, uint32_t page, uint64_t sector,
                                  uint32_t offset)
{
    struct cache_request *request = requests;
    while (request->cache != NULL)
        request++;
    in_use++;
    request->cache = run->cache;
    request->page = page;
    request->block = (struct block_request){.device = run->cache->device,
                                            .operation = run->operation,
                                            .sector = sector,
                                            .offset = offset,
                                            .done = request_done,
                                            .channel = request->block.channel};
    return request;
}

/* A refusal is an answer as well. */
void run_submit(struct run *run)
{
    if (run->request == NULL)
        return;
    struct block_request *block = &run->request->block;
    run->request = NULL;
    enum kerr error = block_submit(block);
    if (error != KERR_OK) {
        block->status = error;
        request_done(block);
    }
}

/* The piece of PAGE at OFFSET goes on where RUN ends, on the device and in the pages. */
static bool goes_on(const struct run *run, uint32_t page, uint32_t offset, uint64_t sector)
{
    if (run->request == NULL)
        return false;
    const struct block_request *block = &run->request->block;
    uint32_t end = block->offset + block->sectors * BLOCK_SECTOR_BYTES;
    uint32_t at = (page - run->request->page) * PAGE_BYTES + offset;
    return block->sector + block->sectors == sector && at == end &&
           end < BLOCK_FRAMES_MAX * PAGE_BYTES;
}

static void add_piece(struct run *run, uint32_t page, frame_t frame, uint32_t offset,
                      uint64_t sector, uint32_t sectors)
{
    if (!goes_on(run, page, offset, sector)) {
        run_submit(run);
        run->request = take(run, page, sector, offset);
    }
    struct block_request *block = &run->request->block;
    uint32_t before = block->sectors == 0 ? 0 : block_request_frames(block);
    block->sectors += sectors;
    if (block_request_frames(block) == before)
        return;
    block->frames[page - run->request->page] = frame;
    frame_record(&frame_pool, frame)->used_entries++;
}

/*
 * Until all its pieces are in, the page is kept from being done: those of the first may be when the
 * next is added.
 */
void run_add(struct run *run, uint32_t page, frame_t frame, const struct cache_place *place)
{
    struct frame_record *record = frame_record(&frame_pool, frame);
    uint32_t piece_bytes = PAGE_BYTES / place->pieces;
    run->cache->busy_pages++;
    pages_under_way += run->operation == BLOCK_WRITE;
    record->used_entries = 1;
    for (uint32_t i = 0; i < place->pieces; i++)
        if (place->sector[i] != CACHE_HOLE)
            add_piece(run, page, frame, i * piece_bytes, place->sector[i], place->sectors);
    if (--record->used_entries == 0)
        page_done(run->cache, page, run->operation);
}

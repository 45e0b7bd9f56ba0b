/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. The kernel heap: a two-level segregated fit (TLSF; Masmano, Ripoll, Crespo, Real 2004)
 * over promised memory. Chosen since every operation has a bound that grows neither with the number
 * of blocks nor with the room: two bit scans find a block, neighbours merge at once by their tags.
 *
 *   1. blocks follow each other without a gap; no two free ones are neighbours
 *   2. a free block stands in the list of its size class, and the bitmaps say which are not empty
 *   3. a page is real unless it is a whole page of a free block's body; of these only those in the
 *      block's warm span are real, and over all blocks no more than warm_limit() pages
 * It keeps no frame of its own and never waits.
 */
#include "heap_block.h"

#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>

/* ---- lists by size ---- */

static inline void list_add(struct heap *heap, struct heap_block *block)
{
    struct size_class class = size_class_of(block_bytes(block));
    struct heap_block **head = &heap->lists[class.row][class.column];

    block->previous_free = NULL;
    block->next_free = *head;
    if (*head != NULL)
        (*head)->previous_free = block;
    *head = block;
    heap->columns[class.row] |= 1u << class.column;
    heap->rows |= 1u << class.row;
}

static inline void list_remove(struct heap *heap, struct heap_block *block)
{
    struct heap_block *next = block->next_free, *previous = block->previous_free;
    struct size_class class;

    if (next != NULL)
        next->previous_free = previous;
    if (previous != NULL) {
        previous->next_free = next;
        return;
    }
    class = size_class_of(block_bytes(block));
    heap->lists[class.row][class.column] = next;
    if (next != NULL)
        return;
    heap->columns[class.row] &= ~(1u << class.column);
    if (heap->columns[class.row] == 0)
        heap->rows &= ~(1u << class.row);
}

/* The class from which on every block holds BYTES: the next one, unless BYTES begins its class. */
static inline struct size_class size_class_above(size_t bytes)
{
    if (bytes >= ROW_0_BYTES)
        bytes += ((size_t)1 << (highest_bit(bytes) - COLUMN_SHIFT)) - 1;
    return size_class_of(bytes);
}

/*
 * A free block of at least BYTES bytes; NULL: there is none. Only when nothing larger is free, the
 * blocks of the same class are tried one by one, so that nothing that fits is refused.
 */
static inline struct heap_block *find_free(const struct heap *heap, size_t bytes)
{
    struct size_class class = size_class_above(bytes);
    struct heap_block *block;
    uint32_t columns = 0, rows;

    if (class.row < HEAP_ROWS) {
        columns = heap->columns[class.row] & ~0u << class.column;
        rows = heap->rows & ~1u << class.row;
        if (columns == 0 && rows != 0) {
            class.row = (uint32_t)__builtin_ctz(rows);
            columns = heap->columns[class.row];
        }
    }
    if (columns != 0)
        return heap->lists[class.row][__builtin_ctz(columns)];
    class = size_class_of(bytes);
    for (block = heap->lists[class.row][class.column]; block != NULL; block = block->next_free)
        if (block_bytes(block) >= bytes)
            break;
    return block;
}

/* ---- pages: real, warm, given back ---- */

static void discard_span(struct heap *heap, struct span span)
{
    heap->backing->discard(VADDR((uint32_t)span.first), span_pages(span));
}

static enum kerr make_span_real(struct heap *heap, struct span span)
{
    return heap->backing->make_real(VADDR((uint32_t)span.first), span_pages(span));
}

static inline void warm_add(struct heap *heap, struct heap_block *block, struct span warm)
{
    block->warm = warm;
    if (span_is_empty(warm))
        return;
    block->older = heap->warm_newest;
    block->newer = NULL;
    if (heap->warm_newest != NULL)
        heap->warm_newest->newer = block;
    else
        heap->warm_oldest = block;
    heap->warm_newest = block;
    heap->warm_pages += span_pages(warm);
}

static inline void warm_remove(struct heap *heap, struct heap_block *block)
{
    if (span_is_empty(block->warm))
        return;
    if (block->older != NULL)
        block->older->newer = block->newer;
    else
        heap->warm_oldest = block->newer;
    if (block->newer != NULL)
        block->newer->older = block->older;
    else
        heap->warm_newest = block->older;
    heap->warm_pages -= span_pages(block->warm);
}

/*
 * Warm pages spare a loop that allocates and frees the frame, its clearing and two table walks.
 * Who asks for much will write much: for large blocks the saving would be small beside that.
 */
static uint32_t warm_limit(const struct heap *heap)
{
    return HEAP_WARM_PAGES + (uint32_t)(heap->used_bytes / PAGE_BYTES / 8);
}

void heap_trim(struct heap *heap, uint32_t pages)
{
    while (heap->warm_pages > pages) {
        struct heap_block *block = heap->warm_oldest;

        warm_remove(heap, block);
        discard_span(heap, block->warm);
        block->warm = (struct span){0, 0};
    }
}

/*
 * Two spans of warm pages, one of them perhaps empty, come into one block. If they don't touch, the
 * smaller one is given back, since a block has one span and all of it is real.
 */
static inline struct span warm_join(struct heap *heap, struct span a, struct span b)
{
    if (span_is_empty(a) || span_is_empty(b))
        return span_is_empty(a) ? b : a;
    if (a.first <= b.end && b.first <= a.end)
        return (struct span){lower(a.first, b.first), higher(a.end, b.end)};
    if (span_pages(a) < span_pages(b)) {
        discard_span(heap, a);
        return b;
    }
    discard_span(heap, b);
    return a;
}

/* ---- blocks ---- */

static inline void block_set(struct heap *heap, struct span span, struct heap_block *previous,
                             enum block_state state)
{
    struct heap_block *block = block_at(span.first), *next;

    block->previous = previous;
    block->tag = (span.end - span.first) | state;
    next = block_next(heap, block);
    if (next != NULL)
        next->previous = block;
}

/*
 * SPAN, whose head is real, becomes a free block behind PREVIOUS. WARM is what is real of the rest;
 * only what lies in whole pages of its body can be given back.
 */
static inline void free_add(struct heap *heap, struct span span, struct heap_block *previous,
                            struct span warm)
{
    struct heap_block *block = block_at(span.first);

    block_set(heap, span, previous, BLOCK_FREE);
    list_add(heap, block);
    if (block_bytes(block) >= WARM_MIN)
        warm_add(heap, block, span_common(warm, body_pages(span)));
}

/* BLOCK leaves the free ones; the caller rewrites its tag. Returns its warm span. */
static inline struct span free_remove(struct heap *heap, struct heap_block *block)
{
    list_remove(heap, block);
    if (block_bytes(block) < WARM_MIN)
        return (struct span){0, 0};
    warm_remove(heap, block);
    return block->warm;
}

/*
 * PAGES of the free BLOCK become real, where they are not, or KERR_NO_MEMORY and nothing is lost.
 */
static inline enum kerr make_real(struct heap *heap, const struct heap_block *block,
                                  struct span pages)
{
    enum kerr error;

    if (block_bytes(block) < WARM_MIN)
        return KERR_OK; /* no whole page, so all is real */
    pages = span_common(pages, body_pages((struct span){block_start(block), block_end(block)}));
    if (span_is_empty(pages) || span_holds(block->warm, pages))
        return KERR_OK;
    error = make_span_real(heap, pages);
    if (error == KERR_OK)
        return KERR_OK;
    heap_trim(heap, 0); /* frames that other blocks, and this one, only keep warm */
    error = make_span_real(heap, pages);
    if (error != KERR_OK)
        discard_span(heap, pages); /* as far as it came */
    return error;
}

/* In checked builds, the bytes of PAGES that lie in the free BLOCK were left alone. */
static void check_untouched(const struct heap_block *block, struct span pages)
{
    struct span all = {block_start(block), block_end(block)};
    struct span free = span_common(pages, (struct span){all.first + HEAD_BYTES, all.end});
    uintptr_t at;

    if (!CHECKED || span_is_empty(free))
        return;
    at = poison_broken(block, free);
    ASSERT(at == 0, "heap: the free block V0x%08x was written to at V0x%08x (use after free)",
           (unsigned)all.first, (unsigned)at);
    poison(free); /* pages just made real read as zero */
}

/*
 * Cut the used block USED out of the free BLOCK that holds it; what is left on either side stays
 * free. What would be too small for a block behind it is added to it.
 *
 *   page      |   0   |   1   |   2   |   3   |   4   |
 *   before    |h                BLOCK                 |     h: a head
 *   memory        r       -       w       -       -         r: real, w: warm, -: a promise
 *   after     |h free |h    USED    |h     free       |
 *   memory        r       r       r       -       -
 *
 * USED begins where BLOCK begins, or BLOCK_MIN or more behind it. First its pages and that of the
 * head behind it (1 and 2) are made real, which can fail; the rest can't.
 *
 * Returns KERR_OK, or KERR_NO_MEMORY and nothing has changed.
 */
static enum kerr claim(struct heap *heap, struct heap_block *block, struct span used)
{
    struct span all = {block_start(block), block_end(block)}, pages, warm;
    struct heap_block *previous = block->previous;
    enum kerr error;

    if (all.end - used.end < BLOCK_MIN)
        used.end = all.end;
    /* The pages of USED and of the head behind it: all that is written below. */
    pages = (struct span){
        round_down(used.first, PAGE_BYTES),
        round_up(used.end == all.end ? all.end : lower(used.end + HEAD_BYTES, all.end), PAGE_BYTES),
    };
    error = make_real(heap, block, pages);
    if (error != KERR_OK)
        return error;
    check_untouched(block, pages);
    warm = free_remove(heap, block);
    if (used.first != all.first) {
        free_add(heap, (struct span){all.first, used.first}, previous, warm);
        previous = block;
    }
    block_set(heap, used, previous, BLOCK_USED);
    if (used.end != all.end)
        free_add(heap, (struct span){used.end, all.end}, block_at(used.first), warm);
    heap->used_blocks++;
    heap->used_bytes += used.end - used.first;
    return KERR_OK;
}

/*
 * The used BLOCK becomes free and merges with its free neighbours. Its own pages, the page of the
 * head that it swallows, and its neighbours' warm pages are what is real of the whole.
 *
 *   page      |   0   |   1   |   2   |   3   |   4   |
 *   before    |h free |h    BLOCK   |h     free       |
 *   memory        r       r       r       -       w
 *   after     |h                free                  |
 *   memory        r       w       w       -       -         a block has one warm span: 4 does not
 *                                                           touch 1-2, and is the smaller one
 */
static void release(struct heap *heap, struct heap_block *block)
{
    struct heap_block *previous = block->previous, *next = block_next(heap, block);
    struct span all = {block_start(block), block_end(block)}, dirty = all;
    struct span warm_before = {0, 0}, warm_behind = {0, 0}, warm = {0, 0};

    heap->used_blocks--;
    heap->used_bytes -= all.end - all.first;
    block->tag = (all.end - all.first) | BLOCK_FREE; /* stays for a second kfree() to see */
    if (next != NULL && block_state(next) == BLOCK_FREE) {
        warm_behind = free_remove(heap, next);
        all.end = block_end(next);
        dirty.end = lower(dirty.end + HEAD_BYTES, all.end);
    }
    if (CHECKED)
        poison(dirty);
    if (previous != NULL && block_state(previous) == BLOCK_FREE) {
        warm_before = free_remove(heap, previous);
        all.first = block_start(previous);
        previous = previous->previous;
    }
    if (all.end - all.first >= WARM_MIN) {
        dirty = (struct span){round_down(dirty.first, PAGE_BYTES), round_up(dirty.end, PAGE_BYTES)};
        warm = warm_join(heap, warm_before, span_common(dirty, body_pages(all)));
        warm = warm_join(heap, warm, warm_behind);
    }
    free_add(heap, all, previous, warm);
    if (heap->warm_pages > HEAP_WARM_PAGES)
        heap_trim(heap, warm_limit(heap));
}

/* The block of what kmalloc() returned as PAYLOAD; panics if it is none, or a neighbour broke it.
 */
static struct heap_block *used_block(const struct heap *heap, void *payload, const void *caller)
{
    uintptr_t start = (uintptr_t)payload - OVERHEAD_BYTES;
    struct heap_block *block = block_at(start), *next;
    const char *broken = NULL;

    if (start < heap->room || start >= heap->room_end || start % GRANULE != 0)
        broken = "it is not an address that kmalloc() returned";
    else if (block_state(block) == BLOCK_FREE || block_state(block) == BLOCK_POISONED)
        broken = "it is free already (double free)";
    else if (block_state(block) != BLOCK_USED || block_bytes(block) < BLOCK_MIN ||
             block_bytes(block) > heap->room_end - start)
        broken = "no block begins there, or its tag was overwritten";
    else if ((next = block_next(heap, block)) != NULL && next->previous != block)
        broken = "the tag behind it was overwritten (overrun)";
    else if (CHECKED && (broken = guard_broken(block)) != NULL)
        guard_describe(block);
    ASSERT(broken == NULL, "heap: " PRI_VADDR ", given back by " PRI_VADDR ": %s",
           ARG_VADDR(pointer_to_vaddr(payload)), ARG_VADDR(pointer_to_vaddr(caller)), broken);
    return block;
}

/* The size of a block for BYTES bytes. */
static size_t size_for(size_t bytes)
{
    return higher(round_up(bytes + OVERHEAD_BYTES + ZONE_BYTES, GRANULE), BLOCK_MIN);
}

/* The first start in the free BLOCK whose payload is aligned, with room for a free block before. */
static uintptr_t aligned_start(const struct heap_block *block, size_t alignment)
{
    uintptr_t start = round_up(block_payload(block), alignment) - OVERHEAD_BYTES;

    if (start != block_start(block) && start - block_start(block) < BLOCK_MIN)
        start += alignment;
    return start;
}

/* ---- any heap ---- */

enum kerr heap_build(struct heap *heap, vaddr_t room, uint32_t pages,
                     const struct heap_backing *backing)
{
    uintptr_t first = (uintptr_t)vaddr_to_pointer(room);
    struct span all = {first, first + (uintptr_t)pages * PAGE_BYTES};
    struct span page = {all.first, all.first + PAGE_BYTES};
    enum kerr error;

    ASSERT(vaddr_is_page_aligned(room) && pages != 0 &&
               size_class_of(all.end - all.first).row < HEAP_ROWS,
           "heap: a room of %u pages from " PRI_VADDR " on", (unsigned)pages, ARG_VADDR(room));
    *heap = (struct heap){.room = all.first, .room_end = all.end, .backing = backing};
    error = make_span_real(heap, page);
    if (error != KERR_OK)
        return error;
    if (CHECKED)
        poison(page);
    free_add(heap, all, NULL, (struct span){0, 0});
    return KERR_OK;
}

enum kerr heap_allocate(struct heap *heap, size_t bytes, size_t alignment, const void *caller,
                        void **payload)
{
    size_t room = heap->room_end - heap->room, size, wanted;
    struct heap_block *block;
    uintptr_t start;
    enum kerr error;

    if (bytes == 0 || alignment == 0 || (alignment & (alignment - 1)) != 0)
        return KERR_BAD_VALUE;
    if (bytes > room || alignment > room)
        return KERR_NO_ROOM;
    size = size_for(bytes);
    wanted = size + (alignment > GRANULE ? alignment + BLOCK_MIN - GRANULE : 0);
    block = wanted > room ? NULL : find_free(heap, wanted);
    if (block == NULL)
        return KERR_NO_ROOM;
    start = alignment > GRANULE ? aligned_start(block, alignment) : block_start(block);
    error = claim(heap, block, (struct span){start, start + size});
    if (error != KERR_OK)
        return error;
    block = block_at(start);
    if (CHECKED)
        guard_set(block, bytes, 0, caller);
    *payload = (void *)block_payload(block);
    return KERR_OK;
}

void heap_free(struct heap *heap, void *payload, const void *caller)
{
    if (payload != NULL)
        release(heap, used_block(heap, payload, caller));
}

/* The used BLOCK takes from the free one behind it until it has SIZE bytes, if that can be. */
static bool grow_in_place(struct heap *heap, struct heap_block *block, size_t size)
{
    struct heap_block *next = block_next(heap, block), *behind;
    size_t missing = higher(size - block_bytes(block), BLOCK_MIN);

    if (next == NULL || block_state(next) != BLOCK_FREE || block_bytes(next) < missing ||
        claim(heap, next, (struct span){block_end(block), block_end(block) + missing}) != KERR_OK)
        return false;
    behind = block_next(heap, next);
    block->tag += block_bytes(next);
    if (behind != NULL)
        behind->previous = block;
    heap->used_blocks--;
    return true;
}

/* What the used BLOCK has beyond SIZE bytes becomes free, if it makes a block. */
static void shrink_in_place(struct heap *heap, struct heap_block *block, size_t size)
{
    struct span rest = {block_start(block) + size, block_end(block)};

    if (rest.end - rest.first < BLOCK_MIN)
        return;
    block_set(heap, rest, block, BLOCK_USED);
    block->tag = size | BLOCK_USED;
    heap->used_blocks++;
    release(heap, block_at(rest.first));
}

enum kerr heap_resize(struct heap *heap, void *old, size_t bytes, const void *caller,
                      void **payload)
{
    struct heap_block *block;
    size_t size, held;
    enum kerr error;

    if (old == NULL)
        return heap_allocate(heap, bytes, GRANULE, caller, payload);
    block = used_block(heap, old, caller);
    if (bytes == 0)
        return KERR_BAD_VALUE;
    if (bytes > heap->room_end - heap->room)
        return KERR_NO_ROOM;
    size = size_for(bytes);
    held = block_holds(block);
    if (size <= block_bytes(block) || grow_in_place(heap, block, size)) {
        shrink_in_place(heap, block, size);
        if (CHECKED)
            guard_set(block, bytes, held, caller);
        *payload = old;
        return KERR_OK;
    }
    error = heap_allocate(heap, bytes, GRANULE, caller, payload);
    if (error != KERR_OK)
        return error;
    memcpy(*payload, old, held); /* it did not fit in place, so there was less of it */
    release(heap, block);
    return KERR_OK;
}

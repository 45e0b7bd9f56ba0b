/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. Checking a heap: red zones and poison of checked builds, and the walk over everything.
 *
 * A free byte is poison, unless its page was given back: then the whole page is zero. So a write
 * to freed memory is seen when the memory is handed out again, at the latest.
 */
#include "heap_block.h"

#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/symbols.h>

#define POISON_WORD ((size_t)-1 / 0xFF * POISON_BYTE)
#define ZONE_WORD   ((size_t)-1 / 0xFF * ZONE_BYTE)

/* ---- red zones ---- */

static struct guard *guard_of(const struct heap_block *block)
{
    return (struct guard *)(block_start(block) + HEADER_BYTES);
}

void guard_set(struct heap_block *block, size_t bytes, size_t kept, const void *caller)
{
    struct guard *guard = guard_of(block);
    uint8_t *payload = (uint8_t *)block_payload(block);

    *guard = (struct guard){bytes, caller, {ZONE_WORD, ZONE_WORD}};
    if (kept < bytes)
        memset(payload + kept, FRESH_BYTE, bytes - kept);
    memset(payload + bytes, ZONE_BYTE, block_end(block) - (uintptr_t)payload - bytes);
}

const char *guard_broken(const struct heap_block *block)
{
    const struct guard *guard = guard_of(block);
    const uint8_t *at = (const uint8_t *)block_payload(block), *end;

    if (guard->zone[0] != ZONE_WORD || guard->zone[1] != ZONE_WORD)
        return "the red zone before it was overwritten (underrun)";
    end = (const uint8_t *)block_end(block);
    if (guard->bytes > (size_t)(end - at) - ZONE_BYTES)
        return "the size it was asked for with was overwritten (underrun)";
    for (at += guard->bytes; at < end; at++)
        if (*at != ZONE_BYTE)
            return "the red zone behind it was overwritten (overrun)";
    return NULL;
}

void guard_describe(const struct heap_block *block)
{
    const struct guard *guard = guard_of(block);
    const char *name = "?";
    uint32_t offset = 0;

    (void)symbol_find(pointer_to_vaddr(guard->caller).v, &name, &offset);
    printk("heap: " PRI_VADDR " is %u bytes, allocated by %s+0x%x (" PRI_VADDR ")\n",
           (unsigned)block_payload(block), (unsigned)guard->bytes, name, (unsigned)offset,
           ARG_VADDR(pointer_to_vaddr(guard->caller)));
}

/* ---- poison ---- */

void poison(struct span span)
{
    memset((void *)span.first, POISON_BYTE, span.end - span.first);
}

/* The first byte of SPAN, whole words, that is not WORD's; 0: none. */
static uintptr_t find_other(struct span span, size_t word)
{
    for (uintptr_t at = span.first; at < span.end; at += sizeof(size_t))
        if (*(const size_t *)at != word)
            return at;
    return 0;
}

uintptr_t poison_broken(const struct heap_block *block, struct span span)
{
    struct span body = body_pages((struct span){block_start(block), block_end(block)}), part;

    for (part.first = span.first; part.first < span.end; part.first = part.end) {
        bool was_given_back;
        uintptr_t other;

        part.end = lower(round_down(part.first, PAGE_BYTES) + PAGE_BYTES, span.end);
        was_given_back = span_holds(body, part) && !span_holds(block_warm(block), part);
        other = find_other(part, was_given_back ? 0 : POISON_WORD);
        if (other != 0)
            return other;
    }
    return 0;
}

/* ---- everything ---- */

/* What a walk over the blocks found. */
struct tally {
    uint32_t used_blocks, free_blocks, warm_blocks, warm_pages;
    size_t used_bytes;
};

static bool is_in_room(const struct heap *heap, const struct heap_block *block)
{
    uintptr_t start = block_start(block);

    return start >= heap->room && start < heap->room_end && start % GRANULE == 0;
}

/* All of a free block's bytes that are real, but its head, are poison. */
static bool is_poisoned(const struct heap_block *block)
{
    struct span all = {block_start(block), block_end(block)}, body = body_pages(all);
    uintptr_t behind_head = all.first + HEAD_BYTES;

    if (span_is_empty(body))
        return poison_broken(block, (struct span){behind_head, all.end}) == 0;
    return poison_broken(block, (struct span){behind_head, body.first}) == 0 &&
           poison_broken(block, block->warm) == 0 &&
           poison_broken(block, (struct span){body.end, all.end}) == 0;
}

static const char *check_free(const struct heap_block *block, struct tally *tally)
{
    struct span warm = block_warm(block);

    if (block->previous != NULL && block_state(block->previous) == BLOCK_FREE)
        return "two neighbours are free (1)";
    tally->free_blocks++;
    if (!span_is_empty(warm)) {
        tally->warm_blocks++;
        tally->warm_pages += span_pages(warm);
        if (!span_holds(body_pages((struct span){block_start(block), block_end(block)}), warm) ||
            warm.first % PAGE_BYTES != 0 || warm.end % PAGE_BYTES != 0)
            return "the warm span is not of whole pages of the body (3)";
    }
    return CHECKED && !is_poisoned(block) ? "written to while it was free" : NULL;
}

static const char *check_used(const struct heap_block *block, struct tally *tally)
{
    tally->used_blocks++;
    tally->used_bytes += block_bytes(block);
    return CHECKED ? guard_broken(block) : NULL;
}

/* Walk from tag to tag. */
static const char *check_blocks(const struct heap *heap, struct tally *tally,
                                const struct heap_block **where)
{
    const struct heap_block *block = block_at(heap->room), *previous = NULL;

    for (; block != NULL; previous = block, block = block_next(heap, block)) {
        const char *broken = NULL;

        *where = block;
        if (block->previous != previous)
            return "the tag does not name the block before it (1)";
        if (block_bytes(block) < BLOCK_MIN || block_bytes(block) % GRANULE != 0 ||
            block_bytes(block) > heap->room_end - block_start(block))
            return "the tag's size can't be (1)";
        if (block_state(block) == BLOCK_FREE)
            broken = check_free(block, tally);
        else if (block_state(block) == BLOCK_USED)
            broken = check_used(block, tally);
        else
            broken = "the tag's state is none";
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

/* One free list, of class ROW, COLUMN. *COUNT grows by its length. */
static const char *check_list(const struct heap *heap, uint32_t row, uint32_t column,
                              uint32_t count_max, uint32_t *count, const struct heap_block **where)
{
    const struct heap_block *block = heap->lists[row][column], *previous = NULL;

    if ((block != NULL) != ((heap->columns[row] >> column & 1) != 0))
        return "a bit does not say whether its list is empty (2)";
    for (; block != NULL; previous = block, block = block->next_free) {
        struct size_class class;

        *where = block;
        if (!is_in_room(heap, block) || ++*count > count_max)
            return "a free list leads out of the heap, or is too long (2)";
        class = size_class_of(block_bytes(block));
        if (block_state(block) != BLOCK_FREE || class.row != row || class.column != column ||
            block->previous_free != previous)
            return "not of the free list it stands in (2)";
    }
    return NULL;
}

static const char *check_lists(const struct heap *heap, const struct tally *tally,
                               const struct heap_block **where)
{
    uint32_t count = 0;

    for (uint32_t row = 0; row < HEAP_ROWS; row++) {
        if ((heap->columns[row] != 0) != ((heap->rows >> row & 1) != 0))
            return "a bit does not say whether its row is empty (2)";
        for (uint32_t column = 0; column < HEAP_COLUMNS; column++) {
            const char *broken = check_list(heap, row, column, tally->free_blocks, &count, where);
            if (broken != NULL)
                return broken;
        }
    }
    return count == tally->free_blocks ? NULL : "a free block stands in no list (2)";
}

static const char *check_warm_list(const struct heap *heap, const struct tally *tally,
                                   const struct heap_block **where)
{
    const struct heap_block *block = heap->warm_oldest, *older = NULL;
    uint32_t count = 0;

    for (; block != NULL; older = block, block = block->newer) {
        *where = block;
        if (!is_in_room(heap, block) || ++count > tally->warm_blocks)
            return "the warm list leads out of the heap, or is too long (3)";
        if (block_state(block) != BLOCK_FREE || block->older != older ||
            span_is_empty(block_warm(block)))
            return "does not belong into the warm list (3)";
    }
    return count == tally->warm_blocks && older == heap->warm_newest
               ? NULL
               : "a block with warm pages is not in the warm list (3)";
}

const char *heap_check(const struct heap *heap, vaddr_t *where)
{
    const struct heap_block *block = NULL;
    struct tally tally = {0};
    const char *broken = check_blocks(heap, &tally, &block);

    if (broken == NULL)
        broken = check_lists(heap, &tally, &block);
    if (broken == NULL)
        broken = check_warm_list(heap, &tally, &block);
    if (broken == NULL &&
        (tally.used_blocks != heap->used_blocks || tally.used_bytes != heap->used_bytes ||
         tally.warm_pages != heap->warm_pages))
        broken = "the totals are not the sums";
    *where = pointer_to_vaddr(block);
    return broken;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. Private to the heap: what a block looks like, and spans of addresses.
 */
#ifndef MM_HEAP_BLOCK_H
#define MM_HEAP_BLOCK_H

#include <mm/heap.h>

/* The low three bits of a tag. 0 is what a page given back reads as, 5 is poison's. */
enum block_state { BLOCK_FREE = 2, BLOCK_USED = 4, BLOCK_POISONED = 5, BLOCK_STATE_MASK = 7 };

/* Addresses [first, end). Empty if end <= first. */
struct span {
    uintptr_t first, end;
};

/*
 *        used                                      free
 *       +----------------------------------+      +----------------------------------+
 *       | previous: the block before it    |      | previous                         |
 *       | tag: bytes of the block + USED   |      | tag: bytes of the block + FREE   |
 *       +----------------------------------+      +----------------------------------+
 *       | checked builds: struct guard     |      | links of its free list           |
 *       +----------------------------------+      | if 4 KiB or more: links of the   |
 *  ---> | what the caller asked for        |      | warm list, the warm span         |
 *       +----------------------------------+      +----------------------------------+ <- body
 *       | checked builds: red zone to end  |      | never read or written            |
 *       +----------------------------------+      +----------------------------------+
 */
struct heap_block {
    struct heap_block *previous; /* the one that ends where this one begins; NULL: the first */
    size_t tag;
    struct heap_block *next_free, *previous_free; /* in its list; NULL: none */
    struct heap_block *older, *newer;             /* in the warm list, if `warm` is not empty */
    struct span warm;                             /* whole pages of the body that are real */
};

#define HEADER_BYTES offsetof(struct heap_block, next_free)
#define GRANULE      HEADER_BYTES /* sizes and addresses of blocks are multiples of it */
#define BLOCK_MIN    offsetof(struct heap_block, older)
#define WARM_MIN     PAGE_BYTES /* smaller ones have no whole page in their body, and no `warm` */
#define HEAD_BYTES   sizeof(struct heap_block)

/* Between header and caller's bytes in checked builds. A multiple of GRANULE. */
struct guard {
    size_t bytes;       /* what the caller asked for */
    const void *caller; /* the owner's code */
    size_t zone[2];
};

#define GUARD_BYTES    (CHECKED ? sizeof(struct guard) : 0)
#define ZONE_BYTES     (CHECKED ? sizeof(size_t) : 0) /* at least, behind the caller's bytes */
#define OVERHEAD_BYTES (HEADER_BYTES + GUARD_BYTES)

#define FRESH_BYTE  0xCD /* allocated, not yet written */
#define POISON_BYTE 0xDD /* free */
#define ZONE_BYTE   0xFD /* nobody's, between the blocks */

_Static_assert(sizeof(struct guard) % GRANULE == 0, "guards keep the alignment");
_Static_assert(BLOCK_MIN % GRANULE == 0, "a block of any size can be free");
_Static_assert((POISON_BYTE & BLOCK_STATE_MASK) == BLOCK_POISONED, "a poisoned tag is known");

static inline uintptr_t round_down(uintptr_t value, uintptr_t unit)
{
    return value & ~(unit - 1);
}

static inline uintptr_t round_up(uintptr_t value, uintptr_t unit)
{
    return round_down(value + unit - 1, unit);
}

static inline uintptr_t lower(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

static inline uintptr_t higher(uintptr_t a, uintptr_t b)
{
    return a > b ? a : b;
}

static inline bool span_is_empty(struct span span)
{
    return span.end <= span.first;
}

static inline bool span_holds(struct span outer, struct span inner)
{
    return inner.first >= outer.first && inner.end <= outer.end;
}

static inline struct span span_common(struct span a, struct span b)
{
    return (struct span){higher(a.first, b.first), lower(a.end, b.end)};
}

static inline uint32_t span_pages(struct span span)
{
    return span_is_empty(span) ? 0 : (uint32_t)((span.end - span.first) / PAGE_BYTES);
}

static inline struct heap_block *block_at(uintptr_t address)
{
    return (struct heap_block *)address;
}

static inline uintptr_t block_start(const struct heap_block *block)
{
    return (uintptr_t)block;
}

static inline size_t block_bytes(const struct heap_block *block)
{
    return block->tag & ~(size_t)BLOCK_STATE_MASK;
}

static inline enum block_state block_state(const struct heap_block *block)
{
    return (enum block_state)(block->tag & BLOCK_STATE_MASK);
}

static inline uintptr_t block_end(const struct heap_block *block)
{
    return block_start(block) + block_bytes(block);
}

/* The block behind BLOCK; NULL: none. */
static inline struct heap_block *block_next(const struct heap *heap, const struct heap_block *block)
{
    uintptr_t end = block_end(block);

    return end == heap->room_end ? NULL : block_at(end);
}

static inline uintptr_t block_payload(const struct heap_block *block)
{
    return block_start(block) + OVERHEAD_BYTES;
}

/* The bytes of a used BLOCK that are the caller's: what was asked for, or more in plain builds. */
static inline size_t block_holds(const struct heap_block *block)
{
    if (CHECKED)
        return ((const struct guard *)(block_start(block) + HEADER_BYTES))->bytes;
    return block_bytes(block) - OVERHEAD_BYTES;
}

/* The whole pages behind the head of a free block [first, end): these need not be real. */
static inline struct span body_pages(struct span block)
{
    return (struct span){round_up(block.first + HEAD_BYTES, PAGE_BYTES),
                         round_down(block.end, PAGE_BYTES)};
}

static inline struct span block_warm(const struct heap_block *block)
{
    return block_bytes(block) < WARM_MIN ? (struct span){0, 0} : block->warm;
}

/* ---- the lists by size ---- */

struct size_class {
    uint32_t row, column;
};

enum { COLUMN_SHIFT = 4, ROW_0_BYTES = 128, ROW_0_SHIFT = 7, ROW_0_STEP = 8 };

_Static_assert(1 << COLUMN_SHIFT == HEAP_COLUMNS && ROW_0_STEP * HEAP_COLUMNS == ROW_0_BYTES &&
                   1 << ROW_0_SHIFT == ROW_0_BYTES,
               "row 0 goes up to where a row's sixteenth is a step");

static inline uint32_t highest_bit(size_t value)
{
    return 31 - (uint32_t)__builtin_clz((uint32_t)value);
}

/*
 * Below 128 bytes a column for each multiple of 8; from there on a row for each power of two and
 * in it a column for each sixteenth: the row is the exponent, the column the first bits after it.
 */
static inline struct size_class size_class_of(size_t bytes)
{
    uint32_t exponent;

    if (bytes < ROW_0_BYTES)
        return (struct size_class){0, (uint32_t)bytes / ROW_0_STEP};
    exponent = highest_bit(bytes);
    return (struct size_class){exponent - ROW_0_SHIFT + 1,
                               (uint32_t)(bytes >> (exponent - COLUMN_SHIFT)) - HEAP_COLUMNS};
}

/* ---- checked builds: red zones and poison (heap_check.c); nothing in plain ones ---- */

/* BLOCK now holds BYTES bytes for CALLER, of which the first KEPT are the caller's already. */
void guard_set(struct heap_block *block, size_t bytes, size_t kept, const void *caller);

/* The rule that a used BLOCK's surroundings break, in words; NULL: none. */
const char *guard_broken(const struct heap_block *block);

/* Print who owns the used BLOCK, as far as it can be trusted. */
void guard_describe(const struct heap_block *block);

/* The bytes of SPAN are free. */
void poison(struct span span);

/*
 * The first byte of SPAN, which lies behind the head of the free BLOCK, that was written to while
 * it was free: not poison, or not zero in a page that was given back. 0 if there is none.
 */
uintptr_t poison_broken(const struct heap_block *block, struct span span);

#endif

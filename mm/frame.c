/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. The frame allocator: a bitmap, a tree of summaries above it, a record per frame.
 *
 *   level 3   one word, a bit per 128 MiB      1 = something below is free
 *   level 2   a bit per 4 MiB
 *   level 1   a bit per 128 KiB
 *   level 0   a bit per frame                  1 = free
 *
 * 2^20 frames are 32^4: four bit scans lead to a free frame at any fill, and a word that becomes
 * empty or non-empty changes one bit above it.
 *
 * Bits are searched from 0 up, but the frames below 16 MiB are to be taken last. So bit numbers are
 * frame numbers turned by 4,096 (`low_frames`), as one turns a ring; with 64 MiB:
 *
 *   bit     0                                        12287   12288          16383
 *   frame   4096                                     16383       0           4095
 *           |<--------- 16 MiB and above ------------->|       |<-- the lowest ->|
 */
#include <mm/frame.h>

#include <arch/i386/page_ops.h>

struct frame_pool frame_pool;

const char *frame_kind_text(enum frame_kind kind)
{
    static const char *const text[FRAME_KINDS] = {
        "free", "reserved", "kernel", "directory", "table",  "anonymous",
        "file", "index",    "zero",   "swapped",   "packed", "slot",
    };
    return kind < FRAME_KINDS ? text[kind] : "?";
}

/* ---- bits ---- */

static inline uint32_t bit_of_frame(const struct frame_pool *pool, frame_t frame)
{
    uint32_t bit = frame.n - pool->low_frames;
    return frame.n < pool->low_frames ? bit + pool->frames : bit;
}

static inline frame_t frame_of_bit(const struct frame_pool *pool, uint32_t bit)
{
    uint32_t number = bit + pool->low_frames;
    return FRAME(number >= pool->frames ? number - pool->frames : number);
}

static inline bool bit_is_free(const struct frame_pool *pool, uint32_t bit)
{
    return (pool->level0[bit / 32] >> bit % 32 & 1) != 0;
}

/* *WORD, of one level, loses BIT. True: it is empty now, and the level above has to know. */
static inline bool word_clear(uint32_t *words, uint32_t bit)
{
    return (words[bit / 32] &= ~(1u << bit % 32)) == 0;
}

static void bit_clear(struct frame_pool *pool, uint32_t bit)
{
    if (word_clear(pool->level0, bit) && word_clear(pool->level1, bit >> 5) &&
        word_clear(pool->level2, bit >> 10))
        word_clear(pool->level3, bit >> 15);
}

/* *WORD gets BITS. True: it was empty, and the level above has to know. */
static inline bool word_set(uint32_t *word, uint32_t bits)
{
    uint32_t old = *word;
    *word = old | bits;
    return old == 0;
}

/* BITS of WORD, of level 0. */
static inline void bits_set(struct frame_pool *pool, uint32_t word, uint32_t bits)
{
    if (word_set(&pool->level0[word], bits) &&
        word_set(&pool->level1[word >> 5], 1u << word % 32) &&
        word_set(&pool->level2[word >> 10], 1u << (word >> 5) % 32))
        word_set(&pool->level3[0], 1u << (word >> 10) % 32);
}

static inline void bit_set(struct frame_pool *pool, uint32_t bit)
{
    bits_set(pool, bit / 32, 1u << bit % 32);
}

/* The bits of the COUNT frames from FIRST on, a word at a time. (Frame numbers that are multiples
 * of 32 have bits that are: low_frames and frames are.) */
static void run_set(struct frame_pool *pool, frame_t first, uint32_t count)
{
    for (uint32_t n = first.n, end = first.n + count, next; n < end; n = next) {
        next = (n | 31) + 1 < end ? (n | 31) + 1 : end;
        uint32_t bit = bit_of_frame(pool, FRAME(n));
        bits_set(pool, bit / 32, (~0u >> (32 - (next - n))) << bit % 32);
    }
}

/* ---- building ---- */

/* The records come last: those of swap slots follow them. */
uint32_t frame_pool_storage_bytes(uint32_t frames)
{
    return frames / 8 + frames * (uint32_t)sizeof(struct frame_record);
}

/* The numbers [first, frames) of POOL, whose records and bitmap are told, are reserved. */
static void begin_reserved(struct frame_pool *pool)
{
    uint32_t count = pool->frames - pool->first;
    pool->totals[FRAME_RESERVED] = count;
    for (uint32_t i = pool->first; i < pool->frames; i++)
        pool->records[i] = (struct frame_record){.kind = FRAME_RESERVED};
    words_fill(pool->level0, 0, count / 32);
}

void frame_pool_build(struct frame_pool *pool, void *storage, uint32_t frames)
{
    ASSERT(frames % 1024 == 0 && frames <= 0x100000, "frame pool of %u frames", frames);
    *pool = (struct frame_pool){.level0 = storage,
                                .records = (struct frame_record *)storage + frames / 64,
                                .frames = frames,
                                .numbers = frames,
                                .low_frames = frames > FRAME_DMA_LIMIT ? FRAME_DMA_LIMIT : 0,
                                .commit_limit = UINT64_MAX};
    begin_reserved(pool);
}

static inline void change_kind(struct frame_pool *pool, struct frame_record *record,
                               enum frame_kind kind)
{
    pool->totals[record->kind]--;
    pool->totals[kind]++;
    record->kind = (uint8_t)kind;
}

void frame_pool_add(struct frame_pool *pool, frame_t first, uint32_t count)
{
    uint32_t n = first.n, last = first.n + count;
    uint32_t end = last < n || last > pool->frames ? pool->frames : last;
    while (n < end) {
        uint32_t run = n;
        for (; n < end && pool->records[n].kind == FRAME_RESERVED; n++)
            pool->records[n].kind = FRAME_FREE;
        pool->totals[FRAME_RESERVED] -= n - run;
        pool->totals[FRAME_FREE] += n - run;
        run_set(pool, FRAME(run), n - run);
        while (n < end && pool->records[n].kind != FRAME_RESERVED)
            n++;
    }
}

void frame_pool_claim(struct frame_pool *pool, frame_t first, uint32_t count, enum frame_kind kind)
{
    for (uint32_t n = first.n; n - first.n < count && n < pool->frames; n++) {
        struct frame_record *record = &pool->records[n];
        if (record->kind == FRAME_FREE)
            bit_clear(pool, bit_of_frame(pool, FRAME(n)));
        change_kind(pool, record, kind);
        record->references = kind != FRAME_RESERVED;
    }
}

/* ---- allocating ---- */

/* The bit of *FRAME was just cleared. */
static inline void take(struct frame_pool *pool, frame_t frame, enum frame_kind kind)
{
    struct frame_record *record = &pool->records[frame.n];
    CHECK(record->kind == FRAME_FREE && record->references == 0,
          "frame %u is free in the bitmap, but its record says %s with %u references", frame.n,
          frame_kind_text((enum frame_kind)record->kind), record->references);
    pool->totals[FRAME_FREE]--;
    pool->totals[kind]++;
    *record = (struct frame_record){.references = 1, .kind = (uint8_t)kind};
}

static inline uint32_t lowest_bit(uint32_t word)
{
    return (uint32_t)__builtin_ctz(word);
}

/* *WORD loses its lowest bit. True: it is empty now. */
static inline bool loses_lowest(uint32_t *word)
{
    uint32_t left = *word & (*word - 1);
    *word = left;
    return left == 0;
}

/*
 * A free frame exists. Down the levels by one scan each: the bit found on one level is the number
 * of the word on the next. And up again, as long as a word empties. What the scans found is the
 * lowest bit of every word, so that no mask need be made to clear it.
 */
static inline void take_first(struct frame_pool *pool, enum frame_kind kind, frame_t *frame)
{
    uint32_t bit = lowest_bit(pool->level3[0]);
    bit = bit * 32 + lowest_bit(pool->level2[bit]);
    bit = bit * 32 + lowest_bit(pool->level1[bit]);
    bit = bit * 32 + lowest_bit(pool->level0[bit]);

    if (unlikely(loses_lowest(&pool->level0[bit >> 5])) &&
        unlikely(loses_lowest(&pool->level1[bit >> 10])) && loses_lowest(&pool->level2[bit >> 15]))
        loses_lowest(&pool->level3[0]);
    *frame = frame_of_bit(pool, bit);
    take(pool, *frame, kind);
}

enum kerr frame_alloc(struct frame_pool *pool, enum frame_kind kind, frame_t *frame)
{
    if (unlikely(pool->totals[FRAME_FREE] <= pool->set_aside))
        return KERR_NO_MEMORY;
    take_first(pool, kind, frame);
    return KERR_OK;
}

void frame_alloc_set_aside(struct frame_pool *pool, enum frame_kind kind, frame_t *frame)
{
    ASSERT(pool->set_aside > 0, "a frame is taken that was never set aside");
    pool->set_aside--;
    take_first(pool, kind, frame);
}

/* How many frames from FIRST on are not free before the first free one, or the other way round. */
static uint32_t run_length(const struct frame_pool *pool, uint32_t first, uint32_t end, bool free)
{
    uint32_t n = first;
    while (n < end) {
        uint32_t bit = bit_of_frame(pool, FRAME(n));
        uint32_t word = pool->level0[bit / 32];
        if (bit % 32 == 0 && end - n >= 32 && word == (free ? ~0u : 0u))
            n += 32;
        else if (bit_is_free(pool, bit) == free)
            n++;
        else
            break;
    }
    return n - first;
}

/* The lowest run of COUNT free frames in [from, end), aligned. */
static bool find_run(const struct frame_pool *pool, uint32_t from, uint32_t end, uint32_t count,
                     uint32_t align, uint32_t *run)
{
    uint32_t n = (from + align - 1) & ~(align - 1);
    while (n < end && end - n >= count) {
        uint32_t length = run_length(pool, n, n + count, true);
        if (length == count) {
            *run = n;
            return true;
        }
        n += length;
        n += run_length(pool, n, end, false);
        n = (n + align - 1) & ~(align - 1);
    }
    return false;
}

enum kerr frame_alloc_run(struct frame_pool *pool, enum frame_kind kind, uint32_t count,
                          uint32_t align, uint32_t limit, frame_t *first)
{
    ASSERT(count > 0 && align > 0 && (align & (align - 1)) == 0, "a run of %u frames aligned to %u",
           (unsigned)count, (unsigned)align);
    uint32_t end = limit == 0 || limit > pool->frames ? pool->frames : limit, run;
    if (count > frame_available(pool))
        return KERR_NO_MEMORY;
    /* Above the low frames, if it can be: they are for those who name a limit. */
    if (!find_run(pool, pool->low_frames, end, count, align, &run) &&
        !find_run(pool, pool->first, end, count, align, &run))
        return KERR_NO_MEMORY;
    for (uint32_t n = run; n < run + count; n++) {
        bit_clear(pool, bit_of_frame(pool, FRAME(n)));
        take(pool, FRAME(n), kind);
    }
    *first = FRAME(run);
    return KERR_OK;
}

/* The last reference is gone. */
static inline void release(struct frame_pool *pool, struct frame_record *record, frame_t frame)
{
    if (CHECKED && pool->on_free != NULL)
        pool->on_free(frame);
    pool->totals[record->kind]--;
    pool->totals[FRAME_FREE]++;
    *record = (struct frame_record){.kind = FRAME_FREE};
    bit_set(pool, bit_of_frame(pool, frame));
}

static inline bool kind_is_freeable(uint8_t kind)
{
    const uint32_t never =
        1u << FRAME_FREE | 1u << FRAME_RESERVED | 1u << FRAME_ZERO | 1u << FRAME_SLOT;
    return (never >> kind & 1) == 0;
}

void frame_free(struct frame_pool *pool, frame_t frame)
{
    ASSERT(frame.n < pool->frames, "free of frame %u: the pool ends at %u", frame.n, pool->frames);
    struct frame_record *record = &pool->records[frame.n];
    ASSERT(record->kind != FRAME_FREE, "double free of frame %u", frame.n);
    ASSERT(kind_is_freeable(record->kind), "free of frame %u, which is %s", frame.n,
           frame_kind_text((enum frame_kind)record->kind));
    ASSERT(record->references == 1, "free of frame %u, to which %u references exist", frame.n,
           record->references);
    release(pool, record, frame);
}

void frame_free_run(struct frame_pool *pool, frame_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        frame_free(pool, FRAME(first.n + i));
}

/* ---- references ---- */

/* Where the slots of all areas are. (One pool has slots: the kernel's.) */
static struct frame_pool *slot_pools[SLOT_POOLS_MAX];

static struct frame_pool *pool_of_slot(frame_t slot)
{
    for (uint32_t i = 0; i < SLOT_POOLS_MAX; i++)
        if (slot_pools[i] != NULL && slot.n >= slot_pools[i]->first &&
            slot.n < slot_pools[i]->frames)
            return slot_pools[i];
    panic("%u is no frame, and no slot of any swap area", slot.n);
}

static void release_slot(struct frame_record *record, frame_t slot)
{
    struct frame_pool *pool = pool_of_slot(slot);
    if (pool->on_drop != NULL)
        pool->on_drop(slot);
    release(pool, record, slot);
}

/* COUNT references are not all there are, or FRAME is of those that are never freed, or a slot. */
static __attribute__((noinline)) void put_unusual(struct frame_record *record, frame_t frame,
                                                  uint32_t count)
{
    ASSERT(record->references == count, "%u references of frame %u (%s) dropped, it has %u", count,
           frame.n, frame_kind_text((enum frame_kind)record->kind), record->references);
    ASSERT(record->kind != FRAME_SLOT || record->used_entries == 0,
           "slot %u, which keeps a table, loses its last reference", frame.n);
    if (record->kind == FRAME_SLOT)
        release_slot(record, frame);
    else
        ASSERT(count == 0, "the last reference of frame %u, which is %s", frame.n,
               frame_kind_text((enum frame_kind)record->kind));
}

void frame_put_last(struct frame_pool *pool, frame_t frame, uint32_t count)
{
    struct frame_record *record = frame_record(pool, frame);
    if (unlikely(record->references != count || !kind_is_freeable(record->kind)))
        put_unusual(record, frame, count);
    else
        release(pool, record, frame);
}

void frame_set_kind(struct frame_pool *pool, frame_t frame, enum frame_kind kind)
{
    struct frame_record *record = frame_record(pool, frame);
    ASSERT(record->references != 0 && kind != FRAME_FREE, "frame %u without owner is to become %s",
           frame.n, frame_kind_text(kind));
    change_kind(pool, record, kind);
}

/* ---- swap slots ---- */

struct frame_pool *frame_slots_pool(uint32_t i)
{
    return slot_pools[i];
}

uint32_t frame_slots_record_pages(void)
{
    uint32_t slots = 0;
    for (uint32_t i = 0; i < SLOT_POOLS_MAX; i++)
        slots += slot_pools[i] != NULL ? slot_pools[i]->frames - slot_pools[i]->first : 0;
    return slots / (uint32_t)(PAGE_BYTES / sizeof(struct frame_record));
}

bool frame_slots_find(const struct frame_pool *pool, uint32_t count, frame_t *first)
{
    uint32_t next = pool->frames;
    for (uint32_t i = 0; i < SLOT_POOLS_MAX; i++) {
        const struct frame_pool *slots = slot_pools[i];
        if (slots == NULL || slots->first >= next + count || slots->frames <= next)
            continue;
        next = slots->frames; /* in its way: once more from behind it */
        i = (uint32_t)-1;
    }
    *first = FRAME(next);
    return next + count <= FRAME_NUMBERS;
}

void frame_slots_begin(struct frame_pool *pool, struct frame_pool *slots, frame_t first,
                       uint32_t count, uint32_t *bitmap)
{
    uint32_t place = 0, end = first.n + count;
    ASSERT(first.n % 1024 == 0 && count % 1024 == 0 && first.n >= pool->frames &&
               end <= FRAME_NUMBERS,
           "%u slots from %u on", count, first.n);
    while (place < SLOT_POOLS_MAX && slot_pools[place] != NULL)
        place++;
    ASSERT(place < SLOT_POOLS_MAX, "more than %u pools of slots", SLOT_POOLS_MAX);
    *slots = (struct frame_pool){.level0 = bitmap,
                                 .records = pool->records,
                                 .first = first.n,
                                 .frames = end,
                                 .numbers = end,
                                 .low_frames = first.n,
                                 .commit_limit = UINT64_MAX};
    begin_reserved(slots);
    slot_pools[place] = slots;
    if (pool->numbers < end)
        pool->numbers = end;
}

void frame_slots_end(struct frame_pool *pool, struct frame_pool *slots)
{
    pool->numbers = pool->frames;
    for (uint32_t i = 0; i < SLOT_POOLS_MAX; i++) {
        if (slot_pools[i] == slots)
            slot_pools[i] = NULL;
        if (slot_pools[i] != NULL && slot_pools[i]->frames > pool->numbers)
            pool->numbers = slot_pools[i]->frames;
    }
}

/* ---- accounts ---- */

enum kerr frame_set_aside(struct frame_pool *pool, uint32_t count)
{
    if (count > frame_available(pool))
        return KERR_NO_MEMORY;
    pool->set_aside += count;
    return KERR_OK;
}

void frame_end_set_aside(struct frame_pool *pool, uint32_t count)
{
    ASSERT(pool->set_aside >= count, "%u frames are set aside, %u to be returned", pool->set_aside,
           count);
    pool->set_aside -= count;
}

void frame_limit_promises(struct frame_pool *pool, uint64_t limit, uint32_t reserve)
{
    pool->commit_limit = limit;
    pool->kernel_reserve = reserve;
}

/* ---- checking ---- */

/* The bits of SUMMARY say which of the WORDS words BELOW are not 0; those beyond are clear. */
static bool is_summary(const uint32_t *summary, uint32_t summary_words, const uint32_t *below,
                       uint32_t words)
{
    for (uint32_t i = 0; i < summary_words * 32; i++)
        if ((summary[i / 32] >> i % 32 & 1) != (i < words && below[i] != 0))
            return false;
    return true;
}

/* The 32 frames from FIRST on are free, by the bitmap and by their records: most of them are. */
static bool are_free(const struct frame_pool *pool, uint32_t first)
{
    _Static_assert(FRAME_FREE == 0, "kinds are OR-ed");
    uint32_t bits = 0;
    if (pool->level0[bit_of_frame(pool, FRAME(first)) / 32] != ~0u)
        return false;
    for (const struct frame_record *record = &pool->records[first];
         record < &pool->records[first + 32]; record++)
        bits |= record->references | record->kind;
    return bits == 0;
}

const char *frame_pool_check(struct frame_pool *pool)
{
    uint32_t totals[FRAME_KINDS] = {0};
    for (uint32_t n = pool->first; n < pool->frames; n++) {
        if (n % 32 == 0 && are_free(pool, n)) {
            totals[FRAME_FREE] += 32;
            n += 31;
            continue;
        }
        const struct frame_record *record = &pool->records[n];
        if (record->kind >= FRAME_KINDS)
            return "every frame has a kind";
        totals[record->kind]++;
        bool owned = record->kind != FRAME_FREE && record->kind != FRAME_RESERVED;
        if (owned != (record->references != 0))
            return "a frame has references if and only if it has an owner";
        if (bit_is_free(pool, bit_of_frame(pool, FRAME(n))) != (record->kind == FRAME_FREE))
            return "a frame is free in the bitmap if and only if its record says so";
    }
    for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
        if (totals[kind] != pool->totals[kind])
            return "the totals per kind are what a recount gives";
    if (!is_summary(pool->level1, ARRAY_LENGTH(pool->level1), pool->level0,
                    (pool->frames - pool->first) / 32) ||
        !is_summary(pool->level2, ARRAY_LENGTH(pool->level2), pool->level1, 1024) ||
        !is_summary(pool->level3, ARRAY_LENGTH(pool->level3), pool->level2, 32))
        return "a summary bit is set if and only if its word is not empty";
    if (pool->set_aside > pool->totals[FRAME_FREE])
        return "the frames set aside are free";
    return NULL;
}

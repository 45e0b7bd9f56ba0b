/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. Uses: layer 0. Used by: layers 2 and up.
 *
 * Physical frames: which are free, what the others hold, how many entries refer to each, and the
 * accounts of frames set aside and of frames promised. Works before paging is on; never maps or
 * touches the memory it hands out.
 *
 * The functions take the pool, so that a test can build a small one; the kernel has `frame_pool`.
 *
 * Swap slots are numbered behind the last frame, and have records like frames: an entry whose page is
 * out refers to its slot as it did to the frame, and whoever copies or drops entries need not know
 * which of the two a number is.
 *
 *     number  0 ........ frames-1 | frames ......... 2^20 - 1
 *             frame_pool          | a pool of slots for each swap area (frame_slots_begin())
 *             records: one array, as far as there are frames and areas
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include <kernel/boot_info.h>
#include <kernel/panic.h>

enum frame_kind {
    FRAME_FREE,
    FRAME_RESERVED,  /* not RAM, or RAM that the firmware keeps */
    FRAME_KERNEL,    /* image, frame table, boot information, BIOS data page */
    FRAME_DIRECTORY, /* page directory of a space */
    FRAME_TABLE,     /* page table */
    FRAME_ANONYMOUS, /* what was written into promised memory */
    FRAME_FILE,      /* a page of a file */
    FRAME_INDEX,     /* a level above the pages of an object (mm/object.h) */
    FRAME_ZERO,      /* the zero frame and the zero tables: never written, never freed */
    FRAME_SWAPPED,   /* promised memory again, but it is the page of a swap slot, too */
    FRAME_PACKED,    /* pages that are out, compressed (store/swap_ram.c) */
    FRAME_SLOT,      /* no frame: a swap slot that somebody refers to */
    FRAME_KINDS
};

/* One per frame: 8 bytes. */
struct frame_record {
    uint32_t references;   /* entries (and other owners) that refer to it; 0 = free or reserved */
    uint16_t used_entries; /* of a table, or of a slot that keeps one: entries that are not empty */
    uint8_t kind;          /* enum frame_kind */
    /* Of a frame: the audit's while it runs (or that of `forest`), else 0. Of a slot: nobody will ask
     * for its table, and it is to be given back. */
    uint8_t mark;
};

struct frame_pool {
    struct frame_record *records;                 /* [frames] */
    uint32_t *level0;                             /* a bit a frame, 1 = free */
    uint32_t level1[1024], level2[32], level3[1]; /* a bit a word of the level below: 1 = not 0 */
    uint32_t first;                               /* 0, but for a pool of slots; */
    uint32_t frames;     /* frames first .. frames-1 are managed; both are multiples of 1024 */
    uint32_t low_frames; /* searched from here on, and those below last: low addresses are rare */
    uint32_t numbers;    /* frames, or slots behind them, have numbers below this one */
    uint32_t totals[FRAME_KINDS];
    void (*on_free)(frame_t frame); /* checked builds: called before a frame becomes free */
    void (*on_drop)(frame_t slot);  /* of slots: the same, in all builds; or NULL */
    uint32_t set_aside;             /* free frames that frame_alloc() may not take */
    uint64_t committed;             /* frames promised to programs, there or not */
    uint64_t commit_limit;          /* these and the kernel's own together; UINT64_MAX: none */
    uint32_t kernel_frames;         /* the kernel's own, that it took and may give back */
    uint32_t kernel_reserve;        /* of the limit, for the kernel alone */
};

extern struct frame_pool frame_pool;

/* "free", "table", ... Never NULL. */
const char *frame_kind_text(enum frame_kind kind);

/* ---- building ---- */

/* Bytes of storage for a pool of FRAMES frames (a multiple of 1024), at any word alignment. */
uint32_t frame_pool_storage_bytes(uint32_t frames);

/* Build POOL over STORAGE, which may hold anything; every frame is RESERVED at first. */
void frame_pool_build(struct frame_pool *pool, void *storage, uint32_t frames);

/* Give the RESERVED frames of [first, first+count) to the pool; others are left as they are. */
void frame_pool_add(struct frame_pool *pool, frame_t first, uint32_t count);

/*
 * Set the kind of [first, first+count) while the pool is being built: takes FREE frames out of the
 * free ones (with one reference, unless RESERVED). Frames beyond the pool are ignored.
 */
void frame_pool_claim(struct frame_pool *pool, frame_t first, uint32_t count, enum frame_kind kind);

/* ---- allocating ---- */

/*
 * Take a free frame, with one reference. Four bit scans at any fill. Frames at or above 16 MiB
 * come first. Contents: whatever the last owner left.
 *   returns KERR_OK, KERR_NO_MEMORY (none is free but what is set aside)
 */
kerr_t frame_alloc(struct frame_pool *pool, enum frame_kind kind, frame_t *frame);

/* The same from what frame_set_aside() put away; never fails. The count set aside falls by 1. */
void frame_alloc_set_aside(struct frame_pool *pool, enum frame_kind kind, frame_t *frame);

/*
 * Take COUNT (>= 1) contiguous frames, the first a multiple of ALIGN frames (a power of two), all
 * below LIMIT (0: anywhere); one reference each. ISA DMA: FRAME_DMA_LIMIT. Large page: 1024, 1024.
 *   returns KERR_OK, KERR_NO_MEMORY (no such run is free, or it would break into what is set aside)
 */
kerr_t frame_alloc_run(struct frame_pool *pool, enum frame_kind kind, uint32_t count,
                       uint32_t align, uint32_t limit, frame_t *first);

#define FRAME_DMA_LIMIT 0x1000u /* frames below 16 MiB: what an ISA DMA controller reaches */

/* Give back a frame that has exactly one reference, the caller's. Panics on a double free. */
void frame_free(struct frame_pool *pool, frame_t frame);
void frame_free_run(struct frame_pool *pool, frame_t first, uint32_t count);

/* ---- references ---- */

/* The record of FRAME, which the pool manages. */
static inline struct frame_record *frame_record(struct frame_pool *pool, frame_t frame)
{
    CHECK(frame.n < pool->numbers, "%u is no frame and no slot: these end at %u", frame.n,
          pool->numbers);
    return &pool->records[frame.n];
}

/*
 * For a walk that may meet a frame many times and wants it once: mark it (MARKED), and in a second
 * walk over the same way take the mark away.
 *   => true: it was not so before, this is the first visit of this walk
 */
static inline bool frame_visit(struct frame_record *record, bool marked)
{
    bool is_first = (record->mark != 0) != marked;
    record->mark = marked;
    return is_first;
}

static inline uint32_t frame_references(struct frame_pool *pool, frame_t frame)
{
    return frame_record(pool, frame)->references;
}

static inline enum frame_kind frame_kind(struct frame_pool *pool, frame_t frame)
{
    return (enum frame_kind)frame_record(pool, frame)->kind;
}

/*
 * COUNT entries more, or fewer, refer to FRAME. Whoever drops the last reference frees the frame.
 * Dropping more than there are panics, and so do references that wrap, or to a frame without owner.
 */
static inline void frame_get_many(struct frame_pool *pool, frame_t frame, uint32_t count)
{
    struct frame_record *record = frame_record(pool, frame);
    ASSERT(record->references != 0, "reference to frame %u, which nobody owns", frame.n);
    ASSERT(record->references + count >= count, "the references of frame %u wrap", frame.n);
    record->references += count;
}

void frame_put_last(struct frame_pool *pool, frame_t frame, uint32_t count);

static inline void frame_put_many(struct frame_pool *pool, frame_t frame, uint32_t count)
{
    struct frame_record *record = frame_record(pool, frame);
    if (likely(record->references > count))
        record->references -= count;
    else
        frame_put_last(pool, frame, count);
}

static inline void frame_get(struct frame_pool *pool, frame_t frame)
{
    struct frame_record *record = frame_record(pool, frame);
    uint32_t references = record->references + 1;
    if (unlikely(references <= 1))
        frame_get_many(pool, frame, 1); /* which panics */
    record->references = references;
}

static inline void frame_put(struct frame_pool *pool, frame_t frame)
{
    frame_put_many(pool, frame, 1);
}

/* Change what an allocated frame is said to hold; the totals follow. */
void frame_set_kind(struct frame_pool *pool, frame_t frame, enum frame_kind kind);

/* ---- swap slots ---- */

enum { SLOT_POOLS_MAX = 8 };

/* Numbers of frames and slots have 20 bits. */
#define FRAME_NUMBERS 0x100000u

/* NUMBER is a slot's: what an entry that is not present refers to may be one. */
static inline bool frame_is_slot(const struct frame_pool *pool, frame_t number)
{
    return number.n >= pool->frames;
}

/*
 * COUNT numbers (a multiple of 1024) behind the frames of POOL and behind all areas that have begun
 * become SLOTS, a pool of its own; all are RESERVED at first (frame_pool_add() frees them). Their
 * records must be there: those from records[slots->first] on. BITMAP has room for COUNT bits.
 * frame_put() of POOL gives slots back to their own pool.
 */
void frame_slots_begin(struct frame_pool *pool, struct frame_pool *slots, frame_t first,
                       uint32_t count, uint32_t *bitmap);
void frame_slots_end(struct frame_pool *pool, struct frame_pool *slots); /* none is in use */

/* Pool number I of slots, or NULL; I < SLOT_POOLS_MAX. */
struct frame_pool *frame_slots_pool(uint32_t i);

/* Pages that the records of all slots take. */
uint32_t frame_slots_record_pages(void);

/* The lowest number behind POOL's frames from which on COUNT numbers are no area's. False: none. */
bool frame_slots_find(const struct frame_pool *pool, uint32_t count, frame_t *first);

/* ---- accounts ---- */

/*
 * Put COUNT free frames away for frame_alloc_set_aside(): they stay free, but nobody else gets
 * them. Returns KERR_NO_MEMORY, nothing changed, if there are not so many.
 */
kerr_t frame_set_aside(struct frame_pool *pool, uint32_t count);
void frame_end_set_aside(struct frame_pool *pool, uint32_t count);

/* Free frames that frame_alloc() would hand out. */
static inline uint32_t frame_available(const struct frame_pool *pool)
{
    return pool->totals[FRAME_FREE] - pool->set_aside;
}

/*
 * The account of promises. What programs were promised and what the kernel took for its arrays and
 * its heap is counted, and kept below a limit if there is one: who asks first can rely on it.
 *   frame_can_commit   COUNT frames more may be promised
 *   frame_can_grow     the kernel may take COUNT frames more for itself
 * process/commit.c says what is charged, and why no touch of a promise fails below a limit.
 */
static inline bool frame_can_grow(const struct frame_pool *pool, uint32_t count)
{
    return pool->committed + pool->kernel_frames + count <= pool->commit_limit;
}

static inline bool frame_can_commit(const struct frame_pool *pool, uint32_t count)
{
    return pool->committed + pool->kernel_frames + pool->kernel_reserve + count <=
           pool->commit_limit;
}

/* There is a limit: what was promised is there. */
static inline bool frame_keeps_promises(const struct frame_pool *pool)
{
    return pool->commit_limit != UINT64_MAX;
}

/* COUNT frames are promised; nobody is asked. */
static inline void frame_commit(struct frame_pool *pool, uint32_t count)
{
    pool->committed += count;
}

static inline void frame_uncommit(struct frame_pool *pool, uint32_t count)
{
    ASSERT(pool->committed >= count, "%u promised frames are given back, more than there are",
           (unsigned)count);
    pool->committed -= count;
}

/* What is promised to somebody changes by CHANGE: both of the above in one, with no branch. */
static inline void frame_change_commit(struct frame_pool *pool, int32_t change)
{
    pool->committed += (uint64_t)(int64_t)change;
    ASSERT((int64_t)pool->committed >= 0, "%u promised frames are given back, more than there are",
           0u - (unsigned)change);
}

/* From now on promises and the kernel's own frames stay within LIMIT, RESERVE of it the kernel's. */
void frame_limit_promises(struct frame_pool *pool, uint64_t limit, uint32_t reserve);

/* ---- checking ---- */

/* Recount bits, summaries, kinds and totals. Returns NULL, or the sentence that is not true. */
const char *frame_pool_check(struct frame_pool *pool);

/* ---- what boot left in RAM (frame_map.c) ---- */

/* Frames that were claimed at boot, one reference each, and have an owner for good. */
struct frame_claim {
    const char *name; /* "kernel image" */
    frame_t first;
    uint32_t count;
    enum frame_kind kind; /* of those that were free; layer 2 says more of some */
};

/* The table of them; COUNT is its length. */
const struct frame_claim *frame_claims(uint32_t *count);

/* The file claimed from FIRST on has an owner now that counts its references: the claim ends. */
void frame_end_claim_of_file(frame_t first);

/* ---- the firmware's memory map (frame_map.c) ---- */

/* The end of available RAM below 4 GiB, in frames, rounded up to 1024 (at most 2^20); 0: none. */
uint32_t memory_map_frames(const struct memory_range *ranges, uint32_t count);

/* Whole MiB of available RAM at or above 4 GiB: left alone. */
uint32_t memory_map_mib_above(const struct memory_range *ranges, uint32_t count);

/*
 * Give POOL the frames that lie wholly in available ranges and touch no other range: where a map
 * contradicts itself, the answer is "not RAM". Ranges may be unsorted, empty, overlapping, odd.
 */
void memory_map_apply(struct frame_pool *pool, const struct memory_range *ranges, uint32_t count);

/*
 * The lowest run of PAGES frames at or above the image that lies in one available range of the map
 * and touches nothing in BLOCKED (COUNT ranges). Needs no pool: this is where the pool's storage
 * goes.
 *   returns KERR_NO_MEMORY if there is none
 */
kerr_t memory_map_find(const struct memory_range *ranges, uint32_t count,
                       const struct memory_range *blocked, uint32_t blocked_count, uint32_t pages,
                       frame_t *first);

#endif

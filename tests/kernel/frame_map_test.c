/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. Tests of what is made of the firmware's memory map.
 *
 * Each map is judged frame by frame against the rule in its plainest form: a frame is RAM if one
 * available range holds all of it and no other kind of range touches any byte of it. Maps are
 * drawn to a pool of 4 MiB; what lies above it must not matter.
 */
#include <kernel/early.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/frame.h>

enum {
    FRAMES = 1024,
    STORAGE_WORDS = 2 * FRAMES + FRAMES / 32 + 8,
    AVAILABLE = MEMORY_AVAILABLE,
    RESERVED = 2,
    IMAGE_FRAME = KERNEL_LOAD_ADDRESS / PAGE_BYTES, /* nothing is looked for below it */
    NONE = 0x7FFFFFFF,
};

#define KIB       1024ull
#define MIB       0x100000ull
#define GIB_4     0x100000000ull
#define FAR_ABOVE (GIB_4 * PAGE_BYTES) /* 16 TiB */

static uint32_t *const storage = (void *)test_scratch;
_Static_assert(STORAGE_WORDS * sizeof(*storage) <= TEST_SCRATCH_BYTES, "it fits");
static struct frame_pool pool;

/* ---- the rule ---- */

/* The last byte of RANGE, which is not empty; a range that wraps reaches to the end. */
static uint64_t last_byte(const struct memory_range *range)
{
    uint64_t last = range->base + (range->bytes - 1);
    return last < range->base ? UINT64_MAX : last;
}

static bool holds_frame(const struct memory_range *range, uint32_t n)
{
    uint64_t first = (uint64_t)n * PAGE_BYTES;
    return range->bytes != 0 && range->base <= first && last_byte(range) >= first + PAGE_BYTES - 1;
}

static bool touches_frame(const struct memory_range *range, uint32_t n)
{
    uint64_t first = (uint64_t)n * PAGE_BYTES;
    return range->bytes != 0 && range->base <= first + PAGE_BYTES - 1 && last_byte(range) >= first;
}

static bool is_ram(const struct memory_range *map, uint32_t count, uint32_t n)
{
    bool held = false;
    for (uint32_t i = 0; i < count; i++) {
        if (map[i].type != AVAILABLE && touches_frame(&map[i], n))
            return false;
        held = held || (map[i].type == AVAILABLE && holds_frame(&map[i], n));
    }
    return held;
}

/* ---- a map becomes a pool ---- */

static void build_pool(const struct memory_range *map, uint32_t count)
{
    ASSERT(frame_pool_storage_bytes(FRAMES) <= STORAGE_WORDS * sizeof(*storage),
           "storage for the pool of a map");
    frame_pool_build(&pool, storage, FRAMES);
    memory_map_apply(&pool, map, count);
}

/* The pool of MAP obeys the rule, and has as many free frames as the test says. */
static void expect_free(const struct memory_range *map, uint32_t count, uint32_t frames)
{
    const char *broken;
    build_pool(map, count);
    broken = frame_pool_check(&pool);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    for (uint32_t n = 0; n < FRAMES; n++)
        EXPECT_EQUAL(frame_kind(&pool, FRAME(n)),
                     is_ram(map, count, n) ? FRAME_FREE : FRAME_RESERVED);
    EXPECT_EQUAL(pool.totals[FRAME_FREE], frames);
}

#define EXPECT_FREE(map, frames) expect_free(map, ARRAY_LENGTH(map), frames)

TEST("frame_map", "an ordinary map: its available frames are free, the hole is not")
{
    static const struct memory_range map[] = {
        {0, 0x9FC00, AVAILABLE},
        {0x9FC00, 0x400, RESERVED},
        {0xF0000, 0x10000, RESERVED},
        {MIB, 3 * MIB, AVAILABLE},
    };
    EXPECT_FREE(map, 0x9F + 768);
    EXPECT_EQUAL(memory_map_frames(map, ARRAY_LENGTH(map)), 1024);
}

TEST("frame_map", "the same, unsorted: makes the same pool")
{
    static const struct memory_range map[] = {
        {MIB, 3 * MIB, AVAILABLE},
        {0xF0000, 0x10000, RESERVED},
        {0x9FC00, 0x400, RESERVED},
        {0, 0x9FC00, AVAILABLE},
    };
    EXPECT_FREE(map, 0x9F + 768);
    EXPECT_EQUAL(memory_map_frames(map, ARRAY_LENGTH(map)), 1024);
}

TEST("frame_map", "no range at all, or none available: no RAM")
{
    static const struct memory_range map[] = {{0, 4 * MIB, RESERVED}, {0, 0, AVAILABLE}};
    EXPECT_FREE(map, 0);
    expect_free(map, 0, 0);
    EXPECT_EQUAL(memory_map_frames(map, ARRAY_LENGTH(map)), 0);
    EXPECT_EQUAL(memory_map_frames(map, 0), 0);
}

TEST("frame_map", "reserved over available, whichever comes first: is not RAM")
{
    static const struct memory_range map[] = {
        {2 * MIB, 4 * KIB, 7},
        {1 * MIB, 3 * MIB, AVAILABLE},
        {3 * MIB + 100, 1, RESERVED}, /* one byte costs its frame */
    };
    EXPECT_FREE(map, 768 - 2);
}

TEST("frame_map", "available over reserved: is not RAM where both claim")
{
    static const struct memory_range map[] = {
        {1 * MIB, 2 * MIB, RESERVED},
        {2 * MIB, 2 * MIB, AVAILABLE},
    };
    EXPECT_FREE(map, 256);
}

TEST("frame_map", "available ranges that overlap: each frame counts once")
{
    static const struct memory_range map[] = {
        {1 * MIB, 2 * MIB, AVAILABLE},
        {2 * MIB, 2 * MIB, AVAILABLE},
        {1 * MIB + 4 * KIB, 4 * KIB, AVAILABLE},
        {1 * MIB, 2 * MIB, AVAILABLE},
    };
    EXPECT_FREE(map, 768);
}

TEST("frame_map", "empty ranges, wherever: neither give nor take")
{
    static const struct memory_range map[] = {
        {0, 0, RESERVED},           {2 * MIB, 0, RESERVED},  {2 * MIB + 5, 0, RESERVED},
        {1 * MIB, MIB, AVAILABLE},  {1 * MIB + 77, 0, 0},    {UINT64_MAX, 0, RESERVED},
        {UINT64_MAX, 0, AVAILABLE}, {4 * MIB, 0, AVAILABLE}, {2 * MIB, MIB, AVAILABLE},
        {GIB_4, 0, AVAILABLE},
    };
    EXPECT_FREE(map, 512);
    EXPECT_EQUAL(memory_map_frames(map, ARRAY_LENGTH(map)), 1024);
    EXPECT_EQUAL(memory_map_mib_above(map, ARRAY_LENGTH(map)), 0);
}

TEST("frame_map", "odd bases and sizes: available is rounded inward, reserved outward")
{
    static const struct memory_range map[] = {
        {1 * MIB + 1, 3 * PAGE_BYTES, AVAILABLE},    /* two whole frames */
        {2 * MIB + 1, PAGE_BYTES, AVAILABLE},        /* none */
        {2 * MIB + 8 * KIB, 4095, AVAILABLE},        /* none */
        {2 * MIB + 100 * KIB, 1, AVAILABLE},         /* none */
        {3 * MIB, 10 * PAGE_BYTES, AVAILABLE},       /* ten ... */
        {3 * MIB + 2 * PAGE_BYTES - 1, 2, RESERVED}, /* ... but for two */
    };
    EXPECT_FREE(map, 2 + 8);
    EXPECT_EQUAL(memory_map_frames(map, 1), 1024);
    EXPECT_EQUAL(memory_map_frames(map + 1, 3), 0);
}

TEST("frame_map", "a frame split between two available ranges: is not RAM")
{
    static const struct memory_range map[] = {
        {1 * MIB, 64 * KIB + 100, AVAILABLE},
        {1 * MIB + 64 * KIB + 100, 64 * KIB - 100, AVAILABLE},
    };
    EXPECT_FREE(map, 31);
}

TEST("frame_map", "ranges across and above 4 GiB: the part below counts, the rest is told")
{
    static const struct memory_range map[] = {
        {1 * MIB, MIB, AVAILABLE},
        {GIB_4 - 8 * MIB, 24 * MIB, AVAILABLE},
        {GIB_4 + 1024 * MIB, 512 * MIB, AVAILABLE},
        {2 * GIB_4, GIB_4, RESERVED},
        {FAR_ABOVE + MIB, MIB, RESERVED}, /* frame numbers of more than 32 bits */
        {FAR_ABOVE + 2 * MIB, MIB, AVAILABLE},
    };
    EXPECT_FREE(map, 256);
    EXPECT_EQUAL(memory_map_frames(map, ARRAY_LENGTH(map)), 0x100000);
    EXPECT_EQUAL(memory_map_mib_above(map, ARRAY_LENGTH(map)), 16 + 512 + 1);
    EXPECT_EQUAL(memory_map_mib_above(map, 1), 0);
}

TEST("frame_map", "RAM that ends at 4 GiB, or begins there: nothing is cut to 0")
{
    static const struct memory_range ends[] = {{GIB_4 - 4 * KIB, 4 * KIB, AVAILABLE}};
    static const struct memory_range begins[] = {{GIB_4, 4 * MIB, AVAILABLE}};
    EXPECT_FREE(ends, 0);
    EXPECT_EQUAL(memory_map_frames(ends, 1), 0x100000);
    EXPECT_EQUAL(memory_map_mib_above(ends, 1), 0);
    EXPECT_FREE(begins, 0);
    EXPECT_EQUAL(memory_map_frames(begins, 1), 0);
    EXPECT_EQUAL(memory_map_mib_above(begins, 1), 4);
}

TEST("frame_map", "ranges that wrap at 2^64: reach to its end, and nothing at 0 is touched")
{
    static const struct memory_range map[] = {
        {0, MIB, AVAILABLE},
        {UINT64_MAX - 4095, 8 * KIB, RESERVED},
        {UINT64_MAX - 4095, 8 * KIB, AVAILABLE},
        {UINT64_MAX, UINT64_MAX, AVAILABLE},
        {UINT64_MAX, 1, AVAILABLE},
        {3 * MIB, UINT64_MAX, RESERVED},
        {2 * MIB, UINT64_MAX, AVAILABLE},
    };
    EXPECT_FREE(map, 256 + 256);
}

TEST("frame_map", "a map that ends in a hole: the pool ends with RAM, rounded up to 4 MiB")
{
    static const struct memory_range map[] = {
        {1 * MIB, 4 * MIB, AVAILABLE},
        {16 * MIB, 16 * MIB, RESERVED},
        {GIB_4 - 64 * KIB, 64 * KIB, RESERVED},
    };
    EXPECT_EQUAL(memory_map_frames(map, ARRAY_LENGTH(map)), 2048);
    EXPECT_FREE(map, 768);
}

/* ---- a place for the pool's storage ---- */

struct find_case {
    struct memory_range blocked[3];
    uint32_t pages;
    uint32_t first; /* NONE: there is no place */
};

/* 640 KiB, and 1 MiB to 3 MiB without a frame in the middle. Unsorted, on purpose. */
static const struct memory_range find_map[] = {
    {2 * MIB, MIB, AVAILABLE},
    {1 * MIB, MIB - 4 * KIB, AVAILABLE},
    {2 * MIB - 4 * KIB, 4 * KIB, RESERVED},
    {0, 640 * KIB, AVAILABLE},
};

static void try_find(const struct find_case *c)
{
    frame_t first = FRAME(NONE);
    enum kerr error = memory_map_find(find_map, ARRAY_LENGTH(find_map), c->blocked,
                                      ARRAY_LENGTH(c->blocked), c->pages, &first);
    EXPECT_EQUAL(error, c->first == NONE ? KERR_NO_MEMORY : KERR_OK);
    EXPECT_EQUAL(first.n, c->first);
}

TEST("frame_map", "a place for the storage: the lowest that fits, behind what is blocked")
{
    static const struct find_case cases[] = {
        {{{0, 0, 0}}, 1, 256},
        {{{0, 0, 0}}, 255, 256},
        {{{0, 0, 0}}, 256, 512}, /* the frame that is reserved lies in the way */
        {{{1 * MIB, 100 * KIB, 0}}, 230, 256 + 25},
        {{{1 * MIB, 100 * KIB + 1, 0}}, 229, 256 + 26},
        {{{1 * MIB + 100 * KIB, 1, 0}}, 25, 256},
        {{{1 * MIB + 100 * KIB, 1, 0}}, 26, 256 + 26},
        {{{2 * MIB + 8 * KIB, 0, 0}}, 256, 512}, /* what is empty is not in the way */
        {{{1 * MIB + 60 * KIB, 4 * KIB, 0}, {1 * MIB, 4 * KIB, 0}, {1 * MIB, 8 * KIB, 0}}, 13, 258},
        {{{1 * MIB, MIB, 0}, {2 * MIB, 4 * KIB, 0}, {3 * MIB - 1, 1, 0}}, 254, 513},
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++)
        try_find(&cases[i]);
}

TEST("frame_map", "no place for the storage: KERR_NO_MEMORY")
{
    static const struct find_case cases[] = {
        {{{0, 0, 0}}, 257, NONE},
        {{{0, 0, 0}}, UINT32_MAX, NONE},
        {{{0, 4 * MIB, 0}}, 1, NONE},
        {{{0, UINT64_MAX, 0}}, 1, NONE},
        {{{1 * MIB, MIB, 0}, {2 * MIB, MIB, 0}, {0, 0, 0}}, 1, NONE},
        {{{1 * MIB, MIB, 0}, {2 * MIB, 4 * KIB, 0}, {3 * MIB - 1, 1, 0}}, 255, NONE},
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++)
        try_find(&cases[i]);
}

/* ---- random maps ---- */

enum { RANDOM_RANGES = 8, RANDOM_BLOCKED = 3 };

static uint32_t random_state;

/* Most lie in the first 4 MiB, half of them page-aligned; some far above or across 4 GiB. */
static struct memory_range random_range(void)
{
    struct memory_range range = {.type =
                                     test_random(&random_state) % 3 == 0 ? RESERVED : AVAILABLE};
    range.base = test_random(&random_state) % (4 * (uint32_t)MIB);
    range.bytes = test_random(&random_state) % (range.type == AVAILABLE ? 0x180000 : 0x10000);
    if (test_random(&random_state) % 2 == 0) {
        range.base &= ~(uint64_t)(PAGE_BYTES - 1);
        range.bytes &= ~(uint64_t)(PAGE_BYTES - 1);
    }
    switch (test_random(&random_state) % 16) {
    case 0:
        range.base += GIB_4 - 2 * MIB;
        break;
    case 1:
        range.base = UINT64_MAX - range.base;
        break;
    default:
        break;
    }
    return range;
}

/* The lowest run of PAGES frames inside one available range that nothing else touches. */
static uint32_t plain_find(const struct memory_range *map, const struct memory_range *blocked,
                           uint32_t pages)
{
    uint32_t best = NONE;
    for (uint32_t i = 0; i < RANDOM_RANGES; i++) {
        uint32_t length = 0;
        for (uint32_t n = IMAGE_FRAME; n < FRAMES && map[i].type == AVAILABLE; n++) {
            bool usable = frame_kind(&pool, FRAME(n)) == FRAME_FREE && holds_frame(&map[i], n);
            for (uint32_t b = 0; usable && b < RANDOM_BLOCKED; b++)
                usable = !touches_frame(&blocked[b], n);
            length = usable ? length + 1 : 0;
            if (length == pages && n + 1 - pages < best)
                best = n + 1 - pages;
        }
    }
    return best;
}

TEST("frame_map", "random maps: frames by the rule, places by trying all")
{
    struct memory_range map[RANDOM_RANGES], blocked[RANDOM_BLOCKED];
    random_state = 19741111;
    printk("# seed %u\n", random_state);

    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < RANDOM_RANGES; i++)
            map[i] = random_range();
        for (unsigned i = 0; i < RANDOM_BLOCKED; i++)
            blocked[i] = random_range();
        for (unsigned i = 0; i < RANDOM_BLOCKED; i++)
            blocked[i].type = RESERVED;
        build_pool(map, RANDOM_RANGES);
        for (uint32_t n = 0; n < FRAMES; n++)
            EXPECT_EQUAL(frame_kind(&pool, FRAME(n)) == FRAME_FREE, is_ram(map, RANDOM_RANGES, n));

        uint32_t pages = 1 + test_random(&random_state) % 100;
        uint32_t expected = plain_find(map, blocked, pages);
        frame_t first = FRAME(NONE);
        enum kerr error =
            memory_map_find(map, RANDOM_RANGES, blocked, RANDOM_BLOCKED, pages, &first);
        EXPECT_EQUAL(error == KERR_OK, first.n != NONE);
        if (expected != NONE || first.n + pages <= FRAMES) /* else it reaches above the pool */
            EXPECT_EQUAL(first.n, expected);
    }
}

/* ---- the map of this machine ---- */

static uint32_t borders[2 * BOOT_MEMORY_RANGES_MAX + 2];
static uint32_t border_count;

static void add_border(uint64_t frame)
{
    uint32_t n = frame < frame_pool.frames ? (uint32_t)frame : frame_pool.frames;
    uint32_t i = border_count++;
    for (; i > 0 && borders[i - 1] > n; i--)
        borders[i] = borders[i - 1];
    borders[i] = n;
}

/* From border to border every frame of the kernel's pool is RAM, or none is. */
static void find_borders(void)
{
    border_count = 0;
    add_border(0);
    add_border(frame_pool.frames);
    for (uint32_t i = 0; i < boot_info.memory_count; i++) {
        const struct memory_range *range = &boot_info.memory[i];
        bool inward = range->type == AVAILABLE;
        if (range->bytes == 0)
            continue;
        uint64_t last = last_byte(range);
        add_border((range->base >> PAGE_SHIFT) + (inward && range->base % PAGE_BYTES != 0));
        add_border((last >> PAGE_SHIFT) + (!inward || last % PAGE_BYTES == PAGE_BYTES - 1));
    }
}

/* What the loader put into memory is RAM, even if the map does not say so. */
static bool is_loaded(uint32_t n)
{
    uint32_t first = paddr_to_frame(image_to_paddr(image_start)).n;
    uint32_t end = paddr_to_frame(image_to_paddr(image_end)).n;
    enum frame_kind kind = frame_kind(&frame_pool, FRAME(n));
    paddr_t block = boot_info.information_start;
    if (n >= paddr_to_frame(block).n &&
        n <= paddr_to_frame(PADDR(block.v + boot_info.information_bytes - 1)).n)
        return kind != FRAME_FREE;
    return (n >= first && n < end && kind != FRAME_FREE) || kind == FRAME_FILE;
}

/* What the kernel draws on is no RAM, even if the map says so. */
static bool is_drawn_on(uint32_t n)
{
    uint32_t count;
    const struct frame_claim *claims = frame_claims(&count);
    for (uint32_t i = 0; i < count; i++)
        if (claims[i].kind == FRAME_RESERVED && n - claims[i].first.n < claims[i].count)
            return true;
    return false;
}

TEST("frame_map", "the map of this machine: the kernel's pool is what it says, to the frame")
{
    uint32_t ram = 0, wrong = 0;
    find_borders();
    for (uint32_t i = 0; i + 1 < border_count; i++) {
        if (borders[i] == borders[i + 1])
            continue;
        bool said = is_ram(boot_info.memory, boot_info.memory_count, borders[i]);
        for (uint32_t n = borders[i]; n < borders[i + 1]; n++) {
            bool found = frame_kind(&frame_pool, FRAME(n)) != FRAME_RESERVED;
            bool wanted = said && !is_drawn_on(n);
            ram += wanted || (found && is_loaded(n));
            wrong += found != wanted && !is_loaded(n);
        }
    }
    EXPECT_EQUAL(wrong, 0);
    EXPECT_EQUAL(frame_pool.frames - frame_pool.totals[FRAME_RESERVED], ram);
    EXPECT_EQUAL(memory_map_frames(boot_info.memory, boot_info.memory_count), frame_pool.frames);
}

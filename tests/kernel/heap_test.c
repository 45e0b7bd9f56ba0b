/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. Tests of the heap: the kernel's own, and small ones over a few of its pages, whose
 * backing counts frames and fails when it is told to.
 */
#include <kernel/fault.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/memlayout.h>

/* Page tables that the heap's room may keep, one for each slot of it. */
enum { HEAP_TABLES_MAX = HEAP_ROOM_BYTES / SLOT_BYTES };

static void expect_sound(void)
{
    vaddr_t where;
    const char *broken = heap_check(&kernel_heap, &where);

    if (broken == NULL)
        return;
    printk("# block " PRI_VADDR ": %s\n", ARG_VADDR(where), broken);
    test_fail(__FILE__, __LINE__, "the kernel heap is sound");
}

TEST_INVARIANT("the kernel heap is sound", NULL, expect_sound);

/* ---- a small heap ---- */

enum { SMALL_PAGES = 32 };

static struct heap small;
static void *small_room;
static bool small_is_real[SMALL_PAGES];
static uint32_t small_frames, small_frames_max;

static uint32_t small_page(vaddr_t page)
{
    return (page.v - (uint32_t)small.room) / PAGE_BYTES;
}

static enum kerr small_make_real(vaddr_t first, uint32_t pages)
{
    for (uint32_t i = small_page(first); pages > 0; i++, pages--) {
        ASSERT(i < SMALL_PAGES, "a page outside the small heap");
        if (small_is_real[i])
            continue;
        if (small_frames == small_frames_max)
            return KERR_NO_MEMORY;
        small_is_real[i] = true;
        small_frames++;
    }
    return KERR_OK;
}

static void small_discard(vaddr_t first, uint32_t pages)
{
    memset(vaddr_to_pointer(first), 0, pages * PAGE_BYTES);
    for (uint32_t i = small_page(first); pages > 0; i++, pages--) {
        ASSERT(i < SMALL_PAGES, "a page outside the small heap");
        small_frames -= small_is_real[i];
        small_is_real[i] = false;
    }
}

/* Build `small` over pages of the kernel heap. */
static bool small_build(void)
{
    static const struct heap_backing backing = {small_make_real, small_discard};

    if (kmalloc_aligned(SMALL_PAGES * PAGE_BYTES, PAGE_BYTES, &small_room) != KERR_OK)
        return false;
    memset(small_room, 0, SMALL_PAGES * PAGE_BYTES);
    memset(small_is_real, 0, sizeof small_is_real);
    small_frames = 0;
    small_frames_max = SMALL_PAGES;
    small.room = pointer_to_vaddr(small_room).v;
    return heap_build(&small, pointer_to_vaddr(small_room), SMALL_PAGES, &backing) == KERR_OK;
}

static bool small_is_sound(void)
{
    vaddr_t where;

    return heap_check(&small, &where) == NULL;
}

static void *small_allocate(size_t bytes)
{
    void *block = NULL;

    if (heap_allocate(&small, bytes, 1, NULL, &block) != KERR_OK)
        test_fail(__FILE__, __LINE__, "the small heap has room");
    return block;
}

static void small_end(void)
{
    EXPECT(small_is_sound());
    kfree(small_room);
}

/* The largest number of bytes that one block of `small` can have now. */
static size_t small_largest(void)
{
    size_t low = 0, high = SMALL_PAGES * PAGE_BYTES;
    void *block;

    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;

        if (heap_allocate(&small, middle, 1, NULL, &block) == KERR_OK) {
            heap_free(&small, block, NULL);
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

TEST("heap", "0 bytes, a crooked alignment, more than the room: refused, the result untouched")
{
    void *block = &small;

    EXPECT(kmalloc(0, &block) == KERR_BAD_VALUE);
    EXPECT(kmalloc_aligned(8, 0, &block) == KERR_BAD_VALUE);
    EXPECT(kmalloc_aligned(8, 24, &block) == KERR_BAD_VALUE);
    EXPECT(kmalloc(HEAP_ROOM_BYTES, &block) == KERR_NO_ROOM);
    EXPECT(kmalloc(SIZE_MAX, &block) == KERR_NO_ROOM);
    EXPECT(kmalloc_aligned(8, 0x80000000u, &block) == KERR_NO_ROOM);
    EXPECT(kmalloc_aligned(SIZE_MAX, 0x80000000u, &block) == KERR_NO_ROOM);
    EXPECT(krealloc(NULL, 0, &block) == KERR_BAD_VALUE);
    EXPECT(block == &small);
    kfree(NULL);
}

TEST("heap", "every size from 1 to 300 bytes: aligned to 8, apart from each other")
{
    enum { SIZES = 300 };
    static uint8_t *blocks[SIZES + 1];

    for (uint32_t bytes = 1; bytes <= SIZES; bytes++) {
        void *block;

        REQUIRE(kmalloc(bytes, &block) == KERR_OK);
        EXPECT_EQUAL(pointer_to_vaddr(block).v % 8, 0);
        memset(block, (int)bytes, bytes);
        blocks[bytes] = block;
    }
    for (uint32_t bytes = 1; bytes <= SIZES; bytes++) {
        for (uint32_t i = 0; i < bytes; i++)
            EXPECT_EQUAL(blocks[bytes][i], (uint8_t)bytes);
        kfree(blocks[bytes]);
    }
}

TEST("heap", "alignments from 1 byte to 1 MiB: kept, and the gap before is not lost")
{
    size_t used = kernel_heap.used_bytes;

    for (size_t alignment = 1; alignment <= 0x100000; alignment *= 2) {
        void *blocks[3];

        for (uint32_t i = 0; i < 3; i++) {
            REQUIRE(kmalloc_aligned(100 + i * 8, alignment, &blocks[i]) == KERR_OK);
            EXPECT_EQUAL(pointer_to_vaddr(blocks[i]).v & (alignment - 1), 0);
        }
        EXPECT(kernel_heap.used_bytes - used < 3 * 256);
        for (uint32_t i = 0; i < 3; i++)
            kfree(blocks[i]);
        expect_sound();
    }
}

TEST("heap", "memory written: was made real before, no fault is taken")
{
    uint32_t faults = fault_counters.total;
    void *blocks[20];

    for (uint32_t i = 0; i < 20; i++) {
        REQUIRE(kmalloc(1 + i * 3000, &blocks[i]) == KERR_OK);
        memset(blocks[i], 0x5A, 1 + i * 3000);
    }
    for (uint32_t i = 0; i < 20; i++)
        kfree(blocks[(i * 7) % 20]);
    EXPECT_EQUAL(fault_counters.total, faults);
}

TEST("heap", "all freed: the frames are back but for warm pages and page tables")
{
    enum { BLOCKS = 40, BLOCK_BYTES = 5000 };
    static void *blocks[BLOCKS];
    uint32_t tables = frame_pool.totals[FRAME_TABLE], anonymous, warm;

    heap_trim(&kernel_heap, 0);
    anonymous = frame_pool.totals[FRAME_ANONYMOUS];
    for (uint32_t i = 0; i < BLOCKS; i++)
        REQUIRE(kmalloc(BLOCK_BYTES, &blocks[i]) == KERR_OK);
    EXPECT(frame_pool.totals[FRAME_ANONYMOUS] >=
           anonymous + BLOCKS * BLOCK_BYTES / PAGE_BYTES - HEAP_WARM_PAGES);
    for (uint32_t i = 0; i < BLOCKS; i++) /* every other one first: holes, then one block */
        kfree(blocks[i * 2 % BLOCKS + (i >= BLOCKS / 2)]);
    warm = HEAP_WARM_PAGES + (uint32_t)(kernel_heap.used_bytes / PAGE_BYTES / 8);
    EXPECT(frame_pool.totals[FRAME_ANONYMOUS] <= anonymous + warm);
    EXPECT(frame_pool.totals[FRAME_TABLE] <= tables + HEAP_TABLES_MAX);
    heap_trim(&kernel_heap, 0);
    EXPECT_EQUAL(frame_pool.totals[FRAME_ANONYMOUS], anonymous);
}

TEST("heap", "a loop of kmalloc and kfree of a page: takes frames once")
{
    uint32_t free_frames = 0;

    for (uint32_t i = 0; i < 100; i++) {
        void *block;

        REQUIRE(kmalloc(PAGE_BYTES, &block) == KERR_OK);
        if (i == 0)
            free_frames = frame_pool.totals[FRAME_FREE];
        EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], free_frames);
        kfree(block);
        EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], free_frames);
    }
}

TEST("heap", "more than there are frames: refused, nothing lost, nothing kept")
{
    uint32_t free_frames, used = kernel_heap.used_blocks;
    void *block;

    heap_trim(&kernel_heap, 0);
    free_frames = frame_pool.totals[FRAME_FREE];
    if (free_frames > (HEAP_ROOM_BYTES - SLOT_BYTES) / PAGE_BYTES)
        SKIP("needs less than 252 MiB of free RAM");
    EXPECT(kmalloc((free_frames + 4) * PAGE_BYTES, &block) == KERR_NO_MEMORY);
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
    EXPECT(frame_pool.totals[FRAME_FREE] + HEAP_TABLES_MAX >= free_frames);
    expect_sound();
    REQUIRE(kmalloc(PAGE_BYTES, &block) == KERR_OK);
    kfree(block);
}

TEST("heap", "the room of 256 MiB: one block can have what nobody has, but for 64 KiB")
{
    void *block;

    if (frame_pool.totals[FRAME_FREE] < (HEAP_ROOM_BYTES + 2 * SLOT_BYTES) / PAGE_BYTES)
        SKIP("needs 264 MiB of free RAM");
    REQUIRE(kmalloc(HEAP_ROOM_BYTES - kernel_heap.used_bytes - 0x10000, &block) == KERR_OK);
    kfree(block);
}

TEST("heap", "krealloc: grows in place and elsewhere, shrinks, keeps what is there")
{
    uint8_t *bytes;
    void *first, *wall, *grown;

    REQUIRE(small_build());
    REQUIRE(heap_resize(&small, NULL, 100, NULL, &first) == KERR_OK);
    memset(first, 1, 100);
    REQUIRE(heap_resize(&small, first, 9000, NULL, &grown) == KERR_OK);
    EXPECT(grown == first); /* AA.... -> AAAA.. */
    memset((uint8_t *)first + 100, 2, 8900);
    wall = small_allocate(50);
    REQUIRE(heap_resize(&small, first, 20000, NULL, &grown) == KERR_OK);
    EXPECT(grown != first); /* AAAABB.... -> ....BBAAAAAA */
    bytes = grown;
    for (uint32_t i = 0; i < 9000; i++)
        EXPECT_EQUAL(bytes[i], i < 100 ? 1 : 2);
    REQUIRE(heap_resize(&small, grown, 50, NULL, &first) == KERR_OK);
    EXPECT(first == grown);
    EXPECT_EQUAL(bytes[49], 1);
    EXPECT(heap_resize(&small, first, SMALL_PAGES * PAGE_BYTES, NULL, &grown) == KERR_NO_ROOM);
    EXPECT(heap_resize(&small, first, 0, NULL, &grown) == KERR_BAD_VALUE);
    EXPECT_EQUAL(bytes[49], 1);
    EXPECT(small_is_sound());
    heap_free(&small, first, NULL);
    heap_free(&small, wall, NULL);
    EXPECT_EQUAL(small.used_blocks, 0);
    EXPECT_EQUAL(small.used_bytes, 0);
    small_end();
}

TEST("heap", "neighbours freed in any order: become one block again")
{
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    size_t largest;

    REQUIRE(small_build());
    largest = small_largest();
    for (uint32_t order = 0; order < 6; order++) {
        void *blocks[3]; /* AAABBBCCC..... */

        for (uint32_t i = 0; i < 3; i++)
            blocks[i] = small_allocate(6000);
        for (uint32_t i = 0; i < 3; i++) {
            heap_free(&small, blocks[orders[order][i]], NULL);
            EXPECT(small_is_sound());
        }
        EXPECT_EQUAL(small_largest(), largest);
    }
    small_end();
}

TEST("heap", "a hole that fits exactly: is found, though its size class is not searched first")
{
    size_t largest;
    void *block;

    REQUIRE(small_build());
    largest = small_largest();
    EXPECT(largest > SMALL_PAGES * PAGE_BYTES - 64);
    block = small_allocate(largest);
    EXPECT(heap_allocate(&small, 1, 1, NULL, &block) == KERR_NO_ROOM);
    EXPECT(small_is_sound());
    heap_free(&small, block, NULL);
    small_end();
}

/* Ask, by krealloc of KEPT or anew, for 40000 bytes with ever more frames. */
static void expect_refused_until_it_fits(void *kept, size_t alignment)
{
    enum kerr error;
    void *block = NULL;

    heap_trim(&small, 0);
    small_frames_max = small_frames;
    do {
        uint32_t before = small_frames;

        error = kept != NULL ? heap_resize(&small, kept, 40000, NULL, &block)
                             : heap_allocate(&small, 40000, alignment, NULL, &block);
        EXPECT(small_is_sound());
        if (error != KERR_OK) {
            EXPECT_EQUAL(error, KERR_NO_MEMORY);
            EXPECT_EQUAL(small_frames, before);
        }
        small_frames_max++;
    } while (error != KERR_OK && small_frames_max < 2 * SMALL_PAGES);
    EXPECT_EQUAL(error, KERR_OK);
    heap_free(&small, block, NULL);
    EXPECT(small_is_sound());
}

TEST("heap", "frame number 1, 2, 3, ... missing: refused and sound each time, until it succeeds")
{
    void *kept, *wall;

    REQUIRE(small_build());
    expect_refused_until_it_fits(NULL, 1);
    expect_refused_until_it_fits(NULL, PAGE_BYTES);
    small_frames_max = SMALL_PAGES;
    expect_refused_until_it_fits(small_allocate(100), 1); /* in place */
    small_frames_max = SMALL_PAGES;
    kept = small_allocate(100);
    wall = small_allocate(100);
    expect_refused_until_it_fits(kept, 1); /* elsewhere */
    heap_free(&small, wall, NULL);
    small_end();
}

TEST("heap", "no frame left but warm ones: they are given back and used")
{
    void *first, *wall, *second;

    REQUIRE(small_build());
    first = small_allocate(40000);
    wall = small_allocate(100);
    heap_free(&small, first, NULL); /* ......W..... with warm pages before the wall */
    EXPECT(small.warm_pages > 0);
    small_frames_max = small_frames + 4; /* too few without those */
    second = small_allocate(44000);      /* fits behind the wall only */
    EXPECT(second > wall);
    EXPECT(small_is_sound());
    heap_free(&small, second, NULL);
    heap_free(&small, wall, NULL);
    small_end();
}

TEST("heap", "tags, lists and totals overwritten: each is caught by the check")
{
    uint32_t *tag;
    void *block, *behind;

    REQUIRE(small_build());
    block = small_allocate(64);
    behind = small_allocate(64);
    for (uint32_t i = 0; i < 2; i++) { /* the two words of the tag at the start of the room */
        tag = (uint32_t *)small_room + i;
        *tag ^= 8;
        EXPECT(!small_is_sound());
        *tag ^= 8;
    }
    small.used_bytes += 8;
    EXPECT(!small_is_sound());
    small.used_bytes -= 8;
    small.rows ^= 1;
    EXPECT(!small_is_sound());
    small.rows ^= 1;
    heap_free(&small, block, NULL);
    tag = (uint32_t *)small_room + 2; /* its list link */
    *tag = pointer_to_vaddr(behind).v;
    EXPECT(!small_is_sound());
    *tag = 0;
    heap_free(&small, behind, NULL);
    small_end();
}

TEST("heap",
     "a byte beyond the end, and one written after free: caught by the check (checked build)")
{
    uint8_t *block;

    if (!CHECKED)
        SKIP("red zones and poison are in checked builds only");
    REQUIRE(small_build());
    block = small_allocate(61);
    block[61] ^= 1;
    EXPECT(!small_is_sound());
    block[61] ^= 1;
    block[-1] ^= 1;
    EXPECT(!small_is_sound());
    block[-1] ^= 1;
    heap_free(&small, block, NULL);
    EXPECT(small_is_sound());
    block[60] ^= 1;
    EXPECT(!small_is_sound());
    block[60] ^= 1;
    small_end();
}

/* ---- random ---- */

enum { LIVE = 500 };

struct live {
    uint8_t *block;
    uint32_t bytes;
};
static struct live *const live = (void *)test_scratch;
_Static_assert(LIVE * sizeof(*live) <= TEST_SCRATCH_BYTES, "they fit");

static uint32_t random_bytes(uint32_t *seed)
{
    static const uint32_t limits[] = {16, 64, 200, 1000, 9000};

    return 1 + test_random(seed) % limits[test_random(seed) % ARRAY_LENGTH(limits)];
}

/* The bytes of block I hold I, up to COUNT. */
static void expect_intact(uint32_t i, uint32_t count)
{
    for (uint32_t at = 0; at < count; at++)
        if (live[i].block[at] != (uint8_t)i) {
            test_fail(__FILE__, __LINE__, "a block holds what was written there");
            return;
        }
}

static void random_step(uint32_t *seed)
{
    uint32_t i = test_random(seed) % LIVE, bytes = random_bytes(seed);
    struct live *it = &live[i];
    void *block;

    if (it->block != NULL && test_random(seed) % 3 != 0) {
        expect_intact(i, it->bytes);
        kfree(it->block);
        it->block = NULL;
        return;
    }
    if (krealloc(it->block, bytes, &block) != KERR_OK)
        return; /* little RAM: what there was is still there */
    if (it->block == NULL)
        it->bytes = 0;
    it->block = block;
    expect_intact(i, bytes < it->bytes ? bytes : it->bytes);
    it->bytes = bytes;
    memset(block, (int)i, bytes);
}

TEST("heap", "50000 random kmalloc, krealloc and kfree: contents kept, sound throughout")
{
    uint32_t seed = 1204, used = kernel_heap.used_blocks;

    printk("# seed %u\n", (unsigned)seed);
    memset(live, 0, LIVE * sizeof(*live));
    for (uint32_t step = 0; step < 50000; step++) {
        random_step(&seed);
        if (step % 1000 == 0)
            expect_sound();
    }
    for (uint32_t i = 0; i < LIVE; i++) {
        if (live[i].block != NULL)
            expect_intact(i, live[i].bytes);
        kfree(live[i].block);
        live[i].block = NULL;
    }
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
}

/* ---- panics ---- */

static void *fresh_block(size_t bytes)
{
    void *block;

    ASSERT(kmalloc(bytes, &block) == KERR_OK, "a fresh kernel has %u bytes", (unsigned)bytes);
    return block;
}

/* "... it is free already (double free)" */
PANIC_TEST("heap-double-free")
{
    void *block = fresh_block(100);

    kfree(block);
    kfree(block);
}

/* "... (overrun)": of the red zone in checked builds, of the next tag in plain ones */
PANIC_TEST("heap-overrun")
{
    uint8_t *block = fresh_block(96), *next = fresh_block(96);

    memset(block, 1, 96 + sizeof(void *));
    kfree(block);
    kfree(next);
}

/* "... was written to ... (use after free)": checked builds only */
PANIC_TEST("heap-use-after-free")
{
    uint8_t *block = fresh_block(96);

    kfree(block);
    block[64] = 1;
    block = fresh_block(96);
    kfree(block);
}

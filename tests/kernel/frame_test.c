/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. Tests of the frame allocator: on pools over static storage (frame_testing.h), then on
 * the kernel's own.
 *
 * Invariant around every test of every unit: the pool's check finds nothing, what boot has laid
 * out stays as it is, and no directory is lost. The units of layers 1 and 2 give back every frame;
 * layers above may keep some for reuse.
 */
#include "frame_testing.h"

#include <kernel/early.h>
#include <kernel/printk.h>
#include <kernel/string.h>

/* ---- around every test ---- */

static uint32_t totals_before[FRAME_KINDS];

static void remember_totals(void)
{
    memcpy(totals_before, frame_pool.totals, sizeof(totals_before));
}

static bool is_exact(enum frame_kind kind)
{
    static const char *const units[] = {"frame", "frame_map", "paging", "directory"};
    if (kind != FRAME_FREE && kind != FRAME_TABLE && kind != FRAME_ANONYMOUS)
        return true;
    for (unsigned i = 0; i < ARRAY_LENGTH(units); i++)
        if (strcmp(test_unit(), units[i]) == 0)
            return true;
    return false;
}

static void check_frame_pool(void)
{
    const char *broken = frame_pool_check(&frame_pool);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++) {
        if (is_exact(kind) && frame_pool.totals[kind] != totals_before[kind]) {
            printk("# frames that are %s: %u before, %u now\n", frame_kind_text(kind),
                   totals_before[kind], frame_pool.totals[kind]);
            test_fail(__FILE__, __LINE__, "a test gives back what it takes");
        }
    }
}

TEST_INVARIANT("frames", remember_totals, check_frame_pool);

/* ---- small pools ---- */

TEST("frame", "a pool just built over garbage: every frame is reserved, none comes out")
{
    start_reserved(LARGE_FRAMES);
    EXPECT_EQUAL(test_pool.totals[FRAME_RESERVED], LARGE_FRAMES);
    EXPECT_EQUAL(alloc_number(&test_pool), NONE);
    expect_sound();
}

TEST("frame", "frames added twice, or with an owner: are left as they are")
{
    start_with_free(10, 20);
    frame_pool_claim(&test_pool, FRAME(12), 3, FRAME_KERNEL);
    frame_pool_add(&test_pool, FRAME(0), 40);
    EXPECT_EQUAL(test_pool.totals[FRAME_FREE], 37);
    EXPECT_EQUAL(test_pool.totals[FRAME_KERNEL], 3);
    EXPECT_EQUAL(frame_references(&test_pool, FRAME(13)), 1);
    expect_sound();
}

TEST("frame", "a claim beyond the end of the pool: claims up to the end")
{
    start_free(SMALL_FRAMES);
    frame_pool_claim(&test_pool, FRAME(SMALL_FRAMES - 2), 5, FRAME_FILE);
    frame_pool_claim(&test_pool, FRAME(SMALL_FRAMES + 7), 5, FRAME_FILE);
    frame_pool_claim(&test_pool, FRAME(0), 3, FRAME_RESERVED);
    frame_pool_add(&test_pool, FRAME(SMALL_FRAMES), 9);
    EXPECT_EQUAL(test_pool.totals[FRAME_FILE], 2);
    EXPECT_EQUAL(test_pool.totals[FRAME_RESERVED], 3);
    EXPECT_EQUAL(frame_references(&test_pool, FRAME(0)), 0);
    EXPECT_EQUAL(test_pool.totals[FRAME_FREE], SMALL_FRAMES - 5);
    expect_sound();
}

static void exhaust(uint32_t frames)
{
    start_free(frames);
    EXPECT_EQUAL(take_all(&test_pool), frames);
    EXPECT_EQUAL(test_pool.totals[FRAME_ANONYMOUS], frames);
    EXPECT_EQUAL(frame_available(&test_pool), 0);
    expect_sound();
    EXPECT_EQUAL(give_back_all(&test_pool), frames); /* so no frame came twice */
    EXPECT_EQUAL(test_pool.totals[FRAME_FREE], frames);
    expect_sound();
}

TEST("frame", "a pool of 1024 frames exhausted: each came once, and all go back")
{
    exhaust(SMALL_FRAMES);
}

TEST("frame", "a pool of 5120 frames exhausted: each came once, and all go back")
{
    exhaust(LARGE_FRAMES);
}

TEST("frame", "a frame allocated: has one reference, its kind, no used entries")
{
    frame_t frame;
    start_free(SMALL_FRAMES);
    test_pool.records[0].used_entries = 77; /* left by an owner before */
    REQUIRE(frame_alloc(&test_pool, FRAME_TABLE, &frame) == KERR_OK);
    EXPECT_EQUAL(frame.n, 0);
    EXPECT_EQUAL(frame_references(&test_pool, frame), 1);
    EXPECT_EQUAL(frame_kind(&test_pool, frame), FRAME_TABLE);
    EXPECT_EQUAL(frame_record(&test_pool, frame)->used_entries, 0);
    EXPECT_EQUAL(test_pool.totals[FRAME_TABLE], 1);
}

TEST("frame", "frames at or above 16 MiB: come before those below")
{
    start_free(LARGE_FRAMES);
    for (uint32_t i = FRAME_DMA_LIMIT; i < LARGE_FRAMES; i++)
        EXPECT_EQUAL(alloc_number(&test_pool), i);
    EXPECT_EQUAL(alloc_number(&test_pool), 0);
    EXPECT_EQUAL(alloc_number(&test_pool), 1);
    give_back(FRAME(LARGE_FRAMES - 1));
    EXPECT_EQUAL(alloc_number(&test_pool), LARGE_FRAMES - 1);
    EXPECT_EQUAL(alloc_number(&test_pool), 2);
}

TEST("frame", "one frame free, whichever it is: is found")
{
    start_free(LARGE_FRAMES);
    take_all(&test_pool);
    for (uint32_t n = 0; n < LARGE_FRAMES; n++) {
        give_back(FRAME(n));
        EXPECT_EQUAL(alloc_number(&test_pool), n);
    }
    expect_sound();
}

TEST("frame", "half full, every second frame free: those come, each once")
{
    start_free(LARGE_FRAMES);
    take_all(&test_pool);
    for (uint32_t n = 0; n < LARGE_FRAMES; n += 2)
        give_back(FRAME(n));
    expect_sound();
    for (uint32_t i = 0; i < LARGE_FRAMES / 2; i++)
        EXPECT_EQUAL(alloc_number(&test_pool) % 2, 0);
    EXPECT_EQUAL(alloc_number(&test_pool), NONE);
    EXPECT_EQUAL(give_back_all(&test_pool), LARGE_FRAMES);
}

TEST("frame", "99.9 % full: the few free ones come in the order of the search")
{
    static const uint32_t order[] = {4096, LARGE_FRAMES - 1, 0, 31, 4095};
    start_free(LARGE_FRAMES);
    take_all(&test_pool);
    for (unsigned i = 0; i < ARRAY_LENGTH(order); i++)
        give_back(FRAME(order[i]));
    expect_sound();
    for (unsigned i = 0; i < ARRAY_LENGTH(order); i++)
        EXPECT_EQUAL(alloc_number(&test_pool), order[i]);
    EXPECT_EQUAL(alloc_number(&test_pool), NONE);
}

/* ---- runs ---- */

struct run_case {
    uint32_t free_first, free_count;   /* what is free */
    uint32_t count, align, limit, run; /* what is asked, and the answer */
};

static void try_run(const struct run_case *c)
{
    frame_t first = FRAME(NONE);
    start_with_free(c->free_first, c->free_count);
    uint32_t before = fingerprint();
    enum kerr error = frame_alloc_run(&test_pool, FRAME_FILE, c->count, c->align, c->limit, &first);

    EXPECT_EQUAL(first.n, c->run);
    if (c->run == NONE) {
        EXPECT_EQUAL(error, KERR_NO_MEMORY);
        EXPECT_EQUAL(fingerprint(), before);
        return;
    }
    REQUIRE(error == KERR_OK);
    EXPECT_EQUAL(test_pool.totals[FRAME_FILE], c->count);
    for (uint32_t i = 0; i < c->count; i++)
        EXPECT_EQUAL(frame_kind(&test_pool, FRAME(c->run + i)), FRAME_FILE);
    expect_sound();
    frame_free_run(&test_pool, first, c->count);
    EXPECT_EQUAL(fingerprint(), before);
}

static void try_runs(const struct run_case *cases, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        try_run(&cases[i]);
}

TEST("frame", "runs across words: the first that fits, and not one frame more")
{
    static const struct run_case cases[] = {
        {20, 56, 1, 1, 0, 20},        {20, 56, 56, 1, 0, 20},     {20, 56, 57, 1, 0, NONE},
        {31, 2, 2, 1, 0, 31},         {0, 32, 33, 1, 0, NONE},    {0, 5120, 5120, 1, 0, 0},
        {1, 5119, 5120, 1, 0, NONE},  {5110, 10, 10, 1, 0, 5110}, {5110, 10, 11, 1, 0, NONE},
        {4000, 200, 200, 1, 0, 4000}, /* across 16 MiB, where the bits do not go on */
    };
    try_runs(cases, ARRAY_LENGTH(cases));
}

TEST("frame", "aligned runs: begin at a multiple, or do not fit")
{
    static const struct run_case cases[] = {
        {20, 56, 12, 64, 0, 64},        {20, 56, 13, 64, 0, NONE},
        {20, 56, 32, 32, 0, 32},        {33, 100, 2, 2, 0, 34},
        {1, 2047, 1024, 1024, 0, 1024}, {1025, 2047, 1024, 1024, 0, 2048},
        {1, 2046, 1024, 1024, 0, NONE}, {4096, 1024, 1024, 1024, 0, 4096},
    };
    try_runs(cases, ARRAY_LENGTH(cases));
}

TEST("frame", "a run without a limit: spares the frames below 16 MiB while it can")
{
    frame_t first;
    start_free(LARGE_FRAMES);
    REQUIRE(frame_alloc_run(&test_pool, FRAME_ANONYMOUS, 1024, 1024, 0, &first) == KERR_OK);
    EXPECT_EQUAL(first.n, FRAME_DMA_LIMIT);
    REQUIRE(frame_alloc_run(&test_pool, FRAME_ANONYMOUS, 1024, 1024, 0, &first) == KERR_OK);
    EXPECT_EQUAL(first.n, 0);
    expect_sound();
}

TEST("frame", "runs below a limit: end below it, or do not fit")
{
    static const struct run_case cases[] = {
        {4090, 100, 6, 1, FRAME_DMA_LIMIT, 4090},
        {4090, 100, 7, 1, FRAME_DMA_LIMIT, NONE},
        {4096, 1024, 1, 1, FRAME_DMA_LIMIT, NONE},
        {100, 50, 20, 1, 120, 100},
        {100, 50, 20, 1, 119, NONE},
        {100, 50, 50, 1, 99999, 100},
        {0, 5120, 1024, 1024, FRAME_DMA_LIMIT, 0},
        {100, 50, 1, 1, 1, NONE},
    };
    try_runs(cases, ARRAY_LENGTH(cases));
}

TEST("frame", "a run with holes before it: the holes are passed by")
{
    frame_t first;
    start_free(LARGE_FRAMES);
    for (uint32_t n = 0; n < 3000; n += 7) /* no more than 6 in a row below 3000 */
        frame_pool_claim(&test_pool, FRAME(n), 1, FRAME_KERNEL);
    REQUIRE(frame_alloc_run(&test_pool, FRAME_ANONYMOUS, 7, 1, FRAME_DMA_LIMIT, &first) == KERR_OK);
    EXPECT_EQUAL(first.n, 2997);
    REQUIRE(frame_alloc_run(&test_pool, FRAME_ANONYMOUS, 6, 1, FRAME_DMA_LIMIT, &first) == KERR_OK);
    EXPECT_EQUAL(first.n, 1);
    expect_sound();
}

/* ---- references, kinds, accounts ---- */

TEST("frame", "references up and down by n: the frame is free at 0, not before")
{
    start_free(SMALL_FRAMES);
    frame_t frame;
    REQUIRE(frame_alloc(&test_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    frame_get_many(&test_pool, frame, 50000000);
    frame_get(&test_pool, frame);
    EXPECT_EQUAL(frame_references(&test_pool, frame), 50000002);
    frame_put_many(&test_pool, frame, 50000000);
    frame_put(&test_pool, frame);
    EXPECT_EQUAL(frame_references(&test_pool, frame), 1);
    EXPECT_EQUAL(frame_kind(&test_pool, frame), FRAME_ANONYMOUS);
    frame_put_many(&test_pool, frame, 0);
    EXPECT_EQUAL(frame_references(&test_pool, frame), 1);
    frame_put(&test_pool, frame);
    EXPECT_EQUAL(frame_kind(&test_pool, frame), FRAME_FREE);
    EXPECT_EQUAL(test_pool.totals[FRAME_FREE], SMALL_FRAMES);
    expect_sound();
}

TEST("frame", "as many references as a word holds: are counted")
{
    start_free(SMALL_FRAMES);
    frame_t frame;
    REQUIRE(frame_alloc(&test_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    frame_get_many(&test_pool, frame, UINT32_MAX - 1);
    EXPECT_EQUAL(frame_references(&test_pool, frame), UINT32_MAX);
    frame_put_many(&test_pool, frame, UINT32_MAX);
    EXPECT_EQUAL(frame_kind(&test_pool, frame), FRAME_FREE);
}

TEST("frame", "a kind changed: the totals follow")
{
    start_free(SMALL_FRAMES);
    frame_t frame;
    REQUIRE(frame_alloc(&test_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    frame_set_kind(&test_pool, frame, FRAME_DIRECTORY);
    EXPECT_EQUAL(test_pool.totals[FRAME_DIRECTORY], 1);
    EXPECT_EQUAL(test_pool.totals[FRAME_ANONYMOUS], 0);
    expect_sound();
    frame_free(&test_pool, frame);
    EXPECT_EQUAL(test_pool.totals[FRAME_DIRECTORY], 0);
    expect_sound();
}

TEST("frame", "frames set aside: nobody gets them but who asks for them so")
{
    frame_t frame;
    start_free(SMALL_FRAMES);
    REQUIRE(frame_set_aside(&test_pool, 3) == KERR_OK);
    EXPECT_EQUAL(frame_available(&test_pool), SMALL_FRAMES - 3);
    EXPECT_EQUAL(take_all(&test_pool), SMALL_FRAMES - 3);
    for (unsigned left = 3; left > 0; left--) {
        EXPECT_EQUAL(alloc_number(&test_pool), NONE);
        frame_alloc_set_aside(&test_pool, FRAME_TABLE, &frame);
        EXPECT_EQUAL(test_pool.set_aside, left - 1);
        expect_sound();
    }
    EXPECT_EQUAL(test_pool.totals[FRAME_TABLE], 3);
    EXPECT_EQUAL(test_pool.totals[FRAME_FREE], 0);
}

TEST("frame", "more set aside than is free: KERR_NO_MEMORY, and nothing changed")
{
    start_free(SMALL_FRAMES);
    REQUIRE(frame_set_aside(&test_pool, 1000) == KERR_OK);
    uint32_t before = fingerprint();
    EXPECT_EQUAL(frame_set_aside(&test_pool, 25), KERR_NO_MEMORY);
    EXPECT_EQUAL(frame_set_aside(&test_pool, UINT32_MAX), KERR_NO_MEMORY);
    EXPECT_EQUAL(fingerprint(), before);
    EXPECT_EQUAL(frame_set_aside(&test_pool, 24), KERR_OK);
    EXPECT_EQUAL(alloc_number(&test_pool), NONE);
    frame_end_set_aside(&test_pool, SMALL_FRAMES);
    EXPECT_EQUAL(frame_available(&test_pool), SMALL_FRAMES);
}

TEST("frame", "a run that would break into what is set aside: KERR_NO_MEMORY")
{
    frame_t first;
    start_free(SMALL_FRAMES);
    REQUIRE(frame_set_aside(&test_pool, 10) == KERR_OK);
    uint32_t before = fingerprint();
    EXPECT_EQUAL(frame_alloc_run(&test_pool, FRAME_FILE, SMALL_FRAMES - 9, 1, 0, &first),
                 KERR_NO_MEMORY);
    EXPECT_EQUAL(fingerprint(), before);
    EXPECT_EQUAL(frame_alloc_run(&test_pool, FRAME_FILE, SMALL_FRAMES - 10, 1, 0, &first), KERR_OK);
}

TEST("frame", "every kind: has a name of its own")
{
    for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
        for (enum frame_kind other = 0; other < kind; other++)
            EXPECT(strcmp(frame_kind_text(kind), frame_kind_text(other)) != 0);
}

/* ---- the check itself ---- */

/* With BITS of *WORD flipped the check finds something, without them nothing. */
static void expect_found(uint32_t *word, uint32_t bits)
{
    *word ^= bits;
    EXPECT(frame_pool_check(&test_pool) != NULL);
    *word ^= bits;
    EXPECT(frame_pool_check(&test_pool) == NULL);
}

TEST("frame", "a bit of the bitmap or of a summary flipped: the check finds it")
{
    start_free(LARGE_FRAMES);
    take_all(&test_pool);
    give_back(FRAME(100));
    give_back(FRAME(5000));
    for (uint32_t i = 0; i < LARGE_FRAMES / 32; i += 31)
        for (unsigned bit = 0; bit < 32; bit += 31)
            expect_found(&test_pool.level0[i], 1u << bit);
    for (unsigned bit = 0; bit < 32; bit++) {
        expect_found(&test_pool.level1[0], 1u << bit);
        expect_found(&test_pool.level1[LARGE_FRAMES / 1024], 1u << bit);
        expect_found(&test_pool.level1[1023], 1u << bit);
        expect_found(&test_pool.level2[0], 1u << bit);
        expect_found(&test_pool.level2[31], 1u << bit);
        expect_found(&test_pool.level3[0], 1u << bit);
    }
}

/* With frame N's record saying REFERENCES and KIND the check finds something, without it nothing.
 */
static void expect_record_found(uint32_t n, uint32_t references, uint32_t kind)
{
    struct frame_record before = test_pool.records[n];
    test_pool.records[n].references = references;
    test_pool.records[n].kind = (uint8_t)kind;
    EXPECT(frame_pool_check(&test_pool) != NULL);
    test_pool.records[n] = before;
    EXPECT(frame_pool_check(&test_pool) == NULL);
}

TEST("frame", "a record, a total or the account damaged: the check finds it")
{
    enum { RESERVED = 7, OWNED = 0, UNOWNED = 9 };
    start_free(SMALL_FRAMES);
    frame_pool_claim(&test_pool, FRAME(RESERVED), 1, FRAME_RESERVED);
    EXPECT_EQUAL(alloc_number(&test_pool), OWNED);

    expect_record_found(OWNED, 0, FRAME_ANONYMOUS);
    expect_record_found(OWNED, 1, FRAME_KERNEL); /* the totals say otherwise */
    expect_record_found(OWNED, 0, FRAME_FREE);   /* the bitmap says otherwise */
    expect_record_found(OWNED, 1, FRAME_KINDS);
    expect_record_found(UNOWNED, 1, FRAME_FREE);
    expect_record_found(UNOWNED, 1, FRAME_KERNEL);
    expect_record_found(RESERVED, 1, FRAME_RESERVED);
    for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
        expect_found(&test_pool.totals[kind], 1);
    expect_found(&test_pool.set_aside, SMALL_FRAMES); /* more than there is */
}

/* ---- the kernel's own pool ---- */

/* None of the frames that hold BYTES bytes from START on can be handed out. */
static void expect_not_free(paddr_t start, uint32_t bytes)
{
    frame_t last = paddr_to_frame(PADDR(start.v + bytes - 1));
    for (uint32_t n = paddr_to_frame(start).n; bytes > 0 && n <= last.n; n++)
        EXPECT(n >= frame_pool.frames || frame_kind(&frame_pool, FRAME(n)) != FRAME_FREE);
}

TEST("frame", "the kernel's pool: totals add up, and what boot left in RAM is not free")
{
    uint32_t sum = 0;
    for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
        sum += frame_pool.totals[kind];
    EXPECT_EQUAL(sum, frame_pool.frames);

    expect_not_free(PADDR(0), 1);
    expect_not_free(image_to_paddr(image_start), (uint32_t)(image_end - image_start));
    expect_not_free(boot_info.information_start, boot_info.information_bytes);
    for (uint32_t i = 0; i < boot_info.module_count; i++)
        expect_not_free(boot_info.modules[i].start, boot_info.modules[i].bytes);
}

TEST("frame", "all of the machine's frames taken: each came once, and all go back")
{
    uint32_t available = frame_available(&frame_pool);
    uint32_t taken = take_all(&frame_pool);
    const char *broken = frame_pool_check(&frame_pool);
    EXPECT_EQUAL(taken, available);
    EXPECT_EQUAL(frame_available(&frame_pool), 0);
    EXPECT_EQUAL(give_back_all(&frame_pool), taken);
    EXPECT(broken == NULL);
}

TEST("frame", "a run of the machine's frames for ISA DMA: lies below 16 MiB")
{
    frame_t first;
    if (frame_alloc_run(&frame_pool, FRAME_ANONYMOUS, 16, 16, FRAME_DMA_LIMIT, &first) != KERR_OK)
        SKIP("needs 64 KiB in a row below 16 MiB");
    EXPECT(first.n % 16 == 0 && first.n + 16 <= FRAME_DMA_LIMIT);
    frame_free_run(&frame_pool, first, 16);
}

TEST("frame", "the frames of a large page: 4 MiB, aligned")
{
    frame_t first;
    if (frame_alloc_run(&frame_pool, FRAME_ANONYMOUS, 1024, 1024, 0, &first) != KERR_OK)
        SKIP("needs 4 MiB of free RAM in a row");
    EXPECT_EQUAL(first.n % 1024, 0);
    frame_free_run(&frame_pool, first, 1024);
}

/* ---- what must end in a panic ---- */

static frame_t one_frame(void)
{
    frame_t frame;
    if (frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) != KERR_OK)
        panic("not even one frame is free");
    return frame;
}

PANIC_TEST("double-free")
{
    frame_t frame = one_frame();
    frame_free(&frame_pool, frame);
    frame_free(&frame_pool, frame);
}

PANIC_TEST("free-reserved")
{
    frame_free(&frame_pool, paddr_to_frame(PADDR(VGA_TEXT_PHYSICAL)));
}

PANIC_TEST("free-beyond")
{
    frame_free(&frame_pool, FRAME(frame_pool.frames));
}

PANIC_TEST("free-shared")
{
    frame_t frame = one_frame();
    frame_get(&frame_pool, frame);
    frame_free(&frame_pool, frame);
}

PANIC_TEST("free-zero")
{
    frame_t frame = one_frame();
    frame_set_kind(&frame_pool, frame, FRAME_ZERO);
    frame_put(&frame_pool, frame);
}

PANIC_TEST("refcount-wrap")
{
    frame_t frame = one_frame();
    frame_get_many(&frame_pool, frame, UINT32_MAX - 1);
    frame_get(&frame_pool, frame);
}

PANIC_TEST("refcount-below-zero")
{
    frame_t frame = one_frame();
    frame_put_many(&frame_pool, frame, 2);
}

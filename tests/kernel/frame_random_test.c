/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. A test of the frame allocator by random operations, compared with a plain array.
 */
#include "frame_testing.h"

#include <kernel/printk.h>
#include <kernel/string.h>

static struct {
    uint16_t references[LARGE_FRAMES]; /* 0: free */
    uint32_t free, free_high, set_aside;
    uint32_t random;
} model;

enum wanted { WANTED_FREE, WANTED_OWNED };

/* A number below LIMIT. */
static uint32_t random_below(uint32_t limit)
{
    return test_random(&model.random) % limit;
}

/* Some frame that is free, or has an owner; NONE if there is none. */
static uint32_t model_pick(enum wanted wanted)
{
    uint32_t n = random_below(LARGE_FRAMES);
    for (uint32_t i = 0; i < LARGE_FRAMES; i++, n = (n + 1) % LARGE_FRAMES)
        if ((model.references[n] != 0) == (wanted == WANTED_OWNED))
            return n;
    return NONE;
}

static void model_set(uint32_t n, uint32_t references)
{
    bool was_free = model.references[n] == 0, is_free = references == 0;
    model.references[n] = (uint16_t)references;
    model.free += (uint32_t)is_free - (uint32_t)was_free;
    if (n >= FRAME_DMA_LIMIT)
        model.free_high += (uint32_t)is_free - (uint32_t)was_free;
}

/* N came out of the pool: was it free, and the right one? */
static void model_took(uint32_t n)
{
    REQUIRE(n < LARGE_FRAMES);
    EXPECT_EQUAL(model.references[n], 0);
    EXPECT(n >= FRAME_DMA_LIMIT || model.free_high == 0);
    model_set(n, 1);
}

static void random_alloc(void)
{
    frame_t frame;
    if (frame_alloc(&test_pool, FRAME_ANONYMOUS, &frame) == KERR_OK)
        model_took(frame.n);
    else
        EXPECT_EQUAL(model.free, model.set_aside);
}

static void random_free(void)
{
    uint32_t n = model_pick(WANTED_OWNED);
    if (n == NONE)
        return;
    if (model.references[n] == 1)
        frame_free(&test_pool, FRAME(n));
    else
        frame_put_many(&test_pool, FRAME(n), model.references[n]);
    model_set(n, 0);
}

static void random_references(void)
{
    uint32_t n = model_pick(WANTED_OWNED);
    if (n == NONE)
        return;
    if (random_below(2) == 0 && model.references[n] < 60000) {
        uint32_t count = random_below(1000);
        frame_get_many(&test_pool, FRAME(n), count);
        model_set(n, model.references[n] + count);
    } else {
        uint32_t count = random_below(model.references[n] + 1u);
        frame_put_many(&test_pool, FRAME(n), count);
        model_set(n, model.references[n] - count);
    }
}

/* The lowest run at or above FROM, by trying every place; NONE if there is none. */
static uint32_t model_run_from(uint32_t from, uint32_t count, uint32_t align, uint32_t limit)
{
    uint32_t length = 0;
    for (uint32_t n = from; n < limit; n++) {
        if (length == 0 && n % align != 0)
            continue;
        length = model.references[n] == 0 ? length + 1 : 0;
        if (length == count)
            return n + 1 - count;
    }
    return NONE;
}

/* The low frames are taken last. */
static uint32_t model_run(uint32_t count, uint32_t align, uint32_t limit)
{
    uint32_t run = model_run_from(FRAME_DMA_LIMIT, count, align, limit);
    return run != NONE ? run : model_run_from(0, count, align, limit);
}

static void random_run(void)
{
    uint32_t count = 1 + random_below(40), align = 1u << random_below(7);
    uint32_t limit = random_below(2) == 0 ? FRAME_DMA_LIMIT : LARGE_FRAMES;
    uint32_t expected = model_run(count, align, limit);
    frame_t first = FRAME(NONE);

    if (count > model.free - model.set_aside)
        expected = NONE;
    if (frame_alloc_run(&test_pool, FRAME_TABLE, count, align, limit, &first) != KERR_OK)
        EXPECT_EQUAL(expected, NONE);
    EXPECT_EQUAL(first.n, expected);
    for (uint32_t i = 0; first.n != NONE && i < count; i++)
        model_set(first.n + i, 1);
}

static void random_set_aside(void)
{
    uint32_t count = random_below(50);
    frame_t frame;
    if (random_below(3) == 0 && model.set_aside > 0) {
        frame_alloc_set_aside(&test_pool, FRAME_KERNEL, &frame);
        model_took(frame.n);
        model.set_aside--;
    } else if (random_below(2) == 0) {
        bool fits = count <= model.free - model.set_aside;
        EXPECT_EQUAL(frame_set_aside(&test_pool, count) == KERR_OK, fits);
        model.set_aside += fits ? count : 0;
    } else if (count <= model.set_aside) {
        frame_end_set_aside(&test_pool, count);
        model.set_aside -= count;
    }
}

static void expect_pool_is_model(void)
{
    expect_sound();
    for (uint32_t n = 0; n < LARGE_FRAMES; n++)
        EXPECT_EQUAL(frame_references(&test_pool, FRAME(n)), model.references[n]);
    EXPECT_EQUAL(test_pool.totals[FRAME_FREE], model.free);
    EXPECT_EQUAL(test_pool.set_aside, model.set_aside);
}

TEST("frame", "100,000 random operations: the pool does what a plain array does")
{
    enum { OPERATIONS = 100000, PHASE = 16384, SEED = 20261120 };
    memset(&model, 0, sizeof(model));
    model.random = SEED;
    model.free = LARGE_FRAMES;
    model.free_high = LARGE_FRAMES - FRAME_DMA_LIMIT;
    start_free(LARGE_FRAMES);
    printk("# seed %u\n", model.random);

    for (uint32_t i = 0; i < OPERATIONS; i++) {
        bool filling = i / PHASE % 2 == 0;
        uint32_t what = random_below(32);
        if (what < 22)
            (filling ? random_alloc : random_free)();
        else if (what < 26)
            (filling ? random_free : random_alloc)();
        else if (what < 30)
            random_references();
        else if (what == 30)
            random_run();
        else
            random_set_aside();
        if (i % 5000 == 0)
            expect_pool_is_model();
    }
    expect_pool_is_model();
    EXPECT(model.free < LARGE_FRAMES); /* it did something */
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. What a frame costs at several fills. The depth of the search is the same for every
 * size of pool, so a small one shows it.
 */
#include "measure.h"

#include <mm/frame.h>

enum { FRAMES = 4096 };

static uint32_t *const storage = (void *)test_scratch;
_Static_assert((FRAMES * 2 + FRAMES / 32 + 8) * sizeof(*storage) <= TEST_SCRATCH_BYTES, "it fits");
static struct frame_pool pool;

/* Take all frames, then give back every STRIDEth. */
static void fill(uint32_t stride)
{
    frame_t frame;
    frame_pool_build(&pool, storage, FRAMES);
    frame_pool_add(&pool, FRAME(0), FRAMES);
    while (frame_alloc(&pool, FRAME_ANONYMOUS, &frame) == KERR_OK)
        ;
    for (uint32_t n = stride - 1; n < FRAMES; n += stride)
        frame_free(&pool, FRAME(n));
}

/* COUNT allocations, then as many frees. */
static void measure(const char *alloc_name, const char *free_name, uint32_t count)
{
    frame_t frames[256];
    uint64_t allocated = 0, freed = 0;

    for (uint32_t i = 0; i < count; i++) {
        enum kerr error;
        MEASURE(allocated, error = frame_alloc(&pool, FRAME_ANONYMOUS, &frames[i]));
        if (error != KERR_OK)
            test_fail(__FILE__, __LINE__, "a frame is free");
    }
    for (uint32_t i = 0; i < count; i++)
        MEASURE(freed, frame_free(&pool, frames[i]));
    bench_row(alloc_name, (uint32_t)allocated / count, "insn", NULL);
    bench_row(free_name, (uint32_t)freed / count, "insn", NULL);
}

BENCH("frame")
{
    fill(1);
    measure("frame_alloc_0", "frame_free_0", 256);
    fill(2);
    measure("frame_alloc_50", "frame_free_50", 256);
    fill(1024);
    measure("frame_alloc_99.9", "frame_free_99.9", 4);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. Pools over static storage, for the tests of the frame allocator (frame_testing.h).
 */
#include "frame_testing.h"

#include <kernel/string.h>

enum {
    STORAGE_WORDS = 2 * LARGE_FRAMES + LARGE_FRAMES / 32 + 16,
    TAKEN = 0x5A, /* in the spare byte of a record: a test has taken this frame */
};

static uint32_t *const storage = (void *)test_scratch;
_Static_assert(STORAGE_WORDS * sizeof(*storage) <= TEST_SCRATCH_BYTES, "it fits");
struct frame_pool test_pool;

void start_reserved(uint32_t frames)
{
    ASSERT(frame_pool_storage_bytes(frames) <= STORAGE_WORDS * sizeof(*storage),
           "storage for %u frames", frames);
    memset(storage, 0xA5, STORAGE_WORDS * sizeof(*storage));
    frame_pool_build(&test_pool, storage, frames);
}

void start_free(uint32_t frames)
{
    start_reserved(frames);
    frame_pool_add(&test_pool, FRAME(0), frames);
}

void start_with_free(uint32_t first, uint32_t count)
{
    start_reserved(LARGE_FRAMES);
    frame_pool_add(&test_pool, FRAME(first), count);
}

void expect_sound(void)
{
    uint32_t sum = 0;
    const char *broken = frame_pool_check(&test_pool);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
        sum += test_pool.totals[kind];
    EXPECT_EQUAL(sum, test_pool.frames);
}

/* FNV-1a. */
uint32_t fingerprint(void)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < STORAGE_WORDS; i++)
        hash = (hash ^ storage[i]) * 16777619u;
    for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
        hash = (hash ^ test_pool.totals[kind]) * 16777619u;
    return (hash ^ test_pool.set_aside) * 16777619u;
}

uint32_t take_all(struct frame_pool *from)
{
    uint32_t taken = 0;
    frame_t frame;
    while (frame_alloc(from, FRAME_ANONYMOUS, &frame) == KERR_OK) {
        frame_record(from, frame)->mark = TAKEN;
        taken++;
    }
    return taken;
}

uint32_t give_back_all(struct frame_pool *to)
{
    uint32_t given = 0;
    for (uint32_t n = 0; n < to->frames; n++) {
        if (frame_record(to, FRAME(n))->mark == TAKEN) {
            frame_free(to, FRAME(n));
            given++;
        }
    }
    return given;
}

uint32_t alloc_number(struct frame_pool *from)
{
    frame_t frame;
    if (frame_alloc(from, FRAME_ANONYMOUS, &frame) != KERR_OK)
        return NONE;
    frame_record(from, frame)->mark = TAKEN;
    return frame.n;
}

void give_back(frame_t frame)
{
    if (frame_record(&test_pool, frame)->mark == TAKEN)
        frame_free(&test_pool, frame);
    else
        test_fail(__FILE__, __LINE__, "a frame is to be given back that was not taken");
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 1. Uses: frame. Used by: the tests of the frame allocator.
 *
 * A pool over static storage, and its frames taken and given back.
 */
#ifndef TESTS_KERNEL_FRAME_TESTING_H
#define TESTS_KERNEL_FRAME_TESTING_H

#include <kernel/test.h>
#include <mm/frame.h>

enum {
    SMALL_FRAMES = 1024, /* less than 16 MiB: no order of its own */
    LARGE_FRAMES = 5120, /* the low 4096 frames and 1024 above */
    NONE = 0x7FFFFFFF,
};

extern struct frame_pool test_pool;

/* The pool just built over garbage: every frame is reserved. */
void start_reserved(uint32_t frames);
void start_free(uint32_t frames);

/* Only [first, first+count) of LARGE_FRAMES is free, the rest is not RAM. */
void start_with_free(uint32_t first, uint32_t count);

/* The pool's check finds nothing, and its totals add up. */
void expect_sound(void);

/* Of records, bits and totals: equal before and after what must change nothing. */
uint32_t fingerprint(void);

/* Take all frames that there are, and mark each; or give back what is marked. Returns how many. */
uint32_t take_all(struct frame_pool *from);
uint32_t give_back_all(struct frame_pool *to);

/* Take a frame, and mark it. Returns its number, or NONE. */
uint32_t alloc_number(struct frame_pool *from);

/* Free FRAME, which the test should have taken: a frame that nobody has would end the run. */
void give_back(frame_t frame);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. What the heap costs: each row is one call, the mean of a loop.
 */
#include "measure.h"

#include <kernel/panic.h>
#include <mm/heap.h>

enum { ROUNDS = 64, LIVE = 1000, MIX_CALLS = 20000 };

static void *live[LIVE];

static void *allocated(size_t bytes)
{
    void *block;

    ASSERT(kmalloc(bytes, &block) == KERR_OK, "heap bench: no memory for %u bytes",
           (unsigned)bytes);
    return block;
}

/* Allocate and free BYTES in turn. */
static void bench_pair(const char *malloc_name, const char *free_name, size_t bytes)
{
    uint64_t in_malloc = 0, in_free = 0;

    kfree(allocated(bytes)); /* from here on, what stays warm is */
    for (uint32_t i = 0; i < ROUNDS; i++) {
        enum kerr error;
        void *block;

        MEASURE(in_malloc, error = kmalloc(bytes, &block));
        ASSERT(error == KERR_OK, "heap bench: no memory for %u bytes", (unsigned)bytes);
        MEASURE(in_free, kfree(block));
    }
    bench_row(malloc_name, (uint32_t)in_malloc / ROUNDS, "insn", NULL);
    bench_row(free_name, (uint32_t)in_free / ROUNDS, "insn", NULL);
}

static size_t random_bytes(uint32_t *seed)
{
    static const uint16_t limits[] = {32, 64, 128, 512, 4096};

    return 1 + test_random(seed) % limits[test_random(seed) % ARRAY_LENGTH(limits)];
}

/* 1000 blocks of 1 to 4096 bytes live; one is freed and one allocated, in turn. */
static void bench_mix(void)
{
    uint64_t in_malloc = 0, in_free = 0;
    uint32_t seed = 7;

    for (uint32_t i = 0; i < LIVE; i++)
        live[i] = allocated(random_bytes(&seed));
    for (uint32_t call = 0; call < MIX_CALLS; call++) {
        uint32_t i = test_random(&seed) % LIVE;
        size_t bytes = random_bytes(&seed);
        enum kerr error;

        MEASURE(in_free, kfree(live[i]));
        MEASURE(in_malloc, error = kmalloc(bytes, &live[i]));
        ASSERT(error == KERR_OK, "heap bench: no memory for %u bytes", (unsigned)bytes);
    }
    for (uint32_t i = 0; i < LIVE; i++)
        kfree(live[i]);
    bench_row("kmalloc_mix_1000_live", (uint32_t)in_malloc / MIX_CALLS, "insn", NULL);
    bench_row("kfree_mix_1000_live", (uint32_t)in_free / MIX_CALLS, "insn", NULL);
}

BENCH("heap")
{
    bench_pair("kmalloc_32", "kfree_32", 32);
    bench_pair("kmalloc_4K", "kfree_4K", 4096);
    bench_pair("kmalloc_1M", "kfree_1M", 0x100000);
    bench_mix();
}

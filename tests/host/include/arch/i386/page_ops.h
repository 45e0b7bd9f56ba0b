/* SPDX-License-Identifier: MIT */
/*
 * Layer 0, host build: stands in for arch/i386/page_ops.h. Word by word, where the kernel has
 * string instructions: so the sanitizers see every access.
 */
#ifndef ARCH_I386_PAGE_OPS_H
#define ARCH_I386_PAGE_OPS_H

#include <kernel/types.h>

static inline void words_fill(void *at, uint32_t value, uint32_t count)
{
    volatile uint32_t *word = at;
    for (uint32_t i = 0; i < count; i++)
        word[i] = value;
}

static inline uint32_t words_run(const void *at, uint32_t value, uint32_t count)
{
    const volatile uint32_t *word = at;
    uint32_t run = 0;
    while (run < count && word[run] == value)
        run++;
    return run;
}

static inline void words_copy(void *to, const void *from, uint32_t count)
{
    volatile uint32_t *target = to;
    const volatile uint32_t *source = from;
    for (uint32_t i = 0; i < count; i++)
        target[i] = source[i];
}

static inline void page_clear(void *page)
{
    words_fill(page, 0, PAGE_BYTES / 4);
}

static inline void page_copy(void *to, const void *from)
{
    words_copy(to, from, PAGE_BYTES / 4);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: layers 1-4, store/, process/process.c, file/tmpfs.c.
 *
 * Whole pages and tables, one REP string instruction each.
 */
#ifndef ARCH_I386_PAGE_OPS_H
#define ARCH_I386_PAGE_OPS_H

#include <kernel/types.h>

/* Store VALUE into COUNT words from AT on. The direction flag is clear in the kernel, always. */
static inline void words_fill(void *at, uint32_t value, uint32_t count)
{
    __asm__ volatile("rep stosl" : "+D"(at), "+c"(count) : "a"(value) : "memory");
}

/* How many of the COUNT words from AT on are VALUE, before the first that is not. */
static inline uint32_t words_run(const void *at, uint32_t value, uint32_t count)
{
    uint32_t left = count;
    bool differs; /* the last word looked at; nothing was looked at if COUNT is 0 */
    __asm__ volatile("cmpl %%eax, %%eax; repe scasl"
                     : "+D"(at), "+c"(left), "=@ccne"(differs)
                     : "a"(value)
                     : "memory");
    return count - left - differs;
}

/* Copy COUNT words, first to last. */
static inline void words_copy(void *to, const void *from, uint32_t count)
{
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
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

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layers 0-4. Used by: kernel/commands_*.c.
 *
 * What several commands look up.
 */
#ifndef KERNEL_COMMANDS_H
#define KERNEL_COMMANDS_H

#include <kernel/types.h>

enum { KIB_PER_PAGE = PAGE_BYTES / 1024 };

struct page_count {
    uint32_t promised; /* present, by way of the zero frame or a zero table */
    uint32_t real;     /* backed by a frame of their own, or by one shared with others */
};

/* Add what the entries say about PAGES pages from FIRST on, as seen in the current space. */
void count_pages(vaddr_t first, uint32_t pages, struct page_count *count);

#endif

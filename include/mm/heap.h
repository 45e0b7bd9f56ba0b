/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. Uses: layers 0-4. Used by: layers 6-11.
 *
 * Kernel memory in any size. The room is a promise of 256 MiB: a block is made real before it is
 * handed out, and whole free pages become a promise again. Paging never calls the heap.
 *
 * The heap_ functions take the heap, so that a test can build a small one; the kernel has
 * `kernel_heap`, which the k... functions stand for.
 */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include <kernel/kerr.h>

/* ---- the kernel's heap ---- */

/*
 * Allocate BYTES (at least 1) bytes. Contents: anything.
 *   *block   aligned to 8 bytes; the caller's until kfree() or krealloc()
 *   returns KERR_OK; KERR_NO_ROOM (no free range is large enough); KERR_NO_MEMORY (no frame is
 *   left); KERR_BAD_VALUE (0 bytes). *BLOCK is written only on success
 */
kerr_t kmalloc(size_t bytes, void **block);

/*
 * The same, aligned to ALIGNMENT bytes, a power of two. Looks for BYTES + ALIGNMENT bytes in a row.
 *   returns also KERR_BAD_VALUE for an ALIGNMENT that is not a power of two
 */
kerr_t kmalloc_aligned(size_t bytes, size_t alignment, void **block);

/*
 * Make OLD (NULL: allocate) BYTES bytes long, in place where that is possible, else elsewhere.
 *   *block   what the smaller size holds is kept; aligned to 8 bytes. OLD is gone, unless it is
 *            the same address
 *   returns as kmalloc(); on failure OLD is untouched
 */
kerr_t krealloc(void *old, size_t bytes, void **block);

/* Free BLOCK (NULL: nothing). Panics if it is not an allocated block, or was overrun. */
void kfree(void *block);

/* ---- any heap ---- */

enum {
    HEAP_ROWS = 22, /* powers of two up to 256 MiB, those below 128 in one row */
    HEAP_COLUMNS = 16,
    HEAP_WARM_PAGES = 16, /* free pages that stay real, beside one in eight of what is allocated */
};

/* Who makes the pages of a heap real. The kernel's: mm/kernel_pages.h. */
struct heap_backing {
    /* PAGES pages from FIRST on can be written; those that could already keep what they hold, the
     * others read as zero. KERR_NO_MEMORY: that is true of some of them only. */
    enum kerr (*make_real)(vaddr_t first, uint32_t pages);
    /* PAGES pages from FIRST on read as zero again and hold no frame. */
    void (*discard)(vaddr_t first, uint32_t pages);
};

struct heap_block;

struct heap {
    uintptr_t room, room_end; /* page-aligned */
    const struct heap_backing *backing;
    uint32_t rows;                                     /* bit r: columns[r] is not 0 */
    uint32_t columns[HEAP_ROWS];                       /* bit c: lists[r][c] is not empty */
    struct heap_block *lists[HEAP_ROWS][HEAP_COLUMNS]; /* free blocks by size */
    struct heap_block *warm_oldest, *warm_newest; /* free blocks with real pages to give back */
    uint32_t warm_pages;                          /* an upper bound of these pages, over all */
    uint32_t used_blocks;
    size_t used_bytes; /* headers included */
};

extern struct heap kernel_heap;

/*
 * Build HEAP over PAGES pages (at least 1, less than 256 MiB) from ROOM on, which all are promises.
 *   returns KERR_OK, KERR_NO_MEMORY for its first page
 */
kerr_t heap_build(struct heap *heap, vaddr_t room, uint32_t pages,
                  const struct heap_backing *backing);

/* As kmalloc_aligned(), krealloc(), kfree(); CALLER is whom reports name as the owner. */
kerr_t heap_allocate(struct heap *heap, size_t bytes, size_t alignment, const void *caller,
                     void **payload);
kerr_t heap_resize(struct heap *heap, void *old, size_t bytes, const void *caller, void **payload);
void heap_free(struct heap *heap, void *payload, const void *caller);

/* Give back all whole free pages but PAGES of them; for a shortage. */
void heap_trim(struct heap *heap, uint32_t pages);

/*
 * Verify every tag, list and total; in checked builds red zones and poison as well.
 *   returns NULL if all is well, else the rule that is broken, in words; *WHERE is the block
 */
must_check const char *heap_check(const struct heap *heap, vaddr_t *where);

#endif

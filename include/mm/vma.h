/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3, rbtree. Used by: layers 4 (space), 5 and up.
 *
 * Regions (virtual memory areas): what a range of pages is for. The entries of layers 2 and 3 are
 * what the CPU sees; a region is what they may be rebuilt from. Each space has a red-black tree of
 * them, ordered by address; every node knows the largest gap below it, so that a free range is
 * found in O(log n).
 *
 * Nodes come from a fixed array in kernel space that becomes real as it grows: no heap here.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include <kernel/fault.h>
#include <kernel/rbtree.h>
#include <mm/paging.h>

enum vma_kind {
    VMA_PROMISE, /* reads as zero, private when written */
    VMA_FIXED,   /* mapped by layer 2; a missing page is missing for good */
    VMA_END,     /* no region: the end of the space, so that every gap lies below some node */
};

struct vma {
    struct rb_node node;
    uint32_t first_page, last_page; /* page numbers: address / 4096, both inside */
    uint32_t gap_pages;             /* free pages between the region below and this one */
    uint32_t largest_gap_pages;     /* the largest gap_pages in the subtree of this node */
    const char *name;               /* for people; regions merge only if it is the same pointer */
    uint8_t rights;                 /* enum rights */
    uint8_t kind;                   /* enum vma_kind */
    uint8_t is_permanent;           /* the kernel's own: never released or protected */
};

/* A space as this layer sees it. FIRST_PAGE and the end node bound what may be reserved. */
struct space {
    struct rb_tree regions;
    struct vma end;
    uint32_t first_page;
    uint32_t region_count;
    uint32_t reserved_pages;
    enum rights user;              /* RIGHTS_USER, or RIGHTS_NONE for the supervisor alone */
    uint32_t directory;            /* its number; the kernel space has none of its own: 0 */
    struct space *next, *previous; /* of all spaces but the kernel's (space_first()) */
};

/* ---- reserving ---- */

/*
 * Reserve PAGES pages in SPACE, where there is room: the lowest gap; at a slot boundary from
 * 1024 pages on, if there is one. SPACE is the kernel's or the current one.
 *   rights  with READ, WRITE, EXECUTE or NONE        name  stays the caller's, for good
 *   => costs no frame but for region nodes; *FIRST is the first page
 *   returns KERR_OK, KERR_NO_ROOM, KERR_NO_MEMORY, KERR_BAD_RANGE (0 pages or too many)
 */
kerr_t vma_reserve(struct space *space, uint32_t pages, enum rights rights, const char *name,
                   vaddr_t *first);

/* The same at FIRST. Returns KERR_EXISTS if any page is taken, KERR_BAD_RANGE outside the space. */
kerr_t vma_reserve_at(struct space *space, vaddr_t first, uint32_t pages, enum rights rights,
                      const char *name);

/*
 * Release the range, whatever lies in it: whole regions, parts (which split), holes.
 *   returns KERR_OK, KERR_NOT_FOUND (nothing is reserved there), KERR_BAD_RANGE (also for the
 *   kernel's own regions), KERR_NO_MEMORY (nothing changed)          TLB: paid
 */
kerr_t vma_release(struct space *space, vaddr_t first, uint32_t pages);

/*
 * Change the rights of the range, every page of which is reserved. Regions split and merge.
 *   returns as vma_release; KERR_NOT_FOUND if a page is not reserved (nothing changed)
 */
kerr_t vma_protect(struct space *space, vaddr_t first, uint32_t pages, enum rights rights);

/* ---- looking ---- */

/* The region that holds ADDRESS, or NULL. O(log n). */
struct vma *vma_find(const struct space *space, vaddr_t address);

/* All regions in order; NULL at the end. */
struct vma *vma_first(const struct space *space);
struct vma *vma_next(const struct vma *region);

static inline vaddr_t vma_start(const struct vma *region)
{
    return VADDR(region->first_page << PAGE_SHIFT);
}

static inline uint32_t vma_pages(const struct vma *region)
{
    return region->last_page - region->first_page + 1;
}

/* Where PAGES pages would be reserved. Returns KERR_OK, KERR_NO_ROOM. */
kerr_t vma_find_room(const struct space *space, uint32_t pages, vaddr_t *first);

/* Tree order, balance, gaps and counts. Returns NULL, or the sentence that is not true. */
const char *vma_check(const struct space *space);

/* ---- touching ---- */

/*
 * Build the entries that the region at ADDRESS promises and, for a write, make the page real.
 * What the fault handler does, without a fault. ADDRESS is in the kernel or the current space.
 */
enum fault_result must_check vma_touch(vaddr_t address, enum access access, enum cpu_mode mode);

/* Make the range real, so that writing there can't fault. Errors as cow_make_real. */
kerr_t vma_make_real(vaddr_t first, uint32_t pages);

/* ---- for space.c and the units that own kernel regions ---- */

/* An empty tree over the pages [first, end). */
void vma_space_init(struct space *space, uint32_t first_page, uint32_t end_page);

/* Forget all regions of SPACE, whose directory is gone; entries are not touched. */
void vma_forget_all(struct space *space);

/*
 * Give TO, an empty space with the same bounds, the regions of FROM; entries are not touched.
 *   returns KERR_OK, KERR_NO_MEMORY (nothing changed)
 */
kerr_t vma_copy_all(struct space *to, const struct space *from);

/*
 * Enter a region of the kernel that lives for ever. The empty ones of a VMA_PROMISE's whole
 * slots are promised; the rest is built at a touch.
 */
kerr_t vma_register_kernel(vaddr_t first, uint32_t pages, enum rights rights, enum vma_kind kind,
                           const char *name);

/* Region nodes in use, in all spaces; for `mem` and the tests. */
uint32_t vma_nodes_in_use(void);

/* Give back the page of nodes that is kept empty so that a region more or less costs none. */
void vma_trim(void);

#endif

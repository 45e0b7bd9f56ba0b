/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: vma_tree. Used by: mm/vma*.c, mm/space.c, mm/audit.c.
 *
 * One tree of regions for several spaces, as fork leaves them, until one of them changes its own.
 */
#ifndef MM_VMA_SHARE_H
#define MM_VMA_SHARE_H

#include <mm/vma.h>

/*
 * TO, an empty space with the same bounds, has FROM's tree, too.
 *   returns KERR_OK, KERR_NO_MEMORY (no node; nothing changed)
 */
kerr_t vma_share(struct space *to, struct space *from);

/* SPACE, which shares its tree, has none any more. */
void vma_leave_shared(struct space *space);

/*
 * Before the first change of SPACE's tree: if others have it as well, SPACE gets a copy, and pointers to regions
 * that were found before are the others'.
 *   returns KERR_OK, KERR_NO_MEMORY (no nodes; nothing changed)
 */
kerr_t vma_copy_shared(struct space *space);
static inline enum kerr must_check vma_own_tree(struct space *space)
{
    return likely(space->shared_end == NULL) ? KERR_OK : vma_copy_shared(space);
}

/* The same, where *REGION is to be changed: it is SPACE's own then. */
static inline enum kerr must_check vma_own_region(struct space *space, struct vma **region)
{
    if (likely(space->shared_end == NULL))
        return KERR_OK;
    vaddr_t start = vma_start(*region);
    enum kerr error = vma_copy_shared(space);
    if (error == KERR_OK)
        *region = vma_find(space, start);
    return error;
}

/* Who shares which tree. Returns NULL, or the sentence that is not true. */
const char *vma_check_sharing(const struct space *space);

#endif

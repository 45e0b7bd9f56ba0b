/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3. Used by: object.c, and who implements a pager: layers above.
 *
 * What stands behind an object's pages. An object without a pager begins as zeros; one with a pager
 * asks it for each page that has no contents yet. Layer 4 never knows who that is.
 *
 * Called in the fault path: a pager touches real memory only (docs/faults.md), never sleeps, uses
 * of the temporary pages TEMP_FAULT_FRAME alone, and takes nothing but frames.
 */
#ifndef MM_PAGER_H
#define MM_PAGER_H

#include <kernel/kerr.h>
#include <mm/object.h>

struct pager {
    const char *name;
    /* Nothing stands behind its pages: they can go out to swap, as those of shared memory can. */
    bool is_memory;
    /*
     * Bring PAGE of OBJECT, which is within it and has no frame yet, or one that is being filled.
     *   => KERR_OK: it has been entered (object_enter_page()), and its contents are there
     *   returns KERR_OK; KERR_MUST_WAIT: it has been asked for, and the channel left
     *   (kernel/channel.h) tells when to ask again; KERR_IO: it can't be had; KERR_NO_MEMORY
     *   => asked again for the same page it gets further each time
     */
    kerr_t (*bring)(struct object *object, uint32_t page);
    /*
     * PAGE of OBJECT, which has its contents, is about to be written, by a program's store or a
     * call: it is dirty from here on. NULL: that is nothing to the pager.
     *   returns KERR_OK; as `bring`; KERR_NO_SPACE, KERR_READ_ONLY: it must not be written
     */
    kerr_t (*before_write)(struct object *object, uint32_t page);
    /* How many frames of OBJECT could be given back: what they hold can be brought again. */
    uint32_t (*count_reclaimable)(const struct object *object);
    /* OBJECT ends: what is under way for it is of no interest any more. Its frames, `real_pages` of them, are
     * gone. */
    void (*end)(struct object *object);
};

/*
 * PAGES pages that PAGER fills; PAGER_DATA is its own. Else as object_create().
 *   returns KERR_OK, KERR_NO_MEMORY, KERR_BAD_RANGE
 */
kerr_t object_create_paged(enum object_kind kind, uint32_t pages, const struct pager *pager,
                           void *pager_data, struct object **object);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3. Used by: object.c, and who implements a pager: layers above.
 *
 * What stands behind an object's pages. An object without a pager begins as zeros; one with a pager
 * asks it for each page that has no frame yet. Layer 4 never knows who that is.
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
    /*
     * Bring PAGE of OBJECT, which is within it and has no frame yet.
     *   FRAME   filled, of kind FRAME_ANONYMOUS, with one reference: the object's from here on
     *   returns KERR_OK; KERR_MUST_WAIT: it has been asked for, and the channel left
     *   (kernel/channel.h) tells when to ask again; KERR_IO: it can't be had; KERR_NO_MEMORY
     *   => asked again for the same page it gets further each time; nothing else changes
     */
    kerr_t (*bring)(struct object *object, uint32_t page, frame_t *frame);
    /* How many frames of OBJECT could be given back: what they hold can be brought again. */
    uint32_t (*count_reclaimable)(const struct object *object);
    /* OBJECT ends: what is under way for it is of no interest any more. Its frames are gone. */
    void (*end)(struct object *object);
};

/*
 * PAGES pages that PAGER fills; PAGER_DATA is its own. Else as object_create_anonymous().
 *   returns KERR_OK, KERR_NO_MEMORY, KERR_BAD_RANGE (more than 4 GiB)
 */
kerr_t object_create_paged(uint32_t pages, const struct pager *pager, void *pager_data,
                           struct object **object);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3. Used by: vma.c, layers 8-11 (files, mmap, futexes).
 *
 * Objects: counted arrays of frames, the truth behind mapped files and shared memory. Entries are
 * not present until touched, then point to the object's frame; never the zero frame.
 *
 *   file        a run of frames that is complete from the start (a module of the boot loader)
 *   anonymous   frames that come at the first touch of a page by anybody, cleared, or filled by the
 *               object's pager (mm/pager.h); two levels of frame numbers, as a directory and its
 *               tables, each a frame of its own
 *
 * The structures stand in the array of region nodes: no heap here.
 */
#ifndef MM_OBJECT_H
#define MM_OBJECT_H

#include <mm/frame.h>
#include <mm/memlayout.h>

enum object_kind { OBJECT_FILE, OBJECT_ANONYMOUS };

struct object {
    uint32_t references; /* regions, and open files */
    uint32_t pages;      /* a touch behind them is refused: SIGBUS */
    uint32_t kind;       /* enum object_kind */
    frame_t first;       /* file: the first frame of the run */
    frame_t root;        /* anonymous: the frame of the upper level; only if `has_root` */
    uint32_t has_root;
    uint32_t real_pages; /* anonymous: frames so far, without those of the two levels */
    uint32_t committed;  /* layer 8's charge for it (frame_commit()); object_put() gives it back */
    struct object *next, *previous; /* of all objects */
    const struct pager *pager;      /* anonymous: who fills its pages; NULL: they begin as zeros */
    void *pager_data;
};

/* No object has so many pages, and no region shows one behind them. */
#define OBJECT_PAGE_LIMIT 0x80000000u

_Static_assert(sizeof(void *) != 4 || sizeof(struct object) <= REGION_NODE_BYTES, "in a node");

/*
 * PAGES pages of zeros, one reference. Costs nothing before the first touch; each page costs a
 * frame then, each 1024 pages one more (FRAME_TABLE), and the object itself one.
 *   returns KERR_OK, KERR_NO_MEMORY, KERR_BAD_RANGE (more than 4 GiB)
 */
kerr_t object_create_anonymous(uint32_t pages, struct object **object);

/*
 * A file of the PAGES frames from FIRST on (or none at all), of kind FRAME_FILE, whose references
 * it takes over. It has one reference itself.   returns KERR_OK, KERR_NO_MEMORY
 */
kerr_t object_create_file(frame_t first, uint32_t pages, struct object **object);

void object_get(struct object *object);
void object_put(struct object *object); /* the last one gives the frames back */

/*
 * The frame of PAGE, made if there is none yet, and cleared or filled; the caller takes a reference
 * for its entry. May be called by the fault path.
 *   returns KERR_OK; KERR_BAD_RANGE (behind the end); KERR_NO_MEMORY; with a pager KERR_MUST_WAIT
 *   and KERR_IO
 */
kerr_t object_frame(struct object *object, uint32_t page, frame_t *frame);

/* The same, but nothing is made: KERR_NOT_FOUND if the page has no frame yet. */
kerr_t object_find_frame(const struct object *object, uint32_t page, frame_t *frame);

/* All objects, the newest first, and how many there are; NULL at the end. */
struct object *object_first(void);
uint32_t object_count(void);

/*
 * Call VISIT for each frame that OBJECT, anonymous, holds: those of its pages and those of the two
 * levels (with ~0u for PAGE). VISIT may change references, and nothing else. For the audit.
 */
void object_for_each_frame(const struct object *object,
                           void (*visit)(void *context, uint32_t page, frame_t frame),
                           void *context);

#endif

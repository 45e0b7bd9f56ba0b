/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3. Used by: layer 4 (regions), layers 7-11 (page cache, files, mmap,
 * futexes).
 *
 * Objects: counted arrays of pages, the truth behind files and shared memory. Entries are not
 * present until touched, then point to the object's frame; never the zero frame.
 *
 *   anonymous   shared memory: goes with the last region that shows it
 *   file        has a name, or a place on a disk, and an owner beside the regions
 *   swap        the pages of swap slots: no region shows it, entries of private pages do; its levels
 *               are made when it begins and stay
 *
 * A page that has no frame gets one at the first touch by anybody, cleared, or filled by the
 * object's pager (mm/pager.h); one that is out comes back.
 *
 * The frames stand in a tree whose levels are frames, as a directory and its tables are. It is as
 * high as the last page wants it: an object of one page has no level at all.
 *
 *     root ──▶ level 2 ──▶ level 1 ──▶ word of a page: frame 31..12 | enum page_state
 *              of 2^20 pages    of 2^10
 *
 * What is known of a page stands beside its frame, in its word. So whoever has an object and a page
 * number needs no second place to look at.
 *
 * The structures stand in the array of region nodes: no heap here.
 */
#ifndef MM_OBJECT_H
#define MM_OBJECT_H

#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/memlayout.h>

enum object_kind { OBJECT_FILE, OBJECT_ANONYMOUS, OBJECT_SWAP };

struct object {
    uint32_t references; /* regions, and owners: open files, inodes */
    uint32_t pages;      /* a touch behind them is refused: SIGBUS */
    uint8_t kind;        /* enum object_kind */
    uint8_t height;      /* levels above the words of pages */
    uint32_t root;       /* the word of the highest level; 0: there is no page yet */
    uint32_t real_pages; /* pages that have a frame, or are out */
    uint32_t committed;  /* layer 8's charge for it (frame_commit()); object_put() gives it back */
    struct object *next, *previous; /* of all objects */
    const struct pager *pager;      /* who fills its pages; NULL: they begin as zeros */
    void *pager_data;
    union {
        uint32_t first_slot; /* of kind SWAP: page n is that of this slot + n; 0: not yet */
        uint32_t out_pages;  /* of the others: pages that are out, in slots or as zeros */
    };
    void *owner; /* layer 9's inode, which has one of the references; NULL: regions have them all */
};

/* No object has more pages, and no region shows one behind them. */
#define OBJECT_PAGE_LIMIT 0x80000000u

_Static_assert(sizeof(void *) != 4 || sizeof(struct object) <= REGION_NODE_BYTES, "in a node");

/* ---- life ---- */

/*
 * PAGES pages of zeros, one reference. Costs nothing before the first touch; each page costs a
 * frame then, and the levels above it a frame each (FRAME_INDEX) if they are not there.
 *   returns KERR_OK, KERR_NO_MEMORY, KERR_BAD_RANGE (more than OBJECT_PAGE_LIMIT)
 */
kerr_t object_create(enum object_kind kind, uint32_t pages, struct object **object);
kerr_t object_create_anonymous(uint32_t pages, struct object **object);

/*
 * A file of the PAGES frames from FIRST on (or none at all), of kind FRAME_FILE, whose references
 * it takes over. It has one reference itself.
 *   returns KERR_OK; KERR_NO_MEMORY: the frames are still the caller's
 */
kerr_t object_create_file(frame_t first, uint32_t pages, struct object **object);

void object_get(struct object *object);
void object_put(struct object *object); /* the last one gives the frames back */

/*
 * OBJECT has PAGES pages from here on. More: they have no frames yet. Fewer: those behind the end are gone
 * from all regions, private copies as well; a touch of them is refused.
 *   => shrinks from its end downwards, a piece at a time: ask again after KERR_AGAIN
 *   returns KERR_OK; KERR_AGAIN; KERR_BAD_RANGE (more than OBJECT_PAGE_LIMIT); KERR_NO_MEMORY (a shared
 *   table had to be copied; it is as small as it could become)         TLB: paid
 */
kerr_t object_resize(struct object *object, uint32_t pages);

/* ---- frames of pages ---- */

/*
 * The frame of PAGE, made if there is none yet, and cleared or filled; the caller takes a reference
 * for its entry. May be called by the fault path.
 *   returns KERR_OK; KERR_BAD_RANGE (behind the end); KERR_NO_MEMORY; with a pager KERR_MUST_WAIT
 *   and KERR_IO
 */
kerr_t object_frame(struct object *object, uint32_t page, frame_t *frame);

/* PAGE, which has its contents, is about to be written: a pager is asked whether it may be (struct pager,
 * before_write). */
kerr_t object_before_write(struct object *object, uint32_t page);

/* The same, but nothing is made: KERR_NOT_FOUND if the page has no frame yet, or no contents. */
kerr_t object_find_frame(const struct object *object, uint32_t page, frame_t *frame);

/*
 * The frames of the COUNT pages from FIRST on, or NO_FRAME (mm/cow.h) where object_find_frame() would find none.
 * Nothing is made.
 */
void object_find_frames(const struct object *object, uint32_t first, uint32_t count,
                        frame_t frames[]);

/*
 * The same of pages in a row that all have their contents: up to the first that has none. Each is USED
 * from here on. Returns how many.
 */
uint32_t object_use_frames(struct object *object, uint32_t first, uint32_t count, frame_t frames[]);

/* ---- words of pages: for pagers, and for who gives frames back ---- */

enum page_state {
    PAGE_HERE = 0x001,      /* it has a frame */
    PAGE_FILLING = 0x002,   /* which does not hold its contents yet: a device writes there */
    PAGE_WRITING = 0x004,   /* a device reads it: it must not go, and may be written meanwhile */
    PAGE_DIRTY = 0x008,     /* what stands behind it is older */
    PAGE_USED = 0x010,      /* since the last look at it */
    PAGE_FAILED = 0x020,    /* the last try to write it out failed */
    PAGE_ASKED = 0x040,     /* it is dirty, and somebody waits for what was there when he asked; */
    PAGE_ASKED_OUT = 0x080, /* and that is what is being written */
    PAGE_PLACED = 0x100,    /* all of it has its place on the disk, and keeps it */
    PAGE_OUT = 0x200,       /* not HERE: what stands in the word is a slot, or the zero frame */
    PAGE_WANTED = 0x400,    /* while FILLING: it was asked for itself, not as a neighbour */
    PAGE_STATES = 0xFFF,
};

/* The word of PAGE: its frame's address, or a slot's, and its state; 0: it has neither. */
uint32_t object_page_word(const struct object *object, uint32_t page);

static inline bool object_page_is_out(const struct object *object, uint32_t page)
{
    return object->kind != OBJECT_SWAP && object->out_pages > 0 &&
           (object_page_word(object, page) & PAGE_OUT) != 0;
}

/* The frames that OBJECT's pages have. */
static inline uint32_t object_frames_in_ram(const struct object *object)
{
    return object->real_pages - (object->kind == OBJECT_SWAP ? 0 : object->out_pages);
}

static inline frame_t page_word_frame(uint32_t word)
{
    return FRAME(word >> PAGE_SHIFT);
}

/* Let PAGE, which has a frame, lose the states of CLEAR and then get those of SET. Returns its word as it was. */
uint32_t object_change_page(struct object *object, uint32_t page, uint32_t clear, uint32_t set);

/* PAGE gets the states of SET if it has all of HAS, and none of HAS_NOT: returns its word then, else 0. */
uint32_t object_change_page_if(struct object *object, uint32_t page, uint32_t has, uint32_t has_not,
                               uint32_t set);

/* The same for each page of [FIRST, END). */
void object_change_pages_if(struct object *object, uint32_t first, uint32_t end, uint32_t has,
                            uint32_t has_not, uint32_t set);

/* The levels above PAGE are there: object_enter_page() can't fail. Returns KERR_OK, KERR_NO_MEMORY. */
kerr_t object_prepare_page(struct object *object, uint32_t page);

/* FRAME, whose reference is taken over, is the one of PAGE, which had none, in STATE. */
void object_enter_page(struct object *object, uint32_t page, frame_t frame, uint32_t state);

/* PAGE has no frame, and no slot, any more. The object's reference to it goes to the caller; empty levels go. */
frame_t object_remove_page(struct object *object, uint32_t page);

/*
 * The first page at or behind *PAGE, and before END, that has a frame and one of the states of ANY.
 *   => true: it is *PAGE, and its word *WORD. False: there is none.
 */
bool object_next_page(const struct object *object, uint32_t *page, uint32_t end, uint32_t any,
                      uint32_t *word);

/* The same backwards: the last page before *END, and not before FIRST; it is *END then. */
bool object_previous_page(const struct object *object, uint32_t first, uint32_t *end, uint32_t any,
                          uint32_t *word);

/* How many pages from PAGE on, and before END, have a frame and one of the states of ANY each: at most MOST, and as
 * far as one level of the tree tells. WORDS are theirs. */
uint32_t object_run(const struct object *object, uint32_t page, uint32_t end, uint32_t any,
                    uint32_t most, uint32_t words[]);

/* The last page that has a frame: true, and it is *PAGE. False: there is none. */
bool object_last_page(const struct object *object, uint32_t *page);

/* ---- entries that show pages: for who writes pages out, or gives frames back ---- */

/*
 * Both change entries in all spaces, for the pages FIRST to LAST of OBJECT. They take no frame, and
 * no table that is shared is copied. They cost little where nothing is shown: where no region shows
 * OBJECT, or none of its frames there has references but OBJECT's own.    TLB: paid
 *
 * object_take_writes: no shared mapping may write to them any more without asking the pager once
 * more (before_write). So what is written out is whole, and a later write makes it dirty again.
 */
void object_take_writes(const struct object *object, uint32_t first, uint32_t last);

/*
 * Second chance. An entry, shared or private, that leads to OBJECT's own frame and was used since
 * the last time (A) is looked at again the next time; one that was not becomes empty, and the next
 * touch asks its region. Frames that have one reference left can be given back. Pages that a locked
 * region shows (VMA_LOCKED) are left alone, by whomever else they are shown.
 *   returns how many entries became empty
 */
uint32_t object_age(const struct object *object, uint32_t first, uint32_t last);

/* ---- pages that are out: of shared memory, and of pagers with `is_memory` ---- */

/*
 * A hand goes round these objects. Pages that were not used since it came by last go out, at least COUNT if there
 * are so many: to slots, as private pages do (mm/cow.h). Those of locked regions stay. Takes no memory.
 *   returns how many went; true in *ENDS: it came to the last object            TLB: paid
 */
uint32_t object_put_out(uint32_t count, bool *ends);

/* All pages that are in slots of [FIRST, END) come back. Errors as object_frame(); KERR_AGAIN: COW_BACK_MOST did,
 * and there may be more. */
kerr_t object_bring_all_back(frame_t first, frame_t end);

/* How many pages of all objects are in slots. */
uint32_t object_slots_in_use(void);

/* ---- all of them ---- */

/* All objects, the newest first, and how many there are; NULL at the end. */
struct object *object_first(void);
uint32_t object_count(void);

/*
 * Call VISIT for each frame that OBJECT holds: those of its pages and those of the levels (with ~0u
 * for PAGE). VISIT may change references, and nothing else. For the audit.
 */
void object_for_each_frame(const struct object *object,
                           void (*visit)(void *context, uint32_t page, frame_t frame),
                           void *context);

#endif

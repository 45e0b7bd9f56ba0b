/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3, rbtree. Used by: layers 4 (space), 5 and up.
 *
 * Regions (virtual memory areas): what a range of pages is for. The entries of layers 2 and 3 are
 * what the CPU sees; a region is what they may be rebuilt from. Each space has a red-black tree of
 * them, ordered by address; every node knows a bound for the gaps below it, so that a free range
 * is found in O(log n), taken over all changes.
 *
 * Nodes come from a fixed array in kernel space that becomes real as it grows: no heap here.
 *
 * Pages have numbers here: a `uint32_t page`, and whatever is called `..._page`, is an address /
 * 4096. A `vaddr_t`, as `first` below, is the address itself. (In layers 2 and 3 every `page` is a
 * vaddr_t.)
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include <kernel/fault.h>
#include <kernel/rbtree.h>
#include <mm/paging.h>

enum vma_kind {
    VMA_PROMISE, /* reads as zero, private when written */
    VMA_OBJECT,  /* pages of an object: its frames if shared, else copies once written */
    VMA_FIXED,   /* mapped by layer 2; a missing page is missing for good */
    VMA_END,     /* no region: the end of the space, so that every gap lies below some node */
};

enum vma_flags {
    VMA_SHARED = 1,     /* of an object: a write reaches it, and everybody sees it */
    VMA_GROWS_DOWN = 2, /* a touch below it may extend it (space->stack_pages_max) */
    VMA_LOCKED = 4,     /* layer 8's marks: mlock; charged to the account of promises; never */
    VMA_CHARGED = 8,
    VMA_NO_RESERVE = 16,
    VMA_READ_ONLY = 32, /* shared, of a file that is not open for writing: so it stays */
};

struct vma {
    struct rb_node node;
    uint32_t first_page, last_page; /* page numbers: address / 4096, both inside */
    uint32_t gap_pages;             /* free pages between the region below and this one */
    uint32_t gap_bound_pages;       /* no gap in the subtree of this node is larger */
    const char *name;               /* for people; regions merge only if it is the same pointer */
    union {
        struct {
            uint8_t rights;       /* enum rights */
            uint8_t kind;         /* enum vma_kind */
            uint8_t is_permanent; /* the kernel's own: never released or protected */
            uint8_t flags;        /* enum vma_flags */
        };
        uint32_t nature; /* all four, to be compared */
    };
    union {
        struct object *object; /* of VMA_OBJECT; one reference for each region */
        struct space
            *first_sharer; /* of the end of a tree that several spaces have: one of them, */
    };
    union {
        uint32_t object_page; /* the object's page that first_page shows */
        uint32_t users;       /* and how many they are */
    };
};

/* A space as this layer sees it. FIRST_PAGE and the end node bound what may be reserved. */
enum { FOLDED_RUNS_MAX = 7 };
struct folded_run {
    uint16_t slot, count;
    pde_t pde;
};

struct space {
    struct rb_tree regions;
    struct vma end;
    uint32_t first_page;
    uint32_t region_count;
    uint32_t reserved_pages;
    enum rights user;         /* RIGHTS_USER, or RIGHTS_NONE for the supervisor alone */
    uint32_t directory;       /* its number, or DIRECTORY_NONE; the kernel space has no own: 0 */
    uint32_t room_first_page; /* vma_find_room() looks from here on first, then anywhere, */
    uint32_t room_end_page;   /* but not at or behind this one */
    uint32_t stack_pages_max; /* how large a region that grows down may become */
    uint32_t growable_pages;  /* by how much they may still grow, all of them (see below) */
    uint32_t charged_pages;   /* pages of regions with VMA_CHARGED, and with VMA_LOCKED: kept */
    uint32_t locked_pages;    /* by vma.c as reserved_pages is, so that layer 8 sees what went */
    uint32_t promised_frames; /* what layer 1's account of promises has for it (see below) */
    struct vma *touched; /* the region touched or entered last, or NULL: as a rule it is next */
    bool is_ending;      /* space_destroy_piece() has begun: nobody looks at its pages any more */
    bool is_used;        /* it was loaded since reclaim came by last */
    uint8_t folded_runs; /* without a directory (mm/space_fold.c): what it had, in runs of */
    struct folded_run folded[FOLDED_RUNS_MAX]; /* equal entries */
    /* NULL: the regions are its own. Else the end of a tree that all spaces of its ring have (mm/vma_share.h) */
    struct vma *shared_end;
    struct space *next_sharer, *previous_sharer;
    struct space *next, *previous; /* of all spaces but the kernel's (space_first()) */
};

/* Locked pages of all spaces together. */
extern uint64_t vma_locked_pages;

/* So many pages stay free below a region that grows down, as on Linux (stack_guard_gap). */
enum { STACK_GUARD_PAGES = 256 };

/*
 * Regions that grow down (VMA_GROWS_DOWN): a touch of a free page below one, with nothing between,
 * extends it down to that page, if
 *   it has at most `stack_pages_max` pages then (0, as in a new space: none grows),
 *   `growable_pages` leaves room for it (no limit in a new space),
 *   STACK_GUARD_PAGES stay free above the region below, unless that is a stack, too, or refuses all
 *   access,
 *   and layer 1 may promise what it can need.
 * Nor does what comes later come nearer, unless its place is prescribed: the search for room and
 * vma_extend() keep the distance, vma_map_at() does if it is wished.
 * Layer 4 takes what a stack grew by out of `growable_pages`, where layer 8 sets what may be
 * (RLIMIT_AS), and adds what it promised for it to `promised_frames`, which is otherwise layer 8's.
 */

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

/* What is to be in a range. */
struct vma_wish {
    enum rights rights;
    uint32_t flags;        /* enum vma_flags */
    const char *name;      /* stays the caller's, for good */
    struct object *object; /* NULL: zeros. The region takes a reference of its own */
    uint32_t object_page;  /* the object's page that FIRST shows */
    uint32_t guard_pages;  /* above the range so many pages have to be free, too: KERR_EXISTS */
    bool keeps_off_stacks; /* and STACK_GUARD_PAGES more below a region that grows down */
};

/*
 * As vma_reserve_at(), with all that a region can be. Pages behind the object's end are allowed:
 * their touch is refused (FAULT_BEYOND_END). A neighbour that is alike, and shows the object's next
 * pages, grows instead of a new region.
 *   OBJECT, if it is shared memory (OBJECT_ANONYMOUS), is mapped VMA_SHARED: a private entry that shows
 *   a frame of kind ANONYMOUS is taken for a private page's, which may go out to swap by itself
 *   returns also KERR_BAD_RANGE if the object's pages reach OBJECT_PAGE_LIMIT
 */
kerr_t vma_map_at(struct space *space, vaddr_t first, uint32_t pages, const struct vma_wish *wish);

/* The same where there is room, as vma_reserve(). */
kerr_t vma_map(struct space *space, uint32_t pages, const struct vma_wish *wish, vaddr_t *first);

/*
 * The upper end of REGION, a promise of SPACE, moves: up by PAGES pages, if these and one more
 * above them are free, and the guard of a stack that follows; down by PAGES, fewer than it has.
 * Cheaper than vma_map_at() and vma_release().
 * REGION is found anew before it is asked again: SPACE may have got a tree of its own.
 *   returns KERR_OK; KERR_EXISTS; KERR_NO_MEMORY (a shared table must be copied; no region changed)
 */
kerr_t vma_extend(struct space *space, struct vma *region, uint32_t pages);
kerr_t vma_shorten(struct space *space, struct vma *region, uint32_t pages);

/*
 * Move the range [from, from + pages), which lies in one region, to TO, where nothing is reserved
 * and which does not overlap it: regions and entries; frames stay what they are. (To move and grow:
 * map the new tail behind TO first, then move; both become one region.)
 *   returns KERR_OK; KERR_NOT_FOUND (no single region holds the range); KERR_BAD_RANGE (also for
 *   the kernel's own regions); KERR_EXISTS; KERR_NO_MEMORY (nothing that is seen has changed)
 *   TLB: paid
 */
kerr_t vma_move(struct space *space, vaddr_t from, uint32_t pages, vaddr_t to);

/*
 * Drop what the pages of the range hold; holes are skipped. Promises read as zero again, private
 * pages of an object as the object; shared ones stay what the object is.
 *   returns KERR_OK; KERR_BAD_RANGE (also for the kernel's own regions); KERR_NO_MEMORY (nothing
 *   that is seen has changed)                       TLB: paid
 */
kerr_t vma_discard(struct space *space, vaddr_t first, uint32_t pages);

/*
 * Set and clear marks (VMA_LOCKED, VMA_CHARGED, VMA_NO_RESERVE) in the range; holes are skipped.
 * Regions split and merge. Whole regions need no memory.
 *   returns KERR_OK, KERR_BAD_RANGE (as above), KERR_NO_MEMORY (nothing changed)
 */
kerr_t vma_set_flags(struct space *space, vaddr_t first, uint32_t pages, uint32_t set,
                     uint32_t clear);

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

/* The region that holds ADDRESS, or else the next one above it; NULL: none. O(log n). */
struct vma *vma_at_or_above(const struct space *space, vaddr_t address);

/* All regions in order; NULL at the end. */
struct vma *vma_first(const struct space *space);
struct vma *vma_next(const struct vma *region);

/* Of all spaces that have SPACE's tree it is the one that stands for them, where each tree counts once. */
static inline bool vma_stands_for_tree(const struct space *space)
{
    return space->shared_end == NULL || space->shared_end->first_sharer == space;
}

static inline vaddr_t vma_start(const struct vma *region)
{
    return VADDR(region->first_page << PAGE_SHIFT);
}

static inline uint32_t vma_pages(const struct vma *region)
{
    return region->last_page - region->first_page + 1;
}

/* Some access to its pages is allowed. */
static inline bool vma_is_accessible(const struct vma *region)
{
    return (region->rights & (RIGHTS_READ | RIGHTS_WRITE | RIGHTS_EXECUTE)) != 0;
}

/*
 * Where PAGES pages would be reserved: the lowest place from room_first_page on that ends below
 * room_end_page; else the lowest from first_page on that does; at a slot boundary from 1024 pages
 * on, if a gap has room for it. O(log n), as above.     returns KERR_OK, KERR_NO_ROOM
 */
kerr_t vma_find_room(const struct space *space, uint32_t pages, vaddr_t *first);

/* Tree order, balance, gaps and counts. Returns NULL, or the sentence that is not true. */
const char *vma_check(const struct space *space);

/* ---- touching ---- */

/*
 * Build the entries that the region at ADDRESS promises and, for a write, make the page real.
 * What the fault handler does, without a fault. ADDRESS is in the kernel or the current space.
 *   returns FAULT_RESOLVED; FAULT_NOT_MINE (the entries allow the access already);
 *   FAULT_BAD_ACCESS; FAULT_NO_MEMORY; FAULT_BEYOND_END (behind the last page of an object)
 */
enum fault_result must_check vma_touch(vaddr_t address, enum access access, enum cpu_mode mode);

/*
 * The error that RESULT, of vma_touch() or of a copy routine, stands for; KERR_OK: the access can be
 * made. (To a copy routine nobody says FAULT_NOT_MINE.)
 */
kerr_t vma_error_of(enum fault_result result);

/* Make the range real, so that writing there can't fault. Errors as cow_make_real. */
kerr_t vma_make_real(vaddr_t first, uint32_t pages);

/* ---- for space.c and the units that own kernel regions ---- */

/* An empty tree over the pages [first, end), with room everywhere, in which no stack grows. */
void vma_space_init(struct space *space, uint32_t first_page, uint32_t end_page);

/*
 * Forget regions of SPACE, whose lower half was dropped, but at most MOST; objects lose their
 * references. Returns true if none is left.
 */
bool must_check vma_forget(struct space *space, uint32_t most);

/*
 * Give TO, an empty space with the same bounds, the regions of FROM; entries are not touched, and
 * VMA_LOCKED is not inherited.
 *   returns KERR_OK, KERR_NO_MEMORY (nothing changed)
 */
kerr_t vma_copy_all(struct space *to, const struct space *from);

/*
 * Enter a region of the kernel that lives for ever. The empty ones of a VMA_PROMISE's whole
 * slots are promised; the rest is built at a touch.
 */
kerr_t vma_register_kernel(vaddr_t first, uint32_t pages, enum rights rights, enum vma_kind kind,
                           const char *name);

/* Region nodes in use, by regions of all spaces and by objects; for `mem` and the tests. */
uint32_t vma_nodes_in_use(void);

/* Give back the page of nodes that is kept empty so that a region more or less costs none. */
void vma_trim(void);

#endif

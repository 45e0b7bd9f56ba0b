/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. What a touch of a page that is not there means; by the region that holds it:
 *
 *   none                     refused, unless the region above grows down to the page
 *   without the right        refused
 *   a promise                its part of the slot is built, or the whole slot promised
 *   a page that is out       its slot's page, for all who share the table
 *   a table that is out      the table first; then its entry decides
 *   an object, private       the object's frames, some around the page, read-only or COW
 *   an object, shared        the object's frame, made if there is none yet
 *   behind the object's end  refused, in a way of its own
 *   its pager must wait      so must the toucher; the channel has been left
 *
 * If the touch is a write, layer 3 answers it at once, and no second fault is taken.
 */
#include "vma_region.h"
#include "vma_share.h"

#include <arch/i386/entry.h>
#include <kernel/layer.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/pager.h>
#include <mm/zero.h>

/* ---- building ---- */

/* Promise what of REGION lies in the slot of PAGE, but for pages that are there. */
static enum kerr promise_part(const struct vma *region, uint32_t page)
{
    uint32_t first = page & ~(SLOT_PAGES - 1u), last = page | (SLOT_PAGES - 1u);
    if (first < region->first_page)
        first = region->first_page;
    if (last > region->last_page)
        last = region->last_page;
    return zero_promise_pages(VADDR(first << PAGE_SHIFT), last - first + 1,
                              (enum rights)region->rights);
}

static inline bool covers_slot(const struct vma *region, uint32_t slot)
{
    return region->first_page <= slot * SLOT_PAGES &&
           region->last_page >= slot * SLOT_PAGES + (SLOT_PAGES - 1);
}

/*
 * Build the part of REGION, a promise, that lies in the slot of PAGE. A page that is about to be
 * written gets a frame at once, unless its slot is promised whole.
 */
static inline enum fault_result build_promise(const struct vma *region, uint32_t page,
                                              enum access access)
{
    uint32_t slot = page / SLOT_PAGES;
    enum rights rights = (enum rights)region->rights;
    if (covers_slot(region, slot) && zero_promise_slots(slot, 1, rights) == KERR_OK)
        return access == ACCESS_WRITE ? cow_write(VADDR(page << PAGE_SHIFT)) : FAULT_RESOLVED;
    enum kerr error = access == ACCESS_WRITE ? cow_enter_cleared(VADDR(page << PAGE_SHIFT), rights)
                                             : cow_unshare(slot);
    if (error == KERR_OK && (access != ACCESS_WRITE || region->first_page != region->last_page))
        error = promise_part(region, page);
    return error == KERR_OK ? FAULT_RESOLVED : FAULT_NO_MEMORY;
}

/* A touch of a file shows so many of its pages, aligned, as far as they have frames. */
enum { AROUND_PAGES = 16 };
_Static_assert(SLOT_PAGES % AROUND_PAGES == 0, "in one slot");

/* The pages around PAGE, of REGION, that a touch shows as well. Others' come one at a time. */
static struct page_range around(const struct vma *region, uint32_t page)
{
    if (region->object->kind != OBJECT_FILE)
        return (struct page_range){page, page};
    struct page_range range = {page & ~(AROUND_PAGES - 1u), page | (AROUND_PAGES - 1u)};
    if (range.first_page < region->first_page)
        range.first_page = region->first_page;
    if (range.last_page > region->last_page)
        range.last_page = region->last_page;
    return range;
}

/* There is no frame for an object's page. */
static enum fault_result fault_of(enum kerr error)
{
    switch (error) {
    case KERR_OK:
        return FAULT_RESOLVED;
    case KERR_MUST_WAIT:
        return FAULT_MUST_WAIT;
    case KERR_IO:
    case KERR_NO_SPACE:
    case KERR_READ_ONLY:
        return FAULT_IO_ERROR;
    case KERR_BAD_RANGE:
        return FAULT_BEYOND_END;
    default:
        return FAULT_NO_MEMORY;
    }
}

static inline uint32_t object_page_of(const struct vma *region, uint32_t page)
{
    return region->object_page + (page - region->first_page);
}

static inline enum cow_mapping mapping_of(const struct vma *region)
{
    const struct pager *pager = region->object->pager;
    if (!(region->flags & VMA_SHARED))
        return MAPPING_PRIVATE;
    return pager != NULL && pager->before_write != NULL ? MAPPING_SHARED_CLEAN : MAPPING_SHARED;
}

/* PAGE, shown by REGION and shared, is clean, and is to be written. */
static __attribute__((noinline)) enum fault_result write_shared(const struct vma *region,
                                                                uint32_t page)
{
    enum kerr error = object_before_write(region->object, object_page_of(region, page));
    return fault_of(error != KERR_OK ? error : cow_allow_write(VADDR(page << PAGE_SHIFT)));
}

/* A write to PAGE, of REGION, whose entry is present. */
static enum fault_result write_present(const struct vma *region, uint32_t page)
{
    return pte_is_clean_shared(pte_read(VADDR(page << PAGE_SHIFT)))
               ? write_shared(region, page)
               : cow_write(VADDR(page << PAGE_SHIFT));
}

/* The frames of RANGE, of REGION, as far as they are there; that of PAGE in any case. */
static inline enum kerr find_around(const struct vma *region, uint32_t page,
                                    struct page_range range, frame_t frames[])
{
    struct object *object = region->object;
    uint32_t first = object_page_of(region, range.first_page);
    uint32_t pages = range.last_page - range.first_page + 1, at = page - range.first_page;
    if (pages == 1)
        return object_frame(object, first, frames);
    object_find_frames(object, first, pages, frames);
    if (likely(frames[at].n != NO_FRAME.n))
        return KERR_OK;
    frame_t frame;
    enum kerr error = object_frame(object, first + at, &frame);
    if (error == KERR_OK)
        object_find_frames(object, first, pages, frames); /* others may have come with it */
    return error;
}

static __attribute__((noinline)) enum fault_result build_object(const struct vma *region,
                                                                uint32_t page, enum access access)
{
    frame_t frames[AROUND_PAGES];
    struct page_range range = around(region, page);
    uint32_t pages = range.last_page - range.first_page + 1;
    enum kerr error = find_around(region, page, range, frames);
    if (error != KERR_OK)
        return fault_of(error);
    enum cow_mapping mapping = mapping_of(region);
    if (cow_map(VADDR(range.first_page << PAGE_SHIFT), pages, frames, region->rights, mapping) !=
        KERR_OK)
        return FAULT_NO_MEMORY;
    /* A shared mapping was built writable, unless it is asked for. */
    return access == ACCESS_WRITE && mapping != MAPPING_SHARED ? write_present(region, page)
                                                               : FAULT_RESOLVED;
}

/* ---- regions that grow down ---- */

/* Nothing need stay free above BELOW: it refuses all access, is a stack itself, or is not there. */
static bool is_no_neighbour(const struct rb_node *below)
{
    return below == NULL || !vma_is_accessible(vma_of(below)) ||
           (vma_of(below)->flags & VMA_GROWS_DOWN) != 0;
}

/* May REGION, the lowest above PAGE, begin at PAGE? */
static bool may_grow(const struct space *space, const struct vma *region, uint32_t page)
{
    uint32_t pages = region->first_page - page;
    return (region->flags & VMA_GROWS_DOWN) != 0 &&
           region->last_page - page < space->stack_pages_max && pages <= space->growable_pages &&
           (region->object == NULL || pages <= region->object_page) &&
           (is_no_neighbour(rb_prev(&region->node)) ||
            pages + STACK_GUARD_PAGES <= region->gap_pages);
}

/*
 * Promise what REGION can need when it begins at PAGE: its new pages if it is charged for them,
 * and, where promises are kept, a table for each slot that it enters.
 */
static bool promise_growth(struct space *space, const struct vma *region, uint32_t page)
{
    uint32_t count = region->flags & VMA_CHARGED ? region->first_page - page : 0;
    if (frame_keeps_promises(&frame_pool))
        count += region->first_page / SLOT_PAGES - page / SLOT_PAGES;
    if (!frame_can_commit(&frame_pool, count))
        return false;
    frame_commit(&frame_pool, count);
    space->promised_frames += count;
    return true;
}

/*
 * *FOUND becomes the region that holds PAGE, which none does yet: the one above grows. KERR_NOT_FOUND: it does not;
 * KERR_NO_MEMORY: the regions are not SPACE's own, and can't be copied.
 */
static __attribute__((noinline)) enum kerr grow_down(struct space *space, uint32_t page,
                                                     struct vma **found)
{
    if (page < space->first_page || page >= space->end.first_page)
        return KERR_NOT_FOUND;
    struct vma *region = vma_find_from(space, page);
    if (region->kind == VMA_END || !may_grow(space, region, page))
        return KERR_NOT_FOUND;
    enum kerr error = vma_own_region(space, &region);
    if (error != KERR_OK)
        return error;
    if (!promise_growth(space, region, page))
        return KERR_NOT_FOUND;
    uint32_t pages = region->first_page - page;
    vma_set_first_page(region, page);
    count_pages(space, region->flags, pages);
    space->growable_pages -= pages;
    *found = region;
    return KERR_OK;
}

/* ---- touching ---- */

static inline bool allows(const struct vma *region, enum access access, enum cpu_mode mode)
{
    const uint32_t any = RIGHTS_READ | RIGHTS_WRITE | RIGHTS_EXECUTE, rights = region->rights;
    if (region->kind != VMA_PROMISE && region->kind != VMA_OBJECT)
        return false;
    if (access == ACCESS_WRITE ? !(rights & RIGHTS_WRITE) : !(rights & any))
        return false;
    return mode == MODE_KERNEL || (rights & RIGHTS_USER);
}

/* The region that holds ADDRESS, or NULL: mostly the one that the last touch was of. */
static inline struct vma *find_touched(struct space *space, vaddr_t address)
{
    uint32_t page = address.v >> PAGE_SHIFT;
    struct vma *region = space->touched;
    if (region != NULL && page >= region->first_page && page <= region->last_page)
        return region;
    region = vma_find(space, address);
    space->touched = region;
    return region;
}

/* PAGE, of REGION, has an entry, PTE: it is written to; or it is out, and comes back. */
static __attribute__((noinline)) enum fault_result
touch_in_use(const struct vma *region, uint32_t page, pte_t pte, enum access access)
{
    if (pte_is_swapped(pte)) {
        enum kerr error = cow_bring_back(VADDR(page << PAGE_SHIFT), access == ACCESS_WRITE);
        if (error != KERR_OK || access != ACCESS_WRITE)
            return fault_of(error);
    }
    return access == ACCESS_WRITE ? write_present(region, page) : FAULT_NOT_MINE;
}

static enum fault_result vma_fault(const struct page_fault *fault)
{
    vaddr_t address = fault->address;
    struct space *space = space_of(address);
    struct vma *region = find_touched(space, address);
    if (region == NULL) {
        enum kerr error = grow_down(space, address.v >> PAGE_SHIFT, &region);
        if (error != KERR_OK)
            return error == KERR_NO_MEMORY ? FAULT_NO_MEMORY : FAULT_BAD_ACCESS;
    }
    if (!allows(region, fault->access, fault->mode))
        return FAULT_BAD_ACCESS;

    pde_t pde = pde_read(vaddr_to_slot(address));
    if (unlikely(pde_is_swapped(pde))) {
        enum kerr error = cow_bring_table(vaddr_to_slot(address));
        if (error != KERR_OK)
            return fault_of(error);
        pde = pde_read(vaddr_to_slot(address));
    }
    if (pde_is_table(pde)) {
        pte_t pte = pte_read(address);
        if (!pte_is_empty(pte))
            return touch_in_use(region, address.v >> PAGE_SHIFT, pte, fault->access);
    }
    return region->kind == VMA_OBJECT
               ? build_object(region, address.v >> PAGE_SHIFT, fault->access)
               : build_promise(region, address.v >> PAGE_SHIFT, fault->access);
}

enum fault_result vma_touch(vaddr_t address, enum access access, enum cpu_mode mode)
{
    const struct page_fault fault = {.address = address, .access = access, .mode = mode};
    return vma_fault(&fault);
}

/* What is present and refused is layer 3's, unless it is clean. */
static enum fault_result vma_refused(const struct page_fault *fault)
{
    bool is_clean = fault->access == ACCESS_WRITE &&
                    pde_is_table(pde_read(vaddr_to_slot(fault->address))) &&
                    pte_is_clean_shared(pte_read(fault->address));
    return is_clean ? vma_fault(fault) : FAULT_NOT_MINE;
}

enum kerr vma_error_of(enum fault_result result)
{
    switch (result) {
    case FAULT_RESOLVED:
    case FAULT_NOT_MINE:
        return KERR_OK;
    case FAULT_NO_MEMORY:
        return KERR_NO_MEMORY;
    case FAULT_MUST_WAIT:
        return KERR_MUST_WAIT;
    case FAULT_IO_ERROR:
        return KERR_IO;
    case FAULT_BAD_ACCESS:
    case FAULT_BEYOND_END:
        break;
    }
    return KERR_BAD_ACCESS;
}

enum kerr vma_make_real(vaddr_t first, uint32_t pages)
{
    enum kerr error = KERR_OK;
    for (uint32_t i = 0; i < pages && error == KERR_OK; i++)
        error =
            vma_error_of(vma_touch(vaddr_add(first, i << PAGE_SHIFT), ACCESS_WRITE, MODE_KERNEL));
    return error;
}

/* ---- for people, and the start ---- */

static void describe(vaddr_t address)
{
    if (!paging_sees_current_space()) {
        printk("  region: not to be seen from the double-fault task\n");
        return;
    }
    const struct vma *region = vma_find(space_of(address), address);
    if (region == NULL) {
        printk("  region: none\n");
        return;
    }
    printk("  region: " PRI_VADDR " to " PRI_VADDR " %c%c%c%c %s\n", ARG_VADDR(vma_start(region)),
           (region->last_page << PAGE_SHIFT) + (PAGE_BYTES - 1),
           region->rights & RIGHTS_READ ? 'r' : '-', region->rights & RIGHTS_WRITE ? 'w' : '-',
           region->rights & RIGHTS_EXECUTE ? 'x' : '-', region->rights & RIGHTS_USER ? 'u' : '-',
           region->name);
}

static enum kerr vma_layer_init(const struct boot_info *boot)
{
    (void)boot;
    static const struct fault_client client = {.name = "vma",
                                               .handle_present = vma_refused,
                                               .handle_missing = vma_fault,
                                               .describe = describe};
    fault_register(4, &client);
    /* The array of nodes is promised before there is a node to say so. */
    enum kerr error = zero_promise_slots(REGION_NODES_BASE >> SLOT_SHIFT,
                                         REGION_NODES_ROOM_BYTES >> SLOT_SHIFT, RIGHTS_READ_WRITE);
    return error == KERR_OK ? nodes_prepare(1) : error;
}

LAYER(04a, "vma", vma_layer_init);

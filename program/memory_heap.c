/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. brk: the end of the heap moves, mostly by a few pages and again and again, so the
 * region that ends there is remembered.
 *
 * Source: Linux manual page brk(2).
 */
#include "memory_calls.h"

static bool is_heap_within_limits(const struct process *self, uint32_t end)
{
    uint32_t soft = self->limits->pair[LIMIT_DATA].soft;
    return soft == LIMIT_NONE || end - self->memory->heap_start <= soft;
}

static uint32_t round_up(uint32_t address)
{
    return (address + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

enum { HEAP_GUARD_PAGES = 1 }; /* above the heap, as on Linux */

/* The heap grows by PAGES pages at FIRST_PAGE, by a region of its own if it has none. */
static enum kerr extend_heap(struct memory *memory, uint32_t first_page, uint32_t pages)
{
    const struct vma_wish wish = {.rights = RIGHTS_READ_WRITE,
                                  .flags = VMA_CHARGED | memory->lock_future,
                                  .name = memory_heap_name,
                                  .guard_pages = HEAP_GUARD_PAGES,
                                  .keeps_off_stacks = true};
    return vma_map_at(&memory->space, VADDR(first_page << PAGE_SHIFT), pages, &wish);
}

/*
 * The heap's last region, if it is as brk made it; else NULL. Whatever else may change regions
 * forgets it (memory_regions_change()), so a second brk need not search.
 */
static inline struct vma *plain_heap(struct memory *memory, uint32_t end_page)
{
    struct vma *region = memory->heap_region;
    if (likely(region != NULL))
        return region;
    region = vma_find(&memory->space, VADDR((end_page - 1) << PAGE_SHIFT));
    if (region == NULL || region->last_page != end_page - 1 || region->name != memory_heap_name ||
        region->flags != (VMA_CHARGED | memory->lock_future) ||
        region->rights != (RIGHTS_READ_WRITE | RIGHTS_USER))
        return NULL;
    if (memory->space.shared_end == NULL) /* else its first change makes another one of it */
        memory->heap_region = region;
    return region;
}

/* No limit binds, so nothing need be asked before the heap grows by PAGES pages. */
static inline bool is_unlimited(const struct process *self, uint32_t pages)
{
    return self->limits->pair[LIMIT_AS].soft == LIMIT_NONE &&
           self->limits->pair[LIMIT_DATA].soft == LIMIT_NONE &&
           pages <= commit_account.single_max && commit_account.mode != OVERCOMMIT_NEVER;
}

static __attribute__((noinline)) bool may_grow_heap(struct process *self, uint32_t end,
                                                    uint32_t first_page, uint32_t pages)
{
    struct memory *memory = self->memory;
    return is_heap_within_limits(self, end) &&
           is_within_limits(self, pages, RIGHTS_READ_WRITE, 0) &&
           (memory->lock_future == 0 || may_lock(self, pages)) &&
           commit_allows(memory, pages, first_page, first_page + pages - 1);
}

/* The heap grows by PAGES pages from FIRST_PAGE on, up to END. */
static __attribute__((noinline)) bool grow_heap(struct process *self, uint32_t end,
                                                uint32_t first_page, uint32_t pages)
{
    struct memory *memory = self->memory;
    if (!may_grow_heap(self, end, first_page, pages))
        return false;
    struct vma *region = plain_heap(memory, first_page);
    enum kerr error = region != NULL ? vma_extend(&memory->space, region, pages)
                                     : extend_heap(memory, first_page, pages);
    settle(self);
    if (error != KERR_OK)
        return false;
    if (memory->lock_future)
        populate_mapping(self, first_page, pages);
    return true;
}

/* The same where only the last region grows, and nobody need be asked. */
static inline bool grow_heap_at_once(struct process *self, uint32_t pages)
{
    struct memory *memory = self->memory;
    if (memory->heap_region == NULL || memory->lock_future || !is_unlimited(self, pages) ||
        vma_extend(&memory->space, memory->heap_region, pages) != KERR_OK)
        return false;
    commit_more(memory, pages);
    return true;
}

/* The heap loses PAGES pages from FIRST_PAGE on. Returns 0, an error, or a repetition. */
static inline int32_t shrink_heap(struct process *self, uint32_t first_page, uint32_t pages)
{
    struct memory *memory = self->memory;
    struct vma *region = plain_heap(memory, first_page + pages);
    if (unlikely(region == NULL || region->first_page >= first_page))
        return memory_unmap(self, first_page, pages);
    enum kerr error = vma_shorten(&memory->space, region, pages);
    if (unlikely(error != KERR_OK))
        return error == KERR_MUST_WAIT ? process_must_wait() : -ENOMEM;
    commit_follow(memory);
    return 0;
}

/* The end of the heap, behind OLD_PAGE now, moves to END, by PAGES pages up, or as many down. Returns as brk. */
static __attribute__((noinline)) int32_t move_end(struct process *self, uint32_t end,
                                                  uint32_t old_page, uint32_t pages)
{
    struct memory *memory = self->memory;
    if ((int32_t)pages > 0) {
        if (!grow_heap(self, end, old_page, pages))
            return (int32_t)memory->heap_end;
    } else {
        uint32_t fewer = 0u - pages, first_page = old_page - fewer;
        int32_t result = before_unmapping(self, first_page, fewer);
        if (likely(result == 0))
            result = shrink_heap(self, first_page, fewer);
        if (unlikely(call_is_repeated(self)))
            return result; /* a table is out, or a frame lacks */
        if (unlikely(result != 0))
            return (int32_t)memory->heap_end;
    }
    memory->heap_end = end;
    return (int32_t)end;
}

/* Answers with the end of the heap, moved or not. */
SYSTEM_CALL(45, brk)
{
    struct memory *memory = self->memory;
    uint32_t end = ARG1;
    if (end < memory->heap_start || end > KERNEL_BASE)
        return (int32_t)memory->heap_end;
    uint32_t old_page = round_up(memory->heap_end) >> PAGE_SHIFT;
    uint32_t pages = (round_up(end) >> PAGE_SHIFT) - old_page;
    if (pages != 0 && ((int32_t)pages < 0 || !grow_heap_at_once(self, pages)))
        return move_end(self, end, old_page, pages);
    memory->heap_end = end;
    return (int32_t)end;
}

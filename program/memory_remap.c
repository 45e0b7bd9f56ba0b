/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. mremap: a range shrinks, grows where it is, or moves.
 *
 * Source: Linux manual page mremap(2).
 */
#include "memory_calls.h"

enum mremap_flag {
    MREMAP_MAYMOVE = 1,
    MREMAP_FIXED = 2,
    MREMAP_DONTUNMAP = 4,
    MREMAP_VALID = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
};

struct remap {
    uint32_t old_page, old_pages, new_pages, flags, new_page;
    uint32_t more; /* pages that come in addition, and how many of them are charged */
    uint32_t charged;
};

/* The wish that OFFSET pages into REGION would be met by. */
static struct vma_wish wish_like(const struct vma *region, uint32_t offset)
{
    uint32_t object_page = region->object != NULL ? region->object_page + offset : 0;
    return (struct vma_wish){.rights = region->rights & ~(unsigned)RIGHTS_USER,
                             .flags = region->flags,
                             .name = region->name,
                             .object = region->object,
                             .object_page = object_page};
}

/* The rules for the region that grows or moves, and the limits for what it becomes. */
static int32_t check_remap(const struct process *self, const struct vma *region,
                           struct remap *remap)
{
    if (region == NULL || region->first_page > remap->old_page)
        return -EFAULT;
    if (remap->old_pages == 0 && !(region->flags & VMA_SHARED))
        return -EINVAL;
    if (remap->old_pages > region->last_page - remap->old_page + 1)
        return -EFAULT;
    uint32_t offset = remap->old_page - region->first_page;
    if (region->object != NULL && region->object_page + offset + remap->new_pages < offset)
        return -EINVAL;
    bool is_copy = remap->old_pages == 0 || (remap->flags & MREMAP_DONTUNMAP);
    remap->more = is_copy ? remap->new_pages : remap->new_pages - remap->old_pages;
    remap->charged = region->flags & VMA_CHARGED ? remap->more : 0;
    if ((region->flags & VMA_LOCKED) && !may_lock(self, remap->more))
        return -EAGAIN;
    return is_within_limits(self, remap->more, region->rights, region->flags) ? 0 : -ENOMEM;
}

/*
 * The old pages of REGION stand at the new ones' place afterwards, where nothing is. What follows
 * them is of the same nature, so that it joins them, which wants no memory.
 */
static enum kerr move_pages(struct space *space, const struct vma *region,
                            const struct remap *remap)
{
    uint32_t offset = remap->old_page - region->first_page;
    vaddr_t from = VADDR(remap->old_page << PAGE_SHIFT);
    vaddr_t to = VADDR(remap->new_page << PAGE_SHIFT);
    struct vma_wish left = wish_like(region, offset);
    struct vma_wish more = wish_like(region, offset + remap->old_pages);
    if (remap->old_pages > 0) {
        enum kerr error = vma_move(space, from, remap->old_pages, to);
        if (error != KERR_OK)
            return error;
    }
    if (remap->new_pages > remap->old_pages)
        return vma_map_at(space, vaddr_add(to, remap->old_pages << PAGE_SHIFT),
                          remap->new_pages - remap->old_pages, &more);
    if (!(remap->flags & MREMAP_DONTUNMAP))
        return KERR_OK;
    enum kerr error = vma_map_at(space, from, remap->old_pages, &left);
    return error == KERR_OK || vma_move(space, to, remap->old_pages, from) == KERR_OK ? error
                                                                                      : KERR_OK;
}

static int32_t move(struct process *self, const struct vma *region, const struct remap *remap)
{
    uint32_t flags = region->flags;
    memory_regions_change(self->memory);
    if (!commit_allows(self->memory, remap->charged, remap->new_page,
                       remap->new_page + remap->new_pages - 1))
        return -ENOMEM;
    enum kerr error = move_pages(&self->memory->space, region, remap);
    settle(self);
    if (error != KERR_OK)
        return memory_call_failed(error);
    int32_t address = (int32_t)(remap->new_page << PAGE_SHIFT);
    if (flags & VMA_LOCKED)
        populate_mapping(self, remap->new_page, remap->new_pages);
    return address;
}

/*
 * To an address of the caller's, in place of what is there. All that can be known is asked before
 * the first page goes; if memory lacks after that, what was at the new address is gone, as on
 * Linux.
 */
static int32_t remap_to(struct process *self, struct remap *remap)
{
    const struct space *space = &self->memory->space;
    vaddr_t old = VADDR(remap->old_page << PAGE_SHIFT);
    struct remap checked = *remap;
    if (remap->old_pages > remap->new_pages) /* what is cut off need not be of this region */
        checked.old_pages = remap->new_pages;
    int32_t result = check_remap(self, vma_find(space, old), &checked);
    if (result != 0)
        return result;
    if (!is_below_kernel(remap->old_page << PAGE_SHIFT, remap->old_pages))
        return -EINVAL;
    if (space->region_count >= REGIONS_MAX - 2) /* three edges may have to be cut */
        return -ENOMEM;
    result = memory_unmap(self, remap->new_page, remap->new_pages);
    if (result == 0 && remap->old_pages > remap->new_pages)
        result = memory_unmap(self, remap->old_page + remap->new_pages,
                              remap->old_pages - remap->new_pages);
    return result == 0 ? move(self, vma_find(space, old), &checked) : result;
}

/* The region ends with the old range, and what is above it is free: it grows where it is. */
static bool grow_in_place(struct process *self, const struct vma *region, const struct remap *remap)
{
    uint32_t first_page = remap->old_page + remap->old_pages;
    uint32_t more = remap->new_pages - remap->old_pages;
    struct vma_wish wish = wish_like(region, first_page - region->first_page);
    if (region->last_page + 1 != first_page || !is_below_kernel(first_page << PAGE_SHIFT, more) ||
        !commit_allows(self->memory, remap->charged, first_page, first_page + more - 1))
        return false;
    memory_regions_change(self->memory);
    enum kerr error =
        vma_map_at(&self->memory->space, VADDR(first_page << PAGE_SHIFT), more, &wish);
    settle(self);
    if (error == KERR_OK && (wish.flags & VMA_LOCKED))
        populate_mapping(self, first_page, more);
    return error == KERR_OK;
}

static int32_t remap_grow(struct process *self, struct remap *remap)
{
    const struct space *space = &self->memory->space;
    const struct vma *region = vma_find(space, VADDR(remap->old_page << PAGE_SHIFT));
    int32_t result = check_remap(self, region, remap);
    if (result != 0)
        return result;
    if (remap->old_pages > 0 && grow_in_place(self, region, remap))
        return (int32_t)(remap->old_page << PAGE_SHIFT);
    vaddr_t room;
    if (!(remap->flags & MREMAP_MAYMOVE) ||
        vma_find_room(space, remap->new_pages, &room) != KERR_OK)
        return -ENOMEM;
    remap->new_page = room.v >> PAGE_SHIFT;
    return move(self, region, remap);
}

static bool overlap(uint32_t left_page, uint32_t left_pages, uint32_t right_page,
                    uint32_t right_pages)
{
    return left_page < right_page + right_pages && right_page < left_page + left_pages;
}

/* With an address: MREMAP_FIXED, or MREMAP_DONTUNMAP where there is room. */
static int32_t remap_with_address(struct process *self, struct remap *remap, uint32_t new_address)
{
    if (remap->flags & MREMAP_FIXED) {
        if (new_address % PAGE_BYTES != 0 || !is_below_kernel(new_address, remap->new_pages))
            return -EINVAL;
        remap->new_page = new_address >> PAGE_SHIFT;
        if (overlap(remap->old_page, remap->old_pages, remap->new_page, remap->new_pages))
            return -EINVAL;
        if (remap->new_page < self->memory->space.first_page)
            return -EPERM;
        return remap_to(self, remap);
    }
    vaddr_t room;
    const struct vma *region = vma_find(&self->memory->space, VADDR(remap->old_page << PAGE_SHIFT));
    int32_t result = check_remap(self, region, remap);
    if (result != 0)
        return result;
    if (vma_find_room(&self->memory->space, remap->new_pages, &room) != KERR_OK)
        return -ENOMEM;
    remap->new_page = room.v >> PAGE_SHIFT;
    return move(self, region, remap);
}

SYSTEM_CALL(163, mremap)
{
    uint32_t address = ARG1, flags = ARG4;
    if ((flags & ~(uint32_t)MREMAP_VALID) ||
        (flags & (MREMAP_FIXED | MREMAP_MAYMOVE)) == MREMAP_FIXED ||
        ((flags & MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) || address % PAGE_BYTES != 0)
        return -EINVAL;
    struct remap remap = {address >> PAGE_SHIFT, to_pages(ARG2), to_pages(ARG3), flags, 0, 0, 0};
    if (((flags & MREMAP_DONTUNMAP) && remap.old_pages != remap.new_pages) ||
        remap.new_pages == 0 || remap.new_pages >= 1u << (32 - PAGE_SHIFT))
        return -EINVAL;
    if (address >= KERNEL_BASE || vma_find(&self->memory->space, VADDR(address)) == NULL)
        return -EFAULT;
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
        return remap_with_address(self, &remap, ARG5);
    if (remap.old_pages < remap.new_pages)
        return remap_grow(self, &remap);
    if (remap.old_pages == remap.new_pages)
        return (int32_t)address;
    uint32_t first_page = remap.old_page + remap.new_pages;
    uint32_t pages = remap.old_pages - remap.new_pages;
    if (!is_below_kernel(first_page << PAGE_SHIFT, pages))
        return -EINVAL;
    int32_t result = memory_unmap(self, first_page, pages);
    return result == 0 ? (int32_t)address : result;
}

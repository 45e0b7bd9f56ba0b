/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. What the memory calls have in common (memory_calls.h).
 */
#include "memory_calls.h"

/* With so many frames left it is not frames that lack, but nodes, of which there is a fixed array. */
enum { SHORTAGE_FRAMES = 16 };

int32_t memory_call_failed(enum kerr error)
{
    if (error == KERR_NO_MEMORY && commit_account.mode != OVERCOMMIT_NEVER &&
        frame_available(&frame_pool) < SHORTAGE_FRAMES)
        return process_out_of_memory();
    return error_number_of(error);
}

uint32_t count_pages_in(const struct space *space, uint32_t first_page, uint32_t last_page,
                        uint32_t flags)
{
    uint32_t count = 0;
    const struct vma *region = vma_at_or_above(space, VADDR(first_page << PAGE_SHIFT));
    for (; region != NULL && region->first_page <= last_page; region = vma_next(region)) {
        if ((region->flags & flags) != flags)
            continue;
        uint32_t first = first_page > region->first_page ? first_page : region->first_page;
        uint32_t last = last_page < region->last_page ? last_page : region->last_page;
        count += last - first + 1;
    }
    return count;
}

bool is_edge_inside_region(const struct space *space, uint32_t first_page, uint32_t last_page)
{
    const struct vma *first = vma_find(space, VADDR(first_page << PAGE_SHIFT));
    const struct vma *last = vma_find(space, VADDR(last_page << PAGE_SHIFT));
    return (first != NULL && first->first_page < first_page) ||
           (last != NULL && last->last_page > last_page);
}

uint32_t count_data_pages(const struct space *space)
{
    uint32_t count = 0;
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
        if (is_data(region->rights, region->flags))
            count += vma_pages(region);
    return count;
}

void memory_populate_now(struct process *self, uint32_t first_page, uint32_t pages)
{
    if (memory_populate(self->memory, first_page, first_page + pages - 1) == KERR_NO_MEMORY)
        process_request_room();
}

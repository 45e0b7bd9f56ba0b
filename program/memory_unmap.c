/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. munmap, and the same for the calls that empty a range first.
 *
 * Source: Linux manual page munmap(2).
 */
#include "memory_calls.h"

/* Empty the range, which lies below the kernel. */
static inline __attribute__((always_inline)) int32_t unmap(struct process *self,
                                                           uint32_t first_page, uint32_t pages)
{
    struct memory *memory = self->memory;
    struct space *space = &memory->space;
    if (unlikely(first_page < space->first_page)) { /* the first page, where nothing ever is */
        pages -= space->first_page - first_page;
        first_page = space->first_page;
        if (pages == 0)
            return 0;
    }
    if (has_too_many_parts(space, first_page, first_page + pages - 1))
        return -ENOMEM;
    int32_t result = before_unmapping(self, first_page, pages);
    if (unlikely(result != 0))
        return result;
    memory_regions_change(memory);
    enum kerr error = vma_release(space, VADDR(first_page << PAGE_SHIFT), pages);
    if (unlikely(error != KERR_OK))
        return error == KERR_NOT_FOUND ? 0 : memory_call_failed(error);
    settle(self);
    return 0;
}

int32_t memory_unmap(struct process *self, uint32_t first_page, uint32_t pages)
{
    return unmap(self, first_page, pages);
}

SYSTEM_CALL(91, munmap)
{
    uint32_t address = ARG1, bytes = ARG2;
    /* 0 bytes less one are too many. */
    if (address % PAGE_BYTES != 0 || address > KERNEL_BASE || bytes - 1 >= KERNEL_BASE - address)
        return -EINVAL;
    return unmap(self, address >> PAGE_SHIFT, (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT);
}

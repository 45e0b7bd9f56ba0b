/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. mprotect: region by region, up to the first obstacle (a hole, a file that is not open
 * for writing), which is then told, as on Linux. Many pages or regions are changed in pieces.
 *
 * Source: Linux manual page mprotect(2).
 */
#include "memory_calls.h"

/* May the program change pages of REGION to RIGHTS at all? */
static inline bool may_protect(const struct vma *region, enum rights rights)
{
    return !(rights & RIGHTS_WRITE) || !(region->flags & VMA_READ_ONLY);
}

/* PAGES pages of REGION, private and not writable by now, are to be writable: does a limit bind? */
static bool may_become_data(const struct process *self, const struct vma *region, uint32_t pages)
{
    return self->limits->pair[LIMIT_DATA].soft == LIMIT_NONE ||
           (region->flags & (VMA_SHARED | VMA_GROWS_DOWN)) ||
           is_data(region->rights, region->flags) ||
           !exceeds(self, LIMIT_DATA, count_data_pages(&self->memory->space), pages);
}

/* Before pages of a private region become writable, the account knows them. */
static __attribute__((noinline)) int32_t charge_pages(struct process *self, uint32_t first_page,
                                                      uint32_t last_page)
{
    struct memory *memory = self->memory;
    uint32_t pages = last_page - first_page + 1;
    if (!commit_allows(memory, pages, first_page, last_page))
        return -ENOMEM;
    enum kerr error =
        vma_set_flags(&memory->space, VADDR(first_page << PAGE_SHIFT), pages, VMA_CHARGED, 0);
    settle(self);
    return error == KERR_OK ? 0 : memory_call_failed(error);
}

/* May the pages [first_page, last_page], all of REGION, get RIGHTS? They are charged then. */
static inline int32_t prepare_part(struct process *self, const struct vma *region,
                                   uint32_t first_page, uint32_t last_page, enum rights rights)
{
    if (unlikely(!may_protect(region, rights)))
        return -EACCES;
    if (has_too_many_parts(&self->memory->space, first_page, last_page))
        return -ENOMEM;
    memory_regions_change(self->memory);
    if (!(rights & RIGHTS_WRITE))
        return 0;
    if (!may_become_data(self, region, last_page - first_page + 1))
        return -ENOMEM;
    if (!(region->flags & (VMA_SHARED | VMA_CHARGED | VMA_NO_RESERVE)))
        return charge_pages(self, first_page, last_page);
    return 0;
}

static inline int32_t protect_part(struct process *self, uint32_t first_page, uint32_t last_page,
                                   enum rights rights)
{
    enum kerr error = vma_protect(&self->memory->space, VADDR(first_page << PAGE_SHIFT),
                                  last_page - first_page + 1, rights);
    return likely(error == KERR_OK) ? 0 : memory_call_failed(error);
}

/* Of very many pages the first ones, if a cut of their region can be afforded. */
static uint32_t end_of_piece(const struct space *space, uint32_t first_page, uint32_t last_page)
{
    if (last_page - first_page < AT_ONCE_PAGES || space->region_count >= REGIONS_MAX - 1)
        return last_page;
    return ((first_page + AT_ONCE_PAGES) & ~(uint32_t)(SLOT_PAGES - 1)) - 1;
}

/*
 * Region by region from REGION on, the lowest one: what lies before an obstacle is changed. What may
 * be refused is asked for all of a region before its first page changes. PROGRESS_STEPS: the next page.
 */
static __attribute__((noinline)) int32_t protect_in_pieces(struct process *self,
                                                           const struct vma *region,
                                                           uint32_t first_page, uint32_t last_page,
                                                           enum rights rights)
{
    struct space *space = &self->memory->space;
    uint32_t next_page = progress_of(self, PROGRESS_STEPS), done_pages = 0;
    if (next_page != 0) {
        first_page = next_page;
        region = vma_at_or_above(space, VADDR(first_page << PAGE_SHIFT));
    }
    for (unsigned regions = 1;; regions++) {
        if (region == NULL || region->first_page > first_page)
            return -ENOMEM;
        uint32_t last = last_page < region->last_page ? last_page : region->last_page;
        int32_t result = prepare_part(self, region, first_page, last, rights);
        last = end_of_piece(space, first_page, last);
        if (result == 0)
            result = protect_part(self, first_page, last, rights);
        if (result != 0 || last == last_page)
            return result;
        done_pages += last + 1 - first_page;
        first_page = last + 1; /* REGION may have become one with others */
        if (regions == AT_ONCE_REGIONS || done_pages > AT_ONCE_PAGES / 2)
            return call_continue(self, PROGRESS_STEPS, first_page);
        region = vma_at_or_above(space, VADDR(first_page << PAGE_SHIFT));
    }
}

static inline int32_t protect(struct process *self, const struct vma *region, uint32_t first_page,
                              uint32_t last_page, enum rights rights)
{
    if (unlikely(region == NULL || region->first_page > first_page ||
                 region->last_page < last_page || last_page - first_page >= AT_ONCE_PAGES))
        return protect_in_pieces(self, region, first_page, last_page, rights);
    int32_t result = prepare_part(self, region, first_page, last_page, rights);
    return likely(result == 0) ? protect_part(self, first_page, last_page, rights) : result;
}

SYSTEM_CALL(125, mprotect)
{
    uint32_t address = ARG1, bytes = ARG2, protection = ARG3;
    uint32_t grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
    if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || address % PAGE_BYTES != 0)
        return -EINVAL;
    if (bytes == 0)
        return 0;
    uint32_t first_page = address >> PAGE_SHIFT, last_page = first_page + to_pages(bytes) - 1;
    if (last_page >= 1u << (32 - PAGE_SHIFT))
        return -ENOMEM;
    if (protection & ~(uint32_t)(PROT_RIGHTS | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
        return -EINVAL;
    if (last_page >= KERNEL_BASE >> PAGE_SHIFT)
        return -ENOMEM;
    const struct vma *region = vma_at_or_above(&self->memory->space, VADDR(address));
    if (unlikely(grows != 0)) {
        if (region == NULL || region->first_page > last_page)
            return -ENOMEM;
        if (grows == PROT_GROWSUP || !(region->flags & VMA_GROWS_DOWN))
            return -EINVAL;
        first_page = region->first_page;
    }
    return protect(self, region, first_page, last_page, rights_of(protection));
}

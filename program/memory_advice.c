/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. The calls that leave a program's mappings what they are: madvise, mincore, msync, and
 * the mlock family.
 *
 * What is locked is not swapped out: to lock is to make real, to mark, and to count. What is written to a file by its pages is dirty without a call, and goes to the disk by
 * itself: MS_ASYNC does nothing, as in Linux.
 * Source: Linux manual pages madvise(2), mincore(2), msync(2), mlock(2).
 */
#include "memory_calls.h"

#include <file/file.h>
#include <mm/frame.h>
#include <mm/object.h>
#include <mm/zero.h>
#include <process/repeat.h>
#include <store/swap.h>

/* How the pages of a range are held. */
enum coverage { COVERED, COVERED_WITH_HOLES };

/* REGION is the first that ends above FIRST_PAGE. */
static enum coverage coverage_of(const struct vma *region, uint32_t first_page, uint32_t last_page)
{
    for (; region != NULL && region->first_page <= first_page; region = vma_next(region)) {
        if (region->last_page >= last_page)
            return COVERED;
        first_page = region->last_page + 1;
    }
    return COVERED_WITH_HOLES;
}

/* Some region of the range, from REGION on, has one of FLAGS. */
static bool has_flag(const struct vma *region, uint32_t last_page, uint32_t flags)
{
    for (; region != NULL && region->first_page <= last_page; region = vma_next(region))
        if (region->flags & flags)
            return true;
    return false;
}

/* Ranges of pages as these calls get them: the last page may lie in the kernel, where no region
 * is. */
struct pages {
    uint32_t first, last;
};

/* Where layer 4 may be asked about. */
static uint32_t count_below_kernel(struct pages pages)
{
    uint32_t end = KERNEL_BASE >> PAGE_SHIFT;
    if (pages.first >= end)
        return 0;
    return (pages.last < end ? pages.last + 1 : end) - pages.first;
}

/* ---- madvise ---- */

enum advice {
    MADV_NORMAL,
    MADV_RANDOM,
    MADV_SEQUENTIAL,
    MADV_WILLNEED,
    MADV_DONTNEED,
    MADV_FREE = 8,
    MADV_REMOVE,
    MADV_DONTFORK,
    MADV_DOFORK,
    MADV_MERGEABLE,
    MADV_UNMERGEABLE,
    MADV_HUGEPAGE,
    MADV_NOHUGEPAGE,
    MADV_DONTDUMP,
    MADV_DODUMP,
    MADV_WIPEONFORK,
    MADV_KEEPONFORK,
    MADV_COLD,
    MADV_PAGEOUT,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_DONTNEED_LOCKED,
};

/* What may be answered by doing nothing: a wish about speed, or about what is not here. */
static bool is_hint(uint32_t advice)
{
    const uint32_t hints = 1u << MADV_NORMAL | 1u << MADV_RANDOM | 1u << MADV_SEQUENTIAL |
                           1u << MADV_DOFORK | 1u << MADV_MERGEABLE | 1u << MADV_UNMERGEABLE |
                           1u << MADV_HUGEPAGE | 1u << MADV_NOHUGEPAGE | 1u << MADV_DONTDUMP |
                           1u << MADV_DODUMP | 1u << MADV_KEEPONFORK;
    return advice < 32 && (hints >> advice & 1) != 0;
}

static bool is_advice(uint32_t advice)
{
    return is_hint(advice) || advice == MADV_WILLNEED || advice == MADV_COLD ||
           advice == MADV_PAGEOUT || advice == MADV_DONTNEED || advice == MADV_FREE ||
           advice == MADV_REMOVE || advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE ||
           advice == MADV_DONTNEED_LOCKED;
}

/* What ADVICE, which is about what a page holds, means for REGION. Returns 0 if it may be. */
static int32_t check_region(const struct vma *region, uint32_t advice)
{
    bool is_shared = (region->flags & VMA_SHARED) != 0;
    if (advice != MADV_DONTNEED_LOCKED && (region->flags & VMA_LOCKED))
        return -EINVAL;
    if (advice == MADV_FREE && region->object != NULL)
        return -EINVAL;
    if (advice != MADV_REMOVE)
        return 0;
    if (region->object == NULL)
        return -EINVAL;
    /* An object can't lose a page, as on Linux those of some file systems. */
    return is_shared && region->object->kind == OBJECT_ANONYMOUS ? -EOPNOTSUPP : -EACCES;
}

static int32_t check_regions(const struct process *self, const struct vma *region,
                             uint32_t last_page, uint32_t advice)
{
    int32_t result = 0;
    if (advice == MADV_DONTNEED_LOCKED ||
        (self->memory->space.locked_pages == 0 && advice != MADV_FREE && advice != MADV_REMOVE))
        return 0;
    for (; region != NULL && region->first_page <= last_page && result == 0;
         region = vma_next(region))
        result = check_region(region, advice);
    return result;
}

/* MADV_FREE drops at once what it may drop at any time. */
static int32_t discard(struct process *self, struct pages pages)
{
    if (pages.first < self->memory->space.first_page) /* a hole for good */
        pages.first = self->memory->space.first_page;
    uint32_t count = count_below_kernel(pages);
    if (!is_done_at_once(&self->memory->space, count))
        return discard_in_pieces(self, pages.first, count);
    vaddr_t first = VADDR(pages.first << PAGE_SHIFT);
    enum kerr error = vma_discard(&self->memory->space, first, count);
    return error == KERR_OK ? 0 : memory_call_failed(error);
}

/* Every region of the range has to allow what it is to be touched for. PROGRESS_STEPS: the next
 * page. */
static int32_t populate(struct process *self, const struct vma *region, struct pages pages,
                        uint32_t advice)
{
    const enum rights any = RIGHTS_READ | RIGHTS_WRITE | RIGHTS_EXECUTE;
    enum rights needed = advice == MADV_POPULATE_WRITE ? RIGHTS_WRITE : any;
    enum access access = advice == MADV_POPULATE_WRITE ? ACCESS_WRITE : ACCESS_READ;
    uint32_t next = progress_of(self, PROGRESS_STEPS), budget = CALL_PIECE_PAGES;
    if (pages.first < next) {
        pages.first = next;
        region = vma_at_or_above(&self->memory->space, VADDR(next << PAGE_SHIFT));
    }
    for (; region != NULL && region->first_page <= pages.last; region = vma_next(region)) {
        if (!(region->rights & needed))
            return -EINVAL;
        uint32_t first = pages.first > region->first_page ? pages.first : region->first_page;
        uint32_t last = pages.last < region->last_page ? pages.last : region->last_page;
        if (budget == 0)
            return call_continue(self, PROGRESS_STEPS, first);
        uint32_t piece_last = last - first < budget ? last : first + budget - 1;
        enum kerr error = memory_touch_pages(first, piece_last, access);
        if (error_goes_by(error))
            return memory_call_failed(error);
        if (error != KERR_OK)
            return -EFAULT;
        if (piece_last < last)
            return call_continue(self, PROGRESS_STEPS, piece_last + 1);
        budget -= last - first + 1;
    }
    return 0;
}

/* REGION is the first that ends in or above RANGE. Returns 0, or what the call must return. */
static int32_t advise(struct process *self, const struct vma *region, struct pages range,
                      uint32_t advice)
{
    int32_t result = is_hint(advice) || advice == MADV_WILLNEED
                         ? 0
                         : check_regions(self, region, range.last, advice);
    if (result != 0 || is_hint(advice))
        return result;
    switch (advice) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
        return discard(self, range);
    case MADV_WILLNEED:
        return advise_use(self, range.first, range.last, PAGES_WILL_BE_NEEDED);
    case MADV_COLD:
        return advise_use(self, range.first, range.last, PAGES_ARE_COLD);
    case MADV_PAGEOUT:
        return advise_use(self, range.first, range.last, PAGES_MAY_GO);
    default:
        return 0;
    }
}

SYSTEM_CALL(219, madvise)
{
    uint32_t address = ARG1, bytes = ARG2, advice = ARG3, pages = to_pages(bytes);
    uint32_t first_page = address >> PAGE_SHIFT;
    if (!is_advice(advice) || address % PAGE_BYTES != 0 || pages >= 1u << (32 - PAGE_SHIFT) ||
        first_page + pages > 1u << (32 - PAGE_SHIFT))
        return -EINVAL;
    if (pages == 0)
        return 0;
    struct pages range = {first_page, first_page + pages - 1};
    const struct vma *region = vma_at_or_above(&self->memory->space, VADDR(address));
    enum coverage coverage = coverage_of(region, range.first, range.last);
    int32_t result = 0;
    if (region == NULL || region->first_page > range.last)
        return -ENOMEM;
    if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
        result = coverage == COVERED ? populate(self, region, range, advice) : -ENOMEM;
    else
        result = advise(self, region, range, advice);
    if (result != 0)
        return result;
    return coverage == COVERED ? 0 : -ENOMEM;
}

/* ---- mincore ---- */

/*
 * A page is in memory if it has a frame that is not the zero frame: a promise has none, though it
 * has been read (Linux says 1 then, since the zero page was mapped). One that is out is in memory as
 * long as its slot's page is. Of an object: if there is a frame, whoever brought it in.
 */
static uint8_t is_resident(const struct vma *region, uint32_t page)
{
    struct translation t;
    paging_query(VADDR(page << PAGE_SHIFT), &t);
    if (t.has_pte && pte_is_swapped(t.pte))
        return swap_is_here(pte_frame(t.pte));
    if (t.has_pte && pte_holds_frame(t.pte))
        return pte_frame(t.pte).n != zero_frame.n;
    frame_t frame;
    return region->object != NULL &&
           object_find_frame(region->object, region->object_page + (page - region->first_page),
                             &frame) == KERR_OK;
}

enum { MINCORE_CHUNK = 256, MINCORE_PIECE = 16 * MINCORE_CHUNK };

SYSTEM_CALL(218, mincore)
{
    uint32_t address = ARG1, bytes = ARG2, answer = ARG3;
    uint8_t chunk[MINCORE_CHUNK];
    if (address % PAGE_BYTES != 0)
        return -EINVAL;
    if (address > KERNEL_BASE || bytes > KERNEL_BASE - address)
        return -ENOMEM;
    uint32_t page = address >> PAGE_SHIFT, end = page + to_pages(bytes);
    if (answer > KERNEL_BASE || end - page > KERNEL_BASE - answer)
        return -EFAULT;
    uint32_t done = progress_of(self, PROGRESS_STEPS), piece_end = page + done + MINCORE_PIECE;
    page += done; /* pages */
    answer += done;
    const struct vma *region = vma_at_or_above(&self->memory->space, VADDR(page << PAGE_SHIFT));
    while (page < end) {
        uint32_t count = 0;
        if (page >= piece_end)
            return call_continue(self, PROGRESS_STEPS, page - (address >> PAGE_SHIFT));
        for (; count < MINCORE_CHUNK && page < end; count++, page++) {
            if (region != NULL && page > region->last_page)
                region = vma_next(region);
            if (region == NULL || page < region->first_page)
                return -ENOMEM;
            chunk[count] = is_resident(region, page);
        }
        enum kerr error = user_write(answer, chunk, count);
        if (error != KERR_OK)
            return user_access_failed(error);
        answer += count;
        /* The copy may have let a stack grow, but no region has gone. */
    }
    return 0;
}

/* ---- msync ---- */

enum msync_flag {
    MS_ASYNC = 1,
    MS_INVALIDATE = 2,
    MS_SYNC = 4,
    MS_VALID = MS_ASYNC | MS_INVALIDATE | MS_SYNC
};

/*
 * The files that are shown, shared, from FIRST_PAGE to LAST_PAGE are on the disk: what is mapped behind a
 * hole as well. PROGRESS_STEPS: the page, from 1 on, of the region whose file is under way.
 */
static int32_t flush_files(struct process *self, const struct vma *region, uint32_t first_page,
                           uint32_t last_page)
{
    uint32_t step = progress_of(self, PROGRESS_STEPS);
    for (; region != NULL && region->first_page <= last_page; region = vma_next(region)) {
        uint32_t page = region->first_page > first_page ? region->first_page : first_page;
        if (region->object == NULL || !(region->flags & VMA_SHARED) || page + 1 < step)
            continue;
        int32_t result = file_flush_mapped(self, region->object, page + 1);
        if (result != 0)
            return result;
    }
    return 0;
}

SYSTEM_CALL(144, msync)
{
    uint32_t address = ARG1, pages = to_pages(ARG2), flags = ARG3;
    uint32_t first_page = address >> PAGE_SHIFT;
    if ((flags & ~(uint32_t)MS_VALID) || address % PAGE_BYTES != 0 ||
        (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
        return -EINVAL;
    if (pages >= 1u << (32 - PAGE_SHIFT) || first_page + pages > 1u << (32 - PAGE_SHIFT))
        return -ENOMEM;
    if (pages == 0)
        return 0;
    uint32_t last_page = first_page + pages - 1;
    const struct vma *region = vma_at_or_above(&self->memory->space, VADDR(address));
    if ((flags & MS_INVALIDATE) && has_flag(region, last_page, VMA_LOCKED))
        return -EBUSY;
    int32_t result = flags & MS_SYNC ? flush_files(self, region, first_page, last_page) : 0;
    if (result != 0)
        return result;
    return coverage_of(region, first_page, last_page) == COVERED ? 0 : -ENOMEM;
}

/* ---- mlock ---- */

enum { MLOCK_ONFAULT = 1 };
enum mlockall_flag {
    MCL_CURRENT = 1,
    MCL_FUTURE = 2,
    MCL_ONFAULT = 4,
    MCL_VALID = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT
};
enum lock_touch { LOCK_TOUCHES, LOCK_ON_FAULT };

/* The pages that hold ADDRESS and the BYTES - 1 bytes after it. Returns false if they wrap. */
static bool pages_around(uint32_t address, uint32_t bytes, struct pages *pages)
{
    uint32_t count = to_pages((address & (PAGE_BYTES - 1)) + bytes);
    pages->first = address >> PAGE_SHIFT;
    pages->last = pages->first + count - 1;
    return bytes <= UINT32_MAX - PAGE_BYTES && pages->first + count <= 1u << (32 - PAGE_SHIFT);
}

static int32_t mark(struct process *self, struct pages pages, uint32_t set, uint32_t clear)
{
    struct space *space = &self->memory->space;
    const struct vma *region = vma_at_or_above(space, VADDR(pages.first << PAGE_SHIFT));
    if (coverage_of(region, pages.first, pages.last) != COVERED ||
        has_too_many_parts(space, pages.first, pages.last))
        return -ENOMEM;
    memory_regions_change(self->memory);
    enum kerr error = vma_set_flags(space, VADDR(pages.first << PAGE_SHIFT),
                                    pages.last - pages.first + 1, set, clear);
    return error == KERR_OK ? 0 : memory_call_failed(error);
}

/* Touch what is locked now, in pieces. */
static int32_t lock_touch(struct process *self, struct pages pages)
{
    enum kerr error = memory_populate(self->memory, &pages.first, pages.last, CALL_PIECE_PAGES);
    if (error_goes_by(error))
        return memory_call_failed(error);
    if (error != KERR_OK)
        return -ENOMEM;
    return pages.first <= pages.last ? call_continue(self, PROGRESS_STEPS, pages.first) : 0;
}

/* Not what is locked already, and what it lacks a frame for again when it is repeated. */
static int32_t lock(struct process *self, uint32_t address, uint32_t bytes, enum lock_touch touch)
{
    struct pages pages;
    if (self->limits->pair[LIMIT_MEMLOCK].soft == 0)
        return -EPERM;
    if (!pages_around(address, bytes, &pages))
        return -EINVAL;
    if (bytes == 0)
        return 0;
    uint32_t next = progress_of(self, PROGRESS_STEPS); /* page to be touched */
    if (next != 0)
        return lock_touch(self, (struct pages){next, pages.last});
    uint32_t count = pages.last - pages.first + 1;
    if (self->limits->pair[LIMIT_MEMLOCK].soft != LIMIT_NONE &&
        !may_lock(self, count - count_pages_in(&self->memory->space, pages.first, pages.last,
                                               VMA_LOCKED)))
        return -ENOMEM;
    int32_t result = mark(self, pages, VMA_LOCKED, 0);
    if (result != 0 || touch == LOCK_ON_FAULT)
        return result;
    return lock_touch(self, pages);
}

SYSTEM_CALL(150, mlock)
{
    return lock(self, ARG1, ARG2, LOCK_TOUCHES);
}

SYSTEM_CALL(376, mlock2)
{
    if (ARG3 & ~(uint32_t)MLOCK_ONFAULT)
        return -EINVAL;
    return lock(self, ARG1, ARG2, ARG3 & MLOCK_ONFAULT ? LOCK_ON_FAULT : LOCK_TOUCHES);
}

SYSTEM_CALL(151, munlock)
{
    struct pages pages;
    if (!pages_around(ARG1, ARG2, &pages))
        return -EINVAL;
    return ARG2 == 0 ? 0 : mark(self, pages, 0, VMA_LOCKED);
}

static const struct pages all_pages = {USER_FIRST_ADDRESS >> PAGE_SHIFT,
                                       (KERNEL_BASE >> PAGE_SHIFT) - 1};

/* Mark all regions, whatever holes lie between. */
static int32_t mark_all(struct process *self, uint32_t set, uint32_t clear)
{
    memory_regions_change(self->memory);
    enum kerr error = vma_set_flags(&self->memory->space, VADDR(USER_FIRST_ADDRESS),
                                    all_pages.last - all_pages.first + 1, set, clear);
    return error == KERR_OK ? 0 : memory_call_failed(error);
}

/* What can't be touched is not an error here. */
static int32_t lock_touch_all(struct process *self, struct pages pages)
{
    enum kerr error = memory_populate(self->memory, &pages.first, pages.last, CALL_PIECE_PAGES);
    if (error_goes_by(error))
        return memory_call_failed(error);
    return pages.first <= pages.last ? call_continue(self, PROGRESS_STEPS, pages.first) : 0;
}

SYSTEM_CALL(152, mlockall)
{
    uint32_t flags = ARG1, next = progress_of(self, PROGRESS_STEPS);
    if (next != 0)
        return lock_touch_all(self, (struct pages){next, all_pages.last});
    struct memory *memory = self->memory;
    if (flags == 0 || (flags & ~(uint32_t)MCL_VALID) || flags == MCL_ONFAULT)
        return -EINVAL;
    if (self->limits->pair[LIMIT_MEMLOCK].soft == 0)
        return -EPERM;
    if ((flags & MCL_CURRENT) && exceeds(self, LIMIT_MEMLOCK, 0, memory->space.reserved_pages))
        return -ENOMEM;
    if (flags & MCL_CURRENT) {
        int32_t result = mark_all(self, VMA_LOCKED, 0);
        if (result != 0)
            return result;
    }
    memory->lock_future = flags & MCL_FUTURE ? VMA_LOCKED : 0;
    memory_regions_change(memory); /* what the heap grows by is of another nature now */
    return (flags & MCL_CURRENT) && !(flags & MCL_ONFAULT) ? lock_touch_all(self, all_pages) : 0;
}

SYSTEM_CALL(153, munlockall)
{
    self->memory->lock_future = 0;
    return mark_all(self, 0, VMA_LOCKED);
}

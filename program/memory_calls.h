/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Private. Uses: layers 0-5, process. Used by: program/memory_*.c.
 *
 * What the memory calls have in common: protections, pages of ranges, limits, what follows a change
 * of regions, and how a call fails.
 */
#ifndef PROGRAM_MEMORY_CALLS_H
#define PROGRAM_MEMORY_CALLS_H

#include <process/commit.h>
#include <process/repeat.h>
#include <process/system_call.h>

/* As in Linux (vm.max_map_count), so that no program takes all nodes. */
enum { REGIONS_MAX = 65530 };

enum protection {
    PROT_READ = 1,
    PROT_WRITE = 2,
    PROT_EXEC = 4,
    PROT_SEM = 8,
    PROT_RIGHTS = PROT_READ | PROT_WRITE | PROT_EXEC,
    PROT_GROWSDOWN = 0x01000000,
    PROT_GROWSUP = 0x02000000,
};
_Static_assert(PROT_READ == (int)RIGHTS_READ && PROT_WRITE == (int)RIGHTS_WRITE &&
                   PROT_EXEC == (int)RIGHTS_EXECUTE,
               "protections are rights");

/* An i386 can't let a page be written and not read. */
static inline enum rights rights_of(uint32_t protection)
{
    enum rights rights = protection & PROT_RIGHTS;
    return protection & PROT_WRITE ? rights | RIGHTS_READ : rights;
}

/* Bytes to pages, rounded up, without overflow. */
static inline uint32_t to_pages(uint32_t bytes)
{
    return (bytes >> PAGE_SHIFT) + ((bytes & (PAGE_BYTES - 1)) != 0);
}

/* [address, address + pages) lies below the kernel. */
static inline bool is_below_kernel(uint32_t address, uint32_t pages)
{
    return pages <= KERNEL_BASE >> PAGE_SHIFT && address <= KERNEL_BASE - (pages << PAGE_SHIFT);
}

/* RESULT is an error_number negated, and no address. */
static inline bool memory_is_error(int32_t result)
{
    return (uint32_t)result >= (uint32_t)-4095;
}

/* Nodes of MEMORY's regions may come and go now: what was remembered of them is not true any
 * more. */
static inline void memory_regions_change(struct memory *memory)
{
    memory->heap_region = NULL;
}

/*
 * Layer 4 failed with ERROR and has changed nothing. What the handler returns: for want of a frame
 * a victim is chosen and the call repeated; but not in mode 2, nor where it is nodes that lack.
 */
int32_t must_check memory_call_failed(enum kerr error);

/*
 * Touch what the call of SELF has mapped: in pieces, before the program sees the result. The
 * mapping stands, whether all its pages can be touched or not; who wants more frames than there are
 * makes a victim necessary, and most likely is it.
 */
void populate_mapping(struct process *self, uint32_t first_page, uint32_t pages);

/*
 * What one event may change: so many pages that are real, or so many regions. More is done piece by
 * piece. (A range has no more regions than pages.)
 */
enum { AT_ONCE_PAGES = 1 << (30 - PAGE_SHIFT), AT_ONCE_REGIONS = 8192 };

static inline bool is_done_at_once(const struct space *space, uint32_t pages)
{
    return likely(pages <= AT_ONCE_REGIONS) ||
           (pages <= AT_ONCE_PAGES && space->region_count <= AT_ONCE_REGIONS);
}

/*
 * Drop what the pages of a range hold, which is too long for one event; or empty it up to what is
 * done at once, before it is unmapped. Each returns 0 when that is done, or what the call must
 * return, which is never 0.
 */
int32_t must_check discard_in_pieces(struct process *self, uint32_t first_page, uint32_t pages);
int32_t must_check unmap_in_pieces(struct process *self, uint32_t first_page, uint32_t pages);

static inline int32_t must_check before_unmapping(struct process *self, uint32_t first_page,
                                                  uint32_t pages)
{
    return is_done_at_once(&self->memory->space, pages) ? 0
                                                        : unmap_in_pieces(self, first_page, pages);
}

/* What the pages of a range are said to be, holes aside (madvise). */
enum page_use { PAGES_WILL_BE_NEEDED, PAGES_ARE_COLD, PAGES_MAY_GO };

/* In pieces. Returns 0, or what the call must return. */
int32_t must_check advise_use(struct process *self, uint32_t first_page, uint32_t last_page,
                              enum page_use use);

/* USED pages and MORE of them would exceed LIMIT, which is in bytes. */
static inline bool exceeds(const struct process *self, enum limit limit, uint32_t used,
                           uint32_t more)
{
    uint32_t soft = self->limits->pair[limit].soft;
    return soft != LIMIT_NONE && (more > soft >> PAGE_SHIFT || used > (soft >> PAGE_SHIFT) - more);
}

static inline bool may_lock(const struct process *self, uint32_t pages)
{
    return !exceeds(self, LIMIT_MEMLOCK, self->memory->space.locked_pages, pages);
}

/* Pages of [first_page, last_page] that regions hold, of those whose flags have all of FLAGS. */
uint32_t count_pages_in(const struct space *space, uint32_t first_page, uint32_t last_page,
                        uint32_t flags);

/* An edge of the range lies inside a region of SPACE, which would be cut. */
bool is_edge_inside_region(const struct space *space, uint32_t first_page, uint32_t last_page);

/* The same, and there are too many regions already. */
static inline bool has_too_many_parts(const struct space *space, uint32_t first_page,
                                      uint32_t last_page)
{
    return unlikely(space->region_count >= REGIONS_MAX - 1) &&
           is_edge_inside_region(space, first_page, last_page);
}

/* ---- limits ---- */

/* Private, writable, no stack: what RLIMIT_DATA is about. */
static inline bool is_data(enum rights rights, uint32_t flags)
{
    return (rights & RIGHTS_WRITE) != 0 && (flags & (VMA_SHARED | VMA_GROWS_DOWN)) == 0;
}

uint32_t count_data_pages(const struct space *space);

/* May PAGES pages more be in regions, with RIGHTS and FLAGS? */
static inline bool is_within_limits(const struct process *self, uint32_t pages, enum rights rights,
                                    uint32_t flags)
{
    const struct space *space = &self->memory->space;
    return space->region_count < REGIONS_MAX &&
           !exceeds(self, LIMIT_AS, space->reserved_pages, pages) &&
           (self->limits->pair[LIMIT_DATA].soft == LIMIT_NONE || !is_data(rights, flags) ||
            !exceeds(self, LIMIT_DATA, count_data_pages(space), pages));
}

/* ---- a change of regions ---- */

/* The regions have changed: the account follows, and so does what RLIMIT_AS leaves to stacks. */
static inline void settle(struct process *self)
{
    struct memory *memory = self->memory;
    commit_follow(memory);
    if (unlikely(self->limits->pair[LIMIT_AS].soft != LIMIT_NONE))
        memory_limit_growth(memory, self->limits->pair[LIMIT_AS].soft);
}

/* Empty PAGES pages, which lie below the kernel. Returns 0 or an error. */
int32_t memory_unmap(struct process *self, uint32_t first_page, uint32_t pages);

#endif

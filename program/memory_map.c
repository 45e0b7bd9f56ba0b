/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. The calls that change what a program has mapped: brk, mmap, munmap, mprotect, mremap.
 *
 * Each checks first what the manual page asks for, then limits and the account of promises, then
 * lets layer 4 do it; layer 4 either does it all or changes nothing. As on Linux, mprotect goes on up
 * to the first obstacle (a hole, a file that is not open for writing) and then tells it.
 * Source: Linux manual pages brk(2), mmap(2), munmap(2), mprotect(2), mremap(2).
 */
#include "memory_calls.h"

#include <file/file.h>

enum mmap_flag {
    MAP_SHARED = 0x01,
    MAP_PRIVATE = 0x02,
    MAP_SHARED_VALIDATE = 0x03,
    MAP_TYPE = 0x0F,
    MAP_FIXED = 0x10,
    MAP_ANONYMOUS = 0x20,
    MAP_GROWSDOWN = 0x0100,
    MAP_DENYWRITE = 0x0800,
    MAP_EXECUTABLE = 0x1000,
    MAP_LOCKED = 0x2000,
    MAP_NORESERVE = 0x4000,
    MAP_POPULATE = 0x8000,
    MAP_NONBLOCK = 0x10000,
    MAP_STACK = 0x20000,
    MAP_HUGETLB = 0x40000,
    MAP_SYNC = 0x80000,
    MAP_FIXED_NOREPLACE = 0x100000,
    MAP_UNINITIALIZED = 0x4000000,
    /* What MAP_SHARED_VALIDATE accepts: not MAP_SYNC, which no file here can keep. */
    MAP_VALID = MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE |
                MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK |
                MAP_STACK | MAP_HUGETLB | MAP_FIXED_NOREPLACE | MAP_UNINITIALIZED,
};

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

enum mremap_flag {
    MREMAP_MAYMOVE = 1,
    MREMAP_FIXED = 2,
    MREMAP_DONTUNMAP = 4,
    MREMAP_VALID = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
};

/* An i386 can't let a page be written and not read. */
static inline enum rights rights_of(uint32_t protection)
{
    enum rights rights = protection & PROT_RIGHTS;
    return protection & PROT_WRITE ? rights | RIGHTS_READ : rights;
}

/* ---- limits ---- */

/* Private, writable, no stack: what RLIMIT_DATA is about. */
static bool is_data(enum rights rights, uint32_t flags)
{
    return (rights & RIGHTS_WRITE) != 0 && (flags & (VMA_SHARED | VMA_GROWS_DOWN)) == 0;
}

static uint32_t count_data_pages(const struct space *space)
{
    uint32_t count = 0;
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
        if (is_data(region->rights, region->flags))
            count += vma_pages(region);
    return count;
}

/* May PAGES pages more be in regions, with RIGHTS and FLAGS? */
static inline bool is_within_limits(const struct process *self, uint32_t pages, enum rights rights,
                                    uint32_t flags)
{
    const struct space *space = &self->memory->space;
    return space->region_count < REGIONS_MAX &&
           !exceeds(self, LIMIT_AS, space->reserved_pages, pages) &&
           (self->limits[LIMIT_DATA].soft == LIMIT_NONE || !is_data(rights, flags) ||
            !exceeds(self, LIMIT_DATA, count_data_pages(space), pages));
}

/* The regions have changed: the account follows, and so does what RLIMIT_AS leaves to stacks. */
static inline void settle(struct process *self)
{
    struct memory *memory = self->memory;
    commit_follow(memory);
    if (unlikely(self->limits[LIMIT_AS].soft != LIMIT_NONE))
        memory_limit_growth(memory, self->limits[LIMIT_AS].soft);
}

/* ---- munmap ---- */

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
    memory_regions_change(memory);
    enum kerr error = vma_release(space, VADDR(first_page << PAGE_SHIFT), pages);
    if (unlikely(error != KERR_OK))
        return error == KERR_NOT_FOUND ? 0 : memory_call_failed(error);
    settle(self);
    return 0;
}

SYSTEM_CALL(91, munmap)
{
    uint32_t address = ARG1, bytes = ARG2;
    /* 0 bytes less one are too many. */
    if (address % PAGE_BYTES != 0 || address > KERNEL_BASE || bytes - 1 >= KERNEL_BASE - address)
        return -EINVAL;
    return unmap(self, address >> PAGE_SHIFT, (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT);
}

/* ---- mmap ---- */

struct map_request {
    uint32_t address, bytes, protection, flags, descriptor, offset_page;
};

/* An object for PAGES pages of memory that is shared, and its charge. */
static __attribute__((noinline)) int32_t wish_for_shared(uint32_t pages, struct vma_wish *wish)
{
    uint32_t frames = wish->flags & VMA_NO_RESERVE ? 0 : commit_object_frames(pages);
    if (!commit_take(frames))
        return -ENOMEM;
    enum kerr error = object_create_anonymous(pages, &wish->object);
    if (error != KERR_OK) {
        commit_give(frames);
        return memory_call_failed(error);
    }
    wish->object->committed = frames;
    wish->flags |= VMA_SHARED;
    return 0;
}

/* What a request for memory of no file becomes. */
static inline int32_t wish_for_anonymous(const struct map_request *request, uint32_t pages,
                                         struct vma_wish *wish)
{
    uint32_t type = request->flags & MAP_TYPE;
    wish->name = memory_anonymous_name;
    if (unlikely(type != MAP_PRIVATE))
        return type == MAP_SHARED && !(request->flags & MAP_GROWSDOWN)
                   ? wish_for_shared(pages, wish)
                   : -EINVAL;
    if (request->flags & MAP_GROWSDOWN)
        wish->flags |= VMA_GROWS_DOWN;
    return 0;
}

/* What a request for the object of a file becomes; WISH->object is set. */
static int32_t wish_for_file(const struct map_request *request, struct vma_wish *wish)
{
    uint32_t type = request->flags & MAP_TYPE;
    if (type == MAP_SHARED_VALIDATE && (request->flags & ~(uint32_t)MAP_VALID))
        return -EOPNOTSUPP;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (request->flags & MAP_GROWSDOWN)
        return -EINVAL;
    if (type != MAP_PRIVATE)
        wish->flags |= VMA_SHARED;
    wish->name = file_object_name(wish->object);
    wish->object_page = request->offset_page;
    return 0;
}

/* How the charge and its marks go with WISH, which is complete but for them. */
static inline uint32_t charge_for(struct vma_wish *wish, uint32_t pages)
{
    if (!(wish->rights & RIGHTS_WRITE) || (wish->flags & (VMA_SHARED | VMA_NO_RESERVE)))
        return 0;
    wish->flags |= VMA_CHARGED;
    return pages;
}

/*
 * Put WISH where the request wants it, in place of what is there. The release leaves a node over
 * for what comes, so that nothing is lost for want of memory.
 */
static int32_t map_in_place(struct process *self, uint32_t address, uint32_t pages,
                            const struct vma_wish *wish)
{
    struct space *space = &self->memory->space;
    enum kerr error = vma_map_at(space, VADDR(address), pages, wish);
    if (error == KERR_EXISTS) {
        int32_t result = unmap(self, address >> PAGE_SHIFT, pages);
        if (result != 0)
            return result;
        error = vma_map_at(space, VADDR(address), pages, wish);
    }
    return error == KERR_OK ? (int32_t)address : memory_call_failed(error);
}

/* Put WISH where it is suggested, or else where there is room. */
static int32_t map_anywhere(struct process *self, uint32_t address, uint32_t pages,
                            const struct vma_wish *wish)
{
    struct space *space = &self->memory->space;
    if (address != 0 && is_below_kernel(address, pages)) {
        enum kerr error = vma_map_at(space, VADDR(address), pages, wish);
        if (error == KERR_OK)
            return (int32_t)address;
        if (error != KERR_EXISTS && error != KERR_BAD_RANGE)
            return memory_call_failed(error);
    }
    vaddr_t first;
    enum kerr error = vma_map(space, pages, wish, &first);
    return likely(error == KERR_OK) ? (int32_t)first.v : memory_call_failed(error);
}

/* MAP_FIXED replaces: what the range holds counts no more against limits and account. */
static __attribute__((noinline)) bool is_allowed_in_place(struct process *self, uint32_t first_page,
                                                          uint32_t pages,
                                                          const struct vma_wish *wish,
                                                          uint32_t charged)
{
    const struct space *space = &self->memory->space;
    uint32_t last_page = first_page + pages - 1;
    uint32_t replaced = count_pages_in(space, first_page, last_page, 0);
    uint32_t uncharged = count_pages_in(space, first_page, last_page, VMA_CHARGED);
    return is_within_limits(self, pages - replaced, wish->rights, wish->flags) &&
           commit_allows(self->memory, charged > uncharged ? charged - uncharged : 0, first_page,
                         last_page);
}

/* Without an address it may end up anywhere. */
static inline bool is_allowed_anywhere(struct process *self, uint32_t pages,
                                       const struct vma_wish *wish, uint32_t charged)
{
    return is_within_limits(self, pages, wish->rights, wish->flags) &&
           commit_allows_room(self->memory, charged, pages);
}

static inline bool is_allowed(struct process *self, uint32_t first_page, uint32_t pages,
                              const struct vma_wish *wish, uint32_t charged)
{
    return is_within_limits(self, pages, wish->rights, wish->flags) &&
           commit_allows(self->memory, charged, first_page, first_page + pages - 1);
}

/* The address that is wanted, of PAGES pages. Returns 0 or an error. */
static inline int32_t check_address(struct map_request *request, uint32_t pages)
{
    bool is_fixed = (request->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
    if (!is_fixed) {
        request->address &= ~(PAGE_BYTES - 1);
        return likely(pages <= KERNEL_BASE >> PAGE_SHIFT) ? 0 : -ENOMEM;
    }
    if (!is_below_kernel(request->address, pages))
        return -ENOMEM;
    if (request->address % PAGE_BYTES != 0)
        return -EINVAL;
    return request->address < USER_FIRST_ADDRESS ? -EPERM : 0;
}

/* The request is fit for layer 4: limits, account, and the deed. */
static int32_t map_wish(struct process *self, const struct map_request *request, uint32_t pages,
                        struct vma_wish *wish)
{
    uint32_t charged = charge_for(wish, pages), first_page = request->address >> PAGE_SHIFT;
    int32_t result;
    memory_regions_change(self->memory);
    if (request->flags & MAP_FIXED_NOREPLACE) {
        if (count_pages_in(&self->memory->space, first_page, first_page + pages - 1, 0) != 0)
            return -EEXIST;
    } else if (request->flags & MAP_FIXED) {
        if (!is_allowed(self, first_page, pages, wish, charged) &&
            !is_allowed_in_place(self, first_page, pages, wish, charged))
            return -ENOMEM;
        result = map_in_place(self, request->address, pages, wish);
        settle(self);
        return result;
    }
    if (!is_allowed_anywhere(self, pages, wish, charged))
        return -ENOMEM;
    wish->keeps_off_stacks = !(request->flags & MAP_FIXED_NOREPLACE);
    result = map_anywhere(self, request->address, pages, wish);
    settle(self);
    return result;
}

/*
 * MAP_POPULATE, or locked: the mapping stands, whether all its pages can be touched or not. Who
 * wants more frames than there are makes a victim necessary, and most likely is it.
 */
static __attribute__((noinline)) void populate(struct process *self, uint32_t first_page,
                                               uint32_t pages)
{
    if (memory_populate(self->memory, first_page, first_page + pages - 1) == KERR_NO_MEMORY)
        process_request_room();
}

/* Locked memory: may it be? */
static __attribute__((noinline)) int32_t check_lock(const struct process *self, uint32_t pages,
                                                    uint32_t flags)
{
    if ((flags & MAP_LOCKED) && self->limits[LIMIT_MEMLOCK].soft == 0)
        return -EPERM;
    return may_lock(self, pages) ? 0 : -EAGAIN;
}

/* Are the pages to be touched at once? */
static inline bool is_populated(uint32_t flags, const struct vma_wish *wish)
{
    return (wish->flags & VMA_LOCKED) || (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
}

/* OBJECT: what the descriptor shows, or NULL; FILE_FLAGS: what else it means for the region. */
static int32_t map(struct process *self, struct map_request *request, struct object *object,
                   uint32_t file_flags)
{
    uint32_t pages = to_pages(request->bytes), flags = request->flags;
    if (pages == 0)
        return -EINVAL;
    if (request->offset_page + pages < pages)
        return -EOVERFLOW;
    int32_t result = check_address(request, pages);
    if (result != 0)
        return result;

    struct vma_wish wish = {.rights = rights_of(request->protection),
                            .flags = self->memory->lock_future | file_flags,
                            .object = object};
    if ((flags & MAP_NORESERVE) && commit_account.mode != OVERCOMMIT_NEVER)
        wish.flags |= VMA_NO_RESERVE;
    if (unlikely((flags & MAP_LOCKED) || wish.flags & VMA_LOCKED)) {
        wish.flags |= VMA_LOCKED;
        result = check_lock(self, pages, flags);
    }
    if (flags & MAP_HUGETLB)
        result = -EINVAL; /* there are no large pages for programs */
    if (result == 0)
        result = object != NULL ? wish_for_file(request, &wish)
                                : wish_for_anonymous(request, pages, &wish);
    if (unlikely(result != 0))
        return result;
    result = map_wish(self, request, pages, &wish);
    if (unlikely(wish.object != NULL && object == NULL))
        object_put(wish.object); /* the region has a reference of its own */
    if (unlikely(is_populated(flags, &wish)) && !memory_is_error(result))
        populate(self, (uint32_t)result >> PAGE_SHIFT, pages);
    return result;
}

/* Private memory of no file, anywhere, without more wishes: the most frequent request. */
static inline int32_t map_private(struct process *self, uint32_t pages, uint32_t protection)
{
    struct memory *memory = self->memory;
    struct vma_wish wish = {.rights = rights_of(protection), .name = memory_anonymous_name};
    uint32_t charged = charge_for(&wish, pages);
    if (unlikely(pages - 1 >= KERNEL_BASE >> PAGE_SHIFT))
        return pages == 0 ? -EINVAL : -ENOMEM;
    if (!is_allowed_anywhere(self, pages, &wish, charged))
        return -ENOMEM;
    vaddr_t first;
    memory_regions_change(memory);
    enum kerr error = vma_map(&memory->space, pages, &wish, &first);
    settle(self);
    return likely(error == KERR_OK) ? (int32_t)first.v : memory_call_failed(error);
}

/* Of a file, or of /dev/zero, which is as good as none. */
static __attribute__((noinline)) int32_t map_file(struct process *self, struct map_request *request)
{
    uint32_t type = request->flags & MAP_TYPE;
    enum file_map how = FILE_MAP_PRIVATE;
    if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE)
        how = request->protection & PROT_WRITE ? FILE_MAP_SHARED_WRITE : FILE_MAP_SHARED_READ;
    struct object *object;
    bool is_writable;
    int32_t result = file_for_mapping(self, request->descriptor, how, &object, &is_writable);
    if (result != 0)
        return result;
    if (object == NULL && type == MAP_SHARED_VALIDATE)
        request->flags = (request->flags & ~(uint32_t)MAP_TYPE) | MAP_SHARED;
    result =
        map(self, request, object, how != FILE_MAP_PRIVATE && !is_writable ? VMA_READ_ONLY : 0);
    if (object != NULL)
        object_put(object);
    return result;
}

SYSTEM_CALL(192, mmap2)
{
    const uint32_t without_effect = MAP_STACK | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_NONBLOCK;
    if (likely((ARG4 & ~without_effect) == (MAP_PRIVATE | MAP_ANONYMOUS) && ARG1 < PAGE_BYTES &&
               ARG6 == 0 && self->memory->lock_future == 0))
        return map_private(self, to_pages(ARG2), ARG3);
    struct map_request request = {ARG1, ARG2, ARG3, ARG4, ARG5, ARG6};
    if (unlikely(!(request.flags & MAP_ANONYMOUS)))
        return map_file(self, &request);
    return map(self, &request, NULL, 0);
}

/* Six words in memory; the offset is in bytes. */
SYSTEM_CALL(90, mmap)
{
    struct map_request request;
    enum kerr error = user_read(&request, ARG1, sizeof(request));
    if (error != KERR_OK)
        return user_access_failed(error);
    if (request.offset_page % PAGE_BYTES != 0)
        return -EINVAL;
    request.offset_page >>= PAGE_SHIFT;
    return request.flags & MAP_ANONYMOUS ? map(self, &request, NULL, 0) : map_file(self, &request);
}

/* ---- brk ---- */

static bool is_heap_within_limits(const struct process *self, uint32_t end)
{
    uint32_t soft = self->limits[LIMIT_DATA].soft;
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
    memory->heap_region = region;
    return region;
}

/* No limit binds, so nothing need be asked before the heap grows by PAGES pages. */
static inline bool is_unlimited(const struct process *self, uint32_t pages)
{
    return self->limits[LIMIT_AS].soft == LIMIT_NONE &&
           self->limits[LIMIT_DATA].soft == LIMIT_NONE && pages <= commit_account.single_max &&
           commit_account.mode != OVERCOMMIT_NEVER;
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
        populate(self, first_page, pages);
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

/* The heap loses PAGES pages from FIRST_PAGE on. */
static inline bool shrink_heap(struct process *self, uint32_t first_page, uint32_t pages)
{
    struct memory *memory = self->memory;
    struct vma *region = plain_heap(memory, first_page + pages);
    if (unlikely(region == NULL || region->first_page >= first_page))
        return unmap(self, first_page, pages) == 0;
    if (unlikely(vma_shorten(&memory->space, region, pages) != KERR_OK))
        return false;
    commit_follow(memory);
    return true;
}

/* Answers with the end of the heap, moved or not. */
SYSTEM_CALL(45, brk)
{
    struct memory *memory = self->memory;
    uint32_t end = ARG1, old_end = memory->heap_end;
    if (end < memory->heap_start || end > KERNEL_BASE)
        return (int32_t)old_end;
    uint32_t old_page = round_up(old_end) >> PAGE_SHIFT;
    uint32_t pages = (round_up(end) >> PAGE_SHIFT) - old_page;
    bool done = true;
    if ((int32_t)pages > 0)
        done = grow_heap_at_once(self, pages) || grow_heap(self, end, old_page, pages);
    else if (pages != 0)
        done = shrink_heap(self, old_page + pages, 0u - pages);
    if (unlikely(!done))
        return (int32_t)old_end;
    memory->heap_end = end;
    return (int32_t)end;
}

/* ---- mprotect ---- */

/* May the program change pages of REGION to RIGHTS at all? */
static inline bool may_protect(const struct vma *region, enum rights rights)
{
    return !(rights & RIGHTS_WRITE) || !(region->flags & VMA_READ_ONLY);
}

/* PAGES pages of REGION, private and not writable by now, are to be writable: does a limit bind? */
static bool may_become_data(const struct process *self, const struct vma *region, uint32_t pages)
{
    return self->limits[LIMIT_DATA].soft == LIMIT_NONE ||
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

/* The pages [first_page, last_page], all of REGION, get RIGHTS. */
static inline int32_t protect_part(struct process *self, const struct vma *region,
                                   uint32_t first_page, uint32_t last_page, enum rights rights)
{
    struct space *space = &self->memory->space;
    uint32_t pages = last_page - first_page + 1;
    if (unlikely(!may_protect(region, rights)))
        return -EACCES;
    if (has_too_many_parts(space, first_page, last_page))
        return -ENOMEM;
    memory_regions_change(self->memory);
    if (rights & RIGHTS_WRITE) {
        if (!may_become_data(self, region, pages))
            return -ENOMEM;
        int32_t result = 0;
        if (!(region->flags & (VMA_SHARED | VMA_CHARGED | VMA_NO_RESERVE)))
            result = charge_pages(self, first_page, last_page);
        if (result != 0)
            return result;
    }
    enum kerr error = vma_protect(space, VADDR(first_page << PAGE_SHIFT), pages, rights);
    return likely(error == KERR_OK) ? 0 : memory_call_failed(error);
}

/* Region by region from REGION on, the lowest one: what lies before an obstacle is changed. */
static int32_t protect(struct process *self, const struct vma *region, uint32_t first_page,
                       uint32_t last_page, enum rights rights)
{
    for (;;) {
        if (region == NULL || region->first_page > first_page)
            return -ENOMEM;
        uint32_t last = last_page < region->last_page ? last_page : region->last_page;
        int32_t result = protect_part(self, region, first_page, last, rights);
        if (result != 0 || last == last_page)
            return result;
        first_page = last + 1; /* REGION may have become one with others */
        region = vma_at_or_above(&self->memory->space, VADDR(first_page << PAGE_SHIFT));
    }
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

/* ---- mremap ---- */

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
        populate(self, remap->new_page, remap->new_pages);
    return address;
}

/*
 * To an address of the caller's, in place of what is there. All that can be known is asked before
 * the first page goes; if memory lacks after that, what was at the new address is gone, as on Linux.
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
    result = unmap(self, remap->new_page, remap->new_pages);
    if (result == 0 && remap->old_pages > remap->new_pages)
        result =
            unmap(self, remap->old_page + remap->new_pages, remap->old_pages - remap->new_pages);
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
        populate(self, first_page, more);
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
    int32_t result = unmap(self, first_page, pages);
    return result == 0 ? (int32_t)address : result;
}

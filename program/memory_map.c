/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. mmap: private memory, shared memory, files; anywhere, where it is suggested, or in
 * place of what is there.
 *
 * First what the manual page asks for is checked, then limits and the account of promises, then
 * layer 4 does it; it either does it all or changes nothing.
 * Source: Linux manual page mmap(2).
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
    wish->name = file_region_name;
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
        int32_t result = memory_unmap(self, address >> PAGE_SHIFT, pages);
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

/* Locked memory: may it be? */
static __attribute__((noinline)) int32_t check_lock(const struct process *self, uint32_t pages,
                                                    uint32_t flags)
{
    if ((flags & MAP_LOCKED) && self->limits->pair[LIMIT_MEMLOCK].soft == 0)
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
    if (unlikely(is_populated(flags, &wish)) && !memory_is_error(result) && !call_is_repeated(self))
        populate_mapping(self, (uint32_t)result >> PAGE_SHIFT, pages);
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

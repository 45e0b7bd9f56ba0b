/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The memory of processes: made, copied, given back, and touched on their behalf.
 *
 * Nothing here knows of system calls. What a memory is charged with follows its regions
 * (process/commit.c); what hangs on it is a space and nothing else.
 */
#include <mm/heap.h>
#include <process/commit.h>
#include <process/errno.h>
#include <process/limits.h>
#include <process/part.h>
#include <process/schedule.h>

const char memory_anonymous_name[] = "";
const char memory_heap_name[] = "[heap]";

enum { DEFAULT_STACK_PAGES = 8 * 1024 * 1024 / PAGE_BYTES };

/* Where the kernel looks for room; what a copy does not take over from the regions. */
static void set_bounds(struct space *space)
{
    space->room_first_page = USER_ROOM_BASE >> PAGE_SHIFT;
    space->room_end_page = USER_ROOM_END >> PAGE_SHIFT;
    space->stack_pages_max = DEFAULT_STACK_PAGES;
    space->growable_pages = UINT32_MAX;
}

/* In mode 2 nobody ends so that another one gets what it was never promised. */
static enum kerr lacks(enum kerr error)
{
    return commit_account.mode == OVERCOMMIT_NEVER ? KERR_NO_ROOM : error;
}

static enum kerr allocate(struct memory **memory)
{
    void *block;
    enum kerr error = kmalloc(sizeof(**memory), &block);
    if (error != KERR_OK)
        return error;
    *memory = block;
    **memory = (struct memory){.references = 1};
    return KERR_OK;
}

enum kerr memory_create(struct memory **memory)
{
    struct memory *new;
    enum kerr error = allocate(&new);
    if (error != KERR_OK)
        return lacks(error);
    error = space_create(&new->space, RIGHTS_USER);
    if (error != KERR_OK) {
        kfree(new);
        return lacks(error);
    }
    set_bounds(&new->space);
    *memory = new;
    return KERR_OK;
}

/* COPY's books, but for the charge. */
static enum kerr copy_memory(struct memory *from, struct memory **copy)
{
    struct memory *new;
    enum kerr error = allocate(&new);
    if (error != KERR_OK)
        return error;
    error = space_fork(&new->space);
    if (error != KERR_OK) {
        kfree(new);
        return error;
    }
    from->heap_region = NULL; /* it may be the copy's as well now */
    set_bounds(&new->space);
    new->space.stack_pages_max = from->space.stack_pages_max;
    new->heap_start = from->heap_start;
    new->heap_end = from->heap_end;
    new->stack_top = from->stack_top;
    new->arguments_start = from->arguments_start;
    new->arguments_end = from->arguments_end;
    new->environment_end = from->environment_end;
    *copy = new;
    return KERR_OK;
}

enum kerr memory_fork(struct memory *from, struct memory **copy)
{
    commit_follow(from);
    /* Modes 0 and 1 let everything be copied that was accepted once. */
    uint32_t charge = commit_account.mode == OVERCOMMIT_NEVER ? from->space.promised_frames : 0;
    if (!commit_take(charge))
        return KERR_NO_ROOM;
    enum kerr error = copy_memory(from, copy);
    commit_give(charge);
    if (error != KERR_OK)
        return lacks(error);
    commit_follow(*copy);
    return KERR_OK;
}

/* ---- the end ---- */

static struct memory *ending; /* those of nobody, not yet given back whole */

/* Returns true if MEMORY is gone. What was promised to it stays so until its frames are free. */
static bool give_back_piece(struct memory *memory)
{
    if (!space_destroy_piece(&memory->space))
        return false;
    commit_set(memory, 0);
    kfree(memory);
    return true;
}

void memory_put(struct memory *memory)
{
    if (--memory->references > 0 || give_back_piece(memory))
        return;
    memory->next_ending = ending;
    ending = memory;
    process_request_rare_work();
}

bool memory_give_back(void)
{
    if (ending == NULL)
        return false;
    struct memory *next = ending->next_ending;
    if (give_back_piece(ending))
        ending = next;
    return ending != NULL;
}

void memory_give_all_back(void)
{
    while (memory_give_back())
        ;
}

/* ---- touching ---- */

enum kerr memory_touch_pages(uint32_t first_page, uint32_t last_page, enum access access)
{
    enum kerr error = KERR_OK;
    for (uint32_t page = first_page; page <= last_page && error == KERR_OK; page++)
        error = vma_error_of(vma_touch(VADDR(page << PAGE_SHIFT), access, MODE_USER));
    return error;
}

enum kerr memory_populate(struct memory *memory, uint32_t *first_page, uint32_t last_page,
                          uint32_t most)
{
    const struct vma *region = vma_at_or_above(&memory->space, VADDR(*first_page << PAGE_SHIFT));
    for (; region != NULL && region->first_page <= last_page; region = vma_next(region)) {
        if (most == 0)
            return KERR_OK;
        uint32_t first = *first_page > region->first_page ? *first_page : region->first_page;
        uint32_t last = last_page < region->last_page ? last_page : region->last_page;
        uint32_t piece_last = last - first < most ? last : first + most - 1;
        bool writes = (region->rights & RIGHTS_WRITE) != 0 && !(region->flags & VMA_SHARED);
        enum kerr error =
            memory_touch_pages(first, piece_last, writes ? ACCESS_WRITE : ACCESS_READ);
        *first_page = (error == KERR_BAD_ACCESS ? last : piece_last) + 1;
        if (error != KERR_OK || piece_last < last)
            return error;
        most -= piece_last - first + 1;
    }
    *first_page = last_page + 1;
    return KERR_OK;
}

/* ---- as a part of a process ---- */

static int32_t fork_part(struct process *parent, struct process *child,
                         const struct clone_wish *wish)
{
    if (!(wish->flags & CLONE_VM))
        return memory_fork(parent->memory, &child->memory) == KERR_OK ? 0 : -ENOMEM;
    child->memory = parent->memory;
    child->memory->references++;
    limits_forget_turn(child->memory);
    return 0;
}

static void drop_part(struct process *process)
{
    struct memory *memory = process->memory;
    if (memory == NULL)
        return;
    if (memory->references == 1 && space_current() == &memory->space)
        space_switch(&boot_space);
    process->memory = NULL;
    memory_put(memory);
}

PROCESS_PART(memory, .fork = fork_part, .drop = drop_part);

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Address spaces, and the regions of the kernel's own.
 *
 * A directory lives in its page of the directories area, which is a promise like any other: its
 * page is made real when a space is created, and given back (to read as zero) when it ends.
 */
#include "space_parts.h"
#include "vma_share.h"

#include <kernel/layer.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/kernel_pages.h>

struct space kernel_space;
struct space boot_space;
struct space *space_loaded = &boot_space;
/* Of all but the kernel's: the newest one first, those that are folded last. */
static struct space *first, *last;

/* ---- the list of spaces ---- */

struct space *space_first(void)
{
    return first;
}

struct space *space_next(const struct space *space)
{
    return space->next;
}

static void list_add(struct space *space)
{
    space->previous = NULL;
    space->next = first;
    if (first != NULL)
        first->previous = space;
    else
        last = space;
    first = space;
}

static void list_add_last(struct space *space)
{
    space->next = NULL;
    space->previous = last;
    if (last != NULL)
        last->next = space;
    else
        first = space;
    last = space;
}

static void list_remove(struct space *space)
{
    space_leaves_hand(space);
    if (space->previous != NULL)
        space->previous->next = space->next;
    else
        first = space->next;
    if (space->next != NULL)
        space->next->previous = space->previous;
    else
        last = space->previous;
}

void space_takes_its_place(struct space *space)
{
    list_remove(space);
    if (space_is_folded(space))
        list_add_last(space);
    else
        list_add(space);
}

/* ---- one comes, one goes ---- */

static void init_lower_half(struct space *space, enum rights user, uint32_t directory)
{
    vma_space_init(space, USER_FIRST_ADDRESS >> PAGE_SHIFT, KERNEL_BASE >> PAGE_SHIFT);
    space->user = user;
    space->directory = directory;
    space->is_used = true;
    list_add(space);
}

/* A number that no live directory has. Where the last search ended, the next one begins. */
static enum kerr find_free_directory(uint32_t *id)
{
    static uint32_t next = 1;
    if (directory_live_count() == DIRECTORIES_COUNT)
        return KERR_NO_MEMORY;
    while (directory_is_live(next))
        next = (next + 1) % DIRECTORIES_COUNT;
    *id = next;
    return KERR_OK;
}

enum kerr space_new_directory(enum kerr (*make_real)(vaddr_t first, uint32_t pages), uint32_t *id)
{
    enum kerr error = find_free_directory(id);
    if (error == KERR_OK)
        error = make_real(directory_page(*id), 1);
    if (error == KERR_OK)
        directory_register(*id);
    return error;
}

enum kerr space_create(struct space *space, enum rights user)
{
    uint32_t id;
    enum kerr error = space_new_directory(kernel_pages_make_real, &id);
    if (error != KERR_OK)
        return error;
    init_lower_half(space, user, id);
    return KERR_OK;
}

/*
 * COPY gets the regions of the loaded space. Where promises are kept it is a copy at once: later nobody could say that
 * there is no memory for one. And what is locked is not inherited.
 */
static enum kerr inherit_regions(struct space *copy)
{
    return space_loaded->locked_pages > 0 || frame_keeps_promises(&frame_pool)
               ? vma_copy_all(copy, space_loaded)
               : vma_share(copy, space_loaded);
}

enum kerr space_fork(struct space *copy)
{
    enum kerr error = space_create(copy, space_loaded->user);
    if (error != KERR_OK)
        return error;
    error = inherit_regions(copy);
    if (error != KERR_OK) {
        space_destroy(copy);
        return error;
    }
    copy->room_first_page = space_loaded->room_first_page;
    copy->room_end_page = space_loaded->room_end_page;
    copy->stack_pages_max = space_loaded->stack_pages_max;
    copy->growable_pages = space_loaded->growable_pages;
    cow_share(0, KERNEL_FIRST_SLOT, copy->directory);
    return KERR_OK;
}

void space_switch(struct space *space)
{
    if (space_loaded == space)
        return;
    space_loaded = space;
    space->is_used = true;
    directory_load(space->directory);
}

/* Tables and regions that take a few million instructions to give back, if each has 1,024
 * frames. */
enum { TABLES_AT_ONCE = 64, REGIONS_AT_ONCE = 4096 };

bool space_destroy_piece(struct space *space)
{
    ASSERT(space != space_loaded && space != &boot_space && space != &kernel_space,
           "space %u is in use for good", space->directory);
    uint32_t id = space->directory;
    space->is_ending = true;
    if (space_is_folded(space))
        space_drop_folded(space);
    else if (!cow_drop_tables(id, TABLES_AT_ONCE))
        return false;
    if (!vma_forget(space, REGIONS_AT_ONCE))
        return false;
    list_remove(space);
    if (space_is_folded(space)) {
        kernel_pages_forget(1);
        return true;
    }
    directory_unregister(id);
    kernel_pages_discard(directory_page(id), 1);
    return true;
}

void space_destroy(struct space *space)
{
    while (!space_destroy_piece(space))
        ;
}

/* ---- the start ---- */

/* The upper GiB from below; what is a promise is promised here. */
static const struct {
    uint32_t base, bytes;
    enum rights rights;
    enum vma_kind kind;
    const char *name;
} kernel_regions[] = {
    {KERNEL_BASE, SLOT_BYTES, RIGHTS_READ_WRITE | RIGHTS_EXECUTE, VMA_FIXED, "kernel image"},
    {FRAME_TABLE_BASE, FRAME_TABLE_ROOM_BYTES, RIGHTS_READ_WRITE, VMA_FIXED, "frame table"},
    {REGION_NODES_BASE, REGION_NODES_ROOM_BYTES, RIGHTS_READ_WRITE, VMA_PROMISE, "region nodes"},
    {PROCESS_RECORDS_BASE, PROCESS_RECORDS_ROOM_BYTES, RIGHTS_READ_WRITE, VMA_PROMISE,
     "process records"},
    {DIRECTORIES_BASE, DIRECTORIES_ROOM_BYTES, RIGHTS_READ_WRITE, VMA_PROMISE, "directories"},
    {DEVICE_BASE, DEVICE_ROOM_BYTES, RIGHTS_READ_WRITE, VMA_FIXED, "devices"},
};

/* ---- locked ---- */

static bool region_is_over(const struct vma *region, uint32_t directory, frame_t table)
{
    for (uint32_t slot = region->first_page / SLOT_PAGES; slot <= region->last_page / SLOT_PAGES;
         slot++) {
        pde_t pde = directory_pde_read(directory, slot);
        if (pde_is_table(pde) && pde_frame(pde).n == table.n)
            return true;
    }
    return false;
}

bool space_locks_table(frame_t table)
{
    for (const struct space *space = space_first(); space != NULL && !space_is_folded(space);
         space = space_next(space)) {
        if (space->locked_pages == 0 || space->is_ending)
            continue;
        for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
            if ((region->flags & VMA_LOCKED) && region_is_over(region, space->directory, table))
                return true;
    }
    return false;
}

static enum kerr space_layer_init(const struct boot_info *boot)
{
    (void)boot;
    vma_space_init(&kernel_space, KERNEL_BASE >> PAGE_SHIFT, TEMP_BASE >> PAGE_SHIFT);
    init_lower_half(&boot_space, RIGHTS_NONE, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(kernel_regions); i++) {
        enum kerr error = vma_register_kernel(
            VADDR(kernel_regions[i].base), kernel_regions[i].bytes >> PAGE_SHIFT,
            kernel_regions[i].rights, kernel_regions[i].kind, kernel_regions[i].name);
        if (error != KERR_OK)
            return error;
    }
    return KERR_OK;
}

LAYER(04b, "space", space_layer_init);

/* SPDX-License-Identifier: MIT */
/*
 * Host test. Entries that show an object lose something (play.h): contents stay as they are, so the
 * model has nothing to do but to look at the entries. No frame is to be had meanwhile.
 */
#include "machine.h"
#include "play.h"
#include "play_pager.h"

#include <mm/frame.h>
#include <mm/object.h>

/* The pages of an object that OPERATION names: all, or some of the first. */
struct object_range {
    uint32_t object, first, last;
};

static struct object_range range_of(const struct operation *operation)
{
    uint32_t object = operation->where % PLAY_OBJECTS, first = operation->to / 2 % 32;
    if (operation->to & 1)
        return (struct object_range){object, 0, ~0u};
    return (struct object_range){object, first, first + operation->how % 8};
}

static bool is_in(const struct page *page, const struct object_range *range)
{
    return page->object == range->object + 1 && page->object_page >= range->first &&
           page->object_page <= range->last;
}

/* No shared page of AREA, from BASE on in DIRECTORY, that is in RANGE may be written. */
static void expect_clean(const struct area *area, frame_t directory, vaddr_t base,
                         const struct object_range *range)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        const struct page *page = &area->pages[i];
        if (!page->is_shared || !is_in(page, range))
            continue;
        struct machine_walk found = machine_walk_from(directory, vaddr_add(base, i << PAGE_SHIFT));
        if (found.present && found.writable)
            play_wrong("page %u may be written, but the right was taken", i);
    }
}

static void expect_no_frame_taken(void)
{
    if (machine_allocation_failed())
        play_wrong("a frame was asked for");
}

void play_take(const struct operation *operation)
{
    struct object_range range = range_of(operation);
    machine_fail_allocation(1, FAIL_FROM_THERE_ON);
    object_take_writes(play_objects[range.object], range.first, range.last);
    expect_no_frame_taken();
    for (uint32_t number = 0; number < PLAY_SPACES; number++) {
        if (!play_model[number].exists || space_is_folded(play_space(number)))
            continue; /* (who may write to a file is not folded) */
        frame_t directory = machine_walk(directory_page(play_space(number)->directory)).frame;
        expect_clean(&play_model[number].area, directory, slot_to_vaddr(SLOT_FIRST), &range);
        expect_clean(&play_kernel, directory, VADDR(KERNEL_PLAY_BASE), &range);
    }
    if (range.object == PLAY_PAGED_OBJECT)
        play_pager_clean(range.first, range.last);
}

/* The frames of RANGE have no reference but the object's own. */
static void expect_unmapped(const struct object_range *range)
{
    const struct object *object = play_objects[range->object];
    uint32_t page = range->first, end = range->last == ~0u ? ~0u : range->last + 1, word;
    for (; object_next_page(object, &page, end, PAGE_HERE, &word); page++)
        if (frame_references(&frame_pool, page_word_frame(word)) != 1)
            play_wrong("page %u of object %u is still shown", page, range->object);
}

/* Entries below a directory that is not there just now are left alone. */
static bool some_are_folded(void)
{
    for (uint32_t number = 0; number < PLAY_SPACES; number++)
        if (play_model[number].exists && space_is_folded(play_space(number)))
            return true;
    return false;
}

/* Once, or twice with nobody in between who marks a page as used. */
void play_age(const struct operation *operation)
{
    struct object_range range = range_of(operation);
    bool is_twice = (operation->how & 1) != 0, is_quiet = (operation->how & 2) != 0;
    machine_fail_allocation(1, FAIL_FROM_THERE_ON);
    if (is_quiet)
        machine_speculate(NULL);
    (void)object_age(play_objects[range.object], range.first, range.last);
    if (is_twice)
        (void)object_age(play_objects[range.object], range.first, range.last);
    expect_no_frame_taken();
    if (is_twice && is_quiet && !some_are_folded())
        expect_unmapped(&range);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of objects and of regions that show them: what a touch brings, who sees a write,
 * what is behind the end, and that every reference comes back. A "file" is a run of frames whose
 * first words are FILE_WORD + their number.
 */
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/object.h>

#define FILE_WORD 0xF11E0000u

static const char name[] = "object";
static struct space child, grandchild;

static vaddr_t page_at(uint32_t page)
{
    return page_of_slot(TEST_SLOT, page);
}

static bool must_check make_file(uint32_t pages, struct object **file)
{
    frame_t first;
    if (frame_alloc_run(&frame_pool, FRAME_FILE, pages, 1, 0, &first) != KERR_OK)
        return false;
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t *words = temp_map(TEMP_FRAME, FRAME(first.n + i));
        words[0] = FILE_WORD + i;
        temp_unmap(TEMP_FRAME);
    }
    return object_create_file(first, pages, file) == KERR_OK;
}

static bool must_check map(uint32_t page, uint32_t pages, struct object *object,
                           uint32_t object_page, enum rights rights, enum vma_flags flags)
{
    const struct vma_wish wish = {.rights = rights,
                                  .flags = flags,
                                  .name = name,
                                  .object = object,
                                  .object_page = object_page};
    return vma_map_at(space_current(), page_at(page), pages, &wish) == KERR_OK;
}

static bool must_check map_private(uint32_t page, uint32_t pages, struct object *object)
{
    return map(page, pages, object, 0, RIGHTS_READ_WRITE, 0);
}

static bool must_check map_shared(uint32_t page, uint32_t pages, struct object *object)
{
    return map(page, pages, object, 0, RIGHTS_READ_WRITE, VMA_SHARED);
}

static void unmap(uint32_t page, uint32_t pages)
{
    EXPECT(vma_release(space_current(), page_at(page), pages) == KERR_OK);
}

static frame_t file_frame(const struct object *file, uint32_t page)
{
    frame_t frame;
    if (object_find_frame(file, page, &frame) != KERR_OK)
        panic("page %u of a file has no frame", page);
    return frame;
}

/* A word of a page that a file shows, as the file has it. */
static uint32_t file_word(const struct object *file, uint32_t page)
{
    frame_t frame;
    if (object_find_frame(file, page, &frame) != KERR_OK)
        return 0;
    const uint32_t *words = temp_map(TEMP_FRAME, frame);
    uint32_t word = words[0];
    temp_unmap(TEMP_FRAME);
    return word;
}

static bool is_there(uint32_t page)
{
    struct translation t;
    paging_query(page_at(page), &t);
    return t.has_pte && pte_is_present(t.pte);
}

/* ---- objects alone ---- */

TEST("object", "an anonymous one: costs nothing before the first page is asked for")
{
    struct object *object;
    struct cost cost;
    frame_t frame, same;

    cost_start(&cost);
    REQUIRE(object_create_anonymous(3000, &object) == KERR_OK);
    EXPECT_EQUAL(object_find_frame(object, 2999, &frame), KERR_NOT_FOUND);
    EXPECT_COST(cost, 0, 0);
    REQUIRE(object_frame(object, 2999, &frame) == KERR_OK);
    EXPECT_COST(cost, 2, 1);
    EXPECT_EQUAL(file_word(object, 2999), 0);
    EXPECT(object_frame(object, 2999, &same) == KERR_OK && same.n == frame.n);
    EXPECT(object_find_frame(object, 2999, &same) == KERR_OK && same.n == frame.n);
    EXPECT_EQUAL(object_find_frame(object, 2998, &same), KERR_NOT_FOUND);
    EXPECT_EQUAL(object_find_frame(object, 0, &same), KERR_NOT_FOUND);
    REQUIRE(object_frame(object, 0, &same) == KERR_OK);
    EXPECT_COST(cost, 3, 2);
    EXPECT_EQUAL(object->real_pages, 2);
    EXPECT_AUDIT();
    object_put(object);
    EXPECT_COST(cost, 0, 0);
}

TEST("object", "pages behind the end: are refused; so is an object of more than 8 TiB")
{
    struct object *object, *file;
    frame_t frame;

    REQUIRE(object_create_anonymous(5, &object) == KERR_OK);
    REQUIRE(make_file(2, &file));
    EXPECT_EQUAL(object_frame(object, 5, &frame), KERR_BAD_RANGE);
    EXPECT_EQUAL(object_find_frame(object, ~0u, &frame), KERR_BAD_RANGE);
    EXPECT_EQUAL(object_frame(file, 2, &frame), KERR_BAD_RANGE);
    EXPECT_EQUAL(object_find_frame(file, 2, &frame), KERR_BAD_RANGE);
    object_put(object);
    object_put(file);
    EXPECT_EQUAL(object_create_anonymous(OBJECT_PAGE_LIMIT + 1, &object), KERR_BAD_RANGE);
    REQUIRE(object_create_anonymous(OBJECT_PAGE_LIMIT, &object) == KERR_OK);
    EXPECT(object_frame(object, OBJECT_PAGE_LIMIT - 1, &frame) == KERR_OK);
    EXPECT_AUDIT();
    object_put(object);
}

/* The pages of OBJECT that have a frame, in a row; 0 behind the last. */
static uint32_t next_page(const struct object *object, uint32_t from)
{
    uint32_t word, page = from;
    return object_next_page(object, &page, OBJECT_PAGE_LIMIT, PAGE_HERE, &word) ? page : 0;
}

TEST("object",
     "pages far apart: the tree grows as high as they want, and goes with the last of them")
{
    static const uint32_t pages[] = {5, 1023, 1024, 0xFFFFF, 0x100000, 0x40000000};
    struct object *object;
    struct cost cost;
    frame_t frames[6], frame;

    cost_start(&cost);
    REQUIRE(object_create_anonymous(OBJECT_PAGE_LIMIT, &object) == KERR_OK);
    REQUIRE(object_frame(object, 0, &frame) == KERR_OK);
    EXPECT_COST(cost, 0, 1); /* one page wants no level */
    for (uint32_t i = 0; i < 6; i++)
        REQUIRE(object_frame(object, pages[i], &frames[i]) == KERR_OK);
    EXPECT_COST(cost, 11, 7); /* five of height 1, three of 2, two of 3, one of 4 */
    for (uint32_t i = 0; i < 6; i++) {
        EXPECT_EQUAL(next_page(object, i == 0 ? 1 : pages[i - 1] + 1), pages[i]);
        EXPECT(object_find_frame(object, pages[i], &frame) == KERR_OK && frame.n == frames[i].n);
    }
    EXPECT_EQUAL(next_page(object, pages[5] + 1), 0);
    EXPECT_AUDIT();
    for (uint32_t i = 0; i < 6; i++) {
        frame = object_remove_page(object, pages[i]);
        EXPECT_EQUAL(frame.n, frames[i].n);
        frame_put(&frame_pool, frame);
        EXPECT_EQUAL(object_page_word(object, pages[i]), 0);
    }
    EXPECT_AUDIT();
    EXPECT_EQUAL(object->real_pages, 1);
    frame_put(&frame_pool, object_remove_page(object, 0));
    EXPECT_COST(cost, 0, 0);
    object_put(object);
}

TEST("object",
     "a touch whose neighbours lie below another level of the object's tree: shows its page")
{
    enum { PAGES = SLOT_PAGES + 16, FIRST = SLOT_PAGES - 6 };
    struct object *file;
    frame_t frame;
    REQUIRE(object_create(OBJECT_FILE, PAGES, &file) == KERR_OK);
    for (uint32_t page = FIRST; page < FIRST + 12; page++) {
        REQUIRE(object_frame(file, page, &frame) == KERR_OK);
        uint32_t *words = temp_map(TEMP_FRAME, frame);
        words[0] = FILE_WORD + page;
        temp_unmap(TEMP_FRAME);
    }
    REQUIRE(map(0, 12, file, FIRST, RIGHTS_READ_WRITE, 0));
    EXPECT_EQUAL(peek(page_at(8)),
                 FILE_WORD + FIRST + 8); /* the block begins in the level before */
    EXPECT(pte_is_present(pte_in(boot_space.directory, page_at(2))));
    REQUIRE(map(16, 12, file, FIRST, RIGHTS_READ_WRITE, 0));
    poke(page_at(16 + 7), 1);
    EXPECT_EQUAL(peek(page_at(16 + 2)), FILE_WORD + FIRST + 2);
    EXPECT_AUDIT();
    unmap(0, 28);
    object_put(file);
}

TEST("object", "states of pages: are kept beside the frame, and found in order")
{
    struct object *object;
    uint32_t word, page = 0;
    frame_t frame, around[8];

    REQUIRE(object_create_anonymous(3000, &object) == KERR_OK);
    for (uint32_t i = 0; i < 3000; i += 300)
        REQUIRE(object_frame(object, i, &frame) == KERR_OK);
    object_change_page(object, 1200, 0, PAGE_DIRTY | PAGE_USED);
    object_change_page(object, 2700, 0, PAGE_DIRTY);
    object_change_page(object, 1200, PAGE_USED, 0);
    REQUIRE(object_next_page(object, &page, 3000, PAGE_DIRTY, &word));
    EXPECT_EQUAL(page, 1200);
    EXPECT_EQUAL(word & PAGE_STATES, PAGE_HERE | PAGE_DIRTY);
    page++;
    EXPECT(object_next_page(object, &page, 3000, PAGE_DIRTY, &word) && page == 2700);
    EXPECT(!object_next_page(object, &page, 2700, PAGE_DIRTY, &word));
    object_change_page(object, 2700, 0, PAGE_FILLING);
    EXPECT_EQUAL(object_find_frame(object, 2700, &frame), KERR_NOT_FOUND);
    object_find_frames(object, 2698, 8, around);
    for (uint32_t i = 0; i < 8; i++)
        EXPECT_EQUAL(around[i].n, NO_FRAME.n); /* no contents yet */
    object_find_frames(object, 1196, 8, around);
    EXPECT(around[4].n != NO_FRAME.n && around[3].n == NO_FRAME.n && around[5].n == NO_FRAME.n);
    object_put(object);
}

TEST("object", "a file of no pages: has none")
{
    struct object *file;
    frame_t frame;
    uint32_t value;

    REQUIRE(object_create_file(FRAME(0), 0, &file) == KERR_OK);
    EXPECT_EQUAL(object_frame(file, 0, &frame), KERR_BAD_RANGE);
    REQUIRE(map_private(0, 3, file));
    EXPECT_EQUAL(probe_read(page_at(0), &value), FAULT_BEYOND_END);
    unmap(0, 3);
    object_put(file);
}

TEST("object", "too few frames for a page: no memory, and nothing is lost")
{
    struct object *object;
    struct cost cost;
    frame_t frame;

    REQUIRE(object_create_anonymous(10, &object) == KERR_OK);
    cost_start(&cost);
    for (uint32_t frames = 0; frames < 3; frames++) { /* each try gets one step further */
        leave_frames(frames > 0);
        EXPECT_EQUAL(object_frame(object, 3, &frame), frames < 2 ? KERR_NO_MEMORY : KERR_OK);
        all_frames();
        EXPECT_AUDIT();
    }
    EXPECT_COST(cost, 1, 1);
    object_put(object);
    EXPECT_COST(cost, 0, 0);
}

/* ---- private mappings ---- */

TEST("object", "a file mapped privately: is read without a frame, sixteen pages at a touch")
{
    struct object *file;
    struct cost cost;

    REQUIRE(make_file(40, &file));
    REQUIRE(map_private(3, 40, file));
    cost_start(&cost);
    uint32_t faults = fault_counters.total;
    for (uint32_t i = 0; i < 40; i++)
        EXPECT_EQUAL(peek(page_at(3 + i)), FILE_WORD + i);
    EXPECT_EQUAL(fault_counters.total - faults, 3);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(frame_references(&frame_pool, file_frame(file, 0)), 2);
    EXPECT_AUDIT();
    unmap(3, 40);
    EXPECT_EQUAL(frame_references(&frame_pool, file_frame(file, 0)), 1);
    EXPECT_COST(cost, 0, 0);
    object_put(file);
}

TEST("object", "a page of a file written: is a copy of one's own, and the file stays")
{
    struct object *file;
    struct cost cost;

    REQUIRE(make_file(3, &file));
    REQUIRE(map_private(0, 3, file));
    REQUIRE(map_private(8, 3, file));
    cost_start(&cost);
    uint32_t faults = fault_counters.total;
    poke(page_at(1), 77); /* the first touch is a write */
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(peek(page_at(0)), FILE_WORD);
    poke(page_at(0), 78);
    EXPECT_COST(cost, 1, 2);
    EXPECT_EQUAL(peek(page_at(0)), 78);
    EXPECT_EQUAL(peek(page_at(1)), 77);
    EXPECT_EQUAL(peek(page_at(2)), FILE_WORD + 2);
    EXPECT_EQUAL(peek(page_at(8)), FILE_WORD);
    EXPECT_EQUAL(peek(page_at(9)), FILE_WORD + 1);
    EXPECT_EQUAL(file_word(file, 1), FILE_WORD + 1);
    EXPECT_AUDIT();
    unmap(0, 11);
    EXPECT_COST(cost, 0, 0);
    object_put(file);
}

TEST("object", "a private mapping, every pair of rights: data survives, the file stays")
{
    static const enum rights all[] = {RIGHTS_NONE, RIGHTS_READ, RIGHTS_READ_WRITE};
    struct object *file;
    uint32_t value;

    REQUIRE(make_file(4, &file));
    for (unsigned a = 0; a < 3; a++)
        for (unsigned b = 0; b < 3; b++) {
            REQUIRE(map_private(0, 4, file));
            poke(page_at(1), 100);
            EXPECT_EQUAL(peek(page_at(2)), FILE_WORD + 2);
            EXPECT(vma_protect(&boot_space, page_at(0), 4, all[a]) == KERR_OK);
            EXPECT_AUDIT();
            EXPECT(vma_protect(&boot_space, page_at(0), 4, all[b]) == KERR_OK);
            EXPECT_AUDIT();
            enum fault_result result = probe_read(page_at(1), &value);
            EXPECT_EQUAL(result, all[b] == RIGHTS_NONE ? FAULT_BAD_ACCESS : FAULT_RESOLVED);
            EXPECT(result != FAULT_RESOLVED || value == 100);
            result = probe_write(page_at(2), 200 + a);
            EXPECT_EQUAL(result, all[b] == RIGHTS_READ_WRITE ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
            EXPECT(vma_protect(&boot_space, page_at(0), 4, RIGHTS_READ) == KERR_OK);
            EXPECT_EQUAL(peek(page_at(1)), 100);
            EXPECT_EQUAL(peek(page_at(2)), result == FAULT_RESOLVED ? 200 + a : FILE_WORD + 2);
            EXPECT_EQUAL(file_word(file, 1), FILE_WORD + 1);
            EXPECT_EQUAL(file_word(file, 2), FILE_WORD + 2);
            unmap(0, 4);
        }
    object_put(file);
}

TEST("object", "a private mapping of a file that is written: sees it until it writes itself")
{
    struct object *object;

    REQUIRE(object_create(OBJECT_FILE, 2, &object) == KERR_OK);
    REQUIRE(map_shared(0, 2, object));
    REQUIRE(map_private(8, 2, object));
    poke(page_at(0), 1);
    EXPECT_EQUAL(peek(page_at(8)), 1);
    poke(page_at(0), 2);
    EXPECT_EQUAL(peek(page_at(8)), 2);
    poke(page_at(8), 3);
    poke(page_at(0), 4);
    EXPECT_EQUAL(peek(page_at(8)), 3);
    poke(page_at(9), 5); /* no frame yet, on either side */
    EXPECT_EQUAL(peek(page_at(1)), 0);
    EXPECT_AUDIT();
    unmap(0, 10);
    object_put(object);
}

/* ---- behind the end ---- */

TEST("object", "access behind the last page of a file: says so, and brings nothing")
{
    struct object *file;
    uint32_t value;

    REQUIRE(make_file(5, &file));
    REQUIRE(map_private(0, 40, file));
    REQUIRE(map(64, 4, file, 3, RIGHTS_READ, VMA_SHARED));
    REQUIRE(map(80, 4, file, OBJECT_PAGE_LIMIT - 5, RIGHTS_READ, 0));
    EXPECT_EQUAL(probe_read(page_at(5), &value), FAULT_BEYOND_END);
    EXPECT_EQUAL(probe_write(page_at(39), 1), FAULT_BEYOND_END);
    EXPECT_EQUAL(probe_read(page_at(4), &value), FAULT_RESOLVED);
    EXPECT(is_there(0) && is_there(4) && !is_there(5) && !is_there(15));
    EXPECT_EQUAL(peek(page_at(65)), FILE_WORD + 4);
    EXPECT_EQUAL(probe_read(page_at(66), &value), FAULT_BEYOND_END);
    EXPECT_EQUAL(probe_read(page_at(80), &value), FAULT_BEYOND_END);
    EXPECT_EQUAL(probe_read(page_at(83), &value), FAULT_BEYOND_END);
    EXPECT_EQUAL(vma_make_real(page_at(6), 1), KERR_BAD_ACCESS);
    const struct vma_wish wish = {
        .rights = RIGHTS_READ, .name = name, .object = file, .object_page = OBJECT_PAGE_LIMIT - 4};
    EXPECT_EQUAL(vma_map_at(&boot_space, page_at(90), 4, &wish), KERR_BAD_RANGE);
    EXPECT_AUDIT();
    unmap(0, 84);
    object_put(file);
}

/* ---- shared mappings ---- */

TEST("object", "shared memory mapped twice and forked: everybody sees every write")
{
    struct object *object;
    struct cost cost;

    cost_start(&cost);
    REQUIRE(object_create_anonymous(3, &object) == KERR_OK);
    REQUIRE(map_shared(0, 3, object));
    REQUIRE(map_shared(SLOT_PAGES + 5, 3, object));
    object_put(object);
    poke(page_at(0), 1);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES + 5)), 1);
    REQUIRE(space_fork(&child) == KERR_OK);
    poke(page_at(SLOT_PAGES + 5), 2); /* unshares a table */
    poke(page_at(1), 3);              /* made after the fork */
    space_switch(&child);
    EXPECT_EQUAL(peek(page_at(0)), 2);
    EXPECT_EQUAL(peek(page_at(1)), 3);
    poke(page_at(2), 4);
    REQUIRE(space_fork(&grandchild) == KERR_OK);
    space_switch(&grandchild);
    poke(page_at(SLOT_PAGES + 5), 5);
    EXPECT_AUDIT();
    space_switch(&boot_space);
    EXPECT_EQUAL(peek(page_at(0)), 5);
    EXPECT_EQUAL(peek(page_at(2)), 4);
    space_destroy(&child);
    unmap(0, SLOT_PAGES + 8);
    EXPECT_AUDIT();
    space_switch(&grandchild);
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES + 7)), 4);
    space_switch(&boot_space);
    space_destroy(&grandchild);
    EXPECT_COST(cost, 0, 0);
}

TEST("object", "a shared mapping, every pair of rights: what it shows stays the object's")
{
    static const enum rights all[] = {RIGHTS_NONE, RIGHTS_READ, RIGHTS_READ_WRITE};
    struct object *object;

    REQUIRE(object_create_anonymous(2, &object) == KERR_OK);
    REQUIRE(map_shared(8, 2, object));
    for (unsigned a = 0; a < 3; a++)
        for (unsigned b = 0; b < 3; b++) {
            REQUIRE(map_shared(0, 2, object));
            poke(page_at(0), 10 + a);
            EXPECT(vma_protect(&boot_space, page_at(0), 2, all[a]) == KERR_OK);
            EXPECT_AUDIT();
            EXPECT(vma_protect(&boot_space, page_at(0), 2, all[b]) == KERR_OK);
            EXPECT_EQUAL(probe_write(page_at(0), 20 + b),
                         all[b] == RIGHTS_READ_WRITE ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
            EXPECT_EQUAL(peek(page_at(8)), all[b] == RIGHTS_READ_WRITE ? 20 + b : 10 + a);
            EXPECT(vma_protect(&boot_space, page_at(0), 2, RIGHTS_READ_WRITE) == KERR_OK);
            poke(page_at(0), 30 + b);
            EXPECT_EQUAL(peek(page_at(8)), 30 + b);
            EXPECT_AUDIT();
            unmap(0, 2);
        }
    unmap(8, 2);
    object_put(object);
}

TEST("object", "whole slots of shared memory: no zero table, and no frame before a touch")
{
    struct object *object;
    struct cost cost;

    cost_start(&cost);
    REQUIRE(object_create_anonymous(3 * SLOT_PAGES, &object) == KERR_OK);
    REQUIRE(map_shared(0, 3 * SLOT_PAGES, object));
    for (uint32_t slot = 0; slot < 3; slot++)
        EXPECT(!pde_is_present(pde_read(TEST_SLOT + slot)));
    EXPECT_EQUAL(peek(page_at(SLOT_PAGES + 100)), 0);
    EXPECT_COST(cost, 1 + 2, 1); /* a table, two levels, a page */
    poke(page_at(SLOT_PAGES + 100), 1);
    EXPECT_COST(cost, 1 + 2, 1);
    unmap(0, 3 * SLOT_PAGES);
    EXPECT_COST(cost, 2, 1); /* the object is still there */
    object_put(object);
    EXPECT_COST(cost, 0, 0);
}

/* ---- discard ---- */

TEST("object", "discard: private pages are the file's again, shared ones stay what they are")
{
    struct object *file, *object;
    struct cost cost;

    REQUIRE(make_file(4, &file));
    REQUIRE(object_create_anonymous(4, &object) == KERR_OK);
    REQUIRE(map_private(0, 4, file));
    REQUIRE(map_shared(4, 4, object));
    REQUIRE(vma_reserve_at(&boot_space, page_at(10), 4, RIGHTS_READ_WRITE, name) == KERR_OK);
    cost_start(&cost);
    for (uint32_t i = 1; i < 4; i++) {
        poke(page_at(i), i);
        poke(page_at(4 + i), 10 + i);
        poke(page_at(10 + i), 20 + i);
    }
    EXPECT_COST(cost, 1 + 1, 9);
    EXPECT(vma_discard(&boot_space, page_at(2), 10) == KERR_OK); /* up to 11, over two holes */
    EXPECT_AUDIT();
    EXPECT_COST(cost, 1 + 1, 9 - 3);
    EXPECT(!is_there(3) && !is_there(5));
    EXPECT_EQUAL(peek(page_at(1)), 1);
    EXPECT_EQUAL(peek(page_at(2)), FILE_WORD + 2);
    EXPECT_EQUAL(peek(page_at(3)), FILE_WORD + 3);
    EXPECT_EQUAL(peek(page_at(5)), 11);
    EXPECT_EQUAL(peek(page_at(11)), 0);
    EXPECT_EQUAL(peek(page_at(12)), 22);
    EXPECT(vma_discard(&boot_space, page_at(14), 100) == KERR_OK); /* nothing but a hole */
    EXPECT_EQUAL(vma_discard(&boot_space, VADDR(0), 1), KERR_BAD_RANGE);
    EXPECT_EQUAL(vma_discard(&kernel_space, VADDR(KERNEL_BASE), 1), KERR_BAD_RANGE);
    unmap(0, 14);
    object_put(file);
    object_put(object);
}

TEST("object", "discard below a shared table, memory short at every point: all or nothing is seen")
{
    struct object *file;

    REQUIRE(make_file(4, &file));
    for (uint32_t frames = 0;; frames++) {
        REQUIRE(map_private(SLOT_PAGES - 2, 4, file));
        for (uint32_t i = 0; i < 4; i++)
            poke(page_at(SLOT_PAGES - 2 + i), i);
        REQUIRE(space_fork(&child) == KERR_OK);
        leave_frames(frames);
        enum kerr error = vma_discard(&boot_space, page_at(SLOT_PAGES - 2), 4);
        all_frames();
        EXPECT_AUDIT();
        for (uint32_t i = 0; i < 4; i++)
            EXPECT_EQUAL(peek(page_at(SLOT_PAGES - 2 + i)), error == KERR_OK ? FILE_WORD + i : i);
        space_switch(&child);
        for (uint32_t i = 0; i < 4; i++)
            EXPECT_EQUAL(peek(page_at(SLOT_PAGES - 2 + i)), i);
        space_switch(&boot_space);
        space_destroy(&child);
        unmap(SLOT_PAGES - 2, 4);
        if (error == KERR_OK)
            break;
        EXPECT_EQUAL(error, KERR_NO_MEMORY);
        EXPECT(frames < 3);
    }
    object_put(file);
}

/* ---- regions ---- */

TEST("object", "regions of an object: merge where its pages go on, and each has a reference")
{
    struct object *object, *other;
    uint32_t regions = boot_space.region_count;

    REQUIRE(object_create_anonymous(100, &object) == KERR_OK);
    REQUIRE(object_create(OBJECT_FILE, 100, &other) == KERR_OK);
    REQUIRE(map(0, 4, object, 10, RIGHTS_READ, VMA_SHARED));
    REQUIRE(map(4, 4, object, 14, RIGHTS_READ, VMA_SHARED)); /* goes on above */
    EXPECT_EQUAL(boot_space.region_count - regions, 1);
    EXPECT_EQUAL(object->references, 2);
    REQUIRE(map(8, 4, object, 14, RIGHTS_READ, VMA_SHARED)); /* other pages */
    REQUIRE(map(12, 4, other, 18, RIGHTS_READ, VMA_SHARED)); /* another object */
    REQUIRE(map(16, 4, other, 22, RIGHTS_READ, 0));          /* private */
    REQUIRE(vma_reserve_at(&boot_space, page_at(20), 4, RIGHTS_READ, name) == KERR_OK);
    EXPECT_EQUAL(boot_space.region_count - regions, 5);
    EXPECT_EQUAL(object->references, 3);
    EXPECT_EQUAL(other->references, 3);
    EXPECT(vma_protect(&boot_space, page_at(2), 2, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(object->references, 5);
    poke(page_at(3), 33);
    EXPECT(vma_find(&boot_space, page_at(4))->object_page == 14);
    EXPECT_AUDIT();
    EXPECT(vma_protect(&boot_space, page_at(2), 2, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(object->references, 3);
    EXPECT_EQUAL(peek(page_at(3)), 33);
    unmap(1, 2);
    EXPECT_EQUAL(object->references, 4);
    EXPECT_EQUAL(vma_find(&boot_space, page_at(3))->object_page, 13);
    REQUIRE(map(1, 2, object, 11, RIGHTS_READ, VMA_SHARED)); /* closes the hole */
    EXPECT_EQUAL(object->references, 3);
    EXPECT_EQUAL(boot_space.region_count - regions, 5);
    EXPECT_EQUAL(peek(page_at(3)), 33);
    REQUIRE(map(1000, 5, object, 50, RIGHTS_READ, VMA_SHARED));
    REQUIRE(map(995, 5, object, 45, RIGHTS_READ, VMA_SHARED)); /* goes on below */
    EXPECT_EQUAL(object->references, 4);
    EXPECT_EQUAL(vma_find(&boot_space, page_at(995))->object_page, 45);
    EXPECT_AUDIT();
    unmap(0, 1005);
    EXPECT_EQUAL(object->references, 1);
    EXPECT_EQUAL(other->references, 1);
    object_put(object);
    object_put(other);
}

TEST(
    "object",
    "a fork: its regions get references of their own when they change, and its end gives them back")
{
    struct object *file, *object;
    uint32_t value, before = object_count(); /* those of disks */

    REQUIRE(make_file(3, &file));
    REQUIRE(object_create_anonymous(3, &object) == KERR_OK);
    REQUIRE(map_private(0, 5, file));
    REQUIRE(map_shared(8, 3, object));
    poke(page_at(0), 1);
    poke(page_at(8), 2);
    REQUIRE(space_fork(&child) == KERR_OK);
    EXPECT_EQUAL(file->references, 2); /* one tree of regions */
    unmap(4, 1);
    EXPECT_EQUAL(file->references, 3);
    EXPECT_EQUAL(object->references, 3);
    unmap(0, 11);
    object_put(file);
    object_put(object);
    space_switch(&child);
    EXPECT_EQUAL(peek(page_at(0)), 1);
    EXPECT_EQUAL(peek(page_at(1)), FILE_WORD + 1);
    EXPECT_EQUAL(peek(page_at(8)), 2);
    EXPECT_EQUAL(probe_read(page_at(3), &value), FAULT_BEYOND_END);
    EXPECT_AUDIT();
    space_switch(&boot_space);
    space_destroy(&child);
    EXPECT_EQUAL(object_count(), before);
}

TEST("object", "a private page of a file, copied or not, on four sides: each keeps its own")
{
    struct object *file;

    REQUIRE(make_file(2, &file));
    REQUIRE(map_private(0, 2, file));
    poke(page_at(0), 1);
    REQUIRE(space_fork(&child) == KERR_OK);
    space_switch(&child);
    EXPECT_EQUAL(peek(page_at(0)), 1);
    poke(page_at(1), 2);
    REQUIRE(space_fork(&grandchild) == KERR_OK);
    poke(page_at(0), 3);
    poke(page_at(1), 4);
    space_switch(&grandchild);
    EXPECT_EQUAL(peek(page_at(0)), 1);
    EXPECT_EQUAL(peek(page_at(1)), 2);
    EXPECT(vma_discard(&grandchild, page_at(0), 2) == KERR_OK);
    EXPECT_EQUAL(peek(page_at(0)), FILE_WORD);
    EXPECT_EQUAL(peek(page_at(1)), FILE_WORD + 1);
    EXPECT_AUDIT();
    space_switch(&boot_space);
    EXPECT_EQUAL(peek(page_at(0)), 1);
    EXPECT_EQUAL(peek(page_at(1)), FILE_WORD + 1);
    space_destroy(&child);
    space_destroy(&grandchild);
    unmap(0, 2);
    object_put(file);
}

TEST("object", "a touch with too few frames: no memory, and then it goes on where it was")
{
    struct object *object;
    struct cost cost;

    cost_start(&cost);
    REQUIRE(object_create_anonymous(2, &object) == KERR_OK);
    REQUIRE(map_shared(0, 2, object));
    object_put(object);
    for (uint32_t frames = 0; frames < 4; frames++) { /* each try gets one step further */
        leave_frames(frames > 0);
        EXPECT_EQUAL(probe_write(page_at(1), 7), frames < 3 ? FAULT_NO_MEMORY : FAULT_RESOLVED);
        all_frames();
        EXPECT_AUDIT();
    }
    EXPECT_EQUAL(peek(page_at(1)), 7);
    EXPECT_COST(cost, 1 + 1, 1);
    unmap(0, 2);
    EXPECT_COST(cost, 0, 0);
}

TEST("object", "a mapping of the kernel: is seen in every space")
{
    struct object *object;
    vaddr_t first;

    REQUIRE(object_create_anonymous(2, &object) == KERR_OK);
    REQUIRE(space_create(&child, RIGHTS_NONE) == KERR_OK);
    REQUIRE(vma_find_room(&kernel_space, 2, &first) == KERR_OK);
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = name, .object = object};
    REQUIRE(vma_map_at(&kernel_space, first, 2, &wish) == KERR_OK);
    REQUIRE(map_shared(0, 2, object));
    poke(page_at(1), 5);
    space_switch(&child);
    EXPECT_EQUAL(peek(vaddr_add(first, PAGE_BYTES)), 5);
    poke(vaddr_add(first, PAGE_BYTES), 6);
    EXPECT_AUDIT();
    space_switch(&boot_space);
    EXPECT_EQUAL(peek(page_at(1)), 6);
    space_destroy(&child);
    EXPECT(vma_release(&kernel_space, first, 2) == KERR_OK);
    unmap(0, 2);
    object_put(object);
}

/* ---- another size ---- */

/* To PAGES pages, however many pieces that takes. */
static enum kerr resize(struct object *object, uint32_t pages)
{
    enum kerr error;
    do
        error = object_resize(object, pages);
    while (error == KERR_AGAIN);
    return error;
}

TEST("object", "resize: what was behind the end is gone from all spaces, and comes back as zeros")
{
    struct object *object;
    struct cost cost;
    uint32_t value;

    cost_start(&cost);
    REQUIRE(object_create(OBJECT_FILE, 2 * SLOT_PAGES + 10, &object) == KERR_OK);
    REQUIRE(map(0, 2 * SLOT_PAGES + 10, object, 0, RIGHTS_READ_WRITE, VMA_SHARED));
    REQUIRE(map(3 * SLOT_PAGES, 8, object, 2, RIGHTS_READ_WRITE, 0));
    for (uint32_t i = 0; i < 8; i++)
        poke(page_at(i), 10 + i);
    poke(page_at(2 * SLOT_PAGES + 9), 20);
    poke(page_at(3 * SLOT_PAGES + 1), 21); /* private: page 3 */
    poke(page_at(3 * SLOT_PAGES + 4), 22); /* page 6 */
    REQUIRE(space_fork(&child) == KERR_OK);
    space_switch(&child);
    poke(page_at(3 * SLOT_PAGES + 5), 23); /* page 7 */
    EXPECT_EQUAL(object_resize(object, 5), KERR_AGAIN);
    EXPECT_EQUAL(resize(object, 5), KERR_OK);
    EXPECT(space_current() == &child);
    EXPECT_AUDIT();
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_EQUAL(peek(page_at(4)), 14);
        EXPECT_EQUAL(peek(page_at(3 * SLOT_PAGES + 1)), 21);
        EXPECT_EQUAL(probe_read(page_at(5), &value), FAULT_BEYOND_END);
        EXPECT_EQUAL(probe_read(page_at(3 * SLOT_PAGES + 4), &value), FAULT_BEYOND_END);
        EXPECT_EQUAL(probe_read(page_at(3 * SLOT_PAGES + 5), &value), FAULT_BEYOND_END);
        EXPECT_EQUAL(probe_read(page_at(2 * SLOT_PAGES + 9), &value), FAULT_BEYOND_END);
        space_switch(&boot_space);
    }
    EXPECT_EQUAL(object->real_pages, 5);
    EXPECT_EQUAL(resize(object, 8), KERR_OK);
    EXPECT_EQUAL(peek(page_at(7)), 0);
    EXPECT_EQUAL(peek(page_at(3 * SLOT_PAGES + 4)), 0);
    EXPECT_EQUAL(resize(object, 0), KERR_OK);
    EXPECT_EQUAL(object->real_pages, 0);
    EXPECT_EQUAL(resize(object, OBJECT_PAGE_LIMIT + 1), KERR_BAD_RANGE);
    EXPECT_AUDIT();
    space_destroy(&child);
    unmap(0, 3 * SLOT_PAGES + 8);
    object_put(object);
    EXPECT_COST(cost, 0, 0);
}

TEST("object", "resize below a shared table, memory short: nothing is lost, and it is done later")
{
    struct object *object;
    struct cost cost;

    cost_start(&cost);
    REQUIRE(object_create_anonymous(10, &object) == KERR_OK);
    REQUIRE(map_shared(0, 10, object));
    for (uint32_t i = 0; i < 10; i++)
        poke(page_at(i), i);
    REQUIRE(space_fork(&child) == KERR_OK);
    leave_frames(0);
    EXPECT_EQUAL(resize(object, 3), KERR_NO_MEMORY);
    EXPECT_EQUAL(object->pages, 10);
    EXPECT_EQUAL(peek(page_at(9)), 9);
    all_frames();
    EXPECT_EQUAL(resize(object, 3), KERR_OK);
    EXPECT_AUDIT();
    space_destroy(&child);
    unmap(0, 10);
    object_put(object);
    EXPECT_COST(cost, 0, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Tests of the kernel half: one change in one directory is seen in every directory.
 */
#include "cow_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/zero.h>

static const vaddr_t kernel_page = {KERNEL_TEST_SLOT * SLOT_BYTES};
static frame_t mapped_frame;

static void promise_kernel(void)
{
    EXPECT(zero_promise_slots(KERNEL_TEST_SLOT, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

static void promise_kernel_and_write(void)
{
    promise_kernel();
    poke(kernel_page, 1);
}

static void write_kernel(void)
{
    poke(kernel_page, 2);
}

static void write_kernel_neighbour(void)
{
    poke(vaddr_add(kernel_page, PAGE_BYTES), 2);
}

static void make_kernel_real(void)
{
    EXPECT(cow_make_real(kernel_page, 1) == KERR_OK);
}

static void release_kernel(void)
{
    EXPECT(cow_release(kernel_page, SLOT_PAGES) == KERR_OK);
}

static void release_kernel_page(void)
{
    EXPECT(cow_release(kernel_page, 1) == KERR_OK);
}

static void discard_kernel(void)
{
    EXPECT(cow_discard(kernel_page, SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
}

static void discard_kernel_page(void)
{
    EXPECT(cow_discard(kernel_page, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

static void protect_kernel(void)
{
    EXPECT(cow_protect(kernel_page, SLOT_PAGES, RIGHTS_READ) == KERR_OK);
}

static void take_kernel_rights(void)
{
    EXPECT(cow_protect(kernel_page, SLOT_PAGES, RIGHTS_NONE) == KERR_OK);
}

static void give_kernel_rights(void)
{
    EXPECT(cow_protect(kernel_page, SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
}

static void write_and_take_kernel_rights(void)
{
    promise_kernel_and_write();
    take_kernel_rights();
}

static void promise_kernel_page(void)
{
    EXPECT(zero_promise_pages(kernel_page, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

static void map_kernel_page(void)
{
    EXPECT(paging_map(kernel_page, mapped_frame, RIGHTS_READ_WRITE) == KERR_OK);
}

static void unmap_kernel_page(void)
{
    EXPECT(paging_unmap(kernel_page, &mapped_frame) == KERR_OK);
}

static void map_kernel_large(void)
{
    EXPECT(paging_map_large(kernel_page, mapped_frame, RIGHTS_READ_WRITE) == KERR_OK);
}

static void unmap_kernel_large(void)
{
    EXPECT(paging_unmap_large(kernel_page, &mapped_frame) == KERR_OK);
}

static void nothing(void)
{
}

/*
 * PREPARE in one directory, read BEFORE in all; CHANGE in another, read AFTER in all; UNDO in a
 * third. With every directory as the one that changes.
 */
static void change_is_seen(void (*prepare)(void), uint32_t before, void (*change)(void),
                           uint32_t after, void (*undo)(void))
{
    REQUIRE(sides_make(SIDES_MAX));
    for (uint32_t actor = 0; actor < SIDES_MAX; actor++) {
        on_side((actor + 1) % SIDES_MAX);
        prepare();
        for (uint32_t side = 0; side < SIDES_MAX; side++)
            EXPECT_EQUAL(look_on(side, kernel_page), before);
        on_side(actor);
        change();
        EXPECT(directory_check() == NULL);
        for (uint32_t side = 0; side < SIDES_MAX; side++) {
            EXPECT_EQUAL(look_on(side, kernel_page), after);
            EXPECT_EQUAL((directory_pde_read(cow_sides[side], KERNEL_TEST_SLOT).bits ^
                          directory_pde_read(0, KERNEL_TEST_SLOT).bits) &
                             ~(uint32_t)(ENTRY_ACCESSED | ENTRY_DIRTY),
                         0);
        }
        on_side((actor + 2) % SIDES_MAX);
        undo();
        for (uint32_t side = 0; side < SIDES_MAX; side++)
            EXPECT_EQUAL(look_on(side, kernel_page), REFUSED);
    }
    sides_end();
}

TEST("cow", "a kernel slot promised in one directory: reads zero in all")
{
    change_is_seen(nothing, REFUSED, promise_kernel, 0, release_kernel);
}

TEST("cow", "a kernel promise written in one directory: all see the data, not zeros")
{
    change_is_seen(promise_kernel, 0, write_kernel, 2, release_kernel);
}

TEST("cow", "a kernel promise made real in one directory: all get the same page")
{
    change_is_seen(promise_kernel, 0, make_kernel_real, 0, release_kernel);
}

TEST("cow", "a second page of a written kernel promise: all see the first one as it was")
{
    change_is_seen(promise_kernel_and_write, 1, write_kernel_neighbour, 1, release_kernel);
}

TEST("cow", "a kernel slot released in one directory: is gone in all")
{
    change_is_seen(promise_kernel_and_write, 1, release_kernel, REFUSED, nothing);
}

TEST("cow", "a kernel page released in one directory: is gone in all")
{
    change_is_seen(promise_kernel_and_write, 1, release_kernel_page, REFUSED, release_kernel);
}

TEST("cow", "a kernel slot's only page released in one directory: its table is gone in all")
{
    change_is_seen(promise_kernel_page, 0, release_kernel_page, REFUSED, nothing);
}

TEST("cow", "a kernel slot discarded in one directory: is zero in all")
{
    change_is_seen(promise_kernel_and_write, 1, discard_kernel, 0, release_kernel);
}

TEST("cow", "a kernel page discarded in one directory: is zero in all")
{
    change_is_seen(promise_kernel_and_write, 1, discard_kernel_page, 0, release_kernel);
}

static void protect_kernel_and_try(void)
{
    protect_kernel();
    for (uint32_t side = 0; side < SIDES_MAX; side++) {
        on_side(side);
        EXPECT_EQUAL(probe_write(kernel_page, 3), FAULT_BAD_ACCESS);
    }
}

TEST("cow", "a written kernel slot made read-only in one directory: refuses writes in all")
{
    change_is_seen(promise_kernel_and_write, 1, protect_kernel_and_try, 1, release_kernel);
}

TEST("cow", "a kernel promise made read-only in one directory: refuses writes in all")
{
    change_is_seen(promise_kernel, 0, protect_kernel_and_try, 0, release_kernel);
}

TEST("cow", "rights taken from a kernel slot in one directory: no access in any")
{
    change_is_seen(promise_kernel_and_write, 1, take_kernel_rights, REFUSED, release_kernel);
}

TEST("cow", "rights given back to a kernel slot in one directory: all see the data")
{
    change_is_seen(write_and_take_kernel_rights, REFUSED, give_kernel_rights, 1, release_kernel);
}

static uint32_t *mapped_word(void)
{
    return temp_map(TEMP_FRAME, mapped_frame);
}

TEST("cow", "a kernel page mapped in one directory, in a new table: is seen in all")
{
    REQUIRE(frame_alloc(&frame_pool, FRAME_KERNEL, &mapped_frame) == KERR_OK);
    *mapped_word() = 1234;
    temp_unmap(TEMP_FRAME);
    change_is_seen(nothing, REFUSED, map_kernel_page, 1234, unmap_kernel_page);
    change_is_seen(map_kernel_page, 1234, unmap_kernel_page, REFUSED, nothing);
    frame_free(&frame_pool, mapped_frame);
}

TEST("cow", "a kernel slot mapped large in one directory, or unmapped: all see it so")
{
    if (!cpu_features.pse)
        SKIP("needs a CPU with 4 MiB pages");
    if (frame_alloc_run(&frame_pool, FRAME_KERNEL, SLOT_PAGES, SLOT_PAGES, 0, &mapped_frame) !=
        KERR_OK)
        SKIP("needs 4 MiB of free memory in a row");
    *mapped_word() = 5678;
    temp_unmap(TEMP_FRAME);
    change_is_seen(nothing, REFUSED, map_kernel_large, 5678, unmap_kernel_large);
    change_is_seen(map_kernel_large, 5678, unmap_kernel_large, REFUSED, nothing);
    frame_free_run(&frame_pool, mapped_frame, SLOT_PAGES);
}

TEST("cow", "a directory registered after a kernel change: sees it")
{
    promise_kernel_and_write();
    REQUIRE(sides_make(2));
    EXPECT_EQUAL(look_on(1, kernel_page), 1);
    poke(kernel_page, 2);
    EXPECT_EQUAL(look_on(0, kernel_page), 2);
    sides_end();
    release_kernel();
}

TEST("cow", "a kernel write with no frame: no memory in any directory, and zero in all")
{
    REQUIRE(sides_make(3));
    promise_kernel();
    for (uint32_t frames = 0; frames < 2; frames++) {
        leave_frames(frames);
        on_side(1);
        EXPECT_EQUAL(probe_write(kernel_page, 1), FAULT_NO_MEMORY);
        all_frames();
        EXPECT(directory_check() == NULL);
        for (uint32_t side = 0; side < 3; side++)
            EXPECT_EQUAL(look_on(side, kernel_page), 0);
    }
    release_kernel();
    sides_end();
}

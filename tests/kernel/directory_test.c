/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of several live directories: each kind of change of a kernel entry, made in one,
 * is seen in all the others; the lower halves are each one's own.
 *
 * Directories are made with what layer 2 has (directory_lay), and taken away again at the end.
 */
#include "paging_testing.h"

#include <kernel/early.h>
#include <kernel/string.h>

enum { DIRECTORIES = 5 }; /* the first is the one that runs the tests */

static uint32_t ids[DIRECTORIES];
static pte_t promises[DIRECTORIES]; /* what was at their pages before */

/* ---- around every test ---- */

static uint32_t live_before, current_before;

static void remember_directories(void)
{
    live_before = directory_live_count();
    current_before = directory_current();
}

static void check_directories(void)
{
    const char *broken = directory_check();
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    EXPECT_EQUAL(directory_live_count(), live_before);
    EXPECT_EQUAL(directory_current(), current_before);
    EXPECT_EQUAL(cpu_read_cr3(), current_directory.v);
}

TEST_INVARIANT("directories", remember_directories, check_directories);

/* ---- making and ending them ---- */

static void make_directory(unsigned i, uint32_t id)
{
    ids[i] = id;
    promises[i] = directory_lay(id);
}

static void end_directory(unsigned i)
{
    directory_take_away(ids[i], promises[i]);
}

/* Neighbours, another word of the bitmap, and the last of the first 1024. */
static void make_directories(void)
{
    static const uint32_t wished[DIRECTORIES] = {0, 1, 2, 40, SLOT_PAGES - 1};
    ids[0] = directory_current();
    for (unsigned i = 1; i < DIRECTORIES; i++)
        make_directory(i, free_directory(wished[i]));
}

static void end_directories(void)
{
    directory_load(ids[0]);
    for (unsigned i = 1; i < DIRECTORIES; i++)
        end_directory(i);
}

/* The word at ADDRESS is VALUE, whichever directory is loaded. */
static void expect_in_all(vaddr_t address, uint32_t value)
{
    uint32_t loaded = directory_current();
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        directory_load(ids[i]);
        EXPECT_EQUAL(seen_at(address), value);
    }
    directory_load(loaded);
    const char *broken = directory_check();
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
}

/* ---- one more directory ---- */

TEST("directory", "a directory made: the kernel half of the current one, and nothing below")
{
    vaddr_t own = VADDR(WINDOW_DIRECTORY);
    uint32_t live = directory_live_count(), id = free_directory(1);
    ids[0] = directory_current();
    make_directory(1, id);

    EXPECT(directory_is_live(id));
    EXPECT_EQUAL(directory_live_count(), live + 1);
    frame_t frame = pte_frame(pte_read(directory_page(id)));
    EXPECT_EQUAL(frame_kind(&frame_pool, frame), FRAME_DIRECTORY);
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++)
        EXPECT_EQUAL(directory_pde_read(id, slot).bits, 0);
    for (uint32_t slot = KERNEL_FIRST_SLOT; slot <= KERNEL_LAST_SHARED_SLOT; slot++)
        EXPECT_EQUAL(directory_pde_read(id, slot).bits & ~(uint32_t)ENTRY_ACCESSED,
                     pde_read(slot).bits & ~(uint32_t)ENTRY_ACCESSED);
    EXPECT_EQUAL(directory_pde_read(id, ALT_WINDOW_SLOT).bits, 0);
    EXPECT_EQUAL(pde_frame(directory_pde_read(id, WINDOW_SLOT)).n, frame.n);
    EXPECT(pte_frame(pte_read(own)).n != frame.n);

    directory_load(id);
    EXPECT_EQUAL(directory_current(), id);
    EXPECT_EQUAL(current_directory.v, frame_to_paddr(frame).v);
    EXPECT_EQUAL(cpu_read_cr3(), current_directory.v);
    EXPECT_EQUAL(pte_frame(pte_read(own)).n, frame.n); /* the window follows */
    directory_load(ids[0]);
    end_directory(1);
    EXPECT(!directory_is_live(id));
    EXPECT_EQUAL(directory_live_count(), live);
}

TEST("directory", "numbers beyond the last: are not live")
{
    EXPECT(directory_is_live(directory_current()));
    EXPECT(!directory_is_live(DIRECTORIES_COUNT));
    EXPECT(!directory_is_live(UINT32_MAX));
}

/* ---- each kind of change ---- */

TEST("directory", "a kernel table made, then given back: seen in all, from whichever it was done")
{
    vaddr_t page = VADDR(KERNEL_GAP_BASE);
    make_directories();
    for (unsigned from = 0; from < DIRECTORIES; from++) {
        frame_t frame = frame_with(100 + from);
        directory_load(ids[from]);
        expect_in_all(page, NOT_SEEN);
        EXPECT_EQUAL(paging_map(page, frame, RIGHTS_READ_WRITE), KERR_OK);
        expect_in_all(page, 100 + from);
        directory_load(ids[(from + 1) % DIRECTORIES]); /* another one takes it away */
        expect_unmap(page, frame);
        expect_in_all(page, NOT_SEEN);
        frame_free(&frame_pool, frame);
    }
    end_directories();
}

TEST("directory", "an entry of a kernel table changed: seen in all, without a change of the PDE")
{
    vaddr_t page = VADDR(KERNEL_GAP_BASE), neighbour = vaddr_add(page, PAGE_BYTES);
    frame_t frames[2] = {frame_with(200), frame_with(201)};
    make_directories();
    REQUIRE(paging_map(neighbour, frames[0], RIGHTS_READ) == KERR_OK);
    for (unsigned from = 0; from < DIRECTORIES; from++) {
        frame_t frame = frames[from % 2];
        directory_load(ids[from]);
        EXPECT_EQUAL(paging_map(page, frame, RIGHTS_READ_WRITE), KERR_OK);
        expect_in_all(page, 200 + from % 2);
        EXPECT_EQUAL(paging_protect(page, RIGHTS_READ), KERR_OK);
        directory_load(ids[(from + 2) % DIRECTORIES]);
        EXPECT_EQUAL(probe_write(page, 0), FAULT_BAD_ACCESS);
        expect_unmap(page, frame);
        expect_in_all(page, NOT_SEEN);
        expect_in_all(neighbour, 200);
    }
    expect_unmap(neighbour, frames[0]);
    end_directories();
    frame_free(&frame_pool, frames[0]);
    frame_free(&frame_pool, frames[1]);
}

/* In the image, and so in the first 4 MiB of RAM. */
static volatile uint32_t mark;

TEST("directory", "a large page of the kernel set, then cleared: seen in all")
{
    vaddr_t large = VADDR(KERNEL_GAP_BASE);
    if (!cpu_features.pse)
        SKIP("this CPU has no 4 MiB pages");
    make_directories();
    for (unsigned from = 0; from < DIRECTORIES; from++) {
        vaddr_t seen = vaddr_add(large, image_to_paddr(&mark).v);
        frame_t first;
        mark = 300 + from;
        directory_load(ids[from]);
        EXPECT_EQUAL(paging_map_large(large, FRAME(0), RIGHTS_READ), KERR_OK);
        expect_in_all(seen, 300 + from);
        directory_load(ids[(from + 3) % DIRECTORIES]);
        EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
        expect_in_all(seen, NOT_SEEN);
    }
    end_directories();
}

TEST("directory", "a large page of the kernel in the place of a table, and back: seen in all")
{
    vaddr_t large = VADDR(KERNEL_GAP_BASE), seen = vaddr_add(large, image_to_paddr(&mark).v);
    frame_t frame = frame_with(400), first;
    if (!cpu_features.pse) {
        frame_free(&frame_pool, frame);
        SKIP("this CPU has no 4 MiB pages");
    }
    make_directories();
    for (unsigned round = 0; round < 2; round++) {
        mark = 401;
        EXPECT_EQUAL(paging_map(vaddr_to_page(seen), frame, RIGHTS_READ), KERR_OK);
        expect_in_all(seen, 400);
        expect_unmap(vaddr_to_page(seen), frame);
        EXPECT_EQUAL(paging_map_large(large, FRAME(0), RIGHTS_READ), KERR_OK);
        expect_in_all(seen, 401);
        EXPECT_EQUAL(paging_unmap_large(large, &first), KERR_OK);
    }
    end_directories();
    frame_free(&frame_pool, frame);
}

TEST("directory", "many kernel slots filled at once, then cleared at once: seen in all")
{
    uint32_t slot = vaddr_to_slot(VADDR(KERNEL_GAP_BASE));
    vaddr_t page = slot_to_vaddr(slot), alias = vaddr_add(page, 6 * SLOT_BYTES);
    frame_t frame = frame_with(500);
    make_directories();
    for (unsigned from = 0; from < DIRECTORIES; from++) {
        directory_load(ids[from]);
        EXPECT_EQUAL(paging_map(page, frame, RIGHTS_READ), KERR_OK);
        pde_t pde = pde_make(pde_frame(pde_read(slot)), ENTRY_PRESENT | ENTRY_ACCESSED);
        EXPECT_EQUAL(pde_fill_empty(slot + 1, 6, pde), KERR_OK);
        expect_in_all(alias, 500);
        directory_load(ids[(from + 4) % DIRECTORIES]);
        pde_clear_run(slot + 1, 6);
        expect_in_all(alias, NOT_SEEN);
        expect_in_all(page, 500);
        expect_unmap(page, frame);
    }
    end_directories();
    frame_free(&frame_pool, frame);
}

TEST("directory", "rights of a kernel slot changed in its PDE: seen in all")
{
    vaddr_t page = VADDR(KERNEL_GAP_BASE);
    uint32_t slot = vaddr_to_slot(page);
    frame_t frame = frame_with(600);
    make_directories();
    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    pde_t own = pde_read(slot);
    EXPECT_EQUAL(probe_write(page, 601), FAULT_RESOLVED);
    tlb_invalidate_slot(pde_write(slot, pde_make(pde_frame(own), ENTRY_PRESENT | ENTRY_ACCESSED)));
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        directory_load(ids[i]);
        EXPECT_EQUAL(probe_write(page, 602), FAULT_BAD_ACCESS);
    }
    tlb_invalidate_slot(pde_write(slot, own));
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        directory_load(ids[i]);
        EXPECT_EQUAL(probe_write(page, 603 + i), FAULT_RESOLVED);
    }
    expect_unmap(page, frame);
    end_directories();
    frame_free(&frame_pool, frame);
}

TEST("directory", "directories ended in any order: changes reach those that live, no other page")
{
    vaddr_t page = VADDR(KERNEL_GAP_BASE);
    uint32_t slot = vaddr_to_slot(page);
    frame_t frame = frame_with(700);
    uint32_t *ended_view;

    make_directories();
    vaddr_t ended = directory_page(ids[DIRECTORIES - 1]);
    ended_view = vaddr_to_pointer(ended);
    directory_unregister(ids[DIRECTORIES - 1]); /* the page stays mapped, to be looked at */
    EXPECT_EQUAL(paging_map(page, frame, RIGHTS_READ), KERR_OK);
    EXPECT_EQUAL(ended_view[slot], 0);
    for (unsigned i = 1; i < DIRECTORIES - 1; i++)
        EXPECT_EQUAL(directory_pde_read(ids[i], slot).bits & ~ENTRY_FLAGS_MASK,
                     pde_read(slot).bits & ~ENTRY_FLAGS_MASK);
    memset(ended_view, 0, PAGE_BYTES);
    directory_register(ids[DIRECTORIES - 1]); /* again: with what has changed meanwhile */
    expect_in_all(page, 700);
    expect_unmap(page, frame);
    expect_in_all(page, NOT_SEEN);
    end_directories();
    frame_free(&frame_pool, frame);
}

/* ---- lower halves ---- */

TEST("directory", "one address of the lower half in five directories: five frames")
{
    uint32_t slot = find_empty_slots(1);
    frame_t frames[DIRECTORIES];
    vaddr_t page = slot_to_vaddr(slot);
    if (slot == 0)
        SKIP("needs an empty slot in the lower half");

    make_directories();
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        directory_load(ids[i]);
        EXPECT_EQUAL(seen_at(page), NOT_SEEN);
        frames[i] = frame_with(800 + i);
        EXPECT_EQUAL(paging_map(page, frames[i], RIGHTS_READ_WRITE), KERR_OK);
    }
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        directory_load(ids[i]);
        EXPECT_EQUAL(seen_at(page), 800 + i);
        EXPECT_EQUAL(probe_write(page, 900 + i), FAULT_RESOLVED);
    }
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        directory_load(ids[i]);
        EXPECT_EQUAL(seen_at(page), 900 + i);
        expect_unmap(page, frames[i]);
        frame_free(&frame_pool, frames[i]);
    }
    end_directories();
}

TEST("directory", "an entry stored into a directory that is not loaded: is there when it is")
{
    uint32_t slot = find_empty_slots(1);
    vaddr_t page = slot_to_vaddr(slot);
    if (slot == 0)
        SKIP("needs an empty slot in the lower half");
    frame_t frame = frame_with(1000);

    make_directories();
    REQUIRE(paging_map(page, frame, RIGHTS_READ_WRITE) == KERR_OK);
    directory_pde_write(ids[3], slot, pde_read(slot));
    EXPECT_EQUAL(directory_pde_read(ids[3], slot).bits, pde_read(slot).bits);
    directory_load(ids[2]);
    EXPECT_EQUAL(seen_at(page), NOT_SEEN);
    directory_load(ids[3]);
    EXPECT_EQUAL(seen_at(page), 1000);
    directory_load(ids[0]);
    directory_pde_write(ids[3], slot, PDE_EMPTY);
    directory_load(ids[3]);
    EXPECT_EQUAL(seen_at(page), NOT_SEEN);
    directory_load(ids[0]);
    expect_unmap(page, frame);
    end_directories();
    frame_free(&frame_pool, frame);
}

/* ---- the check itself ---- */

enum verdict { IS_FOUND, IS_NO_DIFFERENCE };

/* With BITS of one entry of directory 3 flipped the check gives VERDICT, without them nothing. */
static void flip(uint32_t slot, uint32_t bits, enum verdict verdict)
{
    uint32_t *entries = vaddr_to_pointer(directory_page(ids[3]));
    entries[slot] ^= bits;
    EXPECT_EQUAL(directory_check() != NULL, verdict == IS_FOUND);
    entries[slot] ^= bits;
    EXPECT(directory_check() == NULL);
}

TEST("directory", "kernel halves that differ: the check finds it, but for A and D")
{
    static const uint32_t slots[] = {KERNEL_FIRST_SLOT, KERNEL_GAP_BASE >> SLOT_SHIFT,
                                     KERNEL_LAST_SHARED_SLOT};
    make_directories();
    for (unsigned i = 0; i < ARRAY_LENGTH(slots); i++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            bool ignored = (1u << bit & (ENTRY_ACCESSED | ENTRY_DIRTY)) != 0;
            flip(slots[i], 1u << bit, ignored ? IS_NO_DIFFERENCE : IS_FOUND);
        }
    }
    flip(0, ~0u, IS_NO_DIFFERENCE); /* lower halves are nobody's business */
    flip(KERNEL_FIRST_SLOT - 1, ~0u, IS_NO_DIFFERENCE);
    end_directories();
}

TEST("directory",
     "a directory that does not refer to itself, or for all to see: the check finds it")
{
    make_directories();
    flip(WINDOW_SLOT, PAGE_BYTES, IS_FOUND);
    flip(WINDOW_SLOT, ENTRY_USER, IS_FOUND);
    flip(WINDOW_SLOT, ENTRY_GLOBAL, IS_FOUND);
    flip(WINDOW_SLOT, ENTRY_PRESENT, IS_FOUND);
    flip(WINDOW_SLOT, ENTRY_WRITABLE, IS_FOUND);
    flip(WINDOW_SLOT, ENTRY_ACCESSED | ENTRY_DIRTY, IS_NO_DIFFERENCE);

    frame_t frame = pte_frame(pte_read(directory_page(ids[3])));
    frame_set_kind(&frame_pool, frame, FRAME_ANONYMOUS);
    EXPECT(directory_check() != NULL);
    frame_set_kind(&frame_pool, frame, FRAME_DIRECTORY);
    end_directories();
}

/* ---- what must end in a panic ---- */

PANIC_TEST("load-dead-directory")
{
    directory_load(free_directory(1));
}

PANIC_TEST("end-boot-directory")
{
    directory_unregister(0);
}

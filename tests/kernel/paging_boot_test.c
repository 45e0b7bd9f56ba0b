/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of the window, and of what layer 2 has made of the boot mappings.
 */
#include "paging_testing.h"

#include <kernel/early.h>

/* ---- the window ---- */

TEST("paging", "the window's last page and entry 1023: are the directory and its own reference")
{
    vaddr_t last_entry = VADDR(WINDOW_DIRECTORY + WINDOW_SLOT * (uint32_t)sizeof(pde_t));

    EXPECT_EQUAL(last_entry.v + (uint32_t)sizeof(pde_t), 0); /* where pointer loops go wrong */
    EXPECT_EQUAL(pointer_to_vaddr(pte_slot(VADDR(WINDOW_DIRECTORY))).v, last_entry.v);
    EXPECT_EQUAL(pointer_to_vaddr(pde_slot(WINDOW_SLOT)).v, last_entry.v);
    EXPECT_EQUAL(pointer_to_vaddr(pte_slot(VADDR(UINT32_MAX))).v, last_entry.v);
    EXPECT_EQUAL(pointer_to_vaddr(pte_slot(VADDR(0))).v, WINDOW_BASE);
    EXPECT_EQUAL(pointer_to_vaddr(pde_slot(0)).v, WINDOW_DIRECTORY);

    uint32_t own = paddr_to_frame(current_directory).n;
    EXPECT_EQUAL(seen_at(last_entry) >> PAGE_SHIFT, own);
    EXPECT_EQUAL(pte_frame(pte_read(VADDR(WINDOW_DIRECTORY))).n, own);
    EXPECT_EQUAL(pde_frame(pde_read(WINDOW_SLOT)).n, own);
    EXPECT_EQUAL(cpu_read_cr3() >> PAGE_SHIFT, own);
}

TEST("paging", "the whole last page, by index: every directory entry is its window page's entry")
{
    uint32_t *directory = temp_map(TEMP_FRAME, paddr_to_frame(current_directory));
    uint32_t read = 0;
    for (uint32_t i = 0; i < SLOT_PAGES; i++, read++) {
        EXPECT_EQUAL(pde_read(i).bits, directory[i]);
        EXPECT_EQUAL(pte_read(window_page(slot_to_vaddr(i))).bits, directory[i]);
    }
    temp_unmap(TEMP_FRAME);
    EXPECT_EQUAL(read, SLOT_PAGES);
}

TEST("paging", "no directory entry: sets what the window could not bear")
{
    for (uint32_t slot = 0; slot < SLOT_PAGES; slot++) {
        pde_t pde = pde_read(slot);
        if (pde_is_table(pde))
            EXPECT_EQUAL(pde.bits & ENTRY_GLOBAL, 0); /* its window page would be global */
        if (slot >= KERNEL_FIRST_SLOT)
            EXPECT_EQUAL(pde.bits & ENTRY_USER, 0);
    }
    EXPECT_EQUAL(pde_read(ALT_WINDOW_SLOT).bits, 0);
}

/* ---- what boot left, taken over ---- */

TEST("paging", "the null page and the identity mapping: are gone")
{
    struct translation t;
    EXPECT_EQUAL(seen_at(VADDR(0)), NOT_SEEN);
    EXPECT_EQUAL(probe_write(VADDR(4), 0), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(VADDR(USER_FIRST_ADDRESS - 4), 0), FAULT_BAD_ACCESS);
    for (uint32_t n = 0; n < SLOT_PAGES; n++) {
        paging_query(VADDR(n << PAGE_SHIFT), &t);
        EXPECT(!(t.has_pte && pte_is_present(t.pte) && pte_frame(t.pte).n == n));
        EXPECT(!pde_is_large(t.pde));
    }
}

static bool is_between(vaddr_t page, const char *first, const char *end)
{
    return page.v >= pointer_to_vaddr(first).v && page.v < pointer_to_vaddr(end).v;
}

TEST("paging", "the image's slot, page by page: rights by section, and nothing else is mapped")
{
    const uint32_t compared = ~(uint32_t)(ENTRY_ACCESSED | ENTRY_DIRTY);
    uint32_t global = cpu_features.pge ? (uint32_t)ENTRY_GLOBAL : 0;
    for (uint32_t n = 0; n < SLOT_PAGES; n++) {
        vaddr_t page = VADDR(KERNEL_BASE + (n << PAGE_SHIFT));
        uint32_t read_only = pte_make(FRAME(n), ENTRY_PRESENT | global).bits, expected = 0;
        if (is_between(page, text_start, rodata_end))
            expected = read_only;
        else if (is_between(page, data_start, stack_guard) ||
                 is_between(page, stack_bottom, image_end) ||
                 vaddr_in(page, VADDR(KERNEL_BASE + VGA_TEXT_PHYSICAL), VGA_TEXT_BYTES))
            expected = read_only | ENTRY_WRITABLE;
        EXPECT_EQUAL(pte_read(page).bits & compared, expected);
    }
}

TEST("paging", "the image itself: text and constants refuse a write, the guard any access")
{
    static const uint32_t constant = 36;
    EXPECT_EQUAL(probe_write(pointer_to_vaddr(text_start), 0), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(VADDR(pointer_to_vaddr(text_end).v - 4), 0), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(pointer_to_vaddr(&constant), 37), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(seen_at(pointer_to_vaddr(&constant)), 36);
    EXPECT_EQUAL(seen_at(pointer_to_vaddr(stack_guard)), NOT_SEEN);
    EXPECT_EQUAL(seen_at(VADDR(pointer_to_vaddr(stack_bottom).v - 4)), NOT_SEEN);
    EXPECT_EQUAL(seen_at(VADDR(KERNEL_BASE)), NOT_SEEN);
    EXPECT_EQUAL(seen_at(pointer_to_vaddr(image_end)), NOT_SEEN);
}

TEST("paging", "the frame table: writable, global where the CPU has it, a guard behind it")
{
    uint32_t bytes = frame_pool_storage_bytes(frame_pool.frames);
    uint32_t global = cpu_features.pge ? (uint32_t)ENTRY_GLOBAL : 0;
    for (uint32_t at = 0; at < bytes; at += PAGE_BYTES)
        EXPECT_EQUAL(flags_at(VADDR(FRAME_TABLE_BASE + at)) &
                         (ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | ENTRY_GLOBAL),
                     ENTRY_PRESENT | ENTRY_WRITABLE | global);
    uint32_t end = (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    EXPECT_EQUAL(seen_at(VADDR(FRAME_TABLE_BASE + end)), NOT_SEEN);
}

TEST("paging", "CR4: large and global pages are on where the CPU has them")
{
    if (!cpu_features.pse && !cpu_features.pge)
        SKIP("this CPU has neither large nor global pages");
    EXPECT_EQUAL((cpu_read_cr4() & CR4_PSE) != 0, cpu_features.pse);
    EXPECT_EQUAL((cpu_read_cr4() & CR4_PGE) != 0, cpu_features.pge);
    EXPECT_EQUAL(paging_global_flag != 0, cpu_features.pge);
}

/* ---- what must end in a panic ---- */

PANIC_TEST("write-rodata")
{
    static const uint32_t constant = 40;
    *(volatile uint32_t *)(uintptr_t)&constant = 41;
}

PANIC_TEST("write-text")
{
    *(volatile uint32_t *)vaddr_to_pointer(pointer_to_vaddr(text_start)) = 0;
}

/* Volatile: the compiler may not know that it is NULL. */
static void *volatile nothing;

PANIC_TEST("null-read")
{
    (void)*(volatile uint32_t *)nothing;
}

PANIC_TEST("null-call")
{
    ((void (*)(void))(uintptr_t)nothing)();
}

PANIC_TEST("window-hole")
{
    pde_t empty = pde_read(vaddr_to_slot(VADDR(KERNEL_GAP_BASE)));
    if (!pde_is_present(empty))
        (void)pte_read(VADDR(KERNEL_GAP_BASE));
}

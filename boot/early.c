/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The mappings made between boot.asm and layer 2 (include/kernel/early.h).
 *
 * Tables are filled through a temporary page and linked when they are complete. The boot tables
 * themselves are edited at their addresses in the image, so nothing here needs the window. In the
 * unpaged build physical memory is seen at physical + KERNEL_BASE, and nothing is to be mapped.
 */
#include <kernel/early.h>

#include <arch/i386/cpu.h>
#include <arch/i386/pte.h>

enum { FRAMES_BELOW_4_GIB = 1u << (32 - PAGE_SHIFT) };

/* Where the unpaged kernel sees ADDRESS. */
static void *unpaged_view(paddr_t address)
{
    return vaddr_to_pointer(VADDR(address.v + KERNEL_BASE));
}

/* Temporary page NUMBER shows what ENTRY says from here on. */
static void set_temp_page(uint32_t number, pte_t entry)
{
    boot_temp_table[number] = entry.bits;
    cpu_invalidate_page(VADDR(TEMP_PAGE_ADDRESS(number)));
}

void early_map_cpu_tables(void)
{
    frame_t frame = paddr_to_frame(image_to_paddr(cpu_tables_start));
    uint32_t flags = ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED | ENTRY_DIRTY;
    if (!UNPAGED)
        set_temp_page(TEMP_CPU_TABLES, pte_make(frame, flags));
}

uint32_t early_cpu_table_address(const volatile void *table)
{
    uint32_t address = pointer_to_vaddr(table).v;
    if (UNPAGED)
        return address + SEGMENT_BASE;
    return TEMP_PAGE_ADDRESS(TEMP_CPU_TABLES) + (address - pointer_to_vaddr(cpu_tables_start).v);
}

enum kerr early_map_boot_window(paddr_t start, uint32_t bytes, const void **view)
{
    uint32_t offset = start.v % PAGE_BYTES;
    uint32_t first = paddr_to_frame(start).n;

    if (bytes > TEMP_BOOT_WINDOW_PAGES * PAGE_BYTES - offset)
        return KERR_NO_ROOM;
    uint32_t pages = (offset + bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    if (pages > FRAMES_BELOW_4_GIB - first)
        return KERR_BAD_RANGE;
    if (UNPAGED) {
        *view = unpaged_view(start);
        return KERR_OK;
    }
    for (uint32_t i = 0; i < TEMP_BOOT_WINDOW_PAGES; i++) {
        pte_t entry = i < pages ? pte_make(FRAME(first + i), ENTRY_PRESENT) : PTE_EMPTY;
        set_temp_page(TEMP_BOOT_WINDOW + i, entry);
    }
    *view = vaddr_to_pointer(VADDR(TEMP_PAGE_ADDRESS(TEMP_BOOT_WINDOW) + offset));
    return KERR_OK;
}

void early_map_array(vaddr_t base, frame_t first, uint32_t pages, frame_t table_first, void **view)
{
    if (UNPAGED) {
        *view = unpaged_view(frame_to_paddr(first));
        return;
    }
    uint32_t *table = vaddr_to_pointer(VADDR(TEMP_PAGE_ADDRESS(TEMP_TABLE)));
    for (uint32_t page = 0; page < pages; page += SLOT_PAGES) {
        frame_t table_frame = FRAME(table_first.n + page / SLOT_PAGES);
        set_temp_page(TEMP_TABLE, pte_make(table_frame, ENTRY_PRESENT | ENTRY_WRITABLE));
        for (uint32_t i = 0; i < SLOT_PAGES; i++) {
            pte_t entry = pte_make(FRAME(first.n + page + i), ENTRY_PRESENT | ENTRY_WRITABLE);
            table[i] = page + i < pages ? entry.bits : PTE_EMPTY.bits;
        }
        uint32_t slot = vaddr_to_slot(base) + page / SLOT_PAGES;
        boot_directory[slot] = pde_make(table_frame, ENTRY_PRESENT | ENTRY_WRITABLE).bits;
    }
    set_temp_page(TEMP_TABLE, PTE_EMPTY);
    *view = vaddr_to_pointer(base);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Double faults with the current space in ruins: the slot of the image gone, or its table
 * full of garbage. Each must end in a full report that names the function that was running.
 *
 * (The stack overflow, which leaves the tables alone, is in fault_test.c.)
 */
#include "paging_testing.h"

#include <kernel/early.h>

/* From here on the CPU walks the tables as they are. It does not come back. */
static void __attribute__((noinline)) go_on_without_tlb(void)
{
    if (cpu_features.pge)
        cpu_write_cr4(cpu_read_cr4() & ~(uint32_t)CR4_PGE);
    cpu_write_cr3(cpu_read_cr3());
}

PANIC_TEST("df-text-gone")
{
    *pde_slot(KERNEL_FIRST_SLOT) = 0;
    go_on_without_tlb();
}

PANIC_TEST("df-text-gone-elsewhere")
{
    frame_t frame = frame_with(0);
    if (paging_map(directory_page(1), frame, RIGHTS_READ_WRITE) != KERR_OK)
        panic("no memory for a directory");
    directory_register(1);
    directory_load(1);
    *pde_slot(KERNEL_FIRST_SLOT) = 0;
    go_on_without_tlb();
}

/* Half of the entries are present, with frames and rights from anywhere. */
PANIC_TEST("df-table-corrupt")
{
    volatile uint32_t *table = pte_slot(VADDR(KERNEL_BASE));
    uint32_t seed = 1;
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        seed ^= seed << 13; /* test_random(), which may be out of reach by now */
        seed ^= seed >> 17;
        seed ^= seed << 5;
        table[i] = seed;
    }
    go_on_without_tlb();
}

PANIC_TEST("df-table-empty")
{
    volatile uint32_t *table = pte_slot(VADDR(KERNEL_BASE));
    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        table[i] = 0;
    go_on_without_tlb();
}

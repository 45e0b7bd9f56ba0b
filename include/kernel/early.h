/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, memlayout. Used by: main, layer 1 (its table), layer 2 (takes it over),
 * prompt/ (`map`).
 *
 * The mappings that boot.asm made, and the two kinds that are added to them before layer 2 takes
 * over. What the TLB is owed is paid here.
 *
 * boot.asm leaves: the directory `boot_directory` with its reference to itself at 1023; slots 0
 * and 768 with `boot_image_table` (physical 0-4 MiB, all writable but for the page under the stack,
 * which is not present; slot 0 goes away in layer 2); slot 1021 with `boot_temp_table`, empty;
 * CR0.WP set. In the unpaged build (arch/i386/cpu.h) there is none of this: paging is off.
 */
#ifndef KERNEL_EARLY_H
#define KERNEL_EARLY_H

#include <kernel/kerr.h>
#include <mm/memlayout.h>

/* Statically allocated in .bss, page aligned, addressed in the higher half; from boot.asm. */
extern uint32_t boot_directory[SLOT_PAGES];
extern uint32_t boot_image_table[SLOT_PAGES];
extern uint32_t boot_temp_table[SLOT_PAGES];

/* The image's sections, page aligned; from linker.ld. Only their addresses mean anything. */
extern char image_start[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[];
extern char stack_guard[], stack_bottom[], stack_top[], image_end[];

/*
 * What the CPU itself looks up (IDT, GDT, TSSs) lies together in one page of the image, and is
 * mapped a second time at TEMP_CPU_TABLES. That is where the CPU is told to look: a double fault
 * finds its task even if the slot of the image is broken.
 */
#define in_cpu_tables __attribute__((section(".bss.cpu_tables"), aligned(8)))
extern char cpu_tables_start[];
void early_map_cpu_tables(void);

/* The linear address of TABLE, one of them, for the CPU. */
uint32_t early_cpu_table_address(const volatile void *table);

/* An address of the image as a physical one. */
static inline paddr_t image_to_paddr(const volatile void *pointer)
{
    return PADDR(pointer_to_vaddr(pointer).v - KERNEL_BASE);
}

/*
 * See BYTES bytes from START on through the boot window of the temporary slot. The next call ends
 * the last one's mapping.
 *   *VIEW  the byte at START; unpaged: the memory itself
 *   returns KERR_NO_ROOM for more than TEMP_BOOT_WINDOW_PAGES pages, KERR_BAD_RANGE for bytes
 *   above 4 GiB
 */
kerr_t early_map_boot_window(paddr_t start, uint32_t bytes, const void **view);

/*
 * Map PAGES pages from BASE on (slot-aligned, in the frame table's room) to the frames from FIRST
 * on, writable. The tables for it are the TABLES = ceil(PAGES / 1024) frames from TABLE_FIRST on.
 *   *VIEW  where the array is seen: BASE; unpaged: the memory itself, and the tables are not used
 */
void early_map_array(vaddr_t base, frame_t first, uint32_t pages, frame_t table_first, void **view);

#endif

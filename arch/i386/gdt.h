/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: boot.asm (the first two selectors), trap,
 * double_fault, process/ and program/exec.c (the programs' selectors, esp0, TLS).
 *
 * The segment descriptors: flat ones, since protection is the paging unit's work, and two TSSs,
 * since the CPU looks there for the kernel stack and for the double-fault task. The CPU writes into
 * the GDT (accessed and busy bits), so it is never in read-only pages.
 */
#ifndef ARCH_I386_GDT_H
#define ARCH_I386_GDT_H

#include <kernel/types.h>

enum selector {
    KERNEL_CODE = 0x08, /* boot.asm and stubs.asm know these two by number */
    KERNEL_DATA = 0x10,
    USER_CODE = 0x18 | 3,
    USER_DATA = 0x20 | 3,
    MAIN_TSS = 0x28,
    FIRST_TLS = 0x30 | 3, /* entries 6-8: the program's own data segments, as Linux numbers them */
    DOUBLE_FAULT_TSS = 0x48,
};

/* The program's own entries of the GDT, and the bits of a selector. */
enum {
    TLS_FIRST_ENTRY = FIRST_TLS / 8,
    TLS_ENTRIES = 3,
    SELECTOR_RPL = 3,
    SELECTOR_LOCAL = 4, /* of the local table, which is empty */
};

/* source: SDM vol. 3A, "Task-State Segment (TSS)" */
struct tss {
    uint32_t previous_task;
    uint32_t esp0, ss0, esp1, ss1, esp2, ss2;
    uint32_t cr3;
    uint32_t eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs;
    uint32_t ldt;
    uint16_t trap, io_map_base;
};
_Static_assert(sizeof(struct tss) == 104, "as the CPU wants it");

/* The running kernel's; the CPU saves the interrupted registers here at a double fault. */
extern struct tss main_tss;

/* Load the GDT, the segment registers and the task register. */
void gdt_init(void);

/*
 * A data segment for user mode.
 *   limit  in bytes, or in pages if FLAGS says so; 20 bits      type  0-7: bit 0 accessed, bit 1
 *   writable, bit 2 expands down                                flags  enum segment_flags
 *   source: SDM vol. 3A, "Segment Descriptors"
 */
enum segment_flags {
    SEGMENT_AVAILABLE = 1, /* for software to use */
    SEGMENT_32_BIT = 4,
    SEGMENT_LIMIT_IN_PAGES = 8,
};
uint64_t gdt_user_data(uint32_t base, uint32_t limit, unsigned type, unsigned flags);

/*
 * Put the program's own descriptors, made by gdt_user_data() or 0, into the GDT. Segment registers
 * that hold one of them see it when they are loaded again, on the way to user mode.
 */
void gdt_set_tls(const uint64_t tls[TLS_ENTRIES]);

#endif

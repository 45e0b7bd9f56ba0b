/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Segment descriptors and the main TSS (gdt.h).
 *
 * All segments cover the whole address space from SEGMENT_BASE on, which is 0 but for the unpaged
 * build. Tables and TSSs lie in .data/.bss: the CPU writes into them.
 */
#include <arch/i386/gdt.h>

#include <arch/i386/cpu.h>
#include <arch/i386/double_fault.h>
#include <kernel/early.h>

struct tss main_tss in_cpu_tables;

/* source: SDM vol. 3A, "Segment Descriptors" */
enum descriptor_access {
    DESCRIPTOR_CODE = 0x9A, /* present, code, readable */
    DESCRIPTOR_DATA = 0x92, /* present, data, writable */
    DESCRIPTOR_TSS = 0x89,  /* present, 32-bit TSS, available */
    DESCRIPTOR_USER = 0x60, /* DPL 3, to be added */
};

enum { FLAT_LIMIT = 0xFFFFF, FLAGS_FLAT = 0xC, FLAGS_BYTES = 0x0 };

enum { DESCRIPTORS = DOUBLE_FAULT_TSS / 8 + 1 };

static uint64_t gdt[DESCRIPTORS] in_cpu_tables;

/* What LGDT and LIDT read. */
struct table_pointer {
    uint16_t limit;
    uint32_t linear_base;
} __attribute__((packed));

static uint64_t descriptor(uint32_t linear_base, uint32_t limit, unsigned access, unsigned flags)
{
    uint32_t low = linear_base << 16 | (limit & 0xFFFF);
    uint32_t high = (linear_base & 0xFF000000u) | flags << 20 | (limit & 0xF0000u) | access << 8 |
                    (linear_base >> 16 & 0xFF);
    return (uint64_t)high << 32 | low;
}

static uint64_t tss_descriptor(const struct tss *tss)
{
    return descriptor(early_cpu_table_address(tss), sizeof(*tss) - 1, DESCRIPTOR_TSS, FLAGS_BYTES);
}

uint64_t gdt_user_data(uint32_t base, uint32_t limit, unsigned type, unsigned flags)
{
    enum { TYPE_BITS = 7, DATA = DESCRIPTOR_DATA & ~TYPE_BITS };
    return descriptor(base, limit, DATA | DESCRIPTOR_USER | (type & TYPE_BITS), flags);
}

void gdt_set_tls(const uint64_t tls[TLS_ENTRIES])
{
    for (unsigned i = 0; i < TLS_ENTRIES; i++)
        gdt[TLS_FIRST_ENTRY + i] = tls[i];
}

static void set(enum selector selector, uint64_t value)
{
    gdt[selector / 8] = value;
}

static void load(void)
{
    struct table_pointer pointer = {sizeof(gdt) - 1, early_cpu_table_address(gdt)};

    __asm__ volatile("lgdt %0\n\t"
                     "pushl %1\n\t"
                     "pushl $1f\n\t"
                     "lret\n" /* the only way to load CS besides a far jump */
                     "1:\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%fs\n\t"
                     "mov %2, %%gs\n\t"
                     "mov %2, %%ss"
                     :
                     : "m"(pointer), "i"(KERNEL_CODE), "r"((uint32_t)KERNEL_DATA)
                     : "memory");
    __asm__ volatile("ltr %w0" : : "r"(MAIN_TSS) : "memory");
    /* After reset there is a local table, at address 0: programs would make the CPU read there. */
    __asm__ volatile("lldt %w0" : : "r"(0) : "memory");
}

void gdt_init(void)
{
    early_map_cpu_tables();
    set(KERNEL_CODE, descriptor(SEGMENT_BASE, FLAT_LIMIT, DESCRIPTOR_CODE, FLAGS_FLAT));
    set(KERNEL_DATA, descriptor(SEGMENT_BASE, FLAT_LIMIT, DESCRIPTOR_DATA, FLAGS_FLAT));
    set(USER_CODE,
        descriptor(SEGMENT_BASE, FLAT_LIMIT, DESCRIPTOR_CODE | DESCRIPTOR_USER, FLAGS_FLAT));
    set(USER_DATA,
        descriptor(SEGMENT_BASE, FLAT_LIMIT, DESCRIPTOR_DATA | DESCRIPTOR_USER, FLAGS_FLAT));
    set(MAIN_TSS, tss_descriptor(&main_tss));
    set(DOUBLE_FAULT_TSS, tss_descriptor(&double_fault_tss));

    main_tss = (struct tss){
        .ss0 = KERNEL_DATA,
        .esp0 = pointer_to_vaddr(stack_top).v,
        .io_map_base = sizeof(struct tss), /* behind the limit: no port is open to user mode */
    };
    load();
}

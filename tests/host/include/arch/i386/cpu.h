/* SPDX-License-Identifier: MIT */
/*
 * Layer 0, host build: stands in for arch/i386/cpu.h. The control registers and INVLPG are those of
 * the model (tests/host/machine.h); the rest is what layers 1-10 and their tests name.
 */
#ifndef ARCH_I386_CPU_H
#define ARCH_I386_CPU_H

#include <kernel/types.h>

#define UNPAGED      0
#define SEGMENT_BASE 0u

enum {
    CR0_PROTECTED = 1u << 0,
    CR0_WRITE_PROTECT = 1u << 16,
    CR0_ALIGNMENT = 1u << 18,
    CR0_PAGING = 1u << 31,
    CR4_PSE = 1u << 4,
    CR4_PGE = 1u << 7,
    CR4_UMIP = 1u << 11,
    CR4_SMEP = 1u << 20,
    CR4_SMAP = 1u << 21,
    EFLAGS_INTERRUPT = 1u << 9,
    EFLAGS_ACCESS = 1u << 18,
};

struct cpu_features {
    bool cpuid, cr4, tsc;
    bool pse, pge;
    bool smep, smap, umip, fpu; /* the model has none of them */
    uint32_t feature_bits;
    char name[49];
};
extern struct cpu_features cpu_features;

extern paddr_t current_directory;

uint32_t cpu_read_cr0(void);
uint32_t cpu_read_cr2(void);
uint32_t cpu_read_cr3(void);
uint32_t cpu_read_cr4(void);
void cpu_write_cr0(uint32_t value);
void cpu_write_cr3(uint32_t value);
void cpu_write_cr4(uint32_t value);
void cpu_invalidate_page(vaddr_t address);

static inline uint64_t cpu_cycles(void)
{
    return 0;
}

static inline uint32_t cpu_flags(void)
{
    return 0;
}

static inline uint32_t cpu_divide(uint64_t number, uint32_t by, uint32_t *rest)
{
    *rest = (uint32_t)(number % by);
    return (uint32_t)(number / by);
}

static inline uint32_t cpu_read_dr6(void)
{
    return 0;
}

static inline void cpu_write_dr6(uint32_t value)
{
    (void)value;
}

/* Where interrupts come: tests/host/system/arch.c. */
void cpu_idle(void);
void cpu_take_interrupts(void);

#endif

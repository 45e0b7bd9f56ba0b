/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: everything that knows the CPU.
 *
 * What this CPU can do, and its instructions as functions. Everything that changes how memory is
 * seen (CR0, CR3, CR4, INVLPG) clobbers "memory": the compiler may keep no value across it.
 */
#ifndef ARCH_I386_CPU_H
#define ARCH_I386_CPU_H

#include <kernel/types.h>

/*
 * Built with -DUNPAGED=1 the kernel never turns paging on (the proof that layer 1 needs none). It
 * still runs at its linked addresses: its segments begin at SEGMENT_BASE, so that the address
 * 0xC0100000 is 0x00100000 for the bus. What the CPU takes as a *linear* address (GDTR, IDTR, the
 * base of a TSS) is a pointer + SEGMENT_BASE.
 */
#ifndef UNPAGED
#define UNPAGED 0
#endif
#define SEGMENT_BASE (UNPAGED ? 0x40000000u : 0u)

enum {
    CR0_PROTECTED = 1u << 0,     /* PE */
    CR0_MONITOR = 1u << 1,       /* MP: WAIT traps with TS, too */
    CR0_EMULATION = 1u << 2,     /* EM: there is no FPU */
    CR0_TASK_SWITCHED = 1u << 3, /* TS */
    CR0_NUMERIC_ERROR = 1u << 5, /* NE: x87 errors are exception 16, not an IRQ */
    CR0_WRITE_PROTECT = 1u << 16,
    CR0_ALIGNMENT = 1u << 18, /* AM: EFLAGS.AC asks for alignment checks in user mode */
    CR0_PAGING = 1u << 31,
    CR4_PSE = 1u << 4,
    CR4_PGE = 1u << 7,
    CR4_OSFXSR = 1u << 9,      /* SSE, and its state in FXSAVE */
    CR4_OSXMMEXCPT = 1u << 10, /* SSE errors are exception 19 */
    CR4_UMIP = 1u << 11,
    CR4_SMEP = 1u << 20,
    CR4_SMAP = 1u << 21,
    EFLAGS_INTERRUPT = 1u << 9, /* IF */
    EFLAGS_ACCESS = 1u << 18,   /* AC: in the kernel, set where SMAP is to look away */
    EFLAGS_ID = 1u << 21,       /* can be toggled where there is CPUID */
};

/* What cpu_init() found. A feature that a boot option hides reads as absent. */
struct cpu_features {
    bool cpuid, tsc;
    bool fpu;  /* x87; what fpu_unit_init() finds (fpu.h) */
    bool fxsr; /* FXSAVE and FXRSTOR */
    bool sse;
    bool cr4;      /* it exists: without it, touching it is an invalid opcode */
    bool pse, pge; /* 4 MiB pages, global pages; like the next three off until layer 2 sets CR4 */
    bool smep;     /* the kernel can't fetch from user pages */
    bool smap;     /* the kernel can't read or write user pages while EFLAGS.AC is clear */
    bool umip;     /* user mode can't ask where the GDT, the IDT and the TSS are */
    uint32_t feature_bits; /* CPUID's features as it tells them (leaf 1, EDX): for AT_HWCAP */
    char name[49];         /* for a person: the brand string, or vendor, family and model */
};
extern struct cpu_features cpu_features;

/*
 * Fill cpu_features. The option `nocpuid` hides CPUID and all that it tells of, CR4 included;
 * `notsc`, `nopse`, `nopge`, `nofpu`, `nofxsr`, `nosmep`, `nosmap` and `noumip` hide one feature
 * (`nofxsr` SSE as well).
 *   source: SDM vol. 2A, "CPUID"; vol. 1, "Processor Identification and Feature Determination"
 */
void cpu_init(void);

/* The time-stamp counter when the kernel began (boot/boot.asm); 0 if there is none. */
extern uint64_t cpu_cycles_at_entry;

/*
 * The directory of the current space, kept by layer 2 beside every load of CR3: a double fault
 * switches tasks, and a task switch loads CR3 without saving the old one.
 */
extern paddr_t current_directory;

#define CPU_CONTROL_REGISTER(name)                                                                 \
    static inline uint32_t cpu_read_##name(void)                                                   \
    {                                                                                              \
        uint32_t value;                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                        \
        return value;                                                                              \
    }                                                                                              \
    static inline void cpu_write_##name(uint32_t value)                                            \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                            \
    }

CPU_CONTROL_REGISTER(cr0)
CPU_CONTROL_REGISTER(cr2)
CPU_CONTROL_REGISTER(cr3)
CPU_CONTROL_REGISTER(cr4) /* only where cpu_features.cr4 says so */
CPU_CONTROL_REGISTER(dr6) /* why exception 1 came */

/* Forget the translation of ADDRESS's page, and every cached directory entry. 486 and up. */
static inline void cpu_invalidate_page(vaddr_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address.v) : "memory");
}

/* The time-stamp counter; 0 where there is none. */
static inline uint64_t cpu_cycles(void)
{
    uint64_t cycles;
    if (!cpu_features.tsc)
        return 0;
    __asm__ volatile("rdtsc" : "=A"(cycles) : : "memory");
    return cycles;
}

/* NUMBER / BY, which must fit into 32 bits; *REST is what is left over. One instruction. */
static inline uint32_t cpu_divide(uint64_t number, uint32_t by, uint32_t *rest)
{
    uint32_t low = (uint32_t)number, high = (uint32_t)(number >> 32);
    __asm__("divl %2" : "+a"(low), "+d"(high) : "rm"(by) : "cc");
    *rest = high;
    return low;
}

static inline uint32_t cpu_flags(void)
{
    uint32_t flags;
    __asm__ volatile("pushf; pop %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline void cpu_interrupts_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/*
 * Sleep until an interrupt has been served; here and below the kernel takes interrupts. STI
 * works after the *next* instruction only, so none can slip in before HLT.
 */
static inline void cpu_idle(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Let interrupts come that have waited; one is served behind the instruction after STI. */
static inline void cpu_take_interrupts(void)
{
    __asm__ volatile("sti; nop; cli" : : : "memory");
}

/* Stop for good. An NMI wakes a halted CPU: hence the loop. */
static inline void noreturn cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

#endif

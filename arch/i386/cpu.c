/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. What this CPU can do (cpu.h).
 *
 * Features are read once. A boot option can hide one, so that the paths for older CPUs can be
 * walked on newer ones; it never makes one appear.
 */
#include <arch/i386/cpu.h>

#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

struct cpu_features cpu_features;

OPTION(no_cpuid, "nocpuid", OPTION_FLAG);
OPTION(no_tsc, "notsc", OPTION_FLAG);
OPTION(no_fpu, "nofpu", OPTION_FLAG);
OPTION(no_fxsr, "nofxsr", OPTION_FLAG);
OPTION(no_pse, "nopse", OPTION_FLAG);
OPTION(no_pge, "nopge", OPTION_FLAG);
OPTION(no_smep, "nosmep", OPTION_FLAG);
OPTION(no_smap, "nosmap", OPTION_FLAG);
OPTION(no_umip, "noumip", OPTION_FLAG);

enum {
    LEAF_VENDOR = 0,
    LEAF_FEATURES = 1, /* in EDX: */
    FEATURE_FPU = 1u << 0,
    FEATURE_PSE = 1u << 3,
    FEATURE_TSC = 1u << 4,
    FEATURE_PGE = 1u << 13,
    FEATURE_FXSR = 1u << 24,
    FEATURE_SSE = 1u << 25,
    /* VME DE PSE TSC PAE MCE PGE FXSR, each of which brings a bit of CR4; as in boot.asm. */
    FEATURES_WITH_CR4 = 1u << 1 | 1u << 2 | FEATURE_PSE | FEATURE_TSC | 1u << 6 | 1u << 7 |
                        FEATURE_PGE | FEATURE_FXSR,
    LEAF_MORE_FEATURES = 7,
    FEATURE_EBX_SMEP = 1u << 7,
    FEATURE_EBX_SMAP = 1u << 20,
    FEATURE_ECX_UMIP = 1u << 2,
};
#define LEAF_EXTENDED    0x80000000u /* EAX: the highest extended leaf */
#define LEAF_BRAND_FIRST 0x80000002u
#define LEAF_BRAND_LAST  0x80000004u

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

/* LEAF; of those that have several parts the first. */
static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

/* CPUID is there if EFLAGS.ID can be changed. */
static bool has_cpuid(void)
{
    uint32_t before, after;
    __asm__ volatile("pushf\n\t"
                     "pop %0\n\t"
                     "mov %0, %1\n\t"
                     "xor %2, %1\n\t"
                     "push %1\n\t"
                     "popf\n\t"
                     "pushf\n\t"
                     "pop %1\n\t"
                     "push %0\n\t"
                     "popf"
                     : "=&r"(before), "=&r"(after)
                     : "i"(EFLAGS_ID)
                     : "memory", "cc");
    return ((before ^ after) & EFLAGS_ID) != 0;
}

/* The brand string where the CPU has one, else its vendor and numbers. */
static void read_name(void)
{
    char *name = cpu_features.name;
    struct cpuid vendor = cpuid(LEAF_VENDOR);
    uint32_t version = cpuid(LEAF_FEATURES).eax;

    /* A CPU without extended leaves answers with another leaf's content: any number. */
    uint32_t highest = cpuid(LEAF_EXTENDED).eax;
    if (highest >= LEAF_BRAND_LAST && highest < LEAF_EXTENDED + 0x10000) {
        for (uint32_t leaf = LEAF_BRAND_FIRST; leaf <= LEAF_BRAND_LAST; leaf++) {
            struct cpuid part = cpuid(leaf);
            memcpy(name + (leaf - LEAF_BRAND_FIRST) * sizeof(part), &part, sizeof(part));
        }
        const char *first = name;
        while (*first == ' ')
            first++; /* Intel pads on the left */
        memmove(name, first, strlen(first) + 1);
        return;
    }
    const uint32_t letters[3] = {vendor.ebx, vendor.edx, vendor.ecx};
    char vendor_name[sizeof(letters) + 1] = {0};
    memcpy(vendor_name, letters, sizeof(letters));
    format_text(name, sizeof(cpu_features.name), "%s family %u model %u stepping %u", vendor_name,
                (unsigned)(version >> 8 & 0xF), (unsigned)(version >> 4 & 0xF),
                (unsigned)(version & 0xF));
}

void cpu_init(void)
{
    cpu_features = (struct cpu_features){.name = "486 or compatible, without CPUID"};
    cpu_features.fpu = !no_fpu_option.is_given;
    if (!has_cpuid() || no_cpuid_option.is_given || cpuid(LEAF_VENDOR).eax < LEAF_FEATURES)
        return;
    uint32_t features = cpuid(LEAF_FEATURES).edx;
    cpu_features.cpuid = true;
    cpu_features.feature_bits = features;
    cpu_features.cr4 = (features & FEATURES_WITH_CR4) != 0;
    cpu_features.tsc = (features & FEATURE_TSC) != 0 && !no_tsc_option.is_given;
    cpu_features.fpu &= (features & FEATURE_FPU) != 0;
    cpu_features.fxsr =
        cpu_features.cr4 && (features & FEATURE_FXSR) != 0 && !no_fxsr_option.is_given;
    cpu_features.sse = cpu_features.fxsr && (features & FEATURE_SSE) != 0;
    cpu_features.pse = (features & FEATURE_PSE) != 0 && !no_pse_option.is_given;
    cpu_features.pge = (features & FEATURE_PGE) != 0 && !no_pge_option.is_given;
    if (cpu_features.cr4 && cpuid(LEAF_VENDOR).eax >= LEAF_MORE_FEATURES) {
        struct cpuid more = cpuid(LEAF_MORE_FEATURES);
        cpu_features.smep = (more.ebx & FEATURE_EBX_SMEP) != 0 && !no_smep_option.is_given;
        cpu_features.smap = (more.ebx & FEATURE_EBX_SMAP) != 0 && !no_smap_option.is_given;
        cpu_features.umip = (more.ecx & FEATURE_ECX_UMIP) != 0 && !no_umip_option.is_given;
    }
    read_name();
}

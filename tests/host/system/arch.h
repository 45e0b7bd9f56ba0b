/* SPDX-License-Identifier: MIT */
/* Host model. Interrupts of the model (arch.c): one of so many times each, where they may come. */
#ifndef TESTS_HOST_SYSTEM_ARCH_H
#define TESTS_HOST_SYSTEM_ARCH_H

#include <arch/i386/trap.h>

struct arch_chance {
    uint32_t tick, disk; /* 0: only when nobody can go on */
};
extern struct arch_chance arch_chance;

#endif

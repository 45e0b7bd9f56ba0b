/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, printk. Used by: everything.
 *
 * A broken invariant ends the kernel with what, where, the registers and a backtrace with function
 * names, on every console. Under QEMU it then leaves with EXIT_PANIC, elsewhere it halts.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <kernel/types.h>

struct trap_frame;

/* The rule that was broken, in words. A panic inside a panic prints its message and stops. */
void panic(const char *format, ...) printf_like(1, 2) noreturn;

/* The same with the registers, the fault's entries and the backtrace of an interrupted context. */
void panic_trap(const struct trap_frame *frame, const char *format, ...) printf_like(2, 3) noreturn;

/* For a caller's bug; stays on in every build. The text names the rule. */
#define ASSERT(condition, ...)                                                                     \
    do {                                                                                           \
        if (unlikely(!(condition)))                                                                \
            panic(__VA_ARGS__);                                                                    \
    } while (0)

/* For what costs too much in a plain build; compiled in every build, run in checked ones. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (CHECKED && unlikely(!(condition)))                                                     \
            panic(__VA_ARGS__);                                                                    \
    } while (0)

#endif

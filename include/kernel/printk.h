/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: everything.
 */
#ifndef KERNEL_PRINTK_H
#define KERNEL_PRINTK_H

#include <kernel/types.h>
#include <stdarg.h>

/*
 * Print to every console. Knows %d %i %u %x %X %p %c %s %% with the flags 0 - and space, width,
 * precision (also as *), and the lengths h hh l ll z. FORMAT is plain text, or has the SGR escape
 * sequences "\033[31m" that the consoles understand; what %s takes may come from anybody, so its
 * control characters are printed as \xNN. May be called in any state of the kernel.
 */
void printk(const char *format, ...) printf_like(1, 2);
void vprintk(const char *format, va_list arguments) printf_like(1, 0);

/* The same into BUFFER of BYTES bytes, always terminated. Returns what the whole text would take.
 */
size_t format_text(char *buffer, size_t bytes, const char *format, ...) printf_like(3, 4);
size_t vformat_text(char *buffer, size_t bytes, const char *format, va_list arguments)
    printf_like(3, 0);

/* Addresses are printed by kind, P0x... and V0x...: printk("at " PRI_VADDR, ARG_VADDR(va)). */
#define PRI_PADDR          "P0x%08x"
#define PRI_VADDR          "V0x%08x"
#define ARG_PADDR(address) ((unsigned)(address).v)
#define ARG_VADDR(address) ((unsigned)(address).v)

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: drivers of layers 0 and 6, machine.
 *
 * The port instructions. Each clobbers "memory", so that the compiler keeps stores to memory and
 * accesses to ports in the order of the source.
 */
#ifndef ARCH_I386_IO_H
#define ARCH_I386_IO_H

#include <kernel/types.h>

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* COUNT words from PORT to memory at TO, or from memory at FROM to PORT, by one instruction. */
static inline void in_words(uint16_t port, void *to, uint32_t count)
{
    __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

static inline void out_words(uint16_t port, const void *from, uint32_t count)
{
    __asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

/* About a microsecond: what old ISA devices want between two accesses. 0x80 is the POST port. */
static inline void io_wait(void)
{
    outb(0x80, 0);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0, host build: stands in for arch/i386/io.h. Ports lead to what a test has plugged in
 * (tests/host/ports.h), else to nothing, which reads as ones.
 */
#ifndef ARCH_I386_IO_H
#define ARCH_I386_IO_H

#include <kernel/types.h>

uint8_t inb(uint16_t port);
uint16_t inw(uint16_t port);
uint32_t inl(uint16_t port);
void outb(uint16_t port, uint8_t value);
void outw(uint16_t port, uint16_t value);
void outl(uint16_t port, uint32_t value);
void in_words(uint16_t port, void *to, uint32_t count);
void out_words(uint16_t port, const void *from, uint32_t count);
void io_wait(void);

#endif

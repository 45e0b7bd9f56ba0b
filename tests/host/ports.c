/* SPDX-License-Identifier: MIT */
/*
 * Host model. Ports, interrupts and the stopwatch (ports.h).
 */
#include "ports.h"

#include "machine.h"

#include <arch/i386/io.h>
#include <arch/i386/pic.h>
#include <arch/i386/pit.h>
#include <arch/i386/trap.h>

static const struct ports_device *plugged_in;
static uint32_t unmasked;
uint64_t ports_ms;

void ports_plug_in(const struct ports_device *device)
{
    plugged_in = device;
}

static uint32_t in(uint16_t port, unsigned bytes)
{
    return plugged_in != NULL ? plugged_in->in(port, bytes) : ~0u;
}

static void out(uint16_t port, uint32_t value, unsigned bytes)
{
    if (plugged_in != NULL)
        plugged_in->out(port, value, bytes);
}

uint8_t inb(uint16_t port)
{
    return (uint8_t)in(port, 1);
}

uint16_t inw(uint16_t port)
{
    return (uint16_t)in(port, 2);
}

uint32_t inl(uint16_t port)
{
    return in(port, 4);
}

void outb(uint16_t port, uint8_t value)
{
    out(port, value, 1);
}

void outw(uint16_t port, uint16_t value)
{
    out(port, value, 2);
}

void outl(uint16_t port, uint32_t value)
{
    out(port, value, 4);
}

void in_words(uint16_t port, void *to, uint32_t count)
{
    for (uint16_t *word = to; count-- > 0; word++)
        *word = inw(port);
}

void out_words(uint16_t port, const void *from, uint32_t count)
{
    for (const uint16_t *word = from; count-- > 0; word++)
        outw(port, *word);
}

void io_wait(void)
{
}

uint32_t pit_stopwatch(void)
{
    return (uint32_t)(++ports_ms * (PIT_INPUT_HZ / 1000 + 1));
}

void pic_unmask(unsigned irq)
{
    unmasked |= 1u << irq;
}

void ports_interrupt(unsigned irq)
{
    struct trap_frame frame = {.vector = PIC_FIRST_VECTOR + irq};
    trap_handler_t *handler = machine_trap_handler(PIC_FIRST_VECTOR + irq);
    if ((unmasked & 1u << irq) != 0 && handler != NULL)
        handler(&frame);
}

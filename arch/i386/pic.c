/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The two 8259A interrupt controllers (pic.h).
 *
 * Invariant: IRQ 2, the input that the second controller hangs on, is open exactly if the second
 * one may have something to say: it is opened once and stays so; the second one masks for itself.
 */
#include <arch/i386/pic.h>

#include <arch/i386/io.h>

enum {
    FIRST_COMMAND = 0x20,
    FIRST_DATA = 0x21,
    SECOND_COMMAND = 0xA0,
    SECOND_DATA = 0xA1,
    CASCADE_IRQ = 2,
    IRQS_EACH = 8,
    SPURIOUS_INPUT = 7, /* of each: what it reports when the request has gone */

    ICW1_INIT = 0x11, /* edge triggered, cascaded, ICW4 follows */
    ICW4_8086 = 0x01,
    OCW2_END = 0x20, /* non-specific end of interrupt */
    OCW3_READ_REQUESTS = 0x0A,
    OCW3_READ_IN_SERVICE = 0x0B,
    MASK_ALL = 0xFF,
};

static uint16_t data_port(unsigned irq)
{
    return irq < IRQS_EACH ? FIRST_DATA : SECOND_DATA;
}

static void write_slowly(uint16_t port, uint8_t value)
{
    outb(port, value);
    io_wait();
}

void pic_init(void)
{
    write_slowly(FIRST_COMMAND, ICW1_INIT);
    write_slowly(SECOND_COMMAND, ICW1_INIT);
    write_slowly(FIRST_DATA, PIC_FIRST_VECTOR); /* ICW2: the vector of its input 0 */
    write_slowly(SECOND_DATA, PIC_FIRST_VECTOR + IRQS_EACH);
    write_slowly(FIRST_DATA, 1u << CASCADE_IRQ); /* ICW3: a bit for the first, a number */
    write_slowly(SECOND_DATA, CASCADE_IRQ);      /* for the second */
    write_slowly(FIRST_DATA, ICW4_8086);
    write_slowly(SECOND_DATA, ICW4_8086);
    outb(FIRST_DATA, MASK_ALL & ~(1u << CASCADE_IRQ));
    outb(SECOND_DATA, MASK_ALL);
}

void pic_unmask(unsigned irq)
{
    uint16_t port = data_port(irq);
    outb(port, (uint8_t)(inb(port) & ~(1u << irq % IRQS_EACH)));
}

bool pic_begin(unsigned irq)
{
    if (irq % IRQS_EACH != SPURIOUS_INPUT)
        return true;
    uint16_t command = irq < IRQS_EACH ? FIRST_COMMAND : SECOND_COMMAND;
    outb(command, OCW3_READ_IN_SERVICE);
    if ((inb(command) & 1u << SPURIOUS_INPUT) != 0)
        return true;
    if (irq >= IRQS_EACH)
        outb(FIRST_COMMAND, OCW2_END); /* the first one saw a true request from the second */
    return false;
}

void pic_end(unsigned irq)
{
    if (irq >= IRQS_EACH)
        outb(SECOND_COMMAND, OCW2_END);
    outb(FIRST_COMMAND, OCW2_END);
}

bool pic_is_raised(unsigned irq)
{
    outb(FIRST_COMMAND, OCW3_READ_REQUESTS);
    return (inb(FIRST_COMMAND) & 1u << irq) != 0;
}

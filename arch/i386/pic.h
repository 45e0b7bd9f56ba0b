/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: trap, drivers of layers 0 and 6, process/timer.c,
 * prompt/attention.c.
 *
 * The two 8259A interrupt controllers: IRQ 0-15 arrive as vectors 32-47, all masked but what a
 * driver asks for.
 */
#ifndef ARCH_I386_PIC_H
#define ARCH_I386_PIC_H

#include <kernel/types.h>

enum { PIC_FIRST_VECTOR = 32, PIC_IRQS = 16 };

/* Move the IRQs out of the range of the exceptions, and mask all of them. */
void pic_init(void);

/* Let IRQ (0..15) through. */
void pic_unmask(unsigned irq);

/*
 * Begin serving IRQ.
 *   returns false for a spurious one (IRQ 7 or 15 raised by nobody): it is not to be served, and
 *   not to be ended
 *   source: Intel 8259A datasheet, "Interrupt sequence": a default IR 7 when the request is gone
 */
bool pic_begin(unsigned irq);

/* IRQ has been served: the controller may send the next. */
void pic_end(unsigned irq);

/* IRQ, below 8, waits to be served. */
bool pic_is_raised(unsigned irq);

#endif

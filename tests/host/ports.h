/* SPDX-License-Identifier: MIT */
/*
 * Host model. What is behind the ports, the interrupts, and the stopwatch.
 */
#ifndef TESTS_HOST_PORTS_H
#define TESTS_HOST_PORTS_H

#include <kernel/types.h>

struct ports_device {
    uint32_t (*in)(uint16_t port, unsigned bytes);
    void (*out)(uint16_t port, uint32_t value, unsigned bytes);
};

/* DEVICE is behind all ports from now on; NULL: nothing is. */
void ports_plug_in(const struct ports_device *device);

/* Milliseconds that have passed: one with each look at the stopwatch. */
extern uint64_t ports_ms;

/* Interrupt IRQ, if it was let through and somebody handles it. */
void ports_interrupt(unsigned irq);

#endif

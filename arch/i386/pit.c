/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The 8254 interval timer (pit.h).
 */
#include <arch/i386/pit.h>

#include <arch/i386/io.h>
#include <arch/i386/pic.h>

enum {
    CHANNEL_0 = 0x40,
    CONTROL = 0x43,
    CONTROL_CHANNEL_0_RATE = 0x34, /* channel 0, low byte then high byte, mode 2, binary */
    CONTROL_CHANNEL_0_LATCH = 0x00,
};

static uint32_t divisor;

void pit_start(uint32_t hz)
{
    divisor = (PIT_INPUT_HZ + hz / 2) / hz;
    outb(CONTROL, CONTROL_CHANNEL_0_RATE);
    outb(CHANNEL_0, (uint8_t)divisor);
    outb(CHANNEL_0, (uint8_t)(divisor >> 8));
    pic_unmask(PIT_IRQ);
}

/* The count goes from the divisor down to 1. Read first, and then look whether a tick waits: one
 * that comes in between is seen with a count from before it, which is small. */
uint32_t pit_clocks_since_tick(void)
{
    if (divisor == 0)
        return 0;
    outb(CONTROL, CONTROL_CHANNEL_0_LATCH);
    uint32_t count = inb(CHANNEL_0);
    count |= (uint32_t)inb(CHANNEL_0) << 8;
    bool tick_waits = pic_is_raised(PIT_IRQ);
    uint32_t clocks = count < divisor ? divisor - count : 0;
    return tick_waits && clocks < divisor / 2 ? clocks + divisor : clocks;
}

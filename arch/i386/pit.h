/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: process/timer.c, process/time_calls.c.
 *
 * The 8254 interval timer: channel 0 raises IRQ 0 at a steady rate.
 */
#ifndef ARCH_I386_PIT_H
#define ARCH_I386_PIT_H

#include <kernel/types.h>

enum { PIT_IRQ = 0, PIT_INPUT_HZ = 1193182 };

/*
 * Raise IRQ 0 HZ times a second (19 or more) from now on, and let it through.
 *   source: Intel 8254 datasheet, "Mode 2: Rate Generator"
 */
void pit_start(uint32_t hz);

/*
 * An IRQ 0 is served: how many ticks it stands for, counting what passed while interrupts were off.
 * 0: it was counted before (an emulator raises late ticks in a row). Where the CPU has no
 * time-stamp counter that is always 1: of ticks that came in one event all but the first are lost.
 */
uint32_t pit_ticks_served(void);

/*
 * Clocks (PIT_INPUT_HZ) since the last tick that was served; more than a tick's if one waits. 0
 * before pit_start().
 */
uint32_t pit_clocks_since_tick(void);

#endif

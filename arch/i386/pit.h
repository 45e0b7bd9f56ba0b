/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: process/timer.c, process/time_calls.c, device/.
 *
 * The 8254 interval timer: channel 0 raises IRQ 0 at a steady rate, channel 2 is a stopwatch.
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

/*
 * Clocks (PIT_INPUT_HZ), modulo 2^32, that have passed. It needs no interrupt and no other timer,
 * but somebody who looks: of a time of more than 54 ms in which nobody did a part is missing. So a
 * time-out by it may be late, and never early.
 */
uint32_t pit_stopwatch(void);

#endif

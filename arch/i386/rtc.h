/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: process/time_calls.c.
 *
 * The battery-backed clock of a PC.
 */
#ifndef ARCH_I386_RTC_H
#define ARCH_I386_RTC_H

#include <kernel/types.h>

/*
 * Seconds since 1970, taking the clock's date as UTC; 0 if it makes no sense. Years are those of
 * 1970 to 2069. May wait for about 2 ms.
 *   source: Motorola MC146818A datasheet
 */
uint32_t rtc_read(void);

#endif

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
 * Seconds since 1970, taking the clock's date as UTC; 0 if it makes no sense. May wait for about
 * 2 ms. Where the clock keeps no century (where PCs do, since the AT), it is the 21st.
 *   source: Motorola MC146818A datasheet
 */
uint64_t rtc_read(void);

struct rtc_date {
    uint32_t year, month, day, hour, minute, second; /* from 1970 on; month and day from 1 */
};
uint64_t rtc_seconds_since_1970(const struct rtc_date *date);

#endif

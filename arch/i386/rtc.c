/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The battery-backed clock (rtc.h).
 *
 * Its registers change under the reader once a second: they are read twice, until both agree.
 */
#include <arch/i386/rtc.h>

#include <arch/i386/io.h>
#include <kernel/string.h>

enum {
    CMOS_INDEX = 0x70, /* bit 7 would hold back NMIs */
    CMOS_DATA = 0x71,
    STATUS_A = 0x0A,
    STATUS_A_UPDATING = 0x80,
    STATUS_B = 0x0B,
    STATUS_B_24_HOURS = 0x02,
    STATUS_B_BINARY = 0x04,
    HOUR_AFTERNOON = 0x80, /* of the 12-hour clock */
    POLLS_MAX = 100000,
};
enum field { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, CENTURY, FIELDS };

static uint8_t read(uint8_t index)
{
    outb(CMOS_INDEX, index);
    return inb(CMOS_DATA);
}

static void read_all(uint8_t now[FIELDS])
{
    static const uint8_t indexes[FIELDS] = {[SECOND] = 0, [MINUTE] = 2, [HOUR] = 4,      [DAY] = 7,
                                            [MONTH] = 8,  [YEAR] = 9,   [CENTURY] = 0x32};

    for (uint32_t polls = POLLS_MAX; polls > 0; polls--)
        if ((read(STATUS_A) & STATUS_A_UPDATING) == 0)
            break;
    for (unsigned i = 0; i < FIELDS; i++)
        now[i] = read(indexes[i]);
}

/* To binary numbers and 24 hours. */
static void decode(uint8_t now[FIELDS])
{
    uint8_t format = read(STATUS_B);
    bool afternoon = (format & STATUS_B_24_HOURS) == 0 && (now[HOUR] & HOUR_AFTERNOON) != 0;
    if (afternoon)
        now[HOUR] = (uint8_t)(now[HOUR] & ~HOUR_AFTERNOON);
    if ((format & STATUS_B_BINARY) == 0)
        for (unsigned i = 0; i < FIELDS; i++)
            now[i] = (uint8_t)((now[i] >> 4) * 10 + (now[i] & 0xF));
    if ((format & STATUS_B_24_HOURS) == 0)
        now[HOUR] = (uint8_t)(now[HOUR] % 12 + (afternoon ? 12 : 0));
}

/* ---- dates ---- */

static bool is_leap(uint32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Leap days in the years from 1 to YEAR. */
static uint32_t leap_days_to(uint32_t year)
{
    return year / 4 - year / 100 + year / 400;
}

uint64_t rtc_seconds_since_1970(const struct rtc_date *date)
{
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint32_t days = (date->year - 1970) * 365 + leap_days_to(date->year - 1) - leap_days_to(1969) +
                    before[date->month - 1] + (date->month > 2 && is_leap(date->year)) + date->day -
                    1;
    return (((uint64_t)days * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

/* A register that keeps no century may hold anything; the time before 1970 is none of a clock. */
static uint32_t year_of(const uint8_t now[FIELDS])
{
    enum { FIRST_CENTURY = 19, LAST_CENTURY = 21, USUAL_CENTURY = 20 };
    uint32_t century = now[CENTURY];
    if (century < FIRST_CENTURY || century > LAST_CENTURY ||
        (century == FIRST_CENTURY && now[YEAR] < 70))
        century = USUAL_CENTURY;
    return century * 100 + now[YEAR];
}

uint64_t rtc_read(void)
{
    uint8_t now[FIELDS], again[FIELDS];
    unsigned tries = 5;
    read_all(now);
    for (read_all(again); memcmp(now, again, sizeof(now)) != 0 && tries > 0; tries--) {
        memcpy(now, again, sizeof(now));
        read_all(again);
    }
    decode(now);
    if (now[MONTH] < 1 || now[MONTH] > 12 || now[DAY] < 1 || now[DAY] > 31 || now[HOUR] > 23 ||
        now[MINUTE] > 59 || now[SECOND] > 60 || now[YEAR] > 99)
        return 0;
    const struct rtc_date date = {year_of(now), now[MONTH],  now[DAY],
                                  now[HOUR],    now[MINUTE], now[SECOND]};
    return rtc_seconds_since_1970(&date);
}

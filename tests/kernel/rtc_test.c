/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Dates as seconds. The expected numbers are those of GNU date -u +%s.
 */
#include <arch/i386/rtc.h>
#include <kernel/test.h>

static uint64_t seconds(uint32_t year, uint32_t month, uint32_t day, uint32_t hour)
{
    const struct rtc_date date = {year, month, day, hour, 0, 0};
    return rtc_seconds_since_1970(&date);
}

TEST("rtc", "a date: is the seconds since 1970, beyond 32 bits as well")
{
    EXPECT_EQUAL(seconds(1970, 1, 1, 0), 0);
    EXPECT_EQUAL(seconds(1972, 3, 1, 0), 68256000);
    EXPECT_EQUAL(seconds(2000, 2, 29, 12), 951825600);
    EXPECT_EQUAL(seconds(2038, 1, 19, 4), 2147486400u);
    EXPECT_EQUAL(seconds(2070, 1, 1, 0), 3155760000u);
    EXPECT_EQUAL(seconds(2100, 3, 1, 0), 4107542400u); /* no leap year */
    EXPECT(seconds(2106, 2, 7, 7) == 4294969200);
    EXPECT(seconds(2199, 12, 31, 23) == 7258114800);
}

TEST("rtc", "every day of 230 years: is one day after the one before")
{
    static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t wanted = 0, wrong = 0;
    for (uint32_t year = 1970; year < 2200; year++)
        for (uint32_t month = 1; month <= 12; month++) {
            bool is_long = month == 2 && year % 4 == 0 && year != 2100;
            for (uint32_t day = 1; day <= lengths[month - 1] + (is_long ? 1u : 0u); day++) {
                wrong += seconds(year, month, day, 0) != wanted;
                wanted += 86400;
            }
        }
    EXPECT(wrong == 0);
}

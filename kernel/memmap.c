/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The memmap= option: a memory map typed by hand takes the loader's place.
 */
#include <kernel/memmap.h>
#include <kernel/string.h>

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* A number with its unit at *TEXT, which moves behind it. False: none there, or over 64 bits. */
static bool take_number(const char **text, uint64_t *value)
{
    const char *p = *text;
    unsigned base = 10, shift = 0;
    uint64_t number = 0;

    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        base = 16;
        p += 2;
    }
    const char *digits = p;
    for (; digit_value(*p) < (int)base; p++) {
        uint64_t bigger = number * base + (uint64_t)digit_value(*p);

        if (number >> 60 != 0)
            return false;
        number = bigger;
    }
    if (p == digits)
        return false;
    if (*p == 'K' || *p == 'M' || *p == 'G') {
        shift = *p == 'K' ? 10 : *p == 'M' ? 20 : 30;
        p++;
    }
    if (shift != 0 && number >> (64 - shift) != 0)
        return false;
    *value = number << shift;
    *text = p;
    return true;
}

/* Pass the character C at *TEXT. False if another one is there. */
static bool take(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool take_range(const char **text, struct memory_range *range)
{
    uint64_t type;

    if (!take_number(text, &range->base) || !take(text, '+') || !take_number(text, &range->bytes) ||
        !take(text, ':') || !take_number(text, &type))
        return false;
    range->type = (uint32_t)type;
    return type <= UINT32_MAX;
}

kerr_t memmap_replace(const char *text, struct boot_info *info)
{
    static struct memory_range ranges[BOOT_MEMORY_RANGES_MAX];
    uint32_t count = 0;

    if (strcmp(text, "none") != 0) {
        do {
            if (count == BOOT_MEMORY_RANGES_MAX || !take_range(&text, &ranges[count++]))
                return KERR_BAD_VALUE;
        } while (take(&text, ','));
        if (*text != '\0')
            return KERR_BAD_VALUE;
    }
    memcpy(info->memory, ranges, count * sizeof(ranges[0]));
    info->memory_count = count;
    return KERR_OK;
}

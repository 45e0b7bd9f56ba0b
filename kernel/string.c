/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Memory and text, and numbers read from text.
 *
 * Copying and clearing use the string instructions: short, quick enough on every x86, and counted
 * honestly by the benchmarks (one instruction an iteration). The direction flag is clear in all of
 * the kernel (the trap stubs clear it), except inside memmove.
 */
#include <kernel/string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    void *end = to;
    size_t words = bytes / 4;
    size_t rest = bytes % 4;

    __asm__ volatile("rep movsl" : "+D"(end), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(end), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    const char *source_last = (const char *)from + bytes - 1;
    char *target_last = (char *)to + bytes - 1;

    /* Upwards is right unless TO lies inside the source, behind its first byte. */
    if ((uintptr_t)to - (uintptr_t)from >= bytes)
        return memcpy(to, from, bytes);
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+D"(target_last), "+S"(source_last), "+c"(bytes)
                     :
                     : "memory", "cc");
    return to;
}

void *memset(void *to, int byte, size_t bytes)
{
    void *end = to;
    size_t words = bytes / 4;
    size_t rest = bytes % 4;
    uint32_t pattern = (uint32_t)(uint8_t)byte * 0x01010101u;

    __asm__ volatile("rep stosl" : "+D"(end), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(end), "+c"(rest) : "a"(pattern) : "memory");
    return to;
}

int memcmp(const void *left, const void *right, size_t bytes)
{
    const uint8_t *a = left;
    const uint8_t *b = right;

    for (size_t i = 0; i < bytes; i++)
        if (a[i] != b[i])
            return a[i] - b[i];
    return 0;
}

size_t strlen(const char *text)
{
    size_t bytes = 0;

    while (text[bytes] != '\0')
        bytes++;
    return bytes;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (left[i] != right[i])
            return (uint8_t)left[i] - (uint8_t)right[i];
        if (left[i] == '\0')
            break;
    }
    return 0;
}

char *strchr(const char *text, int wanted)
{
    for (;; text++) {
        if (*text == (char)wanted)
            return (char *)(uintptr_t)text;
        if (*text == '\0')
            return NULL;
    }
}

bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_copy(char *to, size_t bytes, const char *text)
{
    size_t i = 0;

    for (; i + 1 < bytes && text[i] != '\0'; i++)
        to[i] = text[i];
    to[i] = '\0';
    return text[i] == '\0';
}

/* The value of DIGIT in any base up to 16; 16 if it is none. */
static uint32_t digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return (uint32_t)(digit - '0');
    if (digit >= 'a' && digit <= 'f')
        return (uint32_t)(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F')
        return (uint32_t)(digit - 'A') + 10;
    return 16;
}

/* Read the number that TEXT begins with. Returns what follows it, or NULL if there is none. */
static const char *parse_number(const char *text, uint32_t *value)
{
    uint32_t base = 10;
    uint64_t sum = 0;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (digit_value(*text) >= base)
        return NULL;
    for (; digit_value(*text) < base; text++) {
        sum = sum * base + digit_value(*text);
        if (sum > UINT32_MAX)
            return NULL;
    }
    *value = (uint32_t)sum;
    return text;
}

bool parse_u32(const char *text, uint32_t *value)
{
    uint32_t number;
    const char *rest = parse_number(text, &number);

    if (rest == NULL || *rest != '\0')
        return false;
    *value = number;
    return true;
}

bool parse_size(const char *text, uint32_t *bytes)
{
    static const char suffixes[] = "KkMmGg";
    uint32_t number;
    uint32_t shift = 0;
    const char *rest = parse_number(text, &number);
    const char *suffix;

    if (rest == NULL)
        return false;
    if (*rest != '\0') {
        suffix = strchr(suffixes, *rest);
        if (suffix == NULL || rest[1] != '\0')
            return false;
        shift = 10 * ((uint32_t)(suffix - suffixes) / 2 + 1);
    }
    if (number > UINT32_MAX >> shift)
        return false;
    *bytes = number << shift;
    return true;
}

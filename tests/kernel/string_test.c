/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of memory and text functions, and of reading numbers.
 */
#include <kernel/string.h>
#include <kernel/test.h>

/* The C standard's functions under other names, so that no compiler answers for them. */
static void *(*volatile copy)(void *restrict, const void *restrict, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile set)(void *, int, size_t) = memset;

enum { ARENA_BYTES = 40 };

static void fill_counting(uint8_t *arena)
{
    for (unsigned i = 0; i < ARENA_BYTES; i++)
        arena[i] = (uint8_t)i;
}

TEST("string", "memcpy and memset of every length and alignment: no byte more, no byte less")
{
    uint8_t from[ARENA_BYTES];
    uint8_t to[ARENA_BYTES];

    fill_counting(from);
    for (unsigned at = 0; at < 4; at++) {
        for (unsigned bytes = 0; at + bytes + 5 < ARENA_BYTES; bytes++) {
            set(to, 0xEE, ARENA_BYTES);
            EXPECT(copy(to + at, from + 3, bytes) == to + at);
            for (unsigned i = 0; i < ARENA_BYTES; i++)
                EXPECT_EQUAL(to[i], i >= at && i < at + bytes ? i - at + 3 : 0xEE);
            set(to + at, 0x1AB, bytes);
            for (unsigned i = 0; i < ARENA_BYTES; i++)
                EXPECT_EQUAL(to[i], i >= at && i < at + bytes ? 0xAB : 0xEE);
        }
    }
}

TEST("string", "memmove, overlapping either way: as if by way of a copy")
{
    uint8_t arena[ARENA_BYTES];

    for (unsigned from = 0; from < 9; from++) {
        for (unsigned to = 0; to < 9; to++) {
            for (unsigned bytes = 0; bytes < 20; bytes++) {
                fill_counting(arena);
                move(arena + to, arena + from, bytes);
                for (unsigned i = 0; i < ARENA_BYTES; i++)
                    EXPECT_EQUAL(arena[i], i >= to && i < to + bytes ? i - to + from : i);
            }
        }
    }
}

TEST("string", "comparing: order by unsigned bytes, up to the terminator or the limit")
{
    EXPECT(memcmp("abc", "abd", 2) == 0);
    EXPECT(memcmp("abc", "abd", 3) < 0);
    EXPECT(memcmp("\x80", "\x7F", 1) > 0);
    EXPECT(strcmp("", "") == 0);
    EXPECT(strcmp("ab", "abc") < 0);
    EXPECT(strcmp("\x80", "\x7F") > 0);
    EXPECT(strncmp("abX", "abY", 2) == 0);
    EXPECT(strncmp("ab", "ab\0c", 9) == 0);
    EXPECT_EQUAL(strlen("four"), 4);
    EXPECT(text_begins("boot/grub", "boot"));
    EXPECT(!text_begins("bo", "boot"));
}

TEST("string", "strchr: the first match, the terminator itself, or NULL")
{
    const char *text = "a=b=c";

    EXPECT(strchr(text, '=') == text + 1);
    EXPECT(strchr(text, '\0') == text + 5);
    EXPECT(strchr(text, 'x') == NULL);
}

TEST("string", "text_copy, too long: cut, terminated, and said so")
{
    char to[4] = "###";

    EXPECT(text_copy(to, sizeof(to), "abc"));
    EXPECT(strcmp(to, "abc") == 0);
    EXPECT(!text_copy(to, sizeof(to), "wxyz"));
    EXPECT(strcmp(to, "wxy") == 0);
    EXPECT(!text_copy(to, 1, "a"));
    EXPECT(to[0] == '\0');
}

TEST("string", "parse_u32: decimal or 0x, nothing but digits, 32 bits at most")
{
    static const char *const wrong[] = {"",    " ",  "0x",  "-1",         "+1",         "1 ",
                                        "12a", "g1", "0xg", "4294967296", "0x100000000"};
    uint32_t value = 7;

    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++)
        EXPECT(!parse_u32(wrong[i], &value));
    EXPECT_EQUAL(value, 7);
    EXPECT(parse_u32("0", &value) && value == 0);
    EXPECT(parse_u32("007", &value) && value == 7);
    EXPECT(parse_u32("4294967295", &value) && value == UINT32_MAX);
    EXPECT(parse_u32("0XfFfFfFfF", &value) && value == UINT32_MAX);
    EXPECT(!parse_u32("99999999999999999999999999", &value));
}

TEST("string", "parse_size: suffixes shift, what does not fit is refused")
{
    uint32_t bytes = 7;

    EXPECT(parse_size("4096", &bytes) && bytes == 4096);
    EXPECT(parse_size("0x10k", &bytes) && bytes == 0x4000);
    EXPECT(parse_size("64M", &bytes) && bytes == 0x4000000);
    EXPECT(parse_size("3g", &bytes) && bytes == 0xC0000000);
    EXPECT(!parse_size("4G", &bytes));
    EXPECT(!parse_size("4194304K", &bytes));
    EXPECT(!parse_size("1KB", &bytes));
    EXPECT(!parse_size("M", &bytes));
    EXPECT(!parse_size("1T", &bytes));
    EXPECT_EQUAL(bytes, 0xC0000000);
}

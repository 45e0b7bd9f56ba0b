/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of formatted text.
 */
#include <kernel/format.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>

/* FORMAT with its arguments gives WANTED; what was got instead is shown. */
#define EXPECT_TEXT(wanted, ...)                                                                   \
    do {                                                                                           \
        char text[80];                                                                             \
        size_t length = format_text(text, sizeof(text), __VA_ARGS__);                              \
        if (strcmp(text, wanted) != 0)                                                             \
            test_fail(__FILE__, __LINE__, text);                                                   \
        EXPECT_EQUAL(length, strlen(wanted));                                                      \
    } while (0)

TEST("format", "plain text and %%: as it stands")
{
    const char *volatile none = NULL; /* volatile, else the compiler refuses it */

    EXPECT_TEXT("", "%s", "");
    EXPECT_TEXT("100% of\nit", "100%% of\nit");
    EXPECT_TEXT("a(null)z", "%c%s%c", 'a', none, 'z');
}

TEST("format", "integers: signs, bases, extremes")
{
    EXPECT_TEXT("0 -1 42", "%d %d %i", 0, -1, 42);
    EXPECT_TEXT("-2147483648 2147483647", "%d %d", INT32_MIN, INT32_MAX);
    EXPECT_TEXT("4294967295", "%u", UINT32_MAX);
    EXPECT_TEXT("deadbeef DEADBEEF 0", "%x %X %x", 0xDEADBEEF, 0xDEADBEEF, 0);
    EXPECT_TEXT(" 5 -5", "% d % d", 5, -5);
    EXPECT_TEXT("V0x0000abcd", PRI_VADDR, ARG_VADDR(VADDR(0xABCD)));
    EXPECT_TEXT("0xc0100000", "%p", vaddr_to_pointer(VADDR(0xC0100000)));
}

TEST("format", "64 bits: every digit, argument size kept")
{
    EXPECT_TEXT("18446744073709551615|7", "%llu|%u", UINT64_MAX, 7);
    EXPECT_TEXT("-9223372036854775808|7", "%lld|%d", INT64_MIN, 7);
    EXPECT_TEXT("fedcba9876543210", "%llx", 0xFEDCBA9876543210u);
    EXPECT_TEXT("10000000000", "%llu", 10000000000u);
}

TEST("format", "lengths: cut to what they say")
{
    EXPECT_TEXT("255 -1", "%hhu %hhd", (unsigned char)255, (signed char)-1);
    EXPECT_TEXT("65535 -1", "%hu %hd", (unsigned short)65535, (short)-1);
    EXPECT_TEXT("7 -7 9", "%lu %ld %zu", 7ul, -7l, (size_t)9);
}

TEST("format", "width and precision: padded on the side that the flags say")
{
    EXPECT_TEXT("[   42][42   ][00042]", "[%5d][%-5d][%05d]", 42, 42, 42);
    EXPECT_TEXT("[  -42][-42  ][-0042]", "[%5d][%-5d][%05d]", -42, -42, -42);
    EXPECT_TEXT("[  042][00042]", "[%5.3d][%.5d]", 42, 42);
    EXPECT_TEXT("[]", "[%.0d]", 0);
    EXPECT_TEXT("[   ab][ab   ][  a]", "[%5s][%-5s][%3.1s]", "ab", "ab", "ab");
    EXPECT_TEXT("[  7][7  ][ab]", "[%*d][%*d][%.*s]", 3, 7, -3, 7, 2, "abc");
    EXPECT_TEXT("[123456]", "[%3d]", 123456);
    EXPECT_TEXT("[  x]", "[%3c]", 'x');
}

TEST("format", "a text that is not terminated: read up to the precision only")
{
    static const char letters[3] = {'a', 'b', 'c'};

    EXPECT_TEXT("abc", "%.3s", letters);
}

TEST("format", "an unknown conversion: the rest of the format as it stands")
{
    const char *unknown = "a%q %d"; /* in a variable, else the compiler refuses it */
    const char *unfinished = "50%";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    EXPECT_TEXT("a%q %d", unknown, 1);
    EXPECT_TEXT("50%", unfinished, 1);
#pragma GCC diagnostic pop
}

TEST("format", "a buffer too small: cut, terminated, and the whole length told")
{
    char text[8] = "#######";

    EXPECT_EQUAL(format_text(text, 4, "%d", 123456), 6);
    EXPECT(strcmp(text, "123") == 0);
    EXPECT_EQUAL(text[4], '#');
    EXPECT_EQUAL(format_text(text, 0, "%d", 123456), 6);
    EXPECT(strcmp(text, "123") == 0);
}

/* ---- a sink that escapes, as the consoles' ---- */

static char shown[80];
static size_t shown_length;

static void show(struct format_sink *sink, char character)
{
    (void)sink;
    if (shown_length < sizeof(shown) - 1)
        shown[shown_length++] = character;
    shown[shown_length] = '\0';
}

static printf_like(1, 2) const char *escaped(const char *format, ...)
{
    struct format_sink sink = {show, true};
    va_list arguments;
    shown_length = 0;
    va_start(arguments, format);
    format_to_sink(&sink, format, arguments);
    va_end(arguments);
    return shown;
}

TEST("format", "control characters, for a console: those of a %s are escaped, the format's are not")
{
    EXPECT(strcmp(escaped("\033[0m%s\n", "a\033[2J\n\x7F\xFFz"),
                  "\033[0ma\\x1b[2J\\x0a\\x7f\\xffz\n") == 0);
    EXPECT(strcmp(escaped("[%6s][%-6s][%2s]", "\a", "\a", "\a"), "[  \\x07][\\x07  ][\\x07]") == 0);
    EXPECT(strcmp(escaped("[%.1s][%c]", "\aabc", '\t'), "[\\x07][\t]") == 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Formatted text: one pass over the format, character by character into a sink.
 *
 * Needs no memory but a few dozen bytes of stack and no other unit, so that a panic can use it in
 * any state. It does not do floating point, %n or wide characters; from a conversion that it does
 * not know on, the rest of the format is printed as it stands and no argument is read.
 */
#include "format.h"

#include <kernel/printk.h>

enum { NUMBER_DIGITS_MAX = 20 }; /* 2^64 - 1 in decimal */

enum length { LENGTH_CHAR, LENGTH_SHORT, LENGTH_INT, LENGTH_LONG_LONG };

/* One conversion, "%-08.3llx" taken apart. */
struct specification {
    bool left;  /* - */
    bool zeros; /* 0 */
    bool space; /* a space where a minus would stand */
    int width;
    int precision; /* -1: none given */
    enum length length;
    char conversion;
};

static void put(struct format_sink *sink, char character)
{
    sink->put(sink, character);
}

static void put_times(struct format_sink *sink, char character, int times)
{
    for (; times > 0; times--)
        put(sink, character);
}

static bool is_escaped(const struct format_sink *sink, char character)
{
    return sink->escapes && (character < ' ' || character > '~'); /* char has a sign, or has not */
}

static void put_shown(struct format_sink *sink, char character)
{
    static const char digits[] = "0123456789abcdef";
    if (!is_escaped(sink, character)) {
        put(sink, character);
        return;
    }
    put(sink, '\\');
    put(sink, 'x');
    put(sink, digits[(uint8_t)character / 16]);
    put(sink, digits[(uint8_t)character % 16]);
}

/* Put the LENGTH characters of TEXT, padded with spaces to the width. */
static void put_text(struct format_sink *sink, const struct specification *spec, const char *text,
                     int length)
{
    enum { ESCAPE_MORE = 3 };
    int padding = spec->width - length;

    for (int i = 0; i < length; i++)
        padding -= is_escaped(sink, text[i]) ? ESCAPE_MORE : 0;
    if (!spec->left)
        put_times(sink, ' ', padding);
    for (int i = 0; i < length; i++)
        put_shown(sink, text[i]);
    if (spec->left)
        put_times(sink, ' ', padding);
}

static void put_string(struct format_sink *sink, const struct specification *spec, const char *text)
{
    int length = 0;

    if (text == NULL)
        text = "(null)";
    /* With a precision the text need not be terminated. */
    while ((spec->precision < 0 || length < spec->precision) && text[length] != '\0')
        length++;
    put_text(sink, spec, text, length);
}

/*
 * Divide *VALUE by BASE (2..16) in place and return the remainder. By limbs of 16 bits: a 64-bit
 * division would be a call into the compiler's library.
 */
static uint32_t divide(uint64_t *value, uint32_t base)
{
    uint32_t remainder = 0;
    uint64_t quotient = 0;

    for (int shift = 48; shift >= 0; shift -= 16) {
        uint32_t part = remainder << 16 | (uint32_t)(*value >> shift & 0xFFFF);

        quotient = quotient << 16 | part / base;
        remainder = part % base;
    }
    *value = quotient;
    return remainder;
}

/* Put SIGN (0: none) and VALUE. A precision is the least number of digits and ends zero-padding. */
static void put_number(struct format_sink *sink, const struct specification *spec, uint64_t value,
                       uint32_t base, char sign)
{
    const char *digits = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char reversed[NUMBER_DIGITS_MAX];
    int count = 0;
    int zeros = 0;
    int padding;

    while (value != 0)
        reversed[count++] = digits[divide(&value, base)];
    if (count < (spec->precision < 0 ? 1 : spec->precision))
        zeros = (spec->precision < 0 ? 1 : spec->precision) - count;
    padding = spec->width - (sign != 0) - zeros - count;
    if (spec->zeros && !spec->left && spec->precision < 0 && padding > 0) {
        zeros += padding;
        padding = 0;
    }

    if (!spec->left)
        put_times(sink, ' ', padding);
    if (sign != 0)
        put(sink, sign);
    put_times(sink, '0', zeros);
    while (count > 0)
        put(sink, reversed[--count]);
    if (spec->left)
        put_times(sink, ' ', padding);
}

/*
 * Read what stands behind the `%` at *FORMAT up to and including the conversion; a `*` takes an
 * int from ARGUMENTS. Leaves *FORMAT behind it.
 */
static void read_specification(const char **format, va_list *arguments, struct specification *spec)
{
    const char *at = *format;

    *spec = (struct specification){.precision = -1, .length = LENGTH_INT};
    for (;; at++)
        if (*at == '-')
            spec->left = true;
        else if (*at == '0')
            spec->zeros = true;
        else if (*at == ' ')
            spec->space = true;
        else
            break;
    if (*at == '*') {
        spec->width = va_arg(*arguments, int);
        at++;
    }
    for (; *at >= '0' && *at <= '9'; at++)
        spec->width = spec->width * 10 + (*at - '0');
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*at == '.') {
        spec->precision = 0;
        if (*++at == '*') {
            spec->precision = va_arg(*arguments, int);
            at++;
        }
        for (; *at >= '0' && *at <= '9'; at++)
            spec->precision = spec->precision * 10 + (*at - '0');
    }
    if (at[0] == 'l') /* long is an int here */
        spec->length = at[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_INT;
    else if (at[0] == 'h')
        spec->length = at[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
    while (*at == 'l' || *at == 'h' || *at == 'z')
        at++;
    spec->conversion = *at;
    *format = *at == '\0' ? at : at + 1;
}

static uint64_t read_unsigned(va_list *arguments, enum length length)
{
    if (length == LENGTH_LONG_LONG)
        return va_arg(*arguments, unsigned long long);
    if (length == LENGTH_SHORT)
        return (unsigned short)va_arg(*arguments, unsigned);
    if (length == LENGTH_CHAR)
        return (unsigned char)va_arg(*arguments, unsigned);
    return va_arg(*arguments, unsigned);
}

static int64_t read_signed(va_list *arguments, enum length length)
{
    if (length == LENGTH_LONG_LONG)
        return va_arg(*arguments, long long);
    if (length == LENGTH_SHORT)
        return (short)va_arg(*arguments, int);
    if (length == LENGTH_CHAR)
        return (signed char)va_arg(*arguments, int);
    return va_arg(*arguments, int);
}

static void put_signed(struct format_sink *sink, const struct specification *spec, int64_t value)
{
    char sign = '\0';

    if (value < 0)
        sign = '-';
    else if (spec->space)
        sign = ' ';
    /* Negated as unsigned: the most negative number has no positive counterpart. */
    put_number(sink, spec, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, sign);
}

/* Put one conversion. Returns false if it is none that is known. */
static bool put_conversion(struct format_sink *sink, struct specification *spec, va_list *arguments)
{
    char character;

    switch (spec->conversion) {
    case 'd':
    case 'i':
        put_signed(sink, spec, read_signed(arguments, spec->length));
        return true;
    case 'u':
        put_number(sink, spec, read_unsigned(arguments, spec->length), 10, '\0');
        return true;
    case 'x':
    case 'X':
        put_number(sink, spec, read_unsigned(arguments, spec->length), 16, '\0');
        return true;
    case 'p':
        put(sink, '0');
        put(sink, 'x');
        spec->precision = 2 * (int)sizeof(void *);
        put_number(sink, spec, (uintptr_t)va_arg(*arguments, void *), 16, '\0');
        return true;
    case 's':
        put_string(sink, spec, va_arg(*arguments, const char *));
        return true;
    case 'c':
        character = (char)va_arg(*arguments, int);
        put_times(sink, ' ', spec->left ? 0 : spec->width - 1);
        put(sink, character);
        put_times(sink, ' ', spec->left ? spec->width - 1 : 0);
        return true;
    case '%':
        put(sink, '%');
        return true;
    default:
        return false;
    }
}

void format_to_sink(struct format_sink *sink, const char *format, va_list arguments)
{
    va_list rest;

    va_copy(rest, arguments); /* a va_list parameter can't be passed on by address */
    while (*format != '\0') {
        struct specification spec;
        const char *start = format++;

        if (*start != '%') {
            put(sink, *start);
            continue;
        }
        read_specification(&format, &rest, &spec);
        if (put_conversion(sink, &spec, &rest))
            continue;
        for (; *start != '\0'; start++)
            put(sink, *start);
        break;
    }
    va_end(rest);
}

/* A buffer as a sink: counts what does not fit. */
struct buffer_sink {
    struct format_sink sink;
    char *buffer;
    size_t bytes;
    size_t length;
};

static void put_into_buffer(struct format_sink *sink, char character)
{
    struct buffer_sink *to = container_of(sink, struct buffer_sink, sink);

    if (to->length + 1 < to->bytes)
        to->buffer[to->length] = character;
    to->length++;
}

size_t vformat_text(char *buffer, size_t bytes, const char *format, va_list arguments)
{
    struct buffer_sink to = {{put_into_buffer, false}, buffer, bytes, 0};

    format_to_sink(&to.sink, format, arguments);
    if (bytes > 0)
        buffer[to.length < bytes ? to.length : bytes - 1] = '\0';
    return to.length;
}

size_t format_text(char *buffer, size_t bytes, const char *format, ...)
{
    va_list arguments;
    size_t length;

    va_start(arguments, format);
    length = vformat_text(buffer, bytes, format, arguments);
    va_end(arguments);
    return length;
}

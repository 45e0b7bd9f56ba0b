/* SPDX-License-Identifier: MIT */
/*
 * User program. Rows, to standard output.
 *
 * A line is written by one call, so that lines of two processes do not mix.
 */
#include "bench.h"

struct line {
    char text[128];
    uint32_t length;
};

static void add_text(struct line *line, const char *text)
{
    while (*text != '\0' && line->length < sizeof line->text - 1)
        line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uint64_t number)
{
    char digits[24];
    uint32_t i = sizeof digits - 1;
    digits[i] = '\0';
    do {
        digits[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    add_text(line, &digits[i]);
}

static void end_line(struct line *line)
{
    line->text[line->length++] = '\n';
    write_bytes(1, line->text, line->length);
}

const char *numbered(const char *name, uint32_t number, const char *unit)
{
    static struct line line;
    line.length = 0;
    add_text(&line, name);
    add_number(&line, number);
    add_text(&line, unit);
    line.text[line.length] = '\0';
    return line.text;
}

void report(const char *name, struct least least, uint32_t operations)
{
    if (least.time == UINT64_MAX)
        return;
    struct line line = {.length = 0};
    add_text(&line, name);
    add_text(&line, " ");
    add_number(&line, least.time / operations);
    add_text(&line, ".");
    add_number(&line, least.time % operations * 10 / operations);
    add_text(&line, " cyc");
    end_line(&line);
}

void report_value(const char *name, uint64_t value, const char *unit)
{
    struct line line = {.length = 0};
    add_text(&line, name);
    add_text(&line, " ");
    add_number(&line, value);
    add_text(&line, " ");
    add_text(&line, unit);
    end_line(&line);
}

void report_refusal(const char *name, int32_t error)
{
    struct line line = {.length = 0};
    add_text(&line, name);
    add_text(&line, " -1 errno=");
    add_number(&line, error < 0 ? -(uint32_t)error : (uint32_t)error);
    end_line(&line);
}

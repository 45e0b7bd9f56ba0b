/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. The line editor.
 *
 * Redrawing uses nothing but text, spaces and '\b': what every terminal and the VGA screen agree
 * on. It relies on the line never being wrapped.
 */
#include "line.h"

#include <kernel/console.h>
#include <kernel/string.h>

enum { CONTROL_A = 1, CONTROL_C = 3, CONTROL_E = 5, CONTROL_K = 11, CONTROL_U = 21 };

void line_start(struct line *line)
{
    line->text[0] = '\0';
    line->length = 0;
    line->cursor = 0;
    line->steps_back = 0;
    line->is_full = false;
}

static void echo_times(const struct line *line, char character, unsigned times)
{
    while (times-- > 0)
        line->echo(&character, 1);
}

static void move_cursor(struct line *line, unsigned to)
{
    if (to < line->cursor)
        echo_times(line, '\b', line->cursor - to);
    else
        line->echo(line->text + line->cursor, to - line->cursor);
    line->cursor = to;
}

/* Take the characters [FIRST, END) out; the cursor is left at FIRST. */
static void delete_range(struct line *line, unsigned first, unsigned end)
{
    unsigned rest = line->length - end;

    line->is_full = false;
    move_cursor(line, first);
    memmove(line->text + first, line->text + end, rest + 1);
    line->length -= end - first;
    line->echo(line->text + first, rest);
    echo_times(line, ' ', end - first);
    echo_times(line, '\b', rest + end - first);
}

static void insert(struct line *line, char character)
{
    line->is_full = line->length + 1 == LINE_BYTES;
    if (line->is_full)
        return;
    memmove(line->text + line->cursor + 1, line->text + line->cursor,
            line->length - line->cursor + 1);
    line->text[line->cursor] = character;
    line->length++;
    line->echo(line->text + line->cursor, line->length - line->cursor);
    line->cursor++;
    echo_times(line, '\b', line->length - line->cursor);
}

/* Show the line STEPS_BACK before this one, if it is still remembered. */
static void recall(struct line *line, unsigned steps_back)
{
    const char *text = "";

    if (steps_back > LINE_HISTORY || steps_back > line->remembered)
        return;
    if (steps_back > 0)
        text = line->history[(line->remembered - steps_back) % LINE_HISTORY];
    delete_range(line, 0, line->length);
    text_copy(line->text, LINE_BYTES, text);
    line->length = strlen(line->text);
    line->steps_back = steps_back;
    move_cursor(line, line->length);
}

/* Remember the line, unless it is empty or the same as the last one. */
static void remember(struct line *line)
{
    const char *last = line->history[(line->remembered - 1) % LINE_HISTORY];

    if (line->length == 0 || (line->remembered > 0 && strcmp(last, line->text) == 0))
        return;
    text_copy(line->history[line->remembered % LINE_HISTORY], LINE_BYTES, line->text);
    line->remembered++;
}

static void edit(struct line *line, int key)
{
    bool at_end = line->cursor == line->length;

    if (key == '\b' && line->cursor > 0)
        delete_range(line, line->cursor - 1, line->cursor);
    else if (key == KEY_DELETE && !at_end)
        delete_range(line, line->cursor, line->cursor + 1);
    else if (key == CONTROL_U)
        delete_range(line, 0, line->length);
    else if (key == CONTROL_K)
        delete_range(line, line->cursor, line->length);
    else if (key == KEY_LEFT && line->cursor > 0)
        move_cursor(line, line->cursor - 1);
    else if (key == KEY_RIGHT && !at_end)
        move_cursor(line, line->cursor + 1);
    else if (key == KEY_HOME || key == CONTROL_A)
        move_cursor(line, 0);
    else if (key == KEY_END || key == CONTROL_E)
        move_cursor(line, line->length);
    else if (key == KEY_UP)
        recall(line, line->steps_back + 1);
    else if (key == KEY_DOWN && line->steps_back > 0)
        recall(line, line->steps_back - 1);
    else if (key >= ' ' && key < 0x7F)
        insert(line, (char)key);
}

enum line_result line_take_key(struct line *line, int key)
{
    if (key == '\n') {
        line->echo("\n", 1);
        remember(line);
        return line->is_full ? LINE_TOO_LONG : LINE_DONE;
    }
    if (key == CONTROL_C) {
        line->echo("^C\n", 3);
        return LINE_ABANDONED;
    }
    edit(line, key == '\t' ? ' ' : key);
    return LINE_GOES_ON;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Formatted text to the consoles, in pieces of a small buffer on the stack: no lock, no
 * memory of its own, so that it works in any state of the kernel, a panic included.
 */
#include "format.h"

#include <kernel/console.h>
#include <kernel/printk.h>

enum { PIECE_BYTES = 64 };

struct console_sink {
    struct format_sink sink;
    size_t length;
    char piece[PIECE_BYTES];
};

static void put_to_console(struct format_sink *sink, char character)
{
    struct console_sink *to = container_of(sink, struct console_sink, sink);

    to->piece[to->length++] = character;
    if (to->length == PIECE_BYTES) {
        console_write(to->piece, to->length);
        to->length = 0;
    }
}

void vprintk(const char *format, va_list arguments)
{
    struct console_sink to;

    to.sink = (struct format_sink){put_to_console, true};
    to.length = 0;
    format_to_sink(&to.sink, format, arguments);
    console_write(to.piece, to.length);
}

void printk(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintk(format, arguments);
    va_end(arguments);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: printk.c, format.c.
 *
 * Formatting into any sink; the public face of it is <kernel/printk.h>.
 */
#ifndef KERNEL_FORMAT_H
#define KERNEL_FORMAT_H

#include <kernel/types.h>
#include <stdarg.h>

/* Where formatted text goes. The owner embeds it in a structure of its own. */
struct format_sink {
    void (*put)(struct format_sink *sink, char character);
    bool escapes; /* control characters of a %s are put as \xNN: the text may be anybody's */
};

/* Write ARGUMENTS to SINK as FORMAT says. What the format may hold: <kernel/printk.h>. */
void format_to_sink(struct format_sink *sink, const char *format, va_list arguments)
    printf_like(2, 0);

#endif

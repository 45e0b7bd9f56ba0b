/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, io, console (KEY_*). Used by: console, prompt/attention.c, tests.
 *
 * COM1, a 16550 or its ancestors, at 115200 baud, 8 bits, no parity, 1 stop bit, with a terminal
 * behind it that speaks ECMA-48 ("ANSI").
 */
#ifndef ARCH_I386_SERIAL_H
#define ARCH_I386_SERIAL_H

#include <kernel/types.h>

enum { SERIAL_IRQ = 4 };

/*
 * Find the port and set it up, with its interrupt on for received bytes. A byte that was received
 * before is kept for serial_read.
 *   returns false if there is no such port: the other functions do nothing then
 *   source: National Semiconductor PC16550D data sheet, "Registers"
 */
bool serial_init(void);

/*
 * Send BYTES bytes. Waits for the line, but not for ever: when it is not ready after about a
 * second, bytes are dropped without waiting until it is ready again.
 */
void serial_write(const char *text, size_t bytes);

/* The next received byte, or -1. A break is a zero byte, and an event. */
int serial_read(void);

/* What the line has told since it was asked last: enum serial_event, a set. */
enum serial_event { SERIAL_BREAK = 1, SERIAL_OVERRUN = 2 /* bytes were lost: we came too late */ };
unsigned serial_take_events(void);

/* What a byte from the terminal means depends on those before it. Zero is the state at the start.
 */
struct serial_decoder {
    enum { SERIAL_PLAIN, SERIAL_AFTER_ESCAPE, SERIAL_IN_SEQUENCE } state;
    unsigned number; /* of the sequence that is being read */
};

/*
 * The key (as of <kernel/console.h>) that BYTE completes, or -1. Cursor keys come as "ESC [ A" or
 * "ESC O A", Home, End and Delete also as "ESC [ 1 ~". Sequences that are not known are swallowed.
 */
int serial_decode(struct serial_decoder *decoder, uint8_t byte);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, io, console (KEY_*). Used by: console, prompt/attention.c, tests.
 *
 * The PS/2 keyboard behind an i8042 controller that translates to scan code set 1.
 */
#ifndef ARCH_I386_KEYBOARD_H
#define ARCH_I386_KEYBOARD_H

#include <kernel/types.h>

enum { KEYBOARD_IRQ = 1 };

/* What a scan code means depends on those before it. Zero is the state at the start. */
struct keyboard_decoder {
    bool shift, control, caps_lock;
    bool extended;      /* the last code was the prefix 0xE0 */
    unsigned skip_left; /* codes of the Pause key still to come */
};

/*
 * Find the controller; let it translate and interrupt, and the keyboard scan. Keys pressed earlier
 * stay for keyboard_read.
 *   returns false if none answers: keyboard_read then says -1
 *   source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 *   Controller"
 */
bool keyboard_init(void);

/* The next scan code, or -1. Bytes of a mouse are thrown away. */
int keyboard_read(void);

/* The key (as of <kernel/console.h>) that CODE completes on a US keyboard, or -1. */
int keyboard_decode(struct keyboard_decoder *decoder, uint8_t code);

#endif

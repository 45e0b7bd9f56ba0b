/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, io. Used by: console, its tests.
 *
 * The VGA text screen, 80 columns by 25 rows, as a simple terminal: \n, \r, \b, \t, scrolling, and
 * the colours of "\033[...m" (0, 1, 7, 22, 27, 30-37, 39, 40-47, 49, 90-97). All other control
 * sequences are swallowed. State lives in the structure, so that a test can write to plain memory.
 */
#ifndef ARCH_I386_VGA_H
#define ARCH_I386_VGA_H

#include <kernel/types.h>

enum { VGA_COLUMNS = 80, VGA_ROWS = 25, VGA_CELLS = VGA_COLUMNS * VGA_ROWS, SGR_NUMBERS_MAX = 8 };

struct vga_screen {
    volatile uint16_t *cells; /* character in the low byte, colours in the high one */
    unsigned row;
    unsigned column; /* VGA_COLUMNS: the next character goes to the next row */
    uint8_t foreground, background;
    bool bold, inverse;
    enum { VGA_TEXT, VGA_AFTER_ESCAPE, VGA_IN_SEQUENCE } state;
    unsigned numbers[SGR_NUMBERS_MAX]; /* of the sequence that is being read */
    unsigned number_count;
};

/* Start with an empty screen at CELLS, light grey on black. */
void vga_init(struct vga_screen *screen, volatile uint16_t *cells);

/* Write BYTES bytes of TEXT. */
void vga_write(struct vga_screen *screen, const char *text, size_t bytes);

/*
 * Move the hardware's cursor to where the next character goes.
 *   source: IBM VGA manual, "CRT Controller Registers", cursor location high and low
 */
void vga_show_cursor(const struct vga_screen *screen);

#endif

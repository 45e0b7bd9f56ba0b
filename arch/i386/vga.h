/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, screen, io. Used by: console, its tests.
 *
 * The VGA text screen, 80 columns by 25 rows. Where there is none its writes go nowhere.
 */
#ifndef ARCH_I386_VGA_H
#define ARCH_I386_VGA_H

#include <kernel/screen.h>

enum { VGA_COLUMNS = 80, VGA_ROWS = 25, VGA_CELLS = VGA_COLUMNS * VGA_ROWS };

struct vga {
    struct screen_device device;
    volatile uint16_t *cells;
};

/*
 * Make VGA a device that shows the screen at CELLS; it is not touched yet.
 *   source: IBM VGA manual, "CRT Controller Registers", cursor location high and low
 */
void vga_init(struct vga *vga, volatile uint16_t *cells);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: console, the devices behind it (VGA text, framebuffer), tests.
 *
 * A simple terminal of up to 128 columns by 48 rows: \n, \r, \b, \t, scrolling, and the colours of
 * "\033[...m" (0, 1, 7, 22, 27, 30-37, 39, 40-47, 49, 90-97). All other control sequences are
 * swallowed. It remembers what every cell shows, so that nothing is ever read back from a device,
 * and tells the device only about cells that change.
 */
#ifndef KERNEL_SCREEN_H
#define KERNEL_SCREEN_H

#include <kernel/types.h>

enum { SCREEN_COLUMNS_MAX = 128, SCREEN_ROWS_MAX = 48, SGR_NUMBERS_MAX = 8 };

/*
 * A cell is what the VGA takes: the character in bits 0-7, ink in 8-11, paper in 12-14. Bit 15
 * (blinking text) is never set, so this value is no cell.
 */
enum { CELL_UNKNOWN = 0xFFFF };

static inline uint8_t cell_character(uint16_t cell)
{
    return (uint8_t)cell;
}

static inline unsigned cell_ink(uint16_t cell)
{
    return cell >> 8 & 0xF;
}

static inline unsigned cell_paper(uint16_t cell)
{
    return cell >> 12 & 0xF;
}

/* What shows the cells. Devices have this structure in one of their own. */
struct screen_device {
    unsigned columns, rows; /* at most SCREEN_COLUMNS_MAX, SCREEN_ROWS_MAX */

    /* Show CELL where OLD is shown now, or CELL_UNKNOWN if that is not known. */
    void (*draw)(struct screen_device *device, unsigned row, unsigned column, uint16_t cell,
                 uint16_t old);

    /* Show the cursor on top of CELL, which is shown there. `draw` over CELL_UNKNOWN ends it. */
    void (*draw_cursor)(struct screen_device *device, unsigned row, unsigned column, uint16_t cell);
};

struct screen {
    struct screen_device *device;
    unsigned row;
    unsigned column; /* device->columns: the next character goes to the next row */
    uint8_t foreground, background;
    bool bold, inverse;
    enum { SCREEN_TEXT, SCREEN_AFTER_ESCAPE, SCREEN_IN_SEQUENCE } state;
    unsigned numbers[SGR_NUMBERS_MAX]; /* of the sequence that is being read */
    unsigned number_count;
    uint16_t cells[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
};

/* Start with an empty screen on DEVICE, light grey on black. */
void screen_init(struct screen *screen, struct screen_device *device);

/*
 * Go on with DEVICE instead: it shows what the last one showed. If it has fewer rows, the upper
 * ones are lost; if it has fewer columns, the right ones.
 */
void screen_move(struct screen *screen, struct screen_device *device);

/* Write BYTES bytes of TEXT, and show the cursor behind them. */
void screen_write(struct screen *screen, const char *text, size_t bytes);

#endif

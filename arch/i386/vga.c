/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The VGA text screen: cells are stored as they come, the cursor is the hardware's.
 */
#include <arch/i386/io.h>
#include <arch/i386/vga.h>

enum {
    CRTC_INDEX = 0x3D4,
    CRTC_DATA = 0x3D5,
    CRTC_CURSOR_HIGH = 0x0E,
    CRTC_CURSOR_LOW = 0x0F,
};

static void draw(struct screen_device *device, unsigned row, unsigned column, uint16_t cell,
                 uint16_t old)
{
    struct vga *vga = container_of(device, struct vga, device);

    (void)old;
    vga->cells[row * VGA_COLUMNS + column] = cell;
}

static void draw_cursor(struct screen_device *device, unsigned row, unsigned column, uint16_t cell)
{
    unsigned position = row * VGA_COLUMNS + column;

    (void)device;
    (void)cell;
    outb(CRTC_INDEX, CRTC_CURSOR_HIGH);
    outb(CRTC_DATA, (uint8_t)(position >> 8));
    outb(CRTC_INDEX, CRTC_CURSOR_LOW);
    outb(CRTC_DATA, (uint8_t)position);
}

void vga_init(struct vga *vga, volatile uint16_t *cells)
{
    *vga = (struct vga){
        .device = {VGA_COLUMNS, VGA_ROWS, draw, draw_cursor},
        .cells = cells,
    };
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The VGA text screen as a simple terminal.
 *
 * The last column behaves as on other terminals: a character written there leaves the cursor in
 * the row, and only the next one moves on. So a line of exactly 80 characters and its "\n" take
 * one row, not two.
 */
#include <arch/i386/io.h>
#include <arch/i386/vga.h>

enum {
    CRTC_INDEX = 0x3D4,
    CRTC_DATA = 0x3D5,
    CRTC_CURSOR_HIGH = 0x0E,
    CRTC_CURSOR_LOW = 0x0F,
    COLOUR_BLACK = 0,
    COLOUR_LIGHT_GREY = 7,
    COLOUR_BRIGHT = 8,
    TAB_COLUMNS = 8,
    SGR_NUMBER_LIMIT = 1000, /* anything above is as unknown as this */
};

/* SGR counts red, green, blue from bit 0 up; the VGA counts from blue. */
static const uint8_t vga_colours[8] = {0, 4, 2, 6, 1, 5, 3, 7};

static uint16_t make_cell(const struct vga_screen *screen, char character)
{
    unsigned ink = screen->foreground | (screen->bold ? COLOUR_BRIGHT : 0u);
    unsigned paper = screen->background;

    if (screen->inverse) {
        unsigned swapped = ink;

        ink = paper;
        paper = swapped & ~(unsigned)COLOUR_BRIGHT; /* as paper that bit would mean "blink" */
    }
    return (uint16_t)(paper << 12 | ink << 8 | (uint8_t)character);
}

static void reset_colours(struct vga_screen *screen)
{
    screen->foreground = COLOUR_LIGHT_GREY;
    screen->background = COLOUR_BLACK;
    screen->bold = false;
    screen->inverse = false;
}

void vga_init(struct vga_screen *screen, volatile uint16_t *cells)
{
    *screen = (struct vga_screen){.cells = cells};
    reset_colours(screen);
    for (unsigned i = 0; i < VGA_CELLS; i++)
        cells[i] = make_cell(screen, ' ');
}

static void new_line(struct vga_screen *screen)
{
    screen->column = 0;
    if (screen->row + 1 < VGA_ROWS) {
        screen->row++;
        return;
    }
    for (unsigned i = 0; i < VGA_CELLS - VGA_COLUMNS; i++)
        screen->cells[i] = screen->cells[i + VGA_COLUMNS];
    for (unsigned i = VGA_CELLS - VGA_COLUMNS; i < VGA_CELLS; i++)
        screen->cells[i] = COLOUR_LIGHT_GREY << 8 | ' ';
}

static void put_character(struct vga_screen *screen, char character)
{
    if (screen->column == VGA_COLUMNS)
        new_line(screen);
    screen->cells[screen->row * VGA_COLUMNS + screen->column] = make_cell(screen, character);
    screen->column++;
}

static void put_control(struct vga_screen *screen, char control)
{
    switch (control) {
    case '\n':
        new_line(screen);
        break;
    case '\r':
        screen->column = 0;
        break;
    case '\b':
        if (screen->column > 0)
            screen->column--;
        break;
    case '\t':
        do
            put_character(screen, ' ');
        while (screen->column % TAB_COLUMNS != 0);
        break;
    case '\033':
        screen->state = VGA_AFTER_ESCAPE;
        break;
    default:
        break;
    }
}

/* One number of "\033[...m": Select Graphic Rendition, ECMA-48. */
static void select_rendition(struct vga_screen *screen, unsigned number)
{
    if (number == 0)
        reset_colours(screen);
    else if (number == 1 || number == 22)
        screen->bold = number == 1;
    else if (number == 7 || number == 27)
        screen->inverse = number == 7;
    else if (number >= 30 && number <= 37)
        screen->foreground = vga_colours[number - 30];
    else if (number == 39)
        screen->foreground = COLOUR_LIGHT_GREY;
    else if (number >= 40 && number <= 47)
        screen->background = vga_colours[number - 40];
    else if (number == 49)
        screen->background = COLOUR_BLACK;
    else if (number >= 90 && number <= 97)
        screen->foreground = vga_colours[number - 90] | COLOUR_BRIGHT;
}

/* One character of a control sequence "\033[ numbers ; ... final". */
static void read_sequence(struct vga_screen *screen, char character)
{
    unsigned *number = &screen->numbers[screen->number_count - 1];

    if (character >= '0' && character <= '9') {
        *number = *number * 10 + (unsigned)(character - '0');
        if (*number > SGR_NUMBER_LIMIT)
            *number = SGR_NUMBER_LIMIT;
    } else if (character == ';' && screen->number_count < SGR_NUMBERS_MAX) {
        screen->numbers[screen->number_count++] = 0;
    } else if (character >= '@') {
        for (unsigned i = 0; character == 'm' && i < screen->number_count; i++)
            select_rendition(screen, screen->numbers[i]);
        screen->state = VGA_TEXT;
    }
}

static void put(struct vga_screen *screen, char character)
{
    if (screen->state == VGA_IN_SEQUENCE) {
        read_sequence(screen, character);
    } else if (screen->state == VGA_AFTER_ESCAPE) {
        screen->state = character == '[' ? VGA_IN_SEQUENCE : VGA_TEXT;
        screen->number_count = 1;
        screen->numbers[0] = 0;
    } else if ((uint8_t)character < ' ') {
        put_control(screen, character);
    } else {
        put_character(screen, character);
    }
}

void vga_write(struct vga_screen *screen, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        put(screen, text[i]);
}

void vga_show_cursor(const struct vga_screen *screen)
{
    unsigned column = screen->column < VGA_COLUMNS ? screen->column : VGA_COLUMNS - 1;
    unsigned position = screen->row * VGA_COLUMNS + column;

    outb(CRTC_INDEX, CRTC_CURSOR_HIGH);
    outb(CRTC_DATA, (uint8_t)(position >> 8));
    outb(CRTC_INDEX, CRTC_CURSOR_LOW);
    outb(CRTC_DATA, (uint8_t)position);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The terminal that VGA text and framebuffer share (kernel/screen.h).
 *
 * Invariant: outside screen_write(), the device shows `cells`, and the cursor. Cells beyond the
 * device's columns and rows are blank.
 *
 * The last column behaves as on other terminals: a character written there leaves the cursor in
 * the row, and only the next one moves on. So a line of exactly 80 characters and its "\n" take
 * one row of 80, not two.
 */
#include <kernel/screen.h>
#include <kernel/string.h>

enum {
    COLOUR_BLACK = 0,
    COLOUR_LIGHT_GREY = 7,
    COLOUR_BRIGHT = 8,
    CELL_BLANK = COLOUR_LIGHT_GREY << 8 | ' ',
    TAB_COLUMNS = 8,
    SGR_NUMBER_LIMIT = 1000, /* anything above is as unknown as this */
};

/* SGR counts red, green, blue from bit 0 up; the VGA counts from blue. */
static const uint8_t vga_colours[8] = {0, 4, 2, 6, 1, 5, 3, 7};

static uint16_t make_cell(const struct screen *screen, char character)
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

static void reset_colours(struct screen *screen)
{
    screen->foreground = COLOUR_LIGHT_GREY;
    screen->background = COLOUR_BLACK;
    screen->bold = false;
    screen->inverse = false;
}

static void set_cell(struct screen *screen, unsigned row, unsigned column, uint16_t cell)
{
    uint16_t old = screen->cells[row][column];

    if (cell == old)
        return;
    screen->cells[row][column] = cell;
    screen->device->draw(screen->device, row, column, cell, old);
}

/* The cell that shows the cursor: behind the last column there is none. */
static unsigned cursor_column(const struct screen *screen)
{
    unsigned last = screen->device->columns - 1;

    return screen->column < last ? screen->column : last;
}

static void hide_cursor(struct screen *screen)
{
    unsigned column = cursor_column(screen);

    screen->device->draw(screen->device, screen->row, column, screen->cells[screen->row][column],
                         CELL_UNKNOWN);
}

static void show_cursor(struct screen *screen)
{
    unsigned column = cursor_column(screen);

    screen->device->draw_cursor(screen->device, screen->row, column,
                                screen->cells[screen->row][column]);
}

static void draw_all(struct screen *screen)
{
    struct screen_device *device = screen->device;

    for (unsigned row = 0; row < device->rows; row++)
        for (unsigned column = 0; column < device->columns; column++)
            device->draw(device, row, column, screen->cells[row][column], CELL_UNKNOWN);
    show_cursor(screen);
}

static void clear_cells(struct screen *screen, unsigned first_row, unsigned first_column)
{
    for (unsigned row = first_row; row < SCREEN_ROWS_MAX; row++)
        for (unsigned column = first_column; column < SCREEN_COLUMNS_MAX; column++)
            screen->cells[row][column] = CELL_BLANK;
}

void screen_init(struct screen *screen, struct screen_device *device)
{
    screen->device = device;
    screen->row = 0;
    screen->column = 0;
    screen->state = SCREEN_TEXT;
    screen->number_count = 0;
    reset_colours(screen);
    clear_cells(screen, 0, 0);
    draw_all(screen);
}

void screen_move(struct screen *screen, struct screen_device *device)
{
    if (screen->row >= device->rows) {
        unsigned lost = screen->row - (device->rows - 1);

        memmove(screen->cells[0], screen->cells[lost], device->rows * sizeof(screen->cells[0]));
        screen->row -= lost;
    }
    if (screen->column > device->columns)
        screen->column = device->columns;
    clear_cells(screen, device->rows, 0);
    clear_cells(screen, 0, device->columns);
    screen->device = device;
    draw_all(screen);
}

static void new_line(struct screen *screen)
{
    unsigned last_row = screen->device->rows - 1;

    screen->column = 0;
    if (screen->row < last_row) {
        screen->row++;
        return;
    }
    for (unsigned row = 0; row < last_row; row++)
        for (unsigned column = 0; column < screen->device->columns; column++)
            set_cell(screen, row, column, screen->cells[row + 1][column]);
    for (unsigned column = 0; column < screen->device->columns; column++)
        set_cell(screen, last_row, column, CELL_BLANK);
}

static void put_character(struct screen *screen, char character)
{
    if (screen->column == screen->device->columns)
        new_line(screen);
    set_cell(screen, screen->row, screen->column, make_cell(screen, character));
    screen->column++;
}

static void put_control(struct screen *screen, char control)
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
        while (screen->column % TAB_COLUMNS != 0 && screen->column < screen->device->columns);
        break;
    case '\033':
        screen->state = SCREEN_AFTER_ESCAPE;
        break;
    default:
        break;
    }
}

/* One number of "\033[...m": Select Graphic Rendition, ECMA-48. */
static void select_rendition(struct screen *screen, unsigned number)
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
static void read_sequence(struct screen *screen, char character)
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
        screen->state = SCREEN_TEXT;
    }
}

static void put(struct screen *screen, char character)
{
    if (screen->state == SCREEN_IN_SEQUENCE) {
        read_sequence(screen, character);
    } else if (screen->state == SCREEN_AFTER_ESCAPE) {
        screen->state = character == '[' ? SCREEN_IN_SEQUENCE : SCREEN_TEXT;
        screen->number_count = 1;
        screen->numbers[0] = 0;
    } else if ((uint8_t)character < ' ') {
        put_control(screen, character);
    } else {
        put_character(screen, character);
    }
}

void screen_write(struct screen *screen, const char *text, size_t bytes)
{
    hide_cursor(screen);
    for (size_t i = 0; i < bytes; i++)
        put(screen, text[i]);
    show_cursor(screen);
}

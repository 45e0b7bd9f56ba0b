/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Text on a framebuffer of any depth.
 *
 * Four pixels of B bytes are B words, whatever B is. So a run of four pixels is prepared once for
 * each colour, and once as a mask for each of the 16 patterns that a font can ask for; drawing is
 * then paper ^ ((ink ^ paper) & mask), word by word, the same for every depth.
 */
#include <arch/i386/framebuffer.h>
#include <kernel/string.h>

enum {
    TYPE_RGB = 1,
    RUN_PIXELS = 4,
    CURSOR_FIRST_LINE = FONT_HEIGHT - 3,
    CURSOR_LINES = 2,
};

/* The 16 colours of a VGA's text mode, as 0xRRGGBB. */
static const uint32_t vga_rgb[16] = {
    0x000000, 0x0000AA, 0x00AA00, 0x00AAAA, 0xAA0000, 0xAA00AA, 0xAA5500, 0xAAAAAA,
    0x555555, 0x5555FF, 0x55FF55, 0x55FFFF, 0xFF5555, 0xFF55FF, 0xFFFF55, 0xFFFFFF,
};

static uint32_t pixel_bytes(const struct boot_framebuffer *info)
{
    return (info->bits_per_pixel + 7u) / 8;
}

static bool is_field(const struct boot_framebuffer *info, uint8_t position, uint8_t bits)
{
    return bits > 0 && bits <= 16 && position + bits <= info->bits_per_pixel;
}

enum kerr framebuffer_check(const struct boot_framebuffer *info, uint32_t *bytes)
{
    uint64_t size = (uint64_t)info->pitch_bytes * info->height;

    if (info->type != TYPE_RGB || info->bits_per_pixel < 15 || info->bits_per_pixel > 32 ||
        info->width < FONT_WIDTH || info->height < FONT_HEIGHT ||
        info->pitch_bytes / pixel_bytes(info) < info->width ||
        !is_field(info, info->red_position, info->red_bits) ||
        !is_field(info, info->green_position, info->green_bits) ||
        !is_field(info, info->blue_position, info->blue_bits))
        return KERR_UNSUPPORTED;
    if (info->address >> 32 != 0 || size > UINT32_MAX || (info->address + size - 1) >> 32 != 0)
        return KERR_BAD_RANGE;
    *bytes = (uint32_t)size;
    return KERR_OK;
}

/* The colour's component that is SHIFT bits up in 0xRRGGBB, as its field in a pixel. */
static uint32_t field(uint32_t rgb, unsigned shift, unsigned position, unsigned bits)
{
    uint32_t component = rgb >> shift & 0xFF;

    /* Repeated, so that 0xFF gives all ones in wider fields, too. */
    return (component << 8 | component) >> (16 - bits) << position;
}

static uint32_t make_pixel(const struct boot_framebuffer *info, uint32_t rgb)
{
    return field(rgb, 16, info->red_position, info->red_bits) |
           field(rgb, 8, info->green_position, info->green_bits) |
           field(rgb, 0, info->blue_position, info->blue_bits);
}

/* Fill RUN, SCALE times 4 pixels of BYTES bytes: ON where PATTERN has a one, bit 3 first. */
static void fill_run(uint32_t *run, uint32_t scale, uint32_t bytes, unsigned pattern, uint32_t on)
{
    uint8_t *to = (uint8_t *)run;

    for (uint32_t i = 0; i < RUN_PIXELS * scale; i++) {
        uint32_t pixel = pattern >> (RUN_PIXELS - 1 - i / scale) & 1 ? on : 0;

        memcpy(to + i * bytes, &pixel, bytes); /* little-endian, as the framebuffer is */
    }
}

static uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How often the largest screen fits in both directions, but at least once. */
static uint32_t choose_scale(const struct boot_framebuffer *info)
{
    uint32_t fits = min(info->width / (SCREEN_COLUMNS_MAX * FONT_WIDTH),
                        info->height / (SCREEN_ROWS_MAX * FONT_HEIGHT));

    return fits == 0 ? 1 : min(fits, FRAMEBUFFER_SCALE_MAX);
}

/* Where line LINE of the glyph in (ROW, COLUMN) begins, enlarged line 0 of it. */
static volatile uint32_t *line_start(const struct framebuffer *framebuffer, unsigned row,
                                     unsigned column, unsigned line)
{
    uint32_t y = (row * FONT_HEIGHT + line) * framebuffer->scale;
    uint32_t x_bytes = column * 2 * framebuffer->run_words * (uint32_t)sizeof(uint32_t);

    return (volatile uint32_t *)(framebuffer->memory + framebuffer->origin_bytes +
                                 y * framebuffer->pitch_bytes + x_bytes);
}

/* One line of a glyph: 8 of the font's pixels, the ones of BITS in INK. */
static void draw_line(const struct framebuffer *framebuffer, volatile uint32_t *to, unsigned bits,
                      const uint32_t *ink, const uint32_t *paper)
{
    const uint32_t *left = framebuffer->masks[bits >> 4], *right = framebuffer->masks[bits & 0xF];
    uint32_t words = framebuffer->run_words;

    for (uint32_t i = 0; i < framebuffer->scale; i++) {
        for (uint32_t n = 0; n < words; n++) {
            to[n] = paper[n] ^ ((ink[n] ^ paper[n]) & left[n]);
            to[words + n] = paper[n] ^ ((ink[n] ^ paper[n]) & right[n]);
        }
        to = (volatile uint32_t *)((volatile uint8_t *)to + framebuffer->pitch_bytes);
    }
}

static void draw(struct screen_device *device, unsigned row, unsigned column, uint16_t cell,
                 uint16_t old)
{
    const struct framebuffer *framebuffer = container_of(device, struct framebuffer, device);
    const uint8_t *glyph = font_glyphs[cell_character(cell)];
    const uint8_t *old_glyph = font_glyphs[cell_character(old)];
    bool recolour = old == CELL_UNKNOWN || cell >> 8 != old >> 8;

    for (unsigned line = 0; line < FONT_HEIGHT; line++)
        if (recolour || glyph[line] != old_glyph[line])
            draw_line(framebuffer, line_start(framebuffer, row, column, line), glyph[line],
                      framebuffer->colours[cell_ink(cell)], framebuffer->colours[cell_paper(cell)]);
}

static void draw_cursor(struct screen_device *device, unsigned row, unsigned column, uint16_t cell)
{
    const struct framebuffer *framebuffer = container_of(device, struct framebuffer, device);
    const uint32_t *ink = framebuffer->colours[cell_ink(cell)];

    for (unsigned line = CURSOR_FIRST_LINE; line < CURSOR_FIRST_LINE + CURSOR_LINES; line++)
        draw_line(framebuffer, line_start(framebuffer, row, column, line), 0xFF, ink, ink);
}

void framebuffer_init(struct framebuffer *framebuffer, const struct boot_framebuffer *info,
                      volatile void *memory)
{
    uint32_t bytes = pixel_bytes(info), scale = choose_scale(info);
    uint32_t columns = min(info->width / (FONT_WIDTH * scale), SCREEN_COLUMNS_MAX);
    uint32_t rows = min(info->height / (FONT_HEIGHT * scale), SCREEN_ROWS_MAX);
    uint32_t left = (info->width - columns * FONT_WIDTH * scale) / 2;
    uint32_t top = (info->height - rows * FONT_HEIGHT * scale) / 2;

    framebuffer->device = (struct screen_device){columns, rows, draw, draw_cursor};
    framebuffer->memory = memory;
    framebuffer->pitch_bytes = info->pitch_bytes;
    framebuffer->height = info->height;
    framebuffer->scale = scale;
    /* A multiple of four pixels, so that runs are aligned words in every depth. */
    framebuffer->origin_bytes = top * info->pitch_bytes + left / RUN_PIXELS * RUN_PIXELS * bytes;
    framebuffer->run_words = bytes * scale;
    for (unsigned i = 0; i < ARRAY_LENGTH(vga_rgb); i++) {
        fill_run(framebuffer->colours[i], scale, bytes, 0xF, make_pixel(info, vga_rgb[i]));
        fill_run(framebuffer->masks[i], scale, bytes, i, UINT32_MAX);
    }
}

void framebuffer_clear(struct framebuffer *framebuffer)
{
    volatile uint32_t *words = (volatile uint32_t *)framebuffer->memory;
    uint32_t count = framebuffer->pitch_bytes * framebuffer->height / (uint32_t)sizeof(uint32_t);

    for (uint32_t i = 0; i < count; i++)
        words[i] = 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of the framebuffer as a screen, in plain memory, in every depth that GRUB hands
 * over. What must be there is worked out pixel by pixel from the font and the colours.
 */
#include <arch/i386/framebuffer.h>
#include <kernel/string.h>
#include <kernel/test.h>

enum {
    WIDTH = 52, /* six columns, and four pixels that belong to none */
    HEIGHT = 50,
    PITCH = 4 * WIDTH + 12,
    UNTOUCHED = 0xA5,
    YELLOW_ON_BLUE = 0x1E,
};

enum { MEMORY_BYTES = PITCH * HEIGHT + 64 };
struct large {
    struct screen screen;
    uint8_t memory[MEMORY_BYTES] __attribute__((aligned(4)));
};
_Static_assert(sizeof(struct large) <= TEST_SCRATCH_BYTES, "it fits");
static struct screen *const screen = &((struct large *)(void *)test_scratch)->screen;
static uint8_t *const memory = ((struct large *)(void *)test_scratch)->memory;
static struct framebuffer framebuffer;

static const struct boot_framebuffer depths[] = {
    {0, PITCH, WIDTH, HEIGHT, 15, 1, 10, 5, 5, 5, 0, 5},
    {0, PITCH, WIDTH, HEIGHT, 16, 1, 11, 5, 5, 6, 0, 5},
    {0, PITCH, WIDTH, HEIGHT, 24, 1, 16, 8, 8, 8, 0, 8},
    {0, PITCH, WIDTH, HEIGHT, 32, 1, 16, 8, 8, 8, 0, 8},
    {0, PITCH, WIDTH, HEIGHT, 32, 1, 0, 8, 8, 8, 16, 8},     /* blue on top */
    {0, PITCH, WIDTH, HEIGHT, 32, 1, 20, 10, 10, 10, 0, 10}, /* more than eight bits */
};

/* Yellow and blue of the VGA, light grey and black, in these depths. */
static const uint32_t yellow[] = {0x7FEA, 0xFFEA, 0xFFFF55, 0xFFFF55, 0x55FFFF, 0x3FFFFD55};
static const uint32_t blue[] = {0x0015, 0x0015, 0x0000AA, 0x0000AA, 0xAA0000, 0x2AA};
static const uint32_t grey[] = {0x56B5, 0xAD55, 0xAAAAAA, 0xAAAAAA, 0xAAAAAA, 0x2AAAAAAA};

static void start(const struct boot_framebuffer *info)
{
    memset(memory, UNTOUCHED, MEMORY_BYTES);
    framebuffer_init(&framebuffer, info, memory);
    framebuffer_clear(&framebuffer);
    screen_init(screen, &framebuffer.device);
}

static void show(const char *text)
{
    screen_write(screen, text, strlen(text));
}

static uint32_t pixel_at(const struct boot_framebuffer *info, unsigned x, unsigned y)
{
    uint32_t value = 0, bytes = (info->bits_per_pixel + 7u) / 8;

    memcpy(&value, memory + y * info->pitch_bytes + x * bytes, bytes);
    return value;
}

/* The cell in (ROW, COLUMN) of a screen of six columns and three rows shows CHARACTER. */
static bool shows(const struct boot_framebuffer *info, unsigned row, unsigned column,
                  char character, uint32_t ink, uint32_t paper)
{
    unsigned left = column * FONT_WIDTH, top = 1 + row * FONT_HEIGHT;

    for (unsigned y = 0; y < FONT_HEIGHT; y++)
        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            bool set = font_glyphs[(uint8_t)character][y] >> (FONT_WIDTH - 1 - x) & 1;

            if (pixel_at(info, left + x, top + y) != (set ? ink : paper))
                return false;
        }
    return true;
}

TEST("framebuffer", "font: letters: as they look")
{
    static const uint8_t letter_a[FONT_HEIGHT] = {0,    0,    0x10, 0x38, 0x6C, 0xC6, 0xC6, 0xFE,
                                                  0xC6, 0xC6, 0xC6, 0xC6, 0,    0,    0,    0};

    EXPECT(memcmp(font_glyphs['A'], letter_a, sizeof(letter_a)) == 0);
    for (unsigned i = 0; i < FONT_HEIGHT; i++)
        EXPECT_EQUAL(font_glyphs[' '][i], 0);
}

TEST("framebuffer", "15, 16, 24, 32 bits: characters in colour: each pixel is right")
{
    for (unsigned i = 0; i < ARRAY_LENGTH(depths); i++) {
        start(&depths[i]);
        EXPECT_EQUAL(framebuffer.device.columns, 6);
        EXPECT_EQUAL(framebuffer.device.rows, 3);
        show("A\n\n  \033[93;44mgW");
        EXPECT(shows(&depths[i], 0, 0, 'A', grey[i], 0));
        EXPECT(shows(&depths[i], 1, 5, ' ', grey[i], 0));
        EXPECT(shows(&depths[i], 2, 2, 'g', yellow[i], blue[i]));
        EXPECT(shows(&depths[i], 2, 3, 'W', yellow[i], blue[i]));
    }
}

TEST("framebuffer", "scrolling and overwriting: all cells are right, also unchanged ones")
{
    for (unsigned i = 0; i < ARRAY_LENGTH(depths); i++) {
        start(&depths[i]);
        show("abc\nabd\n\033[93;44mxy\nabe\033[0m\rA\b!");
        EXPECT(shows(&depths[i], 0, 2, 'd', grey[i], 0));
        EXPECT(shows(&depths[i], 1, 0, 'x', yellow[i], blue[i]));
        EXPECT(shows(&depths[i], 1, 2, ' ', grey[i], 0));
        EXPECT(shows(&depths[i], 2, 0, '!', grey[i], 0));
        EXPECT(shows(&depths[i], 2, 2, 'e', yellow[i], blue[i]));
    }
}

TEST("framebuffer", "cursor: shown behind the text, gone from where it was")
{
    const struct boot_framebuffer *info = &depths[3];

    start(info);
    show("ab");
    EXPECT(!shows(info, 0, 2, ' ', grey[3], 0));
    EXPECT_EQUAL(pixel_at(info, 2 * FONT_WIDTH, 1 + FONT_HEIGHT - 2), grey[3]);
    show("\n");
    EXPECT(shows(info, 0, 2, ' ', grey[3], 0));
    show("123456"); /* a full row: the cursor is on its last cell */
    EXPECT(!shows(info, 1, 5, '6', grey[3], 0));
    show("7");
    EXPECT(shows(info, 1, 5, '6', grey[3], 0));
    EXPECT(shows(info, 2, 0, '7', grey[3], 0));
}

TEST("framebuffer", "a lot of text: nothing is written outside of the cells")
{
    for (unsigned i = 0; i < ARRAY_LENGTH(depths); i++) {
        const struct boot_framebuffer *info = &depths[i];
        uint32_t bytes = (info->bits_per_pixel + 7u) / 8;
        unsigned wrong = 0;

        start(info);
        for (unsigned n = 0; n < 20; n++)
            show("\033[47m#########\t#\n");
        for (unsigned y = 0; y < HEIGHT; y++)
            for (unsigned x = 0; x < PITCH; x++) {
                bool in_cell = x < 6 * FONT_WIDTH * bytes && y >= 1 && y < 1 + 3 * FONT_HEIGHT;

                wrong += !in_cell && memory[y * PITCH + x] != 0;
            }
        for (unsigned n = PITCH * HEIGHT; n < MEMORY_BYTES; n++)
            wrong += memory[n] != UNTOUCHED;
        EXPECT_EQUAL(wrong, 0);
    }
}

TEST("framebuffer", "a very large screen: the font's pixels are doubled")
{
    /* Only the first cell is drawn: lines of just its width keep the memory small. */
    static const struct boot_framebuffer info = {.pitch_bytes = 2 * FONT_WIDTH * 4,
                                                 .width = 2 * SCREEN_COLUMNS_MAX * FONT_WIDTH,
                                                 .height = 2 * SCREEN_ROWS_MAX * FONT_HEIGHT,
                                                 .bits_per_pixel = 32,
                                                 .type = 1,
                                                 .red_position = 16,
                                                 .red_bits = 8,
                                                 .green_position = 8,
                                                 .green_bits = 8,
                                                 .blue_bits = 8};
    unsigned wrong = 0;

    memset(memory, UNTOUCHED, MEMORY_BYTES);
    framebuffer_init(&framebuffer, &info, memory);
    EXPECT_EQUAL(framebuffer.device.columns, SCREEN_COLUMNS_MAX);
    EXPECT_EQUAL(framebuffer.device.rows, SCREEN_ROWS_MAX);
    framebuffer.device.draw(&framebuffer.device, 0, 0, YELLOW_ON_BLUE << 8 | 'R', CELL_UNKNOWN);
    for (unsigned y = 0; y < 2 * FONT_HEIGHT; y++)
        for (unsigned x = 0; x < 2 * FONT_WIDTH; x++) {
            bool set = font_glyphs['R'][y / 2] >> (FONT_WIDTH - 1 - x / 2) & 1;

            wrong += pixel_at(&info, x, y) != (set ? yellow[3] : blue[3]);
        }
    EXPECT_EQUAL(wrong, 0);
    EXPECT_EQUAL(memory[2 * FONT_HEIGHT * info.pitch_bytes], UNTOUCHED);
}

TEST("framebuffer", "screen that moves there: shows what the last one showed")
{
    const struct boot_framebuffer *info = &depths[2];

    start(&depths[0]);
    show("one\n\033[93;44mtwo\033[0m\nsix");
    memset(memory, UNTOUCHED, MEMORY_BYTES);
    framebuffer_init(&framebuffer, info, memory);
    framebuffer_clear(&framebuffer);
    screen_move(screen, &framebuffer.device);
    EXPECT(shows(info, 0, 0, 'o', grey[2], 0));
    EXPECT(shows(info, 1, 2, 'o', yellow[2], blue[2]));
    framebuffer.device.rows = 2; /* one row less: the first one is lost */
    screen_move(screen, &framebuffer.device);
    EXPECT_EQUAL(screen->row, 1);
    EXPECT(shows(info, 0, 0, 't', yellow[2], blue[2]));
    EXPECT(shows(info, 1, 1, 'i', grey[2], 0));
}

TEST("framebuffer", "descriptions that can't be right: refused")
{
    struct boot_framebuffer info = depths[3];
    uint32_t bytes = 0;

    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_OK);
    EXPECT_EQUAL(bytes, PITCH * HEIGHT);
    info.type = 0;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_UNSUPPORTED);
    info = depths[3];
    info.bits_per_pixel = 8;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_UNSUPPORTED);
    info = depths[3];
    info.pitch_bytes = 4 * WIDTH - 1;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_UNSUPPORTED);
    info = depths[3];
    info.red_position = 25;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_UNSUPPORTED);
    info = depths[3];
    info.blue_bits = 0;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_UNSUPPORTED);
    info = depths[3];
    info.address = 0x100000000;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_BAD_RANGE);
    info.address = 0xFFFFF000;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_BAD_RANGE);
    info.pitch_bytes = UINT32_MAX;
    info.height = UINT32_MAX;
    EXPECT_EQUAL(framebuffer_check(&info, &bytes), KERR_BAD_RANGE);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of what the consoles decode: the screen's text, and keys from either side.
 */
#include <arch/i386/keyboard.h>
#include <arch/i386/serial.h>
#include <arch/i386/vga.h>
#include <kernel/console.h>
#include <kernel/key_ring.h>
#include <kernel/string.h>
#include <kernel/test.h>

enum { GREY_ON_BLACK = 0x07 };

static volatile uint16_t cells[VGA_CELLS + 1]; /* the one behind the screen stays as it is */
static struct vga vga;
static struct screen *const screen = (void *)test_scratch;
_Static_assert(sizeof(*screen) <= TEST_SCRATCH_BYTES, "it fits");

static void show(const char *text)
{
    screen_write(screen, text, strlen(text));
}

static void show_on_empty_screen(const char *text)
{
    cells[VGA_CELLS] = 0xDEAD;
    vga_init(&vga, cells);
    screen_init(screen, &vga.device);
    show(text);
}

static char character_at(unsigned row, unsigned column)
{
    return (char)cells[row * VGA_COLUMNS + column];
}

static unsigned colours_at(unsigned row, unsigned column)
{
    return cells[row * VGA_COLUMNS + column] >> 8;
}

TEST("console", "screen: text, \\r, \\b, \\t: where a terminal puts them")
{
    show_on_empty_screen("ab\rc\nde\bf\tg");
    EXPECT_EQUAL(character_at(0, 0), 'c');
    EXPECT_EQUAL(character_at(0, 1), 'b');
    EXPECT_EQUAL(character_at(1, 1), 'f');
    EXPECT_EQUAL(character_at(1, 8), 'g');
    EXPECT_EQUAL(screen->column, 9);
    show_on_empty_screen("\b\bx");
    EXPECT_EQUAL(character_at(0, 0), 'x');
}

TEST("console", "screen: 80 characters and a line feed: one row, not two")
{
    show_on_empty_screen("");
    for (unsigned i = 0; i < VGA_COLUMNS; i++)
        show("x");
    EXPECT_EQUAL(screen->row, 0);
    show("\ny");
    EXPECT_EQUAL(character_at(1, 0), 'y');
}

TEST("console", "screen: a line too many: scrolls up, writes nothing behind the screen")
{
    show_on_empty_screen("first\nsecond");
    for (unsigned i = 0; i < VGA_ROWS - 1; i++)
        show("\n");
    EXPECT_EQUAL(character_at(0, 0), 's');
    EXPECT_EQUAL(character_at(VGA_ROWS - 1, 0), ' ');
    for (unsigned i = 0; i < 3 * VGA_CELLS; i++)
        show("#");
    EXPECT_EQUAL(character_at(VGA_ROWS - 1, VGA_COLUMNS - 1), '#');
    EXPECT_EQUAL(cells[VGA_CELLS], 0xDEAD);
}

TEST("console", "screen: colours: SGR numbers as VGA attributes")
{
    show_on_empty_screen("a\033[31mb\033[1mc\033[0;44md\033[97me\033[7mf\033[0mg\033[mh");
    EXPECT_EQUAL(colours_at(0, 0), GREY_ON_BLACK);
    EXPECT_EQUAL(colours_at(0, 1), 0x04); /* red has bit 2 on a VGA */
    EXPECT_EQUAL(colours_at(0, 2), 0x0C);
    EXPECT_EQUAL(colours_at(0, 3), 0x17);
    EXPECT_EQUAL(colours_at(0, 4), 0x1F);
    EXPECT_EQUAL(colours_at(0, 5), 0x71);
    EXPECT_EQUAL(colours_at(0, 6), GREY_ON_BLACK);
    EXPECT_EQUAL(character_at(0, 7), 'h');
}

TEST("console", "screen: unknown or endless sequences: swallowed")
{
    show_on_empty_screen("\033[2Ja\033[99999999999;1;2;3;4;5;6;7;8;9;10;11Hb\033Xc");
    EXPECT_EQUAL(character_at(0, 0), 'a');
    EXPECT_EQUAL(character_at(0, 1), 'b');
    EXPECT_EQUAL(character_at(0, 2), 'c');
    EXPECT_EQUAL(colours_at(0, 2), GREY_ON_BLACK);
}

/* The keys that the COUNT codes give, those without one left out. */
static unsigned type(const uint8_t *codes, unsigned count, int *keys)
{
    struct keyboard_decoder decoder = {0};
    unsigned found = 0;

    for (unsigned i = 0; i < count; i++) {
        int key = keyboard_decode(&decoder, codes[i]);

        if (key >= 0)
            keys[found++] = key;
    }
    return found;
}

#define EXPECT_KEYS(codes, ...)                                                                    \
    do {                                                                                           \
        const int wanted[] = {__VA_ARGS__};                                                        \
        int keys[ARRAY_LENGTH(codes)] = {0};                                                       \
        EXPECT_EQUAL(type(codes, ARRAY_LENGTH(codes), keys), ARRAY_LENGTH(wanted));                \
        EXPECT(memcmp(keys, wanted, sizeof(wanted)) == 0);                                         \
    } while (0)

TEST("console", "keyboard: shift, control, caps lock: while they are held, or on")
{
    static const uint8_t shift[] = {0x1E, 0x9E, 0x2A, 0x1E, 0x9E, 0x02, 0x82, 0xAA, 0x1E};
    static const uint8_t control[] = {0x1D, 0x2E, 0x02, 0x9D, 0x2E};
    static const uint8_t caps[] = {0x3A, 0xBA, 0x1E, 0x02, 0x2A, 0x1E, 0xAA, 0x3A, 0xBA, 0x1E};

    EXPECT_KEYS(shift, 'a', 'A', '!', 'a');
    EXPECT_KEYS(control, 3, 'c');
    EXPECT_KEYS(caps, 'A', '1', 'a', 'a');
}

TEST("console", "keyboard: cursor keys with their fake shifts: no shift stays behind")
{
    static const uint8_t up[] = {0xE0, 0x2A, 0xE0, 0x48, 0xE0, 0xC8, 0xE0, 0xAA, 0x1E};
    static const uint8_t others[] = {0xE0, 0x4B, 0xE0, 0x4D, 0xE0, 0x47, 0xE0, 0x53, 0x48};

    EXPECT_KEYS(up, KEY_UP, 'a');
    EXPECT_KEYS(others, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_DELETE, '8');
}

TEST("console", "keyboard: enter, backspace, space, slash, pause: in their places")
{
    static const uint8_t codes[] = {0x1C, 0x0E, 0x39, 0x35, 0x2B, 0x56, 0x53, 0xE0,
                                    0x35, 0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0x2C};

    EXPECT_KEYS(codes, '\n', '\b', ' ', '/', '\\', '.', '/', 'z');
}

/* The keys that TEXT from a terminal gives. */
static unsigned receive(const char *text, int *keys)
{
    struct serial_decoder decoder = {0};
    unsigned found = 0;

    for (; *text != '\0'; text++) {
        int key = serial_decode(&decoder, (uint8_t)*text);

        if (key >= 0)
            keys[found++] = key;
    }
    return found;
}

TEST("console", "serial: carriage return, DEL and sequences: as the keys that they are")
{
    static const int wanted[] = {'a',      '\n',     '\n',       '\b',     '\b',     3,
                                 KEY_UP,   KEY_DOWN, KEY_RIGHT,  KEY_LEFT, KEY_HOME, KEY_END,
                                 KEY_HOME, KEY_END,  KEY_DELETE, 'z'};
    int keys[40];

    EXPECT_EQUAL(
        receive("a\r\n\b\x7F\x03\033[A\033[B\033OC\033[D\033[H\033[F\033[1~\033[4~\033[3~z", keys),
        ARRAY_LENGTH(wanted));
    EXPECT(memcmp(keys, wanted, sizeof(wanted)) == 0);
}

TEST("console", "serial: sequences unknown or broken off: nothing, and what follows is right")
{
    static const int wanted[] = {'a', 'b', 'c', KEY_UP, '\n', 'd'};
    int keys[40];

    EXPECT_EQUAL(receive("a\033[15~b\033[1;5;99999999999999Qc\033\033[A\033[3\r\xC3\xA4"
                         "d",
                         keys),
                 ARRAY_LENGTH(wanted));
    EXPECT(memcmp(keys, wanted, sizeof(wanted)) == 0);
}

static struct key_ring ring;
_Static_assert('x' != KEY_ATTENTION, "an ordinary key");

static void begin_ring(bool is_watched)
{
    ring = (struct key_ring){0};
    key_ring_watch(&ring, is_watched);
}

static void put_others(unsigned count)
{
    while (count-- > 0)
        key_ring_put(&ring, 'x');
}

static unsigned count_others(void)
{
    unsigned count = 0;
    while (key_ring_take(&ring) == 'x')
        count++;
    return count;
}

TEST("console", "the key in a burst, at each place of it: seen, with the keys that came before it")
{
    enum { BURST = 2 * RING_KEYS };
    for (unsigned place = 0; place <= BURST; place++) {
        unsigned ahead = ~0u;
        begin_ring(true);
        put_others(place);
        key_ring_put(&ring, KEY_ATTENTION);
        put_others(BURST - place);
        EXPECT(key_ring_take_attention(&ring, &ahead));
        EXPECT_EQUAL(ahead, place < RING_KEYS ? place : RING_KEYS);
        EXPECT(!key_ring_take_attention(&ring, &ahead));
        EXPECT_EQUAL(count_others(), RING_KEYS);
        EXPECT(ring.has_lost);
    }
}

TEST("console", "the key, with keys taken since: those that still wait are ahead of it")
{
    unsigned ahead;
    begin_ring(true);
    ring.taken = ring.put = 0u - 3; /* the counters wrap */
    put_others(5);
    key_ring_put(&ring, KEY_ATTENTION);
    put_others(1);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQUAL(key_ring_take(&ring), 'x');
    EXPECT(key_ring_take_attention(&ring, &ahead));
    EXPECT_EQUAL(ahead, 1);
    key_ring_put(&ring, KEY_ATTENTION);
    EXPECT_EQUAL(count_others(), 2);
    EXPECT(key_ring_take_attention(&ring, &ahead));
    EXPECT_EQUAL(ahead, 0);
}

TEST("console", "the key, seen while keys are taken: those behind it are not taken before it is")
{
    unsigned ahead;
    begin_ring(true);
    put_others(2);
    key_ring_put(&ring, KEY_ATTENTION);
    put_others(3);
    EXPECT_EQUAL(count_others(), 2);
    EXPECT_EQUAL(key_ring_take(&ring), -1);
    EXPECT(key_ring_take_attention(&ring, &ahead));
    EXPECT_EQUAL(ahead, 0);
    EXPECT_EQUAL(count_others(), 3);
}

TEST("console", "the key at a ring that nobody watches: is one of the others, until it is watched")
{
    unsigned ahead;
    begin_ring(false);
    key_ring_put(&ring, KEY_ATTENTION);
    EXPECT_EQUAL(key_ring_take(&ring), KEY_ATTENTION);
    put_others(7);
    key_ring_put(&ring, KEY_ATTENTION);
    put_others(2);
    EXPECT(!key_ring_take_attention(&ring, &ahead));
    key_ring_watch(&ring, true);
    EXPECT(key_ring_take_attention(&ring, &ahead));
    EXPECT_EQUAL(ahead, 7);
    EXPECT_EQUAL(count_others(), 9);
    EXPECT(!ring.has_lost);
}

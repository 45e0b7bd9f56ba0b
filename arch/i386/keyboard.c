/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The PS/2 keyboard.
 *
 * No wait is without a bound: where there is no controller the status port reads as ones, and some
 * imitations never answer. The keyboard itself is told its scan code set, and to scan: the
 * firmware, or a loader, may have left it otherwise. If it does not answer, it is taken as it is.
 * LEDs, repeat rates and layouts other than US are not set.
 */
#include <arch/i386/io.h>
#include <arch/i386/keyboard.h>
#include <kernel/console.h>

enum {
    I8042_DATA = 0x60,
    I8042_STATUS = 0x64,       /* read */
    I8042_COMMAND = 0x64,      /* written */
    STATUS_OUTPUT_FULL = 0x01, /* a byte waits for us */
    STATUS_INPUT_FULL = 0x02,  /* it has not taken our last byte yet */
    STATUS_FROM_MOUSE = 0x20,
    STATUS_ABSENT = 0xFF,
    COMMAND_READ_CONFIGURATION = 0x20,
    COMMAND_WRITE_CONFIGURATION = 0x60,
    COMMAND_DISABLE_KEYBOARD = 0xAD,
    COMMAND_ENABLE_KEYBOARD = 0xAE,
    CONFIGURATION_INTERRUPT = 0x01,
    CONFIGURATION_CLOCK_OFF = 0x10,
    CONFIGURATION_TRANSLATE = 0x40,
    READY_POLLS = 50000,  /* some 50 ms */
    KEYBOARD_SCAN = 0xF4, /* commands of the keyboard itself */
    KEYBOARD_STOP = 0xF5,
    KEYBOARD_SET = 0xF0, /* the number of the scan code set follows */
    SCAN_CODE_SET = 2,   /* the one that the controller translates */
    ANSWER_TAKEN = 0xFA,
    ANSWER_BYTES = 4, /* of others that may come before it */
    EARLY_CODES = 16, /* a controller holds one, an imitation may hold more */
    MOUSE_BYTES = 16, /* that are thrown away in one go */
};

enum {
    CODE_EXTENDED = 0xE0,
    CODE_PAUSE = 0xE1, /* two more follow */
    CODE_RELEASED = 0x80,
    CODE_CONTROL = 0x1D,
    CODE_LEFT_SHIFT = 0x2A,
    CODE_RIGHT_SHIFT = 0x36,
    CODE_CAPS_LOCK = 0x3A,
};

static struct {
    bool present;
    uint8_t early[EARLY_CODES]; /* typed before keyboard_init */
    unsigned early_count, early_next;
} keyboard;

/* Scan codes 0x00-0x53 without shift and with it; '\0' where there is no character. */
static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 "
                            "\0\0\0\0\0\0\0\0\0\0\0\0\000789-456+1230.";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 "
    "\0\0\0\0\0\0\0\0\0\0\0\0\000789-456+1230.";
_Static_assert(sizeof(plain) == 0x54 + 1 && sizeof(shifted) == sizeof(plain), "a code each");

static bool wait_for_status(uint8_t mask, uint8_t wanted)
{
    for (unsigned polls = READY_POLLS; polls > 0; polls--)
        if ((inb(I8042_STATUS) & mask) == wanted)
            return true;
    return false;
}

static bool send(uint16_t port, uint8_t byte)
{
    if (!wait_for_status(STATUS_INPUT_FULL, 0))
        return false;
    outb(port, byte);
    return true;
}

/* The next scan code that the controller holds, or -1. */
static int read_code(void)
{
    for (unsigned i = 0; i < MOUSE_BYTES; i++) {
        uint8_t status = inb(I8042_STATUS);
        uint8_t code;

        if (status == STATUS_ABSENT || !(status & STATUS_OUTPUT_FULL))
            return -1;
        code = inb(I8042_DATA);
        if (!(status & STATUS_FROM_MOUSE))
            return code;
    }
    return -1;
}

/* With the keyboard's line held, what is there now was typed before: keep it. */
static void keep_early_codes(void)
{
    while (keyboard.early_count < EARLY_CODES) {
        int code = read_code();

        if (code < 0)
            break;
        keyboard.early[keyboard.early_count++] = (uint8_t)code;
    }
}

/* Send BYTE to the keyboard, which says that it has taken it. The controller must not translate. */
static bool tell_keyboard(uint8_t byte)
{
    if (!send(I8042_DATA, byte))
        return false;
    for (unsigned i = 0; i < ANSWER_BYTES; i++) {
        if (!wait_for_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL))
            return false;
        if (read_code() == ANSWER_TAKEN)
            return true;
    }
    return false;
}

/* Whatever set it was in, and whether it scanned or not. Sent while the controller does not
 * translate. */
static void set_up_keyboard(void)
{
    if (tell_keyboard(KEYBOARD_STOP) && tell_keyboard(KEYBOARD_SET))
        (void)tell_keyboard(SCAN_CODE_SET);
    (void)tell_keyboard(KEYBOARD_SCAN);
}

static bool configure(uint8_t configuration)
{
    return send(I8042_COMMAND, COMMAND_WRITE_CONFIGURATION) && send(I8042_DATA, configuration);
}

bool keyboard_init(void)
{
    uint8_t configuration;

    if (inb(I8042_STATUS) == STATUS_ABSENT || !send(I8042_COMMAND, COMMAND_DISABLE_KEYBOARD))
        return false;
    keep_early_codes();
    if (!send(I8042_COMMAND, COMMAND_READ_CONFIGURATION) ||
        !wait_for_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL))
        return false;
    configuration = inb(I8042_DATA);
    configuration &=
        (uint8_t) ~(CONFIGURATION_CLOCK_OFF | CONFIGURATION_INTERRUPT | CONFIGURATION_TRANSLATE);
    if (!configure(configuration) || !send(I8042_COMMAND, COMMAND_ENABLE_KEYBOARD))
        return false;
    set_up_keyboard();
    keyboard.present = configure(configuration | CONFIGURATION_INTERRUPT | CONFIGURATION_TRANSLATE);
    return keyboard.present;
}

int keyboard_read(void)
{
    if (keyboard.early_next < keyboard.early_count)
        return keyboard.early[keyboard.early_next++];
    return keyboard.present ? read_code() : -1;
}

/* A key behind the prefix 0xE0. The shift codes there are fakes that frame the cursor keys. */
static int decode_extended(struct keyboard_decoder *decoder, uint8_t code, bool pressed)
{
    if (code == CODE_CONTROL)
        decoder->control = pressed;
    if (!pressed)
        return -1;
    switch (code) {
    case 0x1C: /* Enter of the number pad */
        return '\n';
    case 0x35:
        return '/';
    case 0x47:
        return KEY_HOME;
    case 0x48:
        return KEY_UP;
    case 0x4B:
        return KEY_LEFT;
    case 0x4D:
        return KEY_RIGHT;
    case 0x4F:
        return KEY_END;
    case 0x50:
        return KEY_DOWN;
    case 0x53:
        return KEY_DELETE;
    default:
        return -1;
    }
}

static int decode_character(const struct keyboard_decoder *decoder, uint8_t code)
{
    bool letter;
    char key;

    if (code >= sizeof(plain) - 1 || plain[code] == '\0')
        return -1;
    letter = plain[code] >= 'a' && plain[code] <= 'z';
    if (decoder->control)
        return letter ? plain[code] & 0x1F : -1;
    key = decoder->shift != (letter && decoder->caps_lock) ? shifted[code] : plain[code];
    return key;
}

int keyboard_decode(struct keyboard_decoder *decoder, uint8_t code)
{
    bool pressed = !(code & CODE_RELEASED);
    bool extended = decoder->extended;

    if (decoder->skip_left > 0) {
        decoder->skip_left--;
        return -1;
    }
    decoder->extended = code == CODE_EXTENDED;
    if (code == CODE_EXTENDED)
        return -1;
    if (code == CODE_PAUSE) {
        decoder->skip_left = 2;
        return -1;
    }
    code &= CODE_RELEASED - 1; /* it is the highest bit */
    if (extended)
        return decode_extended(decoder, code, pressed);
    if (code == CODE_LEFT_SHIFT || code == CODE_RIGHT_SHIFT)
        decoder->shift = pressed;
    else if (code == CODE_CONTROL)
        decoder->control = pressed;
    else if (code == CODE_CAPS_LOCK)
        decoder->caps_lock ^= pressed;
    else if (pressed)
        return decode_character(decoder, code);
    return -1;
}

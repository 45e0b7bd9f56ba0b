/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. One console made of those that are there: text goes to all, keys come from any.
 *
 * Keys wait in a ring that interrupts and polling fill alike. Nothing here is locked: interrupts
 * are off in the kernel but inside console_read_key's sleep. When the ring is full, bytes stay in
 * the devices.
 */
#include <arch/i386/cpu.h>
#include <arch/i386/keyboard.h>
#include <arch/i386/pic.h>
#include <arch/i386/serial.h>
#include <arch/i386/vga.h>
#include <kernel/console.h>

enum { RING_KEYS = 256 }; /* a power of two */

static struct {
    bool has_serial, has_screen, has_keyboard;
    bool listens; /* the devices' interrupts have been let through */
    struct vga vga;
    struct screen screen;
    struct keyboard_decoder keyboard_decoder;
    struct serial_decoder serial_decoder;
    uint16_t ring[RING_KEYS];
    unsigned taken, put; /* keys so far; the ring holds put - taken */
} console;

void console_init(volatile uint16_t *vga)
{
    console.has_serial = serial_init();
    console.has_screen = vga != NULL;
    if (console.has_screen) {
        vga_init(&console.vga, vga);
        screen_init(&console.screen, &console.vga.device);
    }
    console.has_keyboard = keyboard_init();
}

/* Send a piece of text with a carriage return before each of its line feeds. */
static void write_serial(const char *text, size_t bytes)
{
    size_t start = 0;

    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '\n')
            continue;
        serial_write(text + start, i - start);
        serial_write("\r\n", 2);
        start = i + 1;
    }
    serial_write(text + start, bytes - start);
}

void console_show_on(struct screen_device *device)
{
    if (console.has_screen)
        screen_move(&console.screen, device);
    else
        screen_init(&console.screen, device);
    console.has_screen = true;
}

/* The serial line first: if the screen faults, what was to be said is out. */
void console_write(const char *text, size_t bytes)
{
    if (console.has_serial)
        write_serial(text, bytes);
    if (console.has_screen)
        screen_write(&console.screen, text, bytes);
}

static bool ring_has_room(void)
{
    return console.put - console.taken < RING_KEYS;
}

static void ring_put(int key)
{
    if (key >= 0)
        console.ring[console.put++ % RING_KEYS] = (uint16_t)key;
}

static void read_keyboard(void)
{
    int code;

    while (ring_has_room() && (code = keyboard_read()) >= 0)
        ring_put(keyboard_decode(&console.keyboard_decoder, (uint8_t)code));
}

static void read_serial(void)
{
    int byte;

    while (ring_has_room() && (byte = serial_read()) >= 0)
        ring_put(serial_decode(&console.serial_decoder, (uint8_t)byte));
}

void console_interrupt(unsigned irq)
{
    if (irq == KEYBOARD_IRQ)
        read_keyboard();
    else if (irq == SERIAL_IRQ)
        read_serial();
}

static void read_devices(void)
{
    if (console.has_serial)
        read_serial();
    if (console.has_keyboard)
        read_keyboard();
}

bool console_take_key(int key)
{
    read_devices();
    for (unsigned place = console.taken; place != console.put; place++) {
        if (console.ring[place % RING_KEYS] != key)
            continue;
        for (; place != console.taken; place--)
            console.ring[place % RING_KEYS] = console.ring[(place - 1) % RING_KEYS];
        console.taken++;
        return true;
    }
    return false;
}

int console_poll_key(void)
{
    read_devices();
    if (console.taken == console.put)
        return -1;
    return console.ring[console.taken++ % RING_KEYS];
}

/* The controllers must have been set up. */
void console_listen(void)
{
    if (console.listens)
        return;
    if (console.has_keyboard)
        pic_unmask(KEYBOARD_IRQ);
    if (console.has_serial)
        pic_unmask(SERIAL_IRQ);
    console.listens = true;
}

int console_read_key(void)
{
    int key;

    console_listen();
    /*
     * The controllers take edges: a device that still holds a byte raises no new interrupt. Each
     * turn therefore empties both (the ring is empty before a sleep, so there is room).
     */
    while ((key = console_poll_key()) < 0)
        cpu_idle();
    return key;
}

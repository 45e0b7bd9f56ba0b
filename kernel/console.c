/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. One console made of those that are there: text goes to all, keys come from any.
 *
 * Keys wait in a ring that interrupts and polling fill alike. Nothing here is locked: interrupts
 * are off in the kernel but inside console_read_key's sleep. When the ring is full, bytes stay in
 * the serial line's device, whose sender may wait for us, until console_drop_keys; a keyboard waits
 * for nobody.
 */
#include <arch/i386/cpu.h>
#include <arch/i386/keyboard.h>
#include <arch/i386/pic.h>
#include <arch/i386/serial.h>
#include <arch/i386/vga.h>
#include <kernel/console.h>

#include "key_ring.h"

static struct {
    bool has_serial, has_screen, has_keyboard;
    bool listens; /* the devices' interrupts have been let through */
    struct vga vga;
    struct screen screen;
    struct keyboard_decoder keyboard_decoder;
    struct serial_decoder serial_decoder;
    struct key_ring keys;
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

static void put_key(int key)
{
    key_ring_put(&console.keys, key);
}

static void read_keyboard(void)
{
    int code;

    while ((key_ring_has_room(&console.keys) || console.keys.is_watched) &&
           (code = keyboard_read()) >= 0)
        put_key(keyboard_decode(&console.keyboard_decoder, (uint8_t)code));
}

enum when_full { BYTES_STAY, BYTES_ARE_DROPPED };

static void read_serial(enum when_full when_full)
{
    int byte;

    while ((key_ring_has_room(&console.keys) || when_full == BYTES_ARE_DROPPED) &&
           (byte = serial_read()) >= 0)
        put_key(serial_decode(&console.serial_decoder, (uint8_t)byte));
    unsigned events = serial_take_events();
    if (events & SERIAL_BREAK)
        put_key(KEY_ATTENTION);
    if (events & SERIAL_OVERRUN)
        console.keys.has_lost = true;
}

void console_interrupt(unsigned irq)
{
    if (irq == KEYBOARD_IRQ)
        read_keyboard();
    else if (irq == SERIAL_IRQ)
        read_serial(BYTES_STAY);
}

static void read_devices(enum when_full when_full)
{
    if (console.has_serial)
        read_serial(when_full);
    if (console.has_keyboard)
        read_keyboard();
}

void console_watch(bool is_watched)
{
    key_ring_watch(&console.keys, is_watched);
}

bool console_take_attention(unsigned *ahead)
{
    read_devices(BYTES_STAY);
    return key_ring_take_attention(&console.keys, ahead);
}

void console_drop_keys(void)
{
    read_devices(BYTES_ARE_DROPPED);
}

bool console_take_loss(void)
{
    bool has_lost = console.keys.has_lost;

    console.keys.has_lost = false;
    return has_lost;
}

int console_poll_key(void)
{
    read_devices(BYTES_STAY);
    return key_ring_take(&console.keys);
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

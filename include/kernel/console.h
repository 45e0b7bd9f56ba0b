/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: printk, main, layer 2 (framebuffer), file/terminal*.c, prompt/.
 *
 * Output goes to every console that is there (serial COM1 and a screen, both at once); input comes
 * from any of them (serial and PS/2 keyboard). Consoles know no layer: a framebuffer is handed over
 * as a ready pointer.
 */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <kernel/types.h>

/* Find COM1 and the VGA text screen at the mapped address VGA (NULL: none). Never hangs. */
void console_init(volatile uint16_t *vga);

struct screen_device;

/*
 * Show the screen on DEVICE (kernel/screen.h) from here on: a framebuffer that has been mapped.
 * What was shown so far is shown there, too.
 */
void console_show_on(struct screen_device *device);

/* Write BYTES bytes to every console; "\n" becomes "\r\n" on the serial line. */
void console_write(const char *text, size_t bytes);

/*
 * The next key, waiting for it with `sti; hlt`: an ASCII character, '\b', '\t', '\n', 0x03 for ^C,
 * or one of KEY_*.
 */
int console_read_key(void);

/* The next key if one is there, else -1. Works with interrupts off. */
int console_poll_key(void);

/* From here on keys arrive by interrupt, as far as interrupts are on. */
void console_listen(void);

/* ^], and a break on the serial line: processes are to stop, and the prompt to open. */
enum { KEY_ATTENTION = 0x1D };

/*
 * From here on (or no longer) that key is kept apart from the others: it is seen as soon as its
 * byte has left the device, whatever waits before it. Unwatched it is a key like any other.
 */
void console_watch(bool is_watched);

/* It came: forget it. AHEAD: how many of the waiting keys came before it. Works as console_poll_key
 */
bool console_take_attention(unsigned *ahead);

/*
 * Empty the devices, though nobody takes the keys: those that find no room are lost, so that the
 * one key is seen behind them.
 */
void console_drop_keys(void);

/* Whether keys have been lost since this was asked last, here or in a device. */
bool console_take_loss(void);

enum { KEY_UP = 0x101, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_DELETE };

/* Called by the trap code for IRQ 1 (keyboard) and IRQ 4 (COM1): moves bytes into the key buffer.
 */
void console_interrupt(unsigned irq);

#endif

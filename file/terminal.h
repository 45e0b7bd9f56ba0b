/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. What terminal.c (the line) and terminal_calls.c (what programs see of it) share.
 *
 * Constants and layouts: Linux manual pages termios(3), ioctl_tty(2), and the i386 ABI.
 */
#ifndef FILE_TERMINAL_H
#define FILE_TERMINAL_H

#include "open_file.h"

enum input_flags { IGNCR = 0200, ICRNL = 0400, IXON = 02000 };
enum output_flags { OPOST = 01, ONLCR = 04 };
enum control_flags { B38400 = 017, CS8 = 060, CREAD = 0200, HUPCL = 02000 };
enum local_flags {
    ISIG = 01,
    ICANON = 02,
    ECHO = 010,
    ECHOE = 020,
    ECHOK = 040,
    ECHONL = 0100,
    NOFLSH = 0200,
    ECHOCTL = 01000,
    ECHOKE = 04000,
    IEXTEN = 0100000,
};

/* Indices of special characters; 0 as a character switches one off. */
enum control_character {
    VINTR = 0,
    VQUIT = 1,
    VERASE = 2,
    VKILL = 3,
    VEOF = 4,
    VTIME = 5,
    VMIN = 6,
    VSTART = 8,
    VSTOP = 9,
    VSUSP = 10,
    VEOL = 11,
    VREPRINT = 12,
    VDISCARD = 13,
    VWERASE = 14,
    VLNEXT = 15,
    VEOL2 = 16,
    CONTROL_CHARACTERS = 19,
};

/* struct termios of the kernel's ABI; the C library's is another one. */
struct termios {
    uint32_t input, output, control, local;
    uint8_t discipline;
    uint8_t characters[CONTROL_CHARACTERS];
};
_Static_assert(sizeof(struct termios) == 36, "as the i386 ABI has it");

struct window_size {
    uint16_t rows, columns, width, height;
};

enum { INPUT_CHARACTERS = 4096 }; /* a power of two, as much as Linux keeps */

/* In the ring of input: not a character, but where ^D ended a line. */
enum { END_MARK = 0x100 };

/* The terminal: there is one. */
struct terminal {
    struct termios settings;
    struct window_size window;
    /*
     * Input so far: characters taken by programs, those that programs may take, and all. Between
     * the last two is the line that is still being edited.
     */
    uint32_t taken, ready, put;
    uint16_t ring[INPUT_CHARACTERS];
    uint32_t last_key_tick;
    uint32_t group, session; /* whom its keys send signals to; who may change that: 0 is anybody */
    enum { NOBODY_WAITS, SOMEBODY_WAITS } readers; /* they sleep on the address of `taken` */
    enum { NOBODY_POLLS, SOMEBODY_POLLS } pollers;
};

extern struct terminal terminal;

/* The settings of a terminal that nobody has changed. */
extern const struct termios terminal_default_settings;

/* Change the settings; input that was being edited is handed out as it is when editing ends. */
void terminal_set(const struct termios *settings);

/* Throw away what was typed and not yet read. */
void terminal_flush_input(void);

/* How many characters one read may take now; in canonical mode at most a line. */
uint32_t terminal_readable(void);

#endif

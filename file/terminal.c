/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. The terminal's input: from keys to the characters that programs read.
 *
 * Keys become characters, special ones signals or edits of the line, the others wait in a ring. In
 * canonical mode a line is handed out when it is complete; in the other one each character is.
 * Complete lines are not dropped here: while they fill the ring, further keys are refused. Only a
 * single line that is longer than the ring loses its end, as in Linux.
 * It has no job control stops by default: ^Z is a character like any other until a program sets it.
 */
#include "terminal.h"

#include <kernel/console.h>
#include <kernel/string.h>
#include <process/signal.h>
#include <process/timer.h>

#define CONTROL(letter) ((letter)&0x1F)

enum { DELETE = 0x7F, ROWS = 25, COLUMNS = 80 };

/* What a terminal is like that nobody has changed. */
#define DEFAULT_SETTINGS                                                                           \
    {                                                                                              \
        .input = ICRNL | IXON, .output = OPOST | ONLCR, .control = B38400 | CS8 | CREAD | HUPCL,   \
        .local = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,                 \
        .characters = {                                                                            \
            [VINTR] = CONTROL('C'),    [VQUIT] = CONTROL('\\'),  [VERASE] = DELETE,                \
            [VKILL] = CONTROL('U'),    [VEOF] = CONTROL('D'),    [VMIN] = 1,                       \
            [VSTART] = CONTROL('Q'),   [VSTOP] = CONTROL('S'),   [VREPRINT] = CONTROL('R'),        \
            [VDISCARD] = CONTROL('O'), [VWERASE] = CONTROL('W'), [VLNEXT] = CONTROL('V')},         \
    }

const struct termios terminal_default_settings = DEFAULT_SETTINGS;

struct terminal terminal = {.settings = DEFAULT_SETTINGS,
                            .window = {.rows = ROWS, .columns = COLUMNS}};

static bool has(enum local_flags flag)
{
    return (terminal.settings.local & flag) != 0;
}

/* CHARACTER is the special one that INDEX names. */
static bool is_special(enum control_character index, uint8_t character)
{
    return character != 0 && terminal.settings.characters[index] == character;
}

/* ---- the ring ---- */

static uint16_t *slot(uint32_t place)
{
    return &terminal.ring[place % INPUT_CHARACTERS];
}

static void wake_readers(void)
{
    if (terminal.readers == SOMEBODY_WAITS) {
        terminal.readers = NOBODY_WAITS;
        process_wake(&terminal.taken);
    }
    if (terminal.pollers == SOMEBODY_POLLS) {
        terminal.pollers = NOBODY_POLLS;
        poll_wake();
    }
}

/* What was put so far may be read. */
static void hand_out(void)
{
    if (terminal.ready == terminal.put)
        return;
    terminal.ready = terminal.put;
    wake_readers();
}

void terminal_flush_input(void)
{
    terminal.taken = terminal.ready = terminal.put;
}

/* There is room for PLACES more. A line that is being edited keeps the last one for its end. */
static bool has_room(uint32_t places)
{
    return terminal.put - terminal.taken + places <= INPUT_CHARACTERS;
}

static bool ends_line(uint16_t character)
{
    return character == END_MARK || character == '\n' || is_special(VEOL, (uint8_t)character) ||
           is_special(VEOL2, (uint8_t)character);
}

uint32_t terminal_readable(void)
{
    uint32_t count = terminal.ready - terminal.taken;
    if (!has(ICANON))
        return count;
    for (uint32_t i = 0; i < count; i++)
        if (ends_line(*slot(terminal.taken + i)))
            return i + 1;
    return count;
}

void terminal_set(const struct termios *settings)
{
    bool was_editing = has(ICANON);
    terminal.settings = *settings;
    if (was_editing && !has(ICANON))
        hand_out();
}

/* ---- echo ---- */

static void show(const char *text)
{
    console_write(text, strlen(text));
}

/* Columns that CHARACTER takes when it is echoed. */
static unsigned echo_width(uint16_t character)
{
    bool is_control = character < ' ' || character == DELETE;
    if (character == END_MARK)
        return 0;
    return is_control && character != '\t' && has(ECHOCTL) ? 2 : 1;
}

static void echo(uint8_t character)
{
    char text[3] = {(char)character};
    if (!has(ECHO) && !(character == '\n' && has(ECHONL) && has(ICANON)))
        return;
    if (character != '\n' && echo_width(character) == 2) {
        text[0] = '^';
        text[1] = (char)(character ^ 0x40);
    }
    show(text);
}

/* ---- editing a line ---- */

static void erase_last(void)
{
    if (terminal.put == terminal.ready)
        return;
    uint16_t character = *slot(--terminal.put);
    if (!has(ECHO) || !has(ECHOE))
        return;
    for (unsigned width = echo_width(character); width > 0; width--)
        show("\b \b");
}

static void erase_line(void)
{
    while (terminal.put != terminal.ready)
        erase_last();
}

static void erase_word(void)
{
    while (terminal.put != terminal.ready && *slot(terminal.put - 1) == ' ')
        erase_last();
    while (terminal.put != terminal.ready && *slot(terminal.put - 1) != ' ')
        erase_last();
}

/* The line is complete: END is its last character, or the mark. */
static void end_line(uint16_t end)
{
    *slot(terminal.put++) = end;
    hand_out();
}

static void take_for_line(uint8_t character)
{
    if (is_special(VERASE, character)) {
        erase_last();
    } else if (is_special(VKILL, character)) {
        erase_line();
    } else if (is_special(VWERASE, character) && has(IEXTEN)) {
        erase_word();
    } else if (is_special(VEOF, character)) {
        end_line(END_MARK);
    } else if (ends_line(character)) {
        echo(character);
        end_line(character);
    } else if (has_room(2)) {
        echo(character);
        *slot(terminal.put++) = character;
    }
}

/* ---- signals ---- */

static void send_to_group(unsigned signal, uint8_t character)
{
    echo(character);
    if (has(ECHO))
        show("\n");
    if (!has(NOFLSH))
        terminal_flush_input();
    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->group == terminal.group)
            signal_send(process, signal, 0);
}

/* CHARACTER is one that sends a signal, and has. */
static bool take_as_signal(uint8_t character)
{
    if (!has(ISIG))
        return false;
    unsigned signal = is_special(VINTR, character)   ? SIGINT
                      : is_special(VQUIT, character) ? SIGQUIT
                      : is_special(VSUSP, character) ? SIGTSTP
                                                     : 0u;
    if (signal != 0)
        send_to_group(signal, character);
    return signal != 0;
}

/* ---- keys ---- */

static void take_character(uint8_t character)
{
    if (take_as_signal(character))
        return;
    if (has(ICANON)) {
        take_for_line(character);
    } else if (has_room(1)) {
        echo(character);
        *slot(terminal.put++) = character;
        hand_out();
    }
}

/* What a terminal sends for KEY. */
static const char *sequence_of(int key)
{
    enum { FIRST = KEY_UP };
    static const char *const sequences[] = {
        [KEY_UP - FIRST] = "\033[A",     [KEY_DOWN - FIRST] = "\033[B",
        [KEY_LEFT - FIRST] = "\033[D",   [KEY_RIGHT - FIRST] = "\033[C",
        [KEY_HOME - FIRST] = "\033[H",   [KEY_END - FIRST] = "\033[F",
        [KEY_DELETE - FIRST] = "\033[3~"};
    return key >= KEY_UP && key <= KEY_DELETE ? sequences[key - FIRST] : "";
}

/* Enter sends a carriage return, which is a line feed to most programs. */
static void take_enter(void)
{
    uint32_t flags = terminal.settings.input;
    if (!(flags & IGNCR))
        take_character(flags & ICRNL ? '\n' : '\r');
}

bool terminal_take_key(int key)
{
    enum { LONGEST_SEQUENCE = 4 };
    bool has_readable = terminal.ready != terminal.taken;
    if (has_readable && !has_room(LONGEST_SEQUENCE + 1))
        return false; /* whoever reads makes room */
    terminal.last_key_tick = (uint32_t)timer_ticks();
    if (key == '\n')
        take_enter();
    else if (key == '\b')
        take_character(DELETE);
    else if (key < END_MARK)
        take_character((uint8_t)key);
    for (const char *sequence = sequence_of(key); *sequence != '\0'; sequence++)
        take_character((uint8_t)*sequence);
    return true;
}

void terminal_set_group(uint32_t group)
{
    terminal.group = terminal.session = group;
}

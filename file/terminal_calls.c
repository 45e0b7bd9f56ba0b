/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. The terminal as a file: reading, writing, and the requests of tcgetattr() and relatives.
 *
 * Output goes to the console as it is, which adds the carriage returns. There is no SIGTTIN and no
 * SIGTTOU: every process may read and write.
 */
#include "terminal.h"

#include <kernel/console.h>
#include <kernel/string.h>
#include <process/client.h>
#include <process/signal.h>
#include <process/timer.h>

enum { PIECE_BYTES = 256, TICKS_PER_TENTH = TIMER_HZ / 10 };

/* ---- writing ---- */

/* Output can be slow: a small piece at a time. */
static int32_t terminal_write(struct process *self, struct file *file, struct transfer *transfer)
{
    char piece[PIECE_BYTES];
    uint32_t done = transfer_begin(self, transfer);
    uint32_t bytes = transfer->bytes < PIECE_BYTES ? transfer->bytes : PIECE_BYTES;
    (void)file;
    if (bytes == 0)
        return (int32_t)done;
    enum kerr error = transfer_from_user(transfer, piece, bytes);
    if (error != KERR_OK)
        return transfer_failed(self, transfer, error, done);
    console_write(piece, bytes);
    done += bytes;
    return transfer->bytes > 0 ? transfer_goes_on(self, transfer, done) : (int32_t)done;
}

/* ---- reading ---- */

/* The COUNT characters that come next are taken; a mark at the end is no character. */
static int32_t take_input(struct process *self, struct transfer *transfer, uint32_t count,
                          uint32_t before)
{
    uint8_t piece[PIECE_BYTES];
    uint32_t done = 0;
    bool has_mark = terminal.ring[(terminal.taken + count - 1) % INPUT_CHARACTERS] == END_MARK;
    uint32_t characters = has_mark ? count - 1 : count;
    uint32_t left = characters < transfer->bytes ? characters : transfer->bytes;
    while (left > 0) {
        uint32_t bytes = left < PIECE_BYTES ? left : PIECE_BYTES;
        for (uint32_t i = 0; i < bytes; i++)
            piece[i] = (uint8_t)terminal.ring[(terminal.taken + i) % INPUT_CHARACTERS];
        enum kerr error = transfer_to_user(transfer, piece, bytes);
        if (error != KERR_OK)
            return transfer_failed(self, transfer, error, before + done);
        terminal.taken += bytes;
        done += bytes;
        left -= bytes;
    }
    if (has_mark && done == characters)
        terminal.taken++;
    return (int32_t)(before + done);
}

static int32_t sleep_for_input(struct process *self, const struct file *file,
                               const struct transfer *transfer, uint32_t ticks)
{
    if ((file->flags & O_NONBLOCK) || (transfer->flags & TRANSFER_NEVER_SLEEPS))
        return -EAGAIN;
    terminal.readers = SOMEBODY_WAITS;
    if (ticks != WAIT_FOR_EVER)
        return wait_sleep(self, &terminal.taken, ticks);
    return process_sleep(&terminal.taken, 0);
}

/*
 * MIN and TIME as termios(3) has them: TIME alone bounds the wait for the first character, with MIN
 * it bounds the pause between two.
 */
static int32_t read_characters(struct process *self, const struct file *file,
                               struct transfer *transfer)
{
    uint32_t count = terminal_readable();
    uint32_t least = terminal.settings.characters[VMIN];
    uint32_t ticks = terminal.settings.characters[VTIME] * TICKS_PER_TENTH;
    bool is_enough = count >= (least < transfer->bytes ? least : transfer->bytes);
    if (count > 0 && (is_enough || (file->flags & O_NONBLOCK)))
        return take_input(self, transfer, count, 0);
    if (least == 0) {
        if (!wait_is_over(self, ticks))
            return sleep_for_input(self, file, transfer, ticks);
        return 0;
    }
    if (count == 0 || ticks == 0)
        return sleep_for_input(self, file, transfer, WAIT_FOR_EVER);
    uint32_t pause = (uint32_t)timer_ticks() - terminal.last_key_tick;
    if (pause >= ticks)
        return take_input(self, transfer, count, 0);
    terminal.readers = SOMEBODY_WAITS;
    return process_sleep(&terminal.taken, timer_ticks() + (ticks - pause));
}

static int32_t terminal_read(struct process *self, struct file *file, struct transfer *transfer)
{
    uint32_t before = transfer_begin(self, transfer), count = terminal_readable();
    if (before > 0 && count == 0) /* somebody else has read the rest */
        return (int32_t)before;
    if (before > 0)
        return take_input(self, transfer, count, before);
    if (transfer->bytes == 0)
        return 0;
    if (!(terminal.settings.local & ICANON))
        return read_characters(self, file, transfer);
    return count > 0 ? take_input(self, transfer, count, 0)
                     : sleep_for_input(self, file, transfer, WAIT_FOR_EVER);
}

static uint32_t terminal_poll(struct file *file)
{
    (void)file;
    terminal.pollers = SOMEBODY_POLLS;
    return POLL_WRITABLE | (terminal_readable() > 0 ? POLL_READABLE : 0u);
}

/* ---- requests ---- */

enum terminal_request {
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCSBRK = 0x5409,
    TCXONC = 0x540A,
    TCFLSH = 0x540B,
    TIOCSCTTY = 0x540E,
    TIOCGPGRP = 0x540F,
    TIOCSPGRP = 0x5410,
    TIOCOUTQ = 0x5411,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    TIOCNOTTY = 0x5422,
    TIOCGETD = 0x5424,
    TCSBRKP = 0x5425,
    TIOCGSID = 0x5429,
};

static int32_t tell(uint32_t address, const void *structure, uint32_t bytes)
{
    enum kerr error = user_write(address, structure, bytes);
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static int32_t tell_word(uint32_t address, uint32_t word)
{
    return tell(address, &word, sizeof(word));
}

static int32_t set_settings(uint32_t request, uint32_t address)
{
    struct termios settings;
    enum kerr error = user_read(&settings, address, sizeof(settings));
    if (error != KERR_OK)
        return user_access_failed(error);
    if (request == TCSETSF)
        terminal_flush_input();
    terminal_set(&settings);
    return 0;
}

static int32_t set_window(uint32_t address)
{
    struct window_size window;
    enum kerr error = user_read(&window, address, sizeof(window));
    if (error != KERR_OK)
        return user_access_failed(error);
    terminal.window = window;
    return 0;
}

static int32_t flush(uint32_t queue)
{
    enum { TCIFLUSH, TCOFLUSH, TCIOFLUSH };
    if (queue > TCIOFLUSH)
        return -EINVAL;
    if (queue != TCOFLUSH)
        terminal_flush_input();
    return 0;
}

/* ---- who gets the signals ---- */

static bool is_session_of(const struct process *self)
{
    return terminal.session == 0 || terminal.session == self->session;
}

/* The session of process group GROUP, or 0: nobody is in it. */
static uint32_t session_of_group(uint32_t group)
{
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->group == group)
            return process->session;
    return 0;
}

static bool session_lives(uint32_t session)
{
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        if (process->session == session && process->state != PROCESS_ZOMBIE)
            return true;
    return false;
}

static int32_t set_group(const struct process *self, uint32_t address)
{
    int32_t group;
    enum kerr error = user_read(&group, address, sizeof(group));
    if (error != KERR_OK)
        return user_access_failed(error);
    if (!is_session_of(self))
        return -ENOTTY;
    if (group < 0)
        return -EINVAL;
    uint32_t session = session_of_group((uint32_t)group);
    if (session == 0)
        return -ESRCH;
    if (session != self->session)
        return -EPERM;
    terminal.group = (uint32_t)group;
    return 0;
}

/* A session's first process takes the terminal; FORCE: from another session, too. */
static int32_t take_terminal(const struct process *self, uint32_t force)
{
    if (self->session != self->pid)
        return -EPERM;
    if (terminal.session != self->session && force != 1 && terminal.session != 0 &&
        session_lives(terminal.session))
        return -EPERM;
    terminal.session = self->session;
    terminal.group = self->group;
    return 0;
}

static int32_t give_terminal_up(const struct process *self)
{
    if (!is_session_of(self))
        return -ENOTTY;
    if (self->session == self->pid)
        terminal.session = terminal.group = 0;
    return 0;
}

static int32_t terminal_ioctl(struct process *self, struct file *file, uint32_t request,
                              uint32_t argument)
{
    (void)file;
    switch (request) {
    case TCGETS:
        return tell(argument, &terminal.settings, sizeof(terminal.settings));
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_settings(request, argument);
    case TCSBRK: /* output is never on its way */
    case TCSBRKP:
    case TCXONC:
        return 0;
    case TCFLSH:
        return flush(argument);
    case TIOCGWINSZ:
        return tell(argument, &terminal.window, sizeof(terminal.window));
    case TIOCSWINSZ:
        return set_window(argument);
    case FIONREAD:
        return tell_word(argument, terminal_readable());
    case TIOCOUTQ:
    case TIOCGETD:
        return tell_word(argument, 0);
    case TIOCGPGRP:
        return tell_word(argument, terminal.group);
    case TIOCSPGRP:
        return set_group(self, argument);
    case TIOCGSID:
        return tell_word(argument, terminal.session);
    case TIOCSCTTY:
        return take_terminal(self, argument);
    case TIOCNOTTY:
        return give_terminal_up(self);
    default:
        return -ENOTTY;
    }
}

const struct file_operations terminal_operations = {
    .read = terminal_read, .write = terminal_write, .poll = terminal_poll, .ioctl = terminal_ioctl};

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The serial port COM1.
 *
 * Nothing here waits without a bound: a missing port reads as ones, and a port whose other end
 * holds the line (flow control, a full pipe behind an emulator) is never ready. It does no flow
 * control of its own.
 */
#include <arch/i386/io.h>
#include <arch/i386/serial.h>
#include <kernel/console.h>

enum { COM1 = 0x3F8, DIVISOR_115200 = 1, READY_POLLS = 1000000 }; /* a port read takes about 1 us */

enum serial_register {
    REGISTER_DATA = 0, /* divisor, low byte, while LINE_CONTROL says so */
    REGISTER_INTERRUPT_ENABLE = 1,
    REGISTER_FIFO_CONTROL = 2,
    REGISTER_LINE_CONTROL = 3,
    REGISTER_MODEM_CONTROL = 4,
    REGISTER_LINE_STATUS = 5,
    REGISTER_MODEM_STATUS = 6,
    REGISTER_SCRATCH = 7,
};

enum {
    INTERRUPT_RECEIVED = 0x01,
    FIFO_ENABLE = 0x01,
    LINE_8N1 = 0x03,
    LINE_DIVISOR_ACCESS = 0x80,
    MODEM_DTR_RTS = 0x03,
    MODEM_OUT2 = 0x08, /* on a PC: lets the interrupt through */
    MODEM_LOOPBACK = 0x10,
    STATUS_RECEIVED = 0x01,
    STATUS_OVERRUN = 0x02, /* this bit and the next are gone once they have been read */
    STATUS_BREAK = 0x10,
    STATUS_READY_TO_SEND = 0x20,
    LOOPED_RTS_OUT2 = 0x90, /* modem status: RTS seen as CTS, OUT2 as DCD */
};

static struct {
    bool present;
    bool stuck;      /* the line was not ready for a whole wait; no more waiting until it is */
    int early_byte;  /* received before serial_init; -1: none */
    unsigned events; /* that nobody has asked for yet: enum serial_event */
} com1 = {.early_byte = -1};

static uint8_t read(enum serial_register reg)
{
    return inb((uint16_t)(COM1 + reg));
}

static void write(enum serial_register reg, uint8_t value)
{
    outb((uint16_t)(COM1 + reg), value);
}

/* Whoever reads the status, to send or to receive, keeps what it says only once. */
static uint8_t line_status(void)
{
    uint8_t status = read(REGISTER_LINE_STATUS);

    if (status & STATUS_BREAK)
        com1.events |= SERIAL_BREAK;
    if (status & STATUS_OVERRUN)
        com1.events |= SERIAL_OVERRUN;
    return status;
}

/* The scratch register keeps what is written; an 8250 has none, but sees its own loopback. */
static bool is_there(void)
{
    uint8_t looped;

    write(REGISTER_SCRATCH, 0x5A);
    if (read(REGISTER_SCRATCH) == 0x5A) {
        write(REGISTER_SCRATCH, 0xA5);
        if (read(REGISTER_SCRATCH) == 0xA5)
            return true;
    }
    write(REGISTER_MODEM_CONTROL, MODEM_LOOPBACK | 0x0A);
    looped = read(REGISTER_MODEM_STATUS) & 0xF0;
    write(REGISTER_MODEM_CONTROL, MODEM_DTR_RTS);
    return looped == LOOPED_RTS_OUT2;
}

bool serial_init(void)
{
    if (!is_there())
        return false;
    write(REGISTER_INTERRUPT_ENABLE, 0);
    write(REGISTER_LINE_CONTROL, LINE_DIVISOR_ACCESS | LINE_8N1);
    write(REGISTER_DATA, DIVISOR_115200);
    write(REGISTER_INTERRUPT_ENABLE, DIVISOR_115200 >> 8);
    write(REGISTER_LINE_CONTROL, LINE_8N1);

    /*
     * Switching the FIFO on empties the receiver. With input piped into an emulator a byte waits
     * there already: take it first. In loopback the receiver is cut off from the line, and QEMU
     * does not refill it when it is read, so that no byte can arrive in between.
     */
    write(REGISTER_MODEM_CONTROL, MODEM_LOOPBACK);
    if (read(REGISTER_LINE_STATUS) & STATUS_RECEIVED)
        com1.early_byte = read(REGISTER_DATA);
    write(REGISTER_FIFO_CONTROL, FIFO_ENABLE);
    write(REGISTER_MODEM_CONTROL, MODEM_DTR_RTS | MODEM_OUT2);
    write(REGISTER_INTERRUPT_ENABLE, INTERRUPT_RECEIVED);
    com1.present = true;
    return true;
}

static bool wait_until_ready(void)
{
    for (uint32_t polls = com1.stuck ? 1 : READY_POLLS; polls > 0; polls--) {
        if (line_status() & STATUS_READY_TO_SEND) {
            com1.stuck = false;
            return true;
        }
    }
    com1.stuck = true;
    return false;
}

void serial_write(const char *text, size_t bytes)
{
    if (!com1.present)
        return;
    for (size_t i = 0; i < bytes; i++)
        if (wait_until_ready())
            write(REGISTER_DATA, (uint8_t)text[i]);
}

int serial_read(void)
{
    int byte = com1.early_byte;

    com1.early_byte = -1;
    if (byte != -1 || !com1.present)
        return byte;
    return line_status() & STATUS_RECEIVED ? read(REGISTER_DATA) : -1;
}

unsigned serial_take_events(void)
{
    unsigned events;

    if (com1.present)
        line_status();
    events = com1.events;
    com1.events = 0;
    return events;
}

/* The key whose sequence ends with the character FINAL. */
static int decode_final(unsigned number, uint8_t final)
{
    switch (final) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case '~':
        if (number == 1 || number == 7)
            return KEY_HOME;
        if (number == 4 || number == 8)
            return KEY_END;
        return number == 3 ? KEY_DELETE : -1;
    default:
        return -1;
    }
}

static int decode_plain(uint8_t byte)
{
    if (byte == '\r')
        return '\n';
    if (byte == 0x7F) /* what most terminals send for Backspace */
        return '\b';
    return byte < 0x80 && byte != 0 ? byte : -1;
}

int serial_decode(struct serial_decoder *decoder, uint8_t byte)
{
    bool after_escape = decoder->state == SERIAL_AFTER_ESCAPE;

    if (byte == '\033') {
        decoder->state = SERIAL_AFTER_ESCAPE;
        return -1;
    }
    if (after_escape && (byte == '[' || byte == 'O')) {
        decoder->state = SERIAL_IN_SEQUENCE;
        decoder->number = 0;
        return -1;
    }
    /* A lone Escape, or a sequence broken off by a control character: the byte stands for itself */
    if (decoder->state != SERIAL_IN_SEQUENCE || byte < ' ') {
        decoder->state = SERIAL_PLAIN;
        return decode_plain(byte);
    }
    if (byte >= '0' && byte <= '9' && decoder->number < 100)
        decoder->number = decoder->number * 10 + (unsigned)(byte - '0');
    if (byte < '@')
        return -1;
    decoder->state = SERIAL_PLAIN;
    return decode_final(decoder->number, byte);
}

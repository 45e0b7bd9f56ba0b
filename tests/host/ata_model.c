/* SPDX-License-Identifier: MIT */
/*
 * Host model. An ATA controller (ata_model.h).
 * Source: ATA/ATAPI-6, "Protocols"; Programming Interface for Bus Master IDE Controller 1.0.
 */
#include "ata_model.h"

#include "machine.h"
#include "ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BSY = 0x80, DRDY = 0x40, DF = 0x20, DSC = 0x10, DRQ = 0x08, ERR = 0x01 };
enum { R_DATA, R_ERROR, R_COUNT, R_LOW, R_MID, R_HIGH, R_DEVICE, R_STATUS, REGISTERS };
enum { CONTROL_NIEN = 2, CONTROL_SRST = 4, BM_ACTIVE = 1, BM_ERROR = 2, BM_INTERRUPT = 4 };
enum { PORT_BUS_MASTER = 0xC040, SECTOR_WORDS = 256 };

enum activity { NOTHING, PIO_IN, PIO_OUT, DMA, NO_DATA };

struct channel {
    uint8_t registers[REGISTERS], former[REGISTERS]; /* of those written twice: what was before */
    uint8_t status[2], error, control, multiple[2];
    enum activity activity;
    uint32_t looks_busy; /* looks at the status in which it is still busy */
    bool is_dead, is_silent, ends;
    bool is_write;
    uint64_t sector;
    uint32_t left, block_left, word; /* sectors, sectors of this block, words of this sector */
    uint16_t identity[SECTOR_WORDS];
    bool is_identify;
    bool irq;
    uint8_t bm_command, bm_status;
    uint32_t bm_table;
    uint32_t step; /* of this command */
    bool fault_is_armed;
};

struct model_drive model_drives[MODEL_DRIVES];
static struct channel channels[2];
static bool has_pci;
static uint32_t pci_address, seed;
static struct {
    enum model_fault kind;
    uint32_t at, times;
    bool has_happened;
} fault;

static void forbidden(const char *what)
{
    printf("not ok - the driver: %s\n", what);
    fflush(stdout);
    abort();
}

void model_seed(uint32_t value)
{
    seed = value;
}

uint32_t model_random(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % limit;
}

void model_fail(enum model_fault kind, uint32_t at, uint32_t times)
{
    fault.kind = kind;
    fault.at = at;
    fault.times = times;
    fault.has_happened = false;
}

bool model_has_failed(void)
{
    return fault.has_happened;
}

bool model_is_raised(unsigned number)
{
    return channels[number].irq && !(channels[number].control & CONTROL_NIEN);
}

/* ---- a drive ---- */

static unsigned selected(const struct channel *channel)
{
    return channel->registers[R_DEVICE] >> 4 & 1;
}

static struct model_drive *drive_of(struct channel *channel)
{
    return &model_drives[(channel - channels) * 2 + selected(channel)];
}

static uint8_t *status_of(struct channel *channel)
{
    return &channel->status[selected(channel)];
}

static uint8_t *place_of(struct channel *channel)
{
    struct model_drive *drive = drive_of(channel);
    if (channel->sector >= drive->sectors)
        forbidden("a sector behind the end of the drive");
    return drive->store[channel->sector % MODEL_STORE];
}

static void raise(struct channel *channel)
{
    channel->irq = true;
    channel->bm_status |= BM_INTERRUPT;
}

/* Whether the fault happens at this step: it does once in a command. */
static bool fails(struct channel *channel, enum model_fault kind)
{
    if (fault.kind != kind || !channel->fault_is_armed || channel->step != fault.at)
        return false;
    channel->fault_is_armed = false;
    fault.has_happened = true;
    return true;
}

/* A step of a command that may go wrong. Returns false if it did, and the command has ended. */
static bool take_step(struct channel *channel)
{
    uint8_t *status = status_of(channel);
    bool is_dma = channel->activity == DMA, goes_on = false;
    if (fails(channel, FAULT_ERROR)) {
        *status = DRDY | DSC | ERR;
        channel->error = 0x40;
        if (is_dma && channel->is_write) /* the drive has all, and can't write it */
            channel->bm_status &= (uint8_t)~BM_ACTIVE;
    } else if (fails(channel, FAULT_DEFECT)) {
        *status = DRDY | DF;
    } else if (fails(channel, FAULT_SILENT)) {
        channel->is_silent = true;
    } else if (fails(channel, FAULT_DEAD)) {
        channel->is_dead = channel->is_silent = true;
    } else if (fails(channel, FAULT_NO_DATA)) {
        *status = DRDY | DSC;
        channel->activity = NOTHING;
        channel->step++;
        return false; /* and without an interrupt */
    } else if (is_dma && fails(channel, FAULT_BUS)) {
        *status = DRDY | DSC;
        channel->bm_status = (uint8_t)((channel->bm_status | BM_ERROR) & ~BM_ACTIVE);
    } else if (is_dma && fails(channel, FAULT_SHORT)) {
        *status = DRDY | DSC; /* and the bus master is active still */
    } else {
        goes_on = true;
    }
    if (!goes_on) {
        channel->activity = NOTHING;
        if (!channel->is_silent)
            raise(channel);
    }
    channel->step++;
    return goes_on;
}

static void raise_unless_lost(struct channel *channel)
{
    channel->step--;
    if (!fails(channel, FAULT_INTERRUPT))
        raise(channel);
    channel->step++;
}

/* The next block is ready, or wanted; or the command ends. */
static void offer(struct channel *channel, bool with_interrupt)
{
    uint32_t multiple = channel->multiple[selected(channel)];
    uint8_t *status = status_of(channel);
    if (!take_step(channel))
        return;
    if (channel->left == 0) {
        channel->activity = NOTHING;
        *status = DRDY | DSC;
    } else {
        uint8_t command = channel->registers[R_STATUS];
        bool by_many = command == 0xC4 || command == 0xC5 || command == 0x29 || command == 0x39;
        channel->block_left = by_many && multiple < channel->left ? multiple
                              : by_many                           ? channel->left
                                                                  : 1;
        channel->word = 0;
        *status = DRDY | DSC | DRQ;
        drive_of(channel)->blocks++;
    }
    if (with_interrupt)
        raise_unless_lost(channel);
}

/* ---- DMA ---- */

static void copy_to_ram(uint32_t address, const uint8_t *from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += 4) {
        uint32_t word;
        memcpy(&word, from + i, sizeof(word));
        machine_frame_write(FRAME((address + i) >> 12), (address + i) % 4096 / 4, word);
    }
}

/* Walk the table; each piece of a sector at its place. */
static void transfer(struct channel *channel)
{
    uint32_t table = channel->bm_table, left = channel->left * 512, in_sector = 0;
    bool is_last = false;
    while (!is_last) {
        const uint32_t *entry = machine_frame(FRAME(table >> 12)) + table % 4096 / 4;
        uint32_t address = entry[0], bytes = entry[1] & 0xFFFF;
        is_last = (entry[1] & 0x80000000u) != 0;
        if (bytes == 0 || address % 2 != 0 || (address >> 16) != ((address + bytes - 1) >> 16))
            forbidden("an entry of the bus master's table that is not allowed");
        if (bytes > left)
            forbidden("a table for more bytes than the command moves");
        for (left -= bytes; bytes > 0; bytes -= 4, address += 4) {
            uint8_t *place = place_of(channel) + in_sector;
            if (channel->is_write)
                memcpy(place, machine_frame(FRAME(address >> 12)) + address % 4096 / 4, 4);
            else
                copy_to_ram(address, place, 4);
            in_sector = (in_sector + 4) % 512;
            channel->sector += in_sector == 0;
        }
        table += 8;
    }
    if (left != 0)
        forbidden("a table for fewer bytes than the command moves");
}

static void finish_dma(struct channel *channel)
{
    if (!take_step(channel))
        return;
    if (((channel->bm_command & 8) == 0) != channel->is_write)
        forbidden("the bus master's direction is not that of the command");
    transfer(channel);
    channel->activity = NOTHING;
    channel->bm_status &= (uint8_t)~BM_ACTIVE;
    *status_of(channel) = DRDY | DSC;
    drive_of(channel)->dma_transfers++;
    raise_unless_lost(channel);
}

/* ---- commands ---- */

static void make_identity(struct channel *channel)
{
    const struct model_drive *drive = drive_of(channel);
    static const char model[41] = "OMED LFOA AT                            "; /* bytes swapped */
    uint16_t *words = channel->identity;
    memset(words, 0, sizeof(channel->identity));
    for (unsigned i = 0; i < 20; i++)
        words[27 + i] = (uint16_t)(model[2 * i] | model[2 * i + 1] << 8);
    words[47] = 0x8000 | drive->multiple_max;
    words[49] = (uint16_t)(1 << 9 | drive->has_dma << 8);
    uint32_t low = drive->sectors > 0x0FFFFFFF ? 0x0FFFFFFF : (uint32_t)drive->sectors;
    words[60] = (uint16_t)low;
    words[61] = (uint16_t)(low >> 16);
    words[83] = (uint16_t)(0x4000 | drive->has_lba48 << 10 | drive->has_flush << 12 |
                           (drive->has_flush && drive->has_lba48) << 13);
    for (unsigned i = 0; i < 4; i++)
        words[100 + i] = (uint16_t)(drive->sectors >> 16 * i);
}

static uint64_t address_48(const struct channel *channel)
{
    const uint8_t *now = channel->registers, *former = channel->former;
    return now[R_LOW] | (uint64_t)now[R_MID] << 8 | (uint64_t)now[R_HIGH] << 16 |
           (uint64_t)former[R_LOW] << 24 | (uint64_t)former[R_MID] << 32 |
           (uint64_t)former[R_HIGH] << 40;
}

static void begin_transfer(struct channel *channel, uint8_t command)
{
    const uint8_t *now = channel->registers;
    bool is_48 = command == 0x24 || command == 0x25 || command == 0x29 || command == 0x34 ||
                 command == 0x35 || command == 0x39;
    bool is_dma = command == 0xC8 || command == 0xCA || command == 0x25 || command == 0x35;
    channel->is_write = command == 0xCA || command == 0x35 || command == 0xC5 || command == 0x39 ||
                        command == 0x30 || command == 0x34;
    if (!(now[R_DEVICE] & 0x40) || (is_48 && !drive_of(channel)->has_lba48))
        forbidden("an addressing that the drive does not know");
    channel->sector = is_48 ? address_48(channel)
                            : now[R_LOW] | (uint32_t)now[R_MID] << 8 | (uint32_t)now[R_HIGH] << 16 |
                                  (now[R_DEVICE] & 15u) << 24;
    channel->left = now[R_COUNT] | (is_48 ? (uint32_t)channel->former[R_COUNT] << 8 : 0);
    drive_of(channel)->extended += is_48;
    if (channel->left == 0)
        forbidden("a count of 0");
    if (!is_dma && (command & 0xF0) != 0x20 && (command & 0xF0) != 0x30 &&
        channel->multiple[selected(channel)] == 0)
        forbidden("MULTIPLE without SET MULTIPLE");
    if (is_dma && (!has_pci || !drive_of(channel)->has_dma))
        forbidden("DMA that the drive has not");
    channel->activity = is_dma ? DMA : channel->is_write ? PIO_OUT : PIO_IN;
    *status_of(channel) = DRDY | DSC | (is_dma ? DRQ : 0);
    channel->step = 0;
    if (!take_step(channel))
        return;
    if (channel->activity != DMA)
        offer(channel, channel->activity == PIO_IN);
}

static void arm(struct channel *channel)
{
    channel->fault_is_armed =
        fault.times > 0 && fault.kind != FAULT_NONE && drive_of(channel) == &model_drives[0];
    if (channel->fault_is_armed)
        fault.times--;
}

static void begin_identify(struct channel *channel)
{
    make_identity(channel);
    channel->activity = PIO_IN;
    channel->is_identify = true;
    channel->left = channel->block_left = 1;
    channel->word = 0;
    *status_of(channel) = DRDY | DSC | DRQ;
}

static void no_data(struct channel *channel)
{
    channel->activity = NO_DATA;
    channel->left = channel->step = 0;
    *status_of(channel) = DRDY | DSC;
    offer(channel, true);
}

static void command(struct channel *channel, uint8_t value)
{
    struct model_drive *drive = drive_of(channel);
    if (!drive->is_there)
        return;
    if (channel->looks_busy > 0 || channel->is_silent || (*status_of(channel) & DRQ))
        forbidden("a command while the drive is busy");
    channel->irq = channel->is_identify = false;
    channel->looks_busy = model_random(4);
    if (drive->is_packet) { /* aborted */
        *status_of(channel) = DRDY | ERR;
        channel->registers[R_MID] = 0x14;
        channel->registers[R_HIGH] = 0xEB;
        return;
    }
    if (value == 0xEC) {
        begin_identify(channel);
    } else if (value == 0xC6) {
        channel->multiple[selected(channel)] = channel->registers[R_COUNT];
        *status_of(channel) = DRDY | DSC;
    } else {
        drive->commands++;
        arm(channel);
        if (value == 0xE7 || value == 0xEA) {
            drive->flushes++;
            no_data(channel);
        } else {
            begin_transfer(channel, value);
        }
    }
}

static void soft_reset(struct channel *channel)
{
    channel->activity = NOTHING;
    channel->irq = channel->is_silent = false;
    channel->is_silent = channel->is_dead;
    channel->multiple[0] = channel->multiple[1] = 0;
    channel->bm_status &= (uint8_t)~BM_ACTIVE;
    channel->registers[R_DEVICE] = 0;
    for (unsigned i = 0; i < 2; i++)
        channel->status[i] = DRDY | DSC | ERR; /* an error bit that means nothing */
    channel->looks_busy = 20;
}

/* ---- ports ---- */

static uint16_t read_data(struct channel *channel)
{
    uint16_t value;
    if (channel->activity != PIO_IN || !(*status_of(channel) & DRQ) || channel->looks_busy > 0)
        forbidden("data read that are not there");
    if (channel->is_identify)
        value = channel->identity[channel->word];
    else
        memcpy(&value, place_of(channel) + 2 * channel->word, sizeof(value));
    return value;
}

static void write_data(struct channel *channel, uint16_t value)
{
    if (channel->activity != PIO_OUT || !(*status_of(channel) & DRQ) || channel->looks_busy > 0)
        forbidden("data written that nobody wants");
    memcpy(place_of(channel) + 2 * channel->word, &value, sizeof(value));
}

/* A word of the block has been moved. */
static void next_word(struct channel *channel)
{
    if (++channel->word < SECTOR_WORDS)
        return;
    channel->word = 0;
    channel->sector++;
    channel->left--;
    if (--channel->block_left > 0)
        return;
    channel->looks_busy = model_random(4);
    if (channel->activity == PIO_IN && channel->left == 0) { /* no interrupt behind the last one */
        channel->activity = NOTHING;
        *status_of(channel) = DRDY | DSC;
    } else {
        offer(channel, true);
    }
}

static uint8_t read_status(struct channel *channel, bool takes_interrupt)
{
    if (!drive_of(channel)->is_there)
        return 0;
    if (takes_interrupt)
        channel->irq = false;
    if (channel->is_silent)
        return BSY | DRDY;
    if (channel->looks_busy > 0) {
        channel->looks_busy--;
        return BSY;
    }
    if (channel->activity == DMA && (channel->bm_status & BM_ACTIVE)) {
        finish_dma(channel);
        channel->looks_busy = model_random(12); /* the bus is done, the drive not yet */
    }
    return channel->looks_busy > 0 ? BSY : *status_of(channel);
}

static uint8_t read_register(struct channel *channel, unsigned reg)
{
    if (reg == R_STATUS)
        return read_status(channel, true);
    if (!drive_of(channel)->is_there)
        return 0;
    return reg == R_ERROR ? channel->error : channel->registers[reg];
}

static void write_register(struct channel *channel, unsigned reg, uint8_t value)
{
    channel->former[reg] = channel->registers[reg];
    channel->registers[reg] = value;
    if (reg == R_STATUS)
        command(channel, value);
}

static void write_control(struct channel *channel, uint8_t value)
{
    if ((channel->control & CONTROL_SRST) && !(value & CONTROL_SRST))
        soft_reset(channel);
    channel->control = value;
}

static struct channel *channel_at(uint16_t port, uint16_t first, uint16_t other)
{
    return port == first ? &channels[0] : port == other ? &channels[1] : NULL;
}

/* Configuration space: one function, 1.1 of bus 0, is the controller. */
static uint32_t read_pci(void)
{
    if ((pci_address & 0xFFFF00) == 0)
        return (pci_address & 0xFC) == 0x0C ? 1u << 23 : 0x12378086;
    if ((pci_address & 0xFFFF00) >> 8 != (1 << 3 | 1) && (pci_address & 0xFFFF00) >> 8 != 1 << 3)
        return ~0u;
    bool is_controller = (pci_address & 0x700) != 0;
    switch (pci_address & 0xFC) {
    case 0x08:
        return is_controller ? 0x01018000 : 0x06010000;
    case 0x0C:
        return 1u << 23;
    case 0x20:
        return PORT_BUS_MASTER | 1;
    default:
        return 0x70108086;
    }
}

static uint32_t in_bus_master(uint16_t port)
{
    const struct channel *channel = &channels[(port - PORT_BUS_MASTER) / 8];
    return port % 8 == 2 ? channel->bm_status : port % 8 == 0 ? channel->bm_command : ~0u;
}

static void out_bus_master(uint16_t port, uint32_t value)
{
    struct channel *channel = &channels[(port - PORT_BUS_MASTER) / 8];
    if (port % 8 == 4)
        channel->bm_table = value;
    if (port % 8 == 2)
        channel->bm_status &= (uint8_t) ~(value & (BM_ERROR | BM_INTERRUPT));
    if (port % 8 != 0)
        return;
    channel->bm_command = (uint8_t)value;
    channel->bm_status = (uint8_t)((channel->bm_status & ~BM_ACTIVE) | (value & BM_ACTIVE));
}

static uint32_t in(uint16_t port, unsigned bytes)
{
    struct channel *channel;
    if (port == 0xCF8 && bytes == 4 && has_pci)
        return pci_address;
    if (port == 0xCFC && has_pci)
        return read_pci();
    if (port >= PORT_BUS_MASTER && port < PORT_BUS_MASTER + 16 && has_pci)
        return in_bus_master(port);
    if ((channel = channel_at(port & ~7u, 0x1F0, 0x170)) != NULL) {
        if (port % 8 != 0)
            return read_register(channel, port % 8);
        uint16_t value = read_data(channel);
        next_word(channel);
        return value;
    }
    channel = channel_at(port, 0x3F6, 0x376);
    return channel != NULL ? read_status(channel, false) : ~0u;
}

static void out(uint16_t port, uint32_t value, unsigned bytes)
{
    struct channel *channel;
    if (port == 0xCF8 && bytes == 4) {
        pci_address = value;
    } else if (port >= PORT_BUS_MASTER && port < PORT_BUS_MASTER + 16 && has_pci) {
        out_bus_master(port, value);
    } else if ((channel = channel_at(port & ~7u, 0x1F0, 0x170)) != NULL) {
        if (port % 8 != 0) {
            write_register(channel, port % 8, (uint8_t)value);
        } else {
            write_data(channel, (uint16_t)value);
            next_word(channel);
        }
    } else if ((channel = channel_at(port, 0x3F6, 0x376)) != NULL) {
        write_control(channel, (uint8_t)value);
    }
}

static struct channel saved[2];

void model_save(void)
{
    memcpy(saved, channels, sizeof(saved));
}

void model_restore(void)
{
    memcpy(channels, saved, sizeof(saved));
    model_fail(FAULT_NONE, 0, 0);
}

void model_plug_in(bool with_pci)
{
    static const struct ports_device device = {in, out};
    has_pci = with_pci;
    memset(channels, 0, sizeof(channels));
    for (unsigned i = 0; i < 2; i++)
        channels[i].status[0] = channels[i].status[1] = DRDY | DSC;
    model_fail(FAULT_NONE, 0, 0);
    ports_plug_in(&device);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layers 0-5, block. Used by: device/ata*.c.
 *
 * A channel of a disk controller (two plugs on one cable), its registers, and what is under way on
 * it. Names are those of the ATA standard.
 * Sources: ATA/ATAPI-6 (T13/1410D); "Programming Interface for Bus Master IDE Controller" 1.0.
 */
#ifndef DEVICE_ATA_H
#define DEVICE_ATA_H

#include <arch/i386/io.h>
#include <device/block.h>

/* Offsets from the command block's first port; by name, what is read and what is written there. */
enum ata_register {
    ATA_DATA = 0,
    ATA_ERROR = 1,
    ATA_COUNT = 2,
    ATA_LBA_LOW = 3,
    ATA_LBA_MID = 4,
    ATA_LBA_HIGH = 5,
    ATA_DEVICE = 6,
    ATA_STATUS = 7, /* reading it takes the interrupt back */
    ATA_COMMAND = 7,
};

enum ata_status {
    ATA_ERR = 0x01,
    ATA_DRQ = 0x08, /* a block is to be moved; or a DMA transfer is under way */
    ATA_DF = 0x20,
    ATA_DRDY = 0x40,
    ATA_BSY = 0x80, /* the other bits mean nothing */
    ATA_FLOATING = 0xFF,
};

enum ata_control { ATA_NIEN = 0x02, ATA_SRST = 0x04 };

enum ata_device_bit { ATA_DEVICE_ALWAYS = 0xA0, ATA_DEVICE_LBA = 0x40, ATA_DEVICE_SECOND = 0x10 };

enum ata_command {
    ATA_IDENTIFY = 0xEC,
    ATA_SET_MULTIPLE = 0xC6,
    ATA_FLUSH_CACHE = 0xE7,
    ATA_FLUSH_CACHE_EXT = 0xEA,
};

/* Offsets from the channel's first port of bus mastering. */
enum ata_bus_master_register { BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4 };
enum ata_bus_master_bit {
    BM_START = 0x01,     /* of the command */
    BM_TO_MEMORY = 0x08, /* of the command */
    BM_ACTIVE = 0x01,
    BM_ERROR = 0x02, /* this and the next are cleared by writing ones */
    BM_INTERRUPT = 0x04,
    BM_SIMPLEX = 0x80, /* only one channel of the two can transfer at a time */
};

enum { ATA_CHANNELS = 2, ATA_DRIVES = 2, ATA_MULTIPLE_MAX = 16, ATA_TRIES = 3 };

/*
 * What may take how long. A drive that sleeps takes seconds to answer; 31 s is what the standard
 * gives it after a reset, and 30 s for a flush.
 */
enum { ATA_COMMAND_MS = 10000, ATA_LONG_MS = 31000, ATA_RESET_PAUSE_MS = 2 };

struct ata_drive {
    struct block_device device;
    struct ata_channel *channel;
    uint8_t number; /* on the channel: 0, the first ("master"), or 1 */
    bool is_there;
    bool has_lba48;
    bool has_flush, has_flush_ext;
    bool uses_dma;
    uint8_t multiple; /* sectors that PIO moves at a time; 1: by READ and WRITE SECTORS */
    char mode[32];
};

enum ata_phase {
    ATA_IDLE,
    ATA_COMPLETING, /* the submitter of what was under way is told */
    ATA_SELECTED,   /* the command is written when the drive is ready for one */
    ATA_READING,    /* by PIO: waits until a block is there, or until all are */
    ATA_WRITING,
    ATA_TRANSFERRING, /* by DMA */
    ATA_FLUSHING,
    ATA_RESETTING, /* with a request under way, which is tried again or fails */
};

struct ata_channel {
    uint16_t command, control; /* ports: of the command block, and the one of control and status */
    uint16_t bus_master;       /* 0: no DMA */
    uint8_t irq;
    bool is_dead; /* did not come back from a reset */
    struct ata_drive drives[ATA_DRIVES];
    uint64_t *table; /* the transfer's places in memory; BLOCK_FRAMES_MAX entries */
    paddr_t table_address;

    enum ata_phase phase;
    struct ata_drive *drive;       /* ATA_IDLE: the last one that had a request */
    struct block_request *request; /* under way, from ATA_SELECTED on */
    uint32_t done;                 /* sectors of it that PIO has moved */
    uint32_t tries;                /* of it that have failed */
    uint32_t since;                /* of pit_stopwatch(): when it moved on last */
};

/* What a look at the hardware has shown. */
enum ata_progress {
    ATA_WAITS,
    ATA_MOVES,  /* a step further, and not at its end */
    ATA_DONE,   /* completely, and well */
    ATA_FAILED, /* the drive or the bus master reports an error */
};

static inline uint8_t ata_read(const struct ata_channel *channel, enum ata_register reg)
{
    return inb((uint16_t)(channel->command + reg));
}

static inline void ata_write(const struct ata_channel *channel, enum ata_register reg,
                             uint8_t value)
{
    outb((uint16_t)(channel->command + reg), value);
}

/* The status without taking the interrupt back. */
static inline uint8_t ata_alternate_status(const struct ata_channel *channel)
{
    return inb(channel->control);
}

/* 400 ns: until then a drive may not show that it is busy. Each read takes 100 ns or more. */
static inline void ata_pause(const struct ata_channel *channel)
{
    for (unsigned i = 0; i < 4; i++)
        (void)ata_alternate_status(channel);
}

static inline bool ata_status_failed(uint8_t status)
{
    return (status & (ATA_ERR | ATA_DF)) != 0;
}

/* MS milliseconds have passed SINCE that value of pit_stopwatch(). */
bool ata_is_over(uint32_t since, uint32_t ms);

/* Select DRIVE: its status can be read from now on. */
void ata_select(struct ata_drive *drive);

/* ---- ata_identify.c ---- */

/*
 * Ask both plugs of CHANNEL, whose ports are set, which drive is there, and what it can do. By
 * polling, without interrupts: those are allowed when it returns.
 */
void ata_identify(struct ata_channel *channel);

/* DRIVE's mode in words, after what it says has changed. */
void ata_describe_mode(struct ata_drive *drive);

/* ---- ata_pio.c: the channel's drive is selected, its request under way ---- */

/* The next block of the request, if there is one to move: after ATA_READING and ATA_WRITING. */
enum ata_progress ata_pio_read(struct ata_channel *channel);
enum ata_progress ata_pio_write(struct ata_channel *channel);

/* ---- ata_dma.c ---- */

/* Find the bus master of CHANNEL number NUMBER at PORT, the first of the controller's 16. */
void ata_dma_init(struct ata_channel *channel, unsigned number, uint16_t port);

/* Before the command is written, and after. */
void ata_dma_prepare(struct ata_channel *channel);
void ata_dma_start(struct ata_channel *channel);

/* After ATA_TRANSFERRING. */
enum ata_progress ata_dma_look(struct ata_channel *channel);

/* Nothing is transferred any more. */
void ata_dma_stop(struct ata_channel *channel);

#endif

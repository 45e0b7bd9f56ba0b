/* SPDX-License-Identifier: MIT */
/*
 * Host model. Two channels of an ATA controller with up to four drives, behind the ports
 * (tests/host/ports.h): registers, PIO, bus mastering, and what goes wrong when it is told to.
 *
 * A drive shows that it is busy for a while, whose length is random. A use of it that the standard
 * forbids ends the test: a command while it is busy, data that nobody wants, sectors that it has not.
 */
#ifndef TESTS_HOST_ATA_MODEL_H
#define TESTS_HOST_ATA_MODEL_H

#include <kernel/types.h>

enum { MODEL_DRIVES = 4, MODEL_STORE = 512 /* sectors that have a place; a number modulo this */ };

struct model_drive {
    bool is_there, is_packet; /* a CD drive answers as such */
    uint64_t sectors;
    bool has_lba48, has_dma, has_flush;
    uint8_t multiple_max;
    uint8_t (*store)[512]; /* MODEL_STORE of them */
    /* What it was asked for, since it was plugged in. */
    uint32_t commands, flushes, blocks, dma_transfers, extended;
};
extern struct model_drive model_drives[MODEL_DRIVES];

/* What goes wrong. */
enum model_fault {
    FAULT_NONE,
    FAULT_ERROR,     /* the drive ends the command with an error */
    FAULT_DEFECT,    /* the same with DF */
    FAULT_SILENT,    /* busy for ever, but for a reset */
    FAULT_NO_DATA,   /* ready, and has forgotten the command */
    FAULT_BUS,       /* DMA: the bus master reports an error */
    FAULT_SHORT,     /* DMA: the drive is done before the table's end */
    FAULT_INTERRUPT, /* no interrupt is raised */
    FAULT_DEAD,      /* busy for ever */
    FAULTS
};

/*
 * In each of the next TIMES commands to drive 0 that are no IDENTIFY FAULT happens at step AT: 0 is the command,
 * each block and the end are steps.
 */
void model_fail(enum model_fault fault, uint32_t at, uint32_t times);

/* Whether the fault has happened since, at least once. */
bool model_has_failed(void);

/* A controller with PCI and bus mastering, or without both, with the drives as model_drives says. */
void model_plug_in(bool has_pci);

/* Remember the state of the controller, but not what its drives hold; and go back there. */
void model_save(void);
void model_restore(void);

/* Channel NUMBER asks for an interrupt. */
bool model_is_raised(unsigned number);

/* A random number below LIMIT, of the model's own stream. */
uint32_t model_random(uint32_t limit);
void model_seed(uint32_t seed);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. ATA disks: what is under way on a channel, step by step, and what is done when a step
 * fails or does not come (ata.h).
 *
 * A look at a channel moves it on by one step at most. Interrupts cause looks, and so do the tick
 * and whoever polls: none of them is needed but for being in time. A request is tried three times, the
 * last time by PIO. A step that takes too long ends in a reset of the channel.
 */
#include "ata.h"

#include "pci.h"

#include <arch/i386/pic.h>
#include <arch/i386/pit.h>
#include <arch/i386/trap.h>
#include <kernel/layer.h>
#include <kernel/option.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>

static bool mode_exists(const char *mode)
{
    return strcmp(mode, "pio") == 0 || strcmp(mode, "off") == 0;
}
OPTION(ata, "ata", OPTION_TEXT, .exists = mode_exists);

/* Where a PC has them since the AT; a PCI controller in compatibility mode as well. */
static struct ata_channel channels[ATA_CHANNELS] = {
    {.command = 0x1F0, .control = 0x3F6, .irq = 14},
    {.command = 0x170, .control = 0x376, .irq = 15},
};

bool ata_is_over(uint32_t since, uint32_t ms)
{
    return pit_stopwatch() - since >= ms * (PIT_INPUT_HZ / 1000);
}

/* ---- one request ---- */

void ata_select(struct ata_drive *drive)
{
    ata_write(drive->channel, ATA_DEVICE,
              (uint8_t)(ATA_DEVICE_ALWAYS | ATA_DEVICE_LBA |
                        (drive->number != 0 ? ATA_DEVICE_SECOND : 0)));
    ata_pause(drive->channel);
}

/* The command is written as soon as the drive can take it. */
static void try_request(struct ata_channel *channel)
{
    channel->phase = ATA_SELECTED;
    channel->done = 0;
    channel->since = pit_stopwatch();
    ata_select(channel->drive);
}

/* By [operation][moved by DMA, in blocks of many sectors, sector by sector][48 bits]. */
static const uint8_t commands[2][3][2] = {
    [BLOCK_READ] = {{0xC8, 0x25}, {0xC4, 0x29}, {0x20, 0x24}},
    [BLOCK_WRITE] = {{0xCA, 0x35}, {0xC5, 0x39}, {0x30, 0x34}},
};

/* The registers that take 48 bits are written twice, the upper half first. */
static void write_address(const struct ata_channel *channel, uint64_t sector, uint32_t sectors,
                          bool is_48)
{
    uint8_t device = (uint8_t)(ATA_DEVICE_ALWAYS | ATA_DEVICE_LBA |
                               (channel->drive->number != 0 ? ATA_DEVICE_SECOND : 0));
    if (is_48) {
        ata_write(channel, ATA_COUNT, (uint8_t)(sectors >> 8));
        ata_write(channel, ATA_LBA_LOW, (uint8_t)(sector >> 24));
        ata_write(channel, ATA_LBA_MID, (uint8_t)(sector >> 32));
        ata_write(channel, ATA_LBA_HIGH, (uint8_t)(sector >> 40));
    } else {
        device = (uint8_t)(device | (sector >> 24 & 0x0F));
    }
    ata_write(channel, ATA_COUNT, (uint8_t)sectors);
    ata_write(channel, ATA_LBA_LOW, (uint8_t)sector);
    ata_write(channel, ATA_LBA_MID, (uint8_t)(sector >> 8));
    ata_write(channel, ATA_LBA_HIGH, (uint8_t)(sector >> 16));
    ata_write(channel, ATA_DEVICE, device);
}

static void command_flush(struct ata_channel *channel)
{
    channel->phase = ATA_FLUSHING;
    ata_write(channel, ATA_COMMAND,
              channel->drive->has_flush_ext ? ATA_FLUSH_CACHE_EXT : ATA_FLUSH_CACHE);
    ata_pause(channel);
}

static void command_transfer(struct ata_channel *channel)
{
    enum { BITS_28 = 0x10000000 };
    const struct ata_drive *drive = channel->drive;
    const struct block_request *request = channel->request;
    uint64_t sector = block_disk_sector(request);
    bool is_48 = sector + request->sectors > BITS_28;
    bool by_dma = drive->uses_dma && channel->tries + 1 < ATA_TRIES;
    write_address(channel, sector, request->sectors, is_48);
    if (by_dma)
        ata_dma_prepare(channel);
    ata_write(channel, ATA_COMMAND,
              commands[request->operation][by_dma                ? 0
                                           : drive->multiple > 1 ? 1
                                                                 : 2][is_48]);
    ata_pause(channel);
    channel->phase = by_dma                              ? ATA_TRANSFERRING
                     : request->operation == BLOCK_WRITE ? ATA_WRITING
                                                         : ATA_READING;
    if (by_dma)
        ata_dma_start(channel);
}

/* No interrupt says that a drive can take a command, or the first block of a write. */
static enum ata_progress write_command(struct ata_channel *channel)
{
    uint8_t status = ata_alternate_status(channel);
    if ((status & (ATA_BSY | ATA_DRQ | ATA_DRDY)) != ATA_DRDY)
        return ATA_WAITS;
    if (channel->request->operation == BLOCK_FLUSH)
        command_flush(channel);
    else
        command_transfer(channel);
    return channel->phase == ATA_WRITING ? ata_pio_write(channel) : ATA_MOVES;
}

static enum ata_progress look_at_flush(struct ata_channel *channel)
{
    uint8_t status = ata_read(channel, ATA_STATUS);
    if (status & ATA_BSY)
        return ATA_WAITS;
    return ata_status_failed(status) ? ATA_FAILED : ATA_DONE;
}

/* ---- its end ---- */

static void complete(struct ata_channel *channel, enum kerr status)
{
    struct block_request *request = channel->request;
    channel->phase = ATA_COMPLETING;
    channel->request = NULL;
    block_complete(request, status);
    channel->phase = ATA_IDLE;
}

/* What block_submit() has checked; a mistake that got here must not get to the medium. */
static enum kerr check(const struct ata_channel *channel)
{
    const struct block_request *request = channel->request;
    const struct block_device *disk = request->device->disk;
    uint64_t sector = block_disk_sector(request);
    if (request->operation != BLOCK_READ && !block_may_write(request))
        return KERR_READ_ONLY;
    if (request->operation == BLOCK_FLUSH)
        return channel->is_dead ? KERR_IO : KERR_OK;
    if (sector >= disk->sectors || request->sectors > disk->sectors - sector)
        return KERR_BAD_RANGE;
    return channel->is_dead ? KERR_IO : KERR_OK;
}

/* Take the first request of the drive that had none last, or else of the other. */
static bool take_request(struct ata_channel *channel)
{
    unsigned last = channel->drive != NULL ? channel->drive->number : 1;
    for (unsigned i = 1; i <= ATA_DRIVES; i++) {
        struct ata_drive *drive = &channel->drives[(last + i) % ATA_DRIVES];
        struct block_request *request =
            drive->is_there ? block_first_request(&drive->device) : NULL;
        if (request == NULL)
            continue;
        channel->drive = drive;
        channel->request = request;
        channel->tries = 0;
        return true;
    }
    return false;
}

/* A drive without a cache of its own has nothing to flush. */
static bool needs_command(const struct ata_channel *channel)
{
    return channel->request->operation != BLOCK_FLUSH || channel->drive->has_flush ||
           channel->drive->has_flush_ext;
}

static void ata_advance(struct ata_channel *channel);

static void begin_next(struct ata_channel *channel)
{
    while (channel->phase == ATA_IDLE && take_request(channel)) {
        enum kerr error = check(channel);
        if (error != KERR_OK || !needs_command(channel)) {
            complete(channel, error);
            continue;
        }
        try_request(channel);
        ata_advance(channel);
    }
}

static void report(const struct ata_channel *channel, const char *what)
{
    static const char *const operations[] = {"read", "write", "flush"};
    const struct block_request *request = channel->request;
    uint8_t status = ata_alternate_status(channel);
    printk("%s: %s", channel->drive->device.name, operations[request->operation]);
    if (request->operation != BLOCK_FLUSH)
        printk(" of sectors %llu + %u", (unsigned long long)block_disk_sector(request),
               (unsigned)request->sectors);
    printk(": %s (status %02x, error %02x)\n", what, status,
           status & ATA_ERR ? ata_read(channel, ATA_ERROR) : 0);
}

/* ---- what goes wrong ---- */

static void begin_reset(struct ata_channel *channel)
{
    enum { SRST_US = 5 };
    channel->drive->device.counts.resets++;
    channel->phase = ATA_RESETTING;
    outb(channel->control, ATA_SRST);
    for (unsigned i = 0; i < 2 * SRST_US; i++)
        io_wait();
    outb(channel->control, 0);
    channel->since = pit_stopwatch();
}

/*
 * A try has failed; the drive can take commands, or will be found not to. A flush is not tried again:
 * a drive goes on behind what it could not write, and the next flush would call that well done.
 */
static void try_again(struct ata_channel *channel)
{
    if (++channel->tries < ATA_TRIES && channel->request->operation != BLOCK_FLUSH) {
        channel->drive->device.counts.retries++;
        try_request(channel);
    } else {
        report(channel, "given up");
        complete(channel, KERR_IO);
    }
}

static void time_is_over(struct ata_channel *channel)
{
    if (channel->phase == ATA_RESETTING) {
        channel->is_dead = true;
        report(channel, "no answer after a reset: the drives of this channel are gone");
        complete(channel, KERR_IO);
        return;
    }
    channel->drive->device.counts.time_outs++;
    report(channel, "no answer: reset");
    if (channel->phase == ATA_TRANSFERRING)
        ata_dma_stop(channel);
    begin_reset(channel);
}

/* The drives have forgotten what SET MULTIPLE said; an error bit behind a reset means nothing. */
static enum ata_progress look_at_reset(struct ata_channel *channel)
{
    if (!ata_is_over(channel->since, ATA_RESET_PAUSE_MS) ||
        (ata_alternate_status(channel) & ATA_BSY))
        return ATA_WAITS;
    for (unsigned i = 0; i < ATA_DRIVES; i++) {
        channel->drives[i].multiple = 1;
        ata_describe_mode(&channel->drives[i]);
    }
    return ATA_FAILED; /* the try before the reset */
}

/* What the bus master could not do, and the CPU could. */
static void judge_dma(struct ata_channel *channel)
{
    struct ata_drive *drive = channel->drive;
    if (channel->request->operation == BLOCK_FLUSH || !drive->uses_dma ||
        channel->tries + 1 < ATA_TRIES)
        return;
    drive->uses_dma = false;
    ata_describe_mode(drive);
    printk("%s: DMA has failed, PIO has not: no more DMA\n", drive->device.name);
}

/* ---- looks ---- */

static enum ata_progress look(struct ata_channel *channel)
{
    switch (channel->phase) {
    case ATA_SELECTED:
        return write_command(channel);
    case ATA_READING:
        return ata_pio_read(channel);
    case ATA_WRITING:
        return ata_pio_write(channel);
    case ATA_TRANSFERRING:
        return ata_dma_look(channel);
    case ATA_FLUSHING:
        return look_at_flush(channel);
    case ATA_RESETTING:
        return look_at_reset(channel);
    default:
        return ATA_WAITS;
    }
}

static uint32_t patience_ms(const struct ata_channel *channel)
{
    return channel->phase == ATA_FLUSHING || channel->phase == ATA_RESETTING ? ATA_LONG_MS
                                                                             : ATA_COMMAND_MS;
}

/* Something is under way: move it on. */
static void ata_advance(struct ata_channel *channel)
{
    switch (look(channel)) {
    case ATA_WAITS:
        if (ata_is_over(channel->since, patience_ms(channel)))
            time_is_over(channel);
        break;
    case ATA_MOVES:
        channel->since = pit_stopwatch();
        break;
    case ATA_DONE:
        judge_dma(channel);
        complete(channel, KERR_OK);
        break;
    case ATA_FAILED:
        try_again(channel);
        break;
    }
}

static void look_at_channel(struct ata_channel *channel)
{
    if (channel->phase == ATA_IDLE || channel->phase == ATA_COMPLETING)
        return;
    ata_advance(channel);
    if (channel->phase == ATA_SELECTED) /* tried again: no interrupt comes before the command */
        ata_advance(channel);
    begin_next(channel);
}

static void ata_interrupt(struct trap_frame *frame)
{
    struct ata_channel *channel = &channels[frame->vector - PIC_FIRST_VECTOR - channels[0].irq];
    if (channel->phase == ATA_IDLE)
        (void)ata_read(channel, ATA_STATUS); /* what polling has seen, or nothing at all */
    look_at_channel(channel);
}

static void ata_start(struct block_device *disk)
{
    begin_next(((struct ata_drive *)disk->driver_data)->channel);
}

static void ata_poll(struct block_device *disk)
{
    look_at_channel(((struct ata_drive *)disk->driver_data)->channel);
}

static const char *ata_mode(const struct block_device *disk)
{
    return ((const struct ata_drive *)disk->driver_data)->mode;
}

static const struct block_driver driver = {.start = ata_start, .poll = ata_poll, .mode = ata_mode};

/* ---- start ---- */

enum { PCI_IDE = 0x0101, IDE_BUS_MASTER = 0x80, IDE_BASE_REGISTER = PCI_BAR_0 + 4 * 4 };

/* CHANNEL number NUMBER of the controller does not answer at the PC's own ports. */
static bool is_native(uint8_t interface, unsigned number)
{
    return (interface >> 2 * number & 1) != 0;
}

static void find_bus_master(struct pci_function controller, uint8_t interface)
{
    enum { BAR_IS_IO = 1, BAR_PORT = 0xFFF0 };
    uint32_t base = pci_read(controller, IDE_BASE_REGISTER), port = base & BAR_PORT;
    if (!(interface & IDE_BUS_MASTER) || !(base & BAR_IS_IO) || port == 0)
        return;
    /* The status half is written with zeros, which clear none of its bits. */
    uint32_t command = pci_read(controller, PCI_COMMAND) & 0xFFFF;
    pci_write(controller, PCI_COMMAND, command | PCI_COMMAND_IO | PCI_COMMAND_BUS_MASTER);
    for (unsigned i = 0; i < ATA_CHANNELS; i++)
        if (!is_native(interface, i))
            ata_dma_init(&channels[i], i, (uint16_t)port);
}

static void init_channel(unsigned number)
{
    struct ata_channel *channel = &channels[number];
    char name[] = "hda";
    bool has_drive = false;
    for (unsigned i = 0; i < ATA_DRIVES; i++) {
        struct ata_drive *drive = &channel->drives[i];
        name[2] = (char)('a' + number * ATA_DRIVES + i);
        drive->channel = channel;
        drive->number = (uint8_t)i;
        block_init_disk(&drive->device, name, &driver, drive, 0);
    }
    ata_identify(channel);
    for (unsigned i = 0; i < ATA_DRIVES; i++) {
        if (!channel->drives[i].is_there)
            continue;
        block_register(&channel->drives[i].device);
        has_drive = true;
    }
    if (!has_drive)
        return;
    trap_register(PIC_FIRST_VECTOR + channel->irq, ata_interrupt);
    pic_unmask(channel->irq);
}

static enum kerr ata_layer_init(const struct boot_info *boot)
{
    struct pci_function controller;
    uint8_t interface = 0;
    (void)boot;
    if (ata_option.is_given && strcmp(ata_option.text, "off") == 0)
        return KERR_OK;
    if (pci_find(PCI_IDE, &controller)) {
        interface = (uint8_t)(pci_read(controller, PCI_CLASS) >> 8);
        if (!ata_option.is_given)
            find_bus_master(controller, interface);
    }
    for (unsigned i = 0; i < ATA_CHANNELS; i++)
        if (is_native(interface, i))
            printk("ata: channel %u is not at the ports of a PC, and not used\n", i);
        else
            init_channel(i);
    return KERR_OK;
}

LAYER(06b, "ATA", ata_layer_init);

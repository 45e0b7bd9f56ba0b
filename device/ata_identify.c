/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. ATA drives, found and asked what they are (ata.h).
 *
 * Only at boot, by polling, with a time-out on every wait. An empty plug answers with zeros or ones,
 * or keeps nothing that is written to it; a CD drive refuses IDENTIFY DEVICE, and is left alone.
 */
#include "ata.h"

#include <arch/i386/pit.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum { WORDS = 256 };

/* What IDENTIFY DEVICE tells, by the number of the word. */
enum identity {
    ID_MODEL = 27, /* 20 words */
    ID_MODEL_WORDS = 20,
    ID_MULTIPLE = 47, /* of it the low byte counts */
    ID_CAPABILITIES = 49,
    ID_SECTORS_28 = 60, /* 2 words, the low one first */
    ID_COMMANDS = 83,
    ID_SECTORS_48 = 100, /* 4 words */
};
enum identity_bit {
    CAPABILITY_DMA = 1 << 8,
    CAPABILITY_LBA = 1 << 9,
    COMMANDS_VALID = 0xC000, /* the word means something if of these two bits */
    COMMANDS_VALID_IF = 0x4000,
    COMMANDS_LBA48 = 1 << 10,
    COMMANDS_FLUSH = 1 << 12,
    COMMANDS_FLUSH_EXT = 1 << 13,
};

/* Wait until the selected drive is not busy; *STATUS is its status then. */
static bool wait_not_busy(const struct ata_channel *channel, uint8_t *status)
{
    uint32_t since = pit_stopwatch();
    do {
        *status = ata_read(channel, ATA_STATUS);
        if (!(*status & ATA_BSY))
            return true;
    } while (!ata_is_over(since, ATA_COMMAND_MS));
    return false;
}

/* Registers that keep what is written belong to a drive. */
static bool is_plugged(const struct ata_channel *channel)
{
    enum { ONE = 0x55, OTHER = 0xAA };
    uint8_t status = ata_alternate_status(channel);
    if (status == 0 || status == ATA_FLOATING)
        return false;
    if (!wait_not_busy(channel, &status))
        return false;
    ata_write(channel, ATA_COUNT, ONE);
    ata_write(channel, ATA_LBA_LOW, OTHER);
    return ata_read(channel, ATA_COUNT) == ONE && ata_read(channel, ATA_LBA_LOW) == OTHER;
}

/* A command without parameters but COUNT to the selected drive; false: it refuses, or is silent. */
static bool simple_command(const struct ata_channel *channel, enum ata_command command,
                           uint8_t count, uint8_t *status)
{
    if (!wait_not_busy(channel, status))
        return false;
    ata_write(channel, ATA_COUNT, count);
    ata_write(channel, ATA_COMMAND, (uint8_t)command);
    ata_pause(channel);
    return wait_not_busy(channel, status) && *status != 0 && !ata_status_failed(*status);
}

static bool read_identity(const struct ata_channel *channel, uint16_t *words)
{
    uint8_t status;
    if (!simple_command(channel, ATA_IDENTIFY, 0, &status) || !(status & ATA_DRQ))
        return false;
    in_words((uint16_t)(channel->command + ATA_DATA), words, WORDS);
    return true;
}

/* Characters stand in words with the first one in the upper half, filled up with spaces. */
static void read_model(char *model, const uint16_t *words)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < 2 * ID_MODEL_WORDS; i++) {
        char character = (char)(words[i / 2] >> (i % 2 == 0 ? 8 : 0));
        model[i] = character >= ' ' && character <= '~' ? character : '?';
        if (character != ' ' && character != '\0')
            length = i + 1;
    }
    model[length] = '\0';
}
_Static_assert(BLOCK_MODEL_BYTES > 2 * ID_MODEL_WORDS, "room for the model");

static uint64_t read_sectors(const struct ata_drive *drive, const uint16_t *words)
{
    uint64_t sectors = 0;
    if (!drive->has_lba48)
        return words[ID_SECTORS_28] | (uint32_t)words[ID_SECTORS_28 + 1] << 16;
    for (uint32_t i = 4; i-- > 0;)
        sectors = sectors << 16 | words[ID_SECTORS_48 + i];
    return sectors;
}

void ata_describe_mode(struct ata_drive *drive)
{
    const char *sectors = drive->has_lba48 ? "LBA48" : "LBA28";
    if (drive->uses_dma)
        format_text(drive->mode, sizeof(drive->mode), "DMA, %s", sectors);
    else
        format_text(drive->mode, sizeof(drive->mode), "PIO by %u, %s", drive->multiple, sectors);
}

/* The largest power of two that the drive can move at a time, and we want to. */
static uint8_t multiple_for(const uint16_t *words)
{
    uint8_t most = (uint8_t)words[ID_MULTIPLE], multiple = 1;
    while (multiple * 2 <= most && multiple < ATA_MULTIPLE_MAX)
        multiple = (uint8_t)(multiple * 2);
    return multiple;
}

/* Fill DRIVE, whose device has its name and its driver. */
static void take_identity(struct ata_drive *drive, const uint16_t *words)
{
    struct ata_channel *channel = drive->channel;
    uint16_t commands = words[ID_COMMANDS];
    uint8_t status;
    if ((commands & COMMANDS_VALID) != COMMANDS_VALID_IF)
        commands = 0;
    drive->has_lba48 = (commands & COMMANDS_LBA48) != 0;
    drive->has_flush = (commands & COMMANDS_FLUSH) != 0;
    drive->has_flush_ext = drive->has_lba48 && (commands & COMMANDS_FLUSH_EXT) != 0;
    drive->device.sectors = read_sectors(drive, words);
    read_model(drive->device.model, words + ID_MODEL);
    drive->uses_dma = channel->bus_master != 0 && (words[ID_CAPABILITIES] & CAPABILITY_DMA) != 0;
    drive->multiple = multiple_for(words);
    if (drive->multiple > 1 && !simple_command(channel, ATA_SET_MULTIPLE, drive->multiple, &status))
        drive->multiple = 1;
    ata_describe_mode(drive);
}

static void identify_drive(struct ata_drive *drive)
{
    uint16_t words[WORDS];
    ata_select(drive);
    if (!is_plugged(drive->channel) || !read_identity(drive->channel, words))
        return;
    if (!(words[ID_CAPABILITIES] & CAPABILITY_LBA)) {
        printk("ata: a drive without LBA is not used\n");
        return;
    }
    take_identity(drive, words);
    drive->is_there = drive->device.sectors > 0;
}

void ata_identify(struct ata_channel *channel)
{
    outb(channel->control, ATA_NIEN);
    for (unsigned i = 0; i < ATA_DRIVES; i++)
        identify_drive(&channel->drives[i]);
    outb(channel->control, 0);
}

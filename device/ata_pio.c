/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. ATA drives, data by the CPU (ata.h).
 *
 * A block is one sector, or as many as SET MULTIPLE has agreed on; the last of a request may be
 * shorter. One look moves one block at most: that bounds what an interrupt costs.
 */
#include "ata.h"

#include <arch/i386/entry.h>

enum { SECTOR_WORDS = BLOCK_SECTOR_BYTES / 2 };

static uint32_t block_sectors(const struct ata_channel *channel)
{
    uint32_t left = channel->request->sectors - channel->done;
    return left < channel->drive->multiple ? left : channel->drive->multiple;
}

/* Move a block between the data port and the request's frames, each seen through a temporary page. */
static void move_block(struct ata_channel *channel)
{
    const struct block_request *request = channel->request;
    uint16_t port = (uint16_t)(channel->command + ATA_DATA);
    uint32_t at = request->offset + channel->done * BLOCK_SECTOR_BYTES;
    uint32_t left = block_sectors(channel);
    channel->done += left;
    while (left > 0) {
        uint32_t in_page = at % PAGE_BYTES, room = (PAGE_BYTES - in_page) / BLOCK_SECTOR_BYTES;
        uint32_t sectors = left < room ? left : room;
        uint8_t *page = temp_map(TEMP_BLOCK_TO, request->frames[at / PAGE_BYTES]);
        if (request->operation == BLOCK_READ)
            in_words(port, page + in_page, sectors * SECTOR_WORDS);
        else
            out_words(port, page + in_page, sectors * SECTOR_WORDS);
        temp_unmap(TEMP_BLOCK_TO);
        at += sectors * BLOCK_SECTOR_BYTES;
        left -= sectors;
    }
}

/* The drive shows no more than "ready" when the last block has been taken from it. */
enum ata_progress ata_pio_read(struct ata_channel *channel)
{
    uint8_t status = ata_read(channel, ATA_STATUS);
    if (status & ATA_BSY)
        return ATA_WAITS;
    if (ata_status_failed(status))
        return ATA_FAILED;
    if (!(status & ATA_DRQ))
        return ATA_WAITS;
    move_block(channel);
    return channel->done < channel->request->sectors ? ATA_MOVES : ATA_DONE;
}

/* The first block is asked for without an interrupt; behind the last one the drive is busy. */
enum ata_progress ata_pio_write(struct ata_channel *channel)
{
    uint8_t status = ata_read(channel, ATA_STATUS);
    bool wants_more = (status & ATA_DRQ) != 0, has_more = channel->done < channel->request->sectors;
    if (status & ATA_BSY)
        return ATA_WAITS;
    if (ata_status_failed(status))
        return ATA_FAILED;
    if (wants_more != has_more)
        return ATA_WAITS; /* until it is too late */
    if (!has_more)
        return ATA_DONE;
    move_block(channel);
    ata_pause(channel);
    return ATA_MOVES;
}

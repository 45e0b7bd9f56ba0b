/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. ATA drives, data by the controller, a bus master (ata.h).
 *
 * It is given a table of places in memory, an entry for each frame of a request. A frame never
 * crosses a multiple of 64 KiB, as an entry must not, and neither does the table.
 */
#include "ata.h"

#include <arch/i386/entry.h>
#include <mm/heap.h>

enum { TABLE_BYTES = BLOCK_FRAMES_MAX * sizeof(uint64_t) };
#define ENTRY_LAST (1ull << 63)
_Static_assert(PAGE_BYTES % TABLE_BYTES == 0, "aligned to its size it lies in one page");

static uint8_t read_status(const struct ata_channel *channel)
{
    return inb((uint16_t)(channel->bus_master + BM_STATUS));
}

static void command(const struct ata_channel *channel, uint8_t value)
{
    outb((uint16_t)(channel->bus_master + BM_COMMAND), value);
}

void ata_dma_init(struct ata_channel *channel, unsigned number, uint16_t port)
{
    enum { PORTS_EACH = 8 };
    void *table;
    struct translation translation;
    channel->bus_master = (uint16_t)(port + number * PORTS_EACH);
    bool can_both = (read_status(channel) & BM_SIMPLEX) == 0;
    if ((!can_both && number > 0) || kmalloc_aligned(TABLE_BYTES, TABLE_BYTES, &table) != KERR_OK) {
        channel->bus_master = 0;
        return;
    }
    paging_query(pointer_to_vaddr(table), &translation);
    channel->table = table;
    channel->table_address = frame_to_paddr(pte_frame(translation.pte));
    channel->table_address.v += pointer_to_vaddr(table).v % PAGE_BYTES;
}

/* An entry: the address in bits 0-31, bytes in 32-47 (0 would be 65536), the last one's mark. */
void ata_dma_prepare(struct ata_channel *channel)
{
    const struct block_request *request = channel->request;
    uint32_t left = request->sectors * BLOCK_SECTOR_BYTES, offset = request->offset;
    for (uint32_t i = 0; left > 0; i++, offset = 0) {
        uint32_t bytes = left < PAGE_BYTES - offset ? left : PAGE_BYTES - offset;
        uint32_t address = frame_to_paddr(request->frames[i]).v + offset;
        left -= bytes;
        channel->table[i] = address | (uint64_t)bytes << 32 | (left == 0 ? ENTRY_LAST : 0);
    }
    outl((uint16_t)(channel->bus_master + BM_TABLE), channel->table_address.v);
    command(channel, request->operation == BLOCK_READ ? BM_TO_MEMORY : 0);
    outb((uint16_t)(channel->bus_master + BM_STATUS), BM_ERROR | BM_INTERRUPT);
}

void ata_dma_start(struct ata_channel *channel)
{
    command(channel, BM_START | (channel->request->operation == BLOCK_READ ? BM_TO_MEMORY : 0));
}

void ata_dma_stop(struct ata_channel *channel)
{
    command(channel, 0);
    outb((uint16_t)(channel->bus_master + BM_STATUS), BM_ERROR | BM_INTERRUPT);
}

/*
 * Done is: the drive is neither busy nor wants data, and the bus master has come to the end of its
 * table. A drive that is done before that end has moved fewer bytes than it was asked for.
 */
enum ata_progress ata_dma_look(struct ata_channel *channel)
{
    uint8_t status = ata_alternate_status(channel), bus_master = read_status(channel);
    if (!(bus_master & BM_ERROR)) {
        if (status & ATA_BSY)
            return ATA_WAITS;
        if (!ata_status_failed(status) &&
            ((status & ATA_DRQ) || (bus_master & (BM_ACTIVE | BM_INTERRUPT)) == BM_ACTIVE))
            return ATA_WAITS;
    }
    ata_dma_stop(channel);
    status = ata_read(channel, ATA_STATUS);
    return (bus_master & (BM_ERROR | BM_ACTIVE)) != 0 || ata_status_failed(status) ? ATA_FAILED
                                                                                   : ATA_DONE;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. The tables of the partitions of a disk (partitions.h). Pure: it knows no disk.
 *
 *   MBR, sector 0          extended boot record, EBR           EBR
 *   entry 1  hda1          entry 1  hda5, from this EBR        entry 1  hda6
 *   entry 2  extended ---> entry 2  next EBR, from ----------> entry 2  empty
 *   entry 3  hda3                   the first EBR
 *   entry 4  empty
 *
 * All that is read is somebody else's: nothing may lead outside of the disk, or for ever in a ring.
 */
#include <device/partitions.h>

#include <kernel/string.h>

enum {
    TABLE_AT = 446,
    ENTRY_BYTES = 16,
    ENTRIES = 4,
    FIRST_LOGICAL = 5,

    ENTRY_STATUS = 0,
    ENTRY_TYPE = 4,
    ENTRY_FIRST = 8,
    ENTRY_SECTORS = 12,

    STATUS_ACTIVE = 0x80, /* or nothing: other values are no table */
    TYPE_EMPTY = 0x00,
    TYPE_EXTENDED = 0x05,
    TYPE_EXTENDED_LBA = 0x0F,
    TYPE_EXTENDED_LINUX = 0x85,
    TYPE_GPT = 0xEE, /* the whole disk, for those who know no other table */
};

struct entry {
    uint8_t status, type;
    uint32_t first, sectors;
};

static uint32_t read_u32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static struct entry entry_at(const uint8_t *sector, uint32_t number)
{
    const uint8_t *entry = sector + TABLE_AT + number * ENTRY_BYTES;
    return (struct entry){entry[ENTRY_STATUS], entry[ENTRY_TYPE], read_u32(entry + ENTRY_FIRST),
                          read_u32(entry + ENTRY_SECTORS)};
}

/* A FAT boot sector has the same signature, and code where a table would be. */
static bool is_table(const uint8_t *sector)
{
    if (sector[MBR_BYTES - 2] != 0x55 || sector[MBR_BYTES - 1] != 0xAA)
        return false;
    for (uint32_t i = 0; i < ENTRIES; i++)
        if ((entry_at(sector, i).status & ~STATUS_ACTIVE) != 0)
            return false;
    return true;
}

static bool is_extended(uint8_t type)
{
    return type == TYPE_EXTENDED || type == TYPE_EXTENDED_LBA || type == TYPE_EXTENDED_LINUX;
}

struct search {
    partition_reader_t *read;
    void *context;
    uint64_t disk_sectors;
    struct partition *partitions;
    uint32_t count;
};

/* ENTRY, counted from BASE on, is partition NUMBER, if it lies on the disk. */
static void add(struct search *search, const struct entry *entry, uint64_t base, uint32_t number)
{
    uint64_t first = base + entry->first;
    if (entry->type == TYPE_EMPTY || entry->type == TYPE_GPT || entry->sectors == 0 || first == 0 ||
        first > UINT32_MAX || first + entry->sectors > search->disk_sectors ||
        search->count == PARTITIONS_MAX)
        return;
    search->partitions[search->count++] =
        (struct partition){number, entry->type, (uint32_t)first, entry->sectors};
}

/* The chain that begins at sector BASE. An entry that is empty has a number, too. */
static enum kerr follow(struct search *search, uint32_t base)
{
    uint8_t sector[MBR_BYTES];
    uint64_t at = base;
    for (uint32_t number = FIRST_LOGICAL; number < FIRST_LOGICAL + PARTITIONS_MAX; number++) {
        if (at >= search->disk_sectors)
            return KERR_OK;
        enum kerr error = search->read(search->context, at, sector);
        if (error != KERR_OK)
            return error;
        if (!is_table(sector))
            return KERR_OK;
        struct entry data = entry_at(sector, 0), next = entry_at(sector, 1);
        if (!is_extended(data.type))
            add(search, &data, at, number);
        if (!is_extended(next.type) || next.first == 0 || next.sectors == 0)
            return KERR_OK;
        at = (uint64_t)base + next.first;
    }
    return KERR_OK;
}

enum kerr partitions_read(partition_reader_t *read, void *context, uint64_t disk_sectors,
                          struct partition *partitions, uint32_t *count)
{
    struct search search = {read, context, disk_sectors, partitions, 0};
    uint8_t sector[MBR_BYTES];
    *count = 0;
    enum kerr error = disk_sectors > 0 ? read(context, 0, sector) : KERR_OK;
    if (error != KERR_OK || disk_sectors == 0 || !is_table(sector))
        return error;
    uint32_t extended = 0;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct entry entry = entry_at(sector, i);
        if (!is_extended(entry.type))
            add(&search, &entry, 0, i + 1);
        else if (extended == 0)
            extended = entry.first;
    }
    if (extended != 0)
        error = follow(&search, extended);
    *count = search.count;
    return error;
}

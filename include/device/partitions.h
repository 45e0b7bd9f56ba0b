/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layers 0-5, block. Used by: layer 6, tests.
 *
 * Partitions of a disk by its MBR, extended ones as well: hda1 to hda4 are the entries of the MBR
 * itself, those of the extended partition begin with hda5. A disk whose name ends in a digit has
 * ram0p1.
 */
#ifndef DEVICE_PARTITIONS_H
#define DEVICE_PARTITIONS_H

#include <device/block.h>

enum { PARTITIONS_MAX = 60, MBR_BYTES = BLOCK_SECTOR_BYTES };

/* A range of sectors of a disk. */
struct partition {
    uint32_t number; /* 1.. */
    uint8_t type;
    uint32_t first, sectors;
};

/* Where the sectors of tables come from: read SECTOR into BYTES, MBR_BYTES bytes. */
typedef enum kerr partition_reader_t(void *context, uint64_t sector, uint8_t *bytes);

/*
 * Read the partitions of a disk of DISK_SECTORS sectors into PARTITIONS, PARTITIONS_MAX of them;
 * *COUNT says how many there are. What lies not wholly on the disk, or is not what a chain of
 * extended partitions should be, is left out; a chain is followed PARTITIONS_MAX steps at most.
 *   returns KERR_OK (also for a disk without a table: none); what READ returns, if it fails
 *   source: the format of PC DOS 3.3, as Linux's fdisk(8) writes it
 */
kerr_t partitions_read(partition_reader_t *read, void *context, uint64_t disk_sectors,
                       struct partition *partitions, uint32_t *count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Each disk's partitions as devices (partitions.h), at boot, when all disks are known.
 */
#include <device/partitions.h>

#include <arch/i386/entry.h>
#include <kernel/layer.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/heap.h>

static enum kerr read_sector(void *context, uint64_t sector, uint8_t *bytes)
{
    struct block_request request = {
        .device = context, .operation = BLOCK_READ, .sector = sector, .sectors = 1};
    enum kerr error = frame_alloc(&frame_pool, FRAME_KERNEL, &request.frames[0]);
    if (error != KERR_OK)
        return error;
    error = block_wait(&request);
    if (error == KERR_OK) {
        memcpy(bytes, temp_map(TEMP_FRAME, request.frames[0]), MBR_BYTES);
        temp_unmap(TEMP_FRAME);
    }
    frame_free(&frame_pool, request.frames[0]);
    return error;
}

static void name_partition(char *name, const struct block_device *disk, uint32_t number)
{
    char last = disk->name[strlen(disk->name) - 1];
    format_text(name, BLOCK_NAME_BYTES, "%s%s%u", disk->name, last >= '0' && last <= '9' ? "p" : "",
                (unsigned)number);
}

/* A table that can't be read is the disk's affair; the others are looked at. */
static enum kerr add_partitions(struct block_device *disk, struct partition *found)
{
    uint32_t count;
    enum kerr error = partitions_read(read_sector, disk, disk->sectors, found, &count);
    if (error != KERR_OK)
        printk("%s: partitions: %s\n", disk->name, kerr_text(error));
    for (uint32_t i = 0; i < count; i++) {
        char name[BLOCK_NAME_BYTES];
        void *device;
        error = kmalloc(sizeof(struct block_device), &device);
        if (error != KERR_OK)
            return error;
        name_partition(name, disk, found[i].number);
        block_init_partition(device, name, disk, found[i].first, found[i].sectors);
        block_register(device);
    }
    return KERR_OK;
}

/* Partitions stand behind all disks: what is added here is met again, and passed over. */
static enum kerr partitions_layer_init(const struct boot_info *boot)
{
    struct block_device *disk;
    void *found;
    (void)boot;
    enum kerr error = kmalloc(PARTITIONS_MAX * sizeof(struct partition), &found);
    if (error != KERR_OK)
        return error;
    for (disk = block_first(); disk != NULL && error == KERR_OK; disk = block_next(disk))
        if (disk->disk == disk)
            error = add_partitions(disk, found);
    kfree(found);
    return error;
}

LAYER(06c, "partitions", partitions_layer_init);

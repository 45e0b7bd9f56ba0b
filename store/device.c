/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Flushes, and what is known of each device for them.
 */
#include "store.h"

#include <mm/heap.h>

static struct disk {
    struct disk *next;
    struct block_device *device;
    struct block_request flush;
    uint32_t begun, done; /* flushes */
    uint32_t failed;      /* the last one that did */
} * disks;

static enum kerr disk_of(struct block_device *device, struct disk **disk)
{
    void *block;
    for (*disk = disks; *disk != NULL; *disk = (*disk)->next)
        if ((*disk)->device == device)
            return KERR_OK;
    enum kerr error = kmalloc(sizeof(struct disk), &block);
    if (error != KERR_OK)
        return error;
    *disk = block;
    **disk = (struct disk){.next = disks, .device = device};
    disks = *disk;
    return KERR_OK;
}

enum kerr cache_know_device(struct block_device *device)
{
    struct disk *disk;
    return disk_of(device, &disk);
}

void cache_forget_device(const struct block_device *device)
{
    struct disk **link = &disks;
    while (*link != NULL && (*link)->device != device)
        link = &(*link)->next;
    struct disk *disk = *link;
    if (disk == NULL)
        return;
    *link = disk->next;
    kfree(disk);
}

/* ---- flushes ---- */

static void flush_done(struct block_request *request)
{
    struct disk *disk = container_of(request, struct disk, flush);
    disk->done++;
    if (request->status != KERR_OK)
        disk->failed = disk->done;
}

static enum kerr begin_flush(struct disk *disk)
{
    disk->flush = (struct block_request){
        .device = disk->device, .operation = BLOCK_FLUSH, .done = flush_done};
    enum kerr error = block_submit(&disk->flush);
    if (error != KERR_OK)
        return error;
    disk->begun++;
    store_counts.flushes++;
    return KERR_OK;
}

/*
 * Flushes are numbered. One that is under way may have been begun before the caller's last write:
 * it wants the one behind it. Who comes late is told of later ones that failed as well.
 */
enum kerr cache_flush(struct block_device *device, uint32_t *ticket)
{
    struct disk *disk;
    enum kerr error = disk_of(device, &disk);
    if (error != KERR_OK || device->opened_for == NULL)
        return error; /* nothing was given to a device that is not open for writing */
    if (*ticket == 0)
        *ticket = disk->begun + 1;
    if ((int32_t)(*ticket - disk->begun) > 0 && disk->begun == disk->done)
        error = begin_flush(disk);
    if (error != KERR_OK)
        return error;
    if ((int32_t)(disk->done - *ticket) < 0) {
        channel_leave(&disk->flush.channel);
        return KERR_MUST_WAIT;
    }
    bool has_failed = disk->failed != 0 && (int32_t)(disk->failed - *ticket) >= 0;
    *ticket = 0;
    return has_failed ? KERR_IO : KERR_OK;
}

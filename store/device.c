/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Whole devices as files of the cache, and flushes.
 */
#include "store.h"

#include <mm/heap.h>

enum { PAGE_SECTORS = PAGE_BYTES / BLOCK_SECTOR_BYTES };

/* What the store knows of a device, for good. */
struct disk {
    struct disk *next;
    struct cache cache;
    struct block_request flush;
    uint32_t begun, done; /* flushes */
    enum kerr result;     /* of the last one */
};
static struct disk *disks;

static enum kerr locate(struct cache *cache, uint32_t page, struct cache_place *place)
{
    uint64_t sector = (uint64_t)page * PAGE_SECTORS, left = cache->device->sectors - sector;
    place->pieces = 1;
    place->sectors = left < PAGE_SECTORS ? (uint32_t)left : PAGE_SECTORS;
    place->sector[0] = sector;
    return KERR_OK;
}

static uint32_t pages_of(const struct block_device *device)
{
    uint64_t pages = (device->sectors + PAGE_SECTORS - 1) / PAGE_SECTORS;
    return pages < OBJECT_PAGE_LIMIT ? (uint32_t)pages : OBJECT_PAGE_LIMIT;
}

static enum kerr disk_of(struct block_device *device, struct disk **disk)
{
    static const struct cache_operations operations = {
        .locate = locate, .is_stable = true, .name = "disk"};
    void *block;
    for (*disk = disks; *disk != NULL; *disk = (*disk)->next)
        if ((*disk)->cache.device == device)
            return KERR_OK;
    enum kerr error = kmalloc(sizeof(struct disk), &block);
    if (error != KERR_OK)
        return error;
    struct disk *new = block;
    *new = (struct disk){.next = disks};
    error = cache_begin(&new->cache, &operations, device, NULL, pages_of(device));
    if (error != KERR_OK) {
        kfree(new);
        return error;
    }
    *disk = disks = new;
    return KERR_OK;
}

enum kerr cache_of_device(struct block_device *device, struct cache **cache)
{
    struct disk *disk;
    enum kerr error = disk_of(device, &disk);
    if (error == KERR_OK)
        *cache = &disk->cache;
    return error;
}

void cache_forget_device(struct block_device *device)
{
    struct disk **link = &disks;
    while (*link != NULL && (*link)->cache.device != device)
        link = &(*link)->next;
    struct disk *disk = *link;
    if (disk == NULL)
        return;
    *link = disk->next;
    object_put(disk->cache.object);
    kfree(disk);
}

/* ---- flushes ---- */

static void flush_done(struct block_request *request)
{
    struct disk *disk = container_of(request, struct disk, flush);
    disk->done++;
    disk->result = request->status;
}

static enum kerr begin_flush(struct disk *disk)
{
    disk->flush = (struct block_request){
        .device = disk->cache.device, .operation = BLOCK_FLUSH, .done = flush_done};
    enum kerr error = block_submit(&disk->flush);
    if (error != KERR_OK)
        return error;
    disk->begun++;
    store_counts.flushes++;
    return KERR_OK;
}

/*
 * Flushes are numbered. One that is under way may have been begun before the caller's last write:
 * it wants the one behind it.
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
    *ticket = 0;
    return disk->result;
}

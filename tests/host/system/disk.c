/* SPDX-License-Identifier: MIT */
/*
 * Host model. The disk of disk.h. Compiled as a part of the kernel: its queue goes back with the machine.
 */
#include "disk.h"

#include <kernel/panic.h>
#include <kernel/string.h>

#include "../machine.h"
#include "../ram.h"

enum { CAPTURES = 96, REQUEST_BYTES_MAX = BLOCK_SECTORS_MAX * BLOCK_SECTOR_BYTES };

/*
 * Data of a write that were taken when it was submitted. They do not go back with the machine, since 12 MiB would be
 * copied each time: a machine is saved when no write is under way.
 */
static struct capture {
    const struct block_request *request; /* NULL: free */
} captures[CAPTURES];
static uint8_t captured[CAPTURES][REQUEST_BYTES_MAX] __attribute__((section(".bss.host")));

static uint8_t *data_of(const struct capture *capture)
{
    return captured[capture - captures];
}

struct disk system_disk;
static uint32_t state;

/* ---- chance ---- */

void disk_seed(uint32_t seed)
{
    state = seed * 2654435761u + 1;
}

uint32_t disk_random(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return below == 0 ? 0 : (uint32_t)((uint64_t)(state >> 4) * below >> 28);
}

bool disk_chance(uint32_t in)
{
    return in != 0 && disk_random(in) == 0;
}

/* ---- data ---- */

enum direction { FROM_MEMORY, TO_MEMORY };

/* Between DATA and the frames of REQUEST. */
static void move(const struct block_request *request, uint8_t *data, enum direction direction)
{
    uint32_t left = request->sectors * BLOCK_SECTOR_BYTES, at = request->offset;
    for (uint32_t i = 0; left > 0; i++, at = 0) {
        uint32_t bytes = PAGE_BYTES - at < left ? PAGE_BYTES - at : left;
        uint8_t *memory = (uint8_t *)ram_words(request->frames[i].n) + at;
        if (direction == FROM_MEMORY) {
            memcpy(data, memory, bytes);
        } else {
            memcpy(memory, data, bytes);
            ram_will_change(request->frames[i].n);
        }
        data += bytes;
        left -= bytes;
    }
}

static struct capture *capture_of(const struct block_request *request)
{
    for (uint32_t i = 0; i < CAPTURES; i++)
        if (captures[i].request == request)
            return &captures[i];
    return NULL;
}

static void write_out(struct disk *disk, const struct block_request *request, uint8_t *place)
{
    struct capture *capture = capture_of(request);
    if (capture != NULL)
        memcpy(place, data_of(capture), request->sectors * BLOCK_SECTOR_BYTES);
    else
        move(request, place, FROM_MEMORY);
    if (disk->on_write != NULL)
        disk->on_write(request->device->first + request->sector, place,
                       request->sectors * BLOCK_SECTOR_BYTES);
}

/* ---- requests ---- */

static bool fails(struct disk *disk, const struct block_request *request)
{
    bool is_meant = disk->fail_number != 0 && (disk->fail_kinds >> request->operation & 1) != 0 &&
                    (disk->done == disk->fail_number ||
                     (disk->fails_for_ever && disk->done > disk->fail_number));
    disk->has_failed |= is_meant;
    return is_meant;
}

static enum kerr carry_out(struct disk *disk, const struct block_request *request)
{
    uint64_t at = (request->device->first + request->sector) * BLOCK_SECTOR_BYTES;
    disk->done++;
    if (fails(disk, request))
        return KERR_IO;
    if (request->operation == BLOCK_FLUSH)
        return KERR_OK;
    ASSERT(at + request->sectors * BLOCK_SECTOR_BYTES <= disk->bytes,
           "sector %llu and %u more are not on the disk", (unsigned long long)request->sector,
           request->sectors);
    if (request->operation == BLOCK_READ)
        move(request, disk->image + at, TO_MEMORY);
    else
        write_out(disk, request, disk->image + at);
    return KERR_OK;
}

static bool overlap(const struct block_request *one, const struct block_request *other)
{
    uint64_t a = one->device->first + one->sector, b = other->device->first + other->sector;
    return a < b + other->sectors && b < a + one->sectors;
}

static struct block_request *request_at(const struct list *link)
{
    return container_of(link, struct block_request, link);
}

/* How many requests of QUEUE may be done now: those before a flush, or the flush. */
static uint32_t count_eligible(const struct list *queue)
{
    uint32_t count = 0;
    for (const struct list *at = queue->next; at != queue; at = at->next, count++)
        if (request_at(at)->operation == BLOCK_FLUSH)
            return count == 0 ? 1 : count;
    return count;
}

/* One of them, by chance; or what was there before it for one of its sectors. */
static struct block_request *choose(const struct list *queue)
{
    uint32_t number = disk_random(count_eligible(queue));
    const struct list *chosen = queue->next;
    while (number-- > 0)
        chosen = chosen->next;
    for (const struct list *at = queue->next; at != chosen; at = at->next)
        if (overlap(request_at(at), request_at(chosen)))
            return request_at(at);
    return request_at(chosen);
}

static bool step(struct block_device *device)
{
    struct disk *disk = device->driver_data;
    if (list_is_empty(&device->queue))
        return false;
    struct block_request *request = choose(&device->queue);
    enum kerr status = carry_out(disk, request);
    struct capture *capture = capture_of(request);
    if (capture != NULL)
        capture->request = NULL;
    block_complete(request, status);
    return true;
}

bool disk_step(void)
{
    for (struct block_device *device = block_first(); device != NULL; device = block_next(device))
        if (device->disk == device && step(device))
            return true;
    return false;
}

/* ---- as a driver ---- */

static void start(struct block_device *device)
{
    const struct block_request *last = request_at(device->queue.previous);
    struct capture *free = capture_of(NULL);
    if (last->operation != BLOCK_WRITE || free == NULL || capture_of(last) != NULL ||
        !disk_chance(2))
        return;
    free->request = last;
    move(last, data_of(free), FROM_MEMORY);
}

/* Who polls has patience: something is done now and then. */
static void poll(struct block_device *device)
{
    if (disk_chance(2))
        step(device);
}

static const char *mode(const struct block_device *device)
{
    (void)device;
    return "model";
}

void disk_begin(struct disk *disk, const char *name, uint8_t *image, uint64_t bytes)
{
    static const struct block_driver driver = {.start = start, .poll = poll, .mode = mode};
    *disk = (struct disk){.image = image, .bytes = bytes};
    block_init_disk(&disk->device, name, &driver, disk, bytes / BLOCK_SECTOR_BYTES);
    block_register(&disk->device);
}

void disk_heal(struct disk *disk)
{
    disk->fail_number = 0;
    disk->fails_for_ever = false;
}

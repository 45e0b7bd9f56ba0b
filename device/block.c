/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. The devices there are, who may write to them, and their queues (block.h).
 *
 * Invariant: a request is in a queue exactly while its status is KERR_MUST_WAIT. A queue holds
 * requests for the disk and for its partitions, each checked against the bounds of its own device.
 */
#include <device/block.h>

#include <kernel/panic.h>
#include <kernel/string.h>

static struct list devices = {&devices, &devices};

/* ---- devices ---- */

void block_init_disk(struct block_device *device, const char *name,
                     const struct block_driver *driver, void *driver_data, uint64_t sectors)
{
    memset(device, 0, sizeof(*device));
    list_init(&device->link);
    list_init(&device->queue);
    text_copy(device->name, sizeof(device->name), name);
    device->driver = driver;
    device->driver_data = driver_data;
    device->disk = device;
    device->sectors = sectors;
}

void block_init_partition(struct block_device *device, const char *name, struct block_device *disk,
                          uint64_t first, uint64_t sectors)
{
    ASSERT(first < disk->sectors && sectors <= disk->sectors - first,
           "block: the partition %s lies outside of its disk", name);
    block_init_disk(device, name, disk->driver, disk->driver_data, sectors);
    device->disk = disk;
    device->first = first;
}

void block_register(struct block_device *device)
{
    ASSERT(block_find(device->name) == NULL, "block: a second device is named %s", device->name);
    list_add_last(&devices, &device->link);
}

static bool is_open(const struct block_device *device)
{
    return device->opened_for != NULL || device->read_for != NULL;
}

void block_unregister(struct block_device *device)
{
    ASSERT(!is_open(device) && list_is_empty(&device->queue), "block: %s goes while it is in use",
           device->name);
    list_remove(&device->link);
}

static struct block_device *device_at(const struct list *link)
{
    return link != &devices ? container_of(link, struct block_device, link) : NULL;
}

struct block_device *block_first(void)
{
    return device_at(devices.next);
}

struct block_device *block_next(const struct block_device *device)
{
    return device_at(device->link.next);
}

struct block_device *block_find(const char *name)
{
    for (struct block_device *device = block_first(); device != NULL; device = block_next(device))
        if (strcmp(device->name, name) == 0)
            return device;
    return NULL;
}

/* ---- who may write ---- */

static bool overlap(const struct block_device *one, const struct block_device *other)
{
    return one->disk == other->disk && one->first < other->first + other->sectors &&
           other->first < one->first + one->sectors;
}

/* Somebody has opened a sector of DEVICE. */
static bool is_in_use(const struct block_device *device)
{
    for (struct block_device *other = block_first(); other != NULL; other = block_next(other))
        if (is_open(other) && overlap(device, other))
            return true;
    return is_open(device);
}

enum kerr block_open_for_writing(struct block_device *device, const char *purpose)
{
    if (is_in_use(device))
        return KERR_EXISTS;
    device->opened_for = purpose;
    return KERR_OK;
}

enum kerr block_open_for_reading(struct block_device *device, const char *purpose)
{
    if (is_in_use(device))
        return KERR_EXISTS;
    device->read_for = purpose;
    return KERR_OK;
}

void block_close_for_reading(struct block_device *device)
{
    ASSERT(device->read_for != NULL, "block: %s is closed, but was not open", device->name);
    device->read_for = NULL;
}

void block_close_for_writing(struct block_device *device)
{
    const struct list *queue = &device->disk->queue;
    ASSERT(device->opened_for != NULL, "block: %s is closed, but was not open", device->name);
    for (const struct list *link = queue->next; link != queue; link = link->next) {
        const struct block_request *request = container_of(link, struct block_request, link);
        ASSERT(request->device != device || request->operation == BLOCK_READ,
               "block: %s is closed with a write under way", device->name);
    }
    device->opened_for = NULL;
}

uint32_t block_writes(const struct block_device *device)
{
    uint32_t writes = 0;
    for (const struct block_device *other = block_first(); other != NULL; other = block_next(other))
        if (overlap(device, other))
            writes += other->counts.requests[BLOCK_WRITE];
    return writes;
}

/* ---- requests ---- */

static bool request_is_ready(struct channel *channel)
{
    struct block_request *request = container_of(channel, struct block_request, channel);
    struct block_device *disk = request->device->disk;
    if (request->status == KERR_MUST_WAIT && disk->driver->poll != NULL)
        disk->driver->poll(disk);
    return request->status != KERR_MUST_WAIT;
}

static bool is_in_bounds(const struct block_request *request)
{
    const struct block_device *device = request->device;
    if (request->operation == BLOCK_FLUSH)
        return true;
    return request->sectors > 0 && request->sectors <= BLOCK_SECTORS_MAX &&
           request->offset < PAGE_BYTES && request->offset % BLOCK_SECTOR_BYTES == 0 &&
           block_request_frames(request) <= BLOCK_FRAMES_MAX && request->sector < device->sectors &&
           request->sectors <= device->sectors - request->sector;
}

enum kerr block_submit(struct block_request *request)
{
    struct block_device *disk = request->device->disk;
    ASSERT(request->status != KERR_MUST_WAIT, "block: a request is submitted that is not done yet");
    if (!is_in_bounds(request))
        return KERR_BAD_RANGE;
    if (request->operation != BLOCK_READ && !block_may_write(request))
        return KERR_READ_ONLY;
    request->status = KERR_MUST_WAIT;
    request->channel.is_ready = request_is_ready;
    list_add_last(&disk->queue, &request->link);
    disk->driver->start(disk);
    return KERR_OK;
}

enum kerr block_wait(struct block_request *request)
{
    enum kerr error = block_submit(request);
    if (error != KERR_OK)
        return error;
    while (!request->channel.is_ready(&request->channel)) {
    }
    return request->status;
}

void block_poll(void)
{
    for (struct block_device *device = block_first(); device != NULL; device = block_next(device))
        if (device->disk == device && device->driver->poll != NULL)
            device->driver->poll(device);
}

struct block_request *block_first_request(const struct block_device *disk)
{
    const struct list *link = disk->queue.next;
    return link != &disk->queue ? container_of(link, struct block_request, link) : NULL;
}

static void count(struct block_device *device, const struct block_request *request)
{
    struct block_counts *counts = &device->counts;
    counts->requests[request->operation]++;
    if (request->status != KERR_OK)
        counts->errors++;
    else if (request->operation != BLOCK_FLUSH)
        counts->sectors[request->operation] += request->sectors;
}

void block_complete(struct block_request *request, enum kerr status)
{
    struct block_device *device = request->device;
    ASSERT(request->status == KERR_MUST_WAIT && status != KERR_MUST_WAIT,
           "block: a request of %s is done twice, or not done", device->name);
    list_remove(&request->link);
    request->status = status;
    count(device, request);
    if (device->disk != device)
        count(device->disk, request);
    if (request->done != NULL)
        request->done(request);
    channel_wake(&request->channel);
}

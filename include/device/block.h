/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layers 0-2. Used by: device/, layers 7 and up.
 *
 * Block devices: what holds sectors of 512 bytes and is read and written by requests. A disk is
 * one; a partition is one, too, that counts from its own start and shares the disk's queue.
 *
 * Requests of a disk are carried out one after another, in the order in which they were submitted:
 * what was submitted before a flush has reached the medium when the flush is done.
 *
 * Nothing is written by accident: a device takes writes only between block_open_for_writing() and
 * block_close_for_writing(), here and once more in the driver.
 */
#ifndef DEVICE_BLOCK_H
#define DEVICE_BLOCK_H

#include <kernel/channel.h>
#include <kernel/kerr.h>
#include <kernel/list.h>

enum {
    BLOCK_SECTOR_BYTES = 512,
    BLOCK_FRAMES_MAX = 32,
    BLOCK_SECTORS_MAX = BLOCK_FRAMES_MAX * PAGE_BYTES / BLOCK_SECTOR_BYTES,
    BLOCK_NAME_BYTES = 16,
    BLOCK_MODEL_BYTES = 41,
};

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_OPERATIONS };

/* The record belongs to whoever submits it, and stays untouched until it is done. */
struct block_request {
    struct list link; /* of the disk's queue */
    struct block_device *device;
    enum block_operation operation;
    uint64_t sector;                  /* of the device as it is named */
    uint32_t sectors;                 /* 1..BLOCK_SECTORS_MAX; of a flush, this and the rest to */
    uint32_t offset;                  /* here, nothing. Bytes into frames[0], a multiple of 512 */
    frame_t frames[BLOCK_FRAMES_MAX]; /* one page of data each, anywhere in memory */
    enum kerr status;                 /* KERR_MUST_WAIT until it is done */
    struct channel channel;           /* ready when it is done; is_ready() moves the disk on */
    /*
     * It is done: called from the interrupt, from polling, or inside block_submit(). May submit
     * requests, this one as well; takes no memory. NULL: nobody is told but the channel.
     */
    void (*done)(struct block_request *request);
    void *owner; /* the submitter's */
};

struct block_driver {
    /*
     * DISK's queue has grown. If nothing runs, begin its first request, which stays in the queue
     * until block_complete(). May be called by block_complete().
     */
    void (*start)(struct block_device *disk);
    /* Look at DISK's hardware: what is done, what took too long. NULL: there is nothing to see. */
    void (*poll)(struct block_device *disk);
    /* How data move, for a person: "DMA", "RAM". */
    const char *(*mode)(const struct block_device *disk);
};

struct block_counts {
    uint32_t requests[BLOCK_OPERATIONS]; /* done, well or not */
    uint64_t sectors[BLOCK_OPERATIONS];  /* of those that were done well */
    uint32_t errors;                     /* requests that were not */
    uint32_t retries, time_outs, resets; /* the driver's */
};

struct block_device {
    struct list link;            /* of all that are registered */
    char name[BLOCK_NAME_BYTES]; /* "hda", "hda1", "ram0" */
    char model[BLOCK_MODEL_BYTES];
    const struct block_driver *driver;
    void *driver_data;
    struct block_device *disk; /* itself, or what it is a partition of */
    uint64_t first;            /* of the disk's sectors; 0 of a disk */
    uint64_t sectors;
    const char *opened_for; /* what it may be written for; NULL: it may not */
    const char *read_for;   /* what relies on its contents and does not write; NULL: nothing */
    struct list queue;      /* of a disk: requests, the first one may be under way */
    struct block_counts counts;
};

/* ---- devices ---- */

/* DEVICE becomes a disk of SECTORS sectors that DRIVER serves; the rest is cleared. */
void block_init_disk(struct block_device *device, const char *name,
                     const struct block_driver *driver, void *driver_data, uint64_t sectors);

/* DEVICE becomes the SECTORS sectors of DISK, which has them, from FIRST on. */
void block_init_partition(struct block_device *device, const char *name, struct block_device *disk,
                          uint64_t first, uint64_t sectors);

/*
 * DEVICE, whose name is new, can be found from now on: what is open for writing is looked for among
 * those. It stays until block_unregister(), which wants it closed and without requests.
 */
void block_register(struct block_device *device);
void block_unregister(struct block_device *device);

/* All devices in the order in which they were registered; NULL at the end. */
struct block_device *block_first(void);
struct block_device *block_next(const struct block_device *device);

/* The one named NAME; NULL: there is none. */
struct block_device *block_find(const char *name);

/* ---- who may write ---- */

/*
 * DEVICE can be written from now on, for what PURPOSE says ("root"); the text stays.
 *   returns KERR_OK; KERR_EXISTS: it is open, for writing or reading, or something that shares a sector with it
 */
kerr_t block_open_for_writing(struct block_device *device, const char *purpose);

/* DEVICE keeps its contents from now on, for what PURPOSE says: nobody can open it, or what shares a sector with
 * it. To read it needs none of this. Returns as above. */
kerr_t block_open_for_reading(struct block_device *device, const char *purpose);
void block_close_for_reading(struct block_device *device);

/* DEVICE, which is open and has no request that writes, can't be written any more. */
void block_close_for_writing(struct block_device *device);

/*
 * What a driver asks before it lets REQUEST change a medium: nothing but the record and its device
 * is believed, whoever put it into the queue.
 */
static inline bool block_may_write(const struct block_request *request)
{
    return request->device->opened_for != NULL;
}

/* How many requests have written sectors that DEVICE has, well or not; it wraps. */
uint32_t block_writes(const struct block_device *device);

/* ---- requests ---- */

/*
 * Put REQUEST into its disk's queue, which is never full. It may be done when this returns.
 *   => `device`, `operation`, and what it asks for, `done` and `owner` are the caller's to fill
 *   returns KERR_OK; KERR_BAD_RANGE: no sectors, sectors behind the end of the device, more than
 *   the frames hold; KERR_READ_ONLY: a write or a flush, and the device is not open for writing.
 *   Refused, nothing has changed and `done` is not called
 *   `status`, when it is done: KERR_OK; KERR_IO; KERR_READ_ONLY and KERR_BAD_RANGE (the
 *   driver's own check of the same rules). Of a flush KERR_IO means that something of what was written
 *   before may be lost, and nobody knows what
 */
kerr_t block_submit(struct block_request *request);

/* The kernel's own context: submit REQUEST and poll until it is done. Returns what came of it. */
kerr_t block_wait(struct block_request *request);

/* Move all devices on: completions, time-outs. */
void block_poll(void);

/* The frames that REQUEST asks for: the last one may be used in part, and so may the first. */
static inline uint32_t block_request_frames(const struct block_request *request)
{
    uint32_t bytes = request->offset + request->sectors * BLOCK_SECTOR_BYTES;
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* ---- for drivers ---- */

/* The first request of DISK's queue; NULL: it is empty. */
struct block_request *block_first_request(const struct block_device *disk);

/* Its first sector, of the disk. */
static inline uint64_t block_disk_sector(const struct block_request *request)
{
    return request->device->first + request->sector;
}

/*
 * REQUEST is done: it leaves the queue, who waits is told. The driver's state is that of a disk
 * with nothing under way: `start` may be called before this returns.
 */
void block_complete(struct block_request *request, enum kerr status);

#endif

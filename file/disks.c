/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Disks and partitions as files: /dev/hda, /dev/hda1, /dev/ram0.
 *
 * The bytes of such a file are those of the device, read by way of pages as any file's are, in the one page
 * cache. They are pages of their own: those of a file system that is mounted there stand at places of
 * its choice, and what is dirty in them is not on the disk yet. What was read before something
 * wrote to the device is forgotten with the first read behind that, so a read tells what is on the disk.
 * (A page that a program has mapped stays as it is.)
 *
 * Nobody writes: a disk is written for what it was named for (root=, mount), and for nothing else.
 * Source: Linux, include/uapi/linux/fs.h; Documentation/admin-guide/devices.txt for the numbers.
 */
#include <device/block.h>
#include <kernel/layer.h>
#include <kernel/string.h>
#include <mm/heap.h>
#include <store/cache.h>

#include "open_file.h"

enum { PAGE_SECTORS = PAGE_BYTES / BLOCK_SECTOR_BYTES };

enum block_ioctl {
    BLKROGET = 0x125E,      /* *argument = 1: it can't be written */
    BLKGETSIZE = 0x1260,    /* sectors, 32 bits */
    BLKFLSBUF = 0x1261,     /* forget what is not on the disk; here: what is */
    BLKSSZGET = 0x1268,     /* bytes of a sector */
    BLKPBSZGET = 0x127B,    /* the same of the medium */
    BLKBSZGET = 0x80041270, /* bytes of what is read at once */
    BLKGETSIZE64 = 0x80041272,
};

struct disk {
    struct device_file file;
    struct block_device *device;
    struct cache cache;
    struct inode inode; /* of no file system: its object and its length */
    uint32_t writes,
        writes_at_start; /* to DEVICE, before which nothing is here; the next such point */
};

static struct disk *disk_of(const struct inode *node)
{
    const struct device_file *file = device_file_find(node->status.mode, node->status.device);
    return container_of((struct device_file *)(uintptr_t)file, struct disk, file);
}

struct inode *disk_pages(const struct file *file)
{
    return file->operations == &disk_operations ? &disk_of(file->inode)->inode : NULL;
}

struct block_device *disk_device(const struct inode *node)
{
    const struct device_file *file = device_file_find(node->status.mode, node->status.device);
    bool is_disk = file != NULL && file->operations == &disk_operations;
    return is_disk ? disk_of(node)->device : NULL;
}

/* ---- pages ---- */

static enum kerr locate(struct cache *cache, uint32_t page, struct cache_place *place)
{
    uint64_t first = (uint64_t)page * PAGE_SECTORS, left = cache->device->sectors - first;
    *place = (struct cache_place){.pieces = 1,
                                  .sectors = left < PAGE_SECTORS ? (uint32_t)left : PAGE_SECTORS};
    place->sector[0] = first;
    return KERR_OK;
}

static enum kerr refuse_to_allocate(struct cache *cache, uint32_t page)
{
    (void)cache;
    (void)page;
    return KERR_READ_ONLY;
}

static const struct cache_operations cache_operations = {
    .locate = locate, .allocate = refuse_to_allocate, .is_view = true, .name = "the whole of it"};

static enum kerr disk_page(struct inode *inode, uint32_t page, enum inode_page use, frame_t *frame)
{
    struct disk *disk = container_of(inode, struct disk, inode);
    return use == PAGE_TO_READ ? cache_page(&disk->cache, page, frame) : KERR_READ_ONLY;
}

static enum kerr disk_pages_to_read(struct inode *inode, uint32_t page, uint32_t count,
                                    frame_t frames[], uint32_t *found)
{
    return cache_pages(&container_of(inode, struct disk, inode)->cache, page, count, frames, found);
}

static const struct inode_operations inode_operations = {.page = disk_page,
                                                         .pages_to_read = disk_pages_to_read};

/* ---- calls ---- */

/*
 * What is older than a write to DISK goes, in pieces. Once a call: so that it gets further, however often
 * something is written. 0: all of it has gone; else what the call must return.
 */
static int32_t forget_old(struct process *self, struct disk *disk)
{
    const uint32_t all = UINT32_MAX;
    if (self->progress.kind != PROGRESS_NONE &&
        (self->progress.kind != PROGRESS_STEPS || self->progress.value == all))
        return 0;
    uint32_t page = progress_of(self, PROGRESS_STEPS), writes = block_writes(disk->device);
    if (page == 0)
        disk->writes_at_start = writes;
    if (page > 0 || writes != disk->writes) {
        if (cache_forget_clean(&disk->cache, &page) == KERR_AGAIN)
            return call_continue(self, PROGRESS_STEPS, page);
        disk->writes = disk->writes_at_start;
        progress_note(self, PROGRESS_STEPS, all);
    }
    return 0;
}

static int32_t disk_read(struct process *self, struct file *file, struct transfer *transfer)
{
    struct disk *disk = disk_of(file->inode);
    int32_t result = forget_old(self, disk);
    return result != 0 ? result : file_read_pages(self, file, &disk->inode, transfer);
}

static int32_t tell(uint32_t address, const void *what, uint32_t bytes)
{
    enum kerr error = user_write(address, what, bytes);
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static int32_t disk_ioctl(struct process *self, struct file *file, uint32_t request,
                          uint32_t argument)
{
    struct disk *disk = disk_of(file->inode);
    uint64_t bytes = disk->inode.status.bytes;
    uint32_t value = BLOCK_SECTOR_BYTES;
    switch (request) {
    case BLKROGET:
        value = 1;
        break;
    case BLKGETSIZE:
        if (disk->device->sectors > UINT32_MAX)
            return -EFBIG;
        value = (uint32_t)disk->device->sectors;
        break;
    case BLKSSZGET:
    case BLKPBSZGET:
        break;
    case BLKBSZGET:
        value = PAGE_BYTES;
        break;
    case BLKGETSIZE64:
        return tell(argument, &bytes, sizeof(bytes));
    case BLKFLSBUF:
        if (self->progress.kind == PROGRESS_NONE)
            disk->writes = block_writes(disk->device) - 1; /* as if there had been one more */
        return forget_old(self, disk);
    default:
        return -ENOTTY;
    }
    return tell(argument, &value, sizeof(value));
}

/* A write is refused when the file is opened. */
const struct file_operations disk_operations = {
    .read = disk_read, .ioctl = disk_ioctl, .seek = SEEK_ANYWHERE};

/* ---- at boot ---- */

/* Linux's number of the device NAME: hda to hdd and their partitions, ram0; else the NTH of the numbers
 * that have no meaning. */
static uint32_t number_of(const char *name, uint32_t nth)
{
    enum { IDE_FIRST = 3, IDE_SECOND = 22, RAM = 1, EXTENDED = 259, IDE_MINORS = 64 };
    uint32_t partition = 0;
    bool is_ide = name[0] == 'h' && name[1] == 'd' && name[2] >= 'a' && name[2] <= 'd';
    if (is_ide &&
        (name[3] == '\0' || (parse_u32(name + 3, &partition) && partition < IDE_MINORS))) {
        uint32_t drive = (uint32_t)(name[2] - 'a');
        return device_number(drive < 2 ? IDE_FIRST : IDE_SECOND,
                             drive % 2 * IDE_MINORS + partition);
    }
    return strcmp(name, "ram0") == 0 ? device_number(RAM, 0) : device_number(EXTENDED, nth);
}

enum kerr disk_file_add(struct block_device *device, uint32_t nth)
{
    uint64_t pages = (device->sectors + PAGE_SECTORS - 1) / PAGE_SECTORS;
    void *block;
    enum kerr error = kmalloc(sizeof(struct disk), &block);
    if (error != KERR_OK)
        return error;
    struct disk *disk = block;
    *disk = (struct disk){.device = device,
                          .file = {.name = device->name,
                                   .mode = S_IFBLK | 0660,
                                   .number = number_of(device->name, nth),
                                   .operations = &disk_operations}};
    error = cache_begin(&disk->cache, &cache_operations, device, disk,
                        pages < OBJECT_PAGE_LIMIT ? (uint32_t)pages : OBJECT_PAGE_LIMIT);
    if (error != KERR_OK) {
        kfree(disk);
        return error;
    }
    disk->inode =
        (struct inode){.operations = &inode_operations,
                       .object = disk->cache.object,
                       .status = {.mode = S_IFBLK, .bytes = device->sectors * BLOCK_SECTOR_BYTES}};
    return device_file_add(&disk->file);
}

static enum kerr disks_init(const struct boot_info *boot)
{
    enum kerr error = KERR_OK;
    uint32_t nth = 0;
    (void)boot;
    for (struct block_device *device = block_first(); device != NULL && error == KERR_OK;
         device = block_next(device))
        error = disk_file_add(device, nth++);
    return error;
}

LAYER(09d, "disks as files", disks_init);

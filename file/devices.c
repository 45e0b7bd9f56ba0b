/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Devices as files: /dev, and those that are no hardware: null, zero, full, random, urandom.
 *
 * A node of any file system says a type and a number; which device that is, is looked up when it is
 * opened. /dev is a tmpfs that begins with a node for each device, and gets one for each that comes.
 *
 * null and zero take whatever is written and never look at it: the address may be a bad one, as in
 * Linux. mmap() treats /dev/zero as anonymous memory (file_for_mapping()).
 */
#include <kernel/layer.h>
#include <kernel/string.h>
#include <process/random.h>

#include "open_file.h"
#include "tmpfs.h"

static int32_t swallow(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    return (int32_t)transfer->bytes;
}

static int32_t refuse_for_room(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    (void)transfer;
    return -ENOSPC;
}

static int32_t read_nothing(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    (void)transfer;
    return 0;
}

/* A page at a time: the result is exact where the program's memory ends. Many pages: in pieces. */
static int32_t read_zeros(struct process *self, struct file *file, struct transfer *transfer)
{
    uint32_t done = transfer_begin(self, transfer), piece_end = done + CALL_PIECE_BYTES;
    (void)file;
    while (transfer->bytes > 0) {
        if (done >= piece_end)
            return transfer_goes_on(self, transfer, done);
        uint32_t bytes = transfer_step(transfer, PAGE_BYTES);
        enum kerr error = transfer_zeros(transfer, bytes);
        if (error != KERR_OK)
            return transfer_failed(self, transfer, error, done);
        done += bytes;
    }
    return (int32_t)done;
}

static int32_t read_random(struct process *self, struct file *file, struct transfer *transfer)
{
    enum { AT_ONCE = 64 };
    uint8_t bytes[AT_ONCE];
    uint32_t done = transfer_begin(self, transfer), piece_end = done + CALL_PIECE_BYTES;
    (void)file;
    while (transfer->bytes > 0) {
        if (done >= piece_end)
            return transfer_goes_on(self, transfer, done);
        uint32_t step = transfer_step(transfer, AT_ONCE);
        random_bytes(bytes, step);
        enum kerr error = transfer_to_user(transfer, bytes, step);
        if (error != KERR_OK)
            return transfer_failed(self, transfer, error, done);
        done += step;
    }
    return (int32_t)done;
}

const struct file_operations null_operations = {
    .read = read_nothing, .write = swallow, .seek = SEEK_TO_START};
const struct file_operations zero_operations = {
    .read = read_zeros, .write = swallow, .seek = SEEK_TO_START};
static const struct file_operations full_operations = {
    .read = read_zeros, .write = refuse_for_room, .seek = SEEK_TO_START};
static const struct file_operations random_operations = {
    .read = read_random, .write = swallow, .seek = SEEK_TO_START};

/* ---- all devices ---- */

static struct list devices = {&devices, &devices};

const struct device_file *device_file_next(const struct device_file *device)
{
    const struct list *next = device == NULL ? devices.next : device->link.next;
    return next == &devices ? NULL : container_of(next, struct device_file, link);
}

const struct device_file *device_file_find(uint32_t mode, uint32_t number)
{
    const struct device_file *device = device_file_next(NULL);
    while (device != NULL && (((device->mode ^ mode) & S_IFMT) != 0 || device->number != number))
        device = device_file_next(device);
    return device;
}

static enum kerr make_node(struct mount *mount, const struct device_file *device)
{
    const struct inode_wish wish = {.mode = device->mode, .device = device->number};
    return inode_make(mount->root, device->name, &wish, NULL);
}

/* ---- /dev ---- */

static enum kerr devtmpfs_mount(struct mount *mount, const char *options)
{
    enum kerr error = tmpfs_mount(mount, options);
    if (error != KERR_OK)
        return error;
    mount->root->status.mode = S_IFDIR | 0755;
    for (const struct device_file *device = device_file_next(NULL);
         device != NULL && error == KERR_OK; device = device_file_next(device))
        error = make_node(mount, device);
    if (error != KERR_OK) {
        enum kerr undone = tmpfs_unmount(mount);
        (void)undone; /* it can't fail */
    }
    return error;
}

FILE_SYSTEM(devtmpfs, .name = "devtmpfs", .flags = FILE_SYSTEM_KEEPS_INODES,
            .mount = devtmpfs_mount, .unmount = tmpfs_unmount, .room = tmpfs_room);

enum kerr device_file_add(struct device_file *device)
{
    enum kerr error = KERR_OK;
    for (struct mount *mount = mount_next(NULL); mount != NULL && error == KERR_OK;
         mount = mount_next(mount))
        if (mount->file_system == &file_system_devtmpfs)
            error = make_node(mount, device);
    if (error == KERR_OK)
        list_add_last(&devices, &device->link);
    return error;
}

static enum kerr devices_init(__attribute__((unused)) const struct boot_info *boot)
{
    static struct device_file files[] = {
        {"null", S_IFCHR | 0666, 0x103, &null_operations, {NULL, NULL}},
        {"zero", S_IFCHR | 0666, 0x105, &zero_operations, {NULL, NULL}},
        {"full", S_IFCHR | 0666, 0x107, &full_operations, {NULL, NULL}},
        {"random", S_IFCHR | 0666, 0x108, &random_operations, {NULL, NULL}},
        {"urandom", S_IFCHR | 0666, 0x109, &random_operations, {NULL, NULL}},
        {"tty", S_IFCHR | 0666, 0x500, &terminal_operations, {NULL, NULL}},
        {"console", S_IFCHR | 0600, 0x501, &terminal_operations, {NULL, NULL}},
    };
    enum kerr error = KERR_OK;
    for (unsigned i = 0; i < ARRAY_LENGTH(files) && error == KERR_OK; i++)
        error = device_file_add(&files[i]);
    return error;
}

LAYER(09a, "devices", devices_init);

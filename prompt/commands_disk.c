/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands for block devices: which there are, and what they have done.
 */
#include <device/block.h>
#include <kernel/printk.h>
#include <prompt/prompt.h>

enum { SECTORS_PER_KIB = 1024 / BLOCK_SECTOR_BYTES, KIB_PER_MIB = 1024, LARGE_KIB = 10240 };

static bool is_disk(const struct block_device *device)
{
    return device->disk == device;
}

static void print_device(const struct block_device *device)
{
    uint64_t kib = device->sectors / SECTORS_PER_KIB;
    bool is_large = kib >= LARGE_KIB;
    printk("%s%-*s %12llu %9llu %s  %s%s%s\n", is_disk(device) ? "  " : "    ",
           is_disk(device) ? 8 : 6, device->name, device->sectors,
           is_large ? kib / KIB_PER_MIB : kib, is_large ? "MiB" : "KiB",
           is_disk(device) ? device->driver->mode(device) : "partition",
           device->model[0] != '\0' ? "  " : "", device->model);
    if (device->opened_for != NULL)
        printk("             open for writing: %s\n", device->opened_for);
}

/* DISK, and its partitions behind it. */
static void print_disk(const struct block_device *disk)
{
    print_device(disk);
    for (const struct block_device *part = block_first(); part != NULL; part = block_next(part))
        if (part->disk == disk && part != disk)
            print_device(part);
}

COMMAND("disks", "", "disks and their partitions")
{
    if (block_first() == NULL) {
        printk("  there are none\n");
        return true;
    }
    printk("  NAME          SECTORS          SIZE  MODE, MODEL\n");
    for (const struct block_device *disk = block_first(); disk != NULL; disk = block_next(disk))
        if (is_disk(disk))
            print_disk(disk);
    return true;
}

static uint64_t kib_of(const struct block_device *device, enum block_operation operation)
{
    return device->counts.sectors[operation] / SECTORS_PER_KIB;
}

COMMAND("io", "", "what was read and written, and what went wrong")
{
    printk("  NAME        READS       KIB    WRITES       KIB   FLUSHES  ERRORS RETRIES TIMEOUT "
           "RESETS\n");
    for (struct block_device *device = block_first(); device != NULL; device = block_next(device)) {
        const struct block_counts *counts = &device->counts;
        printk("  %-8s %8u %9llu  %8u %9llu  %8u  %6u  %6u  %6u %6u\n", device->name,
               (unsigned)counts->requests[BLOCK_READ], kib_of(device, BLOCK_READ),
               (unsigned)counts->requests[BLOCK_WRITE], kib_of(device, BLOCK_WRITE),
               (unsigned)counts->requests[BLOCK_FLUSH], (unsigned)counts->errors,
               (unsigned)counts->retries, (unsigned)counts->time_outs, (unsigned)counts->resets);
    }
    return true;
}

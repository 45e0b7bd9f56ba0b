/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands for block devices: which there are, and what they have done.
 */
#include <device/block.h>
#include <kernel/printk.h>
#include <prompt/prompt.h>
#include <store/swap.h>

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
    if (device->read_for != NULL)
        printk("             in use, read only: %s\n", device->read_for);
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

/* How many pages a request has had, as a rule: "N pages in M requests, N/M each". */
static void print_cluster(const char *what, const struct block_counts *counts,
                          enum block_operation operation)
{
    enum { SECTORS_PER_PAGE = 4096 / BLOCK_SECTOR_BYTES };
    uint32_t requests = counts->requests[operation];
    uint32_t pages = (uint32_t)counts->sectors[operation] / SECTORS_PER_PAGE;
    printk("%s: %u pages in %u requests", what, (unsigned)pages, (unsigned)requests);
    if (requests > 0)
        printk(", %u each", (unsigned)((pages + requests / 2) / requests));
}

static void print_compressed(void)
{
    const struct swap_ram_counts *counts = &swap_ram_counts;
    if (counts->frames > 0)
        printk("  in RAM: %u pages in %u frames, in %u pieces; %u of one word; too large: %u\n",
               (unsigned)counts->pages, (unsigned)counts->frames, (unsigned)counts->pieces,
               (unsigned)counts->words, (unsigned)counts->refused);
}

COMMAND("swap", "", "swap areas, and the pages that went out and came back")
{
    struct swap_sum sum = swap_sum();
    if (sum.pages == 0) {
        printk("  there is none: swap=DEVICE on the command line, or swapon\n");
        return true;
    }
    printk("  NAME       SLOTS  BAD     USED  HERE TOO  PRIORITY\n");
    for (const struct swap_area *area = swap_next(NULL); area != NULL; area = swap_next(area))
        printk("  %-8s %7u %4u %8u %9u %9d\n", area->cache.device->name, (unsigned)area->pages,
               (unsigned)area->moved_count, (unsigned)swap_used_pages(area),
               (unsigned)area->cache.object->real_pages, (int)area->priority);
    for (const struct swap_area *area = swap_next(NULL); area != NULL; area = swap_next(area)) {
        print_cluster("  written", &area->cache.device->counts, BLOCK_WRITE);
        print_cluster("; read", &area->cache.device->counts, BLOCK_READ);
        printk("  (%s)\n", area->cache.device->name);
    }
    printk("  pages out: %u, of these still the same in their slot: %u; full of zeros: %u\n",
           (unsigned)(swap_counts.out + swap_counts.again), (unsigned)swap_counts.again,
           (unsigned)swap_counts.zero);
    printk("  pages back: %u; slots given up for a write: %u; tables looked at: %u\n",
           (unsigned)swap_counts.in, (unsigned)swap_counts.let_go, (unsigned)swap_counts.scanned);
    printk("  tables given up: %u, of these to slots: %u; tables back: %u\n",
           (unsigned)swap_counts.tables_gone, (unsigned)swap_counts.tables_out,
           (unsigned)swap_counts.tables_in);
    print_compressed();
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /proc but for its processes: memory, times, and what this system is. Formats are Linux's, with
 * zeros for what is not counted here.
 * Source: Linux manual pages proc_meminfo(5), proc_stat(5) and the others.
 */
#include <arch/i386/cpu.h>
#include <device/block.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <process/commit.h>
#include <process/schedule.h>
#include <process/timer.h>
#include <store/cache.h>
#include <store/swap.h>

#include "proc.h"

enum { KIB_PER_PAGE = PAGE_BYTES / 1024 };

/* ---- memory ---- */

/* Pages of the caches: dirty ones, and those that a device reads or writes. */
static uint32_t pages_of_devices(uint32_t *cached)
{
    uint32_t busy = 0;
    *cached = 0;
    for (const struct cache *cache = cache_next(NULL); cache != NULL; cache = cache_next(cache)) {
        busy += cache->busy_pages;
        *cached += cache->object->real_pages;
    }
    return busy;
}

static enum kerr write_meminfo(struct proc_text *text, const struct process *process)
{
    const struct frame_pool *pool = &frame_pool;
    uint32_t cached, busy = pages_of_devices(&cached), dirty = store_dirty_pages();
    uint32_t files = pool->totals[FRAME_FILE], free = frame_available(pool);
    uint32_t total = pool->frames - pool->totals[FRAME_RESERVED];
    struct swap_sum swap = swap_sum();
    uint64_t limit = pool->commit_limit != UINT64_MAX ? pool->commit_limit : total + swap.pages;
    const struct {
        const char *name;
        uint64_t pages;
    } lines[] = {{"MemTotal:", total},
                 {"MemFree:", free},
                 {"MemAvailable:", free + (cached > dirty + busy ? cached - dirty - busy : 0)},
                 {"Buffers:", 0},
                 {"Cached:", files},
                 {"SwapCached:", swap.cached},
                 {"SwapTotal:", swap.pages},
                 {"SwapFree:", swap.pages - swap.used},
                 {"Dirty:", dirty},
                 {"Writeback:", busy},
                 {"AnonPages:", pool->totals[FRAME_ANONYMOUS] + pool->totals[FRAME_SWAPPED]},
                 {"Shmem:", files > cached ? files - cached : 0},
                 {"KReclaimable:", 0},
                 {"Slab:", pool->totals[FRAME_KERNEL]},
                 {"SReclaimable:", 0},
                 {"SUnreclaim:", pool->totals[FRAME_KERNEL]},
                 {"PageTables:", pool->totals[FRAME_TABLE] + pool->totals[FRAME_DIRECTORY]},
                 {"CommitLimit:", limit},
                 {"Committed_AS:", pool->committed}};
    (void)process;
    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        proc_print(text, "%-15s %8llu kB\n", lines[i].name,
                   (unsigned long long)lines[i].pages * KIB_PER_PAGE);
    return KERR_OK;
}

static enum kerr write_vmstat(struct proc_text *text, const struct process *process)
{
    uint32_t cached, busy = pages_of_devices(&cached);
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {{"nr_free_pages", frame_available(&frame_pool)},
                 {"nr_anon_pages", frame_pool.totals[FRAME_ANONYMOUS]},
                 {"nr_file_pages", frame_pool.totals[FRAME_FILE]},
                 {"nr_dirty", store_dirty_pages()},
                 {"nr_writeback", busy},
                 {"nr_page_table_pages", frame_pool.totals[FRAME_TABLE]},
                 {"pgpgin", (uint64_t)store_counts.pages_read * KIB_PER_PAGE},
                 {"pgpgout", (uint64_t)store_counts.pages_written * KIB_PER_PAGE},
                 {"pswpin", swap_counts.in},
                 {"pswpout", swap_counts.out},
                 {"pgsteal_direct", store_counts.pages_reclaimed}};
    (void)process;
    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        proc_print(text, "%s %llu\n", lines[i].name, (unsigned long long)lines[i].value);
    return KERR_OK;
}

static enum kerr write_swaps(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    for (const struct swap_area *area = swap_next(NULL); area != NULL; area = swap_next(area)) {
        const struct block_device *device = area->cache.device;
        uint32_t width = (uint32_t)strlen(device->name) + 5; /* Linux's columns */
        proc_print(text, "/dev/%s%*s%s\t%u\t\t%u\t\t%d\n", device->name,
                   width < 40 ? (int)(40 - width) : 1, "", "partition",
                   (unsigned)(area->pages * KIB_PER_PAGE),
                   (unsigned)(swap_used_pages(area) * KIB_PER_PAGE), (int)area->priority);
    }
    return KERR_OK;
}

static enum kerr write_overcommit(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "%u\n", (unsigned)commit_account.mode);
    return KERR_OK;
}

/* ---- times ---- */

static uint64_t idle_ticks(void)
{
    uint64_t now = timer_ticks();
    return now > process_ticks ? now - process_ticks : 0;
}

static unsigned runnable_count(void)
{
    unsigned count = 0;
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        count += process->state == PROCESS_RUNNABLE;
    return count;
}

static enum kerr write_stat(struct proc_text *text, const struct process *process)
{
    static const char *const names[] = {"cpu ", "cpu0"};
    (void)process;
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++)
        proc_print(text, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", names[i],
                   (unsigned long long)process_ticks, (unsigned long long)idle_ticks());
    proc_print(text, "intr 0\nctxt 0\nbtime %llu\nprocesses %u\n",
               (unsigned long long)(clock_real().seconds - clock_monotonic().seconds),
               (unsigned)process_serial);
    proc_print(text, "procs_running %u\nprocs_blocked 0\n", runnable_count());
    return KERR_OK;
}

static enum kerr write_uptime(struct proc_text *text, const struct process *process)
{
    const struct time times[] = {clock_monotonic(), ticks_to_time(idle_ticks())};
    enum { NS_PER_HUNDREDTH = 10000000 };
    (void)process;
    for (unsigned i = 0; i < ARRAY_LENGTH(times); i++)
        proc_print(text, "%llu.%02u%c", (unsigned long long)times[i].seconds,
                   (unsigned)(times[i].nanoseconds / NS_PER_HUNDREDTH), i == 0 ? ' ' : '\n');
    return KERR_OK;
}

/* Nobody keeps a mean. */
static enum kerr write_loadavg(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "0.00 0.00 0.00 %u/%u %u\n", runnable_count(), (unsigned)process_count(),
               (unsigned)process_serial % PROCESS_RECORDS_COUNT);
    return KERR_OK;
}

/* ---- disks ---- */

/* The block device that FILE is; NULL: it is another kind of file. */
static const struct block_device *device_of(const struct device_file *file)
{
    return (file->mode & S_IFMT) == S_IFBLK ? block_find(file->name) : NULL;
}

static enum kerr write_partitions(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "major minor  #blocks  name\n\n");
    for (const struct device_file *file = device_file_next(NULL); file != NULL;
         file = device_file_next(file))
        if (device_of(file) != NULL)
            proc_print(text, "%4u %7u %10llu %s\n", (unsigned)device_major(file->number),
                       (unsigned)device_minor(file->number),
                       (unsigned long long)device_of(file)->sectors / 2, file->name);
    return KERR_OK;
}

/* Requests and sectors, read and written; nobody measures times. */
static enum kerr write_disk_counts(struct proc_text *text, const struct process *process)
{
    (void)process;
    for (const struct device_file *file = device_file_next(NULL); file != NULL;
         file = device_file_next(file)) {
        const struct block_device *device = device_of(file);
        if (device == NULL)
            continue;
        const struct block_counts *counts = &device->counts;
        proc_print(text, "%4u %7u %s %u 0 %llu 0 %u 0 %llu 0 0 0 0\n",
                   (unsigned)device_major(file->number), (unsigned)device_minor(file->number),
                   file->name, (unsigned)counts->requests[BLOCK_READ],
                   (unsigned long long)counts->sectors[BLOCK_READ],
                   (unsigned)counts->requests[BLOCK_WRITE],
                   (unsigned long long)counts->sectors[BLOCK_WRITE]);
    }
    return KERR_OK;
}

/* ---- what it is ---- */

static enum kerr write_version(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "%s version %s (%s) %s\n", system_name.system, system_name.release,
               system_name.node, system_name.version);
    return KERR_OK;
}

static enum kerr write_system(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "%s\n", system_name.system);
    return KERR_OK;
}

static enum kerr write_release(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "%s\n", system_name.release);
    return KERR_OK;
}

static enum kerr write_node(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "%s\n", system_name.node);
    return KERR_OK;
}

static enum kerr write_pid_max(struct proc_text *text, const struct process *process)
{
    (void)process;
    proc_print(text, "%u\n", PROCESS_RECORDS_COUNT);
    return KERR_OK;
}

static enum kerr write_file_systems(struct proc_text *text, const struct process *process)
{
    (void)process;
    for (const struct file_system *system = file_systems_first; system < file_systems_end; system++)
        if (!(system->flags & FILE_SYSTEM_OF_TESTS))
            proc_print(text, "%s\t%s\n", system->flags & FILE_SYSTEM_NEEDS_SOURCE ? "" : "nodev",
                       system->name);
    return KERR_OK;
}

/* Source: SDM vol. 2A, "CPUID", leaf 1, EDX. */
static enum kerr write_cpuinfo(struct proc_text *text, const struct process *process)
{
    static const char *const names[32] = {
        "fpu",  "vme",  "de",   "pse", "tsc",  "msr", "pae",   "mce", "cx8",     "apic", NULL,
        "sep",  "mtrr", "pge",  "mca", "cmov", "pat", "pse36", "pn",  "clflush", NULL,   "dts",
        "acpi", "mmx",  "fxsr", "sse", "sse2", "ss",  "ht",    "tm",  "ia64",    "pbe"};
    (void)process;
    proc_print(text, "processor\t: 0\nmodel name\t: %s\n", cpu_features.name);
    proc_print(text, "fpu\t\t: %s\nflags\t\t:", cpu_features.fpu ? "yes" : "no");
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++)
        if (names[i] != NULL && (cpu_features.feature_bits >> i & 1) != 0)
            proc_print(text, " %s", names[i]);
    proc_print(text, "\n\n");
    return KERR_OK;
}

/* ---- links ---- */

static enum kerr read_self(const struct proc_inode *link, char *target, uint32_t *bytes)
{
    (void)link;
    if (process_current == NULL)
        return KERR_NOT_FOUND;
    *bytes = format_text(target, PATH_BYTES_MAX, "%u", (unsigned)process_current->pid);
    return KERR_OK;
}

static enum kerr read_mounts(const struct proc_inode *link, char *target, uint32_t *bytes)
{
    static const char text[] = "self/mounts";
    (void)link;
    *bytes = strlen(text);
    memcpy(target, text, *bytes);
    return KERR_OK;
}

/* ---- the table ---- */

enum { DIRECTORY = S_IFDIR | 0555, FILE_TEXT = S_IFREG | 0444, LINK = S_IFLNK | 0777 };
enum { ROOT, SYS, SYS_KERNEL, SYS_VM };

const struct proc_entry proc_of_system[] = {
    [ROOT] = {.name = "", .mode = DIRECTORY},
    [SYS] = {.name = "sys", .mode = DIRECTORY},
    [SYS_KERNEL] = {.name = "kernel", .mode = DIRECTORY, .parent = SYS},
    [SYS_VM] = {.name = "vm", .mode = DIRECTORY, .parent = SYS},
    {.name = "cpuinfo", .mode = FILE_TEXT, .write = write_cpuinfo},
    {.name = "diskstats", .mode = FILE_TEXT, .write = write_disk_counts},
    {.name = "filesystems", .mode = FILE_TEXT, .write = write_file_systems},
    {.name = "loadavg", .mode = FILE_TEXT, .write = write_loadavg},
    {.name = "meminfo", .mode = FILE_TEXT, .write = write_meminfo},
    {.name = "mounts", .mode = LINK, .read_link = read_mounts},
    {.name = "partitions", .mode = FILE_TEXT, .write = write_partitions},
    {.name = "self", .mode = LINK, .read_link = read_self},
    {.name = "stat", .mode = FILE_TEXT, .write = write_stat},
    {.name = "swaps", .mode = FILE_TEXT, .write = write_swaps},
    {.name = "uptime", .mode = FILE_TEXT, .write = write_uptime},
    {.name = "version", .mode = FILE_TEXT, .write = write_version},
    {.name = "vmstat", .mode = FILE_TEXT, .write = write_vmstat},
    {.name = "hostname", .mode = FILE_TEXT, .parent = SYS_KERNEL, .write = write_node},
    {.name = "osrelease", .mode = FILE_TEXT, .parent = SYS_KERNEL, .write = write_release},
    {.name = "ostype", .mode = FILE_TEXT, .parent = SYS_KERNEL, .write = write_system},
    {.name = "pid_max", .mode = FILE_TEXT, .parent = SYS_KERNEL, .write = write_pid_max},
    {.name = "overcommit_memory", .mode = FILE_TEXT, .parent = SYS_VM, .write = write_overcommit},
};
const uint32_t proc_of_system_count = ARRAY_LENGTH(proc_of_system);

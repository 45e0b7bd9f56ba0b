/* SPDX-License-Identifier: MIT */
/*
 * User program. Rows about private memory: mappings, faults, protection, the heap.
 */
#include "bench.h"

enum { RW = PROT_READ | PROT_WRITE };

static const struct mapping {
    const char *map_name, *unmap_name;
    uint32_t bytes, flags;
} mappings[] = {
    {"mmap_4K", "munmap_4K", 4 * KIB, 0},
    {"mmap_64K", "munmap_64K", 64 * KIB, 0},
    {"mmap_4M", "munmap_4M", 4 * MIB, 0},
    {"mmap_256M", "munmap_256M", 256 * MIB, 0},
    {"mmap_1G_noreserve", "munmap_1G_noreserve", 1024 * MIB, MAP_NORESERVE},
};

/* A mapping that nobody touches, and its end. */
static void bench_mapping(const struct mapping *mapping)
{
    struct least maps = LEAST_NONE, unmaps = LEAST_NONE;
    for (int sample = 0; sample < 101; sample++) {
        uint64_t start = read_tsc();
        uint32_t memory = map_at(0, mapping->bytes, RW, mapping->flags);
        uint64_t mapped = read_tsc();
        if (is_error(memory)) {
            report_refusal(mapping->map_name, (int32_t)memory);
            return;
        }
        unmap(memory, mapping->bytes);
        least_add(&unmaps, read_tsc() - mapped);
        least_add(&maps, mapped - start);
    }
    report(mapping->map_name, maps, 1);
    report(mapping->unmap_name, unmaps, 1);
}

void bench_mmap(void)
{
    for (uint32_t i = 0; i < sizeof mappings / sizeof mappings[0]; i++)
        bench_mapping(&mappings[i]);
}

static uint64_t time_of_reads(uint32_t memory, uint32_t bytes)
{
    uint64_t start = read_tsc();
    for (uint32_t i = 0; i < bytes; i += PAGE_BYTES)
        touch_read(memory + i);
    return read_tsc() - start;
}

static uint64_t time_of_writes(uint32_t memory, uint32_t bytes)
{
    uint64_t start = read_tsc();
    touch_all(memory, bytes);
    return read_tsc() - start;
}

static uint64_t time_of_unmap(uint32_t memory, uint32_t bytes)
{
    uint64_t start = read_tsc();
    unmap(memory, bytes);
    return read_tsc() - start;
}

/* The first access to each page of 16 MiB: a read, and later a write; or a write at once. */
void bench_fault(void)
{
    struct least reads = LEAST_NONE, later_writes = LEAST_NONE, writes = LEAST_NONE;
    struct least reads_again = LEAST_NONE, writes_again = LEAST_NONE, unmaps = LEAST_NONE;
    for (int sample = 0; sample < 7; sample++) {
        uint32_t memory = map(FAULT_BYTES, RW);
        if (is_error(memory)) {
            report_refusal("read_fault", (int32_t)memory);
            return;
        }
        least_add(&reads, time_of_reads(memory, FAULT_BYTES));
        least_add(&reads_again, time_of_reads(memory, FAULT_BYTES));
        least_add(&later_writes, time_of_writes(memory, FAULT_BYTES));
        least_add(&writes_again, time_of_writes(memory, FAULT_BYTES));
        least_add(&unmaps, time_of_unmap(memory, FAULT_BYTES));

        memory = map(FAULT_BYTES, RW);
        least_add(&writes, time_of_writes(memory, FAULT_BYTES));
        least_add(&unmaps, time_of_unmap(memory, FAULT_BYTES));
    }
    const uint32_t pages = FAULT_BYTES / PAGE_BYTES;
    report("read_fault", reads, pages);
    report("read_again", reads_again, pages);
    report("write_after_read_fault", later_writes, pages);
    report("write_again", writes_again, pages);
    report("write_fault", writes, pages);
    report("munmap_touched", unmaps, pages);
}

/* One byte of each page of 1 GiB is read. */
void bench_sparse(void)
{
    const uint32_t bytes = 1024u * MIB;
    struct least reads = LEAST_NONE, unmaps = LEAST_NONE;
    uint32_t memory = map_at(0, bytes, RW, MAP_NORESERVE);
    if (is_error(memory)) {
        report_refusal("sparse_read", (int32_t)memory);
        return;
    }
    uint32_t free_before = free_kib();
    least_add(&reads, time_of_reads(memory, bytes));
    uint32_t free_after = free_kib();
    least_add(&unmaps, time_of_unmap(memory, bytes));
    report("sparse_read", reads, bytes / PAGE_BYTES);
    report("sparse_read_munmap", unmaps, bytes / PAGE_BYTES);
    report_value("sparse_read_ram_kB", free_before > free_after ? free_before - free_after : 0,
                 "kB");
}

/* The middle page of 16 becomes read-only: three regions; and writable again: one. */
void bench_mprotect(void)
{
    struct least splits = LEAST_NONE, merges = LEAST_NONE;
    uint32_t memory = map(16 * PAGE_BYTES, RW);
    if (is_error(memory)) {
        report_refusal("mprotect_split", (int32_t)memory);
        return;
    }
    touch_all(memory, 16 * PAGE_BYTES);
    for (int sample = 0; sample < 101; sample++) {
        uint64_t start = read_tsc();
        protect(memory + 8 * PAGE_BYTES, PAGE_BYTES, PROT_READ);
        uint64_t split = read_tsc();
        protect(memory + 8 * PAGE_BYTES, PAGE_BYTES, RW);
        least_add(&merges, read_tsc() - split);
        least_add(&splits, split - start);
    }
    report("mprotect_split", splits, 1);
    report("mprotect_merge", merges, 1);
    unmap(memory, 16 * PAGE_BYTES);
}

static void bench_brk_pages(uint32_t top)
{
    struct least grows = LEAST_NONE, shrinks = LEAST_NONE;
    for (int sample = 0; sample < 101; sample++) {
        uint64_t start = read_tsc();
        set_break(top + PAGE_BYTES);
        uint64_t grown = read_tsc();
        set_break(top);
        least_add(&shrinks, read_tsc() - grown);
        least_add(&grows, grown - start);
    }
    report("brk_grow_4K", grows, 1);
    report("brk_shrink_4K", shrinks, 1);
}

/* The heap grows and shrinks, by a page that nobody touches, and by 1 MiB that is written. */
void bench_brk(void)
{
    struct least grows = LEAST_NONE, writes = LEAST_NONE, shrinks = LEAST_NONE;
    /* A page stays below: the heap never becomes empty. */
    uint32_t top = (set_break(0) + 2 * PAGE_BYTES - 1) & -(uint32_t)PAGE_BYTES;
    if (set_break(top) != top) {
        report_refusal("brk_grow_4K", 0);
        return;
    }
    bench_brk_pages(top);
    for (int sample = 0; sample < 7; sample++) {
        uint64_t start = read_tsc();
        set_break(top + MIB);
        least_add(&grows, read_tsc() - start);
        least_add(&writes, time_of_writes(top, MIB));
        start = read_tsc();
        set_break(top);
        least_add(&shrinks, read_tsc() - start);
    }
    report("brk_grow_1M", grows, 1);
    report("brk_touch", writes, MIB / PAGE_BYTES);
    report("brk_shrink_touched", shrinks, MIB / PAGE_BYTES);
}

/* 4 MiB of written pages are thrown away and written again. */
void bench_madvise(void)
{
    const uint32_t bytes = 4 * MIB;
    struct least discards = LEAST_NONE, writes = LEAST_NONE;
    uint32_t memory = map(bytes, RW);
    if (is_error(memory)) {
        report_refusal("madvise_dontneed", (int32_t)memory);
        return;
    }
    touch_all(memory, bytes);
    for (int sample = 0; sample < 7; sample++) {
        uint64_t start = read_tsc();
        int32_t error = call_3(CALL_MADVISE, memory, bytes, MADV_DONTNEED);
        least_add(&discards, read_tsc() - start);
        if (error != 0) {
            report_refusal("madvise_dontneed", error);
            return;
        }
        least_add(&writes, time_of_writes(memory, bytes));
    }
    report("madvise_dontneed", discards, bytes / PAGE_BYTES);
    report("madvise_retouch", writes, bytes / PAGE_BYTES);
    unmap(memory, bytes);
}

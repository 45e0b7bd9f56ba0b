/* SPDX-License-Identifier: MIT */
/*
 * User program. Rows in bytes: the memory that a region and an idle process take.
 */
#include "bench.h"

/* Linux keeps lists of free pages per CPU that it does not count as free. */
static void give_back_page_lists(void)
{
    int32_t file = call_3(CALL_OPEN, address_of("/proc/sys/vm/compact_memory"), 1, 0);
    if (file < 0)
        return;
    write_bytes(file, "1", 1);
    call_3(CALL_CLOSE, (uint32_t)file, 0, 0);
}

uint32_t free_kib(void)
{
    const uint32_t pause[2] = {0, 200000000};
    struct system_information information;
    give_back_page_lists();
    call_3(CALL_NANOSLEEP, address_of(pause), 0, 0);
    if (call_3(CALL_SYSINFO, address_of(&information), 0, 0) != 0)
        return 0;
    return (uint32_t)((uint64_t)information.free * information.unit_bytes / KIB);
}

static void report_share(const char *name, uint32_t before, uint32_t after, uint32_t count)
{
    if (count == 0 || before == 0)
        report_refusal(name, 0);
    else
        report_value(name, before > after ? (before - after) * KIB / count : 0, "B");
}

/* Regions of a page, none like its neighbours, untouched. */
static void ram_of_regions(void)
{
    uint32_t before = free_kib(), count = 0;
    uint32_t base = map((REGIONS + 2) * PAGE_BYTES, PROT_NONE);
    unmap(base, (REGIONS + 2) * PAGE_BYTES);
    base += PAGE_BYTES;
    for (; count < REGIONS; count++) {
        uint32_t at = base + count * PAGE_BYTES;
        uint32_t protection = (count & 1) != 0 ? PROT_READ | PROT_WRITE : PROT_READ;
        if (map_at(at, PAGE_BYTES, protection, MAP_FIXED) != at)
            break;
    }
    report_value("vma_bytes_count", count, "vmas");
    report_share("vma_bytes", before, free_kib(), count);
    unmap(base, REGIONS * PAGE_BYTES);
}

/* Children of a parent that has written 16 MiB; each waits for a byte. */
static void ram_of_children(void)
{
    int32_t ends[2];
    uint32_t before, children = 0;
    char byte = 0;
    uint32_t memory = map(FAULT_BYTES, PROT_READ | PROT_WRITE);
    if (is_error(memory) || call_3(CALL_PIPE, address_of(ends), 0, 0) != 0) {
        report_refusal("fork_ram_B", (int32_t)memory);
        return;
    }
    touch_all(memory, FAULT_BYTES);
    before = free_kib();
    for (; children < RAM_KIDS; children++) {
        int32_t child = fork_process();
        if (child < 0)
            break;
        if (child == 0) {
            read_bytes(ends[0], &byte, 1);
            exit_process(0);
        }
    }
    report_share("fork_ram_B", before, free_kib(), children);
    for (uint32_t i = 0; i < children; i++)
        write_bytes(ends[1], &byte, 1);
    for (uint32_t i = 0; i < children; i++)
        wait_for_child(0);
    call_3(CALL_CLOSE, (uint32_t)ends[0], 0, 0);
    call_3(CALL_CLOSE, (uint32_t)ends[1], 0, 0);
    unmap(memory, FAULT_BYTES);
}

void bench_ram(void)
{
    ram_of_regions();
    ram_of_children();
}

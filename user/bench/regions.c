/* SPDX-License-Identifier: MIT */
/*
 * User program. Rows about many regions, and 100,000 mappings at random.
 */
#include "bench.h"

enum { RW = PROT_READ | PROT_WRITE, SAMPLES = 101, CREATE_SAMPLE = 1000 };

/* Neighbours differ, so that none merge. */
static uint32_t protection_of(uint32_t i)
{
    return (i & 1) != 0 ? RW : PROT_READ;
}

/* Room for COUNT regions of a page, with a free page at either side; 0: there is none. */
static uint32_t find_room(uint32_t count)
{
    uint32_t bytes = (count + 2) * PAGE_BYTES;
    uint32_t room = map(bytes, PROT_NONE);
    if (is_error(room))
        return 0;
    unmap(room, bytes);
    return room + PAGE_BYTES;
}

/* Regions FIRST..END - 1 from BASE on; returns how many there are then. */
static uint32_t create_regions(uint32_t base, uint32_t first, uint32_t end)
{
    uint32_t i = first;
    for (; i < end; i++) {
        uint32_t at = base + i * PAGE_BYTES;
        if (map_at(at, PAGE_BYTES, protection_of(i), MAP_FIXED) != at)
            break;
    }
    return i;
}

/* One region more, where the kernel likes. */
static void bench_one_more(uint32_t count)
{
    struct least maps = LEAST_NONE, unmaps = LEAST_NONE;
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint64_t start = read_tsc();
        uint32_t memory = map(PAGE_BYTES, PROT_READ | PROT_EXEC);
        uint64_t mapped = read_tsc();
        unmap(memory, PAGE_BYTES);
        least_add(&unmaps, read_tsc() - mapped);
        least_add(&maps, mapped - start);
    }
    report(numbered("mmap_at_", count, ""), maps, 1);
    report(numbered("munmap_at_", count, ""), unmaps, 1);
}

/* One of the regions goes, and comes back. */
static void bench_holes(uint32_t base, uint32_t count)
{
    struct least maps = LEAST_NONE, unmaps = LEAST_NONE;
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint32_t i = random_number() % count;
        uint32_t at = base + i * PAGE_BYTES;
        uint64_t start = read_tsc();
        unmap(at, PAGE_BYTES);
        uint64_t unmapped = read_tsc();
        map_at(at, PAGE_BYTES, protection_of(i), MAP_FIXED);
        least_add(&maps, read_tsc() - unmapped);
        least_add(&unmaps, unmapped - start);
    }
    report(numbered("hole_unmap_", count, ""), unmaps, 1);
    report(numbered("hole_map_", count, ""), maps, 1);
}

/* The first write to one of the regions, whose page table is there. */
static void bench_write_fault(uint32_t base, uint32_t count)
{
    struct least writes = LEAST_NONE;
    for (uint32_t i = 0; i < count; i += PAGE_BYTES / 4)
        touch_read(base + i * PAGE_BYTES);
    touch_read(base + (count - 1) * PAGE_BYTES);
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint32_t at = base + (random_number() % (count / 2) * 2 + 1) * PAGE_BYTES;
        unmap(at, PAGE_BYTES);
        map_at(at, PAGE_BYTES, RW, MAP_FIXED);
        uint64_t start = read_tsc();
        touch_write(at);
        least_add(&writes, read_tsc() - start);
    }
    report(numbered("write_fault_at_", count, ""), writes, 1);
}

static void bench_count(uint32_t count)
{
    struct least creations = LEAST_NONE, unmaps = LEAST_NONE;
    uint32_t last = count < CREATE_SAMPLE ? count : CREATE_SAMPLE;
    uint32_t base = find_room(count);
    uint32_t done = create_regions(base, 0, count - last);
    uint64_t start = read_tsc();
    done = create_regions(base, done, count);
    least_add(&creations, read_tsc() - start);
    if (done == count) {
        report(numbered("vma_create_", count, ""), creations, last);
        bench_one_more(count);
        bench_holes(base, count);
        bench_write_fault(base, count);
    } else {
        report_refusal(numbered("vma_create_", count, ""), (int32_t)done);
    }
    start = read_tsc();
    unmap(base, done * PAGE_BYTES);
    least_add(&unmaps, read_tsc() - start);
    report(numbered("munmap_all_", count, ""), unmaps, count);
}

void bench_regions(void)
{
    random_begin();
    bench_count(100);
    bench_count(1000);
    bench_count(10000);
    bench_count(REGIONS);
}

/* ---- at random ---- */

enum { SLOTS = 1000, CALLS = 100000, MAX_PAGES = 64 };

enum touching { UNTOUCHED, TOUCHED };

static struct slot {
    uint32_t address, bytes;
} slots[SLOTS];

static uint32_t wrong, refused;

static volatile uint32_t *word(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

static void random_map(struct slot *slot, enum touching touching)
{
    uint32_t bytes = (random_number() % MAX_PAGES + 1) * PAGE_BYTES;
    bool writable = (random_number() & 1) != 0 || touching == TOUCHED;
    uint32_t address = map(bytes, writable ? RW : PROT_READ);
    if (is_error(address)) {
        refused++;
        return;
    }
    *slot = (struct slot){address, bytes};
    if (touching == UNTOUCHED)
        return;
    uint32_t last = address + bytes - 4;
    wrong += *word(address) != 0 || *word(last) != 0;
    *word(address) = address ^ bytes;
    *word(last) = ~address;
}

static void random_unmap(struct slot *slot, enum touching touching)
{
    uint32_t address = slot->address, bytes = slot->bytes;
    if (touching == TOUCHED)
        wrong += *word(address) != (address ^ bytes) || *word(address + bytes - 4) != ~address;
    if (unmap(address, bytes) != 0)
        refused++;
    slot->address = 0;
}

static void random_mix(const char *name, enum touching touching)
{
    struct least least = LEAST_NONE;
    random_begin();
    uint64_t start = read_tsc();
    for (uint32_t i = 0; i < CALLS; i++) {
        struct slot *slot = &slots[random_number() % SLOTS];
        if (slot->address == 0)
            random_map(slot, touching);
        else
            random_unmap(slot, touching);
    }
    least_add(&least, read_tsc() - start);
    report(name, least, CALLS);
    for (uint32_t i = 0; i < SLOTS; i++)
        if (slots[i].address != 0)
            random_unmap(&slots[i], touching);
}

/* A slot is mapped if it is not, else unmapped: 1 to 64 pages each. */
void bench_random(void)
{
    random_mix("random_mix_untouched", UNTOUCHED);
    random_mix("random_mix_touched", TOUCHED);
    report_value("random_mix_errors", wrong, "count");
    report_value("random_mix_refused", refused, "count");
}

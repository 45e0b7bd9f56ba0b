/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. What reserved memory costs: to reserve, to read, to write, to release, and to look up
 * among few and many regions.
 */
#include "measure.h"

#include <mm/vma_tree.h>

#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/space.h>

enum { GIB_PAGES = 0x40000, MANY = 60000 };

static void must(enum kerr error)
{
    if (error != KERR_OK)
        test_fail(__FILE__, __LINE__, kerr_text(error));
}

static vaddr_t reserve(uint32_t pages)
{
    vaddr_t first = {0};
    must(vma_reserve(&boot_space, pages, RIGHTS_READ_WRITE, "bench", &first));
    return first;
}

static void measure_reserve(const char *reserve_name, const char *release_name, uint32_t pages)
{
    uint64_t reserved = 0, released = 0;
    vaddr_t first;

    MEASURE(reserved, first = reserve(pages));
    MEASURE(released, must(vma_release(&boot_space, first, pages)));
    bench_row(reserve_name, reserved, "insn", NULL);
    bench_row(release_name, released, "insn", NULL);
}

BENCH("reserve")
{
    measure_reserve("reserve_4K", "release_4K", 1);
    measure_reserve("reserve_4M", "release_4M", SLOT_PAGES);
    measure_reserve("reserve_1G", "release_1G", GIB_PAGES);
}

/*
 * A page of a region of eight made read-only, and writable again: two cuts, two joins; among eight
 * other regions, as a small program has them.
 */
BENCH("change")
{
    uint64_t split = 0, merged = 0, moved = 0, discarded = 0;
    vaddr_t first = reserve(8), second = vaddr_add(first, 3 << PAGE_SHIFT), slot, pages;
    vaddr_t others = vaddr_add(first, 1000 * SLOT_BYTES / 4);

    for (uint32_t i = 0; i < 8; i++)
        must(vma_reserve_at(&boot_space, vaddr_add(others, 2 * i << PAGE_SHIFT), 1, RIGHTS_READ,
                            "other"));

    must(vma_make_real(first, 8));
    MEASURE(split, must(vma_protect(&boot_space, second, 1, RIGHTS_READ)));
    MEASURE(merged, must(vma_protect(&boot_space, second, 1, RIGHTS_READ_WRITE)));
    bench_row("protect_split", split, "insn", NULL);
    bench_row("protect_merge", merged, "insn", NULL);

    MEASURE(moved, must(vma_move(&boot_space, first, 8, vaddr_add(first, 100 << PAGE_SHIFT))));
    bench_row("move_32K", moved, "insn", NULL);
    must(vma_release(&boot_space, vaddr_add(first, 100 << PAGE_SHIFT), 8));

    slot = reserve(SLOT_PAGES);
    must(vma_make_real(slot, SLOT_PAGES));
    moved = 0;
    MEASURE(moved, must(vma_move(&boot_space, slot, SLOT_PAGES, vaddr_add(slot, 10 * SLOT_BYTES))));
    bench_row("move_4M", moved, "insn", NULL);
    slot = vaddr_add(slot, 10 * SLOT_BYTES);
    MEASURE(discarded, must(vma_discard(&boot_space, slot, SLOT_PAGES)));
    bench_row("discard_4M_per_page", (uint32_t)discarded / SLOT_PAGES, "insn", NULL);
    must(vma_release(&boot_space, slot, SLOT_PAGES));

    pages = reserve(100);
    must(vma_make_real(pages, 100));
    discarded = 0;
    MEASURE(discarded, must(vma_discard(&boot_space, pages, 100)));
    bench_row("discard_part_per_page", (uint32_t)discarded / 100, "insn", NULL);
    must(vma_make_real(pages, 100));
    discarded = 0;
    MEASURE(discarded, must(vma_release(&boot_space, pages, 100)));
    bench_row("release_part_per_page", (uint32_t)discarded / 100, "insn", NULL);
    must(vma_release(&boot_space, others, 16));
}

static void read_every_page(const volatile uint8_t *memory, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        (void)memory[i << PAGE_SHIFT];
}

/* Write one byte to the page at FIRST + OFFSET. */
static uint64_t write_cost(vaddr_t first, uint32_t offset)
{
    volatile uint8_t *byte = vaddr_to_pointer(vaddr_add(first, offset));
    uint64_t sum = 0;
    MEASURE(sum, *byte = 1);
    return sum - 1; /* the store itself */
}

BENCH("touch")
{
    uint64_t read = 0, released = 0;
    vaddr_t first = reserve(GIB_PAGES);

    fault_allow_lower_half(true);
    uint32_t free = frame_pool.totals[FRAME_FREE], faults = fault_counters.total;
    MEASURE(read, read_every_page(vaddr_to_pointer(first), GIB_PAGES));
    bench_row("read_1G_per_page_x1000", ((uint32_t)read / GIB_PAGES) * 1000, "insn", NULL);
    bench_row("read_1G_faults", fault_counters.total - faults, "faults", NULL);
    bench_row("read_1G_frames", free - frame_pool.totals[FRAME_FREE], "frames", NULL);

    bench_row("write_fault_without_table", write_cost(first, 0), "insn",
              "exception + clear_frame + 1024");
    bench_row("write_fault_with_table", write_cost(first, PAGE_BYTES), "insn",
              "exception + clear_frame");
    for (uint32_t i = 2; i < SLOT_PAGES; i++)
        (void)write_cost(first, i << PAGE_SHIFT);
    MEASURE(released, must(vma_release(&boot_space, first, SLOT_PAGES)));
    bench_row("release_touched_per_page", (uint32_t)released / SLOT_PAGES, "insn", NULL);
    must(vma_release(&boot_space, first, GIB_PAGES));
    fault_allow_lower_half(false);
}

/*
 * COUNT regions of a page each, at a fixed place, with gaps of 1 to 16 pages between them, so that
 * none merge; entered in a shuffled order. `worst` enters them from below, which makes a tree of
 * black nodes alone, the costliest to remove from; and its gaps are of one page: a region removed
 * leaves the only large one, and one entered takes it away again, so that every node above has to
 * learn of it.
 *
 * `insert` and `remove` are the tree alone, the search included; `reserve` and `release` are what
 * a caller pays: arguments, node, entries and all.
 */
enum layout { RANDOM_GAPS, WORST_GAPS };

static const vaddr_t many_base = {0x10000000};

static vaddr_t many_page(enum layout layout, uint32_t i)
{
    uint32_t page = layout == WORST_GAPS ? i * 2 : i * 9 + (i * 2654435761u >> 29);
    return vaddr_add(many_base, page << PAGE_SHIFT);
}

static bool reserve_many(enum layout layout, uint32_t count)
{
    const uint32_t stride = layout == WORST_GAPS ? 1 : 7919; /* a prime: every number comes once */
    for (uint32_t i = 0; i < count; i++)
        if (vma_reserve_at(&boot_space, many_page(layout, i * stride % count), 1, RIGHTS_READ,
                           "many") != KERR_OK) {
            printk("# not enough memory for %u regions\n", count);
            return false;
        }
    return true;
}

static void print_row(const char *what, const char *suffix, uint32_t count, uint64_t sum)
{
    char name[40];
    format_text(name, sizeof(name), "region_%s_%u%s", what, count, suffix);
    bench_row(name, (uint32_t)sum / 100, "insn", NULL);
}

static void measure_regions(enum layout layout, const char *suffix, uint32_t count)
{
    uint64_t found = 0, inserted = 0, removed = 0, room = 0, tree_in = 0, tree_out = 0;
    uint32_t seed = 1;
    vaddr_t first;

    if (reserve_many(layout, count)) {
        for (uint32_t i = 0; i < 100; i++) {
            vaddr_t page = many_page(layout, test_random(&seed) % count);
            struct vma *region;
            struct vma_place place;
            MEASURE(found, region = vma_find(&boot_space, page));
            if (region == NULL) {
                test_fail(__FILE__, __LINE__, "the region is found");
                break;
            }
            MEASURE(tree_out, vma_tree_remove(&boot_space, region));
            MEASURE(tree_in, {
                (void)vma_find_place(&boot_space, page.v >> PAGE_SHIFT, &place);
                vma_tree_insert(&boot_space, &place, region);
            });
            MEASURE(removed, must(vma_release(&boot_space, page, 1)));
            MEASURE(inserted, must(vma_reserve_at(&boot_space, page, 1, RIGHTS_READ, "many")));
            MEASURE(room, must(vma_find_room(&boot_space, 2, &first)));
        }
        print_row("find", suffix, count, found);
        print_row("insert", suffix, count, tree_in);
        print_row("remove", suffix, count, tree_out);
        print_row("reserve", suffix, count, inserted);
        print_row("release", suffix, count, removed);
        print_row("find_room", suffix, count, room);
    }
    if (vma_release(&boot_space, many_base, count * 10) == KERR_NO_MEMORY)
        test_fail(__FILE__, __LINE__, "released");
}

BENCH("region")
{
    measure_regions(RANDOM_GAPS, "", 10);
    measure_regions(RANDOM_GAPS, "", 1000);
    measure_regions(RANDOM_GAPS, "", MANY);
    measure_regions(WORST_GAPS, "_worst", MANY);
}

/* Fork the boot space with MIB written, and end the copy. */
static void measure_fork(const char *suffix, uint32_t mib)
{
    static struct space copy;
    uint64_t forked = 0, destroyed = 0;
    char name[40];
    vaddr_t first = reserve(mib > 0 ? mib << 8 : 1);

    if (vma_make_real(first, mib << 8) == KERR_OK) {
        enum kerr error = space_fork(&copy); /* once for what comes and stays: tables, nodes */
        if (error == KERR_OK) {
            space_destroy(&copy);
            must(vma_make_real(first, mib << 8)); /* and the tables are our own again */
            MEASURE(forked, error = space_fork(&copy));
        }
        if (error == KERR_OK) {
            MEASURE(destroyed, space_destroy(&copy));
            format_text(name, sizeof(name), "space_fork_%s", suffix);
            bench_row(name, forked, "insn", NULL);
            format_text(name, sizeof(name), "space_destroy_%s", suffix);
            bench_row(name, destroyed, "insn", NULL);
        }
    } else {
        printk("# not enough memory for %u MiB\n", (unsigned)mib);
    }
    must(vma_release(&boot_space, first, mib > 0 ? mib << 8 : 1));
}

/* The first write below a shared table, in which USED pages are in use, is answered. */
static void measure_unshare(const char *name, uint32_t used)
{
    static struct space copy;
    uint64_t unshared = 0;
    vaddr_t first = reserve(used);

    must(vma_make_real(first, used));
    must(space_fork(&copy));
    MEASURE(unshared, must(cow_unshare(vaddr_to_slot(first))));
    bench_row(name, unshared, "insn", "2048");
    space_destroy(&copy);
    must(vma_release(&boot_space, first, used));
}

BENCH("fork")
{
    measure_unshare("unshare_5_used", 5);
    measure_unshare("unshare_500_used", 500);
    measure_fork("0M", 0);
    measure_fork("4M", 4);
    measure_fork("64M", 64);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of many regions: anything at random, compared with a plain table,
 * and 60,000 at once.
 */
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <kernel/printk.h>

/* ---- anything, at random, against a plain table ---- */

enum { STEPS = 100000, WRITTEN_MAX = 128 };

struct table {
    uint16_t data[SMALL_PAGES]; /* what was written there */
    uint8_t owner[SMALL_PAGES]; /* 0: free; else 1 + 3 * name + rights */
};
static struct table *const table = (void *)test_scratch;
_Static_assert(sizeof(*table) <= TEST_SCRATCH_BYTES, "it fits");
static uint32_t written; /* pages whose data is not 0 */
static uint32_t random_state;

static uint32_t dice(uint32_t sides)
{
    return test_random(&random_state) % sides;
}

static vaddr_t small_page(uint32_t page)
{
    return VADDR((small_space.first_page + page) << PAGE_SHIFT);
}

static uint8_t owner_by_region(uint32_t page)
{
    const struct vma *region = vma_find(&small_space, small_page(page));
    if (region == NULL)
        return 0;
    uint32_t name = region->name == region_names[0] ? 0 : region->name == region_names[1] ? 1 : 2;
    uint32_t rights = region->rights == RIGHTS_NONE ? 0 : region->rights == RIGHTS_READ ? 1 : 2;
    return (uint8_t)(1 + 3 * name + rights);
}

static uint32_t owned(uint32_t first, uint32_t pages)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < first + pages; i++)
        count += table->owner[i] != 0;
    return count;
}

static void set_owner(uint32_t first, uint32_t pages, uint32_t name, uint32_t rights)
{
    for (uint32_t i = first; i < first + pages; i++)
        table->owner[i] = (uint8_t)(1 + 3 * name + rights);
}

static void step_reserve_at(uint32_t first, uint32_t pages)
{
    uint32_t name = dice(NAMES), rights = dice(3);
    enum kerr error = vma_reserve_at(&small_space, small_page(first), pages, all_rights[rights],
                                     region_names[name]);
    EXPECT_EQUAL(error, owned(first, pages) != 0 ? KERR_EXISTS : KERR_OK);
    if (error == KERR_OK)
        set_owner(first, pages, name, rights);
}

/* The lowest gap by the plain table, as vma_find_room() should say for less than a slot. */
static uint32_t lowest_room(uint32_t pages)
{
    uint32_t run = 0;
    for (uint32_t i = 0; i < SMALL_PAGES; i++) {
        run = table->owner[i] == 0 ? run + 1 : 0;
        if (run == pages)
            return i + 1 - pages;
    }
    return ~0u;
}

static void step_reserve(uint32_t pages)
{
    vaddr_t first;
    uint32_t name = dice(NAMES), rights = dice(3), lowest = lowest_room(pages);
    enum kerr error =
        vma_reserve(&small_space, pages, all_rights[rights], region_names[name], &first);
    EXPECT_EQUAL(error, lowest == ~0u ? KERR_NO_ROOM : KERR_OK);
    if (error != KERR_OK)
        return;
    uint32_t page = (first.v >> PAGE_SHIFT) - small_space.first_page;
    if (pages < SLOT_PAGES)
        EXPECT_EQUAL(page, lowest);
    EXPECT_EQUAL(owned(page, pages), 0);
    set_owner(page, pages, name, rights);
}

static void step_release(uint32_t first, uint32_t pages)
{
    enum kerr error = vma_release(&small_space, small_page(first), pages);
    EXPECT_EQUAL(error, owned(first, pages) == 0 ? KERR_NOT_FOUND : KERR_OK);
    for (uint32_t i = first; i < first + pages && error == KERR_OK; i++) {
        written -= table->data[i] != 0;
        table->data[i] = 0;
        table->owner[i] = 0;
    }
}

static void step_protect(uint32_t first, uint32_t pages)
{
    uint32_t rights = dice(3);
    enum kerr error = vma_protect(&small_space, small_page(first), pages, all_rights[rights]);
    EXPECT_EQUAL(error, owned(first, pages) != pages ? KERR_NOT_FOUND : KERR_OK);
    for (uint32_t i = first; i < first + pages && error == KERR_OK; i++)
        table->owner[i] = (uint8_t)(1 + (table->owner[i] - 1u) / 3 * 3 + rights);
}

/* Read PAGE, and write it if not too much is written. */
static void step_touch(uint32_t page)
{
    uint32_t value = 0, rights = table->owner[page] == 0 ? 0 : (table->owner[page] - 1u) % 3;
    EXPECT_EQUAL(probe_read(small_page(page), &value),
                 rights >= 1 ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
    EXPECT_EQUAL(value, rights >= 1 ? table->data[page] : 0);
    if (written >= WRITTEN_MAX && table->data[page] == 0)
        return;
    uint16_t new = (uint16_t)(1 + dice(60000));
    bool may = rights == 2;
    EXPECT_EQUAL(probe_write(small_page(page), new), may ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
    if (may) {
        written += table->data[page] == 0;
        table->data[page] = new;
    }
}

static void random_step(void)
{
    uint32_t pages = dice(64) == 0 ? 1 + dice(SMALL_PAGES) : 1 + dice(24);
    uint32_t first = dice(SMALL_PAGES - pages + 1);
    switch (dice(16)) {
    case 0:
        step_reserve(pages);
        break;
    case 1:
        step_touch(first);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        step_release(first, pages);
        break;
    case 6:
    case 7:
        step_protect(first, 1 + dice(4));
        break;
    default:
        step_reserve_at(first, pages);
    }
}

static void expect_table(void)
{
    uint32_t regions = 0;
    for (uint32_t i = 0; i < SMALL_PAGES; i++) {
        EXPECT_EQUAL(owner_by_region(i), table->owner[i]);
        regions += table->owner[i] != 0 && (i == 0 || table->owner[i] != table->owner[i - 1]);
        if (table->data[i] != 0 && (table->owner[i] - 1) % 3 != 0)
            EXPECT_EQUAL(peek(small_page(i)), table->data[i]);
    }
    EXPECT_EQUAL(small_space.region_count, regions);
}

TEST("vma", "100,000 random reservations, releases and protections: as a plain table says")
{
    random_state = 20240214;
    printk("# seed %u\n", random_state);
    if (frame_available(&frame_pool) < WRITTEN_MAX + 100)
        SKIP("needs 1 MiB of free memory");
    small_begin(TEST_SLOT * SLOT_PAGES, SMALL_PAGES);
    for (uint32_t i = 0; i < SMALL_PAGES; i++) {
        table->owner[i] = 0;
        table->data[i] = 0;
    }
    written = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        random_step();
        uint32_t page = dice(SMALL_PAGES);
        EXPECT_EQUAL(owner_by_region(page), table->owner[page]);
        if (step % 1000 == 0) {
            expect_tree(&small_space);
            expect_table();
        }
    }
    expect_tree(&small_space);
    expect_table();
    small_end();
}

/* ---- many ---- */

enum { MANY = 60000, STRIDE = 7919 }; /* a prime: every number below MANY comes up once */

static vaddr_t many_page(uint32_t i)
{
    return page_of_slot(TEST_SLOT, i % MANY * 2);
}

TEST("vma", "60,000 regions, in and out in other orders: all are found, and none is left")
{
    struct cost cost;

    if (frame_available(&frame_pool) < MANY * REGION_NODE_BYTES / PAGE_BYTES + 16)
        SKIP("needs 3 MiB of free memory for region nodes");
    vma_trim();
    cost_start(&cost);
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT(vma_reserve_at(&boot_space, many_page(i * STRIDE), 1, RIGHTS_READ,
                              region_names[0]) == KERR_OK);
    EXPECT_EQUAL(boot_space.region_count - regions_before.boot_regions, MANY);
    expect_tree(&boot_space);
    for (uint32_t i = 0; i < MANY; i++) {
        const struct vma *region = vma_find(&boot_space, many_page(i));
        EXPECT(region != NULL && vma_start(region).v == many_page(i).v && vma_pages(region) == 1);
        EXPECT(vma_find(&boot_space, vaddr_add(many_page(i), PAGE_BYTES)) == NULL);
    }
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT(vma_release(&boot_space, many_page(i * STRIDE + MANY / 3), 1) == KERR_OK);
    vma_trim();
    EXPECT_COST(cost, 0, 0);
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT(vma_reserve_at(&boot_space, many_page(i), 1, RIGHTS_READ, region_names[0]) ==
               KERR_OK);
    EXPECT(vma_release(&boot_space, many_page(0), 2 * MANY) == KERR_OK);
    vma_trim();
    EXPECT_COST(cost, 0, 0);
}

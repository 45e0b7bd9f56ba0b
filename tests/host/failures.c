/* SPDX-License-Identifier: MIT */
/*
 * Host test. Every allocation fails once: for each public operation of layers 2-5, frame allocation
 * 1, 2, 3, ... is refused until the operation succeeds. After each refusal: the error is "no
 * memory", contents and regions are as before, the audit is clean, and no frame is lost.
 *
 * What may have grown is said for each: some operations promise only that nothing is lost.
 */
#include "audit.h"
#include "machine.h"

#include <arch/i386/entry.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/object.h>
#include <mm/zero.h>
#include <stdio.h>
#include <string.h>

enum { SLOT = 256, RAM_BYTES = 8 << 20 };

/* Compared with before: nothing; tables of its own that a slot has got; and pages made real. */
enum growth { NOTHING_MORE, TABLES_MORE, PAGES_MORE };

struct scenario {
    const char *name;
    enum growth growth;
    void (*prepare)(void);
    enum kerr (*run)(void);
};

static const char region_name[] = "scenario", other_name[] = "other";
static struct space child;
static bool has_child;
static void *block;

/* ---- what scenarios are made of ---- */

static vaddr_t page_at(uint32_t slot, uint32_t page)
{
    return vaddr_add(slot_to_vaddr(SLOT + slot), page << PAGE_SHIFT);
}

static void need(enum kerr error, const char *what)
{
    if (error != KERR_OK)
        panic("preparing failed: %s", what);
}
#define NEED(call) need(call, #call)

static void poke(vaddr_t address, uint32_t value)
{
    if (probe_write(address, value) != FAULT_RESOLVED)
        panic("preparing failed: a write");
}

static void nothing(void)
{
}

static void reserve(uint32_t slot, uint32_t page, uint32_t pages)
{
    NEED(vma_reserve_at(&boot_space, page_at(slot, page), pages, RIGHTS_READ_WRITE, region_name));
}

/* Slots 0-2, each with written pages. */
static void three_slots(void)
{
    reserve(0, 0, 3 * SLOT_PAGES);
    for (uint32_t slot = 0; slot < 3; slot++)
        for (uint32_t page = 0; page < SLOT_PAGES; page += 341)
            poke(page_at(slot, page), slot * 10000 + page + 1);
}

/* The same, and every table is shared with a child, which wrote to slot 1. */
static void three_shared_slots(void)
{
    three_slots();
    NEED(space_create(&child, RIGHTS_NONE));
    has_child = true;
    space_switch(&child);
    NEED(vma_reserve_at(&child, page_at(0, 0), 3 * SLOT_PAGES, RIGHTS_READ_WRITE, region_name));
    space_switch(&boot_space);
    cow_drop_lower_half(child.directory);
    cow_share(SLOT, 3, child.directory);
}

static void one_slot_promised(void)
{
    reserve(0, 0, SLOT_PAGES);
}

static void partial_slot(void)
{
    reserve(0, 5, 20);
}

/* The next region needs a new page of the region array. */
static void no_node_left(void)
{
    enum kerr error = KERR_OK;
    reserve(0, 0, 10);
    machine_fail_allocation(1, FAIL_FROM_THERE_ON);
    for (uint32_t i = 0; error == KERR_OK; i++)
        error = vma_reserve_at(&boot_space, page_at(20, 2 * i), 1, RIGHTS_READ_WRITE, region_name);
    machine_fail_allocation(0, FAIL_ONCE);
}

static void full_block(void)
{
    NEED(kmalloc(3 * PAGE_BYTES, &block));
    memset(block, 0x42, 3 * PAGE_BYTES);
}

static void closed_in_block(void)
{
    void *behind;
    full_block();
    NEED(kmalloc(64, &behind));
}

/* Page 7 of slot 0 shows shared memory that has no frame yet. */
static void shared_memory(void)
{
    struct object *object;
    NEED(object_create_anonymous(100, &object));
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = region_name, .object = object};
    NEED(vma_map_at(&boot_space, page_at(0, 0), 100, &wish));
    object_put(object);
}

/* Slot 0 begins with a file, mapped privately. */
static void private_file(void)
{
    struct object *file;
    frame_t first;
    NEED(frame_alloc_run(&frame_pool, FRAME_FILE, 20, 1, 0, &first));
    NEED(object_create_file(first, 20, &file));
    const struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .name = region_name, .object = file};
    NEED(vma_map_at(&boot_space, page_at(0, 0), 20, &wish));
    object_put(file);
}

/* The same two, some pages written, and forked. */
static void forked_objects(void)
{
    private_file();
    poke(page_at(0, 3), 3);
    reserve(0, 20, 2 * SLOT_PAGES);
    poke(page_at(0, 21), 21);
    poke(page_at(2, 1), 22);
    NEED(space_fork(&child));
    has_child = true;
}

/* ---- operations ---- */

static enum kerr run_map(void)
{
    return paging_map(VADDR(DEVICE_BASE + PAGE_BYTES), zero_frame, RIGHTS_READ);
}

static enum kerr run_table_create(void)
{
    enum kerr error = table_create(SLOT, RIGHTS_READ_WRITE, TEMP_TABLE);
    if (error == KERR_OK) /* no table stays without an entry */
        NEED(zero_promise_pages(page_at(0, 5), 20, RIGHTS_READ_WRITE));
    return error;
}

static enum kerr run_map_device(void)
{
    vaddr_t address;
    return paging_map_device(PADDR(0xFD000000), 9 << 20, &address);
}

static enum kerr run_promise_pages(void)
{
    return zero_promise_pages(page_at(0, 5), 20, RIGHTS_READ_WRITE);
}

static enum kerr run_write(void)
{
    return vma_error_of(probe_write(page_at(0, 7), 77));
}

static enum kerr run_write_known(void)
{
    return vma_error_of(probe_write(page_at(1, 341), 77));
}

static enum kerr run_read(void)
{
    uint32_t value;
    return vma_error_of(probe_read(page_at(0, 7), &value));
}

static enum kerr run_touch(void)
{
    return vma_error_of(vma_touch(page_at(0, 7), ACCESS_WRITE, MODE_KERNEL));
}

static enum kerr run_cow_write(void)
{
    return vma_error_of(cow_write(page_at(0, 7)));
}

static enum kerr run_cow_make_real(void)
{
    return cow_make_real(page_at(0, 2), 5);
}

static enum kerr run_unshare(void)
{
    return cow_unshare(SLOT);
}

static enum kerr run_release_part(void)
{
    return vma_release(&boot_space, page_at(0, 100), 300);
}

static enum kerr run_release_ends(void)
{
    return vma_release(&boot_space, page_at(0, 100), 2 * SLOT_PAGES);
}

static enum kerr run_protect_part(void)
{
    return vma_protect(&boot_space, page_at(0, 2), 5, RIGHTS_READ);
}

static enum kerr run_protect_all(void)
{
    return vma_protect(&boot_space, page_at(0, 100), 2 * SLOT_PAGES, RIGHTS_NONE);
}

static enum kerr run_discard(void)
{
    return cow_discard(page_at(0, 100), 2 * SLOT_PAGES, RIGHTS_READ_WRITE);
}

static enum kerr run_reserve(void)
{
    return vma_reserve_at(&boot_space, page_at(4, 0), 5000, RIGHTS_READ_WRITE, other_name);
}

static enum kerr run_reserve_kernel(void)
{
    vaddr_t first;
    return vma_reserve(&kernel_space, 5000, RIGHTS_READ_WRITE, other_name, &first);
}

static enum kerr run_make_real(void)
{
    return vma_make_real(page_at(0, 7), 4);
}

static enum kerr run_space_create(void)
{
    enum kerr error = space_create(&child, RIGHTS_USER);
    has_child = error == KERR_OK;
    return error;
}

static enum kerr run_space_fork(void)
{
    enum kerr error = space_fork(&child);
    has_child = error == KERR_OK;
    return error;
}

static enum kerr run_object_create(void)
{
    struct object *object;
    return object_create_anonymous(5, &object);
}

static enum kerr run_move(void)
{
    return vma_move(&boot_space, page_at(0, 100), 2 * SLOT_PAGES, page_at(10, 7));
}

static enum kerr run_move_part(void)
{
    return vma_move(&boot_space, page_at(0, 3), 3, page_at(10, 7));
}

static enum kerr run_move_slots(void)
{
    return vma_move(&boot_space, page_at(0, 0), 3 * SLOT_PAGES, page_at(10, 0));
}

static enum kerr run_discard_regions(void)
{
    return vma_discard(&boot_space, page_at(0, 1), 2 * SLOT_PAGES + 2);
}

static enum kerr run_set_flags(void)
{
    return vma_set_flags(&boot_space, page_at(0, 2), 5, VMA_LOCKED, 0);
}

static enum kerr run_kmalloc(void)
{
    return kmalloc(100, &block);
}

static enum kerr run_kmalloc_many(void)
{
    return kmalloc(20 * PAGE_BYTES, &block);
}

static enum kerr run_kmalloc_two_slots(void)
{
    void *far;
    return kmalloc_aligned(8 * PAGE_BYTES, SLOT_BYTES, &far);
}

static enum kerr run_krealloc(void)
{
    return krealloc(block, 9 * PAGE_BYTES, &block);
}

/* Nothing is lost, and the block is as it was. */
static bool block_is_whole(void)
{
    for (uint32_t i = 0; i < 3 * PAGE_BYTES; i++)
        if (((uint8_t *)block)[i] != 0x42)
            return false;
    return true;
}

static enum kerr run_krealloc_checked(void)
{
    enum kerr error = run_krealloc();
    if (!block_is_whole())
        panic("the block has changed");
    return error;
}

static const struct scenario scenarios[] = {
    {"paging_map, no table", NOTHING_MORE, nothing, run_map},
    {"table_create", NOTHING_MORE, partial_slot, run_table_create},
    {"paging_map_device, three tables", NOTHING_MORE, nothing, run_map_device},
    {"zero_promise_pages, no table", NOTHING_MORE, partial_slot, run_promise_pages},
    {"cow_write, a whole slot promised", TABLES_MORE, one_slot_promised, run_cow_write},
    {"cow_write, a shared table", TABLES_MORE, three_shared_slots, run_cow_write},
    {"cow_make_real", PAGES_MORE, one_slot_promised, run_cow_make_real},
    {"cow_unshare, the zero table", NOTHING_MORE, one_slot_promised, run_unshare},
    {"cow_unshare, a shared table", NOTHING_MORE, three_shared_slots, run_unshare},
    {"cow_discard, two shared ends", TABLES_MORE, three_shared_slots, run_discard},
    {"vma_reserve_at, no node", NOTHING_MORE, no_node_left, run_reserve},
    {"vma_reserve, kernel, no node", NOTHING_MORE, no_node_left, run_reserve_kernel},
    {"vma_release, a part", NOTHING_MORE, three_slots, run_release_part},
    {"vma_release, a shared part", NOTHING_MORE, three_shared_slots, run_release_part},
    {"vma_release, two shared ends", TABLES_MORE, three_shared_slots, run_release_ends},
    {"vma_protect, no node", NOTHING_MORE, no_node_left, run_protect_part},
    {"vma_protect, three shared slots", TABLES_MORE, three_shared_slots, run_protect_all},
    {"vma_touch, a partial slot", TABLES_MORE, partial_slot, run_touch},
    {"vma_make_real", PAGES_MORE, partial_slot, run_make_real},
    {"a read fault, a partial slot", NOTHING_MORE, partial_slot, run_read},
    {"a write fault, a partial slot", TABLES_MORE, partial_slot, run_write},
    {"a write fault, a whole slot", TABLES_MORE, one_slot_promised, run_write},
    {"a write fault, a shared table", TABLES_MORE, three_shared_slots, run_write},
    {"a write fault, a shared table and frame", TABLES_MORE, three_shared_slots, run_write_known},
    {"object_create_anonymous, no node", NOTHING_MORE, no_node_left, run_object_create},
    {"a write fault, shared memory", PAGES_MORE, shared_memory, run_write},
    {"a read fault, shared memory", PAGES_MORE, shared_memory, run_read},
    {"a read fault, a file", NOTHING_MORE, private_file, run_read},
    {"a write fault, a file", TABLES_MORE, private_file, run_write},
    {"a write fault, a file below a shared table", TABLES_MORE, forked_objects, run_write},
    {"vma_move, no node", NOTHING_MORE, no_node_left, run_move_part},
    {"vma_move, three slots to others' places", NOTHING_MORE, three_slots, run_move},
    {"vma_move, shared tables", TABLES_MORE, three_shared_slots, run_move},
    {"vma_move, whole shared slots", NOTHING_MORE, three_shared_slots, run_move_slots},
    {"vma_discard, objects and promises, shared", TABLES_MORE, forked_objects, run_discard_regions},
    {"vma_set_flags, no node", NOTHING_MORE, no_node_left, run_set_flags},
    {"space_create", TABLES_MORE, nothing, run_space_create},
    {"space_fork", TABLES_MORE, three_slots, run_space_fork},
    {"kmalloc, 100 bytes", TABLES_MORE, nothing, run_kmalloc},
    {"kmalloc, 20 pages", TABLES_MORE, nothing, run_kmalloc_many},
    {"kmalloc_aligned, far away", TABLES_MORE, nothing, run_kmalloc_two_slots},
    {"krealloc, in place", TABLES_MORE, full_block, run_krealloc_checked},
    {"krealloc, elsewhere", TABLES_MORE, closed_in_block, run_krealloc_checked},
};

/* ---- before and after ---- */

static uint32_t mix(uint32_t hash, uint32_t value)
{
    return (hash ^ value) * 16777619u;
}

/* What PAGE of REGION holds, there or not: what a touch would bring. */
static uint32_t word_at(const struct vma *region, frame_t directory, uint32_t page)
{
    struct machine_walk found = machine_walk_from(directory, VADDR(page << PAGE_SHIFT));
    if (!found.present && region->object != NULL &&
        object_find_frame(region->object, region->object_page + (page - region->first_page),
                          &found.frame) == KERR_OK)
        found.present = true;
    return found.present ? machine_frame(found.frame)[0] : 0;
}

/* Regions of SPACE and what their pages hold. */
static uint32_t digest(const struct space *space, frame_t directory)
{
    uint32_t hash = 2166136261u;
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region)) {
        if (region->is_permanent)
            continue;
        hash = mix(mix(mix(hash, region->first_page), region->last_page), region->rights);
        for (uint32_t page = region->first_page; page <= region->last_page; page++)
            hash = mix(hash, word_at(region, directory, page));
    }
    return hash;
}

static uint32_t digest_all(void)
{
    uint32_t hash = digest(&boot_space, machine_walk(directory_page(0)).frame);
    hash = mix(hash, digest(&kernel_space, machine_walk(directory_page(0)).frame));
    if (has_child)
        hash = mix(hash, digest(&child, machine_walk(directory_page(child.directory)).frame));
    return hash;
}

static void allow_growth(struct census *census, enum growth growth)
{
    if (growth >= TABLES_MORE) {
        census->totals[FRAME_FREE] += census->totals[FRAME_TABLE] + census->totals[FRAME_INDEX];
        census->totals[FRAME_TABLE] = census->totals[FRAME_INDEX] = 0;
    }
    if (growth >= PAGES_MORE) {
        census->totals[FRAME_FREE] += census->totals[FRAME_ANONYMOUS];
        census->totals[FRAME_ANONYMOUS] = 0;
    }
}

static const char *audit_all(void)
{
    struct space *const spaces[] = {&boot_space, &child};
    return audit(spaces, has_child ? 2 : 1);
}

/* ---- running ---- */

static struct {
    const struct scenario *scenario;
    uint32_t number;
    enum failure how;
    bool ended; /* it succeeded without that many allocations */
    const char *wrong;
} now;

static void preload(void)
{
    machine_preload_window();
    for (uint32_t slot = 0; slot < 3; slot++)
        machine_preload_pages(page_at(slot, 0), SLOT_PAGES);
}

static void attempt(void)
{
    struct census before, after;
    has_child = false;
    block = NULL;
    now.scenario->prepare();
    preload();
    machine_speculate(preload);
    now.wrong = audit_all();
    if (now.wrong != NULL)
        return;
    census_take(&before);
    uint32_t digest_before = digest_all();

    machine_fail_allocation(now.number, now.how);
    enum kerr error = now.scenario->run();
    bool failed = machine_allocation_failed();
    machine_fail_allocation(0, FAIL_ONCE);

    census_take(&after);
    now.wrong = audit_all();
    if (now.wrong != NULL)
        return;
    if (error == KERR_OK) {
        now.ended = !failed;
        return; /* it may do with a second try of its own */
    }
    if (!failed || error != KERR_NO_MEMORY) {
        now.wrong = kerr_text(error);
        return;
    }
    allow_growth(&before, now.scenario->growth);
    allow_growth(&after, now.scenario->growth);
    now.wrong = census_compare(&before, &after);
    if (now.wrong == NULL && digest_all() != digest_before)
        now.wrong = "contents or regions have changed";
    if (now.wrong == NULL && now.scenario->run() != KERR_OK)
        now.wrong = "with memory again, it fails all the same";
    if (now.wrong == NULL)
        now.wrong = audit_all();
}

static bool run_scenario(const struct scenario *scenario, enum failure how)
{
    now.ended = false;
    for (uint32_t number = 1; !now.ended; number++) {
        now.scenario = scenario;
        now.number = number;
        now.how = how;
        now.wrong = NULL;
        machine_restore();
        const char *panicked = machine_expect_panic(attempt);
        if (panicked != NULL)
            now.wrong = panicked;
        if (now.wrong != NULL) {
            printf("not ok - %s: allocation %u%s fails: %s\n", scenario->name, number,
                   how == FAIL_ONCE ? "" : " and all behind it", now.wrong);
            return false;
        }
        if (now.ended && how == FAIL_ONCE)
            printf("ok - %s: takes %u frames, fails well\n", scenario->name, number - 1);
    }
    return true;
}

/* ---- the boot itself ---- */

static enum kerr boot_result;
static uint32_t boot_number;

static void try_boot(void)
{
    static const struct machine_options options = {RAM_BYTES, true, true};
    static struct boot_info boot;
    machine_boot_info(RAM_BYTES, &boot);
    boot_result = machine_boot_failing(&options, &boot, boot_number);
}

static bool run_boot(void)
{
    for (boot_number = 1;; boot_number++) {
        const char *panicked = machine_expect_panic(try_boot);
        if (panicked != NULL || (boot_result != KERR_OK && boot_result != KERR_NO_MEMORY)) {
            printf("not ok - boot: allocation %u fails: %s\n", boot_number,
                   panicked != NULL ? panicked : kerr_text(boot_result));
            return false;
        }
        if (boot_result == KERR_OK)
            break;
    }
    printf("ok - boot: takes %u frames, fails well\n", boot_number - 1);
    return true;
}

int main(void)
{
    unsigned failed = 0;
    machine_set_output(OUTPUT_HIDDEN);
    failed += !run_boot();
    machine_save(); /* it has just come up */
    for (unsigned i = 0; i < ARRAY_LENGTH(scenarios); i++)
        for (enum failure how = FAIL_ONCE; how <= FAIL_FROM_THERE_ON; how++)
            failed += !run_scenario(&scenarios[i], how);
    printf("note: %u operations, %u failed\n", (unsigned)ARRAY_LENGTH(scenarios) + 1, failed);
    return failed != 0;
}

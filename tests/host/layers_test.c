/* SPDX-License-Identifier: MIT */
/*
 * Host test. Layers 1-5 where the kernel's own tests do not reach: boots on odd machines, faults
 * from user mode, large pages, reports, and a heap whose every field is broken once.
 */
#include "audit.h"
#include "machine.h"

#include <arch/i386/cpu.h>
#include <arch/i386/pte.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/memlayout.h>
#include <mm/space.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../mm/heap_block.h"

enum { MIB = 1 << 20, SLOT = 256 };

static const struct machine_options options = {8 * MIB, true, true};
static const char name[] = "test";
static struct space user_space;

static void boot_plain(void)
{
    struct boot_info boot;
    machine_boot_info(options.ram_bytes, &boot);
    assert_int_equal(machine_boot(&options, &boot), KERR_OK);
}

static void assert_audit(struct space *other)
{
    struct space *const spaces[] = {&boot_space, other};
    const char *broken = audit(spaces, other != NULL ? 2 : 1);
    if (broken != NULL)
        fail_msg("%s", broken);
}

/* ---- boots ---- */

static void modules_stay_what_they_are(void)
{
    struct boot_info boot;
    machine_boot_info(options.ram_bytes, &boot);
    boot.module_count = 3;
    boot.modules[0] = (struct boot_module){PADDR(0x400100), 0x2000, "one"};
    boot.modules[1] = (struct boot_module){PADDR(0x403000), 0, "empty"};
    boot.modules[2] = (struct boot_module){PADDR(0x70000000), 0x1000, "outside RAM"};
    assert_int_equal(machine_boot(&options, &boot), KERR_OK);
    for (uint32_t n = 0x400; n <= 0x402; n++)
        assert_int_equal(frame_kind(&frame_pool, FRAME(n)), FRAME_FILE);
    assert_int_not_equal(frame_kind(&frame_pool, FRAME(0x403)), FRAME_FILE);
    assert_audit(NULL);
}

static void memory_above_4_gib_is_left_alone(void)
{
    struct boot_info boot;
    machine_boot_info(options.ram_bytes, &boot);
    boot.memory[boot.memory_count++] =
        (struct memory_range){0x100000000, 0x80000000, MEMORY_AVAILABLE};
    assert_int_equal(machine_boot(&options, &boot), KERR_OK);
    assert_int_equal(frame_pool.frames, 2048);
    assert_audit(NULL);
}

/* With too little memory every layer may say so, but none may break. */
static void any_size_of_memory_boots_or_is_refused(void)
{
    uint32_t booted = 0;
    for (uint32_t kib = 0; kib <= 2048; kib += 36) {
        struct boot_info boot = {
            .memory = {{0, 0xA0000, MEMORY_AVAILABLE}, {MIB, kib * 1024ull, MEMORY_AVAILABLE}},
            .memory_count = 2};
        enum kerr error = machine_boot(&options, &boot);
        if (error == KERR_OK) {
            booted++;
            assert_audit(NULL);
        } else {
            assert_int_equal(error, KERR_NO_MEMORY);
        }
    }
    assert_true(booted > 10);
}

static void no_memory_at_all_is_refused(void)
{
    struct boot_info boot = {.memory = {{0, 64 * MIB, 2}}, .memory_count = 1};
    assert_int_equal(machine_boot(&options, &boot), KERR_NO_MEMORY);
    boot.memory_count = 0;
    assert_int_equal(machine_boot(&options, &boot), KERR_NO_MEMORY);
}

/* ---- user mode ---- */

static vaddr_t user_address, kernel_only;
static enum access user_access;

static void access_as_user(void)
{
    machine_user_access(user_address, user_access);
}

static void assert_user(vaddr_t address, enum access access, bool is_allowed)
{
    user_address = address;
    user_access = access;
    assert_int_equal(machine_expect_panic(access_as_user) == NULL, is_allowed);
}

static void enter_user_space(void)
{
    boot_plain();
    assert_int_equal(space_create(&user_space, RIGHTS_USER), KERR_OK);
    space_switch(&user_space);
    kernel_only = slot_to_vaddr(SLOT);
    assert_int_equal(
        vma_reserve_at(&user_space, kernel_only, SLOT_PAGES + 8, RIGHTS_READ_WRITE, name), KERR_OK);
}

static void user_mode_reads_and_writes_its_regions(void)
{
    enter_user_space();
    vaddr_t partial = slot_to_vaddr(SLOT + 1);
    assert_user(kernel_only, ACCESS_READ, true);
    assert_user(kernel_only, ACCESS_WRITE, true);
    assert_user(partial, ACCESS_WRITE, true);
    assert_true(machine_walk(kernel_only).user);
    assert_true(machine_walk(partial).writable);
    assert_audit(&user_space);
    assert_int_equal(vma_protect(&user_space, partial, 8, RIGHTS_READ), KERR_OK);
    assert_user(partial, ACCESS_READ, true);
    assert_user(partial, ACCESS_WRITE, false);
}

static void user_mode_reads_nothing_else(void)
{
    enter_user_space();
    assert_user(slot_to_vaddr(SLOT + 9), ACCESS_READ, false);
    enter_user_space();
    assert_user(VADDR(KERNEL_BASE + 0x100000), ACCESS_READ, false);
    enter_user_space();
    assert_user(VADDR(WINDOW_DIRECTORY), ACCESS_READ, false);
    boot_plain(); /* a region for the supervisor alone */
    assert_int_equal(vma_reserve_at(&boot_space, slot_to_vaddr(SLOT), 5, RIGHTS_READ_WRITE, name),
                     KERR_OK);
    assert_user(slot_to_vaddr(SLOT), ACCESS_READ, false);
}

/* Of an access that only lacked rights which the entries have by now. */
static void user_mode_is_spared_a_spurious_fault(void)
{
    enter_user_space();
    assert_user(kernel_only, ACCESS_WRITE, true);
    vaddr_t window = VADDR(WINDOW_BASE + (kernel_only.v >> PAGE_SHIFT) * 4);
    uint32_t *entry = vaddr_to_pointer(window);
    *entry &= ~(uint32_t)ENTRY_USER;
    cpu_invalidate_page(kernel_only);
    machine_preload(kernel_only); /* remembered without the right */
    *entry |= ENTRY_USER;
    uint32_t spurious = fault_counters.spurious;
    assert_user(kernel_only, ACCESS_WRITE, true);
    assert_int_equal(fault_counters.spurious, spurious + 1);
}

/* ---- large pages and devices ---- */

static void a_large_page_shows_memory_and_nothing_after(void)
{
    static const enum rights all[] = {RIGHTS_READ, RIGHTS_READ_WRITE, RIGHTS_READ | RIGHTS_USER};
    vaddr_t where, gap = VADDR(PROCESS_RECORDS_BASE + PROCESS_RECORDS_ROOM_BYTES);
    boot_plain();
    for (unsigned i = 0; i < ARRAY_LENGTH(all); i++) {
        const vaddr_t places[] = {slot_to_vaddr(SLOT), gap};
        for (unsigned p = 0; p < ARRAY_LENGTH(places); p++) {
            frame_t first;
            uint32_t value;
            assert_int_equal(paging_map_large(places[p], FRAME(1024), all[i]), KERR_OK);
            machine_preload_pages(places[p], SLOT_PAGES);
            machine_frame_write(FRAME(1024 + 77), 0, 77 + i);
            vaddr_t page = vaddr_add(places[p], 77 * PAGE_BYTES);
            assert_int_equal(probe_read(page, &value), FAULT_RESOLVED);
            assert_int_equal(value, 77 + i);
            assert_int_equal(probe_write(page, 1),
                             all[i] & RIGHTS_WRITE ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
            assert_int_equal(machine_walk(page).user, (all[i] & RIGHTS_USER) != 0);
            fault_describe(page);
            assert_int_equal(paging_unmap_large(places[p], &first), KERR_OK);
            assert_int_equal(first.n, 1024);
            assert_null(machine_check_tlb(&where));
        }
    }
}

static void devices_are_mapped_until_there_is_no_room(void)
{
    vaddr_t address, before = VADDR(0);
    boot_plain();
    assert_int_equal(paging_map_device(PADDR(0xFFFFF000), 0x1001, &address), KERR_BAD_RANGE);
    assert_int_equal(paging_map_device(PADDR(0xF0000000), 0, &address), KERR_BAD_RANGE);
    assert_int_equal(paging_map_device(PADDR(0), DEVICE_ROOM_BYTES, &address), KERR_BAD_RANGE);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(paging_map_device(PADDR(0xE0000123), 100 * MIB, &address), KERR_OK);
        assert_int_equal(address.v % PAGE_BYTES, 0x123);
        assert_int_equal(machine_walk(address).frame.n, 0xE0000);
        assert_true(address.v > before.v + (i == 0 ? 0 : 100 * MIB));
        before = address;
    }
    assert_int_equal(paging_map_device(PADDR(0xE0000000), 100 * MIB, &address), KERR_NO_ROOM);
    assert_audit(NULL);
}

/* ---- reports ---- */

/* Describing an address needs and changes nothing. */
static void every_kind_of_address_can_be_described(void)
{
    uint32_t value;
    vaddr_t first = slot_to_vaddr(SLOT);
    boot_plain();
    assert_int_equal(vma_reserve_at(&boot_space, first, 10, RIGHTS_READ_WRITE, name), KERR_OK);
    assert_int_equal(probe_write(first, 1), FAULT_RESOLVED);
    assert_int_equal(vma_protect(&boot_space, first, 1, RIGHTS_NONE), KERR_OK);
    assert_int_equal(probe_read(vaddr_add(first, PAGE_BYTES), &value), FAULT_RESOLVED);
    struct census before, after;
    census_take(&before);
    for (uint64_t address = 0; address < 0x100000000; address += SLOT_BYTES / 2 + PAGE_BYTES)
        fault_describe(VADDR((uint32_t)address));
    for (uint32_t i = 0; i < 12; i++)
        fault_describe(vaddr_add(first, i << PAGE_SHIFT));
    census_take(&after);
    assert_null(census_compare(&before, &after));
    assert_audit(NULL);
}

/* ---- the heap ---- */

static struct heap_block *block_of(void *payload)
{
    return block_at((uintptr_t)payload - OVERHEAD_BYTES);
}

static void assert_heap_broken(uintptr_t *word, uintptr_t value)
{
    vaddr_t where;
    uintptr_t before = *word;
    *word = value;
    assert_non_null(heap_check(&kernel_heap, &where));
    *word = before;
    assert_null(heap_check(&kernel_heap, &where));
}

static void each_field_of_a_heap_is_checked(void)
{
    void *blocks[6];
    boot_plain();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(kmalloc(i == 3 ? 5 * PAGE_BYTES : 200, &blocks[i]), KERR_OK);
    kfree(blocks[1]);
    kfree(blocks[3]); /* with warm pages */
    kfree(blocks[5]); /* merges with what is behind it */
    struct heap_block *used = block_of(blocks[2]), *free = block_of(blocks[1]);
    struct heap_block *warm = block_of(blocks[3]);
    assert_true(kernel_heap.warm_pages > 0);

    assert_heap_broken((uintptr_t *)&used->previous, 0);
    assert_heap_broken(&used->tag, used->tag | BLOCK_FREE);
    assert_heap_broken(&used->tag, 0 | BLOCK_USED);
    assert_heap_broken(&used->tag, (256 * MIB) | BLOCK_USED);
    assert_heap_broken(&used->tag, (used->tag & ~(uintptr_t)BLOCK_STATE_MASK) | BLOCK_FREE);
    assert_heap_broken((uintptr_t *)&free->next_free, (uintptr_t)used);
    assert_heap_broken((uintptr_t *)&free->next_free, 8);
    assert_heap_broken((uintptr_t *)&free->next_free, (uintptr_t)free);
    assert_heap_broken((uintptr_t *)&free->previous_free, (uintptr_t)used);
    assert_heap_broken(&warm->warm.first, warm->warm.first + 8);
    assert_heap_broken(&warm->warm.end, block_end(warm) + PAGE_BYTES);
    assert_heap_broken((uintptr_t *)&warm->older, (uintptr_t)free);
    assert_heap_broken((uintptr_t *)&kernel_heap.warm_newest, 0);
    assert_heap_broken((uintptr_t *)&kernel_heap.warm_oldest, 8);
    assert_heap_broken((uintptr_t *)&kernel_heap.warm_oldest, (uintptr_t)used);
    assert_heap_broken(&kernel_heap.used_bytes, kernel_heap.used_bytes + 8);
}

static void each_bit_of_a_heap_is_checked(void)
{
    vaddr_t where;
    boot_plain();
    for (uint32_t row = 0; row < HEAP_ROWS; row++) {
        kernel_heap.rows ^= 1u << row;
        assert_non_null(heap_check(&kernel_heap, &where));
        kernel_heap.rows ^= 1u << row;
        kernel_heap.columns[row] ^= 4;
        assert_non_null(heap_check(&kernel_heap, &where));
        kernel_heap.columns[row] ^= 4;
    }
    assert_null(heap_check(&kernel_heap, &where));
}

static void *wrong_block;

static void free_wrong_block(void)
{
    kfree(wrong_block);
}

static void a_wrong_block_is_not_freed(void)
{
    boot_plain();
    void *block, *behind;
    assert_int_equal(kmalloc(300, &block), KERR_OK);
    assert_int_equal(kmalloc(300, &behind), KERR_OK);
    void *const wrong[] = {(char *)block + 1, (char *)block + GRANULE, &user_space,
                           vaddr_to_pointer(VADDR(HEAP_BASE))};
    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
        wrong_block = wrong[i];
        assert_non_null(machine_expect_panic(free_wrong_block));
    }
    wrong_block = block;
    block_of(behind)->previous = NULL;
    assert_non_null(machine_expect_panic(free_wrong_block));
    block_of(behind)->previous = block_of(block);
    ((struct guard *)((char *)block - GUARD_BYTES))->bytes = 1000;
    assert_non_null(machine_expect_panic(free_wrong_block));
}

struct layers_test {
    void (*run)(void);
};

static void run_it(void **state)
{
    ((const struct layers_test *)*state)->run();
}

#define TEST_OF(function)                                                                          \
    {                                                                                              \
#function, run_it, NULL, NULL, &(struct layers_test)                                       \
        {                                                                                          \
            function                                                                               \
        }                                                                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF(modules_stay_what_they_are),
        TEST_OF(memory_above_4_gib_is_left_alone),
        TEST_OF(any_size_of_memory_boots_or_is_refused),
        TEST_OF(no_memory_at_all_is_refused),
        TEST_OF(user_mode_reads_and_writes_its_regions),
        TEST_OF(user_mode_reads_nothing_else),
        TEST_OF(user_mode_is_spared_a_spurious_fault),
        TEST_OF(a_large_page_shows_memory_and_nothing_after),
        TEST_OF(devices_are_mapped_until_there_is_no_room),
        TEST_OF(every_kind_of_address_can_be_described),
        TEST_OF(each_field_of_a_heap_is_checked),
        TEST_OF(each_bit_of_a_heap_is_checked),
        TEST_OF(a_wrong_block_is_not_freed),
    };
    machine_set_output(OUTPUT_HIDDEN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

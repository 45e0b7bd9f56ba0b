/* SPDX-License-Identifier: MIT */
/*
 * Host test. The model itself: does it walk, remember, forget and refuse as the SDM says? Entries
 * are written behind the kernel's back, into a directory of the tests' own; faults are answered by
 * no layer.
 */
#include "machine.h"

#include <arch/i386/cpu.h>
#include <arch/i386/pte.h>
#include <mm/memlayout.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    DIRECTORY = 0x500, /* frames */
    TABLE,
    OTHER_TABLE,
    DATA,
    OTHER_DATA,
    RIGHTS = ENTRY_PRESENT | ENTRY_WRITABLE
};
#define PAGE VADDR(0xC8400000u) /* in the kernel half: slot 801, entry 0 */
enum { SLOT_OF_PAGE = 801 };

static void set_pde(uint32_t bits)
{
    machine_frame_write(FRAME(DIRECTORY), SLOT_OF_PAGE, bits);
}

static void set_pte(uint32_t bits)
{
    machine_frame_write(FRAME(TABLE), 0, bits);
}

static uint32_t pde(void)
{
    return machine_frame(FRAME(DIRECTORY))[SLOT_OF_PAGE];
}

static uint32_t pte(void)
{
    return machine_frame(FRAME(TABLE))[0];
}

static void set_up(void)
{
    static const struct machine_options options = {8 << 20, true, true};
    machine_start(&options);
    cpu_write_cr4(CR4_PSE | CR4_PGE);
    for (uint32_t frame = DIRECTORY; frame <= OTHER_DATA; frame++)
        for (uint32_t i = 0; i < SLOT_PAGES; i++)
            machine_frame_write(FRAME(frame), i, frame >= DATA ? frame : 0);
    set_pde(pde_make(FRAME(TABLE), RIGHTS).bits);
    set_pte(pte_make(FRAME(DATA), RIGHTS).bits);
    cpu_write_cr3(DIRECTORY << PAGE_SHIFT);
}

/* What a read of PAGE gives; 0: it faults. */
static uint32_t seen(void)
{
    uint32_t value;
    return probe_read(PAGE, &value) == FAULT_RESOLVED ? value : 0;
}

static bool can_write(void)
{
    return probe_write(PAGE, DATA) == FAULT_RESOLVED;
}

static void a_read_sets_accessed_at_both_levels(void)
{
    assert_int_equal(seen(), DATA);
    assert_int_equal(pde() & (ENTRY_ACCESSED | ENTRY_DIRTY), ENTRY_ACCESSED);
    assert_int_equal(pte() & (ENTRY_ACCESSED | ENTRY_DIRTY), ENTRY_ACCESSED);
}

static void a_write_after_a_read_sets_dirty(void)
{
    assert_int_equal(seen(), DATA);
    assert_true(can_write());
    assert_true(pte() & ENTRY_DIRTY);
    assert_false(pde() & ENTRY_DIRTY);
}

static void a_refused_write_sets_no_dirty(void)
{
    set_pte(pte_make(FRAME(DATA), ENTRY_PRESENT).bits);
    assert_false(can_write());
    assert_false(pte() & ENTRY_DIRTY);
}

static void either_level_can_refuse_a_write(void)
{
    for (unsigned i = 0; i < 4; i++) {
        set_pde(pde_make(FRAME(TABLE), ENTRY_PRESENT | (i & 1 ? ENTRY_WRITABLE : 0)).bits);
        set_pte(pte_make(FRAME(DATA), ENTRY_PRESENT | (i & 2 ? ENTRY_WRITABLE : 0)).bits);
        cpu_write_cr3(cpu_read_cr3());
        assert_int_equal(can_write(), i == 3);
        assert_int_equal(seen(), DATA);
    }
}

static void user_rights_need_both_levels(void)
{
    for (unsigned i = 0; i < 4; i++) {
        set_pde(pde_make(FRAME(TABLE), RIGHTS | (i & 1 ? ENTRY_USER : 0)).bits);
        set_pte(pte_make(FRAME(DATA), RIGHTS | (i & 2 ? ENTRY_USER : 0)).bits);
        assert_int_equal(machine_walk(PAGE).user, i == 3);
    }
}

static void not_present_is_not_remembered(void)
{
    set_pte(0);
    assert_int_equal(seen(), 0);
    set_pte(pte_make(FRAME(DATA), RIGHTS).bits);
    assert_int_equal(seen(), DATA);
}

static void a_replaced_entry_is_stale_until_invlpg(void)
{
    assert_int_equal(seen(), DATA);
    set_pte(pte_make(FRAME(OTHER_DATA), RIGHTS).bits);
    assert_int_equal(seen(), DATA);
    cpu_invalidate_page(VADDR(PAGE.v + PAGE_BYTES)); /* another page */
    assert_int_equal(seen(), DATA);
    cpu_invalidate_page(PAGE);
    assert_int_equal(seen(), OTHER_DATA);
}

static void an_emptied_entry_is_stale_until_invlpg(void)
{
    assert_true(can_write());
    set_pte(0);
    assert_true(can_write());
    cpu_invalidate_page(PAGE);
    assert_false(can_write());
}

static void fewer_rights_fault_until_invlpg(void)
{
    set_pte(pte_make(FRAME(DATA), ENTRY_PRESENT).bits);
    assert_int_equal(seen(), DATA);
    set_pte(pte_make(FRAME(DATA), RIGHTS).bits);
    assert_false(can_write());
    assert_false(can_write()); /* a fault does not help */
    cpu_invalidate_page(PAGE);
    assert_true(can_write());
}

/* To set D the CPU walks again: and finds that the right has gone. */
static void a_clean_page_is_walked_again_for_its_first_write(void)
{
    assert_int_equal(seen(), DATA);
    set_pte(pte_make(FRAME(DATA), ENTRY_PRESENT).bits);
    assert_false(can_write());
}

static void a_cached_pde_is_used_until_any_invlpg(void)
{
    machine_frame_write(FRAME(TABLE), 1, pte_make(FRAME(DATA), RIGHTS).bits);
    machine_frame_write(FRAME(OTHER_TABLE), 0, pte_make(FRAME(OTHER_DATA), RIGHTS).bits);
    machine_preload(VADDR(PAGE.v + PAGE_BYTES));
    set_pde(pde_make(FRAME(OTHER_TABLE), RIGHTS).bits);
    assert_int_equal(seen(), DATA); /* a page not seen before, by way of the old table */
    cpu_invalidate_page(PAGE);
    assert_int_equal(seen(), OTHER_DATA);
}

static void global_pages_survive_a_load_of_cr3(void)
{
    set_pte(pte_make(FRAME(DATA), RIGHTS | ENTRY_GLOBAL).bits);
    assert_int_equal(seen(), DATA);
    set_pte(pte_make(FRAME(OTHER_DATA), RIGHTS).bits);
    cpu_write_cr3(cpu_read_cr3());
    assert_int_equal(seen(), DATA);
    cpu_write_cr4(cpu_read_cr4() & ~(uint32_t)CR4_PGE);
    cpu_write_cr4(cpu_read_cr4() | CR4_PGE);
    assert_int_equal(seen(), OTHER_DATA);
}

static void without_pge_no_page_is_global(void)
{
    cpu_write_cr4(CR4_PSE);
    set_pte(pte_make(FRAME(DATA), RIGHTS | ENTRY_GLOBAL).bits);
    assert_int_equal(seen(), DATA);
    set_pte(pte_make(FRAME(OTHER_DATA), RIGHTS).bits);
    cpu_write_cr3(cpu_read_cr3());
    assert_int_equal(seen(), OTHER_DATA);
}

static void a_large_page_shows_its_frames(void)
{
    set_pde(pde_make(FRAME(0x400), RIGHTS | PDE_LARGE).bits);
    assert_int_equal(machine_walk(PAGE).frame.n, 0x400);
    assert_int_equal(machine_walk(VADDR(PAGE.v + (DATA - 0x400) * PAGE_BYTES)).frame.n, DATA);
    assert_true(can_write());
    assert_int_equal(pde() & (ENTRY_ACCESSED | ENTRY_DIRTY), ENTRY_ACCESSED | ENTRY_DIRTY);
}

static void without_pse_the_size_bit_means_nothing(void)
{
    cpu_write_cr4(CR4_PGE);
    set_pde(pde_make(FRAME(TABLE), RIGHTS | PDE_LARGE).bits);
    assert_int_equal(seen(), DATA);
}

static void touch_reserved(void)
{
    (void)seen();
}

static void a_reserved_bit_of_a_large_page_is_a_fault_nobody_answers(void)
{
    set_pde(pde_make(FRAME(0x402), RIGHTS | PDE_LARGE).bits);
    assert_non_null(machine_expect_panic(touch_reserved));
}

static void the_recursive_entry_leads_to_the_tables(void)
{
    uint32_t value;
    machine_frame_write(FRAME(DIRECTORY), WINDOW_SLOT, pde_make(FRAME(DIRECTORY), RIGHTS).bits);
    assert_int_equal(machine_walk(VADDR(WINDOW_DIRECTORY)).frame.n, DIRECTORY);
    vaddr_t window = VADDR(WINDOW_BASE + SLOT_OF_PAGE * PAGE_BYTES);
    assert_int_equal(probe_read(window, &value), FAULT_RESOLVED);
    assert_int_equal(value & ~ENTRY_FLAGS_MASK, DATA << PAGE_SHIFT);
    /* Below a read-only PDE the table's page is read-only as well. */
    set_pde(pde_make(FRAME(TABLE), ENTRY_PRESENT).bits);
    cpu_invalidate_page(window);
    assert_int_equal(probe_write(window, 0), FAULT_BAD_ACCESS);
}

static void the_comparison_sees_what_is_stale(void)
{
    static const uint32_t changes[] = {
        0,                                        /* gone */
        OTHER_DATA << PAGE_SHIFT | RIGHTS,        /* another frame */
        DATA << PAGE_SHIFT | ENTRY_PRESENT,       /* a right less */
        DATA << PAGE_SHIFT | RIGHTS | ENTRY_USER, /* one more: not above 3 GiB */
    };
    vaddr_t where;
    set_pde(pde_make(FRAME(TABLE), RIGHTS | ENTRY_USER).bits);
    for (unsigned i = 0; i < ARRAY_LENGTH(changes); i++) {
        set_pte(pte_make(FRAME(DATA), RIGHTS).bits);
        cpu_invalidate_page(PAGE);
        machine_preload(PAGE);
        assert_null(machine_check_tlb(&where));
        assert_true(machine_tlb_count(FRAME(DATA)) > 0);
        set_pte(changes[i]);
        assert_non_null(machine_check_tlb(&where));
        assert_int_equal(where.v, PAGE.v);
        cpu_invalidate_page(PAGE);
        assert_null(machine_check_tlb(&where));
        assert_int_equal(machine_tlb_count(FRAME(DATA)), 0);
    }
}

static void an_invalidation_left_out_is_none(void)
{
    assert_int_equal(seen(), DATA);
    set_pte(0);
    machine_omit_invalidation(1);
    cpu_invalidate_page(PAGE);
    assert_int_equal(seen(), DATA);
    cpu_invalidate_page(PAGE);
    assert_int_equal(seen(), 0);
}

static void a_saved_machine_comes_back(void)
{
    assert_true(can_write());
    machine_save();
    set_pte(0);
    machine_frame_write(FRAME(DATA), 0, 42);
    machine_frame_write(FRAME(0x600), 0, 42);
    machine_restore();
    assert_int_equal(seen(), DATA);
    assert_int_not_equal(machine_frame(FRAME(0x600))[0], 42);
}

struct model_test {
    void (*run)(void);
};

/* cmocka takes SIGSEGV for itself before each test: here it is the machine's again. */
static void run_on_a_new_machine(void **state)
{
    set_up();
    ((const struct model_test *)*state)->run();
}

#define TEST_OF(function)                                                                          \
    {                                                                                              \
#function, run_on_a_new_machine, NULL, NULL, &(struct model_test)                          \
        {                                                                                          \
            function                                                                               \
        }                                                                                          \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF(a_read_sets_accessed_at_both_levels),
        TEST_OF(a_write_after_a_read_sets_dirty),
        TEST_OF(a_refused_write_sets_no_dirty),
        TEST_OF(either_level_can_refuse_a_write),
        TEST_OF(user_rights_need_both_levels),
        TEST_OF(not_present_is_not_remembered),
        TEST_OF(a_replaced_entry_is_stale_until_invlpg),
        TEST_OF(an_emptied_entry_is_stale_until_invlpg),
        TEST_OF(fewer_rights_fault_until_invlpg),
        TEST_OF(a_clean_page_is_walked_again_for_its_first_write),
        TEST_OF(a_cached_pde_is_used_until_any_invlpg),
        TEST_OF(global_pages_survive_a_load_of_cr3),
        TEST_OF(without_pge_no_page_is_global),
        TEST_OF(a_large_page_shows_its_frames),
        TEST_OF(without_pse_the_size_bit_means_nothing),
        TEST_OF(a_reserved_bit_of_a_large_page_is_a_fault_nobody_answers),
        TEST_OF(the_recursive_entry_leads_to_the_tables),
        TEST_OF(the_comparison_sees_what_is_stale),
        TEST_OF(an_invalidation_left_out_is_none),
        TEST_OF(a_saved_machine_comes_back),
    };
    machine_set_output(OUTPUT_HIDDEN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

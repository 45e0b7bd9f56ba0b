/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of address spaces: what one costs and gives back, that the lower halves are apart
 * and the upper half is one, and that a fault may come while a higher layer is at work.
 */
#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <arch/i386/trap.h>
#include <kernel/fault.h>
#include <mm/cow.h>
#include <mm/space.h>
#include <mm/zero.h>

static const vaddr_t page = {TEST_SLOT * SLOT_BYTES};
static const char name[] = "test";

static struct space one, other;

/* What a page of the kernel shows to those who read it. */
static uint32_t *kernel_words;

static bool must_check reserve_here(uint32_t pages)
{
    return vma_reserve_at(space_current(), page, pages, RIGHTS_READ_WRITE, name) == KERR_OK;
}

static uint32_t look_in(struct space *space, vaddr_t address)
{
    space_switch(space);
    return peek(address);
}

static void leave_and_destroy(struct space *space)
{
    space_switch(&boot_space);
    space_destroy(space);
}

TEST("space", "created and destroyed: costs one frame, and gives it back")
{
    uint32_t free = frame_pool.totals[FRAME_FREE], live = directory_live_count();

    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    EXPECT_EQUAL(free - frame_pool.totals[FRAME_FREE], 1);
    EXPECT_EQUAL(directory_live_count(), live + 1);
    EXPECT(directory_check() == NULL);
    space_destroy(&one);
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], free);
    EXPECT_EQUAL(directory_live_count(), live);
}

/* ---- forks ---- */

TEST("space", "a fork: has the same regions and data, and costs a directory")
{
    REQUIRE(reserve_here(3 * SLOT_PAGES));
    REQUIRE(vma_protect(&boot_space, vaddr_add(page, SLOT_BYTES), 5, RIGHTS_READ) == KERR_OK);
    poke(page, 1);
    poke(vaddr_add(page, 2 * SLOT_BYTES), 2);
    uint32_t free = frame_pool.totals[FRAME_FREE];

    REQUIRE(space_fork(&one) == KERR_OK);
    EXPECT_EQUAL(free - frame_pool.totals[FRAME_FREE], 1);
    EXPECT_EQUAL(one.region_count, boot_space.region_count);
    EXPECT_EQUAL(one.reserved_pages, boot_space.reserved_pages);
    EXPECT(vma_check(&one) == NULL);
    const struct vma *ours = vma_first(&boot_space), *its = vma_first(&one);
    for (; ours != NULL && its != NULL; ours = vma_next(ours), its = vma_next(its)) {
        EXPECT_EQUAL(its->first_page, ours->first_page);
        EXPECT_EQUAL(its->last_page, ours->last_page);
        EXPECT_EQUAL(its->rights, ours->rights);
    }
    EXPECT(ours == NULL && its == NULL);
    EXPECT_EQUAL(look_in(&one, page), 1);
    EXPECT_EQUAL(look_in(&one, vaddr_add(page, 2 * SLOT_BYTES)), 2);
    leave_and_destroy(&one);
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], free);
    EXPECT(vma_release(&boot_space, page, 3 * SLOT_PAGES) == KERR_OK);
}

TEST("space", "a fork and its parent: neither sees what the other writes, maps or releases")
{
    vaddr_t second = vaddr_add(page, PAGE_BYTES);
    REQUIRE(reserve_here(SLOT_PAGES));
    poke(page, 1);
    poke(second, 2);
    REQUIRE(space_fork(&one) == KERR_OK);

    poke(page, 10);
    EXPECT_EQUAL(look_in(&one, page), 1);
    poke(page, 20);
    poke(second, 21);
    EXPECT(vma_release(&one, second, 1) == KERR_OK);
    EXPECT_EQUAL(look_in(&boot_space, page), 10);
    EXPECT_EQUAL(peek(second), 2);
    EXPECT(vma_find(&boot_space, second) != NULL && vma_find(&one, second) == NULL);
    EXPECT(vma_protect(&boot_space, page, 1, RIGHTS_READ) == KERR_OK);
    space_switch(&one);
    poke(page, 30);
    leave_and_destroy(&one);
    EXPECT_EQUAL(peek(page), 10);
    EXPECT(vma_release(&boot_space, page, SLOT_PAGES) == KERR_OK);
}

TEST("space", "a fork of a fork, and its parent gone: the grandchild keeps what was there")
{
    REQUIRE(reserve_here(SLOT_PAGES));
    poke(page, 1);
    REQUIRE(space_fork(&one) == KERR_OK);
    space_switch(&one);
    poke(vaddr_add(page, PAGE_BYTES), 2);
    REQUIRE(space_fork(&other) == KERR_OK);
    poke(page, 3);
    leave_and_destroy(&one);
    EXPECT_EQUAL(look_in(&other, page), 1);
    EXPECT_EQUAL(peek(vaddr_add(page, PAGE_BYTES)), 2);
    leave_and_destroy(&other);
    EXPECT_EQUAL(peek(page), 1);
    EXPECT_EQUAL(peek(vaddr_add(page, PAGE_BYTES)), 0);
    EXPECT(vma_release(&boot_space, page, SLOT_PAGES) == KERR_OK);
}

TEST("space", "a fork without memory: KERR_NO_MEMORY, and nothing has changed")
{
    REQUIRE(reserve_here(SLOT_PAGES));
    poke(page, 1);
    uint32_t free = frame_pool.totals[FRAME_FREE], live = directory_live_count();
    leave_frames(0);
    EXPECT_EQUAL(space_fork(&one), KERR_NO_MEMORY);
    all_frames();
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], free);
    EXPECT_EQUAL(directory_live_count(), live);
    uint32_t tables = cow_counters.tables_copied + cow_counters.tables_taken;
    poke(page, 2);
    EXPECT_EQUAL(cow_counters.tables_copied + cow_counters.tables_taken, tables);
    EXPECT(vma_release(&boot_space, page, SLOT_PAGES) == KERR_OK);
}

TEST("space", "a new one: is empty, from the first page to 3 GiB")
{
    REQUIRE(reserve_here(SLOT_PAGES));
    poke(page, 1);
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++)
        EXPECT_EQUAL(directory_pde_read(one.directory, slot).bits, 0);
    EXPECT(vma_first(&one) == NULL);
    space_switch(&one);
    uint32_t value;
    EXPECT_EQUAL(probe_read(page, &value), FAULT_BAD_ACCESS);
    EXPECT(space_current() == &one && space_of(page) == &one);
    struct space *volatile kernels = &kernel_space; /* volatile, else the compiler answers */
    EXPECT(space_of(VADDR(KERNEL_BASE)) == kernels);
    leave_and_destroy(&one);
    EXPECT_EQUAL(peek(page), 1);
    EXPECT(vma_release(&boot_space, page, SLOT_PAGES) == KERR_OK);
}

TEST("space", "a number used before: the new directory has nothing of the old one")
{
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    uint32_t id = one.directory;
    space_switch(&one);
    REQUIRE(reserve_here(3));
    poke(page, 1);
    leave_and_destroy(&one);
    REQUIRE(space_create(&other, RIGHTS_NONE) == KERR_OK);
    EXPECT_EQUAL(other.directory, id);
    EXPECT_EQUAL(directory_pde_read(id, TEST_SLOT).bits, 0);
    EXPECT(vma_first(&other) == NULL);
    space_destroy(&other);
}

TEST("space", "three spaces, the same address: each has its own data")
{
    struct space *const spaces[] = {&boot_space, &one, &other};

    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    REQUIRE(space_create(&other, RIGHTS_NONE) == KERR_OK);
    for (uint32_t i = 0; i < 3; i++) {
        space_switch(spaces[i]);
        REQUIRE(reserve_here(10));
        EXPECT_EQUAL(peek(page), 0);
        poke(page, 100 + i);
    }
    for (uint32_t i = 0; i < 3; i++)
        EXPECT_EQUAL(look_in(spaces[i], page), 100 + i);
    EXPECT(vma_release(&other, page, 10) == KERR_OK);
    EXPECT_EQUAL(look_in(&one, page), 101);
    EXPECT_EQUAL(look_in(&boot_space, page), 100);
    space_destroy(&one);
    space_destroy(&other);
    EXPECT_EQUAL(peek(page), 100);
    EXPECT(vma_release(&boot_space, page, 10) == KERR_OK);
}

TEST("space", "one of the user: user mode may have its regions, but not the kernel's")
{
    REQUIRE(space_create(&one, RIGHTS_USER) == KERR_OK);
    space_switch(&one);
    REQUIRE(reserve_here(SLOT_PAGES + 1));
    vaddr_t partial = page_of_slot(TEST_SLOT + 1, 0);
    EXPECT_EQUAL(vma_touch(partial, ACCESS_WRITE, MODE_USER), FAULT_RESOLVED);
    EXPECT_EQUAL(vma_touch(page, ACCESS_WRITE, MODE_USER), FAULT_RESOLVED);
    EXPECT((pte_read(page).bits & pde_read(TEST_SLOT).bits & ENTRY_USER) != 0);
    EXPECT((pte_read(partial).bits & pde_read(TEST_SLOT + 1).bits & ENTRY_USER) != 0);
    EXPECT_EQUAL(vma_touch(VADDR(PROCESS_RECORDS_BASE), ACCESS_READ, MODE_USER), FAULT_BAD_ACCESS);
    leave_and_destroy(&one);
}

TEST("space", "destroyed with regions, written memory and shared tables: every frame comes back")
{
    struct cost cost;
    uint32_t nodes = vma_nodes_in_use();

    REQUIRE(reserve_here(2 * SLOT_PAGES));
    poke(page, 1);
    poke(page_of_slot(TEST_SLOT + 1, 7), 7);
    cost_start(&cost);
    uint32_t directories = frame_pool.totals[FRAME_DIRECTORY];
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    cow_share(TEST_SLOT, 2, one.directory);
    space_switch(&one);
    poke(page, 2); /* a table and a frame of its own; the other table stays shared */
    REQUIRE(vma_reserve_at(&one, page_of_slot(TEST_SLOT + 4, 9), 3 * SLOT_PAGES, RIGHTS_READ_WRITE,
                           name) == KERR_OK);
    for (uint32_t i = 4; i < 7; i++)
        poke(page_of_slot(TEST_SLOT + i, 100), i);
    EXPECT(vma_protect(&one, page_of_slot(TEST_SLOT + 4, 100), 1, RIGHTS_NONE) == KERR_OK);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 1, 7)), 7);
    leave_and_destroy(&one);
    EXPECT_EQUAL(frame_pool.totals[FRAME_DIRECTORY], directories);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(vma_nodes_in_use(), nodes + 1);
    poke(page, 3);
    poke(page_of_slot(TEST_SLOT + 1, 7), 8);
    EXPECT_COST(cost, 0, 0); /* the last owner takes what is there */
    EXPECT(vma_release(&boot_space, page, 2 * SLOT_PAGES) == KERR_OK);
}

TEST("space", "destroyed with no memory left: never needs any")
{
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    space_switch(&one);
    REQUIRE(reserve_here(SLOT_PAGES + 5));
    poke(page, 1);
    poke(page_of_slot(TEST_SLOT + 1, 1), 1);
    space_switch(&boot_space);
    leave_frames(0);
    space_destroy(&one);
    all_frames();
}

TEST("space", "created with no memory left: says so, and nothing has changed")
{
    uint32_t live = directory_live_count();

    leave_frames(0);
    EXPECT(space_create(&one, RIGHTS_NONE) == KERR_NO_MEMORY);
    all_frames();
    EXPECT_EQUAL(directory_live_count(), live);
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    space_destroy(&one);
}

/* ---- many ---- */

enum { MANY = SLOT_PAGES + 76, SPARE = 48, PAGES_FOR_MANY = 80 };

static struct space *many;

_Static_assert(MANY * sizeof(struct space) <= PAGES_FOR_MANY * PAGE_BYTES, "room for the array");

/* As many as there is memory for, up to more than a slot of the directories area holds. */
static uint32_t create_many(void)
{
    uint32_t count = 0;
    while (count < MANY && frame_available(&frame_pool) > SPARE &&
           space_create(&many[count], RIGHTS_NONE) == KERR_OK)
        count++;
    return count;
}

static void write_from_each(uint32_t count)
{
    vaddr_t first = pointer_to_vaddr(kernel_words);
    for (uint32_t i = 0; i < 4; i++) {
        space_switch(&many[i * (count - 1) / 3]);
        poke(vaddr_add(first, i * SLOT_BYTES), i + 1);
        EXPECT(directory_check() == NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        space_switch(&many[i]);
        for (uint32_t j = 0; j < 4; j++)
            EXPECT_EQUAL(kernel_words[j * (SLOT_BYTES / 4)], j + 1);
    }
    space_switch(&boot_space);
}

TEST("space", "1,100 spaces, or as many as fit: what one writes in kernel space all see at once")
{
    vaddr_t array, words;

    if (frame_available(&frame_pool) < 2 * SPARE)
        SKIP("needs 384 KiB of free memory");
    REQUIRE(vma_reserve(&kernel_space, PAGES_FOR_MANY, RIGHTS_READ_WRITE, name, &array) == KERR_OK);
    REQUIRE(vma_reserve(&kernel_space, 4 * SLOT_PAGES, RIGHTS_READ_WRITE, name, &words) == KERR_OK);
    many = vaddr_to_pointer(array);
    kernel_words = vaddr_to_pointer(words);
    uint32_t count = create_many();
    EXPECT(count == MANY || frame_available(&frame_pool) <= SPARE);
    EXPECT_EQUAL(directory_live_count(), count + 1);
    write_from_each(count);
    for (uint32_t i = 0; i < count; i++)
        space_destroy(&many[i]);
    EXPECT(vma_release(&kernel_space, words, 4 * SLOT_PAGES) == KERR_OK);
    EXPECT(vma_release(&kernel_space, array, PAGES_FOR_MANY) == KERR_OK);
}

TEST("space", "a kernel region reserved, written, protected and released in one: so it is in all")
{
    struct space *const spaces[] = {&boot_space, &one, &other};
    uint32_t value;

    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    REQUIRE(space_create(&other, RIGHTS_NONE) == KERR_OK);
    for (uint32_t actor = 0; actor < 3; actor++) {
        vaddr_t first;
        space_switch(spaces[actor]);
        REQUIRE(vma_reserve(&kernel_space, SLOT_PAGES + 8, RIGHTS_READ_WRITE, name, &first) ==
                KERR_OK);
        vaddr_t last = vaddr_add(first, (SLOT_PAGES + 7) * PAGE_BYTES);
        EXPECT_EQUAL(look_in(spaces[(actor + 1) % 3], first), 0);
        space_switch(spaces[(actor + 2) % 3]);
        poke(first, actor + 10);
        poke(last, actor + 20);
        for (uint32_t i = 0; i < 3; i++) {
            EXPECT_EQUAL(look_in(spaces[i], first), actor + 10);
            EXPECT_EQUAL(look_in(spaces[i], last), actor + 20);
        }
        space_switch(spaces[actor]);
        EXPECT(vma_protect(&kernel_space, first, SLOT_PAGES + 8, RIGHTS_READ) == KERR_OK);
        for (uint32_t i = 0; i < 3; i++) {
            EXPECT_EQUAL(look_in(spaces[i], first), actor + 10);
            EXPECT_EQUAL(probe_write(first, 0), FAULT_BAD_ACCESS);
        }
        EXPECT(vma_release(&kernel_space, first, SLOT_PAGES + 8) == KERR_OK);
        for (uint32_t i = 0; i < 3; i++) {
            space_switch(spaces[i]);
            EXPECT_EQUAL(probe_read(first, &value), FAULT_BAD_ACCESS);
            EXPECT_EQUAL(probe_read(last, &value), FAULT_BAD_ACCESS);
        }
        EXPECT(directory_check() == NULL);
    }
    space_switch(&boot_space);
    space_destroy(&one);
    space_destroy(&other);
}

/* ---- faults inside ---- */

/* The last process record's page: promised, and nobody's. */
static const vaddr_t record = {PROCESS_RECORDS_BASE + PROCESS_RECORDS_ROOM_BYTES - PAGE_BYTES};

static uint32_t inner_faults, inner_value;

/* What a higher layer may do in its handler: read and write promises of both halves. */
static void touch_promises(struct trap_frame *frame)
{
    (void)frame;
    uint32_t faults = fault_counters.total;
    *(volatile uint32_t *)vaddr_to_pointer(record) = 42;
    poke(page, 43);
    inner_value = peek(page);
    inner_faults = fault_counters.total - faults;
}

TEST("space", "a fault inside a higher layer's exception handler: both end well, no register lost")
{
    uint32_t eax = 0x11111111, ebx = 0x22222222, esi = 0x55555555, edi = 0x66666666;

    REQUIRE(reserve_here(4));
    trap_handler_t *former = trap_register(VECTOR_BREAKPOINT, touch_promises);
    __asm__ volatile("int3" : "+a"(eax), "+b"(ebx), "+S"(esi), "+D"(edi) : : "memory");
    trap_register(VECTOR_BREAKPOINT, former);
    EXPECT_EQUAL(inner_faults, 2);
    EXPECT_EQUAL(inner_value, 43);
    EXPECT_EQUAL(peek(record), 42);
    EXPECT(eax == 0x11111111 && ebx == 0x22222222 && esi == 0x55555555 && edi == 0x66666666);
    EXPECT(vma_release(&boot_space, page, 4) == KERR_OK);
    EXPECT(cow_discard(record, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

/*
 * A layer above that answers page faults: it has taken the right to write from a whole slot, by
 * way of its PDE, and gives it back when someone writes there. Layers 3 and 4 pass that on.
 */
static enum { NO_TRAP_SET, TRAP_SET, TRAP_SPRUNG } slot_trap;

static enum fault_result answer_slot_trap(const struct page_fault *fault)
{
    if (slot_trap != TRAP_SET || vaddr_to_slot(fault->address) != TEST_SLOT + 1)
        return FAULT_NOT_MINE;
    slot_trap = TRAP_SPRUNG;
    touch_promises(NULL);
    pde_t pde = pde_read(TEST_SLOT + 1);
    pde.bits |= ENTRY_WRITABLE;
    tlb_invalidate_slot(pde_write(TEST_SLOT + 1, pde));
    return FAULT_RESOLVED;
}

/* A client can't be taken back, so this one stays, idle. */
static void register_once(void)
{
    static const struct fault_client client = {.name = "test", .handle_present = answer_slot_trap};
    static bool is_registered;
    if (!is_registered)
        fault_register(6, &client);
    is_registered = true;
}

TEST("space", "a fault inside a higher layer's page-fault handler: both are answered, nothing lost")
{
    vaddr_t trapped = page_of_slot(TEST_SLOT + 1, 5);

    register_once();
    REQUIRE(reserve_here(2 * SLOT_PAGES));
    poke(trapped, 1);
    pde_t pde = pde_read(TEST_SLOT + 1);
    pde.bits &= ~(uint32_t)ENTRY_WRITABLE;
    tlb_invalidate_slot(pde_write(TEST_SLOT + 1, pde));
    uint32_t faults = fault_counters.total, resolved = fault_counters.resolved;
    slot_trap = TRAP_SET;
    poke(trapped, 2);
    EXPECT_EQUAL(slot_trap, TRAP_SPRUNG);
    slot_trap = NO_TRAP_SET;
    EXPECT_EQUAL(inner_faults, 2);
    EXPECT_EQUAL(fault_counters.total - faults, 3);
    EXPECT_EQUAL(fault_counters.resolved - resolved, 3);
    EXPECT_EQUAL(peek(trapped), 2);
    EXPECT_EQUAL(peek(page), 43);
    EXPECT_EQUAL(peek(record), 42);
    EXPECT(vma_release(&boot_space, page, 2 * SLOT_PAGES) == KERR_OK);
    EXPECT(cow_discard(record, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

TEST("space", "a fault while a higher layer uses its temporary pages: they stay what they are")
{
    frame_t frame;

    REQUIRE(reserve_here(SLOT_PAGES + 4));
    REQUIRE(frame_alloc(&frame_pool, FRAME_KERNEL, &frame) == KERR_OK);
    volatile uint32_t *word = temp_map(TEMP_FRAME, frame);
    volatile uint32_t *same = temp_map(TEMP_TABLE, frame);
    *word = 1;
    poke(page, 2);                           /* a zero table to copy */
    poke(page_of_slot(TEST_SLOT + 1, 0), 3); /* a table to build */
    *(volatile uint32_t *)vaddr_to_pointer(record) = 4;
    EXPECT(*word == 1 && *same == 1);
    *same = 5;
    EXPECT_EQUAL(*word, 5);
    temp_unmap(TEMP_TABLE);
    temp_unmap(TEMP_FRAME);
    frame_free(&frame_pool, frame);
    EXPECT_EQUAL(peek(page), 2);
    EXPECT(vma_release(&boot_space, page, SLOT_PAGES + 4) == KERR_OK);
    EXPECT(cow_discard(record, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

TEST("space", "a space created from another one: its page in the directories area is seen by all")
{
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    space_switch(&one);
    REQUIRE(space_create(&other, RIGHTS_NONE) == KERR_OK); /* makes a page real: a kernel change */
    EXPECT(directory_check() == NULL);
    space_switch(&other);
    EXPECT_EQUAL(directory_pde_read(one.directory, WINDOW_SLOT).bits & ~ENTRY_FLAGS_MASK,
                 pte_read(directory_page(one.directory)).bits & ~ENTRY_FLAGS_MASK);
    space_switch(&boot_space);
    space_destroy(&one);
    space_destroy(&other);
}

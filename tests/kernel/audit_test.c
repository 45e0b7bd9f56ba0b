/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of the audit of all but entries: references, debts, zeros, directories, spaces,
 * regions, objects (audit_testing.h).
 */
#include "audit_testing.h"

#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/audit.h>
#include <mm/cow.h>
#include <mm/object.h>
#include <mm/vma_nodes.h>
#include <mm/zero.h>

/* ---- the whole ---- */

TEST("audit", "a kernel with regions of all kinds: is whole, and says what it counted")
{
    struct audit audit, before;

    EXPECT(vm_audit(&before, 0) == NULL);
    REQUIRE(audit_set_up());
    EXPECT(vm_audit(&audit, 0) == NULL);
    EXPECT_EQUAL(audit.frames, frame_pool.frames);
    EXPECT_EQUAL(audit.spaces, 1);
    EXPECT_EQUAL(audit.regions - before.regions, 4);
    EXPECT_EQUAL(audit.directory_entries - before.directory_entries, 3);
    EXPECT_EQUAL(audit.tables - before.tables, 2);
    audit_tear_down();
}

TEST("audit", "run with no frame left: needs none, and leaves every reference as it was")
{
    struct audit audit;

    REQUIRE(audit_set_up());
    uint32_t zeros = frame_references(&frame_pool, zero_frame);
    leave_frames(0);
    EXPECT(vm_audit(&audit, frame_pool.set_aside) == NULL);
    all_frames();
    EXPECT_EQUAL(frame_references(&frame_pool, zero_frame), zeros);
    EXPECT_EQUAL(frame_references(&frame_pool, frame_of(own_page)), 1);
    audit_tear_down();
}

TEST("audit", "tables shared by three spaces, user and not: whole at every step")
{
    static struct space one, other;

    REQUIRE(audit_set_up());
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    REQUIRE(space_create(&other, RIGHTS_USER) == KERR_OK);
    expect_clean();
    space_switch(&one);
    REQUIRE(reserve_here(page_of_slot(WHOLE, 0), SLOT_PAGES, RIGHTS_READ_WRITE, audit_name));
    EXPECT(cow_release(page_of_slot(WHOLE, 0), SLOT_PAGES) ==
           KERR_OK); /* room for the shared one */
    space_switch(&boot_space);
    cow_share(WHOLE, 1, one.directory);
    expect_clean();
    space_switch(&one);
    poke(promised_page, 7);
    expect_clean();
    space_switch(&other);
    REQUIRE(reserve_here(page_of_slot(WHOLE, 1), 5, RIGHTS_READ_WRITE, audit_name));
    EXPECT_EQUAL(vma_touch(page_of_slot(WHOLE, 2), ACCESS_WRITE, MODE_USER), FAULT_RESOLVED);
    expect_clean();
    space_switch(&boot_space);
    space_destroy(&one);
    space_destroy(&other);
    expect_clean();
    audit_tear_down();
}

/* ---- references ---- */

/* One reference too many, and one too few, of FRAME, are found. */
static void expect_counted(int line, frame_t frame)
{
    const char *sentence = "a frame has as many references as entries and owners";
    struct frame_record *record = frame_record(&frame_pool, frame);
    char where[AUDIT_WHERE_BYTES];

    for (unsigned i = 0; i < 2; i++) {
        uint32_t found = record->references;
        record->references += i == 0 ? 1 : ~0u;
        format_text(where, sizeof(where), "frame %05x (%s): %u references, found %u",
                    (unsigned)frame.n, frame_kind_text((enum frame_kind)record->kind),
                    (unsigned)record->references, (unsigned)found);
        if (record->references != 0) /* that would be found sooner */
            expect_said(__FILE__, line, sentence, where);
        record->references = found;
        expect_clean();
    }
}

TEST("audit", "references counted wrong, of data, tables, the zero frame, the image: are found")
{
    uint32_t count;

    REQUIRE(audit_set_up());
    expect_counted(__LINE__, frame_of(kept_page));
    expect_counted(__LINE__, zero_frame);
    expect_counted(__LINE__, zero_tables[ZERO_TABLE_COW]);
    expect_counted(__LINE__, zero_tables[ZERO_TABLE_READ_ONLY]);
    expect_counted(__LINE__, frame_claims(&count)[1].first);
    audit_tear_down();
}

TEST("audit", "a shared table counted wrong: is found")
{
    uint32_t id;

    REQUIRE(audit_set_up());
    REQUIRE(directory_make(&id));
    EXPECT_SAID("every live directory is a space's");
    cow_share(WHOLE, 1, id);
    directory_end(id);
    expect_counted(__LINE__, table_of(WHOLE)); /* one entry left, still marked as shared */
    audit_tear_down();
}

TEST("audit", "a frame that nobody has: is found, of whatever kind")
{
    frame_t frame;

    for (enum frame_kind kind = FRAME_DIRECTORY; kind <= FRAME_ANONYMOUS; kind++) {
        REQUIRE(frame_alloc(&frame_pool, kind, &frame) == KERR_OK);
        EXPECT_SAID("a frame in use has an owner");
        frame_free(&frame_pool, frame);
    }
    REQUIRE(frame_alloc(&frame_pool, FRAME_KERNEL, &frame) == KERR_OK);
    EXPECT_SAID("a kernel frame was claimed at boot, or has records of slots");
    frame_set_kind(&frame_pool, frame, FRAME_FILE);
    EXPECT_SAID("a frame in use has an owner");
    frame_set_kind(&frame_pool, frame, FRAME_ZERO);
    EXPECT_SAID("the zero frame and the zero tables are all zero frames there are");
    frame_set_kind(&frame_pool, frame, FRAME_ANONYMOUS);
    frame_free(&frame_pool, frame);
}

TEST("audit", "a private page with two entries: is found")
{
    REQUIRE(audit_set_up());
    frame_get(&frame_pool, frame_of(own_page));
    EXPECT_SAID("a private page that may be written has one entry");
    frame_put(&frame_pool, frame_of(own_page));
    audit_tear_down();
}

TEST("audit", "the frame pool damaged, a mark or frames set aside left: is found")
{
    struct audit audit;

    EXPECT_FOUND(&frame_pool.totals[FRAME_TABLE], frame_pool.totals[FRAME_TABLE] + 1,
                 "the totals per kind are what a recount gives");
    frame_record(&frame_pool, zero_frame)->mark = 1;
    EXPECT_SAID("no mark is left on a frame");
    frame_record(&frame_pool, zero_frame)->mark = 0;
    REQUIRE(frame_set_aside(&frame_pool, 1) == KERR_OK);
    const char *said = vm_audit(&audit, frame_pool.set_aside - 1);
    EXPECT(said != NULL && strcmp(said, "no frame is set aside that nobody asks for") == 0);
    EXPECT(vm_audit(&audit, frame_pool.set_aside) == NULL);
    frame_end_set_aside(&frame_pool, 1);
}

/* ---- what is done and must be undone ---- */

TEST("audit", "a temporary page in use: is found")
{
    temp_map(TEMP_REPORT, zero_frame);
    EXPECT_SAID("temporary pages are unmapped after their use");
    temp_unmap(TEMP_REPORT);
}

TEST("audit", "an invalidation that is owed: is found, in a checked build")
{
    if (!CHECKED)
        SKIP("needs the ledger of a checked build");
    REQUIRE(audit_set_up());
    pte_t pte = pte_read(own_page);
    tlb_debt_t debt = pte_replace(own_page, pte, PTE_EMPTY);
    EXPECT_SAID("every invalidation that was owed is paid");
    tlb_invalidate_page(debt);
    tlb_unneeded(pte_replace(own_page, PTE_EMPTY, pte), TLB_WAS_NOT_PRESENT);
    audit_tear_down();
}

/* ---- zeros ---- */

static void set_word(frame_t frame, uint32_t value)
{
    uint32_t *words = temp_map(TEMP_FRAME, frame);
    words[SLOT_PAGES - 1] = value;
    temp_unmap(TEMP_FRAME);
}

TEST("audit", "a zero frame that is not zero, a zero table that promises something else: are found")
{
    const char *sentence = "every entry of a zero table promises the zero frame";

    set_word(zero_frame, 1);
    EXPECT_SAID("the zero frame holds zeros");
    set_word(zero_frame, 0);
    set_word(zero_tables[ZERO_TABLE_COW], 0);
    EXPECT_SAID(sentence);
    set_word(zero_tables[ZERO_TABLE_COW], zero_pte(RIGHTS_READ_WRITE).bits);
    set_word(zero_tables[ZERO_TABLE_READ_ONLY], zero_pte(RIGHTS_READ_WRITE).bits);
    EXPECT_SAID(sentence);
    set_word(zero_tables[ZERO_TABLE_READ_ONLY], zero_pte(RIGHTS_READ).bits);
}

/* ---- directories and spaces ---- */

static volatile uint32_t *entry_in(const struct space *space, uint32_t slot)
{
    volatile uint32_t *entries = vaddr_to_pointer(directory_page(space->directory));
    return entries + slot;
}

TEST("audit", "directories that differ in the kernel half or in their windows: are found")
{
    static struct space one;

    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    uint32_t self = *entry_in(&one, WINDOW_SLOT);
    EXPECT_FOUND(entry_in(&one, KERNEL_TEST_SLOT), pde_make(zero_frame, ENTRY_PRESENT).bits,
                 "the kernel halves of all live directories are equal");
    EXPECT_FOUND(entry_in(&one, WINDOW_SLOT), self | ENTRY_USER,
                 "entry 1023 of a directory points at the directory, for the kernel alone");
    EXPECT_FOUND(entry_in(&one, ALT_WINDOW_SLOT), self, "the alternate window is closed");
    EXPECT_FOUND(pde_slot(ALT_WINDOW_SLOT), self, "the alternate window is closed");
    space_destroy(&one);
}

TEST("audit", "spaces and directories that do not belong together: are found")
{
    static struct space one;

    EXPECT_FOUND(&boot_space.directory, DIRECTORIES_COUNT - 1,
                 "a space has a live directory, seen in its page");
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    directory_load(one.directory);
    EXPECT_SAID("the current space's directory is loaded");
    directory_load(0);
    space_destroy(&one);
}

/* ---- regions ---- */

TEST("audit", "a tree of regions with a gap or a count that is wrong, in any space: is found")
{
    static struct space one;

    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    REQUIRE(audit_set_up());
    struct vma *region = vma_first(&boot_space);
    EXPECT_FOUND(&region->gap_bound_pages, region->gap_pages - 1,
                 "the value does not follow from data and children (5)");
    EXPECT_FOUND(&region->last_page, vma_next(region)->first_page,
                 "not in order after its left neighbour");
    enum rb_colour colour = region->node.colour;
    region->node.colour = colour == RB_RED ? RB_BLACK : RB_RED;
    EXPECT_SAID("more black nodes on one side than on the other (4)");
    region->node.colour = colour;
    EXPECT_FOUND(&region->last_page, region->last_page - 1,
                 "a region's gap is the distance to the region below it");
    struct vma *touched = boot_space.touched;
    boot_space.touched = vma_first(&kernel_space);
    EXPECT_SAID("the region that was touched last is one of the space's");
    boot_space.touched = touched;
    EXPECT_FOUND(&boot_space.reserved_pages, boot_space.reserved_pages + 1,
                 "reserved, charged and locked pages are the sums of all regions");
    EXPECT_FOUND(&kernel_space.reserved_pages, kernel_space.reserved_pages + 1,
                 "reserved, charged and locked pages are the sums of all regions");
    EXPECT_FOUND(&one.reserved_pages, 1,
                 "reserved, charged and locked pages are the sums of all regions");
    vma_locked_pages++;
    EXPECT_SAID("the locked pages of all spaces are counted");
    vma_locked_pages--;
    audit_tear_down();
    space_destroy(&one);
}

TEST("audit", "a region with other rights than its entries: is found")
{
    REQUIRE(audit_set_up());
    struct vma *region = vma_find(&boot_space, read_only_page);
    region->rights = RIGHTS_READ_WRITE;
    EXPECT_SAID("a page may be written as its region may");
    region->rights = RIGHTS_READ;
    audit_tear_down();
}

/* The head of a page of nodes (mm/vma_nodes.c). */
struct node_page_head {
    void *next, *previous, *free;
    uint32_t used;
};

TEST("audit", "a region node that nobody has, or a page of nodes miscounted: is found")
{
    vaddr_t last = VADDR(REGION_NODES_BASE + REGION_NODES_ROOM_BYTES - PAGE_BYTES);

    REQUIRE(nodes_prepare(2) == KERR_OK);
    struct vma *node = node_take();
    EXPECT_SAID("every region node in use is a region's");
    node_give(node);

    struct node_page_head *page = vaddr_to_pointer(vaddr_to_page(pointer_to_vaddr(node)));
    EXPECT_FOUND(&page->used, page->used + 1, "a region node is in use or in its page's list");
    void *previous = page->previous;
    page->previous = page;
    EXPECT_SAID("the list of node pages holds those with free nodes, each once");
    page->previous = previous;

    REQUIRE(cow_make_real(last, 1) == KERR_OK);
    EXPECT_SAID("a page of region nodes is real if and only if its bit says so");
    EXPECT(cow_discard(last, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

/* ---- objects ---- */

static struct object *memory, *file;
static vaddr_t shared_page, file_page;

/* Shared memory and a file of two pages each, both mapped, their first pages touched. */
static bool must_check set_up_objects(void)
{
    frame_t first;
    shared_page = page_of_slot(NOBODYS, 0);
    file_page = page_of_slot(NOBODYS, 8);
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = audit_name};
    if (object_create_anonymous(2, &memory) != KERR_OK ||
        frame_alloc_run(&frame_pool, FRAME_FILE, 2, 1, 0, &first) != KERR_OK ||
        object_create_file(first, 2, &file) != KERR_OK)
        return false;
    wish.object = memory;
    if (vma_map_at(&boot_space, shared_page, 2, &wish) != KERR_OK)
        return false;
    wish.flags = 0;
    wish.object = file;
    if (vma_map_at(&boot_space, file_page, 2, &wish) != KERR_OK)
        return false;
    poke(shared_page, 1);
    (void)peek(file_page);
    return true;
}

static void tear_down_objects(void)
{
    EXPECT(vma_release(&boot_space, shared_page, 10) == KERR_OK);
    object_put(memory);
    object_put(file);
}

TEST("audit", "an entry of an object that is not as its region: is found")
{
    REQUIRE(set_up_objects());
    uint32_t second = pte_bits(vaddr_add(file_page, PAGE_BYTES));
    EXPECT_FOUND(pte_slot(shared_page), pte_bits(shared_page) & ~(uint32_t)PTE_SHARED_MAPPING,
                 "an entry is marked as shared if and only if its region is");
    EXPECT_FOUND(pte_slot(file_page), pte_bits(file_page) | (uint32_t)PTE_SHARED_MAPPING,
                 "an entry is marked as shared if and only if its region is");
    EXPECT_FOUND(pte_slot(file_page), second, "a page of an object shows the object's frame");
    EXPECT_FOUND(pte_slot(shared_page),
                 (second & ~ENTRY_FLAGS_MASK) | (pte_bits(shared_page) & ENTRY_FLAGS_MASK),
                 "a page of an object shows the object's frame");
    uint32_t clean = (pte_bits(shared_page) & ~(uint32_t)ENTRY_WRITABLE) | PTE_COW;
    EXPECT_FOUND(pte_slot(shared_page), pte_make(zero_frame, clean & ENTRY_FLAGS_MASK).bits,
                 "a page of promised memory holds data");
    EXPECT_FOUND(pte_slot(file_page), 0, "a table's entries in use are counted");
    tear_down_objects();
}

TEST("audit", "an object whose references or pages are miscounted: is found")
{
    frame_t frame;

    REQUIRE(set_up_objects());
    EXPECT_FOUND(&memory->references, 0, "an object has a reference");
    object_get(memory);
    EXPECT_FOUND(&file->references, ~0u, "an object has a reference for each region that shows it");
    EXPECT_FOUND(&memory->real_pages, 2, "an object's pages are counted");
    REQUIRE(object_find_frame(memory, 0, &frame) == KERR_OK);
    frame_get(&frame_pool, frame);
    EXPECT_SAID("a frame has as many references as entries and owners");
    frame_put(&frame_pool, frame);
    REQUIRE(object_frame(memory, 1, &frame) == KERR_OK); /* there is a level from here on */
    frame = page_word_frame(memory->root);
    frame_get(&frame_pool, frame);
    EXPECT_SAID("the levels of an object are frames that nobody else has");
    frame_put(&frame_pool, frame);
    REQUIRE(object_find_frame(file, 0, &frame) == KERR_OK);
    frame_set_kind(&frame_pool, frame, FRAME_ANONYMOUS);
    EXPECT_SAID("the frames of an object are of its kind");
    frame_set_kind(&frame_pool, frame, FRAME_FILE);
    EXPECT_FOUND(&file->pages, 0, "no frame of an object lies behind its end");
    object_put(memory);
    tear_down_objects();
}

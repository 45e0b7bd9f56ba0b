/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of the audit: each breaks one thing, sees the audit say so, and repairs it. And
 * the invariant after every test: what the audit says, it can say.
 *
 * Most damage is one word: an entry, stored past the ledger and never used by the CPU.
 */
#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/audit.h>
#include <mm/cow.h>
#include <mm/object.h>
#include <mm/vma_nodes.h>
#include <mm/zero.h>

/* ---- after every test ---- */

static void expect_clean(void)
{
    struct audit audit;
    if (vm_audit(&audit, 0) == NULL)
        return;
    printk("# audit: %s\n", audit.where);
    test_fail(__FILE__, __LINE__, audit.broken);
}

TEST_INVARIANT("audit", NULL, expect_clean);

/* ---- a place to break: two slots, and what they hold ---- */

enum { WHOLE = TEST_SLOT, PARTIAL, READ_ONLY, NOBODYS = TEST_SLOT + 8 };

static const char name[] = "audit", other_name[] = "other";
static vaddr_t own, promised, kept, read_only, outside;

static bool must_check reserve(vaddr_t first, uint32_t pages, enum rights rights, const char *what)
{
    return vma_reserve_at(space_current(), first, pages, rights, what) == KERR_OK;
}

static bool must_check set_up(void)
{
    own = page_of_slot(WHOLE, 5);
    promised = page_of_slot(WHOLE, 6);
    kept = page_of_slot(PARTIAL, 600);
    read_only = page_of_slot(PARTIAL, 700);
    outside = page_of_slot(PARTIAL, 800);
    bool done = reserve(page_of_slot(WHOLE, 0), SLOT_PAGES + 512, RIGHTS_READ_WRITE, name) &&
                reserve(kept, 10, RIGHTS_READ_WRITE, other_name) &&
                reserve(read_only, 10, RIGHTS_READ, name) &&
                reserve(page_of_slot(READ_ONLY, 0), SLOT_PAGES, RIGHTS_READ, name);
    if (!done)
        return false;
    poke(own, 1);
    poke(page_of_slot(PARTIAL, 3), 3);
    poke(kept, 4);
    EXPECT_EQUAL(peek(read_only), 0);
    EXPECT(vma_protect(space_current(), kept, 10, RIGHTS_NONE) == KERR_OK);
    return true;
}

static void tear_down(void)
{
    EXPECT(vma_release(space_current(), page_of_slot(WHOLE, 0), 3 * SLOT_PAGES) == KERR_OK);
}

/* The audit says SENTENCE, and names what WHERE says (NULL: anything). */
static void expect_said(int line, const char *sentence, const char *where)
{
    struct audit audit;
    const char *said = vm_audit(&audit, 0);
    if (said == NULL || strcmp(said, sentence) != 0) {
        printk("# line %d: wanted \"%s\", the audit says \"%s\" (%s)\n", line, sentence,
               said != NULL ? said : "nothing", audit.where);
        test_fail(__FILE__, line, "the audit finds what was broken");
    } else if (where != NULL && strncmp(audit.where, where, strlen(where)) != 0) {
        printk("# line %d: wanted \"%s...\", the audit says %s\n", line, where, audit.where);
        test_fail(__FILE__, line, "the audit says where");
    }
}

/* WORD is VALUE for the time of an audit, which says SENTENCE; then all is well again. */
static void expect_found(int line, volatile uint32_t *word, uint32_t value, const char *sentence)
{
    uint32_t old = *word;
    *word = value;
    expect_said(line, sentence, NULL);
    *word = old;
    expect_clean();
}
#define EXPECT_FOUND(word, value, sentence) expect_found(__LINE__, word, value, sentence)
#define EXPECT_SAID(sentence)               expect_said(__LINE__, sentence, NULL)

static uint32_t pte_bits(vaddr_t page)
{
    return pte_read(page).bits;
}

static uint32_t pde_bits(uint32_t slot)
{
    return pde_read(slot).bits;
}

static frame_t frame_of(vaddr_t page)
{
    return pte_frame(pte_read(page));
}

static frame_t table_of(uint32_t slot)
{
    return pde_frame(pde_read(slot));
}

/* ---- the whole ---- */

TEST("audit", "a kernel with regions of all kinds: is whole, and says what it counted")
{
    struct audit audit, before;

    EXPECT(vm_audit(&before, 0) == NULL);
    REQUIRE(set_up());
    EXPECT(vm_audit(&audit, 0) == NULL);
    EXPECT_EQUAL(audit.frames, frame_pool.frames);
    EXPECT_EQUAL(audit.spaces, 1);
    EXPECT_EQUAL(audit.regions - before.regions, 4);
    EXPECT_EQUAL(audit.directory_entries - before.directory_entries, 3);
    EXPECT_EQUAL(audit.tables - before.tables, 2);
    tear_down();
}

TEST("audit", "run with no frame left: needs none, and leaves every reference as it was")
{
    struct audit audit;

    REQUIRE(set_up());
    uint32_t zeros = frame_references(&frame_pool, zero_frame);
    leave_frames(0);
    EXPECT(vm_audit(&audit, frame_pool.set_aside) == NULL);
    all_frames();
    EXPECT_EQUAL(frame_references(&frame_pool, zero_frame), zeros);
    EXPECT_EQUAL(frame_references(&frame_pool, frame_of(own)), 1);
    tear_down();
}

TEST("audit", "tables shared by three spaces, user and not: whole at every step")
{
    static struct space one, other;

    REQUIRE(set_up());
    REQUIRE(space_create(&one, RIGHTS_NONE) == KERR_OK);
    REQUIRE(space_create(&other, RIGHTS_USER) == KERR_OK);
    expect_clean();
    space_switch(&one);
    REQUIRE(reserve(page_of_slot(WHOLE, 0), SLOT_PAGES, RIGHTS_READ_WRITE, name));
    EXPECT(cow_release(page_of_slot(WHOLE, 0), SLOT_PAGES) ==
           KERR_OK); /* room for the shared one */
    space_switch(&boot_space);
    cow_share(WHOLE, 1, one.directory);
    expect_clean();
    space_switch(&one);
    poke(promised, 7);
    expect_clean();
    space_switch(&other);
    REQUIRE(reserve(page_of_slot(WHOLE, 1), 5, RIGHTS_READ_WRITE, name));
    EXPECT_EQUAL(vma_touch(page_of_slot(WHOLE, 2), ACCESS_WRITE, MODE_USER), FAULT_RESOLVED);
    expect_clean();
    space_switch(&boot_space);
    space_destroy(&one);
    space_destroy(&other);
    expect_clean();
    tear_down();
}

/* ---- entries of tables ---- */

TEST("audit", "an entry outside any region: is found, and where it is")
{
    REQUIRE(set_up());
    char where[AUDIT_WHERE_BYTES];
    format_text(where, sizeof(where), "PTE %08x of " PRI_VADDR ", space 0", (unsigned)pte_bits(own),
                ARG_VADDR(outside));
    *pte_slot(outside) = pte_bits(own);
    expect_said(__LINE__, "an entry in use lies in a region", where);
    *pte_slot(outside) = 0;
    tear_down();
}

TEST("audit", "an entry that contradicts itself: is found")
{
    REQUIRE(set_up());
    EXPECT_FOUND(pte_slot(own), pte_bits(own) & ~(uint32_t)(ENTRY_PRESENT | ENTRY_WRITABLE),
                 "an entry in use is present or keeps its frame");
    EXPECT_FOUND(pte_slot(own), pte_bits(own) | PTE_COW,
                 "an entry is either writable or copy-on-write");
    EXPECT_FOUND(pte_slot(own), pte_bits(own) | ENTRY_GLOBAL, "no page below 3 GiB is global");
    tear_down();
}

TEST("audit", "an entry with more or fewer rights than its region: is found")
{
    const char *writes = "a page may be written as its region may";
    const char *present = "a page is present if and only if its region has rights";

    REQUIRE(set_up());
    EXPECT_FOUND(pte_slot(read_only), pte_bits(read_only) | PTE_COW, writes);
    EXPECT_FOUND(pte_slot(read_only), pte_bits(read_only) | ENTRY_WRITABLE, writes);
    EXPECT_FOUND(pte_slot(own), pte_bits(own) & ~(uint32_t)ENTRY_WRITABLE, writes);
    EXPECT_FOUND(pte_slot(promised), pte_bits(promised) & ~(uint32_t)PTE_COW, writes);
    EXPECT_FOUND(pte_slot(kept), (pte_bits(kept) & ~ENTRY_FLAGS_MASK) | ENTRY_PRESENT, present);
    EXPECT_FOUND(pte_slot(own), (pte_bits(own) & ~ENTRY_FLAGS_MASK) | PTE_KEPT, present);
    tear_down();
}

TEST("audit", "an entry that leads to what is no data: is found")
{
    const uint32_t flags = pte_flags(page_of_slot(WHOLE, 0), RIGHTS_READ_WRITE);

    REQUIRE(set_up());
    EXPECT_FOUND(pte_slot(own), pte_make(zero_frame, flags).bits,
                 "nobody may write to the zero frame, or sees a zero table");
    EXPECT_FOUND(pte_slot(promised),
                 pte_make(zero_tables[ZERO_TABLE_COW], pte_bits(promised) & ENTRY_FLAGS_MASK).bits,
                 "nobody may write to the zero frame, or sees a zero table");
    EXPECT_FOUND(pte_slot(own), pte_make(table_of(WHOLE), flags).bits,
                 "a page of promised memory holds data");
    EXPECT_FOUND(pte_slot(own), pte_make(frame_of(directory_page(0)), flags).bits,
                 "the pages of live directories are directories, and no others");
    if (frame_pool.frames < 0x100000)
        EXPECT_FOUND(pte_slot(own), pte_make(FRAME(frame_pool.frames), flags).bits,
                     "an entry in promised memory leads to RAM");
    tear_down();
}

TEST("audit", "a page of a fixed region with promises or without rights: is found")
{
    vaddr_t page = VADDR(TEMP_BASE - PAGE_BYTES);
    frame_t frame;

    REQUIRE(paging_map(page, FRAME(0xB8), RIGHTS_READ_WRITE | RIGHTS_UNCACHED) == KERR_OK);
    expect_clean();
    EXPECT_FOUND(pte_slot(page), (pte_bits(page) & ~(uint32_t)ENTRY_WRITABLE) | PTE_COW,
                 "a page of a fixed region is mapped for good");
    EXPECT_FOUND(pte_slot(page), pte_make(FRAME(0xB8), PTE_KEPT).bits,
                 "a page of a fixed region is mapped for good");
    EXPECT(paging_unmap(page, &frame) == KERR_OK);
}

TEST("audit", "a page of a user's space that is the kernel's: is found")
{
    static struct space user;

    REQUIRE(space_create(&user, RIGHTS_USER) == KERR_OK);
    space_switch(&user);
    vaddr_t page = page_of_slot(WHOLE, 1);
    REQUIRE(reserve(page, 1, RIGHTS_READ_WRITE, name));
    EXPECT_EQUAL(vma_touch(page, ACCESS_WRITE, MODE_USER), FAULT_RESOLVED);
    EXPECT_FOUND(pte_slot(page), pte_bits(page) & ~(uint32_t)ENTRY_USER,
                 "a page of the user's is open to user mode");
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) & ~(uint32_t)ENTRY_USER,
                 "a table is open to user mode if and only if its space is");
    space_switch(&boot_space);
    space_destroy(&user);
}

TEST("audit", "a directory's page without a directory: is found")
{
    vaddr_t page = directory_page(DIRECTORIES_COUNT - 1);

    REQUIRE(cow_make_real(page, 1) == KERR_OK);
    EXPECT_SAID("the pages of live directories are directories, and no others");
    EXPECT(cow_discard(page, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

/* ---- entries of directories ---- */

TEST("audit", "a directory entry that leads nowhere, or to no table: is found")
{
    REQUIRE(set_up());
    EXPECT_FOUND(pde_slot(NOBODYS), PAGE_BYTES, "a directory entry is present or empty");
    EXPECT_FOUND(pde_slot(NOBODYS), pde_make(FRAME(0), ENTRY_PRESENT | PDE_LARGE).bits,
                 "a large page lies in a fixed region");
    EXPECT_FOUND(pde_slot(NOBODYS), pde_make(frame_of(own), ENTRY_PRESENT | PDE_SHARED).bits,
                 "a directory entry leads to a table");
    EXPECT_FOUND(pde_slot(NOBODYS), pde_make(zero_frame, ENTRY_PRESENT | PDE_SHARED).bits,
                 "a directory entry leads to a table");
    tear_down();
}

TEST("audit", "a directory entry with a mark or a right too many: is found")
{
    REQUIRE(set_up());
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) | ENTRY_GLOBAL,
                 "no directory entry of a table is global");
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) | PDE_SHARED,
                 "a directory entry is either writable or shared");
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) & ~(uint32_t)ENTRY_WRITABLE,
                 "a directory entry is either writable or shared");
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) | ENTRY_USER,
                 "a table is open to user mode if and only if its space is");
    tear_down();
}

TEST("audit", "a table that two own: is found")
{
    REQUIRE(set_up());
    *pde_slot(NOBODYS) = pde_bits(WHOLE);
    frame_get(&frame_pool, table_of(WHOLE));
    EXPECT_SAID("a table with several directory entries is shared in all of them");
    frame_put(&frame_pool, table_of(WHOLE));
    *pde_slot(NOBODYS) = 0;
    tear_down();
}

TEST("audit", "a promise where no region is, or one of other rights: is found")
{
    REQUIRE(set_up());
    pde_t promise = pde_read(READ_ONLY);
    EXPECT_FOUND(pde_slot(NOBODYS), promise.bits,
                 "a slot is promised as a whole only where regions cover it");
    EXPECT_FOUND(pde_slot(PARTIAL), promise.bits,
                 "a slot is promised as a whole only where regions cover it");
    EXPECT_FOUND(pde_slot(WHOLE), promise.bits, "a promised slot has its regions' rights");
    EXPECT_FOUND(pde_slot(READ_ONLY),
                 pde_make(zero_tables[ZERO_TABLE_COW], promise.bits & ENTRY_FLAGS_MASK).bits,
                 "a promised slot has its regions' rights");
    tear_down();
}

TEST("audit", "a table's entries counted wrong, or none in use: is found")
{
    REQUIRE(set_up());
    struct frame_record *record = frame_record(&frame_pool, table_of(WHOLE));
    record->used_entries--;
    expect_said(__LINE__, "a table's entries in use are counted", "slot 256 of space 0: 1024, not");
    record->used_entries++;
    REQUIRE(table_create(NOBODYS, RIGHTS_NONE, TEMP_TABLE) == KERR_OK);
    EXPECT_SAID("a table without an entry in use is given back");
    table_release_if_empty(NOBODYS);
    tear_down();
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
            expect_said(line, sentence, where);
        record->references = found;
        expect_clean();
    }
}

TEST("audit", "references counted wrong, of data, tables, the zero frame, the image: are found")
{
    uint32_t count;

    REQUIRE(set_up());
    expect_counted(__LINE__, frame_of(kept));
    expect_counted(__LINE__, zero_frame);
    expect_counted(__LINE__, zero_tables[ZERO_TABLE_COW]);
    expect_counted(__LINE__, zero_tables[ZERO_TABLE_READ_ONLY]);
    expect_counted(__LINE__, frame_claims(&count)[1].first);
    tear_down();
}

TEST("audit", "a shared table counted wrong: is found")
{
    uint32_t id;

    REQUIRE(set_up());
    REQUIRE(directory_make(&id));
    EXPECT_SAID("every live directory is a space's");
    cow_share(WHOLE, 1, id);
    directory_end(id);
    expect_counted(__LINE__, table_of(WHOLE)); /* one entry left, still marked as shared */
    tear_down();
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
    EXPECT_SAID("a kernel or file frame was claimed at boot");
    frame_set_kind(&frame_pool, frame, FRAME_FILE);
    EXPECT_SAID("a kernel or file frame was claimed at boot");
    frame_set_kind(&frame_pool, frame, FRAME_ZERO);
    EXPECT_SAID("the zero frame and the zero tables are all zero frames there are");
    frame_set_kind(&frame_pool, frame, FRAME_ANONYMOUS);
    frame_free(&frame_pool, frame);
}

TEST("audit", "a private page with two entries: is found")
{
    REQUIRE(set_up());
    frame_get(&frame_pool, frame_of(own));
    EXPECT_SAID("a private page that may be written has one entry");
    frame_put(&frame_pool, frame_of(own));
    tear_down();
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
    EXPECT_SAID("no frame is set aside that nobody asks for");
    EXPECT(vm_audit(&audit, 1) == NULL);
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
    REQUIRE(set_up());
    pte_t pte = pte_read(own);
    tlb_debt_t debt = pte_replace(own, pte, PTE_EMPTY);
    EXPECT_SAID("every invalidation that was owed is paid");
    tlb_invalidate_page(debt);
    tlb_unneeded(pte_replace(own, PTE_EMPTY, pte), TLB_WAS_NOT_PRESENT);
    tear_down();
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
    REQUIRE(set_up());
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
    tear_down();
    space_destroy(&one);
}

TEST("audit", "a region with other rights than its entries: is found")
{
    REQUIRE(set_up());
    struct vma *region = vma_find(&boot_space, read_only);
    region->rights = RIGHTS_READ_WRITE;
    EXPECT_SAID("a page may be written as its region may");
    region->rights = RIGHTS_READ;
    tear_down();
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
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = name};
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
    EXPECT_FOUND(pte_slot(file_page),
                 pte_make(zero_frame, pte_bits(file_page) & ENTRY_FLAGS_MASK).bits,
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
    frame_get(&frame_pool, memory->root);
    EXPECT_SAID("the levels of an object are tables that nobody else has");
    frame_put(&frame_pool, memory->root);
    frame_set_kind(&frame_pool, file->first, FRAME_ANONYMOUS);
    EXPECT_SAID("a frame has as many references as entries and owners");
    frame_set_kind(&frame_pool, file->first, FRAME_FILE);
    EXPECT_FOUND(&file->pages, 0, "a kernel or file frame was claimed at boot");
    object_put(memory);
    tear_down_objects();
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of the audit of entries: of tables and of directories (audit_testing.h).
 */
#include "audit_testing.h"

#include <mm/audit.h>
#include <mm/cow.h>
#include <mm/zero.h>

/* ---- entries of tables ---- */

TEST("audit", "an entry outside any region: is found, and where it is")
{
    REQUIRE(audit_set_up());
    char where[AUDIT_WHERE_BYTES];
    format_text(where, sizeof(where), "PTE %08x of " PRI_VADDR ", space 0",
                (unsigned)pte_bits(own_page), ARG_VADDR(outside_page));
    *pte_slot(outside_page) = pte_bits(own_page);
    expect_said(__FILE__, __LINE__, "an entry in use lies in a region", where);
    *pte_slot(outside_page) = 0;
    audit_tear_down();
}

TEST("audit", "an entry that contradicts itself: is found")
{
    REQUIRE(audit_set_up());
    EXPECT_FOUND(pte_slot(own_page),
                 pte_bits(own_page) & ~(uint32_t)(ENTRY_PRESENT | ENTRY_WRITABLE),
                 "an entry in use is present or keeps its frame");
    EXPECT_FOUND(pte_slot(own_page), pte_bits(own_page) | PTE_COW,
                 "an entry is either writable or copy-on-write");
    EXPECT_FOUND(pte_slot(own_page), pte_bits(own_page) | ENTRY_GLOBAL,
                 "no page below 3 GiB is global");
    audit_tear_down();
}

TEST("audit", "an entry with more or fewer rights than its region: is found")
{
    const char *writes = "a page may be written as its region may";
    const char *present = "a page is present if and only if its region has rights";

    REQUIRE(audit_set_up());
    EXPECT_FOUND(pte_slot(read_only_page), pte_bits(read_only_page) | PTE_COW, writes);
    EXPECT_FOUND(pte_slot(read_only_page), pte_bits(read_only_page) | ENTRY_WRITABLE, writes);
    EXPECT_FOUND(pte_slot(own_page), pte_bits(own_page) & ~(uint32_t)ENTRY_WRITABLE, writes);
    EXPECT_FOUND(pte_slot(promised_page), pte_bits(promised_page) & ~(uint32_t)PTE_COW, writes);
    EXPECT_FOUND(pte_slot(kept_page), (pte_bits(kept_page) & ~ENTRY_FLAGS_MASK) | ENTRY_PRESENT,
                 present);
    EXPECT_FOUND(pte_slot(own_page), (pte_bits(own_page) & ~ENTRY_FLAGS_MASK) | PTE_KEPT, present);
    audit_tear_down();
}

TEST("audit", "an entry that leads to what is no data: is found")
{
    const uint32_t flags = pte_flags(page_of_slot(WHOLE, 0), RIGHTS_READ_WRITE);

    REQUIRE(audit_set_up());
    EXPECT_FOUND(pte_slot(own_page), pte_make(zero_frame, flags).bits,
                 "nobody may write to the zero frame, or sees a zero table");
    EXPECT_FOUND(
        pte_slot(promised_page),
        pte_make(zero_tables[ZERO_TABLE_COW], pte_bits(promised_page) & ENTRY_FLAGS_MASK).bits,
        "nobody may write to the zero frame, or sees a zero table");
    EXPECT_FOUND(pte_slot(own_page), pte_make(table_of(WHOLE), flags).bits,
                 "a page of promised memory holds data");
    EXPECT_FOUND(pte_slot(own_page), pte_make(frame_of(directory_page(0)), flags).bits,
                 "the pages of live directories are directories, and no others");
    if (frame_pool.frames < 0x100000)
        EXPECT_FOUND(pte_slot(own_page), pte_make(FRAME(frame_pool.frames), flags).bits,
                     "an entry in promised memory leads to RAM");
    audit_tear_down();
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
    REQUIRE(reserve_here(page, 1, RIGHTS_READ_WRITE, audit_name));
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
    REQUIRE(audit_set_up());
    EXPECT_FOUND(pde_slot(NOBODYS), PAGE_BYTES,
                 "a directory entry is present or empty, or its table is out");
    EXPECT_FOUND(pde_slot(NOBODYS), pde_make(FRAME(0), ENTRY_PRESENT | PDE_LARGE).bits,
                 "a large page lies in a fixed region");
    EXPECT_FOUND(pde_slot(NOBODYS), pde_make(frame_of(own_page), ENTRY_PRESENT | PDE_SHARED).bits,
                 "a directory entry leads to a table");
    EXPECT_FOUND(pde_slot(NOBODYS), pde_make(zero_frame, ENTRY_PRESENT | PDE_SHARED).bits,
                 "a directory entry leads to a table");
    audit_tear_down();
}

TEST("audit", "a directory entry with a mark or a right too many: is found")
{
    REQUIRE(audit_set_up());
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) | ENTRY_GLOBAL,
                 "no directory entry of a table is global");
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) | PDE_SHARED,
                 "a directory entry is either writable or shared");
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) & ~(uint32_t)ENTRY_WRITABLE,
                 "a directory entry is either writable or shared");
    EXPECT_FOUND(pde_slot(WHOLE), pde_bits(WHOLE) | ENTRY_USER,
                 "a table is open to user mode if and only if its space is");
    audit_tear_down();
}

TEST("audit", "a table that two own: is found")
{
    REQUIRE(audit_set_up());
    *pde_slot(NOBODYS) = pde_bits(WHOLE);
    frame_get(&frame_pool, table_of(WHOLE));
    EXPECT_SAID("a table with several directory entries is shared in all of them");
    frame_put(&frame_pool, table_of(WHOLE));
    *pde_slot(NOBODYS) = 0;
    audit_tear_down();
}

TEST("audit", "a promise where no region is, or one of other rights: is found")
{
    REQUIRE(audit_set_up());
    pde_t promise = pde_read(READ_ONLY);
    EXPECT_FOUND(pde_slot(NOBODYS), promise.bits,
                 "a slot is promised as a whole only where regions cover it");
    EXPECT_FOUND(pde_slot(PARTIAL), promise.bits,
                 "a slot is promised as a whole only where regions cover it");
    EXPECT_FOUND(pde_slot(WHOLE), promise.bits, "a promised slot has its regions' rights");
    EXPECT_FOUND(pde_slot(READ_ONLY),
                 pde_make(zero_tables[ZERO_TABLE_COW], promise.bits & ENTRY_FLAGS_MASK).bits,
                 "a promised slot has its regions' rights");
    audit_tear_down();
}

TEST("audit", "a table's entries counted wrong, or none in use: is found")
{
    REQUIRE(audit_set_up());
    struct frame_record *record = frame_record(&frame_pool, table_of(WHOLE));
    record->used_entries--;
    expect_said(__FILE__, __LINE__, "a table's entries in use are counted",
                "slot 256 of space 0: 1024, not");
    record->used_entries++;
    REQUIRE(table_create(NOBODYS, RIGHTS_NONE, TEMP_TABLE) == KERR_OK);
    EXPECT_SAID("a table without an entry in use is given back");
    table_release_if_empty(NOBODYS);
    audit_tear_down();
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of temporary and device mappings.
 */
#include "paging_testing.h"

TEST("paging", "temporary pages, one after the other: each shows its frame, and then nothing")
{
    frame_t first = frame_with(38), second = frame_with(39);
    for (enum temp_page number = TEMP_FAULT_FRAME; number <= TEMP_REPORT; number++) {
        vaddr_t page = VADDR(TEMP_PAGE_ADDRESS(number));
        EXPECT_EQUAL(*(uint32_t *)temp_map(number, first), 38);
        temp_unmap(number);
        EXPECT_EQUAL(seen_at(page), NOT_SEEN);
        uint32_t *view = temp_map(number, second);
        EXPECT_EQUAL(pointer_to_vaddr(view).v, page.v);
        EXPECT_EQUAL(*view, 39);
        *view = 39; /* writable */
        temp_unmap(number);
    }
    frame_free(&frame_pool, first);
    frame_free(&frame_pool, second);
}

/* Device mappings stay for good; the tests give the pages back by hand. */
static void drop_device_pages(vaddr_t first, uint32_t pages, frame_t frame)
{
    for (uint32_t i = 0; i < pages; i++)
        expect_unmap(vaddr_add(vaddr_to_page(first), i << PAGE_SHIFT), FRAME(frame.n + i));
}

TEST("paging", "device memory: is seen uncached from its first byte on, a guard page behind it")
{
    enum { OFFSET = 0xABC };
    paddr_t start = PADDR(VGA_TEXT_PHYSICAL + OFFSET);
    vaddr_t address;
    uint32_t uncached = ENTRY_CACHE_DISABLE | ENTRY_WRITE_THROUGH | ENTRY_WRITABLE | ENTRY_PRESENT;

    REQUIRE(paging_map_device(start, PAGE_BYTES, &address) == KERR_OK);
    EXPECT(vaddr_in(address, VADDR(DEVICE_BASE), DEVICE_ROOM_BYTES));
    EXPECT_EQUAL(address.v % PAGE_BYTES, OFFSET);
    EXPECT_EQUAL(seen_at(address), seen_at(VADDR(KERNEL_BASE + start.v)));
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t flags = flags_at(vaddr_add(address, i * PAGE_BYTES));
        EXPECT_EQUAL(flags & (uncached | ENTRY_USER), uncached);
    }
    EXPECT_EQUAL(seen_at(vaddr_add(address, 2 * PAGE_BYTES)), NOT_SEEN);
    drop_device_pages(address, 2, paddr_to_frame(start));
}

TEST("paging", "device memory up to 4 GiB: its last byte is seen")
{
    vaddr_t address;
    paddr_t start = PADDR(0u - 2 * PAGE_BYTES);
    REQUIRE(paging_map_device(start, 2 * PAGE_BYTES, &address) == KERR_OK);
    EXPECT(seen_at(vaddr_add(address, 2 * PAGE_BYTES - 4)) != NOT_SEEN);
    drop_device_pages(address, 2, paddr_to_frame(start));
}

TEST("paging", "device memory: no bytes, a wrap, more than the room: KERR_BAD_RANGE")
{
    vaddr_t address = VADDR(1);
    EXPECT_EQUAL(paging_map_device(PADDR(VGA_TEXT_PHYSICAL), 0, &address), KERR_BAD_RANGE);
    EXPECT_EQUAL(paging_map_device(PADDR(0u - PAGE_BYTES), PAGE_BYTES + 1, &address),
                 KERR_BAD_RANGE);
    EXPECT_EQUAL(paging_map_device(PADDR(0), DEVICE_ROOM_BYTES, &address), KERR_BAD_RANGE);
    EXPECT_EQUAL(paging_map_device(PADDR(0), UINT32_MAX, &address), KERR_BAD_RANGE);
    EXPECT_EQUAL(address.v, 1);
}

TEST("paging", "device memory, no frame for a table: KERR_NO_MEMORY, and the next one works")
{
    paddr_t start = PADDR(VGA_TEXT_PHYSICAL);
    vaddr_t first, second;

    REQUIRE(paging_map_device(start, 1, &first) == KERR_OK);
    drop_device_pages(first, 1, paddr_to_frame(start));
    if (pde_is_present(pde_read(vaddr_to_slot(first))))
        SKIP("the device area has a table already");
    uint32_t hidden = hide_all_frames();
    EXPECT_EQUAL(paging_map_device(start, 1, &second), KERR_NO_MEMORY);
    give_frames_back(hidden);
    REQUIRE(paging_map_device(start, 1, &second) == KERR_OK);
    EXPECT_EQUAL(second.v, first.v + 2 * PAGE_BYTES); /* the failure has used no room */
    drop_device_pages(second, 1, paddr_to_frame(start));
}

/* ---- what must end in a panic ---- */

PANIC_TEST("temp-page-twice")
{
    temp_map(TEMP_FRAME, FRAME(0));
    temp_map(TEMP_FRAME, FRAME(1));
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of pages of objects that go out: shared memory at two places of the boot space, and a disk of
 * frames for the slots.
 */
#include "swap_testing.h"

#include <mm/object.h>
#include <mm/vma.h>

enum { SECOND = 100 };

static struct object *object;

static bool must_check show(uint32_t page, enum vma_flags flags)
{
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = flags, .name = "test", .object = object};
    return vma_map_at(&boot_space, test_page(page), PAGES, &wish) == KERR_OK;
}

/* PAGES shared pages, at 0 and at SECOND; page I holds I + 1, the first ZEROS of them 0. */
static bool must_check begin(uint32_t zeros, enum vma_flags second)
{
    if (!swap_begin() || object_create_anonymous(PAGES, &object) != KERR_OK ||
        !show(0, VMA_SHARED) || !show(SECOND, VMA_SHARED | second))
        return false;
    for (uint32_t i = 0; i < PAGES; i++) {
        poke(test_page(i), i < zeros ? 0 : i + 1);
        if (peek(test_page(SECOND + i)) != peek(test_page(i)))
            return false;
    }
    return true;
}

static void release(uint32_t page)
{
    EXPECT_EQUAL(vma_release(&boot_space, test_page(page), PAGES), KERR_OK);
}

static void end(void)
{
    release(0);
    release(SECOND);
    object_put(object);
    EXPECT_AUDIT();
    swap_end();
}

/* The hand goes round all objects twice: once for the marks. What has gone is written. */
static void put_out(void)
{
    bool ends;
    for (uint32_t rounds = 0; rounds < 2; rounds += ends)
        (void)object_put_out(UINT32_MAX, &ends);
    EXPECT_AUDIT();
    EXPECT_EQUAL(swap_put_out(0), 0);
}

static bool is_shown(uint32_t page)
{
    return pde_is_table(pde_read(
               vaddr_to_slot(test_page(page)))) && /* the last entry takes the table along */
           pte_is_present(pte_read(test_page(page)));
}

TEST("swap_object",
     "shared memory that nobody uses: goes out, and comes back once for all who share it")
{
    REQUIRE(begin(0, 0));
    uint32_t reads = store_disk.reads;
    put_out();
    EXPECT_EQUAL(object->out_pages, PAGES);
    EXPECT_EQUAL(object_frames_in_ram(object), 0);
    EXPECT(!is_shown(0) && !is_shown(SECOND));
    EXPECT_EQUAL(swap_sum().cached, 0);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(SECOND + i)), i + 1);
    uint32_t reads_after = store_disk.reads;
    EXPECT(reads_after > reads);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_EQUAL(store_disk.reads, reads_after);
    EXPECT_EQUAL(object->out_pages, 0);
    EXPECT_EQUAL(swap_sum().used, 0);
    end();
}

TEST("swap_object",
     "a page in use: stays one round; one that is written after it came back: is new")
{
    bool ends = false;
    REQUIRE(begin(0, 0));
    put_out();
    poke(test_page(3), 100);
    while (!ends) /* the first look at it only takes the mark away */
        (void)object_put_out(UINT32_MAX, &ends);
    EXPECT(!object_page_is_out(object, 3));
    put_out();
    EXPECT(object_page_is_out(object, 3));
    EXPECT_EQUAL(swap_sum().cached, 0);
    EXPECT_EQUAL(peek(test_page(SECOND + 3)), 100);
    end();
}

TEST("swap_object", "pages full of zeros: need no slot")
{
    REQUIRE(begin(PAGES / 2, 0));
    put_out();
    EXPECT_EQUAL(object->out_pages, PAGES);
    EXPECT_EQUAL(swap_sum().used, PAGES / 2);
    EXPECT_EQUAL(object_slots_in_use(), PAGES / 2);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i < PAGES / 2 ? 0 : i + 1);
    end();
}

TEST("swap_object", "a locked region shows them: they stay")
{
    REQUIRE(begin(0, VMA_LOCKED));
    put_out();
    EXPECT_EQUAL(object->out_pages, 0);
    EXPECT(is_shown(0) && is_shown(SECOND));
    end();
}

TEST("swap_object", "the way out: takes no frame")
{
    REQUIRE(begin(0, 0));
    leave_frames(0);
    put_out();
    all_frames();
    EXPECT_EQUAL(object->out_pages, PAGES);
    end();
}

TEST("swap_object", "it ends, or shrinks, while pages are out: their slots are free")
{
    REQUIRE(begin(0, 0));
    put_out();
    EXPECT_EQUAL(object_resize(object, 4), KERR_OK);
    EXPECT_EQUAL(object->out_pages, 4);
    EXPECT_EQUAL(object->real_pages, 4);
    EXPECT_EQUAL(object_slots_in_use(), 4);
    release(0);
    release(SECOND);
    object_put(object);
    EXPECT_AUDIT();
    EXPECT_EQUAL(swap_trim(), KERR_OK);
    EXPECT_EQUAL(swap_sum().used, 0);
    swap_end();
}

TEST("swap_object", "the area ends: all pages come back")
{
    REQUIRE(begin(0, 0));
    put_out();
    swap_end();
    EXPECT_EQUAL(object->out_pages, 0);
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    release(0);
    release(SECOND);
    object_put(object);
    EXPECT_AUDIT();
}

TEST("swap_object",
     "a page that comes back while it is being written: is a copy, and can be written to")
{
    frame_t frame;
    REQUIRE(begin(0, 0));
    store_disk.holds_back = true;
    put_out();
    EXPECT_EQUAL(object_frame(object, 2, &frame), KERR_OK);
    EXPECT(frame_kind(&frame_pool, frame) == FRAME_ANONYMOUS);
    EXPECT_EQUAL(frame_references(&frame_pool, frame), 1);
    poke(test_page(2), 200);
    EXPECT_AUDIT();
    store_disk.holds_back = false;
    store_disk_work();
    put_out();
    EXPECT_EQUAL(swap_sum().cached, 0);
    EXPECT_EQUAL(peek(test_page(SECOND + 2)), 200);
    EXPECT_EQUAL(peek(test_page(SECOND + 1)), 2);
    end();
}

TEST("swap_object", "a page that can't be read: an error for who touches it, and no other")
{
    frame_t frame;
    REQUIRE(begin(0, 0));
    put_out();
    EXPECT_EQUAL(swap_sum().cached, 0);
    store_disk.fails_at = 1;
    EXPECT_EQUAL(object_frame(object, 0, &frame), KERR_IO);
    store_disk.fails_at = 0;
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of the page cache on a disk of frames. A file of the tests stands on it in blocks of
 * 1 KiB, in an order of its own.
 */
#include "store_testing.h"
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <kernel/channel.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <store/cache.h>

enum {
    DISK_PAGES = 64,
    FILE_PAGES = 32,
    PAGE_BLOCKS = 4,
    BLOCKS = FILE_PAGES * PAGE_BLOCKS,
    NOWHERE = 0xFFFF,
};

/* ---- a file on it ---- */

static struct {
    struct cache cache;
    uint16_t block[BLOCKS]; /* where on the disk, in KiB; NOWHERE: a hole */
    uint32_t next_block;
    enum kerr allocation; /* what it answers */
} file;

static enum kerr locate(struct cache *cache, uint32_t page, struct cache_place *place)
{
    (void)cache;
    *place = (struct cache_place){.pieces = PAGE_BLOCKS, .sectors = 2};
    for (uint32_t i = 0; i < PAGE_BLOCKS; i++) {
        uint16_t block = file.block[page * PAGE_BLOCKS + i];
        place->sector[i] = block == NOWHERE ? CACHE_HOLE : block * 2u;
    }
    return KERR_OK;
}

static enum kerr allocate(struct cache *cache, uint32_t page)
{
    (void)cache;
    for (uint32_t i = 0; i < PAGE_BLOCKS && file.allocation == KERR_OK; i++)
        if (file.block[page * PAGE_BLOCKS + i] == NOWHERE)
            file.block[page * PAGE_BLOCKS + i] = (uint16_t)file.next_block++;
    return file.allocation;
}

/* Pages 0 to 15 lie in a row, from page 8 of the disk on; 16 to 23 with their blocks turned round; the
 * rest is a hole. */
static bool must_check file_begin(void)
{
    static const struct cache_operations operations = {
        .locate = locate, .allocate = allocate, .name = "test"};
    memset(&file, 0, sizeof(file));
    for (uint32_t i = 0; i < BLOCKS; i++)
        file.block[i] = (uint16_t)(i < 64 ? 32 + i : i < 96 ? 32 + (i ^ 3) : NOWHERE);
    file.next_block = 200;
    return store_disk_begin(DISK_PAGES) &&
           block_open_for_writing(&store_disk.device, "a test") == KERR_OK &&
           cache_begin(&file.cache, &operations, &store_disk.device, NULL, FILE_PAGES) == KERR_OK;
}

static void file_end(void)
{
    store_disk.holds_back = false;
    store_disk_work();
    EXPECT_EQUAL(cache_settle(&file.cache, CACHE_DROP), KERR_OK);
    object_put(file.cache.object);
    block_close_for_writing(&store_disk.device);
    store_disk_end();
}

/* Block BLOCK of the file, as the disk had it at first. */
static uint32_t first_word(uint32_t block)
{
    uint32_t at = file.block[block] * 1024u;
    return file.block[block] == NOWHERE ? 0 : at / PAGE_BYTES << 16 | at % PAGE_BYTES / 4;
}

static enum kerr read_word(uint32_t block, uint32_t *word)
{
    return cache_read(&file.cache, (uint64_t)block * 1024, word, sizeof(*word));
}

static enum kerr write_word(uint32_t block, uint32_t word)
{
    return cache_write(&file.cache, (uint64_t)block * 1024, &word, sizeof(word));
}

static void expect_words(uint32_t first, uint32_t end)
{
    for (uint32_t block = first; block < end; block++) {
        uint32_t word = ~0u;
        EXPECT_EQUAL(read_word(block, &word), KERR_OK);
        EXPECT_EQUAL(word, first_word(block));
    }
}

static enum kerr write_back(void)
{
    return cache_write_back(&file.cache, 0, FILE_PAGES);
}

/* ---- tests ---- */

TEST("cache", "a file in pieces and with holes: is read as it stands there, and once")
{
    uint32_t free = frame_available(&frame_pool);
    REQUIRE(file_begin());
    expect_words(0, BLOCKS);
    uint32_t reads = store_disk.reads;
    expect_words(0, BLOCKS);
    EXPECT_EQUAL(store_disk.reads, reads);
    EXPECT_EQUAL(file.cache.busy_pages, 0);
    EXPECT_EQUAL(file.cache.object->real_pages, FILE_PAGES);
    file_end();
    EXPECT_EQUAL(frame_available(&frame_pool), free);
}

TEST("cache", "who reads page after page: gets windows that grow, in requests of many pages")
{
    REQUIRE(file_begin());
    expect_words(0, 12 * PAGE_BLOCKS);
    EXPECT_EQUAL(store_disk.reads, 2); /* 4 pages, then 8 */
    EXPECT_EQUAL(store_disk.longest, 64);
    file_end();
}

TEST("cache", "a page that is under way: all who ask wait for the same request")
{
    uint32_t word = 0;
    REQUIRE(file_begin());
    store_disk.holds_back = true;
    EXPECT_EQUAL(read_word(20, &word), KERR_MUST_WAIT);
    struct channel *channel = channel_left();
    EXPECT_EQUAL(read_word(21, &word), KERR_MUST_WAIT);
    EXPECT(channel_left() == channel && !channel->is_ready(channel));
    store_disk_work();
    EXPECT(channel->is_ready(channel));
    EXPECT_EQUAL(read_word(20, &word), KERR_OK);
    EXPECT_EQUAL(word, first_word(20));
    EXPECT_EQUAL(store_disk.reads, 1);
    file_end();
}

TEST("cache", "a page that can't be read: an error once to who asks, and then it is tried again")
{
    uint32_t word = 0;
    REQUIRE(file_begin());
    store_disk.fails_at = 1;
    EXPECT_EQUAL(read_word(20, &word), KERR_IO);
    EXPECT_EQUAL(read_word(20, &word), KERR_OK);
    EXPECT_EQUAL(word, first_word(20));
    store_disk.fails_at = 2; /* one of the four pieces of a page */
    EXPECT_EQUAL(read_word(64, &word), KERR_IO);
    EXPECT_EQUAL(read_word(64, &word), KERR_OK);
    EXPECT_EQUAL(word, first_word(64));
    file_end();
}

TEST("cache",
     "a write: is seen at once, is on the disk after write-back, and a hole gets its place")
{
    uint32_t word = 0;
    REQUIRE(file_begin());
    EXPECT_EQUAL(write_word(5, 0xAFFE), KERR_OK);
    EXPECT_EQUAL(write_word(100, 0xBEEF), KERR_OK);
    EXPECT_EQUAL(file.cache.dirty_pages, 2);
    EXPECT_EQUAL(store_dirty_pages(), 2);
    EXPECT(read_word(5, &word) == KERR_OK && word == 0xAFFE);
    EXPECT_EQUAL(store_disk_word(file.block[5] * 1024u), first_word(5));
    EXPECT_EQUAL(write_back(), KERR_OK);
    EXPECT_EQUAL(store_disk_word(file.block[5] * 1024u), 0xAFFE);
    EXPECT(file.block[100] >= 200);
    EXPECT_EQUAL(store_disk_word(file.block[100] * 1024u), 0xBEEF);
    EXPECT_EQUAL(store_disk_word(file.block[101] * 1024u), 0);
    EXPECT_EQUAL(file.cache.dirty_pages + file.cache.busy_pages, 0);
    EXPECT_EQUAL(store_disk.writes, 2);
    EXPECT_EQUAL(write_back(), KERR_OK);
    EXPECT_EQUAL(store_disk.writes, 2);
    file_end();
}

TEST("cache", "a page written to while it is on its way: is dirty again, and goes once more")
{
    REQUIRE(file_begin());
    EXPECT_EQUAL(write_word(8, 1), KERR_OK);
    store_disk.holds_back = true;
    EXPECT_EQUAL(write_back(), KERR_MUST_WAIT);
    EXPECT_EQUAL(write_word(9, 2), KERR_OK);
    EXPECT_EQUAL(write_back(), KERR_MUST_WAIT);
    store_disk_work();
    EXPECT_EQUAL(write_back(), KERR_MUST_WAIT);
    store_disk_work();
    EXPECT_EQUAL(write_back(), KERR_OK);
    EXPECT_EQUAL(store_disk_word(file.block[9] * 1024u), 2);
    EXPECT_EQUAL(store_disk.writes, 2);
    file_end();
}

static enum kerr write_asked(void)
{
    return cache_write_asked(&file.cache, 0, FILE_PAGES, NULL);
}

TEST("cache", "a page written by way of a mapping: is dirty, is written back, and is dirty again "
              "by the next write")
{
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = "test"};
    const vaddr_t first = page_of_slot(TEST_SLOT, 0);
    REQUIRE(file_begin());
    wish.object = file.cache.object;
    REQUIRE(vma_map_at(&boot_space, first, FILE_PAGES, &wish) == KERR_OK);
    EXPECT_EQUAL(peek(first), first_word(0));
    EXPECT_EQUAL(file.cache.dirty_pages, 0);
    for (uint32_t i = 1; i <= 2; i++) {
        poke(first, i);
        EXPECT_EQUAL(file.cache.dirty_pages, 1);
        EXPECT_EQUAL(write_back(), KERR_OK);
        EXPECT_EQUAL(store_disk.writes, i);
        EXPECT_EQUAL(store_disk_word(file.block[0] * 1024u), i);
        EXPECT_EQUAL(file.cache.dirty_pages, 0);
    }
    EXPECT_AUDIT();
    EXPECT_EQUAL(vma_release(&boot_space, first, FILE_PAGES), KERR_OK);
    file_end();
}

TEST("cache", "what was asked for: is waited for; what is written to behind that is not")
{
    uint32_t word;
    REQUIRE(file_begin());
    EXPECT(read_word(40, &word) == KERR_OK && read_word(80, &word) == KERR_OK);
    EXPECT_EQUAL(write_word(8, 1), KERR_OK);
    store_disk.holds_back = true;
    EXPECT_EQUAL(write_back(), KERR_MUST_WAIT);
    EXPECT_EQUAL(write_word(9, 2), KERR_OK); /* dirty, and under way with what is older */
    EXPECT_EQUAL(write_word(40, 3), KERR_OK);
    cache_ask(&file.cache, 0, FILE_PAGES);
    EXPECT_EQUAL(write_asked(), KERR_MUST_WAIT);
    EXPECT_EQUAL(write_word(80, 5), KERR_OK);
    store_disk_work();
    EXPECT_EQUAL(write_word(41, 4), KERR_OK);
    EXPECT_EQUAL(write_asked(), KERR_MUST_WAIT); /* once more, for the word in block 9 */
    EXPECT_EQUAL(write_word(8, 6), KERR_OK);
    store_disk_work();
    EXPECT_EQUAL(write_asked(), KERR_OK);
    EXPECT_EQUAL(store_disk_word(file.block[9] * 1024u), 2);
    EXPECT_EQUAL(store_disk_word(file.block[40] * 1024u), 3);
    EXPECT_EQUAL(store_disk.writes, 3);
    EXPECT_EQUAL(file.cache.dirty_pages, 3);
    file_end();
}

TEST("cache", "a page that can't be written: stays dirty, is told once, and goes the next time")
{
    uint32_t seen = 0, others_seen = 0;
    REQUIRE(file_begin());
    EXPECT_EQUAL(write_word(8, 1), KERR_OK);
    store_disk.fails_at = 1;
    EXPECT_EQUAL(write_back(), KERR_IO);
    EXPECT_EQUAL(file.cache.dirty_pages, 1);
    EXPECT_EQUAL(cache_write_asked(&file.cache, 0, FILE_PAGES, NULL),
                 KERR_IO); /* as it still is so */
    EXPECT_EQUAL(cache_write_asked(&file.cache, 0, FILE_PAGES, &seen), KERR_IO);
    EXPECT_EQUAL(write_back(), KERR_OK);
    EXPECT_EQUAL(cache_write_asked(&file.cache, 0, FILE_PAGES, NULL), KERR_OK);
    EXPECT_EQUAL(cache_write_asked(&file.cache, 0, FILE_PAGES, &seen), KERR_OK);
    EXPECT_EQUAL(cache_write_asked(&file.cache, 0, FILE_PAGES, &others_seen), KERR_IO);
    EXPECT_EQUAL(store_disk_word(file.block[8] * 1024u), 1);
    file_end();
}

TEST("cache", "no space, or a disk that nobody opened: the write is refused, and nothing is dirty")
{
    uint32_t word = 0;
    REQUIRE(file_begin());
    file.allocation = KERR_NO_SPACE;
    EXPECT_EQUAL(write_word(100, 1), KERR_NO_SPACE);
    block_close_for_writing(&store_disk.device);
    EXPECT_EQUAL(write_word(5, 1), KERR_READ_ONLY);
    EXPECT_EQUAL(file.cache.dirty_pages, 0);
    EXPECT(read_word(5, &word) == KERR_OK && word == first_word(5));
    EXPECT(block_open_for_writing(&store_disk.device, "a test") == KERR_OK);
    file_end();
}

TEST("cache", "a whole page is written: it is not read first")
{
    uint8_t *const page = test_scratch;
    REQUIRE(file_begin());
    memset(page, 7, PAGE_BYTES);
    EXPECT_EQUAL(cache_write(&file.cache, 3 * PAGE_BYTES, page, PAGE_BYTES), KERR_OK);
    EXPECT_EQUAL(store_disk.reads, 0);
    EXPECT_EQUAL(write_back(), KERR_OK);
    EXPECT_EQUAL(store_disk_word(file.block[3 * PAGE_BLOCKS + 3] * 1024u), 0x07070707);
    file_end();
}

TEST("cache", "old dirt: goes to the disk by itself after five seconds, and no sooner")
{
    REQUIRE(file_begin());
    store_tick(100);
    EXPECT_EQUAL(write_word(8, 1), KERR_OK);
    store_tick(100 + DIRTY_SECONDS - 1);
    EXPECT_EQUAL(store_disk.writes, 0);
    store_tick(100 + DIRTY_SECONDS);
    EXPECT_EQUAL(store_disk.writes, 1);
    EXPECT_EQUAL(file.cache.dirty_pages, 0);
    file_end();
}

TEST("cache",
     "a cache that can't be written: comes behind the others, and again after five seconds")
{
    struct cache other;
    static const struct cache_operations operations = {.locate = locate, .name = "test"};
    uint32_t word = 2;
    REQUIRE(file_begin());
    EXPECT_EQUAL(cache_begin(&other, &operations, &store_disk.device, NULL, FILE_PAGES), KERR_OK);
    store_tick(100);
    EXPECT_EQUAL(write_word(8, 1), KERR_OK);
    store_tick(102);
    EXPECT_EQUAL(cache_write(&other, 3 * PAGE_BYTES, &word, sizeof(word)), KERR_OK);
    store_disk.fails_at = 1;
    store_tick(105);
    EXPECT(file.cache.is_failing && file.cache.dirty_pages == 1);
    store_tick(106);
    EXPECT_EQUAL(store_disk.writes, 1);
    store_tick(107);
    EXPECT_EQUAL(other.dirty_pages, 0);
    EXPECT_EQUAL(file.cache.dirty_pages, 1);
    store_tick(110);
    EXPECT(!file.cache.is_failing && file.cache.dirty_pages == 0);
    EXPECT_EQUAL(cache_settle(&other, CACHE_DROP), KERR_OK);
    object_put(other.object);
    file_end();
}

TEST("cache", "frames are wanted: what was used stays once, what is dirty is written first")
{
    uint32_t freed, word;
    REQUIRE(file_begin());
    expect_words(0, 8 * PAGE_BLOCKS);
    EXPECT_EQUAL(write_word(0, 4711), KERR_OK);
    uint32_t pages = file.cache.object->real_pages, all = 0;
    EXPECT_EQUAL(store_reclaim(2, &freed), KERR_OK);
    EXPECT_EQUAL(freed, 2);
    for (unsigned i = 0; i < 20 && all < pages - 2; i++)
        if (store_reclaim(pages, &freed) == KERR_OK)
            all += freed;
    EXPECT_EQUAL(file.cache.object->real_pages, 0);
    EXPECT_EQUAL(all, pages - 2);
    EXPECT_EQUAL(store_disk_word(file.block[0] * 1024u), 4711);
    EXPECT_EQUAL(store_reclaim(1, &freed), KERR_NO_MEMORY);
    EXPECT(read_word(0, &word) == KERR_OK && word == 4711);
    file_end();
}

TEST("cache", "pages asked for ahead: nobody waits, and what is here is not read again")
{
    uint32_t word;
    REQUIRE(file_begin());
    expect_words(0, 1);
    uint32_t here = file.cache.object->real_pages;
    store_disk.holds_back = true;
    EXPECT(cache_begin_read(&file.cache, 0, 16));
    EXPECT_EQUAL(file.cache.busy_pages, 16 - here);
    EXPECT_EQUAL(read_word(8 * PAGE_BLOCKS, &word), KERR_MUST_WAIT);
    store_disk_work();
    EXPECT_EQUAL(file.cache.busy_pages, 0);
    uint32_t reads = store_disk.reads;
    expect_words(0, 16 * PAGE_BLOCKS);
    EXPECT_EQUAL(store_disk.reads, reads);
    EXPECT(cache_begin_read(&file.cache, 0, UINT32_MAX)); /* to its end */
    store_disk_work();
    EXPECT_EQUAL(file.cache.object->real_pages, FILE_PAGES);
    file_end();
}

TEST("cache", "pages put out: clean ones go, used or not; a dirty one is written, and goes then")
{
    REQUIRE(file_begin());
    expect_words(0, 8 * PAGE_BLOCKS);
    EXPECT_EQUAL(write_word(2 * PAGE_BLOCKS, 4711), KERR_OK);
    uint32_t pages = file.cache.object->real_pages;
    store_disk.holds_back = true;
    cache_put_out(&file.cache, 1, 5);
    EXPECT_EQUAL(file.cache.object->real_pages, pages - 3);
    EXPECT(object_page_word(file.cache.object, 2) & PAGE_WRITING);
    store_disk_work();
    EXPECT_EQUAL(store_disk_word(file.block[2 * PAGE_BLOCKS] * 1024u), 4711);
    cache_put_out(&file.cache, 1, 5);
    EXPECT_EQUAL(file.cache.object->real_pages, pages - 4);
    EXPECT(object_page_word(file.cache.object, 0) != 0 &&
           object_page_word(file.cache.object, 5) != 0);
    file_end();
}

TEST("cache", "smaller: what is behind the end is gone, after what is under way; larger: holes")
{
    uint32_t word;
    REQUIRE(file_begin());
    EXPECT_EQUAL(write_word(5 * PAGE_BLOCKS, 1), KERR_OK);
    EXPECT_EQUAL(write_word(2 * PAGE_BLOCKS, 2), KERR_OK);
    store_disk.holds_back = true;
    cache_begin_write_back(&file.cache, 5, 6);
    EXPECT_EQUAL(cache_resize(&file.cache, 4), KERR_MUST_WAIT);
    store_disk_work();
    EXPECT_EQUAL(cache_resize(&file.cache, 4), KERR_OK);
    EXPECT_EQUAL(read_word(4 * PAGE_BLOCKS, &word), KERR_BAD_RANGE);
    EXPECT_EQUAL(file.cache.dirty_pages, 1);
    store_disk.holds_back = false;
    EXPECT_EQUAL(cache_resize(&file.cache, FILE_PAGES), KERR_OK);
    EXPECT(read_word(5 * PAGE_BLOCKS, &word) == KERR_OK &&
           word == 1); /* the file system's affair */
    file_end();
}

TEST("cache", "no frame: no memory, and nothing is lost at whatever step")
{
    uint32_t word = 0, free = frame_available(&frame_pool);
    for (uint32_t left = 0; left < 8; left++) {
        REQUIRE(file_begin());
        uint32_t away = frame_available(&frame_pool) - left;
        EXPECT(frame_set_aside(&frame_pool, away) == KERR_OK);
        enum kerr error = write_word(5, 3);
        frame_end_set_aside(&frame_pool, away);
        EXPECT(error == KERR_OK || error == KERR_NO_MEMORY);
        EXPECT(error == KERR_OK || left < 3);
        EXPECT_EQUAL(write_word(5, 3), KERR_OK);
        EXPECT(read_word(5, &word) == KERR_OK && word == 3);
        file_end();
        EXPECT_EQUAL(frame_available(&frame_pool), free);
    }
}

TEST("cache", "flush: is done after what was given to the disk before, and one serves all who wait")
{
    uint32_t mine = 0, late = 0;
    REQUIRE(store_disk_begin(DISK_PAGES));
    REQUIRE(block_open_for_writing(&store_disk.device, "a test") == KERR_OK);
    store_disk.holds_back = true;
    EXPECT_EQUAL(cache_flush(&store_disk.device, &mine), KERR_MUST_WAIT);
    EXPECT_EQUAL(cache_flush(&store_disk.device, &late),
                 KERR_MUST_WAIT); /* that one may be too early */
    store_disk_work();
    EXPECT_EQUAL(cache_flush(&store_disk.device, &mine), KERR_OK);
    EXPECT_EQUAL(cache_flush(&store_disk.device, &late), KERR_MUST_WAIT);
    store_disk_work();
    EXPECT_EQUAL(cache_flush(&store_disk.device, &late), KERR_OK);
    EXPECT_EQUAL(store_disk.flushes, 2);
    cache_forget_device(&store_disk.device);
    store_disk.holds_back = false;
    block_close_for_writing(&store_disk.device);
    store_disk_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of compressed memory: pages go out to RAM and come back, without a process.
 */
#include "swap_testing.h"

#include <kernel/printk.h>
#include <store/swap_ram.h>

enum { RAM_PAGES = 512, RAM_SLOTS = RAM_PAGES - 1, MANY = 400 };

static struct block_device *ram;

static bool must_check ram_begin_test(void)
{
    ram = swap_ram_device(RAM_PAGES);
    block_register(ram);
    return swap_on(ram, -1) == KERR_OK;
}

static void ram_end_test(void)
{
    EXPECT(ram_check() == NULL);
    enum kerr error = KERR_AGAIN;
    while (error == KERR_AGAIN)
        error = swap_off(ram);
    EXPECT_EQUAL(error, KERR_OK);
    EXPECT(ram_check() == NULL);
    block_unregister(ram);
}

#define EXPECT_ALL_IS_WELL()                                                                       \
    do {                                                                                           \
        EXPECT(ram_check() == NULL);                                                               \
        EXPECT_AUDIT();                                                                            \
    } while (0)

/* A small machine has not so many. */
static uint32_t many(void)
{
    uint32_t most = frame_available(&frame_pool) * 2 / 3;
    return most < MANY ? most : (uint32_t)MANY;
}

static bool must_check reserve(uint32_t pages)
{
    return vma_reserve_at(&boot_space, test_page(0), pages, RIGHTS_READ_WRITE, "test") == KERR_OK;
}

static void release(uint32_t pages)
{
    EXPECT_EQUAL(vma_release(&boot_space, test_page(0), pages), KERR_OK);
}

/* Of an ordinary page every fourth word is its number, and every eighth at random. */
enum filling { ORDINARY, RANDOM, ONE_WORD };

static uint32_t word_of(uint32_t page, uint32_t i, enum filling filling)
{
    uint32_t noise = (page * 1024 + i) * 2654435761u;
    noise ^= noise >> 15;
    return filling == ONE_WORD ? 0x12345678u + page
           : filling == RANDOM ? noise * 2246822519u
           : i % 4 == 0        ? page + 1
           : i % 8 == 1        ? noise
                               : 0;
}

static void fill(uint32_t page, enum filling filling)
{
    for (uint32_t i = 0; i < PAGE_BYTES / 4; i++)
        poke(vaddr_add(test_page(page), i * 4), word_of(page, i, filling));
}

static void expect_page(uint32_t page, enum filling filling)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < PAGE_BYTES / 4; i++)
        wrong += peek(vaddr_add(test_page(page), i * 4)) != word_of(page, i, filling);
    EXPECT_EQUAL(wrong, 0);
}

TEST("swap_ram", "an area of RAM: begins, is full of nothing, ends without a trace")
{
    REQUIRE(ram_begin_test());
    ram_end_test();
    heap_trim(&kernel_heap, 0);
    uint32_t free = frame_available(&frame_pool);
    REQUIRE(ram_begin_test());
    EXPECT_EQUAL(swap_sum().pages, RAM_SLOTS);
    EXPECT_EQUAL(swap_ram_counts.pages, 0);
    EXPECT(swap_ram_counts.frames > 0);
    EXPECT_EQUAL(swap_on(ram, -1), KERR_EXISTS);
    EXPECT_ALL_IS_WELL();
    ram_end_test();
    heap_trim(&kernel_heap, 0);
    EXPECT_EQUAL(frame_available(&frame_pool), free);
}

TEST("swap_ram", "pages that go: are free at once, take less, and come back as they were")
{
    REQUIRE(ram_begin_test());
    const uint32_t pages = many();
    REQUIRE(reserve(pages));
    for (uint32_t i = 0; i < pages; i++)
        fill(i, ORDINARY);
    uint32_t free = frame_available(&frame_pool), frames = swap_ram_counts.frames;
    EXPECT_EQUAL(swap_put_out(pages), pages);
    EXPECT_EQUAL(swap_sum().cached, 0);
    EXPECT_EQUAL(swap_ram_counts.pages, pages);
    uint32_t taken = swap_ram_counts.frames - frames;
    EXPECT(taken > 0 && taken < pages / 2);
    EXPECT_EQUAL(frame_available(&frame_pool), free + pages - taken);
    EXPECT_ALL_IS_WELL();
    for (uint32_t i = 0; i < pages; i++)
        expect_page(i, ORDINARY);
    EXPECT_ALL_IS_WELL();
    EXPECT_EQUAL(swap_put_out(pages), pages); /* they are kept still, and that is enough */
    EXPECT_EQUAL(swap_ram_counts.pages, pages);
    poke(test_page(3), 100);
    EXPECT_EQUAL(swap_ram_counts.pages, pages - 1);
    EXPECT_ALL_IS_WELL();
    release(pages);
    EXPECT_EQUAL(swap_trim(), KERR_OK);
    EXPECT_EQUAL(swap_ram_counts.pages, 0);
    EXPECT(swap_ram_counts.frames <= frames);
    ram_end_test();
}

TEST("swap_ram", "pages of one word each: take no room")
{
    REQUIRE(ram_begin_test());
    const uint32_t pages = many();
    REQUIRE(reserve(pages));
    for (uint32_t i = 0; i < pages; i++)
        fill(i, ONE_WORD);
    EXPECT_EQUAL(swap_put_out(pages), pages);
    EXPECT_EQUAL(swap_ram_counts.words, pages);
    EXPECT_EQUAL(swap_ram_counts.pieces, 0);
    EXPECT_ALL_IS_WELL();
    for (uint32_t i = 0; i < pages; i++)
        expect_page(i, ONE_WORD);
    release(pages);
    ram_end_test();
}

TEST("swap_ram", "pages that don't become smaller: stay, unless there is a disk behind")
{
    uint32_t refused = swap_ram_counts.refused;
    REQUIRE(ram_begin_test() && reserve(PAGES));
    for (uint32_t i = 0; i < PAGES; i++)
        fill(i, i % 2 == 0 ? RANDOM : ORDINARY);
    refused = swap_ram_counts.refused;
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES / 2);
    EXPECT(swap_ram_counts.refused > refused);
    EXPECT_EQUAL(count_swapped(), PAGES / 2);
    EXPECT_ALL_IS_WELL();
    REQUIRE(swap_begin());
    EXPECT_EQUAL(swap_put_out(PAGES / 2), PAGES / 2);
    EXPECT_EQUAL(count_swapped(), PAGES);
    EXPECT_EQUAL(swap_ram_counts.pages, PAGES / 2);
    EXPECT_EQUAL(swap_used_pages(swap_of_device(&store_disk.device)), PAGES / 2);
    EXPECT_ALL_IS_WELL();
    for (uint32_t i = 0; i < PAGES; i++)
        expect_page(i, i % 2 == 0 ? RANDOM : ORDINARY);
    release_pages();
    swap_end();
    ram_end_test();
}

TEST("swap_ram", "no frame is free: what was put by is enough; then pages stay, and none is lost")
{
    REQUIRE(ram_begin_test());
    const uint32_t pages = many();
    REQUIRE(reserve(pages));
    for (uint32_t i = 0; i < pages; i++)
        fill(i, ORDINARY);
    uint32_t left = frame_available(&frame_pool);
    REQUIRE(frame_set_aside(&frame_pool, left) == KERR_OK);
    /* Others take all that becomes free meanwhile, so that nothing can be put by. */
    uint32_t gone = 0, now;
    do {
        now = swap_put_out(1);
        gone += now;
        uint32_t freed = frame_available(&frame_pool);
        EXPECT_EQUAL(frame_set_aside(&frame_pool, freed), KERR_OK);
        left += freed;
    } while (now > 0);
    EXPECT(gone > 0 && gone < pages);
    EXPECT(!ram_has_room(0));
    EXPECT_ALL_IS_WELL();
    frame_end_set_aside(&frame_pool, left);
    for (uint32_t i = 0; i < pages; i++)
        expect_page(i, ORDINARY);
    ram_put_by(0);
    EXPECT(swap_put_out(pages) > 0);
    for (uint32_t i = 0; i < pages; i++)
        expect_page(i, ORDINARY);
    EXPECT_ALL_IS_WELL();
    release(pages);
    ram_end_test();
}

TEST("swap_ram",
     "a table goes as well, and comes back before its page; of nobody: its room is free")
{
    REQUIRE(ram_begin_test() && fill_pages(0));
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT(pde_is_swapped(pde_read(TEST_SLOT)));
    EXPECT_EQUAL(swap_ram_counts.pages, PAGES + 1);
    EXPECT_ALL_IS_WELL();
    for (uint32_t i = 0; i < PAGES; i++)
        EXPECT_EQUAL(peek(test_page(i)), i + 1);
    EXPECT_ALL_IS_WELL();
    EXPECT_EQUAL(swap_put_out(PAGES), PAGES);
    EXPECT_EQUAL(swap_put_out(1), 1);
    EXPECT(pde_is_swapped(pde_read(TEST_SLOT)));
    release_pages();
    for (uint32_t i = 0; i < 2 * PAGES; i++)
        swap_tick();
    EXPECT_EQUAL(swap_trim(), KERR_OK);
    EXPECT_EQUAL(swap_ram_counts.pages, 0);
    ram_end_test();
}

/* A slot that nobody names is written and read as a request of the device has it. */
static bool transfer(enum block_operation operation, frame_t slot, frame_t frame)
{
    uint32_t page = slot.n - swap_of_device(ram)->slots.first;
    struct block_request request = {
        .device = ram, .operation = operation, .sector = page * 8, .sectors = 8, .frames = {frame}};
    return block_wait(&request) == KERR_OK;
}

TEST("swap_ram", "what a request writes: is kept, small or not, again and again, and read")
{
    frame_t slot, frame;
    uint32_t state = 3;
    REQUIRE(ram_begin_test());
    REQUIRE(frame_alloc(&swap_of_device(ram)->slots, FRAME_SLOT, &slot) == KERR_OK);
    REQUIRE(frame_alloc(&frame_pool, FRAME_FILE, &frame) == KERR_OK);
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t words = test_random(&state) % 1025, wrong = 0, seed = state;
        uint32_t *page = temp_map(TEMP_FRAME, frame);
        memset(page, (int)(round % 3), PAGE_BYTES);
        for (uint32_t i = 0; i < words; i++)
            page[i] = test_random(&state);
        temp_unmap(TEMP_FRAME);
        EXPECT(transfer(BLOCK_WRITE, slot, frame));
        EXPECT(ram_check() == NULL);
        memset(temp_map(TEMP_FRAME, frame), 0xEE, PAGE_BYTES);
        temp_unmap(TEMP_FRAME);
        EXPECT(transfer(BLOCK_READ, slot, frame));
        page = temp_map(TEMP_FRAME, frame);
        for (uint32_t i = 0; i < PAGE_BYTES / 4; i++)
            wrong += page[i] != (i < words ? test_random(&seed) : round % 3 * 0x01010101u);
        temp_unmap(TEMP_FRAME);
        EXPECT_EQUAL(wrong, 0);
    }
    frame_free(&frame_pool, frame);
    frame_put(&frame_pool, slot);
    EXPECT_EQUAL(swap_ram_counts.pages, 0);
    ram_end_test();
}

TEST("swap_ram", "2,000 random steps: written, out, back, released: as the model says")
{
    enum { STEPS = 2000, SIDE = 256 };
    static uint8_t *const fillings = test_scratch; /* 0: promised; else filling + 1 */
    uint32_t state = 20240103;
    printk("# seed %u\n", state);
    REQUIRE(ram_begin_test() && reserve(SIDE));
    memset(fillings, 0, SIDE);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t page = test_random(&state) % SIDE, what = test_random(&state) % 16;
        if (what < 6) {
            enum filling filling = (enum filling)(test_random(&state) % 3);
            fill(page, filling);
            fillings[page] = (uint8_t)(filling + 1);
        } else if (what < 8) {
            (void)swap_put_out(1 + test_random(&state) % 40);
        } else if (what == 8) {
            EXPECT_EQUAL(vma_discard(&boot_space, test_page(page), 1), KERR_OK);
            fillings[page] = 0;
        } else if (fillings[page] != 0) {
            expect_page(page, (enum filling)(fillings[page] - 1));
        } else {
            EXPECT_EQUAL(peek(test_page(page)), 0);
        }
        if (step % 64 == 0)
            EXPECT(ram_check() == NULL);
    }
    EXPECT_ALL_IS_WELL();
    release(SIDE);
    ram_end_test();
}

TEST("swap_ram",
     "many pages that stay: are tried in pieces, and what is behind them goes in its turn")
{
    enum { STAY = 150, GO = 10 };
    uint32_t gone = 0, calls = 0;
    REQUIRE(ram_begin_test());
    REQUIRE(reserve(STAY + GO));
    for (uint32_t i = 0; i < STAY + GO; i++)
        fill(i, i < STAY ? RANDOM : ORDINARY);
    while (gone < GO && calls++ < 8) {
        uint32_t before = swap_ram_counts.refused;
        gone += swap_put_out(GO - gone);
        EXPECT(swap_ram_counts.refused - before <= 64);
        EXPECT(gone > 0 || swap_is_broken_off());
    }
    EXPECT_EQUAL(gone, GO);
    uint32_t most = (frame_pool.totals[FRAME_ANONYMOUS] + frame_pool.totals[FRAME_FILE]) / 64 + 1;
    for (calls = 0; calls <= most && swap_put_out(1) == 0 && swap_is_broken_off(); calls++)
        continue;
    EXPECT(calls > 0 && calls <= most); /* in the end it says that nothing can go */
    for (uint32_t i = 0; i < STAY + GO; i++)
        expect_page(i, i < STAY ? RANDOM : ORDINARY);
    EXPECT_ALL_IS_WELL();
    release(STAY + GO);
    ram_end_test();
}

TEST("swap_ram", "pages of shared memory that go: are free at once, as private ones are")
{
    enum { SHARED = 12 };
    struct object *object;
    frame_t frame;
    REQUIRE(ram_begin_test());
    REQUIRE(object_create_anonymous(SHARED, &object) == KERR_OK);
    for (uint32_t i = 0; i < SHARED; i++) {
        REQUIRE(object_frame(object, i, &frame) == KERR_OK);
        uint32_t *words = temp_map(TEMP_FRAME, frame);
        words[i] = i + 1;
        temp_unmap(TEMP_FRAME);
    }
    for (uint32_t i = 0; i < 4 && object->out_pages < SHARED; i++)
        (void)swap_put_out(SHARED);
    EXPECT_EQUAL(object->out_pages, SHARED);
    EXPECT_EQUAL(swap_sum().cached, 0);
    EXPECT_ALL_IS_WELL();
    object_put(object);
    ram_end_test();
}

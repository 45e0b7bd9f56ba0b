/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Tests of real disks, or an emulator's, that are full of a pattern (tests/lib/disk.sh).
 *
 * Disks without it are left alone, and so is what is on them. Only the disk that `testdisk=NAME`
 * names is written: at the end it has the second pattern in DISK_WRITTEN sectors of each window, the
 * first one in the others, for somebody outside to judge.
 */
#include "block_testing.h"

#include <arch/i386/cpu.h>
#include <arch/i386/entry.h>
#include <arch/i386/pit.h>
#include <kernel/string.h>
#include <mm/frame.h>

/*
 * Where the pattern is: everywhere on a small disk; at the ends of a large one, and where the sector
 * numbers begin to need more than 28 bits.
 */
enum { SMALL_SECTORS = 8192, WINDOW_SECTORS = 128, WINDOWS = 3, DISK_WRITTEN = 64 };
struct window {
    uint64_t first;
    uint32_t sectors;
};

/* Requests under way at once, each with frames of its own, in no order. */
enum { REQUESTS = 4, SECTOR_WORDS = BLOCK_SECTOR_BYTES / 4 };
static struct block_request requests[REQUESTS];
static frame_t frames;

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
    return test_random(&seed) % limit;
}

/* ---- the pattern ---- */

enum pattern { PATTERN_FIRST, PATTERN_SECOND = 0x80 };

/* Word NUMBER of SECTOR of DISK: disks are told apart by the last letter of their names. */
static uint32_t pattern_word(const struct block_device *disk, uint64_t sector, uint32_t number,
                             enum pattern pattern)
{
    uint32_t letter = (uint8_t)disk->name[strlen(disk->name) - 1];
    return ((uint32_t)sector * 0x01000193u + number) * 0x9E3779B1u + (letter | pattern);
}

/* The page and the offset in it of sector I of REQUEST's data. */
static uint32_t *map_sector(const struct block_request *request, uint32_t i)
{
    uint32_t at = request->offset + i * BLOCK_SECTOR_BYTES;
    uint8_t *page = temp_map(TEMP_FRAME, request->frames[at / PAGE_BYTES]);
    return (uint32_t *)(page + at % PAGE_BYTES);
}

static void fill(const struct block_request *request, enum pattern pattern)
{
    for (uint32_t i = 0; i < request->sectors; i++) {
        uint32_t *words = map_sector(request, i);
        for (uint32_t n = 0; n < SECTOR_WORDS; n++)
            words[n] = pattern_word(request->device, request->sector + i, n, pattern);
        temp_unmap(TEMP_FRAME);
    }
}

static bool sector_is(const struct block_request *request, uint32_t i, enum pattern pattern)
{
    const uint32_t *words = map_sector(request, i);
    bool is_right = true;
    for (uint32_t n = 0; n < SECTOR_WORDS; n++)
        is_right =
            is_right && words[n] == pattern_word(request->device, request->sector + i, n, pattern);
    temp_unmap(TEMP_FRAME);
    return is_right;
}

/* ---- requests ---- */

static bool must_check set_up(void)
{
    seed = 20261128;
    memset(requests, 0, sizeof(requests));
    return test_frames_take(&frames, REQUESTS * BLOCK_FRAMES_MAX);
}

static void tear_down(void)
{
    test_frames_give(frames, REQUESTS * BLOCK_FRAMES_MAX);
}

/* Request NUMBER: up to SECTORS sectors from SECTOR on, at most as many as fit behind OFFSET. Its
 * frames are never neighbours, and hold nothing of the pattern. */
static struct block_request *make(uint32_t number, struct block_device *disk,
                                  enum block_operation operation, uint64_t sector, uint32_t sectors,
                                  uint32_t offset)
{
    struct block_request *request = &requests[number];
    uint32_t room = BLOCK_SECTORS_MAX - offset / BLOCK_SECTOR_BYTES, turn = random_below(16);
    test_request(request, disk, operation, sector, sectors < room ? sectors : room);
    request->offset = offset;
    for (uint32_t i = 0; i < BLOCK_FRAMES_MAX; i++) {
        uint32_t place = (i * 5 + turn) % BLOCK_FRAMES_MAX;
        request->frames[i] = FRAME(frames.n + number * BLOCK_FRAMES_MAX + place);
        memset(temp_map(TEMP_FRAME, request->frames[i]), 0xEE, PAGE_BYTES);
        temp_unmap(TEMP_FRAME);
    }
    return request;
}

static uint32_t random_offset(void)
{
    return random_below(PAGE_BYTES / BLOCK_SECTOR_BYTES) * BLOCK_SECTOR_BYTES;
}

/* ---- disks ---- */

static uint32_t find_windows(const struct block_device *disk, struct window *windows)
{
    const uint64_t limit_28 = 0x10000000, half = WINDOW_SECTORS / 2;
    uint32_t count = 0;
    if (disk->sectors <= SMALL_SECTORS) {
        windows[count++] = (struct window){0, (uint32_t)disk->sectors};
        return count;
    }
    windows[count++] = (struct window){0, WINDOW_SECTORS};
    if (disk->sectors >= limit_28 + half)
        windows[count++] = (struct window){limit_28 - half, WINDOW_SECTORS};
    windows[count++] = (struct window){disk->sectors - WINDOW_SECTORS, WINDOW_SECTORS};
    return count;
}

static bool has_pattern(struct block_device *disk)
{
    struct block_request *request = make(0, disk, BLOCK_READ, 0, 1, 0);
    if (disk->disk != disk || block_wait(request) != KERR_OK)
        return false;
    return sector_is(request, 0, PATTERN_FIRST);
}

/* The next one with the pattern behind DISK (NULL: the first). */
static struct block_device *next_disk(const struct block_device *disk)
{
    struct block_device *next = disk == NULL ? block_first() : block_next(disk);
    while (next != NULL && !has_pattern(next))
        next = block_next(next);
    return next;
}

static void expect_no_trouble(const struct block_device *disk)
{
    EXPECT_EQUAL(disk->counts.errors, 0);
    EXPECT_EQUAL(disk->counts.retries, 0);
    EXPECT_EQUAL(disk->counts.time_outs, 0);
}

static void expect_all_right(const struct block_request *request)
{
    EXPECT_EQUAL(request->status, KERR_OK);
    for (uint32_t i = 0; i < request->sectors; i++)
        EXPECT(sector_is(request, i, PATTERN_FIRST));
}

/* Nothing but the sectors asked for was written into the frames. */
static bool is_clean_around(const struct block_request *request)
{
    uint32_t end = request->offset + request->sectors * BLOCK_SECTOR_BYTES;
    bool is_clean = true;
    for (uint32_t i = 0; i < BLOCK_FRAMES_MAX; i++) {
        const uint8_t *page = temp_map(TEMP_FRAME, request->frames[i]);
        for (uint32_t byte = 0; byte < PAGE_BYTES; byte++) {
            uint32_t at = i * PAGE_BYTES + byte;
            if (at < request->offset || at >= end)
                is_clean = is_clean && page[byte] == 0xEE;
        }
        temp_unmap(TEMP_FRAME);
    }
    return is_clean;
}

TEST("disk",
     "full of a pattern, read in pieces of all sizes: every word is right, none beside them")
{
    REQUIRE(set_up());
    uint32_t disks = 0;
    for (struct block_device *disk = next_disk(NULL); disk != NULL; disk = next_disk(disk)) {
        struct window windows[WINDOWS];
        uint32_t count = find_windows(disk, windows);
        disks++;
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t done = 0; done < windows[i].sectors; done += requests[0].sectors) {
                uint32_t left = windows[i].sectors - done, most = 1 + random_below(128);
                struct block_request *request = make(0, disk, BLOCK_READ, windows[i].first + done,
                                                     left < most ? left : most, random_offset());
                EXPECT_EQUAL(block_wait(request), KERR_OK);
                expect_all_right(request);
                EXPECT(is_clean_around(request));
            }
        }
        expect_no_trouble(disk);
    }
    tear_down();
    if (disks == 0)
        SKIP("needs a disk with the pattern");
}

/* Interrupts come, and nobody polls, until all requests are done, or half a minute is over. */
static void wait_for_interrupts(uint32_t count)
{
    const uint32_t patience = 30 * PIT_INPUT_HZ;
    uint32_t since = pit_stopwatch();
    for (uint32_t i = 0; i < count; i++)
        while (requests[i].status == KERR_MUST_WAIT && pit_stopwatch() - since < patience)
            cpu_take_interrupts();
    for (uint32_t i = 0; i < count; i++)
        EXPECT_EQUAL(requests[i].status, KERR_OK);
}

TEST("disk", "requests for all disks at once, nobody polls: interrupts carry them out")
{
    struct block_device *disks[REQUESTS];
    uint32_t count = 0;
    REQUIRE(set_up());
    for (struct block_device *disk = next_disk(NULL); disk != NULL && count < REQUESTS;
         disk = next_disk(disk))
        disks[count++] = disk;
    for (uint32_t round = 0; round < 16 && count > 0; round++) {
        for (uint32_t i = 0; i < REQUESTS; i++) {
            struct block_device *disk = disks[(i + round) % count];
            uint32_t sectors = 1 + random_below(WINDOW_SECTORS);
            EXPECT_EQUAL(
                block_submit(make(i, disk, BLOCK_READ, random_below(WINDOW_SECTORS - sectors + 1),
                                  sectors, random_offset())),
                KERR_OK);
        }
        wait_for_interrupts(REQUESTS);
        for (uint32_t i = 0; i < REQUESTS; i++)
            expect_all_right(&requests[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        expect_no_trouble(disks[i]);
    tear_down();
    if (count == 0)
        SKIP("needs a disk with the pattern");
}

TEST("disk", "a write that got into the queue of a closed disk: refused by the driver, too")
{
    REQUIRE(set_up());
    struct block_device *disk = next_disk(NULL);
    if (disk != NULL) {
        struct block_request *request = make(0, disk, BLOCK_WRITE, 3, 1, 0);
        request->status = KERR_MUST_WAIT;
        list_add_last(&disk->queue, &request->link);
        disk->driver->start(disk);
        EXPECT_EQUAL(request->status, KERR_READ_ONLY);
        EXPECT_EQUAL(block_wait(make(0, disk, BLOCK_READ, 3, 1, 0)), KERR_OK);
        EXPECT(sector_is(&requests[0], 0, PATTERN_FIRST));
        disk->counts.errors = 0;
    }
    tear_down();
    if (disk == NULL)
        SKIP("needs a disk with the pattern");
}

/* ---- writing ---- */

static void write_pattern(struct block_device *disk, uint64_t sector, uint32_t sectors,
                          uint32_t offset, enum pattern pattern)
{
    struct block_request *request = make(0, disk, BLOCK_WRITE, sector, sectors, offset);
    fill(request, pattern);
    EXPECT_EQUAL(block_wait(request), KERR_OK);
}

/* Write pieces of WINDOW in either pattern, keep account, and compare all of it with that. */
static void write_and_compare(struct block_device *disk, const struct window *window)
{
    uint8_t *const is_second = test_scratch; /* 1, or 0 */
    _Static_assert(SMALL_SECTORS * sizeof(*is_second) <= TEST_SCRATCH_BYTES, "all sectors");
    memset(is_second, 0, SMALL_SECTORS);
    for (uint32_t round = 0; round < 40; round++) {
        enum pattern pattern = round % 3 == 2 ? PATTERN_FIRST : PATTERN_SECOND;
        uint32_t first = random_below(window->sectors), most = 1 + random_below(128);
        uint32_t left = window->sectors - first;
        write_pattern(disk, window->first + first, left < most ? left : most, random_offset(),
                      pattern);
        for (uint32_t i = 0; i < requests[0].sectors; i++)
            is_second[first + i] = pattern == PATTERN_SECOND;
    }
    for (uint32_t done = 0; done < window->sectors; done += requests[0].sectors) {
        EXPECT_EQUAL(block_wait(make(0, disk, BLOCK_READ, window->first + done,
                                     window->sectors - done, random_offset())),
                     KERR_OK);
        for (uint32_t i = 0; i < requests[0].sectors; i++)
            EXPECT(
                sector_is(&requests[0], i, is_second[done + i] ? PATTERN_SECOND : PATTERN_FIRST));
    }
    for (uint32_t done = 0; done < window->sectors; done += requests[0].sectors)
        write_pattern(disk, window->first + done,
                      done < DISK_WRITTEN ? DISK_WRITTEN : window->sectors - done, 0,
                      done < DISK_WRITTEN ? PATTERN_SECOND : PATTERN_FIRST);
}

TEST("disk", "written in pieces, read back, flushed: what was written, and the rest as it was")
{
    struct block_device *disk = test_disk_named();
    if (disk == NULL)
        SKIP("needs testdisk=");
    REQUIRE(set_up());
    if (!has_pattern(disk)) {
        test_fail(__FILE__, __LINE__, "testdisk= names a disk without the pattern");
        tear_down();
        return;
    }
    struct window windows[WINDOWS];
    uint32_t count = find_windows(disk, windows);
    EXPECT_EQUAL(block_open_for_writing(disk, "test"), KERR_OK);
    for (uint32_t i = 0; i < count; i++)
        write_and_compare(disk, &windows[i]);
    fill(make(0, disk, BLOCK_WRITE, 0, 1, 0), PATTERN_SECOND);
    EXPECT_EQUAL(block_submit(&requests[0]), KERR_OK);
    requests[1].device = disk;
    requests[1].operation = BLOCK_FLUSH;
    EXPECT_EQUAL(block_submit(&requests[1]), KERR_OK);
    wait_for_interrupts(2);
    block_close_for_writing(disk);
    expect_no_trouble(disk);
    tear_down();
}

/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: power cuts in a boot. What the kernel wrote was logged by QEMU (blklogwrites: as
 * Linux' dm-log-writes). The power goes behind each block of each write; then, by chance, some writes
 * since the last flush are missing, as in a disk with a cache of its own.
 *
 * What is promised stands on the disk itself (promise.h). In the first case e2fsck -p has to repair it
 * without a question. In the second one it may ask: the order between two flushes is what ext2 relies on.
 */
#include "disk.h"
#include "promise.h"
#include "tests.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECTOR_BYTES = 512, LOG_FLUSH = 1, LOG_DISCARD = 4 };
#define LOG_MAGIC 0x6a736677736872ull

struct log_head {
    uint64_t magic, version, entries;
    uint32_t sector_bytes;
};
struct log_entry {
    uint64_t sector, sectors, flags, bytes;
};

/* One block of a write; or (NULL) a flush. */
struct piece {
    uint64_t offset;
    uint32_t bytes;
    const uint8_t *data;
};
static struct piece *pieces;
static uint32_t piece_count;

static void add_piece(uint64_t offset, uint32_t bytes, const uint8_t *data)
{
    if (piece_count % 1024 == 0)
        pieces = realloc(pieces, (piece_count + 1024) * sizeof(*pieces));
    pieces[piece_count++] = (struct piece){offset, bytes, data};
}

static void add_write(uint64_t offset, uint64_t bytes, const uint8_t *data, uint32_t block_bytes)
{
    while (bytes > 0) {
        uint32_t piece = block_bytes - (uint32_t)(offset % block_bytes);
        piece = bytes < piece ? (uint32_t)bytes : piece;
        add_piece(offset, piece, data);
        offset += piece;
        data += piece;
        bytes -= piece;
    }
}

/* LOG, of BYTES bytes. QEMU ends without a word in its head of how many entries there are. */
static void read_log(const uint8_t *log, uint64_t bytes, uint32_t block_bytes)
{
    const struct log_head *head = (const void *)log;
    if (bytes < SECTOR_BYTES || head->magic != LOG_MAGIC || head->sector_bytes != SECTOR_BYTES)
        world_fail("this is no log of writes");
    for (uint64_t at = SECTOR_BYTES; at + SECTOR_BYTES <= bytes;) {
        const struct log_entry *entry = (const void *)(log + at);
        uint64_t length = entry->sectors * SECTOR_BYTES;
        at += SECTOR_BYTES;
        if (entry->flags & LOG_FLUSH)
            add_piece(0, 0, NULL);
        if (entry->flags & LOG_DISCARD || length == 0)
            continue;
        if (length > bytes - at)
            world_fail("the log is cut short");
        add_write(entry->sector * SECTOR_BYTES, length, log + at, block_bytes);
        at += length;
    }
}

/* ---- what is there ---- */

static uint32_t kept, moved_before, random_state;

/* All that the disk itself says was promised. What is said of a file that moves is written over, and never
 * taken back. */
static void check_slots(uint32_t cut)
{
    uint64_t length;
    uint8_t *slots = tree_read_path(PROMISES_FILE, &length);
    uint32_t moved = 0;
    for (uint64_t at = 0; slots != NULL && at + PROMISE_BYTES <= length; at += PROMISE_BYTES) {
        struct promise promise;
        memcpy(&promise, slots + at, sizeof(promise));
        if (promise.magic != PROMISE_MAGIC || promise.check != promise_sum(&promise))
            continue;
        promise.at = cut;
        promise_check(&promise);
        kept++;
        moved += promise.kind == PROMISE_MOVED;
    }
    free(slots);
    if (moved < moved_before)
        world_fail("cut %u: %u promises are there, but %u were", cut, moved, moved_before);
    moved_before = moved;
}

static void apply(uint8_t *image, const struct piece *piece)
{
    memcpy(image + piece->offset, piece->data, piece->bytes);
}

/* The power goes behind each STEPth block. */
static uint32_t cut_in_order(uint8_t *image, uint64_t bytes, uint32_t step)
{
    uint32_t cuts = 0;
    for (uint32_t i = 0; i <= piece_count; i++) {
        if (i % step == 0 || i == piece_count) {
            judge_image(image, bytes, i, false, check_slots);
            cuts++;
        }
        if (i < piece_count && pieces[i].data != NULL)
            apply(image, &pieces[i]);
    }
    return cuts;
}

/* Judging uses world_random() as well. */
static uint32_t random_bit(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 31;
}

/* Of the blocks between two flushes, each is there or not. Returns how often e2fsck asked. */
static uint32_t cut_in_disorder(uint8_t *image, uint64_t bytes, uint32_t samples)
{
    uint8_t *copy = malloc(bytes);
    uint32_t asked = 0, taken = 0;
    for (uint32_t first = 0, end; first < piece_count; first = end + 1) {
        for (end = first; end < piece_count && pieces[end].data != NULL; end++)
            ;
        uint32_t wanted = (uint32_t)((uint64_t)samples * end / piece_count);
        for (; taken < wanted && end - first > 1; taken++) {
            memcpy(copy, image, bytes);
            moved_before = 0;
            for (uint32_t i = first; i < end; i++)
                if (random_bit())
                    apply(copy, &pieces[i]);
            asked += judge_image(copy, bytes, end, true, check_slots) == DISK_ASKED;
        }
        for (uint32_t i = first; i < end; i++)
            apply(image, &pieces[i]);
    }
    printf("note: %u cuts out of order, e2fsck -p asked at %u\n", taken, asked);
    free(copy);
    return taken;
}

void test_replay(const struct arguments *arguments)
{
    uint64_t bytes, log_bytes;
    uint8_t *image = disk_load_path(arguments->image, &bytes), *before = malloc(bytes);
    uint8_t *log = disk_load_path(arguments->log, &log_bytes);
    memcpy(before, image, bytes);
    read_log(log, log_bytes, arguments->block_bytes);
    uint32_t step = piece_count / arguments->operations + 1;
    inodes_begin();
    tree_begin();
    random_state = arguments->seed;
    uint32_t cuts = cut_in_order(image, bytes, step);
    printf("note: %u of %u cuts, %u promises kept\n", cuts, piece_count + 1, kept);
    if (kept == 0)
        world_fail("nothing was ever promised");
    disk_check(image, bytes);
    (void)cut_in_disorder(before, bytes, arguments->rounds);
    tree_end();
    free(pieces);
    free(image);
    free(before);
    free(log);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. A disk that fails now and then, as somebody outside has arranged: what is said to be
 * written is there, and the counts are said for who knows what they should be (tests/lib/disk.sh).
 */
#include "block_testing.h"

#include <arch/i386/entry.h>
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum { FIRST_SECTOR = 96, ROUNDS = 8 };

static struct block_request request;

/* One sector, or a flush; it may fail, but in no other way. */
static bool carry_out(struct block_device *disk, enum block_operation operation, uint32_t sector,
                      frame_t frame)
{
    test_request(&request, disk, operation, sector, 1);
    request.frames[0] = frame;
    enum kerr error = block_wait(&request);
    EXPECT(error == KERR_OK || error == KERR_IO);
    return error == KERR_OK;
}

static void write_and_read(struct block_device *disk, frame_t frame)
{
    for (uint32_t sector = FIRST_SECTOR; sector < FIRST_SECTOR + ROUNDS; sector++) {
        test_fill(frame, 1, sector);
        bool is_written = carry_out(disk, BLOCK_WRITE, sector, frame);
        (void)carry_out(disk, BLOCK_FLUSH, 0, frame);
        test_fill(frame, 1, 0);
        if (carry_out(disk, BLOCK_READ, sector, frame) && is_written)
            EXPECT(test_is_filled(frame, 0, BLOCK_SECTOR_BYTES, sector, 0));
    }
}

TEST("disk-trouble", "written, flushed and read, with errors: right, or KERR_IO")
{
    struct block_device *disk = test_disk_named();
    frame_t frame;
    if (disk == NULL)
        SKIP("needs testdisk=");
    REQUIRE(test_frames_take(&frame, 1));
    memset(&request, 0, sizeof(request));
    EXPECT_EQUAL(block_open_for_writing(disk, "test"), KERR_OK);
    write_and_read(disk, frame);
    block_close_for_writing(disk);
    printk("# %s: errors %u, retries %u, time-outs %u, resets %u\n", disk->name,
           (unsigned)disk->counts.errors, (unsigned)disk->counts.retries,
           (unsigned)disk->counts.time_outs, (unsigned)disk->counts.resets);
    test_frames_give(frame, 1);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of it and what stands on it: a disk of frames that answers when the test lets it, well
 * or badly. At first word W of page P is P << 16 | W.
 */
#ifndef TESTS_KERNEL_STORE_TESTING_H
#define TESTS_KERNEL_STORE_TESTING_H

#include <device/block.h>
#include <mm/object.h>

struct store_disk {
    struct block_device device; /* named "test"; not open for writing */
    struct object *object;      /* it owns the frames, */
    frame_t memory;             /* of which this is the first */
    uint32_t pages;
    bool holds_back;   /* requests stay in the queue until store_disk_work() */
    uint32_t fails_at; /* the request that fails, counted from 1; 0: none; */
    bool stays_broken; /* and all behind it */
    uint32_t bad_page; /* can't be written; 0: none */
    uint64_t unread;   /* of the first 64 pages: the last try to read them failed */
    uint32_t reads, writes, flushes;
    uint32_t longest; /* request, in sectors */
};
extern struct store_disk store_disk;

/* The disk has PAGES pages, and is registered. False: there are not so many frames in a row. */
bool must_check store_disk_begin(uint32_t pages);
void store_disk_end(void); /* it is closed, and nothing of it is under way */

/* All that has been asked for is done. */
void store_disk_work(void);

/* The word of the disk that byte AT begins with. */
uint32_t store_disk_word(uint32_t at);

/* BYTES bytes from FROM stand at byte AT, in one page, from here on. */
void store_disk_poke(uint32_t at, const void *from, uint32_t bytes);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: what stands in for layers 0-8 and for the rest of layer 9. The disk is an array,
 * and a list of all that was written to it, in order. Pages come and go when the test says so; what
 * may have to wait does, now and then.
 */
#ifndef TESTS_HOST_EXT2_WORLD_H
#define TESTS_HOST_EXT2_WORLD_H

#include <file/inode.h>
#include <store/cache.h>

/* ---- the disk ---- */

struct disk_write {
    uint64_t sector;
    uint32_t bytes;
    uint8_t *data;
};

struct world {
    uint8_t *image;
    uint64_t bytes;
    struct block_device device;
    struct disk_write *log; /* if it is kept */
    uint32_t writes, log_room;
    bool keeps_log;
    bool is_slow;          /* what comes from the disk comes later */
    uint32_t random;       /* state */
    uint32_t requests;     /* so far; */
    uint32_t fail_request; /* the one that fails, from 1 on; 0: none */
    bool fails_for_ever;   /* and all behind it */
    bool has_failed;
    uint32_t allocations, fail_allocation;
    uint32_t blocks_allocated; /* of the heap, now */
};
extern struct world world;

uint32_t world_random(uint32_t below);

/* A disk of the BYTES bytes at IMAGE, which it takes over; nothing is in the core. */
void world_begin(uint8_t *image, uint64_t bytes);

/* Something that is under way is done, or all of it. False: there was nothing. */
bool world_step(void);
void world_finish(void);

/* Some dirty pages are written, as the store does at any time; some clean ones go. */
void world_write_some(uint32_t pages);
void world_drop_some(uint32_t pages);

/* Pages that are under way, or dirty. */
uint32_t world_busy_pages(void);
uint32_t world_dirty_pages(void);

/* ---- events ---- */

/* Call again what must wait, until it is done. */
#define AGAIN(error, call)                                                                         \
    do {                                                                                           \
        world_begin_event();                                                                       \
        (error) = (call);                                                                          \
    } while (world_goes_on(error))

void world_begin_event(void);
bool world_goes_on(enum kerr error);

/* ---- inodes ---- */

void inodes_begin(void);
/* All of them that can leave do; the number of those that are left. */
uint32_t inodes_leave(struct mount *mount);
uint32_t inodes_in_core(void);

noreturn void world_fail(const char *format, ...) printf_like(1, 2);

#endif

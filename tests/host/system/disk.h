/* SPDX-License-Identifier: MIT */
/*
 * Host model. A disk: an image in the host's memory behind the interface of device/block.h.
 *
 * Its requests are done later, one at a time, in any order that a disk with a queue may choose: nothing
 * overtakes a flush or is overtaken by it, and requests for the same sectors keep their order. What is
 * written is taken from memory at the beginning or at the end. All by a seed. Every request may fail.
 */
#ifndef TESTS_HOST_SYSTEM_DISK_H
#define TESTS_HOST_SYSTEM_DISK_H

#include <device/block.h>

struct disk {
    struct block_device device;
    uint8_t *image; /* the caller's */
    uint64_t bytes;
    uint32_t done; /* requests, so far */

    /* The request that fails, from 1 on, counted by `done`; 0: none. */
    uint32_t fail_number;
    bool fails_for_ever; /* so do all behind it, */
    uint32_t fail_kinds; /* of these operations: bits of enum block_operation */
    bool has_failed;

    /* Told of everything that is written, in the order in which it is. NULL: nobody. */
    void (*on_write)(uint64_t sector, const uint8_t *data, uint32_t bytes);
};

/* The one of a test: it goes back with the machine. */
extern struct disk system_disk;

/* All that is decided by chance, from here on. */
void disk_seed(uint32_t seed);
uint32_t disk_random(uint32_t below);
/* One time of IN; 0: never. */
bool disk_chance(uint32_t in);

/* DISK becomes a disk NAME of the BYTES bytes at IMAGE, and is registered. */
void disk_begin(struct disk *disk, const char *name, uint8_t *image, uint64_t bytes);

/* Some request of some disk is done. False: there was none. */
bool disk_step(void);

/* DISK fails no more. */
void disk_heal(struct disk *disk);

#endif

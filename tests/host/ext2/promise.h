/* SPDX-License-Identifier: MIT */
/*
 * Promises: what has to be on a disk, whatever comes later. Those who make files and promise them
 * (cuts.c, tests/user/power_cuts.c), and who judges an image by them (promise.c), share what is in the
 * files.
 *
 * A program writes its promises to a file of the disk that they are about, PROMISES_FILE: a slot of one
 * sector for each kind and each file, written over and flushed after what it promises was flushed. So
 * an image tells itself what has to be in it. Before a program does what is not as promised, it
 * promises less.
 */
#ifndef TESTS_HOST_EXT2_PROMISE_H
#define TESTS_HOST_EXT2_PROMISE_H

#include <stdint.h>
#include <string.h>

enum promise_kind {
    PROMISE_NOTHING,
    PROMISE_SAVED,  /* version `value`, or a later one, of file `which` is at place 0, whole */
    PROMISE_LOG,    /* the first `value` bytes of the log are at place 0 */
    PROMISE_MOVED,  /* file `which`, whole, is at one of its two places */
    PROMISE_THERE,  /* something is at place 0; if place 1 is not empty, a link that says place 1 */
    PROMISE_GONE,   /* nothing is at place 0 */
    PROMISE_LENGTH, /* the file at place 0 has just `value` bytes, those of the log */
    PROMISE_KINDS
};

enum {
    PROMISE_FILES = 4,   /* of a kind */
    PROMISE_BYTES = 512, /* of a slot */
    PROMISE_PLACE_BYTES = 64,
    PROMISE_VERSION_BYTES_MAX = 30000, /* and 100 */
    PROMISE_LOG_BYTES_MAX = 40000,
    PROMISE_MAGIC = 0x50524F4D
};
#define PROMISES_FILE "promises"

struct promise {
    uint32_t magic, check; /* the sum of the words behind */
    uint32_t serial, kind, which, value;
    uint32_t at; /* the write that it was made behind, where that is known */
    char place[2][PROMISE_PLACE_BYTES];
};

static inline uint32_t promise_sum(const struct promise *promise)
{
    const uint8_t *bytes = (const uint8_t *)&promise->serial;
    uint32_t sum = 1;
    for (uint32_t i = 0; i < sizeof(*promise) - 2 * sizeof(uint32_t); i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

/* What stands in version VERSION of file WHICH: to BYTES. Returns its length. */
static inline uint32_t promise_version(uint8_t *bytes, uint32_t which, uint32_t version)
{
    uint32_t length = 100 + (version * 7919 + which * 104729) % PROMISE_VERSION_BYTES_MAX;
    memcpy(bytes, &version, sizeof(version));
    for (uint32_t i = sizeof(version); i < length; i++)
        bytes[i] = (uint8_t)(version * 31 + which * 17 + i);
    return length;
}

/* A file that moves is version 1 of another number. */
static inline uint32_t promise_moved(uint8_t *bytes, uint32_t which)
{
    return promise_version(bytes, 100 + which, 1);
}

static inline uint8_t promise_log_byte(uint32_t at)
{
    return (uint8_t)((at * 0x9E3779B1u) >> 24);
}

#endif

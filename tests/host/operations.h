/* SPDX-License-Identifier: MIT */
/*
 * Host test. Sequences of operations on the kernel's layers 4 and 5, compared with a plain model.
 *
 * The playground: twelve pages at the edges of three slots, in each of four spaces and once in
 * kernel space. The model: an array of pages per space, each with rights and one word of contents,
 * which may be an object's. Three objects: two files, and shared memory. And a swap
 * area, on a disk that works when it is let.
 */
#ifndef TESTS_HOST_OPERATIONS_H
#define TESTS_HOST_OPERATIONS_H

#include <kernel/types.h>

enum operation_kind {
    OP_RESERVE,
    OP_RELEASE,
    OP_PROTECT,
    OP_DISCARD,
    OP_MAKE_REAL,
    OP_WRITE,
    OP_READ,
    OP_UNSHARE,
    OP_CREATE,
    OP_DESTROY,
    OP_SWITCH,
    OP_FORK,
    OP_ALLOCATE,
    OP_RESIZE,
    OP_FREE,
    OP_TRIM,
    OP_FAIL,     /* of the next operation, an allocation fails */
    OP_PRESSURE, /* few frames are left: HOW of them, below PLAY_FRAMES_MAX; or all again */
    OP_MAP,      /* an object, from one of its pages on: privately or shared */
    OP_MOVE,
    OP_STRETCH, /* the end of a promise moves: up, or down */
    OP_TAKE,    /* writes of an object's pages; those that had a pager to ask are clean again */
    OP_AGE,     /* entries of an object's pages, once or twice */
    OP_PUT_OUT, /* pages and tables go to swap */
    OP_DISK,    /* requests are done, a tick comes */
    OP_RECLAIM,
    OP_DISK_FAILS, /* one of the next requests does */
    OP_KINDS
};

enum {
    PLAY_SLOTS = 3,
    PLAY_POINTS = 12,
    PLAY_SPACES = 4,
    PLAY_BLOCKS = 8,
    PLAY_OBJECTS = 3,
    PLAY_FRAMES_MAX = 48
};

/* Any four bytes are an operation: values out of range are taken modulo. */
struct operation {
    uint8_t kind;
    uint8_t where; /* a point, a space, a block; bit 7: in kernel space */
    uint8_t to;    /* the range's other point; a size */
    uint8_t how;   /* rights; which allocation fails */
};

/* Boot a machine to run sequences on, with SLOTS swap slots; 0: there is no swap. */
void operations_boot(uint32_t ram_bytes, uint32_t slots);

enum strictness {
    CHECK_STEPS, /* after each operation: its result, the contents, the TLB */
    CHECK_AUDIT  /* and an audit */
};

/*
 * Run the COUNT operations on the machine as it was booted.
 *   returns NULL, or what is wrong; *AT is the operation that it was found at
 */
const char *operations_run(const struct operation *operations, uint32_t count,
                           enum strictness strictness, uint32_t *at);

/* What all sequences so far have done to pages and tables. */
struct operations_swapped {
    uint64_t out, in, tables_out, tables_in;
};
extern struct operations_swapped operations_swapped;

/* As a line of C, for people. */
void operation_print(const struct operation *operation, char *text, size_t bytes);

/* Take out operations as long as what is left still fails. Returns how many are left. */
uint32_t operations_shrink(struct operation *operations, uint32_t count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: everything.
 *
 * What went wrong in the world outside: memory is full, a table from the firmware is nonsense, a
 * person typed a wrong number. A caller's bug is not an error: it is an ASSERT and a panic.
 * Results come through the last parameter; no value of an address doubles as an error.
 */
#ifndef KERNEL_KERR_H
#define KERNEL_KERR_H

#include <kernel/types.h>

enum kerr {
    KERR_OK = 0,
    KERR_NO_MEMORY,   /* no free frame, or no free record of a fixed array */
    KERR_NO_ROOM,     /* no free range of addresses is large enough */
    KERR_EXISTS,      /* something is mapped or registered there already */
    KERR_NOT_FOUND,   /* nothing is mapped or registered there */
    KERR_BAD_RANGE,   /* empty, misaligned, wraps around, or outside what the call may touch */
    KERR_BAD_VALUE,   /* any other argument that makes no sense */
    KERR_UNSUPPORTED, /* this CPU or this machine can't do it */
    KERR_BAD_ACCESS,  /* the address may not be accessed so */
    KERR_MUST_WAIT,   /* ask again when the channel that was left (kernel/channel.h) is ready */
    KERR_IO,          /* a device, or what it holds, can't be read or written */
    KERR_READ_ONLY,   /* it is not to be written */
    KERR_NO_SPACE,    /* a disk, or what stands for one, is full */
    KERR_NOT_EMPTY,   /* a directory that is to go has names in it */
    KERR_TOO_LARGE,   /* a file can't be so long */
    KERR_TOO_MANY,    /* a file can't have so many links */
    KERR_BUSY,        /* somebody uses it */
    KERR_AGAIN,       /* a piece is done: ask again, at once or later */
};

#define kerr_t must_check enum kerr

/* A short lower-case sentence for a person, e.g. "out of memory". Never NULL. */
const char *kerr_text(enum kerr error);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Host test. Swap on the playground: an area on a disk of the host's, which works when it is let.
 *
 * The disk's memory does not go back with the machine. It need not: no slot is in use when a sequence
 * begins.
 */
#ifndef TESTS_HOST_PLAY_SWAP_H
#define TESTS_HOST_PLAY_SWAP_H

#include "operations.h"

#include <kernel/fault.h>
#include <kernel/kerr.h>
#include <kernel/types.h>

/* An area of SLOTS slots is there from here on. */
void play_swap_begin(uint32_t slots);

/* Before each sequence: the disk's order is the same each time. */
void play_swap_reset(void);

/* Before each operation: it may wait so and so often. */
void play_swap_be_patient(void);

/* What was answered is no answer yet: something was done about it, and who asked asks again. */
bool play_goes_on(enum kerr result);
bool play_access_goes_on(enum fault_result result);

/* CALL is made until it has an answer. */
#define REPEATED(call)                                                                             \
    ({                                                                                             \
        enum kerr result_;                                                                         \
        do                                                                                         \
            result_ = (call);                                                                      \
        while (play_goes_on(result_));                                                             \
        result_;                                                                                   \
    })

/* The words of SLOT, wherever they are just now: in its frame, or on the disk. */
const uint32_t *play_slot_words(frame_t slot);

void play_put_out(const struct operation *operation);
void play_disk(const struct operation *operation);
void play_reclaim(const struct operation *operation);
void play_disk_fails(const struct operation *operation);

#endif

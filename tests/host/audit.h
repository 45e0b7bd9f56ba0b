/* SPDX-License-Identifier: MIT */
/*
 * Host test. A second opinion on everything that layers 1-5 keep, formed from RAM alone.
 */
#ifndef TESTS_HOST_AUDIT_H
#define TESTS_HOST_AUDIT_H

#include <mm/frame.h>
#include <mm/space.h>

/* How to look at swap slots. Without them, no entry may name one. */
struct audit_slots {
    const uint32_t *(*words)(frame_t slot); /* what is in it, or will be */
    bool (*has_frame)(frame_t slot);        /* which has a reference to it as well */
};
void audit_know_slots(const struct audit_slots *slots);

/*
 * Count every reference from the directories up, and compare with frames, regions and TLB.
 *   spaces  the COUNT spaces that there are, the boot space first
 *   returns NULL, or the sentence that is not true (in a buffer of its own)
 */
const char *audit(struct space *const *spaces, uint32_t count);

/* What a failed operation must leave as it was. Pages of the region array may stay. */
struct census {
    uint32_t totals[FRAME_KINDS];
    uint32_t kernel_regions, kernel_reserved, live_directories, heap_blocks, set_aside, nodes;
};
void census_take(struct census *census);
const char *census_compare(const struct census *before, const struct census *after);

#endif

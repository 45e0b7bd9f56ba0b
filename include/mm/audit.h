/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3, vma, space. Used by: self-tests, layers 8-11.
 *
 * A recount of everything that layers 1-4 keep, from the directories up. It takes no memory, so it
 * works when none is left: what it finds is subtracted from the references of the frames, which
 * then must be what owners outside the entries hold, and is added again.
 */
#ifndef MM_AUDIT_H
#define MM_AUDIT_H

#include <mm/space.h>

enum { AUDIT_WHERE_BYTES = 96 };

struct audit {
    const char *broken;            /* the first sentence that is not true; NULL: all are */
    char where[AUDIT_WHERE_BYTES]; /* what it is not true of: an entry, a frame; or empty */
    uint32_t spaces, regions;      /* what was looked at, the kernel's included */
    uint32_t objects;
    uint32_t directory_entries; /* in use; those of the kernel half once */
    uint32_t tables;            /* different ones */
    uint32_t references;        /* that entries and objects hold, of the frames below */
    uint32_t frames;
    uint32_t hidden; /* while it runs: entries of tables that are out and can't be seen */
};

/*
 * Recount: frames (kinds, totals, bitmap; references from the entries of all live directories; no
 * frame without an owner), objects, entries against regions and against the rules of pte.h, trees,
 * region nodes, shared tables, windows, kernel halves, zero frame and tables, temporary pages,
 * debts to the TLB. SET_ASIDE is how many frames the caller knows to be set aside.
 *   *audit    what was counted, or what is broken
 *   => while it runs, the frames' references are not what they are: nothing may interrupt it
 *   returns audit->broken
 */
const char *vm_audit(struct audit *audit, uint32_t set_aside);

#endif

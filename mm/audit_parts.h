/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Private. Uses: layers 0-3, vma, object. Used by: mm/audit.c, mm/audit_entries.c.
 *
 * How the parts of the audit say what is broken, and how they walk over all directories.
 */
#ifndef MM_AUDIT_PARTS_H
#define MM_AUDIT_PARTS_H

#include <mm/audit.h>
#include <mm/frame.h>
#include <mm/object.h>
#include <mm/zero.h>

/* SENTENCE is not true, of what FORMAT says; the first one counts. */
printf_like(3, 4) void audit_broken(struct audit *audit, const char *sentence, const char *format,
                                    ...);

static inline bool is_ram(frame_t frame)
{
    return frame.n < frame_pool.frames;
}

/* An entry of a directory, in use. */
struct directory_entry {
    const struct space *space; /* the kernel's from slot 768 on */
    uint32_t slot;
    pde_t pde;
};

typedef void audit_visit_t(struct audit *audit, const struct directory_entry *at);

/* Call VISIT for each entry that is in use; those of the kernel half come once. */
void audit_each_directory_entry(struct audit *audit, audit_visit_t *visit);

/* The region that holds the first page of the slot, or NULL. */
static inline const struct vma *region_of_slot(const struct directory_entry *at)
{
    return vma_find(at->space, slot_to_vaddr(at->slot));
}

static inline bool is_fixed(const struct vma *region)
{
    return region != NULL && region->kind == VMA_FIXED;
}

/* Every entry, of directories and of tables, by the rules of audit_entries.c. */
void audit_entries_by_rules(struct audit *audit);

#endif

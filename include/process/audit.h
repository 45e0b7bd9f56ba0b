/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: program/init.c, prompt/commands_system.c, tests.
 *
 * A recount of layer 8's own books, as mm/audit.h is one of those below: records and their links,
 * who waits where, memories and their spaces. It takes no memory.
 */
#ifndef PROCESS_AUDIT_H
#define PROCESS_AUDIT_H

#include <mm/audit.h>
#include <process/process.h>

struct process_audit {
    const char *broken;            /* the first sentence that is not true; NULL: all are */
    char where[AUDIT_WHERE_BYTES]; /* what it is not true of: a process; or empty */
    uint32_t processes, zombies, memories;
    uint32_t objects;   /* anonymous ones: shared memory, files */
    uint64_t committed; /* frames, promised to memories and objects */
};

/*
 * Recount. Only while no system call is half done: at the prompt, at the end, between tests.
 *   => while it runs, the references of memories and objects are not what they are
 *   returns audit->broken
 */
const char *process_audit(struct process_audit *audit);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Private to file/. Locks of files (calls_lock.c).
 */
#ifndef FILE_LOCKS_H
#define FILE_LOCKS_H

#include "open_file.h"

enum lock_kind { LOCK_KIND_NONE, LOCK_KIND_SHARED, LOCK_KIND_EXCLUSIVE };

#define LOCK_OF_NOBODY 0xFFFFFFFFu /* instead of a pid: it is an open file's */

/* A lock that is asked for: of bytes FIRST to LAST, both inside. */
struct lock_wish {
    const void *owner; /* a process, or an open file */
    uint64_t first, last;
    uint32_t pid;
    bool is_whole;       /* flock()'s */
    enum lock_kind kind; /* NONE: what the owner has there goes */
    bool waits;
};

/*
 * Do as WISH says.
 *   returns 0; -EAGAIN (somebody else has it), -EDEADLK, -ENOLCK; or what the call must return
 */
int32_t lock_set(struct process *self, struct inode *inode, const struct lock_wish *wish);

/* Somebody has a lock that WISH would wait for: it is put into WISH. */
bool lock_find(struct inode *inode, struct lock_wish *wish);

/* The commands of fcntl() about locks. */
bool lock_is_command(uint32_t command);
int32_t lock_command(struct process *self, struct file *file, uint32_t command, uint32_t address);

#endif

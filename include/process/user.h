/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-4. Used by: everything that reads or writes a program's memory.
 *
 * Copies between the kernel and the lower half of the current space. Any address and any length is
 * allowed: what wraps, or reaches the kernel, is refused. A fault on the way is answered as the
 * program's own would be (promises, COW, files).
 *   returns KERR_OK; KERR_BAD_ACCESS (the program may not do that: EFAULT); KERR_NO_MEMORY,
 *   KERR_MUST_WAIT (it may, but no frame is left, or a page has to come first); KERR_IO (it never
 *   will). What to make of these: user_access_failed(). Part of the copy may have been done.
 */
#ifndef PROCESS_USER_H
#define PROCESS_USER_H

#include <arch/i386/user_copy.h>
#include <kernel/kerr.h>
#include <mm/vma.h>

/*
 * The range is checked first: a copy routine may touch any address, and a kernel address from a
 * program must not get that far. What lies in the lower half is the program's or nobody's.
 */
static inline bool user_range_is_valid(uint32_t start, uint32_t bytes)
{
    return likely(start < KERNEL_BASE && bytes <= KERNEL_BASE - start);
}

/* Inline: short copies are what most system calls are made of. */
static inline kerr_t user_read(void *to, uint32_t from, uint32_t bytes)
{
    if (!user_range_is_valid(from, bytes))
        return KERR_BAD_ACCESS;
    enum fault_result result = user_copy(to, vaddr_to_pointer(VADDR(from)), bytes);
    return likely(result == FAULT_RESOLVED) ? KERR_OK : vma_error_of(result);
}

static inline kerr_t user_write(uint32_t to, const void *from, uint32_t bytes)
{
    if (!user_range_is_valid(to, bytes))
        return KERR_BAD_ACCESS;
    enum fault_result result = user_copy(vaddr_to_pointer(VADDR(to)), from, bytes);
    return likely(result == FAULT_RESOLVED) ? KERR_OK : vma_error_of(result);
}

kerr_t user_clear(uint32_t to, uint32_t bytes);

/*
 * Before a side effect, or before part of what is written replaces what a repeated call would read:
 * make sure that BYTES bytes at TO can be written. What is there stays. Until the event ends, to write
 * them can't fail.
 */
kerr_t user_touch(uint32_t to, uint32_t bytes);

/*
 * As user_write(), but on an error nothing has been written: for an answer that may lie over what the
 * call reads again when it is repeated.
 */
kerr_t user_replace(uint32_t to, const void *from, uint32_t bytes);

/* One word, at any alignment: cheaper. */
static inline kerr_t user_read_word(uint32_t from, uint32_t *value)
{
    if (!user_range_is_valid(from, sizeof(*value)))
        return KERR_BAD_ACCESS;
    enum fault_result result = probe_read(VADDR(from), value);
    return likely(result == FAULT_RESOLVED) ? KERR_OK : vma_error_of(result);
}

/*
 * A string into TO, ROOM bytes, its end included; *LENGTH without it.
 *   returns also KERR_NO_ROOM: no end within ROOM bytes
 */
kerr_t user_read_string(char *to, uint32_t from, uint32_t room, uint32_t *length);

#endif

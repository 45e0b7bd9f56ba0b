/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. process_vm_readv and process_vm_writev: copies between the caller's memory and that of
 * another process.
 *
 * The kernel's half is the same in all spaces, so the other one is loaded for the half of each copy
 * that concerns it; its faults are answered as its own. No privileges are asked for: here everybody
 * may do that to everybody.
 * Source: Linux manual page process_vm_readv(2).
 */
#include <process/system_call.h>

enum { IOVECS_MAX = 1024 };

struct iovec {
    uint32_t base, bytes;
};

/* A position in a list of iovecs of the caller's. */
struct cursor {
    uint32_t list, left; /* the next iovec, and how many there are */
    struct iovec part;   /* what is left of the one before */
};

enum direction { FROM_PEER, TO_PEER };

/* One event at a time, and no copy inside a copy. */
static uint8_t buffer[PAGE_BYTES];

/* Make sure that something is left in the part. KERR_NOT_FOUND: there is no more. */
static enum kerr advance(struct cursor *cursor)
{
    while (cursor->part.bytes == 0) {
        if (cursor->left == 0)
            return KERR_NOT_FOUND;
        enum kerr error = user_read(&cursor->part, cursor->list, sizeof(cursor->part));
        if (error != KERR_OK)
            return error;
        if ((int32_t)cursor->part.bytes < 0)
            return KERR_BAD_VALUE;
        cursor->list += (uint32_t)sizeof(cursor->part);
        cursor->left--;
    }
    return KERR_OK;
}

static void consume(struct cursor *cursor, uint32_t bytes)
{
    cursor->part.base += bytes;
    cursor->part.bytes -= bytes;
}

static uint32_t least(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

static enum kerr copy(struct process *self, struct memory *peer, uint32_t local, uint32_t remote,
                      uint32_t bytes, enum direction direction)
{
    enum kerr error = KERR_OK;
    if (direction == TO_PEER)
        error = user_read(buffer, local, bytes);
    if (error != KERR_OK)
        return error;
    space_switch(&peer->space);
    error =
        direction == TO_PEER ? user_write(remote, buffer, bytes) : user_read(buffer, remote, bytes);
    space_switch(&self->memory->space);
    if (error == KERR_OK && direction == FROM_PEER)
        error = user_write(local, buffer, bytes);
    return error;
}

/* Up to the end of a page of the peer's at a time, so that what can't be had ends it there. */
static int32_t transfer(struct process *self, enum direction direction)
{
    struct cursor local = {.list = ARG2, .left = ARG3}, remote = {.list = ARG4, .left = ARG5};
    uint32_t done = 0;
    if (ARG6 != 0 || local.left > IOVECS_MAX || remote.left > IOVECS_MAX)
        return -EINVAL;
    struct process *process = process_find(ARG1);
    if (process == NULL || process->memory == NULL)
        return -ESRCH;
    for (;;) {
        enum kerr error = advance(&local);
        if (error == KERR_OK)
            error = advance(&remote);
        if (error == KERR_NOT_FOUND)
            return (int32_t)done;
        if (error == KERR_OK) {
            uint32_t bytes = least(least(local.part.bytes, remote.part.bytes),
                                   PAGE_BYTES - remote.part.base % PAGE_BYTES);
            error =
                copy(self, process->memory, local.part.base, remote.part.base, bytes, direction);
            consume(&local, bytes);
            consume(&remote, bytes);
            done += error == KERR_OK ? bytes : 0;
        }
        if (error == KERR_BAD_VALUE)
            return -EINVAL;
        if (error == KERR_NO_MEMORY || (error != KERR_OK && done == 0))
            return user_access_failed(error);
        if (error != KERR_OK)
            return (int32_t)done;
    }
}

SYSTEM_CALL(347, process_vm_readv)
{
    return transfer(self, FROM_PEER);
}

SYSTEM_CALL(348, process_vm_writev)
{
    return transfer(self, TO_PEER);
}

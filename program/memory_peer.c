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
#include <mm/heap.h>
#include <process/repeat.h>
#include <process/system_call.h>

enum { IOVECS_MAX = 1024, BYTES_MAX = 0x7FFFF000 };

struct iovec {
    uint32_t base, bytes;
};

/* A position in a list of iovecs, a copy of the program's. */
struct cursor {
    const struct iovec *next;
    uint32_t left;     /* iovecs from `next` on */
    struct iovec part; /* what is left of the one before */
};

enum direction { FROM_PEER, TO_PEER };

/* One event at a time, and no copy inside a copy. */
static uint8_t buffer[PAGE_BYTES];

/* Make sure that something is left in the part. Returns false if there is no more. */
static bool advance(struct cursor *cursor)
{
    while (cursor->part.bytes == 0) {
        if (cursor->left == 0)
            return false;
        cursor->part = *cursor->next++;
        cursor->left--;
    }
    return true;
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
    error = space_make_ready(&peer->space);
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

/* Go on BYTES bytes behind. */
static void skip(struct cursor *cursor, uint32_t bytes)
{
    while (bytes > 0 && advance(cursor)) {
        uint32_t part = least(cursor->part.bytes, bytes);
        consume(cursor, part);
        bytes -= part;
    }
}

/*
 * Up to the end of a page of the peer's at a time, so that what can't be had ends it there. More
 * than Linux moves by one call is cut.
 */
static int32_t transfer(struct process *self, struct memory *peer, struct cursor *local,
                        struct cursor *remote, enum direction direction)
{
    uint32_t done = progress_of(self, PROGRESS_BYTES), piece_end = done + CALL_PIECE_BYTES;
    skip(local, done);
    skip(remote, done);
    while (done < BYTES_MAX && advance(local) && advance(remote)) {
        if (done >= piece_end)
            return call_continue(self, PROGRESS_BYTES, done);
        uint32_t bytes = least(least(local->part.bytes, remote->part.bytes),
                               PAGE_BYTES - remote->part.base % PAGE_BYTES);
        bytes = least(bytes, BYTES_MAX - done);
        enum kerr error = copy(self, peer, local->part.base, remote->part.base, bytes, direction);
        if (error_goes_by(error) && done > 0)
            progress_note(self, PROGRESS_BYTES, done);
        if (error_goes_by(error) || (error != KERR_OK && done == 0))
            return user_access_failed(error);
        if (error != KERR_OK)
            break;
        consume(local, bytes);
        consume(remote, bytes);
        done += bytes;
    }
    return (int32_t)done;
}

/* Copy the COUNT iovecs at ADDRESS to LIST. *IS_EMPTY: they have no byte. */
static int32_t import(uint32_t address, uint32_t count, struct iovec *list, bool *is_empty)
{
    enum kerr error = user_read(list, address, count * (uint32_t)sizeof(*list));
    if (error != KERR_OK)
        return user_access_failed(error);
    *is_empty = true;
    for (uint32_t i = 0; i < count; i++) {
        if ((int32_t)list[i].bytes < 0)
            return -EINVAL;
        *is_empty &= list[i].bytes == 0;
    }
    return 0;
}

/* With room for both lists at LISTS: all of them is looked at before anything is copied. */
static int32_t import_and_transfer(struct process *self, struct iovec *lists,
                                   enum direction direction)
{
    struct cursor local = {.next = lists, .left = ARG3}, remote = {.left = ARG5};
    bool is_empty = true;
    int32_t result = import(ARG2, local.left, lists, &is_empty);
    if (result != 0 || is_empty)
        return result;
    if (remote.left > IOVECS_MAX)
        return -EINVAL;
    remote.next = lists + local.left;
    result = import(ARG4, remote.left, lists + local.left, &is_empty);
    if (result != 0 || is_empty)
        return result;
    struct process *process = process_find(ARG1);
    if (process == NULL || process->memory == NULL)
        return -ESRCH;
    return transfer(self, process->memory, &local, &remote, direction);
}

static int32_t vm_transfer(struct process *self, enum direction direction)
{
    uint32_t remote_count = least(ARG5, IOVECS_MAX);
    void *lists;
    if (ARG6 != 0 || ARG3 > IOVECS_MAX)
        return -EINVAL;
    enum kerr error = kmalloc((ARG3 + remote_count + 1) * (uint32_t)sizeof(struct iovec), &lists);
    if (error != KERR_OK)
        return error == KERR_NO_MEMORY ? process_out_of_memory() : -ENOMEM;
    int32_t result = import_and_transfer(self, lists, direction);
    kfree(lists);
    return result;
}

SYSTEM_CALL(347, process_vm_readv)
{
    return vm_transfer(self, FROM_PEER);
}

SYSTEM_CALL(348, process_vm_writev)
{
    return vm_transfer(self, TO_PEER);
}

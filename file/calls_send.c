/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that move bytes from file to file: sendfile, copy_file_range. A page of the one is
 * written to the other: no program's memory is in between.
 * Source: Linux manual pages sendfile(2), copy_file_range(2).
 */
#include <arch/i386/entry.h>
#include <mm/frame.h>
#include <mm/zero.h>

#include "open_file.h"

/* Where bytes go. */
struct target {
    struct file *file;
    uint64_t *position; /* moves on; NULL: the file's own */
};

/* Write BYTES bytes of FRAME, a page of a file, from IN_PAGE on, to TARGET. As its write operation. */
static int32_t send_page(struct process *self, const struct target *target, frame_t frame,
                         uint32_t in_page, uint32_t bytes, enum transfer_flags flags)
{
    struct file *to = target->file;
    uint8_t *page = temp_map(TEMP_SENDFILE, frame);
    struct transfer transfer = transfer_of_kernel(page + in_page, bytes);
    transfer.flags = TRANSFER_OF_KERNEL | flags;
    if (target->position != NULL) {
        transfer.flags |= TRANSFER_AT_POSITION;
        transfer.position = target->position;
    }
    int32_t result = to->operations->write(self, to, &transfer);
    temp_unmap(TEMP_SENDFILE);
    return result;
}

/* The page of FROM that OFFSET lies in. */
static enum kerr find_page(struct inode *from, uint64_t offset, frame_t *frame)
{
    enum kerr error =
        from->operations->page(from, (uint32_t)(offset >> PAGE_SHIFT), PAGE_TO_READ, frame);
    if (error != KERR_NOT_FOUND)
        return error;
    *frame = zero_frame; /* a hole */
    return KERR_OK;
}

/*
 * Nothing of the page was taken; RESULT says why. A regular file has left the channel to wait on, and
 * is not asked again: it might take the page now, which would be told as what the call returns.
 */
static int32_t send_page_again(struct process *self, const struct target *target, frame_t frame,
                               uint32_t in_page, uint32_t bytes, int32_t result)
{
    const struct file *to = target->file;
    if (result == -EAGAIN && file_is_regular(to))
        return process_must_wait();
    if (result == -EAGAIN && !(to->flags & O_NONBLOCK))
        return send_page(self, target, frame, in_page, bytes, 0);
    return result == -ENOMEM ? process_out_of_memory() : result;
}

/*
 * Send up to BYTES bytes of the regular file FROM, from POSITION on, as far as it goes now, and a piece
 * at the most: *SENT. A write that takes less than it was given wants to go on later.
 *   returns 0; or, when nothing was sent, what the call must return: never 0
 */
static int32_t send_pages(struct process *self, const struct target *target, struct inode *from,
                          uint64_t position, uint32_t bytes, uint32_t *sent)
{
    *sent = 0;
    bytes = bytes < CALL_PIECE_BYTES ? bytes : CALL_PIECE_BYTES;
    while (*sent < bytes && position + *sent < from->status.bytes) {
        uint64_t offset = position + *sent, left = from->status.bytes - offset;
        uint32_t part = PAGE_BYTES - (uint32_t)offset % PAGE_BYTES;
        part = part < bytes - *sent ? part : bytes - *sent;
        part = part < left ? part : (uint32_t)left;
        uint32_t in_page = (uint32_t)offset % PAGE_BYTES;
        frame_t frame;
        enum kerr error = find_page(from, offset, &frame);
        if (error != KERR_OK)
            return *sent > 0 ? 0 : file_failed(error);
        int32_t result = send_page(self, target, frame, in_page, part, TRANSFER_NEVER_SLEEPS);
        if (result <= 0)
            return *sent > 0 ? 0 : send_page_again(self, target, frame, in_page, part, result);
        *sent += (uint32_t)result;
        if ((uint32_t)result < part)
            return 0;
    }
    return 0;
}

/* ---- sendfile ---- */

/* The two files of sendfile(), which must be what it can serve. */
static int32_t find_sendfile_files(struct process *self, struct file **to, struct file **from)
{
    *to = file_at(self, ARG1);
    *from = file_at(self, ARG2);
    if (*from == NULL || !((*from)->access & FILE_READ) || *to == NULL ||
        !((*to)->access & FILE_WRITE))
        return -EBADF;
    if ((*from)->operations != &regular_operations || ((*to)->flags & O_APPEND))
        return -EINVAL;
    return (int32_t)ARG4 < 0 ? -EINVAL : 0;
}

/*
 * sendfile() with an offset of OFFSET_BYTES bytes at ARG3, or none: then the file's own is used.
 * The offset moves on with each piece, and so tells a repeated call where to go on.
 */
static int32_t sendfile(struct process *self, uint32_t offset_bytes)
{
    struct file *to, *from;
    uint32_t sent, before = progress_of(self, PROGRESS_BYTES);
    uint64_t position = 0;
    enum kerr error = ARG3 != 0 ? user_read(&position, ARG3, offset_bytes) : KERR_OK;
    if (error == KERR_OK && ARG3 != 0) /* what was sent can't be taken back */
        error = user_touch(ARG3, offset_bytes);
    if (error != KERR_OK)
        return user_access_failed(error);
    int32_t result = find_sendfile_files(self, &to, &from);
    if (result != 0)
        return result;
    if (ARG3 == 0)
        position = from->offset;
    if ((int64_t)position < 0)
        return -EINVAL;
    const struct target target = {.file = to};
    result = send_pages(self, &target, from->inode, position, ARG4 - before, &sent);
    if (result != 0)
        return result;
    position += sent;
    if (ARG3 == 0)
        from->offset = position;
    else
        error = user_write(ARG3, &position, offset_bytes);
    if (error != KERR_OK)
        return -EFAULT;
    if (sent > 0 && before + sent < ARG4 && position < from->inode->status.bytes)
        return call_continue(self, PROGRESS_BYTES, before + sent);
    return (int32_t)(before + sent);
}

SYSTEM_CALL(187, sendfile)
{
    return sendfile(self, sizeof(uint32_t));
}

SYSTEM_CALL(239, sendfile64)
{
    return sendfile(self, sizeof(uint64_t));
}

/* ---- copy_file_range ---- */

/* One side of the call: ARGUMENT is where its offset stands; 0: the file's own. */
struct side {
    struct file *file;
    uint32_t argument;
    uint64_t position;
};

static kerr_t read_side(struct side *side)
{
    side->position = side->file->offset;
    if (side->argument == 0)
        return KERR_OK;
    enum kerr error = user_read(&side->position, side->argument, sizeof(side->position));
    return error == KERR_OK ? user_touch(side->argument, sizeof(side->position)) : error;
}

/* SIDE has moved on to its position, where it has an offset of its own: it was touched. */
static kerr_t write_side(const struct side *side)
{
    if (side->argument != 0)
        return user_write(side->argument, &side->position, sizeof(side->position));
    side->file->offset = side->position;
    return KERR_OK;
}

/* As Linux refuses, in its order. *BYTES are cut at the end of FROM. */
static int32_t refuse_copy(const struct side *from, const struct side *to, uint32_t *bytes)
{
    const struct inode *in = from->file->inode, *out = to->file->inode;
    if (in == NULL || out == NULL)
        return -EINVAL;
    if (inode_is_directory(in) || inode_is_directory(out))
        return -EISDIR;
    if (!file_is_regular(from->file) || !file_is_regular(to->file))
        return -EINVAL;
    if (!(from->file->access & FILE_READ) || !(to->file->access & FILE_WRITE) ||
        (to->file->flags & O_APPEND))
        return -EBADF;
    if (from->position + *bytes < from->position || to->position + *bytes < to->position)
        return -EOVERFLOW;
    if ((int64_t)from->position < 0 || (int64_t)to->position < 0)
        return -EINVAL;
    uint64_t end = in->status.bytes, left = end > from->position ? end - from->position : 0;
    *bytes = *bytes < left ? *bytes : (uint32_t)left;
    *bytes = *bytes < TRANSFER_BYTES_MAX ? *bytes : TRANSFER_BYTES_MAX;
    bool overlaps =
        to->position + *bytes > from->position && to->position < from->position + *bytes;
    return in == out && overlaps ? -EINVAL : 0;
}

/* Both offsets move on with each piece, and so tell a repeated call where to go on. */
SYSTEM_CALL(377, copy_file_range)
{
    struct side from = {.file = file_at(self, ARG1), .argument = ARG2};
    struct side to = {.file = file_at(self, ARG3), .argument = ARG4};
    const struct target target = {.file = to.file, .position = &to.position};
    uint32_t sent, before = progress_of(self, PROGRESS_BYTES), bytes = ARG5 - before;
    if (from.file == NULL || to.file == NULL)
        return -EBADF;
    enum kerr error = read_side(&from);
    if (error == KERR_OK)
        error = read_side(&to);
    if (error != KERR_OK)
        return user_access_failed(error);
    if (ARG6 != 0)
        return -EINVAL;
    int32_t result = refuse_copy(&from, &to, &bytes);
    if (result == 0)
        result = send_pages(self, &target, from.file->inode, from.position, bytes, &sent);
    if (result != 0)
        return result;
    from.position += sent;
    error = write_side(&from);
    if (error == KERR_OK)
        error = write_side(&to);
    if (error != KERR_OK)
        return -EFAULT;
    return sent > 0 && sent < bytes ? call_continue(self, PROGRESS_BYTES, before + sent)
                                    : (int32_t)(before + sent);
}

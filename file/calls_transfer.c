/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that move bytes: read, write and their relatives, sendfile.
 *
 * They check descriptor, access and range, and leave the rest to the kind of file. Structures and
 * lists of a program are read into memory of the kernel's that all calls share: one call is handled
 * at a time.
 * Source: Linux manual pages read(2), write(2), readv(2), pread(2), sendfile(2).
 */
#include <arch/i386/entry.h>
#include <mm/frame.h>
#include <mm/zero.h>

#include "open_file.h"

enum { PIECES_MAX = 1024 };

/* Let FILE do what it was asked for: ACCESS is one of the two. */
static inline int32_t transfer_now(struct process *self, struct file *file,
                                   struct transfer *transfer, enum file_access access)
{
    return access == FILE_READ ? file->operations->read(self, file, transfer)
                               : file->operations->write(self, file, transfer);
}

static bool is_user_range(uint32_t address, uint32_t bytes)
{
    return bytes <= KERNEL_BASE && address <= KERNEL_BASE - bytes;
}

/* A transfer that is long, or wrong. */
static __attribute__((noinline)) int32_t transfer_odd_piece(struct process *self, struct file *file,
                                                            struct transfer *transfer,
                                                            enum file_access access)
{
    if (!is_user_range(transfer->address, transfer->bytes))
        return -EFAULT;
    if ((int32_t)transfer->bytes < 0)
        return -EINVAL;
    if (transfer->bytes > TRANSFER_BYTES_MAX)
        transfer->bytes = transfer->bytes_here = TRANSFER_BYTES_MAX;
    return transfer_now(self, file, transfer, access);
}

/* Move what lies at ARG2, ARG3 bytes, at POSITION (NULL: at the file's offset). */
static inline int32_t transfer_piece(struct process *self, struct file *file,
                                     enum file_access access, uint64_t *position)
{
    struct transfer transfer;
    uint32_t address = ARG2, bytes = ARG3;
    transfer.bytes = transfer.bytes_here = bytes;
    transfer.address = address;
    transfer.flags = 0;
    if (position != NULL) {
        transfer.flags = TRANSFER_AT_POSITION;
        transfer.position = position;
    }
    if (unlikely(bytes > TRANSFER_BYTES_MAX || address > KERNEL_BASE - bytes))
        return transfer_odd_piece(self, file, &transfer, access);
    return transfer_now(self, file, &transfer, access);
}

SYSTEM_CALL(3, read)
{
    struct file *file = file_at(self, ARG1);
    if (unlikely(file == NULL || !(file->access & FILE_READ)))
        return -EBADF;
    return transfer_piece(self, file, FILE_READ, NULL);
}

SYSTEM_CALL(4, write)
{
    struct file *file = file_at(self, ARG1);
    if (unlikely(file == NULL || !(file->access & FILE_WRITE)))
        return -EBADF;
    return transfer_piece(self, file, FILE_WRITE, NULL);
}

/* ---- at a place ---- */

/* pread64(), pwrite64(): the offset is in ARG4 and ARG5, and the file's own stays. */
static int32_t transfer_at(struct process *self, enum file_access access)
{
    uint64_t position = (uint64_t)ARG5 << 32 | ARG4;
    struct file *file = file_at(self, ARG1);
    if ((int64_t)position < 0)
        return -EINVAL;
    if (file == NULL)
        return -EBADF;
    if (file->operations->seek == SEEK_NEVER)
        return -ESPIPE;
    if (!(file->access & access))
        return -EBADF;
    return transfer_piece(self, file, access, &position);
}

SYSTEM_CALL(180, pread64)
{
    return transfer_at(self, FILE_READ);
}

SYSTEM_CALL(181, pwrite64)
{
    return transfer_at(self, FILE_WRITE);
}

/* ---- several pieces ---- */

/* Read COUNT pieces from ADDRESS on and add them up; what is beyond the limit is cut. */
static int32_t read_pieces(struct user_piece *pieces, uint32_t address, uint32_t count,
                           uint32_t *total)
{
    if (count > PIECES_MAX)
        return -EINVAL;
    enum kerr error = user_read(pieces, address, count * (uint32_t)sizeof(*pieces));
    if (error != KERR_OK)
        return user_access_failed(error);
    *total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if ((int32_t)pieces[i].bytes < 0)
            return -EINVAL;
        if (!is_user_range(pieces[i].address, pieces[i].bytes))
            return -EFAULT;
        if (pieces[i].bytes > TRANSFER_BYTES_MAX - *total)
            pieces[i].bytes = TRANSFER_BYTES_MAX - *total;
        *total += pieces[i].bytes;
    }
    return 0;
}

/* At POSITION; NULL: at the file's offset. */
static int32_t transfer_pieces(struct process *self, enum file_access access, uint64_t *position)
{
    static struct user_piece pieces[PIECES_MAX];
    struct file *file = file_at(self, ARG1);
    struct transfer transfer = {.next_piece = pieces,
                                .flags = TRANSFER_OF_PIECES |
                                         (position != NULL ? TRANSFER_AT_POSITION : 0),
                                .position = position};
    if (file == NULL || !(file->access & access))
        return -EBADF;
    int32_t result = read_pieces(pieces, ARG2, ARG3, &transfer.bytes);
    if (result != 0)
        return result;
    if (transfer.bytes == 0)
        return 0; /* or, where it was more before it was repeated: what was moved (repeat.c) */
    return transfer_now(self, file, &transfer, access);
}

SYSTEM_CALL(145, readv)
{
    return transfer_pieces(self, FILE_READ, NULL);
}

SYSTEM_CALL(146, writev)
{
    return transfer_pieces(self, FILE_WRITE, NULL);
}

/* preadv() and pwritev(): the offset is in ARG4 and ARG5. */
static int32_t transfer_pieces_at(struct process *self, enum file_access access)
{
    uint64_t position = (uint64_t)ARG5 << 32 | ARG4;
    const struct file *file = file_at(self, ARG1);
    if ((int64_t)position < 0)
        return -EINVAL;
    if (file == NULL)
        return -EBADF;
    if (file->operations->seek == SEEK_NEVER)
        return -ESPIPE;
    return transfer_pieces(self, access, &position);
}

SYSTEM_CALL(333, preadv)
{
    return transfer_pieces_at(self, FILE_READ);
}

SYSTEM_CALL(334, pwritev)
{
    return transfer_pieces_at(self, FILE_WRITE);
}

/* The offset -1 is the file's own; no flag is known. */
static int32_t transfer_pieces_with_flags(struct process *self, enum file_access access)
{
    if (ARG6 != 0)
        return -EOPNOTSUPP;
    return (ARG4 & ARG5) == UINT32_MAX ? transfer_pieces(self, access, NULL)
                                       : transfer_pieces_at(self, access);
}

SYSTEM_CALL(378, preadv2)
{
    return transfer_pieces_with_flags(self, FILE_READ);
}

SYSTEM_CALL(379, pwritev2)
{
    return transfer_pieces_with_flags(self, FILE_WRITE);
}

/* ---- from file to file ---- */

/* Write BYTES bytes of FRAME, a page of a file, from IN_PAGE on, to TO. As its write operation. */
static int32_t send_page(struct process *self, struct file *to, frame_t frame, uint32_t in_page,
                         uint32_t bytes, enum transfer_flags flags)
{
    uint8_t *page = temp_map(TEMP_SENDFILE, frame);
    struct transfer transfer = transfer_of_kernel(page + in_page, bytes);
    transfer.flags = TRANSFER_OF_KERNEL | flags;
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
static int32_t send_page_again(struct process *self, struct file *to, frame_t frame,
                               uint32_t in_page, uint32_t bytes, int32_t result)
{
    if (result == -EAGAIN && file_is_regular(to))
        return process_must_wait();
    if (result == -EAGAIN && !(to->flags & O_NONBLOCK))
        return send_page(self, to, frame, in_page, bytes, 0);
    return result == -ENOMEM ? process_out_of_memory() : result;
}

/*
 * Send up to BYTES bytes of the regular file FROM, from POSITION on, as far as it goes now, and a piece
 * at the most: *SENT. A write that takes less than it was given wants to go on later.
 *   returns 0; or, when nothing was sent, what the call must return: never 0
 */
static int32_t send_pages(struct process *self, struct file *to, struct inode *from,
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
        int32_t result = send_page(self, to, frame, in_page, part, TRANSFER_NEVER_SLEEPS);
        if (result <= 0)
            return *sent > 0 ? 0 : send_page_again(self, to, frame, in_page, part, result);
        *sent += (uint32_t)result;
        if ((uint32_t)result < part)
            return 0;
    }
    return 0;
}

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
    result = send_pages(self, to, from->inode, position, ARG4 - before, &sent);
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

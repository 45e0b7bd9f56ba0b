/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that move bytes: read, write and their relatives.
 *
 * They check descriptor, access and range, and leave the rest to the kind of file. Structures and
 * lists of a program are read into memory of the kernel's that all calls share: one call is handled
 * at a time.
 * Source: Linux manual pages read(2), write(2), readv(2), pread(2).
 */
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

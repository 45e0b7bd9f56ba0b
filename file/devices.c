/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /dev/null, /dev/zero, and what a directory does when it is read as a file.
 *
 * Both devices take whatever is written and never look at it: the address may be a bad one, as in
 * Linux. mmap() treats /dev/zero as anonymous memory (file_for_mapping()).
 */
#include "open_file.h"

static int32_t swallow(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    return (int32_t)transfer->bytes;
}

static int32_t read_nothing(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    (void)transfer;
    return 0;
}

/* A page at a time: the result is exact where the program's memory ends. Many pages: in pieces. */
static int32_t read_zeros(struct process *self, struct file *file, struct transfer *transfer)
{
    uint32_t done = transfer_begin(self, transfer), piece_end = done + CALL_PIECE_BYTES;
    (void)file;
    while (transfer->bytes > 0) {
        if (done >= piece_end)
            return transfer_goes_on(self, transfer, done);
        uint32_t bytes = transfer_step(transfer, PAGE_BYTES);
        enum kerr error = transfer_zeros(transfer, bytes);
        if (error != KERR_OK)
            return transfer_failed(self, transfer, error, done);
        done += bytes;
    }
    return (int32_t)done;
}

static int32_t refuse_directory(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    (void)transfer;
    return -EISDIR;
}

const struct file_operations null_operations = {
    .read = read_nothing, .write = swallow, .seek = SEEK_TO_START};
const struct file_operations zero_operations = {
    .read = read_zeros, .write = swallow, .seek = SEEK_TO_START};
const struct file_operations directory_operations = {.read = refuse_directory,
                                                     .seek = SEEK_ANYWHERE};

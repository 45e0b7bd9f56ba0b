/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Reading texts of /proc: each read makes the text anew, and keeps what it wants of it.
 *
 * What is long has a place to go on from (struct proc_place), kept with the inode: who reads on from
 * where he stopped pays for what he reads, not for what is before it.
 */
#include <kernel/printk.h>

#include "proc.h"

/* ---- writing ---- */

void proc_add(struct proc_text *text, const char *from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++, text->at++)
        if (text->at >= text->first && !proc_is_full(text))
            text->window[text->used++] = from[i];
}

void proc_print(struct proc_text *text, const char *format, ...)
{
    enum { LINE_BYTES = 512 };
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t bytes = vformat_text(line, sizeof(line), format, arguments);
    va_end(arguments);
    proc_add(text, line, bytes < sizeof(line) ? (uint32_t)bytes : sizeof(line) - 1);
}

void proc_add_path(struct proc_text *text, const char *path, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)path[i];
        if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\\')
            proc_print(text, "\\%u%u%u", byte >> 6u, byte >> 3u & 7u, byte & 7u);
        else
            proc_add(text, path + i, 1);
    }
}

/* Of a piece: a line is one, a path as many as it takes to read a few directories. */
enum { STEPS_IN_PIECE = 64, STEPS_OF_PATH = 16 };

enum kerr proc_path(struct proc_text *text, struct inode *inode, char *path, uint32_t *bytes)
{
    text->steps += STEPS_OF_PATH;
    return file_path_text(inode, path, bytes);
}

enum kerr proc_begin_line(struct proc_text *text, uint32_t cursor)
{
    if (++text->steps > STEPS_IN_PIECE)
        return KERR_AGAIN;
    *text->place = (struct proc_place){text->at, cursor};
    return KERR_OK;
}

/* ---- reading ---- */

/* The next piece of INODE's text, from OFFSET on: at most BYTES bytes of it, in TEXT. */
static enum kerr make_piece(struct proc_inode *inode, uint32_t offset, uint32_t bytes,
                            struct proc_text *text)
{
    static char window[PAGE_BYTES];
    const struct process *process = proc_process_of(inode);
    if (inode->pid != 0 && process == NULL)
        return KERR_NOT_FOUND;
    if (offset == 0 || offset < inode->place.offset)
        inode->place = (struct proc_place){0, 0};
    *text = (struct proc_text){.window = window,
                               .room = bytes < sizeof(window) ? bytes : sizeof(window),
                               .first = offset,
                               .at = inode->place.offset,
                               .place = &inode->place,
                               .descriptor = inode->descriptor};
    return inode->entry->write(text, process);
}

/* *DONE bytes of TEXT get to the program. */
static enum kerr hand_out(const struct proc_text *text, struct transfer *transfer, uint32_t *done)
{
    enum kerr error = KERR_OK;
    *done = 0;
    while (*done < text->used && error == KERR_OK) {
        uint32_t bytes = transfer_step(transfer, text->used - *done);
        error = transfer_to_user(transfer, text->window + *done, bytes);
        if (error == KERR_OK)
            *done += bytes;
    }
    return error;
}

/* The call has moved DONE bytes, and is to look for more. */
static int32_t go_on(struct process *self, const struct transfer *transfer, uint32_t done)
{
    return done > 0 ? transfer_goes_on(self, transfer, done)
                    : call_continue(self, PROGRESS_STEPS, 1);
}

static int32_t proc_read(struct process *self, struct file *file, struct transfer *transfer)
{
    struct proc_inode *inode = container_of(file->inode, struct proc_inode, inode);
    uint32_t before = transfer_begin(self, transfer), done = 0;
    uint64_t *position = transfer_position(file, transfer);
    struct proc_text text;
    enum kerr error;
    if (transfer->flags & TRANSFER_AT_POSITION)
        *position += before;
    if (*position >= INT32_MAX || transfer->bytes == 0)
        return (int32_t)before;
    do
        error = make_piece(inode, (uint32_t)*position, transfer->bytes, &text);
    while (error == KERR_AGAIN && text.used == 0 && (transfer->flags & TRANSFER_NEVER_SLEEPS));
    if (error == KERR_NOT_FOUND)
        return before > 0 ? (int32_t)before : -ESRCH;
    if (error != KERR_OK && error != KERR_AGAIN && text.used == 0)
        return file_transfer_failed(self, transfer, error, true, before);
    bool is_over = error == KERR_OK && !proc_is_full(&text);
    error = hand_out(&text, transfer, &done);
    *position += done;
    if (error != KERR_OK)
        return file_transfer_failed(self, transfer, error, false, before + done);
    return is_over || transfer->bytes == 0 ? (int32_t)(before + done)
                                           : go_on(self, transfer, before + done);
}

/* The superuser may open what is read only. */
static int32_t refuse_write(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    (void)transfer;
    return -EIO;
}

const struct file_operations proc_text_operations = {
    .read = proc_read, .write = refuse_write, .seek = SEEK_ANYWHERE};

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Regular files of every file system: their bytes are those of their pages, which
 * read(), write(), mmap() and execve() see at once.
 *
 * A page at a time: it is brought (which may have to wait), then the bytes are copied (which may
 * fail at the program's memory), then the file is told how far it reaches now. Long transfers are
 * done in pieces.
 * Source: Linux manual pages read(2), write(2), lseek(2).
 */
#include <arch/i386/entry.h>
#include <kernel/string.h>
#include <process/limits.h>
#include <process/signal.h>
#include <process/timer.h>

#include "open_file.h"

/* ---- reading ---- */

enum { RUN_PAGES = 16 };

/*
 * The frames of pages in a row of INODE, from PAGE on, up to LAST and as far as they are at hand, valid in this event:
 * *COUNT of them. NO_FRAME: a hole.
 */
static enum kerr find_run(struct inode *inode, uint32_t page, uint32_t last, frame_t frames[],
                          uint32_t *count)
{
    const struct inode_operations *operations = inode->operations;
    uint32_t wanted = last - page + 1, in_slot = page % SLOT_PAGES;
    if (wanted > 1) {
        wanted = wanted < RUN_PAGES ? wanted : (uint32_t)RUN_PAGES;
        wanted = wanted < SLOT_PAGES - in_slot ? wanted : SLOT_PAGES - in_slot;
    }
    if (wanted > 1 && operations->pages_to_read != NULL)
        return operations->pages_to_read(inode, page, wanted, frames, count);
    enum kerr error = operations->page(inode, page, PAGE_TO_READ, frames);
    *count = 1;
    if (error != KERR_NOT_FOUND)
        return error;
    frames[0] = NO_FRAME;
    return KERR_OK;
}

/* *BYTES bytes of FRAME, from IN_PAGE on; or fewer. */
static inline enum kerr read_frame(frame_t frame, uint32_t in_page, struct transfer *transfer,
                                   uint32_t *bytes)
{
    if (unlikely(frame.n == NO_FRAME.n)) {
        *bytes = transfer_step(transfer, *bytes);
        return transfer_zeros(transfer, *bytes);
    }
    /* The copy may fault: the fault path has temporary pages of its own. */
    const uint8_t *page = temp_map(TEMP_FRAME, frame);
    enum kerr error = transfer_some_to_user(transfer, page + in_page, bytes);
    temp_unmap(TEMP_FRAME);
    return error;
}

/*
 * BYTES bytes from OFFSET on: all that lie in pages which are at hand together; *DONE of them.
 * *IS_OF_FILE: the error is the file's, not the program's.
 */
static enum kerr read_run(struct inode *inode, uint64_t offset, uint32_t bytes,
                          struct transfer *transfer, uint32_t *done, bool *is_of_file)
{
    frame_t frames[RUN_PAGES];
    uint32_t count, page = (uint32_t)(offset >> PAGE_SHIFT),
                    in_page = (uint32_t)offset % PAGE_BYTES;
    *done = 0;
    enum kerr error =
        find_run(inode, page, (uint32_t)((offset + bytes - 1) >> PAGE_SHIFT), frames, &count);
    *is_of_file = error != KERR_OK;
    for (uint32_t i = 0; i < count && bytes > 0 && error == KERR_OK; i++) {
        uint32_t wanted = PAGE_BYTES - in_page;
        wanted = wanted < bytes ? wanted : bytes;
        uint32_t moved = wanted;
        error = read_frame(frames[i], in_page, transfer, &moved);
        if (error != KERR_OK)
            break;
        *done += moved;
        bytes -= moved;
        in_page = 0;
        if (moved < wanted)
            break;
    }
    return error;
}

int32_t file_transfer_failed(struct process *self, const struct transfer *transfer, enum kerr error,
                             bool is_of_file, uint32_t done)
{
    if (!is_of_file || (error_goes_by(error) && !(transfer->flags & TRANSFER_NEVER_SLEEPS)))
        return transfer_failed(self, transfer, error, done);
    if (done > 0)
        return (int32_t)done;
    if (error_goes_by(error))
        return error == KERR_NO_MEMORY ? -ENOMEM : -EAGAIN;
    return file_failed(error);
}

int32_t file_read_pages(struct process *self, struct file *file, struct inode *inode,
                        struct transfer *transfer)
{
    uint32_t before = transfer_begin(self, transfer), done = 0;
    enum kerr error = KERR_OK;
    bool is_of_file = false;
    uint64_t *position = transfer_position(file, transfer);
    if (transfer->flags & TRANSFER_AT_POSITION) /* an argument of the call: it has not moved on */
        *position += before;
    uint64_t start = *position, end = inode->status.bytes;
    if (start >= end)
        return (int32_t)before;
    end = end - start > transfer->bytes ? start + transfer->bytes : end;
    /* As far as one event goes; a transfer has fewer than 2^31 bytes. */
    uint32_t all = (uint32_t)(end - start),
             wanted = all < CALL_PIECE_BYTES ? all : CALL_PIECE_BYTES;
    while (done < wanted && error == KERR_OK) {
        uint32_t moved;
        error = read_run(inode, start + done, wanted - done, transfer, &moved, &is_of_file);
        done += moved;
    }
    *position = start + done;
    file_was_read(file);
    if (error != KERR_OK)
        return file_transfer_failed(self, transfer, error, is_of_file, before + done);
    return start + done < end ? transfer_goes_on(self, transfer, before + done)
                              : (int32_t)(before + done);
}

static int32_t regular_read(struct process *self, struct file *file, struct transfer *transfer)
{
    return file_read_pages(self, file, file->inode, transfer);
}

/* Once a day, or if it was changed since it was read last. Once a tick is enough: times have no more. */
void file_was_read(struct file *file)
{
    enum { DAY_SECONDS = 24 * 60 * 60 };
    struct inode *inode = file->inode;
    const struct inode_status *status = &inode->status;
    uint32_t tick = (uint32_t)timer_ticks() + 1;
    if (likely(inode->read_tick == tick) || (file->flags & O_NOATIME) ||
        (inode->mount->flags & (MOUNT_READ_ONLY | MOUNT_NO_ACCESS_TIMES)))
        return;
    if (!time_is_before(status->modified, status->accessed) ||
        !time_is_before(status->changed, status->accessed) ||
        clock_real_coarse().seconds - status->accessed.seconds >= DAY_SECONDS)
        inode_touch(inode, TIME_ACCESSED);
    inode->read_tick = tick;
}

/* ---- writing ---- */

/* How much of the page at OFFSET, of writes that end at END, can be moved by the next step. */
static uint32_t next_step(const struct transfer *transfer, uint64_t offset, uint64_t end)
{
    uint32_t bytes = PAGE_BYTES - (uint32_t)offset % PAGE_BYTES;
    bytes = end - offset < bytes ? (uint32_t)(end - offset) : bytes;
    return bytes < transfer->bytes ? bytes : transfer->bytes;
}

/* The program's page that the next step of TRANSFER reads is here, and stays for this event. */
static enum kerr look_at_source(struct transfer *transfer)
{
    uint8_t byte;
    if (transfer->flags & TRANSFER_OF_KERNEL)
        return KERR_OK;
    (void)transfer_step(transfer, 1); /* the piece with the next byte is the current one */
    return user_read(&byte, transfer->address, 1);
}

/*
 * *BYTES bytes to OFFSET, within one page; or fewer. *IS_OF_FILE: the error is the file's, not the program's.
 *
 * Room that was made for bytes that have to be waited for is given back. While memory is short, what came
 * first may be gone when the rest is there: who made room again each time, and waited for that, would go
 * round for ever. So the bytes come first the second time, and then no room is given back any more.
 */
static enum kerr write_page(struct inode *inode, uint64_t offset, struct transfer *transfer,
                            uint32_t *bytes, bool *is_of_file)
{
    frame_t frame;
    uint32_t in_page = (uint32_t)offset % PAGE_BYTES, moved = *bytes;
    /* The page reaches behind the end of the file; or begins there, and nobody shows it: the copy below can't
     * come by what it holds. */
    bool is_last = (offset | (PAGE_BYTES - 1)) >= inode->status.bytes;
    bool is_blank = is_last && moved == PAGE_BYTES && offset >= inode->status.bytes &&
                    inode->object != NULL && inode->object->references == 1;
    enum kerr error = KERR_OK;
    *is_of_file = false;
    if (unlikely(inode->flags & INODE_SOURCE_FIRST))
        error = look_at_source(transfer);
    if (error != KERR_OK)
        return error;
    *is_of_file = true;
    error = inode->operations->page(inode, (uint32_t)(offset >> PAGE_SHIFT),
                                    is_blank ? PAGE_TO_WRITE_WHOLE : PAGE_TO_WRITE, &frame);
    if (error != KERR_OK)
        return error;
    *is_of_file = false;
    uint8_t *page = temp_map(TEMP_FRAME, frame);
    error = transfer_some_from_user(transfer, page + in_page, &moved);
    if (unlikely(error != KERR_OK))
        moved = 0;
    if (unlikely(is_blank && moved < PAGE_BYTES)) /* nobody sees what was there before */
        memset(page + moved, 0, PAGE_BYTES - moved);
    temp_unmap(TEMP_FRAME);
    if (is_last)
        inode->operations->page_written(inode, error == KERR_OK ? offset + moved : 0);
    if (unlikely(error_goes_by(error)))
        inode->flags |= INODE_SOURCE_FIRST;
    *bytes = moved;
    return error;
}

/* The end that FILE's writes may reach. */
static uint64_t end_of_writes(const struct process *self, const struct file *file)
{
    uint64_t end = file->flags & O_LARGEFILE ? FILE_BYTES_MAX : INT32_MAX;
    uint32_t soft = self->limits->pair[LIMIT_FSIZE].soft;
    return soft != LIMIT_NONE && soft < end ? soft : end;
}

/* Nothing can be written at or behind the END of FILE's writes. */
static int32_t refuse_at_end(struct process *self, uint64_t end)
{
    if (self->limits->pair[LIMIT_FSIZE].soft == end)
        signal_send(self, SIGXFSZ, self->pid);
    return -EFBIG;
}

/* What is in the file is on the disk before the call ends (O_SYNC); DONE bytes were written. */
static int32_t finish_write(struct process *self, struct file *file,
                            const struct transfer *transfer, uint32_t done)
{
    struct inode *inode = file->inode;
    bool is_synchronous = (file->flags & O_DSYNC) || (inode->mount->flags & MOUNT_SYNCHRONOUS) != 0;
    if (likely(!is_synchronous) || inode->operations->flush == NULL || done == 0)
        return (int32_t)done;
    enum kerr error = file_flush(
        self, inode, (file->flags & O_SYNC) == O_SYNC ? FLUSH_ALL : FLUSH_DATA, &file->errors_told);
    if (error_goes_by(error) && !(transfer->flags & TRANSFER_NEVER_SLEEPS))
        progress_note(self, PROGRESS_BYTES, done);
    else if (error != KERR_OK)
        call_take(self); /* the bytes are not where they should be, and are not the result */
    return error == KERR_OK || (transfer->flags & TRANSFER_NEVER_SLEEPS) ? (int32_t)done
                                                                         : file_failed(error);
}

static int32_t regular_write(struct process *self, struct file *file, struct transfer *transfer)
{
    struct inode *inode = file->inode;
    uint32_t before = transfer_begin(self, transfer), done = 0;
    uint64_t *position = transfer_position(file, transfer), limit = end_of_writes(self, file);
    enum kerr error = KERR_OK;
    bool is_of_file = false;
    if (transfer->bytes == 0)
        return finish_write(self, file, transfer, before);
    if (transfer->flags & TRANSFER_AT_POSITION)
        *position += before;
    uint64_t start = file->flags & O_APPEND ? inode->status.bytes : *position;
    if (start >= limit)
        return before > 0 ? (int32_t)before : refuse_at_end(self, limit);
    uint64_t end = limit - start > transfer->bytes ? start + transfer->bytes : limit;
    while (start + done < end && done < CALL_PIECE_BYTES && error == KERR_OK) {
        uint32_t bytes = next_step(transfer, start + done, end);
        error = write_page(inode, start + done, transfer, &bytes, &is_of_file);
        if (error == KERR_OK)
            done += bytes;
    }
    if (done > 0) {
        *position = start + done;
        inode->flags &= ~(uint32_t)INODE_SOURCE_FIRST;
        inode_touch(inode, TIME_MODIFIED | TIME_CHANGED);
    }
    if (error != KERR_OK)
        return file_transfer_failed(self, transfer, error, is_of_file, before + done);
    return start + done < end ? transfer_goes_on(self, transfer, before + done)
                              : finish_write(self, file, transfer, before + done);
}

/* ---- for the kernel ---- */

enum kerr regular_read_kernel(struct inode *inode, uint64_t offset, void *to, uint32_t bytes)
{
    struct transfer transfer = transfer_of_kernel(to, bytes);
    enum kerr error = KERR_OK;
    bool ignored;
    while (transfer.bytes > 0 && error == KERR_OK) {
        if (offset >= inode->status.bytes)
            return transfer_zeros(&transfer, transfer.bytes);
        uint64_t left = inode->status.bytes - offset;
        uint32_t moved, wanted = transfer.bytes < left ? transfer.bytes : (uint32_t)left;
        error = read_run(inode, offset, wanted, &transfer, &moved, &ignored);
        offset += moved;
    }
    return error;
}

enum kerr regular_write_kernel(struct inode *inode, uint64_t offset, const void *from,
                               uint32_t bytes)
{
    struct transfer transfer = transfer_of_kernel((void *)(uintptr_t)from, bytes);
    enum kerr error = KERR_OK;
    bool ignored;
    while (transfer.bytes > 0 && error == KERR_OK) {
        uint32_t step = next_step(&transfer, offset, UINT64_MAX);
        error = write_page(inode, offset, &transfer, &step, &ignored);
        offset += step;
    }
    return error;
}

/* ---- the rest ---- */

static int32_t regular_ioctl(struct process *self, struct file *file, uint32_t request,
                             uint32_t argument)
{
    (void)self;
    if (request != FIONREAD)
        return -ENOTTY;
    uint64_t bytes = file->inode->status.bytes;
    uint32_t left = file->offset < bytes ? (uint32_t)(bytes - file->offset) : 0;
    enum kerr error = user_write(argument, &left, sizeof(left));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

/* What ends with the last descriptor, if no name leads there. */
static uint32_t regular_footprint(const struct file *file)
{
    const struct inode *inode = file->inode;
    if (inode->status.links > 0 || inode->object == NULL)
        return 0;
    return object_frames_in_ram(inode->object) * PAGE_BYTES / inode->references;
}

const struct file_operations regular_operations = {.read = regular_read,
                                                   .write = regular_write,
                                                   .ioctl = regular_ioctl,
                                                   .footprint = regular_footprint,
                                                   .seek = SEEK_ANYWHERE};

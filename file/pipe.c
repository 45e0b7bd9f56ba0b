/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Pipes: a ring of up to 16 pages between two open files.
 *
 * Pages come from the heap when they are first written to; a page that was read to its end is kept
 * as a spare, so that a pipe in use allocates nothing. A pipe may always have one page; those
 * beyond the first are bounded over all pipes, and a pipe that gets no more counts as full.
 *
 * A write of up to PIPE_BUF bytes is done at once or not at all. Readers are woken by any byte;
 * writers when a page's worth of room is there, which is enough for each of them.
 * Source: Linux manual page pipe(7).
 */
#include <kernel/panic.h>
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/signal.h>

#include "open_file.h"

enum {
    PIPE_BUF = PAGE_BYTES,
    PAGES_PER_PIPE = 16,
    RING_BYTES = PAGES_PER_PIPE * PAGE_BYTES,
    PIPES_MAX = 0x4000,
    MORE_PAGES_MAX = 0x2000, /* beyond the first, in all pipes */
};

/* Who may be asleep until the pipe changes. */
enum waiters { READERS_WAIT = 1, WRITERS_WAIT = 2, POLLERS_WAIT = 4 };

struct pipe {
    uint32_t taken, put; /* bytes so far; the place in the ring is their remainder */
    uint32_t capacity;
    uint32_t waiters;          /* enum waiters: readers sleep on &taken, writers on &put */
    uint32_t readers, writers; /* files that are open */
    uint32_t opens[2];         /* of a FIFO: how often it was opened to be read, to be written */
    struct inode *inode;       /* of a FIFO, which its files have open; NULL: it has no name */
    uint32_t page_count;
    uint32_t number; /* without a name: its inode's, as fstat() says it */
    uint8_t *spare;
    uint8_t *pages[PAGES_PER_PIPE];
};

static uint32_t pipe_count, more_pages;

static uint8_t **page_slot(struct pipe *pipe, uint32_t place)
{
    return &pipe->pages[place / PAGE_BYTES % PAGES_PER_PIPE];
}

static uint32_t pipe_used(const struct pipe *pipe)
{
    return pipe->put - pipe->taken;
}

/* ---- pages ---- */

/* The page for the byte at PLACE is there. KERR_NO_ROOM: the pipe must do with what it has. */
static kerr_t need_page(struct pipe *pipe, uint32_t place)
{
    uint8_t **slot = page_slot(pipe, place);
    void *page = pipe->spare;
    if (likely(*slot != NULL))
        return KERR_OK;
    pipe->spare = NULL;
    if (page == NULL) {
        if (pipe->page_count > 0 && more_pages == MORE_PAGES_MAX)
            return KERR_NO_ROOM;
        if (kmalloc(PAGE_BYTES, &page) != KERR_OK)
            return pipe->page_count > 0 ? KERR_NO_ROOM : KERR_NO_MEMORY;
        more_pages += pipe->page_count > 0;
        pipe->page_count++;
    }
    *slot = page;
    return KERR_OK;
}

static void free_page(struct pipe *pipe, uint8_t *page)
{
    if (page == NULL)
        return;
    kfree(page);
    pipe->page_count--;
    more_pages -= pipe->page_count > 0;
}

/* All bytes of the page before PLACE, a page boundary, were read. */
static __attribute__((noinline)) void retire_page(struct pipe *pipe, uint32_t place)
{
    uint8_t **slot = page_slot(pipe, place - 1);
    if (pipe->put - (place - PAGE_BYTES) > RING_BYTES)
        return; /* its beginning was written to again already */
    if (pipe->spare == NULL)
        pipe->spare = *slot;
    else
        free_page(pipe, *slot);
    *slot = NULL;
}

/* BYTES bytes, all in one page, were read. */
static void consume(struct pipe *pipe, uint32_t bytes)
{
    pipe->taken += bytes;
    if (pipe->taken % PAGE_BYTES == 0)
        retire_page(pipe, pipe->taken);
    else if (pipe->taken == pipe->put) /* empty: begin the page anew */
        pipe->taken = pipe->put = pipe->put & ~(PAGE_BYTES - 1);
}

/* How many bytes can be written now, as far as there are pages; one is there or can be had. */
static uint32_t room(const struct pipe *pipe)
{
    uint32_t used = pipe_used(pipe);
    return used < pipe->capacity ? pipe->capacity - used : 0;
}

/* ---- waking ---- */

static inline void wake(struct pipe *pipe, uint32_t whom)
{
    uint32_t woken = pipe->waiters & whom;
    if (likely(woken == 0))
        return;
    pipe->waiters &= ~woken;
    if (woken & READERS_WAIT)
        process_wake(&pipe->taken);
    if (woken & WRITERS_WAIT)
        process_wake(&pipe->put);
    if (woken & POLLERS_WAIT)
        poll_wake();
}

static inline void wake_readers(struct pipe *pipe)
{
    wake(pipe, READERS_WAIT | POLLERS_WAIT);
}

/* Not for every byte: a page of room is what all of them can use. */
static inline void wake_writers(struct pipe *pipe)
{
    if (unlikely(pipe->waiters & (WRITERS_WAIT | POLLERS_WAIT)) && room(pipe) >= PIPE_BUF)
        wake(pipe, WRITERS_WAIT | POLLERS_WAIT);
}

/* ---- reading ---- */

static int32_t pipe_read_empty(const struct process *self, const struct file *file,
                               const struct transfer *transfer)
{
    struct pipe *pipe = file->pipe;
    if (unlikely(self->progress.kind == PROGRESS_BYTES)) /* somebody else has read the rest */
        return (int32_t)self->progress.value;
    if (transfer->bytes == 0 || pipe->writers == 0)
        return 0;
    if ((file->flags & O_NONBLOCK) || (transfer->flags & TRANSFER_NEVER_SLEEPS))
        return -EAGAIN;
    pipe->waiters |= READERS_WAIT;
    return process_sleep(&pipe->taken, 0);
}

/* Any read; the pipe is not empty. */
static __attribute__((noinline)) int32_t pipe_read_any(struct process *self, struct file *file,
                                                       struct transfer *transfer)
{
    struct pipe *pipe = file->pipe;
    uint32_t done = transfer_begin(self, transfer), left = transfer->bytes;
    if (left > pipe_used(pipe))
        left = pipe_used(pipe);
    enum kerr error = KERR_OK;
    while (left > 0 && error == KERR_OK) { /* copy, then consume */
        uint32_t in_page = pipe->taken % PAGE_BYTES;
        uint32_t bytes = left < PAGE_BYTES - in_page ? left : PAGE_BYTES - in_page;
        error = transfer_to_user(transfer, *page_slot(pipe, pipe->taken) + in_page, bytes);
        if (error == KERR_OK) {
            consume(pipe, bytes);
            done += bytes;
            left -= bytes;
        }
    }
    wake_writers(pipe);
    return error == KERR_OK ? (int32_t)done : transfer_failed(self, transfer, error, done);
}

/* The usual read is one copy out of a page; everything else, and what fails, goes the long way. */
static int32_t pipe_read(struct process *self, struct file *file, struct transfer *transfer)
{
    struct pipe *pipe = file->pipe;
    uint32_t bytes = transfer->bytes, taken = pipe->taken, used = pipe->put - taken;
    uint32_t in_page = taken % PAGE_BYTES;
    if (used == 0)
        return pipe_read_empty(self, file, transfer);
    if (bytes > used)
        bytes = used;
    if (unlikely(bytes > PAGE_BYTES - in_page || self->progress.kind == PROGRESS_BYTES ||
                 !transfer_is_plain(transfer)) ||
        unlikely(user_copy(transfer_place(transfer), *page_slot(pipe, taken) + in_page, bytes) !=
                 FAULT_RESOLVED))
        return pipe_read_any(self, file, transfer);
    consume(pipe, bytes);
    wake_writers(pipe);
    return (int32_t)bytes;
}

/* ---- writing ---- */

/* SELF can't write the rest now. DONE bytes of it are in the pipe. */
static int32_t pipe_write_full(struct process *self, const struct file *file,
                               const struct transfer *transfer, uint32_t done)
{
    struct pipe *pipe = file->pipe;
    if ((file->flags & O_NONBLOCK) || (transfer->flags & TRANSFER_NEVER_SLEEPS))
        return done > 0 ? (int32_t)done : -EAGAIN;
    if (done > 0)
        progress_note(self, PROGRESS_BYTES, done);
    pipe->waiters |= WRITERS_WAIT;
    return process_sleep(&pipe->put, 0);
}

/* BYTES bytes, at most what the page of `put` has room for; the page is there. */
static kerr_t fill(struct pipe *pipe, struct transfer *transfer, uint32_t bytes)
{
    enum kerr error =
        transfer_from_user(transfer, *page_slot(pipe, pipe->put) + pipe->put % PAGE_BYTES, bytes);
    if (error == KERR_OK)
        pipe->put += bytes;
    return error;
}

/* The pages for the next BYTES bytes, at most PIPE_BUF, are there. */
static kerr_t need_pages(struct pipe *pipe, uint32_t bytes)
{
    enum kerr error = need_page(pipe, pipe->put);
    if (error == KERR_OK && pipe->put % PAGE_BYTES + bytes > PAGE_BYTES)
        error = need_page(pipe, pipe->put + bytes - 1);
    return error;
}

/*
 * Write as much as there is room for; *DONE counts. A write of up to PIPE_BUF bytes has its pages
 * before the first byte is copied.
 *   returns KERR_NO_ROOM when the pipe is full
 */
static kerr_t pipe_write_some(struct pipe *pipe, struct transfer *transfer, uint32_t *done)
{
    enum kerr error = KERR_OK;
    uint32_t at_once = *done + transfer->bytes <= PIPE_BUF ? transfer->bytes : 1;
    while (transfer->bytes > 0 && error == KERR_OK) {
        uint32_t space = room(pipe), in_page = pipe->put % PAGE_BYTES;
        if (space < at_once)
            return KERR_NO_ROOM;
        error = need_pages(pipe, at_once);
        if (error != KERR_OK)
            return error;
        uint32_t bytes = transfer->bytes < space ? transfer->bytes : space;
        bytes = bytes < PAGE_BYTES - in_page ? bytes : PAGE_BYTES - in_page;
        error = fill(pipe, transfer, bytes);
        if (error == KERR_OK)
            *done += bytes;
        at_once = 1;
    }
    return error;
}

/* Any write, perhaps one that was begun before it was repeated. */
static __attribute__((noinline)) int32_t pipe_write_any(struct process *self, struct file *file,
                                                        struct transfer *transfer)
{
    struct pipe *pipe = file->pipe;
    uint32_t before = transfer_begin(self, transfer), done = before;
    if (transfer->bytes == 0)
        return (int32_t)done;
    if (pipe->readers == 0) {
        signal_send(self, SIGPIPE, self->pid);
        return done > 0 ? (int32_t)done : -EPIPE;
    }
    bool is_atomic = transfer->bytes <= PIPE_BUF && before == 0;
    enum kerr error = pipe_write_some(pipe, transfer, &done);
    if (error_goes_by(error) && is_atomic) { /* nobody has seen the bytes yet */
        pipe->put -= done;
        done = 0;
    }
    if (done > before)
        wake_readers(pipe);
    if (error == KERR_NO_ROOM)
        return pipe_write_full(self, file, transfer, done);
    return error == KERR_OK ? (int32_t)done : transfer_failed(self, transfer, error, done);
}

/* The usual write is one copy into a page that is there; as in pipe_read(). */
static int32_t pipe_write(struct process *self, struct file *file, struct transfer *transfer)
{
    struct pipe *pipe = file->pipe;
    uint32_t bytes = transfer->bytes, put = pipe->put, in_page = put % PAGE_BYTES;
    uint8_t *page = *page_slot(pipe, put);
    if (unlikely(page == NULL || bytes > PAGE_BYTES - in_page ||
                 put + bytes - pipe->taken > pipe->capacity || self->progress.kind != 0 ||
                 pipe->readers == 0 || !transfer_is_plain(transfer)) ||
        unlikely(user_copy(page + in_page, transfer_place(transfer), bytes) != FAULT_RESOLVED))
        return pipe_write_any(self, file, transfer);
    pipe->put = put + bytes;
    wake_readers(pipe);
    return (int32_t)bytes;
}

/* ---- the rest ---- */

static uint32_t poll_reader(struct file *file)
{
    struct pipe *pipe = file->pipe;
    pipe->waiters |= POLLERS_WAIT;
    return (pipe_used(pipe) > 0 ? POLL_READABLE : 0u) | (pipe->writers > 0 ? 0u : POLLHUP);
}

static uint32_t poll_writer(struct file *file)
{
    struct pipe *pipe = file->pipe;
    pipe->waiters |= POLLERS_WAIT;
    return (room(pipe) >= PIPE_BUF ? POLL_WRITABLE : 0u) | (pipe->readers > 0 ? 0u : POLLERR);
}

static int32_t pipe_ioctl(struct process *self, struct file *file, uint32_t request,
                          uint32_t argument)
{
    uint32_t used = pipe_used(file->pipe);
    (void)self;
    if (request != FIONREAD)
        return -ENOTTY;
    enum kerr error = user_write(argument, &used, sizeof(used));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static void pipe_end(struct pipe *pipe)
{
    for (unsigned i = 0; i < PAGES_PER_PIPE; i++)
        free_page(pipe, pipe->pages[i]);
    free_page(pipe, pipe->spare);
    if (pipe->inode != NULL)
        pipe->inode->pipe = NULL;
    pipe_count--;
    kfree(pipe);
}

/* A file is closed; the other end learns of it, or was none. */
static void pipe_release(struct file *file)
{
    struct pipe *pipe = file->pipe;
    pipe->readers -= (file->access & FILE_READ) != 0;
    pipe->writers -= (file->access & FILE_WRITE) != 0;
    if (pipe->readers + pipe->writers == 0)
        pipe_end(pipe);
    else if (pipe->readers == 0 || pipe->writers == 0)
        wake(pipe, READERS_WAIT | WRITERS_WAIT | POLLERS_WAIT);
}

/* Each file that is open stands for its part. */
static uint32_t pipe_footprint(const struct file *file)
{
    uint32_t files = file->pipe->readers + file->pipe->writers;
    return (uint32_t)sizeof(struct pipe) + file->pipe->page_count * PAGE_BYTES / files;
}

static uint32_t poll_both(struct file *file)
{
    return poll_reader(file) | poll_writer(file);
}

const struct file_operations pipe_read_operations = {.read = pipe_read,
                                                     .poll = poll_reader,
                                                     .ioctl = pipe_ioctl,
                                                     .footprint = pipe_footprint,
                                                     .release = pipe_release};
const struct file_operations pipe_write_operations = {.write = pipe_write,
                                                      .poll = poll_writer,
                                                      .ioctl = pipe_ioctl,
                                                      .footprint = pipe_footprint,
                                                      .release = pipe_release};
static const struct file_operations pipe_both_operations = {.read = pipe_read,
                                                            .write = pipe_write,
                                                            .poll = poll_both,
                                                            .ioctl = pipe_ioctl,
                                                            .footprint = pipe_footprint,
                                                            .release = pipe_release};

/* ---- they begin ---- */

static enum kerr make_pipe(struct pipe **pipe)
{
    static uint32_t last_number = 0x10000;
    void *block;
    if (pipe_count == PIPES_MAX)
        return KERR_NO_ROOM;
    enum kerr error = kmalloc(sizeof(struct pipe), &block);
    if (error != KERR_OK)
        return error;
    *pipe = block;
    **pipe = (struct pipe){.capacity = RING_BYTES, .number = ++last_number};
    pipe_count++;
    return KERR_OK;
}

/* A file of PIPE, to be used as FLAGS say. A pipe without one ends. */
static enum kerr open_end(struct pipe *pipe, uint32_t flags, struct file **file)
{
    static const struct file_operations *const operations[] = {[O_RDONLY] = &pipe_read_operations,
                                                               [O_WRONLY] = &pipe_write_operations,
                                                               [O_RDWR] = &pipe_both_operations};
    enum kerr error = file_create(operations[flags & O_ACCMODE], pipe->inode, flags, file);
    if (error != KERR_OK) {
        if (pipe->readers + pipe->writers == 0)
            pipe_end(pipe);
        return error;
    }
    (*file)->pipe = pipe;
    pipe->readers += ((*file)->access & FILE_READ) != 0;
    pipe->writers += ((*file)->access & FILE_WRITE) != 0;
    return KERR_OK;
}

enum kerr pipe_create(uint32_t flags, struct file **reader, struct file **writer)
{
    struct pipe *pipe;
    enum kerr error = make_pipe(&pipe);
    if (error == KERR_OK)
        error = open_end(pipe, flags | O_RDONLY, reader);
    if (error != KERR_OK)
        return error;
    error = open_end(pipe, flags | O_WRONLY, writer);
    if (error != KERR_OK)
        file_put(*reader);
    return error;
}

/* ---- FIFOs ---- */

/* An end that is open, and whose open() waits for the other. */
struct opening {
    struct call_holding holding;
    struct file *file;
    uint32_t seen; /* how often the other end had been opened by then */
};

static void drop_opening(struct call_holding *holding)
{
    struct opening *opening = container_of(holding, struct opening, holding);
    file_put(opening->file);
    kfree(opening);
}

/* The end that the one with ACCESS waits for. */
static uint32_t *other_opens(struct pipe *pipe, uint32_t access)
{
    return &pipe->opens[access == FILE_READ];
}

static bool other_is_open(const struct pipe *pipe, uint32_t access)
{
    return access == FILE_READ ? pipe->writers > 0 : pipe->readers > 0;
}

/* FILE, which is open, waits for the other end. */
static int32_t wait_for_other(struct process *self, struct file *file)
{
    void *block;
    enum kerr error = kmalloc(sizeof(struct opening), &block);
    if (error != KERR_OK) {
        file_put(file);
        return file_allocation_failed(error);
    }
    struct opening *opening = block;
    *opening = (struct opening){{drop_opening}, file, *other_opens(file->pipe, file->access)};
    call_hold(self, &opening->holding);
    return process_sleep(file->pipe->opens, 0);
}

/* The call is repeated, and has what it held. */
static int32_t open_again(struct process *self, struct opening *opening, struct file **file)
{
    struct pipe *pipe = opening->file->pipe;
    uint32_t access = opening->file->access;
    if (*other_opens(pipe, access) == opening->seen && !other_is_open(pipe, access))
        return process_sleep(pipe->opens, 0);
    *file = opening->file;
    call_take(self);
    kfree(opening);
    return 0;
}

int32_t fifo_open(struct process *self, struct inode *inode, uint32_t flags, struct file **file)
{
    enum kerr error = KERR_OK;
    if ((flags & O_ACCMODE) == O_ACCMODE) /* neither to read nor to write: there is no such end */
        return -EINVAL;
    if (call_held(self) != NULL)
        return open_again(self, container_of(call_held(self), struct opening, holding), file);
    bool has_readers = inode->pipe != NULL && inode->pipe->readers > 0;
    if ((flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK) && !has_readers)
        return -ENXIO;
    if (inode->pipe == NULL) {
        error = make_pipe(&inode->pipe);
        if (error != KERR_OK)
            return file_allocation_failed(error);
        inode->pipe->inode = inode;
    }
    error = open_end(inode->pipe, flags, file);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    struct pipe *pipe = inode->pipe;
    pipe->opens[0] += ((*file)->access & FILE_READ) != 0;
    pipe->opens[1] += ((*file)->access & FILE_WRITE) != 0;
    process_wake(pipe->opens);
    wake(pipe, POLLERS_WAIT);
    bool waits = (*file)->access != (FILE_READ | FILE_WRITE) && !(flags & O_NONBLOCK) &&
                 !other_is_open(pipe, (*file)->access);
    return waits ? wait_for_other(self, *file) : 0;
}

uint32_t pipe_number(const struct file *file)
{
    return file->pipe->number;
}

int32_t pipe_capacity(const struct file *file)
{
    return file->pipe != NULL ? (int32_t)file->pipe->capacity : -EBADF;
}

int32_t pipe_set_capacity(struct file *file, uint32_t bytes)
{
    struct pipe *pipe = file->pipe;
    uint32_t capacity = PAGE_BYTES;
    if (pipe == NULL)
        return -EBADF;
    if ((int32_t)bytes < 0)
        return -EINVAL;
    if (bytes > RING_BYTES)
        return -EPERM;
    while (capacity < bytes)
        capacity *= 2;
    if (capacity < pipe_used(pipe))
        return -EBUSY;
    pipe->capacity = capacity;
    wake_writers(pipe);
    return (int32_t)capacity;
}

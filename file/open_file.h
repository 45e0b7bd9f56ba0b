/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. What the units of file/ share: open files and what each kind can do, the tree of names,
 * and transfers between a file and a program.
 *
 * An open file is a structure of the heap, counted by the descriptors that name it. What it does is
 * decided by its table of operations, never by a question about its kind.
 * Constants: Linux manual pages open(2), poll(2), stat(2), inode(7) and the i386 ABI.
 */
#ifndef FILE_OPEN_FILE_H
#define FILE_OPEN_FILE_H

#include <file/file.h>
#include <file/inode.h>
#include <process/part.h>
#include <process/repeat.h>
#include <process/system_call.h>

enum open_flags {
    O_RDONLY = 0,
    O_WRONLY = 1,
    O_RDWR = 2,
    O_ACCMODE = 3,
    O_CREAT = 0100,
    O_EXCL = 0200,
    O_NOCTTY = 0400,
    O_TRUNC = 01000,
    O_APPEND = 02000,
    O_NONBLOCK = 04000,
    O_DSYNC = 010000,
    O_ASYNC = 020000,
    O_DIRECT = 040000,
    O_LARGEFILE = 0100000,
    O_DIRECTORY = 0200000,
    O_NOFOLLOW = 0400000,
    O_NOATIME = 01000000,
    O_CLOEXEC = 02000000,
    O_SYNC = 04000000 | O_DSYNC,
    O_PATH = 010000000,
    O_TMPFILE = 020000000 | O_DIRECTORY,
};

enum poll_events {
    POLLIN = 0x1,
    POLLPRI = 0x2,
    POLLOUT = 0x4,
    POLLERR = 0x8,
    POLLHUP = 0x10,
    POLLNVAL = 0x20,
    POLLRDNORM = 0x40,
    POLLRDBAND = 0x80,
    POLLWRNORM = 0x100,
    POLLWRBAND = 0x200,
    POLL_READABLE = POLLIN | POLLRDNORM,
    POLL_WRITABLE = POLLOUT | POLLWRNORM,
};

/* Requests of ioctl(2) that concern more than the terminal. */
enum ioctl_request {
    FIONREAD = 0x541B, /* *argument = bytes that can be read */
    FIONBIO = 0x5421,  /* O_NONBLOCK as *argument says */
    FIONCLEX = 0x5450, /* not closed on execve any more; */
    FIOCLEX = 0x5451,  /* closed on it */
};

/* What a file was opened for. */
enum file_access { FILE_READ = 1, FILE_WRITE = 2 };

/* What lseek(), pread() and pwrite() can do with it. */
enum file_seek {
    SEEK_NEVER,    /* ESPIPE */
    SEEK_TO_START, /* its offset is always 0 */
    SEEK_ANYWHERE, /* each open file has an offset */
};

/* ---- transfers ---- */

/* A piece of the program's memory: struct iovec of the ABI. */
struct user_piece {
    uint32_t address, bytes;
};

enum transfer_flags {
    TRANSFER_OF_KERNEL = 1, /* the memory is the kernel's, and one piece */
    /* When nothing can be moved now: -EAGAIN, -ENOMEM. Else the call sleeps, or waits for a victim
     * to end, and is repeated. */
    TRANSFER_NEVER_SLEEPS = 2,
    TRANSFER_AT_POSITION = 4, /* not at the file's offset */
    TRANSFER_OF_PIECES = 8,   /* perhaps of several pieces */
};

/*
 * One read or write: so many bytes between a file and pieces of memory, in a row. Pieces of a
 * program lie below the kernel: who begins a transfer sees to that.
 */
struct transfer {
    uint32_t bytes;                      /* that are still to be moved */
    uint32_t address, bytes_here;        /* what is left of the current piece */
    uint32_t flags;                      /* enum transfer_flags */
    const struct user_piece *next_piece; /* only if more bytes are left than are here */
    uint64_t *position;                  /* only if TRANSFER_AT_POSITION */
};

/* At most this much is moved by one call; more is cut, as in Linux. */
#define TRANSFER_BYTES_MAX 0x7FFFF000u

/* A transfer of the kernel's own: tests, sendfile(). */
static inline struct transfer transfer_of_kernel(void *memory, uint32_t bytes)
{
    return (struct transfer){.bytes = bytes,
                             .address = pointer_to_vaddr(memory).v,
                             .bytes_here = bytes,
                             .flags = TRANSFER_OF_KERNEL | TRANSFER_NEVER_SLEEPS};
}

static inline void transfer_advance(struct transfer *transfer, uint32_t bytes)
{
    transfer->bytes -= bytes;
    transfer->address += bytes;
    transfer->bytes_here -= bytes;
}

/* Where the current piece goes on. */
static inline void *transfer_place(const struct transfer *transfer)
{
    return vaddr_to_pointer(VADDR(transfer->address));
}

/* All of it can be moved by user_copy(), whoever asks: the usual case. */
static inline bool transfer_is_plain(const struct transfer *transfer)
{
    return likely(!(transfer->flags & (TRANSFER_OF_KERNEL | TRANSFER_OF_PIECES)));
}

/* BYTES bytes can be moved by one copy, by user_copy(). */
static inline bool transfer_is_simple(const struct transfer *transfer, uint32_t bytes)
{
    return likely(!(transfer->flags & TRANSFER_OF_KERNEL) && bytes <= transfer->bytes_here);
}

/* The long way of the two below: any memory, any pieces. */
kerr_t transfer_to_pieces(struct transfer *transfer, const void *from, uint32_t bytes);
kerr_t transfer_from_pieces(struct transfer *transfer, void *to, uint32_t bytes);

/*
 * Move BYTES bytes, at most transfer->bytes, from FROM to the program, or from the program to TO,
 * and go on behind them. Errors as user_write(): part of them may have been copied.
 */
static inline kerr_t transfer_to_user(struct transfer *transfer, const void *from, uint32_t bytes)
{
    if (!transfer_is_simple(transfer, bytes))
        return transfer_to_pieces(transfer, from, bytes);
    enum kerr error = user_write(transfer->address, from, bytes);
    transfer_advance(transfer, bytes); /* who fails does not go on */
    return error;
}

static inline kerr_t transfer_from_user(struct transfer *transfer, void *to, uint32_t bytes)
{
    if (!transfer_is_simple(transfer, bytes))
        return transfer_from_pieces(transfer, to, bytes);
    enum kerr error = user_read(to, transfer->address, bytes);
    transfer_advance(transfer, bytes);
    return error;
}

/* The long way of the two below. */
kerr_t transfer_some_to_pieces(struct transfer *transfer, const void *from, uint32_t *bytes);
kerr_t transfer_some_from_pieces(struct transfer *transfer, void *to, uint32_t *bytes);

/*
 * As transfer_to_user() and transfer_from_user() of *BYTES bytes, or of fewer: where the program's memory
 * ends, or has a page that is not there yet, what is before that page is moved, and *BYTES is that.
 */
static inline kerr_t transfer_some_to_user(struct transfer *transfer, const void *from,
                                           uint32_t *bytes)
{
    if (transfer_is_simple(transfer, *bytes)) {
        enum kerr error = user_write(transfer->address, from, *bytes);
        if (likely(error == KERR_OK))
            transfer_advance(transfer, *bytes);
        if (likely(error == KERR_OK) ||
            error == KERR_IO) /* to ask again would begin another request */
            return error;
    }
    return transfer_some_to_pieces(transfer, from, bytes);
}

static inline kerr_t transfer_some_from_user(struct transfer *transfer, void *to, uint32_t *bytes)
{
    if (transfer_is_simple(transfer, *bytes)) {
        enum kerr error = user_read(to, transfer->address, *bytes);
        if (likely(error == KERR_OK))
            transfer_advance(transfer, *bytes);
        if (likely(error == KERR_OK) ||
            error == KERR_IO) /* to ask again would begin another request */
            return error;
    }
    return transfer_some_from_pieces(transfer, to, bytes);
}

/* BYTES bytes of zeros; as transfer_to_user(). */
kerr_t transfer_zeros(struct transfer *transfer, uint32_t bytes);

/* Leave out BYTES bytes, at most transfer->bytes. */
void transfer_skip(struct transfer *transfer, uint32_t bytes);

/*
 * How many bytes, at most MOST, lie in the current piece and in one page: what is moved in such
 * steps ends exactly where the program's memory ends. 0 only if nothing is left.
 */
uint32_t transfer_step(struct transfer *transfer, uint32_t most);

/*
 * What an operation returns that has moved DONE bytes when a copy fails with ERROR. What goes by
 * cuts nothing short: the call goes on behind those bytes.
 */
static inline int32_t transfer_failed(struct process *self, const struct transfer *transfer,
                                      enum kerr error, uint32_t done)
{
    if (done > 0) {
        if (!error_goes_by(error) || transfer->flags & TRANSFER_NEVER_SLEEPS)
            return (int32_t)done;
        progress_note(self, PROGRESS_BYTES, done);
    }
    if (transfer->flags & TRANSFER_NEVER_SLEEPS)
        return error == KERR_NO_MEMORY ? -ENOMEM : -EFAULT;
    return user_access_failed(error);
}

/*
 * The bytes that the call has moved before it was repeated: TRANSFER goes on behind them. (A
 * transfer of the kernel's is one step of a call, which counts by itself.)
 */
static inline uint32_t transfer_begin(const struct process *self, struct transfer *transfer)
{
    if (likely(self->progress.kind != PROGRESS_BYTES) || transfer->flags & TRANSFER_OF_KERNEL)
        return 0;
    transfer_skip(transfer, self->progress.value);
    return self->progress.value;
}

/* What an operation returns that has moved DONE bytes, a piece of its call, when more are left. */
static inline int32_t transfer_goes_on(struct process *self, const struct transfer *transfer,
                                       uint32_t done)
{
    return transfer->flags & TRANSFER_NEVER_SLEEPS ? (int32_t)done
                                                   : call_continue(self, PROGRESS_BYTES, done);
}

/* ---- open files ---- */

struct file_operations {
    /* As read(2) and write(2), which ask for access and range first. NULL: it can't be opened so (a
     * write: EROFS).
     * What may be long is done in pieces (transfer_goes_on()). */
    int32_t (*read)(struct process *self, struct file *file, struct transfer *transfer);
    int32_t (*write)(struct process *self, struct file *file, struct transfer *transfer);
    /* The events that hold now; the next change calls poll_wake(). NULL: it can always be read
     * and written. */
    uint32_t (*poll)(struct file *file);
    /* As ioctl(2); NULL: ENOTTY. */
    int32_t (*ioctl)(struct process *self, struct file *file, uint32_t request, uint32_t argument);
    /* Bytes of the kernel's heap that go with the last descriptor. NULL: a few. */
    uint32_t (*footprint)(const struct file *file);
    /* The last descriptor is gone. NULL: nothing to do. */
    void (*release)(struct file *file);
    enum file_seek seek;
};

struct file {
    const struct file_operations *operations;
    uint32_t access; /* enum file_access */
    struct pipe *pipe;
    struct inode *inode;  /* one reference; NULL: a pipe without a name */
    uint32_t flags;       /* enum open_flags, as F_GETFL reports them */
    uint32_t references;  /* descriptors, in all tables */
    uint64_t offset;      /* below 2^63 */
    uint32_t errors_told; /* of its inode's write-back */
};

/* Where TRANSFER begins in FILE, and what it moves on. */
static inline uint64_t *transfer_position(struct file *file, const struct transfer *transfer)
{
    return transfer->flags & TRANSFER_AT_POSITION ? transfer->position : &file->offset;
}

/*
 * A file of INODE (NULL: none), which gets a reference more, with one reference, opened with FLAGS.
 *   returns KERR_OK, KERR_NO_MEMORY, KERR_NO_ROOM (there are too many)
 */
kerr_t file_create(const struct file_operations *operations, struct inode *inode, uint32_t flags,
                   struct file **file);
void file_put(struct file *file);

/* FILE, which was created without, is one of INODE from here on. */
void file_attach(struct file *file, const struct file_operations *operations, struct inode *inode);

/* The operations of a file of INODE: its own, or those of its type. NULL: it has none (ENXIO). */
const struct file_operations *file_operations_of(const struct inode *inode);

/*
 * INODE is on the disk (inode_operations.flush()), for SELF's call, which notes progress of any kind if
 * that must wait (calls_flush.c). SEEN: whose errors are told.
 */
kerr_t file_flush(struct process *self, struct inode *inode, enum inode_flush what, uint32_t *seen);

/* FILE is a regular file: it has pages, and an end. */
static inline bool file_is_regular(const struct file *file)
{
    return file->inode != NULL && inode_type(file->inode) == S_IFREG;
}

/* What a call returns that could not allocate. */
static inline int32_t file_allocation_failed(enum kerr error)
{
    return error == KERR_NO_MEMORY ? process_out_of_memory() : -ENFILE;
}

/* ---- descriptors ---- */

enum descriptor_end { DESCRIPTOR_STAYS, DESCRIPTOR_CLOSE_ON_EXEC };

struct descriptor {
    struct file *file; /* NULL: free */
    enum descriptor_end at_exec;
};

/* A table. What else fork copies and files know about stands here, too. */
struct files {
    uint32_t references;
    uint32_t capacity;
    uint32_t first_free;     /* no descriptor below is free */
    uint32_t mask;           /* umask */
    struct inode *directory; /* the working directory, one reference */
    struct descriptor slots[];
};

/* Where layer 9 keeps something for each process (process/part.h). A layer above goes on at the
 * end. */
enum { FILES_PLACE, WAIT_COPY_PLACE, PROGRAM_PLACE, FILE_PLACES_END };
_Static_assert((int)FILE_PLACES_END <= PROCESS_STATES, "places in a process's record");

static inline struct files *files_of(const struct process *process)
{
    return process_state(process, FILES_PLACE);
}

static inline struct file *file_at(const struct process *process, uint32_t descriptor)
{
    const struct files *files = files_of(process);
    return descriptor < files->capacity ? files->slots[descriptor].file : NULL;
}

/* Before a change: SELF gets a table of its own. Returns KERR_OK, KERR_NO_MEMORY, KERR_NO_ROOM. */
kerr_t files_copy_for_write(struct process *self);

/*
 * These return 0; or an error negated, or what else the call must return, which is never 0.
 *
 * Give FILE, whose reference is taken over in any case, the lowest free descriptor from FIRST on.
 */
int32_t descriptor_add(struct process *self, struct file *file, uint32_t first,
                       enum descriptor_end at_exec, uint32_t *descriptor);

/* The same in two steps, for what must not fail any more once something is done: the first finds the
 * descriptor, the second gives it to FILE. */
int32_t descriptor_prepare(struct process *self, uint32_t first, uint32_t *descriptor);
void descriptor_set(struct process *self, uint32_t descriptor, struct file *file,
                    enum descriptor_end at_exec);

/* Let DESCRIPTOR, below the limit, name FILE, whose reference is taken over; what it named before
 * is closed. */
int32_t descriptor_replace(struct process *self, uint32_t descriptor, struct file *file,
                           enum descriptor_end at_exec);

int32_t descriptor_close(struct process *self, uint32_t descriptor);

/* The first descriptor that SELF may not have. */
uint32_t descriptor_limit(const struct process *self);

/* ---- status ---- */

enum at_flags {
    AT_SYMLINK_NOFOLLOW = 0x100,
    AT_EACCESS = 0x200,
    AT_NO_AUTOMOUNT = 0x800,
    AT_EMPTY_PATH = 0x1000,
    AT_STATX_SYNC_TYPE = 0x6000, /* a mask */
};

/* ---- kinds ---- */

extern const struct file_operations regular_operations, directory_operations, null_operations,
    zero_operations, terminal_operations, disk_operations, pipe_read_operations,
    pipe_write_operations;

/* A device as a file: what a node with its type and number does, in any file system. */
struct device_file {
    const char *name; /* in /dev */
    uint32_t mode;    /* S_IFCHR or S_IFBLK, and rights */
    uint32_t number;  /* Linux's, device_number() */
    const struct file_operations *operations;
    struct list link;
};

/* DEVICE, which lives for good, is there from here on; before /dev is mounted, or after. */
kerr_t device_file_add(struct device_file *device);

/* The device that MODE's type and NUMBER name, or NULL; all of them. */
const struct device_file *device_file_find(uint32_t mode, uint32_t number);
const struct device_file *device_file_next(const struct device_file *device);

/* FILE, if it is a disk: the inode, of no file system, that has its pages and its length; no reference. Else NULL. */
struct inode *disk_pages(const struct file *file);

struct block_device;

/* DEVICE, the NTH of all, is a file in /dev from here on. KERR_OK, KERR_NO_MEMORY. */
kerr_t disk_file_add(struct block_device *device, uint32_t nth);

/* The device that NODE, a file in /dev, stands for; NULL: it is no disk's. */
struct block_device *disk_device(const struct inode *node);

/* ---- the root ---- */

/* A disk was named that is to be the root (`root=`): root.c mounts it. */
bool root_is_disk(void);

/* ---- regular files ---- */

/* No file is longer: as long as an object can be. */
#define FILE_BYTES_MAX ((uint64_t)OBJECT_PAGE_LIMIT * PAGE_BYTES)

/*
 * BYTES bytes of INODE, a regular file, from OFFSET on to the kernel's TO; behind the end are zeros. As
 * inode_operations.page().
 */
kerr_t regular_read_kernel(struct inode *inode, uint64_t offset, void *to, uint32_t bytes);

/* The same from the kernel's FROM; the file grows. What was written before an error stays. */
kerr_t regular_write_kernel(struct inode *inode, uint64_t offset, const void *from, uint32_t bytes);

/* What a call returns that has moved DONE bytes, and then met ERROR: the file's, or the program's memory's. */
int32_t file_transfer_failed(struct process *self, const struct transfer *transfer, enum kerr error,
                             bool is_of_file, uint32_t done);

/* The read operation of FILE, whose bytes are those of the pages of INODE: its own, or a disk's. */
int32_t file_read_pages(struct process *self, struct file *file, struct inode *inode,
                        struct transfer *transfer);

/* The file was read: its time of access moves as with relatime. */
void file_was_read(struct file *file);

/* Both ends of a new pipe. Returns as file_create(). */
kerr_t pipe_create(uint32_t flags, struct file **reader, struct file **writer);

/* The number of its inode, as fstat() tells it of a pipe without a name. */
uint32_t pipe_number(const struct file *file);

/*
 * Open INODE, a FIFO: *FILE. Waits for the other end, as fifo(7) says.
 *   returns 0; -ENXIO; or what else the call must return, which is never 0
 */
int32_t fifo_open(struct process *self, struct inode *inode, uint32_t flags, struct file **file);

/* As F_GETPIPE_SZ and F_SETPIPE_SZ of fcntl(2). */
int32_t pipe_capacity(const struct file *file);
int32_t pipe_set_capacity(struct file *file, uint32_t bytes);

/* ---- waiting for several files ---- */

/* What pollers of any file sleep on; a file that was asked wakes them when it changes. */
extern const char poll_channel;

static inline void poll_wake(void)
{
    process_wake(&poll_channel);
}

/*
 * Sleep on CHANNEL for at most TICKS ticks, over all repetitions of the call; the first one notes
 * the end as the call's progress. wait_is_over(): the time is up, or there is none to wait.
 */
enum { WAIT_FOR_EVER = 0xFFFFFFFF, WAIT_TICKS_MAX = 1 << 29 };
bool wait_is_over(const struct process *self, uint32_t ticks);
int32_t wait_sleep(struct process *self, const void *channel, uint32_t ticks) must_check;

/* ---- locks ---- */

/* PROCESS closes a descriptor of INODE, or ends: its locks of it go. */
void locks_end_with_process(struct inode *inode, const struct process *process);

/* The last descriptor of FILE is gone: its locks go. */
void locks_end_with_file(const struct file *file);

#endif

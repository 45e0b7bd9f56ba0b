/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Uses: layers 0-8. Used by: file/ (each file system), program/init.c, prompt/.
 *
 * What is behind names: inodes, the file systems that they belong to, and where these are mounted.
 *
 * A file system registers itself (FILE_SYSTEM) and says with its operations how an inode is found,
 * made, named and changed. All the rest is done once for all of them: paths (path.c), reading and
 * writing of regular files by way of the inode's object (regular.c), descriptors, locks, pipes.
 *
 *   struct inode   in the core while anybody uses it, and as long after as there is room for it;
 *                  embedded in the file system's own record, which lies in the heap
 *   name           no record of its own: a file system is asked, or a small table of what it answered
 *                  last (names.c). An inode knows the directory that it was found in last, so ".." and
 *                  paths of what is open need no disk
 *
 * Rules for every operation of a file system:
 *   - It runs in a system call (or at boot, or at the prompt), never in the fault path: it may take
 *     memory from the heap. It returns an enum kerr.
 *   - It may answer KERR_MUST_WAIT (a channel was left), or KERR_NO_MEMORY: then nothing has changed
 *     that a program could see, and it is asked again with the same arguments. So it first brings
 *     and checks all that can wait or fail, and only then changes things. Asked again, it gets
 *     further: what it brought stays until the event ends.
 *   - Other errors leave nothing changed, too. They mean for programs:
 *     KERR_NOT_FOUND ENOENT, KERR_EXISTS EEXIST, KERR_NOT_EMPTY ENOTEMPTY, KERR_NO_SPACE ENOSPC,
 *     KERR_READ_ONLY EROFS, KERR_IO EIO, KERR_TOO_LARGE EFBIG, KERR_TOO_MANY EMLINK, KERR_NO_ROOM
 *     ENFILE, KERR_UNSUPPORTED EPERM, all others EINVAL.
 *   - Inodes that it is given are used by the caller until it returns, and of its own mount.
 *   - What is the same for all is checked before: types, names ("." and ".." never come; 1 to 255
 *     bytes without '/'), rights, whether the mount may be written, ends that are on two mounts.
 */
#ifndef FILE_INODE_H
#define FILE_INODE_H

#include <kernel/kerr.h>
#include <kernel/list.h>
#include <mm/object.h>
#include <process/clock.h>

struct file_operations; /* file/open_file.h */
struct file_lock;
struct inode;
struct mount;
struct pipe;

enum { PATH_BYTES_MAX = 4096, NAME_BYTES_MAX = 255, FILE_SECTOR_BYTES = 512 };

enum file_mode {
    S_IFMT = 0170000, /* a mask: the type */
    S_IFIFO = 0010000,
    S_IFCHR = 0020000,
    S_IFDIR = 0040000,
    S_IFBLK = 0060000,
    S_IFREG = 0100000,
    S_IFLNK = 0120000,
    S_IFSOCK = 0140000,
    MODE_BITS = 07777, /* a mask: what chmod() changes */
    S_ISUID = 04000,
    S_ISGID = 02000,
    S_ISVTX = 01000,
    S_IXANY = 0111,
    S_IXGRP = 0010,
};

/* A device's number, as the ABI has it: 12 bits of major in the middle of 20 bits of minor. */
static inline uint32_t device_number(uint32_t major, uint32_t minor)
{
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & 0xFFF00) << 12;
}
static inline uint32_t device_major(uint32_t number)
{
    return number >> 8 & 0xFFF;
}
static inline uint32_t device_minor(uint32_t number)
{
    return (number & 0xFF) | (number >> 12 & 0xFFF00);
}

/* One part of a path: LENGTH bytes, no terminator. */
struct name {
    const char *text;
    uint32_t length;
};

/* What a program sees of a file. Changed by VFS and file system alike; see inode_changed(). */
struct inode_status {
    uint32_t mode; /* enum file_mode: type and rights */
    uint32_t links;
    uint32_t user, group;
    uint32_t device;  /* of a device: device_number() */
    uint64_t bytes;   /* of a regular file or a symbolic link; a directory's is the file system's */
    uint64_t sectors; /* of 512 bytes, that it holds on the disk or in memory */
    struct time accessed, modified, changed, born;
};

/* ---- inodes ---- */

struct inode {
    const struct inode_operations *operations;
    const struct file_operations *file_operations; /* what open() gives; NULL: as its type has it */
    struct mount *mount;
    uint32_t number;  /* within its mount; never 0 */
    bool keeps_names; /* of a directory: names in it may be known without asking (names.c) */
    struct list known_inside, known_as; /* entries of those: of names in it, and of its own */
    uint32_t references;      /* users: open files, working directories, walks, mounts, programs */
    uint32_t children;        /* inodes in the core whose `parent` it is; they keep it there, too */
    struct inode *parent;     /* the directory it was found in last; the root: itself; NULL: none */
    struct mount *covered_by; /* of a directory: what is mounted on it; NULL: nothing */
    struct list chain;        /* of the table; */
    struct list unused;       /* of those without users, the one that was left last at the end */
    uint32_t flags;           /* enum inode_flags */
    struct inode_status status;
    uint32_t
        read_tick; /* the tick, from 1 on, at which a read found `accessed` right; 0: none since a change */
    /* Of a regular file: its pages, object->pages of them, which cover `status.bytes` (a page more while
     * it is written to). One reference is the inode's; regions have theirs, and as long as there are
     * any the inode stays. object->owner leads back here. NULL: no pages. */
    struct object *object;
    uint32_t errors_told; /* of write-back, to anybody: who opens it is told of those behind; */
    uint32_t errors_told_mapped; /* and to those who map it */
    uint32_t writers;            /* open files that may write, while they are open; */
    uint32_t executions;         /* programs that run it: one of the two is 0 (ETXTBSY) */
    struct pipe *pipe;           /* of a FIFO that is open */
    struct list locks;           /* struct file_lock, of fcntl() and flock() */
};

enum inode_flags {
    INODE_DIRTY = 1, /* `status` says more than the file system has written (see flush) */
    /* Room was made, and what was to be written there had to be waited for: the next write looks at that first. */
    INODE_SOURCE_FIRST = 2,
    /* Its evict() failed, and is not repeated until a sync or an unmount asks for it. */
    INODE_EVICT_FAILED = 4,
};

/* What create() is to make. */
struct inode_wish {
    uint32_t mode;      /* type and rights; the umask has been applied */
    uint32_t device;    /* of S_IFCHR and S_IFBLK */
    const char *target; /* of S_IFLNK: `target_bytes` bytes */
    uint32_t target_bytes;
};

/* An entry of a directory. */
struct directory_entry {
    uint64_t cursor;  /* of the entry behind it */
    uint32_t number;  /* of the inode */
    uint32_t mode;    /* its type: S_IFMT; 0: not known without looking */
    struct name name; /* valid until the file system is asked again */
};

enum inode_page { PAGE_TO_READ, PAGE_TO_WRITE, PAGE_TO_WRITE_WHOLE };
enum inode_content { CONTENT_DATA, CONTENT_HOLE };

enum inode_flush {
    FLUSH_DATA,   /* fdatasync(): times may be missing */
    FLUSH_ALL,    /* fsync() */
    FLUSH_STATUS, /* the status goes to where the file system keeps it, on its way to the disk: before
                     evict(), and at sync(), which then writes all of it */
};

/* How far a call has come that flushes: zeros at first, and kept while it is asked again. */
struct flushing {
    uint32_t step;   /* the file system's; */
    bool has_failed; /* and something could not be written, behind which it went on */
    uint32_t ticket; /* for cache_flush() */
    uint32_t
        *seen; /* the errors of write-back that were told before to whom is told now; NULL: whatever
                        can't be written is told */
};

/* NULL stands for what a comment says; KERR_UNSUPPORTED if it says nothing. */
struct inode_operations {
    /* ---- of directories ---- */

    /* *INODE: what NAME is in DIRECTORY, one reference for the caller (inode_find(), or else read and
     * inode_add()). KERR_NOT_FOUND. */
    enum kerr (*lookup)(struct inode *directory, struct name name, struct inode **inode);

    /* Make a file of any type and name it: lookup said KERR_NOT_FOUND in the same event. A directory
     * is empty; DIRECTORY has a link more for its "..". An empty NAME: no name and no links
     * (O_TMPFILE), and link() may come later. Times of both are set. *INODE as lookup(). */
    enum kerr (*create)(struct inode *directory, struct name name, const struct inode_wish *wish,
                        struct inode **inode);

    /* NAME, which is not there, becomes one more name of INODE, which is no directory. */
    enum kerr (*link)(struct inode *directory, struct name name, struct inode *inode);

    /* NAME, which is INODE, goes; so does one of its links (both of a directory, and DIRECTORY's for
     * ".."). KERR_NOT_EMPTY of a directory. Nothing is freed: evict() does, when nobody uses INODE. */
    enum kerr (*remove)(struct inode *directory, struct name name, struct inode *inode);

    /* FROM_NAME, which is INODE, becomes TO_NAME; REPLACED, if not NULL, is what that was: of the same
     * kind (directory or not), another inode, and it loses that link. KERR_NOT_EMPTY. At no time, nor
     * after a power cut, is there neither name. ".." of a directory that moves, and links for it, follow.
     * No directory gets below itself. */
    enum kerr (*rename)(struct inode *from, struct name from_name, struct inode *inode,
                        struct inode *to, struct name to_name, struct inode *replaced);

    /* FROM_NAME, which is INODE, becomes TO_NAME, and TO_NAME, which is OTHER, becomes FROM_NAME, at once. Two
     * inodes of any kind; neither gets below itself. Links as with rename(). NULL: EINVAL. */
    enum kerr (*exchange)(struct inode *from, struct name from_name, struct inode *inode,
                          struct inode *to, struct name to_name, struct inode *other);

    /* The first entry at or behind CURSOR, at least 2: "." and ".." are told by the caller, as 0 and 1.
     * A name that stays while others come and go is told once. KERR_NOT_FOUND: no more. */
    enum kerr (*read_directory)(struct inode *directory, uint64_t cursor,
                                struct directory_entry *entry);

    /* ---- of symbolic links ---- */

    /* TARGET, PATH_BYTES_MAX bytes of room; *BYTES, at most one less; no terminator needed. */
    enum kerr (*read_link)(struct inode *inode, char *target, uint32_t *bytes);

    /* *TARGET: where INODE leads, whatever read_link() says; one reference for the caller. NULL: where
     * read_link() says. (/proc/self/exe) KERR_NOT_FOUND. */
    enum kerr (*follow)(struct inode *inode, struct inode **target);

    /* ---- of regular files ---- */

    /* The frame of PAGE, as it is to be seen, valid in this event; no reference.
     * TO_READ: within the object. KERR_NOT_FOUND: a hole, it reads as zeros.
     * TO_WRITE: it has its place on the disk, or in the account; it is dirty from here on; the object
     * covers it, and grows if need be: page_written() follows, in the same event, unless all of the page
     * lies within the file. KERR_NO_SPACE.
     * TO_WRITE_WHOLE: the same of a page behind the end of the file, all of which is about to be written:
     * what it holds does not matter. */
    enum kerr (*page)(struct inode *inode, uint32_t page, enum inode_page use, frame_t *frame);

    /* As page(TO_READ) for up to COUNT pages, several, from PAGE on, all in one slot's worth (SLOT_PAGES), as far as they are
     * known at once; holes are NO_FRAME. *FOUND: 1 at least. NULL: page() is asked for each. */
    enum kerr (*pages_to_read)(struct inode *inode, uint32_t page, uint32_t count, frame_t frames[],
                               uint32_t *found);

    /* After page(TO_WRITE): the file is at least END bytes long now; what page() let it grow by
     * beyond that is taken back, at the latest in evict(). NULL: status.bytes is set, no more. */
    void (*page_written)(struct inode *inode, uint64_t end);

    /* BYTES long: status.bytes and the object follow. Longer: zeros, that take no room. Shorter: pages
     * behind the end are gone from all regions (object_resize()), what is behind it in the last one is
     * cleared, and the room given back. May do a piece only: KERR_AGAIN, asked again at once or later. */
    enum kerr (*resize)(struct inode *inode, uint64_t bytes);

    /* *FOUND: the first page from PAGE on that is data, or a hole; or the object's end. NULL: all is
     * data. (lseek) */
    enum kerr (*find_page)(struct inode *inode, uint32_t page, enum inode_content wanted,
                           uint32_t *found);

    /* Give pages [FIRST, LAST] room, so that to write them fails with no KERR_NO_SPACE; what they
     * hold stays. The length stays. KERR_AGAIN as above. */
    enum kerr (*reserve)(struct inode *inode, uint32_t first, uint32_t last);

    /* ---- of all ---- */

    /* INODE is to be on the disk: WHAT is its pages, its status (INODE_DIRTY), and what leads to them.
     * KERR_MUST_WAIT until that is so: of what was there when it was asked first, whoever writes
     * meanwhile. Errors of write-back since FLUSHING->seen: KERR_IO, once. (FLUSHING may be NULL with
     * FLUSH_STATUS.) NULL: nothing to do. */
    enum kerr (*flush)(struct inode *inode, enum inode_flush what, struct flushing *flushing);

    /* No users, no children; no regions either, unless the file system KEEPS_INODES: its objects live
     * on without their inodes. Without links the file ends: its room is given back. In any case its
     * record is freed, after inode_remove(). KERR_MUST_WAIT, KERR_IO, KERR_AGAIN: it stays, and is asked
     * again later. Of a file with links only if the file system does not KEEP_INODES; what is dirty has
     * been flushed. */
    enum kerr (*evict)(struct inode *inode);
};

/*
 * The inode NUMBER of MOUNT, if it is in the core: one reference for the caller. NULL: it is not.
 */
struct inode *inode_find(struct mount *mount, uint32_t number);

/* May there be one more? They are bounded over all mounts. Unused ones are evicted for it. */
kerr_t inode_make_room(void);

/*
 * INODE, whose record was zeroed and whose operations, status and object (or NULL) are set, is NUMBER
 * of MOUNT from here on, with one reference, the caller's. It is not in the core yet; or what is there
 * stands for something that has ended, and inode_find() finds it no more.
 */
void inode_add(struct inode *inode, struct mount *mount, uint32_t number);

/* INODE is not in the core any more; its object, if any, is put back. For evict() alone. */
void inode_remove(struct inode *inode);

/* Nobody uses INODE any more: it has no users and no children. */
void inode_rest(struct inode *inode);

static inline void inode_get(struct inode *inode)
{
    if (inode->references++ == 0)
        list_remove(&inode->unused);
}

/* The last user of an INODE without links evicts it; if that must wait, it is done later. Never fails. */
static inline void inode_put(struct inode *inode) /* NULL: nothing */
{
    if (inode != NULL && --inode->references == 0 && inode->children == 0)
        inode_rest(inode);
}

static inline uint32_t inode_type(const struct inode *inode)
{
    return inode->status.mode & S_IFMT;
}

static inline bool inode_is_directory(const struct inode *inode)
{
    return inode_type(inode) == S_IFDIR;
}

/* INODE's times that WHICH names are now, and it is dirty. */
enum inode_times { TIME_ACCESSED = 1, TIME_MODIFIED = 2, TIME_CHANGED = 4 };
void inode_touch(struct inode *inode, uint32_t which);

/* INODE's status was changed. */
static inline void inode_changed(struct inode *inode)
{
    inode->flags |= INODE_DIRTY;
}

/* ---- names ---- */

/*
 * The operations of DIRECTORY's file system, for all who look for a name or change one: what is known of
 * names is asked first, and follows. They are there (NULL is the caller's to see).
 */
kerr_t names_look_up(struct inode *directory, struct name name, struct inode **inode);
kerr_t names_create(struct inode *directory, struct name name, const struct inode_wish *wish,
                    struct inode **inode);
kerr_t names_link(struct inode *directory, struct name name, struct inode *inode);
kerr_t names_remove(struct inode *directory, struct name name, struct inode *inode);
kerr_t names_rename(struct inode *from, struct name from_name, struct inode *inode,
                    struct inode *to, struct name to_name, struct inode *replaced);
kerr_t names_exchange(struct inode *from, struct name from_name, struct inode *inode,
                      struct inode *to, struct name to_name, struct inode *other);

/* Names in directories of MOUNT can be known without asking. */
bool names_are_kept(const struct mount *mount);

/* Nothing is known any more of INODE's names, or of names in it: it leaves, or its file system changed one. */
void names_forget(struct inode *inode);

/* ---- parents, and the way out ---- */

/* INODE was found in DIRECTORY, or moved there. (NULL: it is known no more.) */
void inode_set_parent(struct inode *inode, struct inode *directory);

/*
 * Evict what is doomed and what must not wait any more. For whoever waits for room on a disk. What failed
 * once, on a disk that has an error, is left alone: its requests would always be ahead of those who wait to
 * hear of the error.
 */
void inode_evict_doomed(void);

/* The same, and once more for what failed in MOUNT. */
void inode_evict_again(const struct mount *mount);

/*
 * An operation in MOUNT said *ERROR. False: so it is. True: there is room that a removed file had, to be tried
 * again. *ERROR is KERR_MUST_WAIT, or KERR_NO_MEMORY, where such room is there when what is on its way to
 * the disk has come there. Runs in the fault path.
 */
bool inode_gains_room(const struct mount *mount, enum kerr *error);

/* INODE's status, if it is dirty, goes to its file system. As flush(). */
kerr_t inode_flush_status(struct inode *inode);

/* Evict INODE. KERR_BUSY: somebody uses it, or shows it; else as flush() and evict(). */
kerr_t inode_leave(struct inode *inode);

/* Evict all unused ones of MOUNT, with links or without. As inode_leave(), for one of them. */
kerr_t inode_leave_all(const struct mount *mount);

/* Evict up to COUNT unused inodes, the oldest first, of file systems that find them again: for a
 * shortage of memory, which their records and the pages of their objects end. Returns how many. */
uint32_t inode_trim(uint32_t count);

/* The inode whose object OBJECT is; NULL: none has it, or not any more. */
static inline struct inode *inode_of_object(const struct object *object)
{
    return object->owner;
}

/*
 * The path of INODE from the root on, as getcwd() says it, at the end of BUFFER, BYTES bytes: *PATH.
 *   returns KERR_OK; KERR_NOT_FOUND: no name leads there any more; KERR_NO_ROOM: BUFFER is too small; what
 *   reading directories may answer
 */
kerr_t inode_path(struct inode *inode, char *buffer, uint32_t bytes, const char **path);

/*
 * Make a file in DIRECTORY, for the kernel: at boot, in /dev. What must wait is waited for.
 *   *inode   one reference for the caller (INODE NULL: none)
 *   returns KERR_OK, KERR_EXISTS, and as inode_operations.create()
 */
kerr_t inode_make(struct inode *directory, const char *name, const struct inode_wish *wish,
                  struct inode **inode);

/* All that are in the core, in no order; NULL at the end. */
struct inode *inode_next(const struct inode *inode);

/* ---- file systems and mounts ---- */

enum mount_flags { /* as mount(2) has them */
                   MOUNT_READ_ONLY = 1,
                   MOUNT_NO_DEVICES = 4,
                   MOUNT_NO_EXECUTION = 8,
                   MOUNT_SYNCHRONOUS = 16,
                   MOUNT_NO_ACCESS_TIMES = 1024,
};

struct mount {
    struct list link; /* of all, in the order they were mounted in */
    const struct file_system *file_system;
    struct inode *root;    /* one reference */
    struct inode *covered; /* the directory it is mounted on, one reference; NULL: the root of all,
                              or nowhere (memfd) */
    uint32_t serial;       /* those that were mounted later have a larger one */
    uint32_t device;       /* st_dev: of its own, or the block device's number, set by mount() */
    uint32_t flags;        /* enum mount_flags; mount() may add MOUNT_READ_ONLY */
    char source[64];       /* as it was named: "/dev/hda1", "tmpfs" */
    void *data;            /* the file system's own */
};

/* What statfs tells, in blocks. */
struct mount_room {
    uint32_t magic, block_bytes;
    uint64_t blocks, free_blocks, available_blocks, files, free_files;
    uint32_t identity[2];
};

enum file_system_flags {
    FILE_SYSTEM_KEEPS_INODES =
        1, /* its inodes are nowhere but in the core: only evicted without links */
    FILE_SYSTEM_NEEDS_SOURCE = 2, /* MOUNT->source must be a block device's name ("nodev" if not) */
    FILE_SYSTEM_FORGETS_INODES = 4, /* to make one is cheap: evicted when nobody uses it */
    FILE_SYSTEM_KEEPS_NAMES =
        8, /* a name stays what it is until it is changed by a call (names_forget()) */
    FILE_SYSTEM_OF_TESTS = 16, /* programs know nothing of it */
};

struct file_system {
    const char *name; /* as mount(2) has it */
    uint32_t flags;   /* enum file_system_flags */

    /* MOUNT has source and flags, else it is zeroed: set its root (a directory in the core, one
     * reference), its device, if it has one, and its data. OPTIONS: a text, perhaps empty, of which
     * nothing stays. Nothing is held after an error: KERR_BAD_VALUE (no such file system there, or
     * OPTIONS), KERR_NOT_FOUND (no such source), KERR_EXISTS (it is in use), KERR_READ_ONLY. */
    enum kerr (*mount)(struct mount *mount, const char *options);

    /* MOUNT is in nobody's use: its inodes but the root, whose reference is put here, have been
     * evicted if they can be. What is dirty goes to the disk; then all that mount() took is given back.
     * KERR_MUST_WAIT: asked again. KERR_IO: told to who unmounts; it stays mounted. */
    enum kerr (*unmount)(struct mount *mount);

    /* MOUNT is to be read only from now on, or no more, as IS_READ_ONLY says; its flags say so already in
     * the first case, and nobody has a file open for writing. NULL: nothing to do. KERR_MUST_WAIT: asked
     * again. KERR_READ_ONLY: it can't be written to; KERR_EXISTS: its device is written to by somebody else;
     * KERR_IO. */
    enum kerr (*remount)(struct mount *mount, bool is_read_only);

    enum kerr (*room)(struct mount *mount, struct mount_room *room);

    /* All of it is on the disk that was there when it was asked first: as flush(). What can't be
     * written keeps nothing else from it. NULL: nothing to do. */
    enum kerr (*sync)(struct mount *mount, struct flushing *flushing);
};

/* FILE_SYSTEM(tmpfs, .name = "tmpfs", ...): one of each name. */
#define FILE_SYSTEM(system_name, ...)                                                              \
    static const struct file_system file_system_##system_name                                      \
        __attribute__((section(".file_systems"), aligned(4), used)) = {__VA_ARGS__}

/* Of TYPE; NULL: there is none. */
const struct file_system *file_system_find(const char *type);

/* The set; from linker.ld. */
extern const struct file_system file_systems_first[], file_systems_end[];

/*
 * MOUNT gets FLAGS, of enum mount_flags.
 *   returns as file_system.remount(); KERR_BUSY: it is to be read only, and somebody has a file open for
 *   writing, or a file without links
 */
kerr_t mount_change(struct mount *mount, uint32_t flags);

/* The root of the tree of names, from layer 9's start on: a tmpfs. One reference is the kernel's. */
extern struct mount *mount_root;

/* A tmpfs that is mounted nowhere, for files without names (memfd_create()). */
extern struct mount *mount_nowhere;

/*
 * Mount a file system of TYPE on DIRECTORY (NULL: nowhere; the caller has *MOUNT).
 *   SOURCE, OPTIONS: as mount(2)
 *   returns as file_system.mount(); KERR_UNSUPPORTED: no such TYPE; KERR_NO_MEMORY
 */
kerr_t mount_add(const char *type, const char *source, const char *options, uint32_t flags,
                 struct inode *directory, struct mount **mount);

/* Undo it. KERR_BUSY: somebody uses it, or something is mounted in it. Else as unmount(). */
kerr_t mount_remove(struct mount *mount);

/* All of MOUNT is on the disk. As file_system.sync(). */
kerr_t mount_sync(struct mount *mount, struct flushing *flushing);

/* All mounts, in their order; NULL at the end. */
struct mount *mount_next(const struct mount *mount);
struct mount *
mount_before(const struct mount *mount); /* of NULL: the last; NULL at the beginning */

#endif

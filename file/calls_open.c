/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls about descriptors: open, close, dup, pipe, fcntl, ioctl.
 *
 * To open a file may make it, or cut it to nothing: both are done when all else that can fail is there,
 * the descriptor included, so that a call that is repeated finds nothing half done.
 * Source: Linux manual pages open(2), dup(2), pipe(2), fcntl(2).
 */
#include <kernel/string.h>

#include "locks.h"
#include "path.h"

/* ---- open ---- */

static bool is_wanted_new(uint32_t flags)
{
    return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
}

static bool wants_to_write(uint32_t flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

const struct file_operations *file_operations_of(const struct inode *inode)
{
    const struct device_file *device;
    if (inode->file_operations != NULL)
        return inode->file_operations;
    switch (inode_type(inode)) {
    case S_IFREG:
        return &regular_operations;
    case S_IFDIR:
        return &directory_operations;
    case S_IFCHR:
    case S_IFBLK:
        device = device_file_find(inode->status.mode, inode->status.device);
        return device != NULL ? device->operations : NULL;
    default:
        return NULL;
    }
}

/* May INODE, a regular file, be opened or cut for writing? */
int32_t file_refuse_writing(const struct inode *inode)
{
    if (inode->mount->flags & MOUNT_READ_ONLY)
        return -EROFS;
    return inode->executions > 0 ? -ETXTBSY : 0;
}

/* May INODE, which is there, be opened so? */
static int32_t refuse_open(const struct inode *inode, uint32_t flags)
{
    uint32_t type = inode_type(inode);
    if (is_wanted_new(flags))
        return -EEXIST;
    if ((flags & O_CREAT) && type == S_IFDIR)
        return -EISDIR;
    if ((flags & O_DIRECTORY) && type != S_IFDIR)
        return -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if (type == S_IFLNK)
        return -ELOOP;
    if (type == S_IFDIR)
        return wants_to_write(flags) ? -EISDIR : 0;
    if (type != S_IFREG)
        return (inode->mount->flags & MOUNT_NO_DEVICES) && type != S_IFIFO ? -EACCES : 0;
    if (inode->status.bytes > INT32_MAX && !(flags & O_LARGEFILE))
        return -EOVERFLOW;
    return wants_to_write(flags) ? file_refuse_writing(inode) : 0;
}

/* A file that PATH leads to, and that is made: *INODE, one reference. */
static int32_t make_regular(struct process *self, const struct path *path, uint32_t mode,
                            struct inode **inode)
{
    const struct inode_wish wish = {.mode = S_IFREG | (mode & MODE_BITS & ~files_of(self)->mask)};
    if (path->has_slash)
        return -EISDIR;
    return path_create(path, &wish, inode);
}

static enum descriptor_end end_at_exec(uint32_t flags)
{
    return flags & O_CLOEXEC ? DESCRIPTOR_CLOSE_ON_EXEC : DESCRIPTOR_STAYS;
}

/* INODE, or a file to be made at PATH (INODE NULL), behind FILE, which has none yet. */
static int32_t attach(struct process *self, const struct path *path, struct inode *inode,
                      uint32_t flags, uint32_t mode, struct file *file)
{
    const struct file_operations *operations = NULL;
    static const struct file_operations path_operations = {.seek = SEEK_NEVER};
    struct inode *made = NULL;
    int32_t result = 0;
    if (inode != NULL && (flags & O_TRUNC) && inode_type(inode) == S_IFREG)
        result = file_resize(self, inode, 0);
    else if (inode == NULL)
        result = make_regular(self, path, mode, &made);
    if (result != 0)
        return result;
    inode = inode != NULL ? inode : made;
    operations = flags & O_PATH ? &path_operations : file_operations_of(inode);
    if (operations == NULL)
        result = -ENXIO;
    else if (operations->write == NULL && (flags & O_ACCMODE) != O_RDONLY)
        result = -EROFS;
    else
        file_attach(file, operations, inode);
    inode_put(made);
    return result;
}

/* Open what PATH leads to. */
static int32_t open_at(struct process *self, const struct path *path, uint32_t flags, uint32_t mode)
{
    const uint32_t kept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT |
                          O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_PATH;
    struct file *file = NULL;
    uint32_t descriptor;
    int32_t result = path->inode != NULL ? refuse_open(path->inode, flags)
                     : flags & O_CREAT   ? 0
                                         : -ENOENT;
    if (result == 0 && path_refuse_slash(path) != 0)
        result = flags & O_CREAT ? -EISDIR : -ENOTDIR;
    if (result == 0)
        result = descriptor_prepare(self, 0, &descriptor);
    if (result != 0)
        return result;
    if (path->inode != NULL && inode_type(path->inode) == S_IFIFO && !(flags & O_PATH)) {
        result = fifo_open(self, path->inode, flags & kept, &file);
    } else {
        enum kerr error = file_create(NULL, NULL, flags & kept, &file);
        if (error != KERR_OK)
            return file_allocation_failed(error);
        result = attach(self, path, path->inode, flags, mode, file);
        if (result != 0)
            file_put(file);
    }
    if (result != 0)
        return result;
    descriptor_set(self, descriptor, file, end_at_exec(flags));
    return (int32_t)descriptor;
}

/* A file without a name, in the directory that PATH leads to. */
static int32_t open_nameless(struct process *self, struct path *path, uint32_t flags, uint32_t mode)
{
    struct path nameless = {.directory = path->inode};
    if ((flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    if (path->inode == NULL)
        return -ENOENT;
    if (!inode_is_directory(path->inode))
        return -ENOTDIR;
    return open_at(self, &nameless, (flags & ~(uint32_t)(O_TMPFILE | O_EXCL)) | O_CREAT, mode);
}

static int32_t open_path(struct process *self, int32_t directory, uint32_t address, uint32_t flags,
                         uint32_t mode)
{
    const uint32_t of_path = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct path path;
    if (flags & O_PATH)
        flags &= of_path;
    if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
        return -EINVAL;
    bool is_nameless = (flags & O_TMPFILE) == O_TMPFILE;
    bool keep_link = (flags & O_NOFOLLOW) || is_wanted_new(flags);
    int32_t result =
        path_walk_user(self, directory, address, keep_link ? LINKS_KEEP : LINKS_FOLLOW, 0, &path);
    if (result != 0)
        return result;
    result =
        is_nameless ? open_nameless(self, &path, flags, mode) : open_at(self, &path, flags, mode);
    path_put(&path);
    return result;
}

SYSTEM_CALL(5, open)
{
    return open_path(self, AT_FDCWD, ARG1, ARG2, ARG3);
}

SYSTEM_CALL(8, creat)
{
    return open_path(self, AT_FDCWD, ARG1, O_CREAT | O_WRONLY | O_TRUNC, ARG2);
}

SYSTEM_CALL(295, openat)
{
    return open_path(self, (int32_t)ARG1, ARG2, ARG3, ARG4);
}

SYSTEM_CALL(6, close)
{
    return descriptor_close(self, ARG1);
}

/* close_range(2): FIRST to LAST, or only their mark. */
SYSTEM_CALL(436, close_range)
{
    enum { CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4 };
    uint32_t first = ARG1, last = ARG2, flags = ARG3;
    if (first > last || (flags & ~(uint32_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0)
        return -EINVAL;
    enum kerr error = files_copy_for_write(self);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    for (uint32_t i = first; i <= last && i < files_of(self)->capacity; i++) {
        if (file_at(self, i) == NULL)
            continue;
        if (flags & CLOSE_RANGE_CLOEXEC)
            files_of(self)->slots[i].at_exec = DESCRIPTOR_CLOSE_ON_EXEC;
        else if (descriptor_close(self, i) != 0)
            break;
    }
    return 0;
}

/* ---- dup ---- */

/* One more descriptor for FILE, the lowest from FIRST on. */
static int32_t duplicate(struct process *self, struct file *file, uint32_t first,
                         enum descriptor_end at_exec)
{
    uint32_t descriptor;
    file->references++;
    int32_t result = descriptor_add(self, file, first, at_exec, &descriptor);
    return result != 0 ? result : (int32_t)descriptor;
}

static int32_t duplicate_to(struct process *self, struct file *file, uint32_t descriptor,
                            enum descriptor_end at_exec)
{
    if (descriptor >= descriptor_limit(self))
        return -EBADF;
    file->references++;
    int32_t result = descriptor_replace(self, descriptor, file, at_exec);
    return result != 0 ? result : (int32_t)descriptor;
}

SYSTEM_CALL(41, dup)
{
    struct file *file = file_at(self, ARG1);
    return file == NULL ? -EBADF : duplicate(self, file, 0, DESCRIPTOR_STAYS);
}

SYSTEM_CALL(63, dup2)
{
    struct file *file = file_at(self, ARG1);
    if (file == NULL)
        return -EBADF;
    return ARG1 == ARG2 ? (int32_t)ARG2 : duplicate_to(self, file, ARG2, DESCRIPTOR_STAYS);
}

SYSTEM_CALL(330, dup3)
{
    struct file *file = file_at(self, ARG1);
    if ((ARG3 & ~(uint32_t)O_CLOEXEC) != 0 || ARG1 == ARG2)
        return -EINVAL;
    if (file == NULL)
        return -EBADF;
    return duplicate_to(self, file, ARG2, end_at_exec(ARG3));
}

/* ---- pipe ---- */

static int32_t make_pipe(struct process *self, uint32_t address, uint32_t flags)
{
    struct file *reader, *writer;
    uint32_t ends[2];
    enum descriptor_end at_exec = end_at_exec(flags);
    if ((flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK)) != 0)
        return -EINVAL;
    enum kerr error = pipe_create(flags & O_NONBLOCK, &reader, &writer);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    int32_t result = descriptor_add(self, reader, 0, at_exec, &ends[0]);
    if (result != 0) {
        file_put(writer);
        return result;
    }
    result = descriptor_add(self, writer, 0, at_exec, &ends[1]);
    if (result == 0) {
        error = user_write(address, ends, sizeof(ends));
        if (error == KERR_OK)
            return 0;
        result = descriptor_close(self, ends[1]); /* the table is SELF's own now: that can't fail */
        result |= descriptor_close(self, ends[0]);
        return result != 0 ? result : user_access_failed(error);
    }
    int32_t closed = descriptor_close(self, ends[0]);
    return closed != 0 ? closed : result;
}

SYSTEM_CALL(42, pipe)
{
    return make_pipe(self, ARG1, 0);
}

SYSTEM_CALL(331, pipe2)
{
    return make_pipe(self, ARG1, ARG2);
}

/* ---- fcntl ---- */

enum fcntl_command {
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
    FD_CLOEXEC = 1,
};

static int32_t set_close_on_exec(struct process *self, uint32_t descriptor,
                                 enum descriptor_end at_exec)
{
    if (files_of(self)->slots[descriptor].at_exec == at_exec)
        return 0;
    enum kerr error = files_copy_for_write(self);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    files_of(self)->slots[descriptor].at_exec = at_exec;
    return 0;
}

static int32_t set_flags(struct file *file, uint32_t flags)
{
    const uint32_t changeable = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;
    file->flags = (file->flags & ~changeable) | (flags & changeable);
    return 0;
}

static int32_t fcntl(struct process *self)
{
    uint32_t descriptor = ARG1, argument = ARG3;
    struct file *file = file_at(self, descriptor);
    if (file == NULL)
        return -EBADF;
    bool on_path_alone = ARG2 == F_DUPFD || ARG2 == F_DUPFD_CLOEXEC || ARG2 == F_GETFD ||
                         ARG2 == F_SETFD || ARG2 == F_GETFL;
    if ((file->flags & O_PATH) && !on_path_alone)
        return -EBADF;
    switch (ARG2) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (argument >= descriptor_limit(self))
            return -EINVAL;
        return duplicate(self, file, argument,
                         ARG2 == F_DUPFD ? DESCRIPTOR_STAYS : DESCRIPTOR_CLOSE_ON_EXEC);
    case F_GETFD:
        return files_of(self)->slots[descriptor].at_exec == DESCRIPTOR_CLOSE_ON_EXEC ? FD_CLOEXEC
                                                                                     : 0;
    case F_SETFD:
        return set_close_on_exec(
            self, descriptor, argument & FD_CLOEXEC ? DESCRIPTOR_CLOSE_ON_EXEC : DESCRIPTOR_STAYS);
    case F_GETFL:
        return (int32_t)file->flags;
    case F_SETFL:
        return set_flags(file, argument);
    case F_SETPIPE_SZ:
        return pipe_set_capacity(file, argument);
    case F_GETPIPE_SZ:
        return pipe_capacity(file);
    default:
        return lock_is_command(ARG2) ? lock_command(self, file, ARG2, argument) : -EINVAL;
    }
}

SYSTEM_CALL(55, fcntl)
{
    return fcntl(self);
}

SYSTEM_CALL(221, fcntl64)
{
    return fcntl(self);
}

/* ---- ioctl ---- */

static int32_t set_nonblocking(struct file *file, uint32_t address)
{
    uint32_t wanted;
    enum kerr error = user_read(&wanted, address, sizeof(wanted));
    if (error != KERR_OK)
        return user_access_failed(error);
    return set_flags(file, wanted ? file->flags | O_NONBLOCK : file->flags & ~(uint32_t)O_NONBLOCK);
}

SYSTEM_CALL(54, ioctl)
{
    struct file *file = file_at(self, ARG1);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    switch (ARG2) {
    case FIOCLEX:
        return set_close_on_exec(self, ARG1, DESCRIPTOR_CLOSE_ON_EXEC);
    case FIONCLEX:
        return set_close_on_exec(self, ARG1, DESCRIPTOR_STAYS);
    case FIONBIO:
        return set_nonblocking(file, ARG3);
    }
    return file->operations->ioctl != NULL ? file->operations->ioctl(self, file, ARG2, ARG3)
                                           : -ENOTTY;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls about names and descriptors: open, close, dup, pipe, fcntl, access and the
 * working directory.
 *
 * The tree of names is read-only: what would change it is EROFS.
 * Source: Linux manual pages open(2), dup(2), pipe(2), fcntl(2), access(2), chdir(2), readlink(2).
 */
#include <kernel/string.h>

#include "open_file.h"

/* ---- open ---- */

/* May NODE, which is there, be opened so? */
static int32_t open_refusal(const struct node *node, uint32_t flags)
{
    uint32_t type = node->mode & S_IFMT;
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
    if (type == S_IFLNK && !(flags & O_PATH))
        return -ELOOP;
    if ((flags & O_DIRECTORY) && type != S_IFDIR)
        return -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    if (type == S_IFDIR && (writes || (flags & O_CREAT)))
        return -EISDIR;
    return type == S_IFREG && writes ? -EROFS : 0;
}

/* The end of a path that is not there: it would have to be made. */
static int32_t creation_refusal(uint32_t flags, int32_t error)
{
    return error == -ENOENT && (flags & O_CREAT) && !(flags & O_PATH) ? -EROFS : error;
}

static int32_t open_path(struct process *self, int32_t directory, uint32_t path, uint32_t flags)
{
    const uint32_t kept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_LARGEFILE |
                          O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_PATH;
    const struct node *node;
    struct file *file;
    uint32_t descriptor;
    bool keep_link = (flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return (flags & O_ACCMODE) == O_RDONLY ? -EINVAL : -EROFS;
    int32_t result =
        path_find_user(self, directory, path, keep_link ? LINKS_KEEP : LINKS_FOLLOW, &node);
    if (result != 0)
        return creation_refusal(flags, result);
    result = open_refusal(node, flags);
    if (result != 0)
        return result;
    enum kerr error = file_create(node->operations, node, flags & kept, &file);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    result = descriptor_add(self, file, 0,
                            flags & O_CLOEXEC ? DESCRIPTOR_CLOSE_ON_EXEC : DESCRIPTOR_STAYS,
                            &descriptor);
    return result != 0 ? result : (int32_t)descriptor;
}

SYSTEM_CALL(5, open)
{
    return open_path(self, AT_FDCWD, ARG1, ARG2);
}

SYSTEM_CALL(8, creat)
{
    return open_path(self, AT_FDCWD, ARG1, O_CREAT | O_WRONLY | O_TRUNC);
}

SYSTEM_CALL(295, openat)
{
    return open_path(self, (int32_t)ARG1, ARG2, ARG3);
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
    return duplicate_to(self, file, ARG2,
                        ARG3 & O_CLOEXEC ? DESCRIPTOR_CLOSE_ON_EXEC : DESCRIPTOR_STAYS);
}

/* ---- pipe ---- */

static int32_t make_pipe(struct process *self, uint32_t address, uint32_t flags)
{
    struct file *reader, *writer;
    uint32_t ends[2];
    enum descriptor_end at_exec = flags & O_CLOEXEC ? DESCRIPTOR_CLOSE_ON_EXEC : DESCRIPTOR_STAYS;
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
        return -EINVAL;
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

/* What is left to be read of a file with an offset. */
static int32_t tell_readable(const struct file *file, uint32_t address)
{
    uint32_t bytes =
        file->offset < file->node->bytes ? file->node->bytes - (uint32_t)file->offset : 0;
    enum kerr error = user_write(address, &bytes, sizeof(bytes));
    return error == KERR_OK ? 0 : user_access_failed(error);
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
    case FIONREAD:
        if (file->node != NULL && file->node->object != NULL)
            return tell_readable(file, ARG3);
        break;
    }
    return file->operations->ioctl != NULL ? file->operations->ioctl(self, file, ARG2, ARG3)
                                           : -ENOTTY;
}

/* ---- access ---- */

enum access_mode { F_OK = 0, X_OK = 1, W_OK = 2, R_OK = 4 };

/* Everybody is the superuser here: only a file system or a missing x can refuse. */
static int32_t check_access(uint32_t node_mode, uint32_t wanted)
{
    uint32_t type = node_mode & S_IFMT;
    if ((wanted & W_OK) && (type == S_IFREG || type == S_IFDIR))
        return -EROFS;
    return (wanted & X_OK) && type != S_IFDIR && !(node_mode & 0111) ? -EACCES : 0;
}

static int32_t access_at(struct process *self, int32_t directory, uint32_t path, uint32_t wanted,
                         uint32_t flags)
{
    enum { KNOWN_FLAGS = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH };
    struct file_status status;
    if ((wanted & ~(uint32_t)(R_OK | W_OK | X_OK)) != 0 || (flags & ~(uint32_t)KNOWN_FLAGS) != 0)
        return -EINVAL;
    int32_t result = file_status_at(self, directory, path, flags, &status);
    return result != 0 ? result : check_access(status.mode, wanted);
}

SYSTEM_CALL(33, access)
{
    return access_at(self, AT_FDCWD, ARG1, ARG2, 0);
}

SYSTEM_CALL(307, faccessat)
{
    return access_at(self, (int32_t)ARG1, ARG2, ARG3, 0);
}

SYSTEM_CALL(439, faccessat2)
{
    return access_at(self, (int32_t)ARG1, ARG2, ARG3, ARG4);
}

/* ---- links ---- */

static int32_t read_link(struct process *self, int32_t directory, uint32_t path, uint32_t buffer,
                         uint32_t bytes)
{
    const struct node *node;
    if ((int32_t)bytes <= 0)
        return -EINVAL;
    int32_t result = path_find_user(self, directory, path, LINKS_KEEP, &node);
    if (result != 0)
        return result;
    if ((node->mode & S_IFMT) != S_IFLNK)
        return -EINVAL;
    node = node_link_target(self);
    if (node == NULL)
        return -ENOENT;
    uint32_t length = (uint32_t)strlen(node->path);
    length = length < bytes ? length : bytes;
    enum kerr error = user_replace(buffer, node->path, length); /* the path may lie there */
    return error == KERR_OK ? (int32_t)length : user_access_failed(error);
}

SYSTEM_CALL(85, readlink)
{
    return read_link(self, AT_FDCWD, ARG1, ARG2, ARG3);
}

SYSTEM_CALL(305, readlinkat)
{
    return read_link(self, (int32_t)ARG1, ARG2, ARG3, ARG4);
}

/* ---- the working directory, and the mask ---- */

static int32_t set_directory(struct process *self, const struct node *node)
{
    if (node == NULL || (node->mode & S_IFMT) != S_IFDIR)
        return -ENOTDIR;
    enum kerr error = files_copy_for_write(self);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    files_of(self)->directory = node;
    return 0;
}

SYSTEM_CALL(12, chdir)
{
    const struct node *node;
    int32_t result = path_find_user(self, AT_FDCWD, ARG1, LINKS_FOLLOW, &node);
    return result != 0 ? result : set_directory(self, node);
}

SYSTEM_CALL(133, fchdir)
{
    const struct file *file = file_at(self, ARG1);
    return file == NULL ? -EBADF : set_directory(self, file->node);
}

SYSTEM_CALL(183, getcwd)
{
    const char *path = files_of(self)->directory->path;
    uint32_t bytes = (uint32_t)strlen(path) + 1;
    if (bytes > ARG2)
        return -ERANGE;
    enum kerr error = user_write(ARG1, path, bytes);
    return error == KERR_OK ? (int32_t)bytes : user_access_failed(error);
}

SYSTEM_CALL(60, umask)
{
    enum { MASK_BITS = 0777 };
    uint32_t old = files_of(self)->mask, new = ARG1 &MASK_BITS;
    if (new == old)
        return (int32_t)old;
    enum kerr error = files_copy_for_write(self);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    files_of(self)->mask = new;
    return (int32_t)old;
}

/* ---- nothing is ever to be written back ---- */

SYSTEM_CALL(36, sync)
{
    return 0;
}

static int32_t synchronise(const struct file *file)
{
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    return file->operations->seek == SEEK_ANYWHERE ? 0 : -EINVAL;
}

SYSTEM_CALL(118, fsync)
{
    return synchronise(file_at(self, ARG1));
}

SYSTEM_CALL(148, fdatasync)
{
    return synchronise(file_at(self, ARG1));
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that tell what a file is: the stat family, access, directories, offsets.
 *
 * The three layouts of the i386 ABI are filled from one structure.
 * Source: Linux manual pages stat(2), statx(2), access(2), getdents(2), lseek(2); the layouts are
 * those of the i386 ABI.
 */
#include <kernel/string.h>

#include "path.h"

enum { BLOCK_BYTES = 4096, PIPE_DEVICE = 0xFFFF };

/* What is told of a file. */
struct file_status {
    const struct inode_status *status;
    uint32_t device, number; /* its mount's, and the inode's */
};

struct stat {
    uint32_t device, inode;
    uint16_t mode, links, user, group;
    uint32_t special_device, bytes, block_bytes, sectors;
    uint32_t times[6];
    uint32_t unused[2];
};
_Static_assert(sizeof(struct stat) == 64, "as the i386 ABI has it");

struct stat64 {
    uint32_t device, device_high, pad, inode_low;
    uint32_t mode, links, user, group;
    uint32_t special_device, special_device_high, pad_3;
    uint32_t bytes, bytes_high, block_bytes, sectors, sectors_high;
    uint32_t times[6];
    uint32_t inode, inode_high;
};
_Static_assert(sizeof(struct stat64) == 96, "as the i386 ABI has it");

struct statx_time {
    uint32_t seconds, seconds_high, nanoseconds, unused;
};

struct statx {
    uint32_t mask, block_bytes, attributes, attributes_high;
    uint32_t links, user, group;
    uint16_t mode, pad;
    uint32_t inode, inode_high, bytes, bytes_high, sectors, sectors_high;
    uint32_t attributes_mask, attributes_mask_high;
    struct statx_time accessed, born, changed, modified;
    uint32_t special_major, special_minor, device_major, device_minor;
    uint32_t unused[28];
};
_Static_assert(sizeof(struct statx) == 256, "as statx(2) has it");

/* ---- finding ---- */

/* Valid as long as INODE is used. */
static struct file_status status_of_inode(const struct inode *inode)
{
    return (struct file_status){&inode->status, inode->mount->device, inode->number};
}

static int32_t status_of_descriptor(const struct process *self, uint32_t descriptor,
                                    struct file_status *status)
{
    static const struct inode_status pipe_status = {.mode = S_IFIFO | 0600, .links = 1};
    const struct file *file = file_at(self, descriptor);
    if (file == NULL)
        return -EBADF;
    *status = file->inode != NULL
                  ? status_of_inode(file->inode)
                  : (struct file_status){&pipe_status, PIPE_DEVICE, pipe_number(file)};
    return 0;
}

/* ---- telling ---- */

static int32_t tell(uint32_t address, const void *structure, uint32_t bytes)
{
    enum kerr error = user_replace(address, structure, bytes); /* the path may lie there */
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static void put_times(uint32_t times[6], const struct inode_status *status)
{
    const struct time *const from[] = {&status->accessed, &status->modified, &status->changed};
    for (unsigned i = 0; i < ARRAY_LENGTH(from); i++) {
        times[2 * i] = (uint32_t)from[i]->seconds;
        times[2 * i + 1] = from[i]->nanoseconds;
    }
}

static int32_t tell_stat(const struct file_status *file, uint32_t address)
{
    const struct inode_status *status = file->status;
    struct stat stat = {.device = file->device,
                        .inode = file->number,
                        .mode = (uint16_t)status->mode,
                        .links = (uint16_t)status->links,
                        .user = (uint16_t)status->user,
                        .group = (uint16_t)status->group,
                        .special_device = status->device,
                        .bytes = (uint32_t)status->bytes,
                        .block_bytes = BLOCK_BYTES,
                        .sectors = (uint32_t)status->sectors};
    if (status->bytes > INT32_MAX || status->links > UINT16_MAX)
        return -EOVERFLOW;
    put_times(stat.times, status);
    return tell(address, &stat, sizeof(stat));
}

static int32_t tell_stat64(const struct file_status *file, uint32_t address)
{
    const struct inode_status *status = file->status;
    struct stat64 stat = {.device = file->device,
                          .inode_low = file->number,
                          .mode = status->mode,
                          .links = status->links,
                          .user = status->user,
                          .group = status->group,
                          .special_device = status->device,
                          .bytes = (uint32_t)status->bytes,
                          .bytes_high = (uint32_t)(status->bytes >> 32),
                          .block_bytes = BLOCK_BYTES,
                          .sectors = (uint32_t)status->sectors,
                          .sectors_high = (uint32_t)(status->sectors >> 32),
                          .inode = file->number};
    put_times(stat.times, status);
    return tell(address, &stat, sizeof(stat));
}

static struct statx_time statx_time(struct time time)
{
    return (struct statx_time){(uint32_t)time.seconds, (uint32_t)(time.seconds >> 32),
                               time.nanoseconds, 0};
}

static int32_t tell_statx(const struct file_status *file, uint32_t address)
{
    enum { STATX_BASIC_STATS = 0x7FF, STATX_BTIME = 0x800 };
    const struct inode_status *status = file->status;
    const struct statx statx = {.mask = STATX_BASIC_STATS | STATX_BTIME,
                                .block_bytes = BLOCK_BYTES,
                                .links = status->links,
                                .user = status->user,
                                .group = status->group,
                                .mode = (uint16_t)status->mode,
                                .inode = file->number,
                                .bytes = (uint32_t)status->bytes,
                                .bytes_high = (uint32_t)(status->bytes >> 32),
                                .sectors = (uint32_t)status->sectors,
                                .sectors_high = (uint32_t)(status->sectors >> 32),
                                .accessed = statx_time(status->accessed),
                                .born = statx_time(status->born),
                                .changed = statx_time(status->changed),
                                .modified = statx_time(status->modified),
                                .special_major = device_major(status->device),
                                .special_minor = device_minor(status->device),
                                .device_major = device_major(file->device),
                                .device_minor = device_minor(file->device)};
    return tell(address, &statx, sizeof(statx));
}

typedef int32_t teller_t(const struct file_status *status, uint32_t address);

static __attribute__((noinline)) int32_t
stat_descriptor(const struct process *self, uint32_t descriptor, teller_t *teller, uint32_t address)
{
    struct file_status status;
    int32_t result = status_of_descriptor(self, descriptor, &status);
    return result != 0 ? result : teller(&status, address);
}

static int32_t stat_at(struct process *self, int32_t directory, uint32_t path, uint32_t flags,
                       teller_t *teller, uint32_t address)
{
    struct inode *inode;
    int32_t result = path_find_at(self, directory, path, flags, &inode);
    if (result != 0)
        return result;
    if (inode == NULL) /* the descriptor of a pipe without a name */
        return stat_descriptor(self, (uint32_t)directory, teller, address);
    const struct file_status status = status_of_inode(inode);
    result = teller(&status, address);
    inode_put(inode);
    return result;
}

SYSTEM_CALL(106, stat)
{
    return stat_at(self, AT_FDCWD, ARG1, 0, tell_stat, ARG2);
}

SYSTEM_CALL(107, lstat)
{
    return stat_at(self, AT_FDCWD, ARG1, AT_SYMLINK_NOFOLLOW, tell_stat, ARG2);
}

SYSTEM_CALL(108, fstat)
{
    return stat_descriptor(self, ARG1, tell_stat, ARG2);
}

SYSTEM_CALL(195, stat64)
{
    return stat_at(self, AT_FDCWD, ARG1, 0, tell_stat64, ARG2);
}

SYSTEM_CALL(196, lstat64)
{
    return stat_at(self, AT_FDCWD, ARG1, AT_SYMLINK_NOFOLLOW, tell_stat64, ARG2);
}

SYSTEM_CALL(197, fstat64)
{
    return stat_descriptor(self, ARG1, tell_stat64, ARG2);
}

SYSTEM_CALL(300, fstatat64)
{
    enum { KNOWN_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH };
    if ((ARG4 & ~(uint32_t)KNOWN_FLAGS) != 0)
        return -EINVAL;
    return stat_at(self, (int32_t)ARG1, ARG2, ARG4, tell_stat64, ARG3);
}

SYSTEM_CALL(383, statx)
{
    enum {
        KNOWN_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE
    };
    const uint32_t reserved_mask = 0x80000000;
    if ((ARG3 & ~(uint32_t)KNOWN_FLAGS) != 0 || (ARG4 & reserved_mask) != 0 ||
        (ARG3 & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    return stat_at(self, (int32_t)ARG1, ARG2, ARG3, tell_statx, ARG5);
}

/* ---- access ---- */

enum access_mode { F_OK = 0, X_OK = 1, W_OK = 2, R_OK = 4 };

/* Everybody is the superuser here: only a file system or a missing x can refuse. */
static int32_t refuse_access(const struct inode *inode, uint32_t wanted)
{
    uint32_t type = inode_type(inode);
    bool is_held = type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
    if ((wanted & X_OK) && type != S_IFDIR &&
        (!(inode->status.mode & S_IXANY) ||
         (type == S_IFREG && (inode->mount->flags & MOUNT_NO_EXECUTION))))
        return -EACCES;
    return (wanted & W_OK) && is_held && (inode->mount->flags & MOUNT_READ_ONLY) ? -EROFS : 0;
}

static int32_t access_at(struct process *self, int32_t directory, uint32_t path, uint32_t wanted,
                         uint32_t flags)
{
    enum { KNOWN_FLAGS = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH };
    struct inode *inode;
    if ((wanted & ~(uint32_t)(R_OK | W_OK | X_OK)) != 0 || (flags & ~(uint32_t)KNOWN_FLAGS) != 0)
        return -EINVAL;
    int32_t result = path_find_at(self, directory, path, flags, &inode);
    if (result == 0 && inode != NULL)
        result = refuse_access(inode, wanted);
    inode_put(inode);
    return result;
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

/* ---- offsets ---- */

enum seek_from { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE };

/* The first byte from OFFSET on that is data, or of a hole; at the end of the file there is one. */
static int32_t seek_content(struct inode *inode, int64_t offset, uint32_t whence, int64_t *position)
{
    uint64_t bytes = inode->status.bytes;
    uint32_t page = (uint32_t)((uint64_t)offset >> PAGE_SHIFT), found = page;
    if (offset < 0 || (uint64_t)offset >= bytes)
        return -ENXIO;
    if (inode->operations->find_page != NULL) {
        enum kerr error = inode->operations->find_page(
            inode, page, whence == SEEK_DATA ? CONTENT_DATA : CONTENT_HOLE, &found);
        if (error != KERR_OK)
            return file_failed(error);
    } else if (whence == SEEK_HOLE) {
        found = UINT32_MAX;
    }
    uint64_t place = found == page ? (uint64_t)offset : (uint64_t)found << PAGE_SHIFT;
    if (place >= bytes && whence == SEEK_DATA)
        return -ENXIO;
    *position = (int64_t)(place < bytes ? place : bytes);
    return 0;
}

/* Where OFFSET, counted as WHENCE says, lies in FILE: *POSITION. */
static int32_t seek_position(const struct file *file, int64_t offset, uint32_t whence,
                             int64_t *position)
{
    const struct inode *inode = file->inode;
    const struct inode *pages = disk_pages(file) != NULL ? disk_pages(file) : inode;
    int64_t bytes = pages != NULL ? (int64_t)pages->status.bytes : 0;
    bool is_directory = inode != NULL && inode_is_directory(inode);
    if (whence > SEEK_HOLE || (is_directory && whence > SEEK_CUR))
        return -EINVAL;
    if (whence == SEEK_DATA || whence == SEEK_HOLE)
        return file_is_regular(file) ? seek_content(file->inode, offset, whence, position)
                                     : -EINVAL;
    int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)file->offset : bytes;
    *position = (int64_t)((uint64_t)from + (uint64_t)offset);
    if (offset > 0 && *position < from)
        return -EOVERFLOW;
    if (*position < 0)
        return -EINVAL;
    return 0;
}

static int32_t seek(struct process *self, int64_t offset, uint32_t whence, int64_t *position)
{
    struct file *file = file_at(self, ARG1);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (file->operations->seek == SEEK_NEVER)
        return -ESPIPE;
    *position = 0;
    if (file->operations->seek == SEEK_TO_START)
        return whence > SEEK_HOLE ? -EINVAL : 0;
    int32_t result = seek_position(file, offset, whence, position);
    if (result == 0)
        file->offset = (uint64_t)*position;
    return result;
}

SYSTEM_CALL(19, lseek)
{
    int64_t position;
    int32_t result = seek(self, (int32_t)ARG2, ARG3, &position);
    if (result != 0)
        return result;
    return position > INT32_MAX ? -EOVERFLOW : (int32_t)position;
}

SYSTEM_CALL(140, _llseek)
{
    int64_t position;
    struct file *file = file_at(self, ARG1);
    uint64_t before = file != NULL ? file->offset : 0;
    int32_t result = seek(self, (int64_t)((uint64_t)ARG2 << 32 | ARG3), ARG5, &position);
    if (result != 0)
        return result;
    enum kerr error = user_write(ARG4, &position, sizeof(position));
    if (error_goes_by(error)) /* repeated, it counts from where this one did */
        file->offset = before;
    return error == KERR_OK ? 0 : user_access_failed(error);
}

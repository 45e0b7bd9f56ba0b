/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that change a file: its length, its room, rights, owner and times; and those
 * that bring it to the disk.
 *
 * Everybody is the superuser: nothing is refused for whose it is.
 * Source: Linux manual pages truncate(2), fallocate(2), chmod(2), chown(2), utimensat(2).
 */
#include <process/limits.h>
#include <process/signal.h>

#include "path.h"

/* ---- length ---- */

/* The call notes STEP while it is not done. */
static int32_t resize(struct process *self, struct inode *inode, uint64_t bytes, uint32_t step)
{
    if (inode->operations->resize == NULL)
        return -EPERM;
    enum kerr error = inode->operations->resize(inode, bytes);
    if (error == KERR_AGAIN)
        return call_continue(self, PROGRESS_STEPS, step);
    if (error != KERR_OK)
        return file_failed(error);
    inode_touch(inode, TIME_MODIFIED | TIME_CHANGED);
    return 0;
}

int32_t file_resize(struct process *self, struct inode *inode, uint64_t bytes)
{
    return resize(self, inode, bytes, 1);
}

static int32_t refuse_length(struct process *self, const struct inode *inode, uint64_t bytes)
{
    uint32_t soft = self->limits->pair[LIMIT_FSIZE].soft;
    if (soft != LIMIT_NONE && bytes > soft && bytes > inode->status.bytes) {
        signal_send(self, SIGXFSZ, self->pid);
        return -EFBIG;
    }
    return bytes > FILE_BYTES_MAX ? -EFBIG : 0;
}

static int32_t truncate(struct process *self, uint32_t path, int64_t bytes)
{
    struct inode *inode;
    if (bytes < 0)
        return -EINVAL;
    int32_t result = path_find_user(self, AT_FDCWD, path, LINKS_FOLLOW, &inode);
    if (result != 0)
        return result;
    if (inode_type(inode) != S_IFREG)
        result = inode_is_directory(inode) ? -EISDIR : -EINVAL;
    if (result == 0)
        result = file_refuse_writing(inode);
    if (result == 0)
        result = refuse_length(self, inode, (uint64_t)bytes);
    if (result == 0)
        result = file_resize(self, inode, (uint64_t)bytes);
    inode_put(inode);
    return result;
}

SYSTEM_CALL(92, truncate)
{
    return truncate(self, ARG1, (int32_t)ARG2);
}

SYSTEM_CALL(193, truncate64)
{
    return truncate(self, ARG1, (int64_t)((uint64_t)ARG3 << 32 | ARG2));
}

static int32_t truncate_file(struct process *self, int64_t bytes)
{
    struct file *file = file_at(self, ARG1);
    if (bytes < 0)
        return -EINVAL;
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (!file_is_regular(file) || !(file->access & FILE_WRITE))
        return -EINVAL;
    if (!(file->flags & O_LARGEFILE) && bytes > INT32_MAX)
        return -EINVAL;
    int32_t result = refuse_length(self, file->inode, (uint64_t)bytes);
    return result != 0 ? result : file_resize(self, file->inode, (uint64_t)bytes);
}

SYSTEM_CALL(93, ftruncate)
{
    return truncate_file(self, (int32_t)ARG2);
}

SYSTEM_CALL(194, ftruncate64)
{
    return truncate_file(self, (int64_t)((uint64_t)ARG3 << 32 | ARG2));
}

/* ---- room ---- */

enum { FALLOC_FL_KEEP_SIZE = 1, FALLOC_KNOWN = 0x7F };
enum allocation_step { ALLOCATION_RESERVES = 1, ALLOCATION_ENDS };

/* The range has its room: the length follows. What was made behind an end that stays is given back. */
static int32_t finish_allocation(struct process *self, struct inode *inode, uint64_t end,
                                 uint32_t mode)
{
    uint64_t bytes = inode->status.bytes;
    if (!(mode & FALLOC_FL_KEEP_SIZE) && end > bytes)
        bytes = end;
    return resize(self, inode, bytes, ALLOCATION_ENDS);
}

/* What lies in the range has its room, or gets it. 0, or what the call must return. */
static int32_t reserve(struct process *self, struct inode *inode, uint64_t offset, uint64_t end)
{
    /* It would take again what is being given back. */
    if (progress_of(self, PROGRESS_STEPS) == ALLOCATION_ENDS)
        return 0;
    enum kerr error = inode->operations->reserve(inode, (uint32_t)(offset >> PAGE_SHIFT),
                                                 (uint32_t)((end - 1) >> PAGE_SHIFT));
    if (error == KERR_AGAIN)
        return call_continue(self, PROGRESS_STEPS, ALLOCATION_RESERVES);
    return error == KERR_OK ? 0 : file_failed(error);
}

static int32_t allocate(struct process *self, struct inode *inode, uint64_t offset, uint64_t length,
                        uint32_t mode)
{
    uint64_t end = offset + length;
    if (inode->operations->reserve == NULL)
        return -EOPNOTSUPP;
    if (mode & FALLOC_FL_KEEP_SIZE && end > inode->status.bytes)
        end = inode->status.bytes;
    if (offset >= end)
        return 0;
    int32_t result = refuse_length(self, inode, end);
    if (result == 0)
        result = reserve(self, inode, offset, end);
    return result != 0 ? result : finish_allocation(self, inode, end, mode);
}

SYSTEM_CALL(324, fallocate)
{
    struct file *file = file_at(self, ARG1);
    uint32_t mode = ARG2;
    int64_t offset = (int64_t)((uint64_t)ARG4 << 32 | ARG3);
    int64_t length = (int64_t)((uint64_t)ARG6 << 32 | ARG5);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (offset < 0 || length <= 0)
        return -EINVAL;
    if ((mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE) != 0)
        return -EOPNOTSUPP;
    if (!(file->access & FILE_WRITE))
        return -EBADF;
    if (file->inode == NULL || inode_type(file->inode) == S_IFIFO)
        return -ESPIPE;
    if (inode_is_directory(file->inode))
        return -EISDIR;
    if (!file_is_regular(file))
        return -ENODEV;
    if ((uint64_t)offset + (uint64_t)length > FILE_BYTES_MAX)
        return -EFBIG;
    return allocate(self, file->inode, (uint64_t)offset, (uint64_t)length, mode);
}

/* ---- rights and owner ---- */

static int32_t change_mode(struct inode *inode, uint32_t mode)
{
    if (inode == NULL)
        return 0; /* a pipe without a name has rights that nobody asks for */
    if (inode->mount->flags & MOUNT_READ_ONLY)
        return -EROFS;
    if (inode_type(inode) == S_IFLNK)
        return -EOPNOTSUPP;
    inode->status.mode = (inode->status.mode & ~(uint32_t)MODE_BITS) | (mode & MODE_BITS);
    inode_touch(inode, TIME_CHANGED);
    return 0;
}

static int32_t change_mode_at(struct process *self, int32_t directory, uint32_t path, uint32_t mode,
                              uint32_t flags)
{
    struct inode *inode;
    if ((flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    int32_t result = path_find_at(self, directory, path, flags, &inode);
    if (result == 0)
        result = change_mode(inode, mode);
    inode_put(inode);
    return result;
}

SYSTEM_CALL(15, chmod)
{
    return change_mode_at(self, AT_FDCWD, ARG1, ARG2, 0);
}

SYSTEM_CALL(94, fchmod)
{
    const struct file *file = file_at(self, ARG1);
    return file == NULL || (file->flags & O_PATH) ? -EBADF : change_mode(file->inode, ARG2);
}

SYSTEM_CALL(306, fchmodat)
{
    return change_mode_at(self, (int32_t)ARG1, ARG2, ARG3, 0);
}

SYSTEM_CALL(452, fchmodat2)
{
    return change_mode_at(self, (int32_t)ARG1, ARG2, ARG3, ARG4);
}

enum { OWNER_STAYS = -1 };

/* Who gets a file loses what its bits would let him be. */
static int32_t change_owner(struct inode *inode, uint32_t user, uint32_t group)
{
    if (inode == NULL)
        return 0;
    if (inode->mount->flags & MOUNT_READ_ONLY)
        return -EROFS;
    struct inode_status *status = &inode->status;
    if (user != (uint32_t)OWNER_STAYS)
        status->user = user;
    if (group != (uint32_t)OWNER_STAYS)
        status->group = group;
    if (!inode_is_directory(inode)) {
        status->mode &= ~(uint32_t)S_ISUID;
        if (status->mode & S_IXGRP)
            status->mode &= ~(uint32_t)S_ISGID;
    }
    inode_touch(inode, TIME_CHANGED);
    return 0;
}

static int32_t change_owner_at(struct process *self, int32_t directory, uint32_t path,
                               uint32_t user, uint32_t group, uint32_t flags)
{
    struct inode *inode;
    if ((flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    int32_t result = path_find_at(self, directory, path, flags, &inode);
    if (result == 0)
        result = change_owner(inode, user, group);
    inode_put(inode);
    return result;
}

static int32_t change_owner_of(const struct process *self, uint32_t user, uint32_t group)
{
    const struct file *file = file_at(self, ARG1);
    return file == NULL || (file->flags & O_PATH) ? -EBADF : change_owner(file->inode, user, group);
}

/* An owner of the old calls, of 16 bits. */
static uint32_t old_owner(uint32_t owner)
{
    return (uint32_t)(int32_t)(uint16_t)owner == UINT16_MAX ? (uint32_t)OWNER_STAYS
                                                            : (uint16_t)owner;
}

SYSTEM_CALL(182, chown)
{
    return change_owner_at(self, AT_FDCWD, ARG1, old_owner(ARG2), old_owner(ARG3), 0);
}

SYSTEM_CALL(16, lchown)
{
    return change_owner_at(self, AT_FDCWD, ARG1, old_owner(ARG2), old_owner(ARG3),
                           AT_SYMLINK_NOFOLLOW);
}

SYSTEM_CALL(95, fchown)
{
    return change_owner_of(self, old_owner(ARG2), old_owner(ARG3));
}

SYSTEM_CALL(212, chown32)
{
    return change_owner_at(self, AT_FDCWD, ARG1, ARG2, ARG3, 0);
}

SYSTEM_CALL(198, lchown32)
{
    return change_owner_at(self, AT_FDCWD, ARG1, ARG2, ARG3, AT_SYMLINK_NOFOLLOW);
}

SYSTEM_CALL(207, fchown32)
{
    return change_owner_of(self, ARG2, ARG3);
}

SYSTEM_CALL(298, fchownat)
{
    return change_owner_at(self, (int32_t)ARG1, ARG2, ARG3, ARG4, ARG5);
}

/* ---- times ---- */

enum { NANOSECONDS = 1000000000, MICROSECONDS = 1000000, NS_PER_US = 1000 };

/* What becomes of a time. */
struct time_wish {
    enum { TIME_SET, TIME_NOW, TIME_STAYS } how;
    struct time time;
};

static int32_t change_times(struct inode *inode, const struct time_wish wishes[2])
{
    struct time now = clock_real_coarse();
    if (inode == NULL)
        return 0;
    if (inode->mount->flags & MOUNT_READ_ONLY)
        return -EROFS;
    struct time *const times[2] = {&inode->status.accessed, &inode->status.modified};
    for (unsigned i = 0; i < 2; i++)
        if (wishes[i].how != TIME_STAYS)
            *times[i] = wishes[i].how == TIME_NOW ? now : wishes[i].time;
    inode_touch(inode, TIME_CHANGED);
    return 0;
}

static const struct time_wish both_now[2] = {{TIME_NOW, {0, 0}}, {TIME_NOW, {0, 0}}};

/* Both times of the program's at ADDRESS (0: now), of two words each, or of four. */
static int32_t read_time_words(uint32_t address, bool is_64, int64_t seconds[2],
                               uint32_t fractions[2])
{
    int32_t words[8];
    enum kerr error = user_read(words, address, is_64 ? 32 : 16);
    if (error != KERR_OK)
        return user_access_failed(error);
    for (unsigned i = 0; i < 2; i++) {
        const int32_t *at = words + i * (is_64 ? 4 : 2);
        seconds[i] = is_64 ? (int64_t)((uint64_t)(uint32_t)at[1] << 32 | (uint32_t)at[0]) : at[0];
        fractions[i] = (uint32_t)at[is_64 ? 2 : 1];
    }
    return 0;
}

static int32_t read_timespecs(uint32_t address, bool is_64, struct time_wish wishes[2])
{
    enum { UTIME_NOW = 0x3FFFFFFF, UTIME_OMIT = 0x3FFFFFFE };
    int64_t seconds[2] = {0};
    uint32_t fractions[2] = {0};
    if (address == 0) {
        wishes[0] = wishes[1] = both_now[0];
        return 0;
    }
    int32_t result = read_time_words(address, is_64, seconds, fractions);
    for (unsigned i = 0; i < 2 && result == 0; i++) {
        wishes[i] = (struct time_wish){TIME_SET, {(uint64_t)seconds[i], fractions[i]}};
        if (fractions[i] == UTIME_NOW)
            wishes[i].how = TIME_NOW;
        else if (fractions[i] == UTIME_OMIT)
            wishes[i].how = TIME_STAYS;
        else if (fractions[i] >= NANOSECONDS)
            result = -EINVAL;
    }
    return result;
}

static int32_t read_timevals(uint32_t address, struct time_wish wishes[2])
{
    int64_t seconds[2] = {0};
    uint32_t fractions[2] = {0};
    wishes[0] = wishes[1] = both_now[0];
    if (address == 0)
        return 0;
    int32_t result = read_time_words(address, false, seconds, fractions);
    for (unsigned i = 0; i < 2 && result == 0; i++) {
        if (fractions[i] >= MICROSECONDS)
            return -EINVAL;
        wishes[i] = (struct time_wish){TIME_SET, {(uint64_t)seconds[i], fractions[i] * NS_PER_US}};
    }
    return result;
}

static int32_t change_times_at(struct process *self, int32_t directory, uint32_t path,
                               uint32_t flags, const struct time_wish wishes[2])
{
    struct inode *inode;
    int32_t result = path_find_at(self, directory, path, flags, &inode);
    if (result == 0)
        result = change_times(inode, wishes);
    inode_put(inode);
    return result;
}

/* utimensat(), whose path may be missing: then it is about the descriptor. */
static int32_t utimensat(struct process *self, bool is_64)
{
    struct time_wish wishes[2];
    struct inode *inode;
    int32_t result = read_timespecs(ARG3, is_64, wishes);
    if (result != 0)
        return result;
    if (wishes[0].how == TIME_STAYS && wishes[1].how == TIME_STAYS)
        return 0;
    if (ARG2 != 0 || (int32_t)ARG1 == AT_FDCWD) {
        if ((ARG4 & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
            return -EINVAL;
        return change_times_at(self, (int32_t)ARG1, ARG2, ARG4, wishes);
    }
    if (ARG4 != 0)
        return -EINVAL;
    result = path_inode_of_descriptor(self, (int32_t)ARG1, &inode);
    if (result == 0)
        result = change_times(inode, wishes);
    inode_put(inode);
    return result;
}

SYSTEM_CALL(320, utimensat)
{
    return utimensat(self, false);
}

SYSTEM_CALL(412, utimensat_time64)
{
    return utimensat(self, true);
}

SYSTEM_CALL(271, utimes)
{
    struct time_wish wishes[2];
    int32_t result = read_timevals(ARG2, wishes);
    return result != 0 ? result : change_times_at(self, AT_FDCWD, ARG1, 0, wishes);
}

SYSTEM_CALL(299, futimesat)
{
    struct time_wish wishes[2];
    int32_t result = read_timevals(ARG3, wishes);
    return result != 0 ? result : change_times_at(self, (int32_t)ARG1, ARG2, 0, wishes);
}

SYSTEM_CALL(30, utime)
{
    struct time_wish wishes[2] = {both_now[0], both_now[1]};
    int32_t seconds[2];
    enum kerr error = ARG2 != 0 ? user_read(seconds, ARG2, sizeof(seconds)) : KERR_OK;
    if (error != KERR_OK)
        return user_access_failed(error);
    for (unsigned i = 0; i < 2 && ARG2 != 0; i++)
        wishes[i] = (struct time_wish){TIME_SET, {(uint64_t)(int64_t)seconds[i], 0}};
    return change_times_at(self, AT_FDCWD, ARG1, 0, wishes);
}

/* ---- advice, which is not taken ---- */

static int32_t advise(const struct process *self, uint32_t advice)
{
    enum { ADVICES = 6 };
    const struct file *file = file_at(self, ARG1);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (file->inode == NULL || inode_type(file->inode) == S_IFIFO)
        return -ESPIPE;
    return advice < ADVICES ? 0 : -EINVAL;
}

SYSTEM_CALL(250, fadvise64)
{
    return advise(self, ARG5);
}

SYSTEM_CALL(272, fadvise64_64)
{
    return advise(self, ARG6);
}

SYSTEM_CALL(225, readahead)
{
    const struct file *file = file_at(self, ARG1);
    if (file == NULL || !(file->access & FILE_READ))
        return -EBADF;
    return file_is_regular(file) ? 0 : -EINVAL;
}

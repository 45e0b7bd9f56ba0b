/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. What has to be on the disk before a call ends: fsync, sync, msync, writes with O_SYNC.
 *
 * A call waits for what was there when it began, and not for what others write meanwhile. So it
 * remembers how far it has come, in the process's record (struct progress).
 * Source: Linux manual pages fsync(2), sync(2), sync_file_range(2).
 */
#include "open_file.h"

#include <file/file.h>

static struct flushing begun(const struct process *self, uint32_t *seen)
{
    uint32_t step = self->progress.flushing[0];
    return (struct flushing){.step = step >> 1,
                             .has_failed = step & 1,
                             .ticket = self->progress.flushing[1],
                             .seen = seen};
}

/* It has come so far; or to its end. */
static void note(struct process *self, const struct flushing *flushing, enum kerr error)
{
    bool goes_on = error_goes_by(error);
    self->progress.flushing[0] = goes_on ? flushing->step << 1 | flushing->has_failed : 0;
    self->progress.flushing[1] = goes_on ? flushing->ticket : 0;
}

enum kerr file_flush(struct process *self, struct inode *inode, enum inode_flush what,
                     uint32_t *seen)
{
    struct flushing flushing = begun(self, seen);
    if (inode->operations->flush == NULL)
        return KERR_OK;
    enum kerr error = inode->operations->flush(inode, what, &flushing);
    note(self, &flushing, error);
    return error;
}

int32_t file_flush_mapped(struct process *self, const struct object *object, uint32_t step)
{
    struct inode *inode = inode_of_object(object);
    if (inode == NULL)
        return 0;
    enum kerr error = file_flush(self, inode, FLUSH_DATA, &inode->errors_told_mapped);
    if (error_goes_by(error))
        progress_note(self, PROGRESS_STEPS, step);
    return error == KERR_OK ? 0 : file_failed(error);
}

/* ---- a file ---- */

static int32_t flush(struct process *self, struct file *file, enum inode_flush what)
{
    struct inode *inode = file->inode;
    if (inode == NULL || (inode_type(inode) != S_IFREG && !inode_is_directory(inode) &&
                          inode_type(inode) != S_IFBLK))
        return -EINVAL;
    enum kerr error = file_flush(self, inode, what, &file->errors_told);
    if (error_goes_by(error))
        progress_note(self, PROGRESS_STEPS, 1);
    return error == KERR_OK ? 0 : file_failed(error);
}

static int32_t flush_descriptor(struct process *self, uint32_t descriptor, enum inode_flush what)
{
    struct file *file = file_at(self, descriptor);
    return file == NULL || (file->flags & O_PATH) ? -EBADF : flush(self, file, what);
}

SYSTEM_CALL(118, fsync)
{
    return flush_descriptor(self, ARG1, FLUSH_ALL);
}

SYSTEM_CALL(148, fdatasync)
{
    return flush_descriptor(self, ARG1, FLUSH_DATA);
}

SYSTEM_CALL(314, sync_file_range)
{
    enum { WAIT_BEFORE = 1, WRITE = 2, WAIT_AFTER = 4 };
    struct file *file = file_at(self, ARG1);
    int64_t offset = (int64_t)((uint64_t)ARG3 << 32 | ARG2);
    int64_t bytes = (int64_t)((uint64_t)ARG5 << 32 | ARG4);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if ((ARG6 & ~(uint32_t)(WAIT_BEFORE | WRITE | WAIT_AFTER)) != 0 || offset < 0 || bytes < 0 ||
        bytes > INT64_MAX - offset)
        return -EINVAL;
    if (file->inode == NULL || (!file_is_regular(file) && !inode_is_directory(file->inode) &&
                                inode_type(file->inode) != S_IFBLK))
        return -ESPIPE;
    return ARG6 & (WAIT_BEFORE | WAIT_AFTER) ? flush(self, file, FLUSH_DATA) : 0;
}

/* ---- all files ---- */

/* An error of one mount does not keep the others from theirs, and nobody is told of it here.
 * PROGRESS_STEPS: the mount that is under way; those before are done. */
SYSTEM_CALL(36, sync)
{
    uint32_t serial = progress_of(self, PROGRESS_STEPS);
    for (struct mount *mount = mount_next(NULL); mount != NULL; mount = mount_next(mount)) {
        struct flushing flushing = {0};
        if (mount->serial < serial)
            continue;
        if (mount->serial == serial)
            flushing = begun(self, NULL);
        enum kerr error = mount_sync(mount, &flushing);
        note(self, &flushing, error);
        if (!error_goes_by(error))
            continue;
        progress_note(self, PROGRESS_STEPS, mount->serial);
        return file_failed(error);
    }
    return 0;
}

SYSTEM_CALL(344, syncfs)
{
    const struct file *file = file_at(self, ARG1);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (file->inode == NULL)
        return 0;
    struct flushing flushing = begun(self, NULL);
    enum kerr error = mount_sync(file->inode->mount, &flushing);
    note(self, &flushing, error);
    if (error_goes_by(error))
        progress_note(self, PROGRESS_STEPS, 1);
    return error == KERR_OK ? 0 : file_failed(error);
}

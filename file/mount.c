/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. File systems and where they are mounted (include/file/inode.h).
 *
 * A mount belongs to the directory that it covers: a walk that comes to that directory goes on at
 * the mount's root, and ".." of the root goes on at the directory. A directory is covered once; what
 * is mounted on a mount's root covers that root.
 */
#include <kernel/panic.h>
#include <kernel/string.h>
#include <mm/heap.h>

#include "open_file.h"

static struct list mounts = {&mounts, &mounts};
static uint32_t serials; /* of mounts */
static uint32_t devices; /* numbers of file systems that are on no device: 0, 1, ... */

struct mount *mount_root, *mount_nowhere;

struct mount *mount_next(const struct mount *mount)
{
    const struct list *next = mount == NULL ? mounts.next : mount->link.next;
    return next == &mounts ? NULL : container_of(next, struct mount, link);
}

struct mount *mount_before(const struct mount *mount)
{
    const struct list *before = mount == NULL ? mounts.previous : mount->link.previous;
    return before == &mounts ? NULL : container_of(before, struct mount, link);
}

const struct file_system *file_system_find(const char *type)
{
    for (const struct file_system *system = file_systems_first; system < file_systems_end; system++)
        if (strcmp(system->name, type) == 0)
            return system;
    return NULL;
}

enum kerr mount_add(const char *type, const char *source, const char *options, uint32_t flags,
                    struct inode *directory, struct mount **mount)
{
    const struct file_system *system = file_system_find(type);
    void *block;
    if (system == NULL)
        return KERR_UNSUPPORTED;
    enum kerr error = kmalloc(sizeof(**mount), &block);
    if (error != KERR_OK)
        return error;
    struct mount *new = block;
    *new = (struct mount){
        .file_system = system, .flags = flags, .serial = ++serials, .device = ++devices};
    text_copy(new->source, sizeof(new->source), source);
    error = system->mount(new, options);
    if (error != KERR_OK) {
        kfree(new);
        return error;
    }
    inode_set_parent(new->root, new->root);
    list_add_last(&mounts, &new->link);
    if (directory != NULL) {
        inode_get(directory);
        new->covered = directory;
        directory->covered_by = new;
    }
    *mount = new;
    return KERR_OK;
}

/* Somebody uses MOUNT, beside the mount itself. */
static bool is_busy(const struct mount *mount)
{
    for (struct inode *inode = inode_next(NULL); inode != NULL; inode = inode_next(inode))
        if (inode->mount == mount &&
            (inode->references > (inode == mount->root) || inode->covered_by != NULL ||
             (inode->object != NULL && inode->object->references > 1)))
            return true;
    return false;
}

enum kerr mount_remove(struct mount *mount)
{
    if (mount == mount_root || mount == mount_nowhere || is_busy(mount))
        return KERR_BUSY;
    enum kerr error = inode_leave_all(mount);
    if (error == KERR_OK)
        error = mount->file_system->unmount(mount);
    if (error != KERR_OK)
        return error;
    if (mount->covered != NULL) {
        mount->covered->covered_by = NULL;
        inode_put(mount->covered);
    }
    list_remove(&mount->link);
    kfree(mount);
    return KERR_OK;
}

/* ---- to be read only, and no more ---- */

/* Somebody writes to MOUNT, or will: a file without links is to be taken away. */
static bool is_written(const struct mount *mount)
{
    for (struct inode *inode = inode_next(NULL); inode != NULL; inode = inode_next(inode))
        if (inode->mount == mount && (inode->writers > 0 || inode->status.links == 0))
            return true;
    return false;
}

enum kerr mount_change(struct mount *mount, uint32_t flags)
{
    const struct file_system *system = mount->file_system;
    uint32_t before = mount->flags;
    bool is_read_only = (flags & MOUNT_READ_ONLY) != 0;
    enum kerr error = KERR_OK;
    inode_evict_doomed();
    if (is_read_only && is_written(mount))
        return KERR_BUSY;
    if (is_read_only) /* from here on nobody begins to */
        mount->flags |= MOUNT_READ_ONLY;
    if (system->remount != NULL)
        error = system->remount(mount, is_read_only);
    if (error == KERR_OK)
        mount->flags = flags;
    else if (error != KERR_MUST_WAIT && error != KERR_NO_MEMORY)
        mount->flags = before;
    return error;
}

/* ---- sync ---- */

enum kerr mount_sync(struct mount *mount, struct flushing *flushing)
{
    if (flushing->step == 0) /* it begins: once more, and not each time that it has waited */
        inode_evict_again(mount);
    else
        inode_evict_doomed();
    return mount->file_system->sync == NULL ? KERR_OK : mount->file_system->sync(mount, flushing);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that change names: mkdir, mknod, symlink, link, unlink, rmdir, rename; and
 * the working directory.
 *
 * A walk finds where a name stands or would stand, then the file system does it. Who may what is
 * checked here, in Linux's order, as an error tells more than that it failed.
 * Source: Linux manual pages of these calls, path_resolution(7).
 */
#include <kernel/string.h>

#include "path.h"

/* The text that the call is about: what a symbolic link says, the working directory. */
static char text[PATH_BYTES_MAX];

enum unlink_flags { AT_REMOVEDIR = 0x200 };
enum link_flags { AT_SYMLINK_FOLLOW = 0x400 };
enum rename_flags { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };

/* ---- making ---- */

/* May names change in DIRECTORY? */
static int32_t refuse_change(const struct inode *directory)
{
    if (directory->mount->flags & MOUNT_READ_ONLY)
        return -EROFS;
    return directory->status.links == 0 ? -ENOENT : 0;
}

int32_t path_create(const struct path *path, const struct inode_wish *wish, struct inode **inode)
{
    struct inode *directory = path->directory;
    int32_t result = refuse_change(directory);
    if (result != 0)
        return result;
    if (directory->operations->create == NULL)
        return path->name.length > 0 ? -EPERM : -EOPNOTSUPP;
    enum kerr error = names_create(directory, path->name, wish, inode);
    if (error == KERR_UNSUPPORTED && path->name.length == 0)
        return -EOPNOTSUPP;
    if (error != KERR_OK)
        return file_failed(error);
    if (path->name.length > 0)
        inode_set_parent(*inode, directory);
    return 0;
}

/* Nothing is at PATH, and a file of TYPE could be. */
static int32_t refuse_new(const struct path *path, uint32_t type)
{
    if (path->last != PATH_NAME || path->inode != NULL)
        return -EEXIST;
    return path->has_slash && type != S_IFDIR ? -ENOENT : 0;
}

/* What WISH says, at a path of the program. */
static int32_t make(struct process *self, int32_t directory, uint32_t address,
                    const struct inode_wish *wish)
{
    struct path path;
    struct inode *inode = NULL;
    int32_t result = path_walk_user(self, directory, address, LINKS_NAME, 0, &path);
    if (result != 0)
        return result;
    result = refuse_new(&path, wish->mode & S_IFMT);
    if (result == 0)
        result = path_create(&path, wish, &inode);
    inode_put(inode);
    path_put(&path);
    return result;
}

static int32_t make_directory(struct process *self, int32_t directory, uint32_t path, uint32_t mode)
{
    enum { KEPT = S_ISVTX | 0777 };
    const struct inode_wish wish = {.mode = S_IFDIR | (mode & KEPT & ~files_of(self)->mask)};
    return make(self, directory, path, &wish);
}

SYSTEM_CALL(39, mkdir)
{
    return make_directory(self, AT_FDCWD, ARG1, ARG2);
}

SYSTEM_CALL(296, mkdirat)
{
    return make_directory(self, (int32_t)ARG1, ARG2, ARG3);
}

static int32_t make_node(struct process *self, int32_t directory, uint32_t path, uint32_t mode,
                         uint32_t device)
{
    uint32_t type = mode & S_IFMT ? mode & S_IFMT : (uint32_t)S_IFREG;
    bool is_device = type == S_IFCHR || type == S_IFBLK;
    const struct inode_wish wish = {.mode = type | (mode & MODE_BITS & ~files_of(self)->mask),
                                    .device = is_device ? device : 0};
    if (type == S_IFDIR)
        return -EPERM;
    if (!is_device && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
        return -EINVAL;
    return make(self, directory, path, &wish);
}

SYSTEM_CALL(14, mknod)
{
    return make_node(self, AT_FDCWD, ARG1, ARG2, ARG3);
}

SYSTEM_CALL(297, mknodat)
{
    return make_node(self, (int32_t)ARG1, ARG2, ARG3, ARG4);
}

static int32_t make_link(struct process *self, uint32_t target, int32_t directory, uint32_t path)
{
    const char *read;
    int32_t result = path_read(target, &read);
    if (result != 0)
        return result;
    if (read[0] == '\0')
        return -ENOENT;
    text_copy(text, sizeof(text), read);
    const struct inode_wish wish = {
        .mode = S_IFLNK | 0777, .target = text, .target_bytes = strlen(text)};
    return make(self, directory, path, &wish);
}

SYSTEM_CALL(83, symlink)
{
    return make_link(self, ARG1, AT_FDCWD, ARG2);
}

SYSTEM_CALL(304, symlinkat)
{
    return make_link(self, ARG1, (int32_t)ARG2, ARG3);
}

/* ---- one more name ---- */

/* The inode that is to be linked: that of a path, or, with AT_EMPTY_PATH, of a descriptor. */
static int32_t find_linked(struct process *self, int32_t directory, uint32_t address,
                           uint32_t flags, struct inode **inode)
{
    uint32_t how = flags & AT_SYMLINK_FOLLOW ? 0u : AT_SYMLINK_NOFOLLOW;
    return path_find_at(self, directory, address, how | (flags & AT_EMPTY_PATH), inode);
}

static int32_t link_to(struct inode *inode, const struct path *path)
{
    struct inode *directory = path->directory;
    int32_t result = refuse_new(path, S_IFREG);
    if (result != 0)
        return result;
    if (inode == NULL || inode->mount != directory->mount)
        return -EXDEV;
    result = refuse_change(directory);
    if (result != 0)
        return result;
    if (inode_is_directory(inode) || directory->operations->link == NULL)
        return -EPERM;
    if (inode->status.links == 0 && inode->parent != NULL) /* its last name was removed */
        return -ENOENT;
    enum kerr error = names_link(directory, path->name, inode);
    if (error != KERR_OK)
        return file_failed(error);
    inode_set_parent(inode, directory);
    return 0;
}

static int32_t link(struct process *self, int32_t from, uint32_t from_path, int32_t to,
                    uint32_t to_path, uint32_t flags)
{
    struct inode *inode;
    struct path path = {0};
    if ((flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
        return -EINVAL;
    int32_t result = find_linked(self, from, from_path, flags, &inode);
    if (result == 0)
        result = path_walk_user(self, to, to_path, LINKS_NAME, 1, &path);
    if (result == 0)
        result = link_to(inode, &path);
    path_put(&path);
    inode_put(inode);
    return result;
}

SYSTEM_CALL(9, link)
{
    return link(self, AT_FDCWD, ARG1, AT_FDCWD, ARG2, 0);
}

SYSTEM_CALL(303, linkat)
{
    return link(self, (int32_t)ARG1, ARG2, (int32_t)ARG3, ARG4, ARG5);
}

/* ---- one name fewer ---- */

/* Something is mounted on what PATH names. */
static bool is_mounted_on(const struct path *path)
{
    return path->inode->mount != path->directory->mount;
}

static int32_t refuse_removal(const struct path *path, bool is_directory)
{
    if (path->inode == NULL)
        return -ENOENT;
    if (path_refuse_slash(path) != 0)
        return -ENOTDIR;
    if (inode_is_directory(path->inode) != is_directory)
        return is_directory ? -ENOTDIR : -EISDIR;
    if (path->directory->mount->flags & MOUNT_READ_ONLY)
        return -EROFS;
    if (is_mounted_on(path))
        return -EBUSY;
    return path->directory->operations->remove == NULL ? -EPERM : 0;
}

static int32_t remove_at(const struct path *path, bool is_directory)
{
    static const int32_t nameless[] = {
        [PATH_DOT] = -EINVAL, [PATH_DOTS] = -ENOTEMPTY, [PATH_ROOT] = -EBUSY, [PATH_LINK] = -EBUSY};
    if (path->last != PATH_NAME)
        return is_directory ? nameless[path->last] : -EISDIR;
    int32_t result = refuse_removal(path, is_directory);
    if (result != 0)
        return result;
    enum kerr error = names_remove(path->directory, path->name, path->inode);
    return error == KERR_OK ? 0 : file_failed(error);
}

static int32_t remove_path(struct process *self, int32_t directory, uint32_t address,
                           bool is_directory)
{
    struct path path;
    int32_t result = path_walk_user(self, directory, address, LINKS_NAME, 0, &path);
    if (result != 0)
        return result;
    result = remove_at(&path, is_directory);
    path_put(&path);
    return result;
}

SYSTEM_CALL(10, unlink)
{
    return remove_path(self, AT_FDCWD, ARG1, false);
}

SYSTEM_CALL(40, rmdir)
{
    return remove_path(self, AT_FDCWD, ARG1, true);
}

SYSTEM_CALL(301, unlinkat)
{
    if ((ARG3 & ~(uint32_t)AT_REMOVEDIR) != 0)
        return -EINVAL;
    return remove_path(self, (int32_t)ARG1, ARG2, (ARG3 & AT_REMOVEDIR) != 0);
}

/* ---- another name ---- */

/* INODE is DIRECTORY, or above it. */
static bool holds(const struct inode *inode, const struct inode *directory)
{
    while (directory != inode && directory->parent != NULL && directory->parent != directory)
        directory = directory->parent;
    return directory == inode;
}

static int32_t refuse_rename(const struct path *from, const struct path *to, uint32_t flags)
{
    bool is_directory = from->inode != NULL && inode_is_directory(from->inode);
    const bool exchanges = (flags & RENAME_EXCHANGE) != 0;
    if (from->last != PATH_NAME || to->last != PATH_NAME)
        return flags & RENAME_NOREPLACE && from->last == PATH_NAME ? -EEXIST : -EBUSY;
    if (from->directory->mount != to->directory->mount)
        return -EXDEV;
    if (from->directory->mount->flags & MOUNT_READ_ONLY)
        return -EROFS;
    if (from->inode == NULL)
        return -ENOENT;
    if (to->inode != NULL && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (exchanges && to->inode == NULL)
        return -ENOENT;
    bool may_have_slash = exchanges ? inode_is_directory(to->inode) : is_directory;
    if ((!is_directory && from->has_slash) || (!may_have_slash && to->has_slash))
        return -ENOTDIR;
    if (is_directory && holds(from->inode, to->directory))
        return -EINVAL;
    if (to->inode != NULL && holds(to->inode, from->directory))
        return exchanges ? -EINVAL : -ENOTEMPTY;
    return 0;
}

static int32_t refuse_replacement(const struct path *from, const struct path *to)
{
    if (to->directory->status.links == 0)
        return -ENOENT;
    if (to->inode != NULL && inode_is_directory(to->inode) != inode_is_directory(from->inode))
        return inode_is_directory(to->inode) ? -EISDIR : -ENOTDIR;
    if (is_mounted_on(from) || (to->inode != NULL && is_mounted_on(to)))
        return -EBUSY;
    return from->directory->operations->rename == NULL ? -EPERM : 0;
}

/* Each of FROM and TO gets the other's name. */
static int32_t exchange(const struct path *from, const struct path *to)
{
    const struct inode_operations *operations = from->directory->operations;
    if (is_mounted_on(from) || is_mounted_on(to))
        return -EBUSY;
    if (operations->exchange == NULL)
        return operations->rename == NULL ? -EPERM : -EINVAL;
    enum kerr error = names_exchange(from->directory, from->name, from->inode, to->directory,
                                     to->name, to->inode);
    if (error != KERR_OK)
        return file_failed(error);
    inode_set_parent(from->inode, to->directory);
    inode_set_parent(to->inode, from->directory);
    return 0;
}

static int32_t rename_to(const struct path *from, const struct path *to, uint32_t flags)
{
    int32_t result = refuse_rename(from, to, flags);
    if (result != 0 || from->inode == to->inode)
        return result;
    if (flags & RENAME_EXCHANGE)
        return exchange(from, to);
    result = refuse_replacement(from, to);
    if (result != 0)
        return result;
    enum kerr error =
        names_rename(from->directory, from->name, from->inode, to->directory, to->name, to->inode);
    if (error != KERR_OK)
        return file_failed(error);
    inode_set_parent(from->inode, to->directory);
    return 0;
}

static int32_t rename(struct process *self, int32_t from, uint32_t from_path, int32_t to,
                      uint32_t to_path, uint32_t flags)
{
    struct path paths[2] = {{0}};
    if ((flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 ||
        flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int32_t result = path_walk_user(self, from, from_path, LINKS_NAME, 0, &paths[0]);
    if (result == 0)
        result = path_walk_user(self, to, to_path, LINKS_NAME, 1, &paths[1]);
    if (result == 0)
        result = rename_to(&paths[0], &paths[1], flags);
    path_put(&paths[0]);
    path_put(&paths[1]);
    return result;
}

SYSTEM_CALL(38, rename)
{
    return rename(self, AT_FDCWD, ARG1, AT_FDCWD, ARG2, 0);
}

SYSTEM_CALL(302, renameat)
{
    return rename(self, (int32_t)ARG1, ARG2, (int32_t)ARG3, ARG4, 0);
}

SYSTEM_CALL(353, renameat2)
{
    return rename(self, (int32_t)ARG1, ARG2, (int32_t)ARG3, ARG4, ARG5);
}

/* ---- what a symbolic link says ---- */

static int32_t read_link(struct process *self, int32_t directory, uint32_t path, uint32_t buffer,
                         uint32_t bytes)
{
    struct inode *inode;
    uint32_t length = 0;
    if ((int32_t)bytes <= 0)
        return -EINVAL;
    int32_t result = path_find_user(self, directory, path, LINKS_KEEP, &inode);
    if (result != 0)
        return result;
    enum kerr error = inode_type(inode) != S_IFLNK
                          ? KERR_BAD_VALUE
                          : inode->operations->read_link(inode, text, &length);
    inode_put(inode);
    if (error != KERR_OK)
        return file_failed(error);
    length = length < bytes ? length : bytes;
    error = user_replace(buffer, text, length); /* the path may lie there */
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

static int32_t set_directory(struct process *self, struct inode *inode)
{
    if (inode == NULL || !inode_is_directory(inode))
        return -ENOTDIR;
    enum kerr error = files_copy_for_write(self);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    inode_get(inode);
    inode_put(files_of(self)->directory);
    files_of(self)->directory = inode;
    return 0;
}

SYSTEM_CALL(12, chdir)
{
    struct inode *inode;
    int32_t result = path_find_user(self, AT_FDCWD, ARG1, LINKS_FOLLOW, &inode);
    if (result == 0)
        result = set_directory(self, inode);
    inode_put(inode);
    return result;
}

SYSTEM_CALL(133, fchdir)
{
    const struct file *file = file_at(self, ARG1);
    return file == NULL ? -EBADF : set_directory(self, file->inode);
}

SYSTEM_CALL(183, getcwd)
{
    const char *path;
    enum kerr error = inode_path(files_of(self)->directory, text, sizeof(text), &path);
    if (error == KERR_NO_ROOM)
        return -ENAMETOOLONG;
    if (error != KERR_OK)
        return file_failed(error);
    uint32_t bytes = (uint32_t)strlen(path) + 1;
    if (bytes > ARG2)
        return -ERANGE;
    error = user_write(ARG1, path, bytes);
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

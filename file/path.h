/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Private to file/. From texts to inodes, and what calls about names have in common.
 */
#ifndef FILE_PATH_H
#define FILE_PATH_H

#include "open_file.h"

/* At the end of a path: followed; only if a slash is behind it; never, as it is the name that matters. */
enum path_links { LINKS_FOLLOW, LINKS_KEEP, LINKS_NAME };

/* What a path ends with: a name; or none that could be made or removed: ".", "..", the root, or what
 * a link of /proc leads to. */
enum path_last { PATH_NAME, PATH_DOT, PATH_DOTS, PATH_ROOT, PATH_LINK };

/* Where a path leads. Both inodes have a reference, given back by path_put(). */
struct path {
    struct inode *directory; /* that has NAME; NULL without a name */
    struct name name;        /* in the walk's buffer, until another walk of the same number */
    struct inode *inode;     /* NULL: nothing of that name is in DIRECTORY */
    enum path_last last;
    bool has_slash; /* behind NAME: what it names must be a directory */
};

/*
 * Walk TEXT from BASE on (or from the root). NUMBER is 0 or 1: a call has two walks at the most.
 *   returns 0; -ENOENT (a directory on the way, or the text is empty), -ENOTDIR, -ENAMETOOLONG, -ELOOP;
 *   what a file system answered. *PATH is empty then
 */
int32_t path_walk(struct inode *base, const char *text, enum path_links links, unsigned number,
                  struct path *path);
void path_put(struct path *path);

/* The inode at its end alone, with a reference; -ENOENT also if there is none. */
int32_t path_find(struct inode *base, const char *text, enum path_links links,
                  struct inode **inode);

/*
 * A path of a program: the text at ADDRESS, valid until the next one is read; where it begins: the
 * directory that DESCRIPTOR names (AT_FDCWD: the working directory), no reference; and both with the
 * walk. Return 0, or what the call must return, which is never 0.
 */
enum { AT_FDCWD = -100 };
int32_t path_read(uint32_t address, const char **path);
int32_t path_base(const struct process *self, int32_t descriptor, const char *path,
                  struct inode **base);
int32_t path_walk_user(struct process *self, int32_t descriptor, uint32_t address,
                       enum path_links links, unsigned number, struct path *path);
int32_t path_find_user(struct process *self, int32_t descriptor, uint32_t address,
                       enum path_links links, struct inode **inode);

/*
 * The inode at a path of the program; or, with AT_EMPTY_PATH and an empty path, that of DESCRIPTOR itself,
 * which is NULL of a pipe without a name. One reference.
 */
int32_t path_find_at(struct process *self, int32_t descriptor, uint32_t address, uint32_t flags,
                     struct inode **inode);
int32_t path_inode_of_descriptor(const struct process *self, int32_t descriptor,
                                 struct inode **inode);

/* -ENOTDIR: a slash is behind the name of PATH, and it is no directory. */
int32_t path_refuse_slash(const struct path *path);

/*
 * Make what WISH says at PATH, where nothing is: *INODE, one reference. Without a name in PATH: a file
 * without one.   returns 0, -EROFS, -ENOENT (the directory was removed), -EPERM, -EOPNOTSUPP; what the
 * file system answered
 */
int32_t path_create(const struct path *path, const struct inode_wish *wish, struct inode **inode);

/* INODE, a regular file, is to be BYTES long. A long way is gone in pieces, in repeated calls. */
int32_t file_resize(struct process *self, struct inode *inode, uint64_t bytes);

/* -EROFS, -ETXTBSY: INODE, a regular file, can't be written now. */
int32_t file_refuse_writing(const struct inode *inode);

#endif

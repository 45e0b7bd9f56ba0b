/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Private to the tmpfs: its inodes and its names.
 */
#ifndef FILE_TMPFS_H
#define FILE_TMPFS_H

#include <file/inode.h>
#include <kernel/rbtree.h>

/* One mounted tmpfs. */
struct tmpfs {
    uint32_t references;       /* the mount, and each object, which may outlive it */
    uint32_t pages, pages_max; /* frames of files' pages, and how many there may be */
    uint32_t inodes, inodes_max;
    uint32_t last_number;
};

struct tmpfs_directory {
    struct rb_tree names; /* by name; */
    struct list order;    /* by cursor, which grows with each name that comes */
    uint64_t last_cursor;
    uint32_t count;
};

struct tmpfs_inode {
    struct inode inode;
    union {
        struct tmpfs_directory directory;
        char *target; /* of a symbolic link: inode.status.bytes bytes, in the heap */
    };
};

static inline struct tmpfs_inode *tmpfs_inode_of(struct inode *inode)
{
    return container_of(inode, struct tmpfs_inode, inode);
}

static inline struct tmpfs *tmpfs_of(const struct inode *inode)
{
    return inode->mount->data;
}

/* INODE, a regular file of no bytes, gets OBJECT, whose reference is taken over, for its pages: BYTES
 * bytes. */
void tmpfs_adopt(struct inode *inode, struct object *object, uint64_t bytes);

/* MOUNT, a tmpfs, may hold PAGES pages more, which were not free for others. */
void tmpfs_allow_pages(struct mount *mount, uint32_t pages);

/* For file systems that are a tmpfs to begin with. */
enum kerr tmpfs_mount(struct mount *mount, const char *options);
enum kerr tmpfs_unmount(struct mount *mount);
enum kerr tmpfs_room(struct mount *mount, struct mount_room *room);

/* ---- tmpfs_names.c ---- */

void tmpfs_directory_init(struct tmpfs_inode *inode);

/* All names of DIRECTORY go, whatever they name: its file system ends. */
void tmpfs_directory_clear(struct tmpfs_inode *directory);

enum kerr tmpfs_lookup(struct inode *directory, struct name name, struct inode **inode);
enum kerr tmpfs_link(struct inode *directory, struct name name, struct inode *inode);
enum kerr tmpfs_remove(struct inode *directory, struct name name, struct inode *inode);
enum kerr tmpfs_rename(struct inode *from, struct name from_name, struct inode *inode,
                       struct inode *to, struct name to_name, struct inode *replaced);
enum kerr tmpfs_exchange(struct inode *from, struct name from_name, struct inode *inode,
                         struct inode *to, struct name to_name, struct inode *other);
enum kerr tmpfs_read_directory(struct inode *inode, uint64_t cursor, struct directory_entry *entry);

/* NAME becomes the name of INODE in DIRECTORY; no links are counted. */
kerr_t tmpfs_add_name(struct tmpfs_inode *directory, struct name name, struct inode *inode);

#endif

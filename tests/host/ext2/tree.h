/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: what programs would see, as calls on paths; and the plain model beside it: a tree in
 * the host's memory. Each call does both, and compares what they say.
 */
#ifndef TESTS_HOST_EXT2_TREE_H
#define TESTS_HOST_EXT2_TREE_H

#include "world.h"

struct node {
    uint32_t mode, user, group, device;
    uint32_t names; /* entries that lead here */
    uint8_t *bytes;
    uint64_t length;
    char *target;
    struct entry *entries; /* of a directory, in no order */
    uint32_t count, room;
    struct node *above;
    struct inode *open; /* one reference; NULL */
    bool is_kept;       /* random operations leave it alone */
};
struct entry {
    char name[NAME_BYTES_MAX + 1];
    struct node *node;
};

/* What is mounted, and the root of the model. */
extern struct mount tree_mount;
extern struct node *tree_root;

/* An error is allowed: the world makes some. The model stays as it was then. */
extern bool tree_may_fail;

void tree_begin(void); /* an empty tree, with lost+found */
void tree_end(void);
enum kerr tree_mount_it(uint32_t flags);
enum kerr tree_unmount(void);

/* The inode of NODE, one reference for the caller. */
enum kerr tree_inode(struct node *node, struct inode **inode);
struct entry *tree_find(struct node *directory, const char *name);

enum kerr tree_create(struct node *directory, const char *name, uint32_t mode, const char *target,
                      struct node **node);
enum kerr tree_link(struct node *directory, const char *name, struct node *node);
enum kerr tree_remove(struct node *directory, const char *name);
enum kerr tree_rename(struct node *from, const char *from_name, struct node *to,
                      const char *to_name);
enum kerr tree_write(struct node *node, uint64_t offset, const uint8_t *bytes, uint32_t length);
enum kerr tree_resize(struct node *node, uint64_t length);
enum kerr tree_flush(struct node *node, enum inode_flush what);
enum kerr tree_sync(void);
void tree_open(struct node *node);
void tree_close(struct node *node);
void tree_leave(void); /* what nobody uses leaves the core */

/* All of it is as the model says: by this ext2; in what was extracted. */
void tree_compare(void);
void tree_compare_extracted(const char *directory);

/* Bytes of a file, or where a link leads, by its path, without the model: NULL if it is not there. */
uint8_t *tree_read_path(const char *path, uint64_t *length);

#endif

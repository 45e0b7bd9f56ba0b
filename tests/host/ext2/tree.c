/* SPDX-License-Identifier: MIT */
#include "tree.h"
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arch/i386/entry.h>

#include "../../../file/ext2.h"

struct mount tree_mount;
struct node *tree_root;
bool tree_may_fail;

static struct node *unnamed[64]; /* open, and without a name */

/* ---- the model ---- */

static struct node *node_new(uint32_t mode)
{
    struct node *node = calloc(1, sizeof(*node));
    node->mode = mode;
    return node;
}

static void node_end(struct node *node)
{
    for (uint32_t i = 0; i < node->count; i++)
        if (--node->entries[i].node->names == 0)
            node_end(node->entries[i].node);
    free(node->entries);
    free(node->bytes);
    free(node->target);
    free(node);
}

struct entry *tree_find(struct node *directory, const char *name)
{
    for (uint32_t i = 0; i < directory->count; i++)
        if (strcmp(directory->entries[i].name, name) == 0)
            return &directory->entries[i];
    return NULL;
}

static void name_add(struct node *directory, const char *name, struct node *node)
{
    if (directory->count == directory->room) {
        directory->room = directory->room * 2 + 8;
        directory->entries =
            realloc(directory->entries, directory->room * sizeof(*directory->entries));
    }
    struct entry *entry = &directory->entries[directory->count++];
    memset(entry, 0, sizeof(*entry));
    strncpy(entry->name, name, NAME_BYTES_MAX);
    entry->node = node;
    node->names++;
    node->above = directory;
}

static void name_drop(struct node *directory, const char *name)
{
    struct entry *entry = tree_find(directory, name);
    struct node *node = entry->node;
    *entry = directory->entries[--directory->count];
    node->above = NULL;
    if (--node->names > 0)
        return;
    if (node->open == NULL) {
        node_end(node);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(unnamed); i++)
        if (unnamed[i] == NULL) {
            unnamed[i] = node;
            return;
        }
    world_fail("too many files are open without a name");
}

static void node_resize(struct node *node, uint64_t length)
{
    node->bytes = realloc(node->bytes, length + 1);
    if (length > node->length)
        memset(node->bytes + node->length, 0, length - node->length);
    node->length = length;
}

void tree_begin(void)
{
    tree_root = node_new(S_IFDIR | 0755);
    tree_root->names = 1;
    name_add(tree_root, "lost+found", node_new(S_IFDIR | 0700));
}

void tree_end(void)
{
    node_end(tree_root);
    tree_root = NULL;
}

/* ---- what the kernel does with a file system ---- */

/* ERROR is what it may be. True: the call did what it should. */
static bool was_done(enum kerr error, const char *what)
{
    if (error == KERR_OK)
        return true;
    if (!tree_may_fail && error != KERR_NO_SPACE)
        world_fail("%s: error %d", what, error);
    return false;
}

enum kerr tree_mount_it(uint32_t flags)
{
    enum kerr error;
    do {
        tree_mount = (struct mount){.source = "/dev/disk", .flags = flags, .device = 7};
        world_begin_event();
        error = ext2_mount(&tree_mount, "");
    } while (world_goes_on(error));
    if (error == KERR_OK)
        inode_set_parent(tree_mount.root, tree_mount.root);
    return error;
}

enum kerr tree_unmount(void)
{
    enum kerr error;
    inode_evict_doomed();
    uint32_t left = inodes_leave(&tree_mount);
    if (left > 1 && !tree_may_fail)
        world_fail("%u inodes stay in the core", left - 1);
    AGAIN(error, ext2_unmount(&tree_mount));
    return error;
}

static struct name name_of(const char *text)
{
    return (struct name){text, (uint32_t)strlen(text)};
}

static enum kerr lookup(struct inode *directory, const char *name, struct inode **inode)
{
    enum kerr error;
    AGAIN(error, ext2_lookup(directory, name_of(name), inode));
    if (error == KERR_OK)
        inode_set_parent(*inode, directory);
    return error;
}

static const char *a_name_of(const struct node *node, struct node *directory)
{
    for (uint32_t i = 0; i < directory->count; i++)
        if (directory->entries[i].node == node)
            return directory->entries[i].name;
    return NULL;
}

/* A directory that has a name of NODE. */
static struct node *find_above(struct node *directory, const struct node *node)
{
    struct node *found = NULL;
    if (a_name_of(node, directory) != NULL)
        return directory;
    for (uint32_t i = 0; i < directory->count && found == NULL; i++)
        if (directory->entries[i].node->entries != NULL)
            found = find_above(directory->entries[i].node, node);
    return found;
}

enum kerr tree_inode(struct node *node, struct inode **inode)
{
    struct inode *above;
    if (node->open != NULL || node == tree_root) {
        *inode = node == tree_root ? tree_mount.root : node->open;
        inode_get(*inode);
        return KERR_OK;
    }
    if (node->above == NULL)
        node->above = find_above(tree_root, node);
    enum kerr error = tree_inode(node->above, &above);
    if (error != KERR_OK)
        return error;
    error = lookup(above, a_name_of(node, node->above), inode);
    inode_put(above);
    (void)was_done(error, "lookup");
    return error;
}

/* ---- names ---- */

enum kerr tree_create(struct node *directory, const char *name, uint32_t mode, const char *target,
                      struct node **node)
{
    struct inode *above, *inode;
    struct inode_wish wish = {.mode = mode, .device = 0x0103, .target = target};
    wish.target_bytes = target == NULL ? 0 : (uint32_t)strlen(target);
    enum kerr error = tree_inode(directory, &above);
    if (error != KERR_OK)
        return error;
    error = lookup(above, name, &inode);
    if (error == KERR_OK)
        world_fail("%s is there, and should not be", name);
    if (error == KERR_NOT_FOUND)
        AGAIN(error, ext2_create(above, name_of(name), &wish, &inode));
    if (was_done(error, "create")) {
        inode_set_parent(inode, above);
        inode_put(inode);
        *node = node_new(mode);
        (*node)->device = wish.device;
        if (target != NULL)
            (*node)->target = strdup(target);
        if ((mode & S_IFMT) == S_IFDIR)
            (*node)->entries = calloc((*node)->room = 4, sizeof(struct entry));
        name_add(directory, name, *node);
    }
    inode_put(above);
    return error;
}

enum kerr tree_link(struct node *directory, const char *name, struct node *node)
{
    struct inode *above, *inode;
    enum kerr error = tree_inode(directory, &above);
    if (error != KERR_OK)
        return error;
    error = tree_inode(node, &inode);
    if (error == KERR_OK) {
        AGAIN(error, ext2_link(above, name_of(name), inode));
        if (was_done(error, "link"))
            name_add(directory, name, node);
        inode_put(inode);
    }
    inode_put(above);
    return error;
}

enum kerr tree_remove(struct node *directory, const char *name)
{
    struct inode *above, *inode;
    struct node *node = tree_find(directory, name)->node;
    enum kerr error = tree_inode(directory, &above);
    if (error != KERR_OK)
        return error;
    error = lookup(above, name, &inode);
    if (error == KERR_OK) {
        AGAIN(error, ext2_remove(above, name_of(name), inode));
        if (error == KERR_NOT_EMPTY && node->count > 0)
            ;
        else if (was_done(error, "remove"))
            name_drop(directory, name);
        inode_put(inode);
    }
    inode_put(above);
    return error;
}

enum kerr tree_rename(struct node *from, const char *from_name, struct node *to,
                      const char *to_name)
{
    struct inode *above, *inode, *to_above, *replaced = NULL;
    struct node *node = tree_find(from, from_name)->node;
    struct entry *old = tree_find(to, to_name);
    enum kerr error = tree_inode(from, &above);
    if (error != KERR_OK)
        return error;
    error = tree_inode(to, &to_above);
    if (error != KERR_OK) {
        inode_put(above);
        return error;
    }
    error = lookup(above, from_name, &inode);
    if (error == KERR_OK) {
        if (old != NULL)
            error = lookup(to_above, to_name, &replaced);
        if (error == KERR_OK)
            AGAIN(error, ext2_rename(above, name_of(from_name), inode, to_above, name_of(to_name),
                                     replaced));
        if (error == KERR_NOT_EMPTY && old != NULL && old->node->count > 0)
            ;
        else if (was_done(error, "rename")) {
            inode_set_parent(inode, to_above);
            node->names++;
            if (old != NULL)
                name_drop(to, to_name);
            name_drop(from, from_name);
            name_add(to, to_name, node);
            node->names--;
        }
        inode_put(inode);
        inode_put(replaced);
    }
    inode_put(to_above);
    inode_put(above);
    return error;
}

/* ---- bytes ---- */

enum kerr tree_write(struct node *node, uint64_t offset, const uint8_t *bytes, uint32_t length)
{
    struct inode *inode;
    enum kerr error = tree_inode(node, &inode);
    while (error == KERR_OK && length > 0) {
        uint32_t in_page = (uint32_t)offset % PAGE_BYTES, step = PAGE_BYTES - in_page;
        frame_t frame;
        if (step > length)
            step = length;
        do {
            world_begin_event();
            error = ext2_page(inode, (uint32_t)(offset >> PAGE_SHIFT), PAGE_TO_WRITE, &frame);
            if (error == KERR_OK) {
                memcpy((uint8_t *)temp_map(TEMP_FRAME, frame) + in_page, bytes, step);
                temp_unmap(TEMP_FRAME);
                ext2_page_written(inode, offset + step);
            }
        } while (world_goes_on(error));
        if (!was_done(error, "write"))
            break;
        if (offset + step > node->length)
            node_resize(node, offset + step);
        memcpy(node->bytes + offset, bytes, step);
        offset += step;
        bytes += step;
        length -= step;
    }
    inode_touch(inode, TIME_MODIFIED);
    inode_put(inode);
    return error;
}

enum kerr tree_resize(struct node *node, uint64_t length)
{
    struct inode *inode;
    enum kerr error = tree_inode(node, &inode);
    if (error != KERR_OK)
        return error;
    AGAIN(error, ext2_resize(inode, length));
    if (was_done(error, "resize"))
        node_resize(node, length);
    else
        node_resize(node, inode->status.bytes);
    inode_put(inode);
    return error;
}

enum kerr tree_flush(struct node *node, enum inode_flush what)
{
    struct flushing flushing = {0};
    struct inode *inode;
    enum kerr error = tree_inode(node, &inode);
    if (error != KERR_OK)
        return error;
    AGAIN(error, ext2_flush(inode, what, &flushing));
    (void)was_done(error, "flush");
    inode_put(inode);
    return error;
}

enum kerr tree_sync(void)
{
    struct flushing flushing = {0};
    enum kerr error;
    inode_evict_doomed();
    AGAIN(error, ext2_sync(&tree_mount, &flushing));
    (void)was_done(error, "sync");
    return error;
}

void tree_open(struct node *node)
{
    if (node->open == NULL && tree_inode(node, &node->open) != KERR_OK)
        node->open = NULL;
}

void tree_close(struct node *node)
{
    struct inode *inode = node->open;
    node->open = NULL;
    inode_put(inode);
    for (unsigned i = 0; i < ARRAY_LENGTH(unnamed); i++)
        if (unnamed[i] == node) {
            unnamed[i] = NULL;
            node_end(node);
        }
}

void tree_leave(void)
{
    (void)inodes_leave(&tree_mount);
}

/* ---- comparing ---- */

/* What fails for once is asked once more. */
#define SURELY(error, call)                                                                        \
    do {                                                                                           \
        AGAIN(error, call);                                                                        \
        if (((error) == KERR_IO || (error) == KERR_NO_MEMORY) && tree_may_fail)                    \
            AGAIN(error, call);                                                                    \
    } while (0)

static void compare_bytes(struct inode *inode, const struct node *node, const char *path)
{
    enum kerr error;
    for (uint64_t offset = 0; offset < node->length; offset += PAGE_BYTES) {
        frame_t frame;
        uint32_t step =
            node->length - offset < PAGE_BYTES ? (uint32_t)(node->length - offset) : PAGE_BYTES;
        SURELY(error, ext2_page(inode, (uint32_t)(offset >> PAGE_SHIFT), PAGE_TO_READ, &frame));
        if (error != KERR_OK)
            world_fail("%s at %llu: error %d", path, (unsigned long long)offset, error);
        const uint8_t *page = temp_map(TEMP_FRAME, frame);
        for (uint32_t i = 0; i < step; i++)
            if (page[i] != node->bytes[offset + i])
                world_fail("%s: byte %llu is %u and not %u", path, (unsigned long long)offset + i,
                           page[i], node->bytes[offset + i]);
        temp_unmap(TEMP_FRAME);
    }
}

static void compare(struct node *node, struct inode *inode, const char *path);

static void compare_names(struct node *node, struct inode *inode, const char *path)
{
    struct directory_entry entry = {.cursor = 2};
    uint32_t count = 0, subdirectories = 0;
    enum kerr error;
    for (;;) {
        char name[NAME_BYTES_MAX + 1] = "", below[4096];
        struct inode *child;
        SURELY(error, ext2_read_directory(inode, entry.cursor, &entry));
        if (error != KERR_OK)
            break;
        memcpy(name, entry.name.text, entry.name.length);
        if (strcmp(path, "/lost+found") == 0 && name[0] == '#')
            continue; /* a file that was replaced, for a moment */
        struct entry *found = tree_find(node, name);
        if (found == NULL)
            world_fail("%s/%s should not be there", path, name);
        if (entry.mode != 0 && entry.mode != (found->node->mode & S_IFMT))
            world_fail("%s/%s: its entry says %o", path, name, entry.mode);
        snprintf(below, sizeof(below), "%s/%s", path, name);
        error = lookup(inode, name, &child);
        if (error != KERR_OK && tree_may_fail)
            error = lookup(inode, name, &child);
        if (error != KERR_OK || child->number != entry.number)
            world_fail("%s: error %d", below, error);
        compare(found->node, child, below);
        subdirectories += inode_is_directory(child);
        inode_put(child);
        count++;
    }
    if (error != KERR_NOT_FOUND || count != node->count)
        world_fail("%s has %u names and not %u (error %d)", path, count, node->count, error);
    if (inode->status.links != 2 + subdirectories)
        world_fail("%s has %u links and not %u", path, inode->status.links, 2 + subdirectories);
}

static void compare(struct node *node, struct inode *inode, const char *path)
{
    const struct inode_status *status = &inode->status;
    char target[PATH_BYTES_MAX];
    uint32_t bytes;
    enum kerr error;
    if (status->mode != node->mode || status->user != node->user || status->group != node->group)
        world_fail("%s: mode %o and not %o", path, status->mode, node->mode);
    if (!inode_is_directory(inode) && status->links != node->names)
        world_fail("%s has %u links and not %u", path, status->links, node->names);
    switch (node->mode & S_IFMT) {
    case S_IFDIR:
        compare_names(node, inode, path);
        break;
    case S_IFREG:
        if (status->bytes != node->length)
            world_fail("%s has %llu bytes and not %llu", path, (unsigned long long)status->bytes,
                       (unsigned long long)node->length);
        compare_bytes(inode, node, path);
        break;
    case S_IFLNK:
        SURELY(error, ext2_read_link(inode, target, &bytes));
        if (error != KERR_OK || bytes != strlen(node->target) ||
            memcmp(target, node->target, bytes) != 0)
            world_fail("%s leads elsewhere (error %d)", path, error);
        break;
    case S_IFCHR:
        if (status->device != node->device)
            world_fail("%s is device %x", path, status->device);
        break;
    default:
        break;
    }
}

void tree_compare(void)
{
    compare(tree_root, tree_mount.root, "");
    for (unsigned i = 0; i < ARRAY_LENGTH(unnamed); i++)
        if (unnamed[i] != NULL)
            compare(unnamed[i], unnamed[i]->open, "(open)");
}

static void compare_extracted(const struct node *node, const char *path)
{
    char below[4096];
    uint32_t special = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct node *child = node->entries[i].node;
        enum extracted type;
        snprintf(below, sizeof(below), "%s/%s", path, node->entries[i].name);
        type = disk_type(below);
        switch (child->mode & S_IFMT) {
        case S_IFDIR:
            if (type != EXTRACTED_DIRECTORY)
                world_fail("%s is no directory", below);
            compare_extracted(child, below);
            break;
        case S_IFREG:
            if (type != EXTRACTED_FILE || !disk_same_file(below, child->bytes, child->length))
                world_fail("%s: debugfs reads something else", below);
            break;
        case S_IFLNK:
            if (type != EXTRACTED_LINK || !disk_same_link(below, child->target))
                world_fail("%s: debugfs reads another target", below);
            break;
        default:
            special++;
        }
    }
    if (disk_entries(path) != node->count - special)
        world_fail("%s: debugfs has another number of names", path);
}

void tree_compare_extracted(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", disk_directory(), name);
    compare_extracted(tree_root, path);
}

/* ---- without the model ---- */

static uint8_t *read_all(struct inode *inode, uint64_t *length)
{
    enum kerr error = KERR_OK;
    *length = inode->status.bytes;
    uint8_t *bytes = calloc(1, *length + PAGE_BYTES);
    for (uint64_t offset = 0; offset < *length; offset += PAGE_BYTES) {
        frame_t frame;
        AGAIN(error, ext2_page(inode, (uint32_t)(offset >> PAGE_SHIFT), PAGE_TO_READ, &frame));
        if (error != KERR_OK)
            world_fail("a file can't be read: error %d", error);
        memcpy(bytes + offset, temp_map(TEMP_FRAME, frame), PAGE_BYTES);
        temp_unmap(TEMP_FRAME);
    }
    return bytes;
}

static void read_target(struct inode *inode, char *target, uint64_t *length)
{
    uint32_t bytes;
    enum kerr error;
    AGAIN(error, ext2_read_link(inode, target, &bytes));
    if (error != KERR_OK)
        world_fail("a link can't be read: error %d", error);
    *length = bytes;
}

uint8_t *tree_read_path(const char *path, uint64_t *length)
{
    struct inode *inode = tree_mount.root, *next;
    uint8_t *bytes = NULL;
    char part[NAME_BYTES_MAX + 1];
    inode_get(inode);
    while (*path != '\0') {
        uint32_t bytes_of_part = (uint32_t)strcspn(path, "/");
        memcpy(part, path, bytes_of_part);
        part[bytes_of_part] = '\0';
        path += bytes_of_part + (path[bytes_of_part] == '/');
        enum kerr error = inode_is_directory(inode) ? lookup(inode, part, &next) : KERR_NOT_FOUND;
        inode_put(inode);
        if (error == KERR_NOT_FOUND)
            return NULL;
        if (error != KERR_OK)
            world_fail("%s: error %d", part, error);
        inode = next;
    }
    if (inode_type(inode) == S_IFREG) {
        bytes = read_all(inode, length);
    } else {
        bytes = calloc(1, PATH_BYTES_MAX);
        *length = 0;
        if (inode_type(inode) == S_IFLNK)
            read_target(inode, (char *)bytes, length);
    }
    inode_put(inode);
    return bytes;
}

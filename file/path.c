/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Paths: from a text to an inode, as path_resolution(7) says (path.h).
 *
 * A walk reads its text out of a buffer; the text of a symbolic link is put before what is left of
 * it there. It holds a reference to the directory that it is in, and to nothing else. When a file
 * system must wait, the walk is given up, and the call repeats it: what was looked up is in the core.
 */
#include "path.h"

#include <kernel/channel.h>
#include <kernel/string.h>

enum { LINKS_MAX = 40, WALK_ROOM = 2 * PATH_BYTES_MAX };

/* ---- what operations answer ---- */

int32_t file_failed(enum kerr error)
{
    switch (error) {
    case KERR_NO_MEMORY:
        return process_current != NULL ? process_out_of_memory() : -ENOMEM;
    case KERR_MUST_WAIT:
        return user_access_failed(error);
    case KERR_NO_ROOM:
        return -ENFILE;
    case KERR_UNSUPPORTED:
        return -EPERM;
    default:
        return error_number_of(error);
    }
}

bool file_polls(enum kerr error)
{
    if (error != KERR_MUST_WAIT || process_current != NULL)
        return false;
    channel_poll();
    return true;
}

/* ---- steps ---- */

struct walk {
    struct inode *at; /* a directory, or what is in the way; one reference */
    char *rest;       /* in the buffer below; what comes next */
    unsigned links;   /* symbolic links so far */
};

/* From its end: what is left of the text. A second walk of a call has a buffer of its own. */
static char buffers[2][WALK_ROOM];

static void go_to(struct walk *walk, struct inode *inode)
{
    inode_put(walk->at);
    walk->at = inode;
}

static __attribute__((noinline)) struct inode *cross_mounts(struct inode *inode)
{
    while (inode->covered_by != NULL) {
        struct inode *root = inode->covered_by->root;
        inode_get(root);
        inode_put(inode);
        inode = root;
    }
    return inode;
}

/* What is mounted on INODE, if anything is: that root, instead of INODE. */
static inline struct inode *cross_down(struct inode *inode)
{
    return likely(inode->covered_by == NULL) ? inode : cross_mounts(inode);
}

static void go_up(struct walk *walk)
{
    struct inode *inode = walk->at;
    while (inode == inode->mount->root && inode->mount->covered != NULL)
        inode = inode->mount->covered;
    struct inode *parent = inode->parent != NULL ? inode->parent : inode;
    inode_get(parent);
    go_to(walk, cross_down(parent));
}

/* *INODE: NAME in the directory that the walk is in; NULL: nothing. */
static int32_t look_up(const struct walk *walk, struct name name, struct inode **inode)
{
    enum kerr error;
    *inode = NULL;
    do
        error = names_look_up(walk->at, name, inode);
    while (file_polls(error));
    if (error == KERR_NOT_FOUND)
        return 0;
    if (error != KERR_OK)
        return file_failed(error);
    if ((*inode)->parent != walk->at)
        inode_set_parent(*inode, walk->at);
    *inode = cross_down(*inode);
    return 0;
}

/* Put the text of LINK before the rest. */
static int32_t read_link(struct walk *walk, struct inode *link, const char *buffer)
{
    static char target[PATH_BYTES_MAX];
    uint32_t bytes = 0;
    enum kerr error;
    if (++walk->links > LINKS_MAX)
        return -ELOOP;
    do
        error = link->operations->read_link(link, target, &bytes);
    while (file_polls(error));
    if (error != KERR_OK)
        return file_failed(error);
    if (bytes == 0)
        return -ENOENT;
    if (bytes > (uint32_t)(walk->rest - buffer))
        return -ENAMETOOLONG;
    walk->rest -= bytes;
    memcpy(walk->rest, target, bytes);
    if (walk->rest[0] == '/') {
        inode_get(mount_root->root);
        go_to(walk, cross_down(mount_root->root));
    }
    return 0;
}

/* LINK, whose reference is taken over, is followed. */
static int32_t follow(struct walk *walk, struct inode *link, const char *buffer)
{
    int32_t result;
    if (link->operations->follow != NULL) {
        struct inode *target;
        enum kerr error = link->operations->follow(link, &target);
        result = error != KERR_OK ? file_failed(error) : ++walk->links > LINKS_MAX ? -ELOOP : 0;
        if (error == KERR_OK)
            go_to(walk, target);
    } else {
        result = read_link(walk, link, buffer);
    }
    inode_put(link);
    return result;
}

/* ---- the walk ---- */

/* What NAME, which is not empty, ends a path with, if it is the last one. */
static inline enum path_last kind_of(struct name name)
{
    if (likely(name.text[0] != '.') || name.length > 2)
        return PATH_LINK;
    if (name.length == 1)
        return PATH_DOT;
    return name.text[1] == '.' ? PATH_DOTS : PATH_LINK;
}

/* The next name of the rest, of 0 bytes at its end; *IS_LAST: nothing but slashes is behind it. */
static struct name next_name(struct walk *walk, bool *is_last, bool *has_slash)
{
    char *start = walk->rest, *end;
    while (*start == '/')
        start++;
    for (end = start; *end != '/' && *end != '\0';)
        end++;
    walk->rest = end;
    *has_slash = *end == '/';
    while (*end == '/')
        end++;
    *is_last = *end == '\0';
    return (struct name){start, (uint32_t)(walk->rest - start)};
}

/* The walk ends where it is, without a name. */
static int32_t end_at(struct walk *walk, enum path_last last, struct path *path)
{
    *path = (struct path){.inode = walk->at, .last = last};
    walk->at = NULL;
    return 0;
}

/* The walk ends at NAME, which is INODE, or nothing. */
static int32_t end_with_name(struct walk *walk, struct name name, struct inode *inode,
                             bool has_slash, struct path *path)
{
    *path = (struct path){walk->at, name, inode, PATH_NAME, has_slash};
    walk->at = NULL;
    return 0;
}

static int32_t walk_on(struct walk *walk, const char *buffer, enum path_links links,
                       struct path *path)
{
    enum path_last last = PATH_ROOT;
    for (;;) {
        bool is_last, has_slash;
        struct inode *inode;
        if (*walk->rest != '\0' && !inode_is_directory(walk->at))
            return -ENOTDIR;
        struct name name = next_name(walk, &is_last, &has_slash);
        if (name.length == 0)
            return end_at(walk, last, path);
        if (name.length > NAME_BYTES_MAX)
            return -ENAMETOOLONG;
        last = kind_of(name);
        if (last == PATH_DOTS)
            go_up(walk);
        if (last != PATH_LINK)
            continue;
        int32_t result = look_up(walk, name, &inode);
        if (result != 0)
            return result;
        bool is_link = inode != NULL && inode_type(inode) == S_IFLNK;
        if (is_link && (!is_last || links == LINKS_FOLLOW || (has_slash && links == LINKS_KEEP)))
            result = follow(walk, inode, buffer);
        else if (is_last)
            return end_with_name(walk, name, inode, has_slash, path);
        else if (inode == NULL)
            return -ENOENT;
        else
            go_to(walk, inode);
        if (result != 0)
            return result;
    }
}

/* As path_walk(); TEXT has LENGTH bytes. */
static int32_t walk_text(struct inode *base, const char *text, uint32_t length,
                         enum path_links links, unsigned number, struct path *path)
{
    char *buffer = buffers[number];
    *path = (struct path){0};
    if (length == 0)
        return -ENOENT;
    struct walk walk = {.at = text[0] == '/' ? mount_root->root : base,
                        .rest = buffer + WALK_ROOM - (length + 1)};
    memcpy(walk.rest, text, length + 1);
    inode_get(walk.at);
    walk.at = cross_down(walk.at);
    int32_t result = walk_on(&walk, buffer, links, path);
    inode_put(walk.at);
    return result;
}

int32_t path_walk(struct inode *base, const char *text, enum path_links links, unsigned number,
                  struct path *path)
{
    return walk_text(base, text, strlen(text), links, number, path);
}

void path_put(struct path *path)
{
    inode_put(path->inode);
    inode_put(path->directory);
}

int32_t path_refuse_slash(const struct path *path)
{
    return path->inode != NULL && path->has_slash && !inode_is_directory(path->inode) ? -ENOTDIR
                                                                                      : 0;
}

/* Of PATH, which the walk has found with RESULT, the inode alone. */
static int32_t take_inode(struct path *path, int32_t result, struct inode **inode)
{
    if (result == 0)
        result = path->inode == NULL ? -ENOENT : path_refuse_slash(path);
    *inode = NULL;
    if (result == 0) {
        *inode = path->inode;
        path->inode = NULL;
    }
    path_put(path);
    return result;
}

int32_t path_find(struct inode *base, const char *text, enum path_links links, struct inode **inode)
{
    struct path path;
    int32_t result = path_walk(base, text, links, 0, &path);
    return take_inode(&path, result, inode);
}

/* ---- paths of programs ---- */

static char text[PATH_BYTES_MAX]; /* of the call that is being handled: there is only one */

/* The same; *LENGTH bytes. */
static int32_t read_text(uint32_t address, uint32_t *length)
{
    enum kerr error = user_read_string(text, address, sizeof(text), length);
    if (error == KERR_NO_ROOM)
        return -ENAMETOOLONG;
    if (error != KERR_OK)
        return user_access_failed(error);
    return 0;
}

int32_t path_read(uint32_t address, const char **path)
{
    uint32_t length;
    *path = text;
    return read_text(address, &length);
}

int32_t path_base(const struct process *self, int32_t descriptor, const char *path,
                  struct inode **base)
{
    *base = files_of(self)->directory;
    if (descriptor == AT_FDCWD || path[0] == '/')
        return 0;
    const struct file *file = file_at(self, (uint32_t)descriptor);
    if (file == NULL)
        return -EBADF;
    *base = file->inode;
    return file->inode != NULL && inode_is_directory(file->inode) ? 0 : -ENOTDIR;
}

int32_t path_walk_user(struct process *self, int32_t descriptor, uint32_t address,
                       enum path_links links, unsigned number, struct path *path)
{
    struct inode *base;
    uint32_t length;
    *path = (struct path){0};
    int32_t result = read_text(address, &length);
    if (result != 0)
        return result;
    if (length == 0)
        return -ENOENT;
    result = path_base(self, descriptor, text, &base);
    return result != 0 ? result : walk_text(base, text, length, links, number, path);
}

int32_t path_find_user(struct process *self, int32_t descriptor, uint32_t address,
                       enum path_links links, struct inode **inode)
{
    struct path path;
    int32_t result = path_walk_user(self, descriptor, address, links, 0, &path);
    return take_inode(&path, result, inode);
}

int32_t path_inode_of_descriptor(const struct process *self, int32_t descriptor,
                                 struct inode **inode)
{
    const struct file *file = file_at(self, (uint32_t)descriptor);
    *inode = NULL;
    if (descriptor != AT_FDCWD && file == NULL)
        return -EBADF;
    *inode = descriptor == AT_FDCWD ? files_of(self)->directory : file->inode;
    if (*inode != NULL)
        inode_get(*inode);
    return 0;
}

int32_t path_find_at(struct process *self, int32_t descriptor, uint32_t address, uint32_t flags,
                     struct inode **inode)
{
    struct inode *base;
    struct path path;
    uint32_t length;
    *inode = NULL;
    int32_t result = read_text(address, &length);
    if (result != 0)
        return result;
    if (length == 0)
        return flags & AT_EMPTY_PATH ? path_inode_of_descriptor(self, descriptor, inode) : -ENOENT;
    result = path_base(self, descriptor, text, &base);
    if (result != 0)
        return result;
    enum path_links links = flags & AT_SYMLINK_NOFOLLOW ? LINKS_KEEP : LINKS_FOLLOW;
    return take_inode(&path, walk_text(base, text, length, links, 0, &path), inode);
}

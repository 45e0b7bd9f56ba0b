/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Names of files: a tree that is complete at boot.
 *
 *   /                    the modules of the boot loader, by name
 *   /dev                 null, zero, console, tty
 *   /proc/self/exe       the program's own file, a symbolic link
 *
 * Nothing can be created, removed or renamed. Paths are walked as in path_resolution(7).
 */
#include <kernel/string.h>
#include <mm/vma.h>

#include "open_file.h"

/* Numbers of devices as Linux has them: major << 8 | minor. */
enum { DEVICE_NULL = 0x103, DEVICE_ZERO = 0x105, DEVICE_TTY = 0x500, DEVICE_CONSOLE = 0x501 };

enum { INODE_ROOT = 1, INODE_DEV, INODE_PROC };

static const struct node dev_node, proc_node, self_node;

const struct node root_node = {.name = "",
                               .parent = &root_node,
                               .operations = &directory_operations,
                               .mode = S_IFDIR | 0555,
                               .inode = INODE_ROOT,
                               .path = "/"};

static const struct node dev_node = {.name = "dev",
                                     .parent = &root_node,
                                     .operations = &directory_operations,
                                     .mode = S_IFDIR | 0555,
                                     .inode = INODE_DEV,
                                     .path = "/dev"};

static const struct node proc_node = {.name = "proc",
                                      .parent = &root_node,
                                      .operations = &directory_operations,
                                      .mode = S_IFDIR | 0555,
                                      .inode = INODE_PROC,
                                      .path = "/proc"};

static const struct node self_node = {.name = "self",
                                      .parent = &proc_node,
                                      .operations = &directory_operations,
                                      .mode = S_IFDIR | 0555,
                                      .inode = INODE_PROC + 1,
                                      .path = "/proc/self"};

static const struct node exe_node = {
    .name = "exe", .parent = &self_node, .mode = S_IFLNK | 0777, .inode = INODE_PROC + 2};

static const struct node null_node = {.name = "null",
                                      .parent = &dev_node,
                                      .operations = &null_operations,
                                      .mode = S_IFCHR | 0666,
                                      .device = DEVICE_NULL,
                                      .inode = INODE_PROC + 3};

static const struct node zero_node = {.name = "zero",
                                      .parent = &dev_node,
                                      .operations = &zero_operations,
                                      .mode = S_IFCHR | 0666,
                                      .device = DEVICE_ZERO,
                                      .inode = INODE_PROC + 4};

const struct node terminal_node = {.name = "console",
                                   .parent = &dev_node,
                                   .operations = &terminal_operations,
                                   .mode = S_IFCHR | 0620,
                                   .device = DEVICE_CONSOLE,
                                   .inode = INODE_PROC + 5};

static const struct node tty_node = {.name = "tty",
                                     .parent = &dev_node,
                                     .operations = &terminal_operations,
                                     .mode = S_IFCHR | 0666,
                                     .device = DEVICE_TTY,
                                     .inode = INODE_PROC + 6};

static const struct node *const nodes[] = {&dev_node,  &proc_node, &self_node,     &exe_node,
                                           &null_node, &zero_node, &terminal_node, &tty_node};

/* First those above, then the modules. */
const struct node *node_in_row(uint32_t number)
{
    return number < ARRAY_LENGTH(nodes) ? nodes[number] : module_node(number - ARRAY_LENGTH(nodes));
}

const struct node *node_child(const struct node *directory, uint32_t number)
{
    const struct node *node;
    for (uint32_t i = 0; (node = node_in_row(i)) != NULL; i++)
        if (node->parent == directory && number-- == 0)
            return node;
    return NULL;
}

/* The program of SELF is the module whose pages its memory shows lowest. */
const struct node *node_link_target(const struct process *self)
{
    if (self == NULL || self->memory == NULL)
        return NULL;
    for (const struct vma *region = vma_first(&self->memory->space); region != NULL;
         region = vma_next(region)) {
        const struct node *module =
            region->object != NULL ? module_of_object(region->object) : NULL;
        if (module != NULL)
            return module;
    }
    return NULL;
}

/* The child of DIRECTORY whose name is the LENGTH characters at NAME. */
static const struct node *find_child(const struct node *directory, const char *name, size_t length)
{
    const struct node *node;
    if (length == 1 && name[0] == '.')
        return directory;
    if (length == 2 && name[0] == '.' && name[1] == '.')
        return directory->parent;
    for (uint32_t i = 0; (node = node_in_row(i)) != NULL; i++)
        if (node->parent == directory && strlen(node->name) == length &&
            memcmp(node->name, name, length) == 0)
            return node;
    return NULL;
}

int32_t path_find(const struct process *self, const struct node *base, const char *path,
                  enum path_links links, const struct node **node)
{
    const struct node *at = path[0] == '/' ? &root_node : base;
    if (path[0] == '\0')
        return -ENOENT;
    while (*path != '\0') {
        size_t length = 0;
        if ((at->mode & S_IFMT) != S_IFDIR)
            return -ENOTDIR;
        while (*path == '/')
            path++;
        while (path[length] != '/' && path[length] != '\0')
            length++;
        if (length == 0)
            break;
        if (length > NAME_BYTES_MAX)
            return -ENAMETOOLONG;
        at = find_child(at, path, length);
        path += length;
        if (at != NULL && (at->mode & S_IFMT) == S_IFLNK &&
            (*path != '\0' || links == LINKS_FOLLOW))
            at = node_link_target(self);
        if (at == NULL)
            return -ENOENT;
    }
    *node = at;
    return 0;
}

int32_t path_read(uint32_t address, const char **path)
{
    static char text[PATH_BYTES_MAX]; /* of the call that is being handled: there is only one */
    uint32_t length;
    *path = text;
    enum kerr error = user_read_string(text, address, sizeof(text), &length);
    if (error == KERR_NO_ROOM)
        return -ENAMETOOLONG;
    if (error != KERR_OK)
        return user_access_failed(error);
    return 0;
}

int32_t path_base(const struct process *self, int32_t descriptor, const char *path,
                  const struct node **base)
{
    *base = files_of(self)->directory;
    if (descriptor == AT_FDCWD || path[0] == '/')
        return 0;
    const struct file *file = file_at(self, (uint32_t)descriptor);
    if (file == NULL)
        return -EBADF;
    *base = file->node;
    return file->node != NULL && (file->node->mode & S_IFMT) == S_IFDIR ? 0 : -ENOTDIR;
}

int32_t path_find_user(struct process *self, int32_t descriptor, uint32_t address,
                       enum path_links links, const struct node **node)
{
    const struct node *base;
    const char *path;
    int32_t result = path_read(address, &path);
    if (result != 0)
        return result;
    if (path[0] == '\0')
        return -ENOENT;
    result = path_base(self, descriptor, path, &base);
    return result != 0 ? result : path_find(self, base, path, links, node);
}

/* ---- for execve and mmap ---- */

int32_t file_find(const char *path, struct object **object, uint32_t *bytes)
{
    const struct process *self = process_current;
    const struct node *node;
    const struct node *base = self != NULL ? files_of(self)->directory : &root_node;
    int32_t result = path_find(self, base, path, LINKS_FOLLOW, &node);
    if (result < 0)
        return result;
    if (node->object == NULL)
        return -EACCES;
    object_get(node->object);
    *object = node->object;
    *bytes = node->bytes;
    return 0;
}

const char *file_object_name(const struct object *object)
{
    const struct node *module = module_of_object(object);
    return module != NULL ? module->path : "";
}

uint32_t file_object_inode(const struct object *object)
{
    const struct node *module = module_of_object(object);
    return module != NULL ? module->inode : 0;
}

int32_t file_for_mapping(const struct process *self, uint32_t descriptor, enum file_map map,
                         struct object **object, bool *is_writable)
{
    const struct file *file = file_at(self, descriptor);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (!(file->access & FILE_READ) ||
        (map == FILE_MAP_SHARED_WRITE && !(file->access & FILE_WRITE)))
        return -EACCES;
    *is_writable = (file->access & FILE_WRITE) != 0;
    *object = file->node != NULL ? file->node->object : NULL;
    if (*object != NULL)
        object_get(*object);
    return *object != NULL || file->operations == &zero_operations ? 0 : -ENODEV;
}

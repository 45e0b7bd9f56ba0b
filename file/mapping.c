/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Files as the layers above see them: what execve runs and mmap shows, and whose pages an
 * object has (include/file/file.h).
 *
 * A process has a reference to the file that it runs; while anybody does, nobody may write it.
 */
#include "path.h"

#include <kernel/string.h>

/* ---- the program of a process ---- */

struct inode *file_program_of(const struct process *process)
{
    return process_state(process, PROGRAM_PLACE);
}

void file_set_program(struct process *process, struct inode *inode)
{
    struct inode *before = file_program_of(process);
    if (inode != NULL) {
        inode_get(inode);
        inode->executions++;
    }
    process_set_state(process, PROGRAM_PLACE, inode);
    if (before != NULL) {
        before->executions--;
        inode_put(before);
    }
}

static int32_t fork_part(struct process *parent, struct process *child,
                         const struct clone_wish *wish)
{
    (void)wish;
    file_set_program(child, file_program_of(parent));
    return 0;
}

static void drop_part(struct process *process)
{
    file_set_program(process, NULL);
}

PROCESS_PART(program, .fork = fork_part, .drop = drop_part);

/* ---- execve and mmap ---- */

static int32_t refuse_execution(const struct inode *inode)
{
    if (inode_type(inode) != S_IFREG || inode->object == NULL || !(inode->status.mode & S_IXANY) ||
        (inode->mount->flags & MOUNT_NO_EXECUTION))
        return -EACCES;
    return inode->writers > 0 ? -ETXTBSY : 0;
}

int32_t file_find_program(const char *path, struct inode **inode)
{
    const struct process *self = process_current;
    struct inode *base = self != NULL ? files_of(self)->directory : mount_root->root;
    int32_t result = path_find(base, path, LINKS_FOLLOW, inode);
    if (result == 0)
        result = refuse_execution(*inode);
    if (result != 0) {
        inode_put(*inode);
        *inode = NULL;
    }
    return result;
}

int32_t file_for_mapping(const struct process *self, uint32_t descriptor, enum file_map map,
                         struct object **object, bool *is_writable)
{
    struct file *file = file_at(self, descriptor);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (!(file->access & FILE_READ) ||
        (map == FILE_MAP_SHARED_WRITE && !(file->access & FILE_WRITE)))
        return -EACCES;
    *is_writable = (file->access & FILE_WRITE) != 0;
    const struct inode *inode = file_is_regular(file) ? file->inode : disk_pages(file);
    *object = inode != NULL ? inode->object : NULL;
    if (*object == NULL)
        return file->operations == &zero_operations ? 0 : -ENODEV;
    object_get(*object);
    file_was_read(file);
    return 0;
}

/* ---- names of what is mapped ---- */

const char file_region_name[] = "file";

static const char deleted[] = "(deleted)";

const char *file_path_of_object(const struct object *object, char *text, uint32_t bytes)
{
    struct inode *inode = inode_of_object(object);
    const char *path;
    enum kerr error;
    if (inode == NULL)
        return object->pager != NULL ? deleted : "";
    do
        error = inode_path(inode, text, bytes, &path);
    while (file_polls(error));
    return error == KERR_OK ? path : deleted;
}

enum kerr file_path_text(struct inode *inode, char *text, uint32_t *bytes)
{
    const char *path;
    enum kerr error = inode_path(inode, text, PATH_BYTES_MAX, &path);
    if (error == KERR_NOT_FOUND)
        path = deleted;
    else if (error != KERR_OK)
        return error;
    *bytes = strlen(path);
    memmove(text, path, *bytes);
    return KERR_OK;
}

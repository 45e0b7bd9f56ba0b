/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /proc/PID/mounts and mountinfo: what is mounted where.
 * Source: Linux manual pages proc_pid_mounts(5), proc_pid_mountinfo(5).
 */
#include <kernel/string.h>

#include "proc.h"

/* No path leads to MOUNT: it is mounted nowhere, or something else is over a directory on the way. */
static bool is_hidden(const struct mount *mount)
{
    const struct inode *inode = mount->covered;
    if (inode == NULL)
        return mount != mount_root || mount->root->covered_by != NULL;
    while (inode != mount_root->root) {
        bool is_root = inode == inode->mount->root;
        inode = is_root ? inode->mount->covered : inode->parent;
        if (inode == NULL || (!is_root && inode->covered_by != NULL))
            return true;
    }
    return false;
}

/* Of MOUNT, as mount(2) has them. */
static void print_options(struct proc_text *text, const struct mount *mount)
{
    static const struct {
        uint32_t flag;
        const char *text;
    } options[] = {{MOUNT_SYNCHRONOUS, ",sync"},
                   {MOUNT_NO_DEVICES, ",nodev"},
                   {MOUNT_NO_EXECUTION, ",noexec"},
                   {MOUNT_NO_ACCESS_TIMES, ",noatime"}};
    proc_print(text, "%s", mount->flags & MOUNT_READ_ONLY ? "ro" : "rw");
    for (unsigned i = 0; i < ARRAY_LENGTH(options); i++)
        if (mount->flags & options[i].flag)
            proc_print(text, "%s", options[i].text);
}

static void print_mount(struct proc_text *text, const struct mount *mount, const char *path,
                        uint32_t bytes)
{
    proc_add_path(text, mount->source, strlen(mount->source));
    proc_add(text, " ", 1);
    proc_add_path(text, path, bytes);
    proc_print(text, " %s ", mount->file_system->name);
    print_options(text, mount);
    proc_print(text, " 0 0\n");
}

/* A mount is known by the number of its device, which no other has. */
static void print_information(struct proc_text *text, const struct mount *mount, const char *path,
                              uint32_t bytes)
{
    const struct mount *parent = mount->covered != NULL ? mount->covered->mount : mount;
    proc_print(text, "%u %u %u:%u / ", (unsigned)mount->device, (unsigned)parent->device,
               (unsigned)device_major(mount->device), (unsigned)device_minor(mount->device));
    proc_add_path(text, path, bytes);
    proc_add(text, " ", 1);
    print_options(text, mount);
    proc_print(text, " - %s ", mount->file_system->name);
    proc_add_path(text, mount->source, strlen(mount->source));
    proc_print(text, " %s\n", mount->flags & MOUNT_READ_ONLY ? "ro" : "rw");
}

/* The cursor is a mount's device: they are counted up. */
static enum kerr write_mounts(struct proc_text *text,
                              void (*print)(struct proc_text *text, const struct mount *mount,
                                            const char *path, uint32_t bytes))
{
    static char path[PATH_BYTES_MAX];
    for (const struct mount *mount = mount_next(NULL); mount != NULL && !proc_is_full(text);
         mount = mount_next(mount)) {
        uint32_t bytes = 0;
        if (mount->device < text->place->cursor || is_hidden(mount))
            continue;
        enum kerr error = proc_begin_line(text, mount->device);
        if (error == KERR_OK)
            error = proc_path(text, mount->root, path, &bytes);
        if (error != KERR_OK)
            return error;
        print(text, mount, path, bytes);
    }
    return KERR_OK;
}

enum kerr proc_write_mounts(struct proc_text *text, const struct process *process)
{
    (void)process;
    return write_mounts(text, print_mount);
}

enum kerr proc_write_mount_information(struct proc_text *text, const struct process *process)
{
    (void)process;
    return write_mounts(text, print_information);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. The tree of names as it is at boot:
 *
 *   /         a tmpfs, with the modules of the boot loader
 *   /dev      devices           /dev/shm   a tmpfs, for shm_open()
 *   /proc     what there is to know of processes
 *   /tmp      a directory for anybody
 */
#include <kernel/layer.h>

#include "open_file.h"

static enum kerr make_directory(const char *name, uint32_t mode, struct inode *parent,
                                struct inode **directory)
{
    const struct inode_wish wish = {.mode = S_IFDIR | mode};
    return inode_make(parent, name, &wish, directory);
}

/* A file system of TYPE on a new directory NAME of PARENT: *ROOT, without a reference. */
static enum kerr mount_on(const char *type, const char *name, uint32_t mode, struct inode *parent,
                          struct inode **root)
{
    struct inode *directory;
    struct mount *mount;
    enum kerr error = make_directory(name, mode, parent, &directory);
    if (error != KERR_OK)
        return error;
    error = mount_add(type, type, "", 0, directory, &mount);
    inode_put(directory);
    if (error == KERR_OK)
        *root = mount->root;
    return error;
}

static enum kerr mounts_init(__attribute__((unused)) const struct boot_info *boot)
{
    struct inode *root, *ignored;
    enum kerr error = mount_add("tmpfs", "tmpfs", "mode=755", 0, NULL, &mount_root);
    if (error == KERR_OK)
        error = mount_add("tmpfs", "nowhere", "", 0, NULL, &mount_nowhere);
    if (error == KERR_OK)
        error = mount_on("devtmpfs", "dev", 0755, mount_root->root, &root);
    if (error == KERR_OK)
        error = mount_on("tmpfs", "shm", S_ISVTX | 0777, root, &root);
    if (error == KERR_OK)
        error = mount_on("proc", "proc", 0555, mount_root->root, &root);
    if (error == KERR_OK)
        error = make_directory("tmp", S_ISVTX | 0777, mount_root->root, &ignored);
    if (error == KERR_OK)
        inode_put(ignored);
    return error;
}

LAYER(09b, "mounts", mounts_init);

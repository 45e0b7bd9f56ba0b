/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. The root file system of the option root=, and the end of all mounts: nothing is left dirty
 * when the machine is left.
 */
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <process/client.h>

#include "open_file.h"
#include "path.h"

OPTION(root, "root", OPTION_TEXT);

static const struct mount *last_of_boot; /* mounts behind it were asked for */

bool root_is_disk(void)
{
    return root_option.is_given;
}

/* A file system of TYPE over the directory at PATH, if there is one: *MOUNT. */
static enum kerr mount_over(const char *type, const char *source, const char *path,
                            struct mount **mount)
{
    struct inode *directory;
    if (path_find(mount_root->root, path, LINKS_FOLLOW, &directory) != 0)
        return KERR_NOT_FOUND;
    enum kerr error;
    do
        error = mount_add(type, source, "", 0, directory, mount);
    while (file_polls(error));
    inode_put(directory);
    return error;
}

enum kerr file_mount_root(void)
{
    static const struct {
        const char *type, *path, *holds; /* a directory in it, for one that comes behind */
    } others[] = {
        {"devtmpfs", "/dev", "shm"}, {"tmpfs", "/dev/shm", NULL}, {"proc", "/proc", NULL}};
    static const struct inode_wish wish = {.mode = S_IFDIR | S_ISVTX | 0777};
    struct mount *mount;
    last_of_boot = mount_before(NULL);
    if (!root_option.is_given)
        return KERR_OK;
    char source[sizeof(mount_root->source)];
    format_text(source, sizeof(source), "/dev/%s", root_option.text);
    enum kerr error = mount_over("ext2", source, "/", &mount);
    if (error != KERR_OK) {
        printk("root=%s: can't be mounted: %s\n", root_option.text, kerr_text(error));
        return error;
    }
    printk("root=%s: mounted\n", root_option.text);
    for (uint32_t i = 0; i < ARRAY_LENGTH(others); i++) {
        error = mount_over(others[i].type, others[i].type, others[i].path, &mount);
        if (error == KERR_OK && others[i].holds != NULL)
            error = inode_make(mount->root, others[i].holds, &wish, NULL);
        if (error != KERR_OK && error != KERR_NOT_FOUND)
            printk("%s: can't be mounted: %s\n", others[i].path, kerr_text(error));
    }
    return KERR_OK;
}

/* ---- the end ---- */

/* MOUNT is taken away, or at least written out. */
static void end(struct mount *mount)
{
    char source[sizeof(mount->source)];
    struct flushing flushing = {0};
    enum kerr error;
    text_copy(source, sizeof(source), mount->source);
    do
        error = mount_remove(mount);
    while (file_polls(error));
    if (error != KERR_OK) { /* it stays: so much of it as can be written */
        bool is_busy = error == KERR_BUSY;
        enum kerr synced;
        do
            synced = mount_sync(mount, &flushing);
        while (file_polls(synced));
        error = is_busy || synced != KERR_OK ? synced : error;
    }
    if (error != KERR_OK)
        printk("%s: can't be written to the end: %s\n", source, kerr_text(error));
}

/* From the last one to the first; what is there from boot on stays. */
static void end_all(void)
{
    for (struct mount *mount = mount_before(NULL), *before; mount != last_of_boot; mount = before) {
        before = mount_before(mount);
        end(mount);
    }
}

PROCESS_CLIENT(09, .stop = end_all);

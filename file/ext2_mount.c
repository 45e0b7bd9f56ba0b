/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: mount, sync, unmount.
 *
 * A mounted file system is marked as such on the disk before anything of it changes, and as clean
 * when all else is there. A mount that must wait is asked again, and finds how far it was.
 */
#include "ext2.h"

#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/heap.h>

static struct list mounted = {&mounted, &mounted};
static struct list unfinished = {&unfinished, &unfinished};

/* ---- sync ---- */

static void ask_pages(const struct ext2 *fs)
{
    for (struct inode *inode = inode_next(NULL); inode != NULL; inode = inode_next(inode))
        if (inode->mount == fs->mount)
            ext2_ask_pages(ext2_inode_of(inode));
}

/* ERROR is no answer yet: to be asked again. */
static bool goes_by(enum kerr error)
{
    return error == KERR_MUST_WAIT || error == KERR_NO_MEMORY || error == KERR_AGAIN;
}

/*
 * An inode that can't be written keeps the others from nothing, and is tried once by a sync; one that was made
 * later is nothing to it. (The ticket is its number until it is wanted for else.) KERR_MUST_WAIT; or all were
 * tried.
 */
static enum kerr inodes_out(const struct ext2 *fs, struct flushing *flushing)
{
    enum kerr error = KERR_OK;
    for (struct inode *inode = inode_next(NULL); inode != NULL && !goes_by(error);
         inode = inode_next(inode)) {
        struct ext2_inode *file = ext2_inode_of(inode);
        if (inode->mount != fs->mount || (int32_t)(file->failed_in - flushing->ticket) >= 0 ||
            (int32_t)(file->birth - flushing->ticket) > 0)
            continue;
        error = ext2_asked_out(file, NULL);
        if (error == KERR_OK || goes_by(error))
            continue;
        flushing->has_failed = true;
        file->failed_in = fs->births;
    }
    return goes_by(error) ? error : KERR_OK;
}

/* What was released and can't be freed yet stays so. */
static enum kerr meta_out(struct ext2 *fs, struct flushing *flushing)
{
    enum kerr error = ext2_commit_until(fs, flushing->ticket);
    if (goes_by(error))
        return error;
    flushing->has_failed |= error != KERR_OK;
    error = fs->counts_are_newer ? ext2_put_super(fs) : KERR_OK;
    if (error == KERR_OK)
        cache_ask(&fs->meta, 0, fs->meta.object->pages);
    return error;
}

enum sync_step { STEP_ASK, STEP_INODES, STEP_COMMIT, STEP_META, STEP_DEVICE };

enum kerr ext2_sync(struct mount *mount, struct flushing *flushing)
{
    struct ext2 *fs = mount->data;
    enum kerr error = KERR_OK;
    if (!fs->is_writable)
        return KERR_OK;
    if (flushing->step == STEP_ASK) {
        ask_pages(fs);
        flushing->ticket = ++fs->births;
        flushing->step++;
    }
    if (flushing->step == STEP_INODES) {
        error = inodes_out(fs, flushing);
        if (error != KERR_OK)
            return error;
        flushing->ticket = ext2_commit_next(fs); /* now the number of that */
        flushing->step++;
    }
    if (flushing->step == STEP_COMMIT) {
        error = meta_out(fs, flushing);
        if (error != KERR_OK)
            return error;
        flushing->ticket = 0;
        flushing->step++;
    }
    if (flushing->step == STEP_META) {
        error = cache_write_asked(&fs->meta, 0, fs->meta.object->pages, NULL);
        flushing->step += error == KERR_OK;
    }
    if (error == KERR_OK)
        error = cache_flush(fs->device, &flushing->ticket);
    return error == KERR_OK && flushing->has_failed ? KERR_IO : error;
}

/* ---- mount ---- */

static enum kerr find_device(const char *source, struct block_device **device)
{
    if (text_begins(source, "/dev/"))
        source += strlen("/dev/");
    *device = block_find(source);
    return *device == NULL ? KERR_NOT_FOUND : KERR_OK;
}

static struct ext2 *find(struct list *list, const struct block_device *device)
{
    for (struct list *at = list->next; at != list; at = at->next) {
        struct ext2 *fs = container_of(at, struct ext2, link);
        if (fs->device == device)
            return fs;
    }
    return NULL;
}

static enum kerr begin(struct block_device *device, struct ext2 **fs)
{
    void *block;
    *fs = find(&unfinished, device);
    if (*fs != NULL)
        return KERR_OK;
    enum kerr error = kmalloc(sizeof(struct ext2), &block);
    if (error != KERR_OK)
        return error;
    error = block_open_for_reading(device, "ext2");
    if (error != KERR_OK) {
        kfree(block);
        return error;
    }
    *fs = block;
    **fs = (struct ext2){.device = device};
    list_init(&(*fs)->removals);
    list_add_last(&unfinished, &(*fs)->link);
    return KERR_OK;
}

/* What begin() and the rest took. KERR_MUST_WAIT: not all of it yet. */
static enum kerr end(struct ext2 *fs)
{
    enum kerr error = ext2_end_meta(fs);
    if (error != KERR_OK)
        return error;
    if (fs->is_writable)
        block_close_for_writing(fs->device);
    else
        block_close_for_reading(fs->device);
    list_remove(&fs->link);
    kfree(fs->group);
    kfree(fs->released);
    kfree(fs->committing);
    kfree(fs);
    return KERR_OK;
}

static enum kerr take_memory(struct ext2 *fs)
{
    void *group = NULL, *released = NULL, *committing = NULL;
    if (fs->group != NULL)
        return KERR_OK;
    enum kerr error = kmalloc(fs->groups * sizeof(struct ext2_group), &group);
    if (error == KERR_OK)
        error = kmalloc(sizeof(struct ext2_released), &released);
    if (error == KERR_OK)
        error = kmalloc(sizeof(struct ext2_released), &committing);
    if (error != KERR_OK) {
        kfree(group);
        kfree(released);
        return error;
    }
    fs->group = group;
    fs->released = released;
    fs->committing = committing;
    memset(fs->released, 0, sizeof(struct ext2_released));
    memset(fs->committing, 0, sizeof(struct ext2_released));
    return KERR_OK;
}

/* It is mounted: the superblock says so, in the cache (ext2_begin_change() sees to the disk). */
static enum kerr mark(struct ext2 *fs)
{
    struct ext2_super *super = &fs->super, before = *super;
    if (fs->is_counted)
        return KERR_OK;
    super->state &= (uint16_t)~EXT2_STATE_CLEAN;
    super->mounts++;
    super->mounted = (uint32_t)clock_real_coarse().seconds;
    enum kerr error = ext2_put_super(fs);
    fs->is_counted = error == KERR_OK;
    if (error != KERR_OK)
        *super = before;
    else if (!(before.state & EXT2_STATE_CLEAN))
        printk("ext2: %s was not unmounted: it should be checked\n", fs->device->name);
    return error;
}

static enum kerr open_for_writing(struct ext2 *fs)
{
    if (fs->is_writable)
        return KERR_OK;
    enum kerr error = cache_know_device(fs->device);
    if (error != KERR_OK)
        return error;
    block_close_for_reading(fs->device);
    error = block_open_for_writing(fs->device, "ext2");
    ASSERT(error == KERR_OK, "ext2: another has %s, which was open", fs->device->name);
    fs->is_writable = true;
    return KERR_OK;
}

/* ROOT leaves the core. */
static void drop_root(struct ext2_inode *root)
{
    root->inode.references = 0;
    inode_remove(&root->inode);
    ext2_inode_free(root);
}

static enum kerr go_on(struct ext2 *fs, struct mount *mount)
{
    struct ext2_inode *root;
    enum kerr error = fs->failed;
    if (error == KERR_OK)
        error = ext2_read_super(fs);
    if (error == KERR_OK)
        error = ext2_check_features(fs, mount);
    if (error == KERR_OK)
        error = take_memory(fs);
    if (error == KERR_OK)
        error = ext2_read_groups(fs);
    if (error == KERR_OK && !(mount->flags & MOUNT_READ_ONLY))
        error = open_for_writing(fs);
    if (error != KERR_OK)
        return error;
    mount->data = fs;
    fs->mount = mount;
    error = ext2_inode_get(mount, EXT2_ROOT, &root);
    if (error != KERR_OK)
        return error;
    if (!inode_is_directory(&root->inode))
        error = ext2_broken(fs, "the root is no directory", EXT2_ROOT);
    else if (fs->is_writable)
        error = mark(fs);
    if (error == KERR_OK)
        mount->root = &root->inode;
    else
        drop_root(root);
    return error;
}

enum kerr ext2_mount(struct mount *mount, const char *options)
{
    struct block_device *device;
    struct ext2 *fs;
    if (*options != '\0' && strcmp(options, "errors=continue") != 0)
        return KERR_BAD_VALUE;
    enum kerr error = find_device(mount->source, &device);
    if (error == KERR_OK && find(&mounted, device) != NULL)
        error = KERR_EXISTS;
    if (error == KERR_OK)
        error = begin(device, &fs);
    if (error != KERR_OK)
        return error;
    error = go_on(fs, mount);
    if (error == KERR_OK) {
        list_remove(&fs->link);
        list_add_last(&mounted, &fs->link);
        return KERR_OK;
    }
    if (error == KERR_MUST_WAIT)
        return error;
    fs->failed = error;
    enum kerr ended = end(fs);
    return ended == KERR_MUST_WAIT ? ended : error;
}

/* ---- and back ---- */

/* All of it but the root's record in the core is on the disk, and the disk says so. */
static enum kerr finish(struct ext2 *fs)
{
    enum kerr error = KERR_OK;
    if (!fs->is_finished) { /* each of the two flushes has the ticket for itself */
        error = ext2_sync(fs->mount, &fs->finishing);
        if (error != KERR_MUST_WAIT)
            fs->finishing = (struct flushing){0};
        if (error != KERR_OK)
            return error;
        fs->super.state |= fs->state_at_mount & EXT2_STATE_CLEAN;
        error = ext2_put_super(fs);
        fs->is_finished = error == KERR_OK;
        fs->is_marked = false;
    }
    if (error == KERR_OK)
        error = ext2_page_out(&fs->meta, fs->super_block);
    return error == KERR_OK ? cache_flush(fs->device, &fs->finishing.ticket) : error;
}

/* A first try to write to it may end halfway: then the device is open, and the next one goes on. */
static enum kerr remount(struct mount *mount, bool is_read_only)
{
    struct ext2 *fs = mount->data;
    if (is_read_only)
        return fs->is_writable ? finish(fs) : KERR_OK;
    enum kerr error = ext2_may_write(fs);
    if (error == KERR_OK)
        error = open_for_writing(fs);
    return error == KERR_OK ? mark(fs) : error;
}

enum kerr ext2_unmount(struct mount *mount)
{
    struct ext2 *fs = mount->data;
    enum kerr error = fs->is_writable ? finish(fs) : KERR_OK;
    if (error != KERR_OK)
        return error;
    if (mount->root != NULL) {
        struct inode *root = mount->root;
        error = cache_settle(&ext2_inode_of(root)->cache, CACHE_KEEP);
        if (error != KERR_OK)
            return error;
        mount->root = NULL;
        inode_put(root);
        error = ext2_evict(root);
        ASSERT(error == KERR_OK, "the root of an ext2 is in use");
    }
    return end(fs);
}

FILE_SYSTEM(ext2, .name = "ext2", .flags = FILE_SYSTEM_NEEDS_SOURCE | FILE_SYSTEM_KEEPS_NAMES,
            .mount = ext2_mount, .unmount = ext2_unmount, .remount = remount, .room = ext2_room,
            .sync = ext2_sync);

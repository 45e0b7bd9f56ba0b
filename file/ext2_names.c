/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: names: lookup, create, link, remove; and what symbolic links say. rename() is in
 * ext2_rename.c. Each operation first brings and prepares what it will change, then changes it
 * without being able to fail. In which order it reaches the disk: ext2_order.c.
 */
#include "ext2.h"

#include <kernel/panic.h>
#include <kernel/string.h>

enum { OLD_DEVICES = 0x10000 };

enum kerr ext2_lookup(struct inode *inode, struct name name, struct inode **found)
{
    struct ext2_place place;
    struct ext2_inode *result;
    enum kerr error = ext2_entry_find(ext2_inode_of(inode), name, &place);
    if (error == KERR_OK)
        error = ext2_inode_get(inode->mount, place.entry.number, &result);
    if (error == KERR_OK)
        *found = &result->inode;
    return error;
}

/* Linux would believe a tree of hashes that is not kept: so the disk says that there is none. */
enum kerr ext2_directory_to_change(struct ext2_inode *directory)
{
    uint32_t block, offset;
    enum kerr error = ext2_begin_change(ext2_of(directory));
    if (error == KERR_OK && (directory->flags & EXT2_FLAG_INDEX)) {
        error = ext2_put_prepare(directory);
        if (error != KERR_OK)
            return error;
        directory->flags &= ~(uint32_t)EXT2_FLAG_INDEX;
        ext2_put(directory);
        directory->index_ends = true;
    }
    if (error != KERR_OK || likely(!directory->index_ends))
        return error;
    ext2_record_place(ext2_of(directory), directory->inode.number, &block, &offset);
    error = ext2_page_out(&ext2_of(directory)->meta, block);
    directory->index_ends = error != KERR_OK;
    return error;
}

static void touch_directory(struct ext2_inode *directory)
{
    inode_touch(&directory->inode, TIME_MODIFIED | TIME_CHANGED);
}

/* ---- create ---- */

static bool is_directory(const struct inode_wish *wish)
{
    return (wish->mode & S_IFMT) == S_IFDIR;
}

/* The first block of a directory, with "." and "..". */
static enum kerr begin_directory(struct ext2_inode *new, const struct ext2_inode *above)
{
    frame_t frame;
    new->inode.status.bytes = ext2_of(new)->block_bytes;
    enum kerr error = cache_page_to_write(&new->cache, 0, false, &frame);
    if (error == KERR_OK)
        ext2_directory_begin(new, above->inode.number);
    return error;
}

/* The target of a symbolic link: in the record, or in a block, which is metadata. */
static enum kerr begin_link(struct ext2_inode *new, const struct inode_wish *wish)
{
    struct ext2 *fs = ext2_of(new);
    uint32_t block;
    new->inode.status.bytes = wish->target_bytes;
    if (wish->target_bytes < EXT2_TARGET_BYTES) {
        memcpy(new->block, wish->target, wish->target_bytes);
        return KERR_OK;
    }
    if (wish->target_bytes >= fs->block_bytes)
        return KERR_TOO_LARGE;
    enum kerr error = ext2_block_find(fs, 0, &block);
    if (error == KERR_OK)
        error = ext2_blank(fs, block);
    if (error == KERR_OK)
        error = ext2_write(fs, block, 0, wish->target, wish->target_bytes);
    if (error != KERR_OK)
        return error;
    ext2_block_take(fs, block);
    new->block[0] = block;
    new->meta_first = block;
    new->meta_end = block + 1;
    new->inode.status.sectors = fs->block_sectors;
    return KERR_OK;
}

/* What NEW has by its type. */
static enum kerr equip(struct ext2_inode *new, const struct ext2_inode *above,
                       const struct inode_wish *wish)
{
    switch (wish->mode & S_IFMT) {
    case S_IFDIR:
        return begin_directory(new, above);
    case S_IFLNK:
        return begin_link(new, wish);
    case S_IFCHR:
    case S_IFBLK:
        new->inode.status.device = wish->device;
        new->block[wish->device < OLD_DEVICES ? 0 : 1] = wish->device;
        return KERR_OK;
    default:
        return KERR_OK;
    }
}

/* NEW, which is not in the table, goes, with what equip() took in this event. */
static void undo(struct ext2_inode *new)
{
    uint32_t type = inode_type(&new->inode);
    if (new->block[0] != 0 && type == S_IFDIR)
        ext2_block_untake(ext2_of(new), new->block[0]);
    if (new->has_cache) {
        enum kerr error = cache_settle(&new->cache, CACHE_DROP);
        ASSERT(error == KERR_OK, "nothing of a new inode is under way");
        object_put(new->cache.object);
    }
    ext2_inode_free(new);
}

/* The record of NEW in the core is there; all that the disk needs is prepared for it. */
static enum kerr prepare_new(struct ext2_inode *directory, struct name name,
                             const struct inode_wish *wish, struct ext2_inode *new,
                             struct ext2_place *place)
{
    uint32_t number;
    enum kerr error = ext2_directory_to_change(directory);
    if (error == KERR_OK)
        error = ext2_number_find(directory, wish->mode, &number);
    if (error == KERR_OK && name.length > 0)
        error = ext2_entry_prepare(directory, name.length, UINT32_MAX, place);
    if (error != KERR_OK)
        return error;
    new->inode.number = number;
    return equip(new, directory, wish);
}

enum kerr ext2_create(struct inode *inode, struct name name, const struct inode_wish *wish,
                      struct inode **created)
{
    struct ext2_inode *directory = ext2_inode_of(inode), *new;
    struct ext2_place place = {0};
    if (is_directory(wish) && inode->status.links >= EXT2_LINKS_MAX)
        return KERR_TOO_MANY;
    /* First, as others may have to go for it, and their pages with them. */
    enum kerr error = inode_make_room();
    if (error == KERR_OK)
        error = ext2_inode_new(inode->mount, wish->mode, is_directory(wish), &new);
    if (error != KERR_OK)
        return error;
    error = prepare_new(directory, name, wish, new, &place);
    if (error != KERR_OK) {
        undo(new);
        return error;
    }
    ext2_number_take(ext2_of(directory), new->inode.number, wish->mode);
    inode_add(&new->inode, inode->mount, new->inode.number);
    inode_touch(&new->inode, TIME_ACCESSED | TIME_MODIFIED | TIME_CHANGED);
    *created = &new->inode;
    if (name.length == 0)
        return KERR_OK;
    new->inode.status.links = is_directory(wish) ? 2 : 1;
    inode->status.links += is_directory(wish);
    ext2_entry_add(directory, &place, name, new->inode.number, wish->mode);
    ext2_wait_for(new, directory, place.page);
    ext2_named(new, directory);
    touch_directory(directory);
    return KERR_OK;
}

/* ---- link ---- */

enum kerr ext2_link(struct inode *above, struct name name, struct inode *inode)
{
    struct ext2_inode *directory = ext2_inode_of(above), *linked = ext2_inode_of(inode);
    struct ext2_place place;
    if (inode->status.links >= EXT2_LINKS_MAX)
        return KERR_TOO_MANY;
    enum kerr error = ext2_directory_to_change(directory);
    if (error == KERR_OK && linked->waits_for != NULL)
        error = ext2_inode_out(linked); /* one name at a time is waited for */
    if (error == KERR_OK)
        error = ext2_entry_prepare(directory, name.length, UINT32_MAX, &place);
    if (error != KERR_OK)
        return error;
    ext2_entry_add(directory, &place, name, inode->number, inode->status.mode);
    ext2_wait_for(linked, directory, place.page);
    ext2_named(linked, directory);
    inode->status.links++;
    inode_touch(inode, TIME_CHANGED);
    touch_directory(directory);
    return KERR_OK;
}

/* ---- remove ---- */

/* The last name of INODE goes from PLACE: its record says so first, if there is one. */
static enum kerr prepare_last(struct ext2_inode *inode, struct ext2_inode *directory,
                              const struct ext2_place *place)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t block, offset;
    if (inode->life == EXT2_NEW)
        return KERR_OK;
    ext2_record_place(fs, inode->inode.number, &block, &offset);
    enum kerr error = ext2_hold_prepare(directory, place->page, &fs->meta, block);
    return error == KERR_OK ? ext2_put_prepare(inode) : error;
}

static void end_last(struct ext2_inode *inode, struct ext2_inode *directory,
                     const struct ext2_place *place)
{
    uint32_t block, offset;
    ext2_wait_for(inode, NULL, 0);
    list_remove(&inode->fresh_link);
    if (inode->life == EXT2_NEW)
        return;
    ext2_put(inode);
    ext2_record_place(ext2_of(inode), inode->inode.number, &block, &offset);
    ext2_hold(directory, place->page, &ext2_of(inode)->meta, block);
}

/* A directory that goes: what left it is somewhere else on the disk, or gone there. */
enum kerr ext2_prepare_empty(struct ext2_inode *gone)
{
    enum kerr error = ext2_directory_is_empty(gone);
    return error == KERR_OK ? ext2_holds_end_all(gone) : error;
}

/* What stands in PLACE is INODE. */
enum kerr ext2_check_place(struct ext2_inode *directory, const struct ext2_place *place,
                           const struct ext2_inode *inode)
{
    if (place->entry.number == inode->inode.number)
        return KERR_OK;
    return ext2_broken(ext2_of(directory), "a name is there twice, in directory",
                       directory->inode.number);
}

enum kerr ext2_remove(struct inode *above, struct name name, struct inode *inode)
{
    struct ext2_inode *directory = ext2_inode_of(above), *removed = ext2_inode_of(inode);
    bool is_last = inode_is_directory(inode) || inode->status.links <= 1;
    struct ext2_place place;
    enum kerr error = ext2_directory_to_change(directory);
    if (error == KERR_OK)
        error = ext2_entry_find(directory, name, &place);
    if (error == KERR_OK)
        error = ext2_check_place(directory, &place, removed);
    if (error == KERR_OK && inode_is_directory(inode))
        error = ext2_prepare_empty(removed);
    if (error == KERR_OK && is_last)
        error = prepare_last(removed, directory, &place);
    else if (error == KERR_OK && removed->waits_for != NULL)
        error =
            ext2_inode_out(removed); /* one of its other names may be the one that is waited for */
    if (error == KERR_OK)
        error = ext2_entry_to_write(directory, &place);
    if (error != KERR_OK)
        return error;
    inode->status.links = is_last ? 0 : inode->status.links - 1;
    inode_touch(inode, TIME_CHANGED);
    if (is_last)
        end_last(removed, directory, &place);
    if (inode_is_directory(inode) && above->status.links > 2)
        above->status.links--;
    ext2_entry_clear(directory, &place);
    touch_directory(directory);
    return KERR_OK;
}

/* ---- symbolic links ---- */

enum kerr ext2_read_link(struct inode *inode, char *target, uint32_t *bytes)
{
    struct ext2_inode *link = ext2_inode_of(inode);
    struct ext2 *fs = ext2_of(link);
    uint32_t block = link->block[0], length = (uint32_t)inode->status.bytes;
    enum kerr error = KERR_OK;
    if (ext2_link_is_short(link))
        memcpy(target, link->block, length);
    else if (ext2_is_data(fs, block))
        error = ext2_read(fs, block, 0, target, length);
    else
        error = ext2_broken(fs, "no target of symbolic link", inode->number);
    if (error == KERR_OK)
        *bytes = length;
    return error;
}

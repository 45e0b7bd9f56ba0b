/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: rename.
 *
 * The new name comes and the old one goes; the page of the old one is held back for the page of the
 * new one, if they are two. A file that is replaced, and had this name only, would be in use without
 * a name until its record says that it has no links; and if that came first, the name would lead
 * nowhere in between. So it first gets a name where e2fsck, too, puts what has none (lost+found, or else
 * the root directory); on the disk the name changes hands, the record loses its links, and that spare
 * name goes, in this order.
 *
 * A directory that is replaced is empty, and loses its links first. One that moves to another
 * directory has two names for a moment, which e2fsck asks about (docs/limits.md).
 */
#include "ext2.h"

#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>

/* ---- the spare name ---- */

enum { SPARE_BYTES = 24, SPARE_TRIES = 100 };

/* Where it is; one reference for the caller. */
static enum kerr spare_directory(const struct ext2 *fs, struct ext2_inode **directory)
{
    static const struct name name = {"lost+found", sizeof("lost+found") - 1};
    struct inode *root = fs->mount->root;
    struct ext2_place place;
    enum kerr error = ext2_entry_find(ext2_inode_of(root), name, &place);
    if (error == KERR_OK)
        error = ext2_inode_fetch(fs->mount, place.entry.number, directory);
    if (error == KERR_OK && !inode_is_directory(&(*directory)->inode)) {
        inode_put(&(*directory)->inode);
        error = KERR_NOT_FOUND;
    }
    if (error == KERR_NOT_FOUND) {
        inode_get(root);
        *directory = ext2_inode_of(root);
        error = KERR_OK;
    }
    return error;
}

/* As e2fsck calls it, and a little more if that is there already. */
static struct name spare_name(const struct ext2_inode *inode, char text[SPARE_BYTES])
{
    const char *format = inode->spare_suffix == 0 ? "#%u" : "#%u.%u";
    format_text(text, SPARE_BYTES, format, (unsigned)inode->inode.number,
                (unsigned)inode->spare_suffix);
    return (struct name){text, strlen(text)};
}

static enum kerr add_spare(struct ext2_inode *directory, struct ext2_inode *inode)
{
    char text[SPARE_BYTES];
    struct ext2_place place;
    enum kerr error = ext2_inode_out(directory);
    if (error == KERR_OK)
        error = ext2_directory_to_change(directory);
    if (error != KERR_OK)
        return error;
    for (inode->spare_suffix = 0; error == KERR_OK && inode->spare_suffix < SPARE_TRIES;) {
        error = ext2_entry_find(directory, spare_name(inode, text), &place);
        if (error == KERR_OK)
            inode->spare_suffix++;
    }
    if (error != KERR_NOT_FOUND)
        return error == KERR_OK ? KERR_NO_SPACE : error;
    struct name name = spare_name(inode, text);
    error = ext2_entry_prepare(directory, name.length, UINT32_MAX, &place);
    if (error != KERR_OK)
        return error;
    ext2_entry_add(directory, &place, name, inode->inode.number, inode->inode.status.mode);
    names_forget(&directory->inode);
    inode->has_spare = true;
    inode->spare_page = place.page;
    return KERR_OK;
}

enum kerr ext2_spare_begin(struct ext2_inode *inode)
{
    struct ext2_inode *directory;
    enum kerr error = spare_directory(ext2_of(inode), &directory);
    if (error != KERR_OK)
        return error;
    if (!inode->has_spare)
        error = add_spare(directory, inode);
    if (error == KERR_OK)
        error = ext2_page_out(&directory->cache, inode->spare_page);
    inode_put(&directory->inode);
    return error;
}

static enum kerr remove_spare(struct ext2_inode *directory, struct ext2_inode *inode)
{
    struct ext2 *fs = ext2_of(inode);
    char text[SPARE_BYTES];
    struct ext2_place place;
    uint32_t block, offset;
    bool is_gone = inode->inode.status.links == 0;
    enum kerr error = ext2_directory_to_change(directory);
    if (error == KERR_OK)
        error = ext2_entry_find(directory, spare_name(inode, text), &place);
    if (error == KERR_NOT_FOUND || (error == KERR_OK && place.entry.number != inode->inode.number))
        return KERR_OK; /* a person has taken it away */
    ext2_record_place(fs, inode->inode.number, &block, &offset);
    if (error == KERR_OK && is_gone)
        error = ext2_hold_prepare(directory, place.page, &fs->meta, block);
    if (error == KERR_OK)
        error = ext2_entry_to_write(directory, &place);
    if (error != KERR_OK)
        return error;
    if (is_gone)
        ext2_hold(directory, place.page, &fs->meta, block);
    ext2_entry_clear(directory, &place);
    names_forget(&directory->inode);
    return KERR_OK;
}

enum kerr ext2_spare_end(struct ext2_inode *inode)
{
    struct ext2_inode *directory;
    if (!inode->has_spare)
        return KERR_OK;
    enum kerr error = spare_directory(ext2_of(inode), &directory);
    if (error != KERR_OK)
        return error;
    error = remove_spare(directory, inode);
    inode->has_spare = error != KERR_OK;
    inode_put(&directory->inode);
    return error;
}

/* ---- what is replaced ---- */

/* REPLACED, an empty directory, has no links on the disk. */
static enum kerr put_gone(struct ext2_inode *replaced)
{
    struct ext2 *fs = ext2_of(replaced);
    uint32_t block, offset, links = replaced->inode.status.links;
    enum kerr error = ext2_prepare_empty(replaced);
    if (error == KERR_OK && replaced->life != EXT2_NEW && !replaced->is_put_gone) {
        error = ext2_put_prepare(replaced);
        if (error != KERR_OK)
            return error;
        replaced->inode.status.links = 0;
        ext2_put(replaced);
        replaced->inode.status.links = links;
        inode_changed(&replaced->inode); /* if the call is not repeated, it has them again */
    }
    if (error != KERR_OK || replaced->life == EXT2_NEW)
        return error;
    ext2_record_place(fs, replaced->inode.number, &block, &offset);
    return ext2_page_out(&fs->meta, block);
}

/* INODE is about to take the place of REPLACED: at no time does the name lead nowhere. */
static enum kerr prepare_replaced(struct ext2_inode *replaced, struct ext2_inode *inode)
{
    enum kerr error = KERR_OK;
    if (replaced->life != EXT2_NEW) {
        error = ext2_write_out(inode, FLUSH_DATA);
        if (error == KERR_OK)
            error = ext2_inode_out(inode);
    }
    if (error != KERR_OK)
        return error;
    if (inode_is_directory(&replaced->inode))
        return put_gone(replaced);
    if (replaced->inode.status.links > 1)
        return replaced->waits_for == NULL ? KERR_OK : ext2_inode_out(replaced);
    return replaced->life == EXT2_NEW ? KERR_OK : ext2_spare_begin(replaced);
}

static void end_replaced(struct ext2_inode *replaced, struct ext2_inode *directory, uint32_t page)
{
    struct inode_status *status = &replaced->inode.status;
    bool is_directory = inode_is_directory(&replaced->inode);
    status->links = is_directory ? 0 : status->links - 1;
    inode_touch(&replaced->inode, TIME_CHANGED);
    if (status->links == 0) {
        ext2_wait_for(replaced, NULL, 0);
        list_remove(&replaced->fresh_link);
    }
    if (status->links == 0 && replaced->has_spare)
        ext2_wait_for(replaced, directory, page); /* before it has no links on the disk */
    ext2_note_removal(directory);
}

/* ---- rename ---- */

struct rename {
    struct ext2_inode *from, *inode, *to, *replaced;
    struct name from_name, to_name;
    struct ext2_place old, new, up;
    bool is_in_place; /* the entry keeps its place, and gets another name */
};

static bool moves_directory(const struct rename *rename)
{
    return rename->from != rename->to && inode_is_directory(&rename->inode->inode);
}

/* The new name is as good as the old one when it is on the disk. */
static enum kerr prepare_order(struct rename *rename)
{
    enum kerr error = KERR_OK;
    if (rename->inode->life == EXT2_NEW)
        return KERR_OK;
    if (rename->inode->waits_for != NULL)
        error = ext2_names_out(rename->inode);
    if (error == KERR_OK && rename->to->life != EXT2_DISK)
        error = ext2_inode_out(rename->to);
    return error;
}

static bool is_one_page(const struct rename *rename)
{
    return rename->from == rename->to && rename->old.page == rename->new.page;
}

static enum kerr prepare_places(struct rename *rename)
{
    enum { HEADER = sizeof(struct ext2_entry) };
    enum kerr error = ext2_entry_find(rename->from, rename->from_name, &rename->old);
    if (error == KERR_OK)
        error = ext2_check_place(rename->from, &rename->old, rename->inode);
    if (error != KERR_OK)
        return error;
    rename->is_in_place = rename->from == rename->to && rename->replaced == NULL &&
                          rename->to_name.length + HEADER <= rename->old.entry.bytes;
    if (rename->is_in_place) {
        rename->new = rename->old;
    } else if (rename->replaced == NULL) {
        error = ext2_entry_prepare(rename->to, rename->to_name.length,
                                   rename->from == rename->to ? rename->old.page : UINT32_MAX,
                                   &rename->new);
    } else {
        error = ext2_entry_find(rename->to, rename->to_name, &rename->new);
        if (error == KERR_OK)
            error = ext2_check_place(rename->to, &rename->new, rename->replaced);
    }
    if (error == KERR_OK && rename->inode->life != EXT2_NEW && !is_one_page(rename))
        error =
            ext2_hold_prepare(rename->from, rename->old.page, &rename->to->cache, rename->new.page);
    return error;
}

/* All that will change can be written. */
static enum kerr prepare(struct rename *rename)
{
    enum kerr error = ext2_directory_to_change(rename->from);
    if (error == KERR_OK)
        error = ext2_directory_to_change(rename->to);
    if (error == KERR_OK && rename->replaced != NULL)
        error = prepare_replaced(rename->replaced, rename->inode);
    if (error == KERR_OK)
        error = prepare_order(rename);
    if (error == KERR_OK)
        error = prepare_places(rename);
    if (error == KERR_OK && moves_directory(rename))
        error = ext2_directory_up(rename->inode, &rename->up);
    if (error == KERR_OK)
        error = ext2_entry_to_write(rename->from, &rename->old);
    if (error == KERR_OK)
        error = ext2_entry_to_write(rename->to, &rename->new);
    return error;
}

static void change_names(struct rename *rename)
{
    struct ext2_inode *inode = rename->inode;
    uint32_t number = inode->inode.number, mode = inode->inode.status.mode;
    if (rename->is_in_place) {
        ext2_entry_rename(rename->to, &rename->new, rename->to_name);
        return;
    }
    if (rename->replaced == NULL)
        ext2_entry_add(rename->to, &rename->new, rename->to_name, number, mode);
    else
        ext2_entry_change(rename->to, &rename->new, number, mode);
    /* What was added may lie before the old one, or have taken what that did not need. */
    enum kerr error = ext2_entry_find(rename->from, rename->from_name, &rename->old);
    ASSERT(error == KERR_OK, "a name that was there is there");
    ext2_entry_clear(rename->from, &rename->old);
    if (inode->life == EXT2_NEW)
        ext2_wait_for(inode, rename->to, rename->new.page);
    else if (!is_one_page(rename))
        ext2_hold(rename->from, rename->old.page, &rename->to->cache, rename->new.page);
    ext2_named(rename->inode, rename->to);
}

static void change_links(struct rename *rename)
{
    struct inode *from = &rename->from->inode, *to = &rename->to->inode;
    if (rename->replaced != NULL) {
        end_replaced(rename->replaced, rename->to, rename->new.page);
        if (inode_is_directory(&rename->replaced->inode) && to->status.links > 2)
            to->status.links--;
    }
    if (!moves_directory(rename))
        return;
    ext2_entry_change(rename->inode, &rename->up, to->number, S_IFDIR);
    to->status.links++;
    if (from->status.links > 2)
        from->status.links--;
}

enum kerr ext2_rename(struct inode *from, struct name from_name, struct inode *inode,
                      struct inode *to, struct name to_name, struct inode *replaced)
{
    struct rename rename = {
        .from = ext2_inode_of(from),
        .inode = ext2_inode_of(inode),
        .to = ext2_inode_of(to),
        .replaced = replaced == NULL ? NULL : ext2_inode_of(replaced),
        .from_name = from_name,
        .to_name = to_name,
    };
    if (moves_directory(&rename) && to->status.links >= EXT2_LINKS_MAX)
        return KERR_TOO_MANY;
    enum kerr error = prepare(&rename);
    if (error != KERR_OK)
        return error;
    change_names(&rename);
    change_links(&rename);
    inode_touch(inode, TIME_CHANGED);
    inode_touch(from, TIME_MODIFIED | TIME_CHANGED);
    inode_touch(to, TIME_MODIFIED | TIME_CHANGED);
    return KERR_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: the order of writes (docs/ext2.md).
 *
 * The power may go at any time, and pages of the cache may be written at any time, in any order.
 * What e2fsck -p then finds, it has to repair without a question. It asks if an inode with links has
 * no name; if a directory has two names; if a block has two owners; if a directory's block or an
 * indirect block is garbage. It does not ask about names of inodes without links (they go), counts,
 * bitmaps, lengths. So:
 *
 *   1  an inode gets its first name on the disk, and all above it, before its record has links;
 *   2  an inode's record has no links before its last name leaves the disk;
 *   3  a name is on the disk before the name that it stands for goes: rename(), unlink() after link();
 *   4  an indirect block, or a block of a directory, is on the disk before anything that names it;
 *   5  a block or an inode is free when nothing on the disk says that it is somebody's.
 *
 * 1: a new inode's record stays in the core, and waits for the page with its name.
 * 2, 3: the page that lost the name is held back: asked where it stands (which is what writing it
 * begins with), the directory first has written what it is held for.
 * 5: what is released is kept until all that was dirty then has been written.
 *
 * A page is held for metadata, which are never held back, or for a page of names, which is then held
 * for no other page of names, and nobody's page is held for the first: so there is no circle.
 */
#include "ext2.h"

#include <kernel/panic.h>

bool ext2_is_on_disk(const struct cache *cache, uint32_t page)
{
    return (object_page_word(cache->object, page) & (PAGE_DIRTY | PAGE_WRITING)) == 0;
}

enum kerr ext2_page_out(struct cache *cache, uint32_t page)
{
    return ext2_is_on_disk(cache, page) ? KERR_OK : cache_write_back(cache, page, page + 1);
}

/* ---- pages that are held back ---- */

static bool is_for_names(const struct ext2_inode *directory, const struct ext2_hold *hold)
{
    return hold->on != NULL && hold->on != &ext2_of(directory)->meta;
}

/* A name that stands for another one must not be what a disk keeps back: who has it alone is flushed. */
static enum kerr end_hold(struct ext2_inode *directory, struct ext2_hold *hold)
{
    enum kerr error = hold->on == NULL ? KERR_OK : ext2_page_out(hold->on, hold->on_page);
    if (error == KERR_OK && is_for_names(directory, hold))
        error = cache_flush(ext2_of(directory)->device, &hold->ticket);
    if (error == KERR_OK)
        hold->on = NULL;
    return error;
}

enum kerr ext2_holds_end(struct ext2_inode *directory, uint32_t page)
{
    enum kerr error = KERR_OK;
    for (uint32_t i = 0; i < EXT2_HOLDS && error == KERR_OK; i++)
        if (directory->holds[i].page == page)
            error = end_hold(directory, &directory->holds[i]);
    return error;
}

enum kerr ext2_holds_end_all(struct ext2_inode *directory)
{
    enum kerr error = KERR_OK;
    for (uint32_t i = 0; i < EXT2_HOLDS && error == KERR_OK; i++)
        error = end_hold(directory, &directory->holds[i]);
    return error;
}

static struct ext2_hold *find_hold(struct ext2_inode *directory, uint32_t page,
                                   const struct cache *on, uint32_t on_page)
{
    for (uint32_t i = 0; i < EXT2_HOLDS; i++) {
        struct ext2_hold *hold = &directory->holds[i];
        if (hold->on == on && (on == NULL || (hold->page == page && hold->on_page == on_page)))
            return hold;
    }
    return NULL;
}

static struct ext2_inode *next_removal(const struct ext2 *fs, const struct list *link)
{
    const struct list *next = link->next;
    return next == &fs->removals ? NULL : container_of(next, struct ext2_inode, removal);
}

/* No page of names is held for PAGE of DIRECTORY. */
static enum kerr end_those_for(struct ext2_inode *directory, uint32_t page)
{
    struct ext2 *fs = ext2_of(directory);
    for (struct ext2_inode *other = next_removal(fs, &fs->removals); other != NULL;
         other = next_removal(fs, &other->removal))
        for (uint32_t i = 0; i < EXT2_HOLDS; i++) {
            struct ext2_hold *hold = &other->holds[i];
            if (hold->on != &directory->cache || hold->on_page != page)
                continue;
            enum kerr error = end_hold(other, hold);
            if (error != KERR_OK)
                return error;
        }
    return KERR_OK;
}

/* PAGE of DIRECTORY is held for no page of names. */
static enum kerr end_those_of(struct ext2_inode *directory, uint32_t page)
{
    for (uint32_t i = 0; i < EXT2_HOLDS; i++) {
        struct ext2_hold *hold = &directory->holds[i];
        if (!is_for_names(directory, hold) || hold->page != page)
            continue;
        enum kerr error = end_hold(directory, hold);
        if (error != KERR_OK)
            return error;
    }
    return KERR_OK;
}

enum kerr ext2_hold_prepare(struct ext2_inode *directory, uint32_t page, struct cache *on,
                            uint32_t on_page)
{
    enum kerr error = KERR_OK;
    if (on != &ext2_of(directory)->meta) {
        error = end_those_for(directory, page);
        if (error == KERR_OK)
            error = end_those_of(ext2_of_cache(on), on_page);
    }
    if (error != KERR_OK || find_hold(directory, page, on, on_page) != NULL ||
        find_hold(directory, 0, NULL, 0) != NULL)
        return error;
    return ext2_holds_end_all(directory); /* they are many: they end first */
}

void ext2_hold(struct ext2_inode *directory, uint32_t page, struct cache *on, uint32_t on_page)
{
    if (find_hold(directory, page, on, on_page) != NULL)
        return;
    struct ext2_hold *hold = find_hold(directory, 0, NULL, 0);
    ASSERT(hold != NULL, "a page of a directory can be held back once it was prepared");
    *hold = (struct ext2_hold){page, on_page, on, 0};
}

void ext2_note_removal(struct ext2_inode *directory)
{
    if (list_is_empty(&directory->removal))
        list_add_last(&ext2_of(directory)->removals, &directory->removal);
}

/* ---- records that wait ---- */

void ext2_wait_for(struct ext2_inode *inode, struct ext2_inode *directory, uint32_t page)
{
    list_remove(&inode->waits_link);
    inode->waits_for = directory;
    inode->waits_for_page = page;
    inode->waits_ticket = 0;
    if (directory != NULL)
        list_add_last(&directory->waiting, &inode->waits_link);
}

void ext2_named(struct ext2_inode *inode, struct ext2_inode *directory)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t block, offset;
    list_remove(&inode->fresh_link);
    if (inode->life == EXT2_NEW) {
        inode->birth = ++fs->births;
        inode->named_in = directory;
        list_add_last(&directory->fresh, &inode->fresh_link);
    } else if (inode->life == EXT2_PUT) {
        ext2_record_place(fs, inode->inode.number, &block, &offset);
        ext2_note_meta(directory, block);
    }
}

/* What leads to INODE is on the disk, if that can be said of the directory above. */
static enum kerr name_out(struct ext2_inode *inode)
{
    if (inode->waits_for == NULL)
        return KERR_OK;
    enum kerr error = ext2_page_out(&inode->waits_for->cache, inode->waits_for_page);
    if (error == KERR_OK && inode->inode.status.links == 0) /* as a name that stands for another */
        error = cache_flush(ext2_of(inode)->device, &inode->waits_ticket);
    if (error == KERR_OK)
        ext2_wait_for(inode, NULL, 0);
    return error;
}

/* INODE's record is on the disk; what leads to it is there. */
static enum kerr record_out(struct ext2_inode *inode)
{
    uint32_t block, offset;
    enum kerr error = KERR_OK;
    ext2_record_place(ext2_of(inode), inode->inode.number, &block, &offset);
    if (inode->life == EXT2_NEW)
        error = ext2_write_out(inode, FLUSH_STATUS);
    if (error == KERR_OK)
        error = ext2_page_out(&ext2_of(inode)->meta, block);
    if (error == KERR_OK && inode->life == EXT2_PUT)
        inode->life = EXT2_DISK;
    return error;
}

/* From above downwards: each directory before what is named in it. */
enum kerr ext2_names_out(struct ext2_inode *inode)
{
    enum kerr error = KERR_OK;
    while (error == KERR_OK && inode->waits_for != NULL && inode->waits_for->life != EXT2_DISK) {
        struct ext2_inode *above = inode->waits_for;
        while (above->waits_for != NULL && above->waits_for->life != EXT2_DISK)
            above = above->waits_for;
        error = record_out(above);
    }
    return error == KERR_OK ? name_out(inode) : error;
}

enum kerr ext2_inode_out(struct ext2_inode *inode)
{
    enum kerr error = ext2_names_out(inode);
    return error == KERR_OK && inode->life != EXT2_DISK ? record_out(inode) : error;
}

void ext2_forget_directory(struct ext2_inode *directory)
{
    struct ext2 *fs = ext2_of(directory);
    while (!list_is_empty(&directory->waiting))
        ext2_wait_for(container_of(directory->waiting.next, struct ext2_inode, waits_link), NULL,
                      0);
    while (!list_is_empty(&directory->fresh))
        list_remove(directory->fresh.next);
    for (struct ext2_inode *other = next_removal(fs, &fs->removals); other != NULL;
         other = next_removal(fs, &other->removal))
        for (uint32_t i = 0; i < EXT2_HOLDS; i++)
            if (other->holds[i].on == &directory->cache)
                other->holds[i].on = NULL;
    list_remove(&directory->removal);
}

/* ---- what is released ---- */

enum kerr ext2_release_prepare(struct ext2 *fs, uint32_t count)
{
    const struct ext2_released *released = fs->released;
    if (released->block_extents + count <= EXT2_BLOCK_EXTENTS &&
        released->inode_extents < EXT2_INODE_EXTENTS)
        return KERR_OK;
    enum kerr error = ext2_commit(fs);
    /* What is being committed makes room for what came later. */
    return error == KERR_OK && released != fs->released ? ext2_release_prepare(fs, count) : error;
}

/* NUMBER is one more of those in EXTENTS, COUNT of them. */
static void add(struct ext2_extent extents[], uint32_t *count, uint32_t number)
{
    struct ext2_extent *last = &extents[*count - 1];
    if (*count > 0 && last->first + last->count == number)
        last->count++;
    else if (*count > 0 && last->first == number + 1)
        *last = (struct ext2_extent){number, last->count + 1};
    else
        extents[(*count)++] = (struct ext2_extent){number, 1};
}

void ext2_release_block(struct ext2 *fs, uint32_t block)
{
    ASSERT(fs->released->block_extents < EXT2_BLOCK_EXTENTS, "release was prepared");
    add(fs->released->blocks, &fs->released->block_extents, block);
    fs->released_blocks++;
}

void ext2_release_inode(struct ext2 *fs, uint32_t number)
{
    ASSERT(fs->released->inode_extents < EXT2_INODE_EXTENTS, "release was prepared");
    add(fs->released->inodes, &fs->released->inode_extents, number);
    fs->released_inodes++;
}

static bool is_empty(const struct ext2_released *released)
{
    return released->block_extents == 0 && released->inode_extents == 0;
}

/* What entries have gone from until now. */
static void ask_removals(struct ext2 *fs)
{
    for (struct ext2_inode *directory = next_removal(fs, &fs->removals); directory != NULL;
         directory = next_removal(fs, &directory->removal)) {
        cache_ask(&directory->cache, 0, directory->cache.object->pages);
        directory->is_leaving = true;
    }
}

static enum kerr removals_of(struct ext2_inode *directory)
{
    struct cache *cache = &directory->cache;
    enum kerr error = cache_write_asked(cache, 0, cache->object->pages, NULL);
    if (error == KERR_OK)
        error = ext2_holds_end_all(directory);
    if (error != KERR_OK)
        return error;
    directory->is_leaving = false;
    /* Else entries may have gone meanwhile: the next commit's. */
    if (cache->dirty_pages + cache->busy_pages == 0)
        list_remove(&directory->removal);
    return KERR_OK;
}

/*
 * Entries that had gone when this was asked first are gone from the disk. Pages that become dirty again are
 * nothing to it: those of who waits for it do so each time that he is repeated.
 */
static enum kerr removals_out(struct ext2 *fs)
{
    enum kerr error = KERR_OK;
    if (!fs->is_removing)
        ask_removals(fs);
    fs->is_removing = true;
    for (struct ext2_inode *directory = next_removal(fs, &fs->removals), *next;
         directory != NULL && error == KERR_OK; directory = next) {
        next = next_removal(fs, &directory->removal);
        if (directory->is_leaving)
            error = removals_of(directory);
    }
    fs->is_removing = error == KERR_MUST_WAIT || error == KERR_NO_MEMORY;
    return error;
}

static enum kerr free_committed(struct ext2 *fs)
{
    struct ext2_released *done = fs->committing;
    enum kerr error = KERR_OK;
    while (done->block_extents > 0 && error == KERR_OK) {
        struct ext2_extent extent = done->blocks[done->block_extents - 1];
        error = ext2_blocks_free(fs, extent);
        if (error == KERR_OK) {
            done->block_extents--;
            fs->released_blocks -= extent.count;
        }
    }
    while (done->inode_extents > 0 && error == KERR_OK) {
        struct ext2_extent extent = done->inodes[done->inode_extents - 1];
        error = ext2_numbers_free(fs, extent);
        if (error == KERR_OK) {
            done->inode_extents--;
            fs->released_inodes -= extent.count;
        }
    }
    return error;
}

/* What was released when this begins; what comes meanwhile is the next one's. */
static enum kerr commit_step(struct ext2 *fs)
{
    enum kerr error = KERR_OK;
    if (is_empty(fs->committing)) {
        struct ext2_released *empty = fs->committing;
        fs->committing = fs->released;
        fs->released = empty;
        fs->is_removing = fs->is_asked = fs->is_committed = false;
        fs->commits++;
    }
    if (!fs->is_committed) {
        error = fs->is_asked ? KERR_OK : removals_out(fs);
        if (error == KERR_OK && !fs->is_asked) {
            cache_ask(&fs->meta, 0, fs->meta.object->pages);
            fs->is_asked = true;
        }
        if (error == KERR_OK)
            error = cache_write_asked(&fs->meta, 0, fs->meta.object->pages, NULL);
        fs->is_asked = fs->is_asked && (error == KERR_OK || error == KERR_MUST_WAIT);
        if (error == KERR_OK)
            error = cache_flush(fs->device, &fs->commit_ticket);
        fs->is_committed = error == KERR_OK;
    }
    return error == KERR_OK ? free_committed(fs) : error;
}

uint32_t ext2_commit_next(const struct ext2 *fs)
{
    return fs->commits + !is_empty(fs->released);
}

enum kerr ext2_commit_until(struct ext2 *fs, uint32_t last)
{
    enum kerr error = KERR_OK;
    while (error == KERR_OK && ((int32_t)(last - fs->commits) > 0 ||
                                (last == fs->commits && !is_empty(fs->committing))))
        error = commit_step(fs);
    return error;
}

enum kerr ext2_commit(struct ext2 *fs)
{
    return ext2_commit_until(fs, ext2_commit_next(fs));
}

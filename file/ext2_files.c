/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: pages and lengths of regular files; how inodes get to the disk, and how they end.
 *
 * A page that is written gets room for all of it: how far the file reaches is known afterwards. What
 * lies behind the end is given back before the record goes to the disk (has_excess). What a file that
 * became shorter had behind its end must go before it becomes longer again (has_remains); so must room
 * that was made for a page which was then not written, as what stands there is somebody else's.
 */
#include "ext2.h"

#include <arch/i386/entry.h>
#include <kernel/panic.h>
#include <kernel/string.h>

/* ---- the end of a file ---- */

static bool has_small_blocks(const struct ext2_inode *inode)
{
    return ext2_of(inode)->block_bytes < PAGE_BYTES;
}

/* Nothing stands behind PAGE, on the disk or in memory. */
static enum kerr is_hole(struct ext2_inode *inode, uint32_t page, bool *answer)
{
    struct cache_place place;
    *answer = false;
    if (object_page_word(inode->cache.object, page) & PAGE_DIRTY)
        return KERR_OK;
    enum kerr error = inode->cache.operations->locate(&inode->cache, page, &place);
    if (error != KERR_OK)
        return error;
    *answer = true;
    for (uint32_t i = 0; i < place.pieces; i++)
        *answer = *answer && place.sector[i] == CACHE_HOLE;
    return KERR_OK;
}

/* PAGE can be written, all of it, even if it is behind the end. BLANK: what it holds does not matter. */
static enum kerr whole_to_write(struct ext2_inode *inode, uint32_t page, bool blank, frame_t *frame)
{
    struct cache *cache = &inode->cache;
    enum kerr error = KERR_OK;
    inode->grows_to = (uint64_t)(page + 1) << PAGE_SHIFT;
    if (inode->grows_to > inode->inode.status.bytes)
        inode->has_excess = true;
    /* It may be dirty, and have had no need of room there, then. */
    if (has_small_blocks(inode) && (object_page_word(cache->object, page) & PAGE_DIRTY))
        error = cache->operations->allocate(cache, page);
    if (error == KERR_OK)
        error = cache_page_to_write(cache, page, blank, frame);
    inode->grows_to = 0;
    return error;
}

/* The bytes of FRAME from FROM on are zeros. */
static void clear_from(frame_t frame, uint32_t from)
{
    uint8_t *page = temp_map(TEMP_FRAME, frame);
    memset(page + from, 0, PAGE_BYTES - from);
    temp_unmap(TEMP_FRAME);
}

/*
 * INODE may become longer: what is behind its end, in its last page, is zeros, and has its place; so has
 * what is dirty there, as nobody gives it one when it is written to again.
 */
static enum kerr prepare_tail(struct ext2_inode *inode)
{
    uint64_t bytes = inode->inode.status.bytes;
    uint32_t page = (uint32_t)(bytes >> PAGE_SHIFT), in_page = (uint32_t)bytes % PAGE_BYTES;
    bool is_clear = inode->tail_is_clear && inode->cache.object->references == 1, is_nothing;
    frame_t frame;
    if (in_page == 0 || (is_clear && (!has_small_blocks(inode) ||
                                      !(object_page_word(inode->cache.object, page) & PAGE_DIRTY))))
        return KERR_OK;
    enum kerr error = is_hole(inode, page, &is_nothing);
    if (error != KERR_OK || is_nothing)
        return error;
    error = whole_to_write(inode, page, false, &frame);
    if (error != KERR_OK)
        return error;
    if (!is_clear)
        clear_from(frame, in_page);
    inode->tail_is_clear = true;
    return KERR_OK;
}

/* One piece of what lies behind the end goes; the record in the cache says so. KERR_AGAIN. */
static enum kerr cut_piece(struct ext2_inode *inode, uint32_t keep)
{
    enum kerr error = inode->life == EXT2_NEW ? KERR_OK : ext2_put_prepare(inode);
    uint64_t before = inode->inode.status.sectors;
    if (error != KERR_OK)
        return error;
    error = ext2_map_cut(inode, keep);
    if (inode->life != EXT2_NEW && before != inode->inode.status.sectors) {
        enum kerr prepared = ext2_put_prepare(inode);
        ASSERT(prepared == KERR_OK, "a record that could be written can be written");
        ext2_put(inode);
    }
    return error;
}

/*
 * One piece of what lies behind the end of INODE goes. KERR_AGAIN. Pages first: one that is dirty has its
 * place, or nobody would give it one when it is written to.
 */
static enum kerr cut_excess_piece(struct ext2_inode *inode)
{
    uint64_t bytes = inode->inode.status.bytes;
    enum kerr error = KERR_OK;
    if (!inode->has_excess)
        return KERR_OK;
    if (inode->cache.object->pages > ext2_pages(bytes))
        error = cache_resize(&inode->cache, ext2_pages(bytes));
    if (error == KERR_OK)
        error = cut_piece(inode, ext2_blocks(ext2_of(inode), bytes));
    if (error == KERR_OK)
        inode->has_excess = inode->has_remains = false;
    return error;
}

static enum kerr cut_excess(struct ext2_inode *inode)
{
    enum kerr error;
    do
        error = cut_excess_piece(inode);
    while (error == KERR_AGAIN);
    return error;
}

/* INODE may have BYTES bytes. */
static enum kerr may_have(struct ext2_inode *inode, uint64_t bytes)
{
    struct ext2 *fs = ext2_of(inode);
    if (bytes > ext2_bytes_max(fs))
        return KERR_TOO_LARGE;
    enum kerr error = ext2_begin_change(fs);
    return error == KERR_OK && bytes > INT32_MAX ? ext2_allow_large(fs) : error;
}

/* ---- pages ---- */

static enum kerr page_to_write(struct ext2_inode *inode, uint32_t page, bool blank, frame_t *frame)
{
    uint64_t end = (uint64_t)(page + 1) << PAGE_SHIFT;
    enum kerr error;
    if (likely(end <= inode->inode.status.bytes &&
               !has_small_blocks(inode))) { /* it does not grow */
        error = ext2_begin_change(ext2_of(inode));
        return error == KERR_OK ? cache_page_to_write(&inode->cache, page, blank, frame) : error;
    }
    error = may_have(inode, end);
    if (error == KERR_OK && end > inode->inode.status.bytes) {
        if (inode->has_remains)
            error = cut_excess(inode);
        if (error == KERR_OK)
            error = prepare_tail(inode);
    }
    uint32_t before = inode->cache.object->pages;
    if (error == KERR_OK && page >= before)
        error = cache_resize(&inode->cache, page + 1);
    if (error != KERR_OK)
        return error;
    error = whole_to_write(inode, page, blank, frame);
    if (error != KERR_OK && page >= before) {
        enum kerr resized = cache_resize(&inode->cache, before);
        (void)resized; /* at the latest in evict() */
    }
    return error;
}

enum kerr ext2_page(struct inode *inode, uint32_t page, enum inode_page use, frame_t *frame)
{
    struct ext2_inode *file = ext2_inode_of(inode);
    return use == PAGE_TO_READ ? cache_page(&file->cache, page, frame)
                               : page_to_write(file, page, use == PAGE_TO_WRITE_WHOLE, frame);
}

static enum kerr pages_to_read(struct inode *inode, uint32_t page, uint32_t count, frame_t frames[],
                               uint32_t *found)
{
    return cache_pages(&ext2_inode_of(inode)->cache, page, count, frames, found);
}

void ext2_page_written(struct inode *inode, uint64_t end)
{
    struct ext2_inode *file = ext2_inode_of(inode);
    if (end > inode->status.bytes) {
        /* A page that begins behind the old end was empty, and so is its rest. */
        if ((end - 1) >> PAGE_SHIFT > inode->status.bytes >> PAGE_SHIFT ||
            inode->status.bytes % PAGE_BYTES == 0)
            file->tail_is_clear = true;
        inode->status.bytes = end;
        inode_changed(inode);
    }
    uint32_t pages = ext2_pages(inode->status.bytes);
    if (inode->object->pages > pages) {
        enum kerr error = cache_resize(&file->cache, pages);
        (void)error;                          /* at the latest in evict() */
        file->has_remains = file->has_excess; /* it has room, and was not written */
    } else if (!has_small_blocks(file) && !file->has_remains) {
        file->has_excess = false;
    }
}

/* ---- lengths ---- */

static enum kerr lengthen(struct ext2_inode *inode, uint64_t bytes)
{
    enum kerr error = may_have(inode, bytes);
    /* Room that was reserved stays. */
    if (error == KERR_OK && inode->has_remains)
        error = cut_excess(inode);
    if (error == KERR_OK)
        error = prepare_tail(inode);
    if (error == KERR_OK)
        error = cache_resize(&inode->cache, ext2_pages(bytes));
    if (error != KERR_OK)
        return error;
    inode->inode.status.bytes = bytes;
    inode->tail_is_clear = false;
    inode_changed(&inode->inode);
    return KERR_OK;
}

/*
 * PAGE, which is to be the last one, can be written: FRAME. What becomes shorter wants no room, so a full
 * disk does not keep it from that: what is a hole in PAGE stays one, and is given room by who writes to it.
 */
static enum kerr last_to_write(struct ext2_inode *inode, uint32_t page, frame_t *frame)
{
    enum kerr error = cache_page_to_write(&inode->cache, page, false, frame);
    if (error != KERR_NO_SPACE)
        return error;
    inode->needs_no_room = true;
    error = cache_page_to_write(&inode->cache, page, false, frame);
    inode->needs_no_room = false;
    inode->cache.lacks_room |= error == KERR_OK;
    return error;
}

/* The pages behind BYTES go, and what is behind it in the last one. */
static enum kerr shorten(struct ext2_inode *inode, uint64_t bytes)
{
    struct inode_status *status = &inode->inode.status;
    uint32_t in_page = (uint32_t)bytes % PAGE_BYTES;
    bool is_nothing = true;
    frame_t frame;
    enum kerr error = ext2_begin_change(ext2_of(inode));
    if (error == KERR_OK && in_page != 0)
        error = is_hole(inode, (uint32_t)(bytes >> PAGE_SHIFT), &is_nothing);
    if (error == KERR_OK && !is_nothing)
        error = last_to_write(inode, (uint32_t)(bytes >> PAGE_SHIFT), &frame);
    if (error != KERR_OK)
        return error;
    error = cache_resize(&inode->cache, ext2_pages(bytes));
    if (error == KERR_AGAIN || error == KERR_NO_MEMORY) {
        uint64_t covered = (uint64_t)inode->cache.object->pages << PAGE_SHIFT;
        if (covered < status->bytes)
            status->bytes = covered;
        inode->has_excess = inode->has_remains = true;
        inode_changed(&inode->inode);
    }
    if (error != KERR_OK)
        return error;
    if (!is_nothing)
        clear_from(frame, in_page);
    status->bytes = bytes;
    inode->tail_is_clear = true;
    inode->has_excess = inode->has_remains = true;
    inode_changed(&inode->inode);
    return KERR_AGAIN; /* the rest is room that is given back */
}

enum kerr ext2_resize(struct inode *inode, uint64_t bytes)
{
    struct ext2_inode *file = ext2_inode_of(inode);
    if (bytes > inode->status.bytes)
        return lengthen(file, bytes);
    if (bytes < inode->status.bytes)
        return shorten(file, bytes);
    return cut_excess_piece(file);
}

enum kerr ext2_reserve(struct inode *inode, uint32_t first, uint32_t last)
{
    enum { AT_ONCE = 64 };
    struct ext2_inode *file = ext2_inode_of(inode);
    enum kerr error = KERR_OK;
    uint32_t done = 0;
    for (uint32_t page = first; page <= last && error == KERR_OK; page++) {
        uint64_t before = inode->status.sectors;
        frame_t frame;
        error = page_to_write(file, page, false, &frame);
        done += inode->status.sectors != before;
        if (error == KERR_OK && done == AT_ONCE && page < last)
            error = KERR_AGAIN;
    }
    return error;
}

/* The next page from PAGE on that may hold something else than the one before: *NEXT. */
static enum kerr next_content(struct ext2_inode *inode, uint32_t page, bool *is_nothing,
                              uint32_t *next)
{
    uint32_t shift = PAGE_SHIFT - ext2_of(inode)->block_shift, block, count;
    enum kerr error = is_hole(inode, page, is_nothing);
    *next = page + 1;
    if (error != KERR_OK || !*is_nothing)
        return error;
    error = ext2_map_run(inode, page << shift, &block, &count);
    if (error == KERR_OK && block == 0 && count >> shift > 1)
        *next = page + (count >> shift);
    return error;
}

/* After many steps all that is left is data: that is true of holes as well. */
enum kerr ext2_find_page(struct inode *inode, uint32_t page, enum inode_content wanted,
                         uint32_t *found)
{
    enum { STEPS_MAX = 16384 };
    struct ext2_inode *file = ext2_inode_of(inode);
    uint32_t pages = inode->object->pages, next = page, steps = 0;
    enum kerr error = KERR_OK;
    bool is_nothing = false, is_found = false;
    for (; page < pages && error == KERR_OK && !is_found && steps < STEPS_MAX; steps++) {
        error = next_content(file, page, &is_nothing, &next);
        is_found = error == KERR_OK && is_nothing == (wanted == CONTENT_HOLE);
        if (!is_found)
            page = next;
    }
    if (steps == STEPS_MAX && !is_found && wanted == CONTENT_HOLE)
        page = pages;
    *found = page < pages ? page : pages;
    return error;
}

/* ---- the way to the disk ---- */

static enum kerr pages_out(struct ext2_inode *inode)
{
    if (!inode->has_cache)
        return KERR_OK;
    return cache_write_back(&inode->cache, 0, inode->cache.object->pages);
}

static enum kerr meta_out(struct ext2_inode *inode)
{
    if (inode->meta_end == 0)
        return KERR_OK;
    enum kerr error = cache_write_back(&ext2_of(inode)->meta, inode->meta_first, inode->meta_end);
    if (error == KERR_OK)
        inode->meta_first = inode->meta_end = 0;
    return error;
}

/* INODE's record goes to the cache, when that may be. */
static enum kerr put_status(struct ext2_inode *inode)
{
    enum kerr error = KERR_OK;
    bool is_nowhere = inode->life == EXT2_NEW && inode->inode.status.links == 0;
    if (is_nowhere)
        inode->inode.flags &= ~(uint32_t)INODE_DIRTY;
    if (is_nowhere || !((inode->inode.flags & INODE_DIRTY) || inode->life == EXT2_NEW))
        return KERR_OK;
    if (inode_is_directory(&inode->inode) && inode->inode.status.links > 0)
        error = pages_out(inode);
    if (error == KERR_OK && inode->life == EXT2_NEW)
        error = meta_out(inode);
    if (error == KERR_OK)
        error = ext2_put_prepare(inode);
    if (error == KERR_OK)
        ext2_put(inode);
    return error;
}

static enum kerr record_out(struct ext2_inode *inode)
{
    uint32_t block, offset;
    if (inode->life == EXT2_NEW)
        return KERR_OK;
    ext2_record_place(ext2_of(inode), inode->inode.number, &block, &offset);
    enum kerr error = ext2_page_out(&ext2_of(inode)->meta, block);
    if (error == KERR_OK)
        inode->life = EXT2_DISK;
    return error;
}

static enum kerr status_out(struct ext2_inode *inode)
{
    enum kerr error = cut_excess(inode);
    if (error == KERR_OK)
        error = put_status(inode);
    return error == KERR_OK && inode->has_spare ? ext2_spare_end(inode) : error;
}

enum kerr ext2_write_out(struct ext2_inode *inode, enum inode_flush what)
{
    enum kerr error = KERR_OK;
    if (!ext2_of(inode)->is_writable)
        return KERR_OK;
    if (what != FLUSH_STATUS)
        error = pages_out(inode);
    if (error == KERR_OK)
        error = status_out(inode);
    if (error != KERR_OK || what == FLUSH_STATUS)
        return error;
    if (inode->waits_for != NULL)
        error = ext2_names_out(inode);
    if (error == KERR_OK)
        error = meta_out(inode);
    if (error == KERR_OK)
        error = record_out(inode);
    return error;
}

/* ---- and for calls, which come to an end while others write ---- */

void ext2_ask_pages(struct ext2_inode *inode)
{
    if (inode->has_cache)
        cache_ask(&inode->cache, 0, inode->cache.object->pages);
}

enum kerr ext2_asked_out(struct ext2_inode *inode, uint32_t *seen)
{
    enum kerr error = KERR_OK;
    if (inode->has_cache)
        error = cache_write_asked(&inode->cache, 0, inode->cache.object->pages, seen);
    if (error == KERR_OK)
        error = status_out(inode);
    return error == KERR_OK && inode->waits_for != NULL ? ext2_names_out(inode) : error;
}

/* What has got a name in DIRECTORY up to birth LAST has a record in the cache. */
static enum kerr put_fresh(struct ext2_inode *directory, uint32_t last)
{
    enum kerr error = KERR_OK;
    while (error == KERR_OK && !list_is_empty(&directory->fresh)) {
        struct ext2_inode *child =
            container_of(directory->fresh.next, struct ext2_inode, fresh_link);
        if ((int32_t)(child->birth - last) > 0)
            break;
        error = ext2_write_out(child, FLUSH_STATUS);
        if (error == KERR_OK)
            list_remove(&child->fresh_link);
    }
    return error;
}

/* The blocks of names and the record that INODE has now. */
static void ask_meta(struct ext2_inode *inode)
{
    struct cache *meta = &ext2_of(inode)->meta;
    uint32_t block, offset;
    cache_ask(meta, inode->meta_first, inode->meta_end);
    ext2_record_place(ext2_of(inode), inode->inode.number, &block, &offset);
    cache_ask(meta, block, block + 1);
}

static enum kerr asked_meta_out(struct ext2_inode *inode)
{
    struct cache *meta = &ext2_of(inode)->meta;
    uint32_t block, offset, word, page = inode->meta_first;
    enum kerr error = KERR_OK;
    if (inode->meta_end != 0)
        error = cache_write_asked(meta, inode->meta_first, inode->meta_end, NULL);
    if (error == KERR_OK &&
        !object_next_page(meta->object, &page, inode->meta_end, PAGE_DIRTY | PAGE_WRITING, &word))
        inode->meta_first = inode->meta_end = 0;
    ext2_record_place(ext2_of(inode), inode->inode.number, &block, &offset);
    if (error == KERR_OK && inode->life != EXT2_NEW)
        error = cache_write_asked(meta, block, block + 1, NULL);
    if (error == KERR_OK && inode->life == EXT2_PUT)
        inode->life = EXT2_DISK;
    return error;
}

enum flush_step { STEP_ASK, STEP_PAGES, STEP_META, STEP_DEVICE };

enum kerr ext2_flush(struct inode *inode, enum inode_flush what, struct flushing *flushing)
{
    struct ext2_inode *file = ext2_inode_of(inode);
    enum kerr error = KERR_OK;
    if (what == FLUSH_STATUS || !ext2_of(file)->is_writable)
        return ext2_write_out(file, what);
    if (flushing->step == STEP_ASK) {
        ext2_ask_pages(file);
        flushing->ticket = ext2_of(file)->births; /* until it is wanted for the device */
        flushing->step = STEP_PAGES;
    }
    if (flushing->step == STEP_PAGES) {
        error = ext2_asked_out(file, flushing->seen);
        if (error == KERR_IO && file->has_cache)
            inode->errors_told = file->cache.write_errors;
        if (error == KERR_OK)
            error = put_fresh(file, flushing->ticket);
        if (error != KERR_OK)
            return error;
        ask_meta(file);
        flushing->step = STEP_META;
        flushing->ticket = 0;
    }
    if (flushing->step == STEP_META)
        error = asked_meta_out(file);
    if (error != KERR_OK)
        return error;
    flushing->step = STEP_DEVICE;
    return cache_flush(ext2_of(file)->device, &flushing->ticket);
}

/* ---- the end ---- */

/* Nothing of INODE's pages is dirty, or under way. */
static enum kerr settle(struct ext2_inode *inode, enum cache_end how)
{
    if (!inode->has_cache)
        return KERR_OK;
    enum kerr error = cache_settle(&inode->cache, how);
    /* What was written is; what is being read may not be. */
    return error == KERR_OK ? cache_settle(&inode->cache, how) : error;
}

/* A block of attributes may be of several files. */
static enum kerr release_attributes(struct ext2_inode *inode)
{
    enum { MAGIC = 0xEA020000 };
    struct {
        uint32_t magic, references;
    } header;
    struct ext2 *fs = ext2_of(inode);
    uint32_t block = inode->attributes;
    if (block == 0)
        return KERR_OK;
    if (!ext2_is_data(fs, block))
        return ext2_broken(fs, "no block of attributes, of inode", inode->inode.number);
    enum kerr error = ext2_release_prepare(fs, 1);
    if (error == KERR_OK)
        error = ext2_to_write(fs, block);
    if (error == KERR_OK)
        error = ext2_read(fs, block, 0, &header, sizeof(header));
    if (error != KERR_OK)
        return error;
    inode->attributes = 0;
    if (header.magic != MAGIC || header.references <= 1) {
        ext2_release_block(fs, block);
        return KERR_OK;
    }
    header.references--;
    return ext2_write(fs, block, 0, &header, sizeof(header));
}

/* The blocks of INODE, which has no links on the disk. KERR_AGAIN. */
static enum kerr release_blocks(struct ext2_inode *inode)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t type = inode_type(&inode->inode), block = inode->block[0];
    enum kerr error = ext2_map_settle(inode);
    if (error != KERR_OK || (type != S_IFREG && type != S_IFDIR && type != S_IFLNK))
        return error;
    if (type != S_IFLNK)
        return ext2_map_cut(inode, 0);
    if (ext2_link_is_short(inode) || !ext2_is_data(fs, block))
        return KERR_OK;
    error = ext2_release_prepare(fs, 1);
    if (error != KERR_OK)
        return error;
    ext2_release_block(fs, block);
    inode->block[0] = 0;
    return KERR_OK;
}

static void leave(struct ext2_inode *inode)
{
    ext2_wait_for(inode, NULL, 0);
    list_remove(&inode->fresh_link);
    ext2_forget_directory(inode);
    inode_remove(&inode->inode);
    ext2_inode_free(inode);
}

static enum kerr end_file(struct ext2_inode *inode)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t number = inode->inode.number;
    bool is_directory = inode_is_directory(&inode->inode);
    enum kerr error = KERR_OK;
    if (inode->life != EXT2_NEW && (inode->has_spare || !inode->is_put_gone)) {
        inode->has_excess = false; /* all of it goes */
        inode_changed(&inode->inode);
        error = ext2_write_out(inode, FLUSH_STATUS);
    }
    if (error == KERR_OK)
        error = settle(inode, CACHE_DROP);
    if (error != KERR_OK)
        return error; /* the disk still knows it */
    error = release_attributes(inode);
    if (error == KERR_OK || error == KERR_IO)
        error = release_blocks(inode);
    if (error == KERR_OK)
        error = ext2_release_prepare(fs, 1);
    if (error != KERR_OK)
        return error;
    ext2_release_inode(fs, number);
    if (is_directory) {
        struct ext2_group *group = &fs->group[(number - 1) / fs->super.inodes_per_group];
        group->directories = (uint16_t)(group->directories - (group->directories > 0));
    }
    leave(inode);
    return KERR_OK;
}

enum kerr ext2_evict(struct inode *inode)
{
    struct ext2_inode *file = ext2_inode_of(inode);
    enum kerr error = KERR_OK;
    if (inode->status.links == 0 && ext2_of(file)->is_writable)
        return end_file(file);
    if (ext2_of(file)->is_writable) {
        error = ext2_write_out(file, FLUSH_STATUS);
        if (error == KERR_OK && file->life != EXT2_DISK && inode_is_directory(inode))
            error = ext2_inode_out(file);
        if (error == KERR_OK)
            error = ext2_map_settle(file);
    }
    if (error == KERR_OK)
        error = settle(file, CACHE_KEEP);
    if (error == KERR_OK)
        leave(file);
    return error;
}

const struct inode_operations ext2_operations = {
    .lookup = ext2_lookup,
    .create = ext2_create,
    .link = ext2_link,
    .remove = ext2_remove,
    .rename = ext2_rename,
    .read_directory = ext2_read_directory,
    .read_link = ext2_read_link,
    .page = ext2_page,
    .pages_to_read = pages_to_read,
    .page_written = ext2_page_written,
    .resize = ext2_resize,
    .find_page = ext2_find_page,
    .reserve = ext2_reserve,
    .flush = ext2_flush,
    .evict = ext2_evict,
};

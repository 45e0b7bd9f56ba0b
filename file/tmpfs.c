/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. tmpfs: a file system that is nothing but memory. A file's pages are those of an object
 * that nothing stands behind, so they are mapped, shared and counted as any; names and inodes are
 * records of the heap.
 *
 * A page costs a frame when it is first written, by a call or through a mapping. It is counted and
 * charged before (bring()), so that in mode 2 of the account of promises nobody's promise is taken;
 * a mount has a limit of its own, half of the machine's memory if nothing else is said. Without room
 * write() says ENOSPC, and a mapping gets SIGBUS.
 *
 * A file whose last name and last user are gone leaves the mount; its object lives on as long as a
 * region shows it.
 */
#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/panic.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/pager.h>
#include <process/commit.h>

#include "tmpfs.h"

enum { TMPFS_MAGIC = 0x01021994, PAGE_SECTORS = PAGE_BYTES / FILE_SECTOR_BYTES };

static void put(struct tmpfs *tmpfs)
{
    if (--tmpfs->references == 0)
        kfree(tmpfs);
}

/* ---- pages ---- */

/* What an object is charged with when PAGES of its pages have a frame: the levels above them, too, where
 * that matters. */
static uint32_t charge_for(const struct object *object, uint32_t pages)
{
    uint32_t charge = pages;
    if (commit_account.mode != OVERCOMMIT_NEVER || pages == 0)
        return charge;
    for (uint32_t span = object->pages; span > 1;) {
        span = (span + SLOT_PAGES - 1) / SLOT_PAGES;
        charge += span < pages + 1 ? span : pages + 1; /* one more may be made, and then not used */
    }
    return charge;
}

/* OBJECT is to be charged for PAGES pages, more than now. */
static bool must_check charge(struct object *object, uint32_t pages)
{
    uint32_t now = charge_for(object, pages);
    if (now <= object->committed)
        return true;
    if (!frame_can_commit(&frame_pool, now - object->committed))
        return false;
    frame_commit(&frame_pool, now - object->committed);
    object->committed = now;
    return true;
}

/* Pages of OBJECT have gone. */
static void charge_less(struct object *object)
{
    uint32_t now = charge_for(object, object->real_pages);
    if (now >= object->committed)
        return;
    frame_uncommit(&frame_pool, object->committed - now);
    object->committed = now;
}

/* PAGE of OBJECT, which has none, gets a frame; what it holds is left to the caller. */
static enum kerr enter_page(struct object *object, uint32_t page, frame_t *frame)
{
    struct tmpfs *tmpfs = object->pager_data;
    if (tmpfs->pages >= tmpfs->pages_max || !charge(object, object->real_pages + 1))
        return KERR_NO_SPACE;
    enum kerr error = frame_alloc(&frame_pool, FRAME_FILE, frame);
    if (error != KERR_OK)
        return error; /* the charge stays for the next time, or until the file shrinks */
    object_enter_page(object, page, *frame, 0);
    tmpfs->pages++;
    if (inode_of_object(object) != NULL)
        inode_of_object(object)->status.sectors += PAGE_SECTORS;
    return KERR_OK;
}

static enum kerr bring(struct object *object, uint32_t page)
{
    frame_t frame;
    enum kerr error = enter_page(object, page, &frame);
    if (error != KERR_OK)
        return error;
    page_clear(temp_map(TEMP_FAULT_FRAME, frame));
    temp_unmap(TEMP_FAULT_FRAME);
    return KERR_OK;
}

static uint32_t count_reclaimable(const struct object *object)
{
    (void)object;
    return 0;
}

static void end(struct object *object)
{
    struct tmpfs *tmpfs = object->pager_data;
    tmpfs->pages -= object->real_pages;
    put(tmpfs);
}

static const struct pager pager = {.name = "tmpfs",
                                   .is_memory = true,
                                   .bring = bring,
                                   .count_reclaimable = count_reclaimable,
                                   .end = end};

static void count_sectors(struct inode *inode)
{
    inode->status.sectors = (uint64_t)inode->object->real_pages * PAGE_SECTORS;
}

static uint32_t pages_of(uint64_t bytes)
{
    return (uint32_t)((bytes + PAGE_BYTES - 1) >> PAGE_SHIFT);
}

/* As object_frame() of a page that has none; the frame is not cleared. */
static enum kerr blank_page(struct object *object, uint32_t page, frame_t *frame)
{
    enum kerr error = object_prepare_page(object, page);
    return error == KERR_OK ? enter_page(object, page, frame) : error;
}

static enum kerr tmpfs_page(struct inode *inode, uint32_t page, enum inode_page use, frame_t *frame)
{
    struct object *object = inode->object;
    if (object_use_frames(object, page, 1, frame) > 0)
        return KERR_OK;
    if (object_page_is_out(object, page))
        return object_frame(object, page, frame);
    if (use == PAGE_TO_READ)
        return page < object->pages ? KERR_NOT_FOUND : KERR_BAD_RANGE;
    uint32_t before = object->pages;
    enum kerr error = page >= before ? object_resize(object, page + 1) : KERR_OK;
    if (error == KERR_BAD_RANGE)
        return KERR_TOO_LARGE;
    if (error != KERR_OK)
        return error;
    error = use == PAGE_TO_WRITE_WHOLE ? blank_page(object, page, frame)
                                       : object_frame(object, page, frame);
    if (error != KERR_OK)
        object->pages = before; /* nothing is behind it */
    return error;
}

static enum kerr tmpfs_pages_to_read(struct inode *inode, uint32_t page, uint32_t count,
                                     frame_t frames[], uint32_t *found)
{
    struct object *object = inode->object;
    *found = object_use_frames(object, page, count, frames);
    if (*found > 0)
        return KERR_OK;
    *found = 1;
    frames[0] = NO_FRAME;
    return object_page_is_out(object, page) ? object_frame(object, page, frames) : KERR_OK;
}

/* The object ends behind PAGES pages; or later, if it is not done yet. */
static enum kerr set_pages(struct inode *inode, uint32_t pages)
{
    struct object *object = inode->object;
    uint32_t before = object->real_pages;
    enum kerr error = object_resize(object, pages);
    tmpfs_of(inode)->pages -= before - object->real_pages;
    charge_less(object);
    count_sectors(inode);
    return error;
}

static void tmpfs_page_written(struct inode *inode, uint64_t bytes)
{
    if (bytes > inode->status.bytes)
        inode->status.bytes = bytes;
    uint32_t pages = pages_of(inode->status.bytes);
    enum kerr error = pages < inode->object->pages ? KERR_AGAIN : KERR_OK;
    while (error ==
           KERR_AGAIN) /* the page could not be filled: it is taken back, all but at once */
        error = set_pages(inode, pages);
}

/* What is behind the end in the last page is zeros, as it will be seen if the file grows. */
static enum kerr clear_tail(const struct inode *inode, uint64_t bytes)
{
    uint32_t in_page = (uint32_t)bytes % PAGE_BYTES, last = (uint32_t)(bytes >> PAGE_SHIFT);
    frame_t frame;
    if (in_page == 0 || last >= inode->object->pages)
        return KERR_OK;
    enum kerr error = object_find_frame(inode->object, last, &frame);
    if (object_page_is_out(inode->object, last))
        error = object_frame(inode->object, last, &frame);
    if (error != KERR_OK) /* a hole */
        return error == KERR_NOT_FOUND ? KERR_OK : error;
    uint8_t *page = temp_map(TEMP_FRAME, frame);
    memset(page + in_page, 0, PAGE_BYTES - in_page);
    temp_unmap(TEMP_FRAME);
    return KERR_OK;
}

static enum kerr tmpfs_resize(struct inode *inode, uint64_t bytes)
{
    if (bytes > (uint64_t)OBJECT_PAGE_LIMIT * PAGE_BYTES)
        return KERR_TOO_LARGE;
    enum kerr error = set_pages(inode, pages_of(bytes));
    uint64_t covered = (uint64_t)inode->object->pages << PAGE_SHIFT;
    if (error == KERR_OK) {
        error = clear_tail(inode, bytes < inode->status.bytes ? bytes : inode->status.bytes);
        if (error == KERR_OK)
            inode->status.bytes = bytes;
    } else if (inode->status.bytes > covered) {
        inode->status.bytes = covered;
    }
    return error;
}

/* The first page from PAGE on that is a hole. */
static uint32_t find_hole(const struct object *object, uint32_t page)
{
    enum { AT_ONCE = 64 };
    frame_t frames[AT_ONCE];
    while (page < object->pages) {
        uint32_t count = AT_ONCE - page % AT_ONCE, i = 0;
        count = count < object->pages - page ? count : object->pages - page;
        object_find_frames(object, page, count, frames);
        while (i < count && (frames[i].n != NO_FRAME.n || object_page_is_out(object, page + i)))
            i++;
        page += i;
        if (i < count)
            break;
    }
    return page;
}

static enum kerr tmpfs_find_page(struct inode *inode, uint32_t page, enum inode_content wanted,
                                 uint32_t *found)
{
    const struct object *object = inode->object;
    uint32_t word;
    *found = page;
    if (wanted == CONTENT_HOLE)
        *found = find_hole(object, page);
    else if (!object_next_page(object, found, object->pages, PAGE_HERE | PAGE_OUT, &word))
        *found = object->pages;
    return KERR_OK;
}

static enum kerr tmpfs_reserve(struct inode *inode, uint32_t first, uint32_t last)
{
    enum { AT_ONCE = 256 };
    struct object *object = inode->object;
    uint32_t done = 0;
    enum kerr error = last >= object->pages ? object_resize(object, last + 1) : KERR_OK;
    for (uint32_t page = first; page <= last && error == KERR_OK; page++) {
        frame_t frame;
        uint32_t real = object->real_pages;
        error = object_frame(object, page, &frame);
        done += object->real_pages - real;
        if (error == KERR_OK && done == AT_ONCE && page < last)
            error = KERR_AGAIN;
    }
    count_sectors(inode);
    return error == KERR_BAD_RANGE ? KERR_TOO_LARGE : error;
}

/* ---- inodes ---- */

static const struct inode_operations operations;

/* An inode of TMPFS with MODE, of which nothing is in the core yet; no names, no links. */
static enum kerr make_inode(struct mount *mount, const struct inode_wish *wish,
                            struct tmpfs_inode **inode)
{
    struct tmpfs *tmpfs = mount->data;
    void *block;
    if (tmpfs->inodes >= tmpfs->inodes_max)
        return KERR_NO_SPACE;
    enum kerr error = inode_make_room();
    if (error == KERR_OK)
        error = kmalloc(sizeof(struct tmpfs_inode), &block);
    if (error != KERR_OK)
        return error;
    struct time now = clock_real_coarse();
    *inode = block;
    **inode = (struct tmpfs_inode){.inode = {.operations = &operations}};
    (*inode)->inode.status = (struct inode_status){.mode = wish->mode,
                                                   .device = wish->device,
                                                   .accessed = now,
                                                   .modified = now,
                                                   .changed = now,
                                                   .born = now};
    return KERR_OK;
}

/* What INODE has by its type. */
static enum kerr equip(struct tmpfs *tmpfs, struct tmpfs_inode *inode,
                       const struct inode_wish *wish)
{
    void *block;
    enum kerr error;
    switch (wish->mode & S_IFMT) {
    case S_IFDIR:
        tmpfs_directory_init(inode);
        return KERR_OK;
    case S_IFLNK:
        error = kmalloc(wish->target_bytes, &block);
        if (error != KERR_OK)
            return error;
        inode->target = block;
        memcpy(inode->target, wish->target, wish->target_bytes);
        inode->inode.status.bytes = wish->target_bytes;
        return KERR_OK;
    case S_IFREG:
        error = object_create_paged(OBJECT_FILE, 0, &pager, tmpfs, &inode->inode.object);
        if (error == KERR_OK)
            tmpfs->references++;
        return error;
    default:
        return KERR_OK;
    }
}

static void enter(struct mount *mount, struct tmpfs_inode *inode)
{
    struct tmpfs *tmpfs = mount->data;
    tmpfs->inodes++;
    inode_add(&inode->inode, mount, ++tmpfs->last_number);
}

/* Its record, and what equip() gave it. */
static void free_inode(struct tmpfs *tmpfs, struct tmpfs_inode *inode)
{
    uint32_t type = inode_type(&inode->inode);
    if (type == S_IFDIR)
        tmpfs_directory_clear(inode);
    else if (type == S_IFLNK)
        kfree(inode->target);
    kfree(inode);
    tmpfs->inodes--;
}

static enum kerr tmpfs_evict(struct inode *inode)
{
    struct tmpfs *tmpfs = tmpfs_of(inode);
    inode_remove(inode);
    free_inode(tmpfs, tmpfs_inode_of(inode));
    return KERR_OK;
}

static enum kerr tmpfs_create(struct inode *directory, struct name name,
                              const struct inode_wish *wish, struct inode **inode)
{
    struct tmpfs *tmpfs = tmpfs_of(directory);
    struct tmpfs_inode *new;
    enum kerr error = make_inode(directory->mount, wish, &new);
    if (error != KERR_OK)
        return error;
    error = equip(tmpfs, new, wish);
    if (error != KERR_OK) {
        kfree(new);
        return error;
    }
    enter(directory->mount, new);
    *inode = &new->inode;
    if (name.length == 0)
        return KERR_OK;
    error = tmpfs_add_name(tmpfs_inode_of(directory), name, &new->inode);
    if (error != KERR_OK) {
        inode_put(&new->inode); /* it has no links: it ends */
        return error;
    }
    bool is_directory = inode_is_directory(&new->inode);
    new->inode.status.links = is_directory ? 2 : 1;
    directory->status.links += is_directory;
    inode_touch(directory, TIME_MODIFIED | TIME_CHANGED);
    return KERR_OK;
}

static enum kerr tmpfs_read_link(struct inode *inode, char *target, uint32_t *bytes)
{
    *bytes = (uint32_t)inode->status.bytes;
    memcpy(target, tmpfs_inode_of(inode)->target, *bytes);
    return KERR_OK;
}

static const struct inode_operations operations = {.lookup = tmpfs_lookup,
                                                   .create = tmpfs_create,
                                                   .link = tmpfs_link,
                                                   .remove = tmpfs_remove,
                                                   .rename = tmpfs_rename,
                                                   .exchange = tmpfs_exchange,
                                                   .read_directory = tmpfs_read_directory,
                                                   .read_link = tmpfs_read_link,
                                                   .page = tmpfs_page,
                                                   .pages_to_read = tmpfs_pages_to_read,
                                                   .page_written = tmpfs_page_written,
                                                   .resize = tmpfs_resize,
                                                   .find_page = tmpfs_find_page,
                                                   .reserve = tmpfs_reserve,
                                                   .evict = tmpfs_evict};

void tmpfs_allow_pages(struct mount *mount, uint32_t pages)
{
    struct tmpfs *tmpfs = mount->data;
    tmpfs->pages_max += pages;
}

void tmpfs_adopt(struct inode *inode, struct object *object, uint64_t bytes)
{
    struct tmpfs *tmpfs = tmpfs_of(inode);
    inode->object->owner = NULL;
    object_put(inode->object);
    object->owner = inode;
    object->pager = &pager;
    object->pager_data = tmpfs;
    tmpfs->references++;
    tmpfs->pages += object->real_pages; /* beside what was free for others */
    tmpfs_allow_pages(inode->mount, object->real_pages);
    inode->object = object;
    inode->status.bytes = bytes;
    count_sectors(inode);
}

/* ---- mounting ---- */

/* "size=10M,nr_inodes=5,mode=755": what is not known is refused, as Linux does. */
static enum kerr parse_option(const char *option, struct tmpfs *tmpfs, uint32_t *mode)
{
    uint32_t number;
    if (text_begins(option, "size=")) {
        if (!parse_size(option + strlen("size="), &number))
            return KERR_BAD_VALUE;
        tmpfs->pages_max = pages_of(number);
    } else if (text_begins(option, "nr_inodes=")) {
        if (!parse_u32(option + strlen("nr_inodes="), &number))
            return KERR_BAD_VALUE;
        tmpfs->inodes_max = number;
    } else if (text_begins(option, "mode=")) {
        *mode = 0;
        for (option += strlen("mode="); *option >= '0' && *option <= '7'; option++)
            *mode = *mode * 8 + (uint32_t)(*option - '0');
        *mode &= MODE_BITS;
    } else {
        return *option == '\0' ? KERR_OK : KERR_BAD_VALUE;
    }
    return KERR_OK;
}

static enum kerr parse_options(const char *options, struct tmpfs *tmpfs, uint32_t *mode)
{
    enum { OPTION_BYTES = 32 };
    char option[OPTION_BYTES] = "";
    enum kerr error = KERR_OK;
    while (*options != '\0' && error == KERR_OK) {
        uint32_t length = 0;
        while (options[length] != ',' && options[length] != '\0')
            length++;
        if (length >= OPTION_BYTES)
            return KERR_BAD_VALUE;
        memcpy(option, options, length);
        option[length] = '\0';
        error = parse_option(option, tmpfs, mode);
        options += length + (options[length] == ',');
    }
    return error;
}

enum kerr tmpfs_mount(struct mount *mount, const char *options)
{
    uint32_t ram = frame_pool.frames - frame_pool.totals[FRAME_RESERVED];
    struct inode_wish wish = {.mode = S_IFDIR | S_ISVTX | 0777};
    struct tmpfs_inode *root = NULL;
    uint32_t mode = S_ISVTX | 0777;
    void *block;
    enum kerr error = kmalloc(sizeof(struct tmpfs), &block);
    if (error != KERR_OK)
        return error;
    struct tmpfs *tmpfs = block;
    *tmpfs = (struct tmpfs){.references = 1, .pages_max = ram / 2, .inodes_max = ram / 2};
    mount->data = tmpfs;
    error = parse_options(options, tmpfs, &mode);
    wish.mode = S_IFDIR | mode;
    if (error == KERR_OK)
        error = make_inode(mount, &wish, &root);
    if (error != KERR_OK) {
        put(tmpfs);
        return error;
    }
    tmpfs_directory_init(root);
    enter(mount, root);
    root->inode.status.links = 2;
    mount->root = &root->inode;
    return KERR_OK;
}

/* Nobody uses any inode: all of them end, with links or without. Parents lose their children first. */
enum kerr tmpfs_unmount(struct mount *mount)
{
    struct inode *next;
    for (struct inode *inode = inode_next(NULL); inode != NULL; inode = inode_next(inode))
        if (inode->mount == mount)
            inode_set_parent(inode, NULL);
    mount->root->references--;
    for (struct inode *inode = inode_next(NULL); inode != NULL; inode = next) {
        next = inode_next(inode);
        if (inode->mount == mount) {
            enum kerr error = tmpfs_evict(inode);
            ASSERT(error == KERR_OK, "memory can always be given back");
        }
    }
    put(mount->data);
    return KERR_OK;
}

enum kerr tmpfs_room(struct mount *mount, struct mount_room *room)
{
    const struct tmpfs *tmpfs = mount->data;
    uint32_t free = tmpfs->pages < tmpfs->pages_max ? tmpfs->pages_max - tmpfs->pages : 0;
    *room = (struct mount_room){.magic = TMPFS_MAGIC,
                                .block_bytes = PAGE_BYTES,
                                .blocks = tmpfs->pages_max,
                                .free_blocks = free,
                                .available_blocks = free,
                                .files = tmpfs->inodes_max,
                                .free_files = tmpfs->inodes_max - tmpfs->inodes};
    return KERR_OK;
}

FILE_SYSTEM(tmpfs, .name = "tmpfs", .flags = FILE_SYSTEM_KEEPS_INODES | FILE_SYSTEM_KEEPS_NAMES,
            .mount = tmpfs_mount, .unmount = tmpfs_unmount, .room = tmpfs_room);

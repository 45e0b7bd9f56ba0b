/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: which inodes are free, and their records on the disk and in the core.
 *
 * An inode's number says where its record stands. Of a record that has links on the disk, what is not
 * understood stays as it is; that of a new inode is cleared first.
 */
#include "ext2.h"

#include <kernel/panic.h>
#include <kernel/string.h>
#include <mm/heap.h>

enum { HALF_SHIFT = 16 };

/* ---- numbers ---- */

static uint32_t group_of(const struct ext2 *fs, uint32_t number)
{
    return (number - 1) / fs->super.inodes_per_group;
}

/* The record of NUMBER, which its bitmap says is free, is in use: here, or on the disk. */
static enum kerr is_in_use(struct ext2 *fs, uint32_t number, bool *answer)
{
    struct ext2_record record;
    uint32_t block, offset;
    struct inode *inode = inode_find(fs->mount, number);
    *answer = inode != NULL;
    inode_put(inode);
    if (*answer)
        return KERR_OK;
    ext2_record_place(fs, number, &block, &offset);
    enum kerr error = ext2_read(fs, block, offset, &record, sizeof(record));
    *answer = error == KERR_OK && record.links != 0;
    return error;
}

/* A free number of GROUP; 0: there is none. What the bitmap says is not believed. */
static enum kerr find_in_group(struct ext2 *fs, uint32_t group, uint32_t *number)
{
    uint32_t first = group * fs->super.inodes_per_group + 1, end = fs->super.inodes_per_group;
    uint32_t from = first < fs->first_inode ? fs->first_inode - first : 0, bit;
    bool is_lie = true;
    *number = 0;
    if (fs->group[group].free_inodes == 0)
        return KERR_OK;
    for (; is_lie && from < end; from = bit + 1) {
        enum kerr error = ext2_find_clear(fs, fs->group[group].inode_bitmap, from, end, &bit);
        if (error != KERR_OK || bit >= end)
            return error;
        error = is_in_use(fs, first + bit, &is_lie);
        if (error != KERR_OK)
            return error;
        if (is_lie)
            ext2_broken(fs, "in use, and its bitmap says that it is free: inode", first + bit);
        else
            *number = first + bit;
    }
    return *number == 0 ? KERR_OK : ext2_to_write(fs, fs->group[group].inode_bitmap);
}

/* Directories are spread: the one with the fewest of them, of those that have more room than most. */
static uint32_t group_for_directory(const struct ext2 *fs)
{
    uint32_t best = 0, average = fs->super.free_inodes / fs->groups;
    bool is_found = false;
    for (uint32_t i = 0; i < fs->groups; i++) {
        const struct ext2_group *group = &fs->group[i];
        if (group->free_inodes == 0 || group->free_inodes < average || group->free_blocks == 0)
            continue;
        if (!is_found || group->directories < fs->group[best].directories)
            best = i;
        is_found = true;
    }
    return best;
}

static enum kerr find_number(struct ext2 *fs, uint32_t group, uint32_t *number)
{
    enum kerr error = KERR_OK;
    *number = 0;
    for (uint32_t i = 0; i < fs->groups && *number == 0 && error == KERR_OK; i++) {
        error = find_in_group(fs, group, number);
        group = group + 1 == fs->groups ? 0 : group + 1;
    }
    return error;
}

enum kerr ext2_number_find(struct ext2_inode *directory, uint32_t mode, uint32_t *number)
{
    struct ext2 *fs = ext2_of(directory);
    uint32_t group = (mode & S_IFMT) == S_IFDIR ? group_for_directory(fs)
                                                : group_of(fs, directory->inode.number);
    enum kerr error = find_number(fs, group, number);
    if (error != KERR_OK || *number != 0)
        return error;
    if (fs->released_inodes == 0)
        return KERR_NO_SPACE;
    error = ext2_commit(fs);
    if (error == KERR_OK)
        error = find_number(fs, group, number);
    return error == KERR_OK && *number == 0 ? KERR_NO_SPACE : error;
}

void ext2_number_take(struct ext2 *fs, uint32_t number, uint32_t mode)
{
    uint32_t index = group_of(fs, number);
    struct ext2_group *group = &fs->group[index];
    bool before;
    enum kerr error = ext2_change_bit(
        fs, group->inode_bitmap, number - 1 - index * fs->super.inodes_per_group, true, &before);
    ASSERT(error == KERR_OK && !before, "inode %u: its bitmap can be written", (unsigned)number);
    group->free_inodes--;
    fs->super.free_inodes--;
    if ((mode & S_IFMT) == S_IFDIR)
        group->directories++;
    fs->counts_are_newer = true;
}

enum kerr ext2_numbers_free(struct ext2 *fs, struct ext2_extent extent)
{
    uint32_t end = extent.first + extent.count;
    for (uint32_t i = group_of(fs, extent.first); i <= group_of(fs, end - 1); i++) {
        enum kerr error = ext2_to_write(fs, fs->group[i].inode_bitmap);
        if (error != KERR_OK)
            return error;
    }
    for (uint32_t number = extent.first; number < end; number++) {
        uint32_t index = group_of(fs, number);
        bool before;
        enum kerr error =
            ext2_change_bit(fs, fs->group[index].inode_bitmap,
                            number - 1 - index * fs->super.inodes_per_group, false, &before);
        ASSERT(error == KERR_OK, "bitmap of group %u: it can be written", (unsigned)index);
        if (!before) {
            ext2_broken(fs, "an inode was freed twice", number);
            continue;
        }
        fs->group[index].free_inodes++;
        fs->super.free_inodes++;
    }
    fs->counts_are_newer = true;
    return KERR_OK;
}

/* ---- records on the disk ---- */

void ext2_record_place(const struct ext2 *fs, uint32_t number, uint32_t *block, uint32_t *offset)
{
    uint32_t group = group_of(fs, number);
    uint32_t index = number - 1 - group * fs->super.inodes_per_group;
    *block = fs->group[group].inode_table + (index >> fs->records_shift);
    *offset = (index & ((1u << fs->records_shift) - 1)) * fs->record_bytes;
}

static bool has_device(uint32_t mode)
{
    return (mode & S_IFMT) == S_IFCHR || (mode & S_IFMT) == S_IFBLK;
}

/* The old form for small numbers, and the new one in the second word, whose lower 20 bits are so, too. */
static uint32_t device_of(const struct ext2_record *record)
{
    enum { OLD_MASK = 0xFFFF, NEW_MASK = 0xFFFFF };
    return record->block[0] != 0 ? record->block[0] & OLD_MASK : record->block[1] & NEW_MASK;
}

static struct time time_of(uint32_t seconds)
{
    return (struct time){.seconds = seconds};
}

static void read_status(struct inode_status *status, const struct ext2_record *record)
{
    *status = (struct inode_status){
        .mode = record->mode,
        .links = record->links,
        .user = record->user | (uint32_t)record->user_high << HALF_SHIFT,
        .group = record->group | (uint32_t)record->group_high << HALF_SHIFT,
        .device = has_device(record->mode) ? device_of(record) : 0,
        .bytes = record->bytes,
        .sectors = record->sectors,
        .accessed = time_of(record->accessed),
        .modified = time_of(record->modified),
        .changed = time_of(record->changed),
    };
    if ((record->mode & S_IFMT) == S_IFREG)
        status->bytes |= (uint64_t)record->bytes_high << 32;
}

/* What STATUS, just read, says makes sense. */
static bool status_is_right(const struct ext2 *fs, const struct inode_status *status)
{
    enum { DIRECTORY_BYTES_MAX = 0x40000000 };
    switch (status->mode & S_IFMT) {
    case S_IFREG:
        return status->bytes <= ext2_bytes_max(fs);
    case S_IFDIR:
        return status->bytes > 0 && status->bytes <= DIRECTORY_BYTES_MAX &&
               (status->bytes & (fs->block_bytes - 1)) == 0;
    case S_IFLNK:
        return status->bytes > 0 && status->bytes < PATH_BYTES_MAX &&
               status->bytes <= fs->block_bytes;
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        return true;
    default:
        return false;
    }
}

static void fill_record(const struct ext2_inode *inode, struct ext2_record *record)
{
    const struct inode_status *status = &inode->inode.status;
    record->mode = (uint16_t)status->mode;
    record->user = (uint16_t)status->user;
    record->user_high = (uint16_t)(status->user >> HALF_SHIFT);
    record->group = (uint16_t)status->group;
    record->group_high = (uint16_t)(status->group >> HALF_SHIFT);
    record->bytes = (uint32_t)status->bytes;
    if ((status->mode & S_IFMT) == S_IFREG)
        record->bytes_high = (uint32_t)(status->bytes >> 32);
    record->accessed = (uint32_t)status->accessed.seconds;
    record->modified = (uint32_t)status->modified.seconds;
    record->changed = (uint32_t)status->changed.seconds;
    record->deleted = status->links == 0 ? (uint32_t)clock_real_coarse().seconds : 0;
    record->links = (uint16_t)status->links;
    record->sectors = (uint32_t)status->sectors;
    record->flags = inode->flags;
    record->attributes = inode->attributes;
    memcpy(record->block, inode->block, sizeof(record->block));
}

enum kerr ext2_put_prepare(struct ext2_inode *inode)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t block, offset;
    enum kerr error = ext2_begin_change(fs);
    if (error == KERR_OK && inode->waits_for != NULL)
        error = ext2_names_out(inode);
    if (error == KERR_OK && inode->inode.status.bytes > INT32_MAX)
        error = ext2_allow_large(fs);
    ext2_record_place(fs, inode->inode.number, &block, &offset);
    return error == KERR_OK ? ext2_to_write(fs, block) : error;
}

void ext2_put(struct ext2_inode *inode)
{
    static const uint8_t zeros[EXT2_RECORD_BYTES];
    struct ext2 *fs = ext2_of(inode);
    struct ext2_record record = {0};
    uint32_t block, offset;
    enum kerr error = KERR_OK;
    ext2_record_place(fs, inode->inode.number, &block, &offset);
    if (inode->life != EXT2_NEW)
        error = ext2_read(fs, block, offset, &record, sizeof(record));
    else
        for (uint32_t at = EXT2_RECORD_BYTES; at < fs->record_bytes && error == KERR_OK;
             at += EXT2_RECORD_BYTES)
            error = ext2_write(fs, block, offset + at, zeros, EXT2_RECORD_BYTES);
    fill_record(inode, &record);
    if (error == KERR_OK)
        error = ext2_write(fs, block, offset, &record, sizeof(record));
    ASSERT(error == KERR_OK, "the record of inode %u can be written",
           (unsigned)inode->inode.number);
    inode->inode.flags &= ~(uint32_t)INODE_DIRTY;
    inode->is_put_gone = inode->inode.status.links == 0;
    inode->life = EXT2_PUT;
    if (!list_is_empty(&inode->fresh_link))
        ext2_named(inode, inode->named_in);
}

/* ---- in the core ---- */

enum kerr ext2_inode_new(struct mount *mount, uint32_t mode, uint32_t pages,
                         struct ext2_inode **inode)
{
    const struct ext2 *fs = mount->data;
    void *block;
    enum kerr error = kmalloc(sizeof(struct ext2_inode), &block);
    if (error != KERR_OK)
        return error;
    struct ext2_inode *new = block;
    memset(new, 0, sizeof(*new));
    new->inode.operations = &ext2_operations;
    new->inode.mount = mount;
    new->inode.status.mode = mode;
    list_init(&new->waits_link);
    list_init(&new->waiting);
    list_init(&new->fresh);
    list_init(&new->fresh_link);
    list_init(&new->removal);
    uint32_t type = mode & S_IFMT;
    if (type == S_IFREG || type == S_IFDIR) {
        error = cache_begin(&new->cache, type == S_IFDIR ? &ext2_directory_cache : &ext2_file_cache,
                            fs->device, new, pages);
        if (error != KERR_OK) {
            kfree(new);
            return error;
        }
        new->inode.object = new->cache.object;
        new->has_cache = true;
    }
    *inode = new;
    return KERR_OK;
}

void ext2_inode_free(struct ext2_inode *inode)
{
    kfree(inode);
}

static enum kerr read_inode(struct mount *mount, uint32_t number, struct ext2_inode **inode)
{
    struct ext2 *fs = mount->data;
    struct ext2_record record;
    struct inode_status status;
    uint32_t block, offset;
    ext2_record_place(fs, number, &block, &offset);
    enum kerr error = ext2_read(fs, block, offset, &record, sizeof(record));
    if (error != KERR_OK)
        return error;
    if (record.links == 0)
        return ext2_broken(fs, "a name of an inode that is not in use", number);
    read_status(&status, &record);
    if (!status_is_right(fs, &status))
        return ext2_broken(fs, "the record of an inode makes no sense", number);
    uint32_t pages = (status.mode & S_IFMT) == S_IFDIR ? ext2_blocks(fs, status.bytes)
                                                       : ext2_pages(status.bytes);
    error = ext2_inode_new(mount, status.mode, pages, inode);
    if (error != KERR_OK)
        return error;
    (*inode)->inode.status = status;
    (*inode)->flags = record.flags;
    (*inode)->attributes = record.attributes;
    (*inode)->life = EXT2_DISK;
    memcpy((*inode)->block, record.block, sizeof(record.block));
    inode_add(&(*inode)->inode, mount, number);
    return KERR_OK;
}

enum kerr ext2_inode_fetch(struct mount *mount, uint32_t number, struct ext2_inode **inode)
{
    struct ext2 *fs = mount->data;
    if (number > fs->super.inodes || (number < fs->first_inode && number != EXT2_ROOT))
        return ext2_broken(fs, "a name of an inode that can't be", number);
    struct inode *found = inode_find(mount, number);
    if (found == NULL)
        return read_inode(mount, number, inode);
    *inode = ext2_inode_of(found);
    return KERR_OK;
}

enum kerr ext2_inode_get(struct mount *mount, uint32_t number, struct ext2_inode **inode)
{
    struct inode *found = inode_find(mount, number);
    if (found != NULL) {
        *inode = ext2_inode_of(found);
        return KERR_OK;
    }
    enum kerr error = inode_make_room();
    return error == KERR_OK ? ext2_inode_fetch(mount, number, inode) : error;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: superblock and groups; blocks of metadata.
 *
 * A mount reads the superblock and all descriptors of groups, and from then on has them in the core;
 * counts of what is free go back at sync. On the disk they are a hint only: after a power cut
 * e2fsck counts again.
 */
#include "ext2.h"

#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>

enum {
    SECTOR_SHIFT = 9,
    FIRST_SHIFT = 10, /* of 1 KiB, the smallest blocks */
    SHIFTS = 3,       /* 1, 2, 4 KiB */
    BITS_PER_BYTE = 8,
    GROUPS_MAX = 1 << 17,
};

enum kerr ext2_broken(struct ext2 *fs, const char *what, uint32_t number)
{
    enum { LINES_MAX = 20 };
    if (fs->complaints++ < LINES_MAX)
        printk("ext2: %s: %s (%u)\n", fs->device->name, what, (unsigned)number);
    fs->super.state |= EXT2_STATE_ERRORS;
    fs->counts_are_newer = true;
    return KERR_IO;
}

/* ---- metadata ---- */

static enum kerr locate(struct cache *cache, uint32_t page, struct cache_place *place)
{
    const struct ext2 *fs = cache->owner;
    *place = (struct cache_place){.pieces = 1, .sectors = fs->block_sectors};
    place->sector[0] = (uint64_t)page * fs->block_sectors;
    return KERR_OK;
}

static const struct cache_operations meta_operations = {
    .locate = locate, .is_stable = true, .name = "ext2 metadata"};

static uint64_t place_of(uint32_t block, uint32_t offset)
{
    return (uint64_t)block << PAGE_SHIFT | offset;
}

enum kerr ext2_read(struct ext2 *fs, uint32_t block, uint32_t offset, void *to, uint32_t bytes)
{
    return cache_read(&fs->meta, place_of(block, offset), to, bytes);
}

enum kerr ext2_write(struct ext2 *fs, uint32_t block, uint32_t offset, const void *from,
                     uint32_t bytes)
{
    return cache_write(&fs->meta, place_of(block, offset), from, bytes);
}

enum kerr ext2_to_write(struct ext2 *fs, uint32_t block)
{
    frame_t frame;
    return cache_page_to_write(&fs->meta, block, false, &frame);
}

enum kerr ext2_blank(struct ext2 *fs, uint32_t block)
{
    static const uint8_t zeros[512];
    frame_t frame;
    enum kerr error = cache_page_to_write(&fs->meta, block, true, &frame);
    for (uint32_t at = 0; at < fs->block_bytes && error == KERR_OK; at += sizeof(zeros))
        error = ext2_write(fs, block, at, zeros, sizeof(zeros));
    return error;
}

static uint32_t super_offset(const struct ext2 *fs)
{
    return fs->super_block == 0 ? EXT2_SUPER_OFFSET : 0;
}

/* ---- superblock ---- */

static bool is_power(uint32_t number, uint32_t base)
{
    uint32_t power = base;
    while (power < number)
        power *= base;
    return power == number;
}

/* GROUP begins with a copy of the superblock. */
static bool has_copy(const struct ext2 *fs, uint32_t group)
{
    return !(fs->super.read_only & EXT2_READ_ONLY_SPARSE) || group <= 1 || is_power(group, 3) ||
           is_power(group, 5) || is_power(group, 7);
}

static uint32_t logarithm(uint32_t power)
{
    uint32_t shift = 0;
    while (power > 1u << shift)
        shift++;
    return shift;
}

/* What a file can have: as many blocks as ways lead to, and as many sectors as can be counted. */
static uint64_t bytes_max(const struct ext2 *fs)
{
    uint64_t names = fs->names;
    uint64_t blocks = EXT2_DIRECT + names + names * names + names * names * names;
    uint64_t most = UINT32_MAX - 0x1000000u; /* sectors, without those of indirect blocks */
    uint64_t bytes = blocks << fs->block_shift;
    return bytes < most << SECTOR_SHIFT ? bytes : most << SECTOR_SHIFT;
}

/* What the superblock says of sizes makes sense. */
static bool sizes_are_right(const struct ext2 *fs)
{
    const struct ext2_super *super = &fs->super;
    uint32_t bits = fs->block_bytes * BITS_PER_BYTE, size = fs->record_bytes;
    return super->first_block == (fs->block_bytes == 1u << FIRST_SHIFT) &&
           super->blocks > super->first_block && super->blocks_per_group >= BITS_PER_BYTE &&
           super->blocks_per_group <= bits && super->blocks_per_group % BITS_PER_BYTE == 0 &&
           size >= EXT2_RECORD_BYTES && size <= fs->block_bytes && (size & (size - 1)) == 0 &&
           super->inodes_per_group > 0 && super->inodes_per_group <= bits &&
           super->inodes_per_group % (fs->block_bytes / size) == 0 &&
           (uint64_t)super->blocks * fs->block_sectors <= fs->device->sectors;
}

/* And of groups. */
static bool groups_are_right(struct ext2 *fs)
{
    const struct ext2_super *super = &fs->super;
    uint32_t blocks = super->blocks - super->first_block;
    fs->groups = (blocks - 1) / super->blocks_per_group + 1;
    fs->table_blocks = super->inodes_per_group >> fs->records_shift;
    uint32_t per_block = fs->block_bytes / sizeof(struct ext2_descriptor);
    fs->descriptor_blocks = (fs->groups - 1) / per_block + 1;
    return fs->groups <= GROUPS_MAX &&
           (uint64_t)fs->groups * super->inodes_per_group == super->inodes &&
           fs->first_inode >= EXT2_FIRST_INODE && fs->first_inode < super->inodes &&
           fs->descriptor_blocks < blocks && fs->descriptor_blocks < super->blocks_per_group &&
           super->free_blocks <= super->blocks && super->free_inodes <= super->inodes;
}

enum kerr ext2_check_features(const struct ext2 *fs, struct mount *mount)
{
    const struct ext2_super *super = &fs->super;
    if (super->incompatible & ~(uint32_t)EXT2_INCOMPATIBLE_KNOWN)
        return KERR_BAD_VALUE;
    if ((super->incompatible & EXT2_INCOMPATIBLE_RECOVERY) && !(mount->flags & MOUNT_READ_ONLY))
        return KERR_READ_ONLY;
    if (super->read_only & ~(uint32_t)EXT2_READ_ONLY_KNOWN)
        mount->flags |= MOUNT_READ_ONLY;
    return KERR_OK;
}

enum kerr ext2_may_write(const struct ext2 *fs)
{
    const struct ext2_super *super = &fs->super;
    bool has_unknown = (super->read_only & ~(uint32_t)EXT2_READ_ONLY_KNOWN) != 0;
    return has_unknown || (super->incompatible & EXT2_INCOMPATIBLE_RECOVERY) ? KERR_READ_ONLY
                                                                             : KERR_OK;
}

/* The superblock was read. */
static enum kerr take_super(struct ext2 *fs)
{
    struct ext2_super *super = &fs->super;
    if (super->magic != EXT2_MAGIC || super->log_block_bytes >= SHIFTS || super->revision > 1)
        return KERR_BAD_VALUE;
    if (super->revision == 0) {
        super->first_inode = EXT2_FIRST_INODE;
        super->inode_bytes = EXT2_RECORD_BYTES;
        super->compatible = super->incompatible = super->read_only = 0;
        super->reserved_descriptor_blocks = 0;
    }
    fs->block_shift = FIRST_SHIFT + super->log_block_bytes;
    fs->block_bytes = 1u << fs->block_shift;
    fs->block_sectors = fs->block_bytes >> SECTOR_SHIFT;
    fs->names = fs->block_bytes / sizeof(uint32_t);
    fs->names_shift = fs->block_shift - 2;
    fs->bytes_max = bytes_max(fs);
    fs->record_bytes = super->inode_bytes;
    fs->records_shift = fs->block_shift - logarithm(fs->record_bytes);
    fs->first_inode = super->first_inode;
    fs->super_block = super->first_block;
    fs->state_at_mount = super->state;
    return sizes_are_right(fs) && groups_are_right(fs) ? KERR_OK : KERR_BAD_VALUE;
}

static enum kerr begin_meta(struct ext2 *fs, uint32_t shift)
{
    fs->block_sectors = 1u << (shift - SECTOR_SHIFT);
    uint64_t blocks = fs->device->sectors >> (shift - SECTOR_SHIFT);
    uint32_t pages = blocks < OBJECT_PAGE_LIMIT ? (uint32_t)blocks : OBJECT_PAGE_LIMIT;
    return cache_begin(&fs->meta, &meta_operations, fs->device, fs, pages);
}

enum kerr ext2_end_meta(struct ext2 *fs)
{
    if (fs->meta.object == NULL)
        return KERR_OK;
    enum kerr error = cache_settle(&fs->meta, CACHE_DROP);
    if (error == KERR_OK) {
        object_put(fs->meta.object);
        fs->meta.object = NULL;
    }
    return error;
}

/* The superblock stands where block 1 is, if blocks have 1 KiB: it is read so, whatever they have. */
enum kerr ext2_read_super(struct ext2 *fs)
{
    enum kerr error = KERR_OK;
    if (fs->block_bytes == 0) {
        if (fs->meta.object == NULL)
            error = begin_meta(fs, FIRST_SHIFT);
        if (error == KERR_OK)
            error = ext2_read(fs, 1, 0, &fs->super, sizeof(fs->super));
        if (error == KERR_BAD_RANGE)
            error = KERR_BAD_VALUE; /* a device of nearly nothing */
        if (error == KERR_OK)
            error = take_super(fs);
    }
    if (error != KERR_OK || fs->has_meta)
        return error;
    error = ext2_end_meta(fs);
    if (error == KERR_OK)
        error = begin_meta(fs, fs->block_shift);
    fs->has_meta = error == KERR_OK;
    return error;
}

/* ---- groups ---- */

/* The blocks of GROUP. */
static struct ext2_extent extent_of(const struct ext2 *fs, uint32_t group)
{
    uint32_t first = fs->super.first_block + group * fs->super.blocks_per_group;
    uint32_t left = fs->super.blocks - first;
    return (struct ext2_extent){
        first, left < fs->super.blocks_per_group ? left : fs->super.blocks_per_group};
}

/* COUNT blocks from FIRST on lie in EXTENT, behind what is at its start. */
static bool lies_in(struct ext2_extent extent, uint32_t overhead, uint32_t first, uint32_t count)
{
    uint32_t offset = first - extent.first;
    return first >= extent.first && offset >= overhead && offset < extent.count &&
           count <= extent.count - offset;
}

static bool group_is_right(const struct ext2 *fs, const struct ext2_group *group,
                           struct ext2_extent extent)
{
    uint32_t blocks = group->block_bitmap, inodes = group->inode_bitmap;
    return lies_in(extent, group->overhead, blocks, 1) &&
           lies_in(extent, group->overhead, inodes, 1) &&
           lies_in(extent, group->overhead, group->inode_table, fs->table_blocks) &&
           blocks != inodes && blocks - group->inode_table >= fs->table_blocks &&
           inodes - group->inode_table >= fs->table_blocks && group->free_blocks <= extent.count &&
           group->free_inodes <= fs->super.inodes_per_group;
}

static void descriptor_place(const struct ext2 *fs, uint32_t group, uint32_t *block,
                             uint32_t *offset)
{
    uint32_t shift = fs->block_shift - 5; /* logarithm of descriptors in a block */
    *block = fs->super_block + 1 + (group >> shift);
    *offset = (group & ((1u << shift) - 1)) * (uint32_t)sizeof(struct ext2_descriptor);
}

enum kerr ext2_read_groups(struct ext2 *fs)
{
    enum kerr error = KERR_OK;
    for (uint32_t i = 0; i < fs->groups; i++) {
        struct ext2_descriptor descriptor;
        struct ext2_group *group = &fs->group[i];
        uint32_t block, offset;
        descriptor_place(fs, i, &block, &offset);
        error = ext2_read(fs, block, offset, &descriptor, sizeof(descriptor));
        if (error != KERR_OK)
            return error;
        *group = (struct ext2_group){
            .block_bitmap = descriptor.block_bitmap,
            .inode_bitmap = descriptor.inode_bitmap,
            .inode_table = descriptor.inode_table,
            .free_blocks = descriptor.free_blocks,
            .free_inodes = descriptor.free_inodes,
            .directories = descriptor.directories,
            .overhead = has_copy(fs, i)
                            ? 1u + fs->descriptor_blocks + fs->super.reserved_descriptor_blocks
                            : 0,
        };
        if (!group_is_right(fs, group, extent_of(fs, i)))
            return KERR_BAD_VALUE;
    }
    /* What the superblock says is a hint, as after a power cut. */
    fs->super.free_blocks = fs->super.free_inodes = 0;
    for (uint32_t i = 0; i < fs->groups; i++) {
        fs->super.free_blocks += fs->group[i].free_blocks;
        fs->super.free_inodes += fs->group[i].free_inodes;
    }
    return error;
}

bool ext2_is_data(const struct ext2 *fs, uint32_t block)
{
    if (block < fs->super.first_block || block >= fs->super.blocks)
        return false;
    uint32_t offset = block - fs->super.first_block, number = offset / fs->super.blocks_per_group;
    const struct ext2_group *group = &fs->group[number];
    return offset - number * fs->super.blocks_per_group >= group->overhead &&
           block != group->block_bitmap && block != group->inode_bitmap &&
           block - group->inode_table >= fs->table_blocks;
}

/* ---- changes ---- */

enum kerr ext2_put_super(struct ext2 *fs)
{
    struct ext2_super super;
    enum kerr error = ext2_read(fs, fs->super_block, super_offset(fs), &super, sizeof(super));
    if (error == KERR_OK)
        error = ext2_to_write(fs, fs->super_block);
    for (uint32_t i = 1; i <= fs->descriptor_blocks && error == KERR_OK; i++)
        error = ext2_to_write(fs, fs->super_block + i);
    if (error != KERR_OK)
        return error;
    super.free_blocks = fs->super.free_blocks;
    super.free_inodes = fs->super.free_inodes;
    super.state = fs->super.state;
    super.mounts = fs->super.mounts;
    super.mounted = fs->super.mounted;
    super.written = (uint32_t)clock_real_coarse().seconds;
    if (super.revision > 0)
        super.read_only = fs->super.read_only;
    error = ext2_write(fs, fs->super_block, super_offset(fs), &super, sizeof(super));
    for (uint32_t i = 0; i < fs->groups && error == KERR_OK; i++) {
        const struct ext2_group *group = &fs->group[i];
        uint16_t counts[] = {group->free_blocks, group->free_inodes, group->directories};
        uint32_t block, offset;
        descriptor_place(fs, i, &block, &offset);
        error = ext2_write(fs, block, offset + offsetof(struct ext2_descriptor, free_blocks),
                           counts, sizeof(counts));
    }
    fs->counts_are_newer = error != KERR_OK;
    return error;
}

enum kerr ext2_begin_change(struct ext2 *fs)
{
    if (likely(fs->is_marked))
        return KERR_OK;
    if (!fs->is_writable)
        return KERR_READ_ONLY;
    enum kerr error = KERR_OK;
    if (fs->super.state & EXT2_STATE_CLEAN) { /* an unmount failed */
        fs->super.state &= (uint16_t)~EXT2_STATE_CLEAN;
        error = ext2_put_super(fs);
    }
    if (error == KERR_OK)
        error = ext2_page_out(&fs->meta, fs->super_block);
    if (error == KERR_OK) /* and no disk keeps that back for what comes */
        error = cache_flush(fs->device, &fs->mark_ticket);
    fs->is_marked = error == KERR_OK;
    fs->is_finished = false;
    return error;
}

enum kerr ext2_allow_large(struct ext2 *fs)
{
    if (!(fs->super.read_only & EXT2_READ_ONLY_LARGE)) {
        if (fs->super.revision == 0)
            return KERR_TOO_LARGE;
        fs->super.read_only |= EXT2_READ_ONLY_LARGE;
        enum kerr error = ext2_put_super(fs);
        if (error != KERR_OK) {
            fs->super.read_only &= ~(uint32_t)EXT2_READ_ONLY_LARGE;
            return error;
        }
    }
    return ext2_page_out(&fs->meta, fs->super_block);
}

/* What three levels of blocks can name; and a record counts sectors in 32 bits. */
enum kerr ext2_room(struct mount *mount, struct mount_room *room)
{
    const struct ext2 *fs = mount->data;
    const struct ext2_super *super = &fs->super;
    uint32_t overhead = super->first_block;
    for (uint32_t i = 0; i < fs->groups; i++)
        overhead += fs->group[i].overhead + 2 + fs->table_blocks;
    uint32_t blocks = super->free_blocks + fs->released_blocks;
    uint32_t identity[2];
    memcpy(identity, super->uuid, sizeof(identity));
    *room = (struct mount_room){
        .magic = EXT2_MAGIC,
        .block_bytes = fs->block_bytes,
        .blocks = super->blocks - overhead,
        .free_blocks = blocks,
        .available_blocks = blocks > super->reserved_blocks ? blocks - super->reserved_blocks : 0,
        .files = super->inodes,
        .free_files = super->free_inodes + fs->released_inodes,
        .identity = {identity[0], identity[1]},
    };
    return KERR_OK;
}

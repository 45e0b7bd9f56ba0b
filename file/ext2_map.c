/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: which blocks a file has. Its record names twelve, and three that name blocks: of
 * blocks, of blocks of blocks, of blocks of blocks of blocks.
 *
 *     record  block[0..11] ────────────────────────▶ data
 *             block[12] ──▶ names ─────────────────▶ data
 *             block[13] ──▶ names ──▶ names ───────▶ data
 *             block[14] ──▶ names ──▶ names ──▶ ... ▶ data
 *
 * 0 is a hole. What leads to a page of a file runs in the fault path.
 */
#include "ext2.h"

#include <kernel/panic.h>

enum { LEVELS = 3, CHUNK = 64 };

/* The way to a block: entry slot[0] of the record, slot[1] of the block named there, and so on. */
struct way {
    uint32_t levels; /* blocks of names on it */
    uint32_t slot[LEVELS + 1];
};

/* KERR_TOO_LARGE: no way leads so far. */
static enum kerr find_way(const struct ext2 *fs, uint32_t index, struct way *way)
{
    uint64_t first = EXT2_DIRECT, count = 1;
    if (index < EXT2_DIRECT) {
        *way = (struct way){0, {index}};
        return KERR_OK;
    }
    for (uint32_t level = 1; level <= LEVELS; level++) {
        count <<= fs->names_shift;
        if (index - first >= count) {
            first += count;
            continue;
        }
        uint32_t offset = index - (uint32_t)first;
        way->levels = level;
        way->slot[0] = EXT2_DIRECT + level - 1;
        for (uint32_t at = level; at > 0; at--) {
            way->slot[at] = offset & (fs->names - 1);
            offset >>= fs->names_shift;
        }
        return KERR_OK;
    }
    return KERR_TOO_LARGE;
}

static enum kerr read_name(struct ext2 *fs, uint32_t block, uint32_t slot, uint32_t *name)
{
    return ext2_read(fs, block, slot * (uint32_t)sizeof(*name), name, sizeof(*name));
}

/* BLOCK, which INODE names, can be believed. */
static enum kerr check(struct ext2_inode *inode, uint32_t block)
{
    if (block == 0 || likely(ext2_is_data(ext2_of(inode), block)))
        return KERR_OK;
    return ext2_broken(ext2_of(inode), "a block that no file can have, of inode",
                       inode->inode.number);
}

/* What is at the end of the first LEVELS steps of WAY; 0: it ends before. */
static enum kerr follow(struct ext2_inode *inode, const struct way *way, uint32_t levels,
                        uint32_t *block)
{
    *block = inode->block[way->slot[0]];
    enum kerr error = check(inode, *block);
    for (uint32_t level = 1; level <= levels && *block != 0 && error == KERR_OK; level++) {
        error = read_name(ext2_of(inode), *block, way->slot[level], block);
        if (error == KERR_OK)
            error = check(inode, *block);
    }
    return error;
}

enum kerr ext2_map(struct ext2_inode *inode, uint32_t index, uint32_t *block)
{
    struct way way;
    *block = 0;
    if (find_way(ext2_of(inode), index, &way) != KERR_OK)
        return KERR_OK;
    return follow(inode, &way, way.levels, block);
}

enum kerr ext2_map_run(struct ext2_inode *inode, uint32_t index, uint32_t *block, uint32_t *count)
{
    const struct ext2 *fs = ext2_of(inode);
    struct way way;
    enum kerr error = KERR_OK;
    *block = 0;
    *count = 1;
    if (find_way(fs, index, &way) != KERR_OK)
        return KERR_OK;
    for (uint32_t level = 0; error == KERR_OK && level <= way.levels; level++) {
        uint32_t below = fs->names_shift * (way.levels - level), inside = 0;
        error = follow(inode, &way, level, block);
        if (error != KERR_OK || *block != 0 || below >= 32)
            continue;
        for (uint32_t at = level + 1; at <= way.levels; at++)
            inside = inside << fs->names_shift | way.slot[at];
        *count = (1u << below) - inside;
        return KERR_OK;
    }
    return error;
}

/* ---- growing ---- */

void ext2_note_meta(struct ext2_inode *inode, uint32_t block)
{
    if (inode->meta_end == 0 || block < inode->meta_first)
        inode->meta_first = block;
    if (block >= inode->meta_end)
        inode->meta_end = block + 1;
}

static void count_block(struct ext2_inode *inode, bool more)
{
    uint32_t sectors = ext2_of(inode)->block_sectors;
    inode->inode.status.sectors += more ? sectors : -(uint64_t)sectors;
    inode_changed(&inode->inode);
}

static uint32_t goal_for(struct ext2_inode *inode, uint32_t index)
{
    const struct ext2 *fs = ext2_of(inode);
    if (inode->last_block != 0 && index - inode->last_index <= fs->names)
        return inode->last_block + 1;
    uint32_t group = (inode->inode.number - 1) / fs->super.inodes_per_group;
    return fs->super.first_block + group * fs->super.blocks_per_group;
}

/* The WAY's step LEVEL, from BLOCK (or the record), can be changed to NAME; and is. */
static enum kerr name_to_write(struct ext2_inode *inode, uint32_t level, uint32_t block)
{
    return level == 0 ? KERR_OK : ext2_to_write(ext2_of(inode), block);
}

static void set_name(struct ext2_inode *inode, const struct way *way, uint32_t level,
                     uint32_t block, uint32_t name)
{
    uint32_t slot = way->slot[level];
    if (level == 0) {
        inode->block[slot] = name;
        return;
    }
    enum kerr error =
        ext2_write(ext2_of(inode), block, slot * (uint32_t)sizeof(name), &name, sizeof(name));
    ASSERT(error == KERR_OK, "block %u of names can be written", (unsigned)block);
    ext2_note_meta(inode, block);
}

/* A block that nothing names yet, as *PREPARED: zeros, or ENTRIES of a directory. */
static enum kerr prepare_block(struct ext2_inode *inode, uint32_t index, uint32_t *prepared,
                               bool entries)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t block;
    enum kerr error = ext2_block_find(fs, goal_for(inode, index), &block);
    if (error == KERR_OK)
        error = ext2_blank(fs, block);
    if (error != KERR_OK)
        return error;
    if (entries) {
        const struct ext2_entry free_entry = {.bytes = (uint16_t)fs->block_bytes};
        error = ext2_write(fs, block, 0, &free_entry, sizeof(free_entry));
        ASSERT(error == KERR_OK, "block %u can be written", (unsigned)block);
    }
    ext2_block_take(fs, block);
    ext2_note_meta(inode, block);
    inode->last_index = index;
    inode->last_block = block;
    *prepared = block;
    return KERR_OK;
}

/* Step LEVEL of WAY to INDEX is made, from BLOCK on: to a block that is on the disk before, unless
 * no record leads there. */
static enum kerr make_prepared(struct ext2_inode *inode, uint32_t index, const struct way *way,
                               uint32_t level, uint32_t *block)
{
    bool entries = level == way->levels;
    uint32_t *prepared = entries ? &inode->prepared_entries : &inode->prepared;
    enum kerr error = KERR_OK;
    if (*prepared == 0)
        error = prepare_block(inode, index, prepared, entries);
    if (error == KERR_OK && inode->life != EXT2_NEW)
        error = ext2_page_out(&ext2_of(inode)->meta, *prepared);
    if (error == KERR_OK &&
        inode->life != EXT2_NEW) /* what names garbage may lose all that is before it */
        error = cache_flush(ext2_of(inode)->device, &inode->prepared_ticket);
    if (error == KERR_OK)
        error = name_to_write(inode, level, *block);
    if (error != KERR_OK)
        return error;
    set_name(inode, way, level, *block, *prepared);
    *block = *prepared;
    *prepared = 0;
    count_block(inode, true);
    return KERR_OK;
}

/* What a page wants at once: all of it, or nothing has changed. */
struct wanted {
    uint32_t count, index[CACHE_PIECES_MAX], block[CACHE_PIECES_MAX];
};

/* Which of the COUNT blocks from INDEX on, that WAY leads to by BLOCK, are not there: *WANTED. */
static enum kerr find_missing(struct ext2_inode *inode, uint32_t index, uint32_t count,
                              struct way way, uint32_t block, struct wanted *wanted)
{
    uint32_t first = way.slot[way.levels], name;
    enum kerr error = KERR_OK;
    wanted->count = 0;
    for (uint32_t i = 0; i < count && error == KERR_OK; i++) {
        name = inode->block[(first + i) % EXT2_ROOTS];
        if (way.levels > 0)
            error = read_name(ext2_of(inode), block, first + i, &name);
        if (error == KERR_OK)
            error = check(inode, name);
        if (error == KERR_OK && name == 0)
            wanted->index[wanted->count++] = index + i;
    }
    return error;
}

/* The COUNT blocks from INDEX on, which one block of names or the record names, are there. */
static enum kerr make_data(struct ext2_inode *inode, uint32_t index, uint32_t count, struct way way,
                           uint32_t block)
{
    struct ext2 *fs = ext2_of(inode);
    struct wanted wanted;
    uint32_t first = way.slot[way.levels];
    enum kerr error = find_missing(inode, index, count, way, block, &wanted);
    if (error != KERR_OK || wanted.count == 0)
        return error;
    error = name_to_write(inode, way.levels, block);
    if (error == KERR_OK)
        error = ext2_blocks_find(fs, goal_for(inode, wanted.index[0]), wanted.count, wanted.block);
    for (uint32_t i = 0; i < wanted.count && error == KERR_OK; i++) {
        ext2_block_take(fs, wanted.block[i]);
        way.slot[way.levels] = first + wanted.index[i] - index;
        set_name(inode, &way, way.levels, block, wanted.block[i]);
        inode->last_index = wanted.index[i];
        inode->last_block = wanted.block[i];
        count_block(inode, true);
    }
    return error;
}

enum kerr ext2_map_new(struct ext2_inode *inode, uint32_t index, uint32_t count)
{
    struct way way;
    uint32_t block = 0, next;
    bool is_entries = inode_is_directory(&inode->inode) && inode->life != EXT2_NEW;
    enum kerr error = find_way(ext2_of(inode), index, &way);
    if (error != KERR_OK)
        return error;
    uint32_t prepared = is_entries && way.levels > 0 ? way.levels + 1 : way.levels;
    for (uint32_t level = 0; error == KERR_OK && level < prepared; level++) {
        error = follow(inode, &way, level, &next);
        if (error == KERR_OK && next == 0)
            error = make_prepared(inode, index, &way, level, &block);
        else
            block = next;
    }
    return error == KERR_OK && prepared == way.levels ? make_data(inode, index, count, way, block)
                                                      : error;
}

enum kerr ext2_map_settle(struct ext2_inode *inode)
{
    struct ext2 *fs = ext2_of(inode);
    if (inode->prepared == 0 && inode->prepared_entries == 0)
        return KERR_OK;
    enum kerr error = ext2_release_prepare(fs, 2);
    if (error != KERR_OK)
        return error;
    if (inode->prepared != 0)
        ext2_release_block(fs, inode->prepared);
    if (inode->prepared_entries != 0)
        ext2_release_block(fs, inode->prepared_entries);
    inode->prepared = inode->prepared_entries = 0;
    return KERR_OK;
}

/* ---- shrinking ---- */

static void release(struct ext2_inode *inode, uint32_t block)
{
    ext2_release_block(ext2_of(inode), block);
    count_block(inode, false);
}

/* The names of BLOCK from slot FROM on are released. Lies of the disk are passed over. */
static enum kerr release_names(struct ext2_inode *inode, uint32_t block, uint32_t from)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t names[CHUNK];
    for (uint32_t slot = from; slot < fs->names;) {
        uint32_t count = CHUNK - slot % CHUNK;
        enum kerr error = ext2_read(fs, block, slot * (uint32_t)sizeof(uint32_t), names,
                                    count * (uint32_t)sizeof(uint32_t));
        if (error != KERR_OK)
            return error;
        for (uint32_t i = 0; i < count; i++)
            if (names[i] != 0 && check(inode, names[i]) == KERR_OK)
                release(inode, names[i]);
        slot += count;
    }
    return KERR_OK;
}

static void clear_names(struct ext2_inode *inode, uint32_t block, uint32_t from)
{
    static const uint32_t zeros[CHUNK];
    struct ext2 *fs = ext2_of(inode);
    for (uint32_t slot = from; slot < fs->names;) {
        uint32_t count = CHUNK - slot % CHUNK;
        enum kerr error = ext2_write(fs, block, slot * (uint32_t)sizeof(uint32_t), zeros,
                                     count * (uint32_t)sizeof(uint32_t));
        ASSERT(error == KERR_OK, "block %u of names can be written", (unsigned)block);
        slot += count;
    }
    ext2_note_meta(inode, block);
}

/* The last name of BLOCK that is not 0, at or behind slot FROM; *NAME 0: there is none. */
static enum kerr last_name(struct ext2 *fs, uint32_t block, uint32_t from, uint32_t *slot,
                           uint32_t *name)
{
    uint32_t names[CHUNK];
    *name = 0;
    for (uint32_t end = fs->names; end > from;) {
        uint32_t first = (end - 1) & ~(CHUNK - 1u);
        enum kerr error =
            ext2_read(fs, block, first * (uint32_t)sizeof(uint32_t), names, sizeof(names));
        if (error != KERR_OK)
            return error;
        for (; end > first && end > from; end--)
            if (names[end - 1 - first] != 0) {
                *slot = end - 1;
                *name = names[end - 1 - first];
                return KERR_OK;
            }
    }
    return KERR_OK;
}

static enum kerr cut_leaf(struct ext2_inode *inode, uint32_t block, uint32_t keep, bool *is_gone)
{
    enum kerr error = keep > 0 ? ext2_to_write(ext2_of(inode), block) : KERR_OK;
    if (error == KERR_OK)
        error = release_names(inode, block, keep);
    if (error == KERR_OK && keep > 0)
        clear_names(inode, block, keep);
    *is_gone = error == KERR_OK && keep == 0;
    return error;
}

/*
 * The tree below BLOCK, HEIGHT blocks of names high, loses one leaf: the last of those that have blocks
 * at or behind its block number KEEP, or a part of that one.
 *   *did       something changed;
 *   *is_gone   nothing is left below BLOCK, nor may be
 */
static enum kerr cut_tree(struct ext2_inode *inode, uint32_t block, uint32_t height, uint32_t keep,
                          bool *did, bool *is_gone)
{
    struct ext2 *fs = ext2_of(inode);
    uint32_t shift = fs->names_shift * (height - 1), slot = 0, child;
    bool child_is_gone = true;
    *is_gone = false;
    if (height == 1)
        return cut_leaf(inode, block, keep, is_gone);
    enum kerr error = last_name(fs, block, keep >> shift, &slot, &child);
    if (error != KERR_OK || child == 0) {
        *is_gone = error == KERR_OK && keep == 0;
        return error;
    }
    uint32_t child_keep = slot == keep >> shift ? keep & ((1u << shift) - 1) : 0;
    bool is_ours = check(inode, child) == KERR_OK;
    if (child_keep == 0 || !is_ours)
        error = ext2_to_write(fs, block);
    if (error == KERR_OK && is_ours)
        error = cut_tree(inode, child, height - 1, child_keep, did, &child_is_gone);
    if (error != KERR_OK || !child_is_gone)
        return error;
    const struct way way = {.levels = 1, .slot = {0, slot}};
    set_name(inode, &way, 1, block, 0);
    if (is_ours)
        release(inode, child);
    *did = true;
    return KERR_OK;
}

/* The same from entry ROOT of the record on. */
static enum kerr cut_root(struct ext2_inode *inode, uint32_t root, uint32_t keep)
{
    uint32_t block = inode->block[root];
    uint64_t before = inode->inode.status.sectors;
    bool did = false, is_gone = true, is_ours = check(inode, block) == KERR_OK;
    enum kerr error = KERR_OK;
    if (block == 0)
        return KERR_OK;
    if (is_ours)
        error = cut_tree(inode, block, root - EXT2_DIRECT + 1, keep, &did, &is_gone);
    if (error != KERR_OK)
        return error;
    if (is_gone) {
        inode->block[root] = 0;
        inode_changed(&inode->inode);
        if (is_ours)
            release(inode, block);
        return KERR_AGAIN;
    }
    return did || before != inode->inode.status.sectors ? KERR_AGAIN : KERR_OK;
}

enum kerr ext2_map_cut(struct ext2_inode *inode, uint32_t keep)
{
    struct ext2 *fs = ext2_of(inode);
    uint64_t first[LEVELS], count = 1, next = EXT2_DIRECT;
    for (uint32_t level = 0; level < LEVELS; level++) {
        first[level] = next;
        count <<= fs->names_shift;
        next += count;
    }
    enum kerr error = ext2_release_prepare(fs, fs->names + LEVELS + EXT2_DIRECT);
    for (uint32_t level = LEVELS; level > 0 && error == KERR_OK; level--) {
        uint32_t root = EXT2_DIRECT + level - 1;
        uint64_t start = first[level - 1], end = start + (1ull << fs->names_shift * level);
        if (keep < end)
            error = cut_root(inode, root, keep > start ? (uint32_t)(keep - start) : 0);
    }
    for (uint32_t i = EXT2_DIRECT; i > keep && error == KERR_OK; i--) {
        uint32_t block = inode->block[i - 1];
        inode->block[i - 1] = 0;
        if (block != 0 && check(inode, block) == KERR_OK)
            release(inode, block);
    }
    return error;
}

/* ---- for the page cache ---- */

static enum kerr locate(struct cache *cache, uint32_t page, struct cache_place *place)
{
    struct ext2_inode *inode = ext2_of_cache(cache);
    const struct ext2 *fs = ext2_of(inode);
    uint32_t pieces = PAGE_BYTES >> fs->block_shift, block;
    uint64_t index = (uint64_t)page * pieces;
    place->pieces = pieces;
    place->sectors = fs->block_sectors;
    for (uint32_t i = 0; i < pieces; i++) {
        enum kerr error = KERR_OK;
        block = 0;
        if (index + i <= UINT32_MAX)
            error = ext2_map(inode, (uint32_t)(index + i), &block);
        if (error != KERR_OK)
            return error;
        place->sector[i] = block == 0 ? CACHE_HOLE : (uint64_t)block * fs->block_sectors;
    }
    return KERR_OK;
}

/* Blocks that lie within the file, or will. */
static enum kerr allocate(struct cache *cache, uint32_t page)
{
    struct ext2_inode *inode = ext2_of_cache(cache);
    const struct ext2 *fs = ext2_of(inode);
    uint32_t pieces = PAGE_BYTES >> fs->block_shift;
    uint64_t end =
        inode->grows_to > inode->inode.status.bytes ? inode->grows_to : inode->inode.status.bytes;
    uint64_t index = (uint64_t)page * pieces;
    uint64_t blocks = (end + fs->block_bytes - 1) >> fs->block_shift;
    if (index >= blocks || inode->needs_no_room)
        return KERR_OK;
    /* A page's blocks have their names in one place: there are 12 direct ones, then a power of two. */
    uint64_t count = blocks - index < pieces ? blocks - index : pieces;
    enum kerr error;
    do
        error = ext2_map_new(inode, (uint32_t)index, (uint32_t)count);
    while (inode_gains_room(inode->inode.mount, &error));
    return error;
}
_Static_assert(EXT2_DIRECT % CACHE_PIECES_MAX == 0, "no page has blocks on two ways");

/* A page of a directory is one block. What it is held back for is written before it. */
static enum kerr locate_entries(struct cache *cache, uint32_t page, struct cache_place *place)
{
    struct ext2_inode *directory = ext2_of_cache(cache);
    const struct ext2 *fs = ext2_of(directory);
    uint32_t block = 0;
    enum kerr error = KERR_OK;
    if (object_page_word(cache->object, page) & PAGE_DIRTY)
        error = ext2_holds_end(directory, page);
    if (error == KERR_OK)
        error = ext2_map(directory, page, &block);
    place->pieces = 1;
    place->sectors = fs->block_sectors;
    place->sector[0] = block == 0 ? CACHE_HOLE : (uint64_t)block * fs->block_sectors;
    return error;
}

static enum kerr allocate_entries(struct cache *cache, uint32_t page)
{
    struct ext2_inode *directory = ext2_of_cache(cache);
    if (page >= ext2_blocks(ext2_of(directory), directory->inode.status.bytes))
        return KERR_OK;
    return ext2_map_new(directory, page, 1);
}

const struct cache_operations ext2_file_cache = {
    .locate = locate, .allocate = allocate, .keeps_places = true, .name = "ext2"};
const struct cache_operations ext2_directory_cache = {.locate = locate_entries,
                                                      .allocate = allocate_entries,
                                                      .is_stable = true,
                                                      .keeps_places = true,
                                                      .name = "ext2"};

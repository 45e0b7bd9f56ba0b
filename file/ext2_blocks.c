/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: which blocks are free. A bit for each block of a group, 1 = in use; how many are
 * free is known in the core. Runs in the fault path.
 *
 * Finding a block brings its bitmap for writing; taking it then can't fail.
 */
#include "ext2.h"

#include <kernel/panic.h>

enum { CHUNK_BYTES = 128, BITS_PER_BYTE = 8, BITS_PER_WORD = 32 };

/* ---- bitmaps ---- */

enum kerr ext2_find_clear(struct ext2 *fs, uint32_t block, uint32_t from, uint32_t end,
                          uint32_t *bit)
{
    uint32_t words[CHUNK_BYTES / sizeof(uint32_t)], chunk = UINT32_MAX;
    for (*bit = from; *bit < end; ++*bit) {
        uint32_t at = *bit / (CHUNK_BYTES * BITS_PER_BYTE);
        if (at != chunk) {
            enum kerr error = ext2_read(fs, block, at * CHUNK_BYTES, words, sizeof(words));
            if (error != KERR_OK)
                return error;
            chunk = at;
        }
        uint32_t word = words[*bit / BITS_PER_WORD % ARRAY_LENGTH(words)];
        if (word == UINT32_MAX)
            *bit |= BITS_PER_WORD - 1;
        else if (!(word >> *bit % BITS_PER_WORD & 1))
            return KERR_OK;
    }
    *bit = end;
    return KERR_OK;
}

enum kerr ext2_change_bit(struct ext2 *fs, uint32_t block, uint32_t bit, bool set, bool *before)
{
    uint32_t offset = bit / BITS_PER_BYTE;
    uint8_t byte, mask = (uint8_t)(1u << bit % BITS_PER_BYTE);
    enum kerr error = ext2_read(fs, block, offset, &byte, 1);
    if (error != KERR_OK)
        return error;
    *before = (byte & mask) != 0;
    byte = (uint8_t)(set ? byte | mask : byte & ~mask);
    return ext2_write(fs, block, offset, &byte, 1);
}

/* ---- groups ---- */

static uint32_t group_of(const struct ext2 *fs, uint32_t block, uint32_t *bit)
{
    uint32_t offset = block - fs->super.first_block, group = offset / fs->super.blocks_per_group;
    *bit = offset - group * fs->super.blocks_per_group;
    return group;
}

static uint32_t first_of(const struct ext2 *fs, uint32_t group)
{
    return fs->super.first_block + group * fs->super.blocks_per_group;
}

static uint32_t blocks_of(const struct ext2 *fs, uint32_t group)
{
    uint32_t left = fs->super.blocks - first_of(fs, group);
    return left < fs->super.blocks_per_group ? left : fs->super.blocks_per_group;
}

/* A free block of GROUP from bit FROM on; *BLOCK 0: there is none. */
static enum kerr find_in_group(struct ext2 *fs, uint32_t group, uint32_t from, uint32_t *block)
{
    uint32_t bitmap = fs->group[group].block_bitmap, bit, end = blocks_of(fs, group);
    *block = 0;
    do {
        enum kerr error = ext2_find_clear(fs, bitmap, from, end, &bit);
        if (error != KERR_OK)
            return error;
        from = bit + 1;
        /* What the bitmap says of the file system's own blocks is not believed. */
    } while (bit < end && !ext2_is_data(fs, first_of(fs, group) + bit));
    if (bit == end)
        return KERR_OK;
    *block = first_of(fs, group) + bit;
    return ext2_to_write(fs, bitmap);
}

/* The same anywhere, from GOAL on and round. */
static enum kerr find_anywhere(struct ext2 *fs, uint32_t goal, uint32_t *block)
{
    uint32_t bit, group = group_of(fs, goal, &bit);
    *block = 0;
    for (uint32_t i = 0; i <= fs->groups && *block == 0; i++) {
        if (fs->group[group].free_blocks > 0) {
            enum kerr error = find_in_group(fs, group, i == 0 ? bit : 0, block);
            if (error != KERR_OK)
                return error;
        }
        group = group + 1 == fs->groups ? 0 : group + 1;
    }
    return KERR_OK;
}

/* The same of COUNT different ones; *FOUND, if there are not so many. */
static enum kerr find_several(struct ext2 *fs, uint32_t goal, uint32_t count, uint32_t blocks[],
                              uint32_t *found)
{
    enum kerr error = KERR_OK;
    bool is_new = true;
    for (*found = 0; *found < count && error == KERR_OK && is_new; *found += is_new) {
        uint32_t *block = &blocks[*found];
        if (goal < fs->super.first_block || goal >= fs->super.blocks)
            goal = fs->super.first_block;
        error = find_anywhere(fs, goal, block);
        /* Round and round: the first one comes again when there are no more. */
        is_new = error == KERR_OK && *block != 0 && (*found == 0 || *block != blocks[0]);
        goal = *block + 1;
    }
    return error;
}

enum kerr ext2_blocks_find(struct ext2 *fs, uint32_t goal, uint32_t count, uint32_t blocks[])
{
    uint32_t found = 0;
    enum kerr error = ext2_begin_change(fs);
    if (error == KERR_OK)
        error = find_several(fs, goal, count, blocks, &found);
    if (error != KERR_OK || found == count)
        return error;
    if (fs->released_blocks == 0)
        return KERR_NO_SPACE;
    error = ext2_commit(fs);
    if (error == KERR_OK)
        error = find_several(fs, goal, count, blocks, &found);
    return error == KERR_OK && found < count ? KERR_NO_SPACE : error;
}

enum kerr ext2_block_find(struct ext2 *fs, uint32_t goal, uint32_t *block)
{
    return ext2_blocks_find(fs, goal, 1, block);
}

static void change(struct ext2 *fs, uint32_t block, bool take)
{
    uint32_t bit, number = group_of(fs, block, &bit);
    bool before;
    enum kerr error = ext2_change_bit(fs, fs->group[number].block_bitmap, bit, take, &before);
    ASSERT(error == KERR_OK && before != take, "block %u: its bitmap can be written",
           (unsigned)block);
    fs->group[number].free_blocks =
        (uint16_t)(take ? fs->group[number].free_blocks - 1 : fs->group[number].free_blocks + 1);
    fs->super.free_blocks += take ? -1u : 1u;
    fs->counts_are_newer = true;
}

void ext2_block_take(struct ext2 *fs, uint32_t block)
{
    change(fs, block, true);
}

void ext2_block_untake(struct ext2 *fs, uint32_t block)
{
    change(fs, block, false);
}

/* Those of EXTENT that the bitmaps say are in use: another claim was a lie of the disk. */
enum kerr ext2_blocks_free(struct ext2 *fs, struct ext2_extent extent)
{
    uint32_t bit, last, end = extent.first + extent.count;
    uint32_t first = group_of(fs, extent.first, &bit), until = group_of(fs, end - 1, &last);
    for (uint32_t group = first; group <= until; group++) {
        enum kerr error = ext2_to_write(fs, fs->group[group].block_bitmap);
        if (error != KERR_OK)
            return error;
    }
    for (uint32_t block = extent.first; block < end; block++) {
        bool before;
        uint32_t group = group_of(fs, block, &bit);
        enum kerr error = ext2_change_bit(fs, fs->group[group].block_bitmap, bit, false, &before);
        ASSERT(error == KERR_OK, "bitmap of group %u: it can be written", (unsigned)group);
        if (!before) {
            ext2_broken(fs, "a block was freed twice", block);
            continue;
        }
        fs->group[group].free_blocks++;
        fs->super.free_blocks++;
    }
    fs->counts_are_newer = true;
    return KERR_OK;
}

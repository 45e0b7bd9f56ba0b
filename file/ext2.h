/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Private to ext2: what stands on the disk, what is in the core, and who does what.
 *
 *   ext2_mount.c      mount, sync, unmount
 *   ext2_super.c      superblock, groups, blocks of metadata
 *   ext2_order.c      the order of writes: what waits for what, and when room can be used again
 *   ext2_blocks.c     which blocks are free
 *   ext2_map.c        which blocks a file has
 *   ext2_inodes.c     which inodes are free; their records
 *   ext2_directory.c  entries of directories
 *   ext2_names.c      names: lookup, create, link, remove
 *   ext2_rename.c     and rename
 *   ext2_files.c      pages, lengths, the way to the disk, the end
 *
 * Metadata (superblock, descriptors, bitmaps, tables of inodes, indirect blocks, targets of long
 * symbolic links) are pages of `meta`, a cache whose page N is block N and nothing else, however
 * small blocks are: so a page of metadata never has a piece of somebody's data in it. Data of files and
 * directories are pages of their own caches.
 *
 * Numbers are little-endian, as the CPU's. Nothing that is read from the disk is believed.
 * Source: "The Second Extended File System, Internal Layout" (D. Poirier).
 */
#ifndef FILE_EXT2_H
#define FILE_EXT2_H

#include <file/inode.h>
#include <store/cache.h>

/* ---- on the disk ---- */

enum {
    EXT2_MAGIC = 0xEF53,
    EXT2_SUPER_OFFSET = 1024, /* bytes from the start of the device */
    EXT2_ROOT = 2,            /* inode of the root directory */
    EXT2_FIRST_INODE = 11,    /* that is not reserved, if nothing else is said */
    EXT2_RECORD_BYTES = 128,  /* of an inode, at least */
    EXT2_DIRECT = 12,         /* blocks that a record names itself; then three that name blocks */
    EXT2_ROOTS = 15,
    EXT2_LINKS_MAX = 32000,
    EXT2_TARGET_BYTES = 60, /* of a symbolic link that stands in its record, and a zero */
};

enum ext2_state { EXT2_STATE_CLEAN = 1, EXT2_STATE_ERRORS = 2 };

enum ext2_features {
    /* Who does not know one may read and write: */
    EXT2_COMPATIBLE_JOURNAL = 0x4,
    EXT2_COMPATIBLE_INDEX = 0x20,
    /* may not; */
    EXT2_INCOMPATIBLE_TYPES = 0x2,    /* entries say the type */
    EXT2_INCOMPATIBLE_RECOVERY = 0x4, /* there is something in the journal */
    EXT2_INCOMPATIBLE_KNOWN = EXT2_INCOMPATIBLE_TYPES | EXT2_INCOMPATIBLE_RECOVERY,
    /* may read. */
    EXT2_READ_ONLY_SPARSE = 0x1, /* not each group has a copy of the superblock */
    EXT2_READ_ONLY_LARGE = 0x2,  /* a file has more than 2^31 - 1 bytes */
    EXT2_READ_ONLY_TREES = 0x4,  /* never used */
    EXT2_READ_ONLY_KNOWN = EXT2_READ_ONLY_SPARSE | EXT2_READ_ONLY_LARGE | EXT2_READ_ONLY_TREES,
};

struct ext2_super {
    uint32_t inodes, blocks, reserved_blocks, free_blocks, free_inodes;
    uint32_t first_block; /* of group 0: 1 if blocks have 1 KiB, else 0 */
    uint32_t log_block_bytes, log_fragment_bytes;
    uint32_t blocks_per_group, fragments_per_group, inodes_per_group;
    uint32_t mounted, written; /* seconds since 1970 */
    uint16_t mounts, mounts_max;
    uint16_t magic, state, errors, minor_revision;
    uint32_t checked, check_interval, creator, revision;
    uint16_t reserved_user, reserved_group;
    /* Of revision 1: */
    uint32_t first_inode;
    uint16_t inode_bytes, group_here;
    uint32_t compatible, incompatible, read_only;
    uint8_t uuid[16];
    char label[16], last_mounted[64];
    uint32_t compression;
    uint8_t preallocate, preallocate_directory;
    uint16_t reserved_descriptor_blocks;
};
_Static_assert(offsetof(struct ext2_super, magic) == 56, "superblock");
_Static_assert(offsetof(struct ext2_super, first_inode) == 84, "superblock");
_Static_assert(offsetof(struct ext2_super, reserved_descriptor_blocks) == 206, "superblock");

struct ext2_descriptor {
    uint32_t block_bitmap, inode_bitmap, inode_table;
    uint16_t free_blocks, free_inodes, directories, flags;
    uint32_t reserved[3];
};
_Static_assert(sizeof(struct ext2_descriptor) == 32, "descriptor");

enum { EXT2_FLAG_INDEX = 0x1000 }; /* a directory with a tree of hashes in it */

struct ext2_record {
    uint16_t mode, user;
    uint32_t bytes;
    uint32_t accessed, changed, modified, deleted;
    uint16_t group, links;
    uint32_t sectors, flags, version;
    uint32_t block[EXT2_ROOTS];
    uint32_t generation, attributes;
    uint32_t bytes_high; /* of a regular file */
    uint32_t fragment;
    uint8_t fragment_number, fragment_bytes;
    uint16_t sectors_high, user_high, group_high;
    uint32_t checksum;
};
_Static_assert(sizeof(struct ext2_record) == EXT2_RECORD_BYTES, "inode");

/* An entry of a directory: the name follows, then what is left up to `bytes`, a multiple of 4. */
struct ext2_entry {
    uint32_t number; /* 0: it is free */
    uint16_t bytes;  /* to the next one, which does not leave the block */
    uint8_t length;  /* of the name */
    uint8_t type;    /* enum ext2_type; 0: not said */
};
_Static_assert(sizeof(struct ext2_entry) == 8, "entry");

enum ext2_type {
    EXT2_TYPE_REGULAR = 1,
    EXT2_TYPE_DIRECTORY,
    EXT2_TYPE_CHARACTER,
    EXT2_TYPE_BLOCK,
    EXT2_TYPE_FIFO,
    EXT2_TYPE_SOCKET,
    EXT2_TYPE_LINK,
    EXT2_TYPES,
};

/* ---- in the core ---- */

struct ext2_group {
    uint32_t block_bitmap, inode_bitmap, inode_table;
    uint32_t overhead; /* blocks at its start: copies of superblock and descriptors */
    uint16_t free_blocks, free_inodes, directories;
};

/* Blocks [first, first + count), or inodes, that have been given up. */
struct ext2_extent {
    uint32_t first, count;
};
enum { EXT2_BLOCK_EXTENTS = 1536, EXT2_INODE_EXTENTS = 256 }; /* more than a block can name */
struct ext2_released {
    struct ext2_extent blocks[EXT2_BLOCK_EXTENTS], inodes[EXT2_INODE_EXTENTS];
    uint32_t block_extents, inode_extents;
};

struct ext2 {
    struct list link; /* of those that are mounted, or of those that will be (ext2_mount.c) */
    enum kerr failed; /* the mount failed so, and something is under way still */
    struct mount *mount;
    struct block_device *device;
    struct cache meta;
    uint32_t block_shift, block_bytes, block_sectors;
    uint32_t names_shift, names;          /* block numbers that fit in a block, and its logarithm */
    uint32_t record_bytes, records_shift; /* of an inode; and logarithm of how many in a block */
    struct ext2_super super;              /* as it was read; counts and state are newer here */
    struct ext2_group *group;
    uint32_t groups, descriptor_blocks, table_blocks, super_block;
    uint32_t first_inode;
    uint64_t bytes_max; /* of a file */
    uint16_t state_at_mount;
    bool has_meta; /* `meta` has pages of the right size */
    bool is_writable;
    bool is_counted;           /* so does the superblock in the cache: mark() */
    bool is_marked;            /* the disk says that it is mounted */
    uint32_t mark_ticket;      /* for the flush behind that */
    bool is_finished;          /* the cache says that it is not, any more */
    uint32_t complaints;       /* lines that were printed */
    bool counts_are_newer;     /* than what is in the cache */
    struct flushing finishing; /* its end */
    /* What was given up; and what was before, while the disk does not say so yet. */
    struct ext2_released *released, *committing;
    uint32_t released_blocks, released_inodes; /* of both */
    bool is_removing;  /* the pages that names have gone from have been asked for (cache_ask()); */
    bool is_asked;     /* and what released it; */
    bool is_committed; /* and is on the disk: it is being freed */
    uint32_t commits;  /* that were begun */
    uint32_t commit_ticket;
    uint32_t births;      /* names that were given to new inodes, and syncs that were begun */
    struct list removals; /* struct ext2_inode: directories that lost entries */
};

enum ext2_life {
    EXT2_NEW,  /* no record of it on the disk has links */
    EXT2_PUT,  /* its record is in the cache, */
    EXT2_DISK, /* and on the disk; so is a name of it */
};

/* PAGE, of a directory, is not to be written before page ON_PAGE of ON. */
struct ext2_hold {
    uint32_t page, on_page;
    struct cache *on; /* NULL: no hold */
    uint32_t ticket;  /* for cache_flush() */
};
enum { EXT2_HOLDS = 8, EXT2_ROOM_CLASSES = 4 };

struct ext2_inode {
    struct inode inode;
    struct cache cache; /* of regular files and directories */
    uint32_t block[EXT2_ROOTS];
    uint32_t flags, attributes; /* a block of extended attributes; 0: none */
    uint8_t life;               /* enum ext2_life */
    bool has_cache;
    bool has_excess;    /* blocks behind the end of the file, perhaps; */
    bool has_remains;   /* and what stands in them is not zeros: it was cut off, or never written */
    bool needs_no_room; /* what is being written to a page has its room, or is zeros */
    bool tail_is_clear; /* what its last page has behind its end is zeros */
    bool is_put_gone;   /* its record in the cache has no links already */
    uint8_t spare_suffix;
    uint32_t spare_page;
    bool index_ends;          /* its record in the cache says that it has no tree of hashes */
    bool has_spare;           /* it lost its name by rename(), and has one in the spare directory */
    uint64_t grows_to;        /* a write that is under way in this event; else 0 */
    uint32_t prepared;        /* an indirect block of zeros, and */
    uint32_t prepared_ticket; /* for cache_flush() */
    uint32_t prepared_entries; /* an empty block of a directory, that nothing names yet; 0: none */
    uint32_t last_index, last_block; /* where it grew last */
    uint32_t meta_first,
        meta_end; /* its indirect blocks that changed lie in between; and records of what
                                        got a name in it */
    /* Its record is to be put only when that page of that directory is on the disk. */
    struct ext2_inode *waits_for;
    uint32_t waits_for_page, waits_ticket; /* for cache_flush() */
    struct list waits_link;
    /* While it is new: where it got its name last, for who flushes that directory. */
    struct ext2_inode *named_in;
    struct list fresh_link;
    uint32_t birth;
    uint32_t failed_in; /* the last sync that could not write it */
    /* Of a directory: */
    struct list waiting; /* those whose waits_for it is */
    struct list fresh;   /* those named in it that have no record yet, by `birth` */
    struct list removal; /* of ext2.removals, if it lost an entry; */
    bool is_leaving;     /* its pages have been asked for by who commits */
    struct ext2_hold holds[EXT2_HOLDS];
    uint32_t room[EXT2_ROOM_CLASSES]; /* pages before that have no room for a name of such a size */
};

static inline struct ext2_inode *ext2_inode_of(struct inode *inode)
{
    return container_of(inode, struct ext2_inode, inode);
}

static inline struct ext2 *ext2_of(const struct ext2_inode *inode)
{
    return inode->inode.mount->data;
}

static inline struct ext2_inode *ext2_of_cache(const struct cache *cache)
{
    return container_of(cache, struct ext2_inode, cache);
}

/* Pages that BYTES bytes take; blocks that they take. */
static inline uint32_t ext2_pages(uint64_t bytes)
{
    return (uint32_t)((bytes + PAGE_BYTES - 1) >> PAGE_SHIFT);
}

static inline uint32_t ext2_blocks(const struct ext2 *fs, uint64_t bytes)
{
    return (uint32_t)((bytes + fs->block_bytes - 1) >> fs->block_shift);
}

/* ---- ext2_super.c ---- */

/* The disk holds nonsense: a line for people, and the disk says so, too. Returns KERR_IO. */
enum kerr ext2_broken(struct ext2 *fs, const char *what, uint32_t number);

/* What stands in block BLOCK of metadata, at OFFSET. As cache_read(), cache_write(). */
kerr_t ext2_read(struct ext2 *fs, uint32_t block, uint32_t offset, void *to, uint32_t bytes);
kerr_t ext2_write(struct ext2 *fs, uint32_t block, uint32_t offset, const void *from,
                  uint32_t bytes);

/* BLOCK can be written in this event without failing. Blank: it is zeros, whatever it was. */
kerr_t ext2_to_write(struct ext2 *fs, uint32_t block);
kerr_t ext2_blank(struct ext2 *fs, uint32_t block);

/* The disk says that it is in use: before anything of it changes. */
kerr_t ext2_begin_change(struct ext2 *fs);

/* For mount. The superblock and the descriptors are read; MOUNT may be what FS's features allow;
 * what is in the core of metadata goes. */
kerr_t ext2_read_super(struct ext2 *fs);
kerr_t ext2_check_features(const struct ext2 *fs, struct mount *mount);

/* FS's features allow that it is written to: KERR_OK, KERR_READ_ONLY. */
kerr_t ext2_may_write(const struct ext2 *fs);
kerr_t ext2_read_groups(struct ext2 *fs);
kerr_t ext2_end_meta(struct ext2 *fs);

/* Files of more than 2^31 - 1 bytes may be on the disk. KERR_TOO_LARGE: not on this one. */
kerr_t ext2_allow_large(struct ext2 *fs);

/* Counts and state go to the cache. */
kerr_t ext2_put_super(struct ext2 *fs);

/* A file has at most so many bytes. */
static inline uint64_t ext2_bytes_max(const struct ext2 *fs)
{
    return fs->bytes_max;
}

enum kerr ext2_room(struct mount *mount, struct mount_room *room);

/* ---- ext2_mount.c ---- */

enum kerr ext2_mount(struct mount *mount, const char *options);
enum kerr ext2_unmount(struct mount *mount);
enum kerr ext2_sync(struct mount *mount, struct flushing *flushing);

/* ---- ext2_order.c ---- */

/* PAGE of CACHE is as it is on the disk. */
bool ext2_is_on_disk(const struct cache *cache, uint32_t page);

/* PAGE of CACHE is on the disk. KERR_MUST_WAIT, KERR_IO. */
kerr_t ext2_page_out(struct cache *cache, uint32_t page);

/* What PAGE of DIRECTORY is held back for is on the disk. */
kerr_t ext2_holds_end(struct ext2_inode *directory, uint32_t page);
kerr_t ext2_holds_end_all(struct ext2_inode *directory);

/* PAGE of DIRECTORY can be held back in this event: for metadata, or for page ON_PAGE of ON. */
kerr_t ext2_hold_prepare(struct ext2_inode *directory, uint32_t page, struct cache *on,
                         uint32_t on_page);
void ext2_hold(struct ext2_inode *directory, uint32_t page, struct cache *on, uint32_t on_page);

/* DIRECTORY lost an entry. */
void ext2_note_removal(struct ext2_inode *directory);

/* INODE's record waits for PAGE of DIRECTORY; or (NULL) for nothing. */
void ext2_wait_for(struct ext2_inode *inode, struct ext2_inode *directory, uint32_t page);

/* INODE got a name in DIRECTORY: who flushes that finds its record. (It goes, or has no name: `fresh_link` is
 * removed.) */
void ext2_named(struct ext2_inode *inode, struct ext2_inode *directory);

/* INODE's record may be put: what leads to it is on the disk. */
kerr_t ext2_names_out(struct ext2_inode *inode);

/* INODE and a name of it are on the disk. */
kerr_t ext2_inode_out(struct ext2_inode *inode);

/* Nobody waits for a page of DIRECTORY any more, which ends; nor is anything held for it. */
void ext2_forget_directory(struct ext2_inode *directory);

/* There is room to release COUNT runs of blocks, and an inode. */
kerr_t ext2_release_prepare(struct ext2 *fs, uint32_t count);

/* BLOCK, or inode NUMBER, will be free when all that gave it up is on the disk. */
void ext2_release_block(struct ext2 *fs, uint32_t block);
void ext2_release_inode(struct ext2 *fs, uint32_t number);

/* What was released before commit number LAST was begun is free. KERR_MUST_WAIT, KERR_IO. */
kerr_t ext2_commit_until(struct ext2 *fs, uint32_t last);

/* The number of the commit that frees what is released now; and that one is done. */
uint32_t ext2_commit_next(const struct ext2 *fs);
kerr_t ext2_commit(struct ext2 *fs);

/* ---- ext2_blocks.c ---- */

/* BLOCK can be a file's: it lies within the file system, and holds none of its own structures. */
bool ext2_is_data(const struct ext2 *fs, uint32_t block);

/* *BLOCK is free, GOAL or as near behind as can be; its bitmap can be written. KERR_NO_SPACE. */
kerr_t ext2_block_find(struct ext2 *fs, uint32_t goal, uint32_t *block);
/* The same of COUNT different ones. */
kerr_t ext2_blocks_find(struct ext2 *fs, uint32_t goal, uint32_t count, uint32_t blocks[]);
void ext2_block_take(struct ext2 *fs, uint32_t block);
/* BLOCK, taken in this event, is free again. */
void ext2_block_untake(struct ext2 *fs, uint32_t block);

/* The bits of EXTENT are cleared. */
kerr_t ext2_blocks_free(struct ext2 *fs, struct ext2_extent extent);

/* The first clear bit of [FROM, END) of the bitmap in BLOCK; END: there is none. */
kerr_t ext2_find_clear(struct ext2 *fs, uint32_t block, uint32_t from, uint32_t end, uint32_t *bit);
/* Bit BIT of it; *BEFORE is what it was. */
kerr_t ext2_change_bit(struct ext2 *fs, uint32_t block, uint32_t bit, bool set, bool *before);

/* ---- ext2_map.c ---- */

/* *BLOCK: block INDEX of INODE; 0: a hole. */
kerr_t ext2_map(struct ext2_inode *inode, uint32_t index, uint32_t *block);

/* The same; and a hole has COUNT blocks at least, from INDEX on. */
kerr_t ext2_map_run(struct ext2_inode *inode, uint32_t index, uint32_t *block, uint32_t *count);

/* The COUNT blocks of INODE from INDEX on, all of one page, are there from here on; after an error those of
 * them that were not there still are not. In the fault path. */
kerr_t ext2_map_new(struct ext2_inode *inode, uint32_t index, uint32_t count);

/* BLOCK, of metadata, changed: who flushes INODE wants it on the disk. */
void ext2_note_meta(struct ext2_inode *inode, uint32_t block);

/* INODE has no blocks from index KEEP on. KERR_AGAIN. */
kerr_t ext2_map_cut(struct ext2_inode *inode, uint32_t keep);

/* What was prepared for INODE and not used is released. */
kerr_t ext2_map_settle(struct ext2_inode *inode);

extern const struct cache_operations ext2_file_cache, ext2_directory_cache;

/* ---- ext2_inodes.c ---- */

/* *NUMBER is free, near DIRECTORY; its bitmap can be written. KERR_NO_SPACE. */
kerr_t ext2_number_find(struct ext2_inode *directory, uint32_t mode, uint32_t *number);
void ext2_number_take(struct ext2 *fs, uint32_t number, uint32_t mode);
kerr_t ext2_numbers_free(struct ext2 *fs, struct ext2_extent extent);

/* Where the record of inode NUMBER stands. */
void ext2_record_place(const struct ext2 *fs, uint32_t number, uint32_t *block, uint32_t *offset);

/* Inode NUMBER, one reference for the caller. KERR_IO: nonsense, or it is not in use. Others may have to
 * go for it; with fetch() nobody goes, for those who are about to go themselves. */
kerr_t ext2_inode_get(struct mount *mount, uint32_t number, struct ext2_inode **inode);
kerr_t ext2_inode_fetch(struct mount *mount, uint32_t number, struct ext2_inode **inode);

/* A record in the core for an inode of MODE, with nothing in it; not in the table. There is room
 * (inode_make_room()). */
kerr_t ext2_inode_new(struct mount *mount, uint32_t mode, uint32_t pages,
                      struct ext2_inode **inode);
void ext2_inode_free(struct ext2_inode *inode);

/* The target of LINK stands in its record. */
static inline bool ext2_link_is_short(const struct ext2_inode *link)
{
    uint32_t attributes = link->attributes == 0 ? 0 : ext2_of(link)->block_sectors;
    return link->inode.status.sectors == attributes && link->inode.status.bytes < EXT2_TARGET_BYTES;
}

/* INODE's record can be put in this event, and is. Its order is the caller's affair. */
kerr_t ext2_put_prepare(struct ext2_inode *inode);
void ext2_put(struct ext2_inode *inode);

/* ---- ext2_directory.c ---- */

/* Where an entry is. */
struct ext2_place {
    uint32_t page, offset; /* of the entry; bytes */
    uint32_t before;       /* offset of the one before it in its block; or itself */
    struct ext2_entry entry;
};

/* NAME in DIRECTORY. KERR_NOT_FOUND. */
kerr_t ext2_entry_find(struct ext2_inode *directory, struct name name, struct ext2_place *place);

/* *PLACE: an entry that has room for a name of LENGTH bytes, which can be written. The directory
 * grows for it. PREFERRED: a page that is looked at first. */
kerr_t ext2_entry_prepare(struct ext2_inode *directory, uint32_t length, uint32_t preferred,
                          struct ext2_place *place);
/* There; PLACE is where it was put. */
void ext2_entry_add(struct ext2_inode *directory, struct ext2_place *place, struct name name,
                    uint32_t number, uint32_t mode);

/* PLACE's page can be written in this event. */
kerr_t ext2_entry_to_write(struct ext2_inode *directory, const struct ext2_place *place);
void ext2_entry_clear(struct ext2_inode *directory, const struct ext2_place *place);
void ext2_entry_change(struct ext2_inode *directory, const struct ext2_place *place,
                       uint32_t number, uint32_t mode);

/* The entry keeps its place, and gets NAME, for which it is long enough. */
void ext2_entry_rename(struct ext2_inode *directory, const struct ext2_place *place,
                       struct name name);

/* "." and ".." of DIRECTORY, whose first block can be written, and holds nothing else. */
void ext2_directory_begin(struct ext2_inode *directory, uint32_t parent);
/* Where ".." is. */
kerr_t ext2_directory_up(struct ext2_inode *directory, struct ext2_place *place);

/* It has no entries but "." and "..": KERR_OK, KERR_NOT_EMPTY. */
kerr_t ext2_directory_is_empty(struct ext2_inode *directory);

enum kerr ext2_read_directory(struct inode *inode, uint64_t cursor, struct directory_entry *entry);

/* ---- ext2_names.c, ext2_rename.c ---- */

enum kerr ext2_lookup(struct inode *inode, struct name name, struct inode **found);
enum kerr ext2_create(struct inode *inode, struct name name, const struct inode_wish *wish,
                      struct inode **created);
enum kerr ext2_link(struct inode *above, struct name name, struct inode *inode);
enum kerr ext2_remove(struct inode *above, struct name name, struct inode *inode);
enum kerr ext2_rename(struct inode *from, struct name from_name, struct inode *inode,
                      struct inode *to, struct name to_name, struct inode *replaced);
enum kerr ext2_read_link(struct inode *inode, char *target, uint32_t *bytes);

/* What remove() and rename() have to prepare for INODE, a directory or not, that loses its last name;
 * and for a name that it keeps. */
kerr_t ext2_prepare_empty(struct ext2_inode *directory);
kerr_t ext2_check_place(struct ext2_inode *directory, const struct ext2_place *place,
                        const struct ext2_inode *inode);

/* DIRECTORY may change: it has no tree of hashes. */
kerr_t ext2_directory_to_change(struct ext2_inode *directory);

/* INODE has a name in the spare directory, on the disk, and may lose its last one; or it loses that,
 * when its record has no links, or has another name. */
kerr_t ext2_spare_begin(struct ext2_inode *inode);
kerr_t ext2_spare_end(struct ext2_inode *inode);

/* ---- ext2_files.c ---- */

enum kerr ext2_page(struct inode *inode, uint32_t page, enum inode_page use, frame_t *frame);
void ext2_page_written(struct inode *inode, uint64_t end);
enum kerr ext2_resize(struct inode *inode, uint64_t bytes);
enum kerr ext2_find_page(struct inode *inode, uint32_t page, enum inode_content wanted,
                         uint32_t *found);
enum kerr ext2_reserve(struct inode *inode, uint32_t first, uint32_t last);
enum kerr ext2_flush(struct inode *inode, enum inode_flush what, struct flushing *flushing);
enum kerr ext2_evict(struct inode *inode);

/* INODE and its pages are on their way to the disk, and there; the device's own cache aside. */
kerr_t ext2_write_out(struct ext2_inode *inode, enum inode_flush what);

/* The same of the pages that are dirty now, and what leads to them; who asked for them waits for no more. Its
 * metadata are in the cache then. */
void ext2_ask_pages(struct ext2_inode *inode);
kerr_t ext2_asked_out(struct ext2_inode *inode, uint32_t *seen);

extern const struct inode_operations ext2_operations;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. ext2: entries of directories. A block of a directory is a row of entries without a gap,
 * from its start to its end; an entry's length leads to the next one. A free one has number 0, and
 * what an entry has beyond its name is free, too.
 *
 *     | 2 . | 2 .. | 11 lost+found | 57 notes ............ |
 *                                          ^ room for another
 *
 * A page of a directory's cache is one block, however small blocks are: what is in one page is
 * written at once.
 *
 * A directory is searched from its start. Where there was no room for a name of about some length is
 * remembered, so that many new names don't look at all pages each time.
 *
 * Every entry is checked where it is read: an entry leads forwards, and not out of its block.
 */
#include "ext2.h"

#include <arch/i386/entry.h>
#include <kernel/panic.h>
#include <kernel/string.h>

enum {
    HEADER = sizeof(struct ext2_entry),
    ALIGN = 4,
    DOT_BYTES = 12, /* an entry with a name of one to four bytes */
    FIRST_CURSOR = 2,
};

static uint32_t bytes_for(uint32_t length)
{
    return (HEADER + length + ALIGN - 1) & ~(ALIGN - 1u);
}

static uint32_t pages_of(const struct ext2_inode *directory)
{
    return ext2_blocks(ext2_of(directory), directory->inode.status.bytes);
}

/* ---- a page ---- */

/* A page of a directory that is looked at. */
struct view {
    struct ext2_inode *directory;
    const uint8_t *bytes;
    uint32_t page, end;
};

static enum kerr open_view(struct view *view, struct ext2_inode *directory, uint32_t page)
{
    frame_t frame;
    enum kerr error = cache_page(&directory->cache, page, &frame);
    if (error != KERR_OK)
        return error;
    *view = (struct view){directory, temp_map(TEMP_FRAME, frame), page,
                          ext2_of(directory)->block_bytes};
    return KERR_OK;
}

static void close_view(void)
{
    temp_unmap(TEMP_FRAME);
}

static bool name_is_right(const uint8_t *name, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        if (name[i] == '/' || name[i] == '\0')
            return false;
    return length > 0;
}

static __attribute__((noinline)) enum kerr refuse_entry(const struct view *view)
{
    return ext2_broken(ext2_of(view->directory), "an entry that makes no sense, of directory",
                       view->directory->inode.number);
}

static inline uint32_t word_at(const uint8_t *bytes)
{
    uint32_t word;
    __builtin_memcpy(&word, bytes, sizeof(word)); /* no call: a search reads many */
    return word;
}

/* ---- searching ---- */

/*
 * An entry as a search sees it, in registers: where it stands, and the second word of it. `bytes` leads forwards and
 * not out of the block; that its name is in it is not known yet.
 */
struct glance {
    const uint8_t *at;
    uint32_t rest;
};

static inline uint32_t bytes_of(struct glance entry)
{
    return entry.rest & 0xFFFF;
}

static inline uint32_t length_of(struct glance entry)
{
    return entry.rest >> 16 & 0xFF;
}
_Static_assert(offsetof(struct ext2_entry, bytes) == 4 && offsetof(struct ext2_entry, length) == 6,
               "of the second word");

/* The entry at AT, before END. False: it makes no sense. */
static inline bool look_at(const uint8_t *at, const uint8_t *end, struct glance *entry)
{
    uint32_t left = (uint32_t)(end - at);
    if (unlikely(left < DOT_BYTES))
        return false;
    *entry = (struct glance){at, word_at(at + 4)};
    return likely(bytes_of(*entry) - DOT_BYTES <= left - DOT_BYTES && entry->rest % ALIGN == 0);
}

/* ENTRY, all of it, checked. */
static inline bool read_entry(struct glance glance, struct ext2_entry *entry)
{
    memcpy(entry, glance.at, HEADER);
    return entry->number == 0 || HEADER + (uint32_t)entry->length <= entry->bytes;
}

/* ENTRY may be what is looked for: quick; and it is. */
typedef bool may_be_t(struct glance entry, const void *context);
typedef bool is_it_t(const struct view *view, uint32_t offset, const struct ext2_entry *entry,
                     const void *context);

static bool may_always_be(struct glance entry, const void *context)
{
    (void)entry;
    (void)context;
    return true;
}

/* Of each entry of PAGE that MAY_BE it, ask IS_IT, until it says so: KERR_OK, *PLACE. KERR_NOT_FOUND. */
static inline __attribute__((always_inline)) enum kerr
search_page(struct ext2_inode *directory, uint32_t page, may_be_t *may_be, is_it_t *is_it,
            const void *context, struct ext2_place *place)
{
    struct view view;
    enum kerr error = open_view(&view, directory, page);
    if (error != KERR_OK)
        return error;
    error = KERR_NOT_FOUND;
    const uint8_t *at = view.bytes, *before = at, *end = at + view.end;
    while (at < end) {
        struct glance glance;
        struct ext2_entry entry;
        if (!look_at(at, end, &glance)) {
            error = refuse_entry(&view);
            break;
        }
        if (may_be(glance, context)) {
            uint32_t offset = (uint32_t)(at - view.bytes);
            if (!read_entry(glance, &entry)) {
                error = refuse_entry(&view);
                break;
            }
            if (is_it(&view, offset, &entry, context)) {
                *place = (struct ext2_place){page, offset, (uint32_t)(before - view.bytes), entry};
                error = KERR_OK;
                break;
            }
        }
        before = at;
        at += bytes_of(glance);
    }
    close_view();
    return error;
}

static enum kerr find_in_page(struct ext2_inode *directory, uint32_t page, is_it_t *is_it,
                              const void *context, struct ext2_place *place)
{
    return search_page(directory, page, may_always_be, is_it, context, place);
}

/* A name that is looked for, and its first bytes as a number: few others begin so, and are as long. */
struct wanted {
    struct name name;
    uint32_t first, mask;
};
_Static_assert(HEADER + sizeof(uint32_t) <= DOT_BYTES, "no entry is too short for them");

static struct wanted wanted_of(struct name name)
{
    struct wanted wanted = {.name = name, .mask = UINT32_MAX};
    if (name.length < sizeof(wanted.mask))
        wanted.mask = (1u << 8 * name.length) - 1;
    memcpy(&wanted.first, name.text,
           name.length < sizeof(wanted.first) ? name.length : sizeof(wanted.first));
    return wanted;
}

static inline bool may_have_name(struct glance entry, const void *context)
{
    const struct wanted *wanted = context;
    return length_of(entry) == wanted->name.length &&
           ((word_at(entry.at + HEADER) ^ wanted->first) & wanted->mask) == 0;
}

static bool has_name(const struct view *view, uint32_t offset, const struct ext2_entry *entry,
                     const void *context)
{
    const struct wanted *wanted = context;
    return entry->length == wanted->name.length && entry->number != 0 &&
           memcmp(view->bytes + offset + HEADER, wanted->name.text, entry->length) == 0;
}

enum kerr ext2_entry_find(struct ext2_inode *directory, struct name name, struct ext2_place *place)
{
    const struct wanted wanted = wanted_of(name);
    enum kerr error = KERR_NOT_FOUND;
    for (uint32_t page = 0; page < pages_of(directory) && error == KERR_NOT_FOUND; page++)
        error = search_page(directory, page, may_have_name, has_name, &wanted,
                            place); /* the loop of all loops */
    return error;
}

static bool is_name_of_another(const struct view *view, uint32_t offset,
                               const struct ext2_entry *entry, const void *context)
{
    const uint8_t *text = view->bytes + offset + HEADER;
    bool is_dot = (entry->length == 1 && text[0] == '.') ||
                  (entry->length == 2 && text[0] == '.' && text[1] == '.');
    (void)context;
    return entry->number != 0 && !is_dot;
}

enum kerr ext2_directory_is_empty(struct ext2_inode *directory)
{
    struct ext2_place place;
    enum kerr error = KERR_NOT_FOUND;
    for (uint32_t page = 0; page < pages_of(directory) && error == KERR_NOT_FOUND; page++)
        error = find_in_page(directory, page, is_name_of_another, NULL, &place);
    return error == KERR_NOT_FOUND ? KERR_OK : error == KERR_OK ? KERR_NOT_EMPTY : error;
}

/* ---- changing ---- */

static enum kerr page_to_write(struct ext2_inode *directory, uint32_t page)
{
    frame_t frame;
    return cache_page_to_write(&directory->cache, page, false, &frame);
}

enum kerr ext2_entry_to_write(struct ext2_inode *directory, const struct ext2_place *place)
{
    return page_to_write(directory, place->page);
}

static void write(struct ext2_inode *directory, uint32_t page, uint32_t offset, const void *from,
                  uint32_t bytes)
{
    enum kerr error =
        cache_write(&directory->cache, (uint64_t)page << PAGE_SHIFT | offset, from, bytes);
    ASSERT(error == KERR_OK, "page %u of a directory can be written", (unsigned)page);
}

static uint8_t type_of(const struct ext2 *fs, uint32_t mode)
{
    static const uint8_t types[] = {
        [S_IFREG >> 12] = EXT2_TYPE_REGULAR,   [S_IFDIR >> 12] = EXT2_TYPE_DIRECTORY,
        [S_IFCHR >> 12] = EXT2_TYPE_CHARACTER, [S_IFBLK >> 12] = EXT2_TYPE_BLOCK,
        [S_IFIFO >> 12] = EXT2_TYPE_FIFO,      [S_IFSOCK >> 12] = EXT2_TYPE_SOCKET,
        [S_IFLNK >> 12] = EXT2_TYPE_LINK,
    };
    return fs->super.incompatible & EXT2_INCOMPATIBLE_TYPES ? types[(mode & S_IFMT) >> 12] : 0;
}

/* What ENTRY itself takes of its bytes. */
static uint32_t bytes_used(const struct ext2_entry *entry)
{
    return entry->number == 0 ? 0 : bytes_for(entry->length);
}

static bool has_room(const struct view *view, uint32_t offset, const struct ext2_entry *entry,
                     const void *context)
{
    (void)view;
    (void)offset;
    return entry->bytes - bytes_used(entry) >= *(const uint32_t *)context;
}

static inline bool may_have_room(struct glance entry, const void *context)
{
    const uint32_t *wanted = context;
    return bytes_of(entry) >= *wanted &&
           (word_at(entry.at) == 0 || bytes_of(entry) - bytes_for(length_of(entry)) >= *wanted);
}

static enum kerr find_room(struct ext2_inode *directory, uint32_t page, uint32_t bytes,
                           struct ext2_place *place)
{
    return search_page(directory, page, may_have_room, has_room, &bytes, place);
}

static uint32_t class_of(uint32_t wanted)
{
    uint32_t class = 0;
    while (class < EXT2_ROOM_CLASSES - 1 && wanted > 16u << class)
        class ++;
    return class;
}

/* One more block, of one free entry. */
static enum kerr grow(struct ext2_inode *directory)
{
    const struct ext2 *fs = ext2_of(directory);
    const struct ext2_entry entry = {.bytes = (uint16_t)fs->block_bytes};
    struct inode_status *status = &directory->inode.status;
    uint64_t before = status->bytes;
    uint32_t page = pages_of(directory);
    enum kerr error = ext2_begin_change(ext2_of(directory));
    if (error == KERR_OK && page >= directory->inode.object->pages)
        error = cache_resize(&directory->cache, page + 1);
    if (error == KERR_OK)
        error = page_to_write(directory, page);
    if (error == KERR_OK)
        error = ext2_map_new(directory, page, 1);
    if (error == KERR_OK)
        error = page_to_write(directory, page);
    if (error != KERR_OK)
        return error;
    write(directory, page, 0, &entry, sizeof(entry));
    status->bytes = before + fs->block_bytes;
    inode_changed(&directory->inode);
    return KERR_OK;
}

enum kerr ext2_entry_prepare(struct ext2_inode *directory, uint32_t length, uint32_t preferred,
                             struct ext2_place *place)
{
    uint32_t wanted = bytes_for(length), *first = &directory->room[class_of(wanted)];
    enum kerr error = KERR_NOT_FOUND;
    if (preferred < pages_of(directory))
        error = find_room(directory, preferred, wanted, place);
    while (error == KERR_NOT_FOUND && *first < pages_of(directory)) {
        error = find_room(directory, *first, wanted, place);
        if (error == KERR_NOT_FOUND)
            ++*first;
    }
    if (error == KERR_NOT_FOUND) {
        error = grow(directory);
        if (error == KERR_OK)
            *first = pages_of(directory) - 1;
        if (error == KERR_OK)
            error = find_room(directory, *first, wanted, place);
    }
    return error == KERR_OK ? ext2_entry_to_write(directory, place) : error;
}

void ext2_entry_add(struct ext2_inode *directory, struct ext2_place *place, struct name name,
                    uint32_t number, uint32_t mode)
{
    struct ext2_entry *old = &place->entry;
    uint32_t used = bytes_used(old);
    struct ext2_entry new = {.number = number,
                             .bytes = (uint16_t)(old->bytes - used),
                             .length = (uint8_t)name.length,
                             .type = type_of(ext2_of(directory), mode)};
    write(directory, place->page, place->offset + used + HEADER, name.text, name.length);
    write(directory, place->page, place->offset + used, &new, sizeof(new));
    if (used > 0) {
        old->bytes = (uint16_t)used;
        write(directory, place->page, place->offset, old, sizeof(*old));
        place->before = place->offset;
        place->offset += used;
    }
    place->entry = new;
}

void ext2_entry_clear(struct ext2_inode *directory, const struct ext2_place *place)
{
    struct ext2_entry entry = place->entry;
    uint32_t offset = place->offset;
    if (place->before != place->offset) { /* the one before it takes its bytes */
        enum kerr error =
            cache_read(&directory->cache, (uint64_t)place->page << PAGE_SHIFT | place->before,
                       &entry, sizeof(entry));
        ASSERT(error == KERR_OK, "page %u of a directory is here", (unsigned)place->page);
        entry.bytes = (uint16_t)(entry.bytes + place->entry.bytes);
        offset = place->before;
    } else {
        entry.number = 0;
    }
    write(directory, place->page, offset, &entry, sizeof(entry));
    for (uint32_t i = 0; i < EXT2_ROOM_CLASSES; i++)
        if (directory->room[i] > place->page)
            directory->room[i] = place->page;
    ext2_note_removal(directory);
}

void ext2_entry_change(struct ext2_inode *directory, const struct ext2_place *place,
                       uint32_t number, uint32_t mode)
{
    struct ext2_entry entry = place->entry;
    entry.number = number;
    entry.type = type_of(ext2_of(directory), mode);
    write(directory, place->page, place->offset, &entry, sizeof(entry));
}

void ext2_entry_rename(struct ext2_inode *directory, const struct ext2_place *place,
                       struct name name)
{
    struct ext2_entry entry = place->entry;
    entry.length = (uint8_t)name.length;
    write(directory, place->page, place->offset, &entry, sizeof(entry));
    write(directory, place->page, place->offset + HEADER, name.text, name.length);
}

/* ---- "." and ".." ---- */

void ext2_directory_begin(struct ext2_inode *directory, uint32_t parent)
{
    const struct ext2 *fs = ext2_of(directory);
    const struct ext2_entry dot = {directory->inode.number, DOT_BYTES, 1, type_of(fs, S_IFDIR)};
    const struct ext2_entry up = {parent, (uint16_t)(fs->block_bytes - DOT_BYTES), 2,
                                  type_of(fs, S_IFDIR)};
    static const char names[2][4] = {".", ".."};
    write(directory, 0, 0, &dot, sizeof(dot));
    write(directory, 0, HEADER, names[0], sizeof(names[0]));
    write(directory, 0, DOT_BYTES, &up, sizeof(up));
    write(directory, 0, DOT_BYTES + HEADER, names[1], sizeof(names[1]));
}

enum kerr ext2_directory_up(struct ext2_inode *directory, struct ext2_place *place)
{
    const struct wanted up = wanted_of((struct name){"..", 2});
    enum kerr error = find_in_page(directory, 0, has_name, &up, place);
    if (error == KERR_NOT_FOUND)
        return ext2_broken(ext2_of(directory), "no \"..\" in directory", directory->inode.number);
    return error == KERR_OK ? ext2_entry_to_write(directory, place) : error;
}

/* ---- telling ---- */

/* The context of is_at_cursor(): an offset in the page. */
static bool is_at_cursor(const struct view *view, uint32_t offset, const struct ext2_entry *entry,
                         const void *context)
{
    return offset >= *(const uint32_t *)context && is_name_of_another(view, offset, entry, NULL);
}

static uint32_t mode_of(uint8_t type)
{
    static const uint16_t modes[EXT2_TYPES] = {
        [EXT2_TYPE_REGULAR] = S_IFREG,   [EXT2_TYPE_DIRECTORY] = S_IFDIR,
        [EXT2_TYPE_CHARACTER] = S_IFCHR, [EXT2_TYPE_BLOCK] = S_IFBLK,
        [EXT2_TYPE_FIFO] = S_IFIFO,      [EXT2_TYPE_SOCKET] = S_IFSOCK,
        [EXT2_TYPE_LINK] = S_IFLNK,
    };
    return type < EXT2_TYPES ? modes[type] : 0;
}

/* A cursor is a place: bytes from the start, and 2 more. */
enum kerr ext2_read_directory(struct inode *inode, uint64_t cursor, struct directory_entry *entry)
{
    static char text[NAME_BYTES_MAX];
    struct ext2_inode *directory = ext2_inode_of(inode);
    const struct ext2 *fs = ext2_of(directory);
    struct ext2_place place = {.page = 0};
    uint64_t at = cursor - FIRST_CURSOR;
    enum kerr error = KERR_NOT_FOUND;
    while (error == KERR_NOT_FOUND && at < inode->status.bytes) {
        uint32_t page = (uint32_t)(at >> fs->block_shift);
        uint32_t offset = (uint32_t)at & (fs->block_bytes - 1);
        error = find_in_page(directory, page, is_at_cursor, &offset, &place);
        at = (uint64_t)(page + 1) << fs->block_shift;
    }
    if (error != KERR_OK)
        return error;
    error =
        cache_read(&directory->cache, ((uint64_t)place.page << PAGE_SHIFT) + place.offset + HEADER,
                   text, place.entry.length);
    if (error != KERR_OK)
        return error;
    if (!name_is_right((const uint8_t *)text, place.entry.length) ||
        place.entry.number > fs->super.inodes)
        return ext2_broken(ext2_of(directory), "a name that can't be, in directory", inode->number);
    at = ((uint64_t)place.page << fs->block_shift) + place.offset;
    *entry = (struct directory_entry){.cursor = at + HEADER + FIRST_CURSOR,
                                      .number = place.entry.number,
                                      .mode = mode_of(place.entry.type),
                                      .name = {text, place.entry.length}};
    return KERR_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that read directories: getdents64, and the old getdents.
 *
 * The offset of an open directory is a cursor: 0 and 1 are "." and "..", the rest is the file
 * system's. Each entry moves it on, so a repeated call finds it behind what was told.
 * Source: Linux manual page getdents(2).
 */
#include <kernel/string.h>

#include "path.h"

enum { NAME_OFFSET_64 = 19, ALIGNMENT_64 = 8, NAME_OFFSET = 10, ALIGNMENT = 4, MODE_TO_TYPE = 12 };

/* An entry in the layout of getdents64, with the longest name. */
struct entry_64 {
    uint32_t inode, inode_high, next, next_high; /* offset of the entry behind it */
    uint16_t bytes;
    uint8_t type; /* file_mode >> 12 */
    char name[NAME_BYTES_MAX + 1];
};
_Static_assert(offsetof(struct entry_64, name) == NAME_OFFSET_64, "as the ABI has it");

/* The same of getdents: the type is the last byte. */
struct entry_32 {
    uint32_t inode, next;
    uint16_t bytes;
    char name[NAME_BYTES_MAX + 2 + ALIGNMENT];
};
_Static_assert(offsetof(struct entry_32, name) == NAME_OFFSET, "as the ABI has it");

union entry {
    struct entry_64 of_64;
    struct entry_32 of_32;
};

static uint32_t round_up(uint32_t bytes, uint32_t alignment)
{
    return (bytes + alignment - 1) / alignment * alignment;
}

/* Returns the bytes that ENTRY takes. */
static uint32_t fill_64(union entry *entry, const struct directory_entry *from)
{
    struct entry_64 *to = &entry->of_64;
    uint32_t bytes = round_up(NAME_OFFSET_64 + from->name.length + 1, ALIGNMENT_64);
    memset(to, 0, sizeof(*to));
    to->inode = from->number;
    to->next = (uint32_t)from->cursor;
    to->next_high = (uint32_t)(from->cursor >> 32);
    to->bytes = (uint16_t)bytes;
    to->type = (uint8_t)(from->mode >> MODE_TO_TYPE);
    memcpy(to->name, from->name.text, from->name.length);
    return bytes;
}

static uint32_t fill_32(union entry *entry, const struct directory_entry *from)
{
    struct entry_32 *to = &entry->of_32;
    uint32_t bytes = round_up(NAME_OFFSET + from->name.length + 2, ALIGNMENT);
    memset(to, 0, sizeof(*to));
    to->inode = from->number;
    to->next = (uint32_t)from->cursor;
    to->bytes = (uint16_t)bytes;
    memcpy(to->name, from->name.text, from->name.length);
    ((uint8_t *)to)[bytes - 1] = (uint8_t)(from->mode >> MODE_TO_TYPE);
    return bytes;
}

/* What ".." of DIRECTORY is. */
static const struct inode *parent_of(const struct inode *directory)
{
    while (directory == directory->mount->root && directory->mount->covered != NULL)
        directory = directory->mount->covered;
    return directory->parent != NULL ? directory->parent : directory;
}

/* The entry at or behind CURSOR. */
static enum kerr read_entry(struct inode *directory, uint64_t cursor, struct directory_entry *entry)
{
    if (cursor >= 2)
        return directory->operations->read_directory(directory, cursor, entry);
    const struct inode *inode = cursor == 0 ? directory : parent_of(directory);
    *entry = (struct directory_entry){.cursor = cursor + 1,
                                      .number = inode->number,
                                      .mode = S_IFDIR,
                                      .name = {"..", (uint32_t)cursor + 1}};
    return KERR_OK;
}

/* What the call returns that has told BYTES bytes of entries, and then met ERROR. */
static int32_t stopped(struct process *self, enum kerr error, uint32_t bytes, bool is_of_memory)
{
    if (bytes > 0 && error_goes_by(error))
        progress_note(self, PROGRESS_BYTES, bytes);
    else if (bytes > 0)
        return (int32_t)bytes;
    return is_of_memory ? user_access_failed(error) : file_failed(error);
}

static int32_t read_entries(struct process *self,
                            uint32_t (*fill)(union entry *, const struct directory_entry *))
{
    struct file *file = file_at(self, ARG1);
    uint32_t before = progress_of(self, PROGRESS_BYTES), done = before;
    struct directory_entry found;
    union entry entry;
    enum kerr error = KERR_OK;
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (file->inode == NULL || !inode_is_directory(file->inode))
        return -ENOTDIR;
    if (file->inode->status.links == 0)
        return -ENOENT;
    while ((error = read_entry(file->inode, file->offset, &found)) == KERR_OK) {
        uint32_t bytes = fill(&entry, &found);
        if (bytes > ARG3 - done)
            return done == 0 ? -EINVAL : (int32_t)done;
        error = user_write(ARG2 + done, &entry, bytes);
        if (error != KERR_OK)
            return stopped(self, error, done, true);
        done += bytes;
        file->offset = found.cursor;
    }
    if (error != KERR_NOT_FOUND)
        return stopped(self, error, done, false);
    file_was_read(file);
    return (int32_t)done;
}

SYSTEM_CALL(220, getdents64)
{
    return read_entries(self, fill_64);
}

SYSTEM_CALL(141, getdents)
{
    return read_entries(self, fill_32);
}

/* ---- a directory as a file ---- */

static int32_t refuse(struct process *self, struct file *file, struct transfer *transfer)
{
    (void)self;
    (void)file;
    (void)transfer;
    return -EISDIR;
}

const struct file_operations directory_operations = {.read = refuse, .seek = SEEK_ANYWHERE};

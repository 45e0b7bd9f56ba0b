/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls that tell what a file is: the stat family, directories, offsets.
 *
 * The three layouts of the i386 ABI are filled from one small structure. Times are 0, the owner is
 * the superuser, and each file has one name.
 * Source: Linux manual pages stat(2), statx(2), getdents(2), lseek(2), statfs(2); the layouts are
 * those of the i386 ABI.
 */
#include <kernel/string.h>

#include "open_file.h"

enum { BLOCK_BYTES = 4096, SECTOR_BYTES = 512, DEVICE_OF_FILES = 1, DEVICE_OF_PIPES = 2 };

struct stat {
    uint32_t device, inode;
    uint16_t mode, links, user, group;
    uint32_t special_device, bytes, block_bytes, sectors;
    uint32_t times[6];
    uint32_t unused[2];
};
_Static_assert(sizeof(struct stat) == 64, "as the i386 ABI has it");

struct stat64 {
    uint32_t device, device_high, pad, inode_low;
    uint32_t mode, links, user, group;
    uint32_t special_device, special_device_high, pad_3;
    uint32_t bytes, bytes_high, block_bytes, sectors, sectors_high;
    uint32_t times[6];
    uint32_t inode, inode_high;
};
_Static_assert(sizeof(struct stat64) == 96, "as the i386 ABI has it");

struct statx {
    uint32_t mask, block_bytes, attributes, attributes_high;
    uint32_t links, user, group;
    uint16_t mode, pad;
    uint32_t inode, inode_high, bytes, bytes_high, sectors, sectors_high;
    uint32_t attributes_mask, attributes_mask_high;
    uint32_t times[16];
    uint32_t special_major, special_minor, device_major, device_minor;
    uint32_t unused[28];
};
_Static_assert(sizeof(struct statx) == 256, "as statx(2) has it");

static uint32_t sectors_of(const struct file_status *status)
{
    return (status->bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
}

static uint32_t links_of(const struct file_status *status)
{
    return (status->mode & S_IFMT) == S_IFDIR ? 2 : 1;
}

static uint32_t home_device(const struct file_status *status)
{
    return (status->mode & S_IFMT) == S_IFIFO ? DEVICE_OF_PIPES : DEVICE_OF_FILES;
}

static struct file_status status_of_node(const struct node *node)
{
    return (struct file_status){
        .mode = node->mode, .device = node->device, .inode = node->inode, .bytes = node->bytes};
}

static struct file_status status_of_file(const struct file *file)
{
    if (file->node != NULL)
        return status_of_node(file->node);
    return (struct file_status){.mode = S_IFIFO | 0600, .inode = pipe_inode(file)};
}

/* ---- finding ---- */

static int32_t status_of_descriptor(const struct process *self, uint32_t descriptor,
                                    struct file_status *status)
{
    const struct file *file = file_at(self, descriptor);
    if (file == NULL)
        return -EBADF;
    *status = status_of_file(file);
    return 0;
}

int32_t file_status_at(struct process *self, int32_t directory, uint32_t path, uint32_t flags,
                       struct file_status *status)
{
    const struct node *node, *base;
    const char *text;
    int32_t result = path_read(path, &text);
    if (result != 0)
        return result;
    if (text[0] == '\0' && (flags & AT_EMPTY_PATH)) {
        if (directory != AT_FDCWD)
            return status_of_descriptor(self, (uint32_t)directory, status);
        *status = status_of_node(files_of(self)->directory);
        return 0;
    }
    if (text[0] == '\0')
        return -ENOENT;
    result = path_base(self, directory, text, &base);
    if (result == 0)
        result = path_find(self, base, text,
                           flags & AT_SYMLINK_NOFOLLOW ? LINKS_KEEP : LINKS_FOLLOW, &node);
    if (result == 0)
        *status = status_of_node(node);
    return result;
}

/* ---- telling ---- */

static int32_t tell(uint32_t address, const void *structure, uint32_t bytes)
{
    enum kerr error = user_replace(address, structure, bytes); /* the path may lie there */
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static int32_t tell_stat(const struct file_status *status, uint32_t address)
{
    const struct stat stat = {.device = home_device(status),
                              .inode = status->inode,
                              .mode = (uint16_t)status->mode,
                              .links = (uint16_t)links_of(status),
                              .special_device = status->device,
                              .bytes = status->bytes,
                              .block_bytes = BLOCK_BYTES,
                              .sectors = sectors_of(status)};
    return tell(address, &stat, sizeof(stat));
}

static int32_t tell_stat64(const struct file_status *status, uint32_t address)
{
    const struct stat64 stat = {.device = home_device(status),
                                .inode_low = status->inode,
                                .mode = status->mode,
                                .links = links_of(status),
                                .special_device = status->device,
                                .bytes = status->bytes,
                                .block_bytes = BLOCK_BYTES,
                                .sectors = sectors_of(status),
                                .inode = status->inode};
    return tell(address, &stat, sizeof(stat));
}

static int32_t tell_statx(const struct file_status *status, uint32_t address)
{
    enum { STATX_BASIC_STATS = 0x7FF, MINOR_BITS = 8 };
    const struct statx statx = {.mask = STATX_BASIC_STATS,
                                .block_bytes = BLOCK_BYTES,
                                .links = links_of(status),
                                .mode = (uint16_t)status->mode,
                                .inode = status->inode,
                                .bytes = status->bytes,
                                .sectors = sectors_of(status),
                                .special_major = status->device >> MINOR_BITS,
                                .special_minor = status->device & ((1u << MINOR_BITS) - 1),
                                .device_minor = home_device(status)};
    return tell(address, &statx, sizeof(statx));
}

typedef int32_t teller_t(const struct file_status *status, uint32_t address);

static int32_t stat_at(struct process *self, int32_t directory, uint32_t path, uint32_t flags,
                       teller_t *teller, uint32_t address)
{
    struct file_status status;
    int32_t result = file_status_at(self, directory, path, flags, &status);
    return result != 0 ? result : teller(&status, address);
}

static int32_t stat_descriptor(struct process *self, teller_t *teller)
{
    struct file_status status;
    int32_t result = status_of_descriptor(self, ARG1, &status);
    return result != 0 ? result : teller(&status, ARG2);
}

SYSTEM_CALL(106, stat)
{
    return stat_at(self, AT_FDCWD, ARG1, 0, tell_stat, ARG2);
}

SYSTEM_CALL(107, lstat)
{
    return stat_at(self, AT_FDCWD, ARG1, AT_SYMLINK_NOFOLLOW, tell_stat, ARG2);
}

SYSTEM_CALL(108, fstat)
{
    return stat_descriptor(self, tell_stat);
}

SYSTEM_CALL(195, stat64)
{
    return stat_at(self, AT_FDCWD, ARG1, 0, tell_stat64, ARG2);
}

SYSTEM_CALL(196, lstat64)
{
    return stat_at(self, AT_FDCWD, ARG1, AT_SYMLINK_NOFOLLOW, tell_stat64, ARG2);
}

SYSTEM_CALL(197, fstat64)
{
    return stat_descriptor(self, tell_stat64);
}

SYSTEM_CALL(300, fstatat64)
{
    enum { KNOWN_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH };
    if ((ARG4 & ~(uint32_t)KNOWN_FLAGS) != 0)
        return -EINVAL;
    return stat_at(self, (int32_t)ARG1, ARG2, ARG4, tell_stat64, ARG3);
}

SYSTEM_CALL(383, statx)
{
    enum {
        KNOWN_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE
    };
    const uint32_t reserved_mask = 0x80000000;
    if ((ARG3 & ~(uint32_t)KNOWN_FLAGS) != 0 || (ARG4 & reserved_mask) != 0 ||
        (ARG3 & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    return stat_at(self, (int32_t)ARG1, ARG2, ARG3, tell_statx, ARG5);
}

/* ---- directories ---- */

enum { ENTRY_NAME_OFFSET = 19, ENTRY_ALIGNMENT = 8 };

/* The entry of a directory in getdents64(2), with the longest name. */
struct directory_entry {
    uint32_t inode, inode_high, next, next_high; /* offset of the entry behind it */
    uint16_t bytes;
    uint8_t type; /* file_mode >> 12 */
    char name[NAME_BYTES_MAX + 1];
};
_Static_assert(offsetof(struct directory_entry, name) == ENTRY_NAME_OFFSET, "as the ABI has it");

/* Entry NUMBER of DIRECTORY, after "." and "..": its name and node; NULL behind the last. */
static const struct node *nth_entry(const struct node *directory, uint32_t number,
                                    const char **name)
{
    if (number < 2) {
        *name = number == 0 ? "." : "..";
        return number == 0 ? directory : directory->parent;
    }
    const struct node *node = node_child(directory, number - 2);
    if (node != NULL)
        *name = node->name;
    return node;
}

static void fill_entry(struct directory_entry *entry, const struct node *node, const char *name,
                       uint32_t number)
{
    enum { MODE_TO_TYPE = 12 };
    size_t name_bytes = strlen(name) + 1;
    memset(entry, 0, sizeof(*entry));
    entry->inode = node->inode;
    entry->next = number + 1;
    entry->bytes = (uint16_t)((ENTRY_NAME_OFFSET + name_bytes + ENTRY_ALIGNMENT - 1) /
                              ENTRY_ALIGNMENT * ENTRY_ALIGNMENT);
    entry->type = (uint8_t)((node->mode & S_IFMT) >> MODE_TO_TYPE);
    memcpy(entry->name, name, name_bytes);
}

SYSTEM_CALL(220, getdents64)
{
    struct file *file = file_at(self, ARG1);
    uint32_t done = progress_of(self, PROGRESS_BYTES); /* FILE is behind what they tell */
    uint32_t address = ARG2 + done, left = ARG3 - done;
    struct directory_entry entry;
    const char *name;
    const struct node *node;
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (file->node == NULL || (file->node->mode & S_IFMT) != S_IFDIR)
        return -ENOTDIR;
    while (file->offset < UINT32_MAX &&
           (node = nth_entry(file->node, (uint32_t)file->offset, &name)) != NULL) {
        fill_entry(&entry, node, name, (uint32_t)file->offset);
        if (entry.bytes > left)
            return address == ARG2 ? -EINVAL : (int32_t)(address - ARG2);
        enum kerr error = user_write(address, &entry, entry.bytes);
        if (address != ARG2 && error_goes_by(error))
            progress_note(self, PROGRESS_BYTES, address - ARG2);
        else if (address != ARG2 && error != KERR_OK)
            return (int32_t)(address - ARG2);
        if (error != KERR_OK)
            return user_access_failed(error);
        address += entry.bytes;
        left -= entry.bytes;
        file->offset++;
    }
    return (int32_t)(address - ARG2);
}

/* ---- offsets ---- */

enum seek_from { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE };

/* Where OFFSET, counted as WHENCE says, lies in FILE: *POSITION. */
static int32_t seek_position(const struct file *file, int64_t offset, uint32_t whence,
                             int64_t *position)
{
    int64_t bytes = file->node->bytes;
    bool is_directory = (file->node->mode & S_IFMT) == S_IFDIR;
    if (whence > SEEK_HOLE || (is_directory && whence > SEEK_CUR))
        return -EINVAL;
    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        if (offset < 0 || offset >= bytes)
            return -ENXIO;
        *position = whence == SEEK_DATA ? offset : bytes;
        return 0;
    }
    int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)file->offset : bytes;
    *position = (int64_t)((uint64_t)from + (uint64_t)offset);
    if (offset > 0 && *position < from)
        return -EOVERFLOW;
    return *position < 0 ? -EINVAL : 0;
}

static int32_t seek(struct process *self, int64_t offset, uint32_t whence, int64_t *position)
{
    struct file *file = file_at(self, ARG1);
    if (file == NULL || (file->flags & O_PATH))
        return -EBADF;
    if (file->operations->seek == SEEK_NEVER)
        return -ESPIPE;
    *position = 0;
    if (file->operations->seek == SEEK_TO_START)
        return whence > SEEK_HOLE ? -EINVAL : 0;
    int32_t result = seek_position(file, offset, whence, position);
    if (result == 0)
        file->offset = (uint64_t)*position;
    return result;
}

SYSTEM_CALL(19, lseek)
{
    int64_t position;
    int32_t result = seek(self, (int32_t)ARG2, ARG3, &position);
    if (result != 0)
        return result;
    return position > INT32_MAX ? -EOVERFLOW : (int32_t)position;
}

SYSTEM_CALL(140, _llseek)
{
    int64_t position;
    struct file *file = file_at(self, ARG1);
    uint64_t before = file != NULL ? file->offset : 0;
    int32_t result = seek(self, (int64_t)((uint64_t)ARG2 << 32 | ARG3), ARG5, &position);
    if (result != 0)
        return result;
    enum kerr error = user_write(ARG4, &position, sizeof(position));
    if (error_goes_by(error)) /* repeated, it counts from where this one did */
        file->offset = before;
    return error == KERR_OK ? 0 : user_access_failed(error);
}

/* ---- the file system ---- */

/* The names of fields are those of the oldest layout, which has 32 bits for each. */
struct statfs {
    uint32_t type, block_bytes, blocks, free_blocks, available_blocks, files, free_files;
    uint32_t identity[2], name_bytes_max, fragment_bytes, flags, spare[4];
};
_Static_assert(sizeof(struct statfs) == 64, "as the i386 ABI has it");

struct statfs64 {
    uint32_t type, block_bytes;
    uint64_t blocks, free_blocks, available_blocks, files, free_files;
    uint32_t identity[2], name_bytes_max, fragment_bytes, flags, spare[4];
} __attribute__((packed));
_Static_assert(sizeof(struct statfs64) == 84, "as the i386 ABI has it");

/* One file system holds all there is: it is full, and nothing comes or goes. */
static struct statfs file_system(void)
{
    enum { RAMFS_MAGIC = 0x858458F6, ST_RDONLY = 1, ST_VALID = 0x20 };
    struct statfs status = {.type = (uint32_t)RAMFS_MAGIC,
                            .block_bytes = BLOCK_BYTES,
                            .name_bytes_max = NAME_BYTES_MAX,
                            .fragment_bytes = BLOCK_BYTES,
                            .flags = ST_RDONLY | ST_VALID};
    const struct node *node;
    while ((node = node_in_row(status.files++)) != NULL) /* and one more, the root */
        status.blocks += (node->bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    return status;
}

static int32_t tell_file_system(uint32_t address)
{
    const struct statfs status = file_system();
    return tell(address, &status, sizeof(status));
}

static int32_t tell_file_system64(uint32_t bytes, uint32_t address)
{
    const struct statfs from = file_system();
    const struct statfs64 status = {.type = from.type,
                                    .block_bytes = from.block_bytes,
                                    .blocks = from.blocks,
                                    .files = from.files,
                                    .name_bytes_max = from.name_bytes_max,
                                    .fragment_bytes = from.fragment_bytes,
                                    .flags = from.flags};
    return bytes == sizeof(status) ? tell(address, &status, sizeof(status)) : -EINVAL;
}

SYSTEM_CALL(99, statfs)
{
    const struct node *node;
    int32_t result = path_find_user(self, AT_FDCWD, ARG1, LINKS_FOLLOW, &node);
    return result != 0 ? result : tell_file_system(ARG2);
}

SYSTEM_CALL(100, fstatfs)
{
    return file_at(self, ARG1) == NULL ? -EBADF : tell_file_system(ARG2);
}

SYSTEM_CALL(268, statfs64)
{
    const struct node *node;
    int32_t result = path_find_user(self, AT_FDCWD, ARG1, LINKS_FOLLOW, &node);
    return result != 0 ? result : tell_file_system64(ARG2, ARG3);
}

SYSTEM_CALL(269, fstatfs64)
{
    return file_at(self, ARG1) == NULL ? -EBADF : tell_file_system64(ARG2, ARG3);
}

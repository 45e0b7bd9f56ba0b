/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. System calls about file systems: mount, umount, statfs; and memfd_create, which
 * makes a file in one that is mounted nowhere.
 * Source: Linux manual pages mount(2), umount(2), statfs(2), memfd_create(2).
 */
#include <device/block.h>
#include <kernel/printk.h>
#include <kernel/string.h>

#include "path.h"

/* ---- mount ---- */

enum mount_call_flags {
    MS_REMOUNT = 32,
    MS_CHANGEABLE = MOUNT_READ_ONLY | MOUNT_NO_DEVICES | MOUNT_NO_EXECUTION | MOUNT_SYNCHRONOUS |
                    MOUNT_NO_ACCESS_TIMES,
    MS_WITHOUT_EFFECT = 2 | 64 | 128 | 2048 | 0x8000 | (1 << 21) | (1 << 24) | (1 << 25),
    MS_MAGIC = (int)0xC0ED0000,
    MS_MAGIC_MASK = (int)0xFFFF0000,
};

/* A short text of the program, or "" if ADDRESS is 0. */
static int32_t read_text(uint32_t address, char *text, uint32_t room)
{
    uint32_t length;
    text[0] = '\0';
    enum kerr error = address != 0 ? user_read_string(text, address, room, &length) : KERR_OK;
    if (error == KERR_NO_ROOM)
        return -EINVAL;
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static int32_t mount_failed(enum kerr error)
{
    switch (error) {
    case KERR_UNSUPPORTED:
        return -ENODEV;
    case KERR_EXISTS:
        return -EBUSY;
    default:
        return file_failed(error);
    }
}

static int32_t remount(struct inode *inode, uint32_t flags)
{
    if (inode != inode->mount->root)
        return -EINVAL;
    enum kerr error = mount_change(inode->mount, flags & MS_CHANGEABLE);
    return error == KERR_OK ? 0 : mount_failed(error);
}

/* The program's PATH names a disk, of whatever name: SOURCE, as file systems know it. */
static int32_t find_source(struct process *self, uint32_t path, char *source, uint32_t room)
{
    struct inode *inode;
    int32_t result = path_find_user(self, AT_FDCWD, path, LINKS_FOLLOW, &inode);
    if (result != 0)
        return result;
    const struct block_device *device = disk_device(inode);
    bool is_block = inode_type(inode) == S_IFBLK;
    inode_put(inode);
    if (device == NULL)
        return is_block ? -ENXIO : -ENOTBLK;
    format_text(source, room, "/dev/%s", device->name);
    return 0;
}

static int32_t mount_new(struct process *self, struct inode *inode, const char *type,
                         const char *options, uint32_t flags)
{
    enum { SOURCE_BYTES = 64 };
    static char source[SOURCE_BYTES];
    const struct file_system *system = file_system_find(type);
    struct mount *mount;
    if (system == NULL || (system->flags & FILE_SYSTEM_OF_TESTS))
        return -ENODEV;
    int32_t result = system->flags & FILE_SYSTEM_NEEDS_SOURCE
                         ? find_source(self, ARG1, source, sizeof(source))
                         : read_text(ARG1, source, sizeof(source));
    if (result != 0)
        return result;
    if (!inode_is_directory(inode))
        return -ENOTDIR;
    enum kerr error = mount_add(type, source, options, flags & MS_CHANGEABLE, inode, &mount);
    return error == KERR_OK ? 0 : mount_failed(error);
}

SYSTEM_CALL(21, mount)
{
    enum { TYPE_BYTES = 32, OPTIONS_BYTES = 256 };
    static char type[TYPE_BYTES], options[OPTIONS_BYTES];
    uint32_t flags = ARG4;
    struct inode *inode;
    if ((flags & (uint32_t)MS_MAGIC_MASK) == (uint32_t)MS_MAGIC)
        flags &= ~(uint32_t)MS_MAGIC_MASK;
    int32_t result = read_text(ARG3, type, TYPE_BYTES);
    if (result == 0)
        result = read_text(ARG5, options, OPTIONS_BYTES);
    if (result == 0)
        result = path_find_user(self, AT_FDCWD, ARG2, LINKS_FOLLOW, &inode);
    if (result != 0)
        return result;
    if ((flags & ~(uint32_t)(MS_CHANGEABLE | MS_WITHOUT_EFFECT | MS_REMOUNT)) != 0)
        result = -EINVAL;
    else if (flags & MS_REMOUNT)
        result = remount(inode, flags);
    else
        result = ARG3 == 0 ? -EINVAL : mount_new(self, inode, type, options, flags);
    inode_put(inode);
    return result;
}

static int32_t unmount(struct process *self, uint32_t path, uint32_t flags)
{
    enum { UMOUNT_NOFOLLOW = 8, KNOWN = 15, MNT_EXPIRE = 4 };
    struct inode *inode;
    if ((flags & ~(uint32_t)KNOWN) != 0)
        return -EINVAL;
    int32_t result = path_find_user(self, AT_FDCWD, path,
                                    flags & UMOUNT_NOFOLLOW ? LINKS_KEEP : LINKS_FOLLOW, &inode);
    if (result != 0)
        return result;
    struct mount *mount = inode == inode->mount->root ? inode->mount : NULL;
    inode_put(inode);
    if (mount == NULL || (flags & MNT_EXPIRE))
        return -EINVAL;
    enum kerr error = mount_remove(mount);
    return error == KERR_OK ? 0 : file_failed(error);
}

SYSTEM_CALL(22, umount)
{
    return unmount(self, ARG1, 0);
}

SYSTEM_CALL(52, umount2)
{
    return unmount(self, ARG1, ARG2);
}

/* ---- how full it is ---- */

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

/* Of the mount that has INODE; a pipe without a name (NULL) has one of its own kind. */
static int32_t find_room(const struct inode *inode, struct statfs64 *status)
{
    enum { PIPEFS_MAGIC = 0x50495045, ST_RDONLY = 1, ST_VALID = 0x20, ST_RELATIME = 4096 };
    struct mount_room room = {.magic = PIPEFS_MAGIC, .block_bytes = PAGE_BYTES};
    enum kerr error =
        inode != NULL ? inode->mount->file_system->room(inode->mount, &room) : KERR_OK;
    if (error != KERR_OK)
        return file_failed(error);
    bool is_read_only = inode != NULL && (inode->mount->flags & MOUNT_READ_ONLY);
    *status = (struct statfs64){.type = room.magic,
                                .block_bytes = room.block_bytes,
                                .blocks = room.blocks,
                                .free_blocks = room.free_blocks,
                                .available_blocks = room.available_blocks,
                                .files = room.files,
                                .free_files = room.free_files,
                                .identity = {room.identity[0], room.identity[1]},
                                .name_bytes_max = NAME_BYTES_MAX,
                                .fragment_bytes = room.block_bytes,
                                .flags = ST_VALID | ST_RELATIME | (is_read_only ? ST_RDONLY : 0)};
    return 0;
}

static int32_t tell_64(const struct statfs64 *status, uint32_t address)
{
    enum kerr error = user_replace(address, status, sizeof(*status));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

static int32_t tell_32(const struct statfs64 *from, uint32_t address)
{
    const struct statfs status = {.type = from->type,
                                  .block_bytes = from->block_bytes,
                                  .blocks = (uint32_t)from->blocks,
                                  .free_blocks = (uint32_t)from->free_blocks,
                                  .available_blocks = (uint32_t)from->available_blocks,
                                  .files = (uint32_t)from->files,
                                  .free_files = (uint32_t)from->free_files,
                                  .identity = {from->identity[0], from->identity[1]},
                                  .name_bytes_max = from->name_bytes_max,
                                  .fragment_bytes = from->fragment_bytes,
                                  .flags = from->flags};
    if (from->blocks > UINT32_MAX || from->files > UINT32_MAX)
        return -EOVERFLOW;
    enum kerr error = user_replace(address, &status, sizeof(status));
    return error == KERR_OK ? 0 : user_access_failed(error);
}

typedef int32_t teller_t(const struct statfs64 *status, uint32_t address);

static int32_t statfs_path(struct process *self, teller_t *tell, uint32_t address)
{
    struct statfs64 status = {0};
    struct inode *inode;
    int32_t result = path_find_user(self, AT_FDCWD, ARG1, LINKS_FOLLOW, &inode);
    if (result == 0)
        result = find_room(inode, &status);
    inode_put(inode);
    return result != 0 ? result : tell(&status, address);
}

static int32_t statfs_descriptor(const struct process *self, teller_t *tell, uint32_t address)
{
    struct statfs64 status = {0};
    const struct file *file = file_at(self, ARG1);
    if (file == NULL)
        return -EBADF;
    int32_t result = find_room(file->inode, &status);
    return result != 0 ? result : tell(&status, address);
}

SYSTEM_CALL(99, statfs)
{
    return statfs_path(self, tell_32, ARG2);
}

SYSTEM_CALL(100, fstatfs)
{
    return statfs_descriptor(self, tell_32, ARG2);
}

SYSTEM_CALL(268, statfs64)
{
    return ARG2 == sizeof(struct statfs64) ? statfs_path(self, tell_64, ARG3) : -EINVAL;
}

SYSTEM_CALL(269, fstatfs64)
{
    return ARG2 == sizeof(struct statfs64) ? statfs_descriptor(self, tell_64, ARG3) : -EINVAL;
}

/* ---- files without names ---- */

static int32_t make_memory_file(struct process *self, enum descriptor_end at_exec)
{
    static const struct inode_wish wish = {.mode = S_IFREG | 0777};
    const struct path nameless = {.directory = mount_nowhere->root};
    struct inode *inode;
    struct file *file;
    uint32_t descriptor;
    int32_t result = descriptor_prepare(self, 0, &descriptor);
    if (result == 0)
        result = path_create(&nameless, &wish, &inode);
    if (result != 0)
        return result;
    enum kerr error = file_create(&regular_operations, inode, O_RDWR | O_LARGEFILE, &file);
    inode_put(inode);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    descriptor_set(self, descriptor, file, at_exec);
    return (int32_t)descriptor;
}

SYSTEM_CALL(356, memfd_create)
{
    enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_NOEXEC_SEAL = 8, MFD_EXEC = 16 };
    enum { KNOWN = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC, MEMFD_NAME_ROOM = 250 };
    char name[MEMFD_NAME_ROOM];
    if ((ARG2 & ~(uint32_t)KNOWN) != 0)
        return -EINVAL;
    int32_t result = ARG1 == 0 ? -EFAULT : read_text(ARG1, name, sizeof(name));
    return result != 0 ? result
                       : make_memory_file(self, ARG2 & MFD_CLOEXEC ? DESCRIPTOR_CLOSE_ON_EXEC
                                                                   : DESCRIPTOR_STAYS);
}

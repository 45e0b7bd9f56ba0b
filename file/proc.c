/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /proc, as far as there is any: /proc/self/exe, the program's own file.
 *
 * Its three inodes are there as long as it is mounted, which it can be once.
 */
#include "open_file.h"

enum { PROC_MAGIC = 0x9FA0, NUMBER_ROOT = 1, NUMBER_SELF, NUMBER_EXE, INODES };

static struct inode inodes[INODES]; /* by number */
static bool is_mounted;

static const struct {
    uint32_t parent, mode;
    const char *name;
} entries[INODES] = {[NUMBER_SELF] = {NUMBER_ROOT, S_IFDIR | 0555, "self"},
                     [NUMBER_EXE] = {NUMBER_SELF, S_IFLNK | 0777, "exe"}};

static struct name name_of(uint32_t number)
{
    struct name name = {entries[number].name, 0};
    while (name.text[name.length] != '\0')
        name.length++;
    return name;
}

static bool are_equal(struct name left, struct name right)
{
    while (left.length > 0 && left.length == right.length && *left.text == *right.text) {
        left = (struct name){left.text + 1, left.length - 1};
        right = (struct name){right.text + 1, right.length - 1};
    }
    return left.length == 0 && right.length == 0;
}

static enum kerr proc_lookup(struct inode *directory, struct name name, struct inode **inode)
{
    for (uint32_t i = NUMBER_SELF; i < INODES; i++)
        if (entries[i].parent == directory->number && are_equal(name_of(i), name)) {
            inode_get(&inodes[i]);
            *inode = &inodes[i];
            return KERR_OK;
        }
    return KERR_NOT_FOUND;
}

static enum kerr proc_read_directory(struct inode *directory, uint64_t cursor,
                                     struct directory_entry *entry)
{
    for (uint32_t i = NUMBER_SELF; i < INODES; i++)
        if (entries[i].parent == directory->number && i >= cursor) {
            *entry = (struct directory_entry){
                .cursor = i + 1, .number = i, .mode = entries[i].mode & S_IFMT, .name = name_of(i)};
            return KERR_OK;
        }
    return KERR_NOT_FOUND;
}

static enum kerr exe_follow(struct inode *inode, struct inode **target)
{
    struct inode *program = process_current != NULL ? file_program_of(process_current) : NULL;
    (void)inode;
    if (program == NULL)
        return KERR_NOT_FOUND;
    inode_get(program);
    *target = program;
    return KERR_OK;
}

static enum kerr exe_read_link(struct inode *inode, char *target, uint32_t *bytes)
{
    struct inode *program;
    enum kerr error = exe_follow(inode, &program);
    if (error != KERR_OK)
        return error;
    error = file_path_text(program, target, bytes);
    inode_put(program);
    return error;
}

static enum kerr proc_evict(struct inode *inode)
{
    inode_remove(inode);
    return KERR_OK;
}

static const struct inode_operations directory_operations_of_proc = {
    .lookup = proc_lookup, .read_directory = proc_read_directory, .evict = proc_evict};
static const struct inode_operations exe_operations = {
    .read_link = exe_read_link, .follow = exe_follow, .evict = proc_evict};

static void add(struct mount *mount, uint32_t number, uint32_t mode, uint32_t links,
                const struct inode_operations *operations)
{
    struct time now = clock_real();
    inodes[number] = (struct inode){.operations = operations,
                                    .status = {.mode = mode,
                                               .links = links,
                                               .accessed = now,
                                               .modified = now,
                                               .changed = now,
                                               .born = now}};
    inode_add(&inodes[number], mount, number);
}

static enum kerr proc_mount(struct mount *mount, const char *options)
{
    (void)options;
    if (is_mounted)
        return KERR_EXISTS;
    add(mount, NUMBER_ROOT, S_IFDIR | 0555, 3, &directory_operations_of_proc);
    add(mount, NUMBER_SELF, entries[NUMBER_SELF].mode, 2, &directory_operations_of_proc);
    add(mount, NUMBER_EXE, entries[NUMBER_EXE].mode, 1, &exe_operations);
    inode_put(&inodes[NUMBER_SELF]); /* they have links, and stay */
    inode_put(&inodes[NUMBER_EXE]);
    mount->root = &inodes[NUMBER_ROOT];
    is_mounted = true;
    return KERR_OK;
}

static enum kerr proc_unmount(struct mount *mount)
{
    mount->root->references--;
    for (uint32_t i = INODES - 1; i >= NUMBER_ROOT; i--)
        inode_remove(&inodes[i]);
    is_mounted = false;
    return KERR_OK;
}

static enum kerr proc_room(struct mount *mount, struct mount_room *room)
{
    (void)mount;
    *room = (struct mount_room){.magic = PROC_MAGIC, .block_bytes = PAGE_BYTES};
    return KERR_OK;
}

FILE_SYSTEM(proc, .name = "proc", .flags = FILE_SYSTEM_KEEPS_INODES, .mount = proc_mount,
            .unmount = proc_unmount, .room = proc_room);

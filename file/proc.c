/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. /proc, the tree: what there is to know of processes and of the system, as files. Mounted any
 * number of times; every inode is made when it is looked up, and gone when nobody uses it.
 * Source: Linux manual page proc(5).
 */
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/heap.h>

#include "proc.h"

/* Cursors of a directory: entries of the table, then processes, or descriptors. */
enum { PROC_MAGIC = 0x9FA0, PID_SHIFT = 16, CURSOR_OF_TABLE = 2, CURSOR_OF_OTHERS = 0x1000 };

static uint32_t number_of(uint32_t pid, uint32_t place)
{
    return pid << PID_SHIFT | (place + 1);
}

static const struct proc_entry *table_of(uint32_t pid, uint32_t *count)
{
    *count = pid != 0 ? proc_of_process_count : proc_of_system_count;
    return pid != 0 ? proc_of_process : proc_of_system;
}

struct process *proc_process_of(const struct proc_inode *inode)
{
    struct process *process = process_find(inode->pid);
    return process != NULL && process->serial == inode->serial ? process : NULL;
}

struct file *proc_file_at(const struct process *process, uint32_t descriptor)
{
    return files_of(process) != NULL ? file_at(process, descriptor) : NULL;
}

/* ---- inodes ---- */

static const struct inode_operations directory_operations_of_proc, link_operations,
    direct_link_operations, text_operations;

static const struct inode_operations *operations_of(const struct proc_entry *entry)
{
    if (entry->write != NULL)
        return &text_operations;
    if (entry->read_link != NULL)
        return entry->follow != NULL ? &direct_link_operations : &link_operations;
    return &directory_operations_of_proc;
}

/* *INODE: a new one of ENTRY, NUMBER of MOUNT, of PROCESS or of none. */
static enum kerr make(struct mount *mount, uint32_t number, const struct proc_entry *entry,
                      const struct process *process, struct proc_inode **inode)
{
    struct time now = clock_real_coarse();
    void *block;
    enum kerr error = inode_make_room();
    if (error == KERR_OK)
        error = kmalloc(sizeof(**inode), &block);
    if (error != KERR_OK)
        return error;
    *inode = block;
    **inode = (struct proc_inode){.entry = entry};
    if (process != NULL) {
        (*inode)->pid = process->pid;
        (*inode)->serial = process->serial;
    }
    (*inode)->inode =
        (struct inode){.operations = operations_of(entry),
                       .file_operations = entry->write != NULL ? &proc_text_operations : NULL,
                       .status = {.mode = entry->mode,
                                  .links = (entry->mode & S_IFMT) == S_IFDIR ? 2 : 1,
                                  .accessed = now,
                                  .modified = now,
                                  .changed = now,
                                  .born = now}};
    inode_add(&(*inode)->inode, mount, number);
    return KERR_OK;
}

/* *INODE: the one of ENTRY, of PROCESS or of none, whose number stands for PLACE. */
static enum kerr find(struct mount *mount, const struct process *process,
                      const struct proc_entry *entry, uint32_t place, struct inode **inode)
{
    uint32_t pid = process != NULL ? process->pid : 0;
    struct proc_inode *new;
    struct inode *found = inode_find(mount, number_of(pid, place));
    if (found != NULL && (pid == 0 || proc_process_of(proc_inode_of(found)) != NULL)) {
        *inode = found;
        return KERR_OK;
    }
    inode_put(found); /* of one that had this pid before */
    enum kerr error = make(mount, number_of(pid, place), entry, process, &new);
    if (error == KERR_OK)
        *inode = &new->inode;
    return error;
}

static enum kerr proc_evict(struct inode *inode)
{
    inode_remove(inode);
    kfree(container_of(inode, struct proc_inode, inode));
    return KERR_OK;
}

/* ---- directories ---- */

static bool is_text(struct name name, const char *text)
{
    return strlen(text) == name.length && memcmp(text, name.text, name.length) == 0;
}

/* NAME is a number as it is printed, and below LIMIT. */
static bool is_number(struct name name, uint32_t limit, uint32_t *number)
{
    *number = 0;
    for (uint32_t i = 0; i < name.length; i++) {
        if (name.text[i] < '0' || name.text[i] > '9' || *number >= limit)
            return false;
        *number = *number * 10 + (uint32_t)(name.text[i] - '0');
    }
    return *number < limit && (name.length == 1 || name.text[0] != '0');
}

/* What is in DIRECTORY, fd/ or fdinfo/, for each descriptor; NULL: it is another one. */
static const struct proc_entry *entry_of_descriptors(const struct proc_inode *directory)
{
    if (directory->entry == &proc_of_process[PROC_DESCRIPTORS])
        return &proc_descriptor_link;
    return directory->entry == &proc_of_process[PROC_INFORMATION] ? &proc_descriptor_information
                                                                  : NULL;
}

static uint32_t number_of_descriptor(const struct process *process, const struct proc_entry *entry,
                                     uint32_t descriptor)
{
    uint32_t first =
        entry == &proc_descriptor_link ? PROC_FIRST_DESCRIPTOR : PROC_FIRST_INFORMATION;
    return number_of(process->pid, first - 1 + descriptor);
}

static bool is_root(const struct proc_inode *directory)
{
    return directory->entry == proc_of_system;
}

static bool is_tasks(const struct proc_inode *directory)
{
    return directory->entry == &proc_of_process[PROC_TASKS];
}

/* The entry at I of TABLE is in DIRECTORY. That of a task has what its process has, but for tasks. */
static bool is_in(const struct proc_inode *directory, const struct proc_entry *table, uint32_t i)
{
    if (directory->entry == &proc_task)
        return i != PROC_TASKS && table[i].parent == 0;
    return &table[table[i].parent] == directory->entry;
}

/* The place of the entry at I in DIRECTORY. */
static uint32_t place_in(const struct proc_inode *directory, uint32_t i)
{
    return directory->entry == &proc_task ? PROC_FIRST_TASK + i : i;
}

static enum kerr look_up_descriptor(const struct proc_inode *directory,
                                    const struct process *process, struct name name,
                                    struct inode **inode)
{
    uint32_t descriptor;
    struct proc_inode *new;
    const struct proc_entry *entry = entry_of_descriptors(directory);
    const uint32_t limit = PROC_FIRST_INFORMATION - PROC_FIRST_DESCRIPTOR;
    if (!is_number(name, limit, &descriptor) || proc_file_at(process, descriptor) == NULL)
        return KERR_NOT_FOUND;
    enum kerr error = make(directory->inode.mount, number_of_descriptor(process, entry, descriptor),
                           entry, process, &new);
    if (error != KERR_OK)
        return error;
    new->descriptor = descriptor;
    *inode = &new->inode;
    return KERR_OK;
}

static enum kerr proc_lookup(struct inode *inode, struct name name, struct inode **found)
{
    const struct proc_inode *directory = proc_inode_of(inode);
    const struct process *process = proc_process_of(directory);
    uint32_t count, pid;
    const struct proc_entry *table = table_of(directory->pid, &count);
    if (directory->pid != 0 && process == NULL)
        return KERR_NOT_FOUND;
    if (entry_of_descriptors(directory) != NULL)
        return look_up_descriptor(directory, process, name, found);
    if (is_tasks(directory)) /* a process is a task of its own number */
        return is_number(name, PROCESS_RECORDS_COUNT, &pid) && pid == directory->pid
                   ? find(inode->mount, process, &proc_task, PROC_FIRST_TASK, found)
                   : KERR_NOT_FOUND;
    for (uint32_t i = 1; i < count; i++)
        if (is_in(directory, table, i) && is_text(name, table[i].name))
            return find(inode->mount, process, &table[i], place_in(directory, i), found);
    if (!is_root(directory) || !is_number(name, PROCESS_RECORDS_COUNT, &pid))
        return KERR_NOT_FOUND;
    process = process_find(pid);
    return process != NULL ? find(inode->mount, process, proc_of_process, 0, found)
                           : KERR_NOT_FOUND;
}

/* An entry whose name is VALUE. */
static void tell_number(struct directory_entry *entry, uint32_t value, uint32_t number,
                        uint32_t mode)
{
    static char text[sizeof("65535")];
    uint32_t bytes = format_text(text, sizeof(text), "%u", (unsigned)value);
    *entry = (struct directory_entry){.cursor = CURSOR_OF_OTHERS + value + 1,
                                      .number = number,
                                      .mode = mode & S_IFMT,
                                      .name = {text, bytes}};
}

/* The first process from PID on. */
static enum kerr read_process(uint32_t pid, struct directory_entry *entry)
{
    const struct process *process = pid == 0 ? process_next(NULL) : process_find(pid);
    while (process == NULL && pid < PROCESS_RECORDS_COUNT)
        process = process_find(++pid);
    if (process == NULL)
        return KERR_NOT_FOUND;
    tell_number(entry, process->pid, number_of(process->pid, 0), S_IFDIR);
    return KERR_OK;
}

/* What OF is for the first descriptor from FIRST on of PROCESS, which may have ended. */
static enum kerr read_descriptor(const struct process *process, const struct proc_entry *of,
                                 uint32_t first, struct directory_entry *entry)
{
    const struct files *files = files_of(process);
    for (uint32_t i = first; files != NULL && i < files->capacity; i++)
        if (files->slots[i].file != NULL) {
            tell_number(entry, i, number_of_descriptor(process, of, i), of->mode);
            return KERR_OK;
        }
    return KERR_NOT_FOUND;
}

static enum kerr proc_read_directory(struct inode *inode, uint64_t cursor,
                                     struct directory_entry *entry)
{
    const struct proc_inode *directory = proc_inode_of(inode);
    const struct process *process = proc_process_of(directory);
    uint32_t count, other = cursor > CURSOR_OF_OTHERS ? (uint32_t)cursor - CURSOR_OF_OTHERS : 0;
    const struct proc_entry *table = table_of(directory->pid, &count);
    if ((directory->pid != 0 && process == NULL) || cursor > UINT32_MAX)
        return KERR_NOT_FOUND;
    for (uint32_t i = (uint32_t)cursor - CURSOR_OF_TABLE + 1; i < count; i++)
        if (is_in(directory, table, i)) {
            *entry = (struct directory_entry){.cursor = i + CURSOR_OF_TABLE,
                                              .number =
                                                  number_of(directory->pid, place_in(directory, i)),
                                              .mode = table[i].mode & S_IFMT,
                                              .name = {table[i].name, strlen(table[i].name)}};
            return KERR_OK;
        }
    if (is_root(directory))
        return read_process(other, entry);
    if (is_tasks(directory) && other <= directory->pid) {
        tell_number(entry, directory->pid, number_of(directory->pid, PROC_FIRST_TASK), S_IFDIR);
        return KERR_OK;
    }
    const struct proc_entry *of = entry_of_descriptors(directory);
    return of != NULL ? read_descriptor(process, of, other, entry) : KERR_NOT_FOUND;
}

/* What is not there can't be made: to Linux, too, that is the answer. */
static enum kerr proc_create(struct inode *directory, struct name name,
                             const struct inode_wish *wish, struct inode **inode)
{
    (void)directory;
    (void)wish;
    (void)inode;
    return name.length == 0 ? KERR_UNSUPPORTED : KERR_NOT_FOUND;
}

/* ---- links ---- */

static enum kerr proc_read_link(struct inode *inode, char *target, uint32_t *bytes)
{
    const struct proc_inode *link = proc_inode_of(inode);
    return link->entry->read_link(link, target, bytes);
}

static enum kerr proc_follow(struct inode *inode, struct inode **target)
{
    const struct proc_inode *link = proc_inode_of(inode);
    return link->entry->follow(link, target);
}

static const struct inode_operations directory_operations_of_proc = {.lookup = proc_lookup,
                                                                     .create = proc_create,
                                                                     .read_directory =
                                                                         proc_read_directory,
                                                                     .evict = proc_evict};
static const struct inode_operations link_operations = {.read_link = proc_read_link,
                                                        .evict = proc_evict};
static const struct inode_operations direct_link_operations = {
    .read_link = proc_read_link, .follow = proc_follow, .evict = proc_evict};
static const struct inode_operations text_operations = {.evict = proc_evict};

/* ---- mounting ---- */

static enum kerr proc_mount(struct mount *mount, const char *options)
{
    struct proc_inode *root;
    (void)options;
    enum kerr error = make(mount, number_of(0, 0), proc_of_system, NULL, &root);
    if (error == KERR_OK)
        mount->root = &root->inode;
    return error;
}

static enum kerr proc_unmount(struct mount *mount)
{
    mount->root->references--;
    return proc_evict(mount->root);
}

static enum kerr proc_room(struct mount *mount, struct mount_room *room)
{
    (void)mount;
    *room = (struct mount_room){.magic = PROC_MAGIC, .block_bytes = PAGE_BYTES};
    return KERR_OK;
}

FILE_SYSTEM(proc, .name = "proc", .flags = FILE_SYSTEM_FORGETS_INODES, .mount = proc_mount,
            .unmount = proc_unmount, .room = proc_room);

_Static_assert(PROC_FIRST_TASK * 2 <= (int)PROC_FIRST_DESCRIPTOR, "numbers of inodes are apart");

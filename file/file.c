/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Open files and tables of descriptors (include/file/file.h).
 *
 * A table is shared by fork until one side changes it: every change goes through
 * files_copy_for_write() first. A file counts the descriptors that name it, a shared table's once.
 * Both kinds of structure have an upper bound over all processes, so that programs can't fill the
 * kernel's heap with them.
 */
#include <kernel/string.h>
#include <mm/heap.h>

#include "path.h"

enum {
    FILES_MAX = 0x20000,
    SLOTS_AT_FIRST = 16,
    SLOTS_PER_TABLE_MAX = 0x10000,
    SLOTS_MAX = 0x400000, /* in all tables */
    MASK_AT_FIRST = 022,
};

static uint32_t file_count, slot_count;
static struct file *spare; /* the record of the file that ended last, for the next one; or NULL */

/* ---- files ---- */

enum kerr file_create(const struct file_operations *operations, struct inode *inode, uint32_t flags,
                      struct file **file)
{
    static const uint8_t access[O_ACCMODE + 1] = {
        [O_RDONLY] = FILE_READ, [O_WRONLY] = FILE_WRITE, [O_RDWR] = FILE_READ | FILE_WRITE};
    void *block = spare;
    if (file_count == FILES_MAX)
        return KERR_NO_ROOM;
    enum kerr error = block != NULL ? KERR_OK : kmalloc(sizeof(struct file), &block);
    if (error != KERR_OK)
        return error;
    spare = NULL;
    file_count++;
    *file = block;
    (*file)->access = flags & O_PATH ? 0u : access[flags & O_ACCMODE];
    (*file)->pipe = NULL;
    (*file)->flags = flags;
    (*file)->references = 1;
    (*file)->offset = 0;
    (*file)->errors_told = 0;
    file_attach(*file, operations, inode);
    return KERR_OK;
}

void file_attach(struct file *file, const struct file_operations *operations, struct inode *inode)
{
    file->operations = operations;
    file->inode = inode;
    if (inode == NULL)
        return;
    inode_get(inode);
    file->errors_told = inode->errors_told;
    inode->writers += (file->access & FILE_WRITE) != 0;
}

void file_put(struct file *file)
{
    if (--file->references > 0)
        return;
    if (file->operations != NULL && file->operations->release != NULL)
        file->operations->release(file);
    if (file->inode != NULL) {
        if (!list_is_empty(&file->inode->locks))
            locks_end_with_file(file);
        file->inode->writers -= (file->access & FILE_WRITE) != 0;
        inode_put(file->inode);
    }
    file_count--;
    if (spare == NULL)
        spare = file;
    else
        kfree(file);
}

void file_forget_spare(void)
{
    if (spare != NULL)
        kfree(spare);
    spare = NULL;
}

struct file *file_of(const struct process *process, uint32_t descriptor)
{
    return file_at(process, descriptor);
}

/* ---- tables ---- */

static size_t table_bytes(uint32_t capacity)
{
    return offsetof(struct files, slots) + capacity * sizeof(struct descriptor);
}

/* Make TABLE (NULL: a new one) CAPACITY slots large, those that are new free. */
static kerr_t table_resize(struct files *table, uint32_t capacity, struct files **resized)
{
    uint32_t before = table != NULL ? table->capacity : 0;
    void *block;
    if (capacity - before > SLOTS_MAX - slot_count)
        return KERR_NO_ROOM;
    enum kerr error = krealloc(table, table_bytes(capacity), &block);
    if (error != KERR_OK)
        return error;
    slot_count += capacity - before;
    *resized = block;
    (*resized)->capacity = capacity;
    memset(&(*resized)->slots[before], 0, (capacity - before) * sizeof(struct descriptor));
    return KERR_OK;
}

/* The table for process 1: 0, 1 and 2 are the terminal. */
static kerr_t create_table(struct files **files)
{
    struct file *terminal;
    struct files *table;
    struct inode *console;
    if (path_find(mount_root->root, "/dev/console", LINKS_FOLLOW, &console) != 0)
        return KERR_NOT_FOUND;
    enum kerr error = file_create(&terminal_operations, console, O_RDWR, &terminal);
    inode_put(console);
    if (error != KERR_OK)
        return error;
    error = table_resize(NULL, SLOTS_AT_FIRST, &table);
    if (error != KERR_OK) {
        file_put(terminal);
        return error;
    }
    enum { STANDARD_FILES = 3 }; /* input, output, errors */
    table->references = 1;
    table->first_free = STANDARD_FILES;
    table->mask = MASK_AT_FIRST;
    table->directory = mount_root->root;
    inode_get(table->directory);
    terminal->references = STANDARD_FILES;
    for (uint32_t i = 0; i < STANDARD_FILES; i++)
        table->slots[i].file = terminal;
    *files = table;
    return KERR_OK;
}

/* One user fewer; the last one closes all. */
static void table_put(struct files *files)
{
    if (--files->references > 0)
        return;
    for (uint32_t i = 0; i < files->capacity; i++)
        if (files->slots[i].file != NULL)
            file_put(files->slots[i].file);
    inode_put(files->directory);
    slot_count -= files->capacity;
    kfree(files);
}

enum kerr files_copy_for_write(struct process *self)
{
    struct files *old = files_of(self), *copy;
    if (old->references == 1)
        return KERR_OK;
    uint32_t capacity = old->capacity > 0 ? old->capacity : SLOTS_AT_FIRST;
    enum kerr error = table_resize(NULL, capacity, &copy);
    if (error != KERR_OK)
        return error;
    memcpy(copy, old, table_bytes(old->capacity));
    copy->references = 1;
    copy->capacity = capacity;
    inode_get(copy->directory);
    for (uint32_t i = 0; i < old->capacity; i++)
        if (copy->slots[i].file != NULL)
            copy->slots[i].file->references++;
    old->references--;
    process_set_state(self, FILES_PLACE, copy);
    return KERR_OK;
}

/* PROCESS has a descriptor fewer for FILE, which loses a reference: its locks of the inode go. */
static void put_from(const struct process *process, struct file *file)
{
    if (file->inode != NULL && !list_is_empty(&file->inode->locks))
        locks_end_with_process(file->inode, process);
    file_put(file);
}

/* Close a descriptor of PROCESS, whose table nobody shares. */
static void close_slot(const struct process *process, uint32_t descriptor)
{
    struct files *files = files_of(process);
    struct file *file = files->slots[descriptor].file;
    files->slots[descriptor] = (struct descriptor){0};
    if (descriptor < files->first_free)
        files->first_free = descriptor;
    put_from(process, file);
}

static bool closes_any_on_exec(const struct files *files)
{
    for (uint32_t i = 0; i < files->capacity; i++)
        if (files->slots[i].at_exec == DESCRIPTOR_CLOSE_ON_EXEC)
            return true;
    return false;
}

/* ---- as a part of a process ---- */

static int32_t begin_part(struct process *process)
{
    struct files *files;
    if (create_table(&files) != KERR_OK)
        return -ENOMEM;
    process_set_state(process, FILES_PLACE, files);
    return 0;
}

/* The table is shared until one side changes it. */
static int32_t fork_part(struct process *parent, struct process *child,
                         const struct clone_wish *wish)
{
    (void)wish;
    struct files *files = files_of(parent);
    files->references++;
    process_set_state(child, FILES_PLACE, files);
    return 0;
}

/* Descriptors marked so are closed in a table of PROCESS's own: it gets one while execve may
 * fail. */
static enum kerr prepare_exec_part(struct process *process)
{
    return closes_any_on_exec(files_of(process)) ? files_copy_for_write(process) : KERR_OK;
}

static void exec_part(struct process *process)
{
    struct files *files = files_of(process);
    for (uint32_t i = 0; i < files->capacity; i++)
        if (files->slots[i].at_exec == DESCRIPTOR_CLOSE_ON_EXEC)
            close_slot(process, i);
}

/* All locks of PROCESS are of inodes that it has open. */
static void drop_locks(const struct process *process, const struct files *files)
{
    for (uint32_t i = 0; i < files->capacity; i++) {
        const struct file *file = files->slots[i].file;
        if (file != NULL && file->inode != NULL && !list_is_empty(&file->inode->locks))
            locks_end_with_process(file->inode, process);
    }
}

static void drop_part(struct process *process)
{
    struct files *files = files_of(process);
    if (files != NULL) {
        drop_locks(process, files);
        table_put(files);
    }
    process_set_state(process, FILES_PLACE, NULL);
}

/* What is shared counts in part. */
static uint32_t footprint_part(const struct process *process)
{
    const struct files *files = files_of(process);
    if (files == NULL)
        return 0;
    uint32_t bytes = table_bytes(files->capacity);
    for (uint32_t i = 0; i < files->capacity; i++) {
        const struct file *file = files->slots[i].file;
        if (file != NULL && file->operations->footprint != NULL)
            bytes += file->operations->footprint(file) / file->references;
    }
    return bytes / files->references / PAGE_BYTES;
}

static const char *audit_part(const struct process *process)
{
    const struct files *files = files_of(process);
    return files == NULL || (files->references > 0 && files->first_free <= files->capacity)
               ? NULL
               : "a table of files in use has references";
}

PROCESS_PART(files, .begin = begin_part, .fork = fork_part, .prepare_exec = prepare_exec_part,
             .exec = exec_part, .drop = drop_part, .footprint = footprint_part,
             .audit = audit_part);

/* ---- descriptors ---- */

uint32_t descriptor_limit(const struct process *self)
{
    uint32_t limit = self->limits->pair[LIMIT_NOFILE].soft;
    return limit < SLOTS_PER_TABLE_MAX ? limit : SLOTS_PER_TABLE_MAX;
}

/* A table of SELF's own with room for DESCRIPTOR, which is below the limit. */
static kerr_t reach(struct process *self, uint32_t descriptor)
{
    enum kerr error = files_copy_for_write(self);
    if (error != KERR_OK || descriptor < files_of(self)->capacity)
        return error;
    uint32_t capacity = files_of(self)->capacity;
    while (capacity <= descriptor)
        capacity *= 2;
    struct files *files;
    error = table_resize(files_of(self), capacity, &files);
    if (error == KERR_OK)
        process_set_state(self, FILES_PLACE, files);
    return error;
}

static uint32_t find_free(const struct files *files, uint32_t first)
{
    uint32_t found = first > files->first_free ? first : files->first_free;
    while (found < files->capacity && files->slots[found].file != NULL)
        found++;
    return found;
}

int32_t descriptor_prepare(struct process *self, uint32_t first, uint32_t *descriptor)
{
    *descriptor = find_free(files_of(self), first);
    if (*descriptor >= descriptor_limit(self))
        return -EMFILE;
    enum kerr error = reach(self, *descriptor);
    return error == KERR_OK ? 0 : file_allocation_failed(error);
}

void descriptor_set(struct process *self, uint32_t descriptor, struct file *file,
                    enum descriptor_end at_exec)
{
    struct files *files = files_of(self);
    files->slots[descriptor] = (struct descriptor){file, at_exec};
    if (descriptor == files->first_free)
        files->first_free = descriptor + 1;
}

int32_t descriptor_add(struct process *self, struct file *file, uint32_t first,
                       enum descriptor_end at_exec, uint32_t *descriptor)
{
    int32_t result = descriptor_prepare(self, first, descriptor);
    if (result != 0)
        file_put(file);
    else
        descriptor_set(self, *descriptor, file, at_exec);
    return result;
}

int32_t descriptor_replace(struct process *self, uint32_t descriptor, struct file *file,
                           enum descriptor_end at_exec)
{
    enum kerr error = reach(self, descriptor);
    if (error != KERR_OK) {
        file_put(file);
        return file_allocation_failed(error);
    }
    struct descriptor *slot = &files_of(self)->slots[descriptor];
    if (slot->file != NULL)
        put_from(self, slot->file);
    *slot = (struct descriptor){file, at_exec};
    return 0;
}

int32_t descriptor_close(struct process *self, uint32_t descriptor)
{
    if (file_at(self, descriptor) == NULL)
        return -EBADF;
    enum kerr error = files_copy_for_write(self);
    if (error != KERR_OK)
        return file_allocation_failed(error);
    close_slot(self, descriptor);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Tests of descriptors, tables shared by fork, paths and transfers. The processes are
 * records of the test's own that never run. System calls are tested by programs (tests/user/).
 */
#include <file/path.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/heap.h>
#include <process/errno.h>

static struct process parent, child;
static struct limits limits = {.references = 1}; /* theirs; never given back */

/* A process as the first one is, with room for LIMIT descriptors. */
static bool begin(struct process *process, uint32_t limit)
{
    bool made = process_parts_begin(process) == 0;
    process->limits->references--;
    limits.pair[LIMIT_NOFILE] = (struct limit_pair){limit, limit};
    process->limits = &limits;
    limits.references++;
    EXPECT(made);
    return made;
}

static void end(struct process *process)
{
    process_parts_drop(process);
}

/* The child has the parent's table, as after a fork. */
static void share_table(void)
{
    child = (struct process){.limits = &limits};
    limits.references++;
    process_set_state(&child, FILES_PLACE, files_of(&parent));
    files_of(&parent)->references++;
}

/* A new descriptor of PROCESS for FILE. */
static int32_t add(struct process *process, struct file *file, uint32_t first)
{
    uint32_t descriptor;
    file->references++;
    int32_t result = descriptor_add(process, file, first, DESCRIPTOR_STAYS, &descriptor);
    return result == 0 ? (int32_t)descriptor : result;
}

TEST("file", "the first table: 0, 1 and 2 are the terminal")
{
    if (!begin(&parent, 1024))
        return;
    end(&parent); /* the record of a file that ended is kept for the next one */
    uint32_t used = kernel_heap.used_blocks;
    if (!begin(&parent, 1024))
        return;
    EXPECT(file_at(&parent, 0) != NULL);
    EXPECT(file_at(&parent, 0) == file_at(&parent, 1) &&
           file_at(&parent, 1) == file_of(&parent, 2));
    EXPECT(file_at(&parent, 0)->operations == &terminal_operations);
    EXPECT(file_at(&parent, 3) == NULL && file_at(&parent, ~0u) == NULL);
    end(&parent);
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
}

TEST("file", "a new descriptor: the lowest that is free, up to the limit")
{
    if (!begin(&parent, 40))
        return;
    struct file *file = file_at(&parent, 0);
    for (int32_t i = 3; i < 40; i++)
        EXPECT_EQUAL(add(&parent, file, 0), i);
    EXPECT_EQUAL(add(&parent, file, 0), -EMFILE);
    EXPECT_EQUAL(descriptor_close(&parent, 17), 0);
    EXPECT_EQUAL(descriptor_close(&parent, 5), 0);
    EXPECT_EQUAL(descriptor_close(&parent, 5), -EBADF);
    EXPECT_EQUAL(add(&parent, file, 6), 17);
    EXPECT_EQUAL(add(&parent, file, 0), 5);
    EXPECT_EQUAL(add(&parent, file, 0), -EMFILE);
    EXPECT_EQUAL(file->references, 40);
    end(&parent);
}

TEST("file", "a table shared by fork: a change gives the changer one of its own")
{
    if (!begin(&parent, 1024))
        return;
    struct file *file = file_at(&parent, 0);
    share_table();
    EXPECT(files_of(&child) == files_of(&parent));
    EXPECT_EQUAL(file->references, 3);
    EXPECT_EQUAL(descriptor_close(&child, 1), 0);
    EXPECT(files_of(&child) != files_of(&parent));
    EXPECT_EQUAL(file->references, 5);
    EXPECT(file_at(&child, 1) == NULL && file_at(&parent, 1) == file);
    EXPECT_EQUAL(add(&parent, file, 0), 3);
    EXPECT(file_at(&child, 3) == NULL);
    end(&parent);
    EXPECT_EQUAL(file->references, 2);
    end(&child);
}

TEST("file", "close on exec: a shared table is left as it is, others are closed")
{
    if (!begin(&parent, 1024))
        return;
    struct file *file = file_at(&parent, 0);
    files_of(&parent)->slots[1].at_exec = DESCRIPTOR_CLOSE_ON_EXEC;
    share_table();
    EXPECT(process_parts_prepare_exec(&child) == KERR_OK);
    EXPECT(files_of(&child) != files_of(&parent));
    process_parts_exec(&child);
    EXPECT(file_at(&child, 0) == file && file_at(&child, 1) == NULL && file_at(&child, 2) == file);
    EXPECT(file_at(&parent, 1) == file);
    end(&child);

    files_of(&parent)->slots[1].at_exec = DESCRIPTOR_STAYS;
    share_table();
    EXPECT(process_parts_prepare_exec(&child) == KERR_OK);
    process_parts_exec(&child);
    EXPECT(files_of(&child) == files_of(&parent));
    end(&child);
    end(&parent);
}

TEST("file", "a descriptor replaced: the file it named is closed with its last name")
{
    struct file *reader, *writer;
    uint32_t used = kernel_heap.used_blocks;
    if (!begin(&parent, 1024))
        return;
    REQUIRE(pipe_create(0, &reader, &writer) == KERR_OK);
    struct file *input = file_at(&parent, 0);
    EXPECT_EQUAL(add(&parent, writer, 0), 3);
    file_put(writer);
    EXPECT(reader->operations->poll(reader) == 0);
    input->references++;
    EXPECT_EQUAL(descriptor_replace(&parent, 3, input, DESCRIPTOR_STAYS), 0);
    EXPECT(reader->operations->poll(reader) == POLLHUP);
    EXPECT_EQUAL(descriptor_replace(&parent, 500, reader, DESCRIPTOR_STAYS), 0);
    EXPECT(file_at(&parent, 500) == reader);
    end(&parent);
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
}

/* ---- paths ---- */

/* What PATH leads to, without a reference: it is in the core as long as its file system is. */
static int32_t find(const char *path, struct inode **inode)
{
    int32_t result = path_find(mount_root->root, path, LINKS_KEEP, inode);
    inode_put(*inode);
    return result;
}

TEST("file", "paths: are walked as path_resolution(7) says")
{
    static const char *const consoles[] = {"dev/console",
                                           "//dev//console",
                                           "/./dev/./console",
                                           "/dev/../dev/console",
                                           "/../../dev/console",
                                           "/dev/shm/../console",
                                           "proc/sys/kernel/../../../dev/console"};
    struct inode *console, *inode;
    EXPECT_EQUAL(find("/dev/console", &console), 0);
    EXPECT(inode_type(console) == S_IFCHR);
    for (unsigned i = 0; i < ARRAY_LENGTH(consoles); i++) {
        EXPECT_EQUAL(find(consoles[i], &inode), 0);
        EXPECT(inode == console);
    }
    EXPECT_EQUAL(find("/", &inode), 0);
    EXPECT(inode == mount_root->root);
    EXPECT_EQUAL(find("/dev/", &inode), 0);
    EXPECT_EQUAL(find("", &inode), -ENOENT);
    EXPECT_EQUAL(find("/nothing", &inode), -ENOENT);
    EXPECT_EQUAL(find("/nothing/..", &inode), -ENOENT);
    EXPECT_EQUAL(find("/dev/console/", &inode), -ENOTDIR);
    EXPECT_EQUAL(find("/dev/null/x", &inode), -ENOTDIR);
    EXPECT_EQUAL(find("/dev/conso", &inode), -ENOENT);
    EXPECT_EQUAL(find("/dev/console2", &inode), -ENOENT);
    EXPECT_EQUAL(find("/proc/self", &inode), 0);
    EXPECT_EQUAL(find("/proc/self/exe", &inode), -ENOENT); /* of no process */
}

TEST("file", "a name of more than 255 characters: is too long")
{
    static char path[300];
    struct inode *inode;
    memset(path, 'x', 256);
    path[256] = '\0';
    EXPECT_EQUAL(find(path, &inode), -ENAMETOOLONG);
    path[255] = '\0';
    EXPECT_EQUAL(find(path, &inode), -ENOENT);
}

/* ---- transfers ---- */

TEST("file", "/dev/zero and /dev/null: read as zeros, as nothing; writes are swallowed")
{
    uint8_t bytes[100];
    memset(bytes, 1, sizeof(bytes));
    struct transfer transfer = transfer_of_kernel(bytes, sizeof(bytes));
    EXPECT_EQUAL(null_operations.read(&parent, NULL, &transfer), 0);
    EXPECT_EQUAL(null_operations.write(&parent, NULL, &transfer), sizeof(bytes));
    EXPECT_EQUAL(zero_operations.read(&parent, NULL, &transfer), sizeof(bytes));
    for (unsigned i = 0; i < sizeof(bytes); i++)
        EXPECT(bytes[i] == 0);
}

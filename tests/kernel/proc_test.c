/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Tests of /proc as a file system: mounted many times, its inodes come and go, and what stands for
 * a process ends with it. The processes are records that never run. What the texts say is tested by a
 * program (tests/user/file_proc.c).
 */
#include <file/proc.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/heap.h>

static struct mount *mount;
static uint32_t used;

static bool begin(void)
{
    used = kernel_heap.used_blocks;
    bool made = mount_add("proc", "proc", "", 0, NULL, &mount) == KERR_OK;
    EXPECT(made);
    return made;
}

/* All is given back. */
static void end(void)
{
    EXPECT_EQUAL(mount_remove(mount), KERR_OK);
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
}

static enum kerr look_up(struct inode *directory, const char *text, struct inode **inode)
{
    return directory->operations->lookup(directory, (struct name){text, strlen(text)}, inode);
}

static bool is_there(struct inode *directory, const char *text)
{
    struct inode *inode;
    if (look_up(directory, text, &inode) != KERR_OK)
        return false;
    inode_put(inode);
    return true;
}

/* How many entries DIRECTORY has, and how many of them can be looked up as what they are told to be. */
static uint32_t count_entries(struct inode *directory, uint32_t *found)
{
    struct directory_entry entry = {.cursor = 2};
    uint32_t count = 0;
    *found = 0;
    while (directory->operations->read_directory(directory, entry.cursor, &entry) == KERR_OK) {
        struct inode *inode;
        count++;
        if (directory->operations->lookup(directory, entry.name, &inode) != KERR_OK)
            continue;
        *found += inode->number == entry.number && inode_type(inode) == entry.mode;
        inode_put(inode);
    }
    return count;
}

/* The directory of PROCESS. */
static struct inode *directory_of(const struct process *process)
{
    char name[16];
    struct inode *inode = NULL;
    format_text(name, sizeof(name), "%u", (unsigned)process->pid);
    EXPECT_EQUAL(look_up(mount->root, name, &inode), KERR_OK);
    return inode;
}

TEST("proc", "mounted several times: each has its own inodes, and all are given back")
{
    struct mount *second;
    struct inode *here, *there;
    if (!begin())
        return;
    EXPECT_EQUAL(mount_add("proc", "proc", "", 0, NULL, &second), KERR_OK);
    EXPECT_EQUAL(look_up(mount->root, "meminfo", &here), KERR_OK);
    EXPECT_EQUAL(look_up(second->root, "meminfo", &there), KERR_OK);
    EXPECT(here != there && here->mount == mount && there->mount == second);
    EXPECT_EQUAL(mount_remove(second), KERR_BUSY);
    inode_put(there);
    EXPECT_EQUAL(mount_remove(second), KERR_OK);
    EXPECT_EQUAL(inode_type(here), S_IFREG);
    inode_put(here);
    end();
}

TEST("proc", "an inode: is the same while it is used, and gone when it is not")
{
    struct inode *one, *two;
    if (!begin())
        return;
    uint32_t before = kernel_heap.used_blocks;
    EXPECT_EQUAL(look_up(mount->root, "stat", &one), KERR_OK);
    EXPECT_EQUAL(look_up(mount->root, "stat", &two), KERR_OK);
    EXPECT(one == two);
    inode_put(one);
    inode_put(two);
    EXPECT_EQUAL(kernel_heap.used_blocks, before);
    end();
}

TEST("proc", "directories: tell what can be looked up, and nothing else")
{
    struct process *process;
    uint32_t found, count;
    if (!begin())
        return;
    EXPECT_EQUAL(process_create(NULL, &process), KERR_OK);
    count = count_entries(mount->root, &found);
    EXPECT_EQUAL(found, count);
    EXPECT(count > process_count() + 10);
    struct inode *directory = directory_of(process);
    EXPECT_EQUAL(count_entries(directory, &found), proc_of_process_count - 1);
    EXPECT_EQUAL(found, proc_of_process_count - 1);
    EXPECT(!is_there(directory, "meminfo") && !is_there(mount->root, "maps"));
    EXPECT(!is_there(mount->root, "kernel") && !is_there(mount->root, ""));
    EXPECT(!is_there(mount->root, "0") && !is_there(mount->root, "65536"));
    inode_put(directory);
    process_discard(process);
    end();
}

TEST("proc", "a process that has ended: its inodes stand for nobody, even if its pid comes again")
{
    struct process *process;
    struct inode *text;
    if (!begin())
        return;
    EXPECT_EQUAL(process_create(NULL, &process), KERR_OK);
    struct inode *directory = directory_of(process);
    EXPECT_EQUAL(look_up(directory, "status", &text), KERR_OK);
    EXPECT(proc_process_of(proc_inode_of(text)) == process);
    process->serial = ++process_serial; /* as if it were another one */
    EXPECT(proc_process_of(proc_inode_of(text)) == NULL);
    EXPECT(!is_there(directory, "status"));
    struct inode *now = directory_of(process);
    EXPECT(now != directory && now->number == directory->number && is_there(now, "status"));
    inode_put(text);
    inode_put(directory);
    EXPECT(directory_of(process) == now);
    inode_put(now);
    process_discard(process);
    EXPECT(!is_there(now, "status"));
    inode_put(now);
    end();
}

TEST("proc", "a text: in any pieces it is what it is at once")
{
    enum { ROOM = 2 * PAGE_BYTES };
    static char piece[64];
    char *const all = (char *)test_scratch;
    struct proc_place place = {0, 0};
    struct proc_text text = {.window = all, .room = ROOM, .place = &place};
    if (!begin())
        return;
    const struct proc_entry *entry = proc_of_system;
    while (strcmp(entry->name, "filesystems") != 0)
        entry++;
    EXPECT_EQUAL(entry->write(&text, NULL), KERR_OK);
    uint32_t bytes = text.used;
    EXPECT(bytes > 0 && bytes < ROOM && bytes == text.at);
    for (uint32_t room = 1; room <= sizeof(piece); room++)
        for (uint32_t at = 0; at < bytes; at += room) {
            text = (struct proc_text){.window = piece, .room = room, .first = at, .place = &place};
            EXPECT_EQUAL(entry->write(&text, NULL), KERR_OK);
            EXPECT_EQUAL(text.used, bytes - at < room ? bytes - at : room);
            EXPECT(memcmp(piece, all + at, text.used) == 0);
        }
    end();
}

TEST("proc", "a path with blanks: is one word")
{
    static char line[64];
    struct proc_text text = {.window = line, .room = sizeof(line)};
    proc_add_path(&text, "/a b\\c\n\td", 9);
    EXPECT_EQUAL(text.used, 21);
    EXPECT(memcmp(line, "/a\\040b\\134c\\012\\011d", 21) == 0);
}

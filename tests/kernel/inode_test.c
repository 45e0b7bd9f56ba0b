/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Tests of inodes in the core, with a file system that finds them again and often has to wait:
 * who stays, who leaves and when, walks that wait, mounts.
 *
 * The file system holds directories "d0" to "d3" in one another and a file "f" in each, by numbers that
 * say where they are. What it has on its "disk" is nothing but which of the files have a name.
 */
#include <file/path.h>
#include <kernel/channel.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <mm/heap.h>

enum { DEPTH = 4, ROOT = 1, FIRST_FILE = 100 };

static struct mount *mount;
static uint32_t in_core, evictions, flushes, room_given; /* since the beginning of the test */
static uint32_t waits;             /* so many questions are answered by "must wait" first */
static bool lacks_file[DEPTH + 1]; /* "f" of that directory has no name */
static uint32_t polls;

/* ---- the file system ---- */

static bool is_ready(struct channel *channel)
{
    (void)channel;
    polls++;
    return true;
}

static bool must_wait(void)
{
    static struct channel channel = {is_ready};
    if (waits == 0)
        return false;
    waits--;
    channel_leave(&channel);
    return true;
}

static const struct inode_operations waiting_operations;

static enum kerr get(uint32_t number, struct inode **inode)
{
    void *block;
    *inode = inode_find(mount, number);
    if (*inode != NULL)
        return KERR_OK;
    if (must_wait())
        return KERR_MUST_WAIT;
    enum kerr error = inode_make_room();
    if (error == KERR_OK)
        error = kmalloc(sizeof(struct inode), &block);
    if (error != KERR_OK)
        return error;
    *inode = block;
    bool is_file = number >= FIRST_FILE;
    **inode = (struct inode){
        .operations = &waiting_operations,
        .status = {.mode = is_file ? S_IFREG | 0644 : S_IFDIR | 0755, .links = is_file ? 1 : 2}};
    inode_add(*inode, mount, number);
    in_core++;
    return KERR_OK;
}

static enum kerr lookup(struct inode *directory, struct name name, struct inode **inode)
{
    uint32_t depth = directory->number - ROOT;
    if (must_wait())
        return KERR_MUST_WAIT;
    if (name.length == 1 && name.text[0] == 'f' && !lacks_file[depth])
        return get(FIRST_FILE + depth, inode);
    if (name.length == 2 && name.text[0] == 'd' && depth < DEPTH &&
        name.text[1] == (char)('0' + depth))
        return get(directory->number + 1, inode);
    return KERR_NOT_FOUND;
}

static enum kerr read_directory(struct inode *directory, uint64_t cursor,
                                struct directory_entry *entry)
{
    static char text[] = "d?";
    uint32_t depth = directory->number - ROOT;
    text[1] = (char)('0' + depth);
    if (must_wait())
        return KERR_MUST_WAIT;
    if (cursor <= 2 && !lacks_file[depth])
        *entry = (struct directory_entry){
            .cursor = 3, .number = FIRST_FILE + depth, .mode = S_IFREG, .name = {"f", 1}};
    else if (cursor <= 3 && depth < DEPTH)
        *entry = (struct directory_entry){
            .cursor = 4, .number = directory->number + 1, .mode = S_IFDIR, .name = {text, 2}};
    else
        return KERR_NOT_FOUND;
    return KERR_OK;
}

static enum kerr remove(struct inode *directory, struct name name, struct inode *inode)
{
    (void)name;
    if (must_wait())
        return KERR_MUST_WAIT;
    lacks_file[directory->number - ROOT] = true;
    inode->status.links = 0;
    return KERR_OK;
}

static enum kerr flush(struct inode *inode, enum inode_flush what, struct flushing *flushing)
{
    (void)inode;
    (void)what;
    (void)flushing;
    if (must_wait())
        return KERR_MUST_WAIT;
    flushes++;
    return KERR_OK;
}

static enum kerr evict(struct inode *inode)
{
    if (must_wait())
        return KERR_MUST_WAIT;
    room_given += inode->status.links == 0;
    evictions++;
    in_core--;
    inode_remove(inode);
    kfree(inode);
    return KERR_OK;
}

static const struct inode_operations waiting_operations = {.lookup = lookup,
                                                           .remove = remove,
                                                           .read_directory = read_directory,
                                                           .flush = flush,
                                                           .evict = evict};

static enum kerr mount_waiting(struct mount *new, const char *options)
{
    (void)options;
    mount = new;
    return get(ROOT, &new->root);
}

static enum kerr unmount(struct mount *old)
{
    if (must_wait())
        return KERR_MUST_WAIT;
    inode_put(old->root);
    return inode_leave(old->root);
}

static enum kerr sync(struct mount *synced, struct flushing *flushing)
{
    (void)synced;
    (void)flushing;
    return must_wait() ? KERR_MUST_WAIT : KERR_OK;
}

FILE_SYSTEM(waiting, .name = "test-waiting",
            .flags = FILE_SYSTEM_NEEDS_SOURCE | FILE_SYSTEM_OF_TESTS, .mount = mount_waiting,
            .unmount = unmount, .sync = sync);

static struct inode *cover; /* a directory of the root's that it is mounted on */
static uint32_t used_before;

static bool must_check begin(void)
{
    used_before = kernel_heap.used_blocks;
    in_core = evictions = flushes = room_given = waits = polls = 0;
    memset(lacks_file, 0, sizeof(lacks_file));
    return path_find(mount_root->root, "/tmp", LINKS_FOLLOW, &cover) == 0 &&
           mount_add("test-waiting", "source", "", 0, cover, &mount) == KERR_OK;
}

static void end(void)
{
    waits = 0;
    EXPECT_EQUAL(mount_remove(mount), KERR_OK);
    inode_put(cover);
    EXPECT_EQUAL(in_core, 0);
    EXPECT_EQUAL(kernel_heap.used_blocks, used_before);
}

/* ---- who stays ---- */

TEST("inode", "the last user has gone: it stays, with its directories, until it is trimmed")
{
    struct inode *inode, *again;
    REQUIRE(begin());
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/d0/d1/f", LINKS_FOLLOW, &inode), 0);
    EXPECT_EQUAL(inode->number, FIRST_FILE + 2);
    EXPECT_EQUAL(in_core, 4);
    EXPECT_EQUAL(inode_trim(10), 0); /* it is in use, and keeps those above it */
    inode_put(inode);
    EXPECT_EQUAL(in_core, 4);
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/d0/d1/f", LINKS_FOLLOW, &again), 0);
    EXPECT(again == inode);
    inode_put(again);
    EXPECT_EQUAL(inode_trim(1), 1);
    EXPECT_EQUAL(in_core, 3);
    EXPECT_EQUAL(inode_trim(10), 2); /* a parent follows its child */
    EXPECT_EQUAL(in_core, 1);
    EXPECT_EQUAL(room_given, 0);
    end();
}

TEST("inode",
     "trimmed: the one that was left first goes first, and what is dirty is handed over before")
{
    struct inode *first, *second;
    REQUIRE(begin());
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/f", LINKS_FOLLOW, &first), 0);
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/d0/f", LINKS_FOLLOW, &second), 0);
    inode_touch(second, TIME_ACCESSED);
    inode_put(second);
    inode_put(first);
    waits = 1;
    EXPECT_EQUAL(inode_trim(1), 1); /* the second would have to wait: the first goes instead */
    EXPECT(inode_find(mount, FIRST_FILE) == NULL);
    EXPECT_EQUAL(flushes, 0);
    EXPECT_EQUAL(inode_trim(1), 1);
    EXPECT_EQUAL(flushes, 1);
    EXPECT(inode_find(mount, FIRST_FILE + 1) == NULL);
    end();
}

TEST("inode", "without a name: it ends with its last user; or later, if that must wait")
{
    struct inode *inode;
    REQUIRE(begin());
    for (uint32_t waiting = 0; waiting < 2; waiting++) {
        lacks_file[1] = false;
        EXPECT_EQUAL(path_find(mount_root->root, "/tmp/d0/f", LINKS_FOLLOW, &inode), 0);
        EXPECT_EQUAL(inode->parent->operations->remove(inode->parent, (struct name){"f", 1}, inode),
                     KERR_OK);
        EXPECT_EQUAL(room_given, waiting);
        waits = waiting;
        inode_put(inode);
        EXPECT_EQUAL(room_given, 1);
        inode_evict_doomed();
        EXPECT_EQUAL(room_given, 1 + waiting);
        EXPECT_EQUAL(in_core, 2);
    }
    end();
}

/* ---- who waits ---- */

TEST("inode",
     "a walk, each of its steps waiting: polls in the kernel's own context, and gets there")
{
    struct inode *inode;
    char text[64];
    const char *path;
    REQUIRE(begin());
    waits = 7;
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/d0/d1/d2/f", LINKS_FOLLOW, &inode), 0);
    EXPECT_EQUAL(polls, 7);
    EXPECT_EQUAL(waits, 0);
    EXPECT_EQUAL(inode_path(inode, text, sizeof(text), &path), KERR_OK);
    EXPECT(strcmp(path, "/tmp/d0/d1/d2/f") == 0);
    EXPECT_EQUAL(inode_path(inode, text, 10, &path), KERR_NO_ROOM);
    waits = 1;
    EXPECT_EQUAL(inode_path(inode, text, sizeof(text), &path), KERR_MUST_WAIT);
    lacks_file[3] = true;
    EXPECT_EQUAL(inode_path(inode, text, sizeof(text), &path), KERR_NOT_FOUND);
    EXPECT_EQUAL(
        path_find(mount_root->root, "/tmp/d0/d1/d2/f", LINKS_FOLLOW, &(struct inode *){NULL}),
        -ENOENT);
    inode_put(inode);
    end();
}

TEST("inode", "a mount: is busy while anybody uses it; to sync it, and to end it, may wait")
{
    struct inode *inode;
    REQUIRE(begin());
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/d0/../../tmp/d0/d1", LINKS_FOLLOW, &inode), 0);
    EXPECT_EQUAL(inode->number, ROOT + 2);
    EXPECT_EQUAL(mount_remove(mount), KERR_BUSY);
    struct flushing flushing = {0};
    waits = 2;
    EXPECT_EQUAL(mount_sync(mount, &flushing), KERR_MUST_WAIT);
    EXPECT_EQUAL(mount_sync(mount, &flushing), KERR_MUST_WAIT);
    EXPECT_EQUAL(mount_sync(mount, &flushing), KERR_OK);
    inode_put(inode);
    waits = 2;
    EXPECT_EQUAL(mount_remove(mount), KERR_MUST_WAIT);
    EXPECT_EQUAL(mount_remove(mount), KERR_MUST_WAIT);
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/f", LINKS_FOLLOW, &inode), 0);
    inode_put(inode);
    end();
    EXPECT_EQUAL(path_find(mount_root->root, "/tmp/f", LINKS_FOLLOW, &inode), -ENOENT);
}

TEST("inode", "the root of all, and what is mounted nowhere: are never unmounted")
{
    EXPECT_EQUAL(mount_remove(mount_root), KERR_BUSY);
    EXPECT_EQUAL(mount_remove(mount_nowhere), KERR_BUSY);
}

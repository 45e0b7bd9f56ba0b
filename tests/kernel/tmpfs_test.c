/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Tests of the tmpfs by its operations: anything at random against a plain model, with files
 * that are held open and mapped; and each operation with memory that ends at every allocation.
 */
#include "vma_testing.h"

#include <arch/i386/entry.h>
#include <file/open_file.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/audit.h>

static struct mount *mount;

static void expect_audit_clean(void)
{
    struct process_audit audit;
    EXPECT_AUDIT();
    if (process_audit(&audit) != NULL) {
        printk("# %s\n", audit.broken);
        test_fail(__FILE__, __LINE__, "the audit of processes is clean");
    }
}

static bool must_check begin(const char *options)
{
    return mount_add("tmpfs", "test", options, 0, NULL, &mount) == KERR_OK;
}

static void end(void)
{
    EXPECT_EQUAL(mount_remove(mount), KERR_OK);
    expect_audit_clean();
}

static enum kerr resize(struct inode *inode, uint64_t bytes)
{
    enum kerr error;
    do
        error = inode->operations->resize(inode, bytes);
    while (error == KERR_AGAIN);
    return error;
}

/* ---- a plain model ---- */

enum {
    NODES = 16,
    ENTRIES = 24,
    LETTERS = 6,
    CELL = 512, /* files are written and cut in cells */
    CELLS = 160,
    PAGE_CELLS = PAGE_BYTES / CELL,
    PAGES = CELLS / PAGE_CELLS,
};

struct node {
    struct inode *inode;        /* held: one reference; NULL: a free place */
    bool is_directory, is_open; /* open: it stays when its last name goes */
    uint32_t links, cells;
    uint8_t contents[CELLS];
    bool is_real[PAGES];
};

struct entry {
    struct node *directory, *node; /* NODE NULL: a free place */
    char letter;
};

static struct node nodes[NODES]; /* the first is the root */
static struct entry entries[ENTRIES];
static uint32_t random_state;

static uint32_t chance(uint32_t sides)
{
    return test_random(&random_state) % sides;
}

static struct node *free_node(void)
{
    for (unsigned i = 0; i < NODES; i++)
        if (nodes[i].inode == NULL)
            return &nodes[i];
    return NULL;
}

static struct entry *free_entry(void)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (entries[i].node == NULL)
            return &entries[i];
    return NULL;
}

static struct entry *find_entry(const struct node *directory, char letter)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (entries[i].node != NULL && entries[i].directory == directory &&
            entries[i].letter == letter)
            return &entries[i];
    return NULL;
}

static uint32_t count_entries(const struct node *directory)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        count += entries[i].node != NULL && entries[i].directory == directory;
    return count;
}

static struct node *some_node(bool is_directory)
{
    struct node *node = &nodes[chance(NODES)];
    return node->inode != NULL && node->is_directory == is_directory ? node : NULL;
}

/* A directory that has a name. */
static struct node *some_directory(void)
{
    struct node *node = some_node(true);
    return node != NULL && node->links > 0 ? node : &nodes[0];
}

static struct name name_of(const char *letter)
{
    return (struct name){letter, 1};
}

/* NODE may have lost its last name: without one, and not open, it ends. */
static void let_go(struct node *node)
{
    if (node->links > 0 || node->is_open)
        return;
    inode_put(node->inode);
    *node = (struct node){0};
}

/* ---- steps of names ---- */

static void step_create(void)
{
    struct node *directory = some_directory(), *node = free_node();
    struct entry *entry = free_entry();
    char letter = (char)('a' + chance(LETTERS));
    struct inode_wish wish = {.mode = chance(3) == 0 ? S_IFDIR | 0755 : S_IFREG | 0644};
    if (node == NULL || entry == NULL || find_entry(directory, letter) != NULL)
        return;
    struct inode *inode;
    enum kerr error =
        directory->inode->operations->create(directory->inode, name_of(&letter), &wish, &inode);
    EXPECT_EQUAL(error, KERR_OK);
    if (error != KERR_OK)
        return;
    inode_set_parent(inode, directory->inode);
    bool is_directory = wish.mode & 040000;
    *node =
        (struct node){.inode = inode, .is_directory = is_directory, .links = is_directory ? 2 : 1};
    directory->links += is_directory;
    *entry = (struct entry){directory, node, letter};
}

static void step_link(void)
{
    struct node *directory = some_directory(), *node = some_node(false);
    struct entry *entry = free_entry();
    char letter = (char)('a' + chance(LETTERS));
    if (node == NULL || node->links == 0 || entry == NULL || find_entry(directory, letter) != NULL)
        return;
    EXPECT_EQUAL(
        directory->inode->operations->link(directory->inode, name_of(&letter), node->inode),
        KERR_OK);
    node->links++;
    *entry = (struct entry){directory, node, letter};
}

/* The model's part of a name that goes. */
static void lose_name(struct entry *entry)
{
    struct node *node = entry->node;
    entry->node = NULL;
    node->links = node->is_directory ? 0 : node->links - 1;
    entry->directory->links -= node->is_directory;
    let_go(node);
}

static void step_remove(void)
{
    struct entry *entry = &entries[chance(ENTRIES)];
    if (entry->node == NULL)
        return;
    struct inode *directory = entry->directory->inode;
    bool is_full = entry->node->is_directory && count_entries(entry->node) > 0;
    EXPECT_EQUAL(
        directory->operations->remove(directory, name_of(&entry->letter), entry->node->inode),
        is_full ? KERR_NOT_EMPTY : KERR_OK);
    if (!is_full)
        lose_name(entry);
}

/* NODE is DIRECTORY, or above it. */
static bool holds(const struct node *node, const struct node *directory)
{
    while (directory != node && directory != &nodes[0]) {
        unsigned i = 0;
        while (entries[i].node != directory)
            i++;
        directory = entries[i].directory;
    }
    return directory == node;
}

static void step_rename(void)
{
    struct entry *from = &entries[chance(ENTRIES)];
    struct node *directory = some_directory();
    char letter = (char)('a' + chance(LETTERS));
    if (from->node == NULL || (from->node->is_directory && holds(from->node, directory)))
        return;
    struct entry *to = find_entry(directory, letter);
    if (to != NULL && (to->node->is_directory != from->node->is_directory ||
                       to->node == from->node || holds(to->node, from->directory)))
        return;
    bool is_full = to != NULL && to->node->is_directory && count_entries(to->node) > 0;
    const struct inode_operations *operations = directory->inode->operations;
    enum kerr error =
        operations->rename(from->directory->inode, name_of(&from->letter), from->node->inode,
                           directory->inode, name_of(&letter), to != NULL ? to->node->inode : NULL);
    EXPECT_EQUAL(error, is_full ? KERR_NOT_EMPTY : KERR_OK);
    if (error != KERR_OK)
        return;
    inode_set_parent(from->node->inode, directory->inode);
    if (to != NULL)
        lose_name(to);
    from->directory->links -= from->node->is_directory;
    directory->links += from->node->is_directory;
    *from = (struct entry){directory, from->node, letter};
}

static void step_open_or_close(void)
{
    struct node *node = some_node(false);
    if (node == NULL)
        return;
    node->is_open = !node->is_open;
    let_go(node);
}

/* ---- steps of contents ---- */

static void step_write(void)
{
    uint8_t *const bytes = test_scratch;
    struct node *node = some_node(false);
    uint32_t first = chance(CELLS - 8), count = 1 + chance(8);
    if (node == NULL)
        return;
    uint8_t value = (uint8_t)(1 + chance(255));
    memset(bytes, value, 8 * CELL);
    EXPECT_EQUAL(regular_write_kernel(node->inode, first * CELL, bytes, count * CELL), KERR_OK);
    memset(node->contents + first, value, count);
    for (uint32_t cell = first; cell < first + count; cell++)
        node->is_real[cell / PAGE_CELLS] = true;
    node->cells = node->cells > first + count ? node->cells : first + count;
}

static void resize_node(struct node *node)
{
    uint32_t cells = chance(4) == 0 ? 0 : chance(CELLS);
    EXPECT_EQUAL(resize(node->inode, cells * CELL), KERR_OK);
    if (cells < node->cells)
        memset(node->contents + cells, 0, node->cells - cells);
    node->cells = cells;
    for (uint32_t page = (cells + PAGE_CELLS - 1) / PAGE_CELLS; page < PAGES; page++)
        node->is_real[page] = false;
}

static void step_resize(void)
{
    struct node *node = some_node(false);
    if (node != NULL)
        resize_node(node);
}

static void step_reserve(void)
{
    struct node *node = some_node(false);
    if (node == NULL || node->cells == 0)
        return;
    uint32_t first = chance(node->cells) / PAGE_CELLS, last = (node->cells - 1) / PAGE_CELLS;
    EXPECT_EQUAL(node->inode->operations->reserve(node->inode, first, last), KERR_OK);
    for (uint32_t page = first; page <= last; page++)
        node->is_real[page] = true;
}

static const char region_name[] = "tmpfs";

/* A page is written through a mapping, shared or private, and the end of the file looked beyond. */
static void step_map(void)
{
    struct node *node = some_node(false);
    uint32_t page = chance(PAGES), flags = chance(2) ? VMA_SHARED : 0;
    vaddr_t first = slot_to_vaddr(TEST_SLOT), at = vaddr_add(first, page << PAGE_SHIFT);
    struct vma_wish wish = {.rights = RIGHTS_READ_WRITE, .flags = flags, .name = region_name};
    if (node == NULL)
        return;
    wish.object = node->inode->object;
    EXPECT_EQUAL(vma_map_at(&boot_space, first, PAGES, &wish), KERR_OK);
    bool is_inside = page * PAGE_CELLS < node->cells;
    EXPECT_EQUAL(probe_write(at, 0x05050505), is_inside ? FAULT_RESOLVED : FAULT_BEYOND_END);
    if (is_inside) {
        node->is_real[page] = true;
        if (flags & VMA_SHARED) { /* the rest of the cell as well, so that it is one */
            memset(vaddr_to_pointer(at), 5, CELL);
            node->contents[page * PAGE_CELLS] = 5;
        }
    }
    if (chance(2)) {
        uint32_t value;
        resize_node(node);
        is_inside = page * PAGE_CELLS < node->cells;
        EXPECT_EQUAL(probe_read(at, &value), is_inside ? FAULT_RESOLVED : FAULT_BEYOND_END);
        node->is_real[page] |= is_inside;
    }
    EXPECT_EQUAL(vma_release(&boot_space, first, PAGES), KERR_OK);
}

/* ---- comparing ---- */

static void compare_file(struct node *node)
{
    static uint8_t bytes[CELL];
    struct inode *inode = node->inode;
    uint32_t real = 0, wrong = 0;
    for (uint32_t cell = 0; cell < node->cells; cell++) {
        EXPECT_EQUAL(regular_read_kernel(inode, cell * CELL, bytes, CELL), KERR_OK);
        wrong += bytes[0] != node->contents[cell] || bytes[CELL - 1] != node->contents[cell];
    }
    for (uint32_t page = 0; page < PAGES; page++)
        real += node->is_real[page];
    EXPECT_EQUAL(wrong, 0);
    EXPECT_EQUAL(inode->status.bytes, node->cells * CELL);
    EXPECT_EQUAL(inode->status.links, node->links);
    EXPECT_EQUAL(inode->object->real_pages, real);
    EXPECT_EQUAL(inode->status.sectors, real * (PAGE_BYTES / FILE_SECTOR_BYTES));
    for (uint32_t page = 0; page < PAGES && page < inode->object->pages; page += 1 + chance(5)) {
        uint32_t found, wanted = page;
        while (wanted < inode->object->pages && !node->is_real[wanted])
            wanted++;
        EXPECT_EQUAL(inode->operations->find_page(inode, page, CONTENT_DATA, &found), KERR_OK);
        EXPECT_EQUAL(found, wanted);
    }
}

static void compare_directory(struct node *node)
{
    struct directory_entry found = {.cursor = 2};
    uint32_t count = 0;
    while (node->inode->operations->read_directory(node->inode, found.cursor, &found) == KERR_OK) {
        const struct entry *entry = find_entry(node, found.name.text[0]);
        EXPECT(found.name.length == 1 && entry != NULL &&
               entry->node->inode->number == found.number);
        count++;
    }
    EXPECT_EQUAL(count, count_entries(node));
    EXPECT_EQUAL(node->inode->status.links, node->links);
    for (int i = 0; i < LETTERS; i++) {
        const char letter = (char)('a' + i);
        const struct entry *entry = find_entry(node, letter);
        struct inode *inode = NULL;
        enum kerr error = node->inode->operations->lookup(node->inode, name_of(&letter), &inode);
        EXPECT_EQUAL(error, entry != NULL ? KERR_OK : KERR_NOT_FOUND);
        EXPECT(entry == NULL || inode == entry->node->inode);
        inode_put(inode);
    }
}

/* Directories that were removed, and stay as long as a file that was in them is open. */
static uint32_t count_removed(void)
{
    uint32_t count = 0;
    for (struct inode *inode = inode_next(NULL); inode != NULL; inode = inode_next(inode))
        count += inode->mount == mount && inode_is_directory(inode) && inode->status.links == 0;
    return count;
}

static void compare_all(void)
{
    struct mount_room room;
    uint32_t real = 0, inodes = count_removed();
    for (unsigned i = 0; i < NODES; i++) {
        if (nodes[i].inode == NULL)
            continue;
        inodes++;
        if (nodes[i].is_directory)
            compare_directory(&nodes[i]);
        else
            compare_file(&nodes[i]);
        for (uint32_t page = 0; page < PAGES; page++)
            real += nodes[i].is_real[page];
    }
    EXPECT_EQUAL(mount->file_system->room(mount, &room), KERR_OK);
    EXPECT_EQUAL(room.blocks - room.free_blocks, real);
    EXPECT_EQUAL(room.files - room.free_files, inodes);
}

TEST("tmpfs", "20,000 random operations, files held open and mapped: as a plain model says")
{
    static void (*const steps[])(void) = {step_create, step_create,        step_link,  step_remove,
                                          step_rename, step_open_or_close, step_write, step_write,
                                          step_resize, step_reserve,       step_map};
    uint32_t used = kernel_heap.used_blocks;
    random_state = 20261128;
    printk("# seed %u\n", (unsigned)random_state);
    REQUIRE(begin("size=4M,nr_inodes=100"));
    nodes[0] = (struct node){.inode = mount->root, .is_directory = true, .links = 2};
    inode_get(mount->root);
    for (uint32_t i = 0; i < 20000; i++) {
        steps[chance(ARRAY_LENGTH(steps))]();
        if (i % 200 == 0)
            compare_all();
    }
    compare_all();
    expect_audit_clean();
    for (unsigned i = 0; i < NODES; i++)
        inode_put(nodes[i].inode);
    memset(nodes, 0, sizeof(nodes));
    memset(entries, 0, sizeof(entries));
    end(); /* with all that still has names */
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
}

/* ---- memory that ends ---- */

static struct inode *directory, *file;

static enum kerr try_create(uint32_t mode)
{
    struct inode *inode;
    const struct inode_wish wish = {.mode = mode, .target = "target", .target_bytes = 6};
    enum kerr error =
        mount->root->operations->create(mount->root, (struct name){"new", 3}, &wish, &inode);
    if (error == KERR_OK)
        inode_put(inode);
    return error;
}

static enum kerr create_file(void)
{
    return try_create(S_IFREG | 0644);
}

static enum kerr create_directory(void)
{
    return try_create(S_IFDIR | 0755);
}

static enum kerr create_symbolic_link(void)
{
    return try_create(S_IFLNK | 0777);
}

static enum kerr add_link(void)
{
    return directory->operations->link(directory, (struct name){"new", 3}, file);
}

static enum kerr rename_file(void)
{
    return mount->root->operations->rename(mount->root, (struct name){"file", 4}, file, directory,
                                           (struct name){"new", 3}, NULL);
}

static enum kerr write_file(void)
{
    return regular_write_kernel(file, 10 * PAGE_BYTES + 5, "text", 4);
}

static enum kerr reserve_pages(void)
{
    return file->operations->reserve(file, 0, 5);
}

static enum kerr mount_one_more(void)
{
    struct mount *more;
    enum kerr error = mount_add("tmpfs", "more", "", 0, directory, &more);
    if (error == KERR_OK)
        EXPECT_EQUAL(mount_remove(more), KERR_OK);
    return error;
}

/* The room of the heap: taken to the last byte, so that each block given back is one allocation more. */
enum { BLOCK_BYTES = 400, BLOCKS_MAX = 4096 };
static void **const taken = (void **)(void *)test_scratch;
static uint32_t taken_count;
_Static_assert(BLOCKS_MAX * sizeof(void *) <= TEST_SCRATCH_BYTES, "all of them");

static void take_all(void)
{
    static const uint32_t sizes[] = {BLOCK_BYTES, 64, 8};
    heap_trim(&kernel_heap, 0);
    vma_trim();
    leave_frames(0);
    taken_count = 0;
    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++)
        while (taken_count < BLOCKS_MAX && kmalloc(sizes[i], &taken[taken_count]) == KERR_OK)
            taken_count++;
}

static void give_back(uint32_t count)
{
    for (; count > 0 && taken_count > 0; count--)
        kfree(taken[--taken_count]);
}

struct shape {
    uint32_t blocks, root_links, file_links, file_pages, names;
    uint64_t file_bytes, committed;
};

static struct shape shape_now(void)
{
    struct directory_entry entry = {.cursor = 2};
    struct shape shape = {.blocks = kernel_heap.used_blocks - taken_count,
                          .root_links = mount->root->status.links,
                          .file_links = file->status.links,
                          .file_pages = file->object->pages,
                          .file_bytes = file->status.bytes};
    while (mount->root->operations->read_directory(mount->root, entry.cursor, &entry) == KERR_OK)
        shape.names++;
    entry.cursor = 2;
    while (directory->operations->read_directory(directory, entry.cursor, &entry) == KERR_OK)
        shape.names++;
    return shape;
}

/* DEED, first without any memory, then with a block or a frame more each time, until it is done. */
static void with_little_memory(const char *name, enum kerr (*deed)(void))
{
    enum { TRIES_MAX = 40 };
    uint32_t refused = 0, frames = 0;
    enum kerr error;
    take_all();
    struct shape before = shape_now();
    while ((error = deed()) == KERR_NO_MEMORY && refused < TRIES_MAX) {
        struct shape now = shape_now();
        if (memcmp(&now, &before, sizeof(now)) != 0) {
            printk("# %s, refused %u times\n", name, (unsigned)refused);
            test_fail(__FILE__, __LINE__, "what is refused changes nothing");
            break;
        }
        refused++;
        if (taken_count > 0 && refused % 2 == 1) {
            give_back(1);
        } else {
            all_frames();
            leave_frames(++frames);
        }
    }
    all_frames();
    give_back(taken_count);
    if (error != KERR_OK || refused == 0) {
        printk("# %s: refused %u times, then %s\n", name, (unsigned)refused, kerr_text(error));
        test_fail(__FILE__, __LINE__, "it is refused, and then done");
    }
    expect_audit_clean();
}

TEST("tmpfs", "memory that ends at each allocation: an operation changes nothing, or is done")
{
    static const struct {
        const char *name;
        enum kerr (*deed)(void);
    } deeds[] = {{"create", create_file},           {"mkdir", create_directory},
                 {"symlink", create_symbolic_link}, {"link", add_link},
                 {"rename", rename_file},           {"write", write_file},
                 {"reserve", reserve_pages},        {"mount", mount_one_more}};
    static const struct inode_wish of_file = {.mode = S_IFREG | 0644},
                                   of_directory = {.mode = S_IFDIR | 0755};
    uint32_t used = kernel_heap.used_blocks;
    for (unsigned i = 0; i < ARRAY_LENGTH(deeds); i++) {
        REQUIRE(begin("size=4M"));
        REQUIRE(inode_make(mount->root, "file", &of_file, &file) == KERR_OK);
        REQUIRE(inode_make(mount->root, "directory", &of_directory, &directory) == KERR_OK);
        EXPECT_EQUAL(resize(file, 8 * PAGE_BYTES), KERR_OK);
        with_little_memory(deeds[i].name, deeds[i].deed);
        inode_put(file);
        inode_put(directory);
        end();
        EXPECT_EQUAL(kernel_heap.used_blocks, used);
    }
}

/* ---- limits ---- */

TEST("tmpfs", "a mount that is full: no space, for calls and mappings alike, until something goes")
{
    static const struct inode_wish wish = {.mode = S_IFREG | 0644};
    struct vma_wish region = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = region_name};
    vaddr_t first = slot_to_vaddr(TEST_SLOT);
    uint32_t value;
    REQUIRE(begin("size=12K"));
    REQUIRE(inode_make(mount->root, "file", &wish, &file) == KERR_OK);
    EXPECT_EQUAL(resize(file, 10 * PAGE_BYTES), KERR_OK);
    region.object = file->object;
    REQUIRE(vma_map_at(&boot_space, first, 10, &region) == KERR_OK);
    EXPECT_EQUAL(regular_write_kernel(file, 0, "a", 1), KERR_OK);
    EXPECT_EQUAL(probe_write(vaddr_add(first, 5 * PAGE_BYTES), 7), FAULT_RESOLVED);
    EXPECT_EQUAL(regular_write_kernel(file, 7 * PAGE_BYTES, "b", 1), KERR_OK);
    EXPECT_EQUAL(regular_write_kernel(file, 8 * PAGE_BYTES, "c", 1), KERR_NO_SPACE);
    EXPECT_EQUAL(probe_read(vaddr_add(first, 8 * PAGE_BYTES), &value), FAULT_IO_ERROR);
    EXPECT_EQUAL(mount_remove(mount), KERR_BUSY);
    EXPECT_EQUAL(resize(file, 6 * PAGE_BYTES), KERR_OK);
    EXPECT_EQUAL(probe_write(vaddr_add(first, 4 * PAGE_BYTES), 8), FAULT_RESOLVED);
    EXPECT_EQUAL(resize(file, (OBJECT_PAGE_LIMIT + 1ull) * PAGE_BYTES), KERR_TOO_LARGE);
    EXPECT_EQUAL(vma_release(&boot_space, first, 10), KERR_OK);
    inode_put(file);
    end();
}

TEST("tmpfs",
     "a file without names that is mapped: lives as long as the mapping, and the mount may go")
{
    static const struct inode_wish wish = {.mode = S_IFREG | 0644};
    struct vma_wish region = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_SHARED, .name = region_name};
    vaddr_t first = slot_to_vaddr(TEST_SLOT);
    uint32_t used = kernel_heap.used_blocks;
    REQUIRE(begin(""));
    REQUIRE(inode_make(mount->root, "file", &wish, &file) == KERR_OK);
    EXPECT_EQUAL(regular_write_kernel(file, 0, "text", 4), KERR_OK);
    region.object = file->object;
    REQUIRE(vma_map_at(&boot_space, first, 1, &region) == KERR_OK);
    EXPECT_EQUAL(mount->root->operations->remove(mount->root, (struct name){"file", 4}, file),
                 KERR_OK);
    inode_put(file);
    EXPECT(inode_of_object(region.object) == NULL);
    end();
    EXPECT_EQUAL(kernel_heap.used_blocks, used + 1); /* what counts the pages of the mount */
    EXPECT_EQUAL(peek(first), 0x74786574);
    EXPECT_EQUAL(vma_release(&boot_space, first, 1), KERR_OK);
    EXPECT_EQUAL(kernel_heap.used_blocks, used);
    expect_audit_clean();
}

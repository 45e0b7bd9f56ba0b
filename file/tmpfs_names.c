/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Directories of a tmpfs: each name is a record of the heap, in a tree by name and in a row
 * by cursor. A cursor is never given twice, so who reads a directory while names come and go is told
 * each name that stays once.
 */
#include <kernel/string.h>
#include <mm/heap.h>

#include "tmpfs.h"

enum {
    ENTRY_BYTES = 20,
    FIRST_CURSOR = 2
}; /* what Linux counts for a name; those of "." and ".." */

struct entry {
    struct rb_node node;
    struct list link;
    uint64_t cursor;
    struct inode *inode; /* no reference: it has a link */
    uint32_t length;
    char text[];
};

static struct name name_of(const struct entry *entry)
{
    return (struct name){entry->text, entry->length};
}

static int compare(struct name left, struct name right)
{
    uint32_t common = left.length < right.length ? left.length : right.length;
    int order = memcmp(left.text, right.text, common);
    return order != 0 ? order : (int)left.length - (int)right.length;
}

/* The entry of NAME, or NULL: then *PARENT and *SIDE are its place. */
static struct entry *find(const struct tmpfs_directory *directory, struct name name,
                          struct rb_node **parent, enum rb_side *side)
{
    struct rb_node *node = directory->names.root;
    *parent = NULL;
    *side = RB_LEFT;
    while (node != NULL) {
        struct entry *entry = container_of(node, struct entry, node);
        int order = compare(name, name_of(entry));
        if (order == 0)
            return entry;
        *parent = node;
        *side = order < 0 ? RB_LEFT : RB_RIGHT;
        node = node->child[*side];
    }
    return NULL;
}

static struct entry *find_entry(struct inode *directory, struct name name)
{
    struct rb_node *parent;
    enum rb_side side;
    return find(&tmpfs_inode_of(directory)->directory, name, &parent, &side);
}

static void count_names(struct tmpfs_inode *inode, uint32_t change)
{
    inode->directory.count += change;
    inode->inode.status.bytes = (uint64_t)(inode->directory.count + FIRST_CURSOR) * ENTRY_BYTES;
}

void tmpfs_directory_init(struct tmpfs_inode *inode)
{
    inode->directory = (struct tmpfs_directory){.last_cursor = FIRST_CURSOR - 1};
    list_init(&inode->directory.order);
    count_names(inode, 0);
}

enum kerr tmpfs_add_name(struct tmpfs_inode *directory, struct name name, struct inode *inode)
{
    struct tmpfs_directory *names = &directory->directory;
    struct rb_node *parent;
    enum rb_side side;
    void *block;
    enum kerr error = kmalloc(offsetof(struct entry, text) + name.length, &block);
    if (error != KERR_OK)
        return error;
    struct entry *entry = block, *taken = find(names, name, &parent, &side);
    ASSERT(taken == NULL, "a name is given twice");
    /* Field by field: the record has no end, and what pads it behind the name is not there. */
    entry->cursor = ++names->last_cursor;
    entry->inode = inode;
    entry->length = name.length;
    memcpy(entry->text, name.text, name.length);
    rb_insert(&names->names, parent, side, &entry->node, rb_no_value);
    list_add_last(&names->order, &entry->link);
    count_names(directory, 1);
    return KERR_OK;
}

static void remove_entry(struct tmpfs_inode *directory, struct entry *entry)
{
    rb_remove(&directory->directory.names, &entry->node, rb_no_value);
    list_remove(&entry->link);
    count_names(directory, ~0u);
    kfree(entry);
}

void tmpfs_directory_clear(struct tmpfs_inode *directory)
{
    while (!list_is_empty(&directory->directory.order))
        remove_entry(directory, container_of(directory->directory.order.next, struct entry, link));
}

/* ---- operations ---- */

enum kerr tmpfs_lookup(struct inode *directory, struct name name, struct inode **inode)
{
    const struct entry *entry = find_entry(directory, name);
    if (entry == NULL)
        return KERR_NOT_FOUND;
    inode_get(entry->inode);
    *inode = entry->inode;
    return KERR_OK;
}

enum kerr tmpfs_link(struct inode *directory, struct name name, struct inode *inode)
{
    enum kerr error = tmpfs_add_name(tmpfs_inode_of(directory), name, inode);
    if (error != KERR_OK)
        return error;
    inode->status.links++;
    inode_touch(inode, TIME_CHANGED);
    inode_touch(directory, TIME_MODIFIED | TIME_CHANGED);
    return KERR_OK;
}

static bool is_empty(struct inode *directory)
{
    return tmpfs_inode_of(directory)->directory.count == 0;
}

/* INODE has lost a name in DIRECTORY. */
static void unlink(struct inode *directory, struct inode *inode)
{
    inode->status.links--;
    if (inode_is_directory(inode)) {
        inode->status.links = 0;
        directory->status.links--;
    }
    inode_touch(inode, TIME_CHANGED);
}

enum kerr tmpfs_remove(struct inode *directory, struct name name, struct inode *inode)
{
    if (inode_is_directory(inode) && !is_empty(inode))
        return KERR_NOT_EMPTY;
    remove_entry(tmpfs_inode_of(directory), find_entry(directory, name));
    unlink(directory, inode);
    inode_touch(directory, TIME_MODIFIED | TIME_CHANGED);
    return KERR_OK;
}

enum kerr tmpfs_rename(struct inode *from, struct name from_name, struct inode *inode,
                       struct inode *to, struct name to_name, struct inode *replaced)
{
    if (replaced != NULL && inode_is_directory(replaced) && !is_empty(replaced))
        return KERR_NOT_EMPTY;
    if (replaced != NULL) {
        find_entry(to, to_name)->inode = inode;
        unlink(to, replaced);
    } else {
        enum kerr error = tmpfs_add_name(tmpfs_inode_of(to), to_name, inode);
        if (error != KERR_OK)
            return error;
    }
    remove_entry(tmpfs_inode_of(from), find_entry(from, from_name));
    if (inode_is_directory(inode)) {
        from->status.links--;
        to->status.links++;
    }
    inode_touch(inode, TIME_CHANGED);
    inode_touch(from, TIME_MODIFIED | TIME_CHANGED);
    inode_touch(to, TIME_MODIFIED | TIME_CHANGED);
    return KERR_OK;
}

enum kerr tmpfs_exchange(struct inode *from, struct name from_name, struct inode *inode,
                         struct inode *to, struct name to_name, struct inode *other)
{
    uint32_t comes = inode_is_directory(other), goes = inode_is_directory(inode);
    find_entry(from, from_name)->inode = other;
    find_entry(to, to_name)->inode = inode;
    from->status.links += comes - goes;
    to->status.links += goes - comes;
    inode_touch(inode, TIME_CHANGED);
    inode_touch(other, TIME_CHANGED);
    inode_touch(from, TIME_MODIFIED | TIME_CHANGED);
    inode_touch(to, TIME_MODIFIED | TIME_CHANGED);
    return KERR_OK;
}

/* As a rule the next entry is wanted that was told last. */
enum kerr tmpfs_read_directory(struct inode *inode, uint64_t cursor, struct directory_entry *entry)
{
    struct list *order = &tmpfs_inode_of(inode)->directory.order;
    for (struct list *link = order->next; link != order; link = link->next) {
        const struct entry *found = container_of(link, struct entry, link);
        if (found->cursor < cursor)
            continue;
        *entry = (struct directory_entry){.cursor = found->cursor + 1,
                                          .number = found->inode->number,
                                          .mode = found->inode->status.mode & S_IFMT,
                                          .name = name_of(found)};
        return KERR_OK;
    }
    return KERR_NOT_FOUND;
}

/* SPDX-License-Identifier: MIT */
/*
 * Host test of ext2: inodes in the core, as include/file/inode.h promises them to a file system.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { CHAINS = 256 };
static struct list chains[CHAINS];
static struct list doomed = {&doomed, &doomed};
static uint32_t count;

void inodes_begin(void)
{
    for (uint32_t i = 0; i < CHAINS; i++)
        list_init(&chains[i]);
    list_init(&doomed);
    count = 0;
}

struct inode *inode_find(struct mount *mount, uint32_t number)
{
    struct list *chain = &chains[number % CHAINS];
    for (struct list *at = chain->next; at != chain; at = at->next) {
        struct inode *inode = container_of(at, struct inode, chain);
        if (inode->number == number && inode->mount == mount) {
            inode_get(inode);
            return inode;
        }
    }
    return NULL;
}

enum kerr inode_make_room(void)
{
    inode_evict_doomed();
    return KERR_OK;
}

void inode_add(struct inode *inode, struct mount *mount, uint32_t number)
{
    struct inode *other = inode_find(mount, number);
    if (other != NULL)
        world_fail("inode %u is in the core already", number);
    inode->mount = mount;
    inode->number = number;
    inode->references = 1;
    list_init(&inode->unused);
    list_init(&inode->locks);
    list_add_first(&chains[number % CHAINS], &inode->chain);
    if (inode->object != NULL)
        inode->object->owner = inode;
    count++;
}

void inode_remove(struct inode *inode)
{
    if (inode->references != 0 || inode->children != 0)
        world_fail("inode %u is in use", inode->number);
    list_remove(&inode->unused);
    list_remove(&inode->chain);
    count--;
    if (inode->object != NULL) {
        inode->object->owner = NULL;
        object_put(inode->object);
    }
    inode_set_parent(inode, NULL);
}

void names_forget(struct inode *inode)
{
    (void)inode; /* nothing is known of any */
}

void inode_rest(struct inode *inode)
{
    if (inode->status.links > 0)
        return;
    list_remove(&inode->unused);
    list_add_last(&doomed, &inode->unused);
    enum kerr later = inode->operations->evict(inode);
    (void)later;
}

void inode_set_parent(struct inode *inode, struct inode *directory)
{
    struct inode *before = inode->parent;
    if (before == directory)
        return;
    inode->parent = directory;
    if (directory != NULL && directory != inode)
        directory->children++;
    if (before != NULL && before != inode && --before->children == 0 && before->references == 0)
        inode_rest(before);
}

bool inode_gains_room(const struct mount *mount, enum kerr *error)
{
    (void)mount, (void)error;
    return false; /* who finds a disk full here is told so */
}

void inode_evict_doomed(void)
{
    static bool runs;
    if (runs)
        return;
    runs = true;
    struct list *next;
    for (struct list *at = doomed.next; at != &doomed; at = next) {
        next = at->next;
        struct inode *inode = container_of(at, struct inode, unused);
        enum kerr later = inode->operations->evict(inode);
        (void)later;
    }
    runs = false;
}

void inode_touch(struct inode *inode, uint32_t which)
{
    struct time now = clock_real_coarse();
    if (which & TIME_ACCESSED)
        inode->status.accessed = now;
    if (which & TIME_MODIFIED)
        inode->status.modified = now;
    if (which & TIME_CHANGED)
        inode->status.changed = now;
    inode_changed(inode);
}

struct inode *inode_next(const struct inode *inode)
{
    uint32_t chain = 0;
    if (inode != NULL) {
        chain = inode->number % CHAINS;
        if (inode->chain.next != &chains[chain])
            return container_of(inode->chain.next, struct inode, chain);
        chain++;
    }
    for (; chain < CHAINS; chain++)
        if (!list_is_empty(&chains[chain]))
            return container_of(chains[chain].next, struct inode, chain);
    return NULL;
}

/* One that can leave: *GONE. Its flush and eviction may fail. */
static enum kerr leave_one(struct mount *mount, bool *gone)
{
    *gone = false;
    for (struct inode *inode = inode_next(NULL); inode != NULL; inode = inode_next(inode)) {
        if (inode->mount != mount || inode->references > 0 || inode->children > 0)
            continue;
        enum kerr error = KERR_OK;
        if ((inode->flags & INODE_DIRTY) && inode->status.links > 0)
            AGAIN(error, inode->operations->flush(inode, FLUSH_STATUS, NULL));
        if (error == KERR_OK)
            inode->flags &= ~(uint32_t)INODE_DIRTY;
        if (error == KERR_OK)
            AGAIN(error, inode->operations->evict(inode));
        *gone = error == KERR_OK;
        return error;
    }
    return KERR_OK;
}

uint32_t inodes_leave(struct mount *mount)
{
    enum { TRIES = 10 };
    bool gone = true;
    for (uint32_t failures = 0; gone || failures < TRIES; failures += !gone) {
        enum kerr error = leave_one(mount, &gone);
        if (error == KERR_OK && !gone)
            break;
    }
    return count;
}

uint32_t inodes_in_core(void)
{
    return count;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Inodes in the core: the table, who uses them, and how they leave (include/file/inode.h).
 *
 * An inode leaves when nobody uses it and it is in nobody's way: no file is open, no inode in the
 * core has it for its parent, no region shows its pages. One without links is doomed then, and is
 * evicted at once if that need not wait, else as soon as somebody asks again. One with links stays
 * as long as there is room: its pages are the cache of the file.
 */
#include <kernel/panic.h>
#include <kernel/string.h>
#include <mm/frame.h>

#include "open_file.h"

enum { CHAINS = 512, INODES_MAX = 0x40000 };

static struct list chains[CHAINS];
static uint32_t inode_count;
static struct list unused = {&unused, &unused}; /* with links; the oldest first */
static struct list fresh = {&fresh, &fresh};    /* to be evicted, since a moment ago; */
static struct list doomed = {&doomed, &doomed}; /* those that could not leave then */

/* ---- the table ---- */

static struct list *chain_of(const struct mount *mount, uint32_t number)
{
    struct list *chain = &chains[(number + mount->device * 37) % CHAINS];
    if (chain->next == NULL)
        list_init(chain);
    return chain;
}

struct inode *inode_find(struct mount *mount, uint32_t number)
{
    struct list *chain = chain_of(mount, number);
    for (struct list *link = chain->next; link != chain; link = link->next) {
        struct inode *inode = container_of(link, struct inode, chain);
        if (inode->number == number && inode->mount == mount) {
            inode_get(inode);
            return inode;
        }
    }
    return NULL;
}

void inode_add(struct inode *inode, struct mount *mount, uint32_t number)
{
    inode->mount = mount;
    inode->number = number;
    inode->references = 1;
    inode->keeps_names = names_are_kept(mount);
    list_init(&inode->known_inside);
    list_init(&inode->known_as);
    list_init(&inode->unused);
    list_init(&inode->locks);
    if (inode->object != NULL)
        inode->object->owner = inode;
    list_add_first(chain_of(mount, number), &inode->chain);
    inode_count++;
}

void inode_remove(struct inode *inode)
{
    ASSERT(inode->references == 0 && inode->children == 0, "inode %u of %s is in use",
           (unsigned)inode->number, inode->mount->source);
    names_forget(inode);
    list_remove(&inode->unused);
    list_remove(&inode->chain);
    inode_count--;
    if (inode->object != NULL) {
        inode->object->owner = NULL;
        object_put(inode->object);
    }
    inode_set_parent(inode, NULL);
}

struct inode *inode_next(const struct inode *inode)
{
    uint32_t chain = 0;
    if (inode != NULL) {
        chain = (uint32_t)(chain_of(inode->mount, inode->number) - chains);
        if (inode->chain.next != &chains[chain])
            return container_of(inode->chain.next, struct inode, chain);
        chain++;
    }
    for (; chain < CHAINS; chain++)
        if (chains[chain].next != NULL && !list_is_empty(&chains[chain]))
            return container_of(chains[chain].next, struct inode, chain);
    return NULL;
}

/* ---- users ---- */

static bool keeps_inodes(const struct inode *inode)
{
    return (inode->mount->file_system->flags & FILE_SYSTEM_KEEPS_INODES) != 0;
}

static bool is_in_use(const struct inode *inode)
{
    return inode->references > 0 || inode->children > 0;
}

static bool is_shown(const struct inode *inode)
{
    return inode->object != NULL && inode->object->references > 1 && !keeps_inodes(inode);
}

/* INODE is on the list of the doomed; not, if it leaves. */
static enum kerr evict_doomed(struct inode *inode)
{
    inode->flags |= INODE_EVICT_FAILED; /* now, as it may be gone afterwards */
    enum kerr error = inode->operations->evict(inode);
    if (error_goes_by(error) || error == KERR_AGAIN)
        inode->flags &= ~(uint32_t)INODE_EVICT_FAILED;
    return error;
}

/* Whose last user has gone leaves, and so perhaps does its parent: one after another, not one in
 * another. */
static void evict_fresh(void)
{
    static bool runs;
    if (runs)
        return;
    runs = true;
    while (!list_is_empty(&fresh)) {
        struct inode *inode = container_of(fresh.next, struct inode, unused);
        list_remove(&inode->unused);
        list_add_last(&doomed, &inode->unused);
        if (!is_shown(inode)) {
            enum kerr later = evict_doomed(inode);
            (void)later; /* it is on the list */
        }
    }
    runs = false;
}

void inode_rest(struct inode *inode)
{
    list_remove(&inode->unused);
    if (inode->status.links == 0 ||
        (inode->mount->file_system->flags & FILE_SYSTEM_FORGETS_INODES)) {
        list_add_last(&fresh, &inode->unused);
        evict_fresh();
    } else if (!keeps_inodes(inode)) {
        list_add_last(&unused, &inode->unused);
    }
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

/* ---- leaving ---- */

void inode_evict_doomed(void)
{
    struct list *next;
    for (struct list *link = doomed.next; link != &doomed; link = next) {
        next = link->next;
        if (container_of(link, struct inode, unused)->flags & INODE_EVICT_FAILED)
            continue;
        list_remove(link);
        list_add_last(&fresh, link);
    }
    evict_fresh();
}

void inode_evict_again(const struct mount *mount)
{
    for (struct list *link = doomed.next; link != &doomed; link = link->next) {
        struct inode *inode = container_of(link, struct inode, unused);
        if (inode->mount == mount)
            inode->flags &= ~(uint32_t)INODE_EVICT_FAILED;
    }
    inode_evict_doomed();
}

/* One that leaves may take its parent along, which is behind it or on no list: so NEXT stays. */
bool inode_gains_room(const struct mount *mount, enum kerr *error)
{
    static bool runs; /* what evicts needs no room itself */
    enum kerr gone = KERR_OK;
    bool any = false;
    if (*error != KERR_NO_SPACE || runs)
        return false;
    runs = true;
    struct list *next;
    for (struct list *link = doomed.next; link != &doomed && !error_goes_by(gone); link = next) {
        struct inode *inode = container_of(link, struct inode, unused);
        next = link->next;
        if (inode->mount != mount || is_shown(inode) || inode->flags & INODE_EVICT_FAILED)
            continue;
        gone = evict_doomed(inode);
        any |= gone == KERR_OK || gone == KERR_AGAIN;
    }
    runs = false;
    if (error_goes_by(gone))
        *error = gone;
    return any && !error_goes_by(gone);
}

enum kerr inode_flush_status(struct inode *inode)
{
    if (!(inode->flags & INODE_DIRTY) || inode->operations->flush == NULL)
        return KERR_OK;
    enum kerr error = inode->operations->flush(inode, FLUSH_STATUS, NULL);
    if (error == KERR_OK)
        inode->flags &= ~(uint32_t)INODE_DIRTY;
    return error;
}

enum kerr inode_leave(struct inode *inode)
{
    if (is_in_use(inode) || is_shown(inode))
        return KERR_BUSY;
    enum kerr error = inode_flush_status(inode);
    return error == KERR_OK ? inode->operations->evict(inode) : error;
}

static struct inode *find_doomed(const struct mount *mount)
{
    for (struct list *link = doomed.next; link != &doomed; link = link->next) {
        struct inode *inode = container_of(link, struct inode, unused);
        if (inode->mount == mount)
            return inode;
    }
    return NULL;
}

/* What is doomed in MOUNT is gone, or can't go. Others may go with one that does. */
static enum kerr leave_doomed(const struct mount *mount)
{
    enum kerr error = KERR_OK;
    struct inode *inode;
    while ((error == KERR_OK || error == KERR_AGAIN) && (inode = find_doomed(mount)) != NULL)
        error = is_shown(inode) ? KERR_BUSY : inode->operations->evict(inode);
    return error;
}

/* Parents come behind their children, as they have no users before. */
enum kerr inode_leave_all(const struct mount *mount)
{
    enum kerr error = leave_doomed(mount);
    struct list *next;
    for (struct list *link = unused.next; link != &unused && error == KERR_OK; link = next) {
        struct inode *inode = container_of(link, struct inode, unused);
        struct list *before = link->previous;
        if (inode->mount == mount)
            error = inode_leave(inode);
        next = before->next == link ? link->next : before->next;
    }
    return error;
}

uint32_t inode_trim(uint32_t count)
{
    uint32_t done = 0, looked_at = 0;
    struct list *link = unused.next;
    while (link != &unused && done < count && looked_at++ < 2 * count) {
        struct inode *inode = container_of(link, struct inode, unused);
        struct list *next = link->next;
        if (inode_leave(inode) == KERR_OK) {
            done++;
            next = unused.next;
        }
        link = next;
    }
    return done;
}

enum kerr inode_make_room(void)
{
    enum { AT_ONCE = 16 };
    inode_evict_doomed();
    if (inode_count >= INODES_MAX)
        inode_trim(AT_ONCE);
    return inode_count < INODES_MAX ? KERR_OK : KERR_NO_ROOM;
}

/* ---- for the kernel ---- */

enum kerr inode_make(struct inode *directory, const char *text, const struct inode_wish *wish,
                     struct inode **inode)
{
    const struct name name = {text, strlen(text)};
    struct inode *new;
    enum kerr error;
    do
        error = names_look_up(directory, name, &new);
    while (file_polls(error));
    if (error == KERR_OK) {
        inode_put(new);
        return KERR_EXISTS;
    }
    if (error == KERR_NOT_FOUND)
        do
            error = names_create(directory, name, wish, &new);
        while (file_polls(error));
    if (error != KERR_OK)
        return error;
    inode_set_parent(new, directory);
    if (inode != NULL)
        *inode = new;
    else
        inode_put(new);
    return KERR_OK;
}

/* ---- status ---- */

void inode_touch(struct inode *inode, uint32_t which)
{
    struct time now = clock_real_coarse();
    if (which & TIME_ACCESSED)
        inode->status.accessed = now;
    if (which & TIME_MODIFIED)
        inode->status.modified = now;
    if (which & TIME_CHANGED)
        inode->status.changed = now;
    inode->read_tick = 0;
    inode_changed(inode);
}

/* ---- its path ---- */

/* The name that INODE has in DIRECTORY. */
static enum kerr name_in(struct inode *directory, const struct inode *inode, struct name *name)
{
    enum { FIRST_CURSOR = 2 };
    struct directory_entry entry = {.cursor = FIRST_CURSOR};
    enum kerr error;
    do
        error = directory->operations->read_directory(directory, entry.cursor, &entry);
    while (error == KERR_OK && entry.number != inode->number);
    *name = entry.name;
    return error;
}

enum kerr inode_path(struct inode *inode, char *buffer, uint32_t bytes, const char **path)
{
    uint32_t at = bytes - 1;
    struct name name;
    buffer[at] = '\0';
    while (inode != mount_root->root) {
        if (inode == inode->mount->root) {
            inode = inode->mount->covered;
            if (inode == NULL)
                return KERR_NOT_FOUND;
            continue;
        }
        if (inode->parent == NULL || inode->status.links == 0)
            return KERR_NOT_FOUND;
        enum kerr error = name_in(inode->parent, inode, &name);
        if (error != KERR_OK)
            return error;
        if (name.length + 1 > at)
            return KERR_NO_ROOM;
        at -= name.length;
        memcpy(buffer + at, name.text, name.length);
        buffer[--at] = '/';
        inode = inode->parent;
    }
    if (buffer[at] == '\0')
        buffer[--at] = '/';
    *path = buffer + at;
    return KERR_OK;
}

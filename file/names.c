/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Names in directories (include/file/inode.h): the operations of file systems about them, and
 * what is known of names without asking.
 *
 * A table remembers which inode a name was when it was looked up last, or that there was none. Its size is
 * fixed by the machine's memory; what is new replaces something. It has no references: an inode has rings
 * of the entries that mention it, and they are dropped when it leaves the core. Each change of a name
 * comes by here, but for what a file system does on its own account: then it says names_forget().
 *
 * What is not known costs a search, no more: a name that is long, or was pushed out by others.
 */
#include <kernel/layer.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/heap.h>

#include "open_file.h"

enum {
    WAYS = 4,
    FRAMES_PER_SET =
        8 * WAYS, /* of RAM: the table takes a part in 512 of it, and 128 KiB at the most */
    SETS_LEAST = 32,
    SETS_MOST = 512,
    TEXT_BYTES = 35,
};

struct known {
    struct list in_directory; /* of directory->known_inside; in no ring: this entry is free */
    struct list of_inode;     /* of inode->known_as; in no ring: nothing has the name */
    struct inode *directory, *inode;
    uint32_t hash;
    uint8_t length;
    char text[TEXT_BYTES];
};

static struct known *names; /* sets of WAYS entries; NULL: there was no memory for them */
static uint32_t sets;       /* a power of two */

/* ---- the table ---- */

static void drop(struct known *known)
{
    list_remove(&known->in_directory);
    list_remove(&known->of_inode);
    known->directory = known->inode = NULL;
}

void names_forget(struct inode *inode)
{
    while (!list_is_empty(&inode->known_inside))
        drop(container_of(inode->known_inside.next, struct known, in_directory));
    while (!list_is_empty(&inode->known_as))
        drop(container_of(inode->known_as.next, struct known, of_inode));
}

/* Names are short: no call for a few bytes. */
static inline uint32_t hash_of(const struct inode *directory, struct name name)
{
    const uint8_t *text = (const uint8_t *)name.text, *end = text + name.length;
    uint32_t hash = (uint32_t)(uintptr_t)directory;
    for (; text < end; text++)
        hash = hash * 33 + *text;
    return hash ^ hash >> 12;
}

static inline bool has_name(const struct known *known, struct name name)
{
    if (known->length != name.length)
        return false;
    for (uint32_t i = 0; i < name.length; i++)
        if (known->text[i] != name.text[i])
            return false;
    return true;
}

static inline bool is_kept(const struct inode *directory, struct name name)
{
    return directory->keeps_names && name.length <= TEXT_BYTES;
}

bool names_are_kept(const struct mount *mount)
{
    return (mount->file_system->flags & FILE_SYSTEM_KEEPS_NAMES) != 0 && names != NULL;
}

static inline struct known *set_of(uint32_t hash)
{
    return &names[(hash & (sets - 1)) * WAYS];
}

/* What is known of NAME, whose hash is HASH. NULL: nothing. */
static inline struct known *find(const struct inode *directory, struct name name, uint32_t hash)
{
    struct known *set = set_of(hash);
    for (uint32_t way = 0; way < WAYS; way++)
        if (set[way].hash == hash && set[way].directory == directory && has_name(&set[way], name))
            return &set[way];
    return NULL;
}

/* An entry of the set of HASH: a free one, or that of another name. */
static struct known *take(uint32_t hash)
{
    static uint32_t turn;
    struct known *set = set_of(hash);
    for (uint32_t way = 0; way < WAYS; way++)
        if (set[way].directory == NULL)
            return &set[way];
    struct known *taken = &set[turn++ % WAYS];
    drop(taken);
    return taken;
}

/* NAME, whose hash is HASH, is INODE from here on; NULL: nothing has it. */
static void note(struct inode *directory, struct name name, uint32_t hash, struct inode *inode)
{
    struct known *known = find(directory, name, hash);
    if (known == NULL) {
        known = take(hash);
        known->directory = directory;
        known->hash = hash;
        known->length = (uint8_t)name.length;
        memcpy(known->text, name.text, name.length);
        list_add_first(&directory->known_inside, &known->in_directory);
    } else {
        list_remove(&known->of_inode);
    }
    known->inode = inode;
    if (inode != NULL)
        list_add_first(&inode->known_as, &known->of_inode);
}

/* NAME has changed. */
static void note_change(struct inode *directory, struct name name, struct inode *inode)
{
    if (is_kept(directory, name))
        note(directory, name, hash_of(directory, name), inode);
}

static enum kerr names_init(__attribute__((unused)) const struct boot_info *boot)
{
    uint32_t wanted = frame_pool.frames / FRAMES_PER_SET;
    void *block;
    sets = SETS_LEAST;
    while (sets < wanted && sets < SETS_MOST)
        sets *= 2;
    if (kmalloc(sets * WAYS * sizeof(struct known), &block) != KERR_OK)
        return KERR_OK; /* file systems are asked each time */
    names = block;
    for (uint32_t i = 0; i < sets * WAYS; i++) {
        list_init(&names[i].in_directory);
        list_init(&names[i].of_inode);
        names[i].directory = NULL;
    }
    return KERR_OK;
}

LAYER(09_names, "names", names_init);

/* ---- operations ---- */

enum kerr names_look_up(struct inode *directory, struct name name, struct inode **inode)
{
    if (!is_kept(directory, name))
        return directory->operations->lookup(directory, name, inode);
    uint32_t hash = hash_of(directory, name);
    const struct known *known = find(directory, name, hash);
    if (known != NULL) {
        if (known->inode == NULL)
            return KERR_NOT_FOUND;
        *inode = known->inode;
        inode_get(*inode);
        return KERR_OK;
    }
    enum kerr error = directory->operations->lookup(directory, name, inode);
    if (error == KERR_OK)
        note(directory, name, hash, *inode);
    else if (error == KERR_NOT_FOUND)
        note(directory, name, hash, NULL);
    return error;
}

enum kerr names_create(struct inode *directory, struct name name, const struct inode_wish *wish,
                       struct inode **inode)
{
    enum kerr error;
    do
        error = directory->operations->create(directory, name, wish, inode);
    while (inode_gains_room(directory->mount, &error));
    if (error == KERR_OK && name.length > 0)
        note_change(directory, name, *inode);
    return error;
}

enum kerr names_link(struct inode *directory, struct name name, struct inode *inode)
{
    enum kerr error;
    do
        error = directory->operations->link(directory, name, inode);
    while (inode_gains_room(directory->mount, &error));
    if (error == KERR_OK)
        note_change(directory, name, inode);
    return error;
}

enum kerr names_remove(struct inode *directory, struct name name, struct inode *inode)
{
    enum kerr error = directory->operations->remove(directory, name, inode);
    if (error == KERR_OK)
        note_change(directory, name, NULL);
    return error;
}

enum kerr names_rename(struct inode *from, struct name from_name, struct inode *inode,
                       struct inode *to, struct name to_name, struct inode *replaced)
{
    enum kerr error;
    do
        error = from->operations->rename(from, from_name, inode, to, to_name, replaced);
    while (inode_gains_room(from->mount, &error));
    if (error != KERR_OK)
        return error;
    note_change(from, from_name, NULL);
    note_change(to, to_name, inode);
    return KERR_OK;
}

enum kerr names_exchange(struct inode *from, struct name from_name, struct inode *inode,
                         struct inode *to, struct name to_name, struct inode *other)
{
    enum kerr error = from->operations->exchange(from, from_name, inode, to, to_name, other);
    if (error != KERR_OK)
        return error;
    note_change(from, from_name, other);
    note_change(to, to_name, inode);
    return KERR_OK;
}

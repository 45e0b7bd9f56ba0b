/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. A tree of files out of a cpio archive (initramfs.h).
 *
 * The archive is read once, from its beginning to its end, so that what it lies in can be given back
 * meanwhile. Nothing in it is believed: not that it ends where it says, not that its names lead to
 * where they seem to. A name never leads above the root, nor by way of a symbolic link.
 *
 * Of a file with several names each is an entry, and as a rule only the last one has the data. They
 * are known by the inode's number, so such files are kept in a table until the archive ends.
 */
#include "initramfs.h"

#include <arch/i386/entry.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/heap.h>

#include "cpio.h"

enum { LINK_CHAINS = 256, LINES_MAX = 10, NAME_SHOWN = 60 };

/* A file of several names. */
struct linked {
    struct linked *next;
    uint32_t number, device_major, device_minor; /* as the archive has them */
    struct inode *inode;                         /* one reference */
};

struct unpacking {
    struct archive *archive;
    struct inode *root;
    struct initramfs_counts *counts;
    uint32_t lines; /* that were said */
    struct linked *linked[LINK_CHAINS];
    char name[PATH_BYTES_MAX];
    char target[PATH_BYTES_MAX];
};

/* Where a name leads. */
struct place {
    struct inode *directory; /* one reference */
    struct name last;        /* empty: DIRECTORY itself, the root */
};

/* ---- what is said ---- */

static bool may_say(struct unpacking *unpacking)
{
    return unpacking->lines++ < LINES_MAX;
}

/* The entry of the name that was read is WHAT. */
static void say(struct unpacking *unpacking, const char *what)
{
    char shown[NAME_SHOWN + 1];
    if (!may_say(unpacking))
        return;
    text_copy(shown, sizeof(shown), unpacking->name);
    for (char *at = shown; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    printk("initramfs: %s: %s\n", shown, what);
}

static void leave_out(struct unpacking *unpacking, const char *why)
{
    unpacking->counts->left_out++;
    say(unpacking, why);
}

/* ---- names ---- */

/* The name of ENTRY; false: it has none that can be used. */
static bool read_name(struct unpacking *unpacking, const struct cpio_entry *entry)
{
    uint32_t bytes = entry->name_bytes;
    bool is_whole = bytes <= PATH_BYTES_MAX;
    bytes = is_whole ? bytes : PATH_BYTES_MAX;
    unpacking->archive->read(unpacking->archive, entry->name_at, unpacking->name, bytes);
    if (is_whole && unpacking->name[bytes - 1] == '\0')
        return true;
    unpacking->name[bytes - 1] = '\0';
    leave_out(unpacking, is_whole ? "the name does not end" : "the name is too long");
    return false;
}

/* The next part of a path from *AT on, without "."; empty at its end. */
static struct name next_part(const char **at)
{
    for (;;) {
        while (**at == '/')
            (*at)++;
        struct name part = {*at, 0};
        while (**at != '/' && **at != '\0')
            (*at)++;
        part.length = (uint32_t)(*at - part.text);
        if (part.length != 1 || part.text[0] != '.')
            return part;
    }
}

/* NULL: the name can be one of a directory. */
static const char *refuse_part(struct name part)
{
    if (part.length == 2 && part.text[0] == '.' && part.text[1] == '.')
        return "a name leads upwards";
    return part.length > NAME_BYTES_MAX ? "the name is too long" : NULL;
}

/* DIRECTORY, whose reference is taken over, and PART in it: *FOUND, which is a directory. */
static const char *enter(struct inode *directory, struct name part, struct inode **found)
{
    enum kerr error = names_look_up(directory, part, found);
    inode_put(directory);
    if (error != KERR_OK)
        return "its directory is not there";
    if (inode_is_directory(*found))
        return NULL;
    inode_put(*found);
    return "what should be its directory is none";
}

/* Where the name that was read leads. Returns NULL, or why it can't: PLACE is empty then. */
static const char *find_place(struct unpacking *unpacking, struct place *place)
{
    const char *at = unpacking->name, *why = NULL;
    struct inode *directory = unpacking->root;
    struct name part = next_part(&at);
    inode_get(directory);
    while (part.length > 0) {
        struct name next = next_part(&at);
        why = refuse_part(part);
        if (why != NULL || next.length == 0)
            break;
        why = enter(directory, part, &directory);
        if (why != NULL)
            return why;
        part = next;
    }
    *place = (struct place){directory, part};
    if (why != NULL)
        inode_put(directory);
    return why;
}

/* ---- files of several names ---- */

static struct linked **chain_of(struct unpacking *unpacking, const struct cpio_entry *entry)
{
    return &unpacking->linked[entry->inode % LINK_CHAINS];
}

static bool may_be_linked(const struct cpio_entry *entry)
{
    return entry->links > 1 && (entry->mode & S_IFMT) != S_IFDIR;
}

/* The file that ENTRY is one more name of; NULL: it is the first. */
static struct inode *find_linked(struct unpacking *unpacking, const struct cpio_entry *entry)
{
    if (!may_be_linked(entry))
        return NULL;
    for (const struct linked *at = *chain_of(unpacking, entry); at != NULL; at = at->next)
        if (at->number == entry->inode && at->device_major == entry->device_major &&
            at->device_minor == entry->device_minor &&
            inode_type(at->inode) == (entry->mode & S_IFMT))
            return at->inode;
    return NULL;
}

static enum kerr note_linked(struct unpacking *unpacking, const struct cpio_entry *entry,
                             struct inode *inode)
{
    void *block;
    if (!may_be_linked(entry))
        return KERR_OK;
    enum kerr error = kmalloc(sizeof(struct linked), &block);
    if (error != KERR_OK)
        return error;
    struct linked *linked = block, **chain = chain_of(unpacking, entry);
    *linked =
        (struct linked){*chain, entry->inode, entry->device_major, entry->device_minor, inode};
    inode_get(inode);
    *chain = linked;
    return KERR_OK;
}

static void forget_linked(struct unpacking *unpacking)
{
    for (uint32_t i = 0; i < LINK_CHAINS; i++)
        while (unpacking->linked[i] != NULL) {
            struct linked *linked = unpacking->linked[i];
            unpacking->linked[i] = linked->next;
            inode_put(linked->inode);
            kfree(linked);
        }
}

/* ---- an entry ---- */

/* The data of ENTRY become those of INODE, a regular file, instead of what it had. */
static enum kerr write_data(struct archive *archive, const struct cpio_entry *entry,
                            struct inode *inode)
{
    enum kerr error;
    do
        error = inode->operations->resize(inode, 0);
    while (error == KERR_AGAIN);
    for (uint32_t done = 0; done < entry->data_bytes && error == KERR_OK;) {
        uint32_t left = entry->data_bytes - done, part = left < PAGE_BYTES ? left : PAGE_BYTES;
        frame_t frame;
        error = inode->operations->page(inode, done >> PAGE_SHIFT, PAGE_TO_WRITE, &frame);
        if (error != KERR_OK)
            break;
        archive->read(archive, entry->data_at + done, temp_map(TEMP_SENDFILE, frame), part);
        temp_unmap(TEMP_SENDFILE);
        done += part;
        inode->operations->page_written(inode, done);
        archive->pass(archive, entry->data_at + done);
    }
    return error;
}

/* Rights, owner and times of INODE are those of ENTRY. */
static void set_status(struct inode *inode, const struct cpio_entry *entry)
{
    struct time time = {entry->seconds, 0};
    inode->status.mode = inode_type(inode) | (entry->mode & MODE_BITS);
    inode->status.user = entry->user;
    inode->status.group = entry->group;
    inode->status.accessed = inode->status.modified = time;
    inode_changed(inode);
}

/* What of ENTRY is to be made; false: it can't be. */
static bool make_wish(struct unpacking *unpacking, const struct cpio_entry *entry,
                      struct inode_wish *wish)
{
    *wish = (struct inode_wish){.mode = entry->mode & (S_IFMT | MODE_BITS)};
    switch (entry->mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFIFO:
    case S_IFSOCK:
        return true;
    case S_IFCHR:
    case S_IFBLK:
        wish->device = device_number(entry->special_major, entry->special_minor);
        return true;
    case S_IFLNK:
        wish->target = unpacking->target;
        wish->target_bytes = entry->data_bytes;
        if (entry->data_bytes == 0 || entry->data_bytes >= PATH_BYTES_MAX)
            break;
        unpacking->archive->read(unpacking->archive, entry->data_at, unpacking->target,
                                 entry->data_bytes);
        return true;
    default:
        break;
    }
    leave_out(unpacking, (entry->mode & S_IFMT) == S_IFLNK ? "the target has a wrong length"
                                                           : "of no type that there is");
    return false;
}

/* Nothing is at PLACE: there is *INODE, one reference, of ENTRY and perhaps of others before it. */
static enum kerr make(struct unpacking *unpacking, const struct cpio_entry *entry,
                      const struct place *place, const struct inode_wish *wish,
                      struct inode **inode)
{
    struct inode *directory = place->directory;
    struct inode *linked = find_linked(unpacking, entry);
    if (linked != NULL) {
        inode_get(linked);
        *inode = linked;
        enum kerr error = names_link(directory, place->last, linked);
        if (error != KERR_OK)
            inode_put(linked);
        return error;
    }
    enum kerr error = names_create(directory, place->last, wish, inode);
    if (error != KERR_OK)
        return error;
    error = note_linked(unpacking, entry, *inode);
    if (error != KERR_OK)
        inode_put(*inode);
    return error;
}

/* What is at PLACE makes room for ENTRY. *INODE: a directory that stays, one reference; or NULL. */
static enum kerr clear_place(struct unpacking *unpacking, const struct cpio_entry *entry,
                             const struct place *place, struct inode **inode)
{
    struct inode *directory = place->directory, *there;
    *inode = NULL;
    enum kerr error = names_look_up(directory, place->last, &there);
    if (error != KERR_OK)
        return error == KERR_NOT_FOUND ? KERR_OK : error;
    if (inode_is_directory(there) && (entry->mode & S_IFMT) == S_IFDIR) {
        *inode = there;
        return KERR_OK;
    }
    error = there->covered_by != NULL ? KERR_BUSY : names_remove(directory, place->last, there);
    inode_put(there);
    if (error == KERR_OK)
        say(unpacking, "is there twice: the first one goes");
    return error;
}

/* *INODE: what stands for ENTRY at PLACE now, one reference. */
static enum kerr put_at(struct unpacking *unpacking, const struct cpio_entry *entry,
                        const struct place *place, const struct inode_wish *wish,
                        struct inode **inode)
{
    *inode = NULL;
    if (place->last.length > 0) {
        enum kerr error = clear_place(unpacking, entry, place, inode);
        return error != KERR_OK || *inode != NULL ? error
                                                  : make(unpacking, entry, place, wish, inode);
    }
    if ((entry->mode & S_IFMT) != S_IFDIR)
        return KERR_BAD_VALUE;
    inode_get(place->directory);
    *inode = place->directory;
    return KERR_OK;
}

/* Nothing more fits, whatever comes. */
static bool is_the_end(enum kerr error)
{
    return error == KERR_NO_MEMORY || error == KERR_NO_SPACE || error == KERR_NO_ROOM;
}

/* The times of its directory stay what the archive said of it. */
static enum kerr unpack_entry(struct unpacking *unpacking, const struct cpio_entry *entry)
{
    struct place place;
    struct inode_wish wish;
    struct inode *inode;
    if (!make_wish(unpacking, entry, &wish))
        return KERR_OK;
    const char *why = find_place(unpacking, &place);
    if (why != NULL) {
        leave_out(unpacking, why);
        return KERR_OK;
    }
    struct time modified = place.directory->status.modified;
    enum kerr error = put_at(unpacking, entry, &place, &wish, &inode);
    place.directory->status.modified = modified;
    if (error == KERR_OK) {
        if (inode_type(inode) == S_IFREG && entry->data_bytes > 0)
            error = write_data(unpacking->archive, entry, inode);
        set_status(inode, entry);
        inode_put(inode);
    }
    inode_put(place.directory);
    if (error == KERR_OK)
        unpacking->counts->files++;
    else
        leave_out(unpacking, kerr_text(error));
    return is_the_end(error) ? error : KERR_OK;
}

/* ---- the archive ---- */

/* The first byte from AT on that is not 0; or the end. */
static uint32_t skip_zeros(struct archive *archive, uint32_t at)
{
    enum { AT_ONCE = 64 };
    uint8_t bytes[AT_ONCE];
    while (at < archive->bytes) {
        uint32_t count = archive->bytes - at < AT_ONCE ? archive->bytes - at : AT_ONCE;
        archive->read(archive, at, bytes, count);
        for (uint32_t i = 0; i < count; i++)
            if (bytes[i] != 0)
                return at + i;
        at += count;
    }
    return at;
}

static const char *what_is_wrong(enum kerr error)
{
    switch (error) {
    case KERR_UNSUPPORTED:
        return "no header of cpio's \"newc\" format";
    case KERR_BAD_RANGE:
        return "the archive ends before this entry does";
    default:
        return "a header without sense";
    }
}

/* What packers leave behind: the first bytes tell. */
static void say_what_it_is(struct archive *archive)
{
    uint8_t magic[6];
    if (archive->bytes < sizeof(magic))
        return;
    archive->read(archive, 0, magic, sizeof(magic));
    if (memcmp(magic, "\x1F\x8B", 2) == 0)
        printk("initramfs: it is packed with gzip; GRUB unpacks it after `insmod gzio`\n");
    else if (memcmp(magic, "070707", 6) == 0 || memcmp(magic, "070702", 6) == 0)
        printk(
            "initramfs: it is another format of cpio's; `cpio -o -H newc` makes the right one\n");
}

static enum kerr read_header(struct archive *archive, uint32_t at, struct cpio_entry *entry)
{
    uint8_t header[CPIO_HEADER_BYTES];
    if (archive->bytes - at < CPIO_HEADER_BYTES)
        return KERR_BAD_RANGE;
    archive->read(archive, at, header, CPIO_HEADER_BYTES);
    return cpio_read_header(header, at, archive->bytes, entry);
}

static enum kerr unpack_all(struct unpacking *unpacking)
{
    struct archive *archive = unpacking->archive;
    bool has_ended = false; /* the one that began last */
    for (uint32_t at = 0;;) {
        struct cpio_entry entry;
        at = skip_zeros(archive, at);
        if (at == archive->bytes && has_ended)
            return KERR_OK;
        enum kerr error =
            at % CPIO_ALIGNMENT != 0 ? KERR_UNSUPPORTED : read_header(archive, at, &entry);
        if (error != KERR_OK) {
            printk("initramfs: at byte %u of %u: %s\n", (unsigned)at, (unsigned)archive->bytes,
                   what_is_wrong(error));
            if (at == 0)
                say_what_it_is(archive);
            return KERR_BAD_VALUE;
        }
        if (read_name(unpacking, &entry)) {
            has_ended = strcmp(unpacking->name, "TRAILER!!!") == 0;
            if (has_ended)
                forget_linked(unpacking);
            else
                error = unpack_entry(unpacking, &entry);
        }
        if (error != KERR_OK)
            return error;
        at = entry.end;
        archive->pass(archive, at);
    }
}

enum kerr initramfs_unpack(struct archive *archive, struct inode *root,
                           struct initramfs_counts *counts)
{
    void *block;
    *counts = (struct initramfs_counts){0};
    enum kerr error = kmalloc(sizeof(struct unpacking), &block);
    if (error != KERR_OK)
        return error;
    struct unpacking *unpacking = block;
    memset(unpacking, 0, sizeof(*unpacking));
    unpacking->archive = archive;
    unpacking->root = root;
    unpacking->counts = counts;
    error = unpack_all(unpacking);
    forget_linked(unpacking);
    if (unpacking->lines > LINES_MAX)
        printk("initramfs: ... and %u more lines like these\n",
               (unsigned)(unpacking->lines - LINES_MAX));
    kfree(unpacking);
    return error;
}

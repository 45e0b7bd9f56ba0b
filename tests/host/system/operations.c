/* SPDX-License-Identifier: MIT */
#include "operations.h"

#include "programs.h"

#include <file/open_file.h>
#include <process/errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_MAX = 400 * 1024,
    WRITE_MAX = 20000,
    MODE = 0644,
    PROT_READ = 1,
    PROT_WRITE = 2,
    MAP_SHARED = 1,
    MAP_PRIVATE = 2,
    MAP_FIXED = 0x10,
    MAP_ANONYMOUS = 0x20,
    MS_ASYNC = 1,
    MS_INVALIDATE = 2,
    MS_SYNC = 4,
};

uint64_t operations_done;
bool operations_may_fail;
uint32_t operations_excused;

struct holder *holder_of_me(void)
{
    return &holders[program_number()];
}

/* ---- answers ---- */

/* ANSWER says that the disk or the memory failed, as they may: what the operation was about is unknown. */
static bool is_excused(int32_t answer)
{
    if (!operations_may_fail || (answer != -EIO && answer != -ENOMEM && answer != -EFAULT))
        return false;
    operations_excused++;
    forget_taken(holder_of_me());
    return true;
}

/* A system call of an operation, which ends with it if that failed as it may. */
#define ask(...)                                                                                   \
    ({                                                                                             \
        int32_t answer = call(__VA_ARGS__);                                                        \
        if (is_excused(answer))                                                                    \
            return true;                                                                           \
        answer;                                                                                    \
    })

bool expect(int32_t result, int32_t expected, const char *what)
{
    if (result != expected && !is_excused(result))
        wrong("%s: %d, and not %d", what, result, expected);
    return result == expected;
}

void make_memory(void)
{
    expect(call(CALL_MMAP, TEXTS, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT32_MAX, 0),
           TEXTS, "memory of a program");
}

uint32_t put_text(uint32_t offset, const char *text)
{
    program_store(TEXTS + offset, text, (uint32_t)strlen(text) + 1);
    return TEXTS + offset;
}

/* ---- places: a directory and a name in it ---- */

struct place {
    struct node *directory, *node; /* NODE: what is there; NULL: nothing */
    char name[TREE_NAME_BYTES];
};

static struct node *choose_directory(uint32_t mount)
{
    struct node *directory = tree_roots[mount];
    while (chance(3) > 0) {
        struct node *below[64];
        uint32_t count = 0;
        for (uint32_t i = 0; i < directory->count && count < ARRAY_LENGTH(below); i++)
            if (directory->entries[i].node->type == NODE_DIRECTORY &&
                !directory->entries[i].node->is_moving && !directory->entries[i].node->is_unknown)
                below[count++] = directory->entries[i].node;
        if (count == 0)
            break;
        directory = below[chance(count)];
    }
    return directory;
}

static void make_name(char *name)
{
    uint32_t number = chance(14), length = (uint32_t)sprintf(name, "%c", 'a' + number);
    if (number >= 10)
        for (uint32_t i = 0; i < 40u * (number - 9); i++)
            name[length++] = (char)('a' + i % 26);
    name[length] = '\0';
}

static struct place choose_place(uint32_t mount)
{
    struct place place = {.directory = choose_directory(mount)};
    if (place.directory->count > 0 && chance(4) > 0) {
        struct entry *entry = &place.directory->entries[chance(place.directory->count)];
        snprintf(place.name, sizeof(place.name), "%s", entry->name);
        place.node = entry->node;
    } else {
        make_name(place.name);
        struct entry *entry = entry_find(place.directory, place.name);
        place.node = entry == NULL ? NULL : entry->node;
    }
    return place;
}

static uint32_t choose_mount(void)
{
    return chance(4) == 0;
}

static bool take_place(struct holder *me, const struct place *place)
{
    walk(me, place->directory);
    if (!take(me, place->directory) || (place->node != NULL && !take(me, place->node)))
        return false;
    if (place->node == NULL)
        take_absent(me, place->directory, place->name);
    return true;
}

/* The same, and NODE may move, or go: if it is a directory, nobody is on his way through it. */
static bool take_place_to_move(struct holder *me, const struct place *place)
{
    if (place->node != NULL && (place->node->walks > 0 || place->node->has_unknown))
        return false;
    if (!take_place(me, place))
        return false;
    if (place->node != NULL)
        place->node->is_moving = true;
    return true;
}

/* Its path at OFFSET of the texts. */
static uint32_t place_text(struct holder *me, uint32_t offset, const struct place *place)
{
    char path[TREE_PATH_BYTES];
    path_of(path, place->directory, place->name);
    if (getenv("TRACE") != NULL)
        printf("%u: %s %s%s\n", program_number(), me->doing, path,
               place->node == NULL ? " (nothing)" : "");
    return put_text(offset, path);
}

/* ---- open files ---- */

static int32_t free_file(const struct holder *me)
{
    for (int32_t i = 0; i < TREE_FILES; i++)
        if (me->files[i].opened == NULL)
            return i;
    return -1;
}

/* A file that ME has open, and whose node nobody else uses now; or -1. */
static int32_t choose_file(struct holder *me)
{
    int32_t at = (int32_t)chance(TREE_FILES);
    if (me->files[at].opened == NULL || !take(me, me->files[at].opened->node))
        return -1;
    return at;
}

static bool op_open(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    int32_t at = free_file(me);
    uint32_t flags = O_LARGEFILE | (chance(2) ? O_CREAT : 0u) | (chance(6) == 0 ? O_TRUNC : 0u) |
                     (chance(8) == 0 ? O_EXCL : 0u) | (chance(8) == 0 ? O_APPEND : 0u) |
                     (chance(10) == 0 ? O_SYNC : 0u) | O_NOFOLLOW;
    uint32_t access = chance(5) == 0 ? O_RDONLY : chance(5) == 0 ? O_WRONLY : O_RDWR;
    if (access == O_RDONLY)
        flags &= ~(uint32_t)O_TRUNC;
    if (!(flags & O_CREAT))
        flags &= ~(uint32_t)O_EXCL;
    if (at < 0 || !take_place(me, &place))
        return false;
    int32_t number = ask(CALL_OPEN, place_text(me, 0, &place), flags | access, MODE);
    struct node *node = place.node;
    if (node == NULL && !(flags & O_CREAT))
        return expect(number, -ENOENT, "open of nothing"), true;
    if (node != NULL && (flags & O_EXCL))
        return expect(number, -EEXIST, "open, exclusive"), true;
    if (node != NULL && node->type == NODE_LINK) {
        if (number != -ELOOP)
            wrong("open of the link %s, flags %o: %d", place.name, flags, number);
        return true;
    }
    if (node != NULL && node->type == NODE_DIRECTORY) {
        if (access == O_RDONLY && !(flags & O_CREAT)) {
            if (number < 0)
                wrong("open of a directory: %d", number);
            return expect(ask(CALL_CLOSE, (uint32_t)number), 0, "close"), true;
        }
        return expect(number, -EISDIR, "open of a directory"), true;
    }
    if (number == -ENOSPC && node == NULL)
        return true;
    if (number < 0)
        wrong("open of %s: %d", place.name, number);
    if (node == NULL) {
        node = node_new(NODE_FILE, place.directory->mount);
        entry_add(place.directory, place.name, node);
    }
    if (flags & O_TRUNC)
        file_set_length(node, 0);
    struct opened *opened = calloc(1, sizeof(*opened));
    *opened = (struct opened){.node = node,
                              .descriptors = 1,
                              .may_read = access != O_WRONLY,
                              .may_write = access != O_RDONLY,
                              .appends = (flags & O_APPEND) != 0};
    node->users++;
    me->files[at].opened = opened;
    me->files[at].number = number;
    return true;
}

static bool op_close(struct holder *me)
{
    int32_t at = choose_file(me);
    if (at < 0)
        return false;
    expect(ask(CALL_CLOSE, (uint32_t)me->files[at].number), 0, "close");
    opened_put(me->files[at].opened);
    me->files[at].opened = NULL;
    return true;
}

/* ---- reading and writing ---- */

static uint32_t choose_offset(const struct node *node)
{
    if (chance(40) == 0)
        return chance(LENGTH_MAX);
    uint32_t offset = chance(node->length + (chance(3) ? 1 : 9000));
    return chance(3) == 0 ? offset / 512 * 512 : offset;
}

static uint32_t choose_bytes(uint32_t offset)
{
    uint32_t bytes = chance(3) == 0 ? chance(WRITE_MAX) : chance(3) ? chance(5000) : chance(100);
    if (chance(4) == 0)
        bytes = bytes / 1024 * 1024;
    return offset + bytes > LENGTH_MAX ? LENGTH_MAX - offset : bytes;
}

static void make_bytes(uint8_t *bytes, uint32_t count)
{
    uint32_t value = chance(1 << 24) * 2 + 1;
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)((value = value * 1103515245u + 12345) >> 16);
}

static void judge_bytes(const struct node *node, uint32_t offset, uint32_t address, uint32_t bytes)
{
    uint8_t *found = malloc(bytes + 1);
    program_load(found, address, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        if (found[i] != node->bytes[offset + i])
            wrong("byte %u of node %u, a file of %u bytes, is %02x, and not %02x", offset + i,
                  node->number, node->length, found[i], node->bytes[offset + i]);
    free(found);
}

static bool op_read(struct holder *me)
{
    int32_t at = choose_file(me);
    if (at < 0)
        return false;
    struct opened *opened = me->files[at].opened;
    const struct node *node = opened->node;
    uint32_t number = (uint32_t)me->files[at].number, bytes = choose_bytes(0);
    bool is_at = chance(2);
    uint32_t offset = is_at ? choose_offset(node) : opened->offset;
    int32_t result = is_at ? ask(CALL_PREAD, number, BUFFER, bytes, offset, 0)
                           : ask(CALL_READ, number, BUFFER, bytes);
    if (!opened->may_read)
        return expect(result, -EBADF, "read, not open for it"), true;
    uint32_t left = offset < node->length ? node->length - offset : 0;
    if (result != (int32_t)(bytes < left ? bytes : left))
        wrong("read of %u bytes at %u%s of a file of %u: %d", bytes, offset,
              is_at ? " (pread)" : "", node->length, result);
    judge_bytes(node, offset, BUFFER, (uint32_t)result);
    if (!is_at)
        opened->offset += (uint32_t)result;
    return true;
}

static bool op_write(struct holder *me)
{
    static uint8_t bytes[TREE_PROGRAMS][WRITE_MAX];
    int32_t at = choose_file(me);
    if (at < 0)
        return false;
    struct opened *opened = me->files[at].opened;
    struct node *node = opened->node;
    uint32_t number = (uint32_t)me->files[at].number;
    bool is_at = chance(2);
    uint32_t offset = opened->appends ? node->length : is_at ? choose_offset(node) : opened->offset;
    if (offset > LENGTH_MAX)
        return false;
    uint32_t count = choose_bytes(offset);
    uint8_t *data = bytes[program_number()];
    make_bytes(data, count);
    program_store(BUFFER, data, count);
    int32_t result = is_at ? ask(CALL_PWRITE, number, BUFFER, count, offset, 0)
                           : ask(CALL_WRITE, number, BUFFER, count);
    if (!opened->may_write)
        return expect(result, -EBADF, "write, not open for it"), true;
    if (result == -ENOSPC)
        return true;
    if (result < 0 || (uint32_t)result > count)
        wrong("write of %u bytes at %u: %d", count, offset, result);
    file_put_bytes(node, offset, data, (uint32_t)result);
    if (!is_at && count > 0)
        opened->offset = offset + (uint32_t)result;
    return true;
}

static bool op_seek(struct holder *me)
{
    int32_t at = choose_file(me);
    if (at < 0)
        return false;
    struct opened *opened = me->files[at].opened;
    uint32_t offset = choose_offset(opened->node);
    expect(ask(CALL_LSEEK, (uint32_t)me->files[at].number, offset, 0), (int32_t)offset, "lseek");
    opened->offset = offset;
    return true;
}

static bool op_sendfile(struct holder *me)
{
    int32_t from = choose_file(me), to = choose_file(me);
    if (from < 0 || to < 0)
        return false;
    struct opened *source = me->files[from].opened, *target = me->files[to].opened;
    if (source->node == target->node || !source->may_read || !target->may_write ||
        target->appends || target->offset > LENGTH_MAX / 2)
        return false;
    uint32_t count = chance(WRITE_MAX);
    uint32_t left =
        source->offset < source->node->length ? source->node->length - source->offset : 0;
    int32_t result = ask(CALL_SENDFILE, (uint32_t)me->files[to].number,
                         (uint32_t)me->files[from].number, 0, count);
    if (result == -ENOSPC)
        return true;
    if (result < 0 || (uint32_t)result > count || (uint32_t)result > left ||
        (result == 0 && count > 0 && left > 0))
        wrong("sendfile of %u bytes: %d", count, result);
    file_put_bytes(target->node, target->offset, source->node->bytes + source->offset,
                   (uint32_t)result);
    source->offset += (uint32_t)result;
    target->offset += (uint32_t)result;
    return true;
}

/* Read from one file into a page that shows another, or write from there. */
static bool op_through_region(struct holder *me)
{
    uint8_t page[PAGE_BYTES];
    int32_t at = choose_file(me);
    struct region *region = &me->regions[chance(TREE_REGIONS)];
    if (at < 0 || region->node == NULL || !take(me, region->node))
        return false;
    struct opened *opened = me->files[at].opened;
    uint32_t number = chance(region->pages), offset = choose_offset(opened->node);
    uint32_t at_page = (region->first + number) * PAGE_BYTES;
    if (!region_page(region, number, page) || opened->node == region->node)
        return false;
    uint32_t room =
        region->node->length - at_page < PAGE_BYTES ? region->node->length - at_page : PAGE_BYTES;
    uint32_t in_page = chance(room), count = 1 + chance(room - in_page);
    uint32_t address = region->address + number * PAGE_BYTES + in_page;
    if (chance(2)) {
        if (!opened->may_write || opened->appends || offset + count > LENGTH_MAX)
            return false;
        int32_t result = ask(CALL_PWRITE, (uint32_t)me->files[at].number, address, count, offset);
        if (result == -ENOSPC)
            return true;
        if (result > 0 && (uint32_t)result < count && operations_may_fail)
            count = (uint32_t)result; /* there was room for a part */
        expect(result, (int32_t)count, "pwrite out of a region");
        file_put_bytes(opened->node, offset, page + in_page, count);
        return true;
    }
    uint32_t left = offset < opened->node->length ? opened->node->length - offset : 0;
    if (!opened->may_read || !region->may_write || left == 0)
        return false;
    count = count < left ? count : left;
    expect(ask(CALL_PREAD, (uint32_t)me->files[at].number, address, count, offset), (int32_t)count,
           "pread into a region");
    if (region->is_shared) {
        file_put_bytes(region->node, at_page + in_page, opened->node->bytes + offset, count);
        return true;
    }
    if (region->copies[number] == NULL)
        region->copies[number] = memcpy(malloc(PAGE_BYTES), page, PAGE_BYTES);
    memcpy(region->copies[number] + in_page, opened->node->bytes + offset, count);
    return true;
}

/* ---- length and room ---- */

static uint32_t choose_length(const struct node *node)
{
    uint32_t length = chance(3) == 0 ? 0 : choose_offset(node);
    return chance(4) == 0 ? length / PAGE_BYTES * PAGE_BYTES : length;
}

static bool op_truncate(struct holder *me)
{
    int32_t at = choose_file(me);
    if (at < 0)
        return false;
    struct opened *opened = me->files[at].opened;
    uint32_t length = choose_length(opened->node);
    int32_t result = ask(CALL_FTRUNCATE, (uint32_t)me->files[at].number, length, 0);
    if (!opened->may_write)
        return expect(result, -EINVAL, "ftruncate, not open for it"), true;
    if (result == -ENOSPC && length > opened->node->length)
        return true;
    expect(result, 0, "ftruncate");
    file_set_length(opened->node, length);
    return true;
}

static bool op_truncate_path(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    if (place.node == NULL || place.node->type != NODE_FILE || !take_place(me, &place))
        return false;
    uint32_t length = choose_length(place.node);
    int32_t result = ask(CALL_TRUNCATE, place_text(me, 0, &place), length, 0);
    if (result == -ENOSPC && length > place.node->length)
        return true;
    expect(result, 0, "truncate");
    file_set_length(place.node, length);
    return true;
}

static bool op_allocate(struct holder *me)
{
    enum { KEEP_SIZE = 1 };
    int32_t at = choose_file(me);
    if (at < 0 || !me->files[at].opened->may_write)
        return false;
    struct node *node = me->files[at].opened->node;
    uint32_t offset = choose_offset(node), bytes = 1 + choose_bytes(offset), keep = chance(2);
    int32_t result = ask(CALL_FALLOCATE, (uint32_t)me->files[at].number, keep ? KEEP_SIZE : 0,
                         offset, 0, bytes, 0);
    if (result == -ENOSPC)
        return true;
    expect(result, 0, "fallocate");
    if (!keep && offset + bytes > node->length)
        file_set_length(node, offset + bytes);
    return true;
}

/* ---- names ---- */

static bool op_unlink(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    if (!take_place(me, &place))
        return false;
    int32_t result = ask(CALL_UNLINK, place_text(me, 0, &place));
    if (place.node == NULL)
        return expect(result, -ENOENT, "unlink of nothing"), true;
    if (place.node->type == NODE_DIRECTORY)
        return expect(result, -EISDIR, "unlink of a directory"), true;
    expect(result, 0, "unlink");
    entry_remove(place.directory, place.name);
    return true;
}

static bool op_mkdir(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    if (depth_of(place.directory) >= TREE_DEPTH || !take_place(me, &place))
        return false;
    int32_t result = ask(CALL_MKDIR, place_text(me, 0, &place), 0755);
    if (place.node != NULL)
        return expect(result, -EEXIST, "mkdir of what is there"), true;
    if (result == -ENOSPC)
        return true;
    expect(result, 0, "mkdir");
    entry_add(place.directory, place.name, node_new(NODE_DIRECTORY, place.directory->mount));
    return true;
}

static bool op_rmdir(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    if (!take_place_to_move(me, &place))
        return false;
    int32_t result = ask(CALL_RMDIR, place_text(me, 0, &place));
    if (place.node == NULL)
        return expect(result, -ENOENT, "rmdir of nothing"), true;
    if (place.node->type != NODE_DIRECTORY)
        return expect(result, -ENOTDIR, "rmdir of a file"), true;
    if (place.node->count > 0)
        return expect(result, -ENOTEMPTY, "rmdir of a directory with names"), true;
    expect(result, 0, "rmdir");
    entry_remove(place.directory, place.name);
    return true;
}

static bool op_link(struct holder *me)
{
    struct place from = choose_place(choose_mount());
    struct place to = choose_place(chance(20) == 0 ? choose_mount() : from.directory->mount);
    if (!take_place(me, &from) || !take_place(me, &to))
        return false;
    uint32_t from_text = place_text(me, 0, &from), to_text = place_text(me, 4096, &to);
    int32_t result = ask(CALL_LINK, from_text, to_text);
    if (from.node == NULL)
        return expect(result, -ENOENT, "link of nothing"), true;
    if (to.node != NULL)
        return expect(result, -EEXIST, "link to what is there"), true;
    if (from.directory->mount != to.directory->mount)
        return expect(result, -EXDEV, "link to another mount"), true;
    if (from.node->type == NODE_DIRECTORY)
        return expect(result, -EPERM, "link of a directory"), true;
    if (result == -ENOSPC)
        return true;
    expect(result, 0, "link");
    entry_add(to.directory, to.name, from.node);
    return true;
}

static int32_t answer_to_rename(const struct place *from, const struct place *to)
{
    if (from->directory->mount != to->directory->mount)
        return -EXDEV;
    if (from->node == NULL)
        return -ENOENT;
    bool is_directory = from->node->type == NODE_DIRECTORY;
    if (is_directory && is_below(to->directory, from->node))
        return -EINVAL;
    if (to->node != NULL && is_below(from->directory, to->node))
        return -ENOTEMPTY;
    if (from->node == to->node || to->node == NULL)
        return 0;
    if (is_directory != (to->node->type == NODE_DIRECTORY))
        return is_directory ? -ENOTDIR : -EISDIR;
    return is_directory && to->node->count > 0 ? -ENOTEMPTY : 0;
}

static bool op_rename(struct holder *me)
{
    struct place from = choose_place(choose_mount());
    struct place to = choose_place(chance(20) == 0 ? choose_mount() : from.directory->mount);
    bool is_own_way = (from.node != NULL && is_below(to.directory, from.node)) ||
                      (to.node != NULL && is_below(from.directory, to.node));
    if (depth_of(to.directory) >= TREE_DEPTH || !take_place_to_move(me, &from) ||
        !(is_own_way ? take_place(me, &to) : take_place_to_move(me, &to)))
        return false;
    uint32_t from_text = place_text(me, 0, &from), to_text = place_text(me, 4096, &to);
    int32_t expected = answer_to_rename(&from, &to), result = ask(CALL_RENAME, from_text, to_text);
    if (result == -ENOSPC && expected == 0)
        return true;
    expect(result, expected, "rename");
    if (result != 0 || from.node == to.node)
        return true;
    if (to.node != NULL)
        entry_remove(to.directory, to.name);
    entry_add(to.directory, to.name, from.node);
    if (from.node->type == NODE_DIRECTORY) { /* whose record knows its new name already */
        struct node moved = *from.node;
        entry_remove(from.directory, from.name);
        from.node->above = moved.above;
    } else {
        entry_remove(from.directory, from.name);
    }
    return true;
}

static bool op_symlink(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    char target[300];
    uint32_t length = chance(3) == 0 ? 60 + chance(200) : 1 + chance(59);
    if (!take_place(me, &place))
        return false;
    for (uint32_t i = 0; i < length; i++)
        target[i] = (char)('a' + chance(26));
    target[length] = '\0';
    uint32_t text = put_text(4096, target);
    int32_t result = ask(CALL_SYMLINK, text, place_text(me, 0, &place));
    if (place.node != NULL)
        return expect(result, -EEXIST, "symlink at what is there"), true;
    if (result == -ENOSPC)
        return true;
    expect(result, 0, "symlink");
    struct node *node = node_new(NODE_LINK, place.directory->mount);
    node->target = strdup(target);
    entry_add(place.directory, place.name, node);
    return true;
}

static void compare_link(const struct node *node, uint32_t path)
{
    char target[300];
    int32_t result = call(CALL_READLINK, path, BUFFER, sizeof(target));
    if (!expect(result, (int32_t)strlen(node->target), "readlink"))
        return;
    program_load(target, BUFFER, (uint32_t)result);
    if (memcmp(target, node->target, (size_t)result) != 0)
        wrong("a link leads to %.*s, and not to %s", result, target, node->target);
}

static bool op_readlink(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    if (place.node == NULL || !take_place(me, &place))
        return false;
    uint32_t text = place_text(me, 0, &place);
    if (place.node->type == NODE_LINK)
        compare_link(place.node, text);
    else
        expect(ask(CALL_READLINK, text, BUFFER, 300), -EINVAL, "readlink of no link");
    return true;
}

/* ---- status ---- */

static uint32_t directories_in(const struct node *directory)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < directory->count; i++)
        count += directory->entries[i].node->type == NODE_DIRECTORY;
    return count;
}

static void compare_status(const struct node *node, uint32_t path, uint32_t own_names)
{
    enum { STAT_BYTES = 96, MODE_AT = 16, LINKS_AT = 20, SIZE_AT = 44 };
    static const uint32_t types[] = {
        [NODE_FILE] = S_IFREG, [NODE_DIRECTORY] = S_IFDIR, [NODE_LINK] = S_IFLNK};
    uint8_t status[STAT_BYTES];
    uint32_t mode, links;
    uint64_t bytes;
    if (!expect(call(CALL_LSTAT, path, BUFFER), 0, "lstat"))
        return;
    program_load(status, BUFFER, STAT_BYTES);
    memcpy(&mode, status + MODE_AT, sizeof(mode));
    memcpy(&links, status + LINKS_AT, sizeof(links));
    memcpy(&bytes, status + SIZE_AT, sizeof(bytes));
    if ((mode & S_IFMT) != types[node->type])
        wrong("a mode is %o", mode);
    uint32_t names =
        node->type == NODE_DIRECTORY ? 2 + directories_in(node) + own_names : node->names;
    if (links != names && !node->has_unknown)
        wrong("%u links, and not %u", links, names);
    if (node->type == NODE_FILE && bytes != node->length)
        wrong("a file has %llu bytes, and not %u", (unsigned long long)bytes, node->length);
}

static bool op_status(struct holder *me)
{
    struct place place = choose_place(choose_mount());
    if (!take_place(me, &place))
        return false;
    uint32_t text = place_text(me, 0, &place);
    if (place.node == NULL)
        return expect(ask(CALL_LSTAT, text, BUFFER), -ENOENT, "lstat of nothing"), true;
    compare_status(place.node, text, 0);
    return true;
}

void compare_directory(struct holder *me, struct node *directory)
{
    char path[TREE_PATH_BYTES];
    uint32_t found = 0;
    enum { LENGTH_AT = 16, NAME_AT = 19, PIECE = 700 };
    path_of(path, directory, NULL);
    walk(me, directory);
    int32_t number = call(CALL_OPEN, put_text(0, path), O_RDONLY | O_DIRECTORY);
    if (is_excused(number))
        return;
    if (number < 0)
        wrong("open of the directory %s: %d", path, number);
    for (;;) {
        uint8_t entries[PIECE];
        int32_t bytes = call(CALL_GETDENTS, (uint32_t)number, BUFFER, PIECE);
        if (is_excused(bytes)) {
            expect(call(CALL_CLOSE, (uint32_t)number), 0, "close of a directory");
            return;
        }
        if (bytes < 0)
            wrong("getdents: %d", bytes);
        program_load(entries, BUFFER, (uint32_t)bytes);
        for (int32_t at = 0; at < bytes; at += entries[at + LENGTH_AT] | entries[at + 17] << 8) {
            const char *name = (const char *)entries + at + NAME_AT;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                strcmp(name, "lost+found") == 0)
                continue;
            const struct entry *entry = entry_find(directory, name);
            if (entry == NULL)
                wrong("%s is in %s, and should not", name, path);
            found += !entry->node->is_unknown;
        }
        if (bytes == 0)
            break;
    }
    uint32_t known = 0;
    for (uint32_t i = 0; i < directory->count; i++)
        known += !directory->entries[i].node->is_unknown;
    if (found != known)
        wrong("%u names are in %s, and not %u", found, path, known);
    expect(call(CALL_CLOSE, (uint32_t)number), 0, "close of a directory");
}

static bool op_list(struct holder *me)
{
    struct node *directory = choose_directory(choose_mount());
    if (!take(me, directory))
        return false;
    compare_directory(me, directory);
    return true;
}

/* ---- to the disk ---- */

static bool op_flush(struct holder *me)
{
    int32_t at = choose_file(me);
    if (at < 0)
        return false;
    uint32_t number = chance(2) ? CALL_FSYNC : CALL_FDATASYNC;
    expect(ask(number, (uint32_t)me->files[at].number), 0, "fsync");
    return true;
}

static bool op_sync(struct holder *me)
{
    (void)me;
    expect(ask(CALL_SYNC), 0, "sync");
    return true;
}

/* ---- regions ---- */

static bool op_map(struct holder *me)
{
    int32_t at = choose_file(me);
    struct region *region = &me->regions[chance(TREE_REGIONS)];
    if (at < 0 || region->node != NULL)
        return false;
    struct opened *opened = me->files[at].opened;
    bool is_shared = chance(3) > 0;
    bool may_write = chance(4) > 0 && (!is_shared || opened->may_write);
    uint32_t pages = 1 + chance(TREE_REGION_PAGES);
    uint32_t first = chance(1 + opened->node->length / PAGE_BYTES);
    int32_t result =
        ask(CALL_MMAP, 0, pages * PAGE_BYTES, PROT_READ | (may_write ? PROT_WRITE : 0u),
            is_shared ? MAP_SHARED : MAP_PRIVATE, (uint32_t)me->files[at].number, first);
    if (!opened->may_read)
        return expect(result, -EACCES, "mmap, not open for it"), true;
    if (result < 0 && result > -4096)
        wrong("mmap: %d", result);
    *region = (struct region){.node = opened->node,
                              .address = (uint32_t)result,
                              .pages = pages,
                              .first = first,
                              .is_shared = is_shared,
                              .may_write = may_write};
    opened->node->users++;
    return true;
}

static bool op_unmap(struct holder *me)
{
    struct region *region = &me->regions[chance(TREE_REGIONS)];
    if (region->node == NULL || !take(me, region->node))
        return false;
    expect(ask(CALL_MUNMAP, region->address, region->pages * PAGE_BYTES), 0, "munmap");
    region_drop(region);
    return true;
}

static void judge_page(const struct region *region, uint32_t page, const uint8_t *expected)
{
    uint8_t found[PAGE_BYTES];
    program_load(found, region->address + page * PAGE_BYTES, PAGE_BYTES);
    for (uint32_t i = 0; i < PAGE_BYTES; i++)
        if (found[i] != expected[i])
            wrong("byte %u of page %u of a file of %u bytes, seen %s, is %02x, and not %02x", i,
                  region->first + page, region->node->length,
                  region->is_shared ? "shared" : "private", found[i], expected[i]);
}

static void write_page(struct region *region, uint32_t page, uint8_t *contents)
{
    uint32_t at = (region->first + page) * PAGE_BYTES;
    uint32_t room = PAGE_BYTES;
    uint8_t bytes[PAGE_BYTES];
    if (region->is_shared && region->node->length - at < PAGE_BYTES)
        room = region->node->length - at;
    uint32_t offset = chance(room), count = 1 + chance(room - offset);
    make_bytes(bytes, count);
    program_store(region->address + page * PAGE_BYTES + offset, bytes, count);
    if (region->is_shared) {
        file_put_bytes(region->node, at + offset, bytes, count);
        return;
    }
    if (region->copies[page] == NULL)
        region->copies[page] = memcpy(malloc(PAGE_BYTES), contents, PAGE_BYTES);
    memcpy(region->copies[page] + offset, bytes, count);
}

static bool op_touch(struct holder *me)
{
    uint8_t contents[PAGE_BYTES];
    struct region *region = &me->regions[chance(TREE_REGIONS)];
    if (region->node == NULL || !take(me, region->node))
        return false;
    uint32_t page = chance(region->pages);
    if (!region_page(region, page, contents)) {
        if (program_number() == 0 || chance(20) > 0)
            return false;
        me->may_die = true;
        program_touch(region->address + page * PAGE_BYTES, ACCESS_READ);
        wrong("a program lives that touched page %u of a file of %u bytes", region->first + page,
              region->node->length);
    }
    if (region->may_write && chance(2))
        write_page(region, page, contents);
    else
        judge_page(region, page, contents);
    return true;
}

static bool op_msync(struct holder *me)
{
    static const uint32_t flags[] = {MS_ASYNC, MS_SYNC, MS_SYNC | MS_INVALIDATE};
    struct region *region = &me->regions[chance(TREE_REGIONS)];
    if (region->node == NULL || !take(me, region->node))
        return false;
    uint32_t page = chance(region->pages), pages = 1 + chance(region->pages - page);
    expect(ask(CALL_MSYNC, region->address + page * PAGE_BYTES, pages * PAGE_BYTES,
               flags[chance(ARRAY_LENGTH(flags))]),
           0, "msync");
    return true;
}

/* ---- all of them ---- */

static struct {
    const char *name;
    bool (*run)(struct holder *me);
    uint32_t weight;
    uint64_t done;
} operations[] = {
    {"open", op_open, 10, 0},
    {"close", op_close, 4, 0},
    {"read", op_read, 10, 0},
    {"write", op_write, 14, 0},
    {"lseek", op_seek, 2, 0},
    {"sendfile", op_sendfile, 2, 0},
    {"read or write by way of a region", op_through_region, 4, 0},
    {"ftruncate", op_truncate, 3, 0},
    {"truncate", op_truncate_path, 2, 0},
    {"fallocate", op_allocate, 1, 0},
    {"unlink", op_unlink, 4, 0},
    {"mkdir", op_mkdir, 3, 0},
    {"rmdir", op_rmdir, 2, 0},
    {"link", op_link, 2, 0},
    {"rename", op_rename, 5, 0},
    {"symlink", op_symlink, 2, 0},
    {"readlink", op_readlink, 1, 0},
    {"lstat", op_status, 3, 0},
    {"getdents", op_list, 1, 0},
    {"fsync", op_flush, 2, 0},
    {"sync", op_sync, 1, 0},
    {"mmap", op_map, 6, 0},
    {"munmap", op_unmap, 2, 0},
    {"touch", op_touch, 20, 0},
    {"msync", op_msync, 2, 0},
};

bool operation(struct holder *me)
{
    uint32_t all = 0, i = 0;
    for (uint32_t j = 0; j < ARRAY_LENGTH(operations); j++)
        all += operations[j].weight;
    uint32_t chosen = chance(all);
    while (chosen >= operations[i].weight)
        chosen -= operations[i++].weight;
    me->doing = operations[i].name;
    bool was_done = operations[i].run(me);
    me->doing = NULL;
    leave_all(me);
    operations[i].done += was_done;
    operations_done += was_done;
    return was_done;
}

void operations_show(void)
{
    for (uint32_t i = 0; i < ARRAY_LENGTH(operations); i++)
        printf("  %8llu %s\n", (unsigned long long)operations[i].done, operations[i].name);
}

/* ---- the whole ---- */

void let_go(struct holder *me)
{
    for (uint32_t i = 0; i < TREE_FILES; i++) {
        if (me->files[i].opened == NULL)
            continue;
        expect(call(CALL_CLOSE, (uint32_t)me->files[i].number), 0, "close");
        opened_put(me->files[i].opened);
        me->files[i].opened = NULL;
    }
    for (uint32_t i = 0; i < TREE_REGIONS; i++) {
        if (me->regions[i].node == NULL)
            continue;
        expect(call(CALL_MUNMAP, me->regions[i].address, me->regions[i].pages * PAGE_BYTES), 0,
               "munmap");
        region_drop(&me->regions[i]);
    }
}

static void compare_file(const struct node *node, uint32_t path)
{
    int32_t number = call(CALL_OPEN, path, O_RDONLY | O_LARGEFILE);
    if (number < 0)
        wrong("open: %d", number);
    for (uint32_t at = 0; at < node->length; at += BUFFER_BYTES) {
        uint32_t bytes = node->length - at < BUFFER_BYTES ? node->length - at : BUFFER_BYTES;
        expect(call(CALL_READ, (uint32_t)number, BUFFER, BUFFER_BYTES), (int32_t)bytes, "read");
        judge_bytes(node, at, BUFFER, bytes);
    }
    expect(call(CALL_READ, (uint32_t)number, BUFFER, 1), 0, "read at the end");
    expect(call(CALL_CLOSE, (uint32_t)number), 0, "close");
}

static void compare_below(struct holder *me, struct node *directory)
{
    char path[TREE_PATH_BYTES];
    if (directory->is_unknown)
        return;
    compare_directory(me, directory);
    leave_all(me);
    for (uint32_t i = 0; i < directory->count; i++) {
        struct node *node = directory->entries[i].node;
        if (node->is_unknown)
            continue;
        path_of(path, directory, directory->entries[i].name);
        uint32_t text = put_text(0, path);
        compare_status(node, text, 0);
        if (node->type == NODE_FILE)
            compare_file(node, text);
        else if (node->type == NODE_LINK)
            compare_link(node, text);
        else
            compare_below(me, node);
    }
}

void compare_all(uint32_t number)
{
    compare_below(holder_of_me(), tree_roots[number]);
}

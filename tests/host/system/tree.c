/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct holder holders[TREE_PROGRAMS];
struct node *tree_roots[TREE_MOUNTS];
const char *const tree_paths[TREE_MOUNTS] = {"/tmp", "/dev/shm"};

static uint32_t seed, state, node_count;
static struct node *all; /* all of them */

void tree_seed(uint32_t new_seed)
{
    seed = new_seed;
    state = new_seed * 2654435761u + 12345;
}

uint32_t chance(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(state >> 4) * below >> 28);
}

void wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "wrong, with seed %u: ", seed);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    for (uint32_t i = 0; i < TREE_PROGRAMS; i++)
        if (holders[i].lives)
            fprintf(stderr, "  program %u: %s\n", i,
                    holders[i].doing != NULL ? holders[i].doing : "between two operations");
    abort();
}

/* ---- names ---- */

struct node *node_new(enum node_type type, uint32_t mount)
{
    struct node *node = calloc(1, sizeof(*node));
    node->number = node_count++;
    node->type = type;
    node->next = all;
    if (all != NULL)
        all->previous = node;
    all = node;
    node->mount = mount;
    return node;
}

struct entry *entry_find(struct node *directory, const char *name)
{
    for (uint32_t i = 0; i < directory->count; i++)
        if (strcmp(directory->entries[i].name, name) == 0)
            return &directory->entries[i];
    return NULL;
}

void entry_add(struct node *directory, const char *name, struct node *node)
{
    if (directory->count == directory->entries_room) {
        directory->entries_room = 2 * directory->entries_room + 8;
        directory->entries =
            realloc(directory->entries, directory->entries_room * sizeof(struct entry));
    }
    struct entry *entry = &directory->entries[directory->count++];
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    entry->node = node;
    node->names++;
    if (node->type == NODE_DIRECTORY) {
        node->above = directory;
        snprintf(node->name, sizeof(node->name), "%s", name);
    }
}

void entry_remove(struct node *directory, const char *name)
{
    struct entry *entry = entry_find(directory, name);
    struct node *node = entry->node;
    *entry = directory->entries[--directory->count];
    node->names--;
    node_release(node);
}

bool is_below(const struct node *node, const struct node *directory)
{
    while (node != NULL && node != directory)
        node = node->above;
    return node != NULL;
}

uint32_t depth_of(const struct node *directory)
{
    return directory->above == NULL ? 0 : 1 + depth_of(directory->above);
}

static void node_free(struct node *node)
{
    if (node->previous != NULL)
        node->previous->next = node->next;
    else
        all = node->next;
    if (node->next != NULL)
        node->next->previous = node->previous;
    free(node->bytes);
    free(node->target);
    free(node->entries);
    free(node);
}

void node_release(struct node *node)
{
    if (node->names > 0 || node->users > 0 || node->is_taken || node->walks > 0 || node->is_unknown)
        return;
    node_free(node);
}

uint32_t path_of(char *path, const struct node *directory, const char *name)
{
    uint32_t length = directory->above == NULL
                          ? (uint32_t)sprintf(path, "%s", tree_paths[directory->mount])
                          : path_of(path, directory->above, directory->name);
    return name == NULL ? length : length + (uint32_t)sprintf(path + length, "/%s", name);
}

void tree_begin(void)
{
    for (uint32_t i = 0; i < TREE_PROGRAMS; i++)
        holder_drop(&holders[i]);
    while (all != NULL)
        node_free(all);
    node_count = 0;
    for (uint32_t i = 0; i < TREE_MOUNTS; i++) {
        tree_roots[i] = node_new(NODE_DIRECTORY, i);
        tree_roots[i]->names = 1;
    }
}

/* ---- who does what ---- */

bool take(struct holder *me, struct node *node)
{
    for (uint32_t i = 0; i < me->taken_count; i++)
        if (me->taken[i] == node)
            return true;
    if (node->is_taken || node->is_unknown)
        return false;
    node->is_taken = true;
    if (getenv("TRACE") != NULL)
        printf("%td: %s takes node %u, of %u bytes\n", me - holders, me->doing, node->number,
               node->length);
    me->taken[me->taken_count++] = node;
    return true;
}

void walk(struct holder *me, struct node *directory)
{
    for (; directory != NULL; directory = directory->above) {
        directory->walks++;
        me->walked[me->walked_count++] = directory;
    }
}

void take_absent(struct holder *me, struct node *directory, const char *name)
{
    me->absent[me->absent_count].directory = directory;
    snprintf(me->absent[me->absent_count++].name, TREE_NAME_BYTES, "%s", name);
}

void forget_taken(struct holder *me)
{
    for (uint32_t i = 0; i < me->taken_count; i++) {
        struct node *node = me->taken[i];
        if (node->type == NODE_DIRECTORY && !node->is_moving)
            node->has_unknown = true;
        else
            node->is_unknown = true;
    }
    for (uint32_t i = 0; i < me->absent_count; i++) {
        struct node *node = node_new(NODE_FILE, me->absent[i].directory->mount);
        node->is_unknown = true;
        if (entry_find(me->absent[i].directory, me->absent[i].name) == NULL)
            entry_add(me->absent[i].directory, me->absent[i].name, node);
    }
    me->absent_count = 0;
}

void leave_all(struct holder *me)
{
    for (uint32_t i = 0; i < me->taken_count; i++)
        me->taken[i]->is_taken = me->taken[i]->is_moving = false;
    for (uint32_t i = 0; i < me->walked_count; i++)
        me->walked[i]->walks--;
    /* A node may stand in both, several times: it is looked at when all is counted. */
    struct node *nodes[ARRAY_LENGTH(me->taken) + ARRAY_LENGTH(me->walked)];
    uint32_t count = 0;
    for (uint32_t i = 0; i < me->taken_count + me->walked_count; i++) {
        struct node *node = i < me->taken_count ? me->taken[i] : me->walked[i - me->taken_count];
        bool is_known = false;
        for (uint32_t j = 0; j < count; j++)
            is_known |= nodes[j] == node;
        if (!is_known)
            nodes[count++] = node;
    }
    me->taken_count = me->walked_count = me->absent_count = 0;
    for (uint32_t i = 0; i < count; i++)
        node_release(nodes[i]);
}

/* ---- contents ---- */

void file_set_length(struct node *node, uint32_t length)
{
    if (length > node->room) {
        node->bytes = realloc(node->bytes, 2 * length);
        node->room = 2 * length;
    }
    if (length > node->length)
        memset(node->bytes + node->length, 0, length - node->length);
    bool shrinks = length < node->length;
    node->length = length;
    uint32_t pages = (length + PAGE_BYTES - 1) / PAGE_BYTES;
    for (uint32_t i = 0; i < TREE_PROGRAMS && shrinks; i++)
        for (uint32_t j = 0; j < TREE_REGIONS; j++) {
            struct region *region = &holders[i].regions[j];
            for (uint32_t page = 0; region->node == node && page < region->pages; page++)
                if (region->first + page >= pages) {
                    free(region->copies[page]);
                    region->copies[page] = NULL;
                }
        }
}

void file_put_bytes(struct node *node, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    if (count > 0 && offset + count > node->length)
        file_set_length(node, offset + count);
    if (count > 0)
        memcpy(node->bytes + offset, bytes, count);
}

bool file_page(const struct node *node, uint32_t page, uint8_t *contents)
{
    uint32_t at = page * PAGE_BYTES;
    if (at >= node->length)
        return false;
    uint32_t bytes = node->length - at < PAGE_BYTES ? node->length - at : PAGE_BYTES;
    memset(contents, 0, PAGE_BYTES);
    memcpy(contents, node->bytes + at, bytes);
    return true;
}

bool region_page(const struct region *region, uint32_t page, uint8_t *contents)
{
    bool is_there = file_page(region->node, region->first + page, contents);
    if (is_there && region->copies[page] != NULL)
        memcpy(contents, region->copies[page], PAGE_BYTES);
    return is_there;
}

/* ---- what programs have ---- */

void opened_put(struct opened *opened)
{
    if (--opened->descriptors > 0)
        return;
    opened->node->users--;
    node_release(opened->node);
    free(opened);
}

void region_drop(struct region *region)
{
    for (uint32_t page = 0; page < TREE_REGION_PAGES; page++)
        free(region->copies[page]);
    region->node->users--;
    node_release(region->node);
    *region = (struct region){0};
}

void holder_fork(const struct holder *parent, struct holder *child)
{
    *child = (struct holder){.lives = true};
    memcpy(child->files, parent->files, sizeof(child->files));
    memcpy(child->regions, parent->regions, sizeof(child->regions));
    for (uint32_t i = 0; i < TREE_FILES; i++)
        if (child->files[i].opened != NULL)
            child->files[i].opened->descriptors++;
    for (uint32_t i = 0; i < TREE_REGIONS; i++) {
        struct region *region = &child->regions[i];
        if (region->node == NULL)
            continue;
        region->node->users++;
        for (uint32_t page = 0; page < TREE_REGION_PAGES; page++)
            if (region->copies[page] != NULL)
                region->copies[page] = memcpy(malloc(PAGE_BYTES), region->copies[page], PAGE_BYTES);
    }
}

void holder_drop(struct holder *holder)
{
    leave_all(holder);
    for (uint32_t i = 0; i < TREE_FILES; i++)
        if (holder->files[i].opened != NULL)
            opened_put(holder->files[i].opened);
    for (uint32_t i = 0; i < TREE_REGIONS; i++)
        if (holder->regions[i].node != NULL)
            region_drop(&holder->regions[i]);
    *holder = (struct holder){0};
}

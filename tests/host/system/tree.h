/* SPDX-License-Identifier: MIT */
/*
 * Host test. The plain model of what programs do with files: trees of names and contents in the host's
 * memory, open files, regions that show files.
 *
 * A call sleeps in its middle while others run. So an operation first takes what it is about: a node
 * that one has taken is no other's, and a directory on the way of a path does not move. What the model
 * says changes when the call has returned.
 */
#ifndef TESTS_HOST_SYSTEM_TREE_H
#define TESTS_HOST_SYSTEM_TREE_H

#include <kernel/types.h>

enum {
    TREE_MOUNTS = 2,
    TREE_NAME_BYTES = 256,
    TREE_PATH_BYTES = 2048,
    TREE_PROGRAMS = 5,
    TREE_FILES = 8,   /* that a program has open */
    TREE_REGIONS = 6, /* that it has mapped */
    TREE_REGION_PAGES = 8,
    TREE_DEPTH = 4,
};

enum node_type { NODE_FILE, NODE_DIRECTORY, NODE_LINK };

struct entry;
struct node {
    struct node *next, *previous; /* of all */
    enum node_type type;
    uint32_t number; /* for a person */
    uint32_t mount;
    uint32_t names;   /* entries that lead here; of a directory 1, or 0 when it is removed */
    uint32_t users;   /* open files, and regions */
    bool is_taken;    /* by an operation, */
    bool is_moving;   /* which gives it another name, or removes it */
    bool is_unknown;  /* an operation failed, and nobody can say how far it came */
    bool has_unknown; /* of a directory: some of its names are, and how many */
    uint32_t walks;   /* operations on whose path this directory is */
    uint8_t *bytes;   /* of a file: LENGTH of them; */
    uint32_t length, room;
    char *target;          /* of a link */
    struct entry *entries; /* of a directory */
    uint32_t count, entries_room;
    struct node *above;
    char name[TREE_NAME_BYTES]; /* of a directory */
};
struct entry {
    char name[TREE_NAME_BYTES];
    struct node *node;
};

/* An open file: descriptors of several programs may name it. */
struct opened {
    struct node *node;
    uint32_t descriptors, offset;
    bool may_read, may_write, appends;
};

struct region {
    struct node *node; /* NULL: none */
    uint32_t address, pages, first;
    bool is_shared, may_write;
    uint8_t *copies[TREE_REGION_PAGES]; /* of private pages that were written */
};

/* What a program has. */
struct holder {
    bool lives;
    int32_t pid;
    struct {
        struct opened *opened; /* NULL: free */
        int32_t number;
    } files[TREE_FILES];
    struct region regions[TREE_REGIONS];
    struct node *taken[8], *walked[64];
    struct {
        struct node *directory;
        char name[TREE_NAME_BYTES];
    } absent[2]; /* names that its operation may make */
    uint32_t taken_count, walked_count, absent_count;
    bool may_die; /* by SIGBUS, now */
    const char *doing;
};
extern struct holder holders[TREE_PROGRAMS];

extern struct node *tree_roots[TREE_MOUNTS];
extern const char *const tree_paths[TREE_MOUNTS]; /* where they are mounted */

/* Chance, by the seed of the test. */
void tree_seed(uint32_t seed);
uint32_t chance(uint32_t below);

/* The test has failed. */
noreturn void wrong(const char *format, ...) printf_like(1, 2);

/* ---- names ---- */

void tree_begin(void);
struct node *node_new(enum node_type type, uint32_t mount);
struct entry *entry_find(struct node *directory, const char *name);
void entry_add(struct node *directory, const char *name, struct node *node);
void entry_remove(struct node *directory, const char *name);
bool is_below(const struct node *node, const struct node *directory);
uint32_t depth_of(const struct node *directory);

/* NODE goes if nothing leads to it any more. */
void node_release(struct node *node);

/* The path of NAME in DIRECTORY. Returns its length. */
uint32_t path_of(char *path, const struct node *directory, const char *name);

/* ---- who does what ---- */

/* False: somebody else has it. All that was taken is left by leave_all(). */
bool take(struct holder *me, struct node *node);
void walk(struct holder *me, struct node *directory);
void leave_all(struct holder *me);

/* NAME, which is not in DIRECTORY, may be there when the operation of ME ends. */
void take_absent(struct holder *me, struct node *directory, const char *name);

/* What the operation of ME is about is unknown: nobody can take it any more. A directory whose names it would
 * change stays what it is, but for these names. */
void forget_taken(struct holder *me);

/* ---- contents ---- */

/* The model's file grows or shrinks; private copies behind the end go. */
void file_set_length(struct node *node, uint32_t length);
void file_put_bytes(struct node *node, uint32_t offset, const uint8_t *bytes, uint32_t count);

/* What a page of a file, or of a region, holds. False: it is behind the end. */
bool file_page(const struct node *node, uint32_t page, uint8_t *contents);
bool region_page(const struct region *region, uint32_t page, uint8_t *contents);

/* ---- what programs have ---- */

void opened_put(struct opened *opened);
void region_drop(struct region *region);
void holder_fork(const struct holder *parent, struct holder *child);
void holder_drop(struct holder *holder);

#endif

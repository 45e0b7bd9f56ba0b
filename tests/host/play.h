/* SPDX-License-Identifier: MIT */
/*
 * Host test. The playground of operations.h, and its plain model.
 */
#ifndef TESTS_HOST_PLAY_H
#define TESTS_HOST_PLAY_H

#include "operations.h"

#include <kernel/printk.h>
#include <mm/object.h>
#include <mm/space.h>

enum { SLOT_FIRST = 256, PAGES = PLAY_SLOTS * SLOT_PAGES };

/* Behind the process records, where nothing is. */
#define KERNEL_PLAY_BASE (PROCESS_RECORDS_BASE + PROCESS_RECORDS_ROOM_BYTES)

/* Pages of the playground that operations name. */
extern const uint16_t play_points[PLAY_POINTS];

/* ---- the model ---- */

struct page {
    bool is_reserved, is_shared, is_copied; /* IS_COPIED: a private page of an object, written */
    uint8_t rights;
    uint8_t object; /* 1 + its number; 0: none */
    uint32_t object_page;
    uint32_t contents; /* unless the object has them */
};

struct area {
    struct page pages[PAGES];
};

struct model_space {
    bool exists;
    struct area area;
};

extern struct model_space play_model[PLAY_SPACES];
extern struct area play_kernel;
extern uint32_t play_current; /* the space */

/* The word that PAGE holds. */
uint32_t *play_word_of(struct page *page);

bool play_is_behind_the_end(const struct page *page);

/* The objects; one has a pager, who is asked before the first write. */
enum { PLAY_PAGED_OBJECT = 2 };
extern struct object *play_objects[PLAY_OBJECTS];

/* The kernel's side of space NUMBER. */
struct space *play_space(uint32_t number);

/* ---- what is wrong ---- */

/* The first thing that is said to be wrong. */
extern char play_text[400];
extern bool play_is_wrong;
printf_like(1, 2) void play_wrong(const char *format, ...);

/* ---- what is done ---- */

/* Make the objects, for all sequences. */
void play_make_objects(void);

/* The model as the machine was booted. */
void play_reset(void);

/* OPERATION, which is not OP_FAIL, on the kernel and on the model; and judge the kernel's
 * answer. */
void play_do(const struct operation *operation);

/* OP_TAKE and OP_AGE (play_lose.c); those of swap are in play_swap.h. */
void play_take(const struct operation *operation);
void play_age(const struct operation *operation);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Host test. The pager behind one object of the playground: some of its pages come late, some fail at
 * first, some do both. How a page behaves is in its number, so that a sequence can be repeated.
 */
#ifndef TESTS_HOST_PLAY_PAGER_H
#define TESTS_HOST_PLAY_PAGER_H

#include <mm/object.h>

/* The first word of page N, when it is there at last. */
#define PLAY_PAGER_WORD 0x9A6E0000u

/* An access is refused at most so often before the page is there. */
enum { PLAY_PAGER_REFUSALS = 2 };

kerr_t play_pager_make(uint32_t pages, struct object **object);

/* PAGE, which is in a shared mapping, may be written without a question: it was asked already. */
bool play_pager_is_dirty(uint32_t page);

/* Pages FIRST to LAST were written out: the next write is asked for. */
void play_pager_clean(uint32_t first, uint32_t last);

/* Nothing has been asked for: before each sequence. */
void play_pager_forget(void);

#endif

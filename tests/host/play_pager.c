/* SPDX-License-Identifier: MIT */
/*
 * Host test. Pages that come late, or fail at first (play_pager.h).
 */
#include "play_pager.h"

#include <arch/i386/entry.h>
#include <kernel/channel.h>
#include <mm/frame.h>
#include <mm/pager.h>
#include <mm/paging.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES_MAX = 1024, EVERY = 4, LATE = 1, FAILS = 2, LATE_AND_FAILS = 3 };

static uint8_t refusals[PAGES_MAX]; /* since the page was brought last */
static bool is_dirty[PAGES_MAX];

static bool is_ready(struct channel *channel)
{
    (void)channel;
    return true; /* by the time that anybody asks */
}
static struct channel channel = {is_ready};

static enum kerr refusal(uint32_t page)
{
    uint32_t how = page % EVERY, before = refusals[page];
    if ((how == LATE || how == LATE_AND_FAILS) && before == 0)
        return KERR_MUST_WAIT;
    if ((how == FAILS && before == 0) || (how == LATE_AND_FAILS && before == 1))
        return KERR_IO;
    return KERR_OK;
}

static enum kerr bring(struct object *object, uint32_t page)
{
    frame_t frame;
    enum kerr error = refusal(page);
    if (error != KERR_OK) {
        refusals[page]++;
        channel_leave(&channel);
        return error;
    }
    error = frame_alloc(&frame_pool, FRAME_FILE, &frame);
    if (error != KERR_OK)
        return error;
    uint32_t *words = temp_map(TEMP_FAULT_FRAME, frame);
    memset(words, 0, PAGE_BYTES);
    words[0] = PLAY_PAGER_WORD + page;
    temp_unmap(TEMP_FAULT_FRAME);
    object_enter_page(object, page, frame, 0);
    refusals[page] = 0;
    return KERR_OK;
}

static enum kerr before_write(struct object *object, uint32_t page)
{
    (void)object;
    is_dirty[page] = true;
    return KERR_OK;
}

static uint32_t count_reclaimable(const struct object *object)
{
    return object->real_pages;
}

static void end(struct object *object)
{
    (void)object;
    abort(); /* the playground holds a reference */
}

enum kerr play_pager_make(uint32_t pages, struct object **object)
{
    static const struct pager pager = {.name = "play",
                                       .bring = bring,
                                       .before_write = before_write,
                                       .count_reclaimable = count_reclaimable,
                                       .end = end};
    return object_create_paged(OBJECT_FILE, pages, &pager, NULL, object);
}

bool play_pager_is_dirty(uint32_t page)
{
    return is_dirty[page];
}

void play_pager_clean(uint32_t first, uint32_t last)
{
    for (uint32_t page = first; page <= last && page < PAGES_MAX; page++)
        is_dirty[page] = false;
}

void play_pager_forget(void)
{
    memset(refusals, 0, sizeof(refusals));
    memset(is_dirty, 0, sizeof(is_dirty));
}

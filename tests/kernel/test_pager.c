/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The pager for tests (test_pager.h).
 */
#include "test_pager.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <mm/paging.h>

static bool is_ready(struct channel *channel)
{
    struct test_page *page = container_of(channel, struct test_page, channel);
    if (page->polls_left != 0 && page->polls_left != ARRIVES_NEVER)
        page->polls_left--;
    return page->polls_left == 0;
}

static enum kerr bring(struct object *object, uint32_t number)
{
    frame_t frame;
    struct test_pager *pager = object->pager_data;
    struct test_page *page = &pager->pages[number];
    page->times_asked++;
    if (!page->is_asked_for)
        page->polls_left = page->polls;
    page->is_asked_for = true;
    if (page->polls_left != 0) {
        channel_leave(&page->channel);
        return KERR_MUST_WAIT;
    }
    if (page->fails) {
        page->is_asked_for = false;
        return KERR_IO;
    }
    enum kerr error = frame_alloc(&frame_pool, FRAME_FILE, &frame);
    if (error != KERR_OK)
        return error;
    uint32_t *words = temp_map(TEMP_FAULT_FRAME, frame);
    page_clear(words);
    words[0] = TEST_PAGER_WORD + number;
    if (pager->fill != NULL)
        pager->fill(number, (uint8_t *)words);
    temp_unmap(TEMP_FAULT_FRAME);
    object_enter_page(object, number, frame, 0);
    page->is_asked_for = false;
    pager->brought++;
    return KERR_OK;
}

static enum kerr before_write(struct object *object, uint32_t number)
{
    struct test_page *page = &((struct test_pager *)object->pager_data)->pages[number];
    page->times_written++;
    if (page->write_answer == KERR_MUST_WAIT)
        channel_leave(&page->channel);
    if (page->write_answer == KERR_OK)
        object_change_page(object, number, 0, PAGE_DIRTY);
    return page->write_answer;
}

static uint32_t count_reclaimable(const struct object *object)
{
    return object->real_pages;
}

static void end(struct object *object)
{
    struct test_pager *pager = object->pager_data;
    pager->ended++;
}

enum kerr test_pager_make(struct test_pager *pager, uint32_t polls, struct object **object)
{
    static const struct pager operations = {.name = "test",
                                            .bring = bring,
                                            .before_write = before_write,
                                            .count_reclaimable = count_reclaimable,
                                            .end = end};
    *pager = (struct test_pager){0};
    for (uint32_t i = 0; i < TEST_PAGES; i++)
        pager->pages[i] = (struct test_page){.channel = {is_ready}, .polls = polls};
    return object_create_paged(OBJECT_FILE, TEST_PAGES, &operations, pager, object);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Pages of objects go out to swap (include/mm/object.h): those of shared memory, and of files that are
 * nowhere but in memory.
 *
 *     word of a page:  frame | HERE   ──▶   slot | OUT   ──▶   frame | HERE
 *                             object_put_out()      object_frame()
 *
 * A page goes when no entry shows it any more. So entries know nothing of it: the next touch asks the region, that
 * asks the object, and all who share the object share what comes back. The copy in the slot is given up then, as
 * whoever has the object may write to its page unasked.
 */
#include "object_pages.h"

#include <kernel/panic.h>
#include <mm/pager.h>

enum { WINDOW = 32 }; /* pages whose entries are looked at together */

/* Where the hand stands; NULL: before the first object. */
static struct {
    struct object *object;
    uint32_t page;
} hand;

static void go_to(struct object *object)
{
    hand.object = object;
    hand.page = 0;
}

void object_out_forget(const struct object *object)
{
    if (hand.object == object)
        go_to(object->next);
}

/* Nothing but RAM has OBJECT's pages, and nobody knows their frames: not those of a module, or of a disk of RAM. */
static bool is_memory(const struct object *object)
{
    return object->pager == NULL ? object->kind == OBJECT_ANONYMOUS : object->pager->is_memory;
}

/* What became of the last page that wanted to go lets the hand go on. */
static bool goes_on_after(enum kerr error)
{
    return error == KERR_OK || error == KERR_TOO_LARGE;
}

/* PAGE, whose word is WORD, goes, if it was not used: true. *ERROR is the swapper's (mm/cow.h). */
static bool put_page_out(struct object *object, uint32_t page, uint32_t word, enum kerr *error)
{
    frame_t frame = page_word_frame(word), number;
    if (word & PAGE_USED)
        object_change_page(object, page, PAGE_USED, 0);
    if ((word & PAGE_USED) || frame_references(&frame_pool, frame) > 1)
        return false;
    *error = cow_put_frame_out(frame, &number);
    if (*error != KERR_OK)
        return false;
    object_let_page_out(object, page, number);
    cow_leave_frame(frame);
    return true;
}

/* The next WINDOW of the hand's object. Returns how many went. False in *GOES_ON: there is none. */
static uint32_t put_window_out(bool *goes_on, enum kerr *error)
{
    struct object *object = hand.object;
    uint32_t gone = 0, word;
    *goes_on = object_next_page(object, &hand.page, object->pages, PAGE_HERE, &word);
    if (!*goes_on)
        return 0;
    uint32_t last = hand.page | (WINDOW - 1), end = last < object->pages ? last + 1 : object->pages;
    (void)object_age(object, hand.page, last);
    while (goes_on_after(*error) && object_next_page(object, &hand.page, end, PAGE_HERE, &word)) {
        gone += put_page_out(object, hand.page, word, error);
        hand.page += *error != KERR_AGAIN;
    }
    if (goes_on_after(*error) && hand.page < end)
        hand.page = end;
    return gone;
}

uint32_t object_put_out(uint32_t count, bool *ends)
{
    uint32_t gone = 0;
    enum kerr error = KERR_OK;
    bool goes_on;
    if (hand.object == NULL)
        go_to(object_first());
    while (hand.object != NULL && gone < count && goes_on_after(error)) {
        goes_on = is_memory(hand.object) && object_frames_in_ram(hand.object) > 0;
        if (goes_on)
            gone += put_window_out(&goes_on, &error);
        if (!goes_on)
            go_to(hand.object->next);
    }
    *ends = hand.object == NULL || error == KERR_NO_SPACE;
    return gone;
}

/* ---- back ---- */

static bool is_in(uint32_t word, frame_t first, frame_t end)
{
    uint32_t number = page_word_frame(word).n;
    return number >= first.n && number < end.n;
}

enum kerr object_bring_all_back(frame_t first, frame_t end)
{
    uint32_t left = COW_BACK_MOST;
    enum kerr error = KERR_OK;
    for (struct object *object = object_first(); object != NULL; object = object->next) {
        uint32_t word;
        frame_t frame;
        if (object->kind == OBJECT_SWAP)
            continue;
        for (uint32_t page = 0; object->out_pages > 0 && error == KERR_OK &&
                                object_next_page(object, &page, object->pages, PAGE_OUT, &word);
             page++)
            if (is_in(word, first, end))
                error = left-- > 0 ? object_frame(object, page, &frame) : KERR_AGAIN;
        if (error != KERR_OK)
            return error;
    }
    return KERR_OK;
}

uint32_t object_slots_in_use(void)
{
    uint32_t count = 0, word;
    for (struct object *object = object_first(); object != NULL; object = object->next)
        for (uint32_t page = 0; object->kind != OBJECT_SWAP && object->out_pages > 0 &&
                                object_next_page(object, &page, object->pages, PAGE_OUT, &word);
             page++)
            count += frame_is_slot(&frame_pool, page_word_frame(word));
    return count;
}

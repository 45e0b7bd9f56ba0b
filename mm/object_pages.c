/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The tree of an object's pages (include/mm/object.h).
 *
 * Levels are linked nowhere, so no CPU walks them and nothing is owed to the TLB. They are seen
 * through the fault path's own temporary pages, between whose mapping and unmapping nothing here
 * can fault. An entry of a level is empty, or the frame of the level below and PAGE_HERE; the
 * entries of level 1 are the words of pages. How many entries of a level are in use stands in its
 * frame's record, as for a page table.
 */
#include "object_pages.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <mm/pager.h>

enum { LEVEL_BITS = 10, LEVEL_ENTRIES = 1 << LEVEL_BITS };
_Static_assert(LEVEL_ENTRIES == SLOT_PAGES, "a level is a frame of words");

/* ---- levels ---- */

/* Where PAGE's entry stands in a level of HEIGHT (1: the lowest), and how many pages are below it. */
static inline uint32_t index_in(uint32_t page, uint32_t height)
{
    return page >> LEVEL_BITS * (height - 1) & (LEVEL_ENTRIES - 1);
}

static inline bool covers(uint32_t height, uint32_t page)
{
    return LEVEL_BITS * height >= 32 || page >> LEVEL_BITS * height == 0;
}

static inline uint32_t level_read(uint32_t level, uint32_t at)
{
    const uint32_t *words = temp_map(TEMP_FAULT_TABLE, page_word_frame(level));
    uint32_t word = words[at];
    temp_unmap(TEMP_FAULT_TABLE);
    return word;
}

static inline void level_write(uint32_t level, uint32_t at, uint32_t word)
{
    struct frame_record *record = frame_record(&frame_pool, page_word_frame(level));
    uint32_t *words = temp_map(TEMP_FAULT_TABLE, page_word_frame(level));
    record->used_entries = (uint16_t)(record->used_entries + (word != 0) - (words[at] != 0));
    words[at] = word;
    temp_unmap(TEMP_FAULT_TABLE);
}

static inline uint32_t word_of(frame_t frame, uint32_t state)
{
    return frame.n << PAGE_SHIFT | PAGE_HERE | state;
}

static kerr_t new_level(uint32_t *level)
{
    frame_t frame;
    enum kerr error = frame_alloc(&frame_pool, FRAME_INDEX, &frame);
    if (error != KERR_OK)
        return error;
    page_clear(temp_map(TEMP_FAULT_FRAME, frame));
    temp_unmap(TEMP_FAULT_FRAME);
    *level = word_of(frame, 0);
    return KERR_OK;
}

/* ---- the way down ---- */

/* Where a page's word stands: in a level, or (LEVEL is 0) in the object itself. */
struct place {
    uint32_t level, at;
};

static inline uint32_t place_read(const struct object *object, struct place place)
{
    return place.level == 0 ? object->root : level_read(place.level, place.at);
}

static inline void place_write(struct object *object, struct place place, uint32_t word)
{
    if (place.level == 0)
        object->root = word;
    else
        level_write(place.level, place.at, word);
}

/*
 * The place of PAGE's word. Returns 0; or, if a level on the way to it is not there, the height of
 * the lowest one that is not: all its pages have no frame.
 */
static inline uint32_t find_place(const struct object *object, uint32_t page, struct place *place)
{
    uint32_t level = object->root, height = object->height;
    *place = (struct place){0, 0};
    if (!covers(height, page))
        return height + 1;
    if (height == 0)
        return 0;
    for (; height > 1 && level != 0; height--)
        level = level_read(level, index_in(page, height));
    *place = (struct place){level, page & (LEVEL_ENTRIES - 1)};
    return level == 0 ? height : 0;
}

/* One level more: what there is becomes its first entry. */
static kerr_t grow(struct object *object)
{
    uint32_t level = 0;
    if (object->root != 0) {
        enum kerr error = new_level(&level);
        if (error != KERR_OK)
            return error;
        level_write(level, 0, object->root);
    }
    object->root = level;
    object->height++;
    return KERR_OK;
}

/* The same, with all levels made. One that was made stays, whatever comes: the next touch uses it. */
static inline kerr_t make_place(struct object *object, uint32_t page, struct place *place)
{
    enum kerr error = KERR_OK;
    while (!covers(object->height, page) && error == KERR_OK)
        error = grow(object);
    if (object->height > 0 && object->root == 0 && error == KERR_OK)
        error = new_level(&object->root);
    uint32_t level = object->root;
    for (uint32_t height = object->height; height > 1 && error == KERR_OK; height--) {
        uint32_t at = index_in(page, height), below = level_read(level, at);
        if (below == 0) {
            error = new_level(&below);
            if (error == KERR_OK)
                level_write(level, at, below);
        }
        level = below;
    }
    *place = object->height == 0 ? (struct place){0, 0}
                                 : (struct place){level, page & (LEVEL_ENTRIES - 1)};
    return error;
}

/* ---- one page ---- */

static inline bool has_contents(uint32_t word)
{
    return (word & (PAGE_HERE | PAGE_FILLING)) == PAGE_HERE;
}

uint32_t object_page_word(const struct object *object, uint32_t page)
{
    struct place place;
    return find_place(object, page, &place) == 0 ? place_read(object, place) : 0;
}

enum kerr object_find_frame(const struct object *object, uint32_t page, frame_t *frame)
{
    if (page >= object->pages)
        return KERR_BAD_RANGE;
    uint32_t word = object_page_word(object, page);
    *frame = page_word_frame(word);
    return has_contents(word) ? KERR_OK : KERR_NOT_FOUND;
}

/* How many of the COUNT pages from FIRST on are within OBJECT, and have their words behind PLACE, FIRST's. */
static inline uint32_t words_in_row(const struct object *object, uint32_t first, uint32_t count,
                                    struct place place)
{
    uint32_t known = place.level == 0 ? 1 : LEVEL_ENTRIES - place.at;
    count = count < known ? count : known;
    return count < object->pages - first ? count : object->pages - first;
}

/* The frames of the pages from FIRST on, COUNT at most, that have their words in one level. Returns how many. */
static uint32_t find_frames_in_level(const struct object *object, uint32_t first, uint32_t count,
                                     frame_t frames[])
{
    struct place place;
    uint32_t known = 0, most = LEVEL_ENTRIES - first % LEVEL_ENTRIES;
    count = count < most ? count : most;
    if (first < object->pages && find_place(object, first, &place) == 0) {
        const uint32_t *words = &object->root;
        if (place.level != 0)
            words = (const uint32_t *)temp_map(TEMP_FAULT_TABLE, page_word_frame(place.level)) +
                    place.at;
        known = words_in_row(object, first, count, place);
        for (uint32_t i = 0; i < known; i++) {
            uint32_t word = words[i];
            frames[i] = likely(has_contents(word)) ? page_word_frame(word) : NO_FRAME;
        }
        if (place.level != 0)
            temp_unmap(TEMP_FAULT_TABLE);
    }
    for (; known < count; known++)
        frames[known] = NO_FRAME;
    return count;
}

void object_find_frames(const struct object *object, uint32_t first, uint32_t count,
                        frame_t frames[])
{
    while (count > 0) {
        uint32_t found = find_frames_in_level(object, first, count, frames);
        first += found;
        count -= found;
        frames += found;
    }
}

uint32_t object_use_frames(struct object *object, uint32_t first, uint32_t count, frame_t frames[])
{
    struct place place;
    uint32_t found = 0;
    if (first >= object->pages || find_place(object, first, &place) != 0)
        return 0;
    uint32_t *words = &object->root;
    if (place.level != 0)
        words = (uint32_t *)temp_map(TEMP_FAULT_TABLE, page_word_frame(place.level)) + place.at;
    count = words_in_row(object, first, count, place);
    for (; found < count && has_contents(words[found]); found++) {
        words[found] |= PAGE_USED;
        frames[found] = page_word_frame(words[found]);
    }
    if (place.level != 0)
        temp_unmap(TEMP_FAULT_TABLE);
    return found;
}

enum kerr object_prepare_page(struct object *object, uint32_t page)
{
    struct place place;
    return make_place(object, page, &place);
}

void object_enter_page(struct object *object, uint32_t page, frame_t frame, uint32_t state)
{
    struct place place;
    uint32_t missing = find_place(object, page, &place);
    ASSERT(missing == 0 && place_read(object, place) == 0,
           "page %u of an object, which gets a frame, has a place for it", page);
    place_write(object, place, word_of(frame, state));
    object->real_pages++;
}

uint32_t object_change_page(struct object *object, uint32_t page, uint32_t clear, uint32_t set)
{
    struct place place;
    uint32_t word = find_place(object, page, &place) == 0 ? place_read(object, place) : 0;
    ASSERT(word != 0, "page %u of an object, whose state changes, has a frame", page);
    place_write(object, place, (word & ~clear) | set);
    return word;
}

uint32_t object_change_page_if(struct object *object, uint32_t page, uint32_t has, uint32_t has_not,
                               uint32_t set)
{
    struct place place;
    if (find_place(object, page, &place) != 0)
        return 0;
    uint32_t *word = &object->root;
    if (place.level != 0)
        word = (uint32_t *)temp_map(TEMP_FAULT_TABLE, page_word_frame(place.level)) + place.at;
    uint32_t changed = (*word & (has | has_not)) == has ? *word | set : 0;
    if (changed != 0)
        *word = changed;
    if (place.level != 0)
        temp_unmap(TEMP_FAULT_TABLE);
    return changed;
}

/* The page at PLACE is out, as WORD says: it comes back. */
static __attribute__((noinline)) enum kerr bring_back(struct object *object, struct place place,
                                                      uint32_t word, frame_t *frame)
{
    enum kerr error = cow_bring_frame_back(page_word_frame(word), frame);
    if (error != KERR_OK)
        return error;
    if (object->kind == OBJECT_FILE)
        frame_set_kind(&frame_pool, *frame, FRAME_FILE);
    place_write(object, place, word_of(*frame, PAGE_USED));
    object->out_pages--;
    return KERR_OK;
}

void object_let_page_out(struct object *object, uint32_t page, frame_t number)
{
    struct place place;
    ASSERT(find_place(object, page, &place) == 0, "page %u, which goes out, has a frame", page);
    place_write(object, place, number.n << PAGE_SHIFT | PAGE_OUT);
    object->out_pages++;
}

/* A frame, cleared, for PAGE of an object without a pager. */
static kerr_t enter_zeros(struct object *object, struct place place, frame_t *frame)
{
    enum frame_kind kind = object->kind == OBJECT_FILE ? FRAME_FILE : FRAME_ANONYMOUS;
    enum kerr error = frame_alloc(&frame_pool, kind, frame);
    if (error != KERR_OK)
        return error;
    page_clear(temp_map(TEMP_FAULT_FRAME, *frame));
    temp_unmap(TEMP_FAULT_FRAME);
    place_write(object, place, word_of(*frame, 0));
    object->real_pages++;
    return KERR_OK;
}

enum kerr object_frame(struct object *object, uint32_t page, frame_t *frame)
{
    struct place place;
    if (page >= object->pages)
        return KERR_BAD_RANGE;
    enum kerr error = make_place(object, page, &place);
    if (error != KERR_OK)
        return error;
    uint32_t word = place_read(object, place);
    if (!has_contents(word)) {
        if (unlikely(word & PAGE_OUT))
            return bring_back(object, place, word, frame);
        if (object->pager == NULL)
            return enter_zeros(object, place, frame);
        error = object->pager->bring(object, page);
        if (error != KERR_OK)
            return error;
        word = object_page_word(object, page);
    }
    *frame = page_word_frame(word);
    return KERR_OK;
}

enum kerr object_before_write(struct object *object, uint32_t page)
{
    const struct pager *pager = object->pager;
    return pager == NULL || pager->before_write == NULL ? KERR_OK
                                                        : pager->before_write(object, page);
}

/* ---- pages in a row ---- */

/* The first word from AT on that has one of the states of ANY, or LEVEL_ENTRIES. */
static uint32_t find_in_level(uint32_t level, uint32_t at, uint32_t any, uint32_t *word)
{
    if (frame_record(&frame_pool, page_word_frame(level))->used_entries == 0)
        at = LEVEL_ENTRIES;
    const uint32_t *words = temp_map(TEMP_FAULT_TABLE, page_word_frame(level));
    while (at < LEVEL_ENTRIES && (words[at] & any) == 0)
        at++;
    *word = at < LEVEL_ENTRIES ? words[at] : 0;
    temp_unmap(TEMP_FAULT_TABLE);
    return at;
}

bool object_next_page(const struct object *object, uint32_t *page, uint32_t end, uint32_t any,
                      uint32_t *word)
{
    struct place place;
    uint64_t next = *page;
    while (next < end && covers(object->height, (uint32_t)next)) {
        uint32_t missing = find_place(object, (uint32_t)next, &place);
        if (missing != 0) { /* behind the level that is not there */
            next = ((next >> LEVEL_BITS * missing) + 1) << LEVEL_BITS * missing;
            continue;
        }
        uint32_t at = 0;
        if (place.level == 0)
            *word = object->root;
        else
            at = find_in_level(place.level, place.at, any, word);
        next = next - place.at + at;
        if (next < end && (*word & any) != 0) {
            *page = (uint32_t)next;
            return true;
        }
        next += place.level == 0;
    }
    return false;
}

bool object_previous_page(const struct object *object, uint32_t first, uint32_t *end, uint32_t any,
                          uint32_t *word)
{
    struct place place;
    uint64_t next = *end, covered = 1ull << LEVEL_BITS * object->height;
    if (next > covered)
        next = covered;
    while (next > first) { /* the pages from NEXT on have been looked at */
        uint32_t page = (uint32_t)next - 1, missing = find_place(object, page, &place);
        if (missing != 0) { /* before the level that is not there */
            next = (uint64_t)page >> LEVEL_BITS * missing << LEVEL_BITS * missing;
            continue;
        }
        uint32_t at = place.at + 1;
        const uint32_t *words = place.level == 0
                                    ? &object->root
                                    : temp_map(TEMP_FAULT_TABLE, page_word_frame(place.level));
        while (at > 0 && (words[at - 1] & any) == 0)
            at--;
        *word = at > 0 ? words[at - 1] : 0;
        if (place.level != 0)
            temp_unmap(TEMP_FAULT_TABLE);
        next = (uint64_t)page + at - place.at;
        if (at > 0) {
            *end = (uint32_t)next - 1;
            return next > first;
        }
    }
    return false;
}

uint32_t object_run(const struct object *object, uint32_t page, uint32_t end, uint32_t any,
                    uint32_t most, uint32_t words[])
{
    struct place place;
    uint32_t count = 0;
    if (page >= end || find_place(object, page, &place) != 0)
        return 0;
    uint32_t known = place.level == 0 ? 1 : LEVEL_ENTRIES - place.at;
    most = most < known ? most : known;
    most = most < end - page ? most : end - page;
    const uint32_t *from = &object->root;
    if (place.level != 0)
        from =
            (const uint32_t *)temp_map(TEMP_FAULT_TABLE, page_word_frame(place.level)) + place.at;
    for (; count < most && (from[count] & any) != 0; count++)
        words[count] = from[count];
    if (place.level != 0)
        temp_unmap(TEMP_FAULT_TABLE);
    return count;
}

/* As object_change_page_if(), for the COUNT words at WORDS. */
static void change_words_if(uint32_t *words, uint32_t count, uint32_t has, uint32_t has_not,
                            uint32_t set)
{
    for (uint32_t i = 0; i < count; i++)
        if ((words[i] & (has | has_not)) == has)
            words[i] |= set;
}

void object_change_pages_if(struct object *object, uint32_t first, uint32_t end, uint32_t has,
                            uint32_t has_not, uint32_t set)
{
    struct place place;
    uint64_t next = first;
    while (next < end && covers(object->height, (uint32_t)next)) {
        uint32_t missing = find_place(object, (uint32_t)next, &place);
        if (missing != 0) { /* behind the level that is not there */
            next = ((next >> LEVEL_BITS * missing) + 1) << LEVEL_BITS * missing;
            continue;
        }
        uint32_t left = end - (uint32_t)next, count = LEVEL_ENTRIES - place.at;
        count = place.level == 0 ? 1 : count < left ? count : left;
        if (place.level == 0) {
            change_words_if(&object->root, count, has, has_not, set);
        } else {
            uint32_t *words = temp_map(TEMP_FAULT_TABLE, page_word_frame(place.level));
            change_words_if(words + place.at, count, has, has_not, set);
            temp_unmap(TEMP_FAULT_TABLE);
        }
        next += count;
    }
}

bool object_last_page(const struct object *object, uint32_t *page)
{
    uint32_t word = object->root, found = 0;
    for (uint32_t height = object->height; height > 0 && word != 0; height--) {
        uint32_t at = LEVEL_ENTRIES, below = 0;
        while (at > 0 && below == 0)
            below = level_read(word, --at);
        found = found << LEVEL_BITS | at;
        word = below;
    }
    *page = found;
    return word != 0;
}

/* ---- pages go ---- */

/* Take PAGE out below the entry WORD, which stands above HEIGHT levels. Returns what it is then. */
static uint32_t remove_below(uint32_t word, uint32_t height, uint32_t page, uint32_t *removed)
{
    if (height == 0) {
        *removed = word;
        return 0;
    }
    uint32_t at = index_in(page, height), before = level_read(word, at);
    uint32_t after = remove_below(before, height - 1, page, removed);
    if (after != before)
        level_write(word, at, after);
    if (frame_record(&frame_pool, page_word_frame(word))->used_entries != 0)
        return word;
    frame_put(&frame_pool, page_word_frame(word));
    return 0;
}

frame_t object_remove_page(struct object *object, uint32_t page)
{
    struct place place;
    uint32_t removed = 0;
    ASSERT(find_place(object, page, &place) == 0, "page %u, which goes, has a frame", page);
    if (object->kind == OBJECT_SWAP) { /* its levels stay */
        removed = place_read(object, place);
        place_write(object, place, 0);
        object->real_pages--;
        return page_word_frame(removed);
    }
    object->root = remove_below(object->root, object->height, page, &removed);
    ASSERT(removed != 0, "page %u, which goes, has a frame", page);
    object->real_pages--;
    object->out_pages -= (removed & PAGE_OUT) != 0;
    return page_word_frame(removed);
}

/* ---- all frames ---- */

typedef void visit_t(void *context, uint32_t page, frame_t frame);

/* The pages from FIRST on, whose words stand in LEVEL. */
static void visit_words(uint32_t level, uint32_t first, visit_t *visit, void *context)
{
    const uint32_t *words = temp_map(TEMP_FAULT_OLD_TABLE, page_word_frame(level));
    for (uint32_t i = 0; i < LEVEL_ENTRIES; i++)
        if (words[i] != 0)
            visit(context, first + i, page_word_frame(words[i]));
    temp_unmap(TEMP_FAULT_OLD_TABLE);
}

/* What is below the entry WORD, above HEIGHT levels, and then the frame of that itself. */
static void visit_below(uint32_t word, uint32_t height, uint32_t first, visit_t *visit,
                        void *context)
{
    if (height == 1)
        visit_words(word, first, visit, context);
    for (uint32_t i = 0; i < LEVEL_ENTRIES && height > 1; i++) {
        uint32_t below = level_read(word, i);
        if (below != 0)
            visit_below(below, height - 1, first + (i << LEVEL_BITS * (height - 1)), visit,
                        context);
    }
    visit(context, height > 0 ? ~0u : first, page_word_frame(word));
}

void object_for_each_frame(const struct object *object, visit_t *visit, void *context)
{
    if (object->root != 0)
        visit_below(object->root, object->height, 0, visit, context);
}

static void put_frame(void *context, uint32_t page, frame_t frame)
{
    (void)context;
    (void)page;
    frame_put(&frame_pool, frame);
}

void object_drop_pages(struct object *object)
{
    object_for_each_frame(object, put_frame, NULL);
    object->root = object->height = 0; /* `real_pages` tells the pager how many there were */
}

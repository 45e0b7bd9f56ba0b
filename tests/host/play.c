/* SPDX-License-Identifier: MIT */
/*
 * Host test. The playground: what each operation does, and what the model says of it (play.h).
 */
#include "play.h"

#include "machine.h"
#include "play_pager.h"
#include "play_swap.h"

#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/space.h>
#include <stdlib.h>
#include <string.h>

static const char name[] = "play";

const uint16_t play_points[PLAY_POINTS] = {
    0, 1, 500, 1022, 1023, 1024, 1025, 2046, 2047, 2048, 2600, PAGES - 1,
};

/* ---- the model ---- */

struct block {
    uint8_t *at; /* NULL: none */
    uint32_t bytes;
    uint8_t fill;
};

struct model_space play_model[PLAY_SPACES];
struct area play_kernel;
static struct block blocks[PLAY_BLOCKS];
uint32_t play_current;
static bool is_under_pressure;
static uint32_t pressure_left; /* frames, when it began */
static uint32_t words_written; /* every value is a new one */

/* Objects: 0 is the file, 1 shared memory, 2 has a pager. What their pages hold; what they held when the machine was
 * booted. */
enum { FILE_PAGES = 40, FILE_WORD = 0xF11E0000, PAGED_PAGES = 200, MEMORY_OBJECT = 1 };
static const uint32_t object_pages[PLAY_OBJECTS] = {FILE_PAGES, PAGES, PAGED_PAGES};
struct object *play_objects[PLAY_OBJECTS];
static uint32_t object_contents[PLAY_OBJECTS][PAGES];

uint32_t *play_word_of(struct page *page)
{
    bool is_own = page->object == 0 || (page->is_copied && !page->is_shared);
    return is_own ? &page->contents : &object_contents[page->object - 1][page->object_page];
}

bool play_is_behind_the_end(const struct page *page)
{
    return page->object != 0 && page->object_page >= object_pages[page->object - 1];
}

/* The kernel's side. Space 0 is the boot space. */
static struct space kernel_side[PLAY_SPACES];

struct space *play_space(uint32_t number)
{
    return number == 0 ? &boot_space : &kernel_side[number];
}

/* ---- what is wrong ---- */

char play_text[400];
bool play_is_wrong;

void play_wrong(const char *format, ...)
{
    va_list arguments;
    if (play_is_wrong)
        return;
    play_is_wrong = true;
    va_start(arguments, format);
    vformat_text(play_text, sizeof(play_text), format, arguments);
    va_end(arguments);
}

static const char *result_text(unsigned result)
{
    return kerr_text((enum kerr)result);
}

/*
 * So few frames are left that what one operation needs may not fit at once: it would wait for ever. Blocks
 * of the heap stay in RAM.
 */
static bool frames_are_too_few(void)
{
    enum { ENOUGH = 24 };
    bool has_blocks = false;
    for (uint32_t i = 0; i < PLAY_BLOCKS; i++)
        has_blocks |= blocks[i].at != NULL;
    return is_under_pressure && (pressure_left < ENOUGH || has_blocks);
}

/* RESULT must be WANTED; or it may be "no memory", if there was none: then *DONE is false. */
static void judge(enum kerr result, enum kerr wanted, bool *done)
{
    bool may_fail =
        (result == KERR_NO_MEMORY && (machine_allocation_failed() || is_under_pressure)) ||
        (result == KERR_MUST_WAIT && frames_are_too_few());
    *done = result == KERR_OK;
    if (result != wanted && !(may_fail && wanted == KERR_OK))
        play_wrong("the answer is '%s', wanted is '%s'", result_text(result), result_text(wanted));
}

/* ---- places ---- */

struct place {
    struct space *space;
    struct area *area;
    uint32_t first, last; /* pages of the playground */
    vaddr_t address;
    uint32_t pages;
};

static struct place place_of(const struct operation *operation)
{
    uint32_t a = play_points[(operation->where & 0x7F) % PLAY_POINTS];
    uint32_t b = play_points[operation->to % PLAY_POINTS];
    bool in_kernel = (operation->where & 0x80) != 0;
    struct place place = {.first = a < b ? a : b, .last = a < b ? b : a};
    vaddr_t base = in_kernel ? VADDR(KERNEL_PLAY_BASE) : slot_to_vaddr(SLOT_FIRST);
    place.space = in_kernel ? &kernel_space : play_space(play_current);
    place.area = in_kernel ? &play_kernel : &play_model[play_current].area;
    place.address = vaddr_add(base, place.first << PAGE_SHIFT);
    place.pages = place.last - place.first + 1;
    return place;
}

static enum rights rights_of(const struct operation *operation)
{
    static const enum rights all[] = {RIGHTS_READ_WRITE, RIGHTS_READ, RIGHTS_NONE,
                                      RIGHTS_READ | RIGHTS_EXECUTE, RIGHTS_READ_WRITE};
    return all[operation->how % ARRAY_LENGTH(all)];
}

static bool any_reserved(const struct place *place)
{
    for (uint32_t i = place->first; i <= place->last; i++)
        if (place->area->pages[i].is_reserved)
            return true;
    return false;
}

static bool all_reserved(const struct place *place)
{
    for (uint32_t i = place->first; i <= place->last; i++)
        if (!place->area->pages[i].is_reserved)
            return false;
    return true;
}

/* Page I + 1 of AREA belongs to the same region as page I. */
static bool goes_on(const struct area *area, uint32_t i)
{
    const struct page *this = &area->pages[i], *next = &area->pages[i + 1];
    return this->is_reserved && next->is_reserved && this->rights == next->rights &&
           this->object == next->object && this->is_shared == next->is_shared &&
           (this->object == 0 || this->object_page + 1 == next->object_page);
}

static bool is_in_one_region(const struct place *place)
{
    for (uint32_t i = place->first; i < place->last; i++)
        if (!goes_on(place->area, i))
            return false;
    return place->area->pages[place->first].is_reserved;
}

/* ---- regions ---- */

static void do_reserve(const struct operation *operation)
{
    struct place place = place_of(operation);
    enum rights rights = rights_of(operation);
    bool done;
    judge(REPEATED(vma_reserve_at(place.space, place.address, place.pages, rights, name)),
          any_reserved(&place) ? KERR_EXISTS : KERR_OK, &done);
    for (uint32_t i = place.first; done && i <= place.last; i++)
        place.area->pages[i] = (struct page){.is_reserved = true, .rights = (uint8_t)rights};
}

static void do_map(const struct operation *operation)
{
    struct place place = place_of(operation);
    enum rights rights = rights_of(operation);
    uint32_t object = (operation->how >> 3) % PLAY_OBJECTS;
    bool is_shared = object == MEMORY_OBJECT || (operation->how & 0x80) != 0;
    const struct vma_wish wish = {.rights = rights,
                                  .flags = is_shared ? VMA_SHARED : 0,
                                  .name = name,
                                  .object = play_objects[object],
                                  .object_page = (operation->how >> 5 & 3) * 7u};
    bool done;
    judge(REPEATED(vma_map_at(place.space, place.address, place.pages, &wish)),
          any_reserved(&place) ? KERR_EXISTS : KERR_OK, &done);
    for (uint32_t i = place.first; done && i <= place.last; i++)
        place.area->pages[i] = (struct page){.is_reserved = true,
                                             .is_shared = is_shared,
                                             .rights = (uint8_t)rights,
                                             .object = (uint8_t)(1 + object),
                                             .object_page = wish.object_page + i - place.first};
}

static void do_release(const struct operation *operation)
{
    struct place place = place_of(operation);
    bool done;
    judge(REPEATED(vma_release(place.space, place.address, place.pages)),
          any_reserved(&place) ? KERR_OK : KERR_NOT_FOUND, &done);
    for (uint32_t i = place.first; done && i <= place.last; i++)
        place.area->pages[i] = (struct page){0};
}

/* To a point of the same half. */
static void do_move(const struct operation *operation)
{
    static struct page moved[PAGES];
    struct place place = place_of(operation);
    uint32_t to = play_points[operation->how % PLAY_POINTS];
    struct place target = {.area = place.area, .first = to, .last = to + place.pages - 1};
    bool done;
    if (target.last >= PAGES)
        return;
    vaddr_t address = VADDR(place.address.v - (place.first << PAGE_SHIFT));
    judge(REPEATED(vma_move(place.space, place.address, place.pages,
                            vaddr_add(address, to << PAGE_SHIFT))),
          !is_in_one_region(&place) ? KERR_NOT_FOUND
          : any_reserved(&target)   ? KERR_EXISTS
                                    : KERR_OK,
          &done);
    if (!done)
        return;
    for (uint32_t i = 0; i < place.pages; i++) {
        moved[i] = place.area->pages[place.first + i];
        place.area->pages[place.first + i] = (struct page){0};
    }
    memcpy(&place.area->pages[to], moved, place.pages * sizeof(moved[0]));
}

/* The region of PLACE, whose last page is LAST, ends PAGES pages further up; do_shorten(): down. */
static void do_extend(struct place place, uint32_t last, uint32_t pages)
{
    const struct page *like = &place.area->pages[last];
    struct place more = {.area = place.area, .first = last + 1, .last = last + pages + 1};
    bool done;
    if (more.last >= PAGES)
        return;
    judge(REPEATED(vma_extend(place.space, vma_find(place.space, place.address), pages)),
          any_reserved(&more) ? KERR_EXISTS : KERR_OK, &done);
    for (uint32_t i = more.first; done && i < more.last; i++)
        place.area->pages[i] = (struct page){.is_reserved = true, .rights = like->rights};
}

static void do_shorten(struct place place, uint32_t last, uint32_t pages)
{
    bool done;
    if (pages >= vma_pages(vma_find(place.space, place.address)))
        return;
    judge(REPEATED(vma_shorten(place.space, vma_find(place.space, place.address), pages)), KERR_OK,
          &done);
    for (uint32_t i = last - pages + 1; done && i <= last; i++)
        place.area->pages[i] = (struct page){0};
}

/* By as many pages as a point's number says. */
static void do_stretch(const struct operation *operation)
{
    struct place place = place_of(operation);
    uint32_t last = place.first, pages = 1u + play_points[operation->how % PLAY_POINTS];
    const struct vma *region = vma_find(place.space, place.address);
    if (place.space == &kernel_space || region == NULL || region->kind != VMA_PROMISE)
        return;
    while (last + 1 < PAGES && goes_on(place.area, last))
        last++;
    if (operation->how & 0x80)
        do_shorten(place, last, pages);
    else
        do_extend(place, last, pages);
}

static void do_protect(const struct operation *operation)
{
    struct place place = place_of(operation);
    enum rights rights = rights_of(operation);
    bool done;
    judge(REPEATED(vma_protect(place.space, place.address, place.pages, rights)),
          all_reserved(&place) ? KERR_OK : KERR_NOT_FOUND, &done);
    for (uint32_t i = place.first; done && i <= place.last; i++)
        place.area->pages[i].rights = (uint8_t)rights;
}

static void do_discard(const struct operation *operation)
{
    struct place place = place_of(operation);
    bool done;
    judge(REPEATED(vma_discard(place.space, place.address, place.pages)), KERR_OK, &done);
    for (uint32_t i = place.first; done && i <= place.last; i++) {
        place.area->pages[i].contents = 0;
        place.area->pages[i].is_copied = false;
    }
}

/* A page is not there yet, or failed for this once: who asks again gets further. */
static bool is_refusal(enum kerr result)
{
    return result == KERR_MUST_WAIT || result == KERR_IO;
}

/* Private pages of objects that were made real: copies, which follow the object no more. */
static void note_copies(const struct place *place)
{
    for (uint32_t i = place->first; i <= place->last; i++) {
        struct page *page = &place->area->pages[i];
        vaddr_t address = vaddr_add(place->address, (i - place->first) << PAGE_SHIFT);
        struct translation t;
        frame_t frame;
        if (page->object == 0 || page->is_shared || page->is_copied ||
            object_find_frame(play_objects[page->object - 1], page->object_page, &frame) != KERR_OK)
            continue;
        paging_query(address, &t);
        if (!t.has_pte || !pte_is_present(t.pte) || pte_frame(t.pte).n == frame.n)
            continue;
        page->contents = *play_word_of(page);
        page->is_copied = true;
    }
}

static void do_make_real(const struct operation *operation)
{
    struct place place = place_of(operation);
    enum kerr wanted = KERR_OK;
    bool done;
    if (place.pages > 600)
        return; /* few frames are there */
    for (uint32_t i = place.first; i <= place.last; i++)
        if (!place.area->pages[i].is_reserved || !(place.area->pages[i].rights & RIGHTS_WRITE) ||
            play_is_behind_the_end(&place.area->pages[i]))
            wanted = KERR_BAD_ACCESS;
    enum kerr result = REPEATED(vma_make_real(place.address, place.pages));
    for (uint32_t i = 0; i < place.pages * PLAY_PAGER_REFUSALS && is_refusal(result); i++)
        result = REPEATED(vma_make_real(place.address, place.pages));
    note_copies(&place);
    if (wanted != KERR_OK && result == KERR_NO_MEMORY)
        return; /* it did not come so far */
    if (wanted == KERR_OK && result == KERR_NO_MEMORY && frame_available(&frame_pool) < 8)
        return;
    if (is_under_pressure && result == KERR_MUST_WAIT)
        return; /* all of it at once does not fit */
    judge(result, wanted, &done);
}

static void do_unshare(const struct operation *operation)
{
    uint32_t slot = SLOT_FIRST + operation->where % PLAY_SLOTS;
    bool done;
    judge(REPEATED(cow_unshare(slot)), KERR_OK, &done);
}

/* ---- accesses ---- */

static void judge_access(enum fault_result result, enum fault_result wanted)
{
    bool may_fail =
        (result == FAULT_NO_MEMORY && (machine_allocation_failed() || is_under_pressure)) ||
        (result == FAULT_MUST_WAIT && frames_are_too_few());
    /* Behind an object's end, too: the table that says so may have to come first. */
    bool is_allowed = wanted == FAULT_RESOLVED || wanted == FAULT_BEYOND_END;
    if (result != wanted && !(may_fail && is_allowed))
        play_wrong("the access ended with %u, wanted is %u", result, wanted);
}

/* How an access to PAGE ends that needs one of RIGHTS; a touch that was answered before stays
 * so. */
static enum fault_result wanted_of(const struct page *page, uint32_t rights)
{
    if (!page->is_reserved || !(page->rights & rights))
        return FAULT_BAD_ACCESS;
    return play_is_behind_the_end(page) ? FAULT_BEYOND_END : FAULT_RESOLVED;
}

/* The same for an access to PAGE, whose pager failed *TIMES before. To wait for there may be swap, too. */
static bool is_refused(const struct page *page, enum fault_result result, uint32_t *times)
{
    if (result == FAULT_IO_ERROR && page->object == PLAY_PAGED_OBJECT + 1 &&
        *times < PLAY_PAGER_REFUSALS) {
        ++*times;
        return true;
    }
    return play_access_goes_on(result);
}

static void do_write(const struct operation *operation)
{
    struct operation point = *operation;
    point.to = operation->where & 0x7F;
    struct place place = place_of(&point);
    struct page *page = &place.area->pages[place.first];
    uint32_t value = ++words_written;
    enum fault_result result = probe_write(place.address, value);
    for (uint32_t i = 0; is_refused(page, result, &i);)
        result = probe_write(place.address, value);
    judge_access(result, wanted_of(page, RIGHTS_WRITE));
    if (result != FAULT_RESOLVED || play_is_wrong)
        return;
    page->is_copied = true;
    *play_word_of(page) = value;
    if (page->is_shared && page->object == PLAY_PAGED_OBJECT + 1 &&
        !play_pager_is_dirty(page->object_page))
        play_wrong("page %u was written, but its pager was not asked", place.first);
}

static void do_read(const struct operation *operation)
{
    struct operation point = *operation;
    point.to = operation->where & 0x7F;
    struct place place = place_of(&point);
    struct page *page = &place.area->pages[place.first];
    uint32_t value = 0;
    enum fault_result result = probe_read(place.address, &value);
    for (uint32_t i = 0; is_refused(page, result, &i);)
        result = probe_read(place.address, &value);
    judge_access(result, wanted_of(page, RIGHTS_READ | RIGHTS_EXECUTE));
    if (result == FAULT_RESOLVED && !play_is_wrong && value != *play_word_of(page))
        play_wrong("page %u reads as %x, written was %x", place.first, value, *play_word_of(page));
}

/* ---- spaces ---- */

static void do_create(const struct operation *operation)
{
    uint32_t number = operation->where % PLAY_SPACES;
    bool done;
    if (play_model[number].exists)
        return;
    judge(REPEATED(space_create(&kernel_side[number], number == 2 ? RIGHTS_USER : RIGHTS_NONE)),
          KERR_OK, &done);
    if (!done)
        return;
    memset(&play_model[number].area, 0, sizeof(play_model[number].area));
    play_model[number].exists = true;
}

static void do_destroy(const struct operation *operation)
{
    uint32_t number = operation->where % PLAY_SPACES;
    if (number == 0 || number == play_current || !play_model[number].exists)
        return;
    space_destroy(&kernel_side[number]);
    play_model[number].exists = false;
}

static void do_switch(const struct operation *operation)
{
    uint32_t number = operation->where % PLAY_SPACES;
    bool done;
    if (!play_model[number].exists)
        return;
    judge(REPEATED(space_make_ready(play_space(number))), KERR_OK, &done);
    if (!done)
        return;
    space_switch(play_space(number));
    play_current = number;
}

static void do_fork(const struct operation *operation)
{
    uint32_t number = operation->where % PLAY_SPACES;
    bool done;
    if (play_model[number].exists)
        return;
    judge(REPEATED(space_fork(&kernel_side[number])), KERR_OK, &done);
    if (done)
        play_model[number] = play_model[play_current];
}

/* ---- the heap ---- */

static uint32_t bytes_of(const struct operation *operation)
{
    return 1u + ((uint32_t)operation->how << (operation->to % 10));
}

static void check_block(const struct block *block, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        if (block->at[i] != block->fill) {
            play_wrong("byte %u of a block of %u has changed", i, block->bytes);
            return;
        }
}

static void fill_block(struct block *block, void *at, uint32_t bytes)
{
    block->at = at;
    block->bytes = bytes;
    block->fill = (uint8_t)(++words_written | 1);
    memset(at, block->fill, bytes);
}

static void do_allocate(const struct operation *operation)
{
    struct block *block = &blocks[operation->where % PLAY_BLOCKS];
    uint32_t bytes = bytes_of(operation);
    void *at;
    bool done;
    if (block->at != NULL)
        return;
    judge(operation->where & 0x40 ? kmalloc_aligned(bytes, 1u << operation->to % 14, &at)
                                  : kmalloc(bytes, &at),
          KERR_OK, &done);
    if (done)
        fill_block(block, at, bytes);
}

static void do_resize(const struct operation *operation)
{
    struct block *block = &blocks[operation->where % PLAY_BLOCKS];
    uint32_t bytes = bytes_of(operation), kept = bytes < block->bytes ? bytes : block->bytes;
    void *at;
    bool done;
    if (block->at == NULL)
        return;
    judge(krealloc(block->at, bytes, &at), KERR_OK, &done);
    if (!done) {
        check_block(block, block->bytes);
        return;
    }
    block->at = at;
    check_block(block, kept);
    fill_block(block, at, bytes);
}

static void do_free(const struct operation *operation)
{
    struct block *block = &blocks[operation->where % PLAY_BLOCKS];
    if (block->at == NULL)
        return;
    check_block(block, block->bytes);
    kfree(block->at);
    block->at = NULL;
}

static void do_trim(const struct operation *operation)
{
    heap_trim(&kernel_heap, operation->how % 8);
}

/* ---- memory that is short ---- */

static uint32_t pressure_frames;

static void do_pressure(const struct operation *operation)
{
    uint32_t left = operation->how % PLAY_FRAMES_MAX;
    if (is_under_pressure) {
        frame_end_set_aside(&frame_pool, pressure_frames);
        is_under_pressure = false;
        return;
    }
    if (left >= frame_available(&frame_pool))
        return;
    pressure_left = left;
    pressure_frames = frame_available(&frame_pool) - left;
    is_under_pressure = frame_set_aside(&frame_pool, pressure_frames) == KERR_OK;
}

/* ---- all of it ---- */

void play_make_objects(void)
{
    frame_t first;
    enum kerr error = frame_alloc_run(&frame_pool, FRAME_FILE, FILE_PAGES, 1, 0, &first);
    if (error == KERR_OK)
        error = object_create_file(first, FILE_PAGES, &play_objects[0]);
    for (uint32_t i = 0; i < FILE_PAGES; i++)
        machine_frame_write(FRAME(first.n + i), 0, FILE_WORD + i);
    for (uint32_t i = 1; i < PLAY_OBJECTS && error == KERR_OK; i++)
        error = i == PLAY_PAGED_OBJECT ? play_pager_make(object_pages[i], &play_objects[i])
                                       : object_create_anonymous(object_pages[i], &play_objects[i]);
    if (error != KERR_OK)
        abort();
}

void play_reset(void)
{
    memset(play_model, 0, sizeof(play_model));
    memset(&play_kernel, 0, sizeof(play_kernel));
    memset(blocks, 0, sizeof(blocks));
    memset(object_contents, 0, sizeof(object_contents));
    for (uint32_t i = 0; i < FILE_PAGES; i++)
        object_contents[0][i] = FILE_WORD + i;
    for (uint32_t i = 0; i < PAGED_PAGES; i++)
        object_contents[PLAY_PAGED_OBJECT][i] = PLAY_PAGER_WORD + i;
    play_pager_forget();
    play_model[0].exists = true;
    play_current = 0;
    is_under_pressure = play_is_wrong = false;
    words_written = 0x1000;
}

void play_do(const struct operation *operation)
{
    static void (*const run[OP_KINDS])(const struct operation *) = {
        [OP_RESERVE] = do_reserve,   [OP_RELEASE] = do_release,         [OP_PROTECT] = do_protect,
        [OP_DISCARD] = do_discard,   [OP_MAKE_REAL] = do_make_real,     [OP_WRITE] = do_write,
        [OP_READ] = do_read,         [OP_UNSHARE] = do_unshare,         [OP_CREATE] = do_create,
        [OP_DESTROY] = do_destroy,   [OP_SWITCH] = do_switch,           [OP_FORK] = do_fork,
        [OP_ALLOCATE] = do_allocate, [OP_RESIZE] = do_resize,           [OP_FREE] = do_free,
        [OP_TRIM] = do_trim,         [OP_PRESSURE] = do_pressure,       [OP_MAP] = do_map,
        [OP_MOVE] = do_move,         [OP_STRETCH] = do_stretch,         [OP_TAKE] = play_take,
        [OP_AGE] = play_age,         [OP_PUT_OUT] = play_put_out,       [OP_DISK] = play_disk,
        [OP_RECLAIM] = play_reclaim, [OP_DISK_FAILS] = play_disk_fails,
    };
    run[operation->kind % OP_KINDS](operation);
}

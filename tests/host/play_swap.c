/* SPDX-License-Identifier: MIT */
/*
 * Host test. Pages and tables of the playground go out (play_swap.h). The model has nothing to do: what is
 * out is what it was. While something goes, no frame is to be had.
 */
#include "play_swap.h"

#include "audit.h"
#include "machine.h"
#include "play.h"
#include "system/disk.h"

#include "../../store/swap_area.h"

#include <mm/frame.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 1024, PATIENCE = 200 };

static uint8_t image[(SLOTS_MAX + 1) * PAGE_BYTES];
static uint32_t patience;

/* ---- the area ---- */

static struct swap_area *area(void)
{
    return swap_area_count == 0 ? NULL : swap_areas[0];
}

/* As mkswap writes it. */
static void write_header(uint32_t pages)
{
    const uint32_t numbers[] = {1, pages - 1, 0};
    memcpy(image + 1024, numbers, sizeof(numbers));
    memcpy(image + 4086, "SWAPSPACE2", 10);
}

static bool is_here(frame_t slot)
{
    return swap_is_here(slot);
}

const uint32_t *play_slot_words(frame_t slot)
{
    const struct swap_area *of = swap_area_of(slot);
    uint32_t page = swap_page_of(of, slot);
    if (is_here(slot))
        return machine_frame(page_word_frame(object_page_word(of->cache.object, page)));
    return (const uint32_t *)(image + swap_place_of(of, page) * PAGE_BYTES);
}

/* SLOT's page has a frame, which may be one that is being filled. */
static bool has_frame(frame_t slot)
{
    const struct swap_area *of = swap_area_of(slot);
    return (object_page_word(of->cache.object, swap_page_of(of, slot)) & PAGE_HERE) != 0;
}

void play_swap_begin(uint32_t slots)
{
    static const struct audit_slots known = {.words = play_slot_words, .has_frame = has_frame};
    enum kerr error;
    if (slots > SLOTS_MAX)
        abort();
    write_header(slots + 1);
    disk_begin(&system_disk, "hda", image, (slots + 1ull) * PAGE_BYTES);
    while ((error = swap_on(&system_disk.device, -1)) == KERR_MUST_WAIT)
        disk_step();
    if (error != KERR_OK)
        abort();
    audit_know_slots(&known);
}

void play_swap_reset(void)
{
    disk_seed(1);
    disk_heal(&system_disk);
    system_disk.has_failed = false;
}

void play_swap_be_patient(void)
{
    patience = PATIENCE;
}

/* ---- who waits ---- */

/* What others would do meanwhile: the disk, and the clock. */
static void wait_a_while(void)
{
    if (!disk_step())
        swap_tick();
}

/* As for a process that lacks a frame. */
static bool make_room(void)
{
    uint32_t freed;
    enum kerr error;
    if (area() == NULL || machine_allocation_failed())
        return false;
    error = store_reclaim(8, &freed);
    if (error == KERR_MUST_WAIT || error == KERR_AGAIN)
        wait_a_while();
    return error != KERR_NO_MEMORY || disk_step();
}

bool play_goes_on(enum kerr result)
{
    if (patience == 0)
        return false;
    patience--;
    switch (result) {
    case KERR_MUST_WAIT:
        wait_a_while();
        return true;
    case KERR_NO_MEMORY:
        return make_room();
    case KERR_IO: /* once, as the disk goes on then */
        return area() != NULL && system_disk.has_failed;
    default:
        return false;
    }
}

bool play_access_goes_on(enum fault_result result)
{
    return play_goes_on(result == FAULT_MUST_WAIT   ? KERR_MUST_WAIT
                        : result == FAULT_NO_MEMORY ? KERR_NO_MEMORY
                        : result == FAULT_IO_ERROR  ? KERR_IO
                                                    : KERR_OK);
}

/* ---- operations ---- */

/* Which pages go: those that the hands find, or all of the current space's slot. */
void play_put_out(const struct operation *operation)
{
    bool is_quiet = (operation->to & 1) != 0, is_range = (operation->to & 2) != 0;
    machine_fail_allocation(1, FAIL_FROM_THERE_ON);
    if (is_quiet)
        machine_speculate(NULL); /* nobody marks a page as used in between */
    if (is_range)
        (void)swap_put_range_out(slot_to_vaddr(SLOT_FIRST + operation->where % PLAY_SLOTS),
                                 SLOT_PAGES);
    else
        (void)swap_put_out(1 + operation->how);
    if (machine_allocation_failed())
        play_wrong("a frame was asked for on the way out");
}

/* Some requests are done; or a tick comes. */
void play_disk(const struct operation *operation)
{
    if (operation->to & 1)
        swap_tick();
    for (uint32_t i = 0; i <= operation->how % 16; i++)
        disk_step();
}

void play_reclaim(const struct operation *operation)
{
    uint32_t freed;
    if (operation->to & 1)
        machine_speculate(NULL);
    enum kerr error = store_reclaim(1 + operation->how % 64, &freed);
    if ((error == KERR_OK) != (freed > 0))
        play_wrong("%u frames were given back: '%s'", freed, kerr_text(error));
}

/* A request fails; and that is all. */
void play_disk_fails(const struct operation *operation)
{
    system_disk.fail_number = system_disk.done + 1 + operation->how % 4;
    system_disk.fail_kinds = ~0u;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Private. Uses: layers 0-6. Used by: store/swap*.c.
 *
 * What the two halves of swap share: the areas, and the slots of frames.
 */
#ifndef STORE_SWAP_AREA_H
#define STORE_SWAP_AREA_H

#include "store.h"

#include <store/swap.h>

/* All areas, the highest priority first. */
extern struct swap_area *swap_areas[SLOT_POOLS_MAX];
extern uint32_t swap_area_count;

/* [frames]: the slot whose page a frame of kind SWAPPED is. There while there is an area. */
extern uint32_t *swap_slot_of_frame;

struct swap_area *swap_area_of(frame_t slot);
uint32_t swap_page_of(const struct swap_area *area, frame_t slot);

/* Some area is to end, and everything comes back. */
bool swap_is_closing(void);

/* Where PAGE of AREA stands, in pages: as a rule there. And a cache_operations.not_written() (swap_bad.c). */
uint32_t swap_place_of(const struct swap_area *area, uint32_t page);
bool swap_not_written(struct cache *cache, uint32_t page);

/* Areas that were given up before their header was read (swap_give_up()) end, if nothing is under way. */
void swap_end_given_up(void);

/* What is dirty is tried, a page of each area, once a second: an area that is stuck as well. */
void swap_try_again(void);

/* Tables in slots (swap_tables.c): as struct swapper has it. */
kerr_t swap_take_table(frame_t slot, frame_t frame);
void swap_forget_table(frame_t slot);

/*
 * A step of giving back what tables of nobody refer to. KERR_OK: there are none; KERR_MUST_WAIT: some
 * are being read, ask again; KERR_IO: one can't be read.
 */
kerr_t swap_give_back_tables(void);

/* The first area begins: a frame is put by for these, or KERR_NO_MEMORY; the last one ends. */
kerr_t swap_put_frame_by(void);
void swap_end_put_by(void);

/* PAGE of AREA goes from RAM, and its slot is free, if no entry names that. False: it does, or it is under way. */
bool swap_forget_copy(struct swap_area *area, uint32_t page);

extern const struct cache_operations swap_cache_operations, swap_ram_cache_operations;
extern const struct swapper swap_pager;

#endif

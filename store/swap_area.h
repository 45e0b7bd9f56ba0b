/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Private. Uses: layers 0-6. Used by: store/swap.c, store/swap_area.c.
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

extern const struct cache_operations swap_cache_operations;
extern const struct swapper swap_pager;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Private. Uses: layers 0-6. Used by: store/, tests.
 *
 * Compressed memory: the swap area whose slots are kept in RAM. Its device, "ram", is read like any
 * other; what goes out is kept by ram_keep(), when the page leaves its entry.
 *
 * Nothing here takes a frame on the way out. What a page needs comes from frames that have room, and
 * from a few that were put by; these are fetched again when pages have gone and frames are free.
 */
#ifndef STORE_SWAP_RAM_H
#define STORE_SWAP_RAM_H

#include <store/swap.h>

enum { RAM_BY_FRAMES = 32 }; /* so many are put by */

/* DEVICE is the one that is made by swap_ram_device(). */
bool ram_is_device(const struct block_device *device);

/*
 * The area has PAGES slots, the first of which is FIRST, and has what it needs from the heap, and
 * frames put by.   returns KERR_OK, KERR_NO_MEMORY: nothing is left
 */
kerr_t ram_begin(frame_t first, uint32_t pages);
void ram_end(void); /* nothing is kept */

/* PROMISED pages can be kept, whatever they hold, and one more. */
bool ram_has_room(uint32_t promised);

/*
 * SLOT keeps what stands in FRAME. ram_has_room().
 *   returns false: it would take most of a frame: nothing is kept
 */
bool must_check ram_keep(frame_t slot, frame_t frame);

/* The same for the device, which can't refuse: what does not become smaller is kept as it is. */
void ram_write(frame_t slot, frame_t frame);

/* FRAME gets what SLOT keeps; zeros, if that is nothing.   returns false: it is no page any more */
bool must_check ram_fetch(frame_t slot, frame_t frame);

/* SLOT keeps nothing any more, if it did. */
void ram_drop(frame_t slot);

/* Frames are put by again, as long as more than LEFT are free. */
void ram_put_by(uint32_t left);

/* Recount everything. Returns NULL, or the sentence that is not true. */
const char *ram_check(void);

#endif

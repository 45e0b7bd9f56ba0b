/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, console (KEY_*). Used by: console, its tests.
 *
 * Keys that wait for whoever reads them, and the one key that waits for nobody: while the ring is
 * watched, KEY_ATTENTION is not put into it but noted beside it, however full the ring is.
 */
#ifndef KERNEL_KEY_RING_H
#define KERNEL_KEY_RING_H

#include <kernel/types.h>

enum { RING_KEYS = 256 }; /* a power of two */

struct key_ring {
    uint16_t keys[RING_KEYS];
    unsigned taken, put; /* keys so far; the ring holds put - taken */
    bool is_watched;
    bool has_attention;       /* the key came; those from `attention_place` on came behind it */
    unsigned attention_place; /* as `put` */
    bool has_lost;            /* a key found no room */
};

bool key_ring_has_room(const struct key_ring *ring);

/* KEY (-1: none) comes last; where there is no room it is lost, but KEY_ATTENTION is seen. */
void key_ring_put(struct key_ring *ring, int key);

/* The next key, or -1; those behind KEY_ATTENTION wait until it has been taken. */
int key_ring_take(struct key_ring *ring);

/*
 * The key came while the ring was watched: forget it, and say in AHEAD how many keys that still
 * wait came before it.
 */
bool key_ring_take_attention(struct key_ring *ring, unsigned *ahead);

/*
 * From here on KEY_ATTENTION is noted, at once if it waits among the others; those before it are
 * then what is ahead. Or (IS_WATCHED false) it is a key like any other.
 */
void key_ring_watch(struct key_ring *ring, bool is_watched);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The ring of keys (key_ring.h).
 */
#include "key_ring.h"

#include <kernel/console.h>

bool key_ring_has_room(const struct key_ring *ring)
{
    return ring->put - ring->taken < RING_KEYS;
}

/* The first one counts: what is typed behind it is meant for whoever answers it. */
static void note_attention(struct key_ring *ring)
{
    if (!ring->has_attention)
        ring->attention_place = ring->put;
    ring->has_attention = true;
}

void key_ring_put(struct key_ring *ring, int key)
{
    if (key < 0)
        return;
    if (key == KEY_ATTENTION && ring->is_watched)
        note_attention(ring);
    else if (key_ring_has_room(ring))
        ring->keys[ring->put++ % RING_KEYS] = (uint16_t)key;
    else
        ring->has_lost = true;
}

int key_ring_take(struct key_ring *ring)
{
    unsigned end = ring->has_attention ? ring->attention_place : ring->put;
    return ring->taken == end ? -1 : ring->keys[ring->taken++ % RING_KEYS];
}

bool key_ring_take_attention(struct key_ring *ring, unsigned *ahead)
{
    if (!ring->has_attention)
        return false;
    ring->has_attention = false;
    *ahead = ring->attention_place - ring->taken;
    return true;
}

void key_ring_watch(struct key_ring *ring, bool is_watched)
{
    unsigned waiting = ring->put - ring->taken;
    ring->is_watched = is_watched;
    ring->has_attention = ring->has_lost = false;
    if (is_watched) /* put them again, in their order, as if they came now */
        while (waiting-- > 0)
            key_ring_put(ring, key_ring_take(ring));
}

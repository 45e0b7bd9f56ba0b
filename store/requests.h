/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Private. Uses: layers 0-6. Used by: store/.
 *
 * Requests to devices, from a pool of fixed size: neither reading nor writing takes memory. A run
 * is a request under construction: pages in a row that stand in a row.
 *
 * A page's frame has in its record how many requests it is part of (`used_entries`); it leaves the
 * state FILLING or WRITING with the last of them. Such a page stays where it is: who wants it gone
 * waits.
 */
#ifndef STORE_REQUESTS_H
#define STORE_REQUESTS_H

#include <store/cache.h>

struct run {
    struct cache *cache;
    enum block_operation operation;
    struct cache_request *request; /* NULL: nothing was added yet */
};

/* At least one page can be added to a run. False: wait on the channel that was left. */
bool requests_are_there(void);

/* Leave the channel that is ready when there are some. */
void requests_wait_for_any(void);

/* Add PAGE, in FRAME, which stands at PLACE, where it is no hole. requests_are_there(). */
void run_add(struct run *run, uint32_t page, frame_t frame, const struct cache_place *place);

/* What was added goes to the device. It may be done when this returns. */
void run_submit(struct run *run);

/* Leave the channel of a request that has PAGE, which is under way. Returns KERR_MUST_WAIT. */
kerr_t request_wait(const struct cache *cache, uint32_t page);

/* How many pages are being written just now. */
uint32_t requests_pages_written(void);

/* The same for any page of CACHE (NULL: of all) that is being written. KERR_OK: there is none. */
kerr_t request_wait_for_write(const struct cache *cache);

/* The same for any page that is being read. */
kerr_t request_wait_for_read(void);

#endif

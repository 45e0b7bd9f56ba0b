/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Uses: layers 0-6, cache. Used by: layers 8 (shortage), 9 (swapon(), /proc), 10 (the end, madvise()), 11 (`swap`).
 *
 * Swap areas. Private pages that nobody used lately go to slots of a device, and come back when they
 * are touched. The entries of page tables say where a page is (mm/cow.h, "pages that are out"); what
 * stands here is the other half: which slots there are, and which of them have their page in RAM.
 *
 *     table entry ──▶ slot ──▶ page n of an area's cache ──▶ sectors 8n..8n+7 of its device
 *                  referred to    a frame of kind SWAPPED,
 *                  by entries     while it is on its way, or holds the same as the slot
 *
 * A slot has one reference for each entry that names it, and one while its page is in the cache. So
 * the area's object is a page cache like any other: its pages are filled, written and given back by
 * what does that for files.
 *
 * The format is that of mkswap, version 1: page 0 of the device is the header, and says how many
 * pages follow and which of them are bad.
 */
#ifndef STORE_SWAP_H
#define STORE_SWAP_H

#include <mm/frame.h>
#include <store/cache.h>

/* PAGE could not be written where it belongs: it stands where PLACE, a slot out of use, would. */
struct swap_moved {
    uint32_t page, place;
};
enum { SWAP_MOVED_MOST = 32 }; /* of an area: a disk with more of them is broken */

struct swap_area {
    struct cache cache;      /* page n is slot `slots.first` + n; page 0 is the header */
    struct frame_pool slots; /* the numbers of slots that can be used are free, or FRAME_SLOT */
    int32_t priority;        /* pages go to the highest first */
    uint32_t pages;          /* that can be used, bad ones not counted */
    bool is_open;            /* false: its header is still being read */
    bool is_given_up;        /* its header is read for nobody any more: the area ends then */
    bool is_closing;         /* no page goes out to it any more */
    bool is_ram;             /* its pages are kept in RAM, compressed (swap_ram_device()) */
    uint32_t slot_hand;      /* where it was looked last for slots that can be given up */
    uint32_t *bitmap;
    struct swap_moved moved[SWAP_MOVED_MOST];
    uint32_t moved_count; /* slots that were found to be bad */
};

/*
 * DEVICE becomes a swap area, of PRIORITY (negative: below all that came before). It is open for
 * writing from here on.
 *   returns KERR_OK; KERR_MUST_WAIT: ask again, or give up; KERR_EXISTS: it is one, or shares sectors with
 *   something that is open for writing or mounted;
 *   KERR_UNSUPPORTED: no signature of mkswap, or what it says is not so; KERR_TOO_MANY: areas;
 *   KERR_NO_ROOM: frames and slots together would be more than 2^20; KERR_NO_MEMORY; KERR_IO
 */
kerr_t swap_on(struct block_device *device, int32_t priority);

/*
 * All that is in DEVICE's area comes back, and the area ends.
 *   returns KERR_OK; KERR_MUST_WAIT, KERR_AGAIN: ask again, or give up; KERR_NO_MEMORY: the same when there
 *   is more: it does not fit into RAM; KERR_NOT_FOUND: it is none; KERR_IO: the area stays in use
 */
kerr_t swap_off(struct block_device *device);

/*
 * Who was to ask swap_on() or swap_off() of DEVICE again does not: an area that ends is back in use, and one that
 * begins ends, as soon as nothing of it is under way (swap_tick()). Others may ask as if nothing had been.
 */
void swap_give_up(struct block_device *device);

/* How many areas have begun or ended. Each takes frames and heap for its records, and gives them back. */
extern uint32_t swap_area_changes;

/* The area that DEVICE is, or NULL. */
struct swap_area *swap_of_device(const struct block_device *device);

/* The open areas, the highest priority first; NULL at the end. */
const struct swap_area *swap_next(const struct swap_area *area);

/* Slots of AREA that are referred to. */
uint32_t swap_used_pages(const struct swap_area *area);

/* Frames that AREA has for itself as long as it is open; what it has of the heap is not among them. */
uint32_t swap_own_frames(const struct swap_area *area);

struct swap_sum {
    uint32_t pages, used; /* of all areas, bad ones not counted */
    uint32_t cached;      /* slots whose page is in RAM as well */
};
struct swap_sum swap_sum(void);

struct swap_counts {
    uint32_t out, in;               /* pages that left their entries, and that came back to one */
    uint32_t zero;                  /* pages that were full of zeros: no slot was needed */
    uint32_t again;                 /* pages that left, and were still in their slot */
    uint32_t let_go;                /* pages whose slot was given up, since they are written */
    uint32_t scanned;               /* tables looked at */
    uint32_t tables_gone;           /* that held nothing, or went to a slot */
    uint32_t tables_out, tables_in; /* of these, to a slot; and back */
};
extern struct swap_counts swap_counts;

/*
 * The device "ram", of PAGES pages, one of them for a header: an area on it keeps its pages in RAM,
 * compressed. It is not registered. Once.
 */
struct block_device *swap_ram_device(uint32_t pages);

struct swap_ram_counts {
    uint32_t pages, words; /* that are kept; of these full of one word, which take no room */
    uint32_t frames;       /* that keep them, or are put by */
    uint32_t pieces;       /* in so many pieces */
    uint32_t refused;      /* since it began: pages that would have taken most of a frame */
};
extern struct swap_ram_counts swap_ram_counts;

/*
 * Pages that no entry names any more go at once, and their slots; else they do when frames are wanted.
 *   returns KERR_OK; KERR_MUST_WAIT: some are under way, and a channel was left
 */
kerr_t swap_trim(void);

/*
 * The same, and tables of nobody are read and given back: when this is done, slots in use are in use by
 * somebody.   returns also KERR_NO_MEMORY, KERR_IO: a table can't be read
 */
kerr_t swap_settle(void);

/* Frames that are set aside (mm/frame.h), so that a table of nobody can be read when none is free. */
uint32_t swap_frames_put_by(void);

/* A step of what need not be done at once: slots of tables that nobody has any more become free, and areas
 * that were given up end. */
void swap_tick(void);

/*
 * Private pages go out, COUNT at least if there are so many: tables are looked at in turn, each once
 * however many share it; then tables themselves that show nothing any more. Takes no memory.
 *   returns how many left their entries; their frames are free when they have been written. None, and
 *   swap_is_broken_off(): not all has been looked at, as some pages turned out to take too much room in RAM: ask again
 */
uint32_t swap_put_out(uint32_t count);
bool swap_is_broken_off(void);

/*
 * The PAGES pages from FIRST on, all in one slot of the current space's lower half: see cow_put_range_out().
 * Without an area nothing goes.   returns how many left their entries
 */
uint32_t swap_put_range_out(vaddr_t first, uint32_t pages);

/* SLOTS slots from FIRST on, which are in use, and of one area: their pages are asked for, as by
 * cache_begin_read(). */
bool swap_begin_read(frame_t first, uint32_t slots);

/* What of these is in RAM, too, and no entry shows, goes, as by cache_put_out(). Returns true. */
bool swap_forget_read(frame_t first, uint32_t slots);

/* SLOT, which is in use, has its page in RAM as well. */
bool swap_is_here(frame_t slot);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Uses: layers 0-6. Used by: layers 8 (shortage), 9 (files, disks), 10 (madvise()), 11 (`cache`).
 *
 * The page cache. The pages of a file are the frames of its object, whoever looks: read(), write(),
 * mmap() and execve() see the same frame at once. A `struct cache` says what stands behind such an
 * object: a device, and for each page the sectors there. It is the object's pager.
 *
 *        object_frame(), a fault                     device
 *               │ bring                                 ▲
 *               ▼                                       │ request
 *     object ◀─────── cache ── locate(page) ──▶ sectors ─┘
 *
 * The life of a page (mm/object.h, enum page_state):
 *
 *     absent ──▶ FILLING ──▶ here, clean ──▶ DIRTY ──▶ WRITING ──▶ here, clean ──▶ absent
 *                   │ failed                    ▲          │ failed, or written to meanwhile
 *                   └─▶ KERR_IO, absent         └──────────┘
 *
 * Nothing waits here: what is under way is answered with KERR_MUST_WAIT and a channel, and the
 * caller asks again. Within one event no page goes away that was here: what was brought first can
 * be relied on while the last is brought.
 *
 * The metadata of a disk (superblock, tables of inodes, bitmaps) are pages of a cache that its file
 * system begins for them, read and written by cache_read() and cache_write().
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include <device/block.h>
#include <kernel/list.h>
#include <mm/object.h>
#include <mm/pager.h>

/* Where a page stands: PIECES equal parts of it, each SECTORS sectors from SECTOR[i] on. */
enum { CACHE_PIECES_MAX = 4 };
#define CACHE_HOLE UINT64_MAX /* zeros, and no place */
struct cache_place {
    uint32_t pieces;  /* 1, 2 or 4 */
    uint32_t sectors; /* of a piece; what is behind the pieces in the page reads as zeros */
    uint64_t sector[CACHE_PIECES_MAX];
};

struct cache;

/* In the fault path, as those of struct pager: no heap, real memory only. */
struct cache_operations {
    /* *PLACE: where PAGE stands. KERR_MUST_WAIT, KERR_NO_MEMORY (what says so has to come first), KERR_IO. */
    enum kerr (*locate)(struct cache *cache, uint32_t page, struct cache_place *place);
    /*
     * PAGE, which has its contents, is about to become dirty: all its pieces that are to be written
     * get a place. KERR_MUST_WAIT, KERR_IO, KERR_NO_SPACE, KERR_READ_ONLY; nothing has changed then.
     */
    enum kerr (*allocate)(struct cache *cache, uint32_t page);
    /* NULL, or for who keeps books on its pages: PAGE got FRAME; and will have none any more. */
    void (*entered)(struct cache *cache, uint32_t page, frame_t frame);
    void (*removed)(struct cache *cache, uint32_t page, frame_t frame);
    /* NULL, or: what PAGE holds has been written, and is the same on the device. PAGE may go at once. */
    void (*written)(struct cache *cache, uint32_t page);
    /*
     * NULL, or: PAGE could not be written, though it was tried alone. True: it has another place now. locate() is
     * asked again before the next try.
     */
    bool (*not_written)(struct cache *cache, uint32_t page);
    /* NULL, or: what PAGE holds is of no interest to anybody, dirty or not. */
    bool (*is_unwanted)(const struct cache *cache, uint32_t page);
    /* Pages don't change while a device reads them: the order of writes depends on it. */
    bool is_stable;
    /* What has its place, a page as a whole, keeps that as long as it has a frame: allocate() is not asked
     * for it again. */
    bool keeps_places;
    bool is_at_once;  /* what is read is there at once: nothing is read ahead */
    bool is_view;     /* it shows what stands on the device, and whose that is does not matter */
    const char *name; /* "disk", "ext2": for people */
};

struct cache {
    struct object *object; /* its pages; the cache has no reference */
    const struct cache_operations *operations;
    struct block_device *device;
    void *owner;            /* whose it is: layer 9's inode */
    struct list link;       /* of all caches; */
    struct list dirty_link; /* and of those with dirty pages, by the time that the first got so */
    uint32_t dirty_since;   /* seconds since boot: of the first page that is dirty */
    uint32_t dirty_pages;   /* pages that have DIRTY, and */
    uint32_t busy_pages;    /* WRITING or FILLING */
    uint32_t span_first;    /* no page before this one is DIRTY or WRITING, */
    uint32_t span_end;      /* and none from here on */
    uint32_t write_errors;  /* pages that could not be written, since it began; */
    uint32_t errors_told;   /* and of how many a file system has heard */
    bool is_failing;        /* what was tried last could not be written */
    bool is_settling;       /* what is dirty has been asked for (cache_settle()) */
    bool lacks_room;        /* what is dirty may lack places: allocate() is asked again */
    uint32_t hand;          /* where reclaim goes on */
    uint32_t ahead_page;    /* behind what was read last: who asks for it reads on, */
    uint32_t ahead_pages;   /* and so many were read at once */
};

/* ---- life ---- */

/*
 * CACHE, whose record is the caller's, gets an object of PAGES pages that stand on DEVICE. One
 * reference to the object is the caller's: who puts it ends the cache, when no region has one.
 *   returns KERR_OK, KERR_NO_MEMORY, KERR_BAD_RANGE
 */
kerr_t cache_begin(struct cache *cache, const struct cache_operations *operations,
                   struct block_device *device, void *owner, uint32_t pages);

/*
 * Before the caller puts the last reference: nothing of CACHE is under way and nothing is dirty, or
 * it does not matter (DROP: a file without names).
 *   returns KERR_OK; KERR_MUST_WAIT, KERR_NO_MEMORY: ask again; KERR_IO: pages can't be written (not with DROP)
 */
enum cache_end { CACHE_KEEP, CACHE_DROP };
kerr_t cache_settle(struct cache *cache, enum cache_end how);

/* PAGES pages from now on; those behind are gone from everywhere (object_resize()).
 *   returns as object_resize(), KERR_MUST_WAIT: something behind the end is under way */
kerr_t cache_resize(struct cache *cache, uint32_t pages);

/* ---- pages ---- */

/*
 * The frame of PAGE with its contents, valid in this event, without a reference.
 *   returns KERR_OK; KERR_MUST_WAIT, KERR_IO, KERR_NO_MEMORY; KERR_BAD_RANGE (behind the end)
 */
kerr_t cache_page(struct cache *cache, uint32_t page, frame_t *frame);

/*
 * The pages [FIRST, END) that are not here are asked for, without waiting, as far as requests reach, and as
 * there are frames above the low mark. False: more could not be begun.
 */
bool cache_begin_read(struct cache *cache, uint32_t first, uint32_t end);

/* The same of up to COUNT pages from PAGE on, all in one slot's worth (SLOT_PAGES): as many as are here, and PAGE
 * in any case; *FOUND. */
kerr_t cache_pages(struct cache *cache, uint32_t page, uint32_t count, frame_t frames[],
                   uint32_t *found);

/*
 * The same of a page that is to be written in this event: it has its place, and is dirty from here
 * on. If ALL of it is to be written, it is not read first, and what it holds is undefined.
 *   returns also KERR_NO_SPACE, KERR_READ_ONLY
 */
kerr_t cache_page_to_write(struct cache *cache, uint32_t page, bool all, frame_t *frame);

/*
 * BYTES bytes from OFFSET on, which lie in one page, to TO or from FROM. Errors as above. After
 * cache_page_to_write() of the page in the same event cache_write() does not fail.
 */
kerr_t cache_read(struct cache *cache, uint64_t offset, void *to, uint32_t bytes);
kerr_t cache_write(struct cache *cache, uint64_t offset, const void *from, uint32_t bytes);

/* ---- write-back ---- */

/*
 * The dirty pages of [FIRST, END) go to the device.
 *   returns KERR_OK: none of them was dirty or under way; KERR_MUST_WAIT: they are under way, ask
 *   again; KERR_IO: some of them could not be written, and nobody was told (by this function or the next):
 *   they stay dirty, and are tried again with the next call; KERR_NO_MEMORY: where some of them stand could
 *   not be found out, which is no error of theirs: ask again when there is memory
 */
kerr_t cache_write_back(struct cache *cache, uint32_t first, uint32_t end);

/*
 * The same for who must come to an end, though others write meanwhile. cache_ask(): what is dirty or
 * under way now, of the pages [FIRST, END), is asked for. cache_write_asked(), called until it does not answer
 * KERR_MUST_WAIT or KERR_NO_MEMORY, waits for that alone: what becomes dirty after the first is nothing to
 * the second.
 *   SEEN     KERR_IO if CACHE's `write_errors` is not *SEEN, which is what it is then. NULL: if there are
 *            pages that can't be written
 */
void cache_ask(struct cache *cache, uint32_t first, uint32_t end);
kerr_t cache_write_asked(struct cache *cache, uint32_t first, uint32_t end, uint32_t *seen);

/* As cache_write_back(), without waiting: what can be begun is begun. */
void cache_begin_write_back(struct cache *cache, uint32_t first, uint32_t end);

/* What DEVICE has been given before is on its medium. KERR_OK, KERR_MUST_WAIT, KERR_IO. A flush that
 * was begun before the last write counts for nothing: TICKET, 0 at first, is the caller's. */
kerr_t cache_flush(struct block_device *device, uint32_t *ticket);

/* DEVICE can be flushed in the fault path from here on: nothing has to be taken from the heap for it. */
kerr_t cache_know_device(struct block_device *device);

/* DEVICE goes: no flush of it is under way, and what is known of it for flushes is forgotten. */
void cache_forget_device(const struct block_device *device);

/* Pages of CACHE from *FROM on that are clean, and that nobody shows, go: they are read anew when they
 * are wanted. KERR_OK; KERR_AGAIN: a piece is done, and it goes on at *FROM, which is not 0. */
kerr_t cache_forget_clean(struct cache *cache, uint32_t *from);

/* The pages [FIRST, END) of CACHE look unused. */
void cache_age(struct cache *cache, uint32_t first, uint32_t end);

/* And those that nobody shows go: clean ones at once, dirty ones begin to be written and go next. */
void cache_put_out(struct cache *cache, uint32_t first, uint32_t end);

/* The cache whose pages are OBJECT's, or NULL: nothing stands behind it. */
struct cache *cache_of_object(const struct object *object);

/* ---- for all of them (store/writer.c, store/reclaim.c) ---- */

/* The time: SECONDS since boot. What is dirty for DIRTY_SECONDS goes to its device; too much does at
 * once. A bounded step; called each tick, by whoever knows the time. */
enum { DIRTY_SECONDS = 5 };
void store_tick(uint32_t seconds);

/*
 * Frames are wanted: COUNT of them at least. Clean pages go, dirty ones are begun to be written.
 *   => *FREED frames are free now
 *   returns KERR_OK; KERR_MUST_WAIT: none was freed, but there will be (a channel was left);
 *   KERR_AGAIN: none was freed, but not all has been looked at: ask again in another event;
 *   KERR_NO_MEMORY: nothing can be given back
 */
kerr_t store_reclaim(uint32_t count, uint32_t *freed);

/* The same, for who has to end somebody if nothing is given back: pages are looked at again and again. */
kerr_t store_reclaim_at_last(uint32_t count, uint32_t *freed);

/* All caches, in the order in which they began; NULL at the end. */
struct cache *cache_next(const struct cache *cache);

struct store_counts {
    uint32_t pages_read, pages_ahead, pages_written, pages_reclaimed;
    uint32_t reads, writes, flushes; /* requests */
    uint32_t read_errors, write_errors;
};
extern struct store_counts store_counts;

/* Pages of all caches that are dirty, and that can be given back at once. */
uint32_t store_dirty_pages(void);

#endif

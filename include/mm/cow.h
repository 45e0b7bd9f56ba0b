/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Uses: layers 0-2, zero. Used by: layers 4 and up.
 *
 * Copy-on-write at two levels. A frame may be shared by many PTEs, a table by many PDEs; a write
 * below them is answered with a private copy, and who is the last to share takes what is there.
 * All functions work on the current space; none looks up a region.
 *
 * Ranges are pages [first, first + pages), may span any number of slots, and don't wrap. What changes
 * one may return KERR_MUST_WAIT, nothing changed: a table is out, and has been asked for.
 * A `page` is the address of its first byte, a vaddr_t; from layer 4 on it is a number (mm/vma.h).
 */
#ifndef MM_COW_H
#define MM_COW_H

#include <kernel/fault.h>
#include <mm/paging.h>

/*
 * Answer a write to PAGE, as the fault handler does. A sole owner takes back the pages behind it in
 * the same slot as well, up to 8 in all, as far as they are COW and nobody else has their frames.
 *   returns FAULT_RESOLVED; FAULT_BAD_ACCESS (its entry refuses writes); FAULT_NO_MEMORY;
 *   FAULT_NOT_MINE (nothing is present, the write is allowed already, or layer 4 has to allow it)
 */
enum fault_result must_check cow_write(vaddr_t page);

/*
 * Enter a cleared frame at PAGE, private and writable, whose entry is empty: what a promise of
 * zeros comes to when its first touch is a write. The slot gets a table of its own first.
 *   returns KERR_OK, KERR_NO_MEMORY (nothing that is seen has changed)      TLB: nothing to do
 */
kerr_t cow_enter_cleared(vaddr_t page, enum rights rights);

/*
 * Make every page of the range a frame of its own, so that writing there can't fault. Every page
 * is promised or real.
 *   returns KERR_OK; KERR_NO_MEMORY (pages made real so far stay so); KERR_BAD_ACCESS (a page is
 *   empty or read-only)
 */
kerr_t cow_make_real(vaddr_t first, uint32_t pages);

/*
 * Give SLOT a table of its own: a copy, or the shared one if no one else has it. The private
 * writable entries of a table that is copied become read-only and COW in both.
 *   returns KERR_OK (also if it has one, or is empty), KERR_NO_MEMORY (nothing changed)
 */
kerr_t cow_unshare(uint32_t slot);

/*
 * Share the tables of the COUNT slots from SLOT on (lower half) with the directory ID, which is
 * live and not current and has nothing there. Both sides are read-only from here on; what was
 * shared already is shared once more. Costs no frame.
 */
void cow_share(uint32_t slot, uint32_t count, uint32_t id);

/*
 * Make the tables that cow_release() or cow_discard() of the same range would want, so that it
 * can't fail. What is seen does not change.   returns KERR_OK, KERR_NO_MEMORY
 */
kerr_t cow_prepare(vaddr_t first, uint32_t pages);

/*
 * Empty the range, and give back what only it held. Where the range covers a slot in part and the
 * slot is a promise as a whole, the whole slot is emptied: layer 4 promises the rest again at the
 * next touch.
 *   returns KERR_OK; KERR_NO_MEMORY (nothing changed): a partly covered shared table must be copied
 */
kerr_t cow_release(vaddr_t first, uint32_t pages);

/*
 * Give every page of the range that has an entry new RIGHTS; empty pages stay empty. READ_WRITE on
 * a shared frame means COW; NONE keeps the frame in a not-present entry. An untouched promise is
 * made anew where the range covers its slot whole; else the whole slot is emptied, as above.
 *   returns KERR_OK; KERR_NO_MEMORY (nothing that is seen has changed)
 */
kerr_t cow_protect(vaddr_t first, uint32_t pages, enum rights rights);

/*
 * Turn the range, whose pages have RIGHTS, back into promises: it reads as zero and its frames are
 * free. Empty pages stay empty where a slot is covered in part; a slot covered whole is promised as
 * a whole. A table that promises nothing but zeros is given back.
 *   returns KERR_OK; KERR_NO_MEMORY (nothing that is seen has changed)
 */
kerr_t cow_discard(vaddr_t first, uint32_t pages, enum rights rights);

enum cow_mapping {
    MAPPING_PRIVATE,      /* read-only, and COW if RIGHTS has WRITE: the frames' owner keeps them */
    MAPPING_SHARED,       /* PTE_SHARED_MAPPING: writes reach the frames, forks don't change that */
    MAPPING_SHARED_CLEAN, /* the same, but the first write to each page is asked for */
};

/*
 * Show FRAMES at the PAGES pages from FIRST on, all in one slot, where these are empty and there is
 * a frame (not NO_FRAME); each entry takes a reference. The slot gets a table of its own first.
 *   returns KERR_OK, KERR_NO_MEMORY (nothing that is seen has changed)      TLB: nothing to do
 */
#define NO_FRAME FRAME(~0u)
kerr_t cow_map(vaddr_t first, uint32_t pages, const frame_t frames[], enum rights rights,
               enum cow_mapping mapping);

/*
 * PAGE, clean and of a shared mapping, may be written from here on. Its slot gets a table of its
 * own first.
 *   returns KERR_OK, KERR_NO_MEMORY (nothing that is seen has changed)
 *   TLB: nothing to do, at the price of one spurious fault; paid where the kernel's half is
 */
kerr_t cow_allow_write(vaddr_t page);

/*
 * What entries of others' frames lose. All three change those of the PAGES entries from FIRST on,
 * all in one slot, that lead to FRAMES (NO_FRAME: to none), and return how many they changed; no
 * frame is taken, and a table that is shared stays so: it changes for all who share it. Their
 * regions must be able to say again what was lost.
 *   cow_take_writes  writable ones become clean: the next write is asked for (cow_allow_write())
 *   cow_drop_unused  those without the mark of use (A) become empty, and give their reference back
 *   cow_forget_use   those with the mark lose it
 *   TLB: paid. Who forgets use pays nothing: what the CPU remembers it does not mark again, so a
 *   page may look unused though it is used.
 * (Tables that several spaces share: drop in all of them before use is forgotten in the first.)
 */
uint32_t cow_take_writes(vaddr_t first, uint32_t pages, const frame_t frames[]);
uint32_t cow_drop_unused(vaddr_t first, uint32_t pages, const frame_t frames[]);
uint32_t cow_forget_use(vaddr_t first, uint32_t pages, const frame_t frames[]);

/* ---- pages that are out: private ones, in swap slots (mm/cow_swap.c) ---- */

/*
 * Who keeps the pages of slots (layer 7). A frame of kind FRAME_SWAPPED is the page of a slot that he
 * has a reference to, and all entries that show it are read-only.
 */
struct swapper {
    /*
     * *FRAME: the page of SLOT, without a reference, valid in this event.
     *   returns KERR_OK; KERR_MUST_WAIT: it has been asked for, and a channel left; KERR_IO: it can't
     *   be had; KERR_NO_MEMORY
     */
    kerr_t (*bring)(frame_t slot, frame_t *frame);
    /*
     * One entry shows FRAME, which is of kind FRAME_SWAPPED, or is about to, and nobody else needs
     * what it holds: true, it is anonymous again, and its slot's page is no more.
     */
    bool (*let_go)(frame_t frame);
    /*
     * FRAME, which is to go, is the page of a slot from here on, or full of zeros: *NUMBER is what an
     * entry is to refer to, with a reference for it. Takes no memory.
     *   returns KERR_OK; KERR_NO_SPACE: there is no slot; KERR_TOO_LARGE: this one stays, others may go;
     *   KERR_AGAIN: enough was tried for one event, and the hand is to stay where it is
     */
    kerr_t (*put_out)(frame_t frame, frame_t *number);
    /* No entry shows FRAME any more, which is of kind FRAME_SWAPPED: it can be free as soon as its slot
     * holds the same. */
    void (*left)(frame_t frame);
    /*
     * FRAME, which bring() gave for SLOT, is to be a table again, and only one entry names SLOT: it is
     * the caller's, with one reference, and the slot is free.
     *   returns KERR_OK; KERR_MUST_WAIT: it is being written, and a channel was left
     */
    kerr_t (*take)(frame_t slot, frame_t frame);
    /* A directory entry that named SLOT is gone, and its reference is nobody's (cow_drop_entries()). */
    void (*forget)(frame_t slot);
};
void cow_set_swapper(const struct swapper *swapper);

/*
 * PAGE's entry is swapped, in a table that is own or shared: its slot's page is shown again, in that
 * table, for all who share it. A write to it is cow_write()'s, as ever, but needs no copy if it is
 * asked for at once (IS_WRITE) and nobody shares the page.
 *   returns KERR_OK; and as the swapper's bring()
 *   TLB: nothing to do
 */
kerr_t cow_bring_back(vaddr_t page, bool is_write);

/*
 * For who keeps a page without an entry: an object. FRAME, of which he has the only reference, goes out: *NUMBER
 * is what he is to keep instead, a slot or the zero frame, with a reference. His to FRAME he gives back by
 * cow_leave_frame(), when nothing names it any more. Takes no memory.   returns as the swapper's put_out()
 */
kerr_t cow_put_frame_out(frame_t frame, frame_t *number);
void cow_leave_frame(frame_t frame);

/*
 * The page of such a NUMBER, whose reference is taken over: *FRAME, which nobody else has, of kind
 * FRAME_ANONYMOUS.   returns as the swapper's bring(); NUMBER is still the caller's then
 */
kerr_t cow_bring_frame_back(frame_t number, frame_t *frame);

/*
 * The same for all of TABLE's entries that name slots of [FIRST, END). Errors as above; KERR_AGAIN: COW_BACK_MOST
 * have come, and the others wait for another event: what has to be unpacked takes some 40,000 instructions.
 */
enum { COW_BACK_MOST = 128 };
kerr_t cow_bring_table_back(frame_t table, frame_t first, frame_t end);

/*
 * From entry *AT of TABLE on (lower half): private pages that were not used since the last time go
 * out, at most MOST (<= COW_OUT_MOST) of them; those that were used lose the mark. *AT is behind the
 * last that was looked at. Tables that are shared are edited for all who share them.
 *   returns how many pages went out       TLB: paid (a flush)
 */
enum { COW_OUT_MOST = 16 };
uint32_t cow_put_out(frame_t table, uint32_t *at, uint32_t most);

/*
 * The PAGES pages from FIRST on, all in one slot of the lower half: private ones that no other entry
 * shows go out, used or not. If forks share the slot's table, that is done for all of them.
 *   returns how many pages went out       TLB: paid (a flush for 16 pages)
 */
uint32_t cow_put_range_out(vaddr_t first, uint32_t pages);

/* ---- tables that are out (mm/cow_table.c) ---- */

/*
 * A table that only one directory entry leads to, and that holds nothing but zeros and pages that are
 * out, goes itself to a slot; the entry names it (PDE_SWAPPED). The slot's record has the number of the
 * table's entries in use, which keep what they refer to. Whoever touches something below, or changes a
 * part of the slot, brings the table back first. fork gives the slot a reference more; who comes back
 * while there are others gets a copy.
 */
struct cow_table_use {
    uint32_t zeros, swapped; /* entries of the zero frame, and of slots */
    uint32_t objects;        /* that their regions can say again, and that nobody used lately */
    uint32_t others;         /* and those that keep the table where it is */
};

/* What TABLE's entries are. Entries of objects that were used lose the mark, as in cow_forget_use(). */
void cow_look_at_table(frame_t table, struct cow_table_use *use);

/*
 * SLOT (lower half) of directory ID, loaded or not, has a table that no other entry leads to, and that
 * has no `others`.
 *   cow_remove_table     ZEROS: the slot shows the zero table for them, if it is full of one kind; else
 *                        it is empty: its regions say the rest again
 *   cow_put_table_out    the table goes to a slot; false: there is none. Takes no memory
 *   TLB: paid
 */
void cow_remove_table(uint32_t id, uint32_t slot);
bool must_check cow_put_table_out(uint32_t id, uint32_t slot);

/*
 * SLOT's entry, of the current space or of directory ID, is swapped: its table is there again, its own.
 *   returns KERR_OK; and as the swapper's bring() and take()       TLB: nothing to do
 */
kerr_t cow_bring_table(uint32_t slot);
kerr_t cow_bring_table_of(uint32_t id, uint32_t slot);

/* The same of PDE, an entry of no directory: *BACK is what it is to be. */
kerr_t cow_bring_entry(pde_t pde, pde_t *back);

/* FRAME holds what was a table with USED entries in use: the references of these are given back. */
void cow_drop_entries(frame_t frame, uint32_t used);

/*
 * Move what the range holds to the PAGES pages from TO on, which are all empty; the ranges don't
 * overlap. Slots that both ends cover whole move by their directory entry. A promise of a whole
 * slot that is moved in part is emptied, as by cow_release().
 *   returns KERR_OK; KERR_NO_MEMORY (nothing that is seen has changed)      TLB: paid
 */
kerr_t cow_move(vaddr_t from, uint32_t pages, vaddr_t to);

/*
 * Drop tables of the lower half of directory ID, live and not current, but at most MOST different
 * ones: nothing is owed to the TLB. Returns true if none is left. The second drops all.
 */
bool must_check cow_drop_tables(uint32_t id, uint32_t most);
/* COUNT entries PDE, in use, of a directory that is no more, are gone: the same for these. */
void cow_drop_table(pde_t pde, uint32_t count);

void cow_drop_lower_half(uint32_t id);

/* What happened since boot; for `faults`. */
struct cow_counters {
    uint32_t frames_cleared, frames_copied, frames_taken; /* a PTE's write answered */
    uint32_t tables_filled, tables_copied, tables_taken;  /* a PDE's */
};
extern struct cow_counters cow_counters;

#endif

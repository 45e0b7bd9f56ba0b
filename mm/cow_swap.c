/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Private pages go out, and come back: what happens to their entries.
 *
 *     writable or COW ──▶ swapped ──▶ COW ──▶ writable
 *               cow_put_out()   cow_bring_back()   a write
 *
 * The entry is the truth: a swapped one names a slot, and holds a reference to it as it did to the
 * frame. A page that is out comes back read-only, since its slot still holds the same. So a write is
 * always asked for, and the mark D is of no use: cow_write() copies, or the slot's page is let go.
 *
 * Way out: clear the entry, invalidate, then write, then free. A table does not know at which
 * addresses it is seen; so what is owed is paid by one flush for a few pages.
 */
#include "cow_entry.h"

#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/zero.h>

const struct swapper *cow_swapper;

void cow_set_swapper(const struct swapper *swapper)
{
    cow_swapper = swapper;
}

/* ---- out ---- */

/* ENTRY is private, and its page not one that stays where it is. */
static bool may_go_out(pte_t entry)
{
    if (!pte_holds_frame(entry) || pte_is_swapped(entry) || (entry.bits & PTE_SHARED_MAPPING))
        return false;
    enum frame_kind kind = frame_kind(&frame_pool, pte_frame(entry));
    return kind == FRAME_ANONYMOUS || kind == FRAME_SWAPPED;
}

/* What ENTRY, whose page has gone, is when it refers to NUMBER, a slot or the zero frame. */
static pte_t entry_when_out(pte_t entry, frame_t number)
{
    bool is_slot = frame_is_slot(&frame_pool, number);
    uint32_t flags = is_slot ? PTE_KEPT | PTE_SWAPPED : PTE_KEPT;
    if (pte_is_present(entry)) {
        flags = is_slot ? flags : ENTRY_PRESENT;
        flags |= ENTRY_ACCESSED | (entry.bits & ENTRY_USER);
        if (entry.bits & (ENTRY_WRITABLE | PTE_COW))
            flags |= PTE_COW;
    }
    return pte_make(number, flags);
}

/* Entry INDEX of TABLE changes: the ledger is told for each place where the CPU may know it. */
static void tell_ledger(frame_t table, uint32_t index, pte_t before, pte_t after)
{
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++) {
        pde_t pde = pde_read(slot);
        if (pde_is_table(pde) && pde_frame(pde).n == table.n)
            ledger_pte_stored(vaddr_add(slot_to_vaddr(slot), index << PAGE_SHIFT), before, after,
                              TLB_HERE);
    }
}

/* Pages that have gone from their entries; the references of these are not given back yet. */
struct gone {
    frame_t frames[COW_OUT_MOST];
    uint32_t count;
    struct tlb_batch batch;
};

/* False: the hand has to stay at INDEX. */
static bool put_entry_out(struct gone *gone, frame_t table, uint32_t *entries, uint32_t index)
{
    pte_t entry = {entries[index]};
    frame_t number;
    enum kerr error = cow_swapper->put_out(pte_frame(entry), &number);
    if (error != KERR_OK)
        return error != KERR_AGAIN;
    pte_t out = entry_when_out(entry, number);
    entries[index] = out.bits;
    if (CHECKED)
        tell_ledger(table, index, entry, out);
    tlb_batch_add(&gone->batch, (tlb_debt_t){VADDR(0), entry.bits, out.bits});
    gone->frames[gone->count++] = pte_frame(entry);
    return true;
}

void cow_leave_frame(frame_t frame)
{
    frame_put(&frame_pool, frame);
    if (frame_kind(&frame_pool, frame) == FRAME_SWAPPED &&
        frame_references(&frame_pool, frame) == 1)
        cow_swapper->left(frame);
}

static void give_references_back(const struct gone *gone)
{
    for (uint32_t i = 0; i < gone->count; i++)
        cow_leave_frame(gone->frames[i]);
}

/* Which of the pages that may go do so. */
enum who_goes {
    GOES_IF_UNUSED, /* not since the last look: the others lose the mark */
    GOES_IF_SOLE,   /* used or not, if no other entry shows it */
};

/* No other entry shows ENTRY's page; its slot may have it, too. */
static bool is_sole(pte_t entry)
{
    frame_t frame = pte_frame(entry);
    uint32_t keepers = frame_kind(&frame_pool, frame) == FRAME_SWAPPED;
    return frame_references(&frame_pool, frame) == 1 + keepers;
}

/* From entry *AT of TABLE on, and before END: at most MOST pages go. */
static inline __attribute__((always_inline)) uint32_t
put_some_out(frame_t table, uint32_t *at, uint32_t end, uint32_t most, enum who_goes who)
{
    struct gone gone = {.count = 0, .batch = {{{0}, 0, 0}}};
    uint32_t *entries = temp_map(TEMP_FAULT_OLD_TABLE, table);
    while (*at < end && gone.count < most) {
        *at = next_used_entry(entries, *at);
        if (*at >= end)
            break;
        pte_t entry = {entries[*at]};
        if (pte_frame(entry).n == zero_frame.n) /* promises come in rows */
            *at += words_run(entries + *at, entry.bits, SLOT_PAGES - *at) - 1;
        else if (who == GOES_IF_UNUSED && may_go_out(entry) && (entry.bits & ENTRY_ACCESSED))
            entries[*at] = entry.bits & ~(uint32_t)ENTRY_ACCESSED; /* nothing is owed: tlb.h */
        else if (may_go_out(entry) && (who == GOES_IF_UNUSED || is_sole(entry)) &&
                 !put_entry_out(&gone, table, entries, *at))
            break;
        ++*at;
    }
    temp_unmap(TEMP_FAULT_OLD_TABLE);
    tlb_batch_pay(&gone.batch);
    give_references_back(&gone);
    return gone.count;
}

enum kerr cow_put_frame_out(frame_t frame, frame_t *number)
{
    return cow_swapper == NULL ? KERR_NO_SPACE : cow_swapper->put_out(frame, number);
}

uint32_t cow_put_out(frame_t table, uint32_t *at, uint32_t most)
{
    return put_some_out(table, at, SLOT_PAGES, most, GOES_IF_UNUSED);
}

uint32_t cow_put_range_out(vaddr_t first, uint32_t pages)
{
    pde_t pde = pde_read(vaddr_to_slot(first));
    uint32_t at = vaddr_to_pte_idx(first), end = at + pages, gone = 0, before;
    if (!pde_is_table(pde))
        return 0;
    do {
        before = at;
        gone += put_some_out(pde_frame(pde), &at, end, COW_OUT_MOST, GOES_IF_SOLE);
    } while (at < end && at > before);
    return gone;
}

/* ---- back ---- */

/* What SWAPPED, an entry, is when it shows FRAME, which its slot keeps. */
static pte_t entry_when_back(pte_t swapped, frame_t frame)
{
    const uint32_t kept = ENTRY_ACCESSED | ENTRY_USER | PTE_COW;
    bool has_rights = (swapped.bits & ENTRY_ACCESSED) != 0;
    return pte_make(frame, has_rights ? ENTRY_PRESENT | (swapped.bits & kept) : (uint32_t)PTE_KEPT);
}

/* PAGE's entry, in a table that may be shared, becomes BACK instead of SWAPPED. */
static void store_back(vaddr_t page, pte_t swapped, pte_t back)
{
    pde_t pde = pde_read(vaddr_to_slot(page));
    volatile uint32_t *entry = pte_slot(page);
    if (pde_is_shared(pde))
        entry = (uint32_t *)temp_map(TEMP_FAULT_OLD_TABLE, pde_frame(pde)) + vaddr_to_pte_idx(page);
    tlb_unneeded(pte_replace_by(entry, page, swapped, back), TLB_WAS_NOT_PRESENT);
    if (pde_is_shared(pde))
        temp_unmap(TEMP_FAULT_OLD_TABLE);
}

enum kerr cow_bring_back(vaddr_t page, bool is_write)
{
    pte_t swapped = pte_read(page);
    frame_t slot = pte_frame(swapped), frame;
    ASSERT(pte_is_swapped(swapped), "the entry of a page that comes back is swapped");
    enum kerr error = cow_swapper->bring(slot, &frame);
    if (error != KERR_OK)
        return error;
    frame_get(&frame_pool, frame);
    store_back(page, swapped, entry_when_back(swapped, frame));
    frame_put(&frame_pool, slot);
    if (is_write)
        (void)cow_lets_go(frame);
    return KERR_OK;
}

/* A page that is still being written stays its slot's until that is done: there is a copy then. */
enum kerr cow_bring_frame_back(frame_t number, frame_t *frame)
{
    bool is_slot = frame_is_slot(&frame_pool, number);
    frame_t shown = number;
    enum kerr error = is_slot ? cow_swapper->bring(number, &shown) : KERR_OK;
    if (error != KERR_OK)
        return error;
    frame_get(&frame_pool, shown);
    frame_put(&frame_pool, number); /* a slot stays as long as its page is here */
    *frame = shown;
    if (is_slot && cow_swapper->let_go(shown))
        return KERR_OK;
    error = cow_copy_frame(shown, frame);
    if (error != KERR_OK)
        frame_get(&frame_pool, number);
    frame_put(&frame_pool, shown);
    return error;
}

enum kerr cow_bring_table_back(frame_t table, frame_t first, frame_t end)
{
    enum kerr error = KERR_OK;
    uint32_t brought = 0;
    uint32_t *entries = temp_map(TEMP_FAULT_OLD_TABLE, table);
    for (uint32_t i = next_used_entry(entries, 0); i < SLOT_PAGES && error == KERR_OK; i++) {
        pte_t entry = {entries[i]};
        frame_t slot = pte_frame(entry), frame;
        if (!pte_is_swapped(entry) || slot.n < first.n || slot.n >= end.n)
            continue;
        error = brought++ < COW_BACK_MOST ? cow_swapper->bring(slot, &frame) : KERR_AGAIN;
        if (error != KERR_OK)
            break;
        frame_get(&frame_pool, frame);
        entries[i] = entry_when_back(entry, frame).bits; /* not present before: nothing is owed */
        frame_put(&frame_pool, slot);
    }
    temp_unmap(TEMP_FAULT_OLD_TABLE);
    return error;
}

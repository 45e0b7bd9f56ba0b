/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Ranges of pages: release, protect, discard.
 *
 *   |      slot      |      slot      |      slot      |
 *           [ head   |     whole      |   tail ]
 *           [ head ]                                     inside one slot: a head and nothing else
 *   [     whole      |     whole      ]                  from boundary to boundary: no ends
 *   [     whole      |   tail ]                          from a boundary on: no head
 *
 * A range is a part of a slot, whole slots, and a part of a slot. Whole slots are changed by their
 * directory entry alone where that is possible; a part needs a table of the slot's own, which is
 * made first, so that nothing can fail once the first entry has changed.
 */
#include "cow_entry.h"

#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/zero.h>

/* Some pages of one slot. */
struct part {
    vaddr_t first;
    uint32_t slot, pages; /* 0 pages: no such part */
};

struct parts {
    struct part head, tail;
    uint32_t slot, slots; /* those between, covered whole */
};

static inline void split_range(vaddr_t first, uint32_t pages, struct parts *parts)
{
    uint32_t before = vaddr_to_pte_idx(first), slot = vaddr_to_slot(first);
    parts->head = (struct part){first, slot, pages};
    parts->slots = 0;
    parts->tail.pages = 0;
    if (before + pages < SLOT_PAGES)
        return; /* as a rule */
    parts->head.pages = before != 0 ? SLOT_PAGES - before : 0;
    parts->slot = before != 0 ? slot + 1 : slot;
    pages -= parts->head.pages;
    parts->slots = pages / SLOT_PAGES;
    uint32_t end = parts->slot + parts->slots;
    parts->tail = (struct part){slot_to_vaddr(end), end, pages % SLOT_PAGES};
}

/*
 * The common case: a part of one slot (the second drawing above), which has no table, or one of its
 * own. *PART is it. Nothing can fail there, and nothing is shared.
 */
enum simple { NOT_SIMPLE, NO_TABLE, OWN_TABLE };

static inline enum simple simple_part(vaddr_t first, uint32_t pages, struct part *part)
{
    *part = (struct part){first, vaddr_to_slot(first), pages};
    if (vaddr_to_pte_idx(first) + pages > SLOT_PAGES || pages == SLOT_PAGES)
        return NOT_SIMPLE;
    pde_t pde = pde_read(part->slot);
    if (pde_is_empty(pde))
        return NO_TABLE;
    return pde_is_own_table(pde) ? OWN_TABLE : NOT_SIMPLE;
}

/*
 * Before a part is edited: a table of its own, so that nothing can fail any more. A slot that is
 * an untouched promise needs none: it is replaced as a whole.
 */
static inline enum kerr prepare_part(const struct part *part)
{
    if (part->pages == 0)
        return KERR_OK;
    pde_t pde = pde_read(part->slot);
    if (pde_is_own_table(pde) || pde_is_empty(pde) || zero_slot_is_untouched(part->slot))
        return KERR_OK;
    return pde_is_swapped(pde) ? cow_bring_table(part->slot) : cow_unshare(part->slot);
}

static inline enum kerr prepare_ends(const struct parts *parts)
{
    enum kerr error = prepare_part(&parts->head);
    return error == KERR_OK ? prepare_part(&parts->tail) : error;
}

enum kerr cow_prepare(vaddr_t first, uint32_t pages)
{
    struct parts parts;
    split_range(first, pages, &parts);
    return prepare_ends(&parts);
}

/* PART is not empty, and its slot has a table. (One that is out is a whole slot's.) */
static inline bool part_has_table(const struct part *part)
{
    if (part->pages == 0)
        return false;
    pde_t pde = pde_read(part->slot);
    ASSERT(!pde_is_large(pde), "slot %u, a large page, is changed in part", (unsigned)part->slot);
    return !pde_is_empty(pde);
}

static inline struct part whole_part(uint32_t slot)
{
    return (struct part){slot_to_vaddr(slot), slot, SLOT_PAGES};
}

/* ---- release ---- */

void cow_drop_entries(frame_t frame, uint32_t used)
{
    const uint32_t *entries = temp_map(TEMP_TABLE, frame);
    for (uint32_t i = 0; used > 0 && i < SLOT_PAGES; i++, used--) {
        i = next_used_entry(entries, i);
        frame_t held = pte_frame((pte_t){entries[i]});
        if (held.n == zero_frame.n) { /* promises come in rows */
            uint32_t run = words_run(entries + i, entries[i], SLOT_PAGES - i);
            frame_put_many(&frame_pool, held, run);
            used -= run - 1;
            i += run - 1;
        } else if (i < SLOT_PAGES) {
            frame_put(&frame_pool, held);
        }
    }
    temp_unmap(TEMP_TABLE);
}

void cow_free_table(frame_t table)
{
    cow_drop_entries(table, frame_record(&frame_pool, table)->used_entries);
    frame_free(&frame_pool, table);
}

/* COUNT PDEs that pointed to TABLE are gone, and nothing translates through them any more. */
static void drop_table(frame_t table, uint32_t count)
{
    if (frame_references(&frame_pool, table) == count) {
        frame_put_many(&frame_pool, table, count - 1);
        cow_free_table(table);
    } else {
        frame_put_many(&frame_pool, table, count);
    }
}

/* The tables of COUNT slots, all alike, are out: nobody will ask for them here any more. */
static __attribute__((noinline)) void forget_slots(uint32_t slot, uint32_t count)
{
    for (uint32_t end = slot + count; slot < end; slot++) {
        pde_t pde = pde_read(slot);
        tlb_unneeded(pde_write(slot, PDE_EMPTY), TLB_WAS_NOT_PRESENT);
        cow_swapper->forget(pde_frame(pde));
    }
}

/* Empty COUNT whole slots, run by run: clear, invalidate, free. */
static void release_slots(uint32_t slot, uint32_t count)
{
    while (count > 0) {
        pde_t pde = pde_read(slot);
        uint32_t run = pde_run(slot, count);
        ASSERT(!pde_is_large(pde), "release of slot %u, which is a large page", slot);
        if (pde_is_present(pde)) {
            pde_clear_run(slot, run);
            drop_table(pde_frame(pde), run);
        } else if (pde_is_swapped(pde)) {
            forget_slots(slot, run);
        }
        slot += run;
        count -= run;
    }
}

/* Empty some pages of a slot, whose table is own. */
static void release_pages(const struct part *part)
{
    int32_t emptied = 0;
    for (uint32_t i = 0; i < part->pages; i++) {
        vaddr_t page = vaddr_add(part->first, i << PAGE_SHIFT);
        pte_t pte = pte_read(page);
        if (pte_is_empty(pte))
            continue;
        tlb_invalidate_page(pte_replace(page, pte, PTE_EMPTY));
        frame_put(&frame_pool, pte_frame(pte));
        emptied++;
    }
    if (emptied == 0)
        return; /* nor has the table become empty */
    table_count_used(part->slot, -emptied);
    table_release_if_empty(part->slot);
}

static inline void release_part(const struct part *part)
{
    if (!part_has_table(part))
        return;
    if (zero_slot_is_untouched(part->slot))
        release_slots(part->slot, 1);
    else
        release_pages(part);
}

enum kerr cow_release(vaddr_t first, uint32_t pages)
{
    struct part part;
    enum simple simple = simple_part(first, pages, &part);
    if (simple == OWN_TABLE)
        release_pages(&part);
    if (simple != NOT_SIMPLE)
        return KERR_OK;
    struct parts parts;
    split_range(first, pages, &parts);
    enum kerr error = prepare_ends(&parts);
    if (error != KERR_OK)
        return error;
    release_part(&parts.head);
    release_slots(parts.slot, parts.slots);
    release_part(&parts.tail);
    return KERR_OK;
}

void cow_drop_table(pde_t pde, uint32_t count)
{
    if (pde_is_present(pde))
        drop_table(pde_frame(pde), count);
    for (uint32_t i = 0; pde_is_swapped(pde) && i < count; i++)
        cow_swapper->forget(pde_frame(pde));
}

bool cow_drop_tables(uint32_t id, uint32_t most)
{
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT;) {
        pde_t pde = directory_pde_read(id, slot);
        uint32_t run = directory_pde_run(id, slot, KERNEL_FIRST_SLOT - slot);
        if (!pde_is_empty(pde)) {
            if (most-- == 0)
                return false;
            for (uint32_t i = 0; i < run; i++)
                directory_pde_write(id, slot + i, PDE_EMPTY);
            if (likely(pde_is_present(pde)))
                drop_table(pde_frame(pde), run);
            else
                cow_drop_table(pde, run);
        }
        slot += run;
    }
    return true;
}

void cow_drop_lower_half(uint32_t id)
{
    while (!cow_drop_tables(id, KERNEL_FIRST_SLOT))
        ;
}

/* ---- protect, discard ---- */

/* PAGE is out: FLAGS are those it is to have when it comes back. */
static __attribute__((noinline)) void protect_swapped(vaddr_t page, pte_t old, uint32_t flags)
{
    const uint32_t kept = ENTRY_ACCESSED | ENTRY_USER | PTE_COW;
    pte_t new = {(old.bits & ~kept) | (flags & kept)};
    tlb_unneeded(pte_replace(page, old, new), TLB_WAS_NOT_PRESENT);
}

/* Pages of a slot, whose table is own, get other rights. */
static void protect_pages(const struct part *part, enum rights rights)
{
    bool is_accessible = (rights & ~(unsigned)RIGHTS_USER) != RIGHTS_NONE;
    uint32_t own_flags = is_accessible ? pte_flags(part->first, rights) : (uint32_t)PTE_KEPT;
    uint32_t shared_flags = is_accessible ? cow_flags(part->first, rights) : (uint32_t)PTE_KEPT;
    for (uint32_t i = 0; i < part->pages; i++) {
        vaddr_t page = vaddr_add(part->first, i << PAGE_SHIFT);
        pte_t old = pte_read(page), new;
        if (pte_is_empty(old))
            continue;
        if (unlikely(pte_is_swapped(old))) {
            protect_swapped(page, old, shared_flags);
            continue;
        }
        frame_t frame = pte_frame(old);
        uint32_t mapping = old.bits & PTE_SHARED_MAPPING;
        /* Who could not write to a shared mapping asks first. */
        bool is_own =
            mapping != 0 ? pte_is_writable(old) : frame_references(&frame_pool, frame) == 1;
        new = pte_make(frame, (is_own ? own_flags : shared_flags) | mapping);
        if (old.bits != new.bits)
            tlb_invalidate_page(pte_replace(page, old, new));
    }
}

/* Empty the slot, and promise it anew if it is wanted whole: else the next touch does. */
static void promise_again(const struct part *part, enum rights rights)
{
    release_slots(part->slot, 1);
    if (part->pages == SLOT_PAGES && (rights & ~(unsigned)RIGHTS_USER) != RIGHTS_NONE) {
        enum kerr error = zero_promise_slots(part->slot, 1, rights);
        ASSERT(error == KERR_OK, "slot %u was just emptied", part->slot);
    }
}

static void protect_part(const struct part *part, enum rights rights)
{
    if (!part_has_table(part))
        return;
    if (zero_slot_is_untouched(part->slot))
        promise_again(part, rights);
    else
        protect_pages(part, rights);
}

/* CHANGE what lies in PARTS, which are prepared. */
static void change_parts(const struct parts *parts, enum rights rights,
                         void (*change)(const struct part *part, enum rights rights))
{
    change(&parts->head, rights);
    for (uint32_t i = 0; i < parts->slots; i++) {
        struct part part = whole_part(parts->slot + i);
        change(&part, rights);
    }
    change(&parts->tail, rights);
}

enum kerr cow_protect(vaddr_t first, uint32_t pages, enum rights rights)
{
    struct part part;
    enum simple simple = simple_part(first, pages, &part);
    if (simple == OWN_TABLE)
        protect_pages(&part, rights);
    if (simple != NOT_SIMPLE)
        return KERR_OK;
    struct parts parts;
    split_range(first, pages, &parts);
    enum kerr error = prepare_ends(&parts);
    for (uint32_t i = 0; i < parts.slots && error == KERR_OK; i++) {
        part = whole_part(parts.slot + i);
        error = prepare_part(&part);
    }
    if (error != KERR_OK)
        return error;
    change_parts(&parts, rights, protect_part);
    return KERR_OK;
}

/*
 * If every page of the slot, whose table is own, promises zeros with RIGHTS: share a zero table
 * instead. No translation below changes.
 */
static void fold_into_zero_table(uint32_t slot, enum rights rights)
{
    pde_t own = pde_read(slot);
    const void *entries = vaddr_to_pointer(window_page(slot_to_vaddr(slot)));
    if (!pde_is_own_table(own) ||
        words_run(entries, zero_pte(rights).bits, SLOT_PAGES) < SLOT_PAGES)
        return;
    enum rights user = own.bits & ENTRY_USER ? RIGHTS_USER : RIGHTS_NONE;
    tlb_invalidate_table(pde_write(slot, zero_take_table(rights | user)));
    frame_put_many(&frame_pool, zero_frame, SLOT_PAGES);
    frame_free(&frame_pool, pde_frame(own));
}

/* Pages of a slot, whose table is own, promise zeros again. Shared mappings are left to a touch. */
static void discard_pages(const struct part *part, enum rights rights)
{
    const pte_t zero = zero_pte(rights);
    uint32_t promised = 0;
    for (uint32_t i = 0; i < part->pages; i++) {
        vaddr_t page = vaddr_add(part->first, i << PAGE_SHIFT);
        pte_t pte = pte_read(page);
        if (pte_is_empty(pte) || pte_frame(pte).n == zero_frame.n)
            continue;
        if (pte_is_present(pte) && !(pte.bits & PTE_SHARED_MAPPING)) {
            tlb_invalidate_page(pte_replace(page, pte, zero));
            promised++;
        } else {
            tlb_invalidate_page(pte_write(page, PTE_EMPTY));
        }
        frame_put(&frame_pool, pte_frame(pte));
    }
    frame_get_many(&frame_pool, zero_frame, promised);
    table_release_if_empty(part->slot);
    fold_into_zero_table(part->slot, rights);
}

static void discard_part(const struct part *part, enum rights rights)
{
    if (!part_has_table(part) || zero_slot_is_untouched(part->slot))
        return;
    if (part->pages == SLOT_PAGES)
        promise_again(part, rights);
    else
        discard_pages(part, rights);
}

enum kerr cow_discard(vaddr_t first, uint32_t pages, enum rights rights)
{
    struct part part;
    enum simple simple = simple_part(first, pages, &part);
    if (simple == OWN_TABLE)
        discard_pages(&part, rights);
    if (simple != NOT_SIMPLE)
        return KERR_OK;
    struct parts parts;
    split_range(first, pages, &parts);
    enum kerr error = prepare_ends(&parts);
    if (error != KERR_OK)
        return error;
    change_parts(&parts, rights, discard_part);
    return KERR_OK;
}

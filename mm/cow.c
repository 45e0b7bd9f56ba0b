/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Copy-on-write of frames and of tables.
 *
 * What a write does, by the entries alone:
 *
 *   PDE \ PTE    empty/kept    read-only   COW                      writable
 *   not present  not mine      -           -                        -
 *   shared       not mine      refused     unshare, then as below   unshare
 *   own          not mine      refused     copy, clear or take      (spurious: not mine)
 *   large        refused
 *
 * A table with more than one reference has only SHARED PDEs above it, so nothing below it can be
 * written, whatever its PTEs say: to edit it changes no translation. A *sole owner*, count 1 at
 * every level of the path, takes what is there without copying.
 */
#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/layer.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/zero.h>

struct cow_counters cow_counters;

/* ---- a frame ---- */

/* A private frame with the contents of FRAME, which others use as well. */
static inline enum kerr copy_frame(frame_t frame, frame_t *copy)
{
    if (unlikely(frame_alloc(&frame_pool, FRAME_ANONYMOUS, copy) != KERR_OK))
        return KERR_NO_MEMORY;
    void *to = temp_map(TEMP_FAULT_FRAME, *copy);
    if (frame.n == zero_frame.n) {
        page_clear(to);
        cow_counters.frames_cleared++;
    } else {
        page_copy(to, temp_map(TEMP_FAULT_SOURCE, frame));
        temp_unmap(TEMP_FAULT_SOURCE);
        cow_counters.frames_copied++;
    }
    temp_unmap(TEMP_FAULT_FRAME);
    return KERR_OK;
}

/* The table is PAGE's slot's own, and PTE, its entry, is COW. */
static inline enum fault_result answer_cow(vaddr_t page, pte_t pte)
{
    uint32_t flags = (pte.bits & ENTRY_USER) | pte_flags(page, RIGHTS_READ_WRITE);
    frame_t old = pte_frame(pte), new;
    if (frame_references(&frame_pool, old) == 1) {
        cow_counters.frames_taken++;
        tlb_unneeded(pte_replace(page, pte, pte_make(old, flags)), TLB_MORE_RIGHTS);
        return FAULT_RESOLVED;
    }
    if (unlikely(copy_frame(old, &new) != KERR_OK))
        return FAULT_NO_MEMORY;
    tlb_invalidate_page(pte_replace(page, pte, pte_make(new, flags)));
    frame_put(&frame_pool, old);
    return FAULT_RESOLVED;
}

/* ---- a table ---- */

/* ENTRY of a table that is being copied: what it is in both tables from here on. */
static inline pte_t entry_when_shared(pte_t entry)
{
    if (pte_is_writable(entry) && !(entry.bits & PTE_SHARED_MAPPING))
        entry.bits = (entry.bits & ~(uint32_t)(ENTRY_WRITABLE | ENTRY_GLOBAL)) | PTE_COW;
    return entry;
}

/* Fill TO from FROM, a shared table; FROM's private entries lose the right to write as well. */
static void copy_entries(uint32_t *to, uint32_t *from)
{
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t entry = entry_when_shared((pte_t){from[i]});
        to[i] = entry.bits;
        from[i] = entry.bits;
        if (pte_holds_frame(entry))
            frame_get(&frame_pool, pte_frame(entry));
    }
}

/* A table with the contents of TABLE, which the PDE of SLOT shares with others. */
static inline enum kerr copy_table(uint32_t slot, frame_t table, frame_t *copy)
{
    if (unlikely(frame_alloc(&frame_pool, FRAME_TABLE, copy) != KERR_OK))
        return KERR_NO_MEMORY;
    uint32_t *to = temp_map(TEMP_FAULT_TABLE, *copy);
    struct frame_record *record = frame_record(&frame_pool, table);
    if (record->kind == FRAME_ZERO) { /* all entries are equal, and none is writable */
        pte_t entry = pte_read(slot_to_vaddr(slot));
        words_fill(to, entry.bits, SLOT_PAGES);
        frame_get_many(&frame_pool, pte_frame(entry), SLOT_PAGES);
        cow_counters.tables_filled++;
    } else {
        copy_entries(to, temp_map(TEMP_FAULT_OLD_TABLE, table));
        temp_unmap(TEMP_FAULT_OLD_TABLE);
        cow_counters.tables_copied++;
    }
    temp_unmap(TEMP_FAULT_TABLE);
    frame_record(&frame_pool, *copy)->used_entries = record->used_entries;
    return KERR_OK;
}

/* PDE, of SLOT, is shared. */
static inline enum kerr unshare(uint32_t slot, pde_t pde)
{
    frame_t old = pde_frame(pde), new = old;
    bool is_sole = frame_references(&frame_pool, old) == 1;
    if (is_sole)
        cow_counters.tables_taken++;
    else if (unlikely(copy_table(slot, old, &new) != KERR_OK))
        return KERR_NO_MEMORY;

    uint32_t flags = pde_own_flags(RIGHTS_NONE) | (pde.bits & ENTRY_USER);
    tlb_invalidate_table(pde_write(slot, pde_make(new, flags)));
    if (!is_sole)
        frame_put(&frame_pool, old);
    return KERR_OK;
}

enum kerr cow_unshare(uint32_t slot)
{
    pde_t pde = pde_read(slot);
    return pde_is_shared(pde) ? unshare(slot, pde) : KERR_OK;
}

/* ---- a write ---- */

/*
 * A write below PDE, shared, to PTE wants two frames, and fewer are left: no table is copied for a
 * page that then finds none. (A sole owner copies no table, and a shared mapping no page.)
 */
static bool lacks_a_frame(pde_t pde, pte_t pte)
{
    return frame_references(&frame_pool, pde_frame(pde)) != 1 && !(pte.bits & PTE_SHARED_MAPPING);
}

/*
 * A write to a page whose table is not own. Kept out of the way of the common case, which it leads
 * to in the end.
 */
static __attribute__((noinline)) enum fault_result write_without_table(vaddr_t page, pde_t pde)
{
    if (!pde_is_shared(pde))
        return pde_is_large(pde) && !(pde.bits & ENTRY_WRITABLE) ? FAULT_BAD_ACCESS
                                                                 : FAULT_NOT_MINE;
    pte_t pte = pte_read(page);
    if (!pte_is_present(pte))
        return FAULT_NOT_MINE;
    if (!(pte.bits & (ENTRY_WRITABLE | PTE_COW)))
        return FAULT_BAD_ACCESS; /* no copy for a write that is refused anyway */
    if (unlikely(frame_available(&frame_pool) < 2) && lacks_a_frame(pde, pte))
        return FAULT_NO_MEMORY;
    if (unshare(vaddr_to_slot(page), pde) != KERR_OK)
        return FAULT_NO_MEMORY;
    return pte_is_writable(pte_read(page)) ? FAULT_RESOLVED : cow_write(page);
}

enum fault_result cow_write(vaddr_t page)
{
    pde_t pde = pde_read(vaddr_to_slot(page));
    if (unlikely(!pde_is_own_table(pde)))
        return write_without_table(page, pde);
    pte_t pte = pte_read(page);
    if (likely(pte_is_cow(pte)))
        return answer_cow(page, pte);
    return pte_is_present(pte) && !pte_is_writable(pte) ? FAULT_BAD_ACCESS : FAULT_NOT_MINE;
}

static enum fault_result cow_fault(const struct page_fault *fault)
{
    if (fault->access != ACCESS_WRITE || !fault->present)
        return FAULT_NOT_MINE;
    return cow_write(vaddr_to_page(fault->address));
}

enum kerr cow_make_real(vaddr_t first, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        vaddr_t page = vaddr_add(first, i << PAGE_SHIFT);
        enum fault_result result = cow_write(page);
        if (result == FAULT_NO_MEMORY)
            return KERR_NO_MEMORY;
        if (result == FAULT_RESOLVED)
            continue;
        struct translation t;
        paging_query(page, &t);
        if (!t.has_pte || !pte_is_writable(t.pte))
            return KERR_BAD_ACCESS;
    }
    return KERR_OK;
}

/* ---- ranges: a part of a slot, whole slots, a part of a slot ---- */

/* Some pages of one slot. */
struct part {
    vaddr_t first;
    uint32_t slot, pages; /* 0 pages: no such part */
};

struct parts {
    struct part head, tail;
    uint32_t slot, slots; /* those between, covered whole */
};

static inline struct parts split_range(vaddr_t first, uint32_t pages)
{
    struct parts parts = {0};
    uint32_t before = vaddr_to_pte_idx(first);
    parts.head = (struct part){first, vaddr_to_slot(first), 0};
    parts.slot = parts.head.slot;
    if (before != 0 || pages < SLOT_PAGES) {
        parts.head.pages = pages < SLOT_PAGES - before ? pages : SLOT_PAGES - before;
        parts.slot++;
    }
    pages -= parts.head.pages;
    parts.slots = pages / SLOT_PAGES;
    uint32_t end = parts.slot + parts.slots;
    parts.tail = (struct part){slot_to_vaddr(end), end, pages % SLOT_PAGES};
    return parts;
}

/*
 * Before a part is edited: a table of its own, so that nothing can fail any more. A slot that is
 * an untouched promise needs none: it is replaced as a whole.
 */
static inline enum kerr prepare_part(const struct part *part)
{
    if (part->pages == 0 || !pde_is_shared(pde_read(part->slot)) ||
        zero_slot_is_untouched(part->slot))
        return KERR_OK;
    return cow_unshare(part->slot);
}

static inline enum kerr prepare_ends(const struct parts *parts)
{
    enum kerr error = prepare_part(&parts->head);
    return error == KERR_OK ? prepare_part(&parts->tail) : error;
}

/* PART is not empty, and its slot has a table. */
static inline bool part_has_table(const struct part *part)
{
    if (part->pages == 0)
        return false;
    pde_t pde = pde_read(part->slot);
    ASSERT(!pde_is_large(pde), "slot %u, a large page, is changed in part", (unsigned)part->slot);
    return pde_is_present(pde);
}

static inline struct part whole_part(uint32_t slot)
{
    return (struct part){slot_to_vaddr(slot), slot, SLOT_PAGES};
}

/* ---- release ---- */

/* The last PDE of TABLE is gone: drop what its entries hold, then the table. */
static void free_table(frame_t table)
{
    const uint32_t *entries = temp_map(TEMP_TABLE, table);
    frame_t frame = FRAME(0);
    uint32_t run = 0; /* entries in a row that hold FRAME */
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t entry = {entries[i]};
        if (!pte_holds_frame(entry))
            continue;
        if (run > 0 && pte_frame(entry).n != frame.n) {
            frame_put_many(&frame_pool, frame, run);
            run = 0;
        }
        frame = pte_frame(entry);
        run++;
    }
    if (run > 0)
        frame_put_many(&frame_pool, frame, run);
    temp_unmap(TEMP_TABLE);
    frame_free(&frame_pool, table);
}

/* COUNT PDEs that pointed to TABLE are gone, and nothing translates through them any more. */
static void drop_table(frame_t table, uint32_t count)
{
    if (frame_references(&frame_pool, table) == count) {
        frame_put_many(&frame_pool, table, count - 1);
        free_table(table);
    } else {
        frame_put_many(&frame_pool, table, count);
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
    struct parts parts = split_range(first, pages);
    enum kerr error = prepare_ends(&parts);
    if (error != KERR_OK)
        return error;
    release_part(&parts.head);
    release_slots(parts.slot, parts.slots);
    release_part(&parts.tail);
    return KERR_OK;
}

/* ---- protect, discard ---- */

/* PTE, of PAGE, with other rights. */
static pte_t pte_with_rights(vaddr_t page, pte_t pte, enum rights rights)
{
    frame_t frame = pte_frame(pte);
    uint32_t mapping = pte.bits & PTE_SHARED_MAPPING;
    if (pte_is_empty(pte))
        return pte;
    if (!(rights & (RIGHTS_READ | RIGHTS_WRITE | RIGHTS_EXECUTE)))
        return pte_make(frame, PTE_KEPT | mapping);
    bool writable = mapping != 0 || frame_references(&frame_pool, frame) == 1;
    if (!(rights & RIGHTS_WRITE) || writable)
        return pte_make(frame, pte_flags(page, rights) | mapping);
    enum rights read_only = rights & ~(unsigned)RIGHTS_WRITE;
    return pte_make(frame, (pte_flags(page, read_only) & ~(uint32_t)ENTRY_GLOBAL) | PTE_COW);
}

static void protect_pages(const struct part *part, enum rights rights)
{
    for (uint32_t i = 0; i < part->pages; i++) {
        vaddr_t page = vaddr_add(part->first, i << PAGE_SHIFT);
        pte_t old = pte_read(page), new = pte_with_rights(page, old, rights);
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

enum kerr cow_protect(vaddr_t first, uint32_t pages, enum rights rights)
{
    struct parts parts = split_range(first, pages);
    enum kerr error = prepare_ends(&parts);
    for (uint32_t i = 0; i < parts.slots && error == KERR_OK; i++) {
        struct part part = whole_part(parts.slot + i);
        error = prepare_part(&part);
    }
    if (error != KERR_OK)
        return error;
    protect_part(&parts.head, rights);
    for (uint32_t i = 0; i < parts.slots; i++) {
        struct part part = whole_part(parts.slot + i);
        protect_part(&part, rights);
    }
    protect_part(&parts.tail, rights);
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
    for (uint32_t i = 0; i < part->pages; i++) {
        vaddr_t page = vaddr_add(part->first, i << PAGE_SHIFT);
        pte_t pte = pte_read(page);
        if (pte_is_empty(pte) || pte_frame(pte).n == zero_frame.n)
            continue;
        if (pte_is_present(pte) && !(pte.bits & PTE_SHARED_MAPPING)) {
            tlb_invalidate_page(pte_replace(page, pte, zero_pte(rights)));
            frame_get(&frame_pool, zero_frame);
        } else {
            tlb_invalidate_page(pte_write(page, PTE_EMPTY));
        }
        frame_put(&frame_pool, pte_frame(pte));
    }
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
    struct parts parts = split_range(first, pages);
    enum kerr error = prepare_ends(&parts);
    if (error != KERR_OK)
        return error;
    discard_part(&parts.head, rights);
    for (uint32_t i = 0; i < parts.slots; i++) {
        struct part part = whole_part(parts.slot + i);
        discard_part(&part, rights);
    }
    discard_part(&parts.tail, rights);
    return KERR_OK;
}

/* ---- sharing ---- */

void cow_share(uint32_t slot, uint32_t count, uint32_t id)
{
    struct tlb_batch batch = {{{0}, 0, 0}};
    for (uint32_t end = slot + count; slot < end; slot++) {
        pde_t pde = pde_read(slot);
        if (!pde_is_present(pde)) {
            slot += pde_run(slot, end - slot) - 1;
            continue;
        }
        ASSERT(slot < KERNEL_FIRST_SLOT && pde_is_table(pde), "slot %u can't be shared", slot);
        ASSERT(!pde_is_present(directory_pde_read(id, slot)), "slot %u of directory %u is in use",
               slot, id);
        if (!pde_is_shared(pde)) {
            pde.bits = (pde.bits & ~(uint32_t)ENTRY_WRITABLE) | PDE_SHARED;
            tlb_batch_add(&batch, pde_write(slot, pde));
        }
        frame_get(&frame_pool, pde_frame(pde));
        directory_pde_write(id, slot, pde);
    }
    tlb_batch_pay(&batch);
}

void cow_drop_lower_half(uint32_t id)
{
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT;) {
        pde_t pde = directory_pde_read(id, slot);
        uint32_t run = directory_pde_run(id, slot, KERNEL_FIRST_SLOT - slot);
        if (pde_is_present(pde)) {
            for (uint32_t i = 0; i < run; i++)
                directory_pde_write(id, slot + i, PDE_EMPTY);
            drop_table(pde_frame(pde), run);
        }
        slot += run;
    }
}

static enum kerr cow_layer_init(const struct boot_info *boot)
{
    (void)boot;
    static const struct fault_client client = {.name = "cow", .handle = cow_fault};
    fault_register(3, &client);
    return KERR_OK;
}

LAYER(3b, "cow", cow_layer_init);

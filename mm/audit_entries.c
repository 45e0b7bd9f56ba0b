/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The audit's rules of entries: what must hold of every entry of a directory, and of a
 * table, that is not empty; by itself, and as its region says.
 */
#include "audit_parts.h"

#include <arch/i386/entry.h>
#include <kernel/printk.h>

/* ---- directory entries ---- */

/* A table goes to a slot in the lower half, and from a sole owner. */
static bool pde_is_present_or_out(const struct directory_entry *at)
{
    return pde_is_present(at->pde) ||
           (at->space != &kernel_space &&
            (at->pde.bits & ENTRY_FLAGS_MASK & ~(uint32_t)ENTRY_USER) == PDE_SWAPPED);
}

static bool is_slot(frame_t number)
{
    for (uint32_t i = 0; i < SLOT_POOLS_MAX; i++) {
        const struct frame_pool *slots = frame_slots_pool(i);
        if (slots != NULL && number.n >= slots->first && number.n < slots->frames)
            return true;
    }
    return false;
}

/* NUMBER is a slot that keeps a table, or one that keeps a page. */
static bool is_slot_of_table(frame_t number)
{
    return is_slot(number) && frame_record(&frame_pool, number)->used_entries != 0;
}

static bool is_slot_of_page(frame_t number)
{
    return is_slot(number) && frame_record(&frame_pool, number)->used_entries == 0;
}

static bool pde_out_names_a_table(const struct directory_entry *at)
{
    return !pde_is_swapped(at->pde) || is_slot_of_table(pde_frame(at->pde));
}

static bool pde_large_is_fixed(const struct directory_entry *at)
{
    return !pde_is_large(at->pde) || is_fixed(region_of_slot(at));
}

static bool pde_leads_to_table(const struct directory_entry *at)
{
    if (pde_is_large(at->pde) || pde_is_swapped(at->pde))
        return true;
    if (!is_ram(pde_frame(at->pde)))
        return false;
    enum frame_kind kind = frame_kind(&frame_pool, pde_frame(at->pde));
    return kind == FRAME_TABLE || (kind == FRAME_ZERO && pde_frame(at->pde).n != zero_frame.n);
}

static bool pde_is_not_global(const struct directory_entry *at)
{
    return !pde_is_table(at->pde) || !(at->pde.bits & ENTRY_GLOBAL);
}

static bool pde_is_own_or_shared(const struct directory_entry *at)
{
    return !pde_is_table(at->pde) ||
           pde_is_shared(at->pde) == ((at->pde.bits & ENTRY_WRITABLE) == 0);
}

static bool pde_is_open_as_its_space(const struct directory_entry *at)
{
    return ((at->pde.bits & ENTRY_USER) != 0) == (at->space->user == RIGHTS_USER);
}

static bool pde_own_table_has_one_entry(const struct directory_entry *at)
{
    return !pde_is_own_table(at->pde) || frame_references(&frame_pool, pde_frame(at->pde)) == 1;
}

/* A zero table stands for a slot of promises without a hole, all with the same rights. */
static bool is_promise(const struct directory_entry *at)
{
    return pde_is_table(at->pde) && frame_kind(&frame_pool, pde_frame(at->pde)) == FRAME_ZERO;
}

static bool pde_promise_is_covered(const struct directory_entry *at)
{
    uint32_t page = at->slot * SLOT_PAGES, end = page + SLOT_PAGES;
    for (const struct vma *region = region_of_slot(at); is_promise(at) && page < end;
         region = vma_next(region)) {
        if (region == NULL || region->kind != VMA_PROMISE || region->first_page > page)
            return false;
        page = region->last_page + 1;
    }
    return true;
}

static bool promises_as(const struct vma *region, frame_t zero_table)
{
    enum zero_table table = region->rights & RIGHTS_WRITE ? ZERO_TABLE_COW : ZERO_TABLE_READ_ONLY;
    return vma_is_accessible(region) && zero_tables[table].n == zero_table.n;
}

static bool pde_promise_has_rights(const struct directory_entry *at)
{
    uint32_t end = (at->slot + 1) * SLOT_PAGES;
    for (const struct vma *region = region_of_slot(at);
         is_promise(at) && region != NULL && region->first_page < end; region = vma_next(region))
        if (!promises_as(region, pde_frame(at->pde)))
            return false;
    return true;
}

/* What must hold of every entry that is not empty, in this order: each may rely on those above. */
static const struct {
    const char *sentence;
    bool (*holds)(const struct directory_entry *at);
} directory_rules[] = {
    {"a directory entry is present or empty, or its table is out", pde_is_present_or_out},
    {"a directory entry whose table is out names a slot with a table", pde_out_names_a_table},
    {"a large page lies in a fixed region", pde_large_is_fixed},
    {"a directory entry leads to a table", pde_leads_to_table},
    {"no directory entry of a table is global", pde_is_not_global},
    {"a directory entry is either writable or shared", pde_is_own_or_shared},
    {"a table is open to user mode if and only if its space is", pde_is_open_as_its_space},
    {"a table with several directory entries is shared in all of them",
     pde_own_table_has_one_entry},
    {"a slot is promised as a whole only where regions cover it", pde_promise_is_covered},
    {"a promised slot has its regions' rights", pde_promise_has_rights},
};

/* ---- table entries ---- */

/* An entry of a table, in use. */
struct table_entry {
    const struct space *space;
    vaddr_t page;
    pte_t pte;
    const struct vma *region; /* that holds PAGE */
};

static bool pte_is_in_region(const struct table_entry *at)
{
    return at->region != NULL;
}

static bool pte_is_present_or_kept(const struct table_entry *at)
{
    const uint32_t flags = ENTRY_FLAGS_MASK & ~(uint32_t)PTE_SHARED_MAPPING;
    const uint32_t rights = ENTRY_ACCESSED | ENTRY_USER | PTE_COW;
    return pte_is_present(at->pte) || (at->pte.bits & flags) == PTE_KEPT ||
           (at->pte.bits & ENTRY_FLAGS_MASK & ~rights) == (PTE_KEPT | PTE_SWAPPED);
}

/* It has rights: it is present, or will be when it comes back. */
static bool pte_has_rights(pte_t pte)
{
    return pte_is_present(pte) || (pte_is_swapped(pte) && (pte.bits & ENTRY_ACCESSED));
}

static bool pte_fixed_is_present(const struct table_entry *at)
{
    return !is_fixed(at->region) || (pte_is_present(at->pte) && !pte_is_cow(at->pte));
}

static bool pte_promise_leads_to_ram(const struct table_entry *at)
{
    if (pte_is_swapped(at->pte))
        return is_slot_of_page(pte_frame(at->pte));
    return is_fixed(at->region) || is_ram(pte_frame(at->pte));
}

static bool pte_is_there_as_its_region(const struct table_entry *at)
{
    return pte_has_rights(at->pte) == vma_is_accessible(at->region);
}

static bool pte_is_writable_or_cow(const struct table_entry *at)
{
    return !(pte_is_writable(at->pte) && pte_is_cow(at->pte));
}

static bool pte_writes_as_its_region(const struct table_entry *at)
{
    bool may_write =
        pte_is_writable(at->pte) || (pte_has_rights(at->pte) && (at->pte.bits & PTE_COW) != 0);
    bool region_may = (at->region->rights & RIGHTS_WRITE) != 0;
    /* A fixed region is mapped page by page: it may have pages with fewer rights. */
    return is_fixed(at->region) ? !may_write || region_may
                                : may_write == (region_may && pte_has_rights(at->pte));
}

static bool pte_is_open_as_its_space(const struct table_entry *at)
{
    return at->space->user != RIGHTS_USER || !pte_has_rights(at->pte) ||
           (at->pte.bits & ENTRY_USER) != 0;
}

static bool pte_global_is_kernel(const struct table_entry *at)
{
    return at->space == &kernel_space || !pte_is_present(at->pte) || !(at->pte.bits & ENTRY_GLOBAL);
}

static bool pte_zero_is_the_zero_frame(const struct table_entry *at)
{
    frame_t frame = pte_frame(at->pte);
    return is_fixed(at->region) || frame_kind(&frame_pool, frame) != FRAME_ZERO ||
           (frame.n == zero_frame.n && !pte_is_writable(at->pte));
}

/* The area of directories shows live directories and promises, and they are seen nowhere else. */
static bool pte_directory_is_live(const struct table_entry *at)
{
    frame_t frame = pte_frame(at->pte);
    if (is_fixed(at->region) || frame.n == zero_frame.n)
        return true;
    uint32_t offset = at->page.v - DIRECTORIES_BASE;
    bool is_live = offset < DIRECTORIES_ROOM_BYTES && directory_is_live(offset >> PAGE_SHIFT);
    return is_live == (frame_kind(&frame_pool, frame) == FRAME_DIRECTORY) &&
           (is_live || offset >= DIRECTORIES_ROOM_BYTES);
}

/* What promised memory may hold; an object's, what the object has, or a copy of it. */
static bool pte_frame_holds_data(const struct table_entry *at)
{
    if (is_fixed(at->region))
        return true;
    enum frame_kind kind = frame_kind(&frame_pool, pte_frame(at->pte));
    if (kind == FRAME_SLOT)
        return pte_is_swapped(at->pte);
    bool is_private = !(at->region->flags & VMA_SHARED);
    if (at->region->kind == VMA_OBJECT ? kind == FRAME_FILE : kind == FRAME_DIRECTORY)
        return true;
    return kind == FRAME_ANONYMOUS || (is_private && (kind == FRAME_SWAPPED || kind == FRAME_ZERO));
}

/* So its slot holds the same. */
static bool pte_of_slot_is_read_only(const struct table_entry *at)
{
    return is_fixed(at->region) || !pte_is_writable(at->pte) ||
           frame_kind(&frame_pool, pte_frame(at->pte)) != FRAME_SWAPPED;
}

static bool pte_is_marked_as_its_region(const struct table_entry *at)
{
    bool is_marked = (at->pte.bits & PTE_SHARED_MAPPING) != 0;
    return is_marked == ((at->region->flags & VMA_SHARED) != 0);
}

/* A shared page is the object's, and so is a file's. Others may be private copies. */
static bool pte_is_of_its_object(const struct table_entry *at)
{
    const struct vma *region = at->region;
    frame_t frame;
    if (region->kind != VMA_OBJECT)
        return true;
    if ((region->flags & VMA_SHARED) == 0 &&
        frame_kind(&frame_pool, pte_frame(at->pte)) != FRAME_FILE)
        return true;
    uint32_t page = region->object_page + ((at->page.v >> PAGE_SHIFT) - region->first_page);
    return object_find_frame(region->object, page, &frame) == KERR_OK &&
           frame.n == pte_frame(at->pte).n;
}

static bool pte_writable_is_private(const struct table_entry *at)
{
    return is_fixed(at->region) || !pte_is_writable(at->pte) ||
           (at->pte.bits & PTE_SHARED_MAPPING) != 0 ||
           frame_references(&frame_pool, pte_frame(at->pte)) == 1;
}

static const struct {
    const char *sentence;
    bool (*holds)(const struct table_entry *at);
} table_rules[] = {
    {"an entry in use lies in a region", pte_is_in_region},
    {"an entry in use is present or keeps its frame", pte_is_present_or_kept},
    {"a page of a fixed region is mapped for good", pte_fixed_is_present},
    {"an entry in promised memory leads to RAM", pte_promise_leads_to_ram},
    {"a page is present if and only if its region has rights", pte_is_there_as_its_region},
    {"an entry is either writable or copy-on-write", pte_is_writable_or_cow},
    {"a page may be written as its region may", pte_writes_as_its_region},
    {"a page of the user's is open to user mode", pte_is_open_as_its_space},
    {"no page below 3 GiB is global", pte_global_is_kernel},
    {"nobody may write to the zero frame, or sees a zero table", pte_zero_is_the_zero_frame},
    {"the pages of live directories are directories, and no others", pte_directory_is_live},
    {"a page of promised memory holds data", pte_frame_holds_data},
    {"a page whose slot holds the same may not be written", pte_of_slot_is_read_only},
    {"an entry is marked as shared if and only if its region is", pte_is_marked_as_its_region},
    {"a page of an object shows the object's frame", pte_is_of_its_object},
    {"a private page that may be written has one entry", pte_writable_is_private},
};

static void check_table_entry(struct audit *audit, const struct table_entry *at)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(table_rules); i++)
        if (!table_rules[i].holds(at)) {
            audit_broken(audit, table_rules[i].sentence, "PTE %08x of " PRI_VADDR ", space %u",
                         (unsigned)at->pte.bits, ARG_VADDR(at->page),
                         (unsigned)at->space->directory);
            return;
        }
}

/* Entries that follow each other are often equal promises of one region: they are checked once. */
static bool is_like_the_last(const struct table_entry *at, const struct table_entry *last)
{
    return at->region == last->region && at->pte.bits == last->pte.bits &&
           pte_frame(at->pte).n == zero_frame.n;
}

/* The entries of a table, as ENTRIES show it. Returns how many are in use. */
static uint32_t check_entries(struct audit *audit, const struct directory_entry *at,
                              const uint32_t *entries)
{
    struct table_entry last = {0};
    uint32_t used = 0;
    for (uint32_t i = 0; i < SLOT_PAGES && audit->broken == NULL; i++) {
        if (entries[i] == 0)
            continue;
        vaddr_t page = vaddr_add(slot_to_vaddr(at->slot), i << PAGE_SHIFT);
        struct table_entry entry = {at->space, page, {entries[i]}, last.region};
        uint32_t number = page.v >> PAGE_SHIFT;
        if (last.region == NULL || number > last.region->last_page)
            entry.region = vma_find(at->space, page);
        if (!is_like_the_last(&entry, &last))
            check_table_entry(audit, &entry);
        last = entry;
        used++;
    }
    return used;
}

static void check_table(struct audit *audit, const struct directory_entry *at)
{
    frame_t table = pde_frame(at->pde);
    uint32_t counted = frame_record(&frame_pool, table)->used_entries;
    uint32_t used = check_entries(audit, at, temp_map(TEMP_FRAME, table));
    temp_unmap(TEMP_FRAME);
    if (audit->broken == NULL && used != counted)
        audit_broken(audit, "a table's entries in use are counted",
                     "slot %u of space %u: %u, not %u", (unsigned)at->slot,
                     (unsigned)at->space->directory, (unsigned)used, (unsigned)counted);
    if (used == 0)
        audit_broken(audit, "a table without an entry in use is given back", "slot %u of space %u",
                     (unsigned)at->slot, (unsigned)at->space->directory);
}

static void check_directory_entry(struct audit *audit, const struct directory_entry *at)
{
    audit->directory_entries++;
    for (unsigned i = 0; i < ARRAY_LENGTH(directory_rules) && audit->broken == NULL; i++)
        if (!directory_rules[i].holds(at))
            audit_broken(audit, directory_rules[i].sentence,
                         "PDE %08x of slot %u (" PRI_VADDR "), space %u", (unsigned)at->pde.bits,
                         (unsigned)at->slot, ARG_VADDR(slot_to_vaddr(at->slot)),
                         (unsigned)at->space->directory);
    if (audit->broken == NULL && at->slot != TEMP_SLOT && !is_promise(at) && pde_is_table(at->pde))
        check_table(audit, at);
}

void audit_entries_by_rules(struct audit *audit)
{
    audit_each_directory_entry(audit, check_directory_entry);
}

/* SPDX-License-Identifier: MIT */
/*
 * Host test. The audit of audit.h.
 *
 * Kernel tables have one reference each, by way of directory 0. Pages of the image, of devices and
 * temporary pages hold no reference of their own; all other entries do. What is out is counted where it
 * is: the words of tables in slots are read from the disk.
 */
#include "audit.h"

#include "machine.h"

#include <arch/i386/ledger.h>
#include <kernel/printk.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/object.h>
#include <mm/zero.h>
#include <stdlib.h>
#include <string.h>

static char text[300];
static bool is_broken;

static printf_like(1, 2) void broken(const char *format, ...)
{
    va_list arguments;
    if (is_broken)
        return; /* the first one counts */
    is_broken = true;
    va_start(arguments, format);
    vformat_text(text, sizeof(text), format, arguments);
    va_end(arguments);
}

static const struct audit_slots *slots_known;

void audit_know_slots(const struct audit_slots *slots)
{
    slots_known = slots;
}

/* What was counted, by frame; and by slot, behind the frames. */
static struct {
    uint32_t references;
    uint32_t shared; /* of a table: PDEs with the mark */
    bool is_table;
} * counted;

static bool is_ram(frame_t frame)
{
    return frame.n < frame_pool.frames;
}

/* NUMBER is that of a frame, or of a slot that can be looked at. */
static bool is_known(frame_t number)
{
    return is_ram(number) || (slots_known != NULL && number.n < frame_pool.numbers &&
                              frame_is_slot(&frame_pool, number));
}

/* ---- entries ---- */

/* Of a frame of words, the one at AT; 0: there is none. */
static uint32_t level_entry(uint32_t level, uint32_t at)
{
    return level == 0 ? 0 : machine_frame(FRAME(level >> PAGE_SHIFT))[at];
}

/* PTE, of PAGE, shows the frame that REGION's object has for it. */
static void check_shared_frame(const struct vma *region, vaddr_t page, pte_t pte)
{
    const struct object *object = region->object;
    uint32_t number = region->object_page + ((page.v >> PAGE_SHIFT) - region->first_page);
    uint32_t word = object->root;
    for (uint32_t height = object->height; height > 0; height--)
        word = level_entry(word, number >> 10 * (height - 1) & (SLOT_PAGES - 1));
    uint32_t frame = word >> PAGE_SHIFT;
    if (number >= object->pages || frame != pte_frame(pte).n)
        broken("PTE %08x of " PRI_VADDR ": page %u of the object is frame %u", pte.bits,
               ARG_VADDR(page), number, frame);
}

/* PTE, of PAGE, against the region that holds it. */
static void check_against_region(const struct vma *region, vaddr_t page, pte_t pte)
{
    if (region->kind == VMA_FIXED)
        return;
    bool may_write = (region->rights & RIGHTS_WRITE) != 0;
    bool may_read = (region->rights & (RIGHTS_READ | RIGHTS_EXECUTE | RIGHTS_WRITE)) != 0;
    bool is_out = pte_is_swapped(pte); /* what it allows when it is back, it says as well */
    bool allows_write =
        is_out ? (pte.bits & PTE_COW) != 0 : pte_is_writable(pte) || pte_is_cow(pte);
    bool allows_read = is_out ? (pte.bits & ENTRY_ACCESSED) != 0 : pte_is_present(pte);
    if (allows_write != may_write || allows_read != may_read)
        broken("PTE %08x of " PRI_VADDR ": region's rights are %x", pte.bits, ARG_VADDR(page),
               region->rights);
    if (((pte.bits & PTE_SHARED_MAPPING) != 0) != ((region->flags & VMA_SHARED) != 0))
        broken("PTE %08x of " PRI_VADDR ": region's flags are %x", pte.bits, ARG_VADDR(page),
               region->flags);
    if (region->flags & VMA_SHARED)
        check_shared_frame(region, page, pte);
}

static void check_pte(pte_t pte)
{
    frame_t frame = pte_frame(pte);
    if (!pte_holds_frame(pte) || !is_known(frame)) {
        broken("PTE %08x holds no frame", pte.bits);
        return;
    }
    if (pte_is_swapped(pte) == is_ram(frame))
        broken("PTE %08x is swapped, or names a slot, but not both", pte.bits);
    counted[frame.n].references++;
    if (pte_is_writable(pte) && pte_is_cow(pte))
        broken("PTE %08x is writable and COW", pte.bits);
    if (pte_is_writable(pte) && frame_kind(&frame_pool, frame) == FRAME_ZERO)
        broken("PTE %08x may write to the zero frame", pte.bits);
    if (pte_is_writable(pte) && !(pte.bits & PTE_SHARED_MAPPING) &&
        frame_references(&frame_pool, frame) != 1)
        broken("PTE %08x may write to a frame with %u references", pte.bits,
               frame_references(&frame_pool, frame));
}

static const uint32_t *table_words(frame_t table)
{
    return is_ram(table) ? machine_frame(table) : slots_known->words(table);
}

/* The entries of TABLE, seen for the first time: in a frame, or in a slot. */
static void count_table(frame_t table)
{
    const uint32_t *entries = table_words(table);
    uint32_t used = 0;
    counted[table.n].is_table = true;
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        if (entries[i] == 0)
            continue;
        used++;
        check_pte((pte_t){entries[i]});
    }
    if (used != frame_record(&frame_pool, table)->used_entries)
        broken("table %u has %u entries in use, its record says %u", table.n, used,
               frame_record(&frame_pool, table)->used_entries);
    if (used == 0)
        broken("table %u has no entry in use", table.n);
}

static void check_table_against_regions(struct space *space, uint32_t slot, frame_t table)
{
    bool is_zero_table = is_ram(table) && frame_kind(&frame_pool, table) == FRAME_ZERO;
    const uint32_t *entries = table_words(table);
    const struct vma *region = NULL;
    for (uint32_t i = 0; i < SLOT_PAGES && !is_broken; i++) {
        vaddr_t page = vaddr_add(slot_to_vaddr(slot), i << PAGE_SHIFT);
        if (entries[i] == 0)
            continue;
        if (region == NULL || page.v >> PAGE_SHIFT > region->last_page)
            region = vma_find(space, page);
        if (region == NULL) {
            broken("PTE %08x of " PRI_VADDR ": no region", entries[i], ARG_VADDR(page));
            return;
        }
        check_against_region(region, page, (pte_t){entries[i]});
        if (is_zero_table) /* all entries are equal: on to the end of the region */
            i = region->last_page - slot * SLOT_PAGES < SLOT_PAGES ? region->last_page % SLOT_PAGES
                                                                   : SLOT_PAGES;
    }
}

static void count_pde(struct space *space, uint32_t slot, pde_t pde)
{
    frame_t table = pde_frame(pde);
    bool is_out = pde_is_swapped(pde);
    if (pde.bits == 0)
        return;
    if (is_out ? !is_known(table) || is_ram(table) || space == &kernel_space
               : !pde_is_table(pde) || !is_ram(table) || (pde.bits & ENTRY_GLOBAL)) {
        broken("PDE %08x of slot %u leads to no table", pde.bits, slot);
        return;
    }
    if (!is_out && pde_is_shared(pde) == ((pde.bits & ENTRY_WRITABLE) != 0))
        broken("PDE %08x of slot %u is neither own nor shared", pde.bits, slot);
    counted[table.n].references++;
    counted[table.n].shared += pde_is_shared(pde);
    if (!counted[table.n].is_table)
        count_table(table);
    check_table_against_regions(space, slot, table);
}

/* The frames that objects hold, of their pages and of the levels. Returns how many pages there are. */
static uint32_t count_below(uint32_t word, uint32_t height)
{
    uint32_t pages = 0;
    if (word == 0)
        return 0;
    counted[word >> PAGE_SHIFT].references++;
    if (height == 0)
        return 1;
    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        pages += count_below(level_entry(word, i), height - 1);
    return pages;
}

static void count_objects(void)
{
    uint32_t count = 0;
    for (const struct object *object = object_first(); object != NULL; object = object->next) {
        uint32_t pages = count_below(object->root, object->height);
        count++;
        if (pages != object->real_pages)
            broken("an object has %u pages, it says %u", pages, object->real_pages);
    }
    if (count != object_count())
        broken("%u objects are listed, %u there", count, object_count());
}

static bool has_counted_entries(uint32_t slot)
{
    return slot != KERNEL_FIRST_SLOT && slot < DEVICE_BASE >> SLOT_SHIFT;
}

/* ---- frames ---- */

static void check_frame(frame_t frame)
{
    const struct frame_record *record = frame_record(&frame_pool, frame);
    uint32_t found = counted[frame.n].references;
    switch ((enum frame_kind)record->kind) {
    case FRAME_ZERO:
        found++; /* the layer's own */
        break;
    case FRAME_FILE: /* or boot's */
        found += found == 0;
        break;
    case FRAME_TABLE:
        if (found > 1 && counted[frame.n].shared != found)
            broken("table %u has %u PDEs, but %u are shared", frame.n, found,
                   counted[frame.n].shared);
        break;
    case FRAME_SLOT:
        found += slots_known->has_frame(frame);
        break;
    case FRAME_ANONYMOUS:
    case FRAME_SWAPPED:
    case FRAME_INDEX:
    case FRAME_DIRECTORY:
    case FRAME_FREE:
    case FRAME_RESERVED:
        break;
    default:
        return; /* mapped by the image and the frame table, which count none */
    }
    if (found != record->references)
        broken("frame %u (%s) has %u references, counted are %u", frame.n,
               frame_kind_text((enum frame_kind)record->kind), record->references, found);
}

static void count_kernel_half(void)
{
    const uint32_t *directory = machine_frame(machine_walk(directory_page(0)).frame);
    for (uint32_t slot = KERNEL_FIRST_SLOT; slot <= KERNEL_LAST_SHARED_SLOT; slot++) {
        pde_t pde = {directory[slot]};
        if (has_counted_entries(slot))
            count_pde(&kernel_space, slot, pde);
        else if (pde_is_table(pde))
            counted[pde_frame(pde).n].references++;
    }
}

/* The zero tables hold their references even while no PDE leads to them. */
static void count_zero_tables(void)
{
    for (uint32_t n = 0; n < frame_pool.frames; n++)
        if (frame_kind(&frame_pool, FRAME(n)) == FRAME_ZERO && n != zero_frame.n)
            count_table(FRAME(n));
}

/* Slots of tables that nobody has any more, and that could not be read yet: what they hold is not given back. */
static void count_tables_of_nobody(void)
{
    for (uint32_t n = frame_pool.frames; n < frame_pool.numbers; n++) {
        frame_t slot = FRAME(n);
        if (!is_known(slot) || frame_record(&frame_pool, slot)->mark == 0)
            continue;
        counted[n].references++;
        count_table(slot);
    }
}

/* SPACE's entry of SLOT, with or without a directory. */
static pde_t pde_of(const struct space *space, uint32_t slot)
{
    if (!space_is_folded(space))
        return (pde_t){machine_frame(machine_walk(directory_page(space->directory)).frame)[slot]};
    for (uint32_t i = 0; i < space->folded_runs; i++)
        if (slot >= space->folded[i].slot && slot < space->folded[i].slot + space->folded[i].count)
            return space->folded[i].pde;
    return PDE_EMPTY;
}

static void check_sentence(const char *sentence)
{
    if (sentence != NULL)
        broken("%s", sentence);
}

const char *audit(struct space *const *spaces, uint32_t count)
{
    vaddr_t where;
    is_broken = false;
    uint32_t folded = 0;
    counted = calloc(frame_pool.numbers, sizeof(*counted));
    count_zero_tables();
    count_tables_of_nobody();
    for (uint32_t i = 0; i < count; i++) {
        folded += space_is_folded(spaces[i]);
        for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT && !is_broken; slot++)
            count_pde(spaces[i], slot, pde_of(spaces[i], slot));
        check_sentence(vma_check(spaces[i]));
    }
    count_kernel_half();
    count_objects();
    for (uint32_t n = 0; n < frame_pool.numbers && !is_broken; n++)
        if (n < frame_pool.frames || is_known(FRAME(n)))
            check_frame(FRAME(n));
    free(counted);
    check_sentence(vma_check(&kernel_space));
    check_sentence(frame_pool_check(&frame_pool));
    check_sentence(directory_check());
    check_sentence(zero_check());
    check_sentence(heap_check(&kernel_heap, &where));
    check_sentence(machine_check_tlb(&where));
    if (directory_live_count() != count - folded)
        broken("%u directories are live, %u spaces are known", directory_live_count(),
               count - folded);
    if (ledger_open() != 0)
        ledger_leave(); /* panics, and says which */
    return is_broken ? text : NULL;
}

/* ---- before and after ---- */

/* Real pages of the region array: one that is empty may be kept. */
static uint32_t node_pages(void)
{
    uint32_t pages = 0;
    for (uint32_t i = 0; i < REGION_NODES_ROOM_BYTES >> PAGE_SHIFT; i++) {
        struct machine_walk walk = machine_walk(VADDR(REGION_NODES_BASE + (i << PAGE_SHIFT)));
        pages += walk.present && walk.frame.n != zero_frame.n;
    }
    return pages;
}

void census_take(struct census *census)
{
    uint32_t nodes = node_pages();
    memcpy(census->totals, frame_pool.totals, sizeof(census->totals));
    census->totals[FRAME_ANONYMOUS] -= nodes;
    census->totals[FRAME_FREE] += nodes;
    census->kernel_regions = kernel_space.region_count;
    census->kernel_reserved = kernel_space.reserved_pages;
    census->live_directories = directory_live_count();
    census->heap_blocks = kernel_heap.used_blocks;
    census->set_aside = frame_pool.set_aside;
    census->nodes = vma_nodes_in_use();
}

const char *census_compare(const struct census *before, const struct census *after)
{
    is_broken = false;
    for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
        if (before->totals[kind] != after->totals[kind])
            broken("frames that are %s: %u before, %u after",
                   frame_kind_text((enum frame_kind)kind), before->totals[kind],
                   after->totals[kind]);
    if (before->kernel_regions != after->kernel_regions || before->nodes != after->nodes ||
        before->kernel_reserved != after->kernel_reserved)
        broken("regions: %u and %u nodes before, %u and %u after", before->kernel_regions,
               before->nodes, after->kernel_regions, after->nodes);
    if (before->live_directories != after->live_directories)
        broken("directories: %u before, %u after", before->live_directories,
               after->live_directories);
    if (before->heap_blocks != after->heap_blocks)
        broken("heap blocks: %u before, %u after", before->heap_blocks, after->heap_blocks);
    if (before->set_aside != after->set_aside)
        broken("frames set aside: %u before, %u after", before->set_aside, after->set_aside);
    return is_broken ? text : NULL;
}

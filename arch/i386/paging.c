/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Pages and tables of the current space.
 *
 * Entry 1023 of the directory points at the directory. So the CPU, walking an address of the top
 * 4 MiB, takes the directory for a table, and finds there as "pages" the tables themselves:
 *
 *      address of the window        what the walk finds
 *      1023 |  t   | offset         directory[1023] = directory;  directory[t] = table t
 *      1023 | 1023 | offset         directory[1023] = directory;  directory[1023] = directory
 *
 * The two lines are pte_slot() and pde_slot() of entry.h. docs/paging.md walks through them.
 */
#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/printk.h>
#include <mm/frame.h>

uint32_t paging_global_flag;

/* ---- tables ---- */

enum kerr table_create(uint32_t slot, enum rights rights, enum temp_page via)
{
    frame_t table;
    enum kerr error = frame_alloc(&frame_pool, FRAME_TABLE, &table);
    if (error != KERR_OK)
        return error;
    page_clear(temp_map(via, table));
    temp_unmap(via);
    tlb_unneeded(pde_write(slot, pde_make(table, pde_own_flags(rights))), TLB_WAS_NOT_PRESENT);
    return KERR_OK;
}

void table_release_if_empty(uint32_t slot)
{
    pde_t pde = pde_read(slot);
    frame_t table = pde_frame(pde);
    if (!pde_is_table(pde) || frame_record(&frame_pool, table)->used_entries != 0)
        return;
    /* No page below was present: what the CPU may remember is the PDE and the window page. */
    tlb_invalidate_table(pde_write(slot, PDE_EMPTY));
    frame_put(&frame_pool, table);
}

/* ---- many entries at once ---- */

uint32_t pte_fill_empty(vaddr_t first, uint32_t pages, pte_t pte)
{
    volatile uint32_t *entry = pte_slot(first);
    uint32_t filled = 0;
    for (uint32_t i = 0; i < pages; i++)
        if (entry[i] == 0) {
            entry[i] = pte.bits;
            filled++;
        }
    table_count_used(vaddr_to_slot(first), (int32_t)filled);
    return filled;
}

/* Store PDE into COUNT entries; those of the kernel half reach every live directory. */
static void pde_fill(uint32_t slot, uint32_t count, pde_t pde)
{
    words_fill((void *)(uintptr_t)pde_slot(slot), pde.bits, count);
    if (slot >= KERNEL_FIRST_SLOT)
        for (uint32_t i = 0; i < count; i++)
            pde_push(slot + i, pde);
}

enum kerr pde_fill_empty(uint32_t slot, uint32_t count, pde_t pde)
{
    if (words_run((void *)(uintptr_t)pde_slot(slot), PDE_EMPTY.bits, count) < count)
        return KERR_EXISTS;
    pde_fill(slot, count, pde);
    return KERR_OK;
}

uint32_t pde_run(uint32_t slot, uint32_t count)
{
    return words_run((void *)(uintptr_t)pde_slot(slot), pde_read(slot).bits, count);
}

void pde_clear_run(uint32_t slot, uint32_t count)
{
    tlb_debt_t debt = {slot_to_vaddr(slot), pde_read(slot).bits, 0};
    for (uint32_t i = 0; CHECKED && i < count; i++)
        ledger_pde_changes(slot + i, pde_read(slot + i), PDE_EMPTY, TLB_HERE);
    pde_fill(slot, count, PDE_EMPTY);
    tlb_invalidate_slot(debt);
}

/* ---- one page ---- */

static bool is_mappable(vaddr_t page)
{
    return vaddr_is_page_aligned(page) && page.v < TEMP_BASE;
}

enum kerr paging_map(vaddr_t page, frame_t frame, enum rights rights)
{
    ASSERT(is_mappable(page), "map of " PRI_VADDR, ARG_VADDR(page));
    uint32_t slot = vaddr_to_slot(page);
    pde_t pde = pde_read(slot);
    if (!pde_is_present(pde)) {
        enum kerr error = table_create(slot, rights, TEMP_TABLE);
        if (error != KERR_OK)
            return error;
    } else if (pde_is_large(pde) || pde_is_shared(pde) || !pte_is_empty(pte_read(page))) {
        return KERR_EXISTS;
    }
    tlb_unneeded(pte_write(page, pte_make(frame, pte_flags(page, rights))), TLB_WAS_NOT_PRESENT);
    return KERR_OK;
}

/* PAGE has a present PTE in a table of its own. */
static bool is_mapped(vaddr_t page)
{
    pde_t pde = pde_read(vaddr_to_slot(page));
    return pde_is_table(pde) && !pde_is_shared(pde) && pte_is_present(pte_read(page));
}

enum kerr paging_unmap(vaddr_t page, frame_t *frame)
{
    ASSERT(is_mappable(page), "unmap of " PRI_VADDR, ARG_VADDR(page));
    if (!is_mapped(page))
        return KERR_NOT_FOUND;
    *frame = pte_frame(pte_read(page));
    tlb_invalidate_page(pte_write(page, PTE_EMPTY));
    table_release_if_empty(vaddr_to_slot(page));
    return KERR_OK;
}

enum kerr paging_protect(vaddr_t page, enum rights rights)
{
    ASSERT(is_mappable(page), "protect of " PRI_VADDR, ARG_VADDR(page));
    if (!is_mapped(page))
        return KERR_NOT_FOUND;
    frame_t frame = pte_frame(pte_read(page));
    tlb_invalidate_page(pte_write(page, pte_make(frame, pte_flags(page, rights))));
    return KERR_OK;
}

void paging_query(vaddr_t address, struct translation *translation)
{
    translation->pde = pde_read(vaddr_to_slot(address));
    translation->has_pte = pde_is_table(translation->pde);
    translation->pte = translation->has_pte ? pte_read(address) : PTE_EMPTY;
}

/* ---- large pages ---- */

enum kerr paging_map_large(vaddr_t address, frame_t first, enum rights rights)
{
    ASSERT(address.v % SLOT_BYTES == 0 && address.v < TEMP_BASE && first.n % SLOT_PAGES == 0,
           "large map of " PRI_VADDR " to frame %u", ARG_VADDR(address), first.n);
    if (!cpu_features.pse)
        return KERR_UNSUPPORTED;
    uint32_t slot = vaddr_to_slot(address);
    if (pde_is_present(pde_read(slot)))
        return KERR_EXISTS;
    tlb_unneeded(pde_write(slot, pde_make(first, pte_flags(address, rights) | PDE_LARGE)),
                 TLB_WAS_NOT_PRESENT);
    return KERR_OK;
}

enum kerr paging_unmap_large(vaddr_t address, frame_t *first)
{
    uint32_t slot = vaddr_to_slot(address);
    pde_t pde = pde_read(slot);
    if (address.v % SLOT_BYTES != 0 || !pde_is_large(pde))
        return KERR_NOT_FOUND;
    *first = pde_frame(pde);
    tlb_invalidate_slot(pde_write(slot, PDE_EMPTY));
    return KERR_OK;
}

/* ---- device memory ---- */

enum kerr paging_map_device(paddr_t start, uint32_t bytes, vaddr_t *address)
{
    static uint32_t next_page; /* of the device area; such mappings are never taken back */
    uint32_t offset = start.v % PAGE_BYTES;
    if (bytes == 0 || start.v + (bytes - 1) < start.v || bytes > DEVICE_ROOM_BYTES - PAGE_BYTES)
        return KERR_BAD_RANGE;
    uint32_t pages = (offset + bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;
    /* A guard page stays free behind each mapping. */
    if (pages + 1 > (DEVICE_ROOM_BYTES >> PAGE_SHIFT) - next_page)
        return KERR_NO_ROOM;

    vaddr_t first = VADDR(DEVICE_BASE + (next_page << PAGE_SHIFT));
    for (uint32_t i = 0; i < pages; i++) {
        vaddr_t page = vaddr_add(first, i << PAGE_SHIFT);
        frame_t frame = FRAME(paddr_to_frame(start).n + i);
        enum kerr error = paging_map(page, frame, RIGHTS_READ_WRITE | RIGHTS_UNCACHED);
        if (error != KERR_OK) {
            while (i-- > 0)
                if (paging_unmap(vaddr_add(first, i << PAGE_SHIFT), &frame) != KERR_OK)
                    panic("a device page that was just mapped is gone");
            return error;
        }
    }
    next_page += pages + 1;
    *address = vaddr_add(first, offset);
    return KERR_OK;
}

/* ---- for people ---- */

static void print_flags(uint32_t bits, bool is_pde)
{
    static const char *const pte_names[] = {"P", "RW",  "U", "PWT", "PCD",   "A",
                                            "D", "PAT", "G", "COW", "bit10", "MAP"};
    static const char *const pde_names[] = {"P", "RW", "U", "PWT",  "PCD",    "A",
                                            "D", "PS", "G", "bit9", "SHARED", "bit11"};
    for (unsigned bit = 0; bit < 12; bit++)
        if (bits >> bit & 1)
            printk(" %s", is_pde ? pde_names[bit] : pte_names[bit]);
}

static void print_frame(frame_t frame)
{
    printk("frame %05x", frame.n);
    if (frame.n < frame_pool.frames)
        printk(" (%s, %u refs)", frame_kind_text(frame_kind(&frame_pool, frame)),
               frame_references(&frame_pool, frame));
}

static uint32_t read_entry(frame_t frame, uint32_t index)
{
    const uint32_t *entries = temp_map(TEMP_REPORT, frame);
    uint32_t entry = entries[index];
    temp_unmap(TEMP_REPORT);
    return entry;
}

/*
 * As paging_query(), but by way of physical addresses from the interrupted space's directory: the
 * double-fault task has a window of its own, which shows something else.
 */
static void walk(vaddr_t address, struct translation *t)
{
    t->pde = (pde_t){read_entry(paddr_to_frame(current_directory), vaddr_to_slot(address))};
    t->has_pte = pde_is_table(t->pde);
    t->pte = PTE_EMPTY;
    if (t->has_pte)
        t->pte = (pte_t){read_entry(pde_frame(t->pde), vaddr_to_pte_idx(address))};
}

bool paging_sees_current_space(void)
{
    return paddr_to_frame(PADDR(cpu_read_cr3())).n == paddr_to_frame(current_directory).n;
}

void paging_describe(vaddr_t address)
{
    struct translation t;
    walk(address, &t);
    printk("  PDE %4u: %08x ", vaddr_to_slot(address), t.pde.bits);
    if (!pde_is_present(t.pde)) {
        printk("not present\n");
        return;
    }
    print_frame(pde_frame(t.pde));
    print_flags(t.pde.bits, true);
    printk("\n");
    if (!t.has_pte)
        return;
    printk("  PTE %4u: %08x ", vaddr_to_pte_idx(address), t.pte.bits);
    if (pte_is_empty(t.pte)) {
        printk("empty\n");
        return;
    }
    print_frame(pte_frame(t.pte));
    if (pte_is_present(t.pte))
        print_flags(t.pte.bits, false);
    else
        printk(" kept, no rights");
    printk("\n");
}

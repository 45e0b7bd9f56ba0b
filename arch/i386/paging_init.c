/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Takes the boot mappings over: from here on there is one way to change an entry.
 *
 * The image gets its rights (text and rodata read-only, the page under the stack not there, low
 * memory gone but for the VGA text), the identity mapping goes away, the boot tables get their
 * kinds and counts, and directory 0 its page in the directories area.
 */
#include <arch/i386/double_fault.h>
#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <arch/i386/trap.h>
#include <kernel/early.h>
#include <kernel/fault.h>
#include <kernel/layer.h>
#include <kernel/printk.h>
#include <mm/frame.h>

static bool is_between(vaddr_t page, const char *first, const char *end)
{
    return page.v >= pointer_to_vaddr(first).v && page.v < pointer_to_vaddr(end).v;
}

/* What the final mapping of the image's slot allows at PAGE. */
static enum rights image_rights(vaddr_t page)
{
    if (vaddr_in(page, VADDR(KERNEL_BASE + VGA_TEXT_PHYSICAL), VGA_TEXT_BYTES))
        return RIGHTS_READ_WRITE;
    if (is_between(page, stack_guard, stack_bottom) || !is_between(page, image_start, image_end))
        return RIGHTS_NONE;
    if (is_between(page, data_start, image_end))
        return RIGHTS_READ_WRITE;
    return is_between(page, text_start, text_end) ? RIGHTS_READ | RIGHTS_EXECUTE : RIGHTS_READ;
}

/* boot.asm mapped the slot writable as a whole: every entry is written again. */
static void protect_image(void)
{
    frame_t table = paddr_to_frame(image_to_paddr(boot_image_table));
    struct tlb_batch batch = {{{0}, 0, 0}};
    frame_set_kind(&frame_pool, table, FRAME_TABLE);
    for (uint32_t i = 0; i < SLOT_PAGES; i++)
        if (boot_image_table[i] != 0)
            table_count_used(KERNEL_FIRST_SLOT, 1);
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        vaddr_t page = VADDR(KERNEL_BASE + (i << PAGE_SHIFT));
        enum rights rights = image_rights(page);
        pte_t pte = rights == RIGHTS_NONE ? PTE_EMPTY : pte_make(FRAME(i), pte_flags(page, rights));
        tlb_batch_add(&batch, pte_write(page, pte));
    }
    tlb_batch_pay(&batch);
}

static void make_frame_table_global(void)
{
    for (uint32_t slot = vaddr_to_slot(VADDR(FRAME_TABLE_BASE));
         slot < vaddr_to_slot(VADDR(REGION_NODES_BASE)) && pde_is_present(pde_read(slot)); slot++)
        for (uint32_t i = 0; i < SLOT_PAGES; i++) {
            vaddr_t page = vaddr_add(slot_to_vaddr(slot), i << PAGE_SHIFT);
            pte_t pte = pte_read(page);
            if (pte_is_present(pte))
                tlb_unneeded(
                    pte_write(page, pte_make(pte_frame(pte), pte_flags(page, RIGHTS_READ_WRITE))),
                    TLB_MORE_RIGHTS); /* global from its next fill on */
        }
}

/* Directory 0 is seen in the directories area like every other one. */
static enum kerr show_boot_directory(void)
{
    frame_t frame = paddr_to_frame(image_to_paddr(boot_directory));
    enum kerr error = paging_map(directory_page(0), frame, RIGHTS_READ_WRITE);
    if (error != KERR_OK)
        return error;
    current_directory = frame_to_paddr(frame);
    directory_register(0);
    frame_t temp_table = paddr_to_frame(image_to_paddr(boot_temp_table));
    frame_set_kind(&frame_pool, temp_table, FRAME_TABLE);
    return KERR_OK;
}

/*
 * Would the access succeed by the entries as they are now? Then the CPU acted on an older
 * translation, with fewer rights or (some Cyrix) not present: forget it and try again.
 * By the full rule: P, RW and U at both levels, CR0.WP is set, and SMAP leaves user pages to the
 * probe routines, which set EFLAGS.AC. (What SMEP refuses was a panic before anyone is asked.)
 */
static bool is_spurious(const struct page_fault *fault)
{
    struct translation t;
    paging_query(fault->address, &t);
    uint32_t bits = t.pde.bits;
    if (t.has_pte)
        bits &= t.pte.bits;
    uint32_t needed = ENTRY_PRESENT;
    if (fault->access == ACCESS_WRITE)
        needed |= ENTRY_WRITABLE;
    if (fault->mode == MODE_USER)
        needed |= ENTRY_USER;
    if ((bits & needed) != needed)
        return false;
    if (fault->mode == MODE_KERNEL && (bits & ENTRY_USER) != 0 && cpu_features.smap &&
        !fault_in_probe(fault))
        return false;
    tlb_forget_page(vaddr_to_page(fault->address));
    return true;
}

/* All that is there and not hidden. */
static void set_cr4(void)
{
    const struct {
        bool is_there;
        uint32_t bit;
    } features[] = {
        {cpu_features.pse, CR4_PSE},   {cpu_features.pge, CR4_PGE},   {cpu_features.smep, CR4_SMEP},
        {cpu_features.smap, CR4_SMAP}, {cpu_features.umip, CR4_UMIP},
    };
    uint32_t cr4 = 0;
    for (uint32_t i = 0; i < ARRAY_LENGTH(features); i++)
        if (features[i].is_there)
            cr4 |= features[i].bit;
    if (cpu_features.smap)
        trap_begin_with_clac();
    if (cpu_features.cr4)
        cpu_write_cr4(cr4);
}

/* The loader's block was read long ago; the last view of it is still there. */
static void close_boot_window(void)
{
    for (uint32_t i = 0; i < TEMP_BOOT_WINDOW_PAGES; i++) {
        vaddr_t page = VADDR(TEMP_PAGE_ADDRESS(TEMP_BOOT_WINDOW + i));
        pte_t pte = pte_read(page);
        if (!pte_is_empty(pte))
            tlb_invalidate_page(pte_replace(page, pte, PTE_EMPTY));
    }
}

enum {
    POISON = 0xA5A5A5A5u, /* as an entry: present, leading to nowhere sensible */
    POISONED_MAX = 128 << 20 >> PAGE_SHIFT,
};

/*
 * Fill free frames with garbage, so that a clear that is missing shows: the first 128 MiB that
 * frame_alloc() will hand out, since filling all of a large machine takes seconds.
 */
static void poison_free_frames(void)
{
    uint32_t poisoned = 0;
    for (uint32_t i = 0; i < frame_pool.frames && poisoned < POISONED_MAX; i++) {
        frame_t frame = FRAME((frame_pool.low_frames + i) % frame_pool.frames);
        if (frame_kind(&frame_pool, frame) != FRAME_FREE)
            continue;
        words_fill(temp_map(TEMP_FRAME, frame), POISON, PAGE_BYTES / sizeof(uint32_t));
        temp_unmap(TEMP_FRAME);
        poisoned++;
    }
}

static void drop_identity_mapping(void)
{
    tlb_invalidate_slot(pde_write(0, PDE_EMPTY));
}

/* Like a fault: what STEP owes to the TLB is paid when it ends, not by the next one. */
static void as_event(void (*step)(void))
{
    if (CHECKED)
        ledger_enter();
    step();
    if (CHECKED)
        ledger_leave();
}

static enum kerr paging_layer_init(__attribute__((unused)) const struct boot_info *boot)
{
    ledger_start();
    if (cpu_features.pge)
        paging_global_flag = ENTRY_GLOBAL;
    set_cr4();

    enum kerr error = show_boot_directory();
    if (error != KERR_OK)
        return error;
    /* Before the image's table, which slot 0 shares, gets global entries: they would stay
     * cached. */
    as_event(drop_identity_mapping);
    as_event(protect_image);
    as_event(make_frame_table_global);
    as_event(close_boot_window);
    if (CHECKED)
        poison_free_frames();
    double_fault_seal(boot_image_table);

    static const struct fault_client client = {.name = "paging",
                                               .is_spurious = is_spurious,
                                               .enter = ledger_enter,
                                               .leave = ledger_leave,
                                               .describe = paging_describe};
    fault_register(2, &client);
    return KERR_OK;
}

LAYER(02a, "paging", paging_layer_init);

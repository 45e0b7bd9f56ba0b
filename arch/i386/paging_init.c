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
    struct tlb_batch batch = {TLB_BATCH_EMPTY};
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
                tlb_invalidate_page(
                    pte_write(page, pte_make(pte_frame(pte), pte_flags(page, RIGHTS_READ_WRITE))));
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
 * By the full rule: P, RW and U at both levels, and CR0.WP is set.
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
    cpu_invalidate_page(vaddr_to_page(fault->address));
    return true;
}

static enum kerr paging_layer_init(const struct boot_info *boot)
{
    (void)boot;
    if (cpu_features.pge)
        paging_global_flag = ENTRY_GLOBAL;
    if (cpu_features.pse || cpu_features.pge)
        cpu_write_cr4(cpu_read_cr4() | (cpu_features.pse ? (uint32_t)CR4_PSE : 0) |
                      (cpu_features.pge ? (uint32_t)CR4_PGE : 0));

    enum kerr error = show_boot_directory();
    if (error != KERR_OK)
        return error;
    protect_image();
    tlb_invalidate_slot(pde_write(0, PDE_EMPTY));
    make_frame_table_global();
    double_fault_seal(boot_image_table);

    static const struct fault_client client = {
        .name = "paging", .is_spurious = is_spurious, .describe = paging_describe};
    fault_register(2, &client);
    return KERR_OK;
}

LAYER(2a, "paging", paging_layer_init);

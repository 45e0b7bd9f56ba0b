/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. The directories of all spaces, and the kernel half that they share.
 *
 * A kernel PDE that changes is written into every live directory at once, never lazily: a space
 * that still saw the zero table would read zeros where data was written. Which are live stands in
 * a bitmap of real memory, since the fault path needs it. A directory is registered *before* the
 * kernel half is copied into it, so that no change can fall between the two.
 */
#include <arch/i386/alternate.h>
#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <mm/frame.h>

static uint32_t live[DIRECTORIES_COUNT / 32];
static uint32_t live_count;
static uint32_t live_end; /* no live number is at or above it */
static uint32_t current;  /* the loaded one */

/* Entries of directory ID, loaded or not. */
static inline volatile uint32_t *entry_of(uint32_t id, uint32_t slot)
{
    return (volatile uint32_t *)vaddr_to_pointer(directory_page(id)) + slot;
}

bool directory_is_live(uint32_t id)
{
    return id < DIRECTORIES_COUNT && (live[id / 32] >> id % 32 & 1) != 0;
}

uint32_t directory_live_count(void)
{
    return live_count;
}

uint32_t directory_current(void)
{
    return current;
}

/*
 * The entry of SLOT, BEFORE until now, of the directory that the alternate window shows, becomes
 * AFTER: there it is a PTE, of the page that shows the table.
 */
static void pay_alias(uint32_t slot, pde_t before, pde_t after)
{
    tlb_debt_t debt = {slot_to_vaddr(slot), before.bits, after.bits};
    if (CHECKED)
        ledger_alias_changes(slot, before, after, TLB_HERE);
    tlb_invalidate_alternate(debt);
}

void pde_push(uint32_t slot, pde_t pde)
{
    if (slot > KERNEL_LAST_SHARED_SLOT)
        return; /* the windows are each directory's own */
    bool has_alias = alternate_shown != ALTERNATE_SHOWS_NONE;
    pde_t shown = has_alias ? directory_pde_read(alternate_shown, slot) : PDE_EMPTY;
    for (uint32_t word = 0; word * 32 < live_end; word++)
        for (uint32_t left = live[word]; left != 0; left &= left - 1) {
            uint32_t id = word * 32 + (uint32_t)__builtin_ctz(left);
            if (id != current)
                *entry_of(id, slot) = pde.bits;
        }
    if (has_alias)
        pay_alias(slot, shown, pde);
}

void directory_register(uint32_t id)
{
    ASSERT(id < DIRECTORIES_COUNT && !directory_is_live(id), "directory %u is live already", id);
    frame_t frame = pte_frame(pte_read(directory_page(id)));
    frame_set_kind(&frame_pool, frame, FRAME_DIRECTORY);
    live[id / 32] |= 1u << id % 32;
    live_count++;
    if (id >= live_end)
        live_end = id + 1;
    if (id == current)
        return; /* the boot directory, which is complete */
    void *kernel_half = (void *)(uintptr_t)entry_of(id, KERNEL_FIRST_SLOT);
    const void *of_current = (const void *)(uintptr_t)pde_slot(KERNEL_FIRST_SLOT);
    words_copy(kernel_half, of_current, KERNEL_LAST_SHARED_SLOT + 1 - KERNEL_FIRST_SLOT);
    *entry_of(id, ALT_WINDOW_SLOT) = 0;
    *entry_of(id, WINDOW_SLOT) =
        pde_make(frame, ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED).bits;
}

void directory_unregister(uint32_t id)
{
    ASSERT(directory_is_live(id) && id != current && id != 0,
           "directory %u is current, immortal or not live", id);
    ASSERT(id != alternate_shown, "directory %u is seen in the alternate window", id);
    live[id / 32] &= ~(1u << id % 32);
    live_count--;
    while (!directory_is_live(live_end - 1))
        live_end--; /* ends at 0 at the latest, which is live for ever */
    frame_set_kind(&frame_pool, pte_frame(pte_read(directory_page(id))), FRAME_ANONYMOUS);
}

void directory_load(uint32_t id)
{
    ASSERT(directory_is_live(id), "load of directory %u, which is not live", id);
    CHECK(!alternate_is_open(), "load of directory %u while the alternate window is open", id);
    frame_t frame = pte_frame(pte_read(directory_page(id)));
    current = id;
    current_directory = frame_to_paddr(frame);
    cpu_write_cr3(current_directory.v);
    if (CHECKED)
        ledger_flushed();
}

uint32_t directory_pde_run(uint32_t id, uint32_t slot, uint32_t count)
{
    const void *entries = (const void *)(uintptr_t)entry_of(id, slot);
    return words_run(entries, directory_pde_read(id, slot).bits, count);
}

pde_t directory_pde_read(uint32_t id, uint32_t slot)
{
    return (pde_t){*entry_of(id, slot)};
}

void directory_pde_write(uint32_t id, uint32_t slot, pde_t pde)
{
    ASSERT(directory_is_live(id) && id != current && slot < KERNEL_FIRST_SLOT,
           "store into slot %u of directory %u", slot, id);
    volatile uint32_t *entry = entry_of(id, slot);
    tlb_debt_t debt = {slot_to_vaddr(slot), *entry, pde.bits};
    *entry = pde.bits;
    if (unlikely(id == alternate_shown))
        pay_alias(slot, (pde_t){debt.before}, pde);
    else
        tlb_unneeded(debt, TLB_NOT_LOADED);
}

void directory_pde_copy(uint32_t id, uint32_t slot, uint32_t count)
{
    ASSERT(directory_is_live(id) && id != current && slot + count <= KERNEL_FIRST_SLOT,
           "copy of %u entries from slot %u on into directory %u", count, slot, id);
    CHECK(directory_pde_read(id, slot).bits == 0 && directory_pde_run(id, slot, count) == count,
          "slots %u to %u of directory %u are in use", slot, slot + count - 1, id);
    words_copy((void *)(uintptr_t)entry_of(id, slot), (const void *)(uintptr_t)pde_slot(slot),
               count);
}

const char *directory_check(void)
{
    const uint32_t ignored = ENTRY_ACCESSED | ENTRY_DIRTY;
    uint32_t count = 0;
    for (uint32_t id = 0; id < live_end; id++) {
        if (!directory_is_live(id))
            continue;
        count++;
        for (uint32_t slot = KERNEL_FIRST_SLOT; slot <= KERNEL_LAST_SHARED_SLOT; slot++)
            if (((*entry_of(id, slot) ^ pde_read(slot).bits) & ~ignored) != 0)
                return "the kernel halves of all live directories are equal";
        frame_t frame = pte_frame(pte_read(directory_page(id)));
        if (frame_kind(&frame_pool, frame) != FRAME_DIRECTORY)
            return "the page of a live directory is a directory frame";
        pde_t self = pde_make(frame, ENTRY_PRESENT | ENTRY_WRITABLE);
        if (((directory_pde_read(id, WINDOW_SLOT).bits ^ self.bits) & ~ignored) != 0)
            return "entry 1023 of a directory points at the directory, for the kernel alone";
        pde_t alternate = id == current ? alternate_entry() : PDE_EMPTY;
        if (((directory_pde_read(id, ALT_WINDOW_SLOT).bits ^ alternate.bits) & ~ignored) != 0)
            return "entry 1022 of a directory is empty, unless the alternate window is open";
    }
    return count == live_count ? NULL : "the count of live directories is what a recount gives";
}

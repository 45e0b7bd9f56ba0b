/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The double-fault task (double_fault.h).
 *
 * Invariant: what the task uses is its own or in the image: stack, directory, the table of slot 768
 * and of the temporary slot. The frames of these tables are private: no other directory points to
 * them, so no stray store through a window reaches them.
 */
#include <arch/i386/double_fault.h>

#include <arch/i386/cpu.h>
#include <arch/i386/pte.h>
#include <arch/i386/trap.h>
#include <kernel/early.h>
#include <kernel/string.h>

enum { STACK_BYTES = 8192, EFLAGS_ALWAYS = 1u << 1 };

struct tss double_fault_tss in_cpu_tables;
paddr_t current_directory;

static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));
static uint32_t directory[SLOT_PAGES] __attribute__((aligned(PAGE_BYTES)));
static uint32_t image_table_copy[SLOT_PAGES] __attribute__((aligned(PAGE_BYTES)));
static uint32_t temp_table[SLOT_PAGES] __attribute__((aligned(PAGE_BYTES)));

/*
 * If the page-fault stub could not be fetched, the CPU tried, and pushed a frame, again and again,
 * until it ran out of stack; nothing else has changed. What was interrupted is in the first frame.
 */
static void drop_frames_of_stub(struct cpu_state *state)
{
    const struct {
        uint32_t error_code, eip, cs, eflags;
    } * frame;
    const uint32_t stack_bytes = (uint32_t)(stack_top - stack_bottom);

    while (
        trap_is_page_fault_entry(state->eip) &&
        vaddr_in(VADDR(state->esp), pointer_to_vaddr(stack_bottom), stack_bytes - sizeof(*frame))) {
        frame = vaddr_to_pointer(VADDR(state->esp));
        if (frame->cs != KERNEL_CODE)
            return; /* garbage for a table: the frame was pushed to somewhere else */
        state->eip = frame->eip;
        state->cs = frame->cs;
        state->eflags = frame->eflags;
        state->esp += sizeof(*frame);
    }
}

/*
 * The task. The error code, always 0, stands on its stack where a caller's return address would.
 * The task switch saved the interrupted registers in the main TSS, all but CR3.
 */
static void noreturn double_fault_task(void)
{
    const struct tss *tss = &main_tss;

    /* Global pages have outlived the load of CR3, and they may be what is broken. */
    if (cpu_features.pge)
        cpu_write_cr4(cpu_read_cr4() & ~(uint32_t)CR4_PGE);
    struct cpu_state state = {
        .eax = tss->eax,
        .ebx = tss->ebx,
        .ecx = tss->ecx,
        .edx = tss->edx,
        .esi = tss->esi,
        .edi = tss->edi,
        .ebp = tss->ebp,
        .esp = tss->esp,
        .eip = tss->eip,
        .cs = tss->cs,
        .ss = tss->ss,
        .eflags = tss->eflags,
        .directory = current_directory.v,
        .fault_address = cpu_read_cr2(),
        .fault = STATE_DOUBLE_FAULT,
    };
    drop_frames_of_stub(&state);
    panic_state(&state, "double fault");
}

void double_fault_init(void)
{
    current_directory = image_to_paddr(boot_directory);
    double_fault_tss = (struct tss){
        .cr3 = current_directory.v,
        .eip = pointer_to_vaddr((const void *)(uintptr_t)double_fault_task).v,
        .eflags = EFLAGS_ALWAYS,
        .esp = pointer_to_vaddr(stack).v + STACK_BYTES,
        .cs = KERNEL_CODE,
        .ds = KERNEL_DATA,
        .es = KERNEL_DATA,
        .fs = KERNEL_DATA,
        .gs = KERNEL_DATA,
        .ss = KERNEL_DATA,
        .io_map_base = sizeof(struct tss),
    };
}

static uint32_t table_entry(const uint32_t *table)
{
    return pde_make(paddr_to_frame(image_to_paddr(table)), ENTRY_PRESENT | ENTRY_WRITABLE).bits;
}

void double_fault_seal(const uint32_t *image_table)
{
    memcpy(image_table_copy, image_table, sizeof(image_table_copy));
    directory[KERNEL_FIRST_SLOT] = table_entry(image_table_copy);
    for (uint32_t slot = vaddr_to_slot(VADDR(FRAME_TABLE_BASE));
         slot < vaddr_to_slot(VADDR(REGION_NODES_BASE)); slot++)
        directory[slot] = boot_directory[slot]; /* for the report only, so not copied further */
    temp_table[TEMP_CPU_TABLES] = boot_temp_table[TEMP_CPU_TABLES];
    directory[TEMP_SLOT] = table_entry(temp_table);
    directory[WINDOW_SLOT] = table_entry(directory);
    double_fault_tss.cr3 = image_to_paddr(directory).v;
}

void double_fault_share_slot(uint32_t slot)
{
    directory[slot] = boot_directory[slot];
}

bool double_fault_stack_holds(uint32_t address)
{
    return vaddr_in(VADDR(address), pointer_to_vaddr(stack), STACK_BYTES);
}

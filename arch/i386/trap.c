/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The IDT, and who answers what (trap.h).
 *
 * An exception without a handler is a panic: layer 0 can repair nothing. Interrupts 32-47 come from
 * the PIC; an unexpected one is dropped, for hardware may raise what nobody asked for.
 */
#include <arch/i386/trap.h>

#include <arch/i386/cpu.h>
#include <arch/i386/gdt.h>
#include <arch/i386/pic.h>
#include <kernel/console.h>
#include <kernel/early.h>
#include <kernel/panic.h>

enum { IRQ_KEYBOARD = 1, IRQ_COM1 = 4 };

/* Offsets that stubs.asm knows by number. */
_Static_assert(offsetof(struct trap_frame, edi) == 16, "SEGMENT_BYTES");
_Static_assert(offsetof(struct trap_frame, vector) == 48, "behind pusha");
_Static_assert(offsetof(struct trap_frame, user_esp) == 68, "where the CPU's part ends");
_Static_assert(offsetof(struct trap_frame, eax) == 44, "FRAME_EAX");
_Static_assert(offsetof(struct trap_frame, eflags) == 64, "FRAME_EFLAGS");
_Static_assert(EFLAGS_VM86 == 1u << 17, "EFLAGS_VM");
_Static_assert(TRAP_CALLS == 92, "FRAME_CALLS");
enum { STUB_BYTES = 16, CLAC_BYTES = 3 };

extern char trap_stubs[], page_fault_stub[], system_call_stub[];

/* Called by the stubs with the frame in EAX. */
CALLED_BY_STUB(1) void trap_dispatch(struct trap_frame *frame);
CALLED_BY_STUB(1) struct trap_frame *trap_from_vm86(struct trap_frame *low);

/* source: SDM vol. 3A, "IDT Descriptors" */
struct gate {
    uint16_t offset_low, selector;
    uint8_t zero, type;
    uint16_t offset_high;
};
enum gate_type { GATE_TASK = 0x85, GATE_INTERRUPT = 0x8E, GATE_FOR_USERS = 0xEE };

static struct gate idt[VECTOR_COUNT] in_cpu_tables;
static trap_handler_t *handlers[VECTOR_COUNT];

static const struct trap_user_client *user_client;
static uint32_t clac_skipped; /* bytes */

/* Used by stubs.asm. */
system_call_t *trap_system_calls[SYSTEM_CALLS];
uint32_t trap_leave_work, trap_user_stack;
struct trap_frame *(*trap_leave)(struct trap_frame *frame);

static const char *const names[VECTOR_EXCEPTIONS] = {
    [0] = "divide error",
    [1] = "debug",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "BOUND range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [9] = "coprocessor segment overrun",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack-segment fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "x87 floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point exception",
    [20] = "virtualization exception",
    [21] = "control protection exception",
    [28] = "hypervisor injection exception",
    [29] = "VMM communication exception",
    [30] = "security exception",
};

const char *trap_name(unsigned vector)
{
    if (vector >= VECTOR_EXCEPTIONS)
        return "interrupt";
    return names[vector] != NULL ? names[vector] : "reserved exception";
}

static void set_gate(unsigned vector, enum gate_type type, uint16_t selector, uint32_t offset)
{
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset,
        .offset_high = (uint16_t)(offset >> 16),
        .selector = selector,
        .type = (uint8_t)type,
    };
}

/* Every stub begins with CLAC; gates lead to it, or SKIPPED bytes on to the instruction behind. */
static void set_gates(uint32_t skipped)
{
    clac_skipped = skipped;
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        set_gate(vector, GATE_INTERRUPT, KERNEL_CODE,
                 pointer_to_vaddr(trap_stubs).v + vector * STUB_BYTES + skipped);
    }
    set_gate(VECTOR_PAGE_FAULT, GATE_INTERRUPT, KERNEL_CODE,
             pointer_to_vaddr(page_fault_stub).v + skipped);
    set_gate(VECTOR_DOUBLE_FAULT, GATE_TASK, DOUBLE_FAULT_TSS, 0);
}

bool trap_is_page_fault_entry(uint32_t address)
{
    const struct gate *gate = &idt[VECTOR_PAGE_FAULT];
    return address == (gate->offset_low | (uint32_t)gate->offset_high << 16);
}

void trap_begin_with_clac(void)
{
    set_gates(0);
}

const struct trap_user_client *trap_set_user_client(const struct trap_user_client *client)
{
    const struct trap_user_client *before = user_client;
    user_client = client;
    trap_leave = client != NULL ? client->leave : NULL;
    return before;
}

void trap_user_page_fault(struct trap_frame *frame, const struct page_fault *fault,
                          enum fault_result result)
{
    user_client->page_fault(frame, fault, result);
}

bool trap_has_user_client(void)
{
    return user_client != NULL;
}

void trap_open_system_calls(void)
{
    set_gate(VECTOR_SYSTEM_CALL, GATE_FOR_USERS, KERNEL_CODE,
             pointer_to_vaddr(system_call_stub).v + clac_skipped);
    idt[VECTOR_BREAKPOINT].type = GATE_FOR_USERS;
    idt[VECTOR_OVERFLOW].type = GATE_FOR_USERS;
}

void trap_init(void)
{
    set_gates(CLAC_BYTES);
    trap_user_stack = pointer_to_vaddr(stack_top).v;
    struct {
        uint16_t limit;
        uint32_t linear_base;
    } __attribute__((packed)) pointer = {sizeof(idt) - 1, early_cpu_table_address(idt)};
    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

trap_handler_t *trap_register(unsigned vector, trap_handler_t *handler)
{
    ASSERT(vector < VECTOR_COUNT && vector != VECTOR_PAGE_FAULT && vector != VECTOR_DOUBLE_FAULT,
           "trap: vector %u can't be registered", vector);
    trap_handler_t *before = handlers[vector];
    handlers[vector] = handler;
    return before;
}

static void serve_irq(struct trap_frame *frame, unsigned irq)
{
    if (!pic_begin(irq))
        return;
    if (handlers[frame->vector] != NULL)
        handlers[frame->vector](frame);
    else if (irq == IRQ_KEYBOARD || irq == IRQ_COM1)
        console_interrupt(irq);
    pic_end(irq);
}

/* The program did it, and not the machine. */
static bool is_users_fault(unsigned vector)
{
    return vector < VECTOR_EXCEPTIONS && vector != VECTOR_NMI && vector != VECTOR_MACHINE_CHECK;
}

CALLED_BY_STUB(1) void trap_dispatch(struct trap_frame *frame)
{
    unsigned irq = frame->vector - PIC_FIRST_VECTOR;

    if (irq < PIC_IRQS)
        serve_irq(frame, irq);
    else if (handlers[frame->vector] != NULL)
        handlers[frame->vector](frame);
    else if (user_client != NULL && trap_from_user(frame) && is_users_fault(frame->vector))
        user_client->exception(frame);
    else
        panic_trap(frame, "unexpected exception: %s", trap_name(frame->vector));
}

/*
 * The CPU pushed from virtual-8086 mode. A CPU ignores EFLAGS.VM where a program pops it; QEMU's
 * IRET does not (7.2, TCG), so the program gets there, and can have IOPL 3 as well, and CS 8.
 * Nothing of that may ever be popped again: the frame moves to where it belongs and becomes one of
 * user mode, which tells where the program was. An interrupt is served as always; then it ends.
 *   returns the frame in its place
 */
CALLED_BY_STUB(1) struct trap_frame *trap_from_vm86(struct trap_frame *low)
{
    const struct trap_frame was = *low;
    /* An emulator may leave the flag in EFLAGS and push no more than ever. */
    bool is_low = pointer_to_vaddr(low + 1).v != main_tss.esp0;
    struct trap_frame *frame =
        vaddr_to_pointer(vaddr_add(pointer_to_vaddr(low), is_low ? TRAP_VM86_BYTES : 0));
    enum { EFLAGS_ALWAYS = 1u << 1, SEGMENT_SHIFT = 4 };

    *frame = was;
    frame->gs = frame->fs = 0;
    frame->es = frame->ds = frame->user_ss = USER_DATA;
    frame->cs = USER_CODE;
    frame->eip = ((was.cs & 0xFFFF) << SEGMENT_SHIFT) + was.eip;
    frame->user_esp = ((was.user_ss & 0xFFFF) << SEGMENT_SHIFT) + was.user_esp;
    frame->eflags = EFLAGS_ALWAYS | EFLAGS_INTERRUPT;
    frame->error_code = 0;
    if (!is_users_fault(frame->vector) && frame->vector != VECTOR_SYSTEM_CALL)
        trap_dispatch(frame);
    ASSERT(user_client != NULL, "trap: nobody has sent a program to virtual-8086 mode");
    user_client->vm86(frame);
    return frame;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The report that ends the kernel (include/kernel/panic.h).
 *
 * What is certain comes first: message, registers, backtrace. What the layers know about the
 * address comes last, since their data may be what is broken; a fault there is a panic inside the
 * panic and costs no more than the rest of the report. A backtrace reads nothing but the stacks.
 */
#include <kernel/panic.h>

#include <arch/i386/cpu.h>
#include <arch/i386/double_fault.h>
#include <arch/i386/trap.h>
#include <kernel/early.h>
#include <kernel/fault.h>
#include <kernel/machine.h>
#include <kernel/printk.h>
#include <kernel/symbols.h>

enum { BACKTRACE_MAX = 24 };

#define RED   "\033[1;31m"
#define PLAIN "\033[0m"

/* Labels in stubs.asm: a return there leads out of a trap. */
extern char trap_return[], page_fault_return[];

/* What a function with a frame pointer leaves at EBP. */
struct stack_frame {
    uint32_t caller_ebp, return_address;
    struct trap_frame trap; /* only if return_address is one of the two labels above */
};

static unsigned panic_depth;

static bool is_kernel_stack(uint32_t address)
{
    return vaddr_in(VADDR(address), pointer_to_vaddr(stack_bottom),
                    (uint32_t)(stack_top - stack_bottom));
}

/* All BYTES bytes from ADDRESS on may be read: they are in one of the two stacks. */
static bool is_readable_stack(uint32_t address, uint32_t bytes)
{
    uint32_t last = address + bytes - 1;
    return address % sizeof(uint32_t) == 0 &&
           ((is_kernel_stack(address) && is_kernel_stack(last)) ||
            (double_fault_stack_holds(address) && double_fault_stack_holds(last)));
}

static bool is_stack_guard(uint32_t address)
{
    return vaddr_in(VADDR(address), pointer_to_vaddr(stack_guard), PAGE_BYTES);
}

/*
 * ADDRESS with the name of the function that the byte BACK before it lies in: a return address may
 * stand behind the last byte of its function, if the call was never to come back.
 */
static void print_location(uint32_t address, uint32_t back)
{
    const char *name;
    uint32_t offset;

    if (symbol_find(address - back, &name, &offset))
        printk("  " PRI_VADDR " %s+0x%x\n", (unsigned)address, name, (unsigned)(offset + back));
    else
        printk("  " PRI_VADDR "\n", (unsigned)address);
}

static bool leads_out_of_trap(uint32_t address)
{
    return address == pointer_to_vaddr(trap_return).v ||
           address == pointer_to_vaddr(page_fault_return).v;
}

/* The functions that wait for each other, innermost first, from the frame at EBP on. */
static void print_callers(uint32_t ebp)
{
    for (unsigned depth = 0; depth < BACKTRACE_MAX; depth++) {
        if (!is_readable_stack(ebp, 2 * sizeof(uint32_t)))
            return;
        const struct stack_frame *frame = vaddr_to_pointer(VADDR(ebp));
        if (frame->return_address == 0)
            return;
        print_location(frame->return_address, 1);
        if (leads_out_of_trap(frame->return_address) &&
            is_readable_stack(ebp, offsetof(struct stack_frame, trap.user_esp))) {
            printk("  -- exception %u --\n", (unsigned)frame->trap.vector);
            print_location(frame->trap.eip, 0);
        }
        if (frame->caller_ebp <= ebp)
            return; /* a caller's frame lies higher; the outermost one says 0 */
        ebp = frame->caller_ebp;
    }
    printk("  ...\n");
}

static void print_registers(const struct cpu_state *s)
{
    const struct {
        const char *name;
        uint32_t value;
    } registers[] = {
        {"eax", s->eax},         {"ebx", s->ebx},
        {"ecx", s->ecx},         {"edx", s->edx},
        {"esi", s->esi},         {"edi", s->edi},
        {"ebp", s->ebp},         {"esp", s->esp},
        {"eip", s->eip},         {" cs", s->cs & 0xFFFF},
        {" ss", s->ss & 0xFFFF}, {"efl", s->eflags},
        {"cr0", cpu_read_cr0()}, {"cr2", s->fault_address},
        {"cr3", s->directory},   {"cr4", cpu_features.cr4 ? cpu_read_cr4() : 0},
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(registers); i++) {
        printk("%s %08x", registers[i].name, (unsigned)registers[i].value);
        printk(i % 4 == 3 ? "\n" : "  ");
    }
}

/* The first push below the stack finds ESP at its very bottom, and faults 4 bytes below. */
static void print_overflow(const struct cpu_state *s)
{
    if (is_stack_guard(s->esp - sizeof(uint32_t)) ||
        (s->fault != STATE_NO_FAULT && is_stack_guard(s->fault_address))) {
        printk(RED "kernel stack overflow: esp " PRI_VADDR ", the stack ends at " PRI_VADDR PLAIN
                   "\n",
               (unsigned)s->esp, ARG_VADDR(pointer_to_vaddr(stack_bottom)));
    }
}

/* Print the message; a second panic stops here, a third one says nothing. */
static void begin(const char *format, va_list arguments)
{
    cpu_interrupts_off();
    panic_depth++;
    if (panic_depth > 2)
        machine_exit(EXIT_PANIC);
    fault_stop_answering();
    printk("\n" RED "%s: ", panic_depth == 1 ? "PANIC" : "PANIC inside the panic");
    vprintk(format, arguments);
    printk(PLAIN "\n");
    if (panic_depth > 1)
        machine_exit(EXIT_PANIC);
}

static void noreturn report_state(const struct cpu_state *state)
{
    print_overflow(state);
    print_registers(state);
    printk("backtrace:\n");
    print_location(state->eip, 0);
    if (!is_user_mode(state->cs, state->eflags))
        print_callers(state->ebp); /* a program's EBP is whatever it wants it to be */
    if (state->fault != STATE_NO_FAULT) {
        printk("about " PRI_VADDR ":\n", (unsigned)state->fault_address);
        fault_describe(VADDR(state->fault_address));
    }
    machine_exit(EXIT_PANIC);
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    begin(format, arguments);
    va_end(arguments);
    printk("backtrace:\n");
    print_callers(pointer_to_vaddr(__builtin_frame_address(0)).v);
    machine_exit(EXIT_PANIC);
}

void panic_trap(const struct trap_frame *frame, const char *format, ...)
{
    va_list arguments;
    const bool page_fault = frame->vector == VECTOR_PAGE_FAULT;
    const struct cpu_state state = {
        .eax = frame->eax,
        .ebx = frame->ebx,
        .ecx = frame->ecx,
        .edx = frame->edx,
        .esi = frame->esi,
        .edi = frame->edi,
        .ebp = frame->ebp,
        .esp = trap_frame_esp(frame),
        .eip = frame->eip,
        .cs = frame->cs,
        .ss = trap_from_user(frame) ? frame->user_ss : KERNEL_DATA,
        .eflags = frame->eflags,
        .directory = cpu_read_cr3(),
        .fault_address = page_fault ? frame->fault_address : cpu_read_cr2(),
        .fault = page_fault ? STATE_PAGE_FAULT : STATE_NO_FAULT,
    };

    va_start(arguments, format);
    begin(format, arguments);
    va_end(arguments);
    printk("vector %u (%s), error code 0x%x\n", (unsigned)frame->vector, trap_name(frame->vector),
           (unsigned)frame->error_code);
    report_state(&state);
}

void panic_state(const struct cpu_state *state, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    begin(format, arguments);
    va_end(arguments);
    report_state(state);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. What the CPU refuses to a program becomes a signal, as Linux has it on i386.
 *
 *   page fault     region there: SIGSEGV SEGV_ACCERR; none: SEGV_MAPERR; behind the end of a file:
 *                  SIGBUS BUS_ADRERR; it can't be read: the same; no frame left: somebody ends, and
 *                  the instruction is repeated; must wait: it sleeps first
 *   unit closed    the process gets the x87 and SSE unit (fpu.h)
 *   virtual-8086   the end by SIGSEGV: programs have no business there
 *   others         the table below
 */
#include <process/exceptions.h>

#include <arch/i386/cpu.h>
#include <kernel/layer.h>
#include <process/fpu.h>
#include <process/signal.h>

enum page_fault_error { ERROR_PRESENT = 1, ERROR_USER = 4 };
enum segment_error { ERROR_VECTOR = 2 }; /* it names a vector, else a selector */
enum debug_reasons { DEBUG_SINGLE_STEP = 1u << 14 };

/* What the handler sees as si_addr: the instruction, or nothing. */
enum where { NOWHERE, AT_EIP };

struct answer {
    uint8_t signal, code, where;
};
static const struct answer answers[VECTOR_EXCEPTIONS] = {
    [VECTOR_DIVIDE] = {SIGFPE, FPE_INTDIV, AT_EIP},
    [VECTOR_DEBUG] = {SIGTRAP, TRAP_BRKPT, AT_EIP},
    [VECTOR_BREAKPOINT] = {SIGTRAP, SI_KERNEL, NOWHERE},
    [VECTOR_OVERFLOW] = {SIGSEGV, SI_KERNEL, NOWHERE},
    [VECTOR_BOUND] = {SIGSEGV, SI_KERNEL, NOWHERE},
    [VECTOR_INVALID_OPCODE] = {SIGILL, ILL_ILLOPN, AT_EIP},
    [VECTOR_NO_FPU] = {SIGILL, ILL_COPROC, AT_EIP},
    [9 /* coprocessor segment overrun */] = {SIGFPE, SI_KERNEL, NOWHERE},
    [VECTOR_INVALID_TSS] = {SIGSEGV, SI_KERNEL, NOWHERE}, /* IRET with NT set */
    [VECTOR_NOT_PRESENT] = {SIGBUS, SI_KERNEL, NOWHERE},
    [VECTOR_STACK_SEGMENT] = {SIGBUS, SI_KERNEL, NOWHERE},
    [VECTOR_GENERAL_PROTECTION] = {SIGSEGV, SI_KERNEL, NOWHERE},
    [VECTOR_FPU_ERROR] = {SIGFPE, SI_KERNEL, AT_EIP},
    [VECTOR_ALIGNMENT] = {SIGBUS, BUS_ADRALN, NOWHERE},
    [VECTOR_SIMD_ERROR] = {SIGFPE, SI_KERNEL, AT_EIP},
};

static void send(struct process *self, const struct answer *answer, uint32_t code)
{
    signal_send_fault(self, answer->signal, code, answer->where == AT_EIP ? self->frame.eip : 0);
}

/* The instruction is repeated when there is room. */
static void wait_for_memory(void)
{
    int32_t unused = process_out_of_memory();
    (void)unused;
}

static void give_unit(struct process *self)
{
    switch (fpu_take(self)) {
    case KERR_OK:
        break;
    case KERR_NO_MEMORY:
        wait_for_memory();
        break;
    default:
        send(self, &answers[VECTOR_NO_FPU], ILL_COPROC);
    }
}

/* The CPU says why in DR6, and never clears it. */
static uint32_t debug_code(void)
{
    uint32_t reasons = cpu_read_dr6();
    cpu_write_dr6(0);
    return (reasons & DEBUG_SINGLE_STEP) != 0 ? TRAP_TRACE : TRAP_BRKPT;
}

static void send_fpu_error(struct process *self, const struct answer *answer, enum fpu_part part)
{
    uint32_t code = fpu_error(self, part);
    if (code != 0)
        send(self, answer, code); /* else the program has seen to it meanwhile */
}

/*
 * A selector may be a word that the program can't read: QEMU before version 9.1 pops for a
 * program's `lret` and `iret` whatever ESP leads to, and the error code names what was no selector.
 * A vector comes from the instruction (`int N`). So this goes out, and that never does.
 */
static void hide_selector(struct trap_frame *frame)
{
    if ((frame->error_code & ERROR_VECTOR) == 0)
        frame->error_code = 0;
}

void user_exception(struct trap_frame *frame)
{
    struct process *self = process_current;
    const struct answer *answer = &answers[frame->vector];

    hide_selector(frame);
    switch (frame->vector) {
    case VECTOR_NO_FPU:
        give_unit(self);
        break;
    case VECTOR_DEBUG:
        send(self, answer, debug_code());
        break;
    case VECTOR_FPU_ERROR:
        send_fpu_error(self, answer, FPU_PART_X87);
        break;
    case VECTOR_SIMD_ERROR:
        send_fpu_error(self, answer, FPU_PART_SSE);
        break;
    default:
        if (answer->signal != 0)
            send(self, answer, answer->code);
        else
            signal_send_fault(self, SIGSEGV, SI_KERNEL, 0);
    }
}

void user_page_fault(struct trap_frame *frame, const struct page_fault *fault,
                     enum fault_result result)
{
    struct process *self = process_current;

    if (result == FAULT_NO_MEMORY) {
        wait_for_memory();
        return;
    }
    if (result == FAULT_MUST_WAIT) {
        process_wait_for_page();
        return;
    }
    /* Whose rights were used (fault.c) and what is mapped in the kernel's half is not for
     * programs. */
    frame->error_code |= ERROR_USER;
    if (fault->address.v >= KERNEL_BASE)
        frame->error_code |= ERROR_PRESENT;
    if (result == FAULT_BEYOND_END || result == FAULT_IO_ERROR)
        signal_send_fault(self, SIGBUS, BUS_ADRERR, fault->address.v);
    else if (vma_find(&self->memory->space, fault->address) != NULL)
        signal_send_fault(self, SIGSEGV, SEGV_ACCERR, fault->address.v);
    else
        signal_send_fault(self, SIGSEGV, SEGV_MAPERR, fault->address.v);
}

/* There is no state to go on in, so no handler is asked. */
void user_vm86(struct trap_frame *frame)
{
    signal_end_by_fault(process_current, SIGSEGV, frame->eip);
}

/* With it EFLAGS.AC means something to programs; the kernel, in ring 0, is never checked. */
static enum kerr exceptions_init(const struct boot_info *boot)
{
    (void)boot;
    cpu_write_cr0(cpu_read_cr0() | CR0_ALIGNMENT);
    return KERR_OK;
}

LAYER(08a_exceptions, "exceptions of programs", exceptions_init);

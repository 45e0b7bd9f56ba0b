/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: panic, fault, tests; later system calls.
 *
 * Exceptions and interrupts, from the CPU to the function that answers. Every gate is an interrupt
 * gate: handlers run with interrupts off. A page fault has a stub of its own and goes straight to
 * page_fault_entry(); a double fault is a task of its own (double_fault.h).
 */
#ifndef ARCH_I386_TRAP_H
#define ARCH_I386_TRAP_H

#include <kernel/types.h>
#include <stdarg.h>

enum vector {
    VECTOR_DIVIDE = 0,
    VECTOR_BREAKPOINT = 3,
    VECTOR_INVALID_OPCODE = 6,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_GENERAL_PROTECTION = 13,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_EXCEPTIONS = 32, /* their number: vectors from here on are interrupts */
    VECTOR_COUNT = 256,
};

/*
 * What a stub leaves on the stack, lowest address first; drawn beside the pushes in stubs.asm.
 * popa skips the slot of ESP: the page-fault path lays CR2 there for the report.
 */
struct trap_frame {
    uint32_t gs, fs, es, ds; /* meaningful only if the trap came from user mode */
    uint32_t edi, esi, ebp, fault_address, ebx, edx, ecx, eax;
    uint32_t vector, error_code; /* 0 where the CPU pushes none */
    uint32_t eip, cs, eflags;
    uint32_t user_esp, user_ss; /* there only if the trap came from user mode */
};

/* A function that a stub calls with its ARGUMENTS arguments in EAX, EDX: no push, no load. */
#define CALLED_BY_STUB(arguments) __attribute__((regparm(arguments), used))

/* The mode that FRAME interrupted. */
static inline bool trap_from_user(const struct trap_frame *frame)
{
    return (frame->cs & 3) != 0;
}

/* ESP before the trap: the CPU pushes it only when it changes the stack. */
static inline uint32_t trap_frame_esp(const struct trap_frame *frame)
{
    return trap_from_user(frame) ? frame->user_esp : pointer_to_vaddr(&frame->user_esp).v;
}

/* Load the IDT. The GDT must be there. */
void trap_init(void);

/*
 * From here on every stub begins with CLAC: a program, or a probe routine, may have left EFLAGS.AC
 * set, and handlers are to run with SMAP on. Only where the CPU has SMAP: elsewhere CLAC is an
 * invalid opcode.
 */
void trap_begin_with_clac(void);

/* ADDRESS is where the gate of the page fault leads: no instruction of its stub has run yet. */
bool trap_is_page_fault_entry(uint32_t address);

typedef void trap_handler_t(struct trap_frame *frame);

/*
 * HANDLER answers VECTOR from now on; NULL: nobody does. It may change the frame.
 *   returns the one that did before. Not for VECTOR_PAGE_FAULT, which has clients (fault.h), and
 *   not for VECTOR_DOUBLE_FAULT.
 */
trap_handler_t *trap_register(unsigned vector, trap_handler_t *handler);

/* "divide error", "page fault", ...; "interrupt" from 32 on. */
const char *trap_name(unsigned vector);

/* From here on no page fault is answered: every one is a panic. For the panic itself. */
void fault_stop_answering(void);

/* The registers of an interrupted context, wherever they were kept: for the report. */
struct cpu_state {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, cs, ss, eflags;
    uint32_t directory;     /* CR3 */
    uint32_t fault_address; /* CR2 */
    enum { STATE_NO_FAULT, STATE_PAGE_FAULT, STATE_DOUBLE_FAULT } fault;
};

/* As panic_trap(), for registers that are in no trap frame. */
void panic_state(const struct cpu_state *state, const char *format, ...) printf_like(2, 3) noreturn;

#endif

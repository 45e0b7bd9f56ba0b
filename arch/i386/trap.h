/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: panic, fault, layer 2, device/ (interrupts), process/, tests.
 *
 * Exceptions and interrupts, from the CPU to the function that answers. Every gate is an interrupt
 * gate: handlers run with interrupts off. A page fault has a stub of its own and goes straight to
 * page_fault_entry(); a double fault is a task of its own (double_fault.h).
 */
#ifndef ARCH_I386_TRAP_H
#define ARCH_I386_TRAP_H

#include <kernel/fault.h>
#include <stdarg.h>

enum vector {
    VECTOR_DIVIDE = 0,
    VECTOR_DEBUG = 1,
    VECTOR_NMI = 2,
    VECTOR_BREAKPOINT = 3,
    VECTOR_OVERFLOW = 4,
    VECTOR_BOUND = 5,
    VECTOR_INVALID_OPCODE = 6,
    VECTOR_NO_FPU = 7,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_INVALID_TSS = 10,
    VECTOR_NOT_PRESENT = 11,
    VECTOR_STACK_SEGMENT = 12,
    VECTOR_GENERAL_PROTECTION = 13,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_FPU_ERROR = 16,
    VECTOR_ALIGNMENT = 17,
    VECTOR_MACHINE_CHECK = 18,
    VECTOR_SIMD_ERROR = 19,
    VECTOR_SYSTEM_CALL = 0x80,
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

enum { EFLAGS_VM86 = 1u << 17 };

/* CS and EFLAGS are a program's. In virtual-8086 mode CS is no selector, and can be anything. */
static inline bool is_user_mode(uint32_t cs, uint32_t eflags)
{
    return (cs & 3) != 0 || (eflags & EFLAGS_VM86) != 0;
}

/* The mode that FRAME interrupted. */
static inline bool trap_from_user(const struct trap_frame *frame)
{
    return is_user_mode(frame->cs, frame->eflags);
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

/* ---- user mode ---- */

/*
 * The place of a program's frame. TSS.esp0 is its end, but from virtual-8086 mode the CPU pushes
 * TRAP_VM86_BYTES more, and all lies that much lower. So:
 *
 *   TRAP_VM86_BYTES bytes   room, overwritten then: nothing that matters when a program ends
 *   struct trap_frame
 *   uint32_t                0
 *   ...
 *   uint32_t                TRAP_CALLS bytes from the frame on: the number of system calls that
 *                           the program may ask for, SYSTEM_CALLS
 *
 * The stub of int 0x80 compares with that last word. From a frame that lies lower it finds the 0.
 */
enum {
    TRAP_VM86_BYTES = 16,
    TRAP_NO_CALLS = sizeof(struct trap_frame),
    TRAP_CALLS = TRAP_NO_CALLS + TRAP_VM86_BYTES,
};

/*
 * A system call: FRAME is the caller's; the result goes into its EAX. Numbers from SYSTEM_CALLS on
 * are answered by number 0.
 */
typedef int32_t system_call_t(struct trap_frame *frame);
enum { SYSTEM_CALLS = 512 };
extern system_call_t *trap_system_calls[SYSTEM_CALLS];

/* Who answers for programs: layer 8. */
struct trap_user_client {
    /* An exception in user mode that is no page fault, NMI, double fault or machine check. */
    void (*exception)(struct trap_frame *frame);
    /* A page fault in user mode that no layer has resolved, and how it ended. */
    void (*page_fault)(struct trap_frame *frame, const struct page_fault *fault,
                       enum fault_result result);
    /* A program was in virtual-8086 mode; FRAME is sane again, and not what it was: it ends. */
    void (*vm86)(struct trap_frame *frame);
    /* Before user mode goes on in FRAME, if trap_leave_work is not 0: returns the frame to go on
     * in. TSS.esp0 must be its end. */
    struct trap_frame *(*leave)(struct trap_frame *frame);
};
/* Returns the one before; NULL: none. */
const struct trap_user_client *trap_set_user_client(const struct trap_user_client *client);

/* For fault.c: is there one, and its answer to a page fault. */
bool trap_has_user_client(void);
void trap_user_page_fault(struct trap_frame *frame, const struct page_fault *fault,
                          enum fault_result result);

/* Not 0: there is something to do before the return to user mode. */
extern uint32_t trap_leave_work;
extern struct trap_frame *(*trap_leave)(struct trap_frame *frame); /* the client's */

/* Where C runs when a trap comes from user mode: the kernel stack, from its top on. */
extern uint32_t trap_user_stack;

/* Open the gate of int 0x80 (and of int3, into) to user mode. */
void trap_open_system_calls(void);

/* Go on in FRAME, in user mode; the stack is abandoned. TSS.esp0 must be its end. */
asmlinkage void trap_resume(struct trap_frame *frame) noreturn;

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

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The floors: what an exception and the clearing of a frame cost by themselves.
 */
#include "measure.h"

#include <arch/i386/page_ops.h>
#include <arch/i386/trap.h>

/* A page fault answered by the least code there can be: skip the instruction, drop the error. */
void bench_bare_page_fault(void);
__asm__(".text\n"
        "bench_bare_page_fault:\n"
        "    addl $4, %esp\n"
        "    movl %ecx, (%esp)\n"
        "    iret\n");

struct idt_register {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

/* Read a page that is never there, with the gate of page faults leading past the kernel. */
static uint64_t bare_page_fault(void)
{
    struct idt_register idt;
    __asm__ volatile("sidt %0" : "=m"(idt));
    volatile uint32_t *gate = vaddr_to_pointer(VADDR(idt.base + 8 * VECTOR_PAGE_FAULT));
    uint32_t low = gate[0], high = gate[1];
    uint32_t handler = pointer_to_vaddr((const void *)(uintptr_t)bench_bare_page_fault).v;
    uint64_t sum = 0;

    gate[0] = (low & 0xFFFF0000) | (handler & 0xFFFF);
    gate[1] = (high & 0xFFFF) | (handler & 0xFFFF0000);
    MEASURE(sum, __asm__ volatile("movl $1f, %%ecx\n"
                                  "    movl 0, %%eax\n"
                                  "1:"
                                  :
                                  :
                                  : "eax", "ecx", "memory"));
    gate[0] = low;
    gate[1] = high;
    return sum - 1; /* the load of ECX */
}

static void do_nothing(struct trap_frame *frame)
{
    (void)frame;
}

static uint8_t page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

BENCH("floor")
{
    uint64_t dispatched = 0, cleared = 0;

    bench_row("exception", bare_page_fault(), "insn", NULL);
    trap_handler_t *old = trap_register(VECTOR_BREAKPOINT, do_nothing);
    MEASURE(dispatched, __asm__ volatile("int3" : : : "memory"));
    trap_register(VECTOR_BREAKPOINT, old);
    bench_row("exception_dispatched", dispatched, "insn", "exception");
    MEASURE(cleared, page_clear(page));
    bench_row("clear_frame", cleared, "insn", "1024");
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of the trap code, the fault dispatcher and the probe routines, and the panics that
 * need no layer above: arch/i386/{trap.c,stubs.asm,fault.c,probe.asm,double_fault.c}.
 */
#include <arch/i386/cpu.h>
#include <arch/i386/pic.h>
#include <arch/i386/trap.h>
#include <kernel/early.h>
#include <kernel/fault.h>
#include <kernel/test.h>

static struct trap_frame seen;
static unsigned times;

static void note(struct trap_frame *frame)
{
    seen = *frame;
    times++;
}

TEST("trap", "int3: reaches its handler, and every register survives")
{
    uint32_t eax = 0x11111111, ebx = 0x22222222, ecx = 0x33333333;
    uint32_t edx = 0x44444444, esi = 0x55555555, edi = 0x66666666;
    uint32_t esp_before, esp_after;

    times = 0;
    trap_handler_t *before = trap_register(VECTOR_BREAKPOINT, note);
    __asm__ volatile("mov %%esp, %0" : "=r"(esp_before));
    __asm__ volatile("int3"
                     : "+a"(eax), "+b"(ebx), "+c"(ecx), "+d"(edx), "+S"(esi), "+D"(edi)
                     :
                     : "memory");
    __asm__ volatile("mov %%esp, %0" : "=r"(esp_after));
    trap_register(VECTOR_BREAKPOINT, before);

    EXPECT_EQUAL(times, 1);
    EXPECT_EQUAL(seen.vector, VECTOR_BREAKPOINT);
    EXPECT_EQUAL(seen.error_code, 0);
    EXPECT_EQUAL(eax, 0x11111111);
    EXPECT_EQUAL(ebx, 0x22222222);
    EXPECT_EQUAL(ecx, 0x33333333);
    EXPECT_EQUAL(edx, 0x44444444);
    EXPECT_EQUAL(esi, 0x55555555);
    EXPECT_EQUAL(edi, 0x66666666);
    EXPECT_EQUAL(seen.eax, eax);
    EXPECT_EQUAL(seen.edi, edi);
    EXPECT_EQUAL(esp_before, esp_after);
}

TEST("trap", "the direction flag set: is clear in the handler and set again behind it")
{
    uint32_t flags;
    enum { EFLAGS_DIRECTION = 1u << 10 };

    trap_handler_t *before = trap_register(VECTOR_BREAKPOINT, note);
    __asm__ volatile("std; int3; pushf; cld; pop %0" : "=r"(flags) : : "memory");
    trap_register(VECTOR_BREAKPOINT, before);
    EXPECT((flags & EFLAGS_DIRECTION) != 0);
    EXPECT((seen.eflags & EFLAGS_DIRECTION) != 0);
}

/* `mov %eax, %gs` takes two bytes: go on behind it. */
static void note_and_skip(struct trap_frame *frame)
{
    note(frame);
    frame->eip += 2;
}

TEST("trap", "a selector beyond the GDT: general protection with its number as error code")
{
    enum { NO_SELECTOR = 0xFFF8 };

    times = 0;
    trap_handler_t *before = trap_register(VECTOR_GENERAL_PROTECTION, note_and_skip);
    __asm__ volatile("mov %0, %%gs" : : "a"((uint32_t)NO_SELECTOR) : "memory");
    trap_register(VECTOR_GENERAL_PROTECTION, before);
    EXPECT_EQUAL(times, 1);
    EXPECT_EQUAL(seen.error_code, NO_SELECTOR);
}

TEST("trap", "a software interrupt on a PIC vector: is served and ended")
{
    times = 0;
    trap_handler_t *before = trap_register(PIC_FIRST_VECTOR + 5, note);
    __asm__ volatile("int %0" : : "i"(PIC_FIRST_VECTOR + 5) : "memory");
    trap_register(PIC_FIRST_VECTOR + 5, before);
    EXPECT_EQUAL(times, 1);
}

TEST("trap", "IRQ 7 and 15 raised by nobody: are spurious")
{
    times = 0;
    trap_handler_t *before_7 = trap_register(PIC_FIRST_VECTOR + 7, note);
    trap_handler_t *before_15 = trap_register(PIC_FIRST_VECTOR + 15, note);
    __asm__ volatile("int %0; int %1"
                     :
                     : "i"(PIC_FIRST_VECTOR + 7), "i"(PIC_FIRST_VECTOR + 15)
                     : "memory");
    trap_register(PIC_FIRST_VECTOR + 7, before_7);
    trap_register(PIC_FIRST_VECTOR + 15, before_15);
    EXPECT_EQUAL(times, 0);
}

TEST("fault", "a probe of memory that is there: succeeds")
{
    static uint32_t word = 0x12345678;
    uint32_t value = 0;

    EXPECT_EQUAL(probe_read(pointer_to_vaddr(&word), &value), FAULT_RESOLVED);
    EXPECT_EQUAL(value, 0x12345678);
    EXPECT_EQUAL(probe_write(pointer_to_vaddr(&word), 42), FAULT_RESOLVED);
    EXPECT_EQUAL(word, 42);
}

/* Nothing is mapped in the unused pages of the temporary slot, in any state of the kernel. */
static const vaddr_t nowhere = {TEMP_PAGE_ADDRESS(SLOT_PAGES - 1)};

TEST("fault", "a probe of nothing: is a bad access, and *value stays")
{
    uint32_t value = 7;

    if (UNPAGED)
        SKIP("there are no page faults without paging");
    uint32_t bad = fault_counters.bad_access;
    EXPECT_EQUAL(probe_read(nowhere, &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(value, 7);
    EXPECT_EQUAL(probe_write(nowhere, 7), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(fault_counters.bad_access - bad, 2);
}

TEST("fault", "a probe across a page border into nothing: is a bad access")
{
    uint32_t value;

    if (UNPAGED)
        SKIP("there are no page faults without paging");
    EXPECT_EQUAL(probe_read(VADDR(pointer_to_vaddr(stack_bottom).v - 2), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(VADDR(pointer_to_vaddr(stack_guard).v + 17), 0), FAULT_BAD_ACCESS);
}

TEST("fault", "the window's last page and entry 1023: read as the directory and itself")
{
    uint32_t value = 0;

    if (UNPAGED)
        SKIP("there is no window without paging");
    EXPECT_EQUAL(probe_read(VADDR(WINDOW_DIRECTORY + WINDOW_SLOT * sizeof(value)), &value),
                 FAULT_RESOLVED);
    EXPECT_EQUAL(value & ~(PAGE_BYTES - 1), current_directory.v);
    EXPECT_EQUAL(cpu_read_cr3() & ~(PAGE_BYTES - 1), current_directory.v);
}

TEST("cpu", "CR0: paging and write protection are on, and FPU instructions trap")
{
    uint32_t cr0 = cpu_read_cr0();

    EXPECT_EQUAL((cr0 & CR0_PAGING) != 0, !UNPAGED);
    EXPECT((cr0 & CR0_WRITE_PROTECT) != 0);
    EXPECT((cr0 & CR0_TASK_SWITCHED) != 0);
    EXPECT((cpu_flags() & EFLAGS_INTERRUPT) == 0);
}

/* Without an end, though the compiler can't know: *DEPTH is never 0. */
static uint32_t recurse(volatile uint32_t *depth)
{
    volatile uint32_t deeper = *depth + 1;
    return *depth == 0 ? 0 : recurse(&deeper) + deeper;
}

PANIC_TEST("stack-overflow")
{
    volatile uint32_t depth = 1;
    recurse(&depth);
}

PANIC_TEST("divide")
{
    uint32_t zero = 0;
    __asm__ volatile("xor %%edx, %%edx; div %0" : "+r"(zero) : : "eax", "edx", "cc");
}

PANIC_TEST("invalid-opcode")
{
    __asm__ volatile("ud2");
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. Tests of SMEP, SMAP and UMIP: that they are on where the CPU has them, and that they
 * bite; without them, that the kernel does what they would forbid.
 *
 * The tests enter user mode by a hand-made IRET onto a user page of their own, and come back by the
 * exception that the program ends with (UD2 at the latest).
 */
#include "paging_testing.h"

#include <arch/i386/gdt.h>
#include <arch/i386/trap.h>
#include <kernel/early.h>

enum { EFLAGS_ALWAYS = 1u << 1, PROGRAM_BYTES = 16, PROGRAMS_UMIP = 5 };

/* Programs for user mode, PROGRAM_BYTES each; ESP is the end of their own page. */
extern const uint8_t user_programs[], user_programs_end[], kernel_again[];
__asm__(".pushsection .rodata\n"
        ".balign 16\n"
        "user_programs:\n\t"
        "push %eax; push %eax; sgdt (%esp); ud2; .balign 16\n\t"
        "push %eax; push %eax; sidt (%esp); ud2; .balign 16\n\t"
        "push %eax; push %eax; sldt %eax; ud2; .balign 16\n\t"
        "push %eax; push %eax; str %eax; ud2; .balign 16\n\t"
        "push %eax; push %eax; smsw %eax; ud2; .balign 16\n\t"
        "pushf; orl $0x40000, (%esp); popf; ud2; .balign 16\n\t" /* EFLAGS.AC */
        "ret; .balign 16\n"
        "user_programs_end:\n\t"
        ".popsection");
enum { PROGRAM_SET_AC = PROGRAMS_UMIP, PROGRAM_RETURN };

static struct trap_frame seen;
static uint32_t handler_flags;

static void note(struct trap_frame *frame)
{
    seen = *frame;
    handler_flags = cpu_flags();
}

/* Go on in the kernel: IRET to the same ring leaves the frame's ESP and SS on the stack. */
static void leave_user_mode(struct trap_frame *frame)
{
    note(frame);
    frame->gs = frame->fs = frame->es = frame->ds = KERNEL_DATA;
    frame->cs = KERNEL_CODE;
    frame->eip = pointer_to_vaddr(kernel_again).v;
    frame->eflags = EFLAGS_ALWAYS;
}

/* A trap from user mode starts at ESP0: below what this stack holds now. */
static void __attribute__((noinline)) iret_to_user_mode(uint32_t eip, uint32_t esp)
{
    uint32_t data = USER_DATA;
    __asm__ volatile("movl %%esp, %[esp0]\n\t"
                     "leal -128(%%esp), %%ebx\n\t" /* C goes on below the frame */
                     "movl %%ebx, %[stack]\n\t"
                     "pushl %[data]\n\t"
                     "pushl %[esp]\n\t"
                     "pushl %[flags]\n\t"
                     "pushl %[code]\n\t"
                     "pushl %[eip]\n\t"
                     "movl %[data], %%ds\n\t"
                     "movl %[data], %%es\n\t"
                     "movl %[data], %%fs\n\t"
                     "movl %[data], %%gs\n\t"
                     "iret\n"
                     "kernel_again:\n\t"
                     "addl $8, %%esp"
                     : "+a"(data), "+c"(eip),
                       "+d"(esp), [esp0] "=m"(main_tss.esp0), [stack] "=m"(trap_user_stack)
                     : [data] "a"(data), [eip] "c"(eip), [esp] "d"(esp), [flags] "i"(EFLAGS_ALWAYS),
                       [code] "i"(USER_CODE)
                     : "ebx", "esi", "edi", "memory", "cc");
    main_tss.esp0 = trap_user_stack = pointer_to_vaddr(stack_top).v;
}

/* Run program NUMBER, which is in PAGE, in user mode; how it ended is in `seen`. */
static void run(vaddr_t page, uint32_t number)
{
    trap_handler_t *invalid = trap_register(VECTOR_INVALID_OPCODE, leave_user_mode);
    trap_handler_t *protection = trap_register(VECTOR_GENERAL_PROTECTION, leave_user_mode);
    uint32_t work = trap_leave_work;
    trap_leave_work = 0; /* nobody but this test looks at the way back */
    iret_to_user_mode(page.v + number * PROGRAM_BYTES, page.v + PAGE_BYTES);
    trap_leave_work = work;
    trap_register(VECTOR_INVALID_OPCODE, invalid);
    trap_register(VECTOR_GENERAL_PROTECTION, protection);
}

/* A page of user mode with the programs. */
static vaddr_t map_programs(void)
{
    frame_t frame = frame_with(0);
    uint8_t *bytes = temp_map(TEMP_FRAME, frame);
    for (const uint8_t *byte = user_programs; byte < user_programs_end; byte++)
        bytes[byte - user_programs] = *byte;
    temp_unmap(TEMP_FRAME);
    vaddr_t page = slot_to_vaddr(find_empty_slots(1));
    if (paging_map(page, frame, RIGHTS_READ_WRITE | RIGHTS_EXECUTE | RIGHTS_USER) != KERR_OK)
        panic("no user page for the tests");
    return page;
}

static void unmap_programs(vaddr_t page)
{
    frame_t frame;
    if (paging_unmap(page, &frame) != KERR_OK)
        panic("the user page of the tests is gone");
    frame_free(&frame_pool, frame);
}

static bool access_flag_is_set(void)
{
    return (cpu_flags() & EFLAGS_ACCESS) != 0;
}

/* ---- what is on ---- */

TEST("protection", "CR4: SMEP, SMAP and UMIP are on where the CPU has them")
{
    if (!cpu_features.cr4)
        SKIP("the CPU has no CR4, or an option hides it");
    uint32_t cr4 = cpu_read_cr4();
    EXPECT_EQUAL((cr4 & CR4_SMEP) != 0, cpu_features.smep);
    EXPECT_EQUAL((cr4 & CR4_SMAP) != 0, cpu_features.smap);
    EXPECT_EQUAL((cr4 & CR4_UMIP) != 0, cpu_features.umip);
}

TEST("protection", "every gate but the task gate: begins with CLAC where SMAP is, and only there")
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } idtr;
    __asm__ volatile("sidt %0" : "=m"(idtr));
    const uint16_t *gates = vaddr_to_pointer(VADDR(idtr.base));
    EXPECT_EQUAL(idtr.limit, VECTOR_COUNT * 8 - 1);
    for (uint32_t vector = 0; vector < VECTOR_COUNT; vector++) {
        const uint16_t *gate = gates + vector * 4;
        if (vector == VECTOR_DOUBLE_FAULT)
            continue;
        const uint8_t *stub = vaddr_to_pointer(VADDR(gate[0] | (uint32_t)gate[3] << 16));
        bool clac = stub[0] == 0x0F && stub[1] == 0x01 && stub[2] == 0xCA;
        EXPECT_EQUAL(clac, cpu_features.smap);
    }
}

TEST("protection", "the tables that the CPU reads: lie in the temporary slot, not in the image's")
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint32_t base;
    } gdtr, idtr;
    __asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
    const uint8_t *tss = vaddr_to_pointer(VADDR(gdtr.base + MAIN_TSS));
    uint32_t tss_base =
        tss[2] | (uint32_t)tss[3] << 8 | (uint32_t)tss[4] << 16 | (uint32_t)tss[7] << 24;
    vaddr_t tables = VADDR(TEMP_PAGE_ADDRESS(TEMP_CPU_TABLES));
    EXPECT(vaddr_in(VADDR(gdtr.base), tables, PAGE_BYTES - gdtr.limit));
    EXPECT(vaddr_in(VADDR(idtr.base), tables, PAGE_BYTES - idtr.limit));
    EXPECT(vaddr_in(VADDR(tss_base), tables, PAGE_BYTES - (uint32_t)sizeof(struct tss)));
}

/* ---- user mode ---- */

TEST("protection", "SGDT, SIDT, SLDT, STR, SMSW in user mode: refused by UMIP, else carried out")
{
    vaddr_t page = map_programs();
    for (uint32_t number = 0; number < PROGRAMS_UMIP; number++) {
        run(page, number);
        EXPECT_EQUAL(seen.vector,
                     cpu_features.umip ? VECTOR_GENERAL_PROTECTION : VECTOR_INVALID_OPCODE);
        EXPECT_EQUAL(seen.error_code, 0);
        EXPECT(trap_from_user(&seen));
        EXPECT(vaddr_in(VADDR(seen.eip), vaddr_add(page, number * PROGRAM_BYTES), PROGRAM_BYTES));
        EXPECT_EQUAL(seen.user_esp, page.v + PAGE_BYTES - 2 * sizeof(uint32_t));
    }
    unmap_programs(page);
}

TEST("protection", "EFLAGS.AC set by a program, and in the kernel: clear in the handler under SMAP")
{
    vaddr_t page = map_programs();
    run(page, PROGRAM_SET_AC);
    EXPECT_EQUAL(seen.vector, VECTOR_INVALID_OPCODE);
    EXPECT((seen.eflags & EFLAGS_ACCESS) != 0);
    EXPECT_EQUAL((handler_flags & EFLAGS_ACCESS) != 0, !cpu_features.smap);
    unmap_programs(page);

    trap_handler_t *before = trap_register(VECTOR_BREAKPOINT, note);
    __asm__ volatile("pushf; pushf; orl %0, (%%esp); popf; int3; popf"
                     :
                     : "i"(EFLAGS_ACCESS)
                     : "memory", "cc");
    trap_register(VECTOR_BREAKPOINT, before);
    EXPECT((seen.eflags & EFLAGS_ACCESS) != 0);
    EXPECT_EQUAL((handler_flags & EFLAGS_ACCESS) != 0, !cpu_features.smap);
    EXPECT(!access_flag_is_set());
}

/* ---- user pages and the kernel ---- */

TEST("protection", "a probe of a user page: reads and writes it, and SMAP is on again after it")
{
    vaddr_t page = map_programs();
    vaddr_t nowhere = vaddr_add(page, PAGE_BYTES);
    uint32_t value = 0;
    EXPECT_EQUAL(probe_write(vaddr_add(page, 2048), NOT_SEEN + 1), FAULT_RESOLVED);
    EXPECT(!access_flag_is_set());
    EXPECT_EQUAL(probe_read(vaddr_add(page, 2048), &value), FAULT_RESOLVED);
    EXPECT(!access_flag_is_set());
    EXPECT_EQUAL(value, NOT_SEEN + 1);
    EXPECT_EQUAL(probe_read(nowhere, &value), FAULT_BAD_ACCESS);
    EXPECT(!access_flag_is_set());
    EXPECT_EQUAL(probe_write(nowhere, 1), FAULT_BAD_ACCESS);
    EXPECT(!access_flag_is_set());
    EXPECT_EQUAL(value, NOT_SEEN + 1);
    unmap_programs(page);
}

TEST("protection", "a probe that writes a read-only user page: is a bad access, not spurious")
{
    vaddr_t page = map_programs();
    uint32_t spurious = fault_counters.spurious;
    EXPECT_EQUAL(paging_protect(page, RIGHTS_READ | RIGHTS_USER), KERR_OK);
    EXPECT_EQUAL(probe_write(page, 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(fault_counters.spurious, spurious);
    unmap_programs(page);
}

TEST("protection", "without SMAP and SMEP: the kernel reads a user page, and calls into it")
{
    if (cpu_features.smap || cpu_features.smep)
        SKIP("SMAP or SMEP is on");
    vaddr_t page = map_programs();
    EXPECT_EQUAL(*(const volatile uint8_t *)vaddr_to_pointer(page), user_programs[0]);
    __asm__ volatile("call *%0" : : "r"(page.v + PROGRAM_RETURN * PROGRAM_BYTES) : "memory", "cc");
    unmap_programs(page);
}

PANIC_TEST("smap-read")
{
    printk("%u\n", (unsigned)*(const volatile uint32_t *)vaddr_to_pointer(map_programs()));
}

/* The entries allow the write; only the full rule tells that it was no stale translation. */
PANIC_TEST("smap-write")
{
    vaddr_t page = map_programs();
    fault_allow_lower_half(true);
    *(volatile uint32_t *)vaddr_to_pointer(page) = 1;
}

PANIC_TEST("smep-fetch")
{
    uint32_t function = map_programs().v + PROGRAM_RETURN * PROGRAM_BYTES;
    fault_allow_lower_half(true);
    __asm__ volatile("call *%0" : : "r"(function) : "memory", "cc");
}

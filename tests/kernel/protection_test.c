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

enum { EFLAGS_ALWAYS = 1u << 1, EFLAGS_IOPL_3 = 3u << 12, PROGRAM_BYTES = 16, PROGRAMS_UMIP = 5 };

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
        "ret; .balign 16\n\t"
        ".code16\n\t" /* for virtual-8086 mode */
        "ud2; .balign 16\n\t"
        "hlt; .balign 16\n\t"
        "movb %ds:0, %al; .balign 16\n\t"
        "int $0x80; .balign 16\n\t"
        ".code32\n"
        "user_programs_end:\n\t"
        ".popsection");
enum { PROGRAM_SET_AC = PROGRAMS_UMIP, PROGRAM_RETURN, PROGRAM_VM86 };

static struct trap_frame seen;
static uint32_t handler_flags;

static void note(struct trap_frame *frame)
{
    seen = *frame;
    handler_flags = cpu_flags();
}

/* Go on in the kernel: IRET to the same ring leaves ESP where the frame was. */
static void leave_user_mode(struct trap_frame *frame)
{
    note(frame);
    frame->gs = frame->fs = frame->es = frame->ds = KERNEL_DATA;
    frame->cs = KERNEL_CODE;
    frame->eip = pointer_to_vaddr(kernel_again).v;
    frame->eflags = EFLAGS_ALWAYS;
}

/* Where a program's frame goes, as in a process's record; and what must stay whole around it. */
struct frame_place {
    uint32_t before[4];
    uint32_t room[TRAP_VM86_BYTES / sizeof(uint32_t)];
    struct trap_frame frame;
    uint32_t after[TRAP_VM86_BYTES / sizeof(uint32_t)];
    uint32_t calls;
};
_Static_assert(offsetof(struct frame_place, calls) ==
                   offsetof(struct frame_place, frame) + TRAP_CALLS,
               "as the stub of int 0x80 wants it");

/* What IRET loads; DATA goes to all four data segments of virtual-8086 mode. */
static struct {
    uint32_t eip, cs, eflags, esp, ss, data;
} start;

/* A trap leaves its frame in PLACE. C runs below what this stack holds now, and here all goes
 * on. */
static void __attribute__((noinline)) iret_to_user_mode(struct frame_place *place)
{
    main_tss.esp0 = pointer_to_vaddr(&place->frame + 1).v;
    __asm__ volatile("movl %%esp, %[stack]\n\t"
                     "pushl %[data]\n\t"
                     "pushl %[data]\n\t"
                     "pushl %[data]\n\t"
                     "pushl %[data]\n\t"
                     "pushl %[ss]\n\t"
                     "pushl %[esp]\n\t"
                     "pushl %[eflags]\n\t"
                     "pushl %[cs]\n\t"
                     "pushl %[eip]\n\t"
                     "movl %[user_data], %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "iret\n"
                     "kernel_again:\n\t"
                     "movl %[stack], %%esp"
                     : [stack] "=m"(trap_user_stack)
                     : [data] "m"(start.data), [ss] "m"(start.ss), [esp] "m"(start.esp),
                       [eflags] "m"(start.eflags), [cs] "m"(start.cs), [eip] "m"(start.eip),
                       [user_data] "i"(USER_DATA)
                     : "eax", "ebx", "ecx", "edx", "esi", "edi", "memory", "cc");
    main_tss.esp0 = trap_user_stack = pointer_to_vaddr(stack_top).v;
}

/* The same, with a place for the frame above the image, where records are. Returns it. */
static struct frame_place run_from_start(void)
{
    frame_t frame = frame_with(NOT_SEEN);
    struct frame_place *place = temp_map(TEMP_FRAME, frame);
    place->after[0] = 0;
    place->calls = SYSTEM_CALLS;
    uint32_t work = trap_leave_work;
    trap_leave_work = 0; /* nobody but this test looks at the way back */
    iret_to_user_mode(place);
    trap_leave_work = work;
    struct frame_place copy = *place;
    temp_unmap(TEMP_FRAME);
    frame_free(&frame_pool, frame);
    return copy;
}

/* Run program NUMBER, which is in PAGE, in user mode; how it ended is in `seen`. */
static void run(vaddr_t page, uint32_t number)
{
    trap_handler_t *invalid = trap_register(VECTOR_INVALID_OPCODE, leave_user_mode);
    trap_handler_t *protection = trap_register(VECTOR_GENERAL_PROTECTION, leave_user_mode);
    start.eip = page.v + number * PROGRAM_BYTES;
    start.cs = USER_CODE;
    start.eflags = EFLAGS_ALWAYS;
    start.esp = page.v + PAGE_BYTES;
    start.ss = USER_DATA;
    (void)run_from_start();
    trap_register(VECTOR_INVALID_OPCODE, invalid);
    trap_register(VECTOR_GENERAL_PROTECTION, protection);
}

/* A page of user mode with the programs; at PAGE, or where there is room. */
static void map_programs_at(vaddr_t page)
{
    frame_t frame = frame_with(0);
    uint8_t *bytes = temp_map(TEMP_FRAME, frame);
    for (const uint8_t *byte = user_programs; byte < user_programs_end; byte++)
        bytes[byte - user_programs] = *byte;
    temp_unmap(TEMP_FRAME);
    if (paging_map(page, frame, RIGHTS_READ_WRITE | RIGHTS_EXECUTE | RIGHTS_USER) != KERR_OK)
        panic("no user page for the tests");
}

static vaddr_t map_programs(void)
{
    vaddr_t page = slot_to_vaddr(find_empty_slots(1));
    map_programs_at(page);
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

/* ---- virtual-8086 mode ---- */

static const struct trap_frame *ended_with;

static void end_of_vm86(struct trap_frame *frame)
{
    ended_with = frame;
    leave_user_mode(frame);
}

/* All selectors are 8: what the kernel's code segment would be. The paragraphs are another
 * matter. */
static struct frame_place run_in_vm86(vaddr_t page, uint32_t number)
{
    const struct trap_user_client client = {.vm86 = end_of_vm86};
    const struct trap_user_client *before = trap_set_user_client(&client);
    start.cs = start.ss = page.v >> 4;
    start.eip = number * PROGRAM_BYTES;
    start.eflags = EFLAGS_ALWAYS | EFLAGS_VM86 | EFLAGS_IOPL_3;
    start.esp = PAGE_BYTES - 4;
    start.data = KERNEL_CODE;
    struct frame_place place = run_from_start();
    trap_set_user_client(before);
    return place;
}

TEST("protection", "a trap from virtual-8086 mode: a program's frame in its place, and nothing hit")
{
    const vaddr_t page = VADDR(0x10000);
    const bool calls_are_open = trap_has_user_client();
    const struct {
        uint32_t number, vector;
    } cases[] = {
        {PROGRAM_VM86, VECTOR_INVALID_OPCODE},
        {PROGRAM_VM86 + 1, VECTOR_GENERAL_PROTECTION},
        {PROGRAM_VM86 + 2, VECTOR_PAGE_FAULT},
        {PROGRAM_VM86 + 3, calls_are_open ? VECTOR_SYSTEM_CALL : VECTOR_GENERAL_PROTECTION},
    };
    map_programs_at(page);
    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        ended_with = NULL;
        struct frame_place place = run_in_vm86(page, cases[i].number);
        EXPECT(ended_with != NULL);
        EXPECT_EQUAL(pointer_to_vaddr(ended_with).v,
                     TEMP_PAGE_ADDRESS(TEMP_FRAME) + offsetof(struct frame_place, frame));
        EXPECT_EQUAL(seen.vector, cases[i].vector);
        EXPECT_EQUAL(seen.error_code, 0);
        EXPECT(trap_from_user(&seen));
        EXPECT_EQUAL(seen.cs, USER_CODE);
        EXPECT_EQUAL(seen.eflags, EFLAGS_ALWAYS | EFLAGS_INTERRUPT);
        EXPECT(vaddr_in(VADDR(seen.eip), vaddr_add(page, cases[i].number * PROGRAM_BYTES),
                        PROGRAM_BYTES));
        EXPECT_EQUAL(seen.user_ss, USER_DATA);
        EXPECT_EQUAL(seen.user_esp, page.v + PAGE_BYTES - 4);
        EXPECT(seen.gs == 0 && seen.fs == 0 && seen.es == USER_DATA && seen.ds == USER_DATA);
        for (unsigned j = 0; j < ARRAY_LENGTH(place.before); j++)
            EXPECT_EQUAL(place.before[j], NOT_SEEN);
        EXPECT(place.after[0] == 0 && place.calls == SYSTEM_CALLS);
    }
    unmap_programs(page);
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

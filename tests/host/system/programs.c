/* SPDX-License-Identifier: MIT */
#include "programs.h"

#include "../machine.h"

#include <arch/i386/gdt.h>
#include <arch/i386/trap.h>
#include <file/file.h>
#include <kernel/panic.h>
#include <mm/space.h>
#include <process/memory.h>
#include <process/part.h>
#include <process/process.h>
#include <process/timer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#include <sanitizer/common_interface_defs.h>
#define LEAVE_STACK(kept, bottom, bytes) __sanitizer_start_switch_fiber(kept, bottom, bytes)
#define ENTER_STACK(kept)                __sanitizer_finish_switch_fiber(kept, NULL, NULL)
#else
#define LEAVE_STACK(kept, bottom, bytes) (void)(kept)
#define ENTER_STACK(kept)                (void)(kept)
#endif

enum { PROGRAMS_MAX = 16, STACK_BYTES = 1 << 20 };

static struct program {
    uint32_t pid, serial; /* 0: none */
    ucontext_t context;
    void *stack, *kept; /* KEPT: the sanitizer's */
    const void *stack_bottom;
    void (*run)(void);
    uint32_t forks; /* 1 + the number of the program that it is about to make */
} programs[PROGRAMS_MAX];
static struct program *running;
static bool shows_calls; /* TRACE in the environment */

static struct process *process_of(const struct program *program)
{
    struct process *process = program->pid == 0 ? NULL : process_find(program->pid);
    return process != NULL && process->serial == program->serial ? process : NULL;
}

static bool has_ended(const struct program *program)
{
    const struct process *process = process_of(program);
    return process == NULL || process->state >= PROCESS_ENDING;
}

uint32_t program_number(void)
{
    return (uint32_t)(running - programs);
}

uint32_t programs_running(void)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < PROGRAMS_MAX; i++)
        count += programs[i].pid != 0 && !has_ended(&programs[i]);
    return count;
}

/* ---- from one to another ---- */

static void begin_child(void)
{
    ENTER_STACK(NULL);
    running->run();
    for (;;)
        call(CALL_EXIT, 0);
}

/* PROCESS, which nobody is yet, is what its parent is about to make. */
static struct program *child_program(const struct process *process)
{
    for (uint32_t i = 0; i < PROGRAMS_MAX; i++) {
        struct program *parent = &programs[i];
        if (parent->forks == 0 || process_of(parent) == NULL ||
            process_of(parent) != process->parent)
            continue;
        struct program *child = &programs[parent->forks - 1];
        child->pid = process->pid;
        child->serial = process->serial;
        parent->forks = 0;
        return child;
    }
    panic("process %u, which is to go on, is no program's", process->pid);
}

static struct program *program_of(const struct process *process)
{
    for (uint32_t i = 0; i < PROGRAMS_MAX; i++)
        if (programs[i].pid == process->pid && programs[i].serial == process->serial)
            return &programs[i];
    return child_program(process);
}

static void switch_to(struct program *next)
{
    struct program *before = running;
    if (next == before)
        return;
    running = next;
    LEAVE_STACK(has_ended(before) ? NULL : &before->kept, next->stack_bottom, STACK_BYTES);
    swapcontext(&before->context, &next->context);
    ENTER_STACK(running->kept);
}

/* The way out of the kernel. */
static void go_out(struct trap_frame *frame)
{
    if (trap_leave_work == 0)
        return;
    frame = trap_leave(frame);
    switch_to(program_of(process_of_frame(frame)));
}

/* ---- what programs do ---- */

int32_t call_of(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e,
                uint32_t f)
{
    struct trap_frame *frame = &process_current->frame;
    frame->vector = VECTOR_SYSTEM_CALL;
    frame->eax = number;
    frame->ebx = a;
    frame->ecx = b;
    frame->edx = c;
    frame->esi = d;
    frame->edi = e;
    frame->ebp = f;
    frame->eax = (uint32_t)trap_system_calls[number](frame);
    go_out(frame);
    if (shows_calls)
        printf("%u: call %u (%x, %x, %x, %x, %x) = %d\n", program_number(), number, a, b, c, d, e,
               (int32_t)process_current->frame.eax);
    return (int32_t)process_current->frame.eax;
}

void *program_touch(uint32_t address, enum access access)
{
    while (!machine_user_try(&process_current->frame, VADDR(address), access))
        go_out(&process_current->frame);
    return vaddr_to_pointer(VADDR(address));
}

static uint32_t in_one_page(uint32_t address, uint32_t bytes)
{
    uint32_t left = PAGE_BYTES - address % PAGE_BYTES;
    return bytes < left ? bytes : left;
}

void program_store(uint32_t address, const void *from, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t part = in_one_page(address, bytes);
        memcpy(program_touch(address, ACCESS_WRITE), from, part);
        address += part;
        from = (const uint8_t *)from + part;
        bytes -= part;
    }
}

void program_load(void *to, uint32_t address, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t part = in_one_page(address, bytes);
        memcpy(to, program_touch(address, ACCESS_READ), part);
        address += part;
        to = (uint8_t *)to + part;
        bytes -= part;
    }
}

/* ---- their lives ---- */

int32_t program_fork(uint32_t number, void (*run)(void))
{
    struct program *child = &programs[number], *me = running;
    if (child->pid != 0 && !has_ended(child))
        panic("program %u is still there", number);
    if (child->stack == NULL)
        child->stack = malloc(STACK_BYTES);
    *child = (struct program){
        .pid = UINT32_MAX, .stack = child->stack, .stack_bottom = child->stack, .run = run};
    getcontext(&child->context);
    child->context.uc_stack.ss_sp = child->stack;
    child->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&child->context, begin_child, 0);
    me->forks = number + 1;
    int32_t pid = call(CALL_FORK);
    if (pid < 0)
        child->pid = 0;
    else if (me->forks != 0)
        (void)child_program(process_find((uint32_t)pid));
    me->forks = 0;
    return pid;
}

void programs_begin_again(void)
{
    for (uint32_t i = 1; i < PROGRAMS_MAX; i++)
        programs[i].pid = programs[i].serial = 0;
}

static void must(bool is_so, const char *what)
{
    if (!is_so)
        panic("program 0: %s", what);
}

void programs_begin(void)
{
    enum { INTERRUPTS_ON = 0x202 };
    struct process *process;
    shows_calls = getenv("TRACE") != NULL;
    for (uint32_t i = 0; i < PROGRAMS_MAX; i++)
        programs[i].pid = programs[i].serial = programs[i].forks = 0;
    must(process_create(NULL, &process) == KERR_OK, "a record");
    process->group = process->session = process->pid;
    must(process_parts_begin(process) == 0, "its parts");
    must(memory_create(&process->memory) == KERR_OK, "its memory");
    process->frame.cs = USER_CODE;
    process->frame.ds = process->frame.es = process->frame.user_ss = USER_DATA;
    process->frame.eflags = INTERRUPTS_ON;
    memcpy(process->name, "program", sizeof("program"));
    terminal_set_group(process->group);
    timer_start();
    process_start(process);
    process_set_reaper(process->pid);
    programs[0].pid = process->pid;
    programs[0].serial = process->serial;
    running = &programs[0];
    must(trap_leave(NULL) == &process->frame, "goes on");
}

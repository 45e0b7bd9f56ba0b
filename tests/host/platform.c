/* SPDX-License-Identifier: MIT */
/*
 * Host model. What layers 1-6 want from layer 0 and the host gives in another way: panic, console,
 * traps, the double-fault task (there is none), and allocations that fail when they are told to.
 */
#include "machine.h"

#include <arch/i386/cpu.h>
#include <arch/i386/double_fault.h>
#include <arch/i386/ledger.h>
#include <arch/i386/trap.h>
#include <kernel/console.h>
#include <kernel/printk.h>
#include <kernel/symbols.h>
#include <mm/frame.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

paddr_t current_directory;
struct boot_info boot_info;

/* ---- printing ---- */

static enum machine_output output;

void machine_set_output(enum machine_output wanted)
{
    output = wanted;
}

void console_write(const char *text, size_t bytes)
{
    if (output == OUTPUT_SHOWN)
        while (bytes > 0) {
            ssize_t written = write(STDOUT_FILENO, text, bytes);
            if (written <= 0)
                return;
            text += written;
            bytes -= (size_t)written;
        }
}

/* The prompt is linked for its pure parts only. */
int console_read_key(void)
{
    panic("nobody types");
}

bool symbol_find(uint32_t address, const char **name, uint32_t *offset)
{
    (void)address;
    (void)name;
    (void)offset;
    return false;
}

/* ---- panic ---- */

static char panic_text[1000];
static sigjmp_buf panic_landing;
static bool panic_is_expected;

const char *machine_expect_panic(void (*run)(void))
{
    const char *text = NULL;
    panic_is_expected = true;
    if (sigsetjmp(panic_landing, 1) == 0)
        run();
    else
        text = panic_text;
    panic_is_expected = false;
    return text;
}

static void noreturn end_in_panic(const struct trap_frame *frame)
{
    if (!panic_is_expected)
        output = OUTPUT_SHOWN;
    printk("PANIC: %s\n", panic_text);
    if (frame != NULL && frame->vector == VECTOR_PAGE_FAULT) {
        printk("error code %u, address V0x%08x\n", frame->error_code, frame->fault_address);
        fault_stop_answering();
        fault_describe(VADDR(frame->fault_address));
    }
    if (panic_is_expected)
        siglongjmp(panic_landing, 1);
    abort();
}

void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vformat_text(panic_text, sizeof(panic_text), format, arguments);
    va_end(arguments);
    end_in_panic(NULL);
}

void panic_trap(const struct trap_frame *frame, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vformat_text(panic_text, sizeof(panic_text), format, arguments);
    va_end(arguments);
    end_in_panic(frame);
}

/* ---- traps: the breakpoint is the host's, interrupts come from tests ---- */

static trap_handler_t *handlers[VECTOR_COUNT];

trap_handler_t *machine_trap_handler(unsigned vector)
{
    return handlers[vector];
}

static void on_trap(int signal, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct trap_frame frame = {.vector = VECTOR_BREAKPOINT, .eip = (uint32_t)registers[REG_RIP]};
    (void)signal;
    (void)info;
    if (handlers[VECTOR_BREAKPOINT] != NULL)
        handlers[VECTOR_BREAKPOINT](&frame);
}

trap_handler_t *trap_register(unsigned vector, trap_handler_t *handler)
{
    static const struct sigaction action = {.sa_sigaction = on_trap,
                                            .sa_flags = SA_SIGINFO | SA_NODEFER};
    trap_handler_t *former = handlers[vector];
    handlers[vector] = handler;
    if (vector == VECTOR_BREAKPOINT)
        sigaction(SIGTRAP, &action, NULL);
    return former;
}

/* Layer 8 registers itself, where it is linked. */
static const struct trap_user_client *user_client;

const struct trap_user_client *trap_set_user_client(const struct trap_user_client *client)
{
    const struct trap_user_client *former = user_client;
    user_client = client;
    return former;
}

bool trap_has_user_client(void)
{
    return user_client != NULL;
}

void trap_user_page_fault(struct trap_frame *frame, const struct page_fault *fault,
                          enum fault_result result)
{
    user_client->page_fault(frame, fault, result);
}

void double_fault_seal(const uint32_t *image_table)
{
    (void)image_table;
}

void trap_begin_with_clac(void)
{
    panic("the model has no SMAP");
}

/* ---- allocations that fail, and frames that are freed; by ld --wrap ---- */

static uint32_t allocations, failing;
static enum failure failing_how;
static bool has_failed;

void machine_fail_allocation(uint32_t number, enum failure failure)
{
    failing = number == 0 ? 0 : allocations + number;
    failing_how = failure;
    has_failed = false;
}

bool machine_allocation_failed(void)
{
    return has_failed;
}

enum kerr __real_frame_alloc(struct frame_pool *pool, enum frame_kind kind, frame_t *frame);
enum kerr __wrap_frame_alloc(struct frame_pool *pool, enum frame_kind kind, frame_t *frame);

enum kerr __wrap_frame_alloc(struct frame_pool *pool, enum frame_kind kind, frame_t *frame)
{
    if (pool != &frame_pool)
        return __real_frame_alloc(pool, kind, frame);
    allocations++;
    if (failing != 0 &&
        (allocations == failing || (failing_how == FAIL_FROM_THERE_ON && allocations > failing))) {
        has_failed = true;
        return KERR_NO_MEMORY;
    }
    return __real_frame_alloc(pool, kind, frame);
}

/* "Clear, invalidate, free": nothing that is remembered leads to a frame that becomes free. */
static void check_freed(struct frame_pool *pool, frame_t frame)
{
    if (pool == &frame_pool && frame_kind(pool, frame) == FRAME_FREE &&
        machine_tlb_count(frame) != 0)
        panic("frame %u was freed, but the TLB still leads to it", frame.n);
}

void __real_frame_free(struct frame_pool *pool, frame_t frame);
void __wrap_frame_free(struct frame_pool *pool, frame_t frame);

void __wrap_frame_free(struct frame_pool *pool, frame_t frame)
{
    __real_frame_free(pool, frame);
    check_freed(pool, frame);
}

void __real_frame_put_last(struct frame_pool *pool, frame_t frame, uint32_t count);
void __wrap_frame_put_last(struct frame_pool *pool, frame_t frame, uint32_t count);

void __wrap_frame_put_last(struct frame_pool *pool, frame_t frame, uint32_t count)
{
    __real_frame_put_last(pool, frame, count);
    check_freed(pool, frame);
}

/* ---- a kernel without its ledger, to see what the model notices alone ---- */

static bool ledger_is_told(void)
{
    return getenv("NO_LEDGER") == NULL;
}

void __real_ledger_pte_stored(vaddr_t page, pte_t before, pte_t after, const char *where);
void __wrap_ledger_pte_stored(vaddr_t page, pte_t before, pte_t after, const char *where);

void __wrap_ledger_pte_stored(vaddr_t page, pte_t before, pte_t after, const char *where)
{
    if (ledger_is_told())
        __real_ledger_pte_stored(page, before, after, where);
}

void __real_ledger_pde_changes(uint32_t slot, pde_t before, pde_t after, const char *where);
void __wrap_ledger_pde_changes(uint32_t slot, pde_t before, pde_t after, const char *where);

void __wrap_ledger_pde_changes(uint32_t slot, pde_t before, pde_t after, const char *where)
{
    if (ledger_is_told())
        __real_ledger_pde_changes(slot, before, after, where);
}

void __real_ledger_leave(void);
void __wrap_ledger_leave(void);

/* An event ends: whatever it has changed, the CPU must know. */
void __wrap_ledger_leave(void)
{
    vaddr_t where;
    __real_ledger_leave();
    const char *broken = machine_check_tlb_after_event(&where);
    if (broken != NULL)
        panic("an event ends: page V0x%08x: %s", where.v, broken);
}

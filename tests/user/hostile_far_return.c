/* SPDX-License-Identifier: MIT */
/*
 * User test. Far calls and returns by a program's own stack: `lret` and `iret` from a stack page
 * that is there, that was never touched, that is unmapped, below the first page, or the kernel's.
 * QEMU before version 9.1 reads such a stack as the kernel would, so this is where a fault says
 * "kernel" though a program caused it: it must be the program's all the same. And what was read,
 * taken for a selector, must not come back as the error code.
 */
#include "check.h"

#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096, GENERAL_PROTECTION = 13 };
enum how { BY_LRET, BY_IRET, WAYS };

static sigjmp_buf after_signal;
static char signal_stack[64 * 1024];

static volatile long vector, error_code;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *user = context;
    (void)info;
    vector = user->uc_mcontext.gregs[REG_TRAPNO];
    error_code = user->uc_mcontext.gregs[REG_ERR];
    siglongjmp(after_signal, signal);
}

/* Returns the signal that it ends with. The registers are lost with the stack, but for memory. */
static __attribute__((noinline)) int return_from(uint32_t stack, enum how how)
{
    int signal = sigsetjmp(after_signal, 1);
    if (signal != 0)
        return signal;
    if (how == BY_LRET)
        __asm__ volatile("movl %0, %%esp\n\tlret" : : "r"(stack) : "memory");
    else
        __asm__ volatile("movl %0, %%esp\n\tiret" : : "r"(stack) : "memory");
    __builtin_unreachable();
}

/* A far return on the program's own stack goes on behind it: it changes nothing. */
static bool returns_here(void)
{
    int reached = 0;
    __asm__ volatile("pushl %%cs\n\tpushl $1f\n\tlret\n1:\tincl %0" : "+m"(reached) : : "memory");
    return reached == 1;
}

int main(void)
{
    const stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);

    char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(memory + 2 * PAGE, PAGE);
    const uint32_t base = (uint32_t)(uintptr_t)memory;
    const struct {
        uint32_t stack;
        const char *text;
    } stacks[] = {
        {base + PAGE, "a page never touched"},
        {base + 2 * PAGE - 4, "the edge of an unmapped page"},
        {base + 2 * PAGE, "an unmapped page"},
        {2, "page 0"},
        {0xFFFFF000u, "the kernel's last page"},
        {0xFFFFFFFEu, "the last bytes"},
    };
    for (enum how how = BY_LRET; how < WAYS; how++)
        for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
            char text[80];
            snprintf(text, sizeof text, "%s, stack in %s: SIGSEGV",
                     how == BY_LRET ? "lret" : "iret", stacks[i].text);
            CHECK_THAT(text, return_from(stacks[i].stack, how) == SIGSEGV);
        }
    /* Words of the image, of the records and of the heap. Not by IRET, which may find more than a
     * CS. */
    unsigned told = 0, refused = 0;
    static const uint32_t kernel[] = {0xC0100000, 0xC0180000, 0xC8000000, 0xE0000000};
    for (unsigned i = 0; i < sizeof kernel / sizeof kernel[0]; i++)
        for (uint32_t address = kernel[i]; address < kernel[i] + PAGE; address += 4) {
            return_from(address, BY_LRET);
            refused += vector == GENERAL_PROTECTION;
            told += vector == GENERAL_PROTECTION && error_code != 0;
        }
    check_note("%u refused for what stands there", refused);
    CHECK_EQUAL(told, 0);
    /* Not a check: QEMU before version 9.1 refuses it where it has SMAP. */
    check_note("a far return works: %s",
               sigsetjmp(after_signal, 1) == 0 && returns_here() ? "yes" : "no");
    return check_end();
}

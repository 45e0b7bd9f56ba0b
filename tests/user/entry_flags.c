/* SPDX-License-Identifier: MIT */
/*
 * User test. Flags that a program sets, around system calls, faults and signals: the kernel works
 * with any of them, and they are what they were afterwards.
 */
#include "check.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum {
    CARRY = 1u << 0,
    ALWAYS = 1u << 1,
    PARITY = 1u << 2,
    ADJUST = 1u << 4,
    ZERO = 1u << 6,
    SIGN = 1u << 7,
    TRAP = 1u << 8,
    INTERRUPT = 1u << 9,
    DIRECTION = 1u << 10,
    OVERFLOW = 1u << 11,
    NESTED = 1u << 14,
    ALIGNMENT = 1u << 18,
    IDENTIFY = 1u << 21,
};

static siginfo_t last;
static volatile unsigned hits, flags_in_handler, flags_in_frame;
static sigjmp_buf escape;

static void act(int signal_number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(signal_number, &action, NULL);
}

/* getpid with FLAGS set; the flags after it. */
static unsigned around_call(unsigned flags)
{
    unsigned after;
    __asm__ volatile("pushl %1\n\t"
                     "popfl\n\t"
                     "movl $20, %%eax\n\t"
                     "int $0x80\n\t"
                     "pushfl\n\t"
                     "popl %0\n\t"
                     "pushl $2\n\t"
                     "popfl"
                     : "=&r"(after)
                     : "r"(flags)
                     : "eax", "memory", "cc");
    return after;
}

static void calls(void)
{
    static const unsigned each[] = {CARRY,     PARITY,   ADJUST, ZERO,      SIGN,
                                    DIRECTION, OVERFLOW, NESTED, ALIGNMENT, IDENTIFY};
    unsigned wrong = 0, all = 0;
    for (unsigned i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
        all |= each[i];
        if (around_call(each[i] | ALWAYS) != (each[i] | ALWAYS | INTERRUPT))
            wrong++;
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(around_call(all | ALWAYS), all | ALWAYS | INTERRUPT);
    CHECK_EQUAL(around_call(ALWAYS), ALWAYS | INTERRUPT);
}

/* A write of a string, with DF and AC set: the kernel copies forwards. */
static void copies(void)
{
    int ends[2];
    char buffer[32] = {0};
    long result;
    CHECK(pipe(ends) == 0);
    __asm__ volatile("pushl $0x40402; popfl; int $0x80; pushl $2; popfl"
                     : "=a"(result)
                     : "0"(SYS_write), "b"(ends[1]), "c"("forwards and not back"), "d"(22)
                     : "memory", "cc");
    CHECK_EQUAL(result, 22);
    __asm__ volatile("pushl $0x40402; popfl; int $0x80; pushl $2; popfl"
                     : "=a"(result)
                     : "0"(SYS_read), "b"(ends[0]), "c"(buffer), "d"(22)
                     : "memory", "cc");
    CHECK(result == 22 && strcmp(buffer, "forwards and not back") == 0);
}

static void look(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    (void)signal_number;
    __asm__ volatile("pushfl; popl %0" : "=r"(flags_in_handler));
    flags_in_frame = (unsigned)user->uc_mcontext.gregs[REG_EFL];
    last = *info;
    hits++;
}

static void in_handlers(void)
{
    unsigned after;
    long result;
    hits = 0;
    act(SIGUSR1, look);
    __asm__ volatile("movl %2, %%ebx\n\t"
                     "pushl $0x40c03\n\t" /* AC, OF, DF, CF */
                     "popfl\n\t"
                     "int $0x80\n\t"
                     "pushfl\n\t"
                     "popl %1\n\t"
                     "pushl $2\n\t"
                     "popfl"
                     : "=a"(result), "=&r"(after)
                     : "g"(getpid()), "c"(SIGUSR1), "0"(SYS_kill)
                     : "ebx", "memory", "cc");
    CHECK(result == 0 && hits == 1);
    CHECK_THAT("a handler begins with DF clear", (flags_in_handler & DIRECTION) == 0);
    CHECK((flags_in_frame & (DIRECTION | OVERFLOW | CARRY)) == (DIRECTION | OVERFLOW | CARRY));
    CHECK_EQUAL(after, 0x40C03 | INTERRUPT);
}

static void change(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    (void)signal_number;
    (void)info;
    user->uc_mcontext.gregs[REG_EFL] = (long)(0xFFFFFFFFu & ~(TRAP | ALIGNMENT | 0x10000u));
}

/* sigreturn with VM, IOPL, IF clear or set, and reserved bits: only what is allowed arrives. */
static void forged(void)
{
    unsigned after;
    act(SIGUSR1, change);
    __asm__ volatile("int $0x80\n\t"
                     "pushfl\n\t"
                     "popl %0\n\t"
                     "pushl $2\n\t"
                     "popfl"
                     : "=&r"(after)
                     : "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR1)
                     : "memory", "cc");
    CHECK_EQUAL(after,
                CARRY | ALWAYS | PARITY | ADJUST | ZERO | SIGN | INTERRUPT | DIRECTION | OVERFLOW);
}

static void step(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    look(signal_number, info, context);
    if (hits >= 5)
        user->uc_mcontext.gregs[REG_EFL] &= ~TRAP;
}

/* TF: a signal behind every instruction; one behind int 0x80 as well. */
static void single_steps(void)
{
    hits = 0;
    act(SIGTRAP, step);
    __asm__ volatile("pushfl\n\t"
                     "orl $0x100, (%%esp)\n\t"
                     "popfl\n\t"
                     "nop\n\t"
                     "movl $20, %%eax\n\t"
                     "int $0x80\n\t"
                     "nop\n\t"
                     "nop\n\t"
                     "nop\n\t"
                     "nop"
                     :
                     :
                     : "eax", "memory", "cc");
    CHECK_EQUAL(hits, 5);
    CHECK(last.si_signo == SIGTRAP && last.si_code == TRAP_TRACE);
    CHECK_THAT("a handler begins with TF clear", (flags_in_handler & TRAP) == 0);
    CHECK((flags_in_frame & TRAP) != 0);
}

static void leave(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    __asm__ volatile("pushl $2; popfl" ::: "memory", "cc");
    last = *info;
    siglongjmp(escape, 1);
}

/* NT set: IRET in a program is a task return, to nowhere. */
static void nested_task(void)
{
    act(SIGSEGV, leave);
    last.si_signo = 0;
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("pushl $0x4002; popfl; iret" ::: "memory", "cc");
    CHECK(last.si_signo == SIGSEGV && last.si_code == SI_KERNEL);
}

int main(void)
{
    calls();
    copies();
    in_handlers();
    forged();
    single_steps();
    nested_task();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * User test. What the CPU refuses: the right signal, si_code and si_addr for each; and a handler
 * that repairs the mapping and returns.
 */
#include "check.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096 };

static siginfo_t last;
static volatile unsigned hits;
static volatile long error_code, vector, fault_register;
static sigjmp_buf escape;

static void repair(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    last = *info;
    hits++;
    mprotect((void *)((unsigned long)info->si_addr & ~(PAGE - 1ul)), PAGE, PROT_READ | PROT_WRITE);
}

static void leave(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    (void)signal_number;
    last = *info;
    hits++;
    vector = user->uc_mcontext.gregs[REG_TRAPNO];
    error_code = user->uc_mcontext.gregs[REG_ERR];
    fault_register = (long)user->uc_mcontext.cr2;
    siglongjmp(escape, 1);
}

static void act(int signal_number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(signal_number, &action, NULL);
}

static char *map(int rights)
{
    return mmap(NULL, PAGE, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

#define DARE(statement)                                                                            \
    do {                                                                                           \
        hits = 0;                                                                                  \
        memset(&last, 0, sizeof(last));                                                            \
        if (sigsetjmp(escape, 1) == 0)                                                             \
            statement;                                                                             \
    } while (0)

static bool was(int signal_number, int code, const volatile void *address)
{
    if (hits == 1 && last.si_signo == signal_number && last.si_code == code &&
        last.si_addr == address)
        return true;
    check_note("%u hits, signal %d, code %d, address %p, wanted %p", hits, last.si_signo,
               last.si_code, last.si_addr, (void *)address);
    return false;
}

static void repairing(void)
{
    act(SIGSEGV, repair);
    volatile char *none = map(PROT_NONE), *fixed = map(PROT_READ);
    hits = 0;
    none[77] = 'x';
    CHECK(hits == 1 && none[77] == 'x' && was(SIGSEGV, SEGV_ACCERR, none + 77));
    hits = 0;
    fixed[4095] = 'y';
    CHECK(hits == 1 && fixed[4095] == 'y' && was(SIGSEGV, SEGV_ACCERR, fixed + 4095));
    volatile char *pages = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hits = 0;
    for (int i = 0; i < 64; i++)
        pages[i * PAGE] = (char)i;
    CHECK_EQUAL(hits, 64);
}

static void page_faults(void)
{
    act(SIGSEGV, leave);
    act(SIGBUS, leave);
    volatile char *null = (volatile char *)8, *kernel = (volatile char *)0xFFFFE000;
    __asm__("" : "+r"(null), "+r"(kernel)); /* or the compiler would know better */
    DARE((void)*null);
    CHECK(was(SIGSEGV, SEGV_MAPERR, null));
    CHECK(vector == 14 && error_code == 4 && fault_register == (long)null);
    DARE(*null = 1);
    CHECK(was(SIGSEGV, SEGV_MAPERR, null) && error_code == 6);
    volatile char *gone = map(PROT_READ);
    munmap((void *)gone, PAGE);
    DARE(*gone = 1);
    CHECK(was(SIGSEGV, SEGV_MAPERR, gone));
    volatile char *fixed = map(PROT_READ);
    DARE((void)*fixed);
    CHECK_EQUAL(hits, 0);
    DARE(*fixed = 1);
    CHECK(was(SIGSEGV, SEGV_ACCERR, fixed));
    DARE(*kernel = 1);
    CHECK(hits == 1 && last.si_signo == SIGSEGV && last.si_code == SEGV_MAPERR);
    void (*code)(void) = (void (*)(void))map(PROT_NONE);
    DARE(code());
    CHECK(was(SIGSEGV, SEGV_ACCERR, (void *)code));
}

static void others(void)
{
    act(SIGFPE, leave);
    act(SIGILL, leave);
    act(SIGTRAP, leave);
    act(SIGSEGV, leave);
    DARE(__asm__ volatile("xorl %%edx, %%edx; movl %%edx, %%ecx; divl %%ecx" ::
                              : "eax", "ecx", "edx"));
    CHECK(hits == 1 && last.si_signo == SIGFPE && last.si_code == FPE_INTDIV && vector == 0);
    DARE(__asm__ volatile("int3"));
    CHECK(was(SIGTRAP, SI_KERNEL, NULL) && vector == 3);
    DARE(__asm__ volatile("movb $0x7f, %%al; addb $1, %%al; into" ::: "eax", "cc"));
    CHECK(was(SIGSEGV, SI_KERNEL, NULL) && vector == 4);
    DARE(__asm__ volatile("pushl $2; pushl $1; movl $5, %%eax; boundl %%eax, (%%esp)" ::
                              : "eax", "memory"));
    CHECK(was(SIGSEGV, SI_KERNEL, NULL) && vector == 5);
    DARE(__asm__ volatile("ud2"));
    CHECK(hits == 1 && last.si_signo == SIGILL && last.si_code == ILL_ILLOPN && vector == 6);
    DARE(__asm__ volatile("int $0x21"));
    CHECK(was(SIGSEGV, SI_KERNEL, NULL) && vector == 13);
    CHECK_THAT("the error code of int 0x21 names its vector", error_code == 0x21 * 8 + 2);
    DARE(__asm__ volatile("movw %w0, %%es" : : "r"(0x1234 | 3)));
    CHECK(was(SIGSEGV, SI_KERNEL, NULL) && vector == 13);
    if (check_on_droste()) /* docs/limits.md */
        check_note("the error code of a bad selector is %ld", error_code);
    DARE(__asm__ volatile("hlt"));
    CHECK(was(SIGSEGV, SI_KERNEL, NULL) && vector == 13 && error_code == 0);
}

/* A signal that can't wait ends a process that blocks or ignores it. */
static int fault_blocked(void)
{
    sigset_t set;
    act(SIGSEGV, leave);
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, NULL);
    *(volatile int *)16 = 1;
    return 0;
}
static int fault_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    *(volatile int *)16 = 1;
    return 0;
}
static int fault_default(void)
{
    signal(SIGFPE, SIG_DFL);
    __asm__ volatile("xorl %%edx, %%edx; movl %%edx, %%ecx; divl %%ecx" ::: "eax", "ecx", "edx");
    return 0;
}
static void fault_again(int signal_number)
{
    (void)signal_number;
    *(volatile int *)16 = 1;
}
static int fault_in_handler(void)
{
    signal(SIGSEGV, fault_again);
    *(volatile int *)16 = 1;
    return 0;
}

int main(void)
{
    repairing();
    page_faults();
    others();
    CHECK_KILLED(fault_blocked, SIGSEGV);
    CHECK_KILLED(fault_ignored, SIGSEGV);
    CHECK_KILLED(fault_default, SIGFPE);
    CHECK_KILLED(fault_in_handler, SIGSEGV);
    return check_end();
}

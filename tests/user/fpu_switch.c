/* SPDX-License-Identifier: MIT */
/*
 * User test. x87 and SSE registers belong to the process: many that compute at once, forks in the
 * middle of it, handlers that compute; errors that are not masked are SIGFPE.
 */
#include "check.h"

#include <sched.h>
#include <setjmp.h>
#include <stdint.h>
#include <ucontext.h>

static bool has_sse;
static siginfo_t last;
static sigjmp_buf escape;

static void find_sse(void)
{
    unsigned eax = 1, ebx, ecx, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    has_sse = (edx >> 25 & 1) != 0;
}

/* A number for every register; yield with all of them loaded; compare. */
static __attribute__((noinline)) bool registers_survive(int seed, void (*between)(void))
{
    static double in[8], out[8];
    static float xmm_in[8][4], xmm_out[8][4];
    for (int i = 0; i < 8; i++) {
        in[i] = seed * 1000 + i + 0.5;
        for (int j = 0; j < 4; j++)
            xmm_in[i][j] = (float)(seed * 100 + i * 10 + j);
    }
    __asm__ volatile("fninit; fldl (%0); fldl 8(%0); fldl 16(%0); fldl 24(%0); fldl 32(%0); "
                     "fldl 40(%0); fldl 48(%0); fldl 56(%0)"
                     :
                     : "r"(in)
                     : "memory");
    if (has_sse)
        __asm__ volatile("movups (%0), %%xmm0; movups 16(%0), %%xmm1; movups 32(%0), %%xmm2; "
                         "movups 48(%0), %%xmm3; movups 64(%0), %%xmm4; movups 80(%0), %%xmm5; "
                         "movups 96(%0), %%xmm6; movups 112(%0), %%xmm7"
                         :
                         : "r"(xmm_in)
                         : "memory");
    between();
    __asm__ volatile("fstpl 56(%0); fstpl 48(%0); fstpl 40(%0); fstpl 32(%0); fstpl 24(%0); "
                     "fstpl 16(%0); fstpl 8(%0); fstpl (%0)"
                     :
                     : "r"(out)
                     : "memory");
    if (has_sse)
        __asm__ volatile("movups %%xmm0, (%0); movups %%xmm1, 16(%0); movups %%xmm2, 32(%0); "
                         "movups %%xmm3, 48(%0); movups %%xmm4, 64(%0); movups %%xmm5, 80(%0); "
                         "movups %%xmm6, 96(%0); movups %%xmm7, 112(%0)"
                         :
                         : "r"(xmm_out)
                         : "memory");
    return memcmp(in, out, sizeof(in)) == 0 &&
           (!has_sse || memcmp(xmm_in, xmm_out, sizeof(xmm_in)) == 0);
}

static void yield(void)
{
    __asm__ volatile("int $0x80" : : "a"(158) : "memory");
}

/* Long enough to be pre-empted. */
static void spin(void)
{
    unsigned count = 3000000;
    __asm__ volatile("1: decl %0; jnz 1b" : "+r"(count));
}

static int compute(int seed)
{
    for (int i = 0; i < 30; i++)
        if (!registers_survive(seed + i, i % 3 == 0 ? spin : yield))
            return 1;
    return 0;
}

static void several(void)
{
    enum { CHILDREN = 4 };
    pid_t children[CHILDREN];
    int wrong = 0;
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(compute(100 * (i + 1)));
    }
    wrong += compute(7);
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        waitpid(children[i], &status, 0);
        wrong += status != 0;
    }
    CHECK_EQUAL(wrong, 0);
}

/* The child of a fork has what the parent had. */
static volatile double shown;
static int child_status;
static void fork_between(void)
{
    int result;
    int64_t top, wanted;
    double number = 42007.5;
    memcpy(&wanted, &number, sizeof(wanted)); /* the unit is full: no computing with it here */
    __asm__ volatile("int $0x80" : "=a"(result) : "0"(2) : "memory");
    if (result == 0) {
        __asm__ volatile("fstpl %0" : "=m"(top));
        _exit(top == wanted ? 5 : 6);
    }
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "0"(7), "b"(result), "c"(&child_status), "d"(0)
                     : "memory");
}

static void forks(void)
{
    CHECK(registers_survive(42, fork_between));
    CHECK_EQUAL(WEXITSTATUS(child_status), 5);
}

/* A handler has a unit of its own, and gives the old one back. */
static volatile unsigned short control_in_handler, depth_in_handler;
static volatile unsigned hits;
static void compute_in_handler(int signal_number)
{
    unsigned short environment[14];
    double a = 3, b = 4;
    (void)signal_number;
    __asm__ volatile("fnstenv %0; fldenv %0" : "+m"(environment));
    control_in_handler = environment[0];
    depth_in_handler = environment[4];
    __asm__ volatile("fldl %0; fldl %1; fmulp; fstpl %0" : "+m"(a) : "m"(b));
    if (has_sse)
        __asm__ volatile("xorps %%xmm0, %%xmm0; xorps %%xmm7, %%xmm7" ::: "memory");
    shown = a;
    hits++;
}
static void signal_between(void)
{
    int pid;
    __asm__ volatile("int $0x80" : "=a"(pid) : "0"(20) : "memory");
    __asm__ volatile("int $0x80" : : "a"(37), "b"(pid), "c"(SIGUSR1) : "memory");
}

static void handlers(void)
{
    signal(SIGUSR1, compute_in_handler);
    CHECK(registers_survive(9, signal_between));
    CHECK(hits == 1 && shown == 12);
    CHECK_EQUAL(control_in_handler, 0x37F);
    CHECK_EQUAL(depth_in_handler, 0xFFFF);
}

static void leave(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    last = *info;
    siglongjmp(escape, 1);
}

static void errors(void)
{
    struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
    unsigned short control = 0x37F & ~4; /* division by zero traps */
    unsigned mxcsr = 0x1F80 & ~0x200u;
    sigaction(SIGFPE, &action, NULL);
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(control));
    CHECK(last.si_signo == SIGFPE && last.si_code == FPE_FLTDIV);
    __asm__ volatile("fninit");
    last.si_signo = 0;
    if (has_sse && sigsetjmp(escape, 1) == 0) {
        __asm__ volatile("ldmxcsr %0; xorps %%xmm1, %%xmm1; movl $0x3f800000, %%eax; pushl %%eax; "
                         "movss (%%esp), %%xmm0; popl %%eax; divss %%xmm1, %%xmm0"
                         :
                         : "m"(mxcsr)
                         : "eax", "memory");
        check_note("this CPU does not trap SSE errors");
    } else if (has_sse) {
        check_note("SSE errors trap");
        if (last.si_signo != SIGFPE || last.si_code != FPE_FLTDIV)
            CHECK_EQUAL(last.si_code, FPE_FLTDIV);
    }
    mxcsr = 0x1F80;
    if (has_sse)
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

/* sigreturn with an MXCSR that the CPU would refuse: what is reserved is dropped, or SIGSEGV. */
static void forge(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    uint8_t *state = (uint8_t *)user->uc_mcontext.fpregs;
    (void)signal_number;
    (void)info;
    if (state != NULL)
        memset(state + 112, 0xFF, 160);
}
static int forged_state(void)
{
    struct sigaction action = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    __asm__ volatile("fninit; fldpi");
    signal_between();
    yield();
    __asm__ volatile("fninit");
    return 0;
}

/* usage: fpu_switch [x87]: without SSE, for a kernel that does not offer it */
int main(int argc, char **argv)
{
    find_sse();
    if (argc > 1 && strcmp(argv[1], "x87") == 0)
        has_sse = false;
    CHECK(registers_survive(1, yield));
    CHECK(registers_survive(2, spin));
    several();
    forks();
    handlers();
    errors();
    int status = check_child(forged_state);
    CHECK_THAT("a forged state: nothing, or SIGSEGV",
               status == 0 || (status & 0x7F) == SIGSEGV || (status & 0x7F) == SIGFPE);
    return check_end();
}

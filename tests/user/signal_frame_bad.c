/* SPDX-License-Identifier: MIT */
/*
 * User test. A signal for a program whose stack pointer is nonsense: it ends by SIGSEGV, or handles
 * that on its alternate stack. Frames that sigreturn can't read: SIGSEGV.
 */
#include "check.h"

#include <sys/mman.h>
#include <sys/syscall.h>

static char stack[16384];

static void handler(int signal_number)
{
    (void)signal_number;
}

static void leave(int signal_number)
{
    (void)signal_number;
    _exit(9);
}

/* kill(getpid(), SIGUSR1) with ESP as it says. */
static int signal_with(unsigned esp)
{
    int pid = getpid();
    signal(SIGUSR1, handler);
    __asm__ volatile("movl %%esp, %%esi\n\t"
                     "movl %3, %%esp\n\t"
                     "int $0x80\n\t"
                     "movl %%esi, %%esp"
                     :
                     : "a"(SYS_kill), "b"(pid), "c"(SIGUSR1), "d"(esp)
                     : "esi", "memory");
    return 0;
}

static int null_esp(void)
{
    return signal_with(0);
}
static int small_esp(void)
{
    return signal_with(64);
}
static int kernel_esp(void)
{
    return signal_with(0xFFFFF000);
}
static int border_esp(void)
{
    return signal_with(0xC0000010);
}
static int odd_esp(void)
{
    return signal_with((unsigned)(stack + sizeof(stack) - 3));
}
static int fixed_esp(void)
{
    char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return signal_with((unsigned)(page + 8192));
}
/* The frame runs out of its page, at every offset: nowhere does it fit. */
static int short_of_room(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    for (unsigned bytes = 0; bytes < 80; bytes++) {
        pid_t child = fork();
        int status;
        if (child == 0)
            _exit(signal_with((unsigned)(page + 4096 + bytes)));
        waitpid(child, &status, 0);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
            return 1;
    }
    return 0;
}
static int rescued(void)
{
    stack_t wish = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};
    sigaltstack(&wish, NULL);
    sigaction(SIGSEGV, &action, NULL);
    return signal_with(8);
}
/* An alternate stack that is not there. */
static int nowhere_to_go(void)
{
    stack_t wish = {.ss_sp = (void *)0x1000, .ss_size = 8192};
    struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};
    sigaltstack(&wish, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    return 0;
}

static int return_with(unsigned number, unsigned esp)
{
    __asm__ volatile("movl %1, %%esp; int $0x80; hlt" : : "a"(number), "r"(esp) : "memory");
    return 0;
}
static int return_null(void)
{
    return return_with(SYS_sigreturn, 0);
}
static int rt_return_null(void)
{
    return return_with(SYS_rt_sigreturn, 0);
}
static int return_kernel(void)
{
    return return_with(SYS_sigreturn, 0xFFFFFF00);
}
static int rt_return_kernel(void)
{
    return return_with(SYS_rt_sigreturn, 0xBFFFFFF0);
}
/* A frame of zeros: to address 0, with null selectors. */
static int return_zeros(void)
{
    memset(stack, 0, sizeof(stack));
    return return_with(SYS_rt_sigreturn, (unsigned)stack + 1024);
}
static int return_ones(void)
{
    memset(stack, 0xFF, sizeof(stack));
    return return_with(SYS_sigreturn, (unsigned)stack + 1024);
}

int main(void)
{
    CHECK_KILLED(null_esp, SIGSEGV);
    CHECK_KILLED(small_esp, SIGSEGV);
    CHECK_KILLED(kernel_esp, SIGSEGV);
    CHECK_KILLED(border_esp, SIGSEGV);
    CHECK_EXITS(odd_esp, 0);
    CHECK_KILLED(fixed_esp, SIGSEGV);
    CHECK_EXITS(short_of_room, 0);
    CHECK_EXITS(rescued, 9);
    CHECK_KILLED(nowhere_to_go, SIGSEGV);
    CHECK_KILLED(return_null, SIGSEGV);
    CHECK_KILLED(rt_return_null, SIGSEGV);
    CHECK_KILLED(return_kernel, SIGSEGV);
    CHECK_KILLED(rt_return_kernel, SIGSEGV);
    CHECK_KILLED(return_zeros, SIGSEGV);
    CHECK_KILLED(return_ones, SIGSEGV);
    return check_end();
}

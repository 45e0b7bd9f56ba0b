/* SPDX-License-Identifier: MIT */
/*
 * User test. The alternate signal stack: used, told of, not changed while in use; a stack overflow
 * handled on it.
 */
#include "check.h"

#include <setjmp.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { STACK_BYTES = 16384 };

static char stack[STACK_BYTES];
static volatile bool was_on_stack, was_in_use, change_refused;
static volatile unsigned hits;
static sigjmp_buf escape;

static bool is_on_stack(const volatile void *address)
{
    return (const volatile char *)address >= stack &&
           (const volatile char *)address < stack + sizeof(stack);
}

static void look(int signal_number)
{
    volatile char here = 0;
    stack_t now, wish = {.ss_sp = stack, .ss_size = sizeof(stack), .ss_flags = 0};
    (void)signal_number;
    hits++;
    was_on_stack = is_on_stack(&here);
    sigaltstack(NULL, &now);
    was_in_use = (now.ss_flags & SS_ONSTACK) != 0;
    change_refused = sigaltstack(&wish, NULL) == -1 && errno == EPERM;
}

static void overflown(int signal_number)
{
    volatile char here = 0;
    (void)signal_number;
    was_on_stack = is_on_stack(&here);
    siglongjmp(escape, 1);
}

static volatile int sink;
static __attribute__((noinline)) int dive(int depth)
{
    volatile char room[512];
    room[0] = (char)depth;
    if (sink == 0)
        dive(depth + 1);
    return room[0] + sink;
}

static int overflow_without(void)
{
    signal(SIGSEGV, look);
    dive(0);
    return 0;
}

int main(void)
{
    stack_t old, wish = {.ss_sp = stack, .ss_size = sizeof(stack), .ss_flags = 0};
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
    wish.ss_size = 100;
    CHECK_ERROR(sigaltstack(&wish, NULL), ENOMEM);
    wish.ss_size = sizeof(stack);
    wish.ss_flags = 77;
    CHECK_ERROR(sigaltstack(&wish, NULL), EINVAL);
    CHECK_ERROR(syscall(SYS_sigaltstack, 1, NULL), EFAULT);
    wish.ss_flags = 0;
    CHECK(sigaltstack(&wish, &old) == 0);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == 0 && old.ss_sp == stack &&
          old.ss_size == sizeof(stack));

    struct sigaction action = {.sa_handler = look, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK(hits == 1 && was_on_stack && was_in_use && change_refused);
    action.sa_flags = 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK(hits == 2 && !was_on_stack && !was_in_use && !change_refused);

    struct rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_STACK, &limit);
    struct sigaction on_overflow = {.sa_handler = overflown, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &on_overflow, NULL);
    if (sigsetjmp(escape, 1) == 0)
        dive(0);
    CHECK_THAT("a stack overflow is handled on the alternate stack", was_on_stack);

    wish.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&wish, NULL) == 0);
    CHECK(sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE) != 0);
    CHECK_KILLED(overflow_without, SIGSEGV);
    return check_end();
}

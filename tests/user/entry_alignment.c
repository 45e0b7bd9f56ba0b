/* SPDX-License-Identifier: MIT */
/*
 * User test. EFLAGS.AC asks the CPU to refuse misaligned accesses: SIGBUS, BUS_ADRALN. Emulators
 * may not check; then nothing comes at all.
 */
#include "check.h"

#include <setjmp.h>

static siginfo_t last;
static sigjmp_buf escape;

static void leave(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    __asm__ volatile("pushl $2; popfl" ::: "memory", "cc");
    last = *info;
    siglongjmp(escape, 1);
}

int main(void)
{
    static char bytes[16];
    struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    if (sigsetjmp(escape, 1) == 0) {
        __asm__ volatile("pushl $0x40002; popfl; movl (%0), %%eax; pushl $2; popfl"
                         :
                         : "r"(bytes + 1)
                         : "eax", "memory", "cc");
        check_note("this CPU does not check");
    } else {
        check_note("this CPU checks");
        if (last.si_code != BUS_ADRALN)
            CHECK_EQUAL(last.si_code, BUS_ADRALN);
    }
    CHECK_THAT("SIGBUS or nothing", last.si_signo == SIGBUS || last.si_signo == 0);
    return check_end();
}

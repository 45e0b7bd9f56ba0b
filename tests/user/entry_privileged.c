/* SPDX-License-Identifier: MIT */
/*
 * User test. Ports, privileged instructions and gates that are not open: SIGSEGV for each, with the
 * code that Linux gives, and the program may go on.
 */
#include "check.h"

#include <setjmp.h>
#include <sys/mman.h>

static sigjmp_buf escape;
static siginfo_t last;

static void leave(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    last = *info;
    siglongjmp(escape, 1);
}

static const struct {
    const char *name;
    unsigned char code[12];
} dares[] = {
    {"in al, 0x60", {0xE4, 0x60}},
    {"out 0xF4, al", {0xE6, 0xF4}},
    {"in eax, dx", {0x66, 0xBA, 0xF8, 0x03, 0xED}},
    {"out dx, al", {0x66, 0xBA, 0xF4, 0x00, 0xEE}},
    {"insb", {0x6C}},
    {"outsb", {0x6E}},
    {"cli", {0xFA}},
    {"sti", {0xFB}},
    {"hlt", {0xF4}},
    {"mov eax, cr0", {0x0F, 0x20, 0xC0}},
    {"mov cr0, eax", {0x0F, 0x22, 0xC0}},
    {"mov eax, cr3", {0x0F, 0x20, 0xD8}},
    {"mov cr3, eax", {0x0F, 0x22, 0xD8}},
    {"mov eax, dr7", {0x0F, 0x21, 0xF8}},
    {"mov dr7, eax", {0x0F, 0x23, 0xF8}},
    {"lgdt [esp]", {0x0F, 0x01, 0x14, 0x24}},
    {"lidt [esp]", {0x0F, 0x01, 0x1C, 0x24}},
    {"lldt ax", {0x0F, 0x00, 0xD0}},
    {"ltr ax", {0x0F, 0x00, 0xD8}},
    {"lmsw ax", {0x0F, 0x01, 0xF0}},
    {"clts", {0x0F, 0x06}},
    {"invd", {0x0F, 0x08}},
    {"wbinvd", {0x0F, 0x09}},
    {"invlpg [esp]", {0x0F, 0x01, 0x3C, 0x24}},
    {"rdmsr", {0x0F, 0x32}},
    {"wrmsr", {0x0F, 0x30}},
    {"int 0", {0xCD, 0x00}},
    {"int 1", {0xCD, 0x01}},
    {"int 2", {0xCD, 0x02}},
    {"int 8", {0xCD, 0x08}},
    {"int 13", {0xCD, 0x0D}},
    {"int 14", {0xCD, 0x0E}},
    {"int 0x20", {0xCD, 0x20}},
    {"int 0x21", {0xCD, 0x21}},
    {"int 0x81", {0xCD, 0x81}},
    {"int 0xFF", {0xCD, 0xFF}},
    {"a kernel selector into ds", {0xB8, 0x10, 0, 0, 0, 0x8E, 0xD8}},
    {"a kernel selector into ss", {0xB8, 0x10, 0, 0, 0, 0x8E, 0xD0}},
    {"selector 0xFFFF into fs", {0xB8, 0xFF, 0xFF, 0, 0, 0x8E, 0xE0}},
    {"far jump to the kernel's code", {0xEA, 0, 0, 0, 0, 0x08, 0}},
    {"far jump to a null selector", {0xEA, 0, 0, 0, 0, 0, 0}},
    {"far return to the kernel's code", {0x6A, 0x08, 0x6A, 0x00, 0xCB}},
    {"iret to the kernel", {0x9C, 0x6A, 0x08, 0x6A, 0x00, 0xCF}},
};

/* Run CODE from PAGE; a RET stands behind it. */
static __attribute__((noinline)) void dare(unsigned char *page, const unsigned char *code)
{
    last.si_signo = 0;
    memset(page, 0xC3, 32);
    memcpy(page, code, sizeof(dares[0].code));
    if (sigsetjmp(escape, 1) == 0)
        ((void (*)(void))page)();
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
    unsigned char *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    for (unsigned i = 0; i < sizeof(dares) / sizeof(dares[0]); i++) {
        dare(page, dares[i].code);
        if (!CHECK_THAT(dares[i].name, last.si_signo == SIGSEGV && last.si_code == SI_KERNEL))
            check_note("signal %d, code %d", last.si_signo, last.si_code);
    }

    /* STI and CLI by popf: without effect, and no fault. */
    unsigned flags;
    __asm__ volatile("pushl $0x3002; popfl; pushfl; popl %0; pushl $2; popfl"
                     : "=r"(flags)
                     :
                     : "memory", "cc");
    CHECK_EQUAL(flags, 0x202);
    return check_end();
}

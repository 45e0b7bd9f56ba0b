/* SPDX-License-Identifier: MIT */
/*
 * User test. EFLAGS.VM by `iret`: a CPU ignores it in user mode, and then CS is no selector that
 * could be loaded. QEMU goes to virtual-8086 mode (7.2, TCG), IOPL included, where the next trap
 * comes from. Either way the program ends by SIGSEGV, and its neighbours have lost nothing.
 */
#include "check.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* The 8086 program's paragraphs are 0x1000..; a page there is what Linux lets one have. */
enum { PAGE = 4096, CODE = 0x10000, PARAGRAPH = CODE >> 4, NEIGHBOURS = 24 };
enum flags { ALWAYS = 1u << 1, INTERRUPTS = 1u << 9, IOPL_3 = 3u << 12, VM = 1u << 17 };
enum { KERNEL_CODE = 8 };

/* What IRET pops. What would be CS from a frame that lies too low is ES. */
struct start {
    uint32_t eip, cs, eflags, esp, ss, es, ds, fs, gs;
};

static struct start start;
static uint32_t first_eax;

static int go(void)
{
    __asm__ volatile("movl %0, %%eax\n\t"
                     "movl $start, %%esp\n\t"
                     "iret"
                     :
                     : "m"(first_eax)
                     : "memory");
    return 1;
}

static void on_signal(int signal_number)
{
    _exit(signal_number);
}

static int go_with_handler(void)
{
    static char stack[64 * 1024];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    sigaction(SIGSEGV, &action, NULL);
    return go();
}

static int go_ignoring(void)
{
    signal(SIGSEGV, SIG_IGN);
    return go();
}

static int go_blocking(void)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return go();
}

static const struct program {
    const char *text;
    unsigned char code[8];
    uint32_t eax;
} programs[] = {
    {"int 0x80: exit", {0xCD, 0x80}, 1},
    {"int 0x80: fork", {0xCD, 0x80}, 2},
    {"int 0x80: sched_yield", {0xCD, 0x80}, 158},
    {"int 0x80: no call", {0xCD, 0x80}, ~0u},
    {"int3", {0xCC}, 0},
    {"int 0x21", {0xCD, 0x21}, 0},
    {"hlt", {0xF4}, 0},
    {"ud2", {0x0F, 0x0B}, 0},
    {"divide by zero", {0x31, 0xC9, 0xF7, 0xF1}, 0},
    {"a read of nothing", {0xB8, 0x00, 0x90, 0x8E, 0xD8, 0xA1, 0x00, 0x00}, 0},
    {"a write through SS", {0x31, 0xE4, 0x50}, 0},
    {"out", {0xE6, 0xF4}, 0},
    {"x87", {0xD9, 0xEE}, 0},
    {"for ever", {0xEB, 0xFE}, 0},
};

/* How FUNCTION ends, from CS and with IOPL; sane is SIGSEGV alone, or a handler that saw it. */
static bool ends(int (*function)(void), const struct program *program, uint32_t cs, uint32_t iopl)
{
    memset((void *)CODE, 0xF4, PAGE);
    memcpy((void *)(CODE + 0x100), program->code, sizeof program->code);
    first_eax = program->eax;
    start = (struct start){.eip = 0x100 - ((cs - PARAGRAPH) << 4),
                           .cs = cs,
                           .eflags = VM | INTERRUPTS | ALWAYS | iopl,
                           .esp = 0x800,
                           .ss = PARAGRAPH,
                           .es = KERNEL_CODE,
                           .ds = PARAGRAPH,
                           .fs = IOPL_3,
                           .gs = PARAGRAPH};
    int status = check_child(function);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
        return true;
    if (function == go_with_handler && WIFEXITED(status) && WEXITSTATUS(status) == SIGSEGV)
        return true;
    check_note("%s, cs %x, flags %x: status %x", program->text, cs, start.eflags, status);
    return false;
}

static void all_ways(const struct program *program)
{
    int (*const functions[])(void) = {go, go_with_handler, go_ignoring, go_blocking};
    bool good = true;
    for (unsigned i = 0; i < sizeof functions / sizeof functions[0]; i++)
        for (uint32_t rpl = 0; rpl < 4; rpl += 3)
            for (uint32_t iopl = 0; iopl <= IOPL_3; iopl += IOPL_3)
                good &= ends(functions[i], program, PARAGRAPH + rpl, iopl);
    char text[80];
    snprintf(text, sizeof text, "virtual-8086 mode, %s: SIGSEGV", program->text);
    CHECK_THAT(text, good);
}

int main(void)
{
    int ends_of_pipe[2];
    pid_t neighbours[NEIGHBOURS];
    int right = 0;
    if (mmap((void *)CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ||
        pipe(ends_of_pipe) != 0)
        return 1;

    /* Every second one goes at once: the others' records are on both sides of what comes. */
    for (int i = 0; i < NEIGHBOURS; i++) {
        char byte;
        neighbours[i] = fork();
        if (neighbours[i] != 0)
            continue;
        close(ends_of_pipe[1]);
        _exit(i % 2 != 0 && read(ends_of_pipe[0], &byte, 1) == 0 ? i : 0);
    }
    for (unsigned i = 0; i < sizeof programs / sizeof programs[0]; i++)
        all_ways(&programs[i]);
    close(ends_of_pipe[1]);
    for (int i = 0; i < NEIGHBOURS; i++) {
        int status;
        right += waitpid(neighbours[i], &status, 0) == neighbours[i] && WIFEXITED(status) &&
                 WEXITSTATUS(status) == (i % 2 != 0 ? i : 0);
    }
    CHECK_EQUAL(right, NEIGHBOURS);
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * User test. Selectors: those of sigreturn's frame, forged; TLS entries that vanish while a
 * register holds one, in oneself, under a handler, and in a child of clone(CLONE_SETTLS); what
 * set_thread_area takes and tells. The kernel loads none that it could not.
 */
#include "check.h"

#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>

struct desc {
    unsigned entry_number, base, limit;
    unsigned is_32_bit : 1, contents : 2, read_only : 1, in_pages : 1, not_present : 1, useable : 1;
};

static int register_number, value;

static void forge(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    (void)signal_number;
    (void)info;
    user->uc_mcontext.gregs[register_number] = value;
}

static void survive(int signal_number)
{
    (void)signal_number;
    _exit(11);
}

/* What the register holds behind a sigreturn that loads VALUE into it. */
static int forged(void)
{
    unsigned short gs, fs, es, ds;
    struct sigaction action = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    __asm__ volatile("int $0x80\n\t"
                     "movw %%gs, %0; movw %%fs, %1; movw %%es, %2; movw %%ds, %3\n\t"
                     "pushl %%ss; popl %%ds; pushl %%ss; popl %%es"
                     : "=&r"(gs), "=&r"(fs), "=&r"(es), "=&r"(ds)
                     : "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR1)
                     : "memory");
    int now = register_number == REG_GS   ? gs
              : register_number == REG_FS ? fs
              : register_number == REG_ES ? es
                                          : ds;
    return now == value ? 1 : now == 0 ? 2 : 3;
}

static int forge_with(int number, int selector)
{
    register_number = number;
    value = selector;
    int status = check_child(forged);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static unsigned short data_selector(void)
{
    unsigned short selector;
    __asm__("movw %%ds, %0" : "=r"(selector));
    return selector;
}
static unsigned short code_selector(void)
{
    unsigned short selector;
    __asm__("movw %%cs, %0" : "=r"(selector));
    return selector;
}

/* Loaded as they are, loaded as 0, or SIGSEGV: never anything else. */
static void data_registers(void)
{
    static const int registers[] = {REG_DS, REG_ES, REG_FS, REG_GS};
    static const int bad[] = {0x7, 0x0C, 0x87, 0xFFF8, 0xFFFF, 0x1234 | 4};
    int wrong = 0;
    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        int good = forge_with(registers[i], data_selector());
        /* The C library's own variables lie behind GS. */
        wrong += good != 1 && !(registers[i] == REG_GS && good == -SIGSEGV);
        int null = forge_with(registers[i], 0);
        wrong += null != 1 && null != -SIGSEGV;
        for (unsigned j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            int result = forge_with(registers[i], bad[j]);
            if (result != 2 && result != -SIGSEGV) {
                check_note("register %d, selector %x: %d", registers[i], bad[j], result);
                wrong++;
            }
        }
    }
    CHECK_EQUAL(wrong, 0);
}

/* Every selector that there is into every register: the kernel lives, and no other is loaded. */
static int try_all(void)
{
    for (value = 0; value < 0x200; value++) {
        static const int registers[] = {REG_DS, REG_ES, REG_FS, REG_GS, REG_CS, REG_SS};
        for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
            pid_t child;
            int status;
            register_number = registers[i];
            if (registers[i] == REG_CS && value >> 3 == 6)
                continue; /* Linux on x86-64 has a 64-bit code segment there */
            child = vfork();
            if (child == 0)
                _exit(forged());
            if (waitpid(child, &status, 0) != child)
                return 1;
            if (WIFSIGNALED(status) && WTERMSIG(status) != SIGSEGV && WTERMSIG(status) != SIGBUS)
                return 2;
        }
    }
    return 0;
}

static void code_and_stack(void)
{
    static const int bad[] = {0, 3, 0x08, 0x10, 0x0C, 0x30, 0x33, 0x87, 0xFFFF, 0xFFF8};
    int wrong = 0;
    for (unsigned j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
        if (bad[j] != code_selector()) {
            int result = forge_with(REG_CS, bad[j]);
            /* Linux on x86-64 runs on in its 64-bit code segment. */
            if (result != -SIGSEGV && result != -SIGBUS && bad[j] != 0x33 && bad[j] != 0x30) {
                check_note("cs %x: %d", bad[j], result);
                wrong++;
            }
        }
        int result = forge_with(REG_SS, bad[j]);
        if (result != -SIGSEGV && result != -SIGBUS && !(WIFEXITED(result) && bad[j] > 0x20)) {
            check_note("ss %x: %d", bad[j], result);
            wrong++;
        }
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(forge_with(REG_CS, data_selector()), -SIGSEGV);
    CHECK_EQUAL(forge_with(REG_SS, code_selector()), -SIGSEGV);
}

static void thread_areas(void)
{
    struct desc desc = {.entry_number = -1u,
                        .base = 0,
                        .limit = 0xFFFFF,
                        .is_32_bit = 1,
                        .in_pages = 1,
                        .useable = 1};
    static int word = 0x55AA;
    desc.base = (unsigned)&word;
    CHECK(syscall(SYS_set_thread_area, &desc) == 0);
    unsigned entry = desc.entry_number;
    CHECK_THAT("the entry's number is told", entry != -1u);
    int seen;
    unsigned short old;
    __asm__ volatile("movw %%fs, %1; movw %w2, %%fs; movl %%fs:0, %0; movw %1, %%fs"
                     : "=&r"(seen), "=&r"(old)
                     : "r"(entry * 8 + 3));
    CHECK_EQUAL(seen, 0x55AA);
    struct desc got = {.entry_number = entry};
    CHECK(syscall(SYS_get_thread_area, &got) == 0);
    CHECK(got.base == desc.base && got.limit == desc.limit && got.is_32_bit && got.in_pages &&
          !got.read_only && !got.not_present && got.contents == 0 && got.useable);

    desc.entry_number = 5;
    CHECK_ERROR(syscall(SYS_set_thread_area, &desc), EINVAL);
    CHECK_ERROR(syscall(SYS_get_thread_area, &desc), EINVAL);
    desc.entry_number = entry;
    desc.contents = 2;
    CHECK_ERROR(syscall(SYS_set_thread_area, &desc), EINVAL);
    desc.contents = 0;
    desc.is_32_bit = 0;
    CHECK_ERROR(syscall(SYS_set_thread_area, &desc), EINVAL);
    CHECK_ERROR(syscall(SYS_set_thread_area, 4), EFAULT);
    CHECK_ERROR(syscall(SYS_get_thread_area, 4), EFAULT);
}

static long set_area(struct desc *desc)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "0"(SYS_set_thread_area), "b"(desc) : "memory");
    return result;
}

/* The entry that FS and ES lead to is emptied, made read-only, moved. */
static int vanish(void)
{
    struct desc desc = {.entry_number = -1u, .limit = 0xFFFFF, .is_32_bit = 1, .in_pages = 1};
    if (set_area(&desc) != 0)
        return 1;
    struct desc none = {.entry_number = desc.entry_number, .read_only = 1, .not_present = 1};
    __asm__ volatile("movw %w0, %%fs" : : "r"(desc.entry_number * 8 + 3));
    if (set_area(&none) != 0)
        return 2;
    for (int i = 0; i < 3; i++)
        usleep(1000); /* others run; the register is loaded anew */
    return 0;
}

/* SS itself on such an entry: whatever becomes of it, it is not the kernel's trouble. */
static int stack_vanishes(void)
{
    static struct desc desc = {
        .entry_number = -1u, .limit = 0xFFFFF, .is_32_bit = 1, .in_pages = 1};
    static struct desc none = {.read_only = 1, .not_present = 1};
    signal(SIGSEGV, survive);
    if (set_area(&desc) != 0)
        return 1;
    none.entry_number = desc.entry_number;
    __asm__ volatile("movw %w0, %%ss" : : "r"(desc.entry_number * 8 + 3) : "memory");
    if (set_area(&none) != 0)
        return 2;
    return 3;
}

/* The entry that FS leads to goes while a handler runs: sigreturn restores what is no more. */
static struct desc under_handler = {
    .entry_number = -1u, .limit = 0xFFFFF, .is_32_bit = 1, .in_pages = 1};

static void empty_entry(int signal_number)
{
    struct desc none = {
        .entry_number = under_handler.entry_number, .read_only = 1, .not_present = 1};
    (void)signal_number;
    set_area(&none);
}

static int vanishes_under_handler(void)
{
    signal(SIGUSR1, empty_entry);
    if (set_area(&under_handler) != 0)
        return 1;
    unsigned short after;
    __asm__ volatile("movw %w1, %%fs; int $0x80; movw %%fs, %0"
                     : "=&r"(after)
                     : "r"(under_handler.entry_number * 8 + 3), "a"(SYS_kill), "b"(getpid()),
                       "c"(SIGUSR1)
                     : "memory");
    return after == 0 ? 0 : 2;
}

/* ---- a child that begins with another entry ---- */

/* What the child gets in place of the flat segment that a register of its parent's leads to. */
static struct desc replacement;
static const struct desc replacements[] = {
    {.read_only = 1, .not_present = 1}, /* none */
    {.limit = 0xFFFFF, .is_32_bit = 1, .in_pages = 1, .read_only = 1},
    {.limit = 0, .is_32_bit = 1, .read_only = 1},
    {.limit = 0xFFFFF, .is_32_bit = 1, .in_pages = 1, .contents = 1, .read_only = 1},
};

/* SEGMENT leads to the entry while clone copies the registers; the child says 3, with few of
 * them. */
#define CLONE_WITH(segment)                                                                        \
    __asm__ volatile("movw %%" segment ", %%dx\n\t"                                                \
                     "movw %%cx, %%" segment "\n\t"                                                \
                     "xorl %%ecx, %%ecx\n\t"                                                       \
                     "int $0x80\n\t"                                                               \
                     "testl %%eax, %%eax\n\t"                                                      \
                     "jnz 1f\n\t"                                                                  \
                     "movl $1, %%eax\n\t" /* exit */                                               \
                     "movl $3, %%ebx\n\t"                                                          \
                     "int $0x80\n"                                                                 \
                     "1:\tmovw %%dx, %%" segment                                                   \
                     : "=a"(child), "+c"(selector)                                                 \
                     : "0"(SYS_clone), "b"(CLONE_SETTLS | SIGCHLD), "S"(&replacement), "D"(0)      \
                     : "edx", "memory")

enum which { WHICH_DS, WHICH_ES, WHICH_FS, WHICH_GS, WHICH_SS, WHICH_ALL };
static enum which which;

/* Returns 3, the child's exit; 11, its SIGSEGV; something else is wrong. */
static int clone_with_other_entry(void)
{
    struct desc desc = {.entry_number = -1u, .limit = 0xFFFFF, .is_32_bit = 1, .in_pages = 1};
    pid_t child = 0;
    int status;
    if (set_area(&desc) != 0)
        return 1;
    replacement.entry_number = desc.entry_number;
    unsigned selector = desc.entry_number * 8 + 3;
    switch (which) {
    case WHICH_DS:
        CLONE_WITH("ds");
        break;
    case WHICH_ES:
        CLONE_WITH("es");
        break;
    case WHICH_FS:
        CLONE_WITH("fs");
        break;
    case WHICH_GS:
        CLONE_WITH("gs");
        break;
    case WHICH_SS:
    case WHICH_ALL:
        CLONE_WITH("ss");
        break;
    }
    if (child <= 0 || waitpid(child, &status, 0) != child)
        return 2;
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static int clone_ignoring(void)
{
    signal(SIGSEGV, SIG_IGN);
    return clone_with_other_entry();
}
static int clone_blocking(void)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return clone_with_other_entry();
}
static int clone_handling(void)
{
    signal(SIGSEGV, survive);
    return clone_with_other_entry();
}

static void children(void)
{
    for (unsigned i = 0; i < sizeof(replacements) / sizeof(replacements[0]); i++) {
        int wrong = 0;
        replacement = replacements[i];
        for (which = WHICH_DS; which < WHICH_SS; which++)
            if (check_child(clone_with_other_entry) != 3 << 8) {
                check_note("register %d, descriptor %u", which, i);
                wrong++;
            }
        CHECK_EQUAL(wrong, 0);
        CHECK_EXITS(clone_with_other_entry, SIGSEGV);
        CHECK_EXITS(clone_ignoring, SIGSEGV);
        CHECK_EXITS(clone_blocking, SIGSEGV);
        CHECK_EXITS(clone_handling, 11);
    }
}

int main(void)
{
    thread_areas();
    CHECK_EXITS(vanish, 0);
    CHECK_EXITS(vanishes_under_handler, 0);
    children();
    int status = check_child(stack_vanishes);
    CHECK_THAT("a stack segment that vanishes: SIGSEGV",
               WEXITSTATUS(status) == 11 || WTERMSIG(status) == SIGSEGV);
    data_registers();
    code_and_stack();
    CHECK_EXITS(try_all, 0);
    return check_end();
}

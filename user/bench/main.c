/* SPDX-License-Identifier: MIT */
/*
 * User program. bench [GROUP...]: what memory and processes cost, in steps of the time-stamp
 * counter.
 *
 * Groups: ram null mmap fault sparse mprotect regions fork cow exec pipe brk madvise signal random
 * schedule events; without one: all but events. As process 1 it measures in a child, since kernels
 * treat signals to process 1 in a way of their own, then ends. The word `linux` is for process 1 of
 * a bare Linux: /proc is mounted, and the machine is restarted at the end, which Linux's process 1
 * must not do by exit.
 */
#include "bench.h"

static const struct group {
    const char *name;
    void (*run)(void);
} groups[] = {
    {"ram", bench_ram}, /* first: no cache of the kernel has grown yet */
    {"null", bench_null},     {"mmap", bench_mmap},         {"fault", bench_fault},
    {"sparse", bench_sparse}, {"mprotect", bench_mprotect}, {"regions", bench_regions},
    {"fork", bench_fork},     {"cow", bench_cow},           {"exec", bench_exec},
    {"pipe", bench_pipe},     {"brk", bench_brk},           {"madvise", bench_madvise},
    {"signal", bench_signal}, {"random", bench_random},     {"schedule", bench_schedule},
    {"events", bench_events}, /* only if it is named: it wants a machine with 3.5 GiB */
};
enum { GROUPS = sizeof groups / sizeof groups[0] };

const char *bench_path;

/* gcc may call these even in a freestanding program. */
void *memset(void *to, int byte, __SIZE_TYPE__ bytes);
void *memset(void *to, int byte, __SIZE_TYPE__ bytes)
{
    for (uint8_t *p = to; bytes != 0; bytes--)
        *p++ = (uint8_t)byte;
    return to;
}

void *memcpy(void *to, const void *from, __SIZE_TYPE__ bytes);
void *memcpy(void *to, const void *from, __SIZE_TYPE__ bytes)
{
    uint8_t *p = to;
    for (const uint8_t *q = from; bytes != 0; bytes--)
        *p++ = *q++;
    return to;
}

static uint32_t random_state;

void random_begin(void)
{
    random_state = 2463534242u;
}

/* Marsaglia's xorshift32. */
uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static bool is_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool is_wanted(const struct group *group, uint32_t argc, char **argv)
{
    bool any = false;
    for (uint32_t i = 1; i < argc; i++) {
        if (is_equal(argv[i], group->name))
            return true;
        any |= !is_equal(argv[i], "linux");
    }
    return !any && group->run != bench_events;
}

static bool has_word(const char *word, uint32_t argc, char **argv)
{
    for (uint32_t i = 1; i < argc; i++)
        if (is_equal(argv[i], word))
            return true;
    return false;
}

static void run_groups(uint32_t argc, char **argv)
{
    for (uint32_t i = 0; i < GROUPS; i++)
        if (is_wanted(&groups[i], argc, argv))
            groups[i].run();
}

static void run_in_child(uint32_t argc, char **argv)
{
    int32_t status = 0;
    int32_t child = fork_process();
    if (child == 0) {
        run_groups(argc, argv);
        exit_process(0);
    }
    int32_t ended;
    do /* others that end here are those that the child's children left behind */
        ended = child < 0 ? child : wait_for_child(&status);
    while (ended >= 0 && ended != child);
    if (ended < 0 || status != 0) {
        report_value("bench_failed", (uint32_t)status, "status");
        exit_process(1);
    }
}

static void linux_begin(void)
{
    call_3(CALL_MKDIR, address_of("/proc"), 0755, 0);
    call(CALL_MOUNT, address_of("none"), address_of("/proc"), address_of("proc"), 0);
    const uint32_t two_seconds[2] = {2, 0}; /* it goes on for a while after boot */
    call_3(CALL_NANOSLEEP, address_of(two_seconds), 0, 0);
}

static void linux_restart(void)
{
    call(CALL_REBOOT, 0xFEE1DEADu, 672274793u, 0x01234567u, 0);
}

__attribute__((used)) static _Noreturn void begin(uint32_t *stack, uint64_t time)
{
    uint32_t argc = stack[0];
    char **argv = (char **)&stack[1];
    bool is_bare_linux = has_word("linux", argc, argv);
    if (has_word("--nothing", argc, argv)) /* what row fork_exec_exit_wait starts */
        exit_process(0);
    bench_path = argc != 0 ? argv[0] : "";
    if (is_bare_linux)
        linux_begin();
    report_value("boot_tsc", time, "cyc");
    if (call_0(CALL_GETPID) == 1)
        run_in_child(argc, argv);
    else
        run_groups(argc, argv);
    report_value("end_tsc", read_tsc(), "cyc");
    if (is_bare_linux)
        linux_restart();
    exit_process(0);
}

/* The stack holds argc, argv and more; begin(stack, time) finds it 16-byte aligned below its
 * return address, as C programs may assume. */
__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "    rdtsc\n"
        "    movl %esp, %ecx\n"
        "    xorl %ebp, %ebp\n"
        "    andl $-16, %esp\n"
        "    subl $4, %esp\n"
        "    pushl %edx\n"
        "    pushl %eax\n"
        "    pushl %ecx\n"
        "    call begin\n");

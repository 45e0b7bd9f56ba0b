/* SPDX-License-Identifier: MIT */
/*
 * User program. Rows about calls, processes, pipes and signals.
 */
#include "bench.h"

enum { RW = PROT_READ | PROT_WRITE, SAMPLES = 11, LOOPS = 1000 };

void bench_null(void)
{
    struct least pairs = LEAST_NONE, calls = LEAST_NONE;
    for (int sample = 0; sample < 21; sample++) {
        uint64_t start = read_tsc();
        least_add(&pairs, read_tsc() - start);
        start = read_tsc();
        for (int i = 0; i < LOOPS; i++)
            call_0(CALL_GETPPID);
        least_add(&calls, read_tsc() - start);
    }
    report("rdtsc_pair", pairs, 1);
    report("null_syscall", calls, LOOPS);
}

/* ---- fork ---- */

struct fork_times {
    struct least calls, lives; /* fork; and the child's exit, and wait */
};

/* By a parent as it is now. Returns 0, or why there was no child. */
static int32_t measure_forks(struct fork_times *times)
{
    *times = (struct fork_times){LEAST_NONE, LEAST_NONE};
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint64_t start = read_tsc();
        int32_t child = fork_process();
        if (child == 0)
            exit_process(0);
        uint64_t forked = read_tsc();
        if (child < 0)
            return child;
        wait_for_child(0);
        least_add(&times->lives, read_tsc() - start);
        least_add(&times->calls, forked - start);
    }
    return 0;
}

/* fork, this program as a new one, which ends at once, and wait. */
static void measure_execs(const char *row)
{
    const char *const arguments[] = {bench_path, "--nothing", 0}, *const environment[] = {0};
    struct least lives = LEAST_NONE;
    for (int sample = 0; sample < SAMPLES; sample++) {
        int32_t status = -1;
        uint64_t start = read_tsc();
        int32_t child = fork_process();
        if (child == 0) {
            call_3(CALL_EXECVE, address_of(bench_path), address_of(arguments),
                   address_of(environment));
            exit_process(1);
        }
        wait_for_child(&status);
        if (child < 0 || status != 0) {
            report_refusal(row, child < 0 ? child : status);
            return;
        }
        least_add(&lives, read_tsc() - start);
    }
    report(row, lives, 1);
}

/* By a parent that has written MEGABYTES. */
static void bench_fork_with(uint32_t megabytes)
{
    uint32_t bytes = megabytes * MIB;
    uint32_t memory = bytes == 0 ? 0 : map(bytes, RW);
    if (is_error(memory)) {
        report_refusal(numbered("fork_call_", megabytes, "M"), (int32_t)memory);
        return;
    }
    touch_all(memory, bytes);
    struct fork_times times;
    int32_t error = measure_forks(&times);
    if (error != 0)
        report_refusal(numbered("fork_call_", megabytes, "M"), error);
    report(numbered("fork_call_", megabytes, "M"), times.calls, 1);
    report(numbered("fork_exit_wait_", megabytes, "M"), times.lives, 1);
    if (bytes != 0)
        unmap(memory, bytes);
}

/* By a parent with a GiB of which each table has one page that was written. */
static void bench_fork_with_tables(void)
{
    const uint32_t bytes = 1024 * MIB;
    uint32_t memory = map_at(0, bytes, RW, MAP_NORESERVE);
    struct fork_times times;
    for (uint32_t at = 0; !is_error(memory) && at < bytes; at += 4 * MIB)
        touch_all(memory + at, PAGE_BYTES);
    int32_t error = is_error(memory) ? (int32_t)memory : measure_forks(&times);
    if (error != 0) {
        report_refusal("fork_call_256_tables", error);
        return;
    }
    report("fork_call_256_tables", times.calls, 1);
    report("fork_exit_wait_256_tables", times.lives, 1);
    unmap(memory, bytes);
}

/* By a parent with 60,000 regions, every second of which refuses all access. */
static void bench_fork_with_regions(void)
{
    uint32_t memory = map(REGIONS * PAGE_BYTES, RW);
    for (uint32_t page = 1; !is_error(memory) && page < REGIONS; page += 2) {
        int32_t refusal = protect(memory + page * PAGE_BYTES, PAGE_BYTES, PROT_NONE);
        if (refusal != 0) {
            report_refusal("fork_call_60000_regions", refusal);
            return;
        }
    }
    struct fork_times times;
    int32_t error = is_error(memory) ? (int32_t)memory : measure_forks(&times);
    if (error != 0) {
        report_refusal("fork_call_60000_regions", error);
        return;
    }
    report("fork_call_60000_regions", times.calls, 1);
    report("fork_exit_wait_60000_regions", times.lives, 1);
    measure_execs("fork_exec_exit_wait_60000_regions");
    unmap(memory, REGIONS * PAGE_BYTES);
}

void bench_fork(void)
{
    bench_fork_with(0);
    bench_fork_with(4);
    bench_fork_with(16);
    bench_fork_with(64);
    bench_fork_with_tables();
    bench_fork_with_regions();
}

void bench_exec(void)
{
    measure_execs("fork_exec_exit_wait");
}

/* ---- who copies what after fork ---- */

enum { PARTS = 5, PART_BYTES = 4 * MIB };

/* Writes all pages of the memory that parent and child share; the best of its parts counts. */
static void write_parts(const char *name, uint32_t memory)
{
    struct least writes = LEAST_NONE;
    for (uint32_t part = 0; part < PARTS; part++) {
        uint64_t start = read_tsc();
        touch_all(memory + part * PART_BYTES, PART_BYTES);
        least_add(&writes, read_tsc() - start);
    }
    report(name, writes, PART_BYTES / PAGE_BYTES);
}

/* The child writes first, and ends: then the parent is sole owner of the old pages. */
static void child_copies(uint32_t memory)
{
    int32_t child = fork_process();
    if (child == 0) {
        write_parts("cow_child_copy", memory);
        exit_process(0);
    }
    if (child < 0) {
        report_refusal("cow_child_copy", child);
        return;
    }
    wait_for_child(0);
    write_parts("cow_parent_sole", memory);
}

/* The parent writes first, while the child waits: then the child is sole owner. */
static void parent_copies(uint32_t memory)
{
    int32_t ends[2];
    char byte = 0;
    int32_t error = call_3(CALL_PIPE, address_of(ends), 0, 0);
    int32_t child = error == 0 ? fork_process() : error;
    if (child == 0) {
        read_bytes(ends[0], &byte, 1);
        write_parts("cow_child_sole", memory);
        exit_process(0);
    }
    if (child < 0) {
        report_refusal("cow_parent_copy", child);
        return;
    }
    write_parts("cow_parent_copy", memory);
    write_bytes(ends[1], &byte, 1);
    wait_for_child(0);
    call_3(CALL_CLOSE, (uint32_t)ends[0], 0, 0);
    call_3(CALL_CLOSE, (uint32_t)ends[1], 0, 0);
}

void bench_cow(void)
{
    uint32_t memory = map(PARTS * PART_BYTES, RW);
    if (is_error(memory)) {
        report_refusal("cow_child_copy", (int32_t)memory);
        return;
    }
    touch_all(memory, PARTS * PART_BYTES);
    child_copies(memory);
    parent_copies(memory);
    unmap(memory, PARTS * PART_BYTES);
}

/* ---- pipes ---- */

/* A byte goes into one pipe and comes out of another, LOOPS times. */
static void bench_bytes(const char *name, int32_t to, int32_t from)
{
    struct least times = LEAST_NONE;
    char byte = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
        uint64_t start = read_tsc();
        for (int i = 0; i < LOOPS; i++) {
            write_bytes(to, &byte, 1);
            read_bytes(from, &byte, 1);
        }
        least_add(&times, read_tsc() - start);
    }
    report(name, times, LOOPS);
}

static _Noreturn void echo_bytes(int32_t from, int32_t to)
{
    char byte;
    for (int i = 0; i < SAMPLES * LOOPS; i++) {
        read_bytes(from, &byte, 1);
        write_bytes(to, &byte, 1);
    }
    exit_process(0);
}

void bench_pipe(void)
{
    int32_t there[2], back[2];
    int32_t error = call_3(CALL_PIPE, address_of(there), 0, 0);
    if (error == 0)
        error = call_3(CALL_PIPE, address_of(back), 0, 0);
    if (error != 0) {
        report_refusal("pipe_self", error);
        return;
    }
    bench_bytes("pipe_self", there[1], there[0]);
    int32_t child = fork_process();
    if (child == 0)
        echo_bytes(there[0], back[1]);
    bench_bytes("pipe_pingpong", there[1], back[0]);
    wait_for_child(0);
    for (int i = 0; i < 2; i++) {
        call_3(CALL_CLOSE, (uint32_t)there[i], 0, 0);
        call_3(CALL_CLOSE, (uint32_t)back[i], 0, 0);
    }
}

/* ---- signals ---- */

void return_from_signal(void);
/* The frame's first word, the signal's number, must go before the call. */
__asm__(".text\n"
        ".globl return_from_signal\n"
        "return_from_signal:\n"
        "    popl %eax\n"
        "    movl $119, %eax\n"
        "    int $0x80\n");
_Static_assert(CALL_SIGRETURN == 119, "return_from_signal knows it");

static volatile uint32_t signals;
static volatile uint32_t guarded_page;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

static void open_page(int signal)
{
    (void)signal;
    signals++;
    if (signals > LOOPS) /* it does not help */
        exit_process(1);
    protect(guarded_page, PAGE_BYTES, RW);
}

static int32_t handle(uint32_t signal, void (*handler)(int))
{
    const struct signal_action action = {handler, SA_RESTORER, return_from_signal, {0, 0}};
    return call(CALL_RT_SIGACTION, signal, address_of(&action), 0, sizeof action.mask);
}

/* kill(self), handler and return. */
static void bench_signal_to_self(void)
{
    struct least times = LEAST_NONE;
    uint32_t self = (uint32_t)call_0(CALL_GETPID);
    signals = 0;
    for (int sample = 0; sample < 101; sample++) {
        uint64_t start = read_tsc();
        call_3(CALL_KILL, self, SIGUSR1, 0);
        least_add(&times, read_tsc() - start);
    }
    if (signals == 101)
        report("signal_self", times, 1);
    else
        report_refusal("signal_self", (int32_t)signals);
}

/* A write to a read-only page, a handler that makes it writable, the write again. */
static void bench_repair(void)
{
    struct least times = LEAST_NONE;
    guarded_page = map(PAGE_BYTES, RW);
    touch_write(guarded_page);
    signals = 0;
    for (int sample = 0; sample < 101; sample++) {
        protect(guarded_page, PAGE_BYTES, PROT_READ);
        uint64_t start = read_tsc();
        touch_write(guarded_page);
        least_add(&times, read_tsc() - start);
    }
    if (signals == 101)
        report("segv_mprotect", times, 1);
    else
        report_refusal("segv_mprotect", (int32_t)signals);
    unmap(guarded_page, PAGE_BYTES);
}

void bench_signal(void)
{
    int32_t error = handle(SIGUSR1, count_signal);
    if (error == 0)
        error = handle(SIGSEGV, open_page);
    if (error != 0) {
        report_refusal("signal_self", error);
        return;
    }
    bench_signal_to_self();
    bench_repair();
    handle(SIGSEGV, 0);
}

/* ---- who runs when others compute ---- */

enum { MOST_SPINNERS = 1000, SLEEP_NS = 20000000, SLEEPS = 5 };

static int32_t spinners[MOST_SPINNERS];

static _Noreturn void spin(void)
{
    for (volatile uint32_t i = 0;; i++) {
    }
}

static void end_spinners(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        call_3(CALL_KILL, (uint32_t)spinners[i], SIGKILL, 0);
    for (uint32_t i = 0; i < count; i++)
        wait_for_child(0);
}

/* A TICK in steps of the counter, as `make bench` counts. */
enum { TICK = 10000000, WATCHED_TICKS = 60, UNINTERRUPTED = 20000 };

/* It sleeps for 50 ms, as all others that began with it, and computes for two ticks. */
static _Noreturn void wake_and_compute(void)
{
    static const struct {
        int32_t seconds, nanoseconds;
    } pause = {0, 50000000};
    for (;;) {
        call_3(CALL_NANOSLEEP, address_of(&pause), 0, 0);
        for (uint64_t start = read_tsc(); read_tsc() - start < 2 * TICK;) {
        }
    }
}

/* How long a sleep of 20 ms takes at worst. */
static uint64_t longest_sleep(void)
{
    static const struct {
        int32_t seconds, nanoseconds;
    } pause = {0, SLEEP_NS};
    uint64_t longest = 0;
    for (int i = 0; i < SLEEPS; i++) {
        uint64_t start = read_tsc();
        call_3(CALL_NANOSLEEP, address_of(&pause), 0, 0);
        uint64_t time = read_tsc() - start;
        if (time > longest)
            longest = time;
    }
    return longest;
}

/* ROW: how long it takes beside COUNT processes that do WORK. */
static void bench_sleep_beside(const char *row, uint32_t count, void work(void))
{
    uint32_t made = 0;
    longest_sleep(); /* from now on it counts as one that needs little */
    for (; made < count; made++) {
        spinners[made] = fork_process();
        if (spinners[made] == 0)
            work();
        if (spinners[made] < 0)
            break;
    }
    uint64_t longest = longest_sleep();
    end_spinners(made);
    if (made == count)
        report_value(row, longest, "cyc");
    else
        report_refusal(row, -1);
}

/* It runs for nine tenths of a tick, and sleeps until the next one. */
static _Noreturn void nap_again_and_again(void)
{
    static const struct {
        int32_t seconds, nanoseconds;
    } moment = {0, 1};
    for (;;) {
        for (uint64_t start = read_tsc(); read_tsc() - start < TICK / 10 * 9;) {
        }
        call_3(CALL_NANOSLEEP, address_of(&moment), 0, 0);
    }
}

/* What is left, in percent, to a process that computes beside such a one. */
static void bench_share(void)
{
    uint64_t ran = 0;
    spinners[0] = fork_process();
    if (spinners[0] == 0)
        nap_again_and_again();
    uint64_t start = read_tsc(), last = start;
    for (uint64_t now = start; now - start < (uint64_t)WATCHED_TICKS * TICK; last = now) {
        now = read_tsc();
        if (now - last < UNINTERRUPTED)
            ran += now - last;
    }
    end_spinners(1);
    report_value("share_beside_sleeper", ran / (WATCHED_TICKS * (TICK / 100)), "%");
}

void bench_schedule(void)
{
    bench_share();
    bench_sleep_beside("sleep_beside_100", 100, spin);
    bench_sleep_beside("sleep_beside_1000", MOST_SPINNERS, spin);
    bench_sleep_beside("sleep_beside_200_wakers", 200, wake_and_compute);
}

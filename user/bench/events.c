/* SPDX-License-Identifier: MIT */
/*
 * User program. What takes a kernel long: each call with as much as a machine with 3.5 GiB has for it.
 *
 * No row comes from here: the kernel that is told `events` says itself how long its longest events
 * were. So all that counts is that each call gets to do its most; one that is refused is a row.
 */
#include <stddef.h>

#include "bench.h"

enum { RW = PROT_READ | PROT_WRITE, MANY_REGIONS = 65000, MANY_PROCESSES = 60000, FILES = 4096 };
enum { VECTORS = 1024, VECTOR_BYTES = 64 * KIB, CLOCK_MONOTONIC = 1, TIMER_ABSTIME = 1 };
enum { SECONDS_TO_FORK = 60 };
static const uint32_t BIG_BYTES = 2688u * MIB;

struct vector {
    uint32_t at, bytes;
};

struct poll_wish {
    int32_t file;
    int16_t events, answer;
};

static void expect(const char *what, int32_t result)
{
    if (result < 0 && result > -PAGE_BYTES)
        report_refusal(what, result);
}

static uint32_t map_touched(uint32_t bytes)
{
    uint32_t memory = map_at(0, bytes, RW, MAP_NORESERVE);
    if (is_error(memory)) {
        report_refusal("events_memory", (int32_t)memory);
        exit_process(1);
    }
    touch_all(memory, bytes);
    return memory;
}

/* In a child, which ends by itself or by exit: RUN may leave behind what it likes. */
static void in_child(void (*run)(void))
{
    int32_t child = fork_process();
    if (child == 0) {
        run();
        exit_process(0);
    }
    expect("events_fork", child);
    wait_for_child(NULL);
}

static void nothing(void)
{
}

static void execute(void)
{
    const char *arguments[] = {bench_path, "--nothing", NULL};
    const char *environment[] = {NULL};
    expect("events_execve", call_3(CALL_EXECVE, address_of(bench_path), address_of(arguments),
                                   address_of(environment)));
}

/* ---- memory ---- */

static void change_all_memory(void)
{
    uint32_t half = BIG_BYTES / 2, memory = map_touched(BIG_BYTES);
    expect("events_mprotect", protect(memory, BIG_BYTES, PROT_READ));
    expect("events_mprotect", protect(memory, BIG_BYTES, RW));
    expect("events_mlockall", call_3(CALL_MLOCKALL, 1, 0, 0));
    expect("events_munlockall", call_3(CALL_MUNLOCKALL, 0, 0, 0));
    in_child(nothing);
    expect("events_munmap", unmap(memory + half, half));
    expect("events_mremap", call_6(CALL_MREMAP, memory, half, half, 3, memory + half));
    expect("events_munmap", unmap(memory, BIG_BYTES));
    memory = map_at(0, BIG_BYTES, RW, MAP_NORESERVE | MAP_POPULATE);
    expect("events_mmap2", (int32_t)memory);
    expect("events_madvise", call_3(CALL_MADVISE, memory, BIG_BYTES, MADV_DONTNEED));
}

static void execute_over_all_memory(void)
{
    map_touched(BIG_BYTES);
    execute();
}

static void exit_with_all_memory(void)
{
    map_touched(BIG_BYTES);
}

static uint32_t make_regions(void)
{
    uint32_t bytes = MANY_REGIONS * PAGE_BYTES, memory = map(bytes, PROT_READ);
    for (uint32_t i = 1; i < MANY_REGIONS; i += 2)
        expect("events_regions", protect(memory + i * PAGE_BYTES, PAGE_BYTES, RW));
    for (uint32_t i = 1; i < MANY_REGIONS; i += 2)
        touch_write(memory + i * PAGE_BYTES);
    return memory;
}

static void change_all_regions(void)
{
    uint32_t bytes = MANY_REGIONS * PAGE_BYTES, memory = make_regions();
    in_child(nothing);
    expect("events_mlockall", call_3(CALL_MLOCKALL, 1, 0, 0));
    expect("events_munlockall", call_3(CALL_MUNLOCKALL, 0, 0, 0));
    expect("events_madvise", call_3(CALL_MADVISE, memory, bytes, MADV_DONTNEED));
    expect("events_munmap", unmap(memory, bytes));
    memory = make_regions();
    expect("events_mprotect", protect(memory, bytes, PROT_READ));
}

static void exit_with_all_regions(void)
{
    make_regions();
}

/* ---- bytes ---- */

static void copy_bytes(void)
{
    static struct vector vectors[VECTORS];
    uint32_t bytes = VECTORS * VECTOR_BYTES, from = map_touched(bytes), to = map_touched(bytes);
    struct vector all = {from, bytes};
    for (uint32_t i = 0; i < VECTORS; i++)
        vectors[i] = (struct vector){to + i * VECTOR_BYTES, VECTOR_BYTES};
    expect("events_process_vm_readv", call_6(CALL_PROCESS_VM_READV, (uint32_t)call_0(CALL_GETPID),
                                             address_of(vectors), VECTORS, address_of(&all), 1));
    expect("events_getrandom", call_3(CALL_GETRANDOM, to, 4 * MIB, 0));

    int32_t zeros = call_3(CALL_OPEN, address_of("/dev/zero"), 2, 0);
    expect("events_readv", call_3(CALL_READV, (uint32_t)zeros, address_of(vectors), VECTORS));
    expect("events_write", call_3(CALL_WRITE, (uint32_t)zeros, to, bytes));
    int32_t file = call_3(CALL_OPEN, address_of(bench_path), 0, 0);
    expect("events_sendfile", call(CALL_SENDFILE, (uint32_t)zeros, (uint32_t)file, 0, bytes));
    for (uint32_t i = 0; i < 256 * KIB; i++)
        *(volatile char *)(uintptr_t)(to + i) = '\r';
    *(volatile char *)(uintptr_t)(to + 256 * KIB - 1) = '\n';
    expect("events_write", call_3(CALL_WRITE, 1, to, 256 * KIB));
}

/* ---- files ---- */

static void open_all(void)
{
    while (call_3(CALL_DUP, 0, 0, 0) >= 0)
        ;
}

static void use_all_files(void)
{
    static struct poll_wish wishes[FILES];
    open_all();
    for (int32_t i = 0; i < FILES; i++)
        wishes[i] = (struct poll_wish){i, 1, 0};
    int32_t result = call_3(CALL_POLL, address_of(wishes), FILES, 20);
    if (result < 0)
        expect("events_poll", call_3(CALL_POLL, address_of(wishes), 1024, 20));
    in_child(nothing);
    call_3(CALL_CLOSE_RANGE, 3, (uint32_t)-1, 0);
}

/* ---- processes ---- */

struct time {
    uint32_t seconds, nanoseconds;
};

static struct time seconds_from_now(uint32_t seconds)
{
    struct time time;
    call_3(CALL_CLOCK_GETTIME, CLOCK_MONOTONIC, address_of(&time), 0);
    time.seconds += seconds;
    return time;
}

static void fork_many(void (*run)(struct time), struct time time)
{
    for (uint32_t i = 0; i < MANY_PROCESSES; i++) {
        int32_t child = fork_process();
        if (child == 0) {
            run(time);
            exit_process(0);
        }
        expect("events_fork", child);
    }
}

static void sleep_until(struct time time)
{
    call(CALL_CLOCK_NANOSLEEP, CLOCK_MONOTONIC, TIMER_ABSTIME, address_of(&time), 0);
}

/* An alarm at TIME, which ends the process. */
static void be_ended_at(struct time time)
{
    struct time now = seconds_from_now(0);
    int32_t seconds = (int32_t)(time.seconds - now.seconds);
    int32_t useconds = (int32_t)(time.nanoseconds - now.nanoseconds) / 1000;
    if (useconds < 0) {
        useconds += 1000000;
        seconds--;
    }
    const int32_t timer[4] = {0, 0, seconds, useconds};
    expect("events_setitimer", call_3(CALL_SETITIMER, 0, address_of(timer), 0));
    while (seconds >= 0)
        call_3(CALL_PAUSE, 0, 0, 0);
}

static void wait_for_many(void)
{
    for (uint32_t i = 0; i < MANY_PROCESSES; i++)
        expect("events_wait4", wait_for_child(NULL));
}

static void wake_many_at_once(void)
{
    fork_many(sleep_until, seconds_from_now(SECONDS_TO_FORK));
    wait_for_many();
}

static void alarm_many_at_once(void)
{
    fork_many(be_ended_at, seconds_from_now(SECONDS_TO_FORK));
    wait_for_many();
}

static void end_many_at_once(void)
{
    const uint32_t second[2] = {1, 0};
    fork_many(sleep_until, seconds_from_now(100000));
    expect("events_kill", call_3(CALL_KILL, (uint32_t)-1, SIGSTOP, 0));
    call_3(CALL_NANOSLEEP, address_of(second), 0, 0);
    expect("events_kill", call_3(CALL_KILL, (uint32_t)-1, SIGCONT, 0));
    call_3(CALL_NANOSLEEP, address_of(second), 0, 0);
    expect("events_kill", call_3(CALL_KILL, (uint32_t)-1, SIGKILL, 0));
    wait_for_many();
}

static void leave_many_behind(void)
{
    fork_many(sleep_until, seconds_from_now(0));
    const uint32_t second[2] = {1, 0};
    call_3(CALL_NANOSLEEP, address_of(second), 0, 0);
}

void bench_events(void)
{
    in_child(change_all_memory);
    in_child(execute_over_all_memory);
    in_child(exit_with_all_memory);
    in_child(change_all_regions);
    in_child(exit_with_all_regions);
    in_child(copy_bytes);
    in_child(use_all_files);
    in_child(wake_many_at_once);
    in_child(alarm_many_at_once);
    in_child(leave_many_behind);
    end_many_at_once();
}

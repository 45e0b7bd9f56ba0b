/* SPDX-License-Identifier: MIT */
/*
 * User program. Used by: user/bench/.
 *
 * The Linux system calls that the benchmark makes, by int 0x80 and without a C library: between two
 * rdtsc stands the call and nothing else, and one binary runs on Droste and on Linux, as process 1
 * as well. A call returns what the kernel left in EAX: a result, or an error number negated.
 * Source: manual pages syscall(2), mmap(2), sigaction(2), sysinfo(2).
 */
#ifndef USER_BENCH_SYSTEM_H
#define USER_BENCH_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

enum call_number {
    CALL_EXIT = 1,
    CALL_FORK = 2,
    CALL_READ = 3,
    CALL_WRITE = 4,
    CALL_OPEN = 5,
    CALL_CLOSE = 6,
    CALL_EXECVE = 11,
    CALL_GETPID = 20,
    CALL_MOUNT = 21,
    CALL_PAUSE = 29,
    CALL_KILL = 37,
    CALL_MKDIR = 39,
    CALL_DUP = 41,
    CALL_PIPE = 42,
    CALL_BRK = 45,
    CALL_GETPPID = 64,
    CALL_REBOOT = 88,
    CALL_MUNMAP = 91,
    CALL_SETITIMER = 104,
    CALL_WAIT4 = 114,
    CALL_SYSINFO = 116,
    CALL_SIGRETURN = 119,
    CALL_MPROTECT = 125,
    CALL_READV = 145,
    CALL_MLOCKALL = 152,
    CALL_MUNLOCKALL = 153,
    CALL_NANOSLEEP = 162,
    CALL_MREMAP = 163,
    CALL_POLL = 168,
    CALL_RT_SIGACTION = 174,
    CALL_SENDFILE = 187,
    CALL_MMAP2 = 192,
    CALL_MADVISE = 219,
    CALL_CLOCK_GETTIME = 265,
    CALL_CLOCK_NANOSLEEP = 267,
    CALL_PROCESS_VM_READV = 347,
    CALL_GETRANDOM = 355,
    CALL_CLOSE_RANGE = 436,
};

enum protection { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum map_flags {
    MAP_PRIVATE = 2,
    MAP_FIXED = 0x10,
    MAP_ANONYMOUS = 0x20,
    MAP_NORESERVE = 0x4000,
    MAP_POPULATE = 0x8000
};
enum { MADV_DONTNEED = 4, SA_RESTORER = 0x04000000 };
enum { SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGCONT = 18, SIGSTOP = 19 };
enum { PAGE_BYTES = 4096, KIB = 1024, MIB = 1024 * 1024 };

struct signal_action {
    void (*handler)(int signal);
    uint32_t flags;
    void (*restorer)(void);
    uint32_t mask[2];
};

struct system_information {
    int32_t uptime;
    uint32_t loads[3];
    uint32_t total, free, shared, buffers, swap_total, swap_free; /* in units */
    uint16_t processes, padding;
    uint32_t high_total, high_free, unit_bytes;
    char reserved[8];
};

static inline int32_t call(enum call_number number, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    int32_t result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d)
                     : "memory", "cc");
    return result;
}

/* Six arguments, the last of them 0. */
static inline int32_t call_6(enum call_number number, uint32_t a, uint32_t b, uint32_t c,
                             uint32_t d, uint32_t e)
{
    int32_t result;
    __asm__ volatile("pushl %%ebp\n\txorl %%ebp, %%ebp\n\tint $0x80\n\tpopl %%ebp"
                     : "=a"(result)
                     : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory", "cc");
    return result;
}

/* Calls of fewer arguments leave the other registers alone: loading them would be measured, too. */
static inline int32_t call_0(enum call_number number)
{
    int32_t result;
    __asm__ volatile("int $0x80" : "=a"(result) : "0"(number) : "memory", "cc");
    return result;
}

static inline int32_t call_3(enum call_number number, uint32_t a, uint32_t b, uint32_t c)
{
    int32_t result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "0"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "cc");
    return result;
}

static inline uint32_t address_of(const volatile void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

/* What mmap returns is an address, or one of these. */
static inline bool is_error(uint32_t result)
{
    return result > (uint32_t)-4096;
}

/* Private anonymous memory; the sixth argument, the file offset, is 0. */
static inline uint32_t map_at(uint32_t address, uint32_t bytes, uint32_t protection, uint32_t flags)
{
    return (uint32_t)call_6(CALL_MMAP2, address, bytes, protection,
                            flags | MAP_PRIVATE | MAP_ANONYMOUS, (uint32_t)-1);
}

static inline uint32_t map(uint32_t bytes, uint32_t protection)
{
    return map_at(0, bytes, protection, 0);
}

static inline int32_t unmap(uint32_t address, uint32_t bytes)
{
    return call_3(CALL_MUNMAP, address, bytes, 0);
}

static inline int32_t protect(uint32_t address, uint32_t bytes, uint32_t protection)
{
    return call_3(CALL_MPROTECT, address, bytes, protection);
}

static inline uint32_t set_break(uint32_t address)
{
    return (uint32_t)call_3(CALL_BRK, address, 0, 0);
}

static inline int32_t read_bytes(int32_t file, void *to, uint32_t bytes)
{
    return call_3(CALL_READ, (uint32_t)file, address_of(to), bytes);
}

static inline int32_t write_bytes(int32_t file, const void *from, uint32_t bytes)
{
    return call_3(CALL_WRITE, (uint32_t)file, address_of(from), bytes);
}

static inline int32_t fork_process(void)
{
    return call_0(CALL_FORK);
}

/* Any child; its wait status goes to STATUS if that is not null. */
static inline int32_t wait_for_child(int32_t *status)
{
    return call(CALL_WAIT4, (uint32_t)-1, address_of(status), 0, 0);
}

static inline _Noreturn void exit_process(uint32_t status)
{
    for (;;)
        call_3(CALL_EXIT, status, 0, 0);
}

/* One step under `-icount shift=0` is one instruction; else a host cycle. */
static inline uint64_t read_tsc(void)
{
    uint64_t time;
    __asm__ volatile("rdtsc" : "=A"(time) : : "memory");
    return time;
}

static inline void touch_read(uint32_t address)
{
    (void)*(volatile uint8_t *)(uintptr_t)address;
}

static inline void touch_write(uint32_t address)
{
    *(volatile uint8_t *)(uintptr_t)address = 1;
}

#endif

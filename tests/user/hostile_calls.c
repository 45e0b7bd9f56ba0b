/* SPDX-License-Identifier: MIT */
/*
 * User test. Random system calls with random arguments, in children, so that an exit, an execve or
 * a signal ends one of them only. Numbers are those that Droste and its neighbours know; arguments
 * are numbers and addresses of the kind that go wrong. The parent gives each child some time, and
 * in the end kills what is left. Not on Linux: it would be its host that is hurt.
 *
 * usage: hostile_calls [SEED [CHILDREN]]: 400 calls each; 20000 children take some minutes.
 *
 * run: on=droste
 * run: seconds=180
 */
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum { CALLS = 400, LAST_NUMBER = 450, PATIENCE_MS = 100, ARENA_BYTES = 64 * 4096 };

static uint32_t random_state;
static char *arena; /* its last page is unmapped, the one before read-only */
static const char *own_path;
static pid_t own_pid;

static uint32_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static uint32_t below(uint32_t limit)
{
    return (random_number() >> 8) % limit;
}

static uint32_t address(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer;
}

/* ---- arguments ---- */

static uint32_t random_path(void)
{
    const char *paths[] = {"/",       "/dev",           "/dev/null", "/dev/zero", own_path,
                           "/absent", "/dev/../../dev", "",          ".",         "/dev/null/x"};
    return address(paths[below(sizeof paths / sizeof paths[0])]);
}

static uint32_t random_address(void)
{
    static const uint32_t wild[] = {0,          1,          0x1000,     0x08048000, 0xBFFFF000,
                                    0xBFFFFFFF, 0xC0000000, 0xC0100000, 0xC8000000, 0xD0000000,
                                    0xE0000000, 0xFF400000, 0xFF800000, 0xFFC00000, 0xFFFFF000,
                                    0xFFFFFFFF, 0x80000000, 0x7FFFFFFF};
    switch (below(8)) {
    case 0:
        return wild[below(sizeof wild / sizeof wild[0])];
    case 1:
        return address(arena) + ARENA_BYTES - 2 * 4096 - below(64);
    case 2:
        return address(arena) + ARENA_BYTES - 4096 - below(64);
    case 3:
        return address(__builtin_frame_address(0)) - below(4096);
    case 4:
        return random_path();
    case 5:
        return address(arena) + below(ARENA_BYTES / 4096) * 4096;
    default:
        return address(arena) + below(ARENA_BYTES);
    }
}

static uint32_t random_size(void)
{
    static const uint32_t sizes[] = {0,          1,          4095,       4096,       4097,
                                     0x10000,    0x3FFFFF,   0x400000,   0x40000000, 0x7FFFFFFF,
                                     0x80000000, 0xBFFFF000, 0xFFFFF000, 0xFFFFFFFF};
    return below(2) == 0 ? below(8192) : sizes[below(sizeof sizes / sizeof sizes[0])];
}

static uint32_t random_argument(void)
{
    switch (below(8)) {
    case 0:
    case 1:
        return below(8); /* a descriptor, a small flag */
    case 2:
    case 3:
        return random_address();
    case 4:
        return random_size();
    case 5:
        return -below(16);
    case 6:
        return 1u << below(32);
    default:
        return random_number();
    }
}

/* ---- calls ---- */

enum { FORK = 2, VFORK = 190, CLONE = 120, CLONE3 = 435, REBOOT = 88, PRLIMIT = 340, KILL = 37 };

/* Memory, signals, files: the calls that Droste has come more often. */
static uint32_t random_call(void)
{
    static const uint16_t known[] = {
        3,   4,   5,   6,   11,  19,  20,  33,  37,  41,  42,  45,  54,  55,  63,  64,  67,  75,
        76,  85,  90,  91,  106, 108, 114, 116, 118, 119, 120, 122, 125, 126, 132, 140, 144, 145,
        146, 147, 150, 151, 152, 153, 158, 163, 168, 173, 174, 175, 176, 178, 179, 180, 182, 183,
        186, 187, 190, 191, 192, 195, 196, 197, 199, 218, 219, 220, 221, 224, 238, 239, 240, 243,
        252, 258, 265, 295, 300, 305, 307, 311, 330, 331, 340, 347, 355, 358, 374, 383, 403, 439};
    return below(4) == 0 ? below(LAST_NUMBER) : known[below(sizeof known / sizeof known[0])];
}

static int32_t make_call(uint32_t number, const uint32_t *arguments)
{
    int32_t result;
    const uint32_t words[2] = {number, arguments[5]};
    __asm__ volatile("pushl %%ebp\n\tmovl 4(%%eax), %%ebp\n\tmovl (%%eax), %%eax\n\t"
                     "int $0x80\n\tpopl %%ebp"
                     : "=a"(result)
                     : "0"(words), "b"(arguments[0]), "c"(arguments[1]), "d"(arguments[2]),
                       "S"(arguments[3]), "D"(arguments[4])
                     : "memory", "cc");
    return result;
}

static void one_call(void)
{
    uint32_t arguments[6], number = random_call();
    for (int i = 0; i < 6; i++)
        arguments[i] = random_argument();
    if (number == REBOOT || number == CLONE3)
        return;
    /* The parent's own life is not at stake; kill(-1, ...) spares it as process 1. */
    if ((number == PRLIMIT || number == 347 || number == 348) && arguments[0] == 1)
        arguments[0] = 0;
    if (number == CLONE)
        arguments[0] &= ~0xFFFFC000u | 0x4000; /* vfork at most; no space shared, no stack of two */
    if (number == CLONE)
        arguments[1] = 0;
    if (number == VFORK) /* its child would go on in this function's frame */
        number = FORK;
    make_call(number, arguments);
    if ((pid_t)syscall(SYS_getpid) != own_pid)
        _exit(0); /* a child of this child */
}

static void child(uint32_t seed)
{
    random_state = seed * 2654435761u | 1;
    own_pid = (pid_t)syscall(SYS_getpid);
    for (int i = 0; i < 3; i++)
        close(i);
    for (int i = 0; i < 3; i++)
        open("/dev/zero", O_RDWR);
    for (int i = 0; i < CALLS; i++)
        one_call();
    _exit(0);
}

/* Returns the wait status; a child that does not end is killed. -1: lost. */
static int await(pid_t pid)
{
    const struct timespec millisecond = {0, 1000000};
    int status;
    for (int i = 0; i < PATIENCE_MS / 10; i++) {
        for (int yields = 0; yields < 20; yields++) {
            if (waitpid(pid, &status, WNOHANG) == pid)
                return status;
            sched_yield();
        }
        nanosleep(&millisecond, NULL);
    }
    kill(pid, SIGKILL);
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void make_arena(void)
{
    arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(arena + ARENA_BYTES - 4096, 4096);
    mprotect(arena + ARENA_BYTES - 2 * 4096, 4096, PROT_READ);
    for (int i = 0; i < ARENA_BYTES / 2; i += 4)
        *(uint32_t *)(void *)(arena + i) = random_argument();
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 20261120;
    unsigned children = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000, i;
    unsigned by_signal[65] = {0}, exits = 0, lost = 0, refused = 0;
    int status;

    check_note("seed %u, %u children of %d calls", seed, children, CALLS);
    own_path = argv[0];
    random_state = seed | 1;
    make_arena();
    for (i = 0; i < children; i++) {
        pid_t pid = fork();
        if (pid == 0)
            child(seed + i);
        status = pid < 0 ? -1 : await(pid);
        if (pid < 0)
            refused++;
        else if (status == -1)
            lost++;
        else if (WIFSIGNALED(status))
            by_signal[WTERMSIG(status)]++;
        else
            exits++;
        while (waitpid(-1, &status, WNOHANG) > 0)
            continue;
    }
    for (int signal = 1; signal <= 64; signal++)
        if (by_signal[signal] != 0)
            check_note("%u ended by %s", by_signal[signal], strsignal(signal));
    check_note("%u exits, %u forks refused", exits, refused);
    kill(-1, SIGKILL); /* children of children */
    while (waitpid(-1, &status, 0) > 0)
        continue;
    CHECK_THAT("the parent has seen every child end", lost == 0);
    CHECK_THAT("most children came to life", refused < children / 10);
    return check_end();
}

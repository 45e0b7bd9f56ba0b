/* SPDX-License-Identifier: MIT */
/*
 * Resource limits: the calls, and AS, DATA, STACK, MEMLOCK as they bind a program that has no
 * privileges.
 */
#define _GNU_SOURCE
#include "check.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum {
    PAGE = 4096,
    ANON = MAP_PRIVATE | MAP_ANONYMOUS,
    RW = PROT_READ | PROT_WRITE,
    MIB = 1 << 20
};

/* On Droste nobody has any. Each test is a process of its own: limits can't be raised again. */
static bool lose_privileges(void)
{
    return syscall(SYS_setresuid32, 65534, 65534, 65534) == 0 || check_on_droste();
}

static bool set(int resource, unsigned long soft, unsigned long hard)
{
    struct rlimit limit = {soft, hard};
    return setrlimit(resource, &limit) == 0;
}

static bool can_map(size_t bytes, int protection, int flags)
{
    char *room = mmap(NULL, bytes, protection, flags, -1, 0);
    if (room == MAP_FAILED)
        return false;
    munmap(room, bytes);
    return true;
}

static int calls(void)
{
    struct rlimit limit = {77, 77};
    if (!lose_privileges())
        return 1;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur > limit.rlim_max)
        return 2;
    errno = 0;
    if (getrlimit(16, &limit) != -1 || errno != EINVAL)
        return 3;
    errno = 0;
    if (setrlimit(99, &limit) != -1 || errno != EINVAL)
        return 4;
    errno = 0;
    if (set(RLIMIT_AS, 2 * MIB, MIB) || errno != EINVAL)
        return 5;
    if (!set(RLIMIT_CORE, 0, 1000))
        return 6;
    errno = 0;
    if (set(RLIMIT_CORE, 0, 2000) || errno != EPERM)
        return 7;
    if (!set(RLIMIT_CORE, 1000, 1000) || !set(RLIMIT_CORE, 10, 500))
        return 8;
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 10 || limit.rlim_max != 500)
        return 9;
    errno = 0;
    if (syscall(SYS_getrlimit, RLIMIT_CORE, 8) != -1 || errno != EFAULT)
        return 10;
    errno = 0;
    if (syscall(SYS_setrlimit, RLIMIT_CORE, 8) != -1 || errno != EFAULT)
        return 11;
    errno = 0;
    if (syscall(SYS_prlimit64, 0, 77, NULL, NULL) != -1 || errno != EINVAL)
        return 12;
    errno = 0;
    if (syscall(SYS_prlimit64, 4000000, RLIMIT_CORE, NULL, NULL) != -1 || errno != ESRCH)
        return 13;
    unsigned long long wish[2] = {5, 6}, was[2] = {0, 0};
    if (syscall(SYS_prlimit64, getpid(), RLIMIT_CORE, wish, was) != 0 || was[0] != 10 ||
        was[1] != 500)
        return 14;
    unsigned long words[2];
    if (syscall(SYS_ugetrlimit, RLIMIT_CORE, words) != 0 || words[0] != 5 || words[1] != 6)
        return 15;
    return 0;
}

static int inherited(void)
{
    struct rlimit limit;
    if (!set(RLIMIT_CORE, 3, 4))
        return 1;
    pid_t child = fork();
    if (child == 0)
        _exit(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 3 && limit.rlim_max == 4
                  ? 0
                  : 1);
    int status;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 2;
}

static int address_space(void)
{
    if (!set(RLIMIT_AS, 64 * MIB, RLIM_INFINITY))
        return 1;
    if (!can_map(32 * MIB, RW, ANON))
        return 2;
    errno = 0;
    if (can_map(64 * MIB, PROT_NONE, ANON) || errno != ENOMEM)
        return 3;
    char *room = mmap(NULL, 40 * MIB, RW, ANON, -1, 0);
    if (room == MAP_FAILED || can_map(40 * MIB, RW, ANON))
        return 4;
    if (mmap(room, 40 * MIB, RW, ANON | MAP_FIXED, -1, 0) != room)
        return 5; /* in its own place it counts once */
    errno = 0;
    if (mremap(room, 40 * MIB, 70 * MIB, MREMAP_MAYMOVE) != MAP_FAILED || errno != ENOMEM)
        return 6;
    munmap(room, 40 * MIB);
    if (!can_map(40 * MIB, RW, ANON))
        return 7;
    return set(RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY) && can_map(90 * MIB, RW, ANON) ? 0 : 8;
}

static int data(void)
{
    if (!set(RLIMIT_DATA, 16 * MIB, 16 * MIB))
        return 1;
    errno = 0;
    if (can_map(20 * MIB, RW, ANON) || errno != ENOMEM)
        return 2;
    if (!can_map(20 * MIB, PROT_READ, ANON) || !can_map(20 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS))
        return 3;
    char *room = mmap(NULL, 20 * MIB, PROT_READ, ANON, -1, 0);
    errno = 0;
    if (mprotect(room, 20 * MIB, RW) != -1 || errno != ENOMEM)
        return 4;
    return mprotect(room, 8 * MIB, RW) == 0 ? 0 : 5;
}

static int lock(void)
{
    char *room = mmap(NULL, 8 * MIB, RW, ANON, -1, 0);
    if (!set(RLIMIT_MEMLOCK, 16 * PAGE, 16 * PAGE) || !lose_privileges())
        return 1;
    if (mlock(room, 16 * PAGE) != 0 || mlock(room, 16 * PAGE) != 0)
        return 2;
    errno = 0;
    if (mlock(room + 16 * PAGE, PAGE) != -1 || errno != ENOMEM)
        return 3;
    errno = 0;
    if (mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) != MAP_FAILED || errno != EAGAIN)
        return 4;
    errno = 0;
    if (mlockall(MCL_CURRENT) != -1 || errno != ENOMEM)
        return 5;
    if (munlock(room, 8 * PAGE) != 0 || mlock(room + 100 * PAGE, 8 * PAGE) != 0)
        return 6;
    if (munmap(room, 8 * MIB) != 0)
        return 7;
    room = mmap(NULL, 16 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
    if (room == MAP_FAILED)
        return 8; /* what was unmapped is not locked */
    if (munlockall() != 0 || !set(RLIMIT_MEMLOCK, 0, 0))
        return 9;
    errno = 0;
    return mlock(room, PAGE) == -1 && errno == EPERM ? 0 : 10;
}

/* A fork does not inherit locks. */
static int locks_stay_behind(void)
{
    char *room = mmap(NULL, 16 * PAGE, RW, ANON, -1, 0);
    if (!set(RLIMIT_MEMLOCK, 16 * PAGE, 16 * PAGE) || !lose_privileges() ||
        mlock(room, 16 * PAGE) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0)
        _exit(mlock(mmap(NULL, 16 * PAGE, RW, ANON, -1, 0), 16 * PAGE) == 0 ? 0 : 1);
    int status;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 2;
}

static int deep(int depth)
{
    volatile char room[PAGE];
    room[0] = (char)depth;
    return depth == 0 ? 0 : deep(depth - 1) + room[0] * 0;
}
static int deep_in_little_stack(void)
{
    return set(RLIMIT_STACK, MIB, MIB) ? deep(400) : 1;
}
static int shallow_in_little_stack(void)
{
    return set(RLIMIT_STACK, MIB, MIB) ? deep(100) : 1;
}
static int deep_in_large_stack(void)
{
    return deep(1500);
}

/* Write below the stack that is there, KIB deep. */
static void touch_stack(int kib)
{
    volatile char *here = __builtin_frame_address(0);
    for (int i = 4; i <= kib; i += 4)
        here[-i * 1024] = 1;
}

/* Limits belong to a process, not to the memory that it shares with another one for a while. */
static int borrowed_memory(void)
{
    struct rlimit mine;
    int status = -1;
    pid_t child = vfork();
    if (child == 0) {
        if (set(RLIMIT_STACK, 256 << 10, 8 * MIB) && set(RLIMIT_AS, MIB, RLIM_INFINITY))
            touch_stack(768);
        _exit(1);
    }
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
        return 1;
    if (getrlimit(RLIMIT_STACK, &mine) != 0 || mine.rlim_cur != 8 * MIB)
        return 2;
    touch_stack(2048);
    return 0;
}

static int inherited_address_space(void)
{
    int status = -1;
    if (!set(RLIMIT_AS, 4 * MIB, RLIM_INFINITY))
        return 1;
    pid_t child = fork();
    if (child == 0) {
        touch_stack(6144);
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? 0 : 2;
}

/* Another process's limits hold from its next turn on. */
static int of_another(void)
{
    int ends[2], status = -1;
    char c;
    if (pipe(ends) != 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        if (read(ends[0], &c, 1) == 1)
            touch_stack(2048);
        _exit(0);
    }
    struct rlimit low = {256 << 10, 8 * MIB};
    if (prlimit(child, RLIMIT_STACK, &low, NULL) != 0 || write(ends[1], "x", 1) != 1)
        return 2;
    touch_stack(2048);
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? 0 : 3;
}

int main(void)
{
    CHECK_EXITS(calls, 0);
    CHECK_EXITS(inherited, 0);
    CHECK_EXITS(address_space, 0);
    CHECK_EXITS(data, 0);
    CHECK_EXITS(lock, 0);
    CHECK_EXITS(locks_stay_behind, 0);
    CHECK_KILLED(deep_in_little_stack, SIGSEGV);
    CHECK_EXITS(shallow_in_little_stack, 0);
    CHECK_EXITS(deep_in_large_stack, 0);
    CHECK_EXITS(borrowed_memory, 0);
    CHECK_EXITS(inherited_address_space, 0);
    CHECK_EXITS(of_another, 0);
    return check_end();
}

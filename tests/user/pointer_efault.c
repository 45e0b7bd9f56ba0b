/* SPDX-License-Identifier: MIT */
/*
 * User test. Bad pointers to every call that takes one: each answers EFAULT, as Linux does, and
 * nothing else happens. A table says which argument is the pointer; the others make sense.
 */
#include "check.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };
#define BAD   ((long)0xBAD0BAD0) /* the pointer that is tried */
#define GOOD  ((long)0x600D600D) /* a page of zeros */
#define FILE_ ((long)0xF11EF11E) /* a descriptor of a file that can be read */
#define PIPE  ((long)0x919E919E) /* the end of a pipe that can be written */
#define FULL  ((long)0x919E919F) /* the end of a pipe that can be read, and holds something */

static const struct {
    const char *name;
    long number, arguments[5];
} calls[] = {
    {"read", SYS_read, {FULL, BAD, 8}},
    {"write", SYS_write, {PIPE, BAD, 8}},
    {"open", SYS_open, {BAD, 0, 0}},
    {"openat", SYS_openat, {AT_FDCWD, BAD, 0}},
    {"execve, path", SYS_execve, {BAD, GOOD, GOOD}},
    {"access", SYS_access, {BAD, 0}},
    {"pipe", SYS_pipe, {BAD}},
    {"pipe2", SYS_pipe2, {BAD, 0}},
    {"sigaction, new", SYS_sigaction, {SIGUSR1, BAD, 0}},
    {"sigaction, old", SYS_sigaction, {SIGUSR1, 0, BAD}},
    {"rt_sigaction, new", SYS_rt_sigaction, {SIGUSR1, BAD, 0, 8}},
    {"rt_sigaction, old", SYS_rt_sigaction, {SIGUSR1, 0, BAD, 8}},
    {"sigprocmask, new", SYS_sigprocmask, {SIG_BLOCK, BAD, 0}},
    {"sigprocmask, old", SYS_sigprocmask, {SIG_BLOCK, 0, BAD}},
    {"rt_sigprocmask, new", SYS_rt_sigprocmask, {SIG_BLOCK, BAD, 0, 8}},
    {"rt_sigprocmask, old", SYS_rt_sigprocmask, {SIG_BLOCK, GOOD, BAD, 8}},
    {"rt_sigpending", SYS_rt_sigpending, {BAD, 8}},
    {"sigpending", SYS_sigpending, {BAD}},
    {"rt_sigsuspend", SYS_rt_sigsuspend, {BAD, 8}},
    {"rt_sigtimedwait, set", SYS_rt_sigtimedwait, {BAD, 0, GOOD, 8}},
    {"rt_sigtimedwait, time", SYS_rt_sigtimedwait, {GOOD, 0, BAD, 8}},
    {"sigaltstack, new", SYS_sigaltstack, {BAD, 0}},
    {"sigaltstack, old", SYS_sigaltstack, {0, BAD}},
    {"gettimeofday", SYS_gettimeofday, {BAD, 0}},
    {"gettimeofday, zone", SYS_gettimeofday, {0, BAD}},
    {"time", SYS_time, {BAD}},
    {"times", SYS_times, {BAD}},
    {"clock_gettime", SYS_clock_gettime, {1, BAD}},
    {"clock_gettime64", SYS_clock_gettime64, {1, BAD}},
    {"clock_getres", SYS_clock_getres, {1, BAD}},
    {"clock_getres_time64", SYS_clock_getres_time64, {1, BAD}},
    {"nanosleep", SYS_nanosleep, {BAD, 0}},
    {"clock_nanosleep", SYS_clock_nanosleep, {1, 0, BAD, 0}},
    {"clock_nanosleep_time64", SYS_clock_nanosleep_time64, {1, 0, BAD, 0}},
    {"setitimer, new", SYS_setitimer, {0, BAD, 0}},
    {"setitimer, old", SYS_setitimer, {0, GOOD, BAD}},
    {"getitimer", SYS_getitimer, {0, BAD}},
    {"getrusage", SYS_getrusage, {0, BAD}},
    {"sysinfo", SYS_sysinfo, {BAD}},
    {"uname", SYS_uname, {BAD}},
    {"getrandom", SYS_getrandom, {BAD, 8, 0}},
    {"prctl, set name", SYS_prctl, {15, BAD}},
    {"prctl, get name", SYS_prctl, {16, BAD}},
    {"set_thread_area", SYS_set_thread_area, {BAD}},
    {"get_thread_area", SYS_get_thread_area, {BAD}},
    {"getresuid", SYS_getresuid32, {BAD, GOOD, GOOD}},
    {"getresuid, second", SYS_getresuid32, {GOOD, BAD, GOOD}},
    {"getresgid, third", SYS_getresgid32, {GOOD, GOOD, BAD}},
    {"getcpu", SYS_getcpu, {BAD, 0, 0}},
    {"getcpu, node", SYS_getcpu, {0, BAD, 0}},
    {"sched_getaffinity", SYS_sched_getaffinity, {0, 128, BAD}},
    {"getrlimit", SYS_getrlimit, {3, BAD}},
    {"ugetrlimit", SYS_ugetrlimit, {3, BAD}},
    {"setrlimit", SYS_setrlimit, {3, BAD}},
    {"prlimit64, new", SYS_prlimit64, {0, 3, BAD, 0}},
    {"prlimit64, old", SYS_prlimit64, {0, 3, 0, BAD}},
    {"readv, list", SYS_readv, {FULL, BAD, 1}},
    {"writev, list", SYS_writev, {PIPE, BAD, 1}},
    {"poll", SYS_poll, {BAD, 1, 0}},
    {"stat64, path", SYS_stat64, {BAD, GOOD}},
    {"lstat64, path", SYS_lstat64, {BAD, GOOD}},
    {"fstat64", SYS_fstat64, {PIPE, BAD}},
    {"statx, path", SYS_statx, {AT_FDCWD, BAD, 0, 0x7FF, GOOD}},
    {"getcwd", SYS_getcwd, {BAD, 64}},
    {"_llseek", SYS__llseek, {FILE_, 0, 0, BAD, 0}},
};

static __attribute__((noinline)) long raw(long number, const long *a)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "0"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                     : "memory");
    return result;
}

static char *none, *edge;
static void *zeros;
static int ends[2], file;

static long resolve(long argument, long bad)
{
    return argument == BAD     ? bad
           : argument == GOOD  ? (long)zeros
           : argument == FILE_ ? file
           : argument == PIPE  ? ends[1]
           : argument == FULL  ? ends[0]
                               : argument;
}

static void try_call(unsigned i)
{
    const long addresses[] = {
        4,          (long)0xC0000000,        (long)0xCFFFFFFE, (long)0xFFFFFFFF, (long)0xFFFFFFF0,
        (long)none, (long)(none + PAGE - 1), (long)(edge + 1), (long)0xFFFFF000};
    int wrong = 0;
    for (unsigned j = 0; j < sizeof(addresses) / sizeof(addresses[0]); j++) {
        long arguments[5];
        memset(zeros, 0, PAGE);
        for (int k = 0; k < 5; k++)
            arguments[k] = resolve(calls[i].arguments[k], addresses[j]);
        long result = raw(calls[i].number, arguments);
        if (result != -EFAULT) {
            check_note("%s with %lx: %ld", calls[i].name, addresses[j], result);
            wrong++;
        }
    }
    CHECK_THAT(calls[i].name, wrong == 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    zeros = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(edge + PAGE, PAGE);
    edge += PAGE;
    file = open(argv[0], O_RDONLY);
    CHECK(file >= 0);
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], "something to be read", 20) == 20);
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        try_call(i);
    char text[32];
    CHECK_THAT("nothing was taken out of the pipe", read(ends[0], text, sizeof(text)) == 20);
    return check_end();
}

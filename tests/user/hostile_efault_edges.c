/* SPDX-License-Identifier: MIT */
/*
 * User test. Buffers that end at an unmapped page, at every distance from it, given to every call
 * that copies; and addresses that nobody may have. What Linux answers is right: partial results
 * from files, EFAULT and nothing consumed elsewhere.
 */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <time.h>

enum { PAGE = 4096, SPAN = 200 };

static char *edge; /* the first byte of the unmapped page */
static const char *own_path;

/* What the kernel left in EAX: the C library would touch some of these buffers itself. */
static long raw(long number, long a, long b, long c, long d, long e)
{
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return result;
}
#define RAW(name, a, b, c) raw(SYS_##name, (long)(a), (long)(b), (long)(c), 0, 0)

static void make_edge(void)
{
    char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(memory + 2 * PAGE, PAGE);
    edge = memory + 2 * PAGE;
    memset(memory, 'x', 2 * PAGE);
}

/* For every distance from the edge: does CALL(buffer, SPAN), with the room there, answer so? */
typedef long (*call_with_buffer)(char *buffer, long bytes);
typedef long (*expectation)(long room, long bytes);

static void at_every_distance(const char *text, call_with_buffer call, expectation expected)
{
    int wrong = 0;
    for (long room = 0; room <= SPAN; room++) {
        long got = call(edge - room, SPAN), wanted = expected(room, SPAN);
        if (got != wanted && wrong++ < 3)
            check_note("room for %ld of %d: got %ld, wanted %ld", room, SPAN, got, wanted);
    }
    CHECK_THAT(text, wrong == 0);
}

static long whole_or_fault(long room, long bytes)
{
    return room >= bytes ? bytes : -EFAULT;
}
static long zero_or_fault(long room, long bytes)
{
    return room >= bytes ? 0 : -EFAULT;
}
static long what_fits_or_fault(long room, long bytes)
{
    long count = room < bytes ? room : bytes;
    return count > 0 ? count : -EFAULT;
}
static long always_whole(long room, long bytes)
{
    (void)room;
    return bytes;
}

/* ---- reading and writing ---- */

static int ends[2], own_file, null_file, zero_file;

static long read_file(char *buffer, long bytes)
{
    lseek(own_file, 100, SEEK_SET);
    long got = RAW(read, own_file, buffer, bytes);
    long moved = lseek(own_file, 0, SEEK_CUR) - 100;
    return moved == (got < 0 ? 0 : got) ? got : -1000 - moved;
}
static long pread_file(char *buffer, long bytes)
{
    return raw(SYS_pread64, own_file, (long)buffer, bytes, 100, 0);
}
static long read_zeros(char *buffer, long bytes)
{
    return RAW(read, zero_file, buffer, bytes);
}
static long write_null(char *buffer, long bytes)
{
    return RAW(write, null_file, buffer, bytes);
}

/* A byte count per state of the pipe: nothing may have been consumed by a call that failed. */
static long bytes_in_pipe(void)
{
    static char sink[65536];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    long bytes = read(ends[0], sink, sizeof sink);
    fcntl(ends[0], F_SETFL, 0);
    return bytes < 0 ? 0 : bytes;
}
static long read_pipe(char *buffer, long bytes)
{
    static char source[SPAN];
    if (write(ends[1], source, SPAN) != SPAN)
        return -1000;
    long got = RAW(read, ends[0], buffer, bytes);
    long left = bytes_in_pipe();
    return left == SPAN - (got < 0 ? 0 : got) ? got : -2000 - left;
}
static long write_pipe(char *buffer, long bytes)
{
    long put = RAW(write, ends[1], buffer, bytes);
    long there = bytes_in_pipe();
    return there == (put < 0 ? 0 : put) ? put : -3000 - there;
}
/* Two good bytes, then the buffer at the edge. */
static long readv_file(char *buffer, long bytes)
{
    char good[2];
    struct iovec parts[2] = {{good, 2}, {buffer, (size_t)bytes}};
    lseek(own_file, 100, SEEK_SET);
    return RAW(readv, own_file, parts, 2);
}
static long two_and_what_fits(long room, long bytes)
{
    return 2 + (room < bytes ? room : bytes);
}
static long writev_null(char *buffer, long bytes)
{
    struct iovec parts[2] = {{buffer, (size_t)bytes}, {buffer, 0}};
    return RAW(writev, null_file, parts, 2);
}

static void transfers(void)
{
    at_every_distance("read from a file: what fits", read_file, what_fits_or_fault);
    at_every_distance("pread64: what fits", pread_file, what_fits_or_fault);
    at_every_distance("readv: good part, then what fits", readv_file, two_and_what_fits);
    at_every_distance("read from /dev/zero: what fits", read_zeros, what_fits_or_fault);
    at_every_distance("write to /dev/null looks at nothing", write_null, always_whole);
    at_every_distance("writev to /dev/null looks at nothing", writev_null, always_whole);
    at_every_distance("read from a pipe: all or EFAULT, nothing lost", read_pipe, whole_or_fault);
    at_every_distance("write to a pipe: all or EFAULT, nothing sent", write_pipe, whole_or_fault);
}

/* ---- structures: all of it, or EFAULT ---- */

static int structure_bytes;

static void structure(const char *text, int bytes, call_with_buffer call)
{
    int wrong = 0;
    structure_bytes = bytes;
    for (long room = 0; room <= bytes; room++) {
        memset(edge - SPAN, 0, SPAN);
        long got = call(edge - room, bytes), wanted = zero_or_fault(room, bytes);
        if (got != wanted && wrong++ < 3)
            check_note("room for %ld of %d: got %ld, wanted %ld", room, bytes, got, wanted);
    }
    CHECK_THAT(text, wrong == 0);
}

#define STRUCTURE_CALL(function, expression)                                                       \
    static long function(char *buffer, long bytes)                                                 \
    {                                                                                              \
        (void)bytes;                                                                               \
        return (expression);                                                                       \
    }
STRUCTURE_CALL(do_stat64, RAW(stat64, "/", buffer, 0))
STRUCTURE_CALL(do_fstat64, RAW(fstat64, own_file, buffer, 0))
STRUCTURE_CALL(do_uname, RAW(uname, buffer, 0, 0))
STRUCTURE_CALL(do_sysinfo, RAW(sysinfo, buffer, 0, 0))
STRUCTURE_CALL(do_gettimeofday, RAW(gettimeofday, buffer, 0, 0))
STRUCTURE_CALL(do_clock_gettime, RAW(clock_gettime, CLOCK_MONOTONIC, buffer, 0))
STRUCTURE_CALL(do_nanosleep, RAW(nanosleep, buffer, 0, 0))
STRUCTURE_CALL(do_getrlimit, RAW(ugetrlimit, RLIMIT_STACK, buffer, 0))
STRUCTURE_CALL(do_get_action, raw(SYS_rt_sigaction, SIGUSR1, 0, (long)buffer, 8, 0))
STRUCTURE_CALL(do_get_mask, raw(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)buffer, 8, 0))
STRUCTURE_CALL(do_set_mask, raw(SYS_rt_sigprocmask, SIG_BLOCK, (long)buffer, 0, 8, 0))
STRUCTURE_CALL(do_get_stack, RAW(sigaltstack, 0, buffer, 0))

/* A pipe that can't be told to its maker is closed again. */
static long do_pipe(char *buffer, long bytes)
{
    int files[2];
    (void)bytes;
    long result = RAW(pipe, buffer, 0, 0);
    if (result != 0)
        return result;
    memcpy(files, buffer, sizeof files);
    close(files[0]);
    close(files[1]);
    return files[0] == zero_file + 1 ? 0 : files[0]; /* none was lost before */
}
/* A file to poll; poll() answers how many are ready. */
static long do_poll(char *buffer, long bytes)
{
    struct pollfd file = {ends[0], POLLIN, 0};
    long room = edge - buffer;
    memcpy(buffer, &file, (size_t)(room < bytes ? room : bytes));
    return RAW(poll, buffer, 1, 0);
}
static long do_writev(char *buffer, long bytes)
{
    struct iovec nothing = {edge, 0};
    long room = edge - buffer;
    memcpy(buffer, &nothing, (size_t)(room < bytes ? room : bytes));
    return RAW(writev, null_file, buffer, 1);
}

/* The status of a child; one that could not be told is not asked for again. */
static long do_wait(char *buffer, long bytes)
{
    (void)bytes;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    long result = raw(SYS_wait4, child, (long)buffer, 0, 0, 0);
    waitpid(child, NULL, 0);
    return result == child ? 0 : result;
}

static void structures(void)
{
    structure("stat64", 96, do_stat64);
    structure("fstat64", 96, do_fstat64);
    structure("uname", 6 * 65, do_uname);
    structure("sysinfo", 64, do_sysinfo);
    structure("gettimeofday", 8, do_gettimeofday);
    structure("clock_gettime", 8, do_clock_gettime);
    structure("nanosleep", 8, do_nanosleep);
    structure("getrlimit", 8, do_getrlimit);
    structure("rt_sigaction, old action", 20, do_get_action);
    structure("rt_sigprocmask, old mask", 8, do_get_mask);
    structure("rt_sigprocmask, new mask", 8, do_set_mask);
    structure("sigaltstack, old stack", 12, do_get_stack);
    structure("pipe", 8, do_pipe);
    structure("poll", 8, do_poll);
    structure("writev, list of parts", 8, do_writev);
    structure("wait4, status", 4, do_wait);
}

/* ---- texts ---- */

/* The path ends exactly at the edge, or runs into it. */
static void texts(void)
{
    int wrong = 0;
    static const char path[] = "/dev/null";
    for (long room = 0; room <= (long)sizeof path; room++) {
        long length = room < (long)sizeof path ? room : (long)sizeof path;
        memcpy(edge - room, path, (size_t)length);
        long file = RAW(open, edge - room, O_RDONLY, 0);
        if (file >= 0)
            close((int)file);
        if (room < (long)sizeof path ? file != -EFAULT : file < 0)
            wrong++;
    }
    CHECK_THAT("open of a path that runs into the edge", wrong == 0);

    char *path_list[2] = {edge - 1, NULL};
    edge[-1] = 'x';
    CHECK_EQUAL(RAW(execve, own_path, path_list, 0), -EFAULT);
    CHECK_EQUAL(RAW(execve, edge, 0, 0), -EFAULT);
    CHECK_EQUAL(RAW(execve, own_path, edge, 0), -EFAULT);
    memcpy(edge - 4, &path_list[0], 4);
    CHECK_EQUAL(RAW(execve, own_path, edge - 4, 0), -EFAULT);
    CHECK_EQUAL(RAW(execve, own_path, 0, edge), -EFAULT);
}

/* ---- addresses that nobody has ---- */

/* Not 0xC0000000 and the like: on a 64-bit Linux that is a program's own room. */
static void wild_addresses(void)
{
    static const uint32_t wild[] = {0, 1, 4095, 0xFFFFF000, 0xFFFFF800, 0xFFFFFFFC, 0xFFFFFFFF};
    int wrong = 0;
    for (unsigned i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        char *at = (char *)(uintptr_t)wild[i];
        wrong += RAW(read, own_file, at, 64) != -EFAULT;
        wrong += RAW(read, zero_file, at, 64) != -EFAULT;
        wrong += write_pipe(at, 64) != -EFAULT;
        wrong += RAW(uname, at, 0, 0) != -EFAULT;
        wrong += RAW(open, at, 0, 0) != -EFAULT;
        wrong += RAW(pipe, at, 0, 0) != -EFAULT;
        wrong += RAW(sysinfo, at, 0, 0) != -EFAULT;
        wrong += RAW(stat64, "/", at, 0) != -EFAULT;
        wrong += RAW(stat64, at, edge - SPAN, 0) != -EFAULT;
    }
    CHECK_THAT("wild addresses: EFAULT", wrong == 0);
    /* A length that reaches far beyond: what fits all the same. */
    CHECK_EQUAL(RAW(read, zero_file, edge - 8, 0x10000000), 8);
    CHECK_EQUAL(RAW(read, own_file, edge - 8, 0x10000000), 8);
}

int main(int argc, char **argv)
{
    (void)argc;
    own_path = argv[0];
    make_edge();
    if (pipe(ends) != 0 || (own_file = open(own_path, O_RDONLY)) < 0 ||
        (null_file = open("/dev/null", O_RDWR)) < 0 ||
        (zero_file = open("/dev/zero", O_RDONLY)) < 0)
        return 99;
    transfers();
    structures();
    texts();
    wild_addresses();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * User tests. One program, built once, run on Linux and on Droste: what Linux answers is what is
 * right. The "ok" lines of both must be the same, so their texts hold no addresses and no pids;
 * such things go into check_note().
 *
 * How a program wants to be run stands in its head comment, a line of its own for each:
 *   run: on=droste (linux, never)  not on the other one      run: exit=N    its status, if not 0
 *   run: arguments=A B C           run: seconds=N            run: memory=MIB of Droste's machine
 *   run: swap=MIB of a disk for Droste to swap to
 *   run: options=overcommit=2      more of Droste's command line
 *   run: date=YYYY-MM-DDTHH:MM:SS    of the clock of Droste's machine
 *   run: ext2=BYTES                once more, its root an ext2 with such blocks
 *   run: files=FILE DIRECTORY      of build/user/tests/ or tests/user/: beside it when it runs
 */
#ifndef TESTS_USER_CHECK_H
#define TESTS_USER_CHECK_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK_HELPER static __attribute__((unused))

static int check_count, check_failures;

/* No stdio buffer: what was said before a crash or a fork is out. */
#define check_note(...)                                                                            \
    do {                                                                                           \
        dprintf(1, "# " __VA_ARGS__);                                                              \
        dprintf(1, "\n");                                                                          \
    } while (0)

/* Nothing can be checked here: this host lacks what a check needs. Ends the program. */
enum { CHECK_SKIPPED = 77 };
CHECK_HELPER __attribute__((noreturn)) void check_skip(const char *reason)
{
    check_note("skip: %s", reason);
    exit(CHECK_SKIPPED);
}

CHECK_HELPER bool check_say(bool passed, const char *text, const char *file, int line)
{
    dprintf(1, "%sok %d - %s\n", passed ? "" : "not ", ++check_count, text);
    if (!passed) {
        check_failures++;
        dprintf(1, "#   at %s:%d, errno %d (%s)\n", file, line, errno, strerror(errno));
    }
    return passed;
}

/* A sentence that must be true: CHECK(p == q), or CHECK_THAT("what it means", p == q). */
#define CHECK(expression)            check_say((expression), #expression, __FILE__, __LINE__)
#define CHECK_THAT(text, expression) check_say((expression), (text), __FILE__, __LINE__)

/* The two numbers are equal; both are shown if not. */
#define CHECK_EQUAL(got, wanted)                                                                   \
    check_equal((long)(got), (long)(wanted), #got " is " #wanted, __FILE__, __LINE__)
CHECK_HELPER bool check_equal(long got, long wanted, const char *text, const char *file, int line)
{
    if (check_say(got == wanted, text, file, line))
        return true;
    check_note("  got %ld (0x%lx), wanted %ld (0x%lx)", got, (unsigned long)got, wanted,
               (unsigned long)wanted);
    return false;
}

/* CALL fails, with errno ERROR: CHECK_ERROR(close(77), EBADF). */
#define CHECK_ERROR(call, error)                                                                   \
    (errno = 0, check_error((long)(call), (error), #call " fails with " #error, __FILE__, __LINE__))
CHECK_HELPER bool check_error(long result, int error, const char *text, const char *file, int line)
{
    int got = errno;
    if (check_say(result == -1 && got == error, text, file, line))
        return true;
    check_note("  result %ld, errno %d, wanted errno %d", result, got, error);
    return false;
}

/*
 * Run FUNCTION in a child; its result is the child's exit status. Returns what wait() reports (-1:
 * no child). A child does not count checks: it answers by its status.
 */
CHECK_HELPER int check_child(int (*function)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(function());
    if (child < 0)
        return -1;
    while (waitpid(child, &status, 0) != child)
        if (errno != EINTR)
            return -1;
    return status;
}

#define CHECK_EXITS(function, status)                                                              \
    check_equal(check_child(function), (status) << 8, #function " exits with " #status, __FILE__,  \
                __LINE__)
#define CHECK_KILLED(function, signal_number)                                                      \
    check_equal(check_child(function) & 0x7F, (signal_number),                                     \
                #function " is killed by " #signal_number, __FILE__, __LINE__)

/* This is Droste: for a look at what Linux has not, never for a different truth. */
CHECK_HELPER bool check_on_droste(void)
{
    struct utsname name;
    return uname(&name) == 0 &&
           (strstr(name.sysname, "Droste") != NULL || strstr(name.release, "droste") != NULL);
}

/* The last line of main(): return check_end(); */
CHECK_HELPER int check_end(void)
{
    dprintf(1, "1..%d\n", check_count);
    return check_failures == 0 ? 0 : 1;
}

#endif

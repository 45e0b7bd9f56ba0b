/* SPDX-License-Identifier: MIT */
/*
 * execve in children of all kinds: after fork, vfork, posix_spawn; many times over, with much
 * memory behind them, and with a stack that is nearly used up.
 */
#include "check.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

static const char *own_path;
static char *none[] = {NULL};
static char *exit_5[] = {"exec_spawn", "exit", "5", NULL};

static int status_of(pid_t child)
{
    int status;
    return waitpid(child, &status, 0) == child ? status : -1;
}

static void check_vfork(void)
{
    static volatile int seen;
    pid_t child = vfork();

    if (child == 0) {
        seen = 1; /* its memory is its parent's */
        execve(own_path, exit_5, none);
        _exit(99);
    }
    CHECK_THAT("a vfork child's store was seen", seen == 1);
    CHECK_THAT("vfork and execve", status_of(child) == 5 << 8);
    child = vfork();
    if (child == 0) {
        execve("/no-such-program", exit_5, none);
        seen = errno;
        _exit(6);
    }
    CHECK_THAT("vfork and execve that fails", status_of(child) == 6 << 8 && seen == ENOENT);
}

static void check_spawn(void)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none_blocked, some;
    int channel[2];
    char text[16] = "";
    char *say[] = {"exec_spawn", "say", NULL};
    pid_t child;

    CHECK_EQUAL(posix_spawn(&child, own_path, NULL, NULL, exit_5, none), 0);
    CHECK_EQUAL(status_of(child), 5 << 8);
    CHECK_EQUAL(posix_spawn(&child, "/no-such-program", NULL, NULL, exit_5, none), ENOENT);
    CHECK_EQUAL(pipe2(channel, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel[1], 1);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none_blocked);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    posix_spawnattr_setsigmask(&attributes, &some);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    CHECK_EQUAL(posix_spawn(&child, own_path, &actions, &attributes, say, none), 0);
    close(channel[1]);
    CHECK_THAT("what it says comes through the pipe",
               read(channel[0], text, sizeof(text)) == 6 && memcmp(text, "masked", 6) == 0);
    CHECK_EQUAL(status_of(child), 0);
    close(channel[0]);
}

static int say_mask(void)
{
    sigset_t blocked;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    const char *text = sigismember(&blocked, SIGUSR1) ? "masked" : "open";
    return write(1, text, strlen(text)) > 0 ? 0 : 1;
}

/* A chain: each life executes the next one. */
static int live_on(const char *rest)
{
    char left[12];
    char *arguments[] = {"exec_spawn", "live", left, NULL};

    if (atoi(rest) == 0)
        return 5;
    void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 98;
    memset(memory, 1, 1 << 20); /* not given back by us */
    snprintf(left, sizeof(left), "%d", atoi(rest) - 1);
    execve((const char *)getauxval(AT_EXECFN), arguments, none);
    return 99;
}

static int live_200_times(void)
{
    return live_on("200");
}

static void check_large_parent(void)
{
    enum { BYTES = 24 << 20 };
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(memory, 'x', BYTES);
    bool all = true;
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            memset(memory, 'y', BYTES / 8);
            execve(own_path, exit_5, none);
            _exit(99);
        }
        all = all && status_of(child) == 5 << 8;
    }
    CHECK_THAT("20 children of a parent with 24 MiB", all);
    CHECK_THAT("who still has them", memory[0] == 'x' && memory[BYTES - 1] == 'x');
    munmap(memory, BYTES);
}

/* RLIMIT_AS and RLIMIT_DATA count for the new program, too. */
static int exec_with_limit(int limit, rlim_t bytes)
{
    pid_t child = fork();

    if (child == 0) {
        struct rlimit small = {bytes, bytes};
        setrlimit(limit, &small);
        execve(own_path, exit_5, none);
        _exit(errno == ENOMEM ? 12 : errno);
    }
    return status_of(child);
}

static void check_limits(void)
{
    int status = exec_with_limit(RLIMIT_AS, 256 << 10);

    CHECK_THAT("too small an RLIMIT_AS: an error, or the end", status != 5 << 8 && status != 0);
    CHECK_THAT("one that is large enough", exec_with_limit(RLIMIT_AS, 64 << 20) == 5 << 8);
    CHECK_THAT("RLIMIT_STACK of 256 KiB", exec_with_limit(RLIMIT_STACK, 256 << 10) == 5 << 8);
}

int main(int count, char **arguments)
{
    if (count == 3 && strcmp(arguments[1], "exit") == 0)
        return atoi(arguments[2]);
    if (count == 2 && strcmp(arguments[1], "say") == 0)
        return say_mask();
    if (count == 3 && strcmp(arguments[1], "live") == 0)
        return live_on(arguments[2]);
    own_path = (const char *)getauxval(AT_EXECFN);
    check_vfork();
    check_spawn();
    CHECK_EXITS(live_200_times, 5);
    check_large_parent();
    check_limits();
    return check_end();
}

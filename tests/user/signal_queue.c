/* SPDX-License-Identifier: MIT */
/*
 * User test. Signals that queue: order, values, senders, bounds; what fork and execve do with them;
 * and waiting for signals, blocked or not.
 *
 * run: seconds=120
 */
#define _GNU_SOURCE
#include "check.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

enum { MANY = 1000 };

static int first, second; /* two real-time signals */
static volatile sig_atomic_t seen[8], seen_count;

static sigset_t block(bool how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    sigaddset(&set, second);
    sigaddset(&set, SIGUSR1);
    sigprocmask(how ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
    return set;
}

static int queue(pid_t process, int signal_number, int number)
{
    return sigqueue(process, signal_number, (union sigval){.sival_int = number});
}

/* Take one of SET that is there; its number, or -1. */
static int take(const sigset_t *set, siginfo_t *info)
{
    struct timespec none = {0, 0};
    memset(info, 0, sizeof(*info));
    return sigtimedwait(set, info, &none);
}

static bool takes(const sigset_t *set, int signal_number, int code, int number)
{
    siginfo_t info;
    return take(set, &info) == signal_number && info.si_signo == signal_number &&
           info.si_code == code && info.si_pid == getpid() &&
           (code != SI_QUEUE || info.si_value.sival_int == number);
}

static void in_order(void)
{
    sigset_t set = block(true);
    siginfo_t info;
    pid_t self = getpid();
    CHECK(queue(self, second, 1) == 0 && queue(self, first, 2) == 0);
    CHECK(queue(self, second, 3) == 0 && queue(self, first, 4) == 0);
    CHECK(kill(self, first) == 0);
    CHECK(takes(&set, first, SI_QUEUE, 2));
    CHECK(takes(&set, first, SI_QUEUE, 4));
    CHECK(takes(&set, first, SI_USER, 0));
    CHECK(takes(&set, second, SI_QUEUE, 1));
    CHECK(takes(&set, second, SI_QUEUE, 3));
    CHECK(raise(first) == 0 && raise(first) == 0);
    CHECK(takes(&set, first, SI_USER, 0)); /* the C library makes that of SI_TKILL */
    CHECK(takes(&set, first, SI_USER, 0));
    CHECK_ERROR(take(&set, &info), EAGAIN);
    CHECK(queue(self, SIGUSR1, 5) == 0 && queue(self, SIGUSR1, 6) == 0 && kill(self, SIGUSR1) == 0);
    CHECK(takes(&set, SIGUSR1, SI_QUEUE, 5));
    CHECK_ERROR(take(&set, &info), EAGAIN); /* one below 32 is there once */
    CHECK(kill(self, SIGUSR1) == 0 && queue(self, SIGUSR1, 7) == 0);
    CHECK(takes(&set, SIGUSR1, SI_USER, 0));
}

static void note(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (seen_count < 8)
        seen[seen_count++] = (signal_number == second ? 100 : 0) + info->si_value.sival_int;
}

static void by_handlers(void)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    sigaction(first, &action, NULL);
    sigaction(second, &action, NULL);
    block(true);
    queue(getpid(), second, 1);
    queue(getpid(), first, 2);
    queue(getpid(), second, 3);
    queue(getpid(), first, 4);
    block(false);
    CHECK_THAT("handlers: the lowest number first, each in the order it was sent",
               seen_count == 4 && seen[0] == 2 && seen[1] == 4 && seen[2] == 101 && seen[3] == 103);
    sigset_t set = block(true);
    siginfo_t info;
    queue(getpid(), first, 1);
    queue(getpid(), first, 2);
    signal(first, SIG_IGN);
    CHECK_ERROR(take(&set, &info), EAGAIN); /* ignored from now on: all of them are gone */
    signal(first, SIG_DFL);
    signal(second, SIG_DFL);
}

static int finds_nothing(void)
{
    sigset_t set = block(true);
    siginfo_t info;
    return take(&set, &info) == -1 && errno == EAGAIN ? 3 : 4;
}

static int goes_on_by_exec(void)
{
    block(true);
    queue(getpid(), first, 8);
    queue(getpid(), first, 9);
    execl("/proc/self/exe", "signal_queue", "after", (char *)NULL);
    return 5;
}

static int after_exec(void)
{
    sigset_t set = block(true);
    return takes(&set, first, SI_QUEUE, 8) && takes(&set, first, SI_QUEUE, 9) ? 6 : 7;
}

/* More than 1000 wait for a process that ends: all of it goes back. */
static int ends_with_many(void)
{
    block(true);
    for (int i = 0; i < MANY; i++)
        if (queue(getpid(), second, i) != 0)
            return 1;
    return 0;
}

static void families(void)
{
    sigset_t set = block(true);
    queue(getpid(), first, 1);
    CHECK_EXITS(finds_nothing, 3);
    CHECK(takes(&set, first, SI_QUEUE, 1));
    CHECK_EXITS(goes_on_by_exec, 6);
    CHECK_EXITS(ends_with_many, 0);
    CHECK_EXITS(ends_with_many, 0);
}

/* No room in the queue: who sends a value learns of it, kill is content with the signal alone. */
static int bounded(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_SIGPENDING, &limit);
    sigset_t set = block(true);
    siginfo_t info;
    if (queue(getpid(), first, 1) != -1 || errno != EAGAIN || raise(first) == 0 || errno != EAGAIN)
        return 1;
    if (kill(getpid(), first) != 0 || kill(getpid(), first) != 0)
        return 2;
    if (take(&set, &info) != first || take(&set, &info) != -1)
        return 3;
    if (queue(getpid(), SIGUSR1, 1) != 0 || take(&set, &info) != SIGUSR1)
        return 4;
    return 0;
}

static long queue_info(pid_t process, int signal_number, int code)
{
    siginfo_t info = {.si_code = code};
    return syscall(SYS_rt_sigqueueinfo, process, signal_number, &info);
}

static long queue_info_to_thread(pid_t group, pid_t thread, int signal_number, int code)
{
    siginfo_t info = {.si_code = code};
    return syscall(SYS_rt_tgsigqueueinfo, group, thread, signal_number, &info);
}

static void refused(void)
{
    sigset_t set = block(true);
    siginfo_t info;
    pid_t self = getpid(), child = fork();
    if (child == 0)
        for (;;)
            pause();
    CHECK_EXITS(bounded, 0);
    CHECK_ERROR(queue_info(child, SIGUSR1, SI_USER), EPERM);
    CHECK_ERROR(queue_info(child, SIGUSR1, SI_TKILL), EPERM);
    CHECK_ERROR(queue_info_to_thread(child, child, SIGUSR1, SI_KERNEL), EPERM);
    CHECK_ERROR(queue_info(self, 65, SI_QUEUE), EINVAL);
    CHECK_ERROR(queue_info(0, SIGUSR1, SI_QUEUE), ESRCH);
    CHECK_ERROR(queue_info(99999999, SIGUSR1, SI_QUEUE), ESRCH);
    CHECK_ERROR(queue_info_to_thread(0, self, SIGUSR1, SI_QUEUE), EINVAL);
    CHECK_ERROR(queue_info_to_thread(child, self, SIGUSR1, SI_QUEUE), ESRCH);
    CHECK_ERROR(syscall(SYS_rt_sigqueueinfo, self, SIGUSR1, 16), EFAULT);
    CHECK(queue_info(self, 0, SI_QUEUE) == 0 && queue_info(child, 0, SI_QUEUE) == 0);
    CHECK(queue_info(self, SIGUSR1, SI_USER) == 0 && take(&set, &info) == SIGUSR1);
    CHECK(queue_info_to_thread(self, self, first, -77) == 0 && take(&set, &info) == first &&
          info.si_code == -77);
    int status;
    CHECK(queue(child, SIGKILL, 0) == 0 && waitpid(child, &status, 0) == child &&
          WTERMSIG(status) == SIGKILL);
}

/* ---- waiting ---- */

static void handle(int signal_number)
{
    (void)signal_number;
    seen_count++;
}

/* A child that sends it again and again. */
static pid_t sender(int signal_number)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    for (;;) {
        kill(parent, signal_number);
        sched_yield();
    }
}

static void waiting(void)
{
    sigset_t set;
    siginfo_t info;
    int status;
    block(false);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    signal(SIGUSR2, handle);
    seen_count = 0;
    int result;
    pid_t child = sender(SIGUSR2);
    do
        result = sigwaitinfo(&set, &info);
    while (result == -1 && errno == EINTR);
    kill(child, SIGKILL);
    CHECK_THAT("a signal that is waited for is taken, blocked or not", result == SIGUSR2);
    waitpid(child, &status, 0);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK_THAT("and is not blocked afterwards", sigismember(&now, SIGUSR2) == 0);
    seen_count = 0;
    raise(SIGUSR2);
    CHECK_EQUAL(seen_count, 1);
    struct timespec none = {0, 0};
    CHECK_ERROR(sigtimedwait(&set, &info, &none), EAGAIN);
    signal(SIGUSR2, SIG_DFL);

    child = fork();
    if (child == 0) { /* it neither is blocked nor has a handler: that is the end */
        sigwaitinfo(&set, &info);
        _exit(9);
    }
    kill(child, SIGUSR2);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
          WTERMSIG(status) == SIGUSR2);
}

/* A child of a raw clone, whose end sends that signal: status 7, or SIGKILL. A 64-bit Linux tells
 * programs of 32 bits the status with SIGCHLD alone. */
static void exit_signal(int signal_number, bool kills)
{
    char text[64];
    struct timespec limit = {10, 0};
    siginfo_t info = {0};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t child = (pid_t)syscall(SYS_clone, signal_number, NULL, NULL, NULL, NULL);
    if (child == 0) {
        if (kills)
            pause();
        _exit(7);
    }
    if (kills)
        kill(child, SIGKILL);
    int result = sigtimedwait(&set, &info, &limit);
    snprintf(text, sizeof(text), "exit signal %d, %s: siginfo tells of the child",
             signal_number < SIGRTMIN ? signal_number : 0, kills ? "killed" : "ended");
    CHECK_THAT(text, result == signal_number && info.si_pid == child &&
                         info.si_code == (kills ? CLD_KILLED : CLD_EXITED) &&
                         (signal_number != SIGCHLD || info.si_status == (kills ? SIGKILL : 7)));
    waitpid(child, NULL, __WALL);
}

static void exit_signals(void)
{
    for (int kills = 0; kills < 2; kills++) {
        exit_signal(SIGCHLD, kills != 0);
        exit_signal(SIGUSR1, kills != 0);
        exit_signal(first, kills != 0);
    }
}

/* signal(7): to be stopped and to go on ends sigtimedwait. */
static void stopped(void)
{
    sigset_t set = block(true);
    siginfo_t info;
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct timespec limit = {50, 0};
        int result = sigtimedwait(&set, &info, &limit);
        _exit(result == -1 && errno == EINTR ? 3 : 4);
    }
    do { /* once it may not have come to its wait yet */
        kill(child, SIGSTOP);
        waitpid(child, &status, WUNTRACED);
        kill(child, SIGCONT);
        sched_yield();
    } while (waitpid(child, &status, WNOHANG) == 0 || !WIFEXITED(status));
    CHECK_EQUAL(WEXITSTATUS(status), 3);
}

int main(int argc, char **argv)
{
    first = SIGRTMIN + 1;
    second = SIGRTMIN + 2;
    if (argc > 1 && strcmp(argv[1], "after") == 0)
        return after_exec();
    alarm(100);
    in_order();
    by_handlers();
    families();
    refused();
    waiting();
    stopped();
    exit_signals();
    return check_end();
}

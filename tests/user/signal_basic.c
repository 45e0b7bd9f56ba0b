/* SPDX-License-Identifier: MIT */
/*
 * User test. Signals: actions, masks, what a handler is told, waiting for signals, stopping and
 * continuing, children.
 */
#include "check.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t hits, order[8], depth, deepest;
static siginfo_t last;

static void count(int signal_number)
{
    order[hits++ & 7] = signal_number;
}

static void note(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    last = *info;
    order[hits++ & 7] = signal_number;
}

static void act(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signal_number, &action, NULL);
}

static void act_info(int signal_number, int flags)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | flags};
    sigaction(signal_number, &action, NULL);
}

static void change(int how, int signal_number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    sigprocmask(how, &set, NULL);
}

static bool pends(int signal_number)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signal_number) == 1;
}

static void handlers(void)
{
    hits = 0;
    act(SIGUSR1, count, 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && hits == 1);
    CHECK(raise(SIGUSR1) == 0 && hits == 2);
    act_info(SIGUSR2, 0);
    kill(getpid(), SIGUSR2);
    CHECK(last.si_signo == SIGUSR2 && last.si_code == SI_USER && last.si_pid == getpid());
    raise(SIGUSR2);
    CHECK(last.si_code == SI_TKILL && last.si_pid == getpid());
    act(SIGUSR1, SIG_IGN, 0);
    hits = 0;
    CHECK(raise(SIGUSR1) == 0 && hits == 0);

    act(SIGUSR1, count, SA_RESETHAND);
    struct sigaction old;
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &old);
    CHECK_THAT("SA_RESETHAND: the action is the default after one", old.sa_handler == SIG_DFL);

    act(SIGRTMIN + 3, count, 0);
    hits = 0;
    CHECK(raise(SIGRTMIN + 3) == 0 && hits == 1 && order[0] == SIGRTMIN + 3);
}

static void errors(void)
{
    struct sigaction action = {.sa_handler = count};
    CHECK_ERROR(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERROR(sigaction(SIGSTOP, &action, NULL), EINVAL);
    CHECK(syscall(SYS_rt_sigaction, SIGKILL, NULL, NULL, 8) == 0);
    CHECK_ERROR(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
    CHECK_ERROR(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
    CHECK_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
    CHECK_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, 1, NULL, 8), EFAULT);
    CHECK_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 1, 8), EFAULT);
    sigset_t set;
    sigemptyset(&set);
    CHECK_ERROR(sigprocmask(77, &set, NULL), EINVAL);
    CHECK(sigprocmask(77, NULL, &set) == 0);
    CHECK_ERROR(kill(getpid(), 65), EINVAL);
    CHECK_ERROR(kill(getpid(), -1), EINVAL);
    CHECK_ERROR(kill(30000 * 2, 0), ESRCH);
    CHECK(kill(getpid(), 0) == 0);
    CHECK_ERROR(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
    CHECK_ERROR(syscall(SYS_tkill, -1, SIGUSR1), EINVAL);
    CHECK_ERROR(syscall(SYS_rt_sigpending, &set, 9), EINVAL);
}

static void masks(void)
{
    hits = 0;
    act(SIGUSR1, count, 0);
    act(SIGUSR2, count, 0);
    change(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK_THAT("blocked: does not come", hits == 0);
    CHECK(pends(SIGUSR1) && !pends(SIGUSR2));
    change(SIG_UNBLOCK, SIGUSR1);
    CHECK_THAT("unblocked: comes, once", hits == 1);
    CHECK(!pends(SIGUSR1));

    change(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    act(SIGUSR1, SIG_IGN, 0);
    CHECK_THAT("ignored: pends no more", !pends(SIGUSR1));
    act(SIGUSR1, count, 0);

    /* Two that wait: the frame of the second lies above the first's, so it runs first. */
    hits = 0;
    change(SIG_BLOCK, SIGUSR2);
    raise(SIGUSR2);
    raise(SIGUSR1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    CHECK(hits == 2 && order[0] == SIGUSR2 && order[1] == SIGUSR1);

    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    sigprocmask(SIG_SETMASK, NULL, &set);
    CHECK(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP) && sigismember(&set, SIGINT));
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void nest(int signal_number)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (hits++ < 3)
        raise(signal_number);
    depth--;
}

static void nesting(void)
{
    hits = depth = deepest = 0;
    act(SIGUSR1, nest, 0);
    raise(SIGUSR1);
    CHECK_THAT("a handler is not interrupted by its own signal", deepest == 1 && hits == 4);
    hits = depth = deepest = 0;
    act(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_THAT("SA_NODEFER: it is", deepest == 4 && hits == 4);

    struct sigaction action = {.sa_handler = nest, .sa_flags = 0};
    sigaddset(&action.sa_mask, SIGUSR2);
    act(SIGUSR2, count, 0);
    sigaction(SIGUSR1, &action, NULL);
    hits = 0;
    raise(SIGUSR1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK_THAT("the mask is the old one again",
               !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
}

static void see_mask(int signal_number)
{
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    order[0] = sigismember(&now, signal_number) && sigismember(&now, SIGUSR2);
    hits++;
}

static int send_to_parent(int signal_number, int delay_us)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        usleep((useconds_t)delay_us);
        kill(parent, signal_number);
        _exit(0);
    }
    return child;
}

static void waiting(void)
{
    sigset_t none, set;
    sigemptyset(&none);
    hits = 0;
    act(SIGUSR1, count, 0);
    change(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    CHECK_ERROR(sigsuspend(&none), EINTR);
    CHECK_EQUAL(hits, 1);
    sigprocmask(SIG_SETMASK, NULL, &set);
    CHECK_THAT("sigsuspend puts the mask back", sigismember(&set, SIGUSR1));
    int child = send_to_parent(SIGUSR1, 30000);
    CHECK_ERROR(sigsuspend(&none), EINTR);
    CHECK_EQUAL(hits, 2);
    waitpid(child, NULL, 0);

    struct sigaction action = {.sa_handler = see_mask};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    child = send_to_parent(SIGUSR1, 30000);
    sigsuspend(&none);
    CHECK_THAT("the handler has its own mask", order[0]);
    waitpid(child, NULL, 0);

    siginfo_t info;
    struct timespec short_time = {0, 20000000}, no_time = {0, 0}, long_time = {20, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQUAL(sigtimedwait(&set, &info, &no_time), SIGUSR1);
    CHECK(info.si_signo == SIGUSR1 && info.si_pid == getpid());
    CHECK_ERROR(sigtimedwait(&set, &info, &no_time), EAGAIN);
    CHECK_ERROR(sigtimedwait(&set, &info, &short_time), EAGAIN);
    child = send_to_parent(SIGUSR1, 30000);
    CHECK_EQUAL(sigtimedwait(&set, &info, &long_time), SIGUSR1);
    CHECK(info.si_pid == child && info.si_code == SI_USER);
    waitpid(child, NULL, 0);
    change(SIG_UNBLOCK, SIGUSR1);

    act(SIGUSR1, count, 0);
    child = send_to_parent(SIGUSR1, 30000);
    CHECK_ERROR(pause(), EINTR);
    waitpid(child, NULL, 0);
    hits = 0;
    act(SIGALRM, count, 0);
    struct itimerval timer = {{0, 0}, {0, 30000}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    CHECK_ERROR(pause(), EINTR);
    CHECK(hits == 1 && order[0] == SIGALRM);
    CHECK(alarm(100) == 0);
    CHECK(alarm(0) == 100);
}

static int die_by_default(void)
{
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
    return 3;
}
static int die_by_kill(void)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    kill(getpid(), SIGKILL);
    return 3;
}
static int live_on(void)
{
    signal(SIGCHLD, SIG_DFL);
    raise(SIGCHLD);
    raise(SIGWINCH);
    raise(SIGURG);
    raise(SIGCONT);
    return 4;
}
static int die_by_abort(void)
{
    abort();
}

static void stopping(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        raise(SIGTSTP);
        _exit(5);
    }
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    CHECK_EQUAL(WSTOPSIG(status), SIGSTOP);
    CHECK_EQUAL(waitpid(child, &status, WNOHANG | WUNTRACED), 0);
    kill(child, SIGTERM);
    CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
    kill(child, SIGCONT);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK_EQUAL(WTERMSIG(status), SIGTERM);

    child = fork();
    if (child == 0)
        for (;;)
            usleep(1000000);
    kill(child, SIGSTOP);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    kill(child, SIGCONT);
    CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGKILL);
    CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
}

static int exit_seven(void)
{
    return 7;
}

static void children(void)
{
    hits = 0;
    act_info(SIGCHLD, 0);
    int status = check_child(exit_seven);
    CHECK(WEXITSTATUS(status) == 7 && hits == 1);
    CHECK_THAT("SIGCHLD tells of an exit", last.si_signo == SIGCHLD);
    act(SIGCHLD, SIG_IGN, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK_ERROR(waitpid(child, &status, 0), ECHILD);
    act(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
    child = fork();
    if (child == 0)
        _exit(0);
    CHECK_ERROR(waitpid(child, &status, 0), ECHILD);
    act(SIGCHLD, SIG_DFL, 0);
}

static void group(void)
{
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        if (getpgrp() != getpid() || getpgid(0) != getpid())
            _exit(1);
        if (fork() == 0)
            for (;;)
                pause();
        kill(0, SIGTERM);
        for (;;)
            pause();
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
    CHECK_ERROR(setpgid(30000 * 2, 0), ESRCH);
    CHECK_ERROR(setpgid(0, -1), EINVAL);
    CHECK_ERROR(getpgid(30000 * 2), ESRCH);
    child = fork();
    if (child == 0) {
        if (setsid() != getpid() || getsid(0) != getpid())
            _exit(1);
        _exit(setsid() == -1 && errno == EPERM && setpgid(0, 0) == -1 && errno == EPERM ? 0 : 2);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* Without SA_RESTORER the way back is the kernel's own affair; both kinds of frame. */
static void own_way_back(void)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        unsigned long long mask;
    } action = {(void *)count, 0, NULL, 0};
    hits = 0;
    CHECK(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8) == 0);
    raise(SIGUSR1);
    CHECK_EQUAL(hits, 1);
    action.handler = (void *)note;
    action.flags = SA_SIGINFO;
    CHECK(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8) == 0);
    raise(SIGUSR1);
    CHECK(hits == 2 && last.si_signo == SIGUSR1);
}

/* A handler may change where the program goes on. */
static void skip(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    (void)signal_number;
    last = *info;
    user->uc_mcontext.gregs[REG_EIP] += 2;
    user->uc_mcontext.gregs[REG_EBX] = 0x12345678;
}

static void context(void)
{
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    unsigned ebx = 0, ecx = 0xABCD, edx = 0x1234, esi = 7, edi = 8;
    sigaction(SIGILL, &action, NULL);
    __asm__ volatile("ud2" : "+b"(ebx), "+c"(ecx), "+d"(edx), "+S"(esi), "+D"(edi));
    CHECK(ebx == 0x12345678 && ecx == 0xABCD && edx == 0x1234 && esi == 7 && edi == 8);
    CHECK(last.si_code == ILL_ILLOPN && last.si_signo == SIGILL);
}

int main(void)
{
    handlers();
    errors();
    masks();
    nesting();
    waiting();
    CHECK_KILLED(die_by_default, SIGTERM);
    CHECK_KILLED(die_by_kill, SIGKILL);
    CHECK_KILLED(die_by_abort, SIGABRT);
    CHECK_EXITS(live_on, 4);
    stopping();
    children();
    group();
    own_way_back();
    context();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * User test. Waiting for children: who is meant (pid, group, any; children whose end sends SIGCHLD
 * and those whose end does not), what is told, and what stays to be told.
 */
#include "check.h"

#include <sched.h>
#include <sys/syscall.h>

static siginfo_t info;

/* A child of the group GROUP (0: its own) that ends with STATUS when GO says so, or at once. */
static pid_t child_of_group(pid_t group, int status)
{
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, group);
        _exit(status);
    }
    setpgid(child, group);
    return child;
}

static int wait_id(idtype_t kind, id_t id, int options)
{
    memset(&info, 0x55, sizeof(info));
    return waitid(kind, id, &info, options);
}

/* The end of CHILD can be seen, and is not taken. */
static void let_end(pid_t child)
{
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT | __WALL);
}

static void told(void)
{
    pid_t child = child_of_group(0, 5);
    CHECK(wait_id(P_PID, (id_t)child, WEXITED | WNOWAIT) == 0);
    CHECK_THAT("waitid: exited, number and status are told",
               info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_pid == child &&
                   info.si_uid == getuid() && info.si_status == 5 && info.si_errno == 0);
    CHECK(wait_id(P_ALL, 0, WEXITED) == 0 && info.si_pid == child);
    CHECK_ERROR(wait_id(P_PID, (id_t)child, WEXITED), ECHILD);

    child = fork();
    if (child == 0)
        for (;;)
            pause();
    CHECK(wait_id(P_PID, (id_t)child, WEXITED | WNOHANG) == 0);
    CHECK_THAT("waitid: nothing yet: siginfo is cleared", info.si_pid == 0 && info.si_signo == 0);
    kill(child, SIGSTOP);
    CHECK(wait_id(P_PID, (id_t)child, WSTOPPED | WNOWAIT) == 0 && info.si_code == CLD_STOPPED &&
          info.si_status == SIGSTOP);
    CHECK_THAT("waitid: WNOWAIT: told again",
               wait_id(P_ALL, 0, WSTOPPED) == 0 && info.si_code == CLD_STOPPED);
    CHECK(wait_id(P_ALL, 0, WSTOPPED | WNOHANG) == 0 && info.si_pid == 0);
    kill(child, SIGCONT);
    CHECK(wait_id(P_ALL, 0, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED &&
          info.si_status == SIGCONT);
    kill(child, SIGTERM);
    CHECK(wait_id(P_ALL, 0, WEXITED) == 0 && info.si_code == CLD_KILLED &&
          info.si_status == SIGTERM && info.si_pid == child);
}

static void groups(void)
{
    pid_t first = child_of_group(0, 1), second = child_of_group(first, 2),
          other = child_of_group(0, 3);
    int status;
    CHECK(wait_id(P_PGID, (id_t)other, WEXITED) == 0 && info.si_pid == other);
    CHECK_ERROR(wait_id(P_PGID, (id_t)other, WEXITED), ECHILD);
    let_end(first);
    let_end(second);
    CHECK(waitpid(-first, &status, 0) > 0 && wait_id(P_PGID, (id_t)first, WEXITED) == 0);
    CHECK_ERROR(waitpid(-first, &status, 0), ECHILD);
    CHECK_ERROR(wait_id(P_ALL, 0, WEXITED), ECHILD);
    first = child_of_group(getpgrp(), 4);
    let_end(first);
    CHECK(waitpid(0, &status, 0) == first && WEXITSTATUS(status) == 4);
}

static void refused(void)
{
    pid_t child = child_of_group(0, 0);
    int status;
    CHECK_ERROR(wait_id(P_ALL, 0, 0), EINVAL);
    CHECK_ERROR(wait_id(P_ALL, 0, WNOHANG), EINVAL);
    CHECK_ERROR(wait_id(P_ALL, 0, WEXITED | 0x100), EINVAL);
    CHECK_ERROR(wait_id((idtype_t)17, 0, WEXITED), EINVAL);
    CHECK_ERROR(wait_id(P_PID, 0, WEXITED), EINVAL);
    CHECK_ERROR(wait_id(P_PID, (id_t)-1, WEXITED), EINVAL);
    CHECK_ERROR(wait_id(P_PGID, (id_t)-1, WEXITED), EINVAL);
    CHECK_ERROR(waitpid(child, &status, WEXITED), EINVAL);
    CHECK_ERROR(waitpid(child, &status, WNOWAIT), EINVAL);
    CHECK_ERROR(syscall(SYS_waitid, P_PID, child, 16, WEXITED | WNOWAIT, NULL), EFAULT);
    let_end(child);
    CHECK_ERROR(wait_id(P_PID, (id_t)child, WSTOPPED), ECHILD); /* it will never stop */
    CHECK(syscall(SYS_waitid, P_PID, child, NULL, WEXITED, NULL) == 0);
}

static int clone_body(void *argument)
{
    (void)argument;
    _exit(3);
}

static pid_t clone_child(int exit_signal)
{
    static char stacks[2][16384] __attribute__((aligned(16)));
    static unsigned which;
    char *stack = stacks[which++ % 2];
    return clone(clone_body, stack + sizeof(stacks[0]), exit_signal, NULL);
}

/* A child whose end does not send SIGCHLD is waited for by those who say so. */
static void clone_children(void)
{
    int status;
    pid_t child = clone_child(0);
    let_end(child);
    CHECK_ERROR(waitpid(child, &status, 0), ECHILD);
    CHECK_ERROR(waitpid(-1, &status, WNOHANG), ECHILD);
    CHECK_ERROR(wait_id(P_PID, (id_t)child, WEXITED), ECHILD);
    CHECK(waitpid(child, &status, __WCLONE) == child && WEXITSTATUS(status) == 3);
    child = clone_child(SIGURG);
    let_end(child);
    CHECK_ERROR(waitpid(-1, &status, 0), ECHILD);
    CHECK(waitpid(-1, &status, __WALL) == child);
    child = clone_child(SIGCHLD);
    let_end(child);
    CHECK_ERROR(waitpid(child, &status, __WCLONE), ECHILD);
    CHECK(waitpid(-1, &status, __WALL) == child);
    child = clone_child(0);
    pid_t ordinary = clone_child(SIGCHLD);
    CHECK(waitpid(-1, &status, 0) == ordinary);
    CHECK(waitpid(-1, &status, __WCLONE) == child);
    CHECK_ERROR(waitpid(-1, &status, __WALL), ECHILD);
}

int main(void)
{
    told();
    groups();
    refused();
    clone_children();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * poll, select and their variants: events of pipes and devices, timeouts, wake-ups, masks.
 *
 * run: seconds=30
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "check.h"

static char buffer[65536];
static int ends[2];
static volatile sig_atomic_t signals_seen;

static void note_signal(int number)
{
    (void)number;
    signals_seen++;
}

static int now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int)(time.tv_sec % 100000 * 1000 + time.tv_nsec / 1000000);
}

static void pause_ms(int milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* The events of one descriptor, now. */
static int events(int descriptor, short wanted)
{
    struct pollfd entry = {descriptor, wanted, 0x55};
    int result = poll(&entry, 1, 0);
    return result < 0 ? result : entry.revents;
}

static void test_events(void)
{
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK(events(ends[0], POLLIN) == 0);
    CHECK(events(ends[1], POLLOUT) == POLLOUT);
    CHECK(events(ends[1], POLLIN) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(events(ends[0], POLLIN | POLLOUT) == POLLIN);
    CHECK(events(ends[0], POLLIN | POLLRDNORM) == (POLLIN | POLLRDNORM));
    CHECK(read(ends[0], buffer, 1) == 1);
    CHECK(write(ends[1], buffer, sizeof(buffer)) == sizeof(buffer));
    CHECK(events(ends[1], POLLOUT) == 0);
    CHECK(read(ends[0], buffer, 4096) == 4096);
    CHECK(events(ends[1], POLLOUT) == POLLOUT);
    int copy = dup(ends[1]);
    close(ends[1]);
    CHECK(events(ends[0], POLLIN) == POLLIN);
    close(copy);
    CHECK(events(ends[0], POLLIN) == (POLLIN | POLLHUP));
    CHECK(read(ends[0], buffer, sizeof(buffer)) == sizeof(buffer) - 4096);
    CHECK(events(ends[0], POLLIN) == POLLHUP);
    CHECK(events(ends[0], 0) == POLLHUP);
    close(ends[0]);
    CHECK(events(ends[0], POLLIN) == POLLNVAL);
    CHECK(events(-1, POLLIN) == 0);
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    CHECK(events(ends[1], POLLOUT) == (POLLOUT | POLLERR));
    close(ends[1]);
    int null = open("/dev/null", O_RDWR);
    CHECK(events(null, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    close(null);
}

static void test_timeouts(void)
{
    struct pollfd entry = {.events = POLLIN};
    struct timeval half = {0, 200000};
    struct timespec spec = {0, 200000000};
    fd_set set;
    CHECK(pipe(ends) == 0);
    entry.fd = ends[0];
    int before = now_ms();
    CHECK(poll(&entry, 1, 200) == 0);
    int took = now_ms() - before;
    CHECK_THAT("poll waits 200 ms", took >= 199 && took < 2000);
    CHECK(poll(NULL, 0, 30) == 0);
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    before = now_ms();
    CHECK(select(ends[0] + 1, &set, NULL, NULL, &half) == 0);
    took = now_ms() - before;
    CHECK_THAT("select waits 200 ms", took >= 199 && took < 2000);
    CHECK(!FD_ISSET(ends[0], &set));
    CHECK_THAT("nothing is left of the timeout", half.tv_sec == 0 && half.tv_usec == 0);
    FD_SET(ends[0], &set);
    CHECK(pselect(ends[0] + 1, &set, NULL, NULL, &spec, NULL) == 0);
    CHECK(ppoll(&entry, 1, &spec, NULL) == 0);
    close(ends[0]);
    close(ends[1]);
}

static void test_wakeup(void)
{
    int other[2];
    CHECK(pipe(ends) == 0 && pipe(other) == 0);
    pid_t child = fork();
    if (child == 0) {
        pause_ms(100);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    struct pollfd entries[] = {{other[0], POLLIN, 0}, {ends[0], POLLIN, 0}, {-5, POLLIN, 7}};
    CHECK(poll(entries, 3, -1) == 1);
    CHECK(entries[0].revents == 0 && entries[1].revents == POLLIN && entries[2].revents == 0);
    waitpid(child, NULL, 0);
    child = fork();
    if (child == 0) {
        pause_ms(100);
        _exit(0);
    }
    close(other[1]);
    entries[1].fd = -1;
    CHECK_THAT("the last writer's end is an event", poll(entries, 3, 5000) == 1);
    CHECK(entries[0].revents == POLLHUP);
    waitpid(child, NULL, 0);
    close(other[0]);
    close(ends[0]);
    close(ends[1]);
}

static void test_select(void)
{
    fd_set in, out;
    struct timeval zero = {0, 0};
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &in);
    FD_SET(ends[1], &out);
    CHECK(select(ends[1] + 1, &in, &out, NULL, &zero) == 2);
    CHECK(FD_ISSET(ends[0], &in) && !FD_ISSET(ends[1], &in) && FD_ISSET(ends[1], &out));
    FD_SET(ends[1], &in);
    CHECK_ERROR(select(-1, &in, NULL, NULL, &zero), EINVAL);
    struct timeval bad = {0, -1};
    CHECK_ERROR(select(0, NULL, NULL, NULL, &bad), EINVAL);
    close(ends[0]);
    CHECK_ERROR(select(ends[1] + 1, &in, &out, NULL, &zero), EBADF);
    close(ends[1]);
    CHECK_ERROR(syscall(SYS__newselect, 1, 16, 0, 0, 0), EFAULT);
}

static void test_errors(void)
{
    struct rlimit limit;
    struct pollfd entry = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    CHECK_ERROR(syscall(SYS_poll, &entry, (unsigned)limit.rlim_cur + 1, 0), EINVAL);
    CHECK_ERROR(syscall(SYS_poll, 16, 1, 0), EFAULT);
    CHECK(poll(NULL, 0, 0) == 0);
}

static pid_t signal_later(void)
{
    pid_t child = fork();
    if (child == 0) {
        pause_ms(100);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    return child;
}

static void test_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
    struct pollfd entry = {.events = POLLIN};
    sigset_t blocked, empty, now;
    sigaction(SIGUSR1, &action, NULL);
    CHECK(pipe(ends) == 0);
    entry.fd = ends[0];
    pid_t child = signal_later();
    CHECK_ERROR(poll(&entry, 1, -1), EINTR);
    CHECK(signals_seen == 1);
    waitpid(child, NULL, 0);

    sigemptyset(&empty);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR1);
    CHECK(signals_seen == 1);
    CHECK_ERROR(ppoll(&entry, 1, NULL, &empty), EINTR);
    CHECK(signals_seen == 2);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK_THAT("the mask is what it was", sigismember(&now, SIGUSR1) == 1);
    struct timespec soon = {0, 20000000};
    CHECK(pselect(0, NULL, NULL, NULL, &soon, &empty) == 0);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK_THAT("the mask is what it was", sigismember(&now, SIGUSR1) == 1);
    close(ends[0]);
    close(ends[1]);
}

/* The list is written to, changed or not, and only when the call ends. */
static void test_list(void)
{
    struct pollfd *list =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = -1;
    CHECK(pipe(ends) == 0);
    *list = (struct pollfd){ends[0], POLLIN, 0x55};
    pid_t child = fork();
    if (child == 0) {
        pause_ms(100);
        int untouched = list->revents == 0x55;
        _exit(write(ends[1], "x", 1) == 1 && untouched ? 0 : 1);
    }
    CHECK(poll(list, 1, 5000) == 1 && list->revents == POLLIN);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    list->events = 0;
    CHECK(poll(list, 1, 0) == 0 && list->revents == 0);
    CHECK(mprotect(list, 4096, PROT_READ) == 0);
    CHECK_ERROR(poll(list, 1, 0), EFAULT);
    CHECK_ERROR(poll(list, 1, 20), EFAULT);
    CHECK_ERROR(ppoll(list, 1, &(struct timespec){0, 1000}, NULL), EFAULT);
    CHECK(poll(list, 0, 0) == 0);
    CHECK(munmap(list, 4096) == 0);
    CHECK_ERROR(poll(list, 1, 5000), EFAULT);
    close(ends[0]);
    close(ends[1]);
}

/* What is asked for is read once, before the call sleeps. */
static void test_read_once(void)
{
    struct pollfd *list =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fd_set *set = (fd_set *)(void *)(list + 16);
    CHECK(pipe(ends) == 0);
    *list = (struct pollfd){ends[0], POLLIN, 0};
    FD_SET(ends[0], set);
    for (int is_select = 0; is_select < 2; is_select++) {
        char c;
        pid_t child = fork();
        if (child == 0) {
            pause_ms(100);
            list->fd = -1;
            FD_ZERO(set);
            _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
        }
        struct timeval limit = {3, 0};
        if (is_select)
            CHECK(select(ends[0] + 1, set, NULL, NULL, &limit) == 1 && FD_ISSET(ends[0], set));
        else
            CHECK(poll(list, 1, 3000) == 1 && list->fd == -1 && list->revents == POLLIN);
        CHECK(waitpid(child, NULL, 0) == child && read(ends[0], &c, 1) == 1);
        FD_SET(ends[0], set);
    }
    list->fd = ends[0];
    close(ends[1]);
    CHECK_THAT("a call of its own", poll(list, 1, 0) == 1 && list->revents == POLLHUP);
    close(ends[0]);
    munmap(list, 4096);
}

int main(void)
{
    test_events();
    test_timeouts();
    test_wakeup();
    test_select();
    test_errors();
    test_signals();
    test_list();
    test_read_once();
    return check_end();
}

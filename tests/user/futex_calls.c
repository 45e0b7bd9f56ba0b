/* SPDX-License-Identifier: MIT */
/*
 * Futexes: who is woken, how many, in which order, by which key; and what is refused.
 *
 * A waiter is known to sleep when it could be moved to another word: FUTEX_REQUEUE counts it.
 * run: seconds=60
 */
#define _GNU_SOURCE
#include "check.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, WAITERS = 5 };

/* Shared by all processes: a word to wait on first, and others to be moved to. */
static struct {
    uint32_t first, queue, other, spare;
} * words;
static int ends[2];

static int futex(uint32_t *word, int operation, unsigned value, const void *time_or_count,
                 uint32_t *second, unsigned third)
{
    return (int)syscall(SYS_futex, word, operation, value, time_or_count, second, third);
}

static int wake(uint32_t *word, int count)
{
    return futex(word, FUTEX_WAKE, (unsigned)count, NULL, NULL, 0);
}

/* Move COUNT waiters, who may not have come yet, from FROM to TO. */
static void move(uint32_t *from, uint32_t *to, int count, int flags)
{
    while (count > 0) {
        int moved =
            futex(from, FUTEX_REQUEUE | flags, 0, (void *)(uintptr_t)(unsigned)count, to, 0);
        count -= moved > 0 ? moved : 0;
        sched_yield();
    }
}

/* A child that waits with OPERATION and BITS, and then says its number; it sleeps on `queue`. */
static void start_waiter(int number, int operation, unsigned bits)
{
    if (fork() == 0) {
        char c = (char)('0' + number);
        int result = futex(&words->first, operation, 0, NULL, NULL, bits);
        _exit(result == 0 && write(ends[1], &c, 1) == 1 ? 0 : 1);
    }
    move(&words->first, &words->queue, 1, 0);
}

/* The COUNT waiters that were woken say WANTED, and have ended well. */
static bool said(const char *wanted, int count)
{
    char text[WAITERS + 1] = {0};
    int status, good = 0;
    for (int i = 0; i < count; i++)
        if (read(ends[0], text + i, 1) != 1)
            return false;
    for (int i = 0; i < count; i++)
        good += wait(&status) > 0 && status == 0;
    for (int i = 0; i < count; i++) /* those woken at once may speak in any order */
        for (int j = i + 1; j < count; j++)
            if (text[j] < text[i]) {
                char c = text[i];
                text[i] = text[j];
                text[j] = c;
            }
    return good == count && strcmp(text, wanted) == 0;
}

static void test_count_and_order(void)
{
    for (int i = 0; i < WAITERS; i++)
        start_waiter(i, FUTEX_WAIT, 0);
    CHECK(wake(&words->other, 10) == 0);
    CHECK(wake(&words->queue, 1) == 1 && said("0", 1));
    CHECK(wake(&words->queue, 2) == 2 && said("12", 2));
    CHECK(wake(&words->queue, 0) == 1 && said("3", 1));
    CHECK(wake(&words->queue, INT_MAX) == 1 && said("4", 1));
    CHECK(wake(&words->queue, INT_MAX) == 0);
    start_waiter(0, FUTEX_WAIT, 0);
    CHECK(wake(&words->queue, -1) == 1 && said("0", 1));
}

static void test_bitset(void)
{
    start_waiter(0, FUTEX_WAIT_BITSET, 1);
    start_waiter(1, FUTEX_WAIT_BITSET, 2);
    start_waiter(2, FUTEX_WAIT_BITSET, 3);
    start_waiter(3, FUTEX_WAIT, 0);
    CHECK(futex(&words->queue, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4) == 1 && said("3", 1));
    CHECK(futex(&words->queue, FUTEX_WAKE_BITSET, 1, NULL, NULL, 2) == 1 && said("1", 1));
    CHECK(futex(&words->queue, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2) == 1 && said("2", 1));
    CHECK(wake(&words->queue, 10) == 1 && said("0", 1));
    CHECK_ERROR(futex(&words->queue, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERROR(futex(&words->queue, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
}

static void test_requeue(void)
{
    for (int i = 0; i < WAITERS; i++)
        start_waiter(i, FUTEX_WAIT, 0);
    words->queue = 7;
    CHECK_ERROR(futex(&words->queue, FUTEX_CMP_REQUEUE, 1, (void *)10, &words->other, 8), EAGAIN);
    CHECK_ERROR(futex(&words->queue, FUTEX_CMP_REQUEUE, -1u, (void *)10, &words->other, 7), EINVAL);
    CHECK_ERROR(futex(&words->queue, FUTEX_REQUEUE, 1, (void *)-1, &words->other, 7), EINVAL);
    CHECK(futex(&words->queue, FUTEX_CMP_REQUEUE, 1, (void *)2, &words->other, 7) == 3);
    CHECK(said("0", 1));
    CHECK(wake(&words->other, 1) == 1 && said("1", 1));
    CHECK(futex(&words->queue, FUTEX_REQUEUE, 0, (void *)1, &words->queue, 0) == 1);
    CHECK(futex(&words->queue, FUTEX_REQUEUE, 0, (void *)10, &words->other, 0) == 2);
    CHECK(wake(&words->queue, 10) == 0);
    CHECK(wake(&words->other, 10) == 3 && said("234", 3));
    words->queue = 0;
}

static uint32_t op(unsigned operation, unsigned operand, unsigned comparison, unsigned comparand)
{
    return operation << 28 | (operand & 0xFFF) << 12 | comparison << 24 | (comparand & 0xFFF);
}

/* What becomes of 5 in the second word; nobody waits. */
static unsigned changed(uint32_t how)
{
    words->other = 5;
    int result = futex(&words->queue, FUTEX_WAKE_OP, 1, (void *)1, &words->other, how);
    return result == 0 ? words->other : 99;
}

/* Is the waiter for the second word woken, when its value is OLD? */
static bool wakes(unsigned comparison, int comparand, int old)
{
    start_waiter(0, FUTEX_WAIT, 0);
    words->other = (uint32_t)old;
    uint32_t how = op(FUTEX_OP_ADD, 0, comparison, (unsigned)comparand);
    int result = futex(&words->spare, FUTEX_WAKE_OP, 1, (void *)1, &words->other, how);
    move(&words->queue, &words->other, 1, 0);
    result = futex(&words->spare, FUTEX_WAKE_OP, 1, (void *)1, &words->other, how);
    if (result == 0)
        wake(&words->other, 1);
    return said("0", 1) && result == 1;
}

static void test_wake_op(void)
{
    CHECK_EQUAL(changed(op(FUTEX_OP_SET, 77, 0, 0)), 77);
    CHECK_EQUAL(changed(op(FUTEX_OP_SET, -1u, 0, 0)), -1);
    CHECK_EQUAL(changed(op(FUTEX_OP_ADD, 3, 0, 0)), 8);
    CHECK_EQUAL(changed(op(FUTEX_OP_ADD, -3u, 0, 0)), 2);
    CHECK_EQUAL(changed(op(FUTEX_OP_OR, 10, 0, 0)), 15);
    CHECK_EQUAL(changed(op(FUTEX_OP_ANDN, 4, 0, 0)), 1);
    CHECK_EQUAL(changed(op(FUTEX_OP_XOR, 1, 0, 0)), 4);
    CHECK_EQUAL(changed(op(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 6, 0, 0)), 69);
    CHECK(wakes(FUTEX_OP_CMP_EQ, -2, -2) && !wakes(FUTEX_OP_CMP_EQ, 1, 2));
    CHECK(wakes(FUTEX_OP_CMP_NE, 1, 2) && !wakes(FUTEX_OP_CMP_NE, 2, 2));
    CHECK(wakes(FUTEX_OP_CMP_LT, 1, -2) && !wakes(FUTEX_OP_CMP_LT, 1, 1));
    CHECK(wakes(FUTEX_OP_CMP_LE, 1, 1) && !wakes(FUTEX_OP_CMP_LE, -1, 0));
    CHECK(wakes(FUTEX_OP_CMP_GT, -5, -4) && !wakes(FUTEX_OP_CMP_GT, 1, 1));
    CHECK(wakes(FUTEX_OP_CMP_GE, 1, 1) && !wakes(FUTEX_OP_CMP_GE, 1, -7));
    CHECK_ERROR(futex(&words->queue, FUTEX_WAKE_OP, 1, (void *)1, &words->other, op(5, 0, 0, 0)),
                ENOSYS);
    CHECK_ERROR(futex(&words->queue, FUTEX_WAKE_OP, 1, (void *)1, (void *)16, 0), EFAULT);
    words->other = 0;
}

/* ---- keys ---- */

/* The word is known by what it is part of, wherever that is mapped. */
static void test_shared_key(void)
{
    char *twice = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint32_t *word = (uint32_t *)(void *)(twice + 3 * PAGE + 8);
    if (fork() == 0)
        _exit(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 && write(ends[1], "0", 1) == 1 ? 0
                                                                                            : 1);
    char *moved =
        mremap(twice + 2 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
               (char *)mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK(moved != MAP_FAILED && moved != twice + 2 * PAGE);
    word = (uint32_t *)(void *)(moved + PAGE + 8);
    while (wake(word, 1) == 0)
        sched_yield();
    CHECK(said("0", 1));
    CHECK(munmap(twice, 2 * PAGE) == 0 && munmap(moved, 2 * PAGE) == 0);
    CHECK_ERROR(wake(word, 1), EFAULT);
    CHECK(futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 0);
}

static uint32_t own_word, own_queue;
static char stack[16384] __attribute__((aligned(16)));

static int wait_privately(void *unused)
{
    (void)unused;
    return futex(&own_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0) == 0 ? 0 : 1;
}

/* Memory that is not shared: by address, and for those who share all of it. */
static void test_private_key(void)
{
    int status = -1;
    pid_t child = clone(wait_privately, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
    move(&own_word, &own_queue, 1, FUTEX_PRIVATE_FLAG);
    CHECK_THAT("with the flag, and without it: two words", wake(&own_queue, 1) == 0);
    pid_t other = fork();
    if (other == 0)
        _exit(futex(&own_queue, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    CHECK_THAT("a copy of the memory is another one",
               waitpid(other, &status, 0) == other && status == 0);
    CHECK(futex(&own_queue, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static uint32_t tid_word = 1;

static int end_at_once(void *unused)
{
    (void)unused;
    return 0;
}

/* The word that the kernel clears at the end of one who shares memory: waiters are woken. */
static void test_cleared_tid(void)
{
    int status = -1, result = 0;
    pid_t child = clone(end_at_once, stack + sizeof(stack),
                        CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, NULL, &tid_word);
    while (__atomic_load_n(&tid_word, __ATOMIC_SEQ_CST) != 0 && result == 0)
        if (futex(&tid_word, FUTEX_WAIT, 1, NULL, NULL, 0) != 0 && errno != EAGAIN)
            result = 1;
    CHECK(result == 0 && waitpid(child, &status, 0) == child && status == 0);
}

static int wait_for_the_end(void *unused)
{
    (void)unused;
    return pause();
}

/* The same for one that another process ends, behind signal BEFORE (0: none). */
static void test_cleared_tid_of_killed(const char *text, int before, int signal_number)
{
    int status = -1;
    tid_word = 1;
    pid_t child = clone(wait_for_the_end, stack + sizeof(stack),
                        CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, NULL, &tid_word);
    if (before != 0) {
        kill(child, before);
        waitpid(child, &status, WUNTRACED);
    }
    kill(child, signal_number);
    waitpid(child, &status, 0);
    CHECK_THAT(text, WIFSIGNALED(status) && WTERMSIG(status) == signal_number && tid_word == 0);
}

/* ---- time, signals, errors ---- */

static int wait_until(int clock, long nanoseconds, int flags)
{
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_nsec += nanoseconds;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    int result = futex(&words->spare, FUTEX_WAIT_BITSET | flags, 0, &time, NULL, 1);
    struct timespec now;
    clock_gettime(clock, &now);
    bool in_time =
        now.tv_sec > time.tv_sec || (now.tv_sec == time.tv_sec && now.tv_nsec >= time.tv_nsec);
    return result == -1 && errno == ETIMEDOUT && in_time;
}

static void test_timeouts(void)
{
    struct timespec none = {0, 0}, bad = {0, 1000000000}, negative = {-1, 0}, some = {0, 20000000};
    CHECK(wait_until(CLOCK_MONOTONIC, 50000000, 0));
    CHECK(wait_until(CLOCK_REALTIME, 50000000, FUTEX_CLOCK_REALTIME));
    CHECK(wait_until(CLOCK_MONOTONIC, 50000000, FUTEX_PRIVATE_FLAG));
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT_BITSET, 0, &none, NULL, 1), ETIMEDOUT);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT, 0, &none, NULL, 0), ETIMEDOUT);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT, 0, &some, NULL, 0), ETIMEDOUT);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT_BITSET, 1, &none, NULL, 1), EAGAIN);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT, 0, &negative, NULL, 0), EINVAL);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT, 0, (void *)16, NULL, 0), EFAULT);
}

static volatile sig_atomic_t signals;
static void note_signal(int number)
{
    (void)number;
    signals++;
}

static int wait_and_be_signalled(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGUSR1, &action, NULL);
    int result = futex(&words->first, FUTEX_WAIT, 0, NULL, NULL, 0);
    while (result == 0 && signals == 0) /* it was woken, and runs before the signal is sent */
        sched_yield();
    return result == 0 && signals == 1 ? 0 : 1;
}

static int wait_and_be_interrupted(void)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigaction(SIGUSR1, &action, NULL);
    int result = futex(&words->first, FUTEX_WAIT, 0, NULL, NULL, 0);
    return result == -1 && errno == EINTR && signals == 1 ? 0 : 1;
}

/* With SA_RESTART it waits again, and so compares again. */
static int wait_and_wait_again(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    int result = futex(&words->first, FUTEX_WAIT, 0, NULL, NULL, 0);
    return result == -1 && errno == EAGAIN && signals == 1 ? 0 : 1;
}

static bool after_signal(int (*function)(void), bool wakes_first)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(function());
    move(&words->first, &words->queue, 1, 0);
    bool good = !wakes_first || wake(&words->queue, 1) == 1;
    words->first = 1;
    kill(child, SIGUSR1);
    good &= waitpid(child, &status, 0) == child && status == 0;
    words->first = 0;
    return good && wake(&words->queue, 1) == 0;
}

static void test_signals(void)
{
    CHECK_THAT("who was woken was not interrupted", after_signal(wait_and_be_signalled, true));
    CHECK_THAT("a handler ends a wait", after_signal(wait_and_be_interrupted, false));
    CHECK_THAT("with SA_RESTART it begins anew", after_signal(wait_and_wait_again, false));
}

static void test_errors(void)
{
    uint32_t *odd = (uint32_t *)(void *)((char *)&words->spare + 2);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
    CHECK_ERROR(futex(odd, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERROR(wake(odd, 1), EINVAL);
    CHECK_ERROR(futex(&words->spare, FUTEX_REQUEUE, 0, NULL, odd, 0), EINVAL);
    CHECK_ERROR(futex((uint32_t *)16, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERROR(wake((uint32_t *)16, 1), EFAULT);
    CHECK_ERROR(futex(&words->spare, FUTEX_REQUEUE, 0, NULL, (uint32_t *)16, 0), EFAULT);
    CHECK_ERROR(futex(&words->spare, 99, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERROR(futex(&words->spare, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
}

int main(void)
{
    words = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pipe(ends) != 0)
        return 1;
    test_count_and_order();
    test_bitset();
    test_requeue();
    test_wake_op();
    test_shared_key();
    test_private_key();
    test_cleared_tid();
    test_cleared_tid_of_killed("a word is cleared: SIGKILL", 0, SIGKILL);
    test_cleared_tid_of_killed("a word is cleared: SIGTERM", 0, SIGTERM);
    test_cleared_tid_of_killed("a word is cleared: SIGKILL while stopped", SIGSTOP, SIGKILL);
    test_timeouts();
    test_signals();
    test_errors();
    return check_end();
}

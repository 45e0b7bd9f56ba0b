/* SPDX-License-Identifier: MIT */
/*
 * User test. madvise of pages that can go out: PAGEOUT, WILLNEED, COLD, FREE and DONTNEED do what they
 * say, mincore tells it, and getrusage counts who had to wait. What is wrong is refused as by Linux.
 *
 * run: on=droste
 * run: memory=32
 * run: swap=32
 * run: seconds=120
 */
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

#ifndef MADV_COLD
enum { MADV_COLD = 20, MADV_PAGEOUT = 21 };
#endif

enum { PAGE_BYTES = 4096, WORDS = PAGE_BYTES / 4, PAGES = 1500, SOME = 64, MOST_SECONDS = 20 };

static unsigned char here[8 * PAGES];

static unsigned free_swap_pages(void)
{
    struct sysinfo information;
    sysinfo(&information);
    return information.freeswap / PAGE_BYTES;
}

static long major_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_majflt;
}

static long minor_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static volatile uint32_t *new_pages(unsigned count)
{
    void *memory = mmap(NULL, (size_t)count * PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static volatile uint32_t *new_full(unsigned count, uint32_t first)
{
    volatile uint32_t *memory = new_pages(count);
    for (unsigned i = 0; i < count; i++)
        memory[i * WORDS] = first + i;
    return memory;
}

static unsigned count_wrong(volatile uint32_t *memory, unsigned count, uint32_t first)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < count; i++)
        wrong += memory[i * WORDS] != first + i;
    return wrong;
}

static int advise(volatile uint32_t *memory, unsigned count, int advice)
{
    return madvise((void *)memory, (size_t)count * PAGE_BYTES, advice);
}

static unsigned count_here(volatile uint32_t *memory, unsigned count)
{
    unsigned sum = 0;
    if (mincore((void *)memory, (size_t)count * PAGE_BYTES, here) != 0)
        return ~0u;
    for (unsigned i = 0; i < count; i++)
        sum += here[i] & 1;
    return sum;
}

static void release(volatile uint32_t *memory, unsigned count)
{
    munmap((void *)memory, (size_t)count * PAGE_BYTES);
}

/* Until WANTED of the pages are in memory: what the disk does takes its time. */
static void wait_until_here(volatile uint32_t *memory, unsigned count, unsigned wanted)
{
    time_t end = time(NULL) + MOST_SECONDS;
    while (count_here(memory, count) != wanted && time(NULL) < end)
        sched_yield();
    if (count_here(memory, count) != wanted) {
        CHECK_THAT("what was begun ends", false);
        exit(1);
    }
}

static void check_pageout(void)
{
    unsigned slots = free_swap_pages();
    volatile uint32_t *memory = new_full(PAGES, 1);
    CHECK_THAT("PAGEOUT: pages that are in memory", count_here(memory, PAGES) == PAGES);
    CHECK(advise(memory, PAGES, MADV_PAGEOUT) == 0);
    wait_until_here(memory, PAGES, 0);
    CHECK_THAT("PAGEOUT: all have gone, to a slot each", free_swap_pages() == slots - PAGES);
    CHECK_THAT("PAGEOUT: of what is out: nothing", advise(memory, PAGES, MADV_PAGEOUT) == 0);
    CHECK_THAT("PAGEOUT: and all is there", count_wrong(memory, PAGES, 1) == 0);
    CHECK(advise(memory, PAGES, MADV_PAGEOUT) == 0);
    wait_until_here(memory, PAGES, 0);
    CHECK_THAT("DONTNEED of what is out: zeros", advise(memory, PAGES, MADV_DONTNEED) == 0 &&
                                                     memory[0] == 0 && memory[WORDS * 700] == 0);
    CHECK_THAT("DONTNEED of what is out: the slots are free", free_swap_pages() == slots);
    release(memory, PAGES);
}

static void check_part(void)
{
    volatile uint32_t *memory = new_full(PAGES, 1);
    CHECK(advise(memory + 100 * WORDS, SOME, MADV_PAGEOUT) == 0);
    wait_until_here(memory + 100 * WORDS, SOME, 0);
    CHECK_THAT("PAGEOUT of a part: its neighbours stay",
               count_here(memory, 100) == 100 &&
                   count_here(memory + (100 + SOME) * WORDS, 1000) == 1000);
    CHECK(mprotect((void *)memory, (size_t)PAGES * PAGE_BYTES, PROT_NONE) == 0);
    CHECK(advise(memory, PAGES, MADV_PAGEOUT) == 0);
    wait_until_here(memory, PAGES, 0);
    CHECK_THAT("PAGEOUT of pages without rights", true);
    CHECK(mprotect((void *)memory, (size_t)PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE) == 0);
    CHECK_THAT("PAGEOUT: and all is there", count_wrong(memory, PAGES, 1) == 0);
    release(memory, PAGES);
}

static void check_zeros(void)
{
    unsigned slots = free_swap_pages();
    volatile uint32_t *memory = new_full(SOME, 1);
    for (unsigned i = 0; i < SOME; i++)
        memory[i * WORDS] = 0;
    CHECK(advise(memory, SOME, MADV_PAGEOUT) == 0);
    CHECK_THAT("PAGEOUT of zeros: at once, and without a slot",
               count_here(memory, SOME) == 0 && free_swap_pages() == slots);
    release(memory, SOME);
}

static void check_need(void)
{
    volatile uint32_t *memory = new_full(SOME, 1);
    CHECK(advise(memory, SOME, MADV_PAGEOUT) == 0);
    wait_until_here(memory, SOME, 0);
    long major = major_faults(), minor = minor_faults();
    CHECK_THAT("a page that is out: a major fault",
               memory[0] == 1 && major_faults() == major + 1 && minor_faults() == minor);
    CHECK_THAT("and none any more", memory[0] == 1 && major_faults() == major + 1);
    CHECK(advise(memory, SOME, MADV_WILLNEED) == 0);
    wait_until_here(memory, SOME, SOME);
    CHECK_THAT("WILLNEED: all come without a touch, and no touch waits",
               count_wrong(memory, SOME, 1) == 0 && major_faults() == major + 1 &&
                   minor_faults() >= minor + SOME - 1);
    release(memory, SOME);
}

/* A child's faults are its parent's when it has been waited for. */
static void check_faults_of_child(void)
{
    struct rusage before, after;
    int status = 0;
    getrusage(RUSAGE_CHILDREN, &before);
    if (fork() == 0) {
        volatile uint32_t *memory = new_full(SOME, 1);
        advise(memory, SOME, MADV_PAGEOUT);
        wait_until_here(memory, SOME, 0);
        for (unsigned i = 0; i < SOME; i += 16) /* none is read ahead of these */
            if (memory[(SOME - 16 - i) * WORDS] != 1 + SOME - 16 - i)
                _exit(1);
        _exit(0);
    }
    CHECK(wait(&status) > 0 && status == 0);
    getrusage(RUSAGE_CHILDREN, &after);
    CHECK_THAT("a child's major faults", after.ru_majflt == before.ru_majflt + SOME / 16);
}

static void check_shared(void)
{
    unsigned slots = free_swap_pages();
    int status = 0, ready[2], go[2];
    char byte = 0;
    volatile uint32_t *memory = new_full(SOME, 1);
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    pid_t child = fork();
    if (child == 0) {
        write(ready[1], &byte, 1);
        read(go[0], &byte, 1);
        _exit(count_wrong(memory, SOME, 1) != 0);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK(advise(memory, SOME, MADV_PAGEOUT) == 0 && advise(memory, SOME, MADV_COLD) == 0);
    CHECK_THAT("PAGEOUT: what others have stays", count_here(memory, SOME) == SOME);
    memory[0] = 7; /* a table of its own; the other pages are shared */
    CHECK(advise(memory, SOME, MADV_PAGEOUT) == 0);
    wait_until_here(memory, SOME, SOME - 1);
    CHECK_THAT("PAGEOUT: and its own goes",
               !(here[0] & 1) && free_swap_pages() == slots - 1 && memory[0] == 7);
    CHECK(write(go[1], &byte, 1) == 1 && waitpid(child, &status, 0) == child);
    CHECK_THAT("PAGEOUT: all is there for the other", status == 0);
    CHECK(advise(memory, SOME, MADV_PAGEOUT) == 0);
    wait_until_here(memory, SOME, 0);
    CHECK_THAT("PAGEOUT: all go when nobody else has them",
               count_wrong(memory + WORDS, SOME - 1, 2) == 0);
    release(memory, SOME);
}

static void check_errors(void)
{
    volatile uint32_t *memory = new_full(3 * SOME, 1);
    munmap((void *)(memory + SOME * WORDS), SOME * PAGE_BYTES);
    static const int advices[] = {MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED};
    for (unsigned i = 0; i < 3; i++) {
        CHECK_ERROR(advise(memory, 3 * SOME, advices[i]), ENOMEM);
        CHECK_ERROR(advise(memory + SOME * WORDS, SOME, advices[i]), ENOMEM);
        CHECK_ERROR(madvise((char *)memory + 1, PAGE_BYTES, advices[i]), EINVAL);
    }
    CHECK(count_wrong(memory, SOME, 1) == 0); /* nothing is under way */
    CHECK(count_wrong(memory + 2 * SOME * WORDS, SOME, 1 + 2 * SOME) == 0);
    CHECK_ERROR(advise(memory, 3 * SOME, MADV_PAGEOUT), ENOMEM);
    wait_until_here(memory, SOME, 0);
    wait_until_here(memory + 2 * SOME * WORDS, SOME, 0);
    CHECK_THAT("PAGEOUT: on both sides of a hole", true);
    CHECK(mlock((void *)memory, PAGE_BYTES) == 0);
    CHECK_ERROR(advise(memory, SOME, MADV_PAGEOUT), EINVAL);
    CHECK_ERROR(advise(memory, SOME, MADV_COLD), EINVAL);
    CHECK_THAT("WILLNEED of locked pages", advise(memory, SOME, MADV_WILLNEED) == 0);
    wait_until_here(memory, SOME, SOME);
    CHECK_THAT("a locked page is in memory", count_here(memory, 1) == 1);
    CHECK(advise(memory + WORDS, SOME - 1, MADV_PAGEOUT) == 0);
    wait_until_here(memory, SOME, 1);
    CHECK_THAT("PAGEOUT beside a locked page, of what no touch wanted yet", (here[0] & 1) != 0);
    CHECK_THAT("PAGEOUT: and all is there", count_wrong(memory, SOME, 1) == 0);
    CHECK(munlock((void *)memory, PAGE_BYTES) == 0);
    release(memory, 3 * SOME);
}

static void check_free(void)
{
    unsigned slots = free_swap_pages();
    volatile uint32_t *memory = new_full(SOME, 1);
    CHECK(advise(memory, SOME, MADV_PAGEOUT) == 0);
    wait_until_here(memory, SOME, 0);
    CHECK_THAT("FREE of what is out: gone, and its slots are free",
               advise(memory, SOME, MADV_FREE) == 0 && free_swap_pages() == slots);
    CHECK(memory[0] == 0 || memory[0] == 1);
    memory[0] = 9;
    CHECK_THAT("FREE: what is written then stays", memory[0] == 9);
    release(memory, SOME);
}

/* The disk that this machine was started from, as a file. */
static void check_file(void)
{
    static char bytes[SOME * PAGE_BYTES];
    int file = open("/dev/hda", O_RDONLY);
    CHECK(pread(file, bytes, sizeof(bytes), 1 << 20) == sizeof(bytes));
    volatile uint32_t *shown =
        mmap(NULL, sizeof(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 1 << 20);
    CHECK(shown != MAP_FAILED && memcmp((const void *)shown, bytes, sizeof(bytes)) == 0);
    CHECK(count_here(shown, SOME) == SOME);
    CHECK(advise(shown, SOME, MADV_COLD) == 0 && count_here(shown, SOME) == SOME);
    CHECK(advise(shown, SOME, MADV_PAGEOUT) == 0);
    CHECK_THAT("PAGEOUT of a file: clean pages go at once", count_here(shown, SOME) == 0);
    CHECK(advise(shown, SOME, MADV_WILLNEED) == 0);
    wait_until_here(shown, SOME, SOME);
    long major = major_faults();
    CHECK_THAT("WILLNEED of a file: all come without a touch, and no touch waits",
               memcmp((const void *)shown, bytes, sizeof(bytes)) == 0 && major_faults() == major);
    shown[0] = 77;
    CHECK(advise(shown, SOME, MADV_PAGEOUT) == 0);
    wait_until_here(shown, SOME, 0);
    CHECK_THAT("PAGEOUT of a file's private copy: to a slot",
               shown[0] == 77 &&
                   memcmp((const char *)shown + 4, bytes + 4, sizeof(bytes) - 4) == 0);
    release(shown, SOME);
    close(file);
}

/* What is cold goes before what is not, if more is wanted than there is. */
static void check_cold(void)
{
    volatile uint32_t *warm = new_full(1024, 1), *cold = new_full(1024, 5000);
    CHECK(advise(cold, 1024, MADV_COLD) == 0 && count_here(cold, 1024) == 1024);
    struct sysinfo information;
    sysinfo(&information);
    unsigned more = information.freeram / PAGE_BYTES + 400;
    volatile uint32_t *hog = new_full(more, 10000);
    unsigned warm_left = count_here(warm, 1024), cold_left = count_here(cold, 1024);
    check_note("of 1024 pages each: %u warm ones are left, %u cold ones", warm_left, cold_left);
    CHECK_THAT("COLD: goes first", cold_left < 900 && warm_left > cold_left + 100);
    CHECK_THAT("COLD: and all is there",
               count_wrong(warm, 1024, 1) == 0 && count_wrong(cold, 1024, 5000) == 0);
    release(hog, more);
    release(warm, 1024);
    release(cold, 1024);
}

int main(void)
{
    CHECK_THAT("there is swap", free_swap_pages() > 8000);
    check_pageout();
    check_part();
    check_zeros();
    check_need();
    check_faults_of_child();
    check_shared();
    check_errors();
    check_free();
    check_file();
    check_cold();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * User test. swapon and swapoff: what is refused, and with what; an area that ends gives all back, also if its
 * call was killed; locked pages stay; what is out is neither lost by mprotect and mremap nor kept by madvise.
 *
 * run: on=droste
 * run: memory=32
 * run: swap=32
 * run: seconds=120
 */
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

enum { PAGE_BYTES = 4096, PAGES = 4096, LOCKED = 64, MORE_THAN_RAM = 9000, KILLS = 8 };

static const char area[] = "/dev/hdb";

static unsigned long free_swap(void)
{
    struct sysinfo information;
    sysinfo(&information);
    return information.freeswap / 1024;
}

static unsigned long total_swap(void)
{
    struct sysinfo information;
    sysinfo(&information);
    return information.totalswap / 1024;
}

static volatile uint32_t *new_pages(unsigned count)
{
    void *memory = mmap(NULL, (size_t)count * PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void fill(volatile uint32_t *memory, unsigned count, uint32_t first)
{
    for (unsigned i = 0; i < count; i++)
        memory[i * (PAGE_BYTES / 4)] = first + i;
}

static unsigned count_wrong(volatile uint32_t *memory, unsigned count, uint32_t first)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < count; i++)
        wrong += memory[i * (PAGE_BYTES / 4)] != first + i;
    return wrong;
}

/* What else there is in memory goes out: more is wanted than there is. */
static void push_out(void)
{
    volatile uint32_t *hog = new_pages(2 * PAGES);
    fill(hog, 2 * PAGES, 1);
    munmap((void *)hog, (size_t)2 * PAGES * PAGE_BYTES);
}

static bool swaps_hold(const char *text)
{
    char buffer[512];
    int file = open("/proc/swaps", O_RDONLY);
    ssize_t bytes = read(file, buffer, sizeof(buffer) - 1);
    close(file);
    buffer[bytes > 0 ? bytes : 0] = '\0';
    return strstr(buffer, text) != NULL;
}

static void check_refusals(void)
{
    CHECK_THAT("swapon of what is one: EBUSY", swapon(area, 0) == -1 && errno == EBUSY);
    CHECK_THAT("swapon of no file: ENOENT", swapon("/dev/hdz", 0) == -1 && errno == ENOENT);
    CHECK_THAT("swapon of a device that is no disk: EINVAL",
               swapon("/dev/null", 0) == -1 && errno == EINVAL);
    CHECK_THAT("swapon of a disk without signature: EINVAL",
               swapon("/dev/hda", 0) == -1 && errno == EINVAL);
    CHECK_THAT("swapon with flags that nobody knows: EINVAL",
               swapon(area, 0x100000) == -1 && errno == EINVAL);
    CHECK_THAT("swapon of an address that is none: EFAULT",
               swapon((const char *)1, 0) == -1 && errno == EFAULT);
    CHECK_THAT("swapoff of what is none: EINVAL", swapoff("/dev/hda") == -1 && errno == EINVAL);
    mkdir("/mnt", 0755);
    CHECK_THAT("a swap area can't be mounted", mount(area, "/mnt", "ext2", 0, "") == -1);
}

static void check_rights(volatile uint32_t *memory)
{
    size_t bytes = (size_t)PAGES * PAGE_BYTES;
    push_out();
    CHECK_THAT("some of it is out", free_swap() < total_swap() - 4096);
    CHECK(mprotect((void *)memory, bytes, PROT_NONE) == 0);
    push_out();
    CHECK(mprotect((void *)memory, bytes, PROT_READ) == 0);
    CHECK_THAT("without rights and with them again: all is there",
               count_wrong(memory, PAGES, 100) == 0);
    push_out();
    CHECK(mprotect((void *)memory, bytes, PROT_READ | PROT_WRITE) == 0);
    fill(memory, PAGES, 200);
    CHECK_THAT("written again: all is there", count_wrong(memory, PAGES, 200) == 0);
}

static volatile uint32_t *check_moves(volatile uint32_t *memory)
{
    push_out();
    memory = mremap((void *)memory, (size_t)PAGES * PAGE_BYTES, (size_t)(PAGES + 8) * PAGE_BYTES,
                    MREMAP_MAYMOVE);
    CHECK_THAT("moved while it is out: all is there", count_wrong(memory, PAGES, 200) == 0);
    push_out();
    CHECK(madvise((void *)memory, PAGE_BYTES * 8, MADV_DONTNEED) == 0);
    CHECK_THAT("not needed any more: zeros", memory[0] == 0 && memory[7 * 1024] == 0);
    CHECK_THAT("and what is behind it is not", count_wrong(memory + 8 * 1024, PAGES - 8, 208) == 0);
    return memory;
}

static void check_locked(void)
{
    unsigned char there[LOCKED];
    volatile uint32_t *locked = new_pages(LOCKED);
    fill(locked, LOCKED, 7);
    CHECK(mlock((void *)locked, LOCKED * PAGE_BYTES) == 0);
    push_out();
    CHECK(mincore((void *)locked, LOCKED * PAGE_BYTES, there) == 0);
    unsigned count = 0;
    for (unsigned i = 0; i < LOCKED; i++)
        count += there[i] & 1;
    CHECK_THAT("locked pages stay", count == LOCKED);
    CHECK(munlock((void *)locked, LOCKED * PAGE_BYTES) == 0);
}

static void check_end_of_area(volatile uint32_t *memory)
{
    push_out();
    munmap((void *)(memory + PAGES / 2 * 1024), (size_t)(PAGES / 2) * PAGE_BYTES);
    CHECK(swapoff(area) == 0);
    CHECK_THAT("no area: no swap", total_swap() == 0 && !swaps_hold(area));
    CHECK_THAT("all of it is back", count_wrong(memory + 8 * 1024, PAGES / 2 - 8, 208) == 0);
    CHECK(swapon(area, SWAP_FLAG_PREFER | 5) == 0);
    CHECK_THAT("an area with a priority", swaps_hold("\t5\n"));
    push_out();
    CHECK_THAT("all of it is there", count_wrong(memory + 8 * 1024, PAGES / 2 - 8, 208) == 0);
}

/* More is wanted than there is RAM. */
static void check_no_room(void)
{
    volatile uint32_t *hog = new_pages(MORE_THAN_RAM);
    fill(hog, MORE_THAN_RAM, 300);
    CHECK_THAT("swapoff of what does not fit into RAM: ENOMEM",
               swapoff(area) == -1 && errno == ENOMEM);
    CHECK_THAT("and it is as before", swaps_hold(area) && total_swap() > 32000);
    CHECK_THAT("all of it is there", count_wrong(hog, MORE_THAN_RAM, 300) == 0);
    munmap((void *)hog, (size_t)MORE_THAN_RAM * PAGE_BYTES);
}

/* A child begins CALL and is killed, a little later each time. */
static void kill_in(int (*call)(void), unsigned turns)
{
    pid_t child = fork();
    if (child == 0)
        _exit(call());
    for (unsigned i = 0; i < turns; i++)
        sched_yield();
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static int call_swapon(void)
{
    return swapon(area, 0);
}

static int call_swapoff(void)
{
    return swapoff(area);
}

/* However far they came: whoever comes next finds an area, or none. */
static void check_killed_calls(volatile uint32_t *memory)
{
    unsigned wrong = 0;
    for (unsigned turns = 0; turns < KILLS; turns++) {
        push_out();
        kill_in(call_swapoff, turns);
        if (swaps_hold(area))
            push_out();
        wrong += swaps_hold(area) ? swapoff(area) != 0 : swapoff(area) != -1 || errno != EINVAL;
        kill_in(call_swapon, turns);
        wrong += swaps_hold(area) ? swapon(area, 0) != -1 || errno != EBUSY : swapon(area, 0) != 0;
        wrong += total_swap() < 32000;
    }
    CHECK_THAT("after a killed swapoff, and a killed swapon, either works", wrong == 0);
    CHECK_THAT("all of it is there", count_wrong(memory + 8 * 1024, PAGES / 2 - 8, 208) == 0);
}

int main(void)
{
    CHECK_THAT("there is swap", total_swap() > 32000 && swaps_hold(area));
    check_refusals();
    volatile uint32_t *memory = new_pages(PAGES);
    fill(memory, PAGES, 100);
    check_rights(memory);
    memory = check_moves(memory);
    check_locked();
    check_end_of_area(memory);
    check_no_room();
    check_killed_calls(memory);
    return check_end();
}

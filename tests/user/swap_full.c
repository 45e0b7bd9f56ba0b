/* SPDX-License-Identifier: MIT */
/*
 * User test. When a process is ended for want of memory, there being swap: not before all slots are in
 * use, and then the largest. The others keep what they have, and its slots are free again.
 *
 * run: on=droste
 * run: memory=16
 * run: swap=8
 * run: seconds=120
 */
#include "check.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>

enum {
    PAGE_BYTES = 4096,
    WORDS = PAGE_BYTES / 4,
    MINE = 256,
    TOO_MANY = 16384,
    OTHERS = 512,
    MOST_SECONDS = 20
};

static struct sysinfo machine;
static volatile uint32_t *written; /* pages of the child; shared */

static unsigned free_swap_pages(void)
{
    sysinfo(&machine);
    return machine.freeswap / PAGE_BYTES;
}

static volatile uint32_t *new_pages(unsigned count, int flags)
{
    void *memory = mmap(NULL, (size_t)count * PAGE_BYTES, PROT_READ | PROT_WRITE,
                        flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Writes page after page: MOST of them, or until it is ended. Returns its status. */
static int take_in_child(unsigned most)
{
    int status = -1;
    if (fork() == 0) {
        volatile uint32_t *memory = new_pages(TOO_MANY, MAP_PRIVATE);
        for (*written = 0; *written < most; ++*written)
            memory[*written * WORDS] = 1 + *written;
        for (unsigned i = 0; i < most; i++)
            if (memory[i * WORDS] != 1 + i)
                _exit(1);
        _exit(0);
    }
    wait(&status);
    return status;
}

static bool is_mine_right(volatile uint32_t *mine)
{
    for (unsigned i = 0; i < MINE; i++)
        if (mine[i * WORDS] != 7 + i)
            return false;
    return true;
}

/* What a process that ended had in slots goes a step a tick; and OTHERS may stay as long as nobody wants
 * the frames that hold the same. */
static void wait_for_slots(unsigned wanted)
{
    time_t end = time(NULL) + MOST_SECONDS;
    while (free_swap_pages() < wanted && time(NULL) < end)
        sched_yield();
}

int main(void)
{
    unsigned slots = free_swap_pages(), free_pages = machine.freeram / PAGE_BYTES;
    volatile uint32_t *mine = new_pages(MINE, MAP_PRIVATE);
    written = new_pages(1, MAP_SHARED);
    CHECK_THAT("there is swap", slots > 2000 && slots < 2048);
    for (unsigned i = 0; i < MINE; i++)
        mine[i * WORDS] = 7 + i;
    CHECK_THAT("as much as fits with swap: nobody is ended",
               take_in_child(free_pages + slots - 2 * MINE) == 0);
    CHECK_THAT("and nobody else has lost anything", is_mine_right(mine));
    wait_for_slots(slots - MINE - OTHERS);
    int status = take_in_child(TOO_MANY);
    CHECK_THAT("more than fits: the largest is ended",
               WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    check_note("%u pages written, of %u frames and %u slots", (unsigned)*written, free_pages,
               slots);
    CHECK_THAT("not before all slots were in use", *written > free_pages + slots - 2 * MINE);
    CHECK_THAT("and nobody else has lost anything", is_mine_right(mine));
    wait_for_slots(slots - MINE - OTHERS);
    check_note("slots in use: %u", slots - free_swap_pages());
    CHECK_THAT("its slots are free again", free_swap_pages() >= slots - MINE - OTHERS);
    CHECK_THAT("and others can use them", take_in_child(free_pages + MINE) == 0);
    return check_end();
}

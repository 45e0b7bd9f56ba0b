/* SPDX-License-Identifier: MIT */
/*
 * User test. More memory than there is: with a swap area behind it, every page keeps what was
 * written, in one process and in several that share, and nobody is killed. With the argument `off` it
 * switches the machine off, for emulators that have no other way to tell that it is done.
 *
 * run: on=droste
 * run: memory=16
 * run: swap=64
 * run: seconds=120
 */
#include "check.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>

enum { PAGE_BYTES = 4096, PAGES = 8192, WORDS = PAGE_BYTES / 4, CHILDREN = 4 };

static uint32_t *memory;

/* Word I of PAGE in ROUND. */
static uint32_t value(uint32_t page, uint32_t i, uint32_t round)
{
    return (page * WORDS + i) * 2654435761u + round;
}

static void write_page(uint32_t page, uint32_t round)
{
    for (uint32_t i = 0; i < WORDS; i++)
        memory[page * WORDS + i] = value(page, i, round);
}

static uint32_t count_wrong(uint32_t page, uint32_t round)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < WORDS; i++)
        wrong += memory[page * WORDS + i] != value(page, i, round);
    return wrong;
}

static uint32_t count_all_wrong(uint32_t first, uint32_t end, uint32_t round)
{
    uint32_t wrong = 0;
    for (uint32_t page = first; page < end; page++)
        wrong += count_wrong(page, round);
    return wrong;
}

/* Children see what their parent wrote, and write the half that is theirs. */
static void share(uint32_t pages)
{
    unsigned failed = 0;
    for (uint32_t child = 0; child < CHILDREN; child++)
        if (fork() == 0) {
            uint32_t half = pages / 2;
            uint32_t wrong = count_all_wrong(0, pages, 3);
            for (uint32_t page = half; page < pages; page++)
                write_page(page, 10 + child);
            wrong += count_all_wrong(0, half, 3) + count_all_wrong(half, pages, 10 + child);
            _exit(wrong != 0);
        }
    for (uint32_t child = 0; child < CHILDREN; child++) {
        int status = -1;
        wait(&status);
        failed += status != 0;
    }
    CHECK_THAT("children find what was there, and keep what they wrote", failed == 0);
    CHECK_THAT("and their parent has what it had", count_all_wrong(0, pages, 3) == 0);
}

int main(int argc, char **argv)
{
    struct sysinfo before, after;
    sysinfo(&before);
    CHECK_THAT("there is swap", before.totalswap >= 60ul * 1024 * 1024);
    memory = mmap(NULL, (size_t)PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    for (uint32_t page = 0; page < PAGES; page++)
        write_page(page, 1);
    CHECK_THAT("32 MiB in 16: all as it was written", count_all_wrong(0, PAGES, 1) == 0);
    for (uint32_t page = 0; page < PAGES; page += 3)
        write_page(page, 2);
    uint32_t wrong = 0;
    for (uint32_t page = PAGES; page-- > 0;)
        wrong += count_wrong(page, page % 3 == 0 ? 2 : 1);
    CHECK_THAT("some written again, all read from the end: all as it was written", wrong == 0);
    munmap(memory + PAGES / 4 * WORDS, (size_t)PAGES / 4 * 3 * PAGE_BYTES);
    for (uint32_t page = 0; page < PAGES / 4; page++)
        write_page(page, 3);
    share(PAGES / 4);
    munmap(memory, (size_t)PAGES / 4 * PAGE_BYTES);
    sysinfo(&after);
    check_note("swap: %lu KiB free before, %lu after", before.freeswap / 1024,
               after.freeswap / 1024);
    int status = check_end();
    if (argc > 1 && strcmp(argv[1], "off") == 0)
        reboot(RB_POWER_OFF);
    return status;
}

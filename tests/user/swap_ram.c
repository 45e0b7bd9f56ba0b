/* SPDX-License-Identifier: MIT */
/*
 * User test. Compressed memory (swap=ram): two and a half times the RAM in pages that become as small as those of programs do,
 * each as it was written, in one process and in several that share; and nobody is killed.
 *
 * run: on=droste
 * run: memory=16
 * run: options=swap=ram
 * run: seconds=180
 */
#include "check.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>

enum { PAGE_BYTES = 4096, PAGES = 10240, WORDS = PAGE_BYTES / 4, CHILDREN = 4 };

static uint32_t *memory;

/* A page of records as a heap has them: pointers to neighbours, small numbers, text, zeros. */
static uint32_t value(uint32_t page, uint32_t i, uint32_t round)
{
    uint32_t at = page * WORDS + i, noise = (at + round) * 2654435761u;
    switch (i % 8) {
    case 0:
        return 0x08000000u + page * PAGE_BYTES + (noise >> 22) * 4;
    case 1:
        return noise >> 26;
    case 2:
        return noise >> 26;
    case 3:
        return 0x20202020u + (noise >> 28) * 0x01000001u;
    case 4:
        return round << 16 | page;
    default:
        return 0;
    }
}

static void write_page(uint32_t page, uint32_t round)
{
    for (uint32_t i = 0; i < WORDS; i++)
        memory[page * WORDS + i] = value(page, i, round);
}

static uint32_t count_wrong(uint32_t first, uint32_t end, uint32_t step, uint32_t round)
{
    uint32_t wrong = 0;
    for (uint32_t page = first; page < end; page += step)
        for (uint32_t i = 0; i < WORDS; i++)
            wrong += memory[page * WORDS + i] != value(page, i, round);
    return wrong;
}

static void fill(uint32_t page, uint32_t word)
{
    for (uint32_t i = 0; i < WORDS; i++)
        memory[page * WORDS + i] = word;
}

/* A page that does not become smaller. Returns how many of its words are others. */
static uint32_t at_random(uint32_t page, bool is_check)
{
    uint32_t state = page * 2654435761u | 1, wrong = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        if (is_check)
            wrong += memory[page * WORDS + i] != state;
        else
            memory[page * WORDS + i] = state;
    }
    return wrong;
}

/* Where many pages are tried in vain, those that can go do. */
static void mix(void)
{
    enum { RANDOM = 1536, END = RANDOM + 4096 };
    uint32_t wrong = 0;
    for (uint32_t page = 0; page < RANDOM; page++)
        at_random(page, false);
    for (uint32_t page = RANDOM; page < END; page++)
        write_page(page, 4);
    for (uint32_t page = 0; page < RANDOM; page++)
        wrong += at_random(page, true);
    CHECK_THAT("6 MiB that stay, 16 that go: all as it was written",
               wrong + count_wrong(RANDOM, END, 1, 4) == 0);
}

/* Children see what their parent wrote, and write the half that is theirs. */
static void share(uint32_t pages)
{
    unsigned failed = 0;
    for (uint32_t child = 0; child < CHILDREN; child++)
        if (fork() == 0) {
            uint32_t half = pages / 2, wrong = count_wrong(0, pages, 1, 3);
            for (uint32_t page = half; page < pages; page++)
                write_page(page, 10 + child);
            wrong += count_wrong(0, half, 1, 3) + count_wrong(half, pages, 1, 10 + child);
            _exit(wrong != 0);
        }
    for (uint32_t child = 0; child < CHILDREN; child++) {
        int status = -1;
        wait(&status);
        failed += status != 0;
    }
    CHECK_THAT("children find what was there, and keep what they wrote", failed == 0);
    CHECK_THAT("and their parent has what it had", count_wrong(0, pages, 1, 3) == 0);
}

static bool swaps_tell(const char *text)
{
    char buffer[512];
    int file = open("/proc/swaps", O_RDONLY);
    ssize_t bytes = read(file, buffer, sizeof(buffer) - 1);
    close(file);
    buffer[bytes > 0 ? bytes : 0] = '\0';
    return strstr(buffer, text) != NULL;
}

/* The area ends with its pages out, and begins again. */
static void end_and_begin(uint32_t pages)
{
    for (uint32_t page = 0; page < pages; page++)
        write_page(page, 5);
    CHECK_THAT("/proc/swaps tells of it", swaps_tell("/dev/ram"));
    CHECK_THAT("swapoff: all comes back", swapoff("/dev/ram") == 0 && !swaps_tell("/dev/ram"));
    CHECK_THAT("as it was", count_wrong(0, pages, 1, 5) == 0);
    CHECK_THAT("swapon: there it is again", swapon("/dev/ram", 0) == 0 && swaps_tell("/dev/ram"));
    CHECK_THAT("and nothing has changed", count_wrong(0, pages, 1, 5) == 0);
    /* The heap may lie otherwise now than at boot, by a page. */
    CHECK_THAT("swapoff again", swapoff("/dev/ram") == 0);
}

int main(void)
{
    struct sysinfo before, full, after;
    sysinfo(&before);
    CHECK_THAT("there is swap", before.totalswap >= 40ul * 1024 * 1024);
    memory = mmap(NULL, (size_t)PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    for (uint32_t page = 0; page < PAGES; page++)
        write_page(page, 1);
    sysinfo(&full);
    check_note("swap: %lu KiB free of %lu when all is written", full.freeswap / 1024,
               full.totalswap / 1024);
    CHECK_THAT("40 MiB in 16: all as it was written", count_wrong(0, PAGES, 1, 1) == 0);
    for (uint32_t page = 0; page < PAGES; page += 2)
        write_page(page, 2);
    CHECK_THAT("every second written again", count_wrong(0, PAGES, 2, 2) == 0);
    CHECK_THAT("and the others are as they were", count_wrong(1, PAGES, 2, 1) == 0);
    for (uint32_t page = 0; page < PAGES; page++)
        fill(page, page * 2654435761u);
    uint32_t wrong = 0;
    for (uint32_t page = PAGES; page-- > 0;)
        for (uint32_t i = 0; i < WORDS; i += 7)
            wrong += memory[page * WORDS + i] != page * 2654435761u;
    CHECK_THAT("pages of one word", wrong == 0);
    mix();
    munmap(memory + PAGES / 2 * WORDS, (size_t)PAGES / 2 * PAGE_BYTES);
    for (uint32_t page = 0; page < PAGES / 4; page++)
        write_page(page, 3);
    share(PAGES / 4);
    munmap(memory + PAGES / 8 * WORDS, (size_t)PAGES / 8 * 3 * PAGE_BYTES);
    end_and_begin(PAGES / 8);
    munmap(memory, (size_t)PAGES / 8 * PAGE_BYTES);
    sysinfo(&after);
    check_note("swap: %lu KiB free before, %lu after", before.freeswap / 1024,
               after.freeswap / 1024);
    return check_end();
}

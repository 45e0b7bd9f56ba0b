/* SPDX-License-Identifier: MIT */
/*
 * User test. madvise of pages of a file that were written by a shared mapping: PAGEOUT writes them and
 * takes them away, COLD and WILLNEED change nothing, and every byte stays what it was.
 *
 * run: ext2=4096
 */
#include "check.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_COLD
enum { MADV_COLD = 20, MADV_PAGEOUT = 21 };
#endif

enum { PAGE_BYTES = 4096, PAGES = 200, WORDS = PAGE_BYTES / 4, BYTES = PAGES * PAGE_BYTES };

static uint32_t copy[PAGES * WORDS];

static void fill(volatile uint32_t *memory, uint32_t first)
{
    for (unsigned i = 0; i < PAGES; i++)
        memory[i * WORDS] = first + i;
}

static bool is_right(const volatile uint32_t *memory, uint32_t first)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (memory[i * WORDS] != first + i)
            return false;
    return true;
}

int main(void)
{
    int file = open("paged", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && ftruncate(file, BYTES) == 0);
    volatile uint32_t *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(memory != MAP_FAILED);
    for (uint32_t round = 1; round < 4; round++) {
        fill(memory, 1000 * round);
        CHECK(madvise((void *)memory, BYTES, MADV_PAGEOUT) == 0);
        CHECK_THAT("the mapping", is_right(memory, 1000 * round));
        CHECK(madvise((void *)memory, BYTES, MADV_PAGEOUT) == 0);
        CHECK_THAT("read()", pread(file, copy, BYTES, 0) == BYTES && is_right(copy, 1000 * round));
        CHECK(madvise((void *)memory, BYTES, MADV_WILLNEED) == 0);
        CHECK(msync((void *)memory, BYTES, MS_SYNC) == 0);
        CHECK(madvise((void *)memory, BYTES, MADV_COLD) == 0);
        CHECK_THAT("written again", (fill(memory, 7 * round), is_right(memory, 7 * round)));
        CHECK(madvise((void *)memory, BYTES, MADV_PAGEOUT) == 0);
        CHECK_THAT("and read()", pread(file, copy, BYTES, 0) == BYTES && is_right(copy, 7 * round));
    }
    CHECK(munmap((void *)memory, BYTES) == 0 && close(file) == 0 && unlink("paged") == 0);
    return check_end();
}

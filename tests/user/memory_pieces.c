/* SPDX-License-Identifier: MIT */
/*
 * Ranges of very many regions or pages: a kernel that changes them piece by piece leaves behind what
 * one that does it at once leaves.
 *
 * run: seconds=120
 */
#define _GNU_SOURCE
#include "check.h"

#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 4096, STRIPES = 20000, RW = PROT_READ | PROT_WRITE };
enum { ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS, GIB = 1024 * 1024 * 1024 };

static int pipe_ends[2];

/* The byte at ADDRESS, or -1: it can't be read. */
static int byte_at(const char *address)
{
    unsigned char byte;
    return write(pipe_ends[1], address, 1) == 1 && read(pipe_ends[0], &byte, 1) == 1 ? byte : -1;
}

static bool is_writable(char *address)
{
    char byte = *address, other;
    if (write(pipe_ends[1], &byte, 1) != 1)
        return false;
    if (read(pipe_ends[0], address, 1) == 1)
        return true;
    return read(pipe_ends[0], &other, 1) != 1;
}

static bool is_mapped(char *address)
{
    unsigned char answer;
    return mincore(address, PAGE, &answer) == 0;
}

static int count_mapped(char *first, int pages)
{
    int count = 0;
    for (int i = 0; i < pages; i++)
        count += is_mapped(first + i * PAGE);
    return count;
}

static char *map(size_t bytes)
{
    char *memory = mmap(NULL, bytes, RW, ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        check_skip("no room");
    return memory;
}

/* Every other page from the second on can only be read; the others hold a 1. */
static void make_stripes(char *first, int pages)
{
    for (int i = 1; i < pages; i += 2) {
        first[(i - 1) * PAGE] = 1;
        if (mprotect(first + i * PAGE, PAGE, PROT_READ) != 0)
            check_skip("no room for regions");
    }
}

/* Both edges lie inside a region of several pages. */
static void test_munmap(void)
{
    enum { EDGE = 16 };
    char *memory = map((STRIPES + 2 * EDGE) * PAGE), *first = memory + EDGE * PAGE;
    memory[0] = 2;
    first[STRIPES * PAGE + (EDGE - 1) * PAGE] = 3;
    make_stripes(first + 1 * PAGE, STRIPES - 2);
    CHECK(munmap(first - EDGE / 2 * PAGE, (STRIPES + EDGE) * PAGE) == 0);
    CHECK_THAT("munmap: many regions: none of the range is left",
               count_mapped(first - EDGE / 2 * PAGE, STRIPES + EDGE) == 0);
    CHECK_THAT("munmap: many regions: what is around the range stays",
               count_mapped(memory, EDGE / 2) == EDGE / 2 &&
                   count_mapped(first + (STRIPES + EDGE / 2) * PAGE, EDGE / 2) == EDGE / 2);
    CHECK_THAT("munmap: many regions: it holds what it held",
               memory[0] == 2 && first[STRIPES * PAGE + (EDGE - 1) * PAGE] == 3);
}

static void test_map_fixed(void)
{
    char *memory = map(STRIPES * PAGE);
    make_stripes(memory, STRIPES);
    CHECK(mmap(memory, STRIPES * PAGE, RW, ANONYMOUS | MAP_FIXED, -1, 0) == memory);
    int wrong = 0;
    for (int i = 0; i < STRIPES; i++)
        wrong += byte_at(memory + i * PAGE) != 0 || !is_writable(memory + i * PAGE);
    CHECK_THAT("mmap: in place of many regions: all pages are new", wrong == 0);
    munmap(memory, STRIPES * PAGE);
}

static void test_madvise(void)
{
    char *memory = map(STRIPES * PAGE);
    make_stripes(memory, STRIPES);
    CHECK(madvise(memory, STRIPES * PAGE, MADV_DONTNEED) == 0);
    int wrong = 0;
    for (int i = 0; i < STRIPES; i++)
        wrong += byte_at(memory + i * PAGE) != 0 || is_writable(memory + i * PAGE) != (i % 2 == 0);
    CHECK_THAT("madvise: many regions: all pages are zero, rights stay", wrong == 0);
    munmap(memory, STRIPES * PAGE);
}

static void test_mprotect(void)
{
    enum { HOLE = 15000 };
    char *memory = map(STRIPES * PAGE);
    make_stripes(memory, STRIPES);
    munmap(memory + HOLE * PAGE, PAGE);
    errno = 0;
    CHECK(mprotect(memory, STRIPES * PAGE, PROT_READ) == -1 && errno == ENOMEM);
    int below = 0, above = 0;
    for (int i = 0; i < HOLE; i++)
        below += is_writable(memory + i * PAGE);
    for (int i = HOLE + 1; i < STRIPES; i++)
        above += is_writable(memory + i * PAGE);
    CHECK_THAT("mprotect: many regions and a hole: all below it is changed", below == 0);
    CHECK_THAT("mprotect: many regions and a hole: nothing above it is",
               above == (STRIPES - HOLE) / 2 - 1);
    CHECK(mprotect(memory, HOLE * PAGE, RW) == 0);
    int wrong = 0;
    for (int i = 0; i < HOLE; i++)
        wrong += !is_writable(memory + i * PAGE) || memory[i * PAGE] != (i % 2 == 0);
    CHECK_THAT("mprotect: many regions: all can be written, and hold what they held", wrong == 0);
    munmap(memory, STRIPES * PAGE);
}

/* The new place and what is cut off at the end are both of many regions. */
static void test_mremap(void)
{
    enum { KEPT = 8 };
    char *old = map((KEPT + STRIPES) * PAGE), *new = map(STRIPES * PAGE);
    old[(KEPT - 1) * PAGE] = 7;
    make_stripes(old + KEPT * PAGE, STRIPES);
    make_stripes(new, STRIPES);
    munmap(new + KEPT *PAGE, (STRIPES - KEPT) * PAGE);
    make_stripes(new, KEPT);
    CHECK(mremap(old, (KEPT + STRIPES) * PAGE, KEPT * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, new) ==
          new);
    CHECK_THAT("mremap: a place of many regions: it holds what was moved",
               new[(KEPT - 1) * PAGE] == 7 && is_writable(new + PAGE));
    CHECK_THAT("mremap: a tail of many regions: nothing of it is left",
               count_mapped(old, KEPT + STRIPES) == 0);
    munmap(new, KEPT * PAGE);
}

static void test_heap(void)
{
    char *start = sbrk(0);
    start += -(uintptr_t)start % PAGE;
    if (brk(start + STRIPES * PAGE) != 0)
        check_skip("no room for a heap");
    make_stripes(start, STRIPES);
    CHECK(brk(start + PAGE) == 0 && sbrk(0) == start + PAGE);
    CHECK_THAT("brk: a heap of many regions shrinks: nothing above its end is left",
               count_mapped(start + PAGE, STRIPES - 1) == 0 && start[0] == 1);
    CHECK(brk(start + STRIPES * PAGE) == 0);
    CHECK_THAT("brk: it grows again: of zeros, and writable",
               byte_at(start + 2 * PAGE) == 0 && is_writable(start + PAGE));
    brk(start);
}

/* Pages before, at and behind what a kernel may take for a piece. */
static const uint32_t marks[] = {0, PAGE, GIB / 4, GIB - PAGE, GIB, GIB + PAGE, GIB + GIB / 4};
enum { MARKS = sizeof marks / sizeof marks[0] };

static int count_writable(char *memory)
{
    int count = 0;
    for (int i = 0; i < MARKS; i++)
        count += is_writable(memory + marks[i]);
    return count;
}

static void test_large(void)
{
    const size_t bytes = GIB + GIB / 4 + 3 * PAGE;
    char *memory = map(bytes);
    for (int i = 0; i < MARKS; i++)
        memory[marks[i]] = (char)(i + 1);
    CHECK(mprotect(memory, bytes - PAGE, PROT_READ) == 0);
    CHECK_THAT("mprotect: over a GiB: no page can be written", count_writable(memory) == 0);
    CHECK_THAT("mprotect: over a GiB: the page behind it can", is_writable(memory + bytes - PAGE));
    CHECK(mprotect(memory, bytes - PAGE, RW) == 0);
    CHECK_THAT("mprotect: over a GiB: each can be written again", count_writable(memory) == MARKS);
    int wrong = 0;
    for (int i = 0; i < MARKS; i++)
        wrong += memory[marks[i]] != i + 1;
    CHECK_THAT("mprotect: over a GiB: each holds what it held", wrong == 0);
    CHECK(mremap(memory, bytes, bytes - PAGE, 0) == memory);
    CHECK(munmap(memory + PAGE, bytes - 3 * PAGE) == 0);
    CHECK_THAT("munmap: over a GiB inside a region: both ends stay, and no more",
               memory[0] == 1 && is_mapped(memory + bytes - 2 * PAGE) &&
                   count_mapped(memory + PAGE, 64) == 0 && !is_mapped(memory + GIB) &&
                   !is_mapped(memory + bytes - 3 * PAGE));
    munmap(memory, bytes);
}

int main(void)
{
    if (pipe(pipe_ends) != 0)
        return 1;
    test_munmap();
    test_map_fixed();
    test_madvise();
    test_mprotect();
    test_mremap();
    test_heap();
    test_large();
    return check_end();
}

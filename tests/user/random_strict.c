/* SPDX-License-Identifier: MIT */
/*
 * User test. Under overcommit=2 what was accepted is there: a random program, in several processes,
 * maps, protects, moves, forks and grows its heap and stack until it is refused, and touches all
 * that it was given. Refusals are right; being killed never is. Contents are checked.
 *
 * usage: random_strict [SEED [STEPS]]
 *
 * run: on=droste
 * run: options=overcommit=2
 * run: memory=32
 * run: seconds=180
 */
#include "check.h"

#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 4096, REGIONS = 40, DEPTH = 3 };

static uint32_t random_state;
static unsigned steps, refusals, kills;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return (random_state >> 8) % limit;
}

/* All pages of a region carry its stamp and their number. */
static struct region {
    char *memory;
    uint32_t pages, stamp;
    bool shared;
} regions[REGIONS];

static uint32_t *word(const struct region *region, uint32_t page)
{
    return (uint32_t *)(void *)(region->memory + page * PAGE);
}

static void fill(struct region *region, uint32_t first)
{
    for (uint32_t i = first; i < region->pages; i++)
        *word(region, i) = region->stamp + i;
}

static void check_region(const struct region *region)
{
    for (uint32_t i = 0; i < region->pages; i++)
        if (*word(region, i) != region->stamp + i)
            _exit(3);
}

static void drop(struct region *region)
{
    munmap(region->memory, region->pages * PAGE);
    region->memory = NULL;
}

static void forget(struct region *region)
{
    check_region(region);
    drop(region);
}

static void take(struct region *region)
{
    static const uint32_t sizes[] = {1, 3, 20, 100, 600, 1024, 1500, 3000};
    uint32_t pages = sizes[below(8)];
    int flags = MAP_ANONYMOUS | (below(6) == 0 ? MAP_SHARED : MAP_PRIVATE) |
                (below(4) == 0 ? MAP_NORESERVE : 0);
    char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) {
        refusals++;
        return;
    }
    *region = (struct region){memory, pages, below(1u << 24), (flags & MAP_SHARED) != 0};
    fill(region, 0);
}

/* Rights go and come back; a part of a region, so that it is split. */
static void protect(struct region *region)
{
    uint32_t first = below(region->pages), pages = 1 + below(region->pages - first);
    char *at = region->memory + first * PAGE;
    if (mprotect(at, pages * PAGE, below(2) ? PROT_READ : PROT_NONE) != 0) {
        refusals++;
        return;
    }
    if (mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE) != 0) {
        refusals++;
        drop(region);
        return;
    }
    fill(region, first);
}

static void resize(struct region *region)
{
    /* A shared one has no pages beyond its end, however long its region is. */
    uint32_t pages = 1 + below(region->shared ? region->pages : region->pages * 2);
    char *memory = mremap(region->memory, region->pages * PAGE, pages * PAGE, MREMAP_MAYMOVE);
    if (memory == MAP_FAILED) {
        refusals++;
        return;
    }
    uint32_t old = region->pages;
    region->memory = memory;
    region->pages = pages;
    fill(region, old < pages ? old : pages);
}

static void discard(struct region *region)
{
    madvise(region->memory, region->pages * PAGE, MADV_DONTNEED);
    fill(region, 0);
}

/* The stack grows; main() does it once before, so that room for this much is accepted. */
static __attribute__((noinline)) int dive(unsigned pages)
{
    volatile char page[PAGE];
    page[0] = (char)pages;
    return pages == 0 ? page[0] : dive(pages - 1) + page[0];
}

static void grow_heap(void)
{
    uint32_t pages = below(64);
    volatile char *memory = sbrk((intptr_t)pages * PAGE);
    if (memory == (void *)-1) {
        refusals++;
        return;
    }
    for (uint32_t i = 0; i < pages; i++)
        memory[i * PAGE] = 1;
    sbrk(-(intptr_t)pages * PAGE);
}

static void run(unsigned depth);

/* The child goes on by itself, then both have their own. */
static void split(unsigned depth)
{
    int status;
    pid_t pid = fork();
    if (pid < 0) {
        refusals++;
        return;
    }
    if (pid == 0) {
        steps /= 4;
        for (int i = 0; i < REGIONS; i++) /* the parent goes on to write there */
            if (regions[i].memory != NULL && regions[i].shared)
                drop(&regions[i]);
        run(depth + 1);
        _exit(0);
    }
    if (below(2)) /* the parent writes while the child lives */
        for (int i = 0; i < REGIONS; i++)
            if (regions[i].memory != NULL)
                fill(&regions[i], 0);
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) {
        kills++;
        check_note("a child was killed by signal %d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) != 0) {
        _exit(WEXITSTATUS(status));
    }
}

static void run(unsigned depth)
{
    for (unsigned i = 0; i < steps; i++) {
        struct region *region = &regions[below(REGIONS)];
        uint32_t what = below(16);
        if (region->memory == NULL)
            take(region);
        else if (what < 4)
            forget(region);
        else if (what < 7)
            protect(region);
        else if (what < 9)
            resize(region);
        else if (what == 9)
            discard(region);
        else if (what == 10)
            grow_heap();
        else if (what == 11)
            dive(below(30));
        else if (what == 12 && depth < DEPTH)
            split(depth);
        else
            check_region(region);
    }
    for (int i = 0; i < REGIONS; i++)
        if (regions[i].memory != NULL)
            forget(&regions[i]);
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 20261120;
    int status;
    dive(40);
    random_state = seed | 1;
    steps = argc > 2 ? strtoul(argv[2], NULL, 0) : 600;
    check_note("seed %u, %u steps", seed, steps);
    pid_t pid = fork();
    if (pid == 0) {
        run(0);
        check_note("%u refusals, %u kills", refusals, kills);
        _exit(kills != 0 ? 4 : 0);
    }
    CHECK_THAT("there is room for a first child", pid > 0);
    waitpid(pid, &status, 0);
    CHECK_THAT("nobody was killed", !WIFSIGNALED(status) && WEXITSTATUS(status) != 4);
    CHECK_THAT("all contents were right", !WIFEXITED(status) || WEXITSTATUS(status) != 3);
    return check_end();
}

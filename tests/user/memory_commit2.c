/* SPDX-License-Identifier: MIT */
/*
 * Overcommit mode 2: a program that asks at random for memory, and touches everything that was
 * accepted, is never refused a frame: neither it nor a child is killed, and contents are right.
 * run: on=droste
 * run: options=overcommit=2
 * run: memory=64
 * run: seconds=120
 */
#include "check.h"

#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 24 * 1024, STEPS = 1200, RW = PROT_READ | PROT_WRITE };
enum { ANON = MAP_PRIVATE | MAP_ANONYMOUS };

/* What is in each page of the arena: not there, read-only, or writable, and the value written. */
enum { NONE, READ_ONLY, WRITABLE };
static unsigned char state[PAGES], value[PAGES], shared[PAGES];
static char *arena;
static unsigned seed = 20261120, refusals;

static unsigned below(unsigned limit)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % limit;
}

static void set(unsigned first, unsigned count, int new_state, int is_new, int is_shared)
{
    for (unsigned i = first; i < first + count; i++) {
        state[i] = (unsigned char)new_state;
        if (is_new) {
            value[i] = 0;
            shared[i] = (unsigned char)is_shared;
        }
    }
}

/* Every page is read; every writable one is written as well, one in ONE_IN of them. */
static int touch_all(unsigned one_in)
{
    int wrong = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        if (state[i] == NONE)
            continue;
        wrong += (unsigned char)arena[i * PAGE] != value[i];
        if (state[i] == WRITABLE && below(one_in) == 0)
            arena[i * PAGE] = (char)(value[i] = (unsigned char)(1 + below(255)));
    }
    return wrong;
}

static void change(void)
{
    unsigned count = 1 + (below(4) == 0 ? below(3000) : below(60)), first = below(PAGES - count);
    char *at = arena + first * PAGE;
    int is_shared = below(5) == 0, is_ro = below(3) == 0, is_whole = 1;
    switch (below(5)) {
    case 0:
    case 1:
        if (mmap(at, count * PAGE, is_ro ? PROT_READ : RW,
                 (is_shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0) != MAP_FAILED)
            set(first, count, is_ro ? READ_ONLY : WRITABLE, 1, is_shared);
        else
            refusals++;
        break;
    case 2:
        if (munmap(at, count * PAGE) == 0)
            set(first, count, NONE, 1, 0);
        else
            refusals++;
        break;
    case 3:
        for (unsigned i = first; i < first + count; i++)
            is_whole &= state[i] != NONE;
        if (is_whole && mprotect(at, count * PAGE, is_ro ? PROT_READ : RW) == 0)
            set(first, count, is_ro ? READ_ONLY : WRITABLE, 0, 0);
        else
            refusals += (unsigned)is_whole;
        break;
    case 4:
        if (madvise(at, count * PAGE, MADV_DONTNEED) == 0 || errno == ENOMEM)
            for (unsigned i = first; i < first + count; i++)
                if (!shared[i])
                    value[i] = 0;
        break;
    }
}

/* A copy of everything; the child changes and touches its own. What is shared it leaves alone. */
static int child(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (shared[i] && state[i] == WRITABLE)
            state[i] = READ_ONLY;
    int wrong = touch_all(1);
    return wrong == 0 && touch_all(2) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    int wrong = 0, killed = 0, forks = 0;
    if (argc > 1)
        seed = (unsigned)atoi(argv[1]);
    check_note("seed %u", seed);
    arena = mmap(NULL, PAGES * PAGE, PROT_NONE, ANON, -1, 0);
    CHECK(arena != MAP_FAILED && munmap(arena, PAGES * PAGE) == 0);
    CHECK_THAT("more than there is, is refused",
               mmap(NULL, 80 << 20, RW, ANON | MAP_NORESERVE, -1, 0) == MAP_FAILED &&
                   errno == ENOMEM);
    for (int step = 0; step < STEPS; step++) {
        change();
        if (below(20) == 0)
            wrong += touch_all(1 + below(4));
        if (below(30) == 0) {
            int status = check_child(child);
            forks += status != -1;
            killed += status != -1 && status != 0;
        }
    }
    wrong += touch_all(1) + touch_all(1);
    check_note("%u requests refused, %d forks", refusals, forks);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(killed, 0);
    CHECK_THAT("the limit was reached", refusals > 0);
    return check_end();
}

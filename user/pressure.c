/* SPDX-License-Identifier: MIT */
/*
 * More memory than there is: it is taken in steps, each page of it written; then touched again, and
 * every word compared. A line a step says where it is meanwhile.
 *
 *   make run INIT=build/user/pressure MEM=16 SWAP=64            ARGS="MIB ROUNDS"
 *
 * Ctrl-] and `watch` show what the kernel does about it, second by second.
 * Change this and see: fork() after the first step; read every second page only; without SWAP=.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

enum { MIB = 1 << 20, PAGE = 4096, WORDS = PAGE / 4, STEPS = 8 };

static struct sysinfo machine;
static uint32_t *part[STEPS];
static unsigned part_pages;

static unsigned long mib(unsigned long amount)
{
    return (unsigned long)((unsigned long long)amount * machine.mem_unit / MIB);
}

static long waits(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_majflt;
}

/* Word I of a page: no two pages are alike, and none is full of zeros. */
static uint32_t word_of(unsigned round, unsigned step, unsigned page, unsigned i)
{
    return ((round * STEPS + step) * part_pages + page) * 2654435761u + i * 40503u + 1;
}

static void say(const char *what, unsigned step, long waited)
{
    sysinfo(&machine);
    printf(
        "%s part %u of %u: %5u pages; of all, %3lu MiB of RAM are free, %3lu MiB are in swap; it "
        "waited %ld times\n",
        what, step + 1, STEPS, part_pages, mib(machine.freeram),
        mib(machine.totalswap - machine.freeswap), waited);
    fflush(stdout);
}

static void write_part(unsigned round, unsigned step)
{
    for (unsigned page = 0; page < part_pages; page++)
        for (unsigned i = 0; i < WORDS; i++)
            part[step][page * WORDS + i] = word_of(round, step, page, i);
}

static unsigned count_wrong(unsigned round, unsigned step)
{
    unsigned wrong = 0;

    for (unsigned page = 0; page < part_pages; page++)
        for (unsigned i = 0; i < WORDS; i++)
            wrong += part[step][page * WORDS + i] != word_of(round, step, page, i);
    return wrong;
}

static void take(unsigned step)
{
    part[step] = mmap(NULL, (size_t)part_pages * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (part[step] == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
}

/* One and a half times what there is, if it fits; without swap three quarters of what is free. */
static unsigned long choose_mib(void)
{
    unsigned long wanted = mib(machine.totalram) * 3 / 2;
    unsigned long most = mib(machine.freeram) * 3 / 4 + mib(machine.freeswap) * 3 / 4;

    return wanted < most ? wanted : most;
}

static unsigned run_round(unsigned round)
{
    unsigned wrong = 0;

    for (unsigned step = 0; step < STEPS; step++) {
        long before = waits();

        if (part[step] == NULL)
            take(step);
        write_part(round, step);
        say("written:", step, waits() - before);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        long before = waits();

        wrong += count_wrong(round, step);
        say("read:   ", step, waits() - before);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    unsigned wrong = 0;

    sysinfo(&machine);
    unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
    if (wanted == 0)
        wanted = choose_mib();
    part_pages = (unsigned)(wanted * (MIB / PAGE) / STEPS);
    printf("%lu MiB are wanted; there are %lu MiB of RAM, and %lu MiB of swap.\n", wanted,
           mib(machine.totalram), mib(machine.totalswap));
    if (machine.totalswap == 0)
        printf("There is no swap (SWAP=64): what does not fit into RAM would be the end of me.\n");
    for (unsigned round = 0; round < (rounds > 0 ? rounds : 1); round++)
        wrong += run_round(round);
    printf("%u pages, %ld faults that waited for the disk; %u words are not what was written.\n",
           part_pages * STEPS, waits(), wrong);
    return wrong > 0;
}

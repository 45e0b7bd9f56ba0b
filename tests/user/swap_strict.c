/* SPDX-License-Identifier: MIT */
/*
 * User test. Under overcommit=2 with swap, what was accepted is there: all that can be promised is
 * written, more than RAM; its pages go out, and their tables; then slot after slot is discarded and written
 * anew, while the old table still holds what it did; then mappings take their places. A touch may wait,
 * and nobody is ended.
 *
 * run: on=droste
 * run: options=overcommit=2
 * run: memory=16
 * run: swap=16
 * run: seconds=300
 */
#include "check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>

enum {
    PAGE = 4096,
    SLOT_PAGES = 1024,
    SLOTS_MOST = 32,
    REST_PAGES = 16, /* the last of what can be promised is taken in such pieces */
    RESTS_MOST = 256
};

/* How pages become new ones. */
enum turn { FIRST, DISCARDED, REPLACED, TURNS };

static volatile uint32_t *slots[SLOTS_MOST], *rests[RESTS_MOST];
static unsigned slot_count, rest_count;

static volatile uint32_t *word(volatile uint32_t *memory, unsigned page)
{
    return memory + page * (PAGE / 4);
}

static volatile uint32_t *map(void *address, unsigned pages)
{
    void *memory = mmap(address, (size_t)pages * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | (address != NULL ? MAP_FIXED : 0), -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* All that is accepted: what one table shows at a time, then the rest. */
static void take_all(void)
{
    char *address = (char *)0x50000000;
    while (slot_count < SLOTS_MOST && (slots[slot_count] = map(address, SLOT_PAGES)) != NULL) {
        slot_count++;
        address += SLOT_PAGES * PAGE;
    }
    while (rest_count < RESTS_MOST && (rests[rest_count] = map(NULL, REST_PAGES)) != NULL)
        rest_count++;
}

static void write_slot(uint32_t turn, unsigned i)
{
    for (unsigned page = 0; page < SLOT_PAGES; page++)
        *word(slots[i], page) = turn << 24 | i << 16 | page;
}

static void write_rests(uint32_t turn)
{
    for (unsigned i = 0; i < rest_count; i++)
        for (unsigned page = 0; page < REST_PAGES; page++)
            *word(rests[i], page) = turn << 24 | i << 8 | page;
}

static int is_as_written(uint32_t turn)
{
    for (unsigned i = 0; i < slot_count; i++)
        for (unsigned page = 0; page < SLOT_PAGES; page++)
            if (*word(slots[i], page) != (turn << 24 | i << 16 | page))
                return 0;
    for (unsigned i = 0; i < rest_count; i++)
        for (unsigned page = 0; page < REST_PAGES; page++)
            if (*word(rests[i], page) != (turn << 24 | i << 8 | page))
                return 0;
    return 1;
}

/* What is in slots, as a rule, has its pages given up, and is written at once. */
static void renew(uint32_t turn, unsigned i)
{
    if (turn == DISCARDED)
        madvise((void *)slots[i], (size_t)SLOT_PAGES * PAGE, MADV_DONTNEED);
    if (turn == REPLACED && map((void *)slots[i], SLOT_PAGES) == NULL)
        _exit(3);
    write_slot(turn, i);
}

static void run(void)
{
    take_all();
    check_note("%u slots, and %u times %u pages", slot_count, rest_count, REST_PAGES);
    if (slot_count < 4 || rest_count == RESTS_MOST)
        _exit(1);
    for (uint32_t turn = FIRST; turn < TURNS; turn++) {
        for (unsigned i = 0; i < slot_count; i++)
            renew(turn, i);
        write_rests(turn);
        if (!is_as_written(turn))
            _exit(2);
    }
    _exit(0);
}

/* The line NAME of /proc/meminfo, in KiB. */
static long meminfo(const char *name)
{
    char line[128];
    long value = -1;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtol(line + strlen(name) + 1, NULL, 10);
    if (file != NULL)
        fclose(file);
    return value;
}

/*
 * What the area added to what can be promised is less than its slots: by the frames that it has for their
 * records, eight bytes each, and by the slots that stay free so that pages can change places.
 */
static void end_area(void)
{
    enum { KEPT_FREE = 32 * PAGE / 1024, SLOTS_OF_A_RECORD_PAGE = PAGE / 8 };
    long all = meminfo("SwapTotal"), limit = meminfo("CommitLimit");
    CHECK_THAT("the area ends", swapoff("/dev/hdb") == 0);
    limit -= meminfo("CommitLimit");
    check_note("%ld KiB of slots added %ld KiB", all, limit);
    CHECK_THAT("what it added was there",
               limit > all / 2 && limit <= all - KEPT_FREE - all / SLOTS_OF_A_RECORD_PAGE);
}

int main(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        run();
    waitpid(pid, &status, 0);
    CHECK_THAT("there is room for a child", pid > 0);
    CHECK_THAT("it was not killed", WIFEXITED(status));
    CHECK_THAT("all that was accepted was there", WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        check_note("status %u", (unsigned)WEXITSTATUS(status));
    end_area();
    return check_end();
}

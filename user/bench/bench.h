/* SPDX-License-Identifier: MIT */
/*
 * User program. Used by: user/bench/.
 *
 * Rows: the least of several samples, per operation, as a line `NAME VALUE UNIT`. Nothing is taken
 * off a row: the loop around it and one rdtsc are in it (row rdtsc_pair says what that costs).
 */
#ifndef USER_BENCH_BENCH_H
#define USER_BENCH_BENCH_H

#include "system.h"

/* The least of some times. */
struct least {
    uint64_t time;
};
#define LEAST_NONE ((struct least){UINT64_MAX})

static inline void least_add(struct least *least, uint64_t time)
{
    if (time < least->time)
        least->time = time;
}

/* ---- output.c ---- */

/* NAME, then NUMBER, then UNIT, as one text; good until the next call. */
const char *numbered(const char *name, uint32_t number, const char *unit);

/* A row in time, for one of OPERATIONS; none if there was no sample. */
void report(const char *name, struct least least, uint32_t operations);

/* A row that is a number. */
void report_value(const char *name, uint64_t value, const char *unit);

/* The kernel answered ERROR, an error number negated. */
void report_refusal(const char *name, int32_t error);

/* ---- the groups of rows ---- */

void bench_ram(void);
void bench_null(void);
void bench_mmap(void);
void bench_fault(void);
void bench_sparse(void);
void bench_mprotect(void);
void bench_regions(void);
void bench_fork(void);
void bench_cow(void);
void bench_exec(void);
void bench_pipe(void);
void bench_brk(void);
void bench_madvise(void);
void bench_signal(void);
void bench_random(void);
void bench_schedule(void);
void bench_events(void);

extern const char *bench_path; /* this program's own, for execve */

/* ---- what several groups need ---- */

enum { REGIONS = 60000, RAM_KIDS = 64 };
static const uint32_t FAULT_BYTES = 16u * MIB;

uint32_t random_number(void);
void random_begin(void);

/* KiB of RAM that nobody uses; waits first until the kernel has given back what it keeps aside. */
uint32_t free_kib(void);

static inline void touch_all(uint32_t address, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += PAGE_BYTES)
        touch_write(address + i);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: cpu, test. Used by: the benches.
 *
 * Counting what a statement costs. Under `-icount shift=0` the counter advances by one an
 * instruction, so one run is the truth; on a real CPU they are cycles of one cold run.
 */
#ifndef TESTS_KERNEL_MEASURE_H
#define TESTS_KERNEL_MEASURE_H

#include <arch/i386/cpu.h>
#include <kernel/test.h>

/* What two readings of the counter, one right after the other, differ by. */
static inline uint64_t measure_overhead(void)
{
    uint64_t start = cpu_cycles();
    return cpu_cycles() - start;
}

/* Add to SUM what STATEMENT costs, without the readings. */
#define MEASURE(sum, statement)                                                                    \
    do {                                                                                           \
        uint64_t measure_start_ = cpu_cycles();                                                    \
        statement;                                                                                 \
        (sum) += cpu_cycles() - measure_start_ - measure_overhead();                               \
    } while (0)

#endif

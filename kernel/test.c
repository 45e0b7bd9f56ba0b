/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Runs what stands in the linker sets of tests, panic tests and measurements.
 *
 * Output is KTAP version 1: a plan, one line a test, reasons of a failure as comments before its
 * line. A test fails when it or an invariant around it says so; it is skipped only if neither did.
 * Source: Linux, "The Kernel Test Anything Protocol (KTAP), version 1".
 */
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>

/* The test that runs now. */
static struct {
    const char *unit;
    unsigned failures;
    const char *skip_reason; /* NULL: not skipped */
} current;

uint8_t test_scratch[TEST_SCRATCH_BYTES] __attribute__((aligned(16)));

enum { FAILURES_SHOWN_MAX = 10 };

/* Say where a failure was. A test that fails in a long loop is cut off, not its count. */
static bool note_failure(const char *file, int line)
{
    current.failures++;
    if (current.failures == FAILURES_SHOWN_MAX + 1)
        printk("# ... and more\n");
    if (current.failures > FAILURES_SHOWN_MAX)
        return false;
    printk("# %s:%d: ", file, line);
    return true;
}

void test_fail(const char *file, int line, const char *what)
{
    if (note_failure(file, line))
        printk("%s\n", what);
}

void test_expect_equal(const char *file, int line, const char *left_text, uint32_t left,
                       const char *right_text, uint32_t right)
{
    if (left != right && note_failure(file, line))
        printk("%s is %u (0x%x), %s is %u (0x%x)\n", left_text, (unsigned)left, (unsigned)left,
               right_text, (unsigned)right, (unsigned)right);
}

void test_skip(const char *reason)
{
    current.skip_reason = reason;
}

const char *test_unit(void)
{
    return current.unit;
}

/* Xorshift, as in G. Marsaglia, "Xorshift RNGs": every state but 0 comes up once in 2^32 - 1. */
uint32_t test_random(uint32_t *state)
{
    uint32_t x = *state != 0 ? *state : 1;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

static bool is_selected(const struct test *test, const char *unit)
{
    return unit == NULL || strcmp(test->unit, unit) == 0;
}

static void run_with_invariants(const struct test *test)
{
    const struct test_invariant *invariant;

    for (invariant = test_invariants_first; invariant < test_invariants_end; invariant++)
        if (invariant->before != NULL)
            invariant->before();
    test->run();
    for (invariant = test_invariants_first; invariant < test_invariants_end; invariant++) {
        unsigned failures = current.failures;

        invariant->after();
        if (current.failures > failures)
            printk("# the invariant \"%s\" does not hold after this test\n", invariant->name);
    }
}

bool tests_run(const char *unit)
{
    unsigned number = 0, passed = 0, failed = 0, skipped = 0;
    const struct test *test;

    for (test = tests_first; test < tests_end; test++)
        number += is_selected(test, unit);
    printk("KTAP version 1\n1..%u\n", number);
    number = 0;
    for (test = tests_first; test < tests_end; test++) {
        if (!is_selected(test, unit))
            continue;
        current.unit = test->unit;
        current.failures = 0;
        current.skip_reason = NULL;
        run_with_invariants(test);
        printk("%s %u - %s: %s", current.failures != 0 ? "not ok" : "ok", ++number, test->unit,
               test->name);
        if (current.failures != 0) {
            failed++;
        } else if (current.skip_reason != NULL) {
            skipped++;
            printk(" # SKIP %s", current.skip_reason);
        } else {
            passed++;
        }
        printk("\n");
    }
    printk("# passed %u failed %u skipped %u\n", passed, failed, skipped);
    return number != 0 && failed == 0;
}

static bool has_unit(const struct test *test, const struct test *end, const char *unit)
{
    while (test < end && !is_selected(test, unit))
        test++;
    return test < end;
}

bool tests_exist(const char *unit)
{
    return has_unit(tests_first, tests_end, unit);
}

bool panic_test_exists(const char *name)
{
    return has_unit(panic_tests_first, panic_tests_end, name);
}

bool benches_exist(const char *unit)
{
    return has_unit(benches_first, benches_end, unit);
}

void panic_test_run(const char *name)
{
    const struct test *test;

    for (test = panic_tests_first; test < panic_tests_end; test++) {
        if (!is_selected(test, name))
            continue;
        printk("# panic test %s\n", name);
        test->run();
        printk("# panic test %s came back: it should have ended in a panic\n", name);
    }
}

bool benches_run(const char *unit)
{
    unsigned number = 0;
    const struct test *bench;

    for (bench = benches_first; bench < benches_end; bench++) {
        if (!is_selected(bench, unit))
            continue;
        printk("# bench %s\n", bench->unit);
        bench->run();
        number++;
    }
    return number != 0;
}

void bench_row(const char *name, uint64_t value, const char *unit, const char *floor)
{
    if (floor != NULL)
        printk("# floor %s: %s\n", name, floor);
    printk("%s %llu %s\n", name, (unsigned long long)value, unit);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: tests/kernel/, main, prompt/.
 *
 * Self-tests and measurements stand in linker sets, in the order of the link: layer order. Output
 * is KTAP version 1.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include <kernel/types.h>

struct test {
    const char *unit; /* "frame" */
    const char *name; /* "condition: expectation" */
    void (*run)(void);
};

#define TEST_JOIN_(a, b) a##b
#define TEST_JOIN(a, b)  TEST_JOIN_(a, b)

/* TEST("frame", "a frame freed: is the next one handed out") { ... EXPECT(...); ... } */
#define TEST(test_unit, test_name)                                                                 \
    static void TEST_JOIN(test_run_, __LINE__)(void);                                              \
    static in_link_order const struct test TEST_JOIN(test_case_, __LINE__)                         \
        __attribute__((section(".tests"), used)) = {(test_unit), (test_name),                      \
                                                    TEST_JOIN(test_run_, __LINE__)};               \
    static void TEST_JOIN(test_run_, __LINE__)(void)

/* Record a failure with file, line and text, and go on. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)

/* The same for two numbers, which are shown. */
#define EXPECT_EQUAL(left, right)                                                                  \
    test_expect_equal(__FILE__, __LINE__, #left, (uint32_t)(left), #right, (uint32_t)(right))

/* Record a failure and leave the test: for what the rest can't go on without. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, #condition);                                             \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Leave the test, counted as skipped: "needs 1 GiB of RAM". */
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_skip(reason);                                                                         \
        return;                                                                                    \
    } while (0)

void test_fail(const char *file, int line, const char *what);
void test_expect_equal(const char *file, int line, const char *left_text, uint32_t left,
                       const char *right_text, uint32_t right);
void test_skip(const char *reason);

/* The unit of the test that runs: for invariants that are stricter with some. */
const char *test_unit(void);

/* A repeatable stream of numbers; the seed is printed by the caller. */
uint32_t test_random(uint32_t *state);

/*
 * Memory for the test that runs: what is large, and would otherwise stand in the image once for
 * each file. What an earlier test left in it is nobody's; a file takes it for one purpose.
 */
enum { TEST_SCRATCH_BYTES = 41 * 1024 };
extern uint8_t test_scratch[TEST_SCRATCH_BYTES];

/* What must hold after every test: a unit's check of itself. Fails the test by test_fail(). */
struct test_invariant {
    const char *name;
    void (*before)(void); /* NULL: none */
    void (*after)(void);
};
#define TEST_INVARIANT(invariant_name, before_function, after_function)                            \
    static in_link_order const struct test_invariant TEST_JOIN(test_invariant_, __LINE__)          \
        __attribute__((section(".test_invariants"), used)) = {(invariant_name), (before_function), \
                                                              (after_function)}

/*
 * A boot of its own that must end in a panic: `panic=NAME` on the command line runs it.
 * PANIC_TEST("double-free") { ... }
 */
#define PANIC_TEST(panic_name)                                                                     \
    static void TEST_JOIN(panic_run_, __LINE__)(void);                                             \
    static in_link_order const struct test TEST_JOIN(panic_case_, __LINE__)                        \
        __attribute__((section(".panic_tests"), used)) = {(panic_name), "",                        \
                                                          TEST_JOIN(panic_run_, __LINE__)};        \
    static void TEST_JOIN(panic_run_, __LINE__)(void)

/*
 * A measurement. BENCH("frame") { ... bench_row("frame_alloc_0", value, "insn", floor) ... }: the
 * unit is what `bench NAME` selects.
 */
#define BENCH(bench_unit)                                                                          \
    static void TEST_JOIN(bench_run_, __LINE__)(void);                                             \
    static in_link_order const struct test TEST_JOIN(bench_case_, __LINE__)                        \
        __attribute__((section(".benches"), used)) = {(bench_unit), "",                            \
                                                      TEST_JOIN(bench_run_, __LINE__)};            \
    static void TEST_JOIN(bench_run_, __LINE__)(void)

/*
 * A row of the table, for benches: "NAME VALUE UNIT". FLOOR names what can't be undercut, as
 * rows printed earlier and numbers joined by " + " ("exception + clear_frame"); NULL: none. It
 * is printed before the row as "# floor NAME: FLOOR", and `make bench` shows the multiple.
 */
void bench_row(const char *name, uint64_t value, const char *unit, const char *floor);

/*
 * Run those whose unit is UNIT (NULL: all). tests_run returns true if there was one and none
 * failed. From inside a test they must not be called.
 */
bool tests_run(const char *unit);
void panic_test_run(const char *name); /* comes back only if it fails */
bool benches_run(const char *unit);    /* false: no such unit */

/* Is there one for this UNIT, or of this NAME? */
bool tests_exist(const char *unit);
bool panic_test_exists(const char *name);
bool benches_exist(const char *unit);

/* The sets; from linker.ld. */
extern const struct test tests_first[], tests_end[], panic_tests_first[], panic_tests_end[];
extern const struct test benches_first[], benches_end[];
extern const struct test_invariant test_invariants_first[], test_invariants_end[];

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Host test. The kernel's own self-tests (tests/kernel/) on the model, under the sanitizers; and
 * its panic tests, each on a machine of its own. After every test the TLB is compared with the
 * entries. Usage: self_tests [-m MIB] [-f] [-p FILE] [UNIT]; -f: a CPU without PSE and PGE; -p: the
 * panic tests, whose texts are in FILE (tests/panics.txt).
 */
#include "machine.h"

#include <arch/i386/cpu.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What makes no sense here, and why. */
#define NO_IMAGE  "needs the kernel's own image"
#define NO_LEDGER "the ledger is not told"
#define POINTERS  "counts on pointers of four bytes"
static const struct {
    const char *unit, *name, *why;
} not_here[] = {
    {"symbols", "an address inside a function: is found with its offset", NO_IMAGE},
    {"format", "integers: signs, bases, extremes", POINTERS},
    {"paging", "a large page: shows its 1024 frames, writable or not, until it is unmapped",
     NO_IMAGE},
    {"paging", "a large page and a small page of the same frame: show the same", NO_IMAGE},
    {"paging", "a large page of the kernel: is global where the CPU has it, and leaves no trace",
     NO_IMAGE},
    {"paging", "the image itself: text and constants refuse a write, the guard any access",
     NO_IMAGE},
    {"directory", "a large page of the kernel set, then cleared: seen in all", NO_IMAGE},
    {"directory", "a large page of the kernel in the place of a table, and back: seen in all",
     NO_IMAGE},
    {"heap", "tags, lists and totals overwritten: each is caught by the check", POINTERS},
};

static const char *why_not_here(const struct test *test)
{
    bool is_of_ledger = strcmp(test->unit, "ledger") == 0 || strstr(test->name, "that is owed");
    if (is_of_ledger && getenv("NO_LEDGER") != NULL)
        return NO_LEDGER;
    for (unsigned i = 0; i < ARRAY_LENGTH(not_here); i++)
        if (strcmp(test->unit, not_here[i].unit) == 0 && strcmp(test->name, not_here[i].name) == 0)
            return not_here[i].why;
    return NULL;
}

static void skip_no_image(void)
{
    test_skip(NO_IMAGE);
}

static void skip_no_ledger(void)
{
    test_skip(NO_LEDGER);
}

static void skip_pointers(void)
{
    test_skip(POINTERS);
}

/* The host's linker script keeps the set where it can be written. */
static void take_out(void)
{
    for (uintptr_t at = (uintptr_t)tests_first; at < (uintptr_t)tests_end;
         at += sizeof(struct test)) {
        struct test *test = (struct test *)at;
        const char *why = why_not_here(test);
        if (why != NULL)
            test->run = strcmp(why, POINTERS) == 0    ? skip_pointers
                        : strcmp(why, NO_LEDGER) == 0 ? skip_no_ledger
                                                      : skip_no_image;
    }
}

static void compare_tlb(void)
{
    vaddr_t where;
    machine_preload_window();
    const char *broken = machine_check_tlb(&where);
    if (broken == NULL)
        return;
    printk("# page " PRI_VADDR "\n", ARG_VADDR(where));
    test_fail(__FILE__, __LINE__, broken);
}

TEST_INVARIANT("the TLB agrees with the entries", NULL, compare_tlb);

/* ---- panics ---- */

static const struct test *panic_test;

static void run_panic_test(void)
{
    panic_test->run();
}

static const struct test *find_panic_test(const char *name)
{
    for (const struct test *test = panic_tests_first; test < panic_tests_end; test++)
        if (strcmp(test->unit, name) == 0)
            return test;
    return NULL;
}

/* Run the panic test NAME on a new machine; WANTED is an extended regular expression. */
static bool panics_as_wanted(const char *name, const char *wanted)
{
    static const struct machine_options options = {64 << 20, true, true};
    struct boot_info boot;
    regex_t expression;
    machine_boot_info(options.ram_bytes, &boot);
    if (machine_boot(&options, &boot) != KERR_OK)
        return false;
    const char *said = machine_expect_panic(run_panic_test);
    if (regcomp(&expression, wanted, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool matches = said != NULL && regexec(&expression, said, 0, NULL, 0) == 0;
    regfree(&expression);
    printf("%sok - panic %s: %s\n", matches ? "" : "not ", name, said != NULL ? said : "none");
    return matches;
}

/* They name, read, write or jump to what is the host's here. */
static bool is_of_the_image(const char *name)
{
    static const char *const names[] = {"write-rodata", "null-read", "null-call",
                                        "spurious-for-ever"};
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "df-", 3) == 0; /* double faults */
}

/* Lines of FILE: name, kernels, expressions, with tabs between; the first expression is asked
 * for. */
static int run_panic_tests(const char *file)
{
    char line[1000];
    unsigned passed = 0, failed = 0;
    FILE *list = fopen(file, "r");
    if (list == NULL)
        return 2;
    machine_set_output(OUTPUT_HIDDEN);
    while (fgets(line, sizeof(line), list) != NULL) {
        const char *name = strtok(line, "\t"), *kernels = strtok(NULL, "\t");
        const char *wanted = strtok(NULL, "\t\n");
        if (wanted == NULL || strcmp(kernels, "plain") == 0 || is_of_the_image(name))
            continue;
        panic_test = find_panic_test(name);
        if (panic_test == NULL)
            continue; /* it needs a part of the kernel that is not here */
        if (panics_as_wanted(name, wanted))
            passed++;
        else
            failed++;
    }
    fclose(list);
    printf("# passed %u failed %u\n", passed, failed);
    return failed != 0 || passed == 0;
}

int main(int argc, char **argv)
{
    struct machine_options options = {.ram_bytes = 64 << 20, .pse = true, .pge = true};
    struct boot_info boot;
    int option;
    while ((option = getopt(argc, argv, "m:fp:")) != -1) {
        if (option == 'p')
            return run_panic_tests(optarg);
        if (option == 'm')
            options.ram_bytes = (uint32_t)strtoul(optarg, NULL, 10) << 20;
        else
            options.pse = options.pge = false;
    }
    machine_boot_info(options.ram_bytes, &boot);
    if (machine_boot(&options, &boot) != KERR_OK)
        return 1;
    take_out();
    bool passed = tests_run(optind < argc ? argv[optind] : NULL);
    return passed ? 0 : 1;
}

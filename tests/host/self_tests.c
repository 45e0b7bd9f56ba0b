/* SPDX-License-Identifier: MIT */
/*
 * Host test. The kernel's own self-tests (tests/kernel/) on the model, under the sanitizers; and
 * its panic tests, each in a process of its own. After every test the TLB is compared with the
 * entries. Usage: self_tests [-m MIB] [-f] [UNIT]; -f: a CPU without PSE and PGE.
 */
#include "machine.h"

#include <arch/i386/cpu.h>
#include <kernel/printk.h>
#include <kernel/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What makes no sense here, and why. */
#define NO_IMAGE "needs the kernel's own image"
#define POINTERS "counts on pointers of four bytes"
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
    for (unsigned i = 0; i < ARRAY_LENGTH(not_here); i++)
        if (strcmp(test->unit, not_here[i].unit) == 0 && strcmp(test->name, not_here[i].name) == 0)
            return not_here[i].why;
    return NULL;
}

static void skip_no_image(void)
{
    test_skip(NO_IMAGE);
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
            test->run = strcmp(why, POINTERS) == 0 ? skip_pointers : skip_no_image;
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

int main(int argc, char **argv)
{
    struct machine_options options = {.ram_bytes = 64 << 20, .pse = true, .pge = true};
    struct boot_info boot;
    int option;
    while ((option = getopt(argc, argv, "m:f")) != -1) {
        if (option == 'm')
            options.ram_bytes = (uint32_t)strtoul(optarg, NULL, 10) << 20;
        else
            options.pse = options.pge = false;
    }
    take_out();
    machine_boot_info(options.ram_bytes, &boot);
    if (machine_boot(&options, &boot) != KERR_OK)
        return 1;
    bool passed = tests_run(optind < argc ? argv[optind] : NULL);
    return passed ? 0 : 1;
}

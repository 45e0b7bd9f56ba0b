/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Commands for the kernel as a whole: help, self-tests, measurements, leaving.
 */
#include <kernel/machine.h>
#include <kernel/printk.h>
#include <kernel/prompt.h>
#include <kernel/string.h>

enum { USAGE_COLUMNS = 21 };

/* Say which units [FIRST, END) has, since UNIT (NULL: any) is none of them. */
static void print_units(const char *what, const char *unit, const struct test *first,
                        const struct test *end)
{
    const char *last = "";

    printk("no %s for '%s'; there are:", what, unit != NULL ? unit : "any unit");
    for (const struct test *test = first; test < end; test++) {
        if (strcmp(test->unit, last) != 0)
            printk(" %s", test->unit);
        last = test->unit;
    }
    printk("\n");
}

COMMAND("test", "[UNIT]", "run the self-tests, of all units or one")
{
    const char *unit = arguments->count > 0 ? arguments->word[0] : NULL;

    for (const struct test *test = tests_first; test < tests_end; test++) {
        if (unit == NULL || strcmp(test->unit, unit) == 0) {
            tests_run(unit);
            return true;
        }
    }
    print_units("tests", unit, tests_first, tests_end);
    return true;
}

COMMAND("bench", "[UNIT]", "measure, all units or one")
{
    const char *unit = arguments->count > 0 ? arguments->word[0] : NULL;

    if (!benches_run(unit))
        print_units("measurements", unit, benches_first, benches_end);
    return true;
}

COMMAND("help", "", "this list")
{
    char usage[USAGE_COLUMNS + 1];

    for (const struct command *command = commands_first; command < commands_end; command++) {
        format_text(usage, sizeof(usage), "%s %s", command->name, command->usage);
        printk("  %-*s %s\n", USAGE_COLUMNS, usage, command->purpose);
    }
    printk("ADDR and SIZE: 4096, 0x1000, 64K, 16M, 1G. Up and Down recall earlier lines.\n");
    return true;
}

COMMAND("reboot", "", "start the machine again")
{
    machine_reboot();
}

COMMAND("halt", "", "leave the emulator, or stop the machine")
{
    machine_exit(EXIT_HALT);
}

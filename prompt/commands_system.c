/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands for the kernel as a whole: help, self-tests, measurements, the audit, leaving.
 */
#include <kernel/machine.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/audit.h>
#include <mm/heap.h>
#include <process/audit.h>
#include <process/client.h>
#include <prompt/prompt.h>
#include <store/swap.h>

enum { USAGE_COLUMNS = 21, USAGE_BYTES = 64 };

/* Say which units [FIRST, END) has, since UNIT (NULL: any) is none of them. */
static void print_units(const char *what, const char *unit, const struct test *first,
                        const struct test *end)
{
    const char *last = "";

    if (first == end) {
        printk("this kernel has no %s: `make run` without CHECKED=1 has\n", what);
        return;
    }
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

    if (vma_first(&boot_space) != NULL) {
        printk("release what you reserved first: the self-tests want the lower half empty\n");
        return true;
    }
    if (process_count() != 0) {
        printk("end the processes first (ps, kill): the self-tests want to be alone\n");
        return true;
    }
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
    char usage[USAGE_BYTES];

    for (const struct command *command = commands_first; command < commands_end; command++) {
        format_text(usage, sizeof(usage), "%s %s", command->name, command->usage);
        printk("  %-*s %s\n", USAGE_COLUMNS, usage, command->purpose);
    }
    printk("ADDR and SIZE: 4096, 0x1000, 64K, 16M, 1G. Up and Down recall earlier lines.\n");
    return true;
}

/* Recount memory and processes, and walk the heap. Says what is broken; true: nothing is. */
static bool audit_all(struct audit *audit, struct process_audit *processes)
{
    vaddr_t where;
    const char *sentence = vm_audit(audit, swap_frames_put_by());

    if (sentence != NULL) {
        printk("\033[31mBROKEN: \"%s\" is not true of %s\033[0m\n", sentence, audit->where);
        return false;
    }
    sentence = process_audit(processes);
    if (sentence != NULL) {
        printk("\033[31mBROKEN: \"%s\" is not true of %s\033[0m\n", sentence, processes->where);
        return false;
    }
    sentence = heap_check(&kernel_heap, &where);
    if (sentence != NULL)
        printk("\033[31mBROKEN: heap block " PRI_VADDR ": %s\033[0m\n", ARG_VADDR(where), sentence);
    return sentence == NULL;
}

COMMAND("audit", "", "recount all memory from the directories up")
{
    struct audit audit;
    struct process_audit processes;

    if (!audit_all(&audit, &processes))
        return true;
    printk("  directories: %u; their entries in use: %u; tables: %u; regions: %u\n",
           (unsigned)audit.spaces, (unsigned)audit.directory_entries, (unsigned)audit.tables,
           (unsigned)audit.regions);
    printk("  references by entries: %u; frames: %u, each with the owners it should have\n",
           (unsigned)audit.references, (unsigned)audit.frames);
    printk("  processes: %u, of these zombies: %u; memories: %u\n", (unsigned)processes.processes,
           (unsigned)processes.zombies, (unsigned)processes.memories);
    printk("  nothing is broken%s\n", CHECKED ? ", and no invalidation is owed" : "");
    return true;
}

COMMAND("reboot", "", "start the machine again")
{
    struct audit audit;
    struct process_audit processes;

    audit_all(&audit, &processes);
    process_clients_stop();
    machine_reboot();
}

/* At the exit everything is looked at once more, so that a broken session does not end well. */
COMMAND("halt", "", "leave the emulator, or stop the machine")
{
    struct audit audit;
    struct process_audit processes;

    process_clients_stop();
    machine_exit(audit_all(&audit, &processes) ? EXIT_HALT : EXIT_FAIL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands about processes: ps, maps, kill.
 *
 * They run while all processes are frozen (or in self-tests), so nothing changes under them. Sizes
 * come from the entries, not from books of their own.
 */
#include "commands.h"

#include <file/file.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <mm/object.h>
#include <process/signal.h>
#include <prompt/prompt.h>

enum { PROCESSES_SHOWN = 40 };

/* ---- ps ---- */

/* Sums over all processes; 60,000 of them can have reserved more than 32 bits of KiB. */
struct totals {
    uint64_t reserved_pages, private_pages, shared_pages, out_pages;
    uint32_t sole_tables, shared_tables, faults, processes, zombies;
};

static char state_letter(const struct process *process)
{
    switch ((enum process_state)process->state) {
    case PROCESS_RUNNABLE:
        return 'R';
    case PROCESS_SLEEPING:
        return 'S';
    case PROCESS_VFORKING:
        return 'D';
    case PROCESS_STOPPED:
        return 'T';
    case PROCESS_ENDING:
        return 'E';
    case PROCESS_ZOMBIE:
        return 'Z';
    case PROCESS_NONE: /* made, and not started yet */
        break;
    }
    return '-';
}

/* What is in swap slots: pages, and tables. */
static uint32_t out_pages(const struct space_use *use)
{
    return use->pages[PAGE_IN_SLOT] + use->tables_out;
}

static void add_to_totals(struct totals *totals, const struct process *process,
                          const struct space_use *use)
{
    totals->processes++;
    totals->zombies += process->state == PROCESS_ZOMBIE;
    totals->faults += process->faults;
    if (process->memory == NULL)
        return;
    totals->reserved_pages += process->memory->space.reserved_pages;
    totals->private_pages += use->pages[PAGE_PRIVATE];
    totals->shared_pages += use->pages[PAGE_SHARED] + use->pages[PAGE_MAPPING];
    totals->sole_tables += use->sole_tables;
    totals->shared_tables += use->shared_tables;
    totals->out_pages += out_pages(use);
}

static void print_process(const struct process *process, const struct space_use *use)
{
    const struct memory *memory = process->memory;
    uint32_t reserved = memory != NULL ? memory->space.reserved_pages : 0;

    printk("%5u %5u %c %9u %8u %8u %8u %4u/%-4u %8u  ", (unsigned)process->pid,
           (unsigned)(process->parent != NULL ? process->parent->pid : 0), state_letter(process),
           (unsigned)(reserved * KIB_PER_PAGE), (unsigned)(use->pages[PAGE_PRIVATE] * KIB_PER_PAGE),
           (unsigned)((use->pages[PAGE_SHARED] + use->pages[PAGE_MAPPING]) * KIB_PER_PAGE),
           (unsigned)(out_pages(use) * KIB_PER_PAGE), (unsigned)use->sole_tables,
           (unsigned)use->shared_tables, (unsigned)process->faults);
    printk("%.*s\n", (int)sizeof(process->name), process->name);
}

COMMAND("ps", "[N]", "the processes: state, memory, page faults")
{
    struct totals totals = {0};
    uint32_t shown = PROCESSES_SHOWN;

    if (arguments->count > 0 && !parse_u32(arguments->word[0], &shown)) {
        printk("'%s' is no number of processes\n", arguments->word[0]);
        return false;
    }
    printk("  PID  PPID S  RESERVED     REAL   SHARED      OUT  TABLES     FAULTS  NAME\n");
    count_space_anew();
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process)) {
        struct space_use use = {0};

        if (process->memory != NULL)
            count_space(&process->memory->space, &use);
        if (totals.processes < shown)
            print_process(process, &use);
        add_to_totals(&totals, process, &use);
    }
    if (totals.processes > shown)
        printk("      ... and %u more (ps %u shows all)\n", (unsigned)(totals.processes - shown),
               (unsigned)totals.processes);
    printk("    = %5u   %9llu %8llu %8llu %8llu %4u/%-4u %8u  (zombies: %u)\n",
           (unsigned)totals.processes, (unsigned long long)totals.reserved_pages * KIB_PER_PAGE,
           (unsigned long long)totals.private_pages * KIB_PER_PAGE,
           (unsigned long long)totals.shared_pages * KIB_PER_PAGE,
           (unsigned long long)totals.out_pages * KIB_PER_PAGE, (unsigned)totals.sole_tables,
           (unsigned)totals.shared_tables, (unsigned)totals.faults, (unsigned)totals.zombies);
    printk("sizes in KiB; real: in frames that nobody else has; out: in swap slots; tables: "
           "sole/shared\n");
    return true;
}

/* ---- maps ---- */

static uint32_t total_pages(const struct space_use *use)
{
    return use->pages[PAGE_PRIVATE] + use->pages[PAGE_SHARED] + use->pages[PAGE_MAPPING];
}

/* The columns of /proc/PID/maps; and how many pages have a frame, and one that others have, too. */
static void print_mapping(const struct vma *region, const struct space_use *use)
{
    uint32_t offset = region->object != NULL ? region->object_page << PAGE_SHIFT : 0;
    const struct inode *inode = region->object != NULL ? inode_of_object(region->object) : NULL;
    char path[128];
    const char *name = region_text(region, path, sizeof(path));

    printk("%08x-%08x %c%c%c%c %08x 00:%02x %-4u %7u %7u", (unsigned)vma_start(region).v,
           (unsigned)((region->last_page + 1) << PAGE_SHIFT),
           region->rights & RIGHTS_READ ? 'r' : '-', region->rights & RIGHTS_WRITE ? 'w' : '-',
           region->rights & RIGHTS_EXECUTE ? 'x' : '-', region->flags & VMA_SHARED ? 's' : 'p',
           (unsigned)offset, inode != NULL ? (unsigned)inode->mount->device : 0,
           inode != NULL ? (unsigned)inode->number : 0, (unsigned)total_pages(use),
           (unsigned)(total_pages(use) - use->pages[PAGE_PRIVATE]));
    if (name != NULL && name[0] != '\0')
        printk("  %s", name);
    printk("\n");
}

COMMAND("maps", "PID", "what a process has mapped, region by region")
{
    const struct process *process = argument_process_alive(arguments->word[0]);
    struct space_use sum = {0};

    if (process == NULL)
        return true;
    printk("addresses         perm offset   dev   inode resident shared  name\n");
    space_view_open(&process->memory->space);
    for (const struct vma *region = vma_first(&process->memory->space); region != NULL;
         region = vma_next(region)) {
        struct space_use use = {0};

        count_range(vma_start(region), vma_pages(region), &use);
        print_mapping(region, &use);
        for (unsigned i = 0; i < PAGE_USES; i++)
            sum.pages[i] += use.pages[i];
    }
    space_view_close();
    printk("regions: %-5u  pages: %-9u %19u %7u\n", (unsigned)process->memory->space.region_count,
           (unsigned)process->memory->space.reserved_pages, (unsigned)total_pages(&sum),
           (unsigned)(total_pages(&sum) - sum.pages[PAGE_PRIVATE]));
    return true;
}

/* ---- kill ---- */

/* "9", "KILL" or "SIGKILL". Returns false after a line that says what is wrong. */
static bool argument_signal(const char *word, uint32_t *signal)
{
    for (*signal = 1; *signal <= SIGSYS; ++*signal) {
        const char *name = signal_name(*signal);

        if (strcmp(name, word) == 0 || strcmp(name + strlen("SIG"), word) == 0)
            return true;
    }
    if (parse_u32(word, signal) && *signal >= 1 && *signal <= SIGNALS_MAX)
        return true;
    printk("'%s' is no signal: try 9, KILL or SIGKILL\n", word);
    return false;
}

/* It runs or waits: there is something to end. */
static bool is_alive(const struct process *process)
{
    return process != NULL && process->state != PROCESS_NONE && process->state < PROCESS_ENDING;
}

/* All but process 1. */
static uint32_t send_to_all(uint32_t signal)
{
    uint32_t sent = 0;

    for (struct process *process = process_next(NULL); process != NULL;
         process = process_next(process)) {
        if (process->pid == 1 || !is_alive(process))
            continue;
        signal_send(process, signal, 0);
        sent++;
    }
    return sent;
}

COMMAND("kill", "PID|all [SIGNAL]", "end it (or all but 1) at once, or send SIGNAL")
{
    uint32_t available = frame_pool.totals[FRAME_FREE];
    uint32_t signal = SIGKILL;
    struct process *process;

    if (arguments->count > 1 && !argument_signal(arguments->word[1], &signal))
        return false;
    if (strcmp(arguments->word[0], "all") == 0) {
        printk("  %u processes", (unsigned)send_to_all(signal));
    } else {
        process = argument_process(arguments->word[0]);
        if (process == NULL)
            return true;
        if (!is_alive(process)) {
            printk("process %u %s\n", (unsigned)process->pid,
                   process->state == PROCESS_NONE ? "has not started yet" : "has ended already");
            return true;
        }
        printk("  process %u (%.*s)", (unsigned)process->pid, (int)sizeof(process->name),
               process->name);
        signal_send(process, signal, 0);
    }
    process_finish_exits(); /* here and now, whatever they are or do */
    if (signal == SIGKILL)
        printk(" ended; frames given back: %u\n",
               (unsigned)(frame_pool.totals[FRAME_FREE] - available));
    else
        printk(": signal %u (%s) is sent; who handles or blocks it sees it when it runs: "
               "try resume\n",
               (unsigned)signal, signal_name(signal));
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. The command watch: what goes and comes while processes run, a line a second.
 */
#include "watch.h"

#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/frame.h>
#include <process/timer.h>
#include <prompt/prompt.h>
#include <store/swap.h>

enum { LINES_UNDER_HEAD = 20 };

/* All counted since boot. */
struct moment {
    uint32_t in, out, written, faults, waits, tables;
};

static struct {
    bool is_on;
    uint64_t due; /* the tick of the next line */
    uint32_t lines;
    struct moment before;
} watch;

static struct moment now(void)
{
    const struct swap_counts *counts = &swap_counts;
    return (struct moment){.in = counts->in,
                           .out = counts->out + counts->again + counts->zero,
                           .written = counts->out + counts->tables_out,
                           .faults = fault_counters.total,
                           .waits = fault_counters.must_wait,
                           .tables = counts->scanned};
}

static void print_head(void)
{
    printk("  PAGES IN      OUT  TO WRITE   FAULTS  WAITING  TABLES SEEN   FREE FRAMES\n");
}

static void print_line(const struct moment *from, const struct moment *to)
{
    printk("  %8u %8u  %8u %8u %8u  %11u   %11u\n", (unsigned)(to->in - from->in),
           (unsigned)(to->out - from->out), (unsigned)(to->written - from->written),
           (unsigned)(to->faults - from->faults), (unsigned)(to->waits - from->waits),
           (unsigned)(to->tables - from->tables), (unsigned)frame_available(&frame_pool));
}

bool watch_is_on(void)
{
    return watch.is_on;
}

void watch_end(void)
{
    watch.is_on = false;
}

bool watch_is_due(void)
{
    return watch.is_on && timer_ticks() >= watch.due;
}

void watch_say(void)
{
    struct moment after = now();
    if (watch.lines++ % LINES_UNDER_HEAD == 0)
        print_head();
    print_line(&watch.before, &after);
    watch.before = after;
    watch.due = timer_ticks() + TIMER_HZ;
}

COMMAND("watch", "", "let processes go on, and say each second what goes out and comes back")
{
    if (process_count() == 0) {
        const struct moment boot = {0}, after = now();
        print_head();
        print_line(&boot, &after);
        printk("  that was since boot: there are no processes to be watched\n");
        return true;
    }
    watch.is_on = true;
    watch.lines = 0;
    watch.before = now();
    watch.due = timer_ticks() + TIMER_HZ;
    printk("  any key ends it\n");
    prompt_end();
    return true;
}

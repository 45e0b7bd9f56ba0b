/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands about frames: mem, frames, faults.
 */
#include "commands.h"

#include <arch/i386/ledger.h>
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/cow.h>
#include <mm/frame.h>
#include <mm/heap.h>
#include <mm/space.h>
#include <process/commit.h>
#include <prompt/prompt.h>
#include <store/cache.h>
#include <store/swap.h>

enum {
    BAR_COLUMNS = 32,
    PICTURE_COLUMNS = 64,
    PICTURE_ROWS = 16,
    PICTURE_CELLS = PICTURE_COLUMNS * PICTURE_ROWS,
};

#define COLOUR "\033[%um"
#define PLAIN  "\033[0m"

/* How a kind is drawn. */
static const struct {
    char letter;
    uint8_t colour; /* SGR */
} looks[FRAME_KINDS] = {
    [FRAME_FREE] = {'.', 90},      [FRAME_RESERVED] = {'R', 37}, [FRAME_KERNEL] = {'K', 94},
    [FRAME_DIRECTORY] = {'D', 95}, [FRAME_TABLE] = {'T', 93},    [FRAME_ANONYMOUS] = {'A', 92},
    [FRAME_FILE] = {'F', 96},      [FRAME_INDEX] = {'I', 33},    [FRAME_ZERO] = {'Z', 91},
    [FRAME_SWAPPED] = {'S', 32},   [FRAME_PACKED] = {'P', 36},   [FRAME_SLOT] = {'?', 37},
};

/* ---- mem ---- */

static void print_kind(enum frame_kind kind)
{
    uint32_t frames = frame_pool.totals[kind];
    uint32_t column_frames = frame_pool.frames / BAR_COLUMNS;
    uint32_t filled = (frames + column_frames / 2) / column_frames;
    char bar[BAR_COLUMNS + 1];

    if (filled == 0 && frames > 0) /* what is there at all is seen */
        filled = 1;
    memset(bar, '#', filled);
    bar[filled] = '\0';
    printk("  %c %-10s %9u %11u KiB  " COLOUR "%s" PLAIN "\n", looks[kind].letter,
           frame_kind_text(kind), (unsigned)frames, (unsigned)(frames * KIB_PER_PAGE),
           looks[kind].colour, bar);
}

/* What SPACE's promising regions have reserved, and what of it has been made real. */
static void print_promises(const char *what, const struct space *space)
{
    struct page_count count = {0, 0};
    uint32_t pages = 0;

    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region)) {
        if (region->kind != VMA_PROMISE)
            continue;
        pages += vma_pages(region);
        count_pages(vma_start(region), vma_pages(region), &count);
    }
    printk("  %-22s %7u KiB %11u KiB\n", what, (unsigned)(pages * KIB_PER_PAGE),
           (unsigned)(count.real * KIB_PER_PAGE));
}

/* Files whose pages come from a disk. */
static void print_page_cache(void)
{
    uint32_t pages = 0;
    for (const struct cache *cache = cache_next(NULL); cache != NULL; cache = cache_next(cache))
        pages += cache->object->real_pages;
    printk("  page cache: %u KiB, of which dirty %u KiB (`cache` shows whose)\n",
           (unsigned)(pages * KIB_PER_PAGE), (unsigned)(store_dirty_pages() * KIB_PER_PAGE));
}

static void print_swap(void)
{
    struct swap_sum sum = swap_sum();
    if (sum.pages > 0)
        printk("  swap: %u KiB, of which used %u KiB (`swap` shows more, `watch` how it changes)\n",
               (unsigned)(sum.pages * KIB_PER_PAGE), (unsigned)(sum.used * KIB_PER_PAGE));
}

/* The account of promises; a limit only where mode 2 has set one. */
static void print_account(void)
{
    printk("  promised to programs: %u frames, overcommit mode %u", (unsigned)frame_pool.committed,
           (unsigned)commit_account.mode);
    if (commit_account.mode == OVERCOMMIT_NEVER)
        printk("; limit %u, of which the kernel has taken %u", (unsigned)frame_pool.commit_limit,
               (unsigned)frame_pool.kernel_frames);
    printk("\n");
}

COMMAND("mem", "", "what the frames hold; reserved against real")
{
    printk("  kind            frames            size\n");
    for (unsigned kind = 0; kind < FRAME_SLOT; kind++)
        print_kind((enum frame_kind)kind);
    printk("  = all        %9u %11u KiB\n", (unsigned)frame_pool.frames,
           (unsigned)(frame_pool.frames * KIB_PER_PAGE));
    if (frame_pool.set_aside > 0)
        printk("  %u of the free frames are set aside\n", (unsigned)frame_pool.set_aside);

    printk("\n  promises                  reserved        made real\n");
    print_promises("lower 3 GiB", space_current());
    print_promises("kernel arrays and heap", &kernel_space);
    printk("  heap: %u KiB in %u blocks; regions: %u nodes; directories: %u\n",
           (unsigned)(kernel_heap.used_bytes / 1024), (unsigned)kernel_heap.used_blocks,
           (unsigned)vma_nodes_in_use(), (unsigned)directory_live_count());
    print_page_cache();
    print_swap();
    print_account();
    return true;
}

/* ---- frames ---- */

struct cell {
    enum frame_kind kind; /* the most frequent one; the most frequent but free, if `mixed` */
    bool mixed;           /* most of its frames are free, but not all */
};

static struct cell look_at_cell(frame_t first, uint32_t frames)
{
    uint32_t counts[FRAME_KINDS] = {0};
    enum frame_kind most_used = FRAME_RESERVED;
    struct cell cell;

    for (uint32_t i = 0; i < frames; i++)
        counts[frame_kind(&frame_pool, FRAME(first.n + i))]++;
    for (unsigned kind = FRAME_FREE + 1; kind < FRAME_KINDS; kind++)
        if (counts[kind] > counts[most_used])
            most_used = (enum frame_kind)kind;
    cell.mixed = counts[FRAME_FREE] > counts[most_used] && counts[FRAME_FREE] < frames;
    cell.kind = counts[FRAME_FREE] > counts[most_used] && !cell.mixed ? FRAME_FREE : most_used;
    return cell;
}

static void print_row(frame_t first, uint32_t frames_per_cell)
{
    uint8_t colour = 0;

    printk(PRI_PADDR "  ", ARG_PADDR(frame_to_paddr(first)));
    for (unsigned column = 0; column < PICTURE_COLUMNS; column++) {
        struct cell cell = look_at_cell(FRAME(first.n + column * frames_per_cell), frames_per_cell);
        char letter = looks[cell.kind].letter;

        /* A colour lasts until the next one: the serial line is slow. */
        if (looks[cell.kind].colour != colour)
            printk(COLOUR, looks[cell.kind].colour);
        colour = looks[cell.kind].colour;
        printk("%c", cell.mixed ? letter - 'A' + 'a' : letter);
    }
    printk(PLAIN "\n");
}

COMMAND("frames", "", "a picture of all frames, coloured by what they hold")
{
    uint32_t frames_per_cell = frame_pool.frames / PICTURE_CELLS; /* a multiple of 1024: whole */

    for (uint32_t row = 0; row < PICTURE_ROWS; row++)
        print_row(FRAME(row * PICTURE_COLUMNS * frames_per_cell), frames_per_cell);
    for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
        printk("%s" COLOUR "%c" PLAIN " %s", kind == 0 ? " " : "  ", looks[kind].colour,
               looks[kind].letter, frame_kind_text((enum frame_kind)kind));
    printk("\n one character: %u KiB; capital: most of it is that; small: most of it is free\n",
           (unsigned)(frames_per_cell * KIB_PER_PAGE));
    return true;
}

/* ---- faults ---- */

COMMAND("faults", "", "page faults since boot, and what was done about them")
{
    printk("  page faults       %9u\n", (unsigned)fault_counters.total);
    printk("    resolved        %9u\n", (unsigned)fault_counters.resolved);
    printk("    spurious        %9u  (an older translation with fewer rights)\n",
           (unsigned)fault_counters.spurious);
    printk("    bad access      %9u\n", (unsigned)fault_counters.bad_access);
    printk("    out of memory   %9u\n", (unsigned)fault_counters.no_memory);
    printk("  writes answered with a frame:  %9u cleared %9u copied %9u taken back\n",
           (unsigned)cow_counters.frames_cleared, (unsigned)cow_counters.frames_copied,
           (unsigned)cow_counters.frames_taken);
    printk("              ... with a table:  %9u filled  %9u copied %9u taken back\n",
           (unsigned)cow_counters.tables_filled, (unsigned)cow_counters.tables_copied,
           (unsigned)cow_counters.tables_taken);
    if (CHECKED)
        printk("  invalidations owed: %9u, paid %9u, and %u made without need\n",
               (unsigned)ledger_counters.opened, (unsigned)ledger_counters.paid,
               (unsigned)ledger_counters.needless);
    else
        printk("  (the checked kernel also counts the invalidations that are owed and made)\n");
    return true;
}

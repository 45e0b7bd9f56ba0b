/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands that draw spaces: space, forest; and the counting behind ps and maps.
 *
 * They read entries by way of the directories area and of the alternate window, which is closed
 * again before a command ends. Nothing changes while a command runs.
 */
#include "commands.h"

#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/frame.h>
#include <prompt/prompt.h>

enum {
    CELLS_PER_LINE = 64,
    TABLES_REMEMBERED = 64,
    TREES_SHOWN = 40, /* tables that `forest` shows unless it is told another number */
    PIDS_SHOWN = 8,
};

/* ---- arguments ---- */

struct process *argument_process(const char *word)
{
    struct process *process;
    uint32_t pid;

    if (!parse_u32(word, &pid)) {
        printk("'%s' is no pid: try ps\n", word);
        return NULL;
    }
    process = process_find(pid);
    if (process == NULL)
        printk("there is no process %u: try ps\n", (unsigned)pid);
    return process;
}

struct process *argument_process_alive(const char *word)
{
    struct process *process = argument_process(word);

    if (process != NULL && process->memory == NULL) {
        printk("process %u has ended: it has no memory\n", (unsigned)process->pid);
        return NULL;
    }
    return process;
}

/* ---- counting ---- */

static enum frame_kind kind_of(frame_t frame)
{
    return frame.n < frame_pool.frames ? frame_kind(&frame_pool, frame) : FRAME_RESERVED;
}

static bool is_zero_table(pde_t pde)
{
    return pde_is_table(pde) && kind_of(pde_frame(pde)) == FRAME_ZERO;
}

/* The last one to share has the table alone, though its entry says SHARED until the next write. */
static bool is_shared_table(pde_t pde)
{
    return pde_is_shared(pde) && frame_references(&frame_pool, pde_frame(pde)) > 1;
}

enum page_use page_use_of(pde_t pde, pte_t pte)
{
    frame_t frame = pte_frame(pte);

    if (!pte_holds_frame(pte))
        return PAGE_NONE;
    if (pte_is_swapped(pte))
        return PAGE_IN_SLOT;
    switch (kind_of(frame)) {
    case FRAME_ZERO:
        return PAGE_ZERO;
    case FRAME_FILE:
    case FRAME_RESERVED:
        return PAGE_MAPPING;
    default:
        break;
    }
    if (pte.bits & PTE_SHARED_MAPPING)
        return PAGE_MAPPING;
    return is_shared_table(pde) || frame_references(&frame_pool, frame) > 1 ? PAGE_SHARED
                                                                            : PAGE_PRIVATE;
}

/* COUNT entries of a table from FIRST on. */
static void count_entries(pde_t pde, const volatile uint32_t *entries, uint32_t first,
                          uint32_t count, uint32_t *pages)
{
    for (uint32_t i = first; i < first + count; i++)
        if (entries[i] != 0)
            pages[page_use_of(pde, (pte_t){entries[i]})]++;
}

/* What is below shared tables, by their frames: the last ones met. Frame 0 is no table. */
static struct remembered_table {
    frame_t table;
    uint32_t pages[PAGE_USES];
} remembered[TABLES_REMEMBERED];

void count_space_anew(void)
{
    memset(remembered, 0, sizeof(remembered));
}

static void count_shared_table(pde_t pde, const volatile uint32_t *entries, uint32_t *pages)
{
    struct remembered_table *at = &remembered[pde_frame(pde).n % TABLES_REMEMBERED];

    if (at->table.n != pde_frame(pde).n) {
        *at = (struct remembered_table){.table = pde_frame(pde)};
        count_entries(pde, entries, 0, SLOT_PAGES, at->pages);
    }
    for (unsigned use = 0; use < PAGE_USES; use++)
        pages[use] += at->pages[use];
}

static void count_slot(uint32_t slot, struct space_use *use)
{
    pde_t pde;
    const volatile uint32_t *entries = space_view_table(slot, &pde);

    if (entries == NULL)
        return;
    if (is_shared_table(pde)) {
        use->shared_tables++;
        count_shared_table(pde, entries, use->pages);
    } else {
        use->sole_tables++;
        count_entries(pde, entries, 0, SLOT_PAGES, use->pages);
    }
}

void count_space(const struct space *space, struct space_use *use)
{
    *use = (struct space_use){0};
    space_view_open(space);
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT;) {
        pde_t pde = space_pde_read(space, slot);
        uint32_t run = space_pde_run(space, slot, KERNEL_FIRST_SLOT - slot);

        if (is_zero_table(pde))
            use->pages[PAGE_ZERO] += run * SLOT_PAGES;
        else if (pde_is_present(pde))
            for (uint32_t i = 0; i < run; i++)
                count_slot(slot + i, use);
        else if (pde_is_swapped(pde))
            use->tables_out += run;
        slot += run;
    }
    space_view_close();
}

/* The same as count_range, within one slot. */
static void count_part(vaddr_t first, uint32_t pages, struct space_use *use)
{
    pde_t pde;
    const volatile uint32_t *entries = space_view_table(vaddr_to_slot(first), &pde);

    if (is_zero_table(pde))
        use->pages[PAGE_ZERO] += pages;
    else if (entries != NULL)
        count_entries(pde, entries, vaddr_to_pte_idx(first), pages, use->pages);
}

void count_range(vaddr_t first, uint32_t pages, struct space_use *use)
{
    while (pages > 0) {
        uint32_t in_slot = SLOT_PAGES - vaddr_to_pte_idx(first);

        if (in_slot > pages)
            in_slot = pages;
        count_part(first, in_slot, use);
        first = vaddr_add(first, in_slot << PAGE_SHIFT);
        pages -= in_slot;
    }
}

/* ---- space ---- */

static char slot_letter(pde_t pde)
{
    if (pde_is_swapped(pde))
        return 'w';
    if (!pde_is_present(pde))
        return '.';
    if (pde_is_large(pde))
        return 'L';
    if (is_zero_table(pde))
        return 'z';
    return is_shared_table(pde) ? 's' : 'o';
}

static char page_letter(pde_t pde, pte_t pte)
{
    static const char letters[PAGE_USES] = {
        [PAGE_NONE] = '.',    [PAGE_ZERO] = 'z',    [PAGE_SHARED] = 's',
        [PAGE_PRIVATE] = 'p', [PAGE_MAPPING] = 'f', [PAGE_IN_SLOT] = 'w'};

    return pte_is_kept(pte) && !pte_is_swapped(pte) ? 'k' : letters[page_use_of(pde, pte)];
}

static void draw_slots(const struct space *space)
{
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++) {
        if (slot % CELLS_PER_LINE == 0)
            printk("  0x%08x  ", (unsigned)slot_to_vaddr(slot).v);
        printk("%c", slot_letter(space_pde_read(space, slot)));
        if (slot % CELLS_PER_LINE == CELLS_PER_LINE - 1)
            printk("\n");
    }
    printk("  4 MiB each: . nothing  z zero table  s shared table  o one owner  L large page\n"
           "              w table in a swap slot\n");
}

static void draw_pages(const struct space *space, uint32_t slot)
{
    pde_t pde;
    const volatile uint32_t *entries;

    space_view_open(space);
    entries = space_view_table(slot, &pde);
    for (uint32_t i = 0; i < SLOT_PAGES && entries != NULL; i++) {
        if (i % CELLS_PER_LINE == 0)
            printk("  0x%08x  ", (unsigned)(slot_to_vaddr(slot).v + (i << PAGE_SHIFT)));
        printk("%c", page_letter(pde, (pte_t){entries[i]}));
        if (i % CELLS_PER_LINE == CELLS_PER_LINE - 1)
            printk("\n");
    }
    space_view_close();
    if (entries == NULL)
        printk("  slot %u: %s\n", (unsigned)slot,
               pde_is_large(pde)     ? "one page of 4 MiB"
               : pde_is_swapped(pde) ? "the table is in a swap slot"
                                     : "nothing is present");
    else
        printk("  4 KiB each: . nothing  z zero frame  s shared frame  p private frame\n"
               "              f file or shared memory  k kept without rights\n"
               "              w in a swap slot\n"
               "  the table, in frame 0x%05x, is %s: references: %u\n",
               (unsigned)pde_frame(pde).n,
               is_zero_table(pde) ? "a zero table"
                                  : (is_shared_table(pde) ? "shared" : "of one owner"),
               (unsigned)frame_references(&frame_pool, pde_frame(pde)));
}

COMMAND("space", "PID [SLOT]", "a picture of a process's space, or of 4 MiB of it")
{
    const struct process *process = argument_process_alive(arguments->word[0]);
    uint32_t slot;

    if (process == NULL)
        return true;
    if (arguments->count == 1) {
        draw_slots(&process->memory->space);
        return true;
    }
    if (!parse_u32(arguments->word[1], &slot) || slot >= KERNEL_FIRST_SLOT) {
        printk("'%s' is no slot: they go from 0 to %u\n", arguments->word[1],
               KERNEL_FIRST_SLOT - 1);
        return false;
    }
    draw_pages(&process->memory->space, slot);
    return true;
}

/* ---- forest ---- */

struct forest {
    uint32_t tables, references; /* all that are shared */
    uint32_t lines, lines_max;
};

/* PROCESS's entry of SLOT, if it leads to a shared table that is no zero table; else empty. */
static pde_t shared_entry(const struct process *process, uint32_t slot)
{
    pde_t pde = PDE_EMPTY;

    if (process->memory != NULL)
        pde = space_pde_read(&process->memory->space, slot);
    return is_shared_table(pde) && !is_zero_table(pde) ? pde : PDE_EMPTY;
}

/* Its space is its parent's (vfork): listed there. */
static bool is_listed_with_parent(const struct process *process)
{
    return process->parent != NULL && process->parent->memory == process->memory;
}

/* The slot in which PROCESS has TABLE; 1024: none. Anywhere: a table that is moved stays shared. */
static uint32_t slot_of_table(const struct process *process, frame_t table)
{
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++)
        if (pde_frame(shared_entry(process, slot)).n == table.n)
            return slot;
    return SLOT_PAGES;
}

/* Those who share a table, as far as they were found. */
struct sharers {
    uint32_t slot; /* where most have it */
    uint32_t found;
};

static void print_sharer(struct sharers *sharers, const struct process *process, uint32_t slot)
{
    if (++sharers->found > PIDS_SHOWN)
        return;
    printk(" %u", (unsigned)process->pid);
    if (slot != sharers->slot)
        printk("(in slot %u)", (unsigned)slot);
}

/* FIRST is the first process to have the table, in SLOT. Nearly always the others have it there. */
static void print_tree(const struct process *first, uint32_t slot, frame_t table)
{
    struct sharers sharers = {.slot = slot};
    uint32_t references = frame_references(&frame_pool, table);

    printk(" %4u  0x%08x  0x%05x %8u %5u ", (unsigned)slot, (unsigned)slot_to_vaddr(slot).v,
           (unsigned)table.n, (unsigned)references,
           (unsigned)frame_record(&frame_pool, table)->used_entries);
    for (const struct process *process = first; process != NULL; process = process_next(process))
        if (pde_frame(shared_entry(process, slot)).n == table.n && !is_listed_with_parent(process))
            print_sharer(&sharers, process, slot);
    for (const struct process *process = first; process != NULL && sharers.found < references;
         process = process_next(process)) {
        uint32_t other = slot_of_table(process, table);

        if (other < SLOT_PAGES && other != slot && !is_listed_with_parent(process))
            print_sharer(&sharers, process, other);
    }
    if (sharers.found > PIDS_SHOWN)
        printk(" ... and %u more", (unsigned)(sharers.found - PIDS_SHOWN));
    printk("\n");
}

/* Tables that were met carry a mark until the walk in the other direction. */
enum visit { MEET, FORGET };

static void visit_table(const struct process *process, uint32_t slot, enum visit visit,
                        struct forest *forest)
{
    frame_t table = pde_frame(shared_entry(process, slot));
    struct frame_record *record = frame_record(&frame_pool, table);

    if (!frame_visit(record, visit == MEET) || visit == FORGET)
        return;
    forest->tables++;
    forest->references += record->references;
    if (forest->lines < forest->lines_max) {
        forest->lines++;
        print_tree(process, slot, table);
    }
}

static void visit_process(const struct process *process, enum visit visit, struct forest *forest)
{
    const struct memory *memory = process->memory;

    for (uint32_t slot = 0; memory != NULL && slot < KERNEL_FIRST_SLOT;) {
        if (shared_entry(process, slot).bits != 0) {
            visit_table(process, slot, visit, forest);
            slot++;
        } else {
            slot += space_pde_run(&memory->space, slot, KERNEL_FIRST_SLOT - slot);
        }
    }
}

static void visit_all(enum visit visit, struct forest *forest)
{
    for (const struct process *process = process_next(NULL); process != NULL;
         process = process_next(process))
        visit_process(process, visit, forest);
}

COMMAND("forest", "[N]", "which tables are shared, and by whom")
{
    struct forest forest = {.lines_max = TREES_SHOWN};

    if (arguments->count > 0 && !parse_u32(arguments->word[0], &forest.lines_max)) {
        printk("'%s' is no number of lines\n", arguments->word[0]);
        return false;
    }
    printk(" slot  addresses     table     refs  used  pids\n");
    visit_all(MEET, &forest);
    visit_all(FORGET, &forest);
    printk("  shared tables: %u; unshared they would be %u (zero tables not counted)\n",
           (unsigned)forest.tables, (unsigned)forest.references);
    if (forest.lines < forest.tables)
        printk("  %u are not shown: forest %u shows all\n",
               (unsigned)(forest.tables - forest.lines), (unsigned)forest.tables);
    return true;
}

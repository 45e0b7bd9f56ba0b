/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Tests of the commands about processes, and of the audit of processes. The processes
 * here never run: they are made, forked and written to by the test. What the commands print stands
 * in the log; judged is what they count, and what they leave behind.
 */
#include "prompt/commands.h"

#include "vm_testing.h"

#include <arch/i386/alternate.h>
#include <arch/i386/gdt.h>
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/object.h>
#include <process/audit.h>
#include <process/limits.h>
#include <process/schedule.h>
#include <prompt/prompt.h>

enum {
    LINE_BYTES_MAX = 64,
    FIRST_SLOT = 100, /* where the processes of these tests have their memory */
    SLOTS = 2,
    PAGES = SLOTS * SLOT_PAGES,
};

static void expect_books_in_order(void)
{
    struct process_audit audit;
    if (process_audit(&audit) != NULL) {
        printk("# %s: %s\n", audit.broken, audit.where);
        test_fail(__FILE__, __LINE__, "the books about processes are in order");
    }
    if (alternate_is_open())
        test_fail(__FILE__, __LINE__, "the alternate window is closed");
}

TEST_INVARIANT("processes", NULL, expect_books_in_order);

/* Run the line that FORMAT makes, as a person would type it. */
static printf_like(1, 2) void run_line(const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vformat_text(line, sizeof(line), format, arguments);
    va_end(arguments);
    printk("# > %s\n", line);
    prompt_run_line(line);
}

/* ---- processes made by hand ---- */

/* A process with an empty memory; NULL after a failure. */
static struct process *make_process(const char *name)
{
    struct process *process;

    if (process_create(NULL, &process) != KERR_OK || memory_create(&process->memory) != KERR_OK) {
        test_fail(__FILE__, __LINE__, "there is room for a process");
        return NULL;
    }
    EXPECT(limits_begin(process) == 0);
    process->frame.cs = USER_CODE;
    process->frame.user_ss = USER_DATA;
    text_copy(process->name, sizeof(process->name), name);
    return process;
}

static struct process *fork_process(struct process *parent, const char *name)
{
    struct process *child;

    if (process_create(parent, &child) != KERR_OK) {
        test_fail(__FILE__, __LINE__, "there is room for a child");
        return NULL;
    }
    child->frame = parent->frame;
    space_switch(&parent->memory->space);
    if (memory_fork(parent->memory, &child->memory) != KERR_OK)
        test_fail(__FILE__, __LINE__, "there is room for a child's memory");
    space_switch(&boot_space);
    text_copy(child->name, sizeof(child->name), name);
    return child;
}

/* SLOTS whole slots of anonymous memory in PROCESS. */
static void reserve_in(struct process *process)
{
    space_switch(&process->memory->space);
    EXPECT_EQUAL(vma_reserve_at(&process->memory->space, slot_to_vaddr(FIRST_SLOT), PAGES,
                                RIGHTS_READ_WRITE | RIGHTS_USER, ""),
                 KERR_OK);
    space_switch(&boot_space);
}

static vaddr_t page_number(uint32_t page)
{
    return page_of_slot(FIRST_SLOT, page);
}

static void write_in(struct process *process, uint32_t page, uint32_t value)
{
    space_switch(&process->memory->space);
    poke(page_number(page), value);
    space_switch(&boot_space);
}

static void expect_use(const struct process *process, uint32_t private_pages, uint32_t shared_pages,
                       uint32_t sole_tables, uint32_t shared_tables)
{
    struct space_use use;

    count_space_anew();
    count_space(&process->memory->space, &use);
    EXPECT_EQUAL(use.pages[PAGE_PRIVATE], private_pages);
    EXPECT_EQUAL(use.pages[PAGE_SHARED], shared_pages);
    EXPECT_EQUAL(use.pages[PAGE_ZERO], PAGES - private_pages - shared_pages);
    EXPECT_EQUAL(use.sole_tables, sole_tables);
    EXPECT_EQUAL(use.shared_tables, shared_tables);
}

#define REQUIRE_NO_PROCESS()                                                                       \
    do {                                                                                           \
        if (process_count() != 0)                                                                  \
            SKIP("there are processes");                                                           \
    } while (0)

/* ---- what a space holds ---- */

TEST("commands-process", "pages counted: promised, written, shared by fork, written again")
{
    REQUIRE_NO_PROCESS();
    struct process *parent = make_process("parent"), *child;
    REQUIRE(parent != NULL);
    reserve_in(parent);
    expect_use(parent, 0, 0, 0, 0);
    write_in(parent, 0, 1);
    write_in(parent, 1, 1);
    expect_use(parent, 2, 0, 1, 0);

    child = fork_process(parent, "child");
    REQUIRE(child != NULL);
    expect_use(parent, 0, 2, 0, 1);
    expect_use(child, 0, 2, 0, 1);
    write_in(child, 0, 2); /* a table and a frame of its own; the parent is left alone */
    expect_use(child, 1, 1, 1, 0);
    expect_use(parent, 1, 1, 1, 0);
    write_in(child, SLOT_PAGES, 2); /* below a promise that both have */
    expect_use(child, 2, 1, 2, 0);
    expect_use(parent, 1, 1, 1, 0);

    process_discard(child);
    expect_use(parent, 2, 0, 1, 0);
    process_discard(parent);
}

TEST("commands-process", "a range counted: only what lies in it")
{
    REQUIRE_NO_PROCESS();
    struct process *process = make_process("range");
    struct space_use use = {0};
    REQUIRE(process != NULL);
    reserve_in(process);
    write_in(process, 3, 1);
    write_in(process, SLOT_PAGES + 3, 1);

    space_view_open(&process->memory->space);
    count_range(page_number(3), SLOT_PAGES, &use);
    space_view_close();
    EXPECT_EQUAL(use.pages[PAGE_PRIVATE], 1);
    EXPECT_EQUAL(use.pages[PAGE_ZERO], SLOT_PAGES - 1);
    process_discard(process);
}

TEST("commands-process", "entries: told apart by the frame and by the table")
{
    REQUIRE_NO_PROCESS();
    pde_t own = pde_make(FRAME(1), ENTRY_PRESENT | ENTRY_WRITABLE);
    EXPECT_EQUAL(page_use_of(own, PTE_EMPTY), PAGE_NONE);
    EXPECT_EQUAL(page_use_of(own, pte_make(FRAME(frame_pool.frames), ENTRY_PRESENT)), PAGE_MAPPING);
    frame_t frame;
    REQUIRE(frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) == KERR_OK);
    EXPECT_EQUAL(page_use_of(own, pte_make(frame, ENTRY_PRESENT)), PAGE_PRIVATE);
    EXPECT_EQUAL(page_use_of(own, pte_make(frame, PTE_KEPT)), PAGE_PRIVATE);
    EXPECT_EQUAL(page_use_of(own, pte_make(frame, ENTRY_PRESENT | PTE_SHARED_MAPPING)),
                 PAGE_MAPPING);
    frame_get(&frame_pool, frame);
    EXPECT_EQUAL(page_use_of(own, pte_make(frame, ENTRY_PRESENT)), PAGE_SHARED);
    frame_put_many(&frame_pool, frame, 2);
}

/* ---- the commands ---- */

TEST("commands-process", "those that only look: no fault, no frame, nothing left open")
{
    REQUIRE_NO_PROCESS();
    struct process *parent = make_process("parent"), *child;
    REQUIRE(parent != NULL);
    reserve_in(parent);
    write_in(parent, 0, 1);
    write_in(parent, SLOT_PAGES, 1);
    child = fork_process(parent, "\033[31mchild\n");
    REQUIRE(child != NULL);
    write_in(child, 1, 1);
    uint32_t faults = fault_counters.total, available = frame_pool.totals[FRAME_FREE];

    run_line("ps");
    run_line("ps 1");
    run_line("ps 0");
    run_line("maps %u", (unsigned)parent->pid);
    run_line("maps %u", (unsigned)child->pid);
    run_line("walk %u %u", (unsigned)child->pid, (unsigned)page_number(0).v);
    run_line("walk %u %u", (unsigned)child->pid, (unsigned)page_number(1).v);
    run_line("walk %u 0", (unsigned)child->pid);
    run_line("walk %u %u", (unsigned)child->pid, (unsigned)WINDOW_DIRECTORY);
    run_line("walk %u %u", (unsigned)child->pid, (unsigned)ALT_WINDOW_BASE);
    run_line("space %u", (unsigned)child->pid);
    run_line("space %u %u", (unsigned)child->pid, (unsigned)FIRST_SLOT);
    run_line("space %u %u", (unsigned)child->pid, (unsigned)FIRST_SLOT + 1);
    run_line("space %u 0", (unsigned)child->pid);
    run_line("forest");
    run_line("forest 0");
    run_line("audit");
    EXPECT_EQUAL(fault_counters.total, faults);
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], available);
    EXPECT(!alternate_is_open());

    process_discard(child);
    process_discard(parent);
}

TEST("commands-process", "forest: a table that one side has moved is found there, too")
{
    REQUIRE_NO_PROCESS();
    struct process *parent = make_process("parent"), *child;
    REQUIRE(parent != NULL);
    reserve_in(parent);
    write_in(parent, 0, 1);
    child = fork_process(parent, "child");
    REQUIRE(child != NULL);
    space_switch(&child->memory->space);
    EXPECT_EQUAL(vma_move(&child->memory->space, page_number(0), SLOT_PAGES,
                          slot_to_vaddr(FIRST_SLOT + 2 * SLOTS)),
                 KERR_OK);
    space_switch(&boot_space);
    run_line("forest");
    expect_use(child, 0, 1, 0, 1);
    expect_use(parent, 0, 1, 0, 1);
    process_discard(child);
    process_discard(parent);
}

TEST("commands-process", "lines that are wrong: said so, and nothing happens")
{
    static const char *const lines[] = {
        "ps x",          "ps -1",        "ps 1 2",      "maps",         "maps x",
        "maps 0",        "maps 65535",   "maps 65536",  "walk 65535 0", "walk x 0",
        "walk -1 0",     "kill",         "kill x",      "kill 0",       "kill 65535",
        "kill -1",       "kill all 0",   "kill all 65", "kill all SIG", "kill all KILLED",
        "kill 1 2 3",    "space",        "space x",     "space 65535",  "space 65535 0",
        "space 65535 x", "space 4G",     "forest x",    "forest 1 2",   "maps 4294967295",
        "kill 65535 0",  "space 0 1024",
    };
    REQUIRE_NO_PROCESS();
    struct process *process = make_process("bystander");
    REQUIRE(process != NULL);
    uint32_t faults = fault_counters.total, available = frame_pool.totals[FRAME_FREE];

    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++)
        run_line("%s", lines[i]);
    run_line("walk %u x", (unsigned)process->pid);
    run_line("space %u 768", (unsigned)process->pid);
    run_line("space %u x", (unsigned)process->pid);
    run_line("kill %u", (unsigned)process->pid); /* not started: nothing to end */
    run_line("kill all");
    EXPECT_EQUAL(process_count(), 1);
    EXPECT_EQUAL(fault_counters.total, faults);
    EXPECT_EQUAL(frame_pool.totals[FRAME_FREE], available);
    process_discard(process);
}

TEST("commands-process",
     "kill: all but the record is given back at once; maps of a zombie: refused")
{
    REQUIRE_NO_PROCESS();
    uint32_t available = frame_pool.totals[FRAME_FREE];
    struct process *process = make_process("victim");
    REQUIRE(process != NULL);
    reserve_in(process);
    write_in(process, 0, 1);
    process_start(process);
    expect_books_in_order();
    run_line("kill %u", (unsigned)process->pid);
    EXPECT_EQUAL(process->state, PROCESS_ZOMBIE);
    EXPECT(process->memory == NULL);
    expect_books_in_order();

    run_line("ps");
    run_line("maps %u", (unsigned)process->pid);
    run_line("space %u", (unsigned)process->pid);
    run_line("walk %u 0", (unsigned)process->pid);
    run_line("kill %u", (unsigned)process->pid);
    run_line("kill all");
    EXPECT_EQUAL(process->state, PROCESS_ZOMBIE);
    process_reap(process);
    EXPECT_EQUAL(process_count(), 0);
    EXPECT(frame_pool.totals[FRAME_FREE] + 1 >= available); /* the heap may keep a page */
}

TEST("commands-process", "kill all: everybody ends, parents and children, in whatever order")
{
    enum { CHILDREN = 5 };
    REQUIRE_NO_PROCESS();
    struct process *parent = make_process("parent"), *child;
    REQUIRE(parent != NULL);
    reserve_in(parent);
    write_in(parent, 0, 1);
    process_start(parent);
    for (unsigned i = 0; i < CHILDREN; i++) {
        child = fork_process(parent, "child");
        REQUIRE(child != NULL);
        write_in(child, i, 2);
        process_start(child);
    }
    run_line("forest");
    run_line("kill all STOP");
    run_line("kill all SIGKILL");
    uint32_t left = 0;
    for (struct process *process; (process = process_next(NULL)) != NULL; left++) {
        if (process->state != PROCESS_ZOMBIE) {
            EXPECT_EQUAL(process->pid, 1); /* spared: only if the numbers have just begun */
            process_exit(process, 9);
            process_finish_exits();
        }
        process_reap(process);
    }
    EXPECT(left >= 1);
    EXPECT_EQUAL(process_count(), 0);
}

/* ---- the audit of processes ---- */

/* The audit says SENTENCE now, or at least so much of its beginning. */
static void expect_broken(const char *sentence)
{
    struct process_audit audit;
    process_audit(&audit);
    if (audit.broken == NULL || !text_begins(audit.broken, sentence)) {
        printk("# the audit says: %s\n", audit.broken != NULL ? audit.broken : "nothing");
        test_fail(__FILE__, __LINE__, sentence);
    }
}

TEST("process-audit", "shared memory: its references are counted region by region")
{
    struct object *object;
    struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE | RIGHTS_USER, .flags = VMA_SHARED, .name = ""};
    REQUIRE_NO_PROCESS();
    struct process *parent = make_process("parent"), *child;
    REQUIRE(parent != NULL);
    REQUIRE(object_create_anonymous(PAGES, &object) == KERR_OK);
    wish.object = object;
    space_switch(&parent->memory->space);
    EXPECT_EQUAL(vma_map_at(&parent->memory->space, page_number(0), PAGES, &wish), KERR_OK);
    space_switch(&boot_space);
    expect_broken("an object has as many references"); /* ours is one too many */
    object_put(object);
    expect_books_in_order();
    child = fork_process(parent, "child");
    REQUIRE(child != NULL);
    expect_books_in_order();
    object->references--;
    expect_broken("an object has as many references");
    object->references++;
    process_discard(child);
    process_discard(parent);
}

TEST("process-audit", "what is broken is said, sentence by sentence")
{
    REQUIRE_NO_PROCESS();
    struct process *parent = make_process("parent"), *child;
    REQUIRE(parent != NULL);
    child = fork_process(parent, "child");
    REQUIRE(child != NULL);
    process_start(parent);
    process_start(child);
    expect_books_in_order();

    uint32_t pid = child->pid;
    child->pid = parent->pid;
    expect_broken("the number of a record");
    child->pid = pid;

    child->state = PROCESS_ZOMBIE + 1;
    expect_broken("a process is in a state");
    child->state = PROCESS_STOPPED;
    expect_broken("who can run or sleeps");
    child->state = PROCESS_VFORKING;
    expect_broken("who can run or sleeps");
    child->state = PROCESS_ZOMBIE;
    expect_broken("a process has a memory until");
    child->state = PROCESS_RUNNABLE;

    struct memory *memory = child->memory;
    child->memory = NULL;
    expect_broken("a process has a memory until");
    child->memory = parent->memory;
    expect_broken("a memory has as many references");
    child->memory = memory;
    memory->references++;
    expect_broken("a memory has as many references");
    memory->references--;

    memory->references = 0;
    expect_broken("a process's space is live");
    memory->references = 1;

    child->frame.gs = FIRST_TLS;
    expect_broken("the registers in a record");
    child->frame.gs = 0;
    child->frame.user_ss = USER_CODE;
    expect_broken("the registers in a record");
    child->frame.user_ss = USER_DATA;
    child->frame.cs = KERNEL_CODE;
    expect_broken("the registers in a record");
    child->frame.cs = USER_CODE;

    child->no_calls = child->calls;
    expect_broken("behind a frame stands");
    child->no_calls = 0;

    list_remove(&child->queue);
    expect_broken("who can run or sleeps");
    child->state = PROCESS_VFORKING;
    expect_broken("who waits for a vfork child");
    process_start(child);

    memory->space.promised_frames++;
    expect_broken("what is promised is the sum");
    memory->space.promised_frames--;

    child->deadline = 1;
    expect_broken("only sleepers have a deadline");
    child->deadline = 0;

    static struct process stranger;
    child->parent = &stranger;
    expect_broken("a parent is alive");
    child->parent = NULL;
    expect_broken("the ring of a process's children");
    child->parent = parent;
    list_remove(&child->sibling);
    expect_broken("who has a parent is among its children");
    list_add_last(&parent->children, &child->sibling);

    struct space space;
    REQUIRE(space_create(&space, RIGHTS_USER) == KERR_OK);
    expect_broken("every space but the boot space");
    space_destroy(&space);

    expect_books_in_order();
    process_exit(child, 0);
    process_exit(parent, 0);
    process_finish_exits();
    for (struct process *process; (process = process_next(NULL)) != NULL;)
        process_reap(process);
}

/* ---- a boot that must end in a panic ---- */

PANIC_TEST("alternate-open-at-leave")
{
    struct process *runs = make_process("runs"), *other = make_process("other");
    if (runs == NULL || other == NULL)
        return;
    space_switch(&runs->memory->space);
    alternate_open(other->memory->space.directory);
    process_start(runs);
    process_run();
}

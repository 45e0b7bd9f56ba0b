/* SPDX-License-Identifier: MIT */
/*
 * Layer 5. Tests of memory running out: each allocation of the fault paths refused once, and memory
 * full to the last frame by each of those who take it. What is refused changes nothing, and what
 * was taken comes back: afterwards the same frames are free as before, and the audit is clean.
 *
 * Machines with more memory than a test fills have the rest set aside.
 */
#include "vm_testing.h"

#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/audit.h>
#include <mm/cow.h>
#include <mm/heap.h>

static const char name[] = "shortage";

/* ---- before and after ---- */

struct census {
    uint32_t totals[FRAME_KINDS];
    uint32_t kernel_regions, boot_regions, directories, heap_blocks;
};

/* What is kept for speed alone is given back, so that it does not count. */
static void census_take(struct census *census)
{
    heap_trim(&kernel_heap, 0);
    vma_trim();
    for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
        census->totals[kind] = frame_pool.totals[kind];
    census->kernel_regions = kernel_space.region_count;
    census->boot_regions = boot_space.region_count;
    census->directories = directory_live_count();
    census->heap_blocks = kernel_heap.used_blocks;
}

static void expect_audit_clean(const char *when)
{
    struct audit audit;
    if (vm_audit(&audit, frame_pool.set_aside) == NULL)
        return;
    printk("# %s: %s: %s\n", when, audit.broken, audit.where);
    test_fail(__FILE__, __LINE__, "the audit is clean");
}

static void expect_as_before(const struct census *before, const char *when)
{
    struct census now;
    census_take(&now);
    for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
        if (now.totals[kind] != before->totals[kind]) {
            printk("# %s: frames that are %s: %u before, %u now\n", when, frame_kind_text(kind),
                   (unsigned)before->totals[kind], (unsigned)now.totals[kind]);
            test_fail(__FILE__, __LINE__, "the same frames are free as before");
        }
    EXPECT_EQUAL(now.kernel_regions, before->kernel_regions);
    EXPECT_EQUAL(now.boot_regions, before->boot_regions);
    EXPECT_EQUAL(now.directories, before->directories);
    EXPECT_EQUAL(now.heap_blocks, before->heap_blocks);
    expect_audit_clean(when);
}

/* ---- every allocation fails once ---- */

struct scenario {
    const char *name;
    bool (*prepare)(void);
    enum kerr (*run)(void);
    void (*undo)(void);
    uint32_t needed, most; /* frames; with less it is refused */
};

static struct space one;
static bool has_one;

static const vaddr_t first = {TEST_SLOT * SLOT_BYTES};
/* A page of the last slot of process records, which nobody uses yet. */
static const vaddr_t record = {PROCESS_RECORDS_BASE + PROCESS_RECORDS_ROOM_BYTES - PAGE_BYTES};

static bool reserve_slot(void)
{
    return vma_reserve_at(&boot_space, first, SLOT_PAGES, RIGHTS_READ_WRITE, name) == KERR_OK;
}

static bool reserve_and_write(void)
{
    bool done = reserve_slot();
    poke(page_of_slot(TEST_SLOT, 1), 1);
    return done;
}

static bool reserve_and_share(void)
{
    bool done = reserve_and_write();
    has_one = done && space_create(&one, RIGHTS_NONE) == KERR_OK;
    if (!has_one)
        return false;
    /* One has the same region, and the table instead of the promise. */
    space_switch(&one);
    done = vma_reserve_at(&one, first, SLOT_PAGES, RIGHTS_READ_WRITE, name) == KERR_OK &&
           cow_release(first, SLOT_PAGES) == KERR_OK;
    space_switch(&boot_space);
    cow_share(TEST_SLOT, 1, one.directory);
    return done;
}

static bool reserve_part(void)
{
    return vma_reserve_at(&boot_space, first, 4, RIGHTS_READ_WRITE, name) == KERR_OK;
}

/* Reserve pages, a hole after each, until no node of a region is left. */
static bool use_up_nodes(void)
{
    enum { ENOUGH = SLOT_PAGES / 2 };
    uint32_t count = 0;
    leave_frames(0);
    while (count < ENOUGH && vma_reserve_at(&boot_space, page_of_slot(TEST_SLOT + 1, 2 * count), 1,
                                            RIGHTS_READ, name) == KERR_OK)
        count++;
    all_frames();
    return count < ENOUGH;
}

static bool nothing(void)
{
    return true;
}

static enum kerr run_write(void)
{
    return vma_error_of(probe_write(first, 7));
}

static enum kerr run_write_shared(void)
{
    return vma_error_of(probe_write(page_of_slot(TEST_SLOT, 1), 7));
}

static enum kerr run_read(void)
{
    uint32_t value;
    return vma_error_of(probe_read(first, &value));
}

static enum kerr run_reserve(void)
{
    return vma_reserve_at(&boot_space, first, 1, RIGHTS_READ, name);
}

static enum kerr run_make_record(void)
{
    return vma_make_real(record, 1);
}

static enum kerr run_create(void)
{
    enum kerr error = space_create(&one, RIGHTS_NONE);
    has_one = error == KERR_OK;
    return error;
}

static void undo_regions(void)
{
    if (has_one)
        space_destroy(&one);
    has_one = false;
    if (boot_space.region_count > 0)
        EXPECT(vma_release(&boot_space, first, 4 * SLOT_PAGES) == KERR_OK);
}

static void undo_record(void)
{
    EXPECT(cow_discard(record, 1, RIGHTS_READ_WRITE) == KERR_OK);
}

static const struct scenario scenarios[] = {
    {"a write with a table", reserve_and_write, run_write, undo_regions, 1, 1},
    {"a write to a promise", reserve_slot, run_write, undo_regions, 2, 2},
    {"a write to a shared page", reserve_and_share, run_write_shared, undo_regions, 2, 2},
    {"a write to a promise below a shared table", reserve_and_share, run_write, undo_regions, 2, 2},
    {"a read of a partial slot", reserve_part, run_read, undo_regions, 1, 1},
    {"a first write to a partial slot", reserve_part, run_write, undo_regions, 2, 2},
    {"a region without a node", use_up_nodes, run_reserve, undo_regions, 1, 1},
    {"a process record", nothing, run_make_record, undo_record, 2, 2},
    {"a directory", nothing, run_create, undo_regions, 1, 2}, /* number 1024 wants a table */
};

/*
 * With FRAMES frames. Returns true if it was done; else it was refused, and free frames are those
 * before it, but for a table that a partial slot got on the way.
 */
static bool is_done_with(const struct scenario *scenario, uint32_t frames)
{
    leave_frames(frames);
    uint32_t tables = frame_pool.totals[FRAME_TABLE];
    enum kerr error = scenario->run();
    if (error != KERR_OK) {
        EXPECT_EQUAL(error, KERR_NO_MEMORY);
        tables = frame_pool.totals[FRAME_TABLE] - tables;
        EXPECT(tables == 0 || scenario->prepare == reserve_part);
        EXPECT_EQUAL(frame_available(&frame_pool) + tables, frames);
        expect_audit_clean(scenario->name);
    }
    all_frames();
    return error == KERR_OK;
}

static void run_scenario(const struct scenario *scenario)
{
    struct census before;
    uint32_t frames = 0;
    for (bool is_done = false; !is_done; frames++) {
        census_take(&before);
        REQUIRE(scenario->prepare() && frames <= scenario->most);
        is_done = is_done_with(scenario, frames);
        if (!is_done) /* with memory again, it is done after all */
            EXPECT_EQUAL(scenario->run(), KERR_OK);
        expect_audit_clean(scenario->name);
        scenario->undo();
        expect_as_before(&before, scenario->name);
    }
    EXPECT(frames - 1 >= scenario->needed);
}

TEST("shortage",
     "each allocation of the fault paths refused: no memory, as before, then it is done")
{
    if (directory_live_count() > 1 || boot_space.region_count > 0)
        SKIP("needs the lower half empty");
    for (unsigned i = 0; i < ARRAY_LENGTH(scenarios); i++)
        run_scenario(&scenarios[i]);
}

/* ---- memory full ---- */

/* At most FRAMES frames are to be had: those of a small machine all. */
static void leave_at_most(uint32_t frames)
{
    if (frame_available(&frame_pool) > frames)
        leave_frames(frames);
}

/* What fills memory takes one frame or two a step: one may be left. */
static void expect_full(const char *when)
{
    EXPECT(frame_available(&frame_pool) <= 1);
    expect_audit_clean(when);
}

TEST("shortage", "full by writes to one GiB: the last is refused, all data stays, all comes back")
{
    enum { FRAMES = 4096, PAGES = 262144 };
    struct census before;
    uint32_t written = 0, refused = fault_counters.no_memory;

    census_take(&before);
    REQUIRE(vma_reserve_at(&boot_space, first, PAGES, RIGHTS_READ_WRITE, name) == KERR_OK);
    leave_at_most(FRAMES);
    while (written < PAGES &&
           probe_write(page_of_slot(TEST_SLOT, written), written + 1) == FAULT_RESOLVED)
        written++;
    EXPECT_EQUAL(fault_counters.no_memory, refused + 1);
    expect_full("full by writes");
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT, written)), 0);
    for (uint32_t i = 0; i < written; i++)
        EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT, i)), i + 1);
    EXPECT(vma_release(&boot_space, first, PAGES) == KERR_OK);
    all_frames();
    expect_as_before(&before, "full by writes");
}

TEST("shortage", "full by tables, one a slot: the last is refused, and all come back")
{
    enum { FRAMES = 300, SLOTS = 700 };
    struct census before;
    uint32_t read = 0, value;

    census_take(&before);
    for (uint32_t slot = 1; slot <= SLOTS; slot++)
        EXPECT(vma_reserve_at(&boot_space, page_of_slot(slot, 5), 1, RIGHTS_READ_WRITE, name) ==
               KERR_OK);
    uint32_t tables = frame_pool.totals[FRAME_TABLE];
    leave_at_most(FRAMES);
    while (read < SLOTS && probe_read(page_of_slot(read + 1, 5), &value) == FAULT_RESOLVED)
        read++;
    EXPECT_EQUAL(frame_pool.totals[FRAME_TABLE], tables + read);
    expect_full("full by tables");
    EXPECT(vma_release(&boot_space, page_of_slot(1, 0), SLOTS * SLOT_PAGES) == KERR_OK);
    all_frames();
    expect_as_before(&before, "full by tables");
}

TEST("shortage", "full by region nodes: the last is refused, and all come back")
{
    enum { FRAMES = 1024, PAGES = 700 * SLOT_PAGES };
    struct census before;
    uint32_t pages = 0;

    census_take(&before);
    leave_at_most(FRAMES);
    while (pages < PAGES &&
           vma_reserve_at(&boot_space, page_of_slot(1, pages), 1, RIGHTS_READ, name) == KERR_OK)
        pages += 2;
    EXPECT(pages < PAGES);
    expect_full("full by region nodes");
    EXPECT_EQUAL(boot_space.region_count, pages / 2);
    EXPECT(vma_release(&boot_space, page_of_slot(1, 0), 1) == KERR_OK); /* whole: wants no node */
    EXPECT(vma_release(&boot_space, page_of_slot(1, 0), PAGES) == KERR_OK);
    all_frames();
    expect_as_before(&before, "full by region nodes");
}

/* Blocks, each of which holds the address of the next. */
struct link {
    struct link *next;
};

static void *take_block(struct link **chain, size_t bytes)
{
    void *block;
    if (kmalloc(bytes, &block) != KERR_OK)
        return NULL;
    ((struct link *)block)->next = *chain;
    *chain = block;
    return block;
}

static void free_chain(struct link *chain)
{
    while (chain != NULL) {
        struct link *next = chain->next;
        kfree(chain);
        chain = next;
    }
}

TEST("shortage", "full by heap blocks, large then small: the last is refused, and all come back")
{
    enum { FRAMES = 2048, LARGEST = 0x10000, SMALLEST = 64 };
    struct census before;
    struct link *chain = NULL;
    vaddr_t where;

    census_take(&before);
    leave_at_most(FRAMES);
    for (size_t bytes = LARGEST; bytes >= SMALLEST; bytes /= 2)
        while (take_block(&chain, bytes) != NULL)
            ;
    expect_full("full by heap blocks");
    EXPECT(heap_check(&kernel_heap, &where) == NULL);
    free_chain(chain);
    all_frames();
    expect_as_before(&before, "full by heap blocks");
}

struct space_link {
    struct link link;
    struct space space;
    bool is_there;
};

TEST("shortage", "full by spaces: the last is refused, and all come back")
{
    enum { FRAMES = 1500 };
    struct census before;
    struct link *chain = NULL;
    struct space_link *taken;
    uint32_t spaces = 0;

    census_take(&before);
    leave_at_most(FRAMES);
    do {
        taken = take_block(&chain, sizeof(*taken));
        if (taken != NULL)
            taken->is_there = space_create(&taken->space, RIGHTS_NONE) == KERR_OK;
        spaces += taken != NULL && taken->is_there;
    } while (taken != NULL && taken->is_there);
    EXPECT_EQUAL(directory_live_count(), before.directories + spaces);
    expect_full("full by spaces");
    for (struct link *link = chain; link != NULL; link = link->next) {
        taken = container_of(link, struct space_link, link);
        if (taken->is_there)
            space_destroy(&taken->space);
    }
    free_chain(chain);
    all_frames();
    expect_as_before(&before, "full by spaces");
}

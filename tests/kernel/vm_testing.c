/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. What the tests of promises have in common, and what must hold after every test: the
 * zero frame and the zero tables are what they were, and every frame and every reference that a
 * test took came back. Arrays of the kernel that grow and stay are counted out (growing_areas).
 */
#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <arch/i386/page_ops.h>
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/zero.h>

/* ---- accesses ---- */

static void say_refused(const char *what, vaddr_t address, enum fault_result result)
{
    char text[64];
    format_text(text, sizeof(text), "%s " PRI_VADDR ": %s", what, ARG_VADDR(address),
                result == FAULT_NO_MEMORY ? "no memory" : "refused");
    test_fail(__FILE__, __LINE__, text);
}

uint32_t peek(vaddr_t address)
{
    uint32_t value = ~0u;
    enum fault_result result = probe_read(address, &value);
    if (result != FAULT_RESOLVED)
        say_refused("read of", address, result);
    return value;
}

void poke(vaddr_t address, uint32_t value)
{
    enum fault_result result = probe_write(address, value);
    if (result != FAULT_RESOLVED)
        say_refused("write to", address, result);
}

bool page_is_zero_behind(vaddr_t page, uint32_t skipped)
{
    const volatile uint32_t *words = vaddr_to_pointer(page);
    uint32_t bits = 0;
    fault_allow_lower_half(true);
    for (uint32_t i = skipped; i < PAGE_BYTES / sizeof(uint32_t); i++)
        bits |= words[i];
    fault_allow_lower_half(false);
    return bits == 0;
}

/* ---- costs ---- */

void cost_start(struct cost *start)
{
    *start = (struct cost){frame_pool.totals[FRAME_TABLE] + frame_pool.totals[FRAME_INDEX],
                           frame_pool.totals[FRAME_ANONYMOUS], frame_pool.totals[FRAME_FREE]};
}

void cost_expect(const char *file, int line, const struct cost *start, int tables, int frames)
{
    struct cost now;
    cost_start(&now);
    test_expect_equal(file, line, "tables taken", now.tables - start->tables, "expected",
                      (uint32_t)tables);
    test_expect_equal(file, line, "frames taken", now.anonymous - start->anonymous, "expected",
                      (uint32_t)frames);
    test_expect_equal(file, line, "free frames gone", start->free - now.free, "expected",
                      (uint32_t)(tables + frames));
}

static uint32_t frames_away;

void leave_frames(uint32_t count)
{
    frames_away = frame_available(&frame_pool) - count;
    ASSERT(frame_set_aside(&frame_pool, frames_away) == KERR_OK,
           "%u frames are to be left, but there are fewer", count);
}

void all_frames(void)
{
    frame_end_set_aside(&frame_pool, frames_away);
    frames_away = 0;
}

/* ---- entries ---- */

frame_t zero_table(enum rights rights)
{
    frame_t table = FRAME(0);
    if (zero_promise_slots(TEST_SLOT, 1, rights) == KERR_OK) {
        table = pde_frame(pde_read(TEST_SLOT));
        EXPECT(cow_release(slot_to_vaddr(TEST_SLOT), SLOT_PAGES) == KERR_OK);
    } else {
        test_fail(__FILE__, __LINE__, "the test's first slot is not empty");
    }
    return table;
}

pte_t pte_in(uint32_t id, vaddr_t page)
{
    pde_t pde = directory_pde_read(id, vaddr_to_slot(page));
    if (!pde_is_table(pde))
        return PTE_EMPTY;
    const uint32_t *table = temp_map(TEMP_FRAME, pde_frame(pde));
    pte_t pte = {table[vaddr_to_pte_idx(page)]};
    temp_unmap(TEMP_FRAME);
    return pte;
}

/* ---- a recount ---- */

enum { COUNTED_MAX = 128 };

/* Frames that were found, and how often. */
struct tally {
    uint32_t length;
    struct {
        uint32_t frame, count, shared;
    } entries[COUNTED_MAX];
};

/* The place of FRAME, new or known; -1 if there is no more room. */
static int tally_add(struct tally *tally, frame_t frame)
{
    for (uint32_t i = 0; i < tally->length; i++)
        if (tally->entries[i].frame == frame.n) {
            tally->entries[i].count++;
            return (int)i;
        }
    if (tally->length == COUNTED_MAX)
        return -1;
    tally->entries[tally->length].frame = frame.n;
    tally->entries[tally->length].count = 1;
    tally->entries[tally->length].shared = 0;
    return (int)tally->length++;
}

static const char *recount_pde(struct tally *tables, pde_t pde)
{
    if (!pde_is_present(pde))
        return pde.bits == 0 ? NULL : "a PDE that is not present is empty";
    if (!pde_is_table(pde))
        return "a PDE points to a table";
    if (pde_is_shared(pde) == ((pde.bits & ENTRY_WRITABLE) != 0))
        return "a PDE is either shared or writable";
    if (frame_kind(&frame_pool, pde_frame(pde)) == FRAME_ZERO)
        return pde_is_shared(pde) ? NULL : "the PDE of a zero table is shared";
    int at = tally_add(tables, pde_frame(pde));
    if (at < 0)
        return "the tally has room";
    if (pde_is_shared(pde))
        tables->entries[at].shared++;
    return NULL;
}

static const char *recount_table(struct tally *frames, const uint32_t *entries, uint32_t used)
{
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t pte = {entries[i]};
        if (pte_is_empty(pte))
            continue;
        used--;
        if (!pte_holds_frame(pte))
            return "a PTE holds a frame or is empty";
        if (pte_is_writable(pte) && pte_is_cow(pte))
            return "a PTE is either COW or writable";
        if (pte_frame(pte).n == zero_frame.n) {
            if (pte_is_writable(pte))
                return "nobody may write to the zero frame";
        } else if (tally_add(frames, pte_frame(pte)) < 0) {
            return "the tally has room";
        }
        if (pte_is_writable(pte) && !(pte.bits & PTE_SHARED_MAPPING) &&
            frame_references(&frame_pool, pte_frame(pte)) != 1)
            return "a private frame that may be written has one entry";
    }
    return used == 0 ? NULL : "a table's used entries are counted";
}

const char *recount(const uint32_t *ids, uint32_t count, uint32_t slot, uint32_t slots)
{
    static struct tally tables, frames;
    const char *broken = NULL;
    tables.length = frames.length = 0;
    for (uint32_t i = 0; i < count * slots && broken == NULL; i++)
        broken = recount_pde(&tables, directory_pde_read(ids[i / slots], slot + i % slots));
    for (uint32_t i = 0; i < tables.length && broken == NULL; i++) {
        frame_t table = FRAME(tables.entries[i].frame);
        if (frame_kind(&frame_pool, table) != FRAME_TABLE)
            return "a table's frame is of that kind";
        if (frame_references(&frame_pool, table) != tables.entries[i].count)
            return "a table has as many references as PDEs";
        if (tables.entries[i].count > 1 && tables.entries[i].shared != tables.entries[i].count)
            return "the PDEs of a table with several are shared";
        broken = recount_table(&frames, temp_map(TEMP_FRAME, table),
                               frame_record(&frame_pool, table)->used_entries);
        temp_unmap(TEMP_FRAME);
    }
    for (uint32_t i = 0; i < frames.length && broken == NULL; i++)
        if (frame_references(&frame_pool, FRAME(frames.entries[i].frame)) !=
            frames.entries[i].count)
            broken = "a frame has as many references as PTEs";
    return broken;
}

/* ---- directories ---- */

/* In a kernel of layers 0-3 nobody promises the directories area: its pages are mapped by hand. */
static bool pages_are_promised = true;

static bool make_page_real(vaddr_t page)
{
    frame_t frame;
    if (frame_alloc(&frame_pool, FRAME_ANONYMOUS, &frame) != KERR_OK)
        return false;
    enum kerr error = paging_map(page, frame, RIGHTS_READ_WRITE);
    if (error != KERR_OK)
        frame_free(&frame_pool, frame);
    pages_are_promised = error == KERR_EXISTS;
    if (pages_are_promised)
        return cow_make_real(page, 1) == KERR_OK;
    if (error == KERR_OK)
        page_clear(vaddr_to_pointer(page));
    return error == KERR_OK;
}

bool directory_make(uint32_t *id)
{
    uint32_t next = 1;
    while (directory_is_live(next))
        next++;
    if (!make_page_real(directory_page(next)))
        return false;
    directory_register(next);
    *id = next;
    return true;
}

void directory_end(uint32_t id)
{
    vaddr_t page = directory_page(id);
    cow_drop_lower_half(id);
    directory_unregister(id);
    if (pages_are_promised) {
        EXPECT(cow_discard(page, 1, RIGHTS_READ_WRITE) == KERR_OK);
    } else {
        frame_t frame;
        EXPECT(paging_unmap(page, &frame) == KERR_OK);
        frame_free(&frame_pool, frame);
    }
}

/* ---- what must hold after every test ---- */

/*
 * What these areas hold now: they grow with their use and may keep their tables; nodes, heap
 * and device mappings also keep pages.
 */
static const struct {
    uint32_t base, bytes;
    enum { KEEPS_TABLES, KEEPS_PAGES } keeps;
} growing_areas[] = {
    {REGION_NODES_BASE, REGION_NODES_ROOM_BYTES, KEEPS_PAGES},
    {PROCESS_RECORDS_BASE, PROCESS_RECORDS_ROOM_BYTES, KEEPS_TABLES},
    {DIRECTORIES_BASE, DIRECTORIES_ROOM_BYTES, KEEPS_TABLES},
    {HEAP_BASE, HEAP_ROOM_BYTES, KEEPS_PAGES},
    {DEVICE_BASE, DEVICE_ROOM_BYTES, KEEPS_PAGES},
};

/* What is in use outside the growing areas. */
struct use {
    uint32_t tables, anonymous, directories, zero_frame_references, zero_table_references;
    uint32_t slots; /* of the lower half, that are not empty */
};

static void count_out_table(struct use *use, uint32_t slot, bool keeps_pages)
{
    use->tables--;
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t pte = pte_read(page_of_slot(slot, i));
        frame_t frame = pte_frame(pte);
        if (!pte_holds_frame(pte) || frame.n >= frame_pool.frames)
            continue;
        if (frame.n == zero_frame.n)
            use->zero_frame_references--;
        else if (keeps_pages && frame_kind(&frame_pool, frame) == FRAME_ANONYMOUS)
            use->anonymous--;
    }
}

static void count_use(struct use *use)
{
    *use = (struct use){
        .tables = frame_pool.totals[FRAME_TABLE],
        .anonymous = frame_pool.totals[FRAME_ANONYMOUS],
        .directories = frame_pool.totals[FRAME_DIRECTORY],
        .zero_frame_references = frame_references(&frame_pool, zero_frame),
        .zero_table_references = frame_references(&frame_pool, zero_table(RIGHTS_READ_WRITE)) +
                                 frame_references(&frame_pool, zero_table(RIGHTS_READ)),
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(growing_areas); i++)
        for (uint32_t j = 0; j < growing_areas[i].bytes / SLOT_BYTES; j++) {
            uint32_t slot = growing_areas[i].base / SLOT_BYTES + j;
            pde_t pde = pde_read(slot);
            if (pde_is_shared(pde))
                use->zero_table_references--;
            else if (pde_is_table(pde))
                count_out_table(use, slot, growing_areas[i].keeps == KEEPS_PAGES);
        }
    for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++)
        use->slots += pde_is_present(pde_read(slot));
}

static struct use use_before;

static void before_test(void)
{
    count_use(&use_before);
}

static void after_test(void)
{
    struct use use;
    const char *broken = zero_check();
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    broken = directory_check();
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
    EXPECT_EQUAL(directory_current(), 0);
    EXPECT_EQUAL(frame_pool.set_aside, 0);
    count_use(&use);
    EXPECT_EQUAL(use.tables, use_before.tables);
    EXPECT_EQUAL(use.anonymous, use_before.anonymous);
    EXPECT_EQUAL(use.directories, use_before.directories);
    EXPECT_EQUAL(use.zero_frame_references, use_before.zero_frame_references);
    EXPECT_EQUAL(use.zero_table_references, use_before.zero_table_references);
    EXPECT_EQUAL(use.slots, use_before.slots);
}

TEST_INVARIANT("zero frame and tables are whole, and what was taken is given back", before_test,
               after_test);

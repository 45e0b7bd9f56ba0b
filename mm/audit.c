/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The audit (audit.h).
 *
 * First what is needed to walk safely (frame pool, temporary pages, directories, trees, objects),
 * then every entry by the rules of audit_entries.c, then the references: a reference is an entry
 * that holds a frame, a directory entry that leads to a table, a page of an object, or one of the
 * few owners of `owners_outside`. Entries in fixed regions (image, devices) hold none.
 *
 * A table is counted at the first of its directory entries: `mark`, in its frame's record, says
 * that it was. The same walk in the other direction restores references and marks.
 */
#include "audit_parts.h"
#include "vma_nodes.h"
#include "vma_share.h"

#include <arch/i386/entry.h>
#include <kernel/printk.h>

void audit_broken(struct audit *audit, const char *sentence, const char *format, ...)
{
    va_list arguments;
    if (audit->broken != NULL)
        return;
    audit->broken = sentence;
    va_start(arguments, format);
    vformat_text(audit->where, sizeof(audit->where), format, arguments);
    va_end(arguments);
}

static void check_sentence(struct audit *audit, const char *sentence, const struct space *space)
{
    if (sentence != NULL)
        audit_broken(audit, sentence, "space %u%s", (unsigned)space->directory,
                     space == &kernel_space ? ", kernel half" : "");
}

/* ---- all directory entries ---- */

static void visit_slots(struct audit *audit, audit_visit_t *visit, const struct space *space,
                        uint32_t slot, uint32_t end)
{
    while (slot < end) {
        /* The kernel half is the same in all directories: directory 0's will do. */
        const struct directory_entry at = {space, slot, space_pde_read(space, slot)};
        if (at.pde.bits != 0)
            visit(audit, &at);
        slot += at.pde.bits != 0 ? 1 : space_pde_run(space, slot, end - slot);
    }
}

void audit_each_directory_entry(struct audit *audit, audit_visit_t *visit)
{
    visit_slots(audit, visit, &kernel_space, KERNEL_FIRST_SLOT, KERNEL_LAST_SHARED_SLOT + 1);
    for (const struct space *space = space_first(); space != NULL; space = space_next(space))
        visit_slots(audit, visit, space, 0, KERNEL_FIRST_SLOT);
}

/* ---- references ---- */

/* They are taken out while it is checked what remains, and put back. */
enum direction { TAKE_OUT, PUT_BACK };

static inline void count_reference(frame_t frame, enum direction direction)
{
    if (direction == TAKE_OUT)
        frame_pool.records[frame.n].references--;
    else
        frame_pool.records[frame.n].references++;
}

/* What the entries of a table hold. */
enum holding { HOLDS_NOTHING, HOLDS_REFERENCES };

static void count_entries(struct audit *audit, frame_t table, enum direction direction)
{
    const uint32_t *entries = temp_map(TEMP_FRAME, table);
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t entry = {entries[i]};
        if (!pte_holds_frame(entry))
            continue;
        count_reference(pte_frame(entry), direction);
        audit->references += direction == TAKE_OUT;
    }
    temp_unmap(TEMP_FRAME);
}

/* The references that TABLE's entries hold, once in each direction. */
static void count_table(struct audit *audit, frame_t table, enum holding holding,
                        enum direction direction)
{
    struct frame_record *record = frame_record(&frame_pool, table);
    if (!frame_visit(record, direction == TAKE_OUT))
        return;
    audit->tables += direction == TAKE_OUT;
    if (holding == HOLDS_REFERENCES)
        count_entries(audit, table, direction);
}

/* Entries of the temporary slot and of fixed regions, which cover their slots whole, hold none. */
static enum holding holding_of(const struct directory_entry *at)
{
    bool is_kernel = at->space == &kernel_space;
    return is_kernel && (at->slot == TEMP_SLOT || is_fixed(region_of_slot(at))) ? HOLDS_NOTHING
                                                                                : HOLDS_REFERENCES;
}

static void count_directory_entry(struct audit *audit, const struct directory_entry *at,
                                  enum direction direction)
{
    if (pde_is_swapped(at->pde)) {
        count_reference(pde_frame(at->pde), direction);
        audit->references += direction == TAKE_OUT;
    }
    if (!pde_is_table(at->pde))
        return;
    count_reference(pde_frame(at->pde), direction);
    audit->references += direction == TAKE_OUT;
    count_table(audit, pde_frame(at->pde), holding_of(at), direction);
}

static void take_out(struct audit *audit, const struct directory_entry *at)
{
    count_directory_entry(audit, at, TAKE_OUT);
}

static void put_back(struct audit *audit, const struct directory_entry *at)
{
    count_directory_entry(audit, at, PUT_BACK);
}

/* The references that objects hold, and regions of objects. */
static void take_out_frame(void *context, uint32_t page, frame_t frame)
{
    (void)page;
    ((struct audit *)context)->references++;
    count_reference(frame, TAKE_OUT);
}

static void put_back_frame(void *context, uint32_t page, frame_t frame)
{
    (void)context;
    (void)page;
    count_reference(frame, PUT_BACK);
}

/*
 * A slot whose page is here has a reference for that. If it keeps a table, what the entries of this hold
 * is counted where they can be seen; those of other tables that are out are left over in the end.
 */
static void count_slots(struct audit *audit, const struct object *object, enum direction direction)
{
    uint32_t word;
    for (uint32_t page = 0; object_next_page(object, &page, object->pages, PAGE_HERE, &word);
         page++) {
        frame_t slot = FRAME(object->first_slot + page);
        uint32_t used = frame_record(&frame_pool, slot)->used_entries;
        count_reference(slot, direction);
        audit->references += direction == TAKE_OUT;
        if (used == 0 || (word & PAGE_FILLING))
            continue;
        count_entries(audit, page_word_frame(word), direction);
        audit->hidden += direction == TAKE_OUT ? 0u - used : used;
    }
}

/* What the tables in slots of POOL hold, for a start: those that can be seen come off again. */
static void count_hidden(struct audit *audit, const struct frame_pool *pool)
{
    for (uint32_t n = pool->first; n < pool->frames; n++)
        audit->hidden += pool->records[n].used_entries;
}

static void count_objects(struct audit *audit, enum direction direction)
{
    for (struct object *object = object_first(); object != NULL; object = object->next) {
        object_for_each_frame(object, direction == TAKE_OUT ? take_out_frame : put_back_frame,
                              audit);
        if (object->kind == OBJECT_SWAP && object->first_slot != 0)
            count_slots(audit, object, direction);
    }
}

static void count_everything(struct audit *audit, enum direction direction)
{
    audit->hidden = 0;
    for (uint32_t i = 0; i < SLOT_POOLS_MAX; i++)
        if (frame_slots_pool(i) != NULL)
            count_hidden(audit, frame_slots_pool(i));
    for (unsigned i = 0; i < ZERO_TABLES; i++)
        count_table(audit, zero_tables[i], HOLDS_REFERENCES, direction);
    audit_each_directory_entry(audit, direction == TAKE_OUT ? take_out : put_back);
    count_objects(audit, direction);
}

/* Owners that are no entries: what boot claimed; layer 3 has one reference of its own; so
 * has layer 7 to what it keeps pages in. */
static const uint8_t owners_outside[FRAME_KINDS] = {
    [FRAME_KERNEL] = 1,
    [FRAME_ZERO] = 1,
    [FRAME_PACKED] = 1,
};

/* What entries that nobody can see may refer to; of a slot that is marked one reference is its own. */
static bool may_be_hidden(frame_t number, enum frame_kind kind)
{
    return kind == FRAME_SLOT || number.n == zero_frame.n;
}

static uint32_t owners_of(const struct frame_record *record)
{
    bool is_marked = record->kind == FRAME_SLOT && record->mark != 0;
    return owners_outside[record->kind] + (is_marked ? 1u : 0u);
}

/* FRAME, of KIND, is one that boot claimed for good, or a module of which nobody made a file. */
static bool is_claimed(frame_t frame, enum frame_kind kind)
{
    uint32_t count;
    const struct frame_claim *claims = frame_claims(&count);
    for (uint32_t i = 0; i < count; i++)
        if (claims[i].kind == kind && frame.n - claims[i].first.n < claims[i].count)
            return true;
    return false;
}

/*
 * With all entries' references taken out, those of the owners outside are left, and those of *HIDDEN
 * entries.
 */
static bool is_counted(frame_t frame, uint32_t *hidden)
{
    const struct frame_record *record = frame_record(&frame_pool, frame);
    uint32_t rest = record->references - owners_of(record);
    if (rest == 0)
        return true;
    if (rest <= *hidden && may_be_hidden(frame, record->kind)) {
        *hidden -= rest;
        return true;
    }
    return record->kind == FRAME_FILE && record->references == 1 && is_claimed(frame, FRAME_FILE);
}

/* With all entries' references taken out: a frame, or slot, of POOL whose rest is wrong. */
static bool find_miscounted_of(const struct frame_pool *pool, uint32_t *hidden, frame_t *frame)
{
    for (uint32_t n = pool->first; n < pool->frames; n++)
        if (!is_counted(FRAME(n), hidden)) {
            *frame = FRAME(n);
            return true;
        }
    return false;
}

static bool find_miscounted(uint32_t *hidden, frame_t *frame)
{
    bool is_found = find_miscounted_of(&frame_pool, hidden, frame);
    for (uint32_t i = 0; i < SLOT_POOLS_MAX && !is_found; i++)
        is_found =
            frame_slots_pool(i) != NULL && find_miscounted_of(frame_slots_pool(i), hidden, frame);
    return is_found;
}

static void check_references(struct audit *audit)
{
    count_everything(audit, TAKE_OUT);
    frame_t frame;
    uint32_t hidden = audit->hidden;
    bool is_found = find_miscounted(&hidden, &frame);
    uint32_t rest = is_found ? frame_references(&frame_pool, frame) : 0;
    count_everything(audit, PUT_BACK);
    audit->frames = frame_pool.frames;
    if (!is_found && hidden != 0)
        audit_broken(audit, "the entries of tables that are out hold references", "%u do not",
                     (unsigned)hidden);
    if (!is_found)
        return;

    enum frame_kind kind = frame_kind(&frame_pool, frame);
    uint32_t references = frame_references(&frame_pool, frame);
    uint32_t found = references - rest + owners_of(frame_record(&frame_pool, frame));
    audit_broken(audit,
                 found == 0 ? "a frame in use has an owner"
                            : "a frame has as many references as entries and owners",
                 "frame %05x (%s): %u references, found %u", (unsigned)frame.n,
                 frame_kind_text(kind), (unsigned)references, (unsigned)found);
}

/* ---- what is not found by way of entries ---- */

static void check_frames(struct audit *audit)
{
    const char *sentence = frame_pool_check(&frame_pool);
    if (sentence != NULL)
        audit_broken(audit, sentence, "%u frames", (unsigned)frame_pool.frames);
    uint32_t unclaimed = 0;
    for (uint32_t n = 0; n < frame_pool.frames && audit->broken == NULL; n++) {
        enum frame_kind kind = (enum frame_kind)frame_pool.records[n].kind;
        if (kind == FRAME_FREE)
            continue;
        if (kind == FRAME_KERNEL && !is_claimed(FRAME(n), kind) &&
            ++unclaimed > frame_slots_record_pages())
            audit_broken(audit, "a kernel frame was claimed at boot, or has records of slots",
                         "frame %05x", (unsigned)n);
        if (frame_pool.records[n].mark != 0)
            audit_broken(audit, "no mark is left on a frame", "frame %05x", (unsigned)n);
    }
    if (frame_pool.totals[FRAME_ZERO] != 1 + ZERO_TABLES)
        audit_broken(audit, "the zero frame and the zero tables are all zero frames there are",
                     "%u frames", (unsigned)frame_pool.totals[FRAME_ZERO]);
}

static void check_temporary_pages(struct audit *audit)
{
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t pte = pte_read(VADDR(TEMP_PAGE_ADDRESS(i)));
        if (i != TEMP_CPU_TABLES && !pte_is_empty(pte))
            audit_broken(audit, "temporary pages are unmapped after their use",
                         "number %u: PTE %08x", (unsigned)i, (unsigned)pte.bits);
    }
}

static void check_debts(struct audit *audit)
{
    if (ledger_open() != 0)
        audit_broken(audit, "every invalidation that was owed is paid", "%u are open",
                     (unsigned)ledger_open());
}

/* SPACE has no directory: what it has instead is in order, and no table in RAM is its alone. */
static void check_folded(struct audit *audit, const struct space *space)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < space->folded_runs; i++) {
        const struct folded_run *run = &space->folded[i];
        if (run->slot < next || run->count == 0 || pde_is_empty(run->pde))
            audit_broken(audit, "the entries of a folded space are in order", "run %u",
                         (unsigned)i);
        next = run->slot + (uint32_t)run->count;
    }
    if (space->folded_runs > FOLDED_RUNS_MAX || next > KERNEL_FIRST_SLOT)
        audit_broken(audit, "the entries of a folded space are in order", "up to slot %u",
                     (unsigned)next);
    if (space == space_current() || space->locked_pages != 0)
        audit_broken(audit, "a folded space is not loaded, and has no locked page", "%u are",
                     (unsigned)space->locked_pages);
}

/* SPACE's directory can be read by way of the directories area. */
static void check_directory(struct audit *audit, const struct space *space)
{
    struct translation t;
    paging_query(directory_page(space->directory), &t);
    if (!directory_is_live(space->directory) || !t.has_pte || !pde_is_own_table(t.pde) ||
        !pte_is_writable(t.pte) || !is_ram(pte_frame(t.pte)))
        audit_broken(audit, "a space has a live directory, seen in its page", "space %u: PTE %08x",
                     (unsigned)space->directory, (unsigned)t.pte.bits);
    else if (directory_pde_read(space->directory, ALT_WINDOW_SLOT).bits != 0)
        audit_broken(audit, "the alternate window is closed", "space %u",
                     (unsigned)space->directory);
}

/* Each space a directory, each directory a space: else entries would be missed. */
static void check_directories(struct audit *audit)
{
    uint32_t folded = 0;
    for (const struct space *space = space_first(); space != NULL && audit->broken == NULL;
         space = space_next(space)) {
        if (space_is_folded(space))
            check_folded(audit, space);
        else
            check_directory(audit, space);
        folded += space_is_folded(space);
        audit->spaces++;
    }
    if (audit->spaces - folded != directory_live_count())
        audit_broken(audit, "every live directory is a space's", "%u directories, %u spaces",
                     (unsigned)directory_live_count(), (unsigned)(audit->spaces - folded));
    if (directory_current() != space_current()->directory)
        audit_broken(audit, "the current space's directory is loaded", "directory %u, space %u",
                     (unsigned)directory_current(), (unsigned)space_current()->directory);
    if (audit->broken == NULL)
        check_sentence(audit, directory_check(), space_current());
}

static void check_trees(struct audit *audit)
{
    uint32_t nodes = audit->regions = kernel_space.region_count;
    uint64_t locked_pages = kernel_space.locked_pages;
    check_sentence(audit, vma_check(&kernel_space), &kernel_space);
    for (const struct space *space = space_first(); space != NULL && audit->broken == NULL;
         space = space_next(space)) {
        check_sentence(audit, vma_check(space), space);
        check_sentence(audit, vma_check_sharing(space), space);
        audit->regions += space->region_count;
        locked_pages += space->locked_pages;
        if (vma_stands_for_tree(space))
            nodes += space->region_count + (space->shared_end != NULL);
    }
    if (audit->broken == NULL && locked_pages != vma_locked_pages)
        audit_broken(audit, "the locked pages of all spaces are counted", "%u, not %u",
                     (unsigned)locked_pages, (unsigned)vma_locked_pages);
    audit->objects = object_count();
    if (audit->broken == NULL)
        check_sentence(audit, nodes_check(nodes + audit->objects), &kernel_space);
}

/* ---- objects ---- */

struct object_tally {
    const struct object *object;
    uint32_t pages, out, behind_the_end, of_other_kinds, broken_levels;
};

static void tally_frame(void *context, uint32_t page, frame_t frame)
{
    struct object_tally *tally = context;
    enum frame_kind kind = frame_kind(&frame_pool, frame);
    static const enum frame_kind kinds[] = {[OBJECT_FILE] = FRAME_FILE,
                                            [OBJECT_ANONYMOUS] = FRAME_ANONYMOUS,
                                            [OBJECT_SWAP] = FRAME_SWAPPED};
    if (page == ~0u) {
        tally->broken_levels += kind != FRAME_INDEX || frame_references(&frame_pool, frame) != 1;
        return;
    }
    tally->pages++;
    tally->behind_the_end += page >= tally->object->pages;
    if (object_page_is_out(tally->object, page)) {
        tally->out++;
        tally->of_other_kinds += kind != FRAME_SLOT && frame.n != zero_frame.n;
        return;
    }
    tally->of_other_kinds += kind != kinds[tally->object->kind];
}

static void check_object(struct audit *audit, const struct object *object)
{
    struct object_tally tally = {.object = object};
    if (object->references == 0)
        audit_broken(audit, "an object has a reference", "%u pages", (unsigned)object->pages);
    object_for_each_frame(object, tally_frame, &tally);
    if (tally.broken_levels != 0)
        audit_broken(audit, "the levels of an object are frames that nobody else has", "%u are not",
                     (unsigned)tally.broken_levels);
    if (tally.pages != object->real_pages)
        audit_broken(audit, "an object's pages are counted", "%u, not %u", (unsigned)tally.pages,
                     (unsigned)object->real_pages);
    if (object->kind != OBJECT_SWAP && tally.out != object->out_pages)
        audit_broken(audit, "an object's pages that are out are counted", "%u, not %u",
                     (unsigned)tally.out, (unsigned)object->out_pages);
    if (tally.behind_the_end != 0)
        audit_broken(audit, "no frame of an object lies behind its end", "%u do",
                     (unsigned)tally.behind_the_end);
    if (tally.of_other_kinds != 0)
        audit_broken(audit, "the frames of an object are of its kind", "%u are not",
                     (unsigned)tally.of_other_kinds);
}

/* The references that SPACE's regions hold of objects, in one direction. Those of a shared tree count once. */
static void count_regions_of_objects(const struct space *space, enum direction direction)
{
    if (!vma_stands_for_tree(space))
        return;
    for (const struct vma *region = vma_first(space); region != NULL; region = vma_next(region))
        if (region->object != NULL)
            region->object->references += direction == TAKE_OUT ? ~0u : 1;
}

static void count_all_regions_of_objects(enum direction direction)
{
    count_regions_of_objects(&kernel_space, direction);
    for (const struct space *space = space_first(); space != NULL; space = space_next(space))
        count_regions_of_objects(space, direction);
}

/* Others may have references, too: open files. */
static void check_objects_have_their_regions(struct audit *audit)
{
    count_all_regions_of_objects(TAKE_OUT);
    for (const struct object *object = object_first(); object != NULL; object = object->next)
        if (object->references > ~0u / 2)
            audit_broken(audit, "an object has a reference for each region that shows it",
                         "%u too few", (unsigned)(0u - object->references));
    count_all_regions_of_objects(PUT_BACK);
}

static void check_objects(struct audit *audit)
{
    for (const struct object *object = object_first(); object != NULL && audit->broken == NULL;
         object = object->next)
        check_object(audit, object);
    if (audit->broken == NULL)
        check_objects_have_their_regions(audit);
}

static void check_zero(struct audit *audit)
{
    const char *sentence = zero_check();
    if (sentence != NULL)
        audit_broken(audit, sentence, "frame %05x, tables %05x and %05x", (unsigned)zero_frame.n,
                     (unsigned)zero_tables[ZERO_TABLE_COW].n,
                     (unsigned)zero_tables[ZERO_TABLE_READ_ONLY].n);
}

const char *vm_audit(struct audit *audit, uint32_t set_aside)
{
    /* Each part relies on those before it. */
    static void (*const parts[])(struct audit * audit) = {
        check_frames,     check_temporary_pages, check_debts, check_directories,
        check_trees,      check_objects,         check_zero,  audit_entries_by_rules,
        check_references,
    };
    *audit = (struct audit){0};
    if (frame_pool.set_aside != set_aside)
        audit_broken(audit, "no frame is set aside that nobody asks for", "%u frames, %u are known",
                     (unsigned)frame_pool.set_aside, (unsigned)set_aside);
    for (unsigned i = 0; i < ARRAY_LENGTH(parts) && audit->broken == NULL; i++)
        parts[i](audit);
    return audit->broken;
}

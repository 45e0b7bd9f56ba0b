/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. The audit (audit.h).
 *
 * First what is needed to walk safely (frame pool, temporary pages, directories, trees), then every
 * entry by the rules below, then the references: a reference is an entry that holds a frame, a
 * directory entry that leads to a table, or one of the few owners of `owners_outside`. Entries in
 * fixed regions (image, frame table, devices) hold none.
 *
 * A table is counted at the first of its directory entries: `mark`, in its frame's record, says
 * that it was. The same walk in the other direction restores references and marks.
 */
#include "vma_nodes.h"

#include <arch/i386/entry.h>
#include <kernel/printk.h>
#include <mm/audit.h>
#include <mm/frame.h>
#include <mm/zero.h>

/* SENTENCE is not true, of what FORMAT says; the first one counts. */
static printf_like(3, 4) void broken(struct audit *audit, const char *sentence, const char *format,
                                     ...)
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
        broken(audit, sentence, "space %u%s", (unsigned)space->directory,
               space == &kernel_space ? ", kernel half" : "");
}

static bool is_ram(frame_t frame)
{
    return frame.n < frame_pool.frames;
}

static bool is_accessible(const struct vma *region)
{
    return (region->rights & (RIGHTS_READ | RIGHTS_WRITE | RIGHTS_EXECUTE)) != 0;
}

/* ---- directory entries ---- */

/* An entry of a directory, in use. */
struct directory_entry {
    const struct space *space; /* the kernel's from slot 768 on */
    uint32_t slot;
    pde_t pde;
};

typedef void visit_t(struct audit *audit, const struct directory_entry *at);

static void visit_slot(struct audit *audit, visit_t *visit, const struct space *space,
                       uint32_t slot)
{
    /* The kernel half is the same in all directories: directory 0's will do. */
    const struct directory_entry at = {space, slot, directory_pde_read(space->directory, slot)};
    if (at.pde.bits != 0)
        visit(audit, &at);
}

static void for_each_directory_entry(struct audit *audit, visit_t *visit)
{
    for (uint32_t slot = KERNEL_FIRST_SLOT; slot <= KERNEL_LAST_SHARED_SLOT; slot++)
        visit_slot(audit, visit, &kernel_space, slot);
    for (const struct space *space = space_first(); space != NULL; space = space_next(space))
        for (uint32_t slot = 0; slot < KERNEL_FIRST_SLOT; slot++)
            visit_slot(audit, visit, space, slot);
}

/* The region that holds the first page of the slot. */
static const struct vma *region_of_slot(const struct directory_entry *at)
{
    return vma_find(at->space, slot_to_vaddr(at->slot));
}

static bool is_fixed(const struct vma *region)
{
    return region != NULL && region->kind == VMA_FIXED;
}

static bool pde_is_present_or_empty(const struct directory_entry *at)
{
    return pde_is_present(at->pde);
}

static bool pde_large_is_fixed(const struct directory_entry *at)
{
    return !pde_is_large(at->pde) || is_fixed(region_of_slot(at));
}

static bool pde_leads_to_table(const struct directory_entry *at)
{
    if (pde_is_large(at->pde))
        return true;
    if (!is_ram(pde_frame(at->pde)))
        return false;
    enum frame_kind kind = frame_kind(&frame_pool, pde_frame(at->pde));
    return kind == FRAME_TABLE || (kind == FRAME_ZERO && pde_frame(at->pde).n != zero_frame.n);
}

static bool pde_is_not_global(const struct directory_entry *at)
{
    return pde_is_large(at->pde) || !(at->pde.bits & ENTRY_GLOBAL);
}

static bool pde_is_own_or_shared(const struct directory_entry *at)
{
    return pde_is_large(at->pde) ||
           pde_is_shared(at->pde) == ((at->pde.bits & ENTRY_WRITABLE) == 0);
}

static bool pde_is_open_as_its_space(const struct directory_entry *at)
{
    return ((at->pde.bits & ENTRY_USER) != 0) == (at->space->user == RIGHTS_USER);
}

static bool pde_own_table_has_one_entry(const struct directory_entry *at)
{
    return !pde_is_own_table(at->pde) || frame_references(&frame_pool, pde_frame(at->pde)) == 1;
}

/* A zero table stands for a slot that one region covers whole, with its rights. */
static bool is_promise(const struct directory_entry *at)
{
    return pde_is_table(at->pde) && frame_kind(&frame_pool, pde_frame(at->pde)) == FRAME_ZERO;
}

static bool pde_promise_is_covered(const struct directory_entry *at)
{
    const struct vma *region = region_of_slot(at);
    uint32_t first = at->slot * SLOT_PAGES;
    return !is_promise(at) ||
           (region != NULL && region->kind == VMA_PROMISE && region->first_page <= first &&
            region->last_page >= first + SLOT_PAGES - 1);
}

static bool pde_promise_has_rights(const struct directory_entry *at)
{
    if (!is_promise(at))
        return true;
    const struct vma *region = region_of_slot(at);
    enum zero_table table = region->rights & RIGHTS_WRITE ? ZERO_TABLE_COW : ZERO_TABLE_READ_ONLY;
    return is_accessible(region) && pde_frame(at->pde).n == zero_tables[table].n;
}

/* What must hold of every entry that is not empty, in this order: each may rely on those above. */
static const struct {
    const char *sentence;
    bool (*holds)(const struct directory_entry *at);
} directory_rules[] = {
    {"a directory entry is present or empty", pde_is_present_or_empty},
    {"a large page lies in a fixed region", pde_large_is_fixed},
    {"a directory entry leads to a table", pde_leads_to_table},
    {"no directory entry of a table is global", pde_is_not_global},
    {"a directory entry is either writable or shared", pde_is_own_or_shared},
    {"a table is open to user mode if and only if its space is", pde_is_open_as_its_space},
    {"a table with several directory entries is shared in all of them",
     pde_own_table_has_one_entry},
    {"a slot is promised as a whole only where one region covers it", pde_promise_is_covered},
    {"a promised slot has its region's rights", pde_promise_has_rights},
};

/* ---- table entries ---- */

/* An entry of a table, in use. */
struct table_entry {
    const struct space *space;
    vaddr_t page;
    pte_t pte;
    const struct vma *region; /* that holds PAGE */
};

static bool pte_is_in_region(const struct table_entry *at)
{
    return at->region != NULL;
}

static bool pte_is_present_or_kept(const struct table_entry *at)
{
    const uint32_t flags = ENTRY_FLAGS_MASK & ~(uint32_t)PTE_SHARED_MAPPING;
    return pte_is_present(at->pte) || (at->pte.bits & flags) == PTE_KEPT;
}

static bool pte_fixed_is_present(const struct table_entry *at)
{
    return !is_fixed(at->region) || (pte_is_present(at->pte) && !pte_is_cow(at->pte));
}

static bool pte_promise_leads_to_ram(const struct table_entry *at)
{
    return is_fixed(at->region) || is_ram(pte_frame(at->pte));
}

static bool pte_is_there_as_its_region(const struct table_entry *at)
{
    return pte_is_present(at->pte) == is_accessible(at->region);
}

static bool pte_is_writable_or_cow(const struct table_entry *at)
{
    return !(pte_is_writable(at->pte) && pte_is_cow(at->pte));
}

static bool pte_writes_as_its_region(const struct table_entry *at)
{
    bool may_write = pte_is_writable(at->pte) || pte_is_cow(at->pte);
    bool region_may = (at->region->rights & RIGHTS_WRITE) != 0;
    /* A fixed region is mapped page by page: it may have pages with fewer rights. */
    return is_fixed(at->region) ? !may_write || region_may
                                : may_write == (region_may && pte_is_present(at->pte));
}

static bool pte_is_open_as_its_space(const struct table_entry *at)
{
    return at->space->user != RIGHTS_USER || !pte_is_present(at->pte) ||
           (at->pte.bits & ENTRY_USER) != 0;
}

static bool pte_global_is_kernel(const struct table_entry *at)
{
    return at->space == &kernel_space || !(at->pte.bits & ENTRY_GLOBAL);
}

static bool pte_zero_is_the_zero_frame(const struct table_entry *at)
{
    frame_t frame = pte_frame(at->pte);
    return is_fixed(at->region) || frame_kind(&frame_pool, frame) != FRAME_ZERO ||
           (frame.n == zero_frame.n && !pte_is_writable(at->pte));
}

/* The area of directories shows live directories and promises, and they are seen nowhere else. */
static bool pte_directory_is_live(const struct table_entry *at)
{
    frame_t frame = pte_frame(at->pte);
    if (is_fixed(at->region) || frame.n == zero_frame.n)
        return true;
    uint32_t offset = at->page.v - DIRECTORIES_BASE;
    bool is_live = offset < DIRECTORIES_ROOM_BYTES && directory_is_live(offset >> PAGE_SHIFT);
    return is_live == (frame_kind(&frame_pool, frame) == FRAME_DIRECTORY) &&
           (is_live || offset >= DIRECTORIES_ROOM_BYTES);
}

static bool pte_promise_is_data(const struct table_entry *at)
{
    enum frame_kind kind =
        is_fixed(at->region) ? FRAME_ANONYMOUS : frame_kind(&frame_pool, pte_frame(at->pte));
    return kind == FRAME_ANONYMOUS || kind == FRAME_ZERO || kind == FRAME_DIRECTORY ||
           kind == FRAME_FILE;
}

static bool pte_writable_is_private(const struct table_entry *at)
{
    return is_fixed(at->region) || !pte_is_writable(at->pte) ||
           (at->pte.bits & PTE_SHARED_MAPPING) != 0 ||
           frame_references(&frame_pool, pte_frame(at->pte)) == 1;
}

static const struct {
    const char *sentence;
    bool (*holds)(const struct table_entry *at);
} table_rules[] = {
    {"an entry in use lies in a region", pte_is_in_region},
    {"an entry in use is present or keeps its frame", pte_is_present_or_kept},
    {"a page of a fixed region is mapped for good", pte_fixed_is_present},
    {"an entry in promised memory leads to RAM", pte_promise_leads_to_ram},
    {"a page is present if and only if its region has rights", pte_is_there_as_its_region},
    {"an entry is either writable or copy-on-write", pte_is_writable_or_cow},
    {"a page may be written as its region may", pte_writes_as_its_region},
    {"a page of the user's is open to user mode", pte_is_open_as_its_space},
    {"no page below 3 GiB is global", pte_global_is_kernel},
    {"nobody may write to the zero frame, or sees a zero table", pte_zero_is_the_zero_frame},
    {"the pages of live directories are directories, and no others", pte_directory_is_live},
    {"a page of promised memory holds data", pte_promise_is_data},
    {"a private page that may be written has one entry", pte_writable_is_private},
};

static void check_table_entry(struct audit *audit, const struct table_entry *at)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(table_rules); i++)
        if (!table_rules[i].holds(at)) {
            broken(audit, table_rules[i].sentence, "PTE %08x of " PRI_VADDR ", space %u",
                   (unsigned)at->pte.bits, ARG_VADDR(at->page), (unsigned)at->space->directory);
            return;
        }
}

/* Entries that follow each other are often equal promises of one region: they are checked once. */
static bool is_like_the_last(const struct table_entry *at, const struct table_entry *last)
{
    return at->region == last->region && at->pte.bits == last->pte.bits &&
           pte_frame(at->pte).n == zero_frame.n;
}

/* The entries of a table, as ENTRIES show it. Returns how many are in use. */
static uint32_t check_entries(struct audit *audit, const struct directory_entry *at,
                              const uint32_t *entries)
{
    struct table_entry last = {0};
    uint32_t used = 0;
    for (uint32_t i = 0; i < SLOT_PAGES && audit->broken == NULL; i++) {
        if (entries[i] == 0)
            continue;
        vaddr_t page = vaddr_add(slot_to_vaddr(at->slot), i << PAGE_SHIFT);
        struct table_entry entry = {at->space, page, {entries[i]}, last.region};
        uint32_t number = page.v >> PAGE_SHIFT;
        if (last.region == NULL || number > last.region->last_page)
            entry.region = vma_find(at->space, page);
        if (!is_like_the_last(&entry, &last))
            check_table_entry(audit, &entry);
        last = entry;
        used++;
    }
    return used;
}

static void check_table(struct audit *audit, const struct directory_entry *at)
{
    frame_t table = pde_frame(at->pde);
    uint32_t counted = frame_record(&frame_pool, table)->used_entries;
    uint32_t used = check_entries(audit, at, temp_map(TEMP_FRAME, table));
    temp_unmap(TEMP_FRAME);
    if (audit->broken == NULL && used != counted)
        broken(audit, "a table's entries in use are counted", "slot %u of space %u: %u, not %u",
               (unsigned)at->slot, (unsigned)at->space->directory, (unsigned)used,
               (unsigned)counted);
    if (used == 0)
        broken(audit, "a table without an entry in use is given back", "slot %u of space %u",
               (unsigned)at->slot, (unsigned)at->space->directory);
}

static void check_directory_entry(struct audit *audit, const struct directory_entry *at)
{
    audit->directory_entries++;
    for (unsigned i = 0; i < ARRAY_LENGTH(directory_rules) && audit->broken == NULL; i++)
        if (!directory_rules[i].holds(at))
            broken(audit, directory_rules[i].sentence,
                   "PDE %08x of slot %u (" PRI_VADDR "), space %u", (unsigned)at->pde.bits,
                   (unsigned)at->slot, ARG_VADDR(slot_to_vaddr(at->slot)),
                   (unsigned)at->space->directory);
    if (audit->broken == NULL && at->slot != TEMP_SLOT && !is_promise(at) && pde_is_table(at->pde))
        check_table(audit, at);
}

static void check_entries_by_rules(struct audit *audit)
{
    for_each_directory_entry(audit, check_directory_entry);
}

/* ---- references ---- */

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

/* The references that TABLE's entries hold, once in each direction. */
static void count_table(struct audit *audit, frame_t table, enum holding holding,
                        enum direction direction)
{
    struct frame_record *record = frame_record(&frame_pool, table);
    if ((record->mark != 0) == (direction == TAKE_OUT))
        return;
    record->mark = direction == TAKE_OUT;
    audit->tables += direction == TAKE_OUT;
    if (holding == HOLDS_NOTHING)
        return;

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

static void count_everything(struct audit *audit, enum direction direction)
{
    for (unsigned i = 0; i < ZERO_TABLES; i++)
        count_table(audit, zero_tables[i], HOLDS_REFERENCES, direction);
    for_each_directory_entry(audit, direction == TAKE_OUT ? take_out : put_back);
}

/* Owners that are no entries: what boot claimed; and layer 3 has one reference of its own. */
static const uint8_t owners_outside[FRAME_KINDS] = {
    [FRAME_KERNEL] = 1,
    [FRAME_FILE] = 1,
    [FRAME_ZERO] = 1,
};

/* With all entries' references taken out: a frame whose rest is wrong; FRAME_POOL's end: none. */
static frame_t find_miscounted(void)
{
    uint32_t n = 0;
    while (n < frame_pool.frames &&
           frame_pool.records[n].references == owners_outside[frame_pool.records[n].kind])
        n++;
    return FRAME(n);
}

static void check_references(struct audit *audit)
{
    count_everything(audit, TAKE_OUT);
    frame_t frame = find_miscounted();
    uint32_t rest = is_ram(frame) ? frame_references(&frame_pool, frame) : 0;
    count_everything(audit, PUT_BACK);
    audit->frames = frame_pool.frames;
    if (!is_ram(frame))
        return;

    enum frame_kind kind = frame_kind(&frame_pool, frame);
    uint32_t references = frame_references(&frame_pool, frame);
    uint32_t found = references - rest + owners_outside[kind];
    broken(audit,
           found == 0 ? "a frame in use has an owner"
                      : "a frame has as many references as entries and owners",
           "frame %05x (%s): %u references, found %u", (unsigned)frame.n, frame_kind_text(kind),
           (unsigned)references, (unsigned)found);
}

/* ---- what is not found by way of entries ---- */

/* FRAME, of KIND, is one that boot claimed for good. */
static bool is_claimed(frame_t frame, enum frame_kind kind)
{
    uint32_t count;
    const struct frame_claim *claims = frame_claims(&count);
    for (uint32_t i = 0; i < count; i++)
        if (claims[i].kind == kind && frame.n - claims[i].first.n < claims[i].count)
            return true;
    return false;
}

static void check_frames(struct audit *audit)
{
    const char *sentence = frame_pool_check(&frame_pool);
    if (sentence != NULL)
        broken(audit, sentence, "%u frames", (unsigned)frame_pool.frames);
    for (uint32_t n = 0; n < frame_pool.frames && audit->broken == NULL; n++) {
        enum frame_kind kind = (enum frame_kind)frame_pool.records[n].kind;
        if (kind == FRAME_FREE)
            continue;
        if ((kind == FRAME_KERNEL || kind == FRAME_FILE) && !is_claimed(FRAME(n), kind))
            broken(audit, "a kernel or file frame was claimed at boot", "frame %05x (%s)",
                   (unsigned)n, frame_kind_text(kind));
        if (frame_pool.records[n].mark != 0)
            broken(audit, "no mark is left on a frame", "frame %05x", (unsigned)n);
    }
    if (frame_pool.totals[FRAME_ZERO] != 1 + ZERO_TABLES)
        broken(audit, "the zero frame and the zero tables are all zero frames there are",
               "%u frames", (unsigned)frame_pool.totals[FRAME_ZERO]);
}

static void check_temporary_pages(struct audit *audit)
{
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        pte_t pte = pte_read(VADDR(TEMP_PAGE_ADDRESS(i)));
        if (i != TEMP_CPU_TABLES && !pte_is_empty(pte))
            broken(audit, "temporary pages are unmapped after their use", "number %u: PTE %08x",
                   (unsigned)i, (unsigned)pte.bits);
    }
}

static void check_debts(struct audit *audit)
{
    if (ledger_open() != 0)
        broken(audit, "every invalidation that was owed is paid", "%u are open",
               (unsigned)ledger_open());
}

/* SPACE's directory can be read by way of the directories area. */
static void check_directory(struct audit *audit, const struct space *space)
{
    struct translation t;
    paging_query(directory_page(space->directory), &t);
    if (!directory_is_live(space->directory) || !t.has_pte || !pde_is_own_table(t.pde) ||
        !pte_is_writable(t.pte) || !is_ram(pte_frame(t.pte)))
        broken(audit, "a space has a live directory, seen in its page", "space %u: PTE %08x",
               (unsigned)space->directory, (unsigned)t.pte.bits);
    else if (directory_pde_read(space->directory, ALT_WINDOW_SLOT).bits != 0)
        broken(audit, "the alternate window is closed", "space %u", (unsigned)space->directory);
}

/* Each space a directory, each directory a space: else entries would be missed. */
static void check_directories(struct audit *audit)
{
    for (const struct space *space = space_first(); space != NULL && audit->broken == NULL;
         space = space_next(space)) {
        check_directory(audit, space);
        audit->spaces++;
    }
    if (audit->spaces != directory_live_count())
        broken(audit, "every live directory is a space's", "%u directories, %u spaces",
               (unsigned)directory_live_count(), (unsigned)audit->spaces);
    if (directory_current() != space_current()->directory)
        broken(audit, "the current space's directory is loaded", "directory %u, space %u",
               (unsigned)directory_current(), (unsigned)space_current()->directory);
    if (audit->broken == NULL)
        check_sentence(audit, directory_check(), space_current());
}

static void check_trees(struct audit *audit)
{
    audit->regions = kernel_space.region_count;
    check_sentence(audit, vma_check(&kernel_space), &kernel_space);
    for (const struct space *space = space_first(); space != NULL && audit->broken == NULL;
         space = space_next(space)) {
        check_sentence(audit, vma_check(space), space);
        audit->regions += space->region_count;
    }
    if (audit->broken == NULL)
        check_sentence(audit, nodes_check(audit->regions), &kernel_space);
}

static void check_zero(struct audit *audit)
{
    const char *sentence = zero_check();
    if (sentence != NULL)
        broken(audit, sentence, "frame %05x, tables %05x and %05x", (unsigned)zero_frame.n,
               (unsigned)zero_tables[ZERO_TABLE_COW].n,
               (unsigned)zero_tables[ZERO_TABLE_READ_ONLY].n);
}

const char *vm_audit(struct audit *audit, uint32_t set_aside)
{
    /* Each part relies on those before it. */
    static void (*const parts[])(struct audit * audit) = {
        check_frames, check_temporary_pages,  check_debts,      check_directories, check_trees,
        check_zero,   check_entries_by_rules, check_references,
    };
    *audit = (struct audit){0};
    if (frame_pool.set_aside != set_aside)
        broken(audit, "no frame is set aside that nobody asks for", "%u frames, %u are known",
               (unsigned)frame_pool.set_aside, (unsigned)set_aside);
    for (unsigned i = 0; i < ARRAY_LENGTH(parts) && audit->broken == NULL; i++)
        parts[i](audit);
    return audit->broken;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 2. The ledger of owed invalidations (ledger.h).
 *
 *   kind       what the CPU may still use                        paid by
 *   PAGE       the old translation of one page                   its INVLPG, a flush
 *   STRUCTURE  the old PDE, while it walks to a page below       any INVLPG, a flush
 *   SLOT       old translations of some pages below a PDE        a flush
 *
 * Events nest: kernel code is interrupted by a page fault, whose handler is an event within it. A
 * debt remembers the level at which it was opened. When an event ends, no debt of its own level may
 * be open; those further out may, since who was interrupted between a store and its INVLPG has not
 * had the time to pay.
 *
 *   level 0   store ...... (fault)                    INVLPG
 *   level 1                begins, store, INVLPG, ends
 *
 * A flush by CR3 leaves debts of global pages open. Entries behind a PDE are read through two
 * temporary pages of the ledger's own, by stores that it does not see itself.
 */
#include <arch/i386/entry.h>
#include <arch/i386/ledger.h>
#include <kernel/option.h>
#include <kernel/string.h>
#include <mm/frame.h>

enum __attribute__((packed)) debt_kind { DEBT_PAGE, DEBT_STRUCTURE, DEBT_SLOT };

struct open_debt {
    enum debt_kind kind;
    bool is_global;
    uint16_t level;
    vaddr_t page;    /* the page, or the first page of the slot */
    vaddr_t origin;  /* what the entry that was stored translates: whose debt it is */
    uint32_t before; /* the old entry */
    const char *where;
};

enum { DEBTS_MAX = 2304 };

static struct open_debt debts[CHECKED ? DEBTS_MAX : 1];
static uint32_t debt_count;
static uint16_t level;
static bool is_active;

struct ledger_counters ledger_counters;
const struct tlb_site *tlb_mutant;
enum tlb_mutation tlb_mutation;

/* ---- opening ---- */

static void open(struct open_debt debt)
{
    ASSERT(debt_count < DEBTS_MAX, "%u invalidations are owed at once", debt_count);
    debt.level = level;
    debts[debt_count++] = debt;
    ledger_counters.opened++;
}

/* What the CPU may have cached of an entry: the frame and the rights; 0: nothing. */
static uint32_t cached(uint32_t entry)
{
    const uint32_t rights = ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER;
    return entry & ENTRY_PRESENT ? entry & (~ENTRY_FLAGS_MASK | rights) : 0;
}

/* Both levels of a walk: the frame of the PTE, the rights that both give. */
static uint32_t cached_below(uint32_t pde, uint32_t pte)
{
    return cached(pte) & (cached(pde) | ~ENTRY_FLAGS_MASK);
}

/* To go on using BEFORE where AFTER is meant would be wrong: more rights alone may wait. */
static bool is_owed(uint32_t before, uint32_t after)
{
    if (!(before & ENTRY_PRESENT))
        return false;
    return (before & ~after) != 0 || ((before ^ after) & ~ENTRY_FLAGS_MASK) != 0;
}

void ledger_pte_stored(vaddr_t page, pte_t before, pte_t after, const char *where)
{
    if (!is_active || !is_owed(cached(before.bits), cached(after.bits)))
        return;
    open((struct open_debt){.kind = DEBT_PAGE,
                            .is_global = (before.bits & ENTRY_GLOBAL) != 0,
                            .page = page,
                            .origin = page,
                            .before = before.bits,
                            .where = where});
}

/* ---- the entries behind a PDE ---- */

/* Through a temporary page of the ledger's own; its INVLPGs are no business of the ledger. */
static const uint32_t *see_table(enum temp_page number, frame_t table)
{
    vaddr_t page = VADDR(TEMP_PAGE_ADDRESS(number));
    *pte_slot(page) = pte_make(table, ENTRY_PRESENT | ENTRY_ACCESSED).bits;
    cpu_invalidate_page(page);
    return vaddr_to_pointer(page);
}

static void unsee_table(enum temp_page number)
{
    vaddr_t page = VADDR(TEMP_PAGE_ADDRESS(number));
    *pte_slot(page) = 0;
    cpu_invalidate_page(page);
}

/* Entry INDEX of what PDE leads to, as cached at the end of a walk: large pages look like tables.
 */
static uint32_t walk_result(pde_t pde, const uint32_t *table, uint32_t index)
{
    if (pde_is_table(pde))
        return cached_below(pde.bits, table[index]);
    if (pde_is_large(pde))
        return cached_below(pde.bits, pde.bits + (index << PAGE_SHIFT));
    return 0;
}

/* Does a translation below the slot change? *IS_GLOBAL: one that the CPU keeps over a CR3 load. */
static bool translations_change(pde_t before, pde_t after, bool *is_global)
{
    const uint32_t *old = NULL, *new = NULL;
    bool changes = false;
    if (pde_is_table(before))
        old = see_table(TEMP_LEDGER_OLD, pde_frame(before));
    if (pde_is_table(after))
        new = see_table(TEMP_LEDGER_NEW, pde_frame(after));
    *is_global = false;
    for (uint32_t i = 0; i < SLOT_PAGES; i++) {
        if (!is_owed(walk_result(before, old, i), walk_result(after, new, i)))
            continue;
        changes = true;
        *is_global |= ((old != NULL ? old[i] : before.bits) & ENTRY_GLOBAL) != 0;
    }
    unsee_table(TEMP_LEDGER_OLD);
    unsee_table(TEMP_LEDGER_NEW);
    return changes;
}

void ledger_pde_changes(uint32_t slot, pde_t before, pde_t after, const char *where)
{
    if (!is_active || !pde_is_present(before) || cached(before.bits) == cached(after.bits))
        return;
    struct open_debt debt = {.kind = DEBT_STRUCTURE,
                             .page = slot_to_vaddr(slot),
                             .origin = slot_to_vaddr(slot),
                             .before = before.bits,
                             .where = where};
    /* Unlike other pages, those of the window may not even miss rights that were added. */
    open(debt);
    debt.kind = DEBT_PAGE;
    debt.page = window_page(slot_to_vaddr(slot));
    if (pde_is_table(before))
        open(debt);
    debt.kind = DEBT_SLOT;
    debt.page = slot_to_vaddr(slot);
    if (translations_change(before, after, &debt.is_global))
        open(debt);
}

void ledger_alias_changes(uint32_t slot, pde_t before, pde_t after, const char *where)
{
    /* As in the recursive window, not even rights that were added may be missed. */
    if (!is_active || !pde_is_present(before) || cached(before.bits) == cached(after.bits))
        return;
    open((struct open_debt){.kind = DEBT_PAGE,
                            .is_global = (before.bits & ENTRY_GLOBAL) != 0,
                            .page = alternate_page(slot_to_vaddr(slot)),
                            .origin = slot_to_vaddr(slot),
                            .before = before.bits,
                            .where = where});
}

/* ---- paying ---- */

enum payment { BY_INVLPG, BY_CR3, BY_PGE };

static bool is_paid(const struct open_debt *debt, enum payment payment, vaddr_t page)
{
    switch (payment) {
    case BY_INVLPG:
        return debt->kind == DEBT_STRUCTURE ||
               (debt->kind == DEBT_PAGE && debt->page.v == vaddr_to_page(page).v);
    case BY_CR3:
        return !debt->is_global;
    case BY_PGE:
        return true;
    }
    return false;
}

static void pay(enum payment payment, vaddr_t page)
{
    uint32_t kept = 0;
    if (!is_active)
        return;
    for (uint32_t i = 0; i < debt_count; i++)
        if (!is_paid(&debts[i], payment, page))
            debts[kept++] = debts[i];
    ledger_counters.paid += debt_count - kept;
    if (kept == debt_count)
        ledger_counters.needless++;
    debt_count = kept;
}

void ledger_page_invalidated(vaddr_t page)
{
    pay(BY_INVLPG, page);
}

void ledger_flushed(void)
{
    pay(BY_CR3, VADDR(0));
}

void ledger_global_flushed(void)
{
    pay(BY_PGE, VADDR(0));
}

/* ---- asking ---- */

uint32_t ledger_open(void)
{
    return debt_count;
}

static void noreturn report(const struct open_debt *debt, const char *when)
{
    static const char *const kinds[] = {"page", "directory entry", "pages below the slot"};
    debt_count = 0; /* the report may use temporary pages */
    panic("TLB: %s: an invalidation is owed for the %s at " PRI_VADDR
          ", whose entry was %08x (written at %s)",
          when, kinds[debt->kind], ARG_VADDR(debt->page), (unsigned)debt->before, debt->where);
}

void ledger_expect_nothing(vaddr_t page, const char *claim)
{
    for (uint32_t i = 0; i < debt_count; i++)
        if (debts[i].origin.v == page.v)
            report(&debts[i], claim);
}

void ledger_enter(void)
{
    level++;
}

void ledger_leave(void)
{
    if (debt_count > 0 && debts[debt_count - 1].level >= level)
        report(&debts[debt_count - 1], "the event ends");
    level--;
}

/* FRAME is about to be free: nothing that is still cached may lead to it. */
static void frame_is_freed(frame_t frame)
{
    for (uint32_t i = 0; i < debt_count; i++) {
        const struct open_debt debt = debts[i];
        bool leads = debt.before >> PAGE_SHIFT == frame.n;
        if (debt.kind == DEBT_SLOT && pde_is_table((pde_t){debt.before})) {
            const uint32_t *old = see_table(TEMP_LEDGER_OLD, pde_frame((pde_t){debt.before}));
            for (uint32_t n = 0; n < SLOT_PAGES && !leads; n++)
                leads = pte_is_present((pte_t){old[n]}) && old[n] >> PAGE_SHIFT == frame.n;
            unsee_table(TEMP_LEDGER_OLD);
        }
        if (leads)
            report(&debt, "a frame is freed");
    }
}

/* ---- mutants ---- */

bool tlb_is_mutant(const struct tlb_site *site)
{
    return tlb_mutant != NULL && strcmp(site->where, tlb_mutant->where) == 0;
}

/* The first of several sites that are the same line, and none of a test's. */
static bool has_mutants(const struct tlb_site *site)
{
    for (const struct tlb_site *other = tlb_sites_first; other < site; other++)
        if (strcmp(other->where, site->where) == 0)
            return false;
    return !text_begins(site->where, "tests/");
}

/* TEXT is a mutant's number. */
static bool mutant_exists(const char *text)
{
    uint32_t number, mutants = 0;
    for (const struct tlb_site *site = tlb_sites_first; site < tlb_sites_end; site++)
        mutants += has_mutants(site) ? TLB_MUTATIONS : 0;
    return parse_u32(text, &number) && number < mutants;
}

OPTION(list, "mutants", OPTION_FLAG);
OPTION(mutant, "mutant", OPTION_TEXT, .exists = mutant_exists);

/* `mutants` lists them all, a number each; `mutant=N` breaks one. The plain kernel has none. */
static void choose_mutant(void)
{
    uint32_t number = 0, chosen = UINT32_MAX;
    static const char *const mutations[] = {"left out", "\"was not present\"", "\"more rights\"",
                                            "\"not loaded\""};

    if (mutant_option.is_given && !parse_u32(mutant_option.text, &chosen))
        chosen = UINT32_MAX;
    for (const struct tlb_site *site = tlb_sites_first; site < tlb_sites_end; site++) {
        if (!has_mutants(site))
            continue;
        for (unsigned mutation = 0; mutation < TLB_MUTATIONS; mutation++, number++) {
            if (list_option.is_given)
                printk("mutant %u: %s %s %s\n", number, site->where, site->what,
                       mutations[mutation]);
            if (number == chosen) {
                tlb_mutant = site;
                tlb_mutation = (enum tlb_mutation)mutation;
                printk("mutant %u: %s\n", number, site->where);
            }
        }
    }
}

void ledger_start(void)
{
    choose_mutant();
    if (!CHECKED)
        return;
    frame_pool.on_free = frame_is_freed;
    is_active = true;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. The command walk: the entries that lead to an address, what they show, and what an
 * access would meet. It changes nothing.
 */
#include "commands.h"

#include <kernel/printk.h>
#include <mm/frame.h>
#include <mm/object.h>
#include <mm/space.h>
#include <mm/zero.h>
#include <prompt/prompt.h>
#include <store/swap.h>

/* "11 0000 0000": WIDTH bits of VALUE from bit LOWEST on, in fours from the right. */
static void print_binary(uint32_t value, unsigned lowest, unsigned width)
{
    for (unsigned bit = width; bit-- > 0;)
        printk("%u%s", (unsigned)(value >> (lowest + bit) & 1), bit % 4 == 0 && bit > 0 ? " " : "");
}

static void print_bits(uint32_t bits, bool is_pde)
{
    static const struct {
        uint32_t mask;
        const char *name;
    } names[] = {
        {ENTRY_WRITE_THROUGH, "write-through"},
        {ENTRY_CACHE_DISABLE, "uncached"},
        {ENTRY_ACCESSED, "accessed"},
        {ENTRY_DIRTY, "dirty"},
        {ENTRY_GLOBAL, "global"},
    };

    printk("      present, %s, %s", bits & ENTRY_WRITABLE ? "writable" : "read-only",
           bits & ENTRY_USER ? "user" : "supervisor");
    for (unsigned i = 0; i < ARRAY_LENGTH(names); i++)
        if (bits & names[i].mask)
            printk(", %s", names[i].name);
    if (is_pde && (bits & PDE_SHARED))
        printk(", SHARED");
    if (is_pde && (bits & PDE_LARGE))
        printk(", 4 MiB page");
    if (!is_pde && (bits & PTE_COW))
        printk(", COW");
    if (!is_pde && (bits & PTE_SHARED_MAPPING))
        printk(", shared mapping");
    printk("\n");
}

/* The frame that an entry names, and what layer 1 knows of it. */
static void print_frame(const char *what, frame_t frame)
{
    printk("      %s in frame 0x%05x", what, (unsigned)frame.n);
    if (frame.n >= frame_pool.frames) {
        printk(" (not RAM)\n");
        return;
    }
    printk(" (%s, references: %u", frame_kind_text(frame_kind(&frame_pool, frame)),
           (unsigned)frame_references(&frame_pool, frame));
    if (frame_kind(&frame_pool, frame) == FRAME_TABLE)
        printk(", entries in use: %u", (unsigned)frame_record(&frame_pool, frame)->used_entries);
    printk(")\n");
}

/* What a touch of something that is out does, if one USER names its slot, or several. */
struct way_back {
    const char *user, *of_one, *of_several;
};

/* Where WHAT is that is out; one reference more is that of its page in RAM, if it is here too. */
static void print_slot(const char *what, frame_t slot, const struct way_back *way)
{
    for (const struct swap_area *area = swap_next(NULL); area != NULL; area = swap_next(area)) {
        if (slot.n < area->slots.first || slot.n >= area->slots.frames)
            continue;
        uint32_t page = slot.n - area->slots.first;
        bool is_here = (object_page_word(area->cache.object, page) & PAGE_HERE) != 0;
        uint32_t entries = frame_references(&frame_pool, slot) - is_here;
        printk("      the %s is out: on %s, slot %u%s, ", what, area->cache.device->name,
               (unsigned)page, is_here ? ", and still in RAM" : "");
        if (entries == 1)
            printk("of one %s; %s\n", way->user, way->of_one);
        else
            printk("shared by %u entries; %s\n", (unsigned)entries, way->of_several);
    }
}

/* Whose entries are walked, and where they are seen. */
struct view {
    const struct space *space; /* that of the regions, too */
    vaddr_t directory, tables; /* the entries of its directory; those of all its tables */
};

/*
 * Where ADDRESS is looked for: in the current space; or in that of PROCESS, by the alternate
 * window. The upper GiB is the same in all.
 */
static struct view view_of(const struct process *process, vaddr_t address)
{
    if (process == NULL || address.v >= KERNEL_BASE)
        return (struct view){space_of(address), VADDR(WINDOW_DIRECTORY), VADDR(WINDOW_BASE)};
    const struct space *space = &process->memory->space;
    vaddr_t directory = space_is_folded(space) ? VADDR(0) : directory_page(space->directory);
    return (struct view){space, directory, VADDR(ALT_WINDOW_BASE)};
}

static void view_query(const struct view *view, vaddr_t address, struct translation *t)
{
    if (view->tables.v == WINDOW_BASE) {
        paging_query(address, t);
        return;
    }
    space_view_open(view->space);
    space_view_query(address, t);
    space_view_close();
}

/* An entry by its number and by its place in the window. */
static void print_entry(const char *what, uint32_t number, vaddr_t place, uint32_t bits)
{
    printk("  %-15s %4u at " PRI_VADDR ": %08x%s\n", what, (unsigned)number, ARG_VADDR(place),
           (unsigned)bits, bits & ENTRY_PRESENT ? "" : " not present");
}

static void print_pde(const struct view *view, vaddr_t address, pde_t pde)
{
    static const struct way_back way = {"entry", "a touch brings it back",
                                        "each who touches it gets a copy"};
    uint32_t slot = vaddr_to_slot(address);

    print_entry("directory entry", slot, vaddr_add(view->directory, slot * (uint32_t)sizeof(pde_t)),
                pde.bits);
    if (pde_is_swapped(pde))
        print_slot("table", pde_frame(pde), &way);
    if (!pde_is_present(pde))
        return;
    print_frame(pde_is_large(pde) ? "page" : "table", pde_frame(pde));
    print_bits(pde.bits, true);
}

static void print_pte(const struct view *view, vaddr_t address, pte_t pte)
{
    static const struct way_back way = {"entry", "a read brings it back",
                                        "a read brings it back for all"};
    uint32_t page = address.v >> PAGE_SHIFT;

    print_entry("table entry", vaddr_to_pte_idx(address),
                vaddr_add(view->tables, page * (uint32_t)sizeof(pte_t)), pte.bits);
    if (pte_is_swapped(pte))
        print_slot("page", pte_frame(pte), &way);
    else if (pte_holds_frame(pte))
        print_frame("page", pte_frame(pte));
    if (pte_is_present(pte))
        print_bits(pte.bits, false);
    else if (pte_is_kept(pte) && !pte_is_swapped(pte))
        printk("      kept for the time when it gets rights again\n");
}

/* What REGION's object knows of the page at ADDRESS, and whether PTE shows it. */
static void print_object_page(const struct vma *region, vaddr_t address, pte_t pte)
{
    static const struct way_back way = {"object", "a touch brings it back for all who show it",
                                        NULL};
    char path[128];
    uint32_t page = region->object_page + (address.v >> PAGE_SHIFT) - region->first_page;
    uint32_t word = object_page_word(region->object, page);
    frame_t frame = page_word_frame(word);

    printk("      page %u of %s: ", (unsigned)page, region_text(region, path, sizeof(path)));
    if (word & PAGE_OUT) {
        printk("out%s\n", frame_is_slot(&frame_pool, frame) ? "" : ": full of zeros");
        print_slot("page", frame, &way);
        return;
    }
    if (!(word & PAGE_HERE)) {
        printk("not here\n");
        return;
    }
    printk("%s", word & PAGE_FILLING ? "being read" : word & PAGE_DIRTY ? "dirty" : "clean");
    if (word & PAGE_WRITING)
        printk(", being written");
    /* One reference is the object's own. */
    printk(", mapped %u times", (unsigned)frame_references(&frame_pool, frame) - 1);
    if (pte_holds_frame(pte) && pte_frame(pte).n != frame.n)
        printk("; here is a private copy");
    printk("\n");
}

static void print_physical(vaddr_t address, const struct translation *t)
{
    if (pde_is_large(t->pde))
        printk("  = " PRI_PADDR "\n",
               (unsigned)(frame_to_paddr(pde_frame(t->pde)).v + address.v % SLOT_BYTES));
    else if (pte_is_present(t->pte))
        printk("  = " PRI_PADDR "\n",
               (unsigned)(frame_to_paddr(pte_frame(t->pte)).v + address.v % PAGE_BYTES));
}

/* What an access to a page without present entries meets: layer 4 asks the region. */
static const char *missing_verdict(const struct vma *region, enum rights wanted)
{
    if (region == NULL)
        return "refused: no region";
    if ((region->rights & wanted) == 0)
        return "refused by the region's rights";
    if (region->kind == VMA_FIXED)
        return "refused: the region is mapped page by page, and this one is not";
    if (region->kind == VMA_OBJECT && region->flags & VMA_SHARED)
        return "answered: the object's frame";
    if (region->kind == VMA_OBJECT)
        return wanted == RIGHTS_WRITE ? "answered: a copy of the object's frame"
                                      : "answered: the object's frame, to be copied when written";
    return wanted == RIGHTS_WRITE ? "answered: a cleared frame of its own"
                                  : "answered: zeros, entries are built from the region";
}

static const char table_is_out[] = "answered: the table is brought back, then its entry decides";

/* The page is out, and it has rights: else nobody who touches it gets it. */
static bool is_out(pte_t pte)
{
    return pte_is_swapped(pte) && (pte.bits & ENTRY_ACCESSED) != 0;
}

static const char *read_verdict(const struct translation *t, const struct vma *region)
{
    if (pde_is_large(t->pde))
        return "goes through";
    if (pde_is_swapped(t->pde))
        return table_is_out;
    if (is_out(t->pte))
        return "answered: the page is brought back, for all who share the table";
    if (pte_is_kept(t->pte))
        return "refused: no rights";
    if (!pde_is_present(t->pde) || !pte_is_present(t->pte))
        return missing_verdict(region, RIGHTS_READ);
    return pte_frame(t->pte).n == zero_frame.n ? "goes through: zeros" : "goes through";
}

/* Nobody else refers to FRAME: it is taken back where it was shared. */
static bool is_sole(frame_t frame)
{
    return frame_references(&frame_pool, frame) == 1;
}

static const char *write_verdict(const struct translation *t, const struct vma *region)
{
    if (pde_is_large(t->pde))
        return t->pde.bits & ENTRY_WRITABLE ? "goes through" : "refused";
    if (pde_is_swapped(t->pde))
        return table_is_out;
    if (is_out(t->pte))
        return "answered: the page is brought back, then as below COW";
    if (pte_is_kept(t->pte))
        return "refused: no rights";
    if (!pde_is_present(t->pde) || !pte_is_present(t->pte))
        return missing_verdict(region, RIGHTS_WRITE);
    if (!pte_is_writable(t->pte) && !pte_is_cow(t->pte))
        return "refused";

    bool is_zero = is_zero_frame(pte_frame(t->pte));
    if (pde_is_shared(t->pde) && !is_sole(pde_frame(t->pde)))
        return t->pte.bits & PTE_SHARED_MAPPING ? "answered: a table of its own, the same frame"
               : is_zero ? "answered: a table of its own, then a cleared frame"
                         : "answered: a table of its own, then a copy of the frame";
    if (is_zero)
        return "answered: a cleared frame of its own";
    if (pte_is_cow(t->pte))
        return is_sole(pte_frame(t->pte)) ? "answered: the frame is taken back, nobody else has it"
                                          : "answered: a copy of the frame";
    return pde_is_shared(t->pde) ? "answered: the table is taken back, nobody else has it"
                                 : "goes through";
}

static void print_indices(vaddr_t address)
{
    printk("  " PRI_VADDR " = ", ARG_VADDR(address));
    print_binary(address.v, SLOT_SHIFT, 10);
    printk(" | ");
    print_binary(address.v, PAGE_SHIFT, 10);
    printk(" | ");
    print_binary(address.v, 0, PAGE_SHIFT);
    printk("\n               slot %-4u      page %-4u      byte 0x%03x\n",
           (unsigned)vaddr_to_slot(address), (unsigned)vaddr_to_pte_idx(address),
           (unsigned)(address.v % PAGE_BYTES));
}

COMMAND("walk", "[PID] ADDR", "the entries that lead to an address, and its region")
{
    const struct process *process = NULL;
    const struct vma *region;
    struct view view;
    struct translation t;
    vaddr_t address;

    if (!argument_address(arguments->word[arguments->count - 1], &address))
        return false;
    if (arguments->count > 1) {
        process = argument_process_alive(arguments->word[0]);
        if (process == NULL)
            return true;
    }
    view = view_of(process, address);
    view_query(&view, address, &t);
    region = vma_find(view.space, address);

    print_indices(address);
    if (space_is_folded(view.space))
        printk(
            "  the directory is folded: its entries are kept in the space's record, in %u runs\n",
            view.space->folded_runs);
    print_pde(&view, address, t.pde);
    if (t.has_pte)
        print_pte(&view, address, t.pte);
    print_physical(address, &t);
    if (region != NULL)
        print_region(region);
    else
        printk("  no region\n");
    if (region != NULL && region->object != NULL)
        print_object_page(region, address, t.has_pte ? t.pte : PTE_EMPTY);
    printk("  a read:  %s\n  a write: %s\n", read_verdict(&t, region), write_verdict(&t, region));
    return true;
}

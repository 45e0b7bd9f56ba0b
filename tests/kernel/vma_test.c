/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Tests of regions: reserving, finding, cutting and joining them, and what a touch makes
 * of one. Regions are drawn as strips, a character a page: a capital letter is a readable and
 * writable region of that name, a small one is read-only, a digit has no rights (0 is A without
 * rights, 1 is B), a point is free.
 */
#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <kernel/fault.h>
#include <kernel/printk.h>
#include <mm/cow.h>
#include <mm/space.h>
#include <mm/zero.h>

enum { LAST_PAGE = SLOT_PAGES - 1, STRIP_MAX = 32, NAMES = 3 };

/* ---- what must hold after every test ---- */

static struct {
    uint32_t kernel_regions, kernel_pages, boot_regions, boot_pages, nodes;
} before;

static void note_regions(void)
{
    before.kernel_regions = kernel_space.region_count;
    before.kernel_pages = kernel_space.reserved_pages;
    before.boot_regions = boot_space.region_count;
    before.boot_pages = boot_space.reserved_pages;
    before.nodes = vma_nodes_in_use();
}

static void expect_tree(const struct space *space)
{
    const char *broken = vma_check(space);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, broken);
}

static void check_regions(void)
{
    expect_tree(&kernel_space);
    expect_tree(&boot_space);
    EXPECT(space_current() == &boot_space);
    EXPECT_EQUAL(kernel_space.region_count, before.kernel_regions);
    EXPECT_EQUAL(kernel_space.reserved_pages, before.kernel_pages);
    EXPECT_EQUAL(boot_space.region_count, before.boot_regions);
    EXPECT_EQUAL(boot_space.reserved_pages, before.boot_pages);
    EXPECT_EQUAL(vma_nodes_in_use(), before.nodes);
}

TEST_INVARIANT("regions are whole, and those reserved are released", note_regions, check_regions);

/* ---- strips ---- */

static const char *const names[NAMES] = {"A", "B", "C"};

/* What a character of a strip stands for. */
static enum rights rights_of(char letter)
{
    if (letter >= 'a' && letter <= 'z')
        return RIGHTS_READ;
    return letter >= 'A' && letter <= 'Z' ? RIGHTS_READ_WRITE : RIGHTS_NONE;
}

static const char *name_of(char letter)
{
    static const char *const sets[] = {"ABC", "abc", "012"};
    for (unsigned i = 0; i < ARRAY_LENGTH(sets); i++)
        for (unsigned j = 0; j < NAMES; j++)
            if (sets[i][j] == letter)
                return names[j];
    return "?";
}

static char letter_of(const struct vma *region)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (region->name == names[i])
            return (char)((region->rights & RIGHTS_WRITE  ? 'A'
                           : region->rights & RIGHTS_READ ? 'a'
                                                          : '0') +
                          (int)i);
    return '?';
}

/* Strips begin 4 pages below a 4 MiB border: every longer one lies in two slots. */
static vaddr_t strip_page(uint32_t i)
{
    return page_of_slot(TEST_SLOT, SLOT_PAGES - 4 + i);
}

static uint32_t run_of(const char *strip, uint32_t i)
{
    uint32_t length = 1;
    while (strip[i + length] == strip[i])
        length++;
    return length;
}

static void lay(const char *strip)
{
    for (uint32_t i = 0; strip[i] != '\0'; i += run_of(strip, i))
        if (strip[i] != '.')
            EXPECT(vma_reserve_at(&boot_space, strip_page(i), run_of(strip, i), rights_of(strip[i]),
                                  name_of(strip[i])) == KERR_OK);
}

/* The regions are those of STRIP, one for each run of equal letters. */
static bool lies(const char *strip)
{
    uint32_t regions = 0;
    bool same = true;
    for (uint32_t i = 0; strip[i] != '\0' && same; i += run_of(strip, i)) {
        const struct vma *region = vma_find(&boot_space, strip_page(i));
        if (strip[i] == '.') {
            for (uint32_t j = 0; j < run_of(strip, i); j++)
                same &= vma_find(&boot_space, strip_page(i + j)) == NULL;
            continue;
        }
        regions++;
        same = region != NULL && letter_of(region) == strip[i] &&
               vma_start(region).v == strip_page(i).v && vma_pages(region) == run_of(strip, i);
    }
    return same && regions == boot_space.region_count - before.boot_regions;
}

static void expect_strip(int line, const char *strip)
{
    char text[80];
    if (!lies(strip)) {
        format_text(text, sizeof(text), "the regions should be \"%s\"", strip);
        test_fail(__FILE__, line, text);
    }
    expect_tree(&boot_space);
}
#define EXPECT_STRIP(strip) expect_strip(__LINE__, strip)

static void clear_strip(void)
{
    enum kerr error = vma_release(&boot_space, strip_page(0), STRIP_MAX);
    EXPECT(error == KERR_OK || error == KERR_NOT_FOUND);
}

/* ---- reserving and finding ---- */

TEST("vma", "a region: is found at every page of it, and nowhere else")
{
    struct cost cost;

    lay("..AAAAAA");
    cost_start(&cost);
    EXPECT(vma_find(&boot_space, strip_page(1)) == NULL);
    EXPECT(vma_find(&boot_space, strip_page(8)) == NULL);
    const struct vma *region = vma_find(&boot_space, strip_page(2));
    REQUIRE(region != NULL);
    for (uint32_t byte = 0; byte < 6 * PAGE_BYTES; byte += PAGE_BYTES - 1)
        EXPECT(vma_find(&boot_space, vaddr_add(strip_page(2), byte)) == region);
    EXPECT_STRIP("..AAAAAA..");
    EXPECT_COST(cost, 0, 0);
    clear_strip();
}

TEST("vma", "a range that is taken anywhere: exists, and nothing changes")
{
    lay("..AAA..");
    for (uint32_t first = 0; first < 7; first++)
        for (uint32_t pages = 1; first + pages <= 7; pages++)
            if (first + pages > 2 && first < 5)
                EXPECT(vma_reserve_at(&boot_space, strip_page(first), pages, RIGHTS_READ_WRITE,
                                      names[0]) == KERR_EXISTS);
    EXPECT_STRIP("..AAA..");
    clear_strip();
}

TEST("vma", "neighbours that are alike: become one region, from either side and between")
{
    static const char *const steps[] = {"..A.....", "..AA....", ".AAA....", ".AAA.A..", ".AAAAA.."};
    static const uint32_t added[] = {2, 3, 1, 5, 4};

    for (unsigned i = 0; i < ARRAY_LENGTH(steps); i++) {
        EXPECT(vma_reserve_at(&boot_space, strip_page(added[i]), 1, RIGHTS_READ_WRITE, names[0]) ==
               KERR_OK);
        EXPECT_STRIP(steps[i]);
    }
    clear_strip();
}

TEST("vma", "neighbours of another name or other rights: stay apart")
{
    lay("AABBaabb0011CC");
    EXPECT_STRIP("AABBaabb0011CC");
    clear_strip();
}

TEST("vma", "ranges that can't be: are refused")
{
    const struct {
        vaddr_t first;
        uint32_t pages;
    } bad[] = {
        {strip_page(0), 0},                                                /* empty */
        {VADDR(0), 1},                                                     /* the first page */
        {VADDR(0), 2},                                                     /* and beyond it */
        {vaddr_add(strip_page(0), 1), 1},                                  /* misaligned */
        {vaddr_add(strip_page(0), PAGE_BYTES / 2), 1},                     /* the same */
        {VADDR(KERNEL_BASE), 1},                                           /* the kernel's */
        {VADDR(KERNEL_BASE - PAGE_BYTES), 2},                              /* into the kernel */
        {VADDR(WINDOW_DIRECTORY), 1},                                      /* the last page */
        {strip_page(0), 0x100000},                                         /* all pages */
        {strip_page(0), ~0u},                                              /* wraps */
        {strip_page(0), 0u - (strip_page(0).v >> PAGE_SHIFT)},             /* ends at 2^32 */
        {strip_page(0), 0x100000 - (strip_page(0).v >> PAGE_SHIFT)},       /* ends at 4 GiB */
        {strip_page(0), (KERNEL_BASE - strip_page(0).v) / PAGE_BYTES + 1}, /* one too many */
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
        vaddr_t first = bad[i].first;
        EXPECT(vma_reserve_at(&boot_space, first, bad[i].pages, RIGHTS_READ, names[0]) ==
               KERR_BAD_RANGE);
        EXPECT(vma_release(&boot_space, first, bad[i].pages) == KERR_BAD_RANGE);
        EXPECT(vma_protect(&boot_space, first, bad[i].pages, RIGHTS_READ) == KERR_BAD_RANGE);
    }
    vaddr_t first;
    EXPECT(vma_reserve(&boot_space, 0, RIGHTS_READ, names[0], &first) == KERR_BAD_RANGE);
    EXPECT(vma_reserve(&boot_space, ~0u, RIGHTS_READ, names[0], &first) == KERR_NO_ROOM);
    EXPECT(vma_reserve(&boot_space, KERNEL_BASE / PAGE_BYTES, RIGHTS_READ, names[0], &first) ==
           KERR_NO_ROOM);
    EXPECT(vma_reserve_at(&kernel_space, VADDR(KERNEL_BASE - PAGE_BYTES), 2, RIGHTS_READ,
                          names[0]) == KERR_BAD_RANGE);
    EXPECT(vma_reserve_at(&kernel_space, VADDR(TEMP_BASE), 1, RIGHTS_READ, names[0]) ==
           KERR_BAD_RANGE);
}

TEST("vma", "the lower half as one region: from the first page to the last")
{
    uint32_t pages = (KERNEL_BASE - USER_FIRST_ADDRESS) / PAGE_BYTES;
    vaddr_t first = VADDR(USER_FIRST_ADDRESS), last = VADDR(KERNEL_BASE - PAGE_BYTES), room;

    REQUIRE(vma_reserve_at(&boot_space, first, pages, RIGHTS_READ_WRITE, names[0]) == KERR_OK);
    EXPECT(vma_find_room(&boot_space, 1, &room) == KERR_NO_ROOM);
    poke(first, 1);
    poke(vaddr_add(last, PAGE_BYTES - 4), 2);
    EXPECT_EQUAL(peek(first), 1);
    EXPECT_EQUAL(peek(vaddr_add(last, PAGE_BYTES - 4)), 2);
    uint32_t value;
    EXPECT_EQUAL(probe_read(VADDR(0), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(VADDR(KERNEL_BASE - 2), 1), FAULT_BAD_ACCESS);
    EXPECT(vma_release(&boot_space, first, pages) == KERR_OK);
}

/* ---- release ---- */

/* BEFORE, of which some pages are released or protected, as the marks in RANGE say, is AFTER. */
struct change {
    const char *before, *range, *after;
};

static uint32_t range_first(const struct change *change)
{
    uint32_t first = 0;
    while (change->range[first] != '^')
        first++;
    return first;
}

TEST("vma", "release of any part: the rest stays, cut where the range begins and ends")
{
    static const struct change changes[] = {
        {"AAAAAAAA", "^^^^^^^^", "........"}, /* all */
        {"AAAAAAAA", "^^      ", "..AAAAAA"}, /* left */
        {"AAAAAAAA", "      ^^", "AAAAAA.."}, /* right */
        {"AAAAAAAA", "  ^^^^  ", "AA....AA"}, /* middle */
        {"AAAAAAAA", "   ^    ", "AAA.AAAA"}, /* one page at the slot's border */
        {"..AAAA..", "^^^^^^^^", "........"}, /* more than there is */
        {"..AAAA..", "^^^     ", "...AAA.."}, /* a hole and the left part */
        {"..AAAA..", "     ^^^", "..AAA..."}, /* the right part and a hole */
        {"AABBCC..", " ^^^^   ", "A....C.."}, /* parts of three */
        {"AA.BB.CC", " ^^^^^^ ", "A......C"}, /* the same with holes */
        {"AAaaBBbb", "  ^^^^  ", "AA....bb"}, /* whole ones */
        {"A.A.A.A.", "^^^^^^^^", "........"}, /* many */
        {"A.A.A.A.", " ^^^^   ", "A.....A."}, /* two between holes */
        {"00aaAA11", " ^^^^^^ ", "0......1"}, /* whatever the rights */
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(changes); i++) {
        const struct change *change = &changes[i];
        uint32_t first = range_first(change);
        lay(change->before);
        EXPECT(vma_release(&boot_space, strip_page(first), run_of(change->range, first)) ==
               KERR_OK);
        EXPECT_STRIP(change->after);
        clear_strip();
    }
}

TEST("vma", "release of holes alone: is not found")
{
    lay("AA....BB");
    for (uint32_t pages = 1; pages <= 4; pages++)
        EXPECT(vma_release(&boot_space, strip_page(2), pages) == KERR_NOT_FOUND);
    EXPECT_STRIP("AA....BB");
    clear_strip();
}

TEST("vma", "release of a written region: gives back its frames and its tables")
{
    struct cost cost;

    cost_start(&cost);
    lay("AAAAAAAA");
    for (uint32_t i = 0; i < 8; i++)
        poke(strip_page(i), i + 1);
    EXPECT_COST(cost, 2, 8);
    EXPECT(vma_release(&boot_space, strip_page(2), 4) == KERR_OK);
    EXPECT_COST(cost, 2, 4);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t value = 0;
        enum fault_result result = probe_read(strip_page(i), &value);
        bool released = i >= 2 && i < 6;
        EXPECT_EQUAL(result, released ? FAULT_BAD_ACCESS : FAULT_RESOLVED);
        EXPECT_EQUAL(value, released ? 0 : i + 1);
    }
    clear_strip();
    EXPECT_COST(cost, 0, 0);
}

TEST("vma", "a page released and reserved again: is zero")
{
    lay("AAAAAAAA");
    poke(strip_page(1), 1);
    poke(strip_page(2), 2);
    EXPECT(vma_release(&boot_space, strip_page(1), 1) == KERR_OK);
    EXPECT(vma_reserve_at(&boot_space, strip_page(1), 1, RIGHTS_READ_WRITE, names[0]) == KERR_OK);
    EXPECT_STRIP("AAAAAAAA");
    EXPECT_EQUAL(peek(strip_page(1)), 0);
    EXPECT_EQUAL(peek(strip_page(2)), 2);
    clear_strip();
}

TEST("vma", "release of a part of an untouched GiB: the rest still reads as zero")
{
    struct cost cost;
    vaddr_t first = slot_to_vaddr(TEST_SLOT);
    uint32_t pages = TEST_SLOTS * SLOT_PAGES, value;

    REQUIRE(vma_reserve_at(&boot_space, first, pages, RIGHTS_READ_WRITE, names[0]) == KERR_OK);
    cost_start(&cost);
    EXPECT(vma_release(&boot_space, page_of_slot(TEST_SLOT + 9, 5), 1) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
    EXPECT_EQUAL(probe_read(page_of_slot(TEST_SLOT + 9, 5), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 9, 4)), 0);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 9, 6)), 0);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 8, LAST_PAGE)), 0);
    EXPECT_COST(cost, 1, 0); /* the slot is in two parts now: it has a table from its first touch */
    EXPECT(vma_release(&boot_space, first, pages) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
}

/* ---- protect ---- */

TEST("vma", "protect of any part: regions are cut, and joined with what is alike")
{
    static const struct change changes[] = {
        {"AAAAAAAA", "^^^^^^^^", "aaaaaaaa"}, /* all */
        {"AAAAAAAA", "^^      ", "aaAAAAAA"}, /* left */
        {"AAAAAAAA", "      ^^", "AAAAAAaa"}, /* right */
        {"AAAAAAAA", "  ^^^^  ", "AAaaaaAA"}, /* middle */
        {"AAaaaaAA", "^^      ", "aaaaaaAA"}, /* joined with the one above */
        {"AAaaaaAA", "      ^^", "AAaaaaaa"}, /* with the one below */
        {"aaAAAAaa", "  ^^^^  ", "aaaaaaaa"}, /* with both */
        {"aaAAAAaa", "   ^^   ", "aaAaaAaa"}, /* with none */
        {"AaAaAaAa", "^^^^^^^^", "aaaaaaaa"}, /* many become one */
        {"aAaAaAaA", " ^^^^^  ", "aaaaaaaA"}, /* and with both neighbours */
        {"aaA0AaAA", "  ^^^^  ", "aaaaaaAA"}, /* whatever the rights were */
        {"aaAA00aa", "  ^^^^  ", "aaaaaaaa"}, /* two, and both neighbours */
        {"BBAA00aa", "  ^^^^  ", "BBaaaaaa"}, /* two, and the one above */
        {"AABBAABB", " ^^^^^^ ", "AabbaabB"}, /* names stay apart */
        {"BBAAAABB", "^^^^^^^^", "bbaaaabb"}, /* the same, whole ones */
        {"..aAAa..", "  ^^^^  ", "..aaaa.."}, /* holes beside it */
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(changes); i++) {
        const struct change *change = &changes[i];
        uint32_t first = range_first(change);
        lay(change->before);
        EXPECT(vma_protect(&boot_space, strip_page(first), run_of(change->range, first),
                           RIGHTS_READ) == KERR_OK);
        EXPECT_STRIP(change->after);
        clear_strip();
    }
}

TEST("vma", "protect there and back: one region again, with its data")
{
    lay("AAAAAAAA");
    for (uint32_t i = 0; i < 8; i++)
        poke(strip_page(i), i + 1);
    EXPECT(vma_protect(&boot_space, strip_page(2), 4, RIGHTS_NONE) == KERR_OK);
    EXPECT_STRIP("AA0000AA");
    EXPECT(vma_protect(&boot_space, strip_page(2), 4, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_STRIP("AAAAAAAA");
    for (uint32_t i = 0; i < 8; i++)
        EXPECT_EQUAL(peek(strip_page(i)), i + 1);
    clear_strip();
}

TEST("vma", "protect over a hole: is not found, and nothing changes")
{
    lay("AAA..AAA");
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT(vma_protect(&boot_space, strip_page(2), 2, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT(vma_protect(&boot_space, strip_page(4), 2, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT(vma_protect(&boot_space, strip_page(3), 2, RIGHTS_READ) == KERR_NOT_FOUND);
    EXPECT_STRIP("AAA..AAA");
    poke(strip_page(2), 1);
    clear_strip();
}

TEST("vma", "a region without rights: refuses all access, and gives its data back with its rights")
{
    uint32_t value;

    lay("AAAAAAAA");
    poke(strip_page(3), 33); /* page 4, in the next slot, stays untouched */
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_NONE) == KERR_OK);
    for (uint32_t i = 0; i < 8; i++) {
        EXPECT_EQUAL(probe_read(strip_page(i), &value), FAULT_BAD_ACCESS);
        EXPECT_EQUAL(probe_write(strip_page(i), 1), FAULT_BAD_ACCESS);
    }
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(peek(strip_page(3)), 33);
    EXPECT_EQUAL(peek(strip_page(4)), 0);
    EXPECT_EQUAL(probe_write(strip_page(3), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(4), 1), FAULT_BAD_ACCESS);
    EXPECT(vma_protect(&boot_space, strip_page(0), 8, RIGHTS_READ_WRITE) == KERR_OK);
    poke(strip_page(3), 34);
    poke(strip_page(4), 44);
    EXPECT_EQUAL(peek(strip_page(3)), 34);
    clear_strip();
}

TEST("vma", "whole slots without rights: are promises again when they get some")
{
    struct cost cost;
    vaddr_t first = slot_to_vaddr(TEST_SLOT);

    cost_start(&cost);
    REQUIRE(vma_reserve_at(&boot_space, first, 4 * SLOT_PAGES, RIGHTS_NONE, names[0]) == KERR_OK);
    EXPECT_EQUAL(probe_write(first, 1), FAULT_BAD_ACCESS);
    EXPECT(vma_protect(&boot_space, first, 4 * SLOT_PAGES, RIGHTS_READ_WRITE) == KERR_OK);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT + 2, 100)), 0);
    EXPECT_COST(cost, 0, 0);
    poke(page_of_slot(TEST_SLOT + 3, 100), 3);
    EXPECT_COST(cost, 1, 1);
    EXPECT(vma_release(&boot_space, first, 4 * SLOT_PAGES) == KERR_OK);
}

TEST("vma", "half of an untouched slot made read-only: each half keeps its own rights")
{
    vaddr_t first = slot_to_vaddr(TEST_SLOT), half = page_of_slot(TEST_SLOT, SLOT_PAGES / 2);

    REQUIRE(vma_reserve_at(&boot_space, first, SLOT_PAGES, RIGHTS_READ_WRITE, names[0]) == KERR_OK);
    EXPECT(vma_protect(&boot_space, half, SLOT_PAGES / 2, RIGHTS_READ) == KERR_OK);
    EXPECT_EQUAL(probe_write(half, 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(half), 0);
    poke(first, 1);
    poke(VADDR(half.v - PAGE_BYTES), 2);
    EXPECT_EQUAL(probe_write(half, 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(peek(page_of_slot(TEST_SLOT, LAST_PAGE)), 0);
    EXPECT(vma_protect(&boot_space, half, SLOT_PAGES / 2, RIGHTS_READ_WRITE) == KERR_OK);
    poke(half, 3);
    EXPECT_EQUAL(boot_space.region_count - before.boot_regions, 1);
    EXPECT_EQUAL(peek(first), 1);
    EXPECT(vma_release(&boot_space, first, SLOT_PAGES) == KERR_OK);
}

/* ---- the kernel's own ---- */

TEST("vma", "permanent kernel regions: refuse release and protect, whole, in part, with holes")
{
    uint32_t regions = 0;

    for (struct vma *region = vma_first(&kernel_space); region != NULL; region = vma_next(region)) {
        regions++;
        if (!region->is_permanent)
            continue;
        vaddr_t first = vma_start(region), last = VADDR(region->last_page << PAGE_SHIFT);
        EXPECT(vma_release(&kernel_space, first, vma_pages(region)) == KERR_BAD_RANGE);
        EXPECT(vma_release(&kernel_space, first, 1) == KERR_BAD_RANGE);
        EXPECT(vma_protect(&kernel_space, last, 1, RIGHTS_READ) == KERR_BAD_RANGE);
        if (vma_find(&kernel_space, vaddr_add(last, PAGE_BYTES)) == NULL && last.v < DEVICE_BASE)
            EXPECT(vma_release(&kernel_space, last, 2) == KERR_BAD_RANGE);
        EXPECT(vma_reserve_at(&kernel_space, last, 1, RIGHTS_READ, names[0]) == KERR_EXISTS);
    }
    EXPECT_EQUAL(regions, kernel_space.region_count);
}

TEST("vma", "a region of kernel space: is reserved, written and released like any other")
{
    struct cost cost;
    vaddr_t first;

    cost_start(&cost);
    REQUIRE(vma_reserve(&kernel_space, 10, RIGHTS_READ_WRITE, names[0], &first) == KERR_OK);
    EXPECT(first.v >= KERNEL_BASE);
    EXPECT_COST(cost, 0, 0);
    uint32_t *words = vaddr_to_pointer(first);
    words[0] = 1;
    words[10 * PAGE_BYTES / 4 - 1] = 2;
    EXPECT_EQUAL(words[0], 1);
    EXPECT_EQUAL(words[1], 0);
    EXPECT(vma_release(&kernel_space, first, 10) == KERR_OK);
    EXPECT_COST(cost, 0, 0);
}

/* ---- room ---- */

/* A space of its own over a few slots, in the boot directory: every gap in it is known. */
enum { SMALL_PAGES = 4 * SLOT_PAGES };

static struct space small;

static void small_begin(uint32_t first_page, uint32_t pages)
{
    vma_space_init(&small, first_page, first_page + pages);
    space_switch(&small);
}

static void small_end(void)
{
    enum kerr error = vma_release(&small, VADDR(small.first_page << PAGE_SHIFT),
                                  small.end.first_page - small.first_page);
    EXPECT(error == KERR_OK || error == KERR_NOT_FOUND);
    EXPECT_EQUAL(small.region_count, 0);
    space_switch(&boot_space);
}

/* Where PAGES pages would go: the offset in SMALL, or ~0. */
static uint32_t room_for(uint32_t pages)
{
    vaddr_t first;
    if (vma_find_room(&small, pages, &first) != KERR_OK)
        return ~0u;
    return (first.v >> PAGE_SHIFT) - small.first_page;
}

static void take_small(uint32_t first, uint32_t pages)
{
    EXPECT(vma_reserve_at(&small, VADDR((small.first_page + first) << PAGE_SHIFT), pages,
                          RIGHTS_READ, names[0]) == KERR_OK);
}

TEST("vma", "room: is the lowest gap that is large enough")
{
    small_begin(TEST_SLOT * SLOT_PAGES, 100);
    EXPECT_EQUAL(room_for(1), 0);
    EXPECT_EQUAL(room_for(100), 0);
    EXPECT_EQUAL(room_for(101), ~0u);
    take_small(2, 1); /* ..#...#.....#####...# (and free up to 100) */
    take_small(6, 1);
    take_small(12, 5);
    take_small(20, 1);
    EXPECT_EQUAL(room_for(1), 0);
    EXPECT_EQUAL(room_for(2), 0);
    EXPECT_EQUAL(room_for(3), 3);
    EXPECT_EQUAL(room_for(4), 7);
    EXPECT_EQUAL(room_for(5), 7);
    EXPECT_EQUAL(room_for(6), 21);
    EXPECT_EQUAL(room_for(79), 21);
    EXPECT_EQUAL(room_for(80), ~0u);
    take_small(21, 79); /* up to the end */
    EXPECT_EQUAL(room_for(6), ~0u);
    EXPECT_EQUAL(room_for(5), 7);
    take_small(0, 2); /* from the beginning */
    EXPECT_EQUAL(room_for(1), 3);
    expect_tree(&small);
    small_end();
}

TEST("vma", "room for a slot or more: is aligned, if a gap allows it")
{
    small_begin(TEST_SLOT * SLOT_PAGES + 1, SMALL_PAGES - 1);
    EXPECT_EQUAL(room_for(SLOT_PAGES - 1), 0);
    EXPECT_EQUAL(room_for(SLOT_PAGES), LAST_PAGE);
    EXPECT_EQUAL(room_for(2 * SLOT_PAGES), LAST_PAGE);
    EXPECT_EQUAL(room_for(3 * SLOT_PAGES + 1), 0); /* only unaligned */
    EXPECT_EQUAL(room_for(SMALL_PAGES - 1), 0);
    EXPECT_EQUAL(room_for(SMALL_PAGES), ~0u);
    take_small(LAST_PAGE, SLOT_PAGES);
    EXPECT_EQUAL(room_for(SLOT_PAGES), 2 * SLOT_PAGES - 1);
    small_end();
}

TEST("vma", "all room taken: there is none, and after a release there is")
{
    vaddr_t first;

    small_begin(TEST_SLOT * SLOT_PAGES, 10);
    for (uint32_t i = 0; i < 10; i++)
        EXPECT(vma_reserve(&small, 1, RIGHTS_READ, names[i % 2], &first) == KERR_OK &&
               first.v == page_of_slot(TEST_SLOT, i).v);
    EXPECT(vma_reserve(&small, 1, RIGHTS_READ, names[0], &first) == KERR_NO_ROOM);
    EXPECT(vma_release(&small, page_of_slot(TEST_SLOT, 4), 1) == KERR_OK);
    EXPECT(vma_reserve(&small, 2, RIGHTS_READ, names[0], &first) == KERR_NO_ROOM);
    EXPECT(vma_reserve(&small, 1, RIGHTS_READ, names[0], &first) == KERR_OK &&
           first.v == page_of_slot(TEST_SLOT, 4).v);
    small_end();
}

TEST("vma", "room from a page on, and up to one: first there, then anywhere below the end")
{
    small_begin(TEST_SLOT * SLOT_PAGES, 100);
    small.room_first_page = small.first_page + 40;
    small.room_end_page = small.first_page + 90;
    EXPECT_EQUAL(room_for(1), 40);
    EXPECT_EQUAL(room_for(50), 40);
    EXPECT_EQUAL(room_for(51), 0);
    EXPECT_EQUAL(room_for(90), 0);
    EXPECT_EQUAL(room_for(91), ~0u);
    take_small(38, 4); /* around the first page */
    take_small(50, 1);
    take_small(60, 1);
    take_small(80, 4);
    EXPECT_EQUAL(room_for(8), 42);
    EXPECT_EQUAL(room_for(9), 51);
    EXPECT_EQUAL(room_for(10), 61);
    EXPECT_EQUAL(room_for(19), 61);
    EXPECT_EQUAL(room_for(20), 0); /* the last gap is 16 pages, 6 of them below the end */
    EXPECT_EQUAL(room_for(38), 0);
    EXPECT_EQUAL(room_for(39), ~0u);
    take_small(42, 8);
    take_small(51, 9);
    take_small(61, 19);
    EXPECT_EQUAL(room_for(6), 84);
    EXPECT_EQUAL(room_for(7), 0);
    small_end();
}

/* Like take_small(), one that grows down. */
static void take_stack(uint32_t first, uint32_t pages)
{
    const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_GROWS_DOWN, .name = names[1]};
    EXPECT(vma_map_at(&small, VADDR((small.first_page + first) << PAGE_SHIFT), pages, &wish) ==
           KERR_OK);
}

TEST("vma", "room below a region that grows down: all but the guard")
{
    small_begin(TEST_SLOT * SLOT_PAGES, 700);
    take_stack(300, 1);
    EXPECT_EQUAL(room_for(44), 0);
    EXPECT_EQUAL(room_for(45), 301);
    small.room_first_page = small.first_page + 40;
    EXPECT_EQUAL(room_for(4), 40);
    EXPECT_EQUAL(room_for(5), 301);
    small.room_first_page = small.first_page;
    take_small(10, 1);
    EXPECT_EQUAL(room_for(33), 11);
    EXPECT_EQUAL(room_for(34), 301);
    take_stack(310, 1); /* its guard reaches below the other one */
    EXPECT_EQUAL(room_for(34), 311);
    EXPECT_EQUAL(room_for(390), ~0u);
    small_end();
}

TEST("vma", "a place near a region that grows down: only if nobody wishes to keep off")
{
    struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .name = names[0], .keeps_off_stacks = true};
    small_begin(TEST_SLOT * SLOT_PAGES, 700);
    take_stack(300, 1);
    EXPECT(vma_map_at(&small, page_of_slot(TEST_SLOT, 40), 5, &wish) == KERR_EXISTS);
    EXPECT(vma_map_at(&small, page_of_slot(TEST_SLOT, 40), 3, &wish) == KERR_OK);
    struct vma *region = vma_find(&small, page_of_slot(TEST_SLOT, 40));
    EXPECT(vma_extend(&small, region, 1) == KERR_EXISTS); /* one stays free besides */
    EXPECT(vma_shorten(&small, region, 1) == KERR_OK);
    EXPECT(vma_extend(&small, region, 1) == KERR_OK);
    wish.guard_pages = 1;
    EXPECT(vma_map_at(&small, page_of_slot(TEST_SLOT, 43), 1, &wish) == KERR_EXISTS);
    wish.guard_pages = 0;
    EXPECT(vma_map_at(&small, page_of_slot(TEST_SLOT, 43), 1, &wish) == KERR_OK);
    wish.keeps_off_stacks = false;
    EXPECT(vma_map_at(&small, page_of_slot(TEST_SLOT, 299), 1, &wish) == KERR_OK);
    small_end();
}

enum { RANDOM_PAGES = 600, RANDOM_CHANGES = 300 };

/* PAGE is free, and no region that grows down is so near above that it keeps it. */
static bool is_room(uint32_t page)
{
    const struct vma *above = vma_at_or_above(&small, VADDR(page << PAGE_SHIFT));
    return above == NULL ||
           above->first_page - page > (above->flags & VMA_GROWS_DOWN ? STACK_GUARD_PAGES : 0u);
}

/* Room by looking at every page. */
static uint32_t plain_room(uint32_t pages, uint32_t from, uint32_t end)
{
    for (uint32_t page = from, run = 0; page < end; page++) {
        if (vma_find(&small, VADDR(page << PAGE_SHIFT)) == NULL && is_room(page))
            run++;
        else
            run = 0;
        if (run == pages)
            return page + 1 - pages - small.first_page;
    }
    return ~0u;
}

/* One region more, of which one in 8 grows down, or fewer in a larger part. */
static void change_small(uint32_t *seed)
{
    bool is_release = test_random(seed) % 3 == 0;
    uint32_t page = test_random(seed) % RANDOM_PAGES;
    uint32_t pages = 1 + test_random(seed) % (is_release ? 200 : 8);
    vaddr_t first = VADDR((small.first_page + page) << PAGE_SHIFT);
    const struct vma_wish wish = {.rights = RIGHTS_READ,
                                  .name = names[test_random(seed) % 3],
                                  .flags = test_random(seed) % 8 == 0 ? VMA_GROWS_DOWN : 0};
    if (page + pages > RANDOM_PAGES)
        pages = RANDOM_PAGES - page;
    if (is_release)
        EXPECT(vma_release(&small, first, pages) != KERR_BAD_RANGE);
    else
        EXPECT(vma_map_at(&small, first, pages, &wish) != KERR_BAD_RANGE);
}

TEST("vma", "room among random regions, between random bounds: as a look at every page says")
{
    uint32_t seed = 4;
    small_begin(TEST_SLOT * SLOT_PAGES, RANDOM_PAGES);
    for (uint32_t i = 0; i < RANDOM_CHANGES; i++) {
        change_small(&seed);
        small.room_first_page = small.first_page + test_random(&seed) % RANDOM_PAGES;
        small.room_end_page = small.first_page + 1 + test_random(&seed) % RANDOM_PAGES;
        uint32_t wanted = 1 + test_random(&seed) % 24;
        uint32_t room = plain_room(wanted, small.room_first_page, small.room_end_page);
        if (room == ~0u)
            room = plain_room(wanted, small.first_page, small.room_end_page);
        EXPECT_EQUAL(room_for(wanted), room);
        if (i % 16 == 0)
            expect_tree(&small);
    }
    small_end();
}

/* ---- touching ---- */

TEST("vma", "a partial slot: costs nothing reserved, one fault and one table at its first touch")
{
    struct cost cost;

    cost_start(&cost);
    lay("AAAA");
    EXPECT_COST(cost, 0, 0);
    uint32_t faults = fault_counters.total;
    EXPECT_EQUAL(peek(strip_page(2)), 0);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQUAL(peek(strip_page(i)), 0);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    clear_strip();
    EXPECT_COST(cost, 0, 0);
}

TEST("vma", "the first touch is a write: one fault, one table and one frame")
{
    struct cost cost;

    lay("AAAA");
    cost_start(&cost);
    uint32_t faults = fault_counters.total;
    poke(strip_page(2), 2);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(fault_counters.total - faults, 1);
    EXPECT_EQUAL(peek(strip_page(1)), 0);
    clear_strip();
}

TEST("vma", "two regions in one slot: share its table, and each keeps its rights")
{
    struct cost cost;
    uint32_t value;

    cost_start(&cost);
    lay("AA.b");
    poke(strip_page(0), 1);
    EXPECT_EQUAL(peek(strip_page(3)), 0);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(probe_write(strip_page(3), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(strip_page(2), &value), FAULT_BAD_ACCESS);
    EXPECT(vma_release(&boot_space, strip_page(0), 2) == KERR_OK);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(peek(strip_page(3)), 0);
    clear_strip();
    EXPECT_COST(cost, 0, 0);
}

TEST("vma", "a touched slot that a region comes to cover whole: keeps data, the rest is zero")
{
    vaddr_t first = slot_to_vaddr(TEST_SLOT), half = page_of_slot(TEST_SLOT, SLOT_PAGES / 2);

    REQUIRE(vma_reserve_at(&boot_space, first, SLOT_PAGES / 2, RIGHTS_READ_WRITE, names[0]) ==
            KERR_OK);
    poke(first, 1);
    EXPECT(vma_reserve_at(&boot_space, half, SLOT_PAGES / 2, RIGHTS_READ_WRITE, names[0]) ==
           KERR_OK);
    EXPECT_EQUAL(boot_space.region_count - before.boot_regions, 1);
    EXPECT_EQUAL(peek(half), 0);
    poke(page_of_slot(TEST_SLOT, LAST_PAGE), 2);
    EXPECT_EQUAL(peek(first), 1);
    EXPECT(vma_release(&boot_space, first, SLOT_PAGES) == KERR_OK);
}

TEST("vma", "access outside any region, or against its rights: is a bad access and costs nothing")
{
    struct cost cost;
    uint32_t value, bad = fault_counters.bad_access;

    lay(".a.0.");
    cost_start(&cost);
    EXPECT_EQUAL(probe_read(strip_page(0), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(2), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(1), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(strip_page(3), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_write(strip_page(3), 1), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(probe_read(slot_to_vaddr(KERNEL_TEST_SLOT), &value), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(fault_counters.bad_access - bad, 6);
    EXPECT_COST(cost, 0, 0);
    clear_strip();
}

TEST("vma", "a touch from user mode: only where the region is the user's")
{
    lay("A");
    EXPECT_EQUAL(vma_touch(strip_page(0), ACCESS_READ, MODE_USER), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(vma_touch(strip_page(0), ACCESS_READ, MODE_KERNEL), FAULT_RESOLVED);
    EXPECT_EQUAL(vma_touch(VADDR(PROCESS_RECORDS_BASE), ACCESS_READ, MODE_USER), FAULT_BAD_ACCESS);
    clear_strip();
}

TEST("vma", "a touch without a fault: builds what a fault would")
{
    struct cost cost;

    lay("AAa");
    cost_start(&cost);
    EXPECT_EQUAL(vma_touch(vaddr_add(strip_page(0), 123), ACCESS_READ, MODE_KERNEL),
                 FAULT_RESOLVED);
    EXPECT_COST(cost, 1, 0);
    EXPECT_EQUAL(vma_touch(strip_page(1), ACCESS_WRITE, MODE_KERNEL), FAULT_RESOLVED);
    EXPECT_COST(cost, 1, 1);
    EXPECT_EQUAL(vma_touch(strip_page(2), ACCESS_WRITE, MODE_KERNEL), FAULT_BAD_ACCESS);
    EXPECT_EQUAL(vma_touch(strip_page(3), ACCESS_READ, MODE_KERNEL), FAULT_BAD_ACCESS);
    uint32_t faults = fault_counters.total;
    poke(strip_page(1), 1);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    clear_strip();
}

TEST("vma", "a range made real: is written without a fault; without rights or region it is not")
{
    struct cost cost;

    lay("AAAAAAAA.a");
    cost_start(&cost);
    EXPECT(vma_make_real(strip_page(0), 8) == KERR_OK);
    EXPECT_COST(cost, 2, 8);
    EXPECT(vma_make_real(strip_page(0), 8) == KERR_OK);
    EXPECT_COST(cost, 2, 8);
    uint32_t faults = fault_counters.total;
    for (uint32_t i = 0; i < 8; i++)
        poke(strip_page(i), i);
    EXPECT_EQUAL(fault_counters.total - faults, 0);
    EXPECT(vma_make_real(strip_page(7), 2) == KERR_BAD_ACCESS);
    EXPECT(vma_make_real(strip_page(9), 1) == KERR_BAD_ACCESS);
    EXPECT_COST(cost, 2, 8);
    clear_strip();
}

/* ---- no memory ---- */

TEST("vma", "a touch with too few frames: no memory, and zero all the same")
{
    for (uint32_t frames = 0; frames <= 2; frames++) {
        lay("AAAA");
        leave_frames(frames);
        EXPECT_EQUAL(probe_write(strip_page(1), 1), frames < 2 ? FAULT_NO_MEMORY : FAULT_RESOLVED);
        all_frames();
        EXPECT_EQUAL(peek(strip_page(1)), frames < 2 ? 0 : 1);
        clear_strip();
    }
}

TEST("vma", "a range made real with too few frames: what is real stays, the rest is zero")
{
    for (uint32_t frames = 0; frames <= 10; frames++) {
        lay("AAAAAAAA");
        leave_frames(frames);
        EXPECT(vma_make_real(strip_page(0), 8) == (frames < 10 ? KERR_NO_MEMORY : KERR_OK));
        all_frames();
        for (uint32_t i = 0; i < 8; i++)
            EXPECT_EQUAL(peek(strip_page(i)), 0);
        clear_strip();
    }
}

/* Reserve single pages, a hole after each, until no node is left; returns their number. */
static uint32_t use_up_nodes(void)
{
    enum { ENOUGH = 300 };
    uint32_t count = 0;
    while (count < ENOUGH && vma_reserve_at(&boot_space, page_of_slot(TEST_SLOT + 8, 2 * count), 1,
                                            RIGHTS_READ, names[2]) == KERR_OK)
        count++;
    return count < ENOUGH ? count : 0;
}

TEST("vma", "no region node and no frame: no memory, regions stay, and whole ones can be released")
{
    lay("AAAA..BBBB");
    for (uint32_t i = 0; i < 4; i++)
        poke(strip_page(i), i + 1);
    leave_frames(0);
    uint32_t count = use_up_nodes(), regions = boot_space.region_count;
    enum kerr in_middle = vma_release(&boot_space, strip_page(1), 2);
    enum kerr to_protect = vma_protect(&boot_space, strip_page(1), 2, RIGHTS_READ);
    enum kerr to_grow = vma_reserve_at(&boot_space, strip_page(4), 1, RIGHTS_READ_WRITE, names[0]);
    uint32_t regions_after = boot_space.region_count;
    enum kerr whole = vma_release(&boot_space, strip_page(6), 4);
    all_frames();
    EXPECT(vma_release(&boot_space, slot_to_vaddr(TEST_SLOT + 8), SLOT_PAGES) == KERR_OK);
    if (count == 0) {
        clear_strip();
        SKIP("more region nodes were made real than this test can use up");
    }
    EXPECT(in_middle == KERR_NO_MEMORY && to_protect == KERR_NO_MEMORY);
    EXPECT(to_grow == KERR_OK); /* a neighbour that is alike wants no node */
    EXPECT(whole == KERR_OK);
    EXPECT_EQUAL(regions_after, regions);
    EXPECT_STRIP("AAAAA.....");
    for (uint32_t i = 0; i < 4; i++)
        EXPECT_EQUAL(peek(strip_page(i)), i + 1);
    clear_strip();
}

/* ---- anything, at random, against a plain table ---- */

enum { STEPS = 100000, WRITTEN_MAX = 128 };

static uint8_t owner[SMALL_PAGES]; /* 0: free; else 1 + 3 * name + rights */
static uint16_t data[SMALL_PAGES]; /* what was written there */
static uint32_t written;           /* pages whose data is not 0 */
static uint32_t random_state;

static uint32_t dice(uint32_t sides)
{
    return test_random(&random_state) % sides;
}

static vaddr_t small_page(uint32_t page)
{
    return VADDR((small.first_page + page) << PAGE_SHIFT);
}

static uint8_t owner_by_region(uint32_t page)
{
    const struct vma *region = vma_find(&small, small_page(page));
    if (region == NULL)
        return 0;
    uint32_t name = region->name == names[0] ? 0 : region->name == names[1] ? 1 : 2;
    uint32_t rights = region->rights == RIGHTS_NONE ? 0 : region->rights == RIGHTS_READ ? 1 : 2;
    return (uint8_t)(1 + 3 * name + rights);
}

static uint32_t owned(uint32_t first, uint32_t pages)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < first + pages; i++)
        count += owner[i] != 0;
    return count;
}

static void set_owner(uint32_t first, uint32_t pages, uint32_t name, uint32_t rights)
{
    for (uint32_t i = first; i < first + pages; i++)
        owner[i] = (uint8_t)(1 + 3 * name + rights);
}

static void step_reserve_at(uint32_t first, uint32_t pages)
{
    uint32_t name = dice(NAMES), rights = dice(3);
    enum kerr error =
        vma_reserve_at(&small, small_page(first), pages, all_rights[rights], names[name]);
    EXPECT_EQUAL(error, owned(first, pages) != 0 ? KERR_EXISTS : KERR_OK);
    if (error == KERR_OK)
        set_owner(first, pages, name, rights);
}

/* The lowest gap by the plain table, as room_for() should say for less than a slot. */
static uint32_t lowest_room(uint32_t pages)
{
    uint32_t run = 0;
    for (uint32_t i = 0; i < SMALL_PAGES; i++) {
        run = owner[i] == 0 ? run + 1 : 0;
        if (run == pages)
            return i + 1 - pages;
    }
    return ~0u;
}

static void step_reserve(uint32_t pages)
{
    vaddr_t first;
    uint32_t name = dice(NAMES), rights = dice(3), lowest = lowest_room(pages);
    enum kerr error = vma_reserve(&small, pages, all_rights[rights], names[name], &first);
    EXPECT_EQUAL(error, lowest == ~0u ? KERR_NO_ROOM : KERR_OK);
    if (error != KERR_OK)
        return;
    uint32_t page = (first.v >> PAGE_SHIFT) - small.first_page;
    if (pages < SLOT_PAGES)
        EXPECT_EQUAL(page, lowest);
    EXPECT_EQUAL(owned(page, pages), 0);
    set_owner(page, pages, name, rights);
}

static void step_release(uint32_t first, uint32_t pages)
{
    enum kerr error = vma_release(&small, small_page(first), pages);
    EXPECT_EQUAL(error, owned(first, pages) == 0 ? KERR_NOT_FOUND : KERR_OK);
    for (uint32_t i = first; i < first + pages && error == KERR_OK; i++) {
        written -= data[i] != 0;
        data[i] = 0;
        owner[i] = 0;
    }
}

static void step_protect(uint32_t first, uint32_t pages)
{
    uint32_t rights = dice(3);
    enum kerr error = vma_protect(&small, small_page(first), pages, all_rights[rights]);
    EXPECT_EQUAL(error, owned(first, pages) != pages ? KERR_NOT_FOUND : KERR_OK);
    for (uint32_t i = first; i < first + pages && error == KERR_OK; i++)
        owner[i] = (uint8_t)(1 + (owner[i] - 1u) / 3 * 3 + rights);
}

/* Read PAGE, and write it if not too much is written. */
static void step_touch(uint32_t page)
{
    uint32_t value = 0, rights = owner[page] == 0 ? 0 : (owner[page] - 1u) % 3;
    EXPECT_EQUAL(probe_read(small_page(page), &value),
                 rights >= 1 ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
    EXPECT_EQUAL(value, rights >= 1 ? data[page] : 0);
    if (written >= WRITTEN_MAX && data[page] == 0)
        return;
    uint16_t new = (uint16_t)(1 + dice(60000));
    bool may = rights == 2;
    EXPECT_EQUAL(probe_write(small_page(page), new), may ? FAULT_RESOLVED : FAULT_BAD_ACCESS);
    if (may) {
        written += data[page] == 0;
        data[page] = new;
    }
}

static void random_step(void)
{
    uint32_t pages = dice(64) == 0 ? 1 + dice(SMALL_PAGES) : 1 + dice(24);
    uint32_t first = dice(SMALL_PAGES - pages + 1);
    switch (dice(16)) {
    case 0:
        step_reserve(pages);
        break;
    case 1:
        step_touch(first);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        step_release(first, pages);
        break;
    case 6:
    case 7:
        step_protect(first, 1 + dice(4));
        break;
    default:
        step_reserve_at(first, pages);
    }
}

static void expect_table(void)
{
    uint32_t regions = 0;
    for (uint32_t i = 0; i < SMALL_PAGES; i++) {
        EXPECT_EQUAL(owner_by_region(i), owner[i]);
        regions += owner[i] != 0 && (i == 0 || owner[i] != owner[i - 1]);
        if (data[i] != 0 && (owner[i] - 1) % 3 != 0)
            EXPECT_EQUAL(peek(small_page(i)), data[i]);
    }
    EXPECT_EQUAL(small.region_count, regions);
}

TEST("vma", "100,000 random reservations, releases and protections: as a plain table says")
{
    random_state = 20240214;
    printk("# seed %u\n", random_state);
    if (frame_available(&frame_pool) < WRITTEN_MAX + 100)
        SKIP("needs 1 MiB of free memory");
    small_begin(TEST_SLOT * SLOT_PAGES, SMALL_PAGES);
    for (uint32_t i = 0; i < SMALL_PAGES; i++) {
        owner[i] = 0;
        data[i] = 0;
    }
    written = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        random_step();
        uint32_t page = dice(SMALL_PAGES);
        EXPECT_EQUAL(owner_by_region(page), owner[page]);
        if (step % 1000 == 0) {
            expect_tree(&small);
            expect_table();
        }
    }
    expect_tree(&small);
    expect_table();
    small_end();
}

/* ---- many ---- */

enum { MANY = 60000, STRIDE = 7919 }; /* a prime: every number below MANY comes up once */

static vaddr_t many_page(uint32_t i)
{
    return page_of_slot(TEST_SLOT, i % MANY * 2);
}

TEST("vma", "60,000 regions, in and out in other orders: all are found, and none is left")
{
    struct cost cost;

    if (frame_available(&frame_pool) < MANY * REGION_NODE_BYTES / PAGE_BYTES + 16)
        SKIP("needs 3 MiB of free memory for region nodes");
    vma_trim();
    cost_start(&cost);
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT(vma_reserve_at(&boot_space, many_page(i * STRIDE), 1, RIGHTS_READ, names[0]) ==
               KERR_OK);
    EXPECT_EQUAL(boot_space.region_count - before.boot_regions, MANY);
    expect_tree(&boot_space);
    for (uint32_t i = 0; i < MANY; i++) {
        const struct vma *region = vma_find(&boot_space, many_page(i));
        EXPECT(region != NULL && vma_start(region).v == many_page(i).v && vma_pages(region) == 1);
        EXPECT(vma_find(&boot_space, vaddr_add(many_page(i), PAGE_BYTES)) == NULL);
    }
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT(vma_release(&boot_space, many_page(i * STRIDE + MANY / 3), 1) == KERR_OK);
    vma_trim();
    EXPECT_COST(cost, 0, 0);
    for (uint32_t i = 0; i < MANY; i++)
        EXPECT(vma_reserve_at(&boot_space, many_page(i), 1, RIGHTS_READ, names[0]) == KERR_OK);
    EXPECT(vma_release(&boot_space, many_page(0), 2 * MANY) == KERR_OK);
    vma_trim();
    EXPECT_COST(cost, 0, 0);
}

/* ---- panics ---- */

PANIC_TEST("access-lower-half")
{
    if (vma_reserve_at(&boot_space, strip_page(0), 1, RIGHTS_READ_WRITE, names[0]) == KERR_OK)
        *(volatile uint32_t *)vaddr_to_pointer(strip_page(0)) = 1;
}

PANIC_TEST("fault-outside-region")
{
    *(volatile uint32_t *)vaddr_to_pointer(slot_to_vaddr(KERNEL_TEST_SLOT)) = 1;
}

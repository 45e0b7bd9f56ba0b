/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. What the tests of regions have in common (vma_testing.h), and what must hold after every
 * test: trees are whole, and the regions that a test reserved are released.
 */
#include "vma_testing.h"

#include <kernel/printk.h>
#include <mm/audit.h>

/* ---- what must hold after every test ---- */

struct regions_before regions_before;

static void note_regions(void)
{
    regions_before.kernel_regions = kernel_space.region_count;
    regions_before.kernel_pages = kernel_space.reserved_pages;
    regions_before.boot_regions = boot_space.region_count;
    regions_before.boot_pages = boot_space.reserved_pages;
    regions_before.nodes = vma_nodes_in_use();
}

void expect_tree(const struct space *space)
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
    EXPECT_EQUAL(kernel_space.region_count, regions_before.kernel_regions);
    EXPECT_EQUAL(kernel_space.reserved_pages, regions_before.kernel_pages);
    EXPECT_EQUAL(boot_space.region_count, regions_before.boot_regions);
    EXPECT_EQUAL(boot_space.reserved_pages, regions_before.boot_pages);
    EXPECT_EQUAL(vma_nodes_in_use(), regions_before.nodes);
}

TEST_INVARIANT("regions are whole, and those reserved are released", note_regions, check_regions);

/* ---- strips ---- */

const char *const region_names[NAMES] = {"A", "B", "C"};

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
                return region_names[j];
    return "?";
}

static char letter_of(const struct vma *region)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (region->name == region_names[i])
            return (char)((region->rights & RIGHTS_WRITE  ? 'A'
                           : region->rights & RIGHTS_READ ? 'a'
                                                          : '0') +
                          (int)i);
    return '?';
}

vaddr_t strip_page(uint32_t i)
{
    return page_of_slot(TEST_SLOT, SLOT_PAGES - 4 + i);
}

uint32_t run_of(const char *strip, uint32_t i)
{
    uint32_t length = 1;
    while (strip[i + length] == strip[i])
        length++;
    return length;
}

void lay_strip(const char *strip)
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
    return same && regions == boot_space.region_count - regions_before.boot_regions;
}

void expect_strip(const char *file, int line, const char *strip)
{
    char text[80];
    if (!lies(strip)) {
        format_text(text, sizeof(text), "the regions should be \"%s\"", strip);
        test_fail(file, line, text);
    }
    expect_tree(&boot_space);
}

void clear_strip(void)
{
    enum kerr error = vma_release(&boot_space, strip_page(0), STRIP_MAX);
    EXPECT(error == KERR_OK || error == KERR_NOT_FOUND);
}

/* ---- a small space ---- */

struct space small_space;

void small_begin(uint32_t first_page, uint32_t pages)
{
    vma_space_init(&small_space, first_page, first_page + pages);
    space_switch(&small_space);
}

void small_end(void)
{
    enum kerr error = vma_release(&small_space, VADDR(small_space.first_page << PAGE_SHIFT),
                                  small_space.end.first_page - small_space.first_page);
    EXPECT(error == KERR_OK || error == KERR_NOT_FOUND);
    EXPECT_EQUAL(small_space.region_count, 0);
    space_switch(&boot_space);
}

/* ---- the audit ---- */

void expect_audit(const char *file, int line)
{
    struct audit audit;
    if (vm_audit(&audit, frame_pool.set_aside) != NULL) {
        test_fail(file, line, audit.broken);
        test_fail(file, line, audit.where);
    }
}

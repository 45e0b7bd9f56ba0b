/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: vm_testing, space, audit. Used by: the tests of regions and of objects.
 *
 * Regions are drawn as strips, a character a page: a capital letter is a readable and writable
 * region of that name, a small one is read-only, a digit has no rights (0 is A without rights, 1 is
 * B), a point is free.
 */
#ifndef TESTS_KERNEL_VMA_TESTING_H
#define TESTS_KERNEL_VMA_TESTING_H

#include "vm_testing.h"

#include <mm/space.h>

enum { LAST_PAGE = SLOT_PAGES - 1, STRIP_MAX = 32, NAMES = 3 };

/* "A", "B" and "C". */
extern const char *const region_names[NAMES];

/* What there was when the test began. */
extern struct regions_before {
    uint32_t kernel_regions, kernel_pages, boot_regions, boot_pages, nodes;
} regions_before;

/* The tree of SPACE is whole. */
void expect_tree(const struct space *space);

/* ---- strips, in the boot space ---- */

/* Strips begin 4 pages below a 4 MiB border: every longer one lies in two slots. */
vaddr_t strip_page(uint32_t i);

/* How many characters from the one at I on are equal. */
uint32_t run_of(const char *strip, uint32_t i);

void lay_strip(const char *strip);
void clear_strip(void);

/* The regions are those of STRIP, one for each run of equal letters. */
void expect_strip(const char *file, int line, const char *strip);
#define EXPECT_STRIP(strip) expect_strip(__FILE__, __LINE__, strip)

/* ---- a small space ---- */

/* A space of its own over a few slots, in the boot directory: every gap in it is known. */
enum { SMALL_PAGES = 4 * SLOT_PAGES };
extern struct space small_space;

void small_begin(uint32_t first_page, uint32_t pages);
void small_end(void);

/* ---- the audit ---- */

/* Nothing is broken. */
void expect_audit(const char *file, int line);
#define EXPECT_AUDIT() expect_audit(__FILE__, __LINE__)

#endif

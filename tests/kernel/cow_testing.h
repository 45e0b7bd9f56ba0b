/* SPDX-License-Identifier: MIT */
/*
 * Layer 3. Uses: vm_testing. Used by: the tests of copy-on-write.
 *
 * Sides: directories made for a test, which share two slots. Side 0 is the boot directory.
 */
#ifndef TESTS_KERNEL_COW_TESTING_H
#define TESTS_KERNEL_COW_TESTING_H

#include "vm_testing.h"

enum { SIDES_MAX = 4, SLOTS = 2, LAST_PAGE = SLOT_PAGES - 1 };

/* No page of these tests holds it: a read that is refused. */
#define REFUSED 0xDEADDEADu

static const vaddr_t first_page = {TEST_SLOT * SLOT_BYTES};
static const vaddr_t second_page = {TEST_SLOT * SLOT_BYTES + PAGE_BYTES};

/* Directory numbers of the sides that there are; cow_sides[0] is 0 for ever. */
extern uint32_t cow_sides[SIDES_MAX], side_count;

/* Be on SIDE: load its directory. */
void on_side(uint32_t side);

/* Sides 0 to COUNT - 1; false: no memory. */
bool must_check sides_make(uint32_t count);
void sides_end(void);

/* Side 0 promises the test's slots. */
bool must_check promise_slots(void);

/* FROM, which becomes the current side, shares the test's slots with TO. */
void share_slots(uint32_t from, uint32_t to);

/* Two sides share the promised slots; side 0, the current one, has written 1 to the first page. */
bool must_check share_written(void);

/* Release what the current side has in the test's slots; or what side 0 has, and end the others. */
void release_slots(void);
void release_and_end(void);

/* A word at ADDRESS as the current side, or SIDE, sees it, or REFUSED. */
uint32_t look(vaddr_t address);
uint32_t look_on(uint32_t side, vaddr_t address);

void write_on(uint32_t side, vaddr_t address, uint32_t value);

/* Recount what all sides have in the test's slots. */
void expect_whole(const char *file, int line);
#define EXPECT_WHOLE() expect_whole(__FILE__, __LINE__)

uint32_t table_references(uint32_t side, uint32_t slot);
uint32_t page_references(uint32_t side, vaddr_t page);

/* A page of each sort of entry, at its number; what is there reads as 1 + its number. */
enum sort { OWN, READ_ONLY, PROMISED, KEPT, MAPPED, EMPTY, SORTS };
bool must_check make_sorts(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: vm_testing, space, audit. Used by: the tests of the audit.
 *
 * Each breaks one thing, sees the audit say so, and repairs it. Most damage is one word: an entry,
 * stored past the ledger and never used by the CPU.
 */
#ifndef TESTS_KERNEL_AUDIT_TESTING_H
#define TESTS_KERNEL_AUDIT_TESTING_H

#include "vm_testing.h"

#include <arch/i386/entry.h>
#include <mm/space.h>

/* ---- a place to break: two slots, and what they hold ---- */

enum { WHOLE = TEST_SLOT, PARTIAL, READ_ONLY, NOBODYS = TEST_SLOT + 8 };

extern const char audit_name[];
extern vaddr_t own_page, promised_page, kept_page, read_only_page, outside_page;

bool must_check audit_set_up(void);
void audit_tear_down(void);

/* Reserve in the current space. */
bool must_check reserve_here(vaddr_t first, uint32_t pages, enum rights rights, const char *what);

static inline uint32_t pte_bits(vaddr_t page)
{
    return pte_read(page).bits;
}

static inline uint32_t pde_bits(uint32_t slot)
{
    return pde_read(slot).bits;
}

static inline frame_t frame_of(vaddr_t page)
{
    return pte_frame(pte_read(page));
}

static inline frame_t table_of(uint32_t slot)
{
    return pde_frame(pde_read(slot));
}

/* ---- what the audit says ---- */

/* Nothing is broken. */
void expect_clean(void);

/* The audit says SENTENCE, and names what WHERE says (NULL: anything). */
void expect_said(const char *file, int line, const char *sentence, const char *where);

/* WORD is VALUE for the time of an audit, which says SENTENCE; then all is well again. */
void expect_found(const char *file, int line, volatile uint32_t *word, uint32_t value,
                  const char *sentence);

#define EXPECT_FOUND(word, value, sentence) expect_found(__FILE__, __LINE__, word, value, sentence)
#define EXPECT_SAID(sentence)               expect_said(__FILE__, __LINE__, sentence, NULL)

#endif

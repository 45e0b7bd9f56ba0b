/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. What the tests of the audit have in common (audit_testing.h), and the invariant after
 * every test: the audit finds nothing.
 */
#include "audit_testing.h"

#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/audit.h>

const char audit_name[] = "audit";
vaddr_t own_page, promised_page, kept_page, read_only_page, outside_page;

/* ---- after every test ---- */

void expect_clean(void)
{
    struct audit audit;
    if (vm_audit(&audit, frame_pool.set_aside) == NULL)
        return;
    printk("# audit: %s\n", audit.where);
    test_fail(__FILE__, __LINE__, audit.broken);
}

TEST_INVARIANT("audit", NULL, expect_clean);

/* ---- a place to break ---- */

bool reserve_here(vaddr_t first, uint32_t pages, enum rights rights, const char *what)
{
    return vma_reserve_at(space_current(), first, pages, rights, what) == KERR_OK;
}

bool audit_set_up(void)
{
    own_page = page_of_slot(WHOLE, 5);
    promised_page = page_of_slot(WHOLE, 6);
    kept_page = page_of_slot(PARTIAL, 600);
    read_only_page = page_of_slot(PARTIAL, 700);
    outside_page = page_of_slot(PARTIAL, 800);
    bool done =
        reserve_here(page_of_slot(WHOLE, 0), SLOT_PAGES + 512, RIGHTS_READ_WRITE, audit_name) &&
        reserve_here(kept_page, 10, RIGHTS_READ_WRITE, "other") &&
        reserve_here(read_only_page, 10, RIGHTS_READ, audit_name) &&
        reserve_here(page_of_slot(READ_ONLY, 0), SLOT_PAGES, RIGHTS_READ, audit_name);
    if (!done)
        return false;
    poke(own_page, 1);
    poke(page_of_slot(PARTIAL, 3), 3);
    poke(kept_page, 4);
    EXPECT_EQUAL(peek(read_only_page), 0);
    EXPECT(vma_protect(space_current(), kept_page, 10, RIGHTS_NONE) == KERR_OK);
    return true;
}

void audit_tear_down(void)
{
    EXPECT(vma_release(space_current(), page_of_slot(WHOLE, 0), 3 * SLOT_PAGES) == KERR_OK);
}

void expect_said(const char *file, int line, const char *sentence, const char *where)
{
    struct audit audit;
    const char *said = vm_audit(&audit, frame_pool.set_aside);
    if (said == NULL || strcmp(said, sentence) != 0) {
        printk("# line %d: wanted \"%s\", the audit says \"%s\" (%s)\n", line, sentence,
               said != NULL ? said : "nothing", audit.where);
        test_fail(file, line, "the audit finds what was broken");
    } else if (where != NULL && strncmp(audit.where, where, strlen(where)) != 0) {
        printk("# line %d: wanted \"%s...\", the audit says %s\n", line, where, audit.where);
        test_fail(file, line, "the audit says where");
    }
}

void expect_found(const char *file, int line, volatile uint32_t *word, uint32_t value,
                  const char *sentence)
{
    uint32_t old = *word;
    *word = value;
    expect_said(file, line, sentence, NULL);
    *word = old;
    expect_clean();
}

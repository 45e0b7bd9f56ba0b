/* SPDX-License-Identifier: MIT */
/* A table entry where a directory entry is meant. */
/* expected: incompatible type for argument|passing 'pte_t' */
#include <arch/i386/entry.h>

bool mistake(vaddr_t page);
bool mistake(vaddr_t page)
{
#ifdef WRONG
    return pde_is_table(pte_read(page));
#else
    return pde_is_table(pde_read(vaddr_to_slot(page)));
#endif
}

/* SPDX-License-Identifier: MIT */
/* Arithmetic on an address as if it were a number. */
/* expected: invalid operands to binary */
#include <kernel/types.h>

vaddr_t mistake(vaddr_t page);
vaddr_t mistake(vaddr_t page)
{
#ifdef WRONG
    return page + PAGE_BYTES;
#else
    return vaddr_add(page, PAGE_BYTES);
#endif
}

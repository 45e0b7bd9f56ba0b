/* SPDX-License-Identifier: MIT */
/* A physical address where a virtual one is meant. */
/* expected: incompatible type for argument|passing 'paddr_t' */
#include <arch/i386/cpu.h>

void mistake(paddr_t physical, vaddr_t virtual);
void mistake(paddr_t physical, vaddr_t virtual)
{
    (void)physical;
    (void)virtual;
#ifdef WRONG
    cpu_invalidate_page(physical);
#else
    cpu_invalidate_page(virtual);
#endif
}

/* SPDX-License-Identifier: MIT */
/* A bare number where an address is meant. */
/* expected: incompatible type for argument|passing 'unsigned int' */
#include <mm/memlayout.h>

uint32_t mistake(void);
uint32_t mistake(void)
{
#ifdef WRONG
    return vaddr_to_slot(KERNEL_BASE);
#else
    return vaddr_to_slot(VADDR(KERNEL_BASE));
#endif
}

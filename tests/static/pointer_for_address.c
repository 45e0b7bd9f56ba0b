/* SPDX-License-Identifier: MIT */
/* A C pointer where an address is meant. */
/* expected: incompatible type for argument|passing 'const void \*' */
#include <kernel/types.h>

uint32_t mistake(const void *pointer);
uint32_t mistake(const void *pointer)
{
#ifdef WRONG
    return vaddr_to_slot(pointer);
#else
    return vaddr_to_slot(pointer_to_vaddr(pointer));
#endif
}

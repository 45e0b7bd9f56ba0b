/* SPDX-License-Identifier: MIT */
/* An address used as a C pointer. */
/* expected: invalid type argument of unary|indirection requires pointer operand */
#include <kernel/types.h>

uint32_t mistake(vaddr_t address);
uint32_t mistake(vaddr_t address)
{
#ifdef WRONG
    return *address;
#else
    return *(const uint32_t *)vaddr_to_pointer(address);
#endif
}

/* SPDX-License-Identifier: MIT */
/* A probe that may fault, and nobody looks. */
/* expected: unused-result */
#include <kernel/fault.h>

uint32_t mistake(vaddr_t address);
uint32_t mistake(vaddr_t address)
{
    uint32_t value = 0;
#ifdef WRONG
    probe_read(address, &value);
    return value;
#else
    return probe_read(address, &value) == FAULT_RESOLVED ? value : 0;
#endif
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: panic (backtraces), layer 5 (the heap's check).
 *
 * The names of the kernel's own functions. tools/link makes the table after a first link, from
 * what `nm` says, and links it in behind everything else.
 */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <kernel/types.h>

/*
 * The function that ADDRESS lies in: *NAME (never to be freed) and how many bytes into it.
 *   returns false, with both untouched, for an address outside the kernel's code
 */
bool symbol_find(uint32_t address, const char **name, uint32_t *offset);

#endif

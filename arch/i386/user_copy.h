/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: process/user.h.
 *
 * The copy loops for a program's memory: string instructions that may fail, like the probe routines
 * of include/kernel/fault.h. Either end may be the program's; nothing is checked here.
 */
#ifndef ARCH_I386_USER_COPY_H
#define ARCH_I386_USER_COPY_H

#include <kernel/fault.h>

/* Return FAULT_RESOLVED, or how the fault ended: then part of it may have been done. */
enum fault_result must_check user_copy(void *to, const void *from, uint32_t bytes);
enum fault_result must_check user_fill_zero(void *to, uint32_t bytes);

#endif

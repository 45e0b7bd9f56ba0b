/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layer 0. Used by: process/ (getrandom), file/devices.c, program/exec.c (AT_RANDOM).
 *
 * Numbers that look like chance: seeded from the clocks of the machine, so not for secrets.
 */
#ifndef PROCESS_RANDOM_H
#define PROCESS_RANDOM_H

#include <kernel/types.h>

/* BYTES bytes to TO. */
void random_bytes(void *to, uint32_t bytes);

#endif

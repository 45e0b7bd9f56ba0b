/* SPDX-License-Identifier: MIT */
/*
 * Host model. What the CPU (machine.c) and the machine's life (machine_life.c) know of each other.
 */
#ifndef TESTS_HOST_MACHINE_PARTS_H
#define TESTS_HOST_MACHINE_PARTS_H

#include "machine.h"

#define ADDRESS_SPACE_BYTES 0x100000000ul

extern struct registers {
    uint32_t cr0, cr2, cr3, cr4;
} cpu;

enum flush { FLUSH_ALL, FLUSH_NOT_GLOBAL };
void tlb_flush_pages(enum flush flush);

/* The host maps no page any more; what the CPU remembers stays. */
void forget_host_mappings(void);

/* SIGSEGV is the machine's. Who had it before is asked when it is not for the machine. */
void take_signal(void);

#endif

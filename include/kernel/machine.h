/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: main, panic, process/ (reboot()), program/init.c, prompt/, tests.
 */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include <kernel/types.h>

/* Under QEMU with `-device isa-debug-exit,iobase=0xf4`, its exit status is 2 * status + 1. */
enum exit_status {
    EXIT_HALT = 0x10,  /* QEMU ends with 33: a person said `halt` */
    EXIT_PASS = 0x20,  /* 65: every self-test passed */
    EXIT_FAIL = 0x21,  /* 67: a self-test failed */
    EXIT_PANIC = 0x22, /* 69: the kernel panicked */

    /* Process 1 ended: EXIT_PROGRAM + its exit status, or EXIT_PROGRAM_MAX if that is larger. */
    EXIT_PROGRAM = 0x40, /* 129 + 2 * status */
    EXIT_PROGRAM_MAX = 0x3F,
};

/* As machine_exit(), but comes back if the only way is to halt. */
void machine_try_exit(enum exit_status status);

/*
 * End the emulator with STATUS: QEMU by isa-debug-exit or its ACPI port (both only where its
 * fw_cfg signature is there), Bochs and others by their shutdown port. On a real PC, and where
 * nothing helps: say so, and halt for good with interrupts off.
 */
void machine_exit(enum exit_status status) noreturn;

/* Keyboard controller reset, then a triple fault. */
void machine_reboot(void) noreturn;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/.
 *
 * x87 and SSE state per process, kept lazily: a process that never computes with it has none. A CPU
 * without the unit (486SX) has no emulation here: its use is SIGILL.
 */
#ifndef PROCESS_FPU_H
#define PROCESS_FPU_H

#include <process/process.h>

/* TO runs next: the unit is closed (CR0.TS) unless its registers are TO's. */
void fpu_switch(const struct process *to);

/* PROCESS has no state any more: the unit's registers are nobody's if they were its. */
void fpu_drop(struct process *process);

/* Trap 7 from user mode: the current process wants the unit. Returns KERR_OK, KERR_NO_MEMORY,
 * KERR_UNSUPPORTED (there is none). */
kerr_t fpu_take(struct process *self);

/* ---- traps 16 and 19 ---- */

enum fpu_part { FPU_PART_X87, FPU_PART_SSE };

/* si_code of SIGFPE, as sigaction(2) numbers them. */
enum fpu_error {
    FPU_ERROR_DIVIDE = 3,
    FPU_ERROR_OVERFLOW = 4,
    FPU_ERROR_UNDERFLOW = 5,
    FPU_ERROR_INEXACT = 6,
    FPU_ERROR_INVALID = 7,
};

/* The error that PART of the current process's unit shows; 0: none. */
uint32_t fpu_error(struct process *self, enum fpu_part part);

/* ---- signal frames: struct _fpstate of the i386 ABI ---- */

/* Where SELF's state goes on a stack that ends at BELOW; 0: it has none. */
uint32_t fpu_frame_place(const struct process *self, uint32_t below);

/* Write SELF's state, of which there is one, to PLACE. Returns KERR_OK, or as user_write(). */
kerr_t fpu_frame_write(struct process *self, uint32_t place);

/* SELF goes on with the state that a program begins with. */
void fpu_begin_anew(struct process *self);

/* SELF's state becomes what stands at PLACE, which anybody may have written. As user_read(). */
kerr_t fpu_frame_read(struct process *self, uint32_t place);

#endif

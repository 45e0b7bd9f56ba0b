/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: process/fpu.c.
 *
 * The x87 and SSE unit. Its state is one image in memory: 512 bytes of FXSAVE where the CPU has
 * it, else 108 bytes of FNSAVE. Closed (CR0.TS), any use of it in user mode is exception 7; the
 * kernel itself never computes with it.
 *   source: SDM vol. 1, "Programming with the x87 FPU", "FXSAVE"; vol. 3A, "Control Registers"
 */
#ifndef ARCH_I386_FPU_H
#define ARCH_I386_FPU_H

#include <kernel/types.h>

enum fpu_format { FPU_NONE, FPU_FNSAVE, FPU_FXSAVE };

/* As FXSAVE lays it out; FNSAVE's is `old`. */
struct fpu_image {
    union {
        struct {
            uint16_t control, status;
            uint8_t tag, reserved; /* tag: a bit for each register that is in use */
            uint16_t opcode;
            uint32_t instruction, instruction_selector, operand, operand_selector;
            uint32_t mxcsr, mxcsr_mask;
            uint8_t registers[8][16];
            uint8_t xmm[8][16];
            uint8_t unused[224];
        };
        struct fpu_old_image {
            uint32_t control, status, tag; /* tag: two bits for each register */
            uint32_t instruction, selector_and_opcode, operand, operand_selector;
            uint8_t registers[8][10];
        } old;
    };
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct fpu_image) == 512 && sizeof(struct fpu_old_image) == 108,
               "as FXSAVE and FNSAVE write them");

/* Look for the unit, make it ready, close it. To be called once. */
void fpu_unit_init(void);

/* What there is. */
enum fpu_format fpu_unit_format(void);

/* The bits of MXCSR that may be set: any other, and FXRSTOR is refused. */
uint32_t fpu_unit_mxcsr_mask(void);

/* Any use traps from here on; or is let through. */
void fpu_unit_close(void);
void fpu_unit_open(void);

/* With the unit open: its state to *IMAGE (it may be gone from the unit then), and back. */
void fpu_unit_save(struct fpu_image *image);
void fpu_unit_load(const struct fpu_image *image);

/* The state that a program begins with. */
void fpu_image_reset(struct fpu_image *image);

/* FNSAVE's picture of *IMAGE, in either format, and back. */
void fpu_image_to_old(const struct fpu_image *image, struct fpu_old_image *old);
void fpu_image_from_old(struct fpu_image *image, const struct fpu_old_image *old);

#endif

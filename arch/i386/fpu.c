/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The x87 and SSE unit (fpu.h).
 *
 * An image is loaded into a unit that FNINIT has just cleared: a pending x87 error of somebody else
 * would otherwise be raised by FRSTOR, in the kernel. An image that came from a program holds no
 * MXCSR bit that the CPU would refuse; whoever makes one sees to it.
 */
#include <arch/i386/fpu.h>

#include <arch/i386/cpu.h>
#include <kernel/panic.h>
#include <kernel/string.h>

enum {
    CONTROL_INITIAL = 0x37F, /* all errors masked, 64-bit precision, round to nearest */
    MXCSR_INITIAL = 0x1F80,  /* the same for SSE */
    MXCSR_MASK_DEFAULT = 0xFFBF,
    TAG_ALL_EMPTY = 0xFFFF,
    REGISTERS = 8,
};
#define HIGH_HALF_ONES 0xFFFF0000u /* what FNSAVE stores above its 16-bit words */

static enum fpu_format format;
static uint32_t mxcsr_mask;

/* FNINIT and FNSTSW change nothing where there is no unit. */
static bool unit_answers(void)
{
    uint16_t status = 0x5A5A, control = 0x5A5A;
    __asm__ volatile("fninit\n\t"
                     "fnstsw %0\n\t"
                     "fnstcw %1"
                     : "+m"(status), "+m"(control));
    return (uint8_t)status == 0 && control == CONTROL_INITIAL;
}

/* An image that FXSAVE has just written holds the mask, or 0 on the first CPUs with SSE. */
static uint32_t read_mxcsr_mask(void)
{
    static struct fpu_image image;
    __asm__ volatile("fxsave %0" : "=m"(image));
    return image.mxcsr_mask != 0 ? image.mxcsr_mask : MXCSR_MASK_DEFAULT;
}

void fpu_unit_init(void)
{
    uint32_t cr0 = cpu_read_cr0() & ~(uint32_t)(CR0_EMULATION | CR0_TASK_SWITCHED);
    cpu_write_cr0(cr0 | CR0_MONITOR | CR0_NUMERIC_ERROR);
    if (!cpu_features.fpu || !unit_answers()) {
        /* Without a unit every instruction for it is exception 7. */
        cpu_features.fpu = false;
        cpu_write_cr0(cr0 | CR0_EMULATION);
        return;
    }
    format = FPU_FNSAVE;
    if (cpu_features.fxsr) {
        uint32_t cr4 = cpu_read_cr4() | CR4_OSFXSR;
        cpu_write_cr4(cpu_features.sse ? cr4 | CR4_OSXMMEXCPT : cr4);
        format = FPU_FXSAVE;
        mxcsr_mask = cpu_features.sse ? read_mxcsr_mask() : 0;
    }
    fpu_unit_close();
}

enum fpu_format fpu_unit_format(void)
{
    return format;
}

uint32_t fpu_unit_mxcsr_mask(void)
{
    return mxcsr_mask;
}

void fpu_unit_close(void)
{
    cpu_write_cr0(cpu_read_cr0() | CR0_TASK_SWITCHED);
}

void fpu_unit_open(void)
{
    __asm__ volatile("clts" : : : "memory");
}

void fpu_unit_save(struct fpu_image *image)
{
    if (format == FPU_FXSAVE)
        __asm__ volatile("fxsave %0" : "=m"(*image));
    else
        __asm__ volatile("fnsave %0" : "=m"(*image));
}

void fpu_unit_load(const struct fpu_image *image)
{
    __asm__ volatile("fninit");
    if (format == FPU_FXSAVE)
        __asm__ volatile("fxrstor %0" : : "m"(*image));
    else
        __asm__ volatile("frstor %0" : : "m"(*image));
}

void fpu_image_reset(struct fpu_image *image)
{
    memset(image, 0, sizeof(*image));
    if (format == FPU_FXSAVE) {
        image->control = CONTROL_INITIAL;
        image->mxcsr = cpu_features.sse ? MXCSR_INITIAL : 0;
    } else {
        image->old.control = CONTROL_INITIAL | HIGH_HALF_ONES;
        image->old.status = HIGH_HALF_ONES;
        image->old.tag = TAG_ALL_EMPTY | HIGH_HALF_ONES;
    }
}

/* ---- the two formats ---- */

enum tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

/* Why a register is in use, from its 80 bits. */
static enum tag tag_of(const uint8_t *number)
{
    uint32_t exponent = (uint32_t)number[8] | (uint32_t)(number[9] & 0x7F) << 8;
    bool is_normal = (number[7] & 0x80) != 0;
    if (exponent == 0) {
        for (unsigned i = 0; i < sizeof(uint64_t); i++)
            if (number[i] != 0)
                return TAG_SPECIAL;
        return TAG_ZERO;
    }
    return exponent != 0x7FFF && is_normal ? TAG_VALID : TAG_SPECIAL;
}

/* The tag is by register, the registers are stored as the stack has them. */
static uint32_t full_tag(const struct fpu_image *image)
{
    uint32_t top = image->status >> 11 & 7, tag = 0;
    for (uint32_t i = 0; i < REGISTERS; i++) {
        enum tag one = TAG_EMPTY;
        if ((image->tag >> i & 1) != 0)
            one = tag_of(image->registers[(i - top) & 7]);
        tag |= (uint32_t)one << 2 * i;
    }
    return tag;
}

void fpu_image_to_old(const struct fpu_image *image, struct fpu_old_image *old)
{
    if (format != FPU_FXSAVE) {
        *old = image->old;
        return;
    }
    old->control = image->control | HIGH_HALF_ONES;
    old->status = image->status | HIGH_HALF_ONES;
    old->tag = full_tag(image) | HIGH_HALF_ONES;
    old->instruction = image->instruction;
    old->selector_and_opcode = (image->instruction_selector & 0xFFFF) | (uint32_t)image->opcode
                                                                            << 16;
    old->operand = image->operand;
    old->operand_selector = image->operand_selector | HIGH_HALF_ONES;
    for (unsigned i = 0; i < REGISTERS; i++)
        memcpy(old->registers[i], image->registers[i], sizeof(old->registers[i]));
}

void fpu_image_from_old(struct fpu_image *image, const struct fpu_old_image *old)
{
    if (format != FPU_FXSAVE) {
        image->old = *old;
        return;
    }
    image->control = (uint16_t)old->control;
    image->status = (uint16_t)old->status;
    image->tag = 0;
    for (uint32_t i = 0; i < REGISTERS; i++)
        if ((old->tag >> 2 * i & 3) != TAG_EMPTY)
            image->tag |= (uint8_t)(1u << i);
    image->opcode = (uint16_t)(old->selector_and_opcode >> 16);
    image->instruction = old->instruction;
    image->instruction_selector = old->selector_and_opcode & 0xFFFF;
    image->operand = old->operand;
    image->operand_selector = old->operand_selector & 0xFFFF;
    for (unsigned i = 0; i < REGISTERS; i++)
        memcpy(image->registers[i], old->registers[i], sizeof(old->registers[i]));
}

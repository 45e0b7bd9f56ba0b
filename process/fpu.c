/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. x87 and SSE state of processes (fpu.h).
 *
 * The unit's registers are those of `owner`, or of nobody; it is open only while the owner runs.
 * So a switch between processes costs nothing here, and one back to the owner, too. A state is
 * saved when another process takes the unit, or when somebody must see it (fork, signals).
 */
#include <process/fpu.h>

#include <arch/i386/fpu.h>
#include <kernel/layer.h>
#include <mm/heap.h>
#include <process/errno.h>
#include <process/part.h>
#include <process/user.h>

struct fpu {
    struct fpu_image image;
};

/* What a signal frame holds: FNSAVE's image and a word, then FXSAVE's where there is one. */
enum { FRAME_FX_ALIGNMENT = 64 };
struct old_part {
    struct fpu_old_image image;
    uint16_t status, magic;
};
enum magic { MAGIC_FXSAVE = 0, MAGIC_OLD_ONLY = 0xFFFF };
_Static_assert(sizeof(struct old_part) == 112, "_fpstate of the i386 ABI");

static struct process *owner;
static bool is_open;

static void set_open(bool open)
{
    if (open == is_open)
        return;
    is_open = open;
    if (open)
        fpu_unit_open();
    else
        fpu_unit_close();
}

void fpu_switch(const struct process *to)
{
    set_open(owner == to);
}

/* The unit's registers go to whose they are; they are nobody's then. The unit is left open. */
static void put_away(void)
{
    if (owner == NULL)
        return;
    set_open(true);
    fpu_unit_save(&owner->fpu->image);
    owner = NULL;
}

/* PROCESS's state, if it is in the unit, to its image. The unit is closed then. */
static void bring_home(const struct process *process)
{
    if (owner != process)
        return;
    put_away();
    set_open(false);
}

static enum kerr allocate(struct process *process)
{
    void *block;
    enum kerr error = kmalloc_aligned(sizeof(struct fpu), _Alignof(struct fpu), &block);
    if (error == KERR_OK)
        process->fpu = block;
    return error == KERR_NO_ROOM ? KERR_NO_MEMORY : error;
}

enum kerr fpu_take(struct process *self)
{
    if (fpu_unit_format() == FPU_NONE)
        return KERR_UNSUPPORTED;
    if (self->fpu == NULL) {
        enum kerr error = allocate(self);
        if (error != KERR_OK)
            return error;
        fpu_image_reset(&self->fpu->image);
    }
    put_away();
    set_open(true);
    fpu_unit_load(&self->fpu->image);
    owner = self;
    return KERR_OK;
}

/* ---- as a part of a process ---- */

static int32_t fork_part(struct process *parent, struct process *child,
                         const struct clone_wish *wish)
{
    (void)wish;
    if (parent->fpu == NULL)
        return 0;
    if (allocate(child) != KERR_OK)
        return -ENOMEM;
    bring_home(parent);
    *child->fpu = *parent->fpu;
    return 0;
}

void fpu_drop(struct process *process)
{
    if (owner == process) {
        owner = NULL;
        set_open(false);
    }
    kfree(process->fpu);
    process->fpu = NULL;
}

static const char *audit_part(const struct process *process)
{
    return owner != process || process->fpu != NULL
               ? NULL
               : "whose state is in the unit has an image of it";
}

PROCESS_PART(fpu, .fork = fork_part, .exec = fpu_drop, .drop = fpu_drop, .audit = audit_part);

/* ---- errors ---- */

/* si_code of the first error that is flagged and not masked: both registers have them alike. */
static uint32_t code_of(uint32_t errors)
{
    enum { INVALID = 1, DENORMAL = 2, ZERO_DIVIDE = 4, OVERFLOW = 8, UNDERFLOW = 16, INEXACT = 32 };
    if ((errors & INVALID) != 0)
        return FPU_ERROR_INVALID;
    if ((errors & ZERO_DIVIDE) != 0)
        return FPU_ERROR_DIVIDE;
    if ((errors & OVERFLOW) != 0)
        return FPU_ERROR_OVERFLOW;
    if ((errors & (UNDERFLOW | DENORMAL)) != 0)
        return FPU_ERROR_UNDERFLOW;
    return (errors & INEXACT) != 0 ? FPU_ERROR_INEXACT : 0;
}

uint32_t fpu_error(struct process *self, enum fpu_part part)
{
    if (self->fpu == NULL)
        return 0;
    bring_home(self);
    const struct fpu_image *image = &self->fpu->image;
    if (part == FPU_PART_SSE)
        return code_of(image->mxcsr & ~(image->mxcsr >> 7));
    struct fpu_old_image old;
    fpu_image_to_old(image, &old);
    return code_of(old.status & ~old.control);
}

/* ---- signal frames ---- */

uint32_t fpu_frame_place(const struct process *self, uint32_t below)
{
    if (self->fpu == NULL)
        return 0;
    if (fpu_unit_format() != FPU_FXSAVE)
        return below - sizeof(struct old_part);
    uint32_t fx = (below - sizeof(struct fpu_image)) & ~(uint32_t)(FRAME_FX_ALIGNMENT - 1);
    return fx - sizeof(struct old_part);
}

enum kerr fpu_frame_write(struct process *self, uint32_t place)
{
    bring_home(self);
    struct {
        struct old_part old;
        struct fpu_image image;
    } frame;
    bool has_fx = fpu_unit_format() == FPU_FXSAVE;
    fpu_image_to_old(&self->fpu->image, &frame.old.image);
    frame.old.status = (uint16_t)frame.old.image.status;
    frame.old.magic = has_fx ? MAGIC_FXSAVE : MAGIC_OLD_ONLY;
    frame.image = self->fpu->image;
    return user_write(place, &frame, has_fx ? sizeof(frame) : sizeof(frame.old));
}

void fpu_begin_anew(struct process *self)
{
    if (self->fpu == NULL)
        return;
    bring_home(self);
    fpu_image_reset(&self->fpu->image);
}

enum kerr fpu_frame_read(struct process *self, uint32_t place)
{
    if (fpu_unit_format() == FPU_NONE)
        return KERR_OK;
    struct {
        struct old_part old;
        struct fpu_image image;
    } frame;
    bool has_fx = fpu_unit_format() == FPU_FXSAVE;
    enum kerr error = user_read(&frame, place, has_fx ? sizeof(frame) : sizeof(frame.old));
    if (error == KERR_OK && self->fpu == NULL)
        error = allocate(self);
    if (error != KERR_OK)
        return error;
    bring_home(self);
    self->fpu->image = frame.image;
    fpu_image_from_old(&self->fpu->image, &frame.old.image);
    if (has_fx)
        self->fpu->image.mxcsr &= fpu_unit_mxcsr_mask();
    return KERR_OK;
}

static enum kerr fpu_layer_init(const struct boot_info *boot)
{
    (void)boot;
    fpu_unit_init();
    return KERR_OK;
}

LAYER(08a_fpu, "floating-point unit", fpu_layer_init);

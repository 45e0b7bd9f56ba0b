/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. The frame of a handler on the program's stack, and the way back (sigreturn).
 *
 * The layouts are Linux's (struct sigframe and rt_sigframe of i386): debuggers, unwinders and
 * handlers know them. They are built here and written with few copies.
 *
 * What comes back from a program is anything at all. Two things are kept true: selectors in a trap
 * frame are loadable (tls.h), and of EFLAGS a program sets what it may set in user mode, no more.
 */
#include <arch/i386/gdt.h>
#include <process/fpu.h>
#include <process/signal_table.h>
#include <process/system_call.h>
#include <process/tls.h>

/*
 * struct sigcontext of the i386 ABI: it begins as a trap frame does, with ESP where that one has
 * the fault's address.
 */
struct context {
    struct trap_frame registers;
    uint32_t fpu; /* address of the x87 state; 0: none */
    uint32_t old_mask;
    uint32_t fault_address;
};
_Static_assert(sizeof(struct context) == 88 && offsetof(struct trap_frame, edi) == 16 &&
                   offsetof(struct trap_frame, fault_address) == 28 &&
                   offsetof(struct trap_frame, eax) == 44 &&
                   offsetof(struct trap_frame, vector) == 48 &&
                   offsetof(struct trap_frame, eip) == 56 &&
                   offsetof(struct trap_frame, user_esp) == 68,
               "gs fs es ds edi esi ebp esp ebx edx ecx eax trapno err eip cs eflags esp ss");

/* The way back for a program that named none: code on the stack, with the handler's return. */
struct return_code {
    uint32_t words[2];
};
/* pop eax (the handler's argument); mov eax, 119 (sigreturn); int 0x80 */
static const struct return_code return_code_old = {{0x0077B858, 0x80CD0000}};
/* mov eax, 173 (rt_sigreturn); int 0x80 */
static const struct return_code return_code_new = {{0x0000ADB8, 0x0080CD00}};

/* The frame of a handler with one argument, in two parts: nobody uses what lies between. */
struct old_frame {
    uint32_t return_address, signal;
    struct context context;
};
struct old_frame_end {
    uint32_t mask_high;
    struct return_code return_code;
};
enum {
    OLD_FRAME_UNUSED_BYTES = 624, /* an x87 state, when there was only one kind */
    OLD_FRAME_END = sizeof(struct old_frame) + OLD_FRAME_UNUSED_BYTES,
    OLD_FRAME_BYTES = OLD_FRAME_END + sizeof(struct old_frame_end),
};

/* The frame of a handler with three arguments (SA_SIGINFO). */
struct new_frame {
    uint32_t return_address, signal, info_address, ucontext_address;
    struct signal_info info;
    struct ucontext {
        uint32_t flags, link;
        struct signal_stack stack;
        struct context context;
        uint64_t mask;
    } ucontext;
    struct return_code return_code;
};

enum eflags {
    FLAG_CARRY = 1u << 0,
    FLAG_PARITY = 1u << 2,
    FLAG_ADJUST = 1u << 4,
    FLAG_ZERO = 1u << 6,
    FLAG_SIGN = 1u << 7,
    FLAG_TRAP = 1u << 8,
    FLAG_DIRECTION = 1u << 10,
    FLAG_OVERFLOW = 1u << 11,
    FLAG_RESUME = 1u << 16,
    FLAG_ALIGNMENT = 1u << 18,
    /* What sigreturn restores. The others stay: IF is set, IOPL is 0, VM is clear. */
    FLAGS_RESTORED = FLAG_CARRY | FLAG_PARITY | FLAG_ADJUST | FLAG_ZERO | FLAG_SIGN | FLAG_TRAP |
                     FLAG_DIRECTION | FLAG_OVERFLOW | FLAG_RESUME | FLAG_ALIGNMENT,
};

/* ---- the alternate stack ---- */

enum stack_flags {
    STACK_IN_USE = 1,
    STACK_NONE = 2,
    STACK_BYTES_MIN = 2048,
};
#define STACK_AUTO_DISARM 0x80000000u /* it is none while a handler runs on it */

bool signal_is_on_alternate_stack(const struct process *self, uint32_t esp)
{
    return (self->alternate_stack_flags & STACK_AUTO_DISARM) == 0 && esp > self->alternate_stack &&
           esp - self->alternate_stack <= self->alternate_stack_bytes;
}

void signal_stack_get(const struct process *self, uint32_t esp, struct signal_stack *stack)
{
    *stack = (struct signal_stack){.start = self->alternate_stack,
                                   .bytes = self->alternate_stack_bytes,
                                   .flags = self->alternate_stack_flags};
    if (self->alternate_stack_bytes == 0)
        stack->flags |= STACK_NONE;
    else if (signal_is_on_alternate_stack(self, esp))
        stack->flags |= STACK_IN_USE;
}

int32_t signal_stack_set(struct process *self, uint32_t esp, const struct signal_stack *stack)
{
    uint32_t mode = stack->flags & ~STACK_AUTO_DISARM;
    if (signal_is_on_alternate_stack(self, esp))
        return -EPERM;
    if (mode != 0 && mode != STACK_IN_USE && mode != STACK_NONE)
        return -EINVAL;
    if (mode == STACK_NONE) {
        self->alternate_stack = self->alternate_stack_bytes = 0;
    } else {
        if (stack->bytes < STACK_BYTES_MIN)
            return -ENOMEM;
        self->alternate_stack = stack->start;
        self->alternate_stack_bytes = stack->bytes;
    }
    self->alternate_stack_flags = stack->flags & STACK_AUTO_DISARM;
    return 0;
}

/* ---- into the handler ---- */

/* ESP of a handler before its frame, and whether that is on the alternate stack. */
static inline uint32_t handler_stack(const struct process *self, const struct signal_action *action,
                                     bool *is_alternate)
{
    uint32_t esp = self->frame.user_esp;
    *is_alternate = false;
    if (likely(self->alternate_stack_bytes == 0))
        return esp;
    *is_alternate = signal_is_on_alternate_stack(self, esp);
    if (*is_alternate || (action->flags & ACTION_ON_STACK) == 0)
        return esp;
    *is_alternate = true;
    return self->alternate_stack + self->alternate_stack_bytes;
}

/* Where the frame of BYTES bytes goes, and the x87 state (0: none); 0 if it has no room. */
static inline uint32_t place_frame(const struct process *self, const struct signal_action *action,
                                   uint32_t bytes, uint32_t *fpu)
{
    bool is_alternate;
    uint32_t end = handler_stack(self, action, &is_alternate);
    *fpu = 0;
    if (self->fpu != NULL)
        *fpu = end = fpu_frame_place(self, end);
    /* As after a call: the arguments, behind the return address, lie at a multiple of 16. */
    uint32_t start = ((end - bytes + sizeof(uint32_t)) & ~15u) - sizeof(uint32_t);
    if (is_alternate && start - self->alternate_stack > self->alternate_stack_bytes)
        return 0;
    return start;
}

static inline void fill_context(const struct process *self, unsigned signal, uint64_t blocked,
                                uint32_t fpu, struct context *context)
{
    context->registers = self->frame;
    context->registers.fault_address = self->frame.user_esp; /* the slot of ESP */
    context->fpu = fpu;
    context->old_mask = (uint32_t)blocked;
    context->fault_address = self->fault_address;
    if (self->fault_signal != signal)
        context->registers.vector = context->registers.error_code = context->fault_address = 0;
}

/* SELF goes on in the handler, whose frame is at START. */
static inline void enter(struct process *self, unsigned signal, const struct signal_action *action,
                         uint32_t start, uint32_t info, uint32_t ucontext)
{
    struct trap_frame *frame = &self->frame;
    frame->eip = action->handler;
    frame->user_esp = start;
    frame->eax = signal;
    frame->edx = info;
    frame->ecx = ucontext;
    frame->cs = USER_CODE;
    frame->ds = frame->es = frame->user_ss = USER_DATA;
    frame->eflags &= ~(uint32_t)(FLAG_TRAP | FLAG_DIRECTION | FLAG_RESUME);
    if (self->fpu != NULL)
        fpu_begin_anew(self);
    if ((self->alternate_stack_flags & STACK_AUTO_DISARM) != 0)
        self->alternate_stack = self->alternate_stack_bytes = self->alternate_stack_flags = 0;
}

static enum kerr enter_with_number(struct process *self, unsigned signal,
                                   const struct signal_action *action, uint64_t blocked)
{
    struct old_frame frame;
    struct old_frame_end end = {(uint32_t)(blocked >> 32), return_code_old};
    uint32_t fpu, start = place_frame(self, action, OLD_FRAME_BYTES, &fpu);
    uint32_t end_start = start + OLD_FRAME_END;
    if (start == 0)
        return KERR_BAD_ACCESS;
    enum kerr error = fpu != 0 ? fpu_frame_write(self, fpu) : KERR_OK;
    if (error != KERR_OK)
        return error;
    error = user_write(end_start, &end, sizeof(end));
    if (error != KERR_OK)
        return error;
    frame.return_address = (action->flags & ACTION_RESTORER) != 0
                               ? action->restorer
                               : end_start + offsetof(struct old_frame_end, return_code);
    frame.signal = signal;
    fill_context(self, signal, blocked, fpu, &frame.context);
    error = user_write(start, &frame, sizeof(frame));
    if (error == KERR_OK)
        enter(self, signal, action, start, 0, 0);
    return error;
}

static enum kerr enter_with_info(struct process *self, unsigned signal,
                                 const struct signal_action *action, uint64_t blocked)
{
    struct new_frame frame;
    uint32_t fpu, start = place_frame(self, action, sizeof(frame), &fpu);
    if (start == 0)
        return KERR_BAD_ACCESS;
    enum kerr error = fpu != 0 ? fpu_frame_write(self, fpu) : KERR_OK;
    if (error != KERR_OK)
        return error;
    frame.return_address = (action->flags & ACTION_RESTORER) != 0
                               ? action->restorer
                               : start + offsetof(struct new_frame, return_code);
    frame.signal = signal;
    frame.info_address = start + offsetof(struct new_frame, info);
    frame.ucontext_address = start + offsetof(struct new_frame, ucontext);
    signal_describe(self, signal, &frame.info);
    frame.ucontext.flags = frame.ucontext.link = 0;
    signal_stack_get(self, self->frame.user_esp, &frame.ucontext.stack);
    fill_context(self, signal, blocked, fpu, &frame.ucontext.context);
    frame.ucontext.mask = blocked;
    frame.return_code = return_code_new;
    error = user_write(start, &frame, sizeof(frame));
    if (error == KERR_OK)
        enter(self, signal, action, start, frame.info_address, frame.ucontext_address);
    return error;
}

enum kerr signal_frame_enter(struct process *self, unsigned signal,
                             const struct signal_action *action, uint64_t blocked)
{
    if ((action->flags & ACTION_SIGINFO) != 0)
        return enter_with_info(self, signal, action, blocked);
    return enter_with_number(self, signal, action, blocked);
}

/* ---- and back ---- */

/* WISH's selectors become loadable ones; false: those of CS and SS were not. */
static __attribute__((noinline)) bool repair_selectors(const struct process *self,
                                                       struct trap_frame *wish)
{
    uint32_t cs = (wish->cs & 0xFFFF) | SELECTOR_RPL, ss = (wish->user_ss & 0xFFFF) | SELECTOR_RPL;
    bool loadable = cs == USER_CODE && tls_is_stack_selector(self, ss);
    wish->gs = tls_check_data_selector(self, wish->gs);
    wish->fs = tls_check_data_selector(self, wish->fs);
    wish->es = tls_check_data_selector(self, wish->es);
    wish->ds = tls_check_data_selector(self, wish->ds);
    wish->cs = USER_CODE;
    wish->user_ss = loadable ? ss : USER_DATA;
    return loadable;
}

/* The registers are what CONTEXT says, as far as they can be. */
static inline void restore_registers(struct process *self, struct context *context)
{
    struct trap_frame *frame = &self->frame, *wish = &context->registers;
    wish->user_esp = wish->fault_address; /* the slot of ESP; the other one is for show */
    wish->eflags = (frame->eflags & ~(uint32_t)FLAGS_RESTORED) | (wish->eflags & FLAGS_RESTORED);
    wish->vector = VECTOR_SYSTEM_CALL;

    /* What a register holds now can be loaded again. */
    bool same =
        ((wish->gs ^ frame->gs) | (wish->fs ^ frame->fs) | (wish->es ^ frame->es) |
         (wish->ds ^ frame->ds) | (wish->cs ^ frame->cs) | (wish->user_ss ^ frame->user_ss)) == 0;
    bool loadable = likely(same) || repair_selectors(self, wish);
    *frame = *wish;
    if (!loadable)
        signal_send_fault(self, SIGSEGV, SI_KERNEL, 0);
}

static enum kerr restore_fpu(struct process *self, uint32_t place)
{
    if (place != 0)
        return fpu_frame_read(self, place);
    if (self->fpu != NULL)
        fpu_drop(self);
    return KERR_OK;
}

/* Nothing of SELF has been changed yet: what goes by repeats the call, anything else ends it. */
static int32_t bad_frame(struct process *self, enum kerr error)
{
    if (error_goes_by(error))
        return user_access_failed(error);
    signal_send_fault(self, SIGSEGV, SI_KERNEL, 0);
    return (int32_t)self->frame.eax;
}

SYSTEM_CALL(119, sigreturn)
{
    /* The handler's return took the return address, and POP EAX the argument. */
    uint32_t start = self->frame.user_esp - 2 * (uint32_t)sizeof(uint32_t);
    struct context context;
    uint32_t mask_high;
    enum kerr error =
        user_read(&context, start + offsetof(struct old_frame, context), sizeof(context));
    if (error == KERR_OK)
        error = user_read_word(start + OLD_FRAME_END, &mask_high);
    if (error == KERR_OK)
        error = restore_fpu(self, context.fpu);
    if (error != KERR_OK)
        return bad_frame(self, error);
    signal_set_blocked(self, (uint64_t)mask_high << 32 | context.old_mask);
    restore_registers(self, &context);
    return (int32_t)context.registers.eax;
}

SYSTEM_CALL(173, rt_sigreturn)
{
    uint32_t start = self->frame.user_esp - (uint32_t)sizeof(uint32_t);
    struct ucontext ucontext;
    enum kerr error =
        user_read(&ucontext, start + offsetof(struct new_frame, ucontext), sizeof(ucontext));
    if (error == KERR_OK)
        error = restore_fpu(self, ucontext.context.fpu);
    if (error != KERR_OK)
        return bad_frame(self, error);
    signal_set_blocked(self, ucontext.mask);
    restore_registers(self, &ucontext.context);
    /* A stack that can't be set stays what it was: as on Linux nobody is told. */
    (void)signal_stack_set(self, self->frame.user_esp, &ucontext.stack);
    return (int32_t)ucontext.context.registers.eax;
}

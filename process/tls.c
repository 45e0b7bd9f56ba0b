/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Thread-local storage: set_thread_area and its kin (tls.h).
 *
 * An entry is a data segment for user mode, or empty: no code, no system segment, no gate. A local
 * descriptor table there is none.
 */
#include <process/tls.h>

#include <arch/i386/gdt.h>
#include <kernel/string.h>
#include <process/part.h>
#include <process/signal.h>
#include <process/system_call.h>

/* source: Linux manual page set_thread_area(2) */
struct user_desc {
    uint32_t entry_number, base, limit, flags;
};
enum desc_flags {
    DESC_32_BIT = 1,
    DESC_CONTENTS = 6, /* two bits: data, data that expands down, and two kinds of code */
    DESC_EXPANDS_DOWN = 2,
    DESC_CODE = 4,
    DESC_READ_ONLY = 8,
    DESC_LIMIT_IN_PAGES = 16,
    DESC_NOT_PRESENT = 32,
    DESC_USEABLE = 64,
    DESC_ALL = 127,
};
#define DESC_ENTRY_ANY 0xFFFFFFFFu

/* Bits of a descriptor's upper half. */
enum { TYPE_SHIFT = 8, FLAGS_SHIFT = 20, LIMIT_MASK = 0xFFFFF };
enum { TYPE_ACCESSED = 1, TYPE_WRITABLE = 2, TYPE_EXPANDS_DOWN = 4 };

/* Both ways to say "no segment". */
static bool is_empty(const struct user_desc *desc)
{
    uint32_t flags = desc->flags & DESC_ALL;
    return desc->base == 0 && desc->limit == 0 &&
           (flags == 0 || flags == (DESC_READ_ONLY | DESC_NOT_PRESENT));
}

static bool is_allowed(const struct user_desc *desc)
{
    return is_empty(desc) || ((desc->flags & DESC_32_BIT) != 0 && (desc->flags & DESC_CODE) == 0 &&
                              (desc->flags & DESC_NOT_PRESENT) == 0);
}

static uint64_t to_descriptor(const struct user_desc *desc)
{
    if (is_empty(desc))
        return 0;
    unsigned type = TYPE_ACCESSED; /* so that the CPU need not write into the GDT */
    if ((desc->flags & DESC_READ_ONLY) == 0)
        type |= TYPE_WRITABLE;
    if ((desc->flags & DESC_EXPANDS_DOWN) != 0)
        type |= TYPE_EXPANDS_DOWN;
    unsigned flags = SEGMENT_32_BIT;
    if ((desc->flags & DESC_LIMIT_IN_PAGES) != 0)
        flags |= SEGMENT_LIMIT_IN_PAGES;
    if ((desc->flags & DESC_USEABLE) != 0)
        flags |= SEGMENT_AVAILABLE;
    return gdt_user_data(desc->base, desc->limit & LIMIT_MASK, type, flags);
}

static void from_descriptor(uint64_t descriptor, struct user_desc *desc)
{
    uint32_t low = (uint32_t)descriptor, high = (uint32_t)(descriptor >> 32);
    desc->base = low >> 16 | (high & 0xFF) << 16 | (high & 0xFF000000u);
    desc->limit = (low & 0xFFFF) | (high & 0xF0000);
    desc->flags = 0;
    if (descriptor == 0) {
        desc->flags = DESC_READ_ONLY | DESC_NOT_PRESENT;
        return;
    }
    uint32_t type = high >> TYPE_SHIFT, flags = high >> FLAGS_SHIFT;
    desc->flags = (flags & SEGMENT_32_BIT ? DESC_32_BIT : 0u) |
                  (type & TYPE_EXPANDS_DOWN ? DESC_EXPANDS_DOWN : 0u) |
                  (type & TYPE_WRITABLE ? 0u : DESC_READ_ONLY) |
                  (flags & SEGMENT_LIMIT_IN_PAGES ? DESC_LIMIT_IN_PAGES : 0u) |
                  (flags & SEGMENT_AVAILABLE ? DESC_USEABLE : 0u);
}

/* ---- selectors ---- */

/* The entry of PROCESS's own that SELECTOR leads to; NULL: none. */
static const uint64_t *entry_of(const struct process *process, uint32_t selector)
{
    uint32_t number = (selector & 0xFFFF) >> 3;
    if ((selector & SELECTOR_LOCAL) != 0 || number - TLS_FIRST_ENTRY >= TLS_ENTRIES)
        return NULL;
    return &process->tls[number - TLS_FIRST_ENTRY];
}

static bool is_data_selector(const struct process *process, uint32_t selector)
{
    enum { NULL_SELECTOR = SELECTOR_RPL };
    uint32_t with_rpl = (selector & 0xFFFF) | SELECTOR_RPL;
    if (with_rpl == USER_DATA || with_rpl == USER_CODE || with_rpl == NULL_SELECTOR)
        return true;
    const uint64_t *entry = entry_of(process, selector);
    return entry != NULL && *entry != 0;
}

uint32_t tls_check_data_selector(const struct process *process, uint32_t selector)
{
    return is_data_selector(process, selector) ? selector & 0xFFFF : 0;
}

bool tls_is_stack_selector(const struct process *process, uint32_t selector)
{
    selector &= 0xFFFF;
    if (selector == USER_DATA)
        return true;
    const uint64_t *entry = entry_of(process, selector);
    return (selector & SELECTOR_RPL) == SELECTOR_RPL && entry != NULL &&
           ((uint32_t)(*entry >> 32) >> TYPE_SHIFT & TYPE_WRITABLE) != 0;
}

bool tls_frame_is_loadable(const struct process *process)
{
    const struct trap_frame *frame = &process->frame;
    return (frame->cs & 0xFFFF) == USER_CODE && tls_is_stack_selector(process, frame->user_ss) &&
           is_data_selector(process, frame->ds) && is_data_selector(process, frame->es) &&
           is_data_selector(process, frame->fs) && is_data_selector(process, frame->gs);
}

/* An entry of PROCESS's has changed: what its registers hold must still be loadable. */
static void recheck_selectors(struct process *process)
{
    struct trap_frame *frame = &process->frame;
    frame->ds = tls_check_data_selector(process, frame->ds);
    frame->es = tls_check_data_selector(process, frame->es);
    frame->fs = tls_check_data_selector(process, frame->fs);
    frame->gs = tls_check_data_selector(process, frame->gs);
    if (tls_is_stack_selector(process, frame->user_ss))
        return;
    frame->user_ss = USER_DATA;
    signal_send_fault(process, SIGSEGV, SI_KERNEL, 0);
}

/* The one way to change an entry. A process that has not begun yet has registers, too. */
static void set_entry(struct process *process, uint32_t number, uint64_t descriptor)
{
    process->tls[number - TLS_FIRST_ENTRY] = descriptor;
    if (process == process_current)
        gdt_set_tls(process->tls);
    recheck_selectors(process);
}

/* ---- calls ---- */

/* The first empty entry, by its number in the GDT; 0: none. */
static uint32_t find_free(const struct process *process)
{
    for (uint32_t i = 0; i < TLS_ENTRIES; i++)
        if (process->tls[i] == 0)
            return TLS_FIRST_ENTRY + i;
    return 0;
}

int32_t tls_set(struct process *process, uint32_t address, enum tls_entry entry)
{
    struct user_desc desc;
    enum kerr error = user_read(&desc, address, sizeof(desc));
    if (error != KERR_OK)
        return user_access_failed(error);
    if (!is_allowed(&desc))
        return -EINVAL;
    if (desc.entry_number == DESC_ENTRY_ANY && entry == TLS_ANY_ENTRY) {
        desc.entry_number = find_free(process);
        if (desc.entry_number == 0)
            return -ESRCH;
        error = user_replace(address, &desc.entry_number, sizeof(desc.entry_number));
        if (error != KERR_OK)
            return user_access_failed(error);
    }
    if (desc.entry_number - TLS_FIRST_ENTRY >= TLS_ENTRIES)
        return -EINVAL;
    set_entry(process, desc.entry_number, to_descriptor(&desc));
    return 0;
}

static int32_t fork_part(struct process *parent, struct process *child,
                         const struct clone_wish *wish)
{
    memcpy(child->tls, parent->tls, sizeof(child->tls));
    return wish->flags & CLONE_SETTLS ? tls_set(child, wish->tls, TLS_GIVEN_ENTRY) : 0;
}

static void exec_part(struct process *process)
{
    memset(process->tls, 0, sizeof(process->tls));
    if (process == process_current)
        gdt_set_tls(process->tls);
}

PROCESS_PART(tls, .fork = fork_part, .exec = exec_part);

SYSTEM_CALL(243, set_thread_area)
{
    return tls_set(self, ARG1, TLS_ANY_ENTRY);
}

SYSTEM_CALL(244, get_thread_area)
{
    struct user_desc desc;
    enum kerr error = user_read(&desc, ARG1, sizeof(desc.entry_number));
    if (error != KERR_OK)
        return user_access_failed(error);
    if (desc.entry_number - TLS_FIRST_ENTRY >= TLS_ENTRIES)
        return -EINVAL;
    from_descriptor(self->tls[desc.entry_number - TLS_FIRST_ENTRY], &desc);
    error = user_write(ARG1, &desc, sizeof(desc));
    return error != KERR_OK ? user_access_failed(error) : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Page faults: decoded once, offered to the layers from below (include/kernel/fault.h).
 *
 *   reserved bit, or an error bit that we never asked for;     panic
 *     a present page refused to a kernel fetch: SMEP
 *   slots 1021-1023; user mode at or above 3 GiB;              refused
 *     kernel mode below 3 GiB, unless allowed or a probe
 *   a client says resolved                                     go on
 *   a client says spurious                                     go on; the same again is a panic
 *   a client says must wait, to the kernel outside a probe     poll, go on
 *   refused, to a program                                      layer 8: a signal, or room is made
 *   refused, to a probe or copy routine of the kernel          go on at its landing, with the reason
 *   refused, to other kernel code                              panic
 *
 * The path to a client is measured: a test for the rare cases, a loop over an array, no more.
 */
#include <kernel/fault.h>

#include <arch/i386/cpu.h>
#include <arch/i386/trap.h>
#include <kernel/channel.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <mm/memlayout.h>

/* source: SDM vol. 3A, "Page-Fault Exceptions" */
enum error_bits {
    ERROR_PRESENT = 1u << 0,
    ERROR_WRITE = 1u << 1,
    ERROR_USER = 1u << 2,
    ERROR_RESERVED = 1u << 3,
    ERROR_FETCH = 1u << 4, /* with SMEP only (or NX, which needs PAE) */
    /* The usual ones. Protection keys and SGX would set higher ones. */
    ERROR_USUAL = ERROR_PRESENT | ERROR_WRITE | ERROR_USER,
};

enum { FIRST_CLIENT_LAYER = 2, LAST_CLIENT_LAYER = 6 };

/*
 * The same spurious fault so often in a row, with no register changed and no other fault between,
 * is a dead loop. (A program may well do the same again and again, but not without other faults:
 * an entry has to lose a right first, and get it back.)
 */
enum { SPURIOUS_REPEATS_MAX = 16 };

struct fault_counters fault_counters;

static enum fault_result nobody(const struct page_fault *fault)
{
    (void)fault;
    return FAULT_NOT_MINE;
}

/*
 * Indexed by layer; `handlers` holds what they can answer with, in the same order, up to a NULL: in
 * its second row for pages that are present. There is always a first one: nearly every fault ends
 * with it.
 */
static const struct fault_client *clients[LAST_CLIENT_LAYER + 1];
static fault_handler_t *handlers[2][LAST_CLIENT_LAYER + 2] = {{nobody}, {nobody}};
static bool answering = true;

/* By mode: where a fault may be answered. Probe routines may also touch the lower half. */
static struct {
    vaddr_t base;
    uint32_t bytes;
} answerable[] = {
    [MODE_KERNEL] = {{KERNEL_BASE}, TEMP_BASE - KERNEL_BASE},
    [MODE_USER] = {{0}, KERNEL_BASE},
};

static struct {
    struct trap_frame frame;
    uint32_t address, repeats;
    uint32_t number; /* of the fault, as fault_counters.total counts */
} last_spurious;

/* An access that may fail, and where to go on when it did; from linker.ld. */
struct fixup {
    uint32_t instruction, landing;
};
extern const struct fixup fixups_first[], fixups_end[];
_Static_assert(FAULT_RESOLVED == 0, "probe.asm returns it by number");

/* Called by page_fault_stub with the frame in EAX and CR2 in EDX. */
CALLED_BY_STUB(2) void page_fault_entry(struct trap_frame *frame, uint32_t address);

void fault_register(unsigned layer, const struct fault_client *client)
{
    ASSERT(layer >= FIRST_CLIENT_LAYER && layer <= LAST_CLIENT_LAYER && clients[layer] == NULL,
           "fault: layer %u registers twice, or is none", layer);
    clients[layer] = client;

    uint32_t count[2] = {0, 0};
    for (layer = FIRST_CLIENT_LAYER; layer <= LAST_CLIENT_LAYER; layer++) {
        if (clients[layer] != NULL && clients[layer]->handle_missing != NULL)
            handlers[false][count[false]++] = clients[layer]->handle_missing;
        if (clients[layer] != NULL && clients[layer]->handle_present != NULL)
            handlers[true][count[true]++] = clients[layer]->handle_present;
    }
}

void fault_describe(vaddr_t address)
{
    for (unsigned layer = FIRST_CLIENT_LAYER; layer <= LAST_CLIENT_LAYER; layer++)
        if (clients[layer] != NULL && clients[layer]->describe != NULL)
            clients[layer]->describe(address);
}

void fault_allow_lower_half(bool allowed)
{
    answerable[MODE_KERNEL].base = VADDR(allowed ? 0 : KERNEL_BASE);
    answerable[MODE_KERNEL].bytes = TEMP_BASE - answerable[MODE_KERNEL].base.v;
}

void fault_stop_answering(void)
{
    for (unsigned present = false; present <= true; present++) {
        handlers[present][0] = nobody;
        handlers[present][1] = NULL;
    }
    answering = false;
}

static const struct fixup *find_fixup(uint32_t instruction)
{
    for (const struct fixup *fixup = fixups_first; fixup < fixups_end; fixup++)
        if (fixup->instruction == instruction)
            return fixup;
    return NULL;
}

bool fault_in_probe(const struct page_fault *fault)
{
    return find_fixup(fault->instruction.v) != NULL;
}

/* With the usual error bits, which tell reads from writes only. */
static inline struct page_fault decode(const struct trap_frame *frame, uint32_t address,
                                       uint32_t error)
{
    return (struct page_fault){
        .address = VADDR(address),
        .access = (error & ERROR_WRITE) != 0 ? ACCESS_WRITE : ACCESS_READ,
        .mode = (error & ERROR_USER) != 0 ? MODE_USER : MODE_KERNEL,
        .present = (error & ERROR_PRESENT) != 0,
        .reserved_bit = false,
        .instruction = VADDR(frame->eip),
    };
}

/* Without NX and SMEP a fetch is reported as a read; but it is at the instruction itself. */
static const char *access_text(const struct page_fault *fault)
{
    if (fault->access == ACCESS_WRITE)
        return "write to";
    return fault->access == ACCESS_FETCH || fault->address.v == fault->instruction.v ? "fetch from"
                                                                                     : "read of";
}

static const char *cause_text(const struct page_fault *fault)
{
    if (fault->reserved_bit)
        return "an entry with a reserved bit";
    if (!fault->present)
        return "a not-present page";
    /* The kernel may read and fetch whatever is present, but for these two. */
    if (fault->mode == MODE_KERNEL && fault->access == ACCESS_FETCH)
        return "a user page, which SMEP refuses,";
    if (fault->mode == MODE_KERNEL && fault->access == ACCESS_READ)
        return "a user page, which SMAP refuses,";
    return "a protected page";
}

static void noreturn report(struct trap_frame *frame, const struct page_fault *fault,
                            const char *why)
{
    frame->fault_address = fault->address.v;
    panic_trap(frame, "page fault: %s %s %s at " PRI_VADDR "%s",
               fault->mode == MODE_USER ? "user" : "kernel", access_text(fault), cause_text(fault),
               ARG_VADDR(fault->address), why);
}

/* Nobody answers: back to the probe routine's caller, or a panic. */
static void __attribute__((noinline))
refuse(struct trap_frame *frame, const struct page_fault *fault, enum fault_result result,
       const char *why)
{
    if (result == FAULT_NO_MEMORY)
        fault_counters.no_memory++;
    else if (result == FAULT_MUST_WAIT)
        fault_counters.must_wait++;
    else
        fault_counters.bad_access++;
    if (trap_from_user(frame) && trap_has_user_client()) {
        trap_user_page_fault(frame, fault, result);
        return;
    }
    const struct fixup *fixup = fault->mode == MODE_KERNEL ? find_fixup(frame->eip) : NULL;
    if (fixup == NULL && result == FAULT_MUST_WAIT) {
        channel_poll(); /* and the instruction again: nobody can be put to sleep here */
        return;
    }
    if (fixup == NULL)
        report(frame, fault, why);
    frame->eip = fixup->landing;
    frame->eax = result;
}

/* A client says that the access would succeed now. Count how often nothing came of it. */
static void note_spurious(struct trap_frame *frame, const struct page_fault *fault)
{
    const size_t registers = offsetof(struct trap_frame, edi);
    const size_t bytes = offsetof(struct trap_frame, user_esp) - registers;

    bool is_next = fault_counters.total == last_spurious.number + 1;
    last_spurious.number = fault_counters.total;
    fault_counters.spurious++;
    if (is_next && fault->address.v == last_spurious.address &&
        memcmp(&frame->edi, &last_spurious.frame.edi, bytes) == 0) {
        if (++last_spurious.repeats >= SPURIOUS_REPEATS_MAX)
            report(frame, fault, ", again and again: called spurious, but nothing changes");
        return;
    }
    memcpy(&last_spurious.frame.edi, &frame->edi, bytes);
    last_spurious.address = fault->address.v;
    last_spurious.repeats = 0;
}

static bool is_spurious(const struct page_fault *fault)
{
    if (!answering)
        return false;
    for (unsigned layer = FIRST_CLIENT_LAYER; layer <= LAST_CLIENT_LAYER; layer++)
        if (clients[layer] != NULL && clients[layer]->is_spurious != NULL &&
            clients[layer]->is_spurious(fault))
            return true;
    return false;
}

/* Why no layer may be asked, though the address is not answerable; NULL: a probe may ask. */
static const char *__attribute__((noinline))
forbidden(const struct trap_frame *frame, const struct page_fault *fault)
{
    if (fault->address.v >= TEMP_BASE)
        return ", in the paging windows";
    if (fault->mode == MODE_USER)
        return ", a kernel address";
    return find_fixup(frame->eip) != NULL ? NULL : ", below 3 GiB";
}

/* No layer has resolved it: RESULT is the last answer. Kept out of the way of those that have. */
static void __attribute__((noinline))
not_resolved(struct trap_frame *frame, const struct page_fault *fault, enum fault_result result)
{
    if (is_spurious(fault))
        note_spurious(frame, fault);
    else if (result == FAULT_NO_MEMORY)
        refuse(frame, fault, FAULT_NO_MEMORY, ", and no memory is left to answer it");
    else
        refuse(frame, fault, result == FAULT_NOT_MINE ? FAULT_BAD_ACCESS : result,
               result == FAULT_IO_ERROR ? ", and what stands behind it can't be read" : "");
}

/* Checked builds: whoever keeps books learns that a fault is being answered, or was. */
enum event { EVENT_BEGINS, EVENT_ENDS };

static void tell_clients(enum event event)
{
    for (unsigned layer = FIRST_CLIENT_LAYER; layer <= LAST_CLIENT_LAYER; layer++) {
        if (clients[layer] == NULL)
            continue;
        void (*told)(void) = event == EVENT_BEGINS ? clients[layer]->enter : clients[layer]->leave;
        if (told != NULL)
            told();
    }
}

/* The first that calls it resolved, which is nearly always the first one, or calls it its own. */
static inline enum fault_result ask_clients(const struct page_fault *fault)
{
    for (fault_handler_t *const *handler = handlers[fault->present];;) {
        enum fault_result result = (*handler)(fault);
        if (likely(result == FAULT_RESOLVED))
            return FAULT_RESOLVED;
        if (result != FAULT_NOT_MINE || *++handler == NULL)
            return result;
    }
}

static void page_fault_implicit(struct trap_frame *frame, uint32_t address, uint32_t error);

/* ERROR has usual bits only. Inlined into its callers: the first one is measured. */
static inline void __attribute__((always_inline))
answer(struct trap_frame *frame, uint32_t address, uint32_t error)
{
    const struct page_fault fault = decode(frame, address, error);

    fault_counters.total++;
    if (unlikely(
            !vaddr_in(fault.address, answerable[fault.mode].base, answerable[fault.mode].bytes))) {
        if (fault.mode == MODE_KERNEL && trap_from_user(frame) && address < KERNEL_BASE) {
            page_fault_implicit(frame, address, error);
            return;
        }
        const char *why = forbidden(frame, &fault);
        if (why != NULL) {
            refuse(frame, &fault, FAULT_BAD_ACCESS, why);
            return;
        }
    }
    if (CHECKED)
        tell_clients(EVENT_BEGINS);
    enum fault_result result = ask_clients(&fault);
    if (CHECKED)
        tell_clients(EVENT_ENDS);
    if (likely(result == FAULT_RESOLVED)) {
        fault_counters.resolved++;
        return;
    }
    not_resolved(frame, &fault, result);
}

/* ---- what QEMU calls a kernel access, and is a program's ---- */

/*
 * The error code says kernel, the interrupted code is a program's, and the address is below 3 GiB.
 *
 *   a CPU             only its own looks into GDT, IDT and TSS are like that, and those are above
 *                     3 GiB: it never comes here
 *   QEMU before 9.1   takes what a program's own `lret` and `iret` pop for the kernel's accesses
 *                     too. So it is the program's fault, and is answered as such
 *   ... with SMAP     refuses the kernel that page *because* it is the program's, although it is
 *                     present: an answer would change nothing, and the access be refused again
 */
static void __attribute__((noinline))
page_fault_implicit(struct trap_frame *frame, uint32_t address, uint32_t error)
{
    bool is_in_vain = cpu_features.smap && (error & ERROR_PRESENT) != 0;
    if (is_in_vain) {
        const struct page_fault fault = decode(frame, address, error | ERROR_USER);
        refuse(frame, &fault, FAULT_BAD_ACCESS, "");
        return;
    }
    answer(frame, address, error | ERROR_USER);
}

/* ---- from the stub ---- */

/*
 * An unusual error bit: one that none of our entries and settings can cause, or the kernel jumped
 * into a user page. Other fetches are treated as reads, which a CPU without SMEP calls them.
 */
static void __attribute__((noinline))
page_fault_unusual(struct trap_frame *frame, uint32_t address, uint32_t error)
{
    struct page_fault fault = decode(frame, address, error);

    if ((error & ERROR_FETCH) != 0)
        fault.access = ACCESS_FETCH;
    fault.reserved_bit = (error & ERROR_RESERVED) != 0;
    if ((error & ~(uint32_t)(ERROR_USUAL | ERROR_FETCH)) != 0)
        report(frame, &fault, ", which no layer can answer");
    if (fault.mode == MODE_KERNEL && fault.present)
        report(frame, &fault, "");
    answer(frame, address, error & ERROR_USUAL);
}

CALLED_BY_STUB(2) void page_fault_entry(struct trap_frame *frame, uint32_t address)
{
    uint32_t error = frame->error_code;

    if (unlikely((error & ~(uint32_t)ERROR_USUAL) != 0)) {
        page_fault_unusual(frame, address, error);
        return;
    }
    answer(frame, address, error);
}

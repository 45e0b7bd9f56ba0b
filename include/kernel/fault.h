/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: the trap code below it in the same layer, layers 2 and up.
 *
 * A page fault, decoded once, is offered to the layers from below. Layers register what they can
 * do at their init, so that layer 0 calls them without knowing them. The order of the questions
 * (docs/faults.md):
 *   1. what no layer may answer: reserved bits, fetches that SMEP refuses, the paging windows,
 *      kernel addresses from user mode, the lower half from kernel mode outside probe routines
 *      (SMAP refuses reads and writes of present user pages there: no layer answers those either);
 *   2. each handler registered for present, or for missing pages, lowest layer first, until one does
 *      not say FAULT_NOT_MINE;
 *   3. each registered recheck: was it spurious (a stale translation with fewer rights)?
 *   4. a probe routine returns the result to its caller; user mode gets a signal, or waits; the
 *      kernel elsewhere polls where it must wait; anything else panics with a full report.
 */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include <kernel/types.h>

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };
enum cpu_mode { MODE_KERNEL, MODE_USER };

struct page_fault {
    vaddr_t address;    /* CR2 */
    enum access access; /* to clients a fetch is a read: without SMEP the CPU does not tell */
    enum cpu_mode mode;
    bool present;        /* the entries were there and forbade it */
    bool reserved_bit;   /* an entry had a bit set that the CPU reserves */
    vaddr_t instruction; /* EIP */
};

enum fault_result {
    FAULT_RESOLVED,   /* run the instruction again */
    FAULT_NOT_MINE,   /* ask the next layer */
    FAULT_BAD_ACCESS, /* the address may not be accessed so */
    FAULT_NO_MEMORY,  /* it may, but no frame is left */
    FAULT_BEYOND_END, /* the page lies behind the end of the file that is mapped there */
    FAULT_MUST_WAIT,  /* it may, when the channel that was left (kernel/channel.h) is ready */
    FAULT_IO_ERROR,   /* it may, but what stands behind the page can't be read */
};

typedef enum fault_result fault_handler_t(const struct page_fault *fault);

struct fault_client {
    const char *name;
    /* Answer a fault of a page whose entries forbid it, and of one that is not there. NULL: none. */
    fault_handler_t *handle_present, *handle_missing;
    bool (*is_spurious)(const struct page_fault *fault); /* NULL: none; pays the TLB */
    void (*enter)(void), (*leave)(void); /* NULL: none; checked builds: around every fault */
    void (*describe)(vaddr_t address);   /* NULL: none; one or two lines */
};

/* Register CLIENT for LAYER (2..6), once per layer. The structure stays the caller's. */
void fault_register(unsigned layer, const struct fault_client *client);

/* Print what every registered layer knows about ADDRESS (PDE, PTE, region, ...). */
void fault_describe(vaddr_t address);

/*
 * Kernel code may read and write below 3 GiB from here on (true), or not (false). Only for the
 * self-tests, benchmarks and the prompt's touch, on supervisor-only reservations.
 */
void fault_allow_lower_half(bool allowed);

/* FAULT interrupted a probe routine at its access: then SMAP does not apply (EFLAGS.AC is set). */
bool fault_in_probe(const struct page_fault *fault);

/* Page faults since boot by result, and spurious ones; for `faults` and the tests. */
struct fault_counters {
    uint32_t total, resolved, spurious, bad_access, no_memory, must_wait;
};
extern struct fault_counters fault_counters;

/*
 * Probe routines: one access that may fail. They touch ADDRESS (any, 4-byte accesses any
 * alignment) and return FAULT_RESOLVED, or how the fault ended; they are the only kernel code
 * that may touch the lower half, and user pages where SMAP is. *VALUE is written only on success.
 */
asmlinkage enum fault_result must_check probe_read(vaddr_t address, uint32_t *value);
asmlinkage enum fault_result must_check probe_write(vaddr_t address, uint32_t value);

#endif

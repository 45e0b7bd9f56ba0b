/* SPDX-License-Identifier: MIT */
/*
 * Host model. A 32-bit machine with paging, for the kernel's own C files compiled for the host.
 *
 * RAM is a memory file. The 4 GiB that the kernel calls its address space are a reservation of the
 * host's at ADDRESS_SPACE_BASE without any access. Touching a page raises SIGSEGV; the handler
 * walks the directory that CR3 names, as the CPU does, remembers the translation, and lets the host
 * map the page with the rights that it has; or it delivers a page fault to arch/i386/fault.c. What
 * is remembered is only forgotten by INVLPG, a load of CR3 (global pages stay) or a toggle of
 * CR4.PGE: a TLB of unlimited size. A write to a page that may be written but is not dirty walks
 * again; a refusal does not, and is not forgotten either: stale fewer rights fault until INVLPG.
 */
#ifndef TESTS_HOST_MACHINE_H
#define TESTS_HOST_MACHINE_H

#include <kernel/boot_info.h>
#include <kernel/fault.h>

struct trap_frame;

struct machine_options {
    uint32_t ram_bytes;
    bool pse, pge;
};

/* ---- its life ---- */

/* A machine just switched on, and what boot.asm does: RAM holds garbage, paging is on. */
void machine_start(const struct machine_options *options);

/* The memory map that a BIOS gives for RAM_BYTES; the command line from the environment. */
void machine_boot_info(uint32_t ram_bytes, struct boot_info *boot);

/* machine_start(), and bring up the layers with BOOT. Returns the first error. */
kerr_t machine_boot(const struct machine_options *options, const struct boot_info *boot);

/* The same; frame allocation NUMBER fails (0: none). */
kerr_t machine_boot_failing(const struct machine_options *options, const struct boot_info *boot,
                            uint32_t number);

/* Remember the whole state of machine and kernel; and go back there. */
void machine_save(void);
void machine_restore(void);

/* ---- behind the kernel's back ---- */

/* A frame's memory, by way of no translation. For reading; machine_ram_write() for writing. */
const uint32_t *machine_frame(frame_t frame);
void machine_frame_write(frame_t frame, uint32_t index, uint32_t value);

/* What a walk from CR3 finds for ADDRESS now. Sets no bit, remembers nothing. */
struct machine_walk {
    bool present;
    frame_t frame;       /* of the 4 KiB page */
    bool writable, user; /* at every level */
    bool global, dirty;
};
struct machine_walk machine_walk(vaddr_t address);

/* The same from any directory. */
struct machine_walk machine_walk_from(frame_t directory, vaddr_t address);

/*
 * Touch ADDRESS from user mode, until the access goes through. Refused, it ends in a panic, as for
 * any user program before there are processes.
 */
void machine_user_access(vaddr_t address, enum access access);

/*
 * One try of a program that is in FRAME to touch ADDRESS. True: it went through, and the host can touch
 * the page so until the kernel runs again. False: a page fault was delivered, and answered.
 */
bool machine_user_try(struct trap_frame *frame, vaddr_t address, enum access access);

/* ---- the TLB ---- */

/* Remember the translation of ADDRESS, if there is one, as a CPU may at any time. */
void machine_preload(vaddr_t address);

/* After every flush call PRELOAD (NULL: nothing), which remembers what it likes: a CPU may. */
void machine_speculate(void (*preload)(void));

/* The pages of the window whose tables are present, and COUNT pages from FIRST on. */
void machine_preload_window(void);
void machine_preload_pages(vaddr_t first, uint32_t count);

/*
 * Compare all that is remembered with what a walk finds. Only one difference is allowed: a page
 * below 3 GiB whose entry has gained rights.
 *   returns NULL, or the sentence that is not true; *WHERE is the page
 */
const char *machine_check_tlb(vaddr_t *where);

/*
 * The same at the end of an event; but a test may have left a right of any page out, to see the
 * fault that this costs. Skipped while so much is remembered that it would take long.
 */
const char *machine_check_tlb_after_event(vaddr_t *where);

/* Remembered translations that lead to FRAME, and PDEs that lead to it as a table. */
uint32_t machine_tlb_count(frame_t frame);

/* From now on drop no INVLPG (0), or leave the Nth out: to see the tests catch it. */
void machine_omit_invalidation(uint64_t number);

struct machine_counters {
    uint64_t walks, host_faults, page_faults, invalidations, flushes;
};
extern struct machine_counters machine_counters;

/* ---- host pieces (platform.c) ---- */

/* A panic ends the process, unless somebody waits for it. Returns the text, or NULL if there was
 * none while RUN was running. */
const char *machine_expect_panic(void (*run)(void));

/* Who answers VECTOR; NULL: nobody. */
void (*machine_trap_handler(unsigned vector))(struct trap_frame *frame);

/* Printing: to standard output, or kept back (the last panic is always printed). */
enum machine_output { OUTPUT_SHOWN, OUTPUT_HIDDEN };
void machine_set_output(enum machine_output output);

/* Allocation number N from now on (1: the next) of frame_alloc() fails; 0: none does. */
enum failure { FAIL_ONCE, FAIL_FROM_THERE_ON };
void machine_fail_allocation(uint32_t number, enum failure failure);
/* Whether it has come to that. */
bool machine_allocation_failed(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: gdt, trap, layer 2 (seals it).
 *
 * A double fault means that the CPU could not even call the page-fault stub: the tables or the
 * kernel stack are broken. So its handler is a task that needs neither: it has a stack, a directory
 * and tables of its own, and it ends in a report instead of a reset.
 *
 * The CPU finds the task through the *current* directory: IDT, GDT and both TSSs are read there,
 * and the interrupted registers written. They lie in a page of the temporary slot (early.h), so
 * slot 768 may be gone, wholly or in part. If slot 1021 of the directory, its table, or that page
 * is what is broken, the CPU can do no more than reset.
 *
 * In that task the window (slot 1023) and the temporary slot show the task's own tables. A describe
 * function (fault.h) that is to work there walks from `current_directory` by a temporary page.
 */
#ifndef ARCH_I386_DOUBLE_FAULT_H
#define ARCH_I386_DOUBLE_FAULT_H

#include <arch/i386/gdt.h>

/* The task's TSS, for its descriptor. */
extern struct tss double_fault_tss;

/* Fill the TSS. Until the directory is sealed the task runs on boot_directory. */
void double_fault_init(void);

/*
 * Fill the task's own directory and let it use that: slot 768 as the SLOT_PAGES entries of
 * IMAGE_TABLE (copied; later changes of the image's mapping are not seen), the frame table as
 * boot_directory maps it, a temporary slot with nothing but the CPU's tables, and the window. Layer
 * 2 calls it when the final mapping of the image stands. Nothing else is mapped there: a describe
 * function that needs more faults, and the report ends with that.
 */
void double_fault_seal(const uint32_t *image_table);

/*
 * Let the task use SLOT, a kernel slot outside of those that it has for itself, as boot_directory
 * maps it now: what the console writes to.
 */
void double_fault_share_slot(uint32_t slot);

/* The task's stack, for the backtrace: is ADDRESS in it? */
bool double_fault_stack_holds(uint32_t address);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 4. Uses: layers 0-3, vma. Used by: layers 4 (nodes, space), 5 and up (heap, records).
 *
 * Pages that the kernel takes for itself as it goes: of its arrays and of its heap. What they cost,
 * their tables included, stands in the account of layer 1, so that the kernel never takes a frame
 * that programs were promised (process/commit.c).
 */
#ifndef MM_KERNEL_PAGES_H
#define MM_KERNEL_PAGES_H

#include <kernel/kerr.h>

/*
 * Make PAGES promised pages of kernel space real, from FIRST on; those that are stay what they are.
 *   returns KERR_OK; KERR_NO_MEMORY: no frame is left, or none that is not promised (pages made
 *   real so far stay so); KERR_BAD_ACCESS: a page is not promised
 */
kerr_t kernel_pages_make_real(vaddr_t first, uint32_t pages);

/* Make them promises again, which read as zero. TLB: paid. */
void kernel_pages_discard(vaddr_t first, uint32_t pages);

/*
 * The same for pages that are wanted again, at these addresses or others: the account keeps them, so
 * that in overcommit mode 2 nobody else is promised their frames. Forget: they will not be wanted.
 */
void kernel_pages_put_away(vaddr_t first, uint32_t pages);
kerr_t kernel_pages_take_back(vaddr_t first, uint32_t pages);
void kernel_pages_forget(uint32_t pages);

#endif

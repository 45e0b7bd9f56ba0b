/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/schedule.c, process/signal.c, file/calls_swap.c.
 *
 * When frames run out (overcommit modes 0 and 1) somebody has to go.
 */
#ifndef PROCESS_VICTIM_H
#define PROCESS_VICTIM_H

#include <process/process.h>

/*
 * SELF, the current process, lacks a frame. FREE_THEN were free when its call had given back what it took:
 * only more than that is room which others made. Give back what the kernel keeps in reserve (empty tables,
 * node pages, heap pages); if that helps not, choose a victim by the stated rule, log it and end it. SELF
 * itself may be the victim: then it is gone on return (process_current is NULL).
 */
void victim_make_room(struct process *self, uint32_t free_then);

/*
 * Pages that something stands behind go, and nobody ends. True: some have gone, or will have: the current
 * process may sleep until then.
 */
bool victim_give_cache_back(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/schedule.c, which registers them.
 *
 * What the CPU refuses to a program becomes a signal (arch/i386/trap.h: struct trap_user_client).
 */
#ifndef PROCESS_EXCEPTIONS_H
#define PROCESS_EXCEPTIONS_H

#include <process/process.h>

void user_exception(struct trap_frame *frame);
void user_page_fault(struct trap_frame *frame, const struct page_fault *fault,
                     enum fault_result result);
void user_vm86(struct trap_frame *frame);

#endif

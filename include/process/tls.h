/* SPDX-License-Identifier: MIT */
/*
 * Layer 8. Uses: layers 0-5, process. Used by: process/ (ways out, signals, audit).
 *
 * Thread-local storage as Linux has it on i386: three entries of the GDT that are a program's own.
 * What the way back to user mode loads into segment registers must be loadable: whoever changes a
 * selector in a frame, or the entry that one leads to, keeps that true by what is here.
 */
#ifndef PROCESS_TLS_H
#define PROCESS_TLS_H

#include <process/process.h>

/*
 * Set the entry of PROCESS, the current one or one that has not begun yet, that the struct
 * user_desc at ADDRESS (of the current space) asks for; ANY_ENTRY allows entry_number -1, which
 * finds a free one and tells its number there.
 *   returns 0, or an error_number negated; or asks for a repetition (user_access_failed())
 */
enum tls_entry { TLS_ANY_ENTRY, TLS_GIVEN_ENTRY };
int32_t tls_set(struct process *process, uint32_t address, enum tls_entry entry);

/* SELECTOR, if PROCESS may have it in DS, ES, FS or GS; else 0. */
uint32_t tls_check_data_selector(const struct process *process, uint32_t selector);

/* The way back to user mode can load what stands in PROCESS's record. */
bool tls_frame_is_loadable(const struct process *process);

/* PROCESS may have SELECTOR in SS. */
bool tls_is_stack_selector(const struct process *process, uint32_t selector);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: everything.
 *
 * Memory and text. The mem... and str... functions are those of the C standard ("String handling");
 * compilers call the first four on their own account. The rest always terminates what it writes
 * and never reads beyond a terminator.
 */
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#include <kernel/types.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);

size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t bytes);
char *strchr(const char *text, int wanted);

/* TEXT begins with PREFIX. */
bool text_begins(const char *text, const char *prefix);

/*
 * Copy TEXT into TO, which has room for BYTES bytes, at least 1; cut if longer, always terminated.
 *   returns true if nothing was cut
 */
bool text_copy(char *to, size_t bytes, const char *text);

/*
 * Read all of TEXT as a number: decimal, or hexadecimal after `0x`. *VALUE is written on success.
 *   returns false for an empty text, any other character, and what needs more than 32 bits
 */
bool must_check parse_u32(const char *text, uint32_t *value);

/*
 * The same with an optional suffix: K, M or G (also in lower case) for 2^10, 2^20 and 2^30 bytes.
 */
bool must_check parse_size(const char *text, uint32_t *bytes);

#endif

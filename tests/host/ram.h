/* SPDX-License-Identifier: MIT */
/*
 * Host model, private. RAM: a memory file of 4 GiB, of which only what is touched takes memory.
 * A frame holds garbage until something is written there: zeros are no kernel's due.
 */
#ifndef TESTS_HOST_RAM_H
#define TESTS_HOST_RAM_H

#include <kernel/types.h>

#define RAM_BYTES_MAX 0x100000000ul
enum { RAM_FRAMES_MAX = 0x100000 };

void ram_make(void); /* once in a process */
int ram_file(void);

/* Garbage everywhere, nothing saved. */
void ram_new(void);

/* The words of frame N. Whoever writes there says so. */
uint32_t *ram_words(uint32_t n);
void ram_will_change(uint32_t n);

/* Remember what every frame holds; and go back there. */
void ram_save(void);
void ram_restore(void);

#endif

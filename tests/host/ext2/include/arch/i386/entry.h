/* SPDX-License-Identifier: MIT */
/* Host test of ext2: frames are pages of the host's memory (tests/host/ext2/store.c). */
#ifndef TESTS_HOST_EXT2_ENTRY_H
#define TESTS_HOST_EXT2_ENTRY_H

#include <mm/memlayout.h>

void *temp_map(enum temp_page number, frame_t frame);
void temp_unmap(enum temp_page number);

#endif

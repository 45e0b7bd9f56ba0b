/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: boot_info. Used by: main.
 */
#ifndef KERNEL_MEMMAP_H
#define KERNEL_MEMMAP_H

#include <kernel/boot_info.h>

/*
 * Replace INFO's memory map by the one that TEXT describes: for firmware whose map can't be
 * trusted, and for tests of maps that lie. TEXT is a list of BASE+SIZE:TYPE separated by commas;
 * numbers are decimal or 0x hexadecimal, of up to 64 bits, with K, M or G behind them. Nothing is
 * sorted or checked for sense: that is layer 1's work. "none" leaves no map at all.
 *   returns KERR_OK; KERR_BAD_VALUE, with the map untouched, for a text that is not of this form
 *   or has more entries than struct boot_info
 */
kerr_t memmap_replace(const char *text, struct boot_info *info);

#endif

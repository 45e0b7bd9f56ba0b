/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Private. Uses: layer 0. Used by: store/swap_ram.c, tests. (And tools/bench-compress, on the host.)
 *
 * A page as fewer bytes, and back. What is compressed is a row of items, eight behind a byte that
 * says what each one is, the lowest bit first:
 *
 *     bit 0   a byte, as it is
 *     bit 1   two bytes, low one first: bits 0-11 a distance - 1, bits 12-15 a length - 3. So many
 *             bytes are those that stand so far back; they may overlap what they make. Of code 15
 *             more bytes say how much more, up to one that is not 255
 *
 * There is no end: a page is done when it is full. A page has 12 bits of distances, so two bytes say
 * a match, where LZ4 takes three; and three bytes are enough for one, which pointers to neighbours
 * have in common.
 */
#ifndef STORE_PAGE_COMPRESS_H
#define STORE_PAGE_COMPRESS_H

#include <kernel/types.h>

enum { COMPRESSOR_KEYS = 4096 };

/* Where three bytes were seen last, by a key made of them. May hold anything, of other pages as well. */
struct page_compressor {
    uint16_t latest[COMPRESSOR_KEYS];
};

/*
 * PAGE, aligned to words, is compressed to TO, where there are MOST bytes.
 *   returns how many it takes; 0: more than MOST, or a few bytes fewer
 */
uint32_t page_compress(const void *page, void *to, uint32_t most,
                       struct page_compressor *compressor);

/*
 * The BYTES bytes at FROM, which may be anything, are made a page again; what is behind its end is
 * not looked at. Writes nothing but PAGE.
 *   returns false: that is no page; what stands in PAGE is undefined
 */
bool must_check page_decompress(const void *from, uint32_t bytes, void *page);

#endif

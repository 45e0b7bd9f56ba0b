/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, kerr, screen, boot_info. Used by: layer 2 (maps it), its tests.
 *
 * A framebuffer as the boot loader describes it, of 15 to 32 bits a pixel, as a device for text.
 * It is written a word at a time and never read: on real machines both matter. Its memory is the
 * caller's to map.
 */
#ifndef ARCH_I386_FRAMEBUFFER_H
#define ARCH_I386_FRAMEBUFFER_H

#include <kernel/boot_info.h>
#include <kernel/screen.h>

enum {
    FONT_WIDTH = 8, /* pixels */
    FONT_HEIGHT = 16,
    FONT_GLYPHS = 256,
    FRAMEBUFFER_SCALE_MAX = 4,
    /* Four pixels are as many words as a pixel has bytes. */
    FRAMEBUFFER_RUN_WORDS_MAX = 4 * FRAMEBUFFER_SCALE_MAX,
};

/* A glyph is 16 rows of 8 pixels, the left one in bit 7; from arch/i386/font.asm. */
extern const uint8_t font_glyphs[FONT_GLYPHS][FONT_HEIGHT];

struct framebuffer {
    struct screen_device device;
    volatile uint8_t *memory;
    uint32_t pitch_bytes, height;
    uint32_t scale;        /* a font's pixel is scale x scale pixels */
    uint32_t origin_bytes; /* from MEMORY to the first pixel of the text */
    uint32_t run_words;    /* half a row of a glyph: four of the font's pixels */
    /* A run of each colour; and for each pattern of four font pixels, ones where there is ink. */
    uint32_t colours[16][FRAMEBUFFER_RUN_WORDS_MAX];
    uint32_t masks[16][FRAMEBUFFER_RUN_WORDS_MAX];
};

/*
 * Can the framebuffer INFO be used? *BYTES is what is to be mapped from its address on.
 *   returns KERR_OK; KERR_UNSUPPORTED for another kind than RGB, other depths, colours of no bits,
 *   and for less than 8 x 16 pixels; KERR_BAD_RANGE if it reaches above 4 GiB
 */
kerr_t framebuffer_check(const struct boot_framebuffer *info, uint32_t *bytes);

/*
 * Make FRAMEBUFFER a device that shows text on INFO, seen at MEMORY (4-byte aligned), which is not
 * touched yet. Text is in the middle; on a very large screen its pixels are doubled, and more.
 */
void framebuffer_init(struct framebuffer *framebuffer, const struct boot_framebuffer *info,
                      volatile void *memory);

/* Make all of it black. */
void framebuffer_clear(struct framebuffer *framebuffer);

#endif

; SPDX-License-Identifier: MIT
;
; Layer 0. The font of the framebuffer console: 256 glyphs of 16 bytes.
;
; It is the packaged console font that the Makefile names (FONT), unpacked and checked by
; tools/font. Characters 0x20-0x7E are ASCII; what lies beyond is the font's own business.

section .rodata
global font_glyphs
font_glyphs:
    incbin "font.bin"
font_glyphs_end:

%if font_glyphs_end - font_glyphs != 256 * 16
%error "not a font of 256 glyphs, 8 x 16"
%endif

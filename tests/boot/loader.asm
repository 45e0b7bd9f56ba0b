; SPDX-License-Identifier: MIT
; A boot loader that lies, for tests: QEMU's -kernel starts it (by multiboot1), with the kernel's
; file as its first module. It puts the kernel where it belongs and starts it with the multiboot2
; information and the devices of the case named by CASE (tests/boot/cases.inc).
;
;   nasm -f bin -I tests/boot/ -DCASE=right -DCOMMAND_LINE="'test=memmap'" tests/boot/loader.asm
;
; It and the information lie at 16 MiB, the modules that QEMU loads behind it.

MULTIBOOT1_MAGIC  equ 0x1BADB002
HAS_ADDRESSES     equ 1 << 16            ; those below: this file is no ELF
MODULES_ADDRESS   equ 24                 ; in multiboot1's information: the list of modules
MULTIBOOT2_BOOTED equ 0x36D76289
NOT_A_STACK       equ 0xDEADBEE0

ELF_ENTRY         equ 24                 ; in the header of an ELF file
ELF_SEGMENTS      equ 28
ELF_SEGMENT_COUNT equ 44
SEGMENT_OFFSET    equ 4                  ; in each of its segments
SEGMENT_VIRTUAL   equ 8
SEGMENT_PHYSICAL  equ 12
SEGMENT_IN_FILE   equ 16
SEGMENT_IN_MEMORY equ 20
SEGMENT_BYTES     equ 32

I8042_DATA        equ 0x60
I8042_STATUS      equ 0x64
OUTPUT_FULL       equ 0x01
DELAY_PORT        equ 0x80               ; reading it takes about a microsecond
DELAY_READS       equ 20000

bits 32
org 0x1000000
section .text align=8
header:
    dd MULTIBOOT1_MAGIC, HAS_ADDRESSES, -(MULTIBOOT1_MAGIC + HAS_ADDRESSES)
    dd header, header, 0, stack_top, start ; where: header, first byte, end (all), end of bss, entry

start:
    cli
    cld
    mov esp, stack_top
    mov esi, [ebx + MODULES_ADDRESS]
    mov ebp, [esi]
    call place_kernel
    call actions
    mov eax, MULTIBOOT2_BOOTED
    mov ebx, information
    mov esp, NOT_A_STACK                 ; the kernel may rely on none
    jmp edx

; place_kernel -- the segments of an ELF file to their physical addresses
; IN    ebp = the file
; OUT   edx = physical address of its entry, which lies in the first segment
; CLOBBERS eax, ebx, ecx, esi, edi
place_kernel:
    mov ebx, ebp
    add ebx, [ebp + ELF_SEGMENTS]
    mov edx, [ebp + ELF_ENTRY]
    sub edx, [ebx + SEGMENT_VIRTUAL]
    add edx, [ebx + SEGMENT_PHYSICAL]
    movzx eax, word [ebp + ELF_SEGMENT_COUNT]
.next:
    push eax
    mov esi, ebp
    add esi, [ebx + SEGMENT_OFFSET]
    mov edi, [ebx + SEGMENT_PHYSICAL]
    mov ecx, [ebx + SEGMENT_IN_FILE]
    rep movsb
    mov ecx, [ebx + SEGMENT_IN_MEMORY]
    sub ecx, [ebx + SEGMENT_IN_FILE]
    xor eax, eax
    rep stosb
    add ebx, SEGMENT_BYTES
    pop eax
    dec eax
    jnz .next
    ret

; settle -- time for the keyboard and its controller
; CLOBBERS ecx, al
settle:
    mov ecx, DELAY_READS
.next:
    in al, DELAY_PORT
    loop .next
    ret

; drain -- throw away what the keyboard has answered
; CLOBBERS al
drain:
    in al, I8042_STATUS
    test al, OUTPUT_FULL
    jz .done
    in al, I8042_DATA
    jmp drain
.done:
    ret

section .actions align=8 follows=.text
actions:

; ---- what a case is made of ----

; send PORT, BYTE: in the order written, before the kernel starts
%macro send 2
[section .actions]
    mov al, %2
    out %1, al
    call settle
__SECT__
%endmacro

; throw_away: the bytes that the keyboard has answered up to here
%macro throw_away 0
[section .actions]
    call drain
__SECT__
%endmacro

; begin_tag TYPE [, BYTES] ... end_tag: BYTES, where it is to say another size than it has
%macro begin_tag 1-2
    align 8, db 0
    %push tag
%$start:
    %if %0 = 2
    dd %1, %2
    %else
    dd %1, %$end - %$start
    %endif
%endmacro
%macro end_tag 0
%$end:
    %pop tag
%endmacro

%macro text_tag 2 ; TYPE, TEXT
    begin_tag %1
    db %2, 0
    end_tag
%endmacro

%macro module 3 ; START, BYTES, NAME
    begin_tag 3
    dd %1, %1 + %2
    db %3, 0
    end_tag
%endmacro

%macro begin_map 0 ; then ranges, then end_tag
    begin_tag 6
    dd 24, 0
%endmacro
%macro range 3 ; BASE, BYTES, TYPE
    dq %1, %2
    dd %3, 0
%endmacro

%macro framebuffer 5-11 16, 8, 8, 8, 0, 8 ; ADDRESS, BYTES A LINE, WIDTH, HEIGHT, BITS A PIXEL; fields
    begin_tag 8
    dq %1
    dd %2, %3, %4
    db %5, 1, 0, 0                       ; 1: red, green, blue
    db %6, %7, %8, %9, %10, %11          ; position and bits of each
    end_tag
%endmacro

%define information_bytes information_end - information

%include "cases.inc"

%xdefine the_case case_ %+ CASE

section .information align=8 follows=.actions
information:
    dd information_total, 0
    text_tag 1, {COMMAND_LINE}
    text_tag 2, "tests/boot"
    the_case
    begin_tag 0
    end_tag
information_end:
information_total equ information_bytes

section .actions
    ret
section .bss nobits align=8
    resb 1024
stack_top:

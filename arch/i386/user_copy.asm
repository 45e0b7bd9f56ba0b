; SPDX-License-Identifier: MIT
;
; Layer 0. Copies between the kernel and a program (process/user.h checks the range first).
;
; As the probe routines (probe.asm): the access stands at a label that the fixup table pairs with a
; landing. A fault that is answered lets the string instruction go on where it was; when no layer
; answers it, fault.c puts how it ended (enum fault_result) into EAX and goes on at the landing.
; Part of the bytes may have been copied then. SMAP looks away while EFLAGS.AC is set.

FAULT_RESOLVED equ 0                      ; asserted in fault.c
EFLAGS_ACCESS  equ 1 << 18                ; as cpu.h

; Open user pages; the flags to go back to stay on the stack.
%macro open_user_pages 0
    pushfd
    pushfd
    or dword [esp], EFLAGS_ACCESS
    popfd
%endmacro

section .text
global user_copy, user_fill_zero

; user_copy -- enum fault_result user_copy(void *to, const void *from, uint32_t bytes), regparm
; IN   eax to   edx from   ecx bytes
; OUT  eax = FAULT_RESOLVED, or how the fault ended
; CLOBBERS ecx, edx
user_copy:
    push esi
    push edi
    mov edi, eax
    mov esi, edx
    open_user_pages
    mov edx, ecx
    and edx, 3
    shr ecx, 2
user_copy_words:
    rep movsd
    mov ecx, edx
user_copy_bytes:
    rep movsb
    mov eax, FAULT_RESOLVED
user_copy_landing:
    popfd
    pop edi
    pop esi
    ret

; user_fill_zero -- enum fault_result user_fill_zero(void *to, uint32_t bytes), regparm
; IN   eax to   edx bytes
; OUT  eax = FAULT_RESOLVED, or how the fault ended
; CLOBBERS ecx, edx
user_fill_zero:
    push edi
    mov edi, eax
    xor eax, eax
    open_user_pages
    mov ecx, edx
    shr ecx, 2
user_fill_words:
    rep stosd
    mov ecx, edx
    and ecx, 3
user_fill_bytes:
    rep stosb
    mov eax, FAULT_RESOLVED
user_fill_landing:
    popfd
    pop edi
    ret

section .fixups progbits alloc noexec nowrite align=4
    dd user_copy_words, user_copy_landing
    dd user_copy_bytes, user_copy_landing
    dd user_fill_words, user_fill_landing
    dd user_fill_bytes, user_fill_landing

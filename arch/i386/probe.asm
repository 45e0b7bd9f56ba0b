; SPDX-License-Identifier: MIT
;
; Layer 0. Probe routines: one access that may fail (include/kernel/fault.h).
;
; SMAP looks away while EFLAGS.AC is set. POPF sets it on every CPU from the 486 on (STAC would be
; an invalid opcode on most), and without SMAP it means nothing in the kernel.
;
; The access stands at a label that the fixup table pairs with a landing. When no layer answers the
; fault, fault.c puts how it ended (enum fault_result) into EAX and goes on at the landing.

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
global probe_read, probe_write

; probe_read -- enum fault_result probe_read(vaddr_t address, uint32_t *value)
; IN   [esp+4] address   [esp+8] value
; OUT  eax = FAULT_RESOLVED and *value, or how the fault ended
; CLOBBERS ecx, edx
probe_read:
    mov ecx, [esp + 4]
    open_user_pages
probe_read_access:
    mov edx, [ecx]
    popfd
    mov ecx, [esp + 8]
    mov [ecx], edx
    mov eax, FAULT_RESOLVED
    ret

; probe_write -- enum fault_result probe_write(vaddr_t address, uint32_t value)
; IN   [esp+4] address   [esp+8] value
; OUT  eax = FAULT_RESOLVED, or how the fault ended
; CLOBBERS ecx, edx
probe_write:
    mov ecx, [esp + 4]
    mov edx, [esp + 8]
    open_user_pages
probe_write_access:
    mov [ecx], edx
    mov eax, FAULT_RESOLVED
probe_landing:
    popfd
    ret

section .fixups progbits alloc noexec nowrite align=4
    dd probe_read_access, probe_landing
    dd probe_write_access, probe_landing

; SPDX-License-Identifier: MIT
;
; Layer 0. Where the CPU arrives at an exception or interrupt.
;
; Every stub leaves one struct trap_frame (trap.h) where ESP points and passes its address in EAX
; (regparm). Interrupts are off: all gates are interrupt gates. From kernel mode the segment
; registers are known to be the kernel's, so they are saved and loaded only from user mode. Every
; stub begins with CLAC, which the gates skip on a CPU without SMAP (trap.c).
;
; From user mode the CPU begins at TSS.esp0, the end of the frame in the running process's record:
; the frame is filled in place, and C runs on the one kernel stack. All ways back lead through
; return_to_user: at once, or after trap_leave has seen to what there is to do.
;
; Where the CPU pushed says who was interrupted, whatever it pushed: the kernel's own traps stay on
; a stack of the image, and records lie above the image. From virtual-8086 mode, which no program
; has any business in, the CPU pushes four words more, so the frame begins 16 bytes lower. Every way
; in from a program looks for that, and trap_from_vm86 (trap.c) puts things right.
;
;   struct trap_frame           +0 gs  fs  es  ds          pushed from user mode, else room only
;                              +16 edi esi ebp (esp) ebx edx ecx eax        pusha
;                              +48 vector                  pushed by the stub
;                              +52 error code              pushed by the CPU, or 0 by the stub
;                              +56 eip  cs  eflags         pushed by the CPU
;                              +68 esp  ss                 pushed by the CPU from user mode only
;                              +76 es   ds  fs  gs         pushed from virtual-8086 mode only

SEGMENT_BYTES    equ 16                   ; these are asserted in trap.c
VECTOR_AND_CODE  equ 8
KERNEL_DATA      equ 0x10                 ; as gdt.h
STUB_BYTES       equ 16                   ; as trap.c
PAGE_FAULT       equ 14
SYSTEM_CALL      equ 0x80
FRAME_EAX        equ 44
FRAME_EFLAGS     equ 64
FRAME_CALLS      equ 92                   ; TRAP_CALLS
EFLAGS_VM        equ 1 << 17

; The exceptions for which the CPU pushes an error code, a bit each.
ERROR_CODES      equ 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | \
                     1 << 21 | 1 << 29 | 1 << 30

section .text
global trap_stubs, trap_return, page_fault_stub, page_fault_return, system_call_stub, trap_resume
extern trap_dispatch, page_fault_entry, trap_from_vm86, image_end
extern trap_user_stack, trap_system_calls, trap_leave_work, trap_leave

; trap_stubs -- the stub of vector N is at trap_stubs + N * STUB_BYTES
align STUB_BYTES
trap_stubs:
%assign vector 0
%rep 256
    align STUB_BYTES
    clac
  %if vector >= 32 || ((ERROR_CODES >> (vector & 31)) & 1) == 0
    push dword 0
  %endif
    push dword vector
    jmp trap_common
  %assign vector vector + 1
%endrep
    align STUB_BYTES

; trap_common -- finish the frame, call trap_dispatch(frame), go back
trap_common:
    pusha
    cld                                   ; C code relies on it; user mode may have set DF
    cmp esp, image_end
    ja trap_from_user
    sub esp, SEGMENT_BYTES
    mov eax, esp
    call trap_dispatch
trap_return:
    add esp, SEGMENT_BYTES
    popa
    add esp, VECTOR_AND_CODE
    iret

; Registers of user mode into the frame; the kernel's segments; EBX = frame, ESP = the kernel stack.
%macro enter_from_user 0
    push ds
    push es
    push fs
    push gs
    mov ecx, KERNEL_DATA
    mov ds, ecx
    mov es, ecx
    mov ebx, esp
    mov esp, [trap_user_stack]
%endmacro

trap_from_user:
    enter_from_user
    mov eax, ebx
    test dword [ebx + FRAME_EFLAGS], EFLAGS_VM
    jnz from_vm86
    call trap_dispatch
    jmp return_to_user

; from_vm86 -- EBX = EAX = a frame that is 16 bytes too low: trap_from_vm86(frame) says where it is
; now
from_vm86:
    call trap_from_vm86
    mov ebx, eax
    jmp return_to_user

; system_call_stub -- int 0x80: EAX = trap_system_calls[EAX](frame). How many calls there are stands
; behind the frame. Seen from a frame that is 16 bytes too low, a 0 stands there (trap.h), so both
; questions are one.
align STUB_BYTES
system_call_stub:
    clac
    push dword 0
    push dword SYSTEM_CALL
    pusha
    cld
    enter_from_user
    cmp eax, [ebx + FRAME_CALLS]
    jae .refused
.known:
    mov ecx, eax
    mov eax, ebx
    call [trap_system_calls + ecx * 4]
    mov [ebx + FRAME_EAX], eax

; return_to_user -- resume the program whose frame is at EBX, or whom trap_leave chooses. What is
; popped into segment registers was loaded by the program itself, or checked (process/tls.c).
return_to_user:
    cmp dword [trap_leave_work], 0
    jne .work
.resume:
    mov esp, ebx
    pop gs
    pop fs
    pop es
    pop ds
    popa
    add esp, VECTOR_AND_CODE
    iret
.work:
    mov eax, ebx
    call [trap_leave]
    mov ebx, eax
    jmp .resume
system_call_stub.refused:
    mov eax, ebx
    test dword [ebx + FRAME_EFLAGS], EFLAGS_VM
    jnz from_vm86
    xor eax, eax                          ; a number that is no call
    jmp system_call_stub.known

; trap_resume -- void trap_resume(struct trap_frame *frame): go on in FRAME; never returns
; IN   [esp+4] frame
trap_resume:
    mov ebx, [esp + 4]
    jmp return_to_user.resume

; page_fault_stub -- the same for vector 14, on the shortest way: page_fault_entry(frame, CR2).
; CR2 is read before anything that might fault in its turn.
align STUB_BYTES
page_fault_stub:
    clac
    push dword PAGE_FAULT
    pusha
    mov edx, cr2
    cld
    cmp esp, image_end
    ja page_fault_from_user
    sub esp, SEGMENT_BYTES
    mov eax, esp
    call page_fault_entry
page_fault_return:
    add esp, SEGMENT_BYTES
    popa
    add esp, VECTOR_AND_CODE
    iret

page_fault_from_user:
    enter_from_user
    mov eax, ebx
    test dword [ebx + FRAME_EFLAGS], EFLAGS_VM
    jnz from_vm86
    call page_fault_entry
    jmp return_to_user

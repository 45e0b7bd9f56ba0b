; SPDX-License-Identifier: MIT
;
; Layer 0. From GRUB to kernel_entry() in the higher half.
;
; The image is linked at KERNEL_BASE + its physical address, but until paging is on the CPU sees
; physical addresses: up to then every label is written as PHYS(label). Leaves what
; include/kernel/early.h promises. Runs on any 486: CPUID and CR4 are touched only where they are.
;
; With -DUNPAGED paging stays off: segments that begin at SEGMENT_BASE do the move to the higher
; half instead (arch/i386/cpu.h).

%define PHYS(label) ((label) - KERNEL_BASE)

MULTIBOOT2_MAGIC     equ 0xE85250D6      ; in the header
MULTIBOOT2_BOOTED    equ 0x36D76289      ; in EAX, from the loader
MULTIBOOT2_I386      equ 0
TAG_INFORMATION      equ 1
TAG_MODULE_ALIGNMENT equ 6
TAG_OPTIONAL         equ 1
INFORMATION_MEMORY   equ 6

ENTRY_PRESENT        equ 1 << 0          ; as arch/i386/pte.h
ENTRY_WRITABLE       equ 1 << 1
PAGE_BYTES           equ 4096
ENTRIES              equ 1024
ENTRY_BYTES          equ 4

KERNEL_SLOT          equ KERNEL_BASE >> 22
TEMP_SLOT            equ 1021            ; as include/mm/memlayout.h
WINDOW_SLOT          equ 1023

KERNEL_CODE          equ 0x08            ; as arch/i386/gdt.h
KERNEL_DATA          equ 0x10
%ifdef UNPAGED
SEGMENT_BASE         equ 0x40000000
%else
SEGMENT_BASE         equ 0
%endif

; CR0, whole: PE protected mode, MP and TS (an FPU instruction traps: nobody saves its registers),
; ET, NE (FPU errors as exceptions), WP (the kernel obeys read-only entries, too). CD and NW are 0:
; caches on.
CR0_PE               equ 1 << 0
CR0_MP               equ 1 << 1
CR0_TS               equ 1 << 3
CR0_ET               equ 1 << 4
CR0_NE               equ 1 << 5
CR0_WP               equ 1 << 16
CR0_PG               equ 1 << 31
CR0_UNPAGED          equ CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_NE | CR0_WP
CR0_PAGED            equ CR0_UNPAGED | CR0_PG

EFLAGS_ID            equ 1 << 21
; CPUID.1:EDX bits that come with a bit in CR4 (VME DE PSE TSC PAE MCE PGE FXSR): with none of
; them there is no CR4, and touching it is an invalid opcode.
CPUID_HAS_CR4        equ 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7 | 1 << 13 | 1 << 24
CPUID_HAS_TSC        equ 1 << 4           ; EDX of leaf 1, as in cpu.c

; Multiboot2 Specification 2.0, "OS image format". No framebuffer tag: with one, GRUB would leave a
; BIOS machine in a graphics mode. Where there is no text mode (UEFI), it warns that there will be
; no console, and then gives us a framebuffer all the same.
section .multiboot2 progbits alloc noexec nowrite align=8
multiboot2_header:
    dd MULTIBOOT2_MAGIC
    dd MULTIBOOT2_I386
    dd multiboot2_header_end - multiboot2_header
    dd -(MULTIBOOT2_MAGIC + MULTIBOOT2_I386 + (multiboot2_header_end - multiboot2_header))
    dw TAG_INFORMATION, TAG_OPTIONAL
    dd 12
    dd INFORMATION_MEMORY
    align 8, db 0
    dw TAG_MODULE_ALIGNMENT, TAG_OPTIONAL ; on page boundaries: they are mapped as they lie there
    dd 8
    dw 0, 0                              ; the end tag
    dd 8
multiboot2_header_end:

section .bss align=4096
global boot_directory, boot_image_table, boot_temp_table
boot_directory:   resd ENTRIES
boot_image_table: resd ENTRIES
boot_temp_table:  resd ENTRIES
global cpu_cycles_at_entry
cpu_cycles_at_entry: resd 2

section .data align=8
boot_gdt:
    dq 0
    dw 0xFFFF, 0                         ; code: 4 GiB from SEGMENT_BASE on
    db 0, 10011010b, 11001111b, SEGMENT_BASE >> 24
    dw 0xFFFF, 0                         ; data: the same
    db 0, 10010010b, 11001111b, SEGMENT_BASE >> 24
boot_gdt_end:
boot_gdt_pointer:
    dw boot_gdt_end - boot_gdt - 1
    dd PHYS(boot_gdt)

section .text
extern kernel_entry, stack_guard, stack_top

; boot_start -- where the loader jumps to: protected mode, paging and interrupts off
; IN    eax = magic, ebx = physical address of the boot information; everything else is unknown,
;       the other bits of CR0 and CR4 included: GRUB for UEFI leaves CR4 = 0x640
; OUT   kernel_entry(information), never returns
global boot_start
boot_start:
    cli
    cld
    mov esp, PHYS(stack_top)
    cmp eax, MULTIBOOT2_BOOTED
    jne refuse

    call clear_cr4
    lgdt [PHYS(boot_gdt_pointer)]

%ifdef UNPAGED
    mov eax, CR0_UNPAGED
%else
    call fill_boot_tables
    mov eax, PHYS(boot_directory)
    mov cr3, eax
    mov eax, CR0_PAGED
%endif
    ; The next instruction is fetched through slot 0, where virtual = physical; the far jump then
    ; goes to slot 768, onto the same bytes. (Unpaged: loading CS does the same by its base.)
    mov cr0, eax
    jmp KERNEL_CODE:higher_half

higher_half:
    mov ax, KERNEL_DATA
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov esp, stack_top
    xor ebp, ebp                         ; a backtrace ends where the saved EBP is 0
    push ebx
    call kernel_entry
.stop:
    hlt
    jmp .stop

; fill_boot_tables -- boot_image_table, boot_directory
; CLOBBERS eax, ecx, edi
fill_boot_tables:
    ; Physical 0-4 MiB, the image in the middle of it. All writable: rights come in layer 2.
    mov edi, PHYS(boot_image_table)
    mov eax, ENTRY_PRESENT | ENTRY_WRITABLE
    mov ecx, ENTRIES
.next:
    stosd
    add eax, PAGE_BYTES
    loop .next

    ; But for the page under the stack: an overflow is to fault from the first instruction on.
    mov eax, PHYS(stack_guard)
    shr eax, 12
    mov dword [PHYS(boot_image_table) + eax * ENTRY_BYTES], 0

    ; The same table twice: slot 0 for the few instructions around `mov cr0`, slot 768 for good.
    mov eax, PHYS(boot_image_table) + (ENTRY_PRESENT | ENTRY_WRITABLE)
    mov [PHYS(boot_directory) + 0 * ENTRY_BYTES], eax
    mov [PHYS(boot_directory) + KERNEL_SLOT * ENTRY_BYTES], eax

    mov eax, PHYS(boot_temp_table) + (ENTRY_PRESENT | ENTRY_WRITABLE)
    mov [PHYS(boot_directory) + TEMP_SLOT * ENTRY_BYTES], eax

    ; The first self-reference. People get stuck here: the directory is to be edited through the
    ; window, but there is no window before the directory holds the entry that makes it. The way
    ; out: paging is still off. The directory is plain memory at a physical address, and this is a
    ; plain store into it. An entry names a *physical* frame, so the directory's own physical
    ; address is all that is needed: entry 1023 of the frame says "the table for this slot is in
    ; the frame you are looking at". Once CR3 is loaded, the CPU looks for the table of slot 1023,
    ; finds the directory, and takes its 1024 entries for PTEs: the 1024 tables appear as pages
    ; from 0xFFC00000 on, and the directory as the last of them, at 0xFFFFF000.
    mov eax, PHYS(boot_directory) + (ENTRY_PRESENT | ENTRY_WRITABLE)
    mov [PHYS(boot_directory) + WINDOW_SLOT * ENTRY_BYTES], eax
    ret

; clear_cr4 -- CR4 = 0 where there is a CR4: no PAE, no PSE, no global pages yet; and note the time
; OUT   cpu_cycles_at_entry, 0 without a time-stamp counter
; SDM vol. 2A, "CPUID": the instruction is there if EFLAGS.ID can be changed
; CLOBBERS eax, ecx, edx
clear_cr4:
    pushfd
    pop eax
    mov ecx, eax
    xor eax, EFLAGS_ID
    push eax
    popfd
    pushfd
    pop eax
    push ecx
    popfd
    xor eax, ecx
    test eax, EFLAGS_ID
    jz .done
    push ebx
    xor eax, eax
    cpuid
    xor edx, edx
    test eax, eax                        ; the highest leaf: is there a leaf 1?
    jz .flags
    mov eax, 1
    cpuid
.flags:
    pop ebx
    test edx, CPUID_HAS_TSC
    jz .no_counter
    push edx
    rdtsc
    mov [PHYS(cpu_cycles_at_entry)], eax
    mov [PHYS(cpu_cycles_at_entry) + 4], edx
    pop edx
.no_counter:
    test edx, CPUID_HAS_CR4
    jz .done
    xor eax, eax
    mov cr4, eax
.done:
    ret

; ------------------------------------------------------------------------------------------------
; Refusal: paging is off, nothing is known about the machine, and the message must come out.

VGA_TEXT             equ 0xB8000         ; as include/mm/memlayout.h
VGA_RED              equ 0x4F00
COM1                 equ 0x3F8
UART_LINE_STATUS     equ COM1 + 5
UART_CAN_SEND        equ 1 << 5
FW_CFG_SELECT        equ 0x510
FW_CFG_DATA          equ 0x511
FW_CFG_SIGNATURE     equ 0
QEMU_DEBUG_EXIT      equ 0xF4
EXIT_FAIL            equ 0x21            ; as include/kernel/machine.h

; refuse -- not started by a multiboot2 loader: say so on screen and serial line, end
refuse:
    mov esi, PHYS(refusal)
    mov edi, VGA_TEXT
.next:
    lodsb
    test al, al
    jz .said
    cmp al, ' '
    jb .serial                           ; the line end is for the serial line only
    movzx ecx, al
    or ecx, VGA_RED
    mov [edi], cx
    add edi, 2
.serial:
    call serial_send
    jmp .next

    ; End QEMU, so that a test needs no time limit. The port is written only where QEMU's own
    ; configuration device answers.
.said:
    mov dx, FW_CFG_SELECT
    mov ax, FW_CFG_SIGNATURE
    out dx, ax
    mov dx, FW_CFG_DATA
    mov ecx, 4
.signature:
    in al, dx
    shl ebx, 8
    mov bl, al
    loop .signature
    cmp ebx, 'UMEQ'                      ; "QEMU", first byte highest
    jne .stop
    mov al, EXIT_FAIL
    out QEMU_DEBUG_EXIT, al
.stop:
    cli
    hlt
    jmp .stop

; serial_send -- AL to COM1, or nowhere after a while: the port may not exist
; CLOBBERS ah, ecx, edx
serial_send:
    mov ah, al
    mov ecx, 0x10000
    mov dx, UART_LINE_STATUS
.wait:
    in al, dx
    test al, UART_CAN_SEND
    loopz .wait
    mov dx, COM1
    mov al, ah
    out dx, al
    ret

section .rodata
refusal:
    db "Droste: not started by a multiboot2 boot loader (wrong magic in EAX); stopped.", 13, 10, 0

# SPDX-License-Identifier: MIT
#
# Host model. What arch/i386/probe.asm is for the kernel: one access that may fail, and the table
# that leads from it to its landing (include/kernel/fault.h). vaddr_t comes in EDI.

    .text
    .globl probe_read, probe_write, probe_read_access, probe_write_access

probe_read:
    movl %edi, %edi
    movabsq $ADDRESS_SPACE_BASE, %rax
    addq %rax, %rdi
probe_read_access:
    movl (%rdi), %edx
    movl %edx, (%rsi)
    xorl %eax, %eax
    ret

probe_write:
    movl %edi, %edi
    movabsq $ADDRESS_SPACE_BASE, %rax
    addq %rax, %rdi
probe_write_access:
    movl %esi, (%rdi)
    xorl %eax, %eax
probe_landing:
    ret

    .section .fixups, "a"
    .long probe_read_access, probe_landing
    .long probe_write_access, probe_landing
    .section .note.GNU-stack, "", @progbits

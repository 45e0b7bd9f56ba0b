# SPDX-License-Identifier: MIT
#
# Host model. What arch/i386/user_copy.asm is for the kernel: copies that may fail at a program's page
# (arch/i386/user_copy.h). In: RDI to, RSI from (or ESI bytes), EDX bytes.

    .text
    .globl user_copy, user_fill_zero

user_copy:
    movl %edx, %ecx
user_copy_bytes:
    rep movsb
    xorl %eax, %eax
    ret

user_fill_zero:
    movl %esi, %ecx
    xorl %eax, %eax
user_fill_bytes:
    rep stosb
    xorl %eax, %eax
user_landing:
    ret

    .section .fixups, "a"
    .long user_copy_bytes, user_landing
    .long user_fill_bytes, user_landing
    .section .note.GNU-stack, "", @progbits

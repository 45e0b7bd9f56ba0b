; SPDX-License-Identifier: MIT
; Layer 0. A multiboot1 header, linked into one test kernel only: a loader that finds it (QEMU's
; -kernel) starts the kernel with a magic that the kernel must refuse with a message.

MULTIBOOT1_MAGIC equ 0x1BADB002

section .multiboot1 align=4
    dd MULTIBOOT1_MAGIC
    dd 0                        ; no flags: nothing wanted
    dd -MULTIBOOT1_MAGIC        ; the three add up to zero

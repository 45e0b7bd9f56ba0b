/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: everything that names an address.
 *
 * The map of the address space, and the only home of literal addresses. Everything else is derived
 * from these constants, and every boundary is asserted below.
 *
 *  slot   address       what                                                rights
 *        +-----------+
 *  1023  |0xFFC00000 | the window: every table of the current space,        kernel, own tables
 *        |           | as an array of 2^20 PTEs; the last page,             writable, shared ones
 *        |0xFFFFF000 | 0xFFFFF000, is the directory itself                  read-only
 *        +-----------+
 *  1022  |0xFF800000 | alternate window: one foreign space's tables         kernel
 *        +-----------+
 *  1021  |0xFF400000 | temporary mappings, a few fixed pages;               kernel rw
 *        |           | one holds the IDT, the GDT and the TSSs
 *        +-----------+
 *   960  |0xF0000000 | device mappings (framebuffer, ACPI, MMIO)            kernel rw
 *        +-----------+
 *   896  |0xE0000000 | kernel heap: 256 MiB of room, first and last         kernel rw, a promise
 *        |           | page unmapped as guards
 *        +-----------+
 *   832  |0xD0000000 | directories: one page per possible space,            kernel rw, a promise
 *        |           | 65,536 x 4 KiB = 256 MiB
 *        +-----------+
 *   808  |0xCA000000 | (unmapped: room for later arrays)
 *        +-----------+
 *   800  |0xC8000000 | process records, 65,536 x 512 bytes = 32 MiB         kernel rw, a promise
 *        +-----------+
 *   796  |0xC7000000 | (unmapped: guard)
 *        +-----------+
 *   772  |0xC1000000 | region nodes, 2^21 x 48 bytes = 96 MiB               kernel rw, a promise
 *        +-----------+
 *   769  |0xC0400000 | frame table and frame bitmap, as large as the RAM    kernel rw
 *        |           | asks for, at most 12 MiB; unmapped above
 *        +-----------+
 *   768  |0xC0000000 | kernel image at its physical address + 3 GiB:        text r-x, rodata r,
 *        |           | 0xC00B8000 VGA text, 0xC0100000 the image            data rw, rest unmapped
 *        +-----------+
 *   767  |0xBFFFF000 | (unmapped: guard above the first stack of a program)
 *     0  |0x00000000 | programs; the first page is never mapped             user
 *        +-----------+
 */
#ifndef MM_MEMLAYOUT_H
#define MM_MEMLAYOUT_H

#include <kernel/types.h>

#define KERNEL_BASE         0xC0000000u /* user space ends here; image = physical + KERNEL_BASE */
#define KERNEL_LOAD_ADDRESS 0x100000u   /* physical; linker.ld and GRUB agree on it */
#define USER_FIRST_ADDRESS  0x1000u     /* below it nothing is ever mapped: null pointers fault */
#define USER_STACK_TOP      0xBFFFF000u /* the first stack ends here; an unmapped page above it */
#define USER_ROOM_BASE      0x40000000u /* mmap without a wish looks from here on, */
#define USER_ROOM_END       0xB8000000u /* and up to here: above is room for the first stack */
#define USER_DYNAMIC_BASE   0x00400000u /* where a program begins that may begin anywhere */

#define VGA_TEXT_PHYSICAL 0xB8000u
#define VGA_TEXT_BYTES    0x8000u

#define FRAME_TABLE_BASE       0xC0400000u
#define FRAME_TABLE_ROOM_BYTES 0x00C00000u

#define REGION_NODES_BASE       0xC1000000u
#define REGION_NODE_BYTES       48u
#define REGION_NODES_COUNT      0x200000u
#define REGION_NODES_ROOM_BYTES (REGION_NODES_COUNT * REGION_NODE_BYTES)

#define PROCESS_RECORDS_BASE       0xC8000000u
#define PROCESS_RECORD_BYTES       512u
#define PROCESS_RECORDS_COUNT      65536u
#define PROCESS_RECORDS_ROOM_BYTES (PROCESS_RECORDS_COUNT * PROCESS_RECORD_BYTES)

#define DIRECTORIES_BASE       0xD0000000u
#define DIRECTORIES_COUNT      65536u
#define DIRECTORIES_ROOM_BYTES (DIRECTORIES_COUNT * PAGE_BYTES)

#define HEAP_BASE       0xE0000000u
#define HEAP_ROOM_BYTES 0x10000000u

#define DEVICE_BASE       0xF0000000u
#define DEVICE_ROOM_BYTES (TEMP_BASE - DEVICE_BASE)

#define TEMP_BASE        0xFF400000u
#define ALT_WINDOW_BASE  0xFF800000u
#define WINDOW_BASE      0xFFC00000u
#define WINDOW_DIRECTORY 0xFFFFF000u /* window page of slot 1023: the directory itself */

#define KERNEL_FIRST_SLOT       (KERNEL_BASE >> SLOT_SHIFT)
#define KERNEL_LAST_SHARED_SLOT 1021u /* the last one that is equal in every directory */
#define TEMP_SLOT               1021u
#define ALT_WINDOW_SLOT         1022u
#define WINDOW_SLOT             1023u

/*
 * The pages of the temporary slot, by number. The fault path (layers 2 and 3) has pages of its
 * own, since it may interrupt any other user of a temporary page. One CPU, so one set.
 */
enum temp_page {
    TEMP_FAULT_FRAME, /* the new frame, while a fault fills it */
    TEMP_FAULT_SOURCE,
    TEMP_FAULT_TABLE,     /* a table being filled before it is linked */
    TEMP_FAULT_OLD_TABLE, /* the shared table that is being copied */
    TEMP_TABLE,           /* paging: a new table, or one being torn down */
    TEMP_FRAME,           /* anyone's: zero a frame, look into one */
    TEMP_SENDFILE,        /* what sendfile() reads, while the other file uses TEMP_FRAME */
    TEMP_REPORT,          /* panic report and prompt: walk what is there */
    TEMP_LEDGER_OLD,      /* checked builds: what an entry led to, and leads to now */
    TEMP_LEDGER_NEW,
    TEMP_BLOCK_TO, /* device/: a request's data, in and out */
    TEMP_BLOCK_FROM,
    TEMP_VIEW,             /* a table of a space without a directory (mm/space_fold.c) */
    TEMP_CPU_TABLES,       /* IDT, GDT, TSSs: always there, where the CPU looks for them */
    TEMP_BOOT_WINDOW = 64, /* 64..: the loader's information block, at boot only */
    TEMP_BOOT_WINDOW_PAGES = 256,
};

#define TEMP_PAGE_ADDRESS(number) (TEMP_BASE + (uint32_t)(number)*PAGE_BYTES)

/* Each neighbour begins where the one below ends, or above it with unmapped pages between. */
_Static_assert(USER_STACK_TOP + PAGE_BYTES == KERNEL_BASE, "a guard above the first stack");
_Static_assert(USER_DYNAMIC_BASE % SLOT_BYTES == 0, "any alignment that a file may ask for");
_Static_assert(KERNEL_BASE + SLOT_BYTES == FRAME_TABLE_BASE, "the image has slot 768");
_Static_assert(FRAME_TABLE_BASE + FRAME_TABLE_ROOM_BYTES == REGION_NODES_BASE, "frame table room");
_Static_assert(FRAME_TABLE_ROOM_BYTES > 0x100000u * 8u + 0x100000u / 8u + PAGE_BYTES,
               "2^20 frames, 8 bytes and a bit each, and a guard page");
_Static_assert(REGION_NODES_BASE + REGION_NODES_ROOM_BYTES + SLOT_BYTES <= PROCESS_RECORDS_BASE,
               "a guard between region nodes and process records");
_Static_assert(PROCESS_RECORDS_BASE + PROCESS_RECORDS_ROOM_BYTES + SLOT_BYTES <= DIRECTORIES_BASE,
               "a guard between process records and directories");
_Static_assert(DIRECTORIES_BASE + DIRECTORIES_ROOM_BYTES == HEAP_BASE, "directories fill 256 MiB");
_Static_assert(HEAP_BASE + HEAP_ROOM_BYTES == DEVICE_BASE, "the heap's guards are its own");
_Static_assert(TEMP_BASE == TEMP_SLOT << SLOT_SHIFT && TEMP_BASE > DEVICE_BASE, "temporary slot");
_Static_assert(ALT_WINDOW_BASE == ALT_WINDOW_SLOT << SLOT_SHIFT, "alternate window");
_Static_assert(WINDOW_BASE == WINDOW_SLOT << SLOT_SHIFT, "window");
_Static_assert(WINDOW_DIRECTORY == WINDOW_BASE + WINDOW_SLOT * PAGE_BYTES,
               "seen through itself twice, the directory is the window page of its own slot");
_Static_assert((FRAME_TABLE_BASE | REGION_NODES_BASE | PROCESS_RECORDS_BASE | DIRECTORIES_BASE |
                HEAP_BASE | DEVICE_BASE) %
                       SLOT_BYTES ==
                   0,
               "promises are made slot by slot");

#endif

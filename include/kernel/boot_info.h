/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types, kerr. Used by: main, layers 1, 2 and 6, file/modules.c, program/init.c.
 *
 * What the boot loader said, checked and copied into the kernel's own memory: nothing here points
 * into memory that the loader owns.
 */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include <kernel/kerr.h>

enum {
    BOOT_MEMORY_RANGES_MAX = 128,
    BOOT_MODULES_MAX = 64,
    BOOT_COMMAND_LINE_BYTES = 512,
    BOOT_MODULE_NAME_BYTES = 128,
};

/* The types of multiboot2's memory map; every other number means "do not touch". */
enum memory_type { MEMORY_AVAILABLE = 1 };

struct memory_range {
    uint64_t base;  /* bytes, any alignment */
    uint64_t bytes; /* may be zero, may reach beyond 4 GiB, may overlap others: firmware lies */
    uint32_t type;  /* enum memory_type, or another number */
};

struct boot_module {
    paddr_t start;
    uint32_t bytes;
    char name[BOOT_MODULE_NAME_BYTES]; /* the module string of grub.cfg, cut if longer */
};

struct boot_framebuffer {
    uint64_t address;
    uint32_t pitch_bytes, width, height;
    uint8_t bits_per_pixel;
    uint8_t type; /* 1 = RGB, 2 = text; 0 = the loader named none */
    uint8_t red_position, red_bits, green_position, green_bits, blue_position, blue_bits;
};

struct boot_info {
    struct memory_range memory[BOOT_MEMORY_RANGES_MAX];
    uint32_t memory_count;
    struct boot_module modules[BOOT_MODULES_MAX];
    uint32_t module_count;
    char command_line[BOOT_COMMAND_LINE_BYTES];
    char loader_name[BOOT_MODULE_NAME_BYTES];
    struct boot_framebuffer framebuffer;
    paddr_t information_start; /* the loader's block itself, kept reserved */
    uint32_t information_bytes;
};

/*
 * Read the multiboot2 information block BLOCK of BYTES bytes (which lay at START) into *INFO.
 * Never reads outside the block. Unknown tags are skipped; lists that are longer than the arrays
 * above are cut, texts behind the last word that is whole, and printk says so.
 *   returns KERR_OK; KERR_BAD_VALUE for a block that is not well-formed; KERR_NOT_FOUND when it
 *   has no memory map
 *   source: Multiboot2 Specification 2.0, "Boot information"
 */
kerr_t boot_info_parse(const void *block, uint32_t bytes, paddr_t start, struct boot_info *info);

/*
 * The file that MODULE came from, by its string: the last part of the path that is its first word,
 * LENGTH characters ("bin/hello one" -> "hello"). 0: the string says nothing.
 */
const char *boot_module_file(const struct boot_module *module, size_t *length);

/* The first module of INFO that came from a file of this NAME; NULL: there is none. */
const struct boot_module *boot_module_find(const struct boot_info *info, const char *name);

/* The one that main() filled at boot. */
extern struct boot_info boot_info;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Private to program/elf.c and program/exec.c.
 *
 * ELF files, read from the frames of a module. Nothing in a file is believed: every number is
 * compared with what it may be first, by subtraction, so that nothing can wrap.
 */
#ifndef PROGRAM_ELF_H
#define PROGRAM_ELF_H

#include <mm/object.h>
#include <process/memory.h>

/* An open file: its pages, its length, the name of its regions (lives for good), its path for people. */
struct program_file {
    struct object *object;
    uint32_t bytes;
    const char *name;
    const char *path;
};

/* Source: System V ABI, "ELF Header" and "Program Header"; its i386 supplement. */
struct elf_header {
    uint8_t identification[16];
    uint16_t type, machine;
    uint32_t version, entry, program_headers, section_headers, flags;
    uint16_t header_bytes, program_header_bytes, program_header_count;
    uint16_t section_header_bytes, section_header_count, names_section;
};

struct elf_program_header {
    uint32_t type, offset, address, physical_address, file_bytes, memory_bytes, flags, alignment;
};

/* As Linux: the table of program headers is at most a page. */
enum { ELF_PROGRAM_HEADERS_MAX = PAGE_BYTES / sizeof(struct elf_program_header) };

/* What is known of a file once it is found good. */
struct elf_image {
    uint32_t bias;           /* what is added to the file's addresses: 0 but for ET_DYN */
    uint32_t entry;          /* with the bias, like all below */
    uint32_t headers;        /* where the program sees its program headers; 0: nowhere */
    uint32_t end;            /* first byte behind the last segment */
    uint32_t header_count;   /* of program headers, for the program */
    uint32_t writable_pages; /* of its segments: what RLIMIT_DATA is about */
    uint32_t count;          /* of `segments`: those to be mapped */
    struct elf_program_header segments[ELF_PROGRAM_HEADERS_MAX];
};

/*
 * BYTES bytes of FILE from OFFSET on, into the kernel's TO.
 *   returns KERR_OK, KERR_BAD_RANGE (the file is shorter), and as object_frame()
 */
kerr_t program_file_read(const struct program_file *file, uint32_t offset, void *to,
                         uint32_t bytes);

/*
 * Read and check FILE's headers. Returns 0, -ENOEXEC, -EINVAL (segments that make no sense). *ERROR is
 * KERR_OK; or why the file can't be read now, and what is returned means nothing.
 */
int32_t elf_read(const struct program_file *file, struct elf_image *image, enum kerr *error);

/*
 * Map the segments of IMAGE into MEMORY, empty and loaded, and clear what is to be zero. Where
 * segments overlap, the later one has the pages.
 *   returns KERR_OK, KERR_NO_MEMORY; KERR_NO_ROOM (the account of promises refuses);
 *   KERR_BAD_ACCESS (a page to be cleared is not in the file)
 */
kerr_t elf_map(const struct program_file *file, const struct elf_image *image,
               struct memory *memory);

#endif

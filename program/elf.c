/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. ELF files: static programs for i386, ET_EXEC, and ET_DYN without an interpreter.
 *
 * Segments are mapped straight onto the frames of the module: private, so that a write copies one
 * page. What lies behind the file's part of a segment is a promise; only the rest of the last file
 * page is cleared by hand, in a copy of the page.
 *
 * Differences from Linux: a file with a segment that makes no sense is refused before anything is
 * changed, where Linux often ends the process; dynamic programs (PT_INTERP) are refused; ET_DYN is
 * not put at random places.
 */
#include <arch/i386/entry.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <process/commit.h>
#include <process/errno.h>
#include <process/user.h>
#include <program/elf.h>

enum {
    ELF_CLASS = 4, /* indices of the identification */
    ELF_DATA = 5,
    CLASS_32 = 1,
    DATA_LITTLE_ENDIAN = 1,
    TYPE_EXECUTABLE = 2,
    TYPE_DYNAMIC = 3,
    MACHINE_386 = 3,
    MACHINE_486 = 6,
    SEGMENT_LOAD = 1,
    SEGMENT_INTERPRETER = 3,
    SEGMENT_EXECUTE = 1,
    SEGMENT_WRITE = 2,
    SEGMENT_READ = 4,
};

_Static_assert(sizeof(struct elf_header) == 52, "as the ABI has it");
_Static_assert(sizeof(struct elf_program_header) == 32, "as the ABI has it");

static uint32_t pages_of(uint32_t bytes)
{
    return bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
}

/* ---- reading ---- */

enum kerr program_file_read(const struct program_file *file, uint32_t offset, void *to,
                            uint32_t bytes)
{
    uint8_t *target = to;

    if (offset > file->bytes || bytes > file->bytes - offset)
        return KERR_BAD_RANGE;
    while (bytes > 0) {
        uint32_t in_page = offset % PAGE_BYTES;
        uint32_t part = bytes < PAGE_BYTES - in_page ? bytes : PAGE_BYTES - in_page;
        frame_t frame;
        enum kerr error = object_frame(file->object, offset / PAGE_BYTES, &frame);

        if (error != KERR_OK)
            return error;
        const uint8_t *page = temp_map(TEMP_FRAME, frame);
        memcpy(target, page + in_page, part);
        temp_unmap(TEMP_FRAME);
        target += part;
        offset += part;
        bytes -= part;
    }
    return KERR_OK;
}

/* ---- checking ---- */

static bool header_is_right(const struct elf_header *header)
{
    return memcmp(header->identification, "\177ELF", 4) == 0 &&
           header->identification[ELF_CLASS] == CLASS_32 &&
           header->identification[ELF_DATA] == DATA_LITTLE_ENDIAN &&
           (header->type == TYPE_EXECUTABLE || header->type == TYPE_DYNAMIC) &&
           (header->machine == MACHINE_386 || header->machine == MACHINE_486) &&
           header->program_header_bytes == sizeof(struct elf_program_header) &&
           header->program_header_count >= 1 &&
           header->program_header_count <= ELF_PROGRAM_HEADERS_MAX;
}

/* SEGMENT, with the bias in its address, lies in the lower half; its file pages are whole. */
static bool segment_is_right(const struct elf_program_header *segment)
{
    return segment->file_bytes <= segment->memory_bytes &&
           segment->offset <= UINT32_MAX - segment->file_bytes &&
           (segment->file_bytes == 0 || (segment->offset - segment->address) % PAGE_BYTES == 0) &&
           segment->address >= USER_FIRST_ADDRESS && segment->address < KERNEL_BASE &&
           segment->memory_bytes <= KERNEL_BASE - segment->address;
}

static void say_once_that_dynamic_programs_are_refused(const struct program_file *file)
{
    static bool said;

    if (!said)
        printk("%s is a dynamic program (it names an interpreter): only static ones run here\n",
               file->path);
    said = true;
}

/* Keep of the program headers, which are in IMAGE, those of segments that are to be mapped. */
static int32_t check_segments(const struct program_file *file, const struct elf_header *header,
                              struct elf_image *image)
{
    for (uint32_t i = 0; i < header->program_header_count; i++) {
        struct elf_program_header segment = image->segments[i];

        if (segment.type == SEGMENT_INTERPRETER) {
            say_once_that_dynamic_programs_are_refused(file);
            return -ENOEXEC;
        }
        if (segment.type != SEGMENT_LOAD || segment.memory_bytes + segment.file_bytes == 0)
            continue;
        if (segment.address > UINT32_MAX - image->bias)
            return -EINVAL;
        segment.address += image->bias;
        if (!segment_is_right(&segment))
            return -EINVAL;
        uint32_t end = segment.address + segment.memory_bytes;
        if (end > image->end)
            image->end = end;
        if (segment.flags & SEGMENT_WRITE)
            image->writable_pages += pages_of(segment.address % PAGE_BYTES + segment.memory_bytes);
        if (header->program_headers >= segment.offset &&
            header->program_headers - segment.offset < segment.file_bytes)
            image->headers = segment.address + (header->program_headers - segment.offset);
        image->segments[image->count++] = segment;
    }
    return image->count > 0 ? 0 : -ENOEXEC;
}

int32_t elf_read(const struct program_file *file, struct elf_image *image, enum kerr *error)
{
    struct elf_header header;

    *error = program_file_read(file, 0, &header, sizeof(header));
    if (*error == KERR_OK && header_is_right(&header))
        *error =
            program_file_read(file, header.program_headers, image->segments,
                              header.program_header_count * (uint32_t)sizeof(image->segments[0]));
    else if (*error == KERR_OK)
        return -ENOEXEC;
    if (*error == KERR_BAD_RANGE) { /* it is too short */
        *error = KERR_OK;
        return -ENOEXEC;
    }
    if (*error != KERR_OK)
        return -ENOEXEC;
    image->bias = header.type == TYPE_DYNAMIC ? USER_DYNAMIC_BASE : 0;
    image->entry = header.entry + image->bias;
    image->headers = image->end = image->writable_pages = image->count = 0;
    image->header_count = header.program_header_count;
    if (image->entry >= KERNEL_BASE)
        return -EINVAL;
    return check_segments(file, &header, image);
}

/* ---- mapping ---- */

static enum rights segment_rights(const struct elf_program_header *segment)
{
    uint32_t rights = RIGHTS_NONE;

    if (segment->flags & SEGMENT_READ)
        rights |= RIGHTS_READ;
    if (segment->flags & SEGMENT_WRITE)
        rights |= RIGHTS_READ_WRITE;
    if (segment->flags & SEGMENT_EXECUTE)
        rights |= RIGHTS_READ | RIGHTS_EXECUTE; /* without PAE what runs can be read */
    return (enum rights)rights;
}

/* As vma_map_at(), but what is there gives way, and the account of promises is asked. */
static enum kerr map_over(struct memory *memory, vaddr_t first, uint32_t pages,
                          const struct vma_wish *wish)
{
    struct space *space = &memory->space;
    uint32_t first_page = first.v >> PAGE_SHIFT;
    uint32_t charged = wish->flags & VMA_CHARGED ? pages : 0;

    if (pages == 0)
        return KERR_OK;
    if (!commit_allows(memory, charged, first_page, first_page + pages - 1))
        return KERR_NO_ROOM;
    enum kerr error = vma_map_at(space, first, pages, wish);
    if (error == KERR_EXISTS) {
        error = vma_release(space, first, pages);
        if (error == KERR_OK)
            error = vma_map_at(space, first, pages, wish);
    }
    commit_follow(memory);
    return error;
}

static enum kerr map_segment(const struct program_file *file,
                             const struct elf_program_header *segment, struct memory *memory)
{
    vaddr_t first = vaddr_to_page(VADDR(segment->address));
    uint32_t in_page = segment->address - first.v;
    uint32_t pages = pages_of(in_page + segment->memory_bytes);
    uint32_t file_pages = segment->file_bytes == 0 ? 0 : pages_of(in_page + segment->file_bytes);
    uint32_t file_end = segment->address + segment->file_bytes;
    bool has_tail =
        file_pages > 0 && segment->memory_bytes > segment->file_bytes && file_end % PAGE_BYTES != 0;
    enum rights rights = segment_rights(segment);
    struct vma_wish wish = {.rights = rights, .name = memory_anonymous_name};

    if (rights & RIGHTS_WRITE)
        wish.flags = VMA_CHARGED;
    enum kerr error =
        map_over(memory, vaddr_add(first, file_pages * PAGE_BYTES), pages - file_pages, &wish);
    if (error != KERR_OK)
        return error;
    wish.name = file->name;
    wish.object = file->object;
    wish.object_page = segment->offset / PAGE_BYTES;
    if (has_tail) { /* a page of it is written, whatever the program may do */
        wish.flags = VMA_CHARGED;
        wish.rights |= RIGHTS_READ_WRITE;
    }
    error = map_over(memory, first, file_pages, &wish);
    if (error != KERR_OK || !has_tail)
        return error;
    error = user_clear(file_end, PAGE_BYTES - file_end % PAGE_BYTES);
    if (error != KERR_OK || wish.rights == rights)
        return error;
    return vma_protect(&memory->space, first, file_pages, rights);
}

enum kerr elf_map(const struct program_file *file, const struct elf_image *image,
                  struct memory *memory)
{
    for (uint32_t i = 0; i < image->count; i++) {
        enum kerr error = map_segment(file, &image->segments[i], memory);

        if (error != KERR_OK)
            return error;
    }
    return KERR_OK;
}

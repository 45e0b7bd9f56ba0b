/* SPDX-License-Identifier: MIT */
/*
 * Host test, for libFuzzer: ELF files. Whatever a file says, it is refused, or mapped below the
 * kernel as far as it goes; the file itself stays what it was, and every frame comes back.
 *
 * program/elf.c is a part of this file, as the host build ends with layer 5: what it needs of layer
 * 6 is below.
 */
#include <mm/frame.h>
#include <mm/space.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit.h"
#include "machine.h"

#include "../../program/elf.c"

enum { FILE_BYTES_MAX = 4 * PAGE_BYTES, RAM_BYTES = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

const char memory_anonymous_name[] = "";
struct commit_account commit_account = {.mode = OVERCOMMIT_ALWAYS, .single_max = UINT32_MAX};

#define must(condition) must_be(condition, #condition, __LINE__)
static void must_be(bool condition, const char *text, int line)
{
    if (condition)
        return;
    fprintf(stderr, "line %d: not true: %s\n", line, text);
    abort();
}

bool commit_allows_exactly(struct memory *memory, uint32_t charged, uint32_t first_page,
                           uint32_t last_page)
{
    (void)memory, (void)charged, (void)first_page, (void)last_page;
    abort();
}

bool commit_allows_room_exactly(struct memory *memory, uint32_t charged, uint32_t pages)
{
    (void)memory, (void)charged, (void)pages;
    abort();
}

void commit_follow_exactly(struct memory *memory)
{
    (void)memory;
    abort();
}

enum kerr user_clear(uint32_t to, uint32_t bytes)
{
    must(to % PAGE_BYTES + bytes <= PAGE_BYTES && to < KERNEL_BASE);
    enum kerr error = vma_error_of(vma_touch(VADDR(to), ACCESS_WRITE, MODE_USER));
    if (error == KERR_OK)
        memset(vaddr_to_pointer(VADDR(to)), 0, bytes);
    return error;
}

/* ---- a file as the boot loader leaves it ---- */

static uint32_t word_of(const uint8_t *data, uint32_t bytes, uint32_t offset)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < sizeof(word) && offset + i < bytes; i++)
        word |= (uint32_t)data[offset + i] << 8 * i;
    return word;
}

static frame_t make_file(const uint8_t *data, uint32_t bytes, struct program_file *file)
{
    uint32_t pages = bytes == 0 ? 1 : pages_of(bytes);
    frame_t first;
    must(frame_alloc_run(&frame_pool, FRAME_FILE, pages, 1, 0, &first) == KERR_OK);
    for (uint32_t offset = 0; offset < pages * PAGE_BYTES; offset += sizeof(uint32_t))
        machine_frame_write(FRAME(first.n + offset / PAGE_BYTES), offset % PAGE_BYTES / 4,
                            word_of(data, bytes, offset));
    *file = (struct program_file){.bytes = bytes, .name = "fuzz", .path = "fuzz"};
    must(object_create_file(first, pages, &file->object) == KERR_OK);
    return first;
}

static void check_file(frame_t first, const uint8_t *data, uint32_t bytes)
{
    for (uint32_t offset = 0; offset < bytes; offset += sizeof(uint32_t))
        must(machine_frame(FRAME(first.n + offset / PAGE_BYTES))[offset % PAGE_BYTES / 4] ==
             word_of(data, bytes, offset));
}

/* ---- what was accepted ---- */

static void check_image(const struct elf_image *image)
{
    must(image->count > 0 && image->count <= ELF_PROGRAM_HEADERS_MAX &&
         image->header_count <= ELF_PROGRAM_HEADERS_MAX);
    must(image->entry < KERNEL_BASE && image->end <= KERNEL_BASE);
    for (uint32_t i = 0; i < image->count; i++) {
        const struct elf_program_header *segment = &image->segments[i];
        uint64_t end = (uint64_t)segment->address + segment->memory_bytes;
        must(segment->address >= USER_FIRST_ADDRESS && end <= image->end);
        must(segment->file_bytes <= segment->memory_bytes);
    }
}

/* Every page of a segment is in a region, and can be touched as its rights say. */
static void check_memory(const struct elf_image *image, const struct space *space)
{
    must(vma_check(space) == NULL);
    for (uint32_t i = 0; i < image->count; i++) {
        const struct elf_program_header *segment = &image->segments[i];
        vaddr_t ends[] = {VADDR(segment->address),
                          VADDR(segment->address + segment->memory_bytes - 1)};
        for (unsigned n = 0; n < 2; n++) {
            const struct vma *region = vma_find(space, ends[n]);
            must(region != NULL);
            enum access access = region->rights & RIGHTS_WRITE ? ACCESS_WRITE : ACCESS_READ;
            enum fault_result result = vma_touch(ends[n], access, MODE_USER);
            must(result != FAULT_BAD_ACCESS || (region->rights & RIGHTS_READ) == 0);
        }
    }
}

static void execute(const struct program_file *file)
{
    static struct elf_image image;
    static struct memory memory;
    enum kerr read_error;
    int32_t result = elf_read(file, &image, &read_error);
    must(read_error == KERR_OK);
    must(result == 0 || result == -ENOEXEC || result == -EINVAL);
    if (result != 0)
        return;
    check_image(&image);
    memory = (struct memory){.references = 1};
    must(space_create(&memory.space, RIGHTS_USER) == KERR_OK);
    space_switch(&memory.space);
    enum kerr error = elf_map(file, &image, &memory);
    if (error == KERR_OK)
        check_memory(&image, &memory.space);
    must(error == KERR_OK || error == KERR_BAD_ACCESS || error == KERR_NO_MEMORY);
    space_switch(&boot_space);
    space_destroy(&memory.space);
    commit_set(&memory, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_booted;
    if (!is_booted) {
        struct machine_options options = {RAM_BYTES, .pse = true, .pge = true};
        struct boot_info boot;
        machine_boot_info(RAM_BYTES, &boot);
        must(machine_boot(&options, &boot) == KERR_OK);
        machine_set_output(OUTPUT_HIDDEN);
        fault_allow_lower_half(true);
        /* Tables of the kernel's arrays that are made once and stay. */
        struct space space;
        must(space_create(&space, RIGHTS_USER) == KERR_OK);
        space_destroy(&space);
        is_booted = true;
    }
    uint32_t bytes = size < FILE_BYTES_MAX ? (uint32_t)size : FILE_BYTES_MAX;
    vma_trim();
    uint32_t free_before = frame_available(&frame_pool);
    struct program_file file;
    frame_t first = make_file(data, bytes, &file);
    execute(&file);
    check_file(first, data, bytes);
    object_put(file.object);
    vma_trim();
    must(frame_available(&frame_pool) == free_before);
    return 0;
}

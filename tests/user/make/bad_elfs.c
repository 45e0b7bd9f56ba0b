/* SPDX-License-Identifier: MIT */
/*
 * Makes the files of tests/user/bad_elfs.h: bad_elfs DIRECTORY. Runs on the host.
 *
 * Each is the good file with one lie. The good one is a page of headers and code, which is mapped
 * at BASE and ends with status 42.
 */
#include "../bad_elfs.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BASE = 0x08048000, PAGE = 4096, CODE = 0x800, OTHER_CODE = 0x900, ROOM = 4 * PAGE };

struct file {
    Elf32_Ehdr *header;
    Elf32_Phdr *segment; /* the first of the table */
    uint8_t bytes[ROOM];
    uint32_t length;
};

/* exit(STATUS); the word that is read first decides which kind of death comes before it. */
static void put_code(struct file *file, uint32_t at, uint32_t reads, uint8_t status)
{
    uint8_t code[] = {0xA1, 0,      0, 0, 0, /* mov eax, [reads] */
                      0xB8, 1,      0, 0, 0, /* mov eax, 1 */
                      0xBB, status, 0, 0, 0, /* mov ebx, status */
                      0xCD, 0x80};           /* int 0x80 */
    uint8_t *from = code;
    size_t count = sizeof(code);

    memcpy(code + 1, &reads, sizeof(reads));
    if (reads == 0) {
        from += 5;
        count -= 5;
    }
    memcpy(file->bytes + at, from, count);
}

static struct file *good_file(void)
{
    static struct file file;

    memset(&file, 0, sizeof(file));
    file.header = (Elf32_Ehdr *)file.bytes;
    file.segment = (Elf32_Phdr *)(file.bytes + sizeof(Elf32_Ehdr));
    file.length = PAGE;
    *file.header = (Elf32_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_386,
        .e_version = EV_CURRENT,
        .e_entry = BASE + CODE,
        .e_phoff = sizeof(Elf32_Ehdr),
        .e_ehsize = sizeof(Elf32_Ehdr),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 1,
    };
    file.segment[0] = (Elf32_Phdr){
        .p_type = PT_LOAD,
        .p_vaddr = BASE,
        .p_filesz = PAGE,
        .p_memsz = PAGE,
        .p_flags = PF_R | PF_X,
        .p_align = PAGE,
    };
    put_code(&file, CODE, 0, 42);
    put_code(&file, OTHER_CODE, 0, 43);
    return &file;
}

static void text_file(struct file *file, const char *text)
{
    memset(file->bytes, 0, sizeof(file->bytes));
    strcpy((char *)file->bytes, text);
    file->length = (uint32_t)strlen(text);
}

/* A second segment like the first. */
static Elf32_Phdr *add_segment(struct file *file)
{
    file->segment[file->header->e_phnum] = file->segment[0];
    return &file->segment[file->header->e_phnum++];
}

static void random_segments(struct file *file, unsigned seed)
{
    static const uint32_t interesting[] = {0,          1,          PAGE - 1,   PAGE,
                                           BASE,       0xBFFFF000, 0xBFFFFFFF, 0xC0000000,
                                           0xC0100000, 0xFFC00000, 0xFFFFF000, 0xFFFFFFFF};
    srand(seed);
    file->header->e_phnum = (uint16_t)(1 + rand() % 40);
    for (unsigned i = 0; i < file->header->e_phnum; i++) {
        uint32_t *word = (uint32_t *)&file->segment[i];
        for (unsigned n = 1; n < sizeof(Elf32_Phdr) / 4; n++)
            word[n] = rand() % 2 ? interesting[(unsigned)rand() % 12]
                                 : (uint32_t)rand() << rand() % 20 & ~(uint32_t)(PAGE - 1);
        file->segment[i].p_type = PT_LOAD;
    }
}

/* ---- the lies, one function each ---- */

#define MAKE(name) static void make_##name(struct file *file)
#define HEADER     file->header
#define SEGMENT    file->segment

MAKE(good)
{
    (void)file;
}
MAKE(empty)
{
    file->length = 0;
}
MAKE(one_byte)
{
    file->length = 1;
}
MAKE(magic_only)
{
    file->length = 4;
}
MAKE(header_cut)
{
    file->length = sizeof(Elf32_Ehdr) - 1;
}
MAKE(wrong_magic)
{
    HEADER->e_ident[3] = 'G';
}
MAKE(wrong_class)
{
    HEADER->e_ident[EI_CLASS] = ELFCLASS64;
}
MAKE(wrong_data)
{
    HEADER->e_ident[EI_DATA] = ELFDATA2MSB;
}
MAKE(wrong_machine)
{
    HEADER->e_machine = EM_ARM;
}
MAKE(wrong_type)
{
    HEADER->e_type = ET_REL;
}
MAKE(entry_size_small)
{
    HEADER->e_phentsize--;
}
MAKE(entry_size_large)
{
    HEADER->e_phentsize++;
}
MAKE(no_headers)
{
    HEADER->e_phnum = 0;
}
MAKE(many_headers)
{
    HEADER->e_phnum = 129;
    file->length = ROOM;
}
MAKE(most_headers)
{
    HEADER->e_phnum = 65535;
}
MAKE(full_page_of_headers)
{
    HEADER->e_phoff = PAGE;
    HEADER->e_phnum = 128;
    file->length = 2 * PAGE;
    for (unsigned i = 0; i < 128; i++)
        memcpy(file->bytes + PAGE + i * sizeof(Elf32_Phdr), SEGMENT, sizeof(Elf32_Phdr));
}
MAKE(headers_beyond)
{
    HEADER->e_phoff = PAGE;
}
MAKE(headers_cut)
{
    HEADER->e_phoff = PAGE - sizeof(Elf32_Phdr) + 1;
}
MAKE(headers_wrap)
{
    HEADER->e_phoff = (uint32_t)-16;
}
MAKE(dynamic)
{
    Elf32_Phdr *interpreter = add_segment(file);
    interpreter->p_type = PT_INTERP;
    interpreter->p_offset = 0x400;
    interpreter->p_filesz = interpreter->p_memsz = sizeof("/lib/ld-none.so.2");
    strcpy((char *)file->bytes + 0x400, "/lib/ld-none.so.2");
}
MAKE(no_segment)
{
    SEGMENT->p_type = PT_NOTE;
}
MAKE(segment_of_nothing)
{
    Elf32_Phdr *nothing = add_segment(file);
    nothing->p_vaddr = 0x10000000;
    nothing->p_filesz = nothing->p_memsz = 0;
}
MAKE(file_larger_than_memory)
{
    SEGMENT->p_memsz = PAGE - 1;
}
MAKE(memory_wraps)
{
    SEGMENT->p_memsz = 0xFFFFFFFF;
}
MAKE(memory_huge)
{
    SEGMENT->p_flags |= PF_W;
    SEGMENT->p_memsz = 0xB0000000;
}
MAKE(offset_wraps)
{
    Elf32_Phdr *second = add_segment(file);
    second->p_vaddr = 0x10000000;
    second->p_offset = 0xFFFFF000;
    second->p_filesz = second->p_memsz = 2 * PAGE;
}
MAKE(offset_beyond)
{
    Elf32_Phdr *second = add_segment(file);
    second->p_vaddr = 0x10000000;
    second->p_offset = 64 * PAGE;
    put_code(file, CODE, 0x10000000, 42);
}
MAKE(offset_misaligned)
{
    SEGMENT->p_offset = 1;
}
MAKE(offset_of_nothing)
{
    Elf32_Phdr *zeros = add_segment(file);
    zeros->p_offset = 0x123;
    zeros->p_vaddr = 0x10000000;
    zeros->p_filesz = 0;
}
MAKE(at_page_0)
{
    SEGMENT->p_vaddr = 0;
    HEADER->e_entry = CODE;
}
MAKE(at_kernel)
{
    SEGMENT->p_vaddr = 0xC0000000;
    HEADER->e_entry = 0xC0000000 + CODE;
}
MAKE(into_kernel)
{
    Elf32_Phdr *second = add_segment(file);
    second->p_vaddr = 0xBFFFF000;
    second->p_memsz = 2 * PAGE;
}
MAKE(at_window)
{
    Elf32_Phdr *second = add_segment(file);
    second->p_vaddr = 0xFFFFF000;
    second->p_memsz = 2 * PAGE;
}
MAKE(over_stack)
{
    Elf32_Phdr *second = add_segment(file);
    second->p_vaddr = 0xBFFFE000;
}
MAKE(entry_outside)
{
    HEADER->e_entry = 0x10000000;
}
MAKE(entry_in_kernel)
{
    HEADER->e_entry = 0xFFFFFFF0;
}
MAKE(no_rights)
{
    SEGMENT->p_flags = 0;
}
MAKE(file_too_short)
{
    SEGMENT->p_filesz = SEGMENT->p_memsz = 2 * PAGE;
    put_code(file, CODE, BASE + PAGE, 42);
}
MAKE(tail_beyond_file)
{
    SEGMENT->p_flags |= PF_W;
    SEGMENT->p_filesz = PAGE + 100;
    SEGMENT->p_memsz = 3 * PAGE;
}
MAKE(tail_read_only)
{
    SEGMENT->p_filesz = CODE + 100;
    SEGMENT->p_memsz = 3 * PAGE;
    put_code(file, CODE, BASE + 2 * PAGE, 42);
}
MAKE(overlapping)
{
    memcpy(file->bytes + PAGE, file->bytes, PAGE);
    memcpy(file->bytes + PAGE + CODE, file->bytes + OTHER_CODE, 0x20);
    file->length = 2 * PAGE;
    add_segment(file)->p_offset = PAGE;
}
MAKE(anywhere)
{
    HEADER->e_type = ET_DYN;
    HEADER->e_entry = CODE;
    SEGMENT->p_vaddr = 0;
}
MAKE(anywhere_wraps)
{
    HEADER->e_type = ET_DYN;
    HEADER->e_entry = CODE;
    SEGMENT->p_vaddr = 0xFFFFF000;
}
MAKE(random_1)
{
    random_segments(file, 1);
}
MAKE(random_2)
{
    random_segments(file, 2);
}
MAKE(random_3)
{
    random_segments(file, 3);
}
MAKE(random_4)
{
    random_segments(file, 4);
}
MAKE(script_empty)
{
    text_file(file, "#!");
}
MAKE(script_blank)
{
    text_file(file, "#!  \t \necho\n");
}
MAKE(script_long)
{
    memset(file->bytes, 'x', 1000);
    memcpy(file->bytes, "#!/", 3);
    file->length = 1000;
}
MAKE(script_of_nobody)
{
    text_file(file, "#!/no/such/interpreter\n");
}
MAKE(script_loop)
{
    text_file(file, "#!bad_script_loop\n");
}
MAKE(script_good)
{
    text_file(file, "#! bad_good an option \n");
}

#define BAD_ELF(name, on_linux, on_droste) {"bad_" #name, make_##name},
static const struct {
    const char *name;
    void (*make)(struct file *file);
} files[] = {BAD_ELFS};

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct file *file = good_file();
        char path[4096];

        files[i].make(file);
        snprintf(path, sizeof(path), "%s/%s", arguments[1], files[i].name);
        FILE *out = fopen(path, "wb");
        if (out == NULL || fwrite(file->bytes, 1, file->length, out) != file->length ||
            fclose(out) != 0 || chmod(path, 0755) != 0) {
            perror(path);
            return 1;
        }
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. execve: a process begins a program anew.
 *
 * The new memory is built whole beside the old one, segments, stack and all; only then the process
 * changes over, and from there on nothing can fail. So execve that returns has changed nothing.
 * The space being built is loaded meanwhile, since layer 4 works on what is loaded.
 *
 * Nothing is put at random places: the same program finds the same addresses on every run.
 */
#include "memory_calls.h"

#include <arch/i386/cpu.h>
#include <arch/i386/gdt.h>
#include <file/file.h>
#include <kernel/channel.h>
#include <kernel/string.h>
#include <mm/heap.h>
#include <process/part.h>
#include <process/random.h>
#include <process/schedule.h>
#include <process/signal.h>
#include <program/elf.h>
#include <program/exec.h>

enum {
    SCRIPT_LINE_BYTES_MAX = 256,
    SCRIPT_DEPTH_MAX = 5,                 /* an interpreter may be a script in its turn */
    STACK_ROOM_BYTES = 128 * 1024,        /* of the stack's region, behind what is laid there */
    FIRST_FLAGS = EFLAGS_INTERRUPT | 0x2, /* bit 1 is always set */
};

/* What is to run: found, and its headers read. One execve at a time, so one is enough. */
struct program {
    struct inode *inode; /* one reference, while it is looked at */
    struct program_file file;
    const struct exec_texts *texts;
    struct exec_texts script_texts; /* behind `texts` if it is a script */
    struct elf_image image;
};
static struct program program;

/* Frames that were free when the execve began: nobody else takes or gives any meanwhile. */
static uint32_t free_at_start;

/* The execve of PROCESS has failed, and is about to give back what it has taken. */
static void note_taken(struct process *process)
{
    uint32_t free = frame_available(&frame_pool);
    uint32_t taken = free < free_at_start ? free_at_start - free : 0;
    if (taken > process->staged_frames)
        process->staged_frames = taken;
}

/* For the lack of a frame somebody has to go, if there is a program that can wait for it. */
static int32_t failed(const struct process *process, enum kerr error)
{
    if (error == KERR_BAD_ACCESS)
        return -ENOEXEC;
    if (process == process_current)
        return memory_call_failed(error);
    if (error != KERR_MUST_WAIT)
        return -ENOMEM;
    channel_poll(); /* the kernel starts it, and nobody else runs */
    return -EAGAIN;
}

/* ---- finding ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The first character of [text, end) that is no blank; or END. */
static char *skip_blanks(char *text, const char *end)
{
    while (text < end && is_blank(*text))
        text++;
    return text;
}

/* The first one that is a blank or a zero; or END. */
static char *skip_word(char *text, const char *end)
{
    while (text < end && *text != '\0' && !is_blank(*text))
        text++;
    return text;
}

/*
 * LINE, zeros behind what the file has, is "#!INTERPRETER [OPTION]": both get their ends. Without a
 * newline the option may be cut, but not the name.
 *   returns 0; -ENOEXEC: there is no name, or its end was not seen; -EACCES: the name is empty,
 *   which stands for the working directory
 */
static int32_t split_script_line(char line[SCRIPT_LINE_BYTES_MAX], char **interpreter,
                                 char **option)
{
    char *const line_end = line + SCRIPT_LINE_BYTES_MAX;
    char *end = line;

    while (end < line_end && *end != '\n')
        end++;
    *interpreter = skip_blanks(line + 2, end);
    if (*interpreter == end || (end == line_end && skip_word(*interpreter, end) == end))
        return -ENOEXEC;
    if (end == line_end)
        end--;
    while (is_blank(end[-1]))
        end--;
    *end = '\0';
    char *word = skip_word(*interpreter, end);
    *option = is_blank(*word) ? skip_blanks(word, end) : NULL;
    *word = '\0';
    return **interpreter == '\0' ? -EACCES : 0;
}

/* The script PATH is the program's file: its interpreter, whose path is put into NEXT, becomes
 * it. */
static int32_t begin_script(const struct process *process, const char *path, char *line, char *next)
{
    char *interpreter, *option;
    struct exec_texts texts;
    int32_t result = split_script_line(line, &interpreter, &option);

    if (result != 0)
        return result;
    enum kerr error = exec_texts_for_script(program.texts, interpreter, option, path, &texts);
    if (error != KERR_OK)
        return failed(process, error);
    exec_texts_free(&program.script_texts);
    program.script_texts = texts;
    program.texts = &program.script_texts;
    text_copy(next, SCRIPT_LINE_BYTES_MAX, interpreter);
    return 0;
}

static int32_t open_file(const char *path)
{
    int32_t result = file_find_program(path, &program.inode);

    if (result != 0)
        return result;
    uint64_t bytes = program.inode->status.bytes;
    program.file = (struct program_file){.object = program.inode->object,
                                         .bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX,
                                         .name = file_region_name,
                                         .path = path};
    return 0;
}

/* The file's first line, if it is a script: LINE, SCRIPT_LINE_BYTES_MAX bytes; else its headers. */
static int32_t read_file(const struct process *process, char *line, bool *is_script)
{
    enum kerr error;
    int32_t result = 0;
    uint32_t bytes =
        program.file.bytes < SCRIPT_LINE_BYTES_MAX ? program.file.bytes : SCRIPT_LINE_BYTES_MAX;

    memset(line, 0, SCRIPT_LINE_BYTES_MAX);
    do {
        error = program_file_read(&program.file, 0, line, bytes);
        *is_script = error == KERR_OK && line[0] == '#' && line[1] == '!';
        if (error == KERR_OK && !*is_script)
            result = elf_read(&program.file, &program.image, &error);
    } while (file_polls(error));
    return error == KERR_OK ? result : failed(process, error);
}

/* Find what runs if PATH is to; on failure nothing is held but the texts of a script. */
static int32_t find_program(const struct process *process, const char *path)
{
    char line[SCRIPT_LINE_BYTES_MAX], next[SCRIPT_LINE_BYTES_MAX];

    for (uint32_t depth = 0; depth <= SCRIPT_DEPTH_MAX; depth++) {
        bool is_script;
        int32_t result = open_file(path);
        if (result != 0)
            return result;
        result = read_file(process, line, &is_script);
        if (result == 0 && !is_script)
            return 0;
        if (result == 0)
            result = begin_script(process, path, line, next);
        inode_put(program.inode);
        if (result != 0)
            return result;
        path = next;
    }
    return -ELOOP;
}

/* ---- the first stack ---- */

/*
 * From the top down, as Linux lays it:
 *
 *   USER_STACK_TOP   a word of zero
 *                    path of the program (AT_EXECFN)
 *                    strings: arguments, then environment
 *                    "i686", 16 random bytes (AT_PLATFORM, AT_RANDOM)
 *                    room, so that ESP is a multiple of 16
 *                    auxiliary vector, pairs of words, up to AT_NULL
 *                    pointers to the environment, NULL
 *                    pointers to the arguments, NULL
 *   ESP              number of arguments
 */
struct first_stack {
    uint32_t path, strings, environment, platform, random, esp;
    uint8_t *block; /* [esp, USER_STACK_TOP) while it is made, in the kernel's heap */
};

/* Source: Linux manual page getauxval(3); System V ABI for i386, "Process Initialization". */
enum auxiliary_type {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_EXECFN = 31,
};
struct auxiliary {
    uint32_t type, value;
};
enum { AUXILIARY_COUNT = 18, RANDOM_BYTES = 16, CLOCK_TICKS = 100 };

static const char platform[] = "i686";

static void lay_out_stack(const char *path, struct first_stack *stack)
{
    const struct exec_texts *texts = program.texts;
    uint32_t words = 1 + texts->argument_count + 1 + texts->environment_count + 1;

    stack->path = USER_STACK_TOP - sizeof(uint32_t) - (strlen(path) + 1);
    stack->strings = stack->path - texts->bytes;
    stack->platform = stack->strings - sizeof(platform);
    stack->random = (stack->platform - RANDOM_BYTES) & ~15u;
    stack->esp =
        (stack->random - words * sizeof(uint32_t) - AUXILIARY_COUNT * sizeof(struct auxiliary)) &
        ~15u;
}

static uint8_t *in_block(const struct first_stack *stack, uint32_t address)
{
    return stack->block + (address - stack->esp);
}

/* Pointers to COUNT strings from TEXT on, which the program sees at *ADDRESS, and NULL. */
static uint32_t *put_pointers(uint32_t *to, uint32_t count, const char **text, uint32_t *address)
{
    for (; count > 0; count--) {
        uint32_t bytes = strlen(*text) + 1;
        *to++ = *address;
        *text += bytes;
        *address += bytes;
    }
    *to++ = 0;
    return to;
}

static void put_auxiliary_vector(const struct first_stack *stack, void *to)
{
    const struct elf_image *image = &program.image;
    const struct auxiliary vector[AUXILIARY_COUNT] = {
        {AT_HWCAP, cpu_features.feature_bits},
        {AT_PAGESZ, PAGE_BYTES},
        {AT_CLKTCK, CLOCK_TICKS},
        {AT_PHDR, image->headers},
        {AT_PHENT, sizeof(struct elf_program_header)},
        {AT_PHNUM, image->header_count},
        {AT_BASE, 0},
        {AT_FLAGS, 0},
        {AT_ENTRY, image->entry},
        {AT_UID, 0},
        {AT_EUID, 0},
        {AT_GID, 0},
        {AT_EGID, 0},
        {AT_SECURE, 0},
        {AT_RANDOM, stack->random},
        {AT_EXECFN, stack->path},
        {AT_PLATFORM, stack->platform},
        {AT_NULL, 0},
    };
    memcpy(to, vector, sizeof(vector));
}

static void fill_block(const char *path, struct first_stack *stack)
{
    const struct exec_texts *texts = program.texts;
    const char *text = texts->strings;
    uint32_t address = stack->strings;
    uint32_t *word = (uint32_t *)(void *)stack->block;

    *word++ = texts->argument_count;
    word = put_pointers(word, texts->argument_count, &text, &address);
    stack->environment = address;
    word = put_pointers(word, texts->environment_count, &text, &address);
    put_auxiliary_vector(stack, word);
    random_bytes(in_block(stack, stack->random), RANDOM_BYTES);
    memcpy(in_block(stack, stack->platform), platform, sizeof(platform));
    memcpy(in_block(stack, stack->strings), texts->strings, texts->bytes);
    memcpy(in_block(stack, stack->path), path, strlen(path) + 1);
    memset(in_block(stack, USER_STACK_TOP - sizeof(uint32_t)), 0, sizeof(uint32_t));
}

/* Reserve the stack: what is laid there, and some room; it grows down from there. */
static enum kerr map_stack(const struct process *process, const struct first_stack *stack,
                           struct memory *memory)
{
    static const struct vma_wish wish = {
        .rights = RIGHTS_READ_WRITE, .flags = VMA_GROWS_DOWN | VMA_CHARGED, .name = "[stack]"};
    uint32_t limit = process->limits->pair[LIMIT_STACK].soft / PAGE_BYTES;
    uint32_t used = (USER_STACK_TOP - stack->esp + PAGE_BYTES - 1) / PAGE_BYTES;
    uint32_t pages = used + STACK_ROOM_BYTES / PAGE_BYTES;

    if (pages > limit)
        pages = limit > used ? limit : used;
    vaddr_t first = VADDR(USER_STACK_TOP - pages * PAGE_BYTES);
    if (!commit_allows(memory, pages, first.v >> PAGE_SHIFT, (USER_STACK_TOP - 1) >> PAGE_SHIFT))
        return KERR_NO_ROOM;
    enum kerr error = vma_map_at(&memory->space, first, pages, &wish);
    memory->space.stack_pages_max = limit;
    commit_follow(memory);
    return error;
}

static int32_t build_stack(const struct process *process, const char *path, struct memory *memory,
                           struct first_stack *stack)
{
    void *block;

    lay_out_stack(path, stack);
    enum kerr error = map_stack(process, stack, memory);
    if (error != KERR_OK)
        return failed(process, error);
    uint32_t bytes = USER_STACK_TOP - stack->esp;
    error = kmalloc(bytes, &block);
    if (error != KERR_OK)
        return failed(process, error);
    stack->block = block;
    fill_block(path, stack);
    error = user_write(stack->esp, block, bytes);
    kfree(block);
    memory->stack_top = USER_STACK_TOP;
    memory->arguments_start = stack->strings;
    memory->arguments_end = stack->environment;
    memory->environment_end = stack->path;
    return error == KERR_OK ? 0 : failed(process, error);
}

/* ---- changing over ---- */

/* All that the new program finds in its memory. MEMORY is loaded. */
static int32_t fill_memory(const struct process *process, const char *path, struct memory *memory,
                           struct first_stack *stack)
{
    enum kerr error = exceeds(process, LIMIT_DATA, 0, program.image.writable_pages)
                          ? KERR_NO_ROOM
                          : elf_map(&program.file, &program.image, memory);

    if (error != KERR_OK)
        return failed(process, error);
    memory->heap_start = (program.image.end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    memory->heap_end = memory->heap_start;
    int32_t result = build_stack(process, path, memory, stack);
    if (result == 0 && exceeds(process, LIMIT_AS, 0, memory->space.reserved_pages))
        return -ENOMEM;
    memory_limit_growth(memory, process->limits->pair[LIMIT_AS].soft);
    return result;
}

static void reset_registers(struct trap_frame *frame, uint32_t entry, uint32_t esp)
{
    *frame = (struct trap_frame){
        .es = USER_DATA,
        .ds = USER_DATA,
        .eip = entry,
        .cs = USER_CODE,
        .eflags = FIRST_FLAGS,
        .user_esp = esp,
        .user_ss = USER_DATA,
    };
}

/* Nothing that fails is left to do. MEMORY is loaded if PROCESS is the current one. */
static void change_over(struct process *process, const char *path, struct memory *memory,
                        uint32_t esp)
{
    struct memory *old = process->memory;
    const char *name = path;

    for (const char *c = path; *c != '\0'; c++)
        if (*c == '/' && c[1] != '\0')
            name = c + 1;
    text_copy(process->name, sizeof(process->name), name);
    process->memory = memory;
    if (process->is_vfork_child)
        process_end_vfork(process);
    if (old != NULL)
        memory_put(old);
    process_parts_exec(process);
    file_set_program(process, program.inode);
    process->exit_signal = SIGCHLD;
    process->clear_tid = 0;
    reset_registers(&process->frame, program.image.entry, esp);
}

static int32_t begin_anew(struct process *process, const char *path)
{
    struct space *before = space_current();
    struct first_stack stack = {0};
    struct memory *memory;

    enum kerr error = memory_create(&memory);
    if (error != KERR_OK)
        return failed(process, error);
    space_switch(&memory->space);
    int32_t result = fill_memory(process, path, memory, &stack);
    if (result == 0) {
        error = process_parts_prepare_exec(process);
        if (error != KERR_OK)
            result = failed(process, error);
    }
    if (result != 0 || process != process_current)
        space_switch(before);
    if (result != 0) {
        note_taken(process);
        memory_put(memory);
        return result;
    }
    change_over(process, path, memory, stack.esp);
    return 0;
}

int32_t exec_program(struct process *process, const char *path, const struct exec_texts *texts)
{
    program.texts = texts;
    program.script_texts = (struct exec_texts){0};
    int32_t result = find_program(process, path);
    if (result == 0) {
        result = begin_anew(process, path);
        inode_put(program.inode);
    }
    exec_texts_free(&program.script_texts);
    return result;
}

SYSTEM_CALL(11, execve)
{
    static char path[PATH_BYTES_MAX];
    struct exec_texts texts;
    uint32_t length;

    enum kerr error = user_read_string(path, ARG1, sizeof(path), &length);
    if (error == KERR_NO_ROOM)
        return -ENAMETOOLONG;
    if (error != KERR_OK)
        return user_access_failed(error);
    free_at_start = frame_available(&frame_pool);
    self->staged_frames = 0;
    int32_t result = exec_texts_read(self, ARG2, ARG3, &texts);
    if (result == 0)
        result = exec_program(self, path, &texts);
    if (result > 0)
        note_taken(self); /* it is repeated */
    else
        self->staged_frames = 0;
    exec_texts_free(&texts);
    return result;
}

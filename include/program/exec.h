/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Uses: layers 0-5, process, file. Used by: program/ (process 1, execve).
 *
 * Programs: static ELF32 files for i386 (ET_EXEC, and ET_DYN without an interpreter), and scripts
 * whose first line names one.
 */
#ifndef PROGRAM_EXEC_H
#define PROGRAM_EXEC_H

#include <process/process.h>

/* Texts for a new program, in the kernel: one block of strings, each with its end. */
struct exec_texts {
    uint32_t argument_count, environment_count;
    uint32_t bytes;
    uint32_t room_bytes; /* of the block */
    char *strings;       /* kmalloc'ed; arguments, then environment */
};

/*
 * ARGUMENTS, COUNT of them (at least 1), for a program that the kernel starts; with the
 * environment that such programs have: HOME=/ PATH=/ TERM=linux.
 *   returns KERR_OK, KERR_NO_MEMORY, KERR_NO_ROOM; *TEXTS is the caller's: exec_texts_free()
 */
kerr_t exec_texts_make(const char *const *arguments, uint32_t count, struct exec_texts *texts);
void exec_texts_free(struct exec_texts *texts);

/*
 * Arguments and environment of execve: the vectors at ARGUMENTS and ENVIRONMENT in the memory of
 * SELF, the current process; 0 stands for an empty one. No arguments at all become one empty text.
 * Limits as in Linux: 128 KiB a string; pointers and strings together a quarter of RLIMIT_STACK,
 * at least 128 KiB and at most 6 MiB.
 *   returns 0, or what the system call is to return: -E2BIG, -EFAULT, -ENOMEM, ...; *TEXTS is to
 *   be freed in either case
 */
int32_t exec_texts_read(struct process *self, uint32_t arguments, uint32_t environment,
                        struct exec_texts *texts);

/*
 * The texts for the interpreter of a script: INTERPRETER, OPTION (NULL: none), SCRIPT, then what
 * stands in OLD behind the first argument. Returns as exec_texts_make().
 */
kerr_t exec_texts_for_script(const struct exec_texts *old, const char *interpreter,
                             const char *option, const char *script, struct exec_texts *texts);

/*
 * Let PROCESS begin FILE anew, as execve does: a new memory is built whole, then the old one (if
 * any) is put back. On success PROCESS's registers are those of a program's start; TLS, alternate
 * stack, handlers and FPU state are reset, files marked so are closed, its name is the file's.
 *   PROCESS is the current one, or has not started yet
 *   returns 0, or an error_number negated (nothing changed)
 */
int32_t exec_program(struct process *process, const char *path, const struct exec_texts *texts);

#endif

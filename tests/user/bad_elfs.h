/* SPDX-License-Identifier: MIT */
/*
 * Files that are no good programs, or strange ones: made by tests/user/make/bad_elfs.c, executed by
 * tests/user/exec_bad_elf.c, which wants of each what stands here, on Linux and on Droste.
 *
 * They differ where the half of the program ends: at 3 GiB here, at 4 GiB on a 64-bit Linux; and
 * Linux often ends a process where Droste refuses the file.
 */
#ifndef TESTS_USER_BAD_ELFS_H
#define TESTS_USER_BAD_ELFS_H

enum wanted {
    ANYTHING,  /* an error, an exit, a signal: but nobody else is hurt */
    NOT_EXEC,  /* execve fails with ENOEXEC */
    NO_ENTRY,  /* ... with ENOENT */
    NO_ACCESS, /* ... with EACCES */
    IS_A_LOOP, /* ... with ELOOP */
    REFUSED,   /* execve fails, or the process is killed before its first instruction */
    EXITS_42,  /* runs, and ends so */
    EXITS_43,
    KILLED_SEGV,
    KILLED_BUS,
};

/* BAD_ELF(NAME, ON_LINUX, ON_DROSTE) */
#define BAD_ELFS                                                                                   \
    BAD_ELF(good, EXITS_42, EXITS_42)                                                              \
    BAD_ELF(empty, NOT_EXEC, NOT_EXEC)                                                             \
    BAD_ELF(one_byte, NOT_EXEC, NOT_EXEC)                                                          \
    BAD_ELF(magic_only, NOT_EXEC, NOT_EXEC)                                                        \
    BAD_ELF(header_cut, NOT_EXEC, NOT_EXEC)                                                        \
    BAD_ELF(wrong_magic, NOT_EXEC, NOT_EXEC)                                                       \
    BAD_ELF(wrong_class, ANYTHING, NOT_EXEC)                                                       \
    BAD_ELF(wrong_data, ANYTHING, NOT_EXEC)                                                        \
    BAD_ELF(wrong_machine, NOT_EXEC, NOT_EXEC)                                                     \
    BAD_ELF(wrong_type, NOT_EXEC, NOT_EXEC)                                                        \
    BAD_ELF(entry_size_small, NOT_EXEC, NOT_EXEC)                                                  \
    BAD_ELF(entry_size_large, NOT_EXEC, NOT_EXEC)                                                  \
    BAD_ELF(no_headers, NOT_EXEC, NOT_EXEC)                                                        \
    BAD_ELF(many_headers, ANYTHING, NOT_EXEC)                                                      \
    BAD_ELF(most_headers, NOT_EXEC, NOT_EXEC)                                                      \
    BAD_ELF(full_page_of_headers, EXITS_42, EXITS_42)                                              \
    BAD_ELF(headers_beyond, NOT_EXEC, NOT_EXEC)                                                    \
    BAD_ELF(headers_cut, NOT_EXEC, NOT_EXEC)                                                       \
    BAD_ELF(headers_wrap, NOT_EXEC, NOT_EXEC)                                                      \
    BAD_ELF(dynamic, REFUSED, NOT_EXEC)                                                            \
    BAD_ELF(no_segment, REFUSED, NOT_EXEC)                                                         \
    BAD_ELF(segment_of_nothing, EXITS_42, EXITS_42)                                                \
    BAD_ELF(file_larger_than_memory, REFUSED, REFUSED)                                             \
    BAD_ELF(memory_wraps, REFUSED, REFUSED)                                                        \
    BAD_ELF(memory_huge, ANYTHING, ANYTHING)                                                       \
    BAD_ELF(offset_wraps, ANYTHING, REFUSED)                                                       \
    BAD_ELF(offset_beyond, KILLED_BUS, KILLED_BUS)                                                 \
    BAD_ELF(offset_misaligned, REFUSED, REFUSED)                                                   \
    BAD_ELF(offset_of_nothing, EXITS_42, EXITS_42)                                                 \
    BAD_ELF(at_page_0, ANYTHING, REFUSED)                                                          \
    BAD_ELF(at_kernel, ANYTHING, REFUSED)                                                          \
    BAD_ELF(into_kernel, ANYTHING, REFUSED)                                                        \
    BAD_ELF(at_window, REFUSED, REFUSED)                                                           \
    BAD_ELF(over_stack, ANYTHING, REFUSED)                                                         \
    BAD_ELF(entry_outside, KILLED_SEGV, KILLED_SEGV)                                               \
    BAD_ELF(entry_in_kernel, REFUSED, REFUSED)                                                     \
    BAD_ELF(no_rights, KILLED_SEGV, KILLED_SEGV)                                                   \
    BAD_ELF(file_too_short, KILLED_BUS, KILLED_BUS)                                                \
    BAD_ELF(tail_beyond_file, REFUSED, REFUSED)                                                    \
    BAD_ELF(tail_read_only, EXITS_42, EXITS_42)                                                    \
    BAD_ELF(overlapping, EXITS_43, EXITS_43)                                                       \
    BAD_ELF(anywhere, EXITS_42, EXITS_42)                                                          \
    BAD_ELF(anywhere_wraps, ANYTHING, REFUSED)                                                     \
    BAD_ELF(random_1, ANYTHING, ANYTHING)                                                          \
    BAD_ELF(random_2, ANYTHING, ANYTHING)                                                          \
    BAD_ELF(random_3, ANYTHING, ANYTHING)                                                          \
    BAD_ELF(random_4, ANYTHING, ANYTHING)                                                          \
    BAD_ELF(script_empty, NO_ACCESS, NO_ACCESS)                                                    \
    BAD_ELF(script_blank, NOT_EXEC, NOT_EXEC)                                                      \
    BAD_ELF(script_long, NOT_EXEC, NOT_EXEC)                                                       \
    BAD_ELF(script_of_nobody, NO_ENTRY, NO_ENTRY)                                                  \
    BAD_ELF(script_loop, IS_A_LOOP, IS_A_LOOP)                                                     \
    BAD_ELF(script_good, EXITS_42, EXITS_42)

#endif

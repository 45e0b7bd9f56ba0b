/* SPDX-License-Identifier: MIT */
/*
 * Host test. Programs: functions of the test, each with a stack of its own, that are processes to the
 * kernel. Their memory is the model's, touched through the page tables of their spaces; they enter the
 * kernel by system calls and page faults, and whom its way out chooses goes on.
 */
#ifndef TESTS_HOST_SYSTEM_PROGRAMS_H
#define TESTS_HOST_SYSTEM_PROGRAMS_H

#include <kernel/fault.h>

enum call_number {
    CALL_EXIT = 1,
    CALL_FORK = 2,
    CALL_READ = 3,
    CALL_WRITE = 4,
    CALL_OPEN = 5,
    CALL_CLOSE = 6,
    CALL_WAITPID = 7,
    CALL_LINK = 9,
    CALL_UNLINK = 10,
    CALL_LSEEK = 19,
    CALL_MOUNT = 21,
    CALL_UMOUNT = 22,
    CALL_SYNC = 36,
    CALL_RENAME = 38,
    CALL_MKDIR = 39,
    CALL_RMDIR = 40,
    CALL_SYMLINK = 83,
    CALL_READLINK = 85,
    CALL_MUNMAP = 91,
    CALL_FSYNC = 118,
    CALL_MSYNC = 144,
    CALL_FDATASYNC = 148,
    CALL_YIELD = 158,
    CALL_PREAD = 180,
    CALL_PWRITE = 181,
    CALL_SENDFILE = 187,
    CALL_MMAP = 192,
    CALL_TRUNCATE = 193,
    CALL_FTRUNCATE = 194,
    CALL_STAT = 195,
    CALL_LSTAT = 196,
    CALL_FSTAT = 197,
    CALL_GETDENTS = 220,
    CALL_FALLOCATE = 324,
};

/* The number that the calling program knows itself by: 0 is the first. */
uint32_t program_number(void);

/* The test becomes program 0, process 1 of the machine that has just been booted. */
void programs_begin(void);

/* The machine was restored to where the first program was alone, and ran. */
void programs_begin_again(void);

/* A system call of the program that runs. Others may run before it returns. */
int32_t call_of(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e,
                uint32_t f);
#define call(number, ...)                        CALL_ARGUMENTS(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_ARGUMENTS(n, a, b, c, d, e, f, ...) call_of(n, a, b, c, d, e, f)

/* fork(): the child is program NUMBER, which is nobody's now, and runs RUN(), after which it exits. Returns its
 * pid, or an error. */
int32_t program_fork(uint32_t number, void (*run)(void));

/* The program touches ADDRESS; it may not survive that. Then its memory is there, until it enters the
 * kernel again. */
void *program_touch(uint32_t address, enum access access);

/* BYTES bytes to and from its memory. */
void program_store(uint32_t address, const void *from, uint32_t bytes);
void program_load(void *to, uint32_t address, uint32_t bytes);

/* Programs that have not ended, but for the first. */
uint32_t programs_running(void);

#endif

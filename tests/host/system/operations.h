/* SPDX-License-Identifier: MIT */
/*
 * Host test. Random operations of programs on files: each is a system call, or a touch of a page that
 * shows a file, done to the kernel and to the model (tree.h); what the kernel answers is judged.
 */
#ifndef TESTS_HOST_SYSTEM_OPERATIONS_H
#define TESTS_HOST_SYSTEM_OPERATIONS_H

#include "tree.h"

/* Memory of each program: texts for calls, and a buffer. */
enum { TEXTS = 0x30000000, BUFFER = 0x30010000, BUFFER_BYTES = 0x20000, MEMORY_BYTES = 0x40000 };

/* The program that runs; the first one has to have its memory: make_memory(). */
struct holder *holder_of_me(void);
void make_memory(void);

/* One operation. Returns false if what it wanted was taken, or made no sense. */
bool operation(struct holder *me);

/* All operations of all programs that were done, by name, to standard output. */
void operations_show(void);
extern uint64_t operations_done;

/* TEXT at OFFSET of the texts. Returns its address. */
uint32_t put_text(uint32_t offset, const char *text);

/* Everything that ME has open or mapped is closed. */
void let_go(struct holder *me);

/* All of mount NUMBER is as the model says: names, types, links, contents. */
void compare_all(uint32_t number);

/* The names of a directory, by getdents64. */
void compare_directory(struct holder *me, struct node *directory);

/* The answers EIO, ENOMEM and EFAULT are allowed from here on, and how many there were: what an operation with such an
 * answer was about is unknown then, and nothing is asked of it any more. */
extern bool operations_may_fail;
extern uint32_t operations_excused;

/* RESULT is what was EXPECTED (true), or excused. */
bool expect(int32_t result, int32_t expected, const char *what);

#endif

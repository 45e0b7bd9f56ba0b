/* SPDX-License-Identifier: MIT */
/*
 * Layer 10. Uses: layers 0-9. Used by: tests of system calls whose pages are absent.
 *
 * A process of the tests', whose memory is an object of the pager for tests, runs one system call to
 * its end as the way out does (process/schedule.c): it is repeated when its page has come, and signals
 * come in between. Afterwards there is a sum over all that a program could see.
 */
#ifndef TESTS_KERNEL_CALL_RUNNER_H
#define TESTS_KERNEL_CALL_RUNNER_H

#include <process/process.h>

#include "test_pager.h"

/*
 * The memory: PLACES places of two pages. What begins at PLACE(n) lies across the border of its pages,
 * at WORD_PLACE(n) there is a word of one page. Behind them lie pages of text, eight to a string; the
 * object has some more that are not mapped.
 */
enum {
    ARENA = 0x20000000,
    PLACES = 5,
    ARENA_PAGES = 2 * PLACES,
    TEXT_PAGES = 32,
    TEXT = ARENA + ARENA_PAGES * PAGE_BYTES,
    STRING_PAGES = 8,
    MAPPED_PAGES = ARENA_PAGES + TEXT_PAGES,
};
#define PLACE(n)      (ARENA + (2u * (n) + 1) * PAGE_BYTES - 2)
#define WORD_PLACE(n) (PLACE(n) + 2)

/*
 * The descriptors beside 0-2: /dev/zero, a pipe with bytes in it, the root directory, and a file. On /tmp
 * a tmpfs of the run's own is mounted; it holds that file, "a", the symbolic link "l" to it, and an empty
 * directory, "d".
 */
enum { ZERO_FD = 3, PIPE_READ_FD, PIPE_WRITE_FD, DIRECTORY_FD, FILE_FD };
enum { PIPE_HOLDS = 6000, FILE_HOLDS = 6000 };

enum case_flags {
    RESULT_VARIES = 1, /* with time, or with the number of a child */
    MEMORY_VARIES = 2,
    HAS_ENDED = 4, /* the process does */
};

struct call_case {
    uint32_t number;
    uint32_t arguments[6];
    void (*set_up)(struct process *self); /* after the registers are set; NULL: nothing to do */
    uint32_t flags;
    void (*slept)(struct process *self); /* it sleeps, not for a page; NULL: it must not */
};

struct outcome {
    int32_t result;
    bool is_stuck; /* on a page that never comes; the rest is not known */
    bool touched[TEST_PAGES];
    uint32_t memory[ARENA_PAGES]; /* sums */
    uint32_t state;               /* a sum over the record and what hangs on it */
    uint32_t descriptors, repetitions;
    bool lacked; /* a frame (call_leave_frames()) */
};

/* For set_up: BYTES bytes at ADDRESS of the arena, or the text, or words, from the beginning. */
void arena_put(uint32_t address, const void *from, uint32_t bytes);
void arena_text(uint32_t address, const char *text);
#define ARENA_WORDS(address, ...)                                                                  \
    do {                                                                                           \
        const uint32_t words_[] = {__VA_ARGS__};                                                   \
        arena_put((address), words_, sizeof(words_));                                              \
    } while (0)

/* For set_up that has touched the arena: it holds what was put there, and no page is there yet. */
void arena_begin_anew(struct process *self);

extern struct test_pager call_pager;

enum arena_kind { ARENA_SHARED, ARENA_PRIVATE };

/*
 * Run CALL from the beginning; PREPARE, if there is one, says by call_pager how the pages arrive.
 * Everything is given back, or the test fails.
 */
void call_run(const struct call_case *call, enum arena_kind kind, void (*prepare)(void),
              struct outcome *outcome);

/* For PREPARE: until it lacks one, the call can have no more than COUNT frames. */
void call_leave_frames(uint32_t count);

/* The name of system call NUMBER, or NULL. */
const char *call_name(uint32_t number);

#endif

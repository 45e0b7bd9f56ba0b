/* SPDX-License-Identifier: MIT */
/*
 * More memory than there is, on a swap disk with something that can't be read, or written. Children write their
 * memory and wait; when a line has been typed, each reads its own twice. Process 1 says how they ended, and has
 * lost nothing itself.
 *
 * run: on=never
 */
#include "check.h"

#include <stdint.h>
#include <sys/mman.h>

enum { CHILDREN = 8, PAGE_BYTES = 4096, PAGES = 768, WORDS = PAGE_BYTES / 4 };

static int ready[2], wake[2];

static uint32_t value(uint32_t child, uint32_t i)
{
    return (child * PAGES * WORDS + i) * 2654435761u + 1;
}

/* Ends with 0 if all is as it was written. */
__attribute__((noreturn)) static void live_as(uint32_t child)
{
    uint32_t wrong = 0;
    char byte = 0;
    close(wake[1]);
    uint32_t *memory = mmap(NULL, (size_t)PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        _exit(2);
    for (uint32_t i = 0; i < PAGES * WORDS; i++)
        memory[i] = value(child, i);
    close(ready[1]);
    while (read(wake[0], &byte, 1) < 0)
        ;
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < PAGES * WORDS; i++)
            wrong += memory[i] != value(child, i);
    _exit(wrong != 0);
}

int main(void)
{
    uint32_t ended = 0, wrong = 0, of_errors = 0, of_room = 0;
    char byte;
    CHECK(pipe(ready) == 0 && pipe(wake) == 0);
    for (uint32_t child = 0; child < CHILDREN; child++)
        if (fork() == 0)
            live_as(child);
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 0); /* all have written, or were ended for want of memory */
    check_note("all is written");
    (void)getchar();
    close(wake[1]);
    for (int status; wait(&status) > 0; ended++) {
        of_errors += WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
        of_room += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        wrong += WIFEXITED(status) && WEXITSTATUS(status) != 0;
    }
    check_note("SIGBUS: %u, no memory: %u", of_errors, of_room);
    CHECK_THAT("all have ended", ended == CHILDREN);
    CHECK_THAT("and nobody saw what he had not written", wrong == 0);
    return check_end();
}

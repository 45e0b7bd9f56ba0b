/* SPDX-License-Identifier: MIT */
/*
 * Who takes the machine's last frames for what is not in his memory, but in the kernel's (texts of
 * an execve, full pipes), is the one who ends, and not a neighbour with a larger memory.
 * run: on=droste
 * run: memory=8
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { PAGE = 4096, INNOCENTS = 4, INNOCENT_BYTES = 300 * 1024, TEXT_BYTES = 131072, TEXTS = 40 };

static pid_t innocents[INNOCENTS];

static char *map(size_t bytes)
{
    char *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; room != MAP_FAILED && i < bytes; i += PAGE)
        room[i] = 1;
    return room;
}

static bool start_innocents(void)
{
    int ends[2];
    char c;
    if (pipe(ends) != 0)
        return false;
    for (int i = 0; i < INNOCENTS; i++) {
        innocents[i] = fork();
        if (innocents[i] == 0) {
            map(INNOCENT_BYTES);
            if (write(ends[1], "x", 1) == 1)
                for (;;)
                    pause();
            _exit(1);
        }
        if (innocents[i] < 0 || read(ends[0], &c, 1) != 1)
            return false;
    }
    return close(ends[0]) == 0 && close(ends[1]) == 0;
}

/* More than the machine has: 5 MiB of texts, and twice that while they grow. */
static int stage_texts(void)
{
    static char *texts[TEXTS + 1], *none[1];
    struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
    char *text = map(TEXT_BYTES);
    memset(text, 'a', TEXT_BYTES - 1);
    text[TEXT_BYTES - 1] = '\0';
    for (int i = 0; i < TEXTS; i++)
        texts[i] = text;
    setrlimit(RLIMIT_STACK, &any);
    execve("/victim_holdings", texts, none);
    return 1;
}

static int fill_pipes(void)
{
    static char bytes[65536];
    for (int i = 0; i < 500; i++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK) != 0)
            return 2;
        while (write(ends[1], bytes, sizeof(bytes)) > 0)
            ;
    }
    return 1;
}

static bool all_live(void)
{
    int status;
    return waitpid(-1, &status, WNOHANG) == 0;
}

int main(void)
{
    CHECK(start_innocents());
    CHECK_KILLED(stage_texts, SIGKILL);
    CHECK_THAT("who staged them was alone to go", all_live());
    CHECK_KILLED(fill_pipes, SIGKILL);
    CHECK_THAT("who filled them was alone to go", all_live());
    for (int i = 0; i < INNOCENTS; i++)
        kill(innocents[i], SIGKILL);
    return check_end();
}

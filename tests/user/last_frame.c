/* SPDX-License-Identifier: MIT */
/*
 * User test. The last frame is used up in the middle of a copy by the kernel. Either another
 * process is larger: it goes, and the copy is made whole, from a file or through a pipe.
 * Or the one that copies is the largest: it goes itself.
 *
 * run: on=droste
 * run: memory=24
 * run: seconds=120
 */
#include "check.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

enum { PAGE = 4096, SLACK_BYTES = 256 * 1024, STEP = 64 * 1024, FILE_BYTES = 8 * STEP };

static const char *own_path;

static unsigned long free_bytes(void)
{
    struct sysinfo information;
    sysinfo(&information);
    return information.freeram * information.mem_unit;
}

static char *map(size_t bytes)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        _exit(98);
    return memory;
}

/* A child that takes all but KEEP bytes, says so, and waits for what comes. */
static pid_t hoard(unsigned long keep)
{
    int ends[2];
    char byte = 0;
    if (pipe(ends) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        char *memory = map(1 << 30);
        for (size_t i = 0; free_bytes() > keep + PAGE; i += PAGE)
            memory[i] = 1;
        if (write(ends[1], &byte, 1) != 1)
            _exit(97);
        for (;;)
            pause();
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1)
        pid = -1;
    close(ends[0]);
    return pid;
}

/* ---- one who reads ---- */

static bool read_step(int file, char *memory, size_t offset)
{
    for (size_t done = 0; done < STEP;) { /* a call may stop short of a frame that it lacks */
        ssize_t bytes = pread(file, memory + done, STEP - done, (off_t)(offset + done));
        if (bytes <= 0)
            return false;
        done += (size_t)bytes;
    }
    return true;
}

/* Its own program into memory that was never touched, in large steps; then once more, to compare.
 * (Not /dev/zero: zeros over promised pages take no frames.) */
static bool read_file(size_t bytes)
{
    static char again[STEP];
    char *memory = map(bytes);
    int file = open(own_path, O_RDONLY);
    for (size_t i = 0; i < bytes; i += STEP)
        if (!read_step(file, memory + i, i % FILE_BYTES))
            return false;
    for (size_t i = 0; i < bytes; i += STEP)
        if (!read_step(file, again, i % FILE_BYTES) || memcmp(memory + i, again, STEP) != 0)
            return false;
    return true;
}

/* Through a pipe: each byte arrives once, whatever call had to be repeated. */
static bool read_pipe(size_t bytes)
{
    int ends[2];
    char *memory = map(bytes);
    unsigned char block[512];
    if (pipe(ends) != 0)
        return false;
    for (size_t i = 0; i < bytes; i += sizeof block) {
        for (size_t k = 0; k < sizeof block; k++)
            block[k] = (unsigned char)((i + k) * 7 >> 3);
        /* Both copies cross a page that was not there. */
        if (write(ends[1], block, sizeof block) != sizeof block ||
            read(ends[0], memory + i, sizeof block) != sizeof block)
            return false;
    }
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)memory[i] != (unsigned char)(i * 7 >> 3))
            return false;
    return true;
}

static bool (*const readers[])(size_t) = {read_file, read_pipe};
static const char *const reader_names[] = {"a file", "a pipe"};

/* The hoarder is larger: it goes, the reader succeeds. */
static void other_goes(int reader)
{
    char text[80];
    pid_t hoarder = hoard(300 * 1024);
    pid_t pid = fork();
    int status, hoarder_status;
    if (pid == 0)
        _exit(readers[reader](1 << 20) ? 0 : 1);
    waitpid(pid, &status, 0);
    if (waitpid(hoarder, &hoarder_status, WNOHANG) != hoarder) {
        check_note("the hoarder is still there, %lu KiB are free", free_bytes() >> 10);
        kill(hoarder, SIGTERM);
        waitpid(hoarder, &hoarder_status, 0);
    }
    check_note("reader %x, hoarder %x", (unsigned)status, (unsigned)hoarder_status);
    snprintf(text, sizeof text, "read from %s, the other one goes", reader_names[reader]);
    CHECK_THAT(text, status == 0 && WTERMSIG(hoarder_status) == SIGKILL);
}

/* The reader is the largest of all: it goes. */
static void reader_goes(int reader)
{
    char text[80];
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(readers[reader](64 << 20) ? 0 : 1);
    waitpid(pid, &status, 0);
    check_note("reader %x", (unsigned)status);
    snprintf(text, sizeof text, "read from %s, the reader goes", reader_names[reader]);
    CHECK_THAT(text, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* With every number of frames left, from none on: fork, the stack, files, pipes, execve's texts. */
static void with_few_frames(void)
{
    int odd = 0, status;
    for (unsigned long frames = 0; frames < 24; frames++) {
        pid_t hoarder = hoard(frames * PAGE);
        pid_t pid = fork();
        if (pid == 0)
            _exit(read_file(STEP) && read_pipe(2 * PAGE) ? 0 : 1);
        if (pid > 0) {
            waitpid(pid, &status, 0);
            odd += status != 0 && status != SIGKILL;
        }
        kill(hoarder, SIGKILL);
        odd += waitpid(hoarder, &status, 0) != hoarder;
    }
    CHECK_THAT("a process with 0 to 23 frames left: done or killed", odd == 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    own_path = argv[0];
    unsigned long before = free_bytes();
    for (int reader = 0; reader < 2; reader++) {
        other_goes(reader);
        reader_goes(reader);
    }
    with_few_frames();
    check_note("free before %lu KiB, after %lu KiB", before >> 10, free_bytes() >> 10);
    CHECK_THAT("the memory is back", free_bytes() + SLACK_BYTES >= before);
    return check_end();
}

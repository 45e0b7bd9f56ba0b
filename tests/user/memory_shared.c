/* SPDX-License-Identifier: MIT */
/*
 * Memory that processes share: anonymous, of files, and what fork makes of private memory.
 */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

static char *map(size_t bytes, int flags)
{
    return mmap(NULL, bytes, RW, flags | MAP_ANONYMOUS, -1, 0);
}

static char *volatile shared;
static char *volatile private;

static int in_child(void)
{
    if (shared[0] != 1 || private[0] != 1)
        return 1;
    shared[0] = 2;
    private[0] = 2;
    shared[5 * PAGE] = 7; /* nobody touched it yet */
    return shared[0] == 2 && private[0] == 2 ? 0 : 2;
}

static void test_fork(void)
{
    shared = map(8 * PAGE, MAP_SHARED);
    private = map(8 * PAGE, MAP_PRIVATE);
    CHECK(shared != MAP_FAILED && shared[0] == 0 && shared[8 * PAGE - 1] == 0);
    shared[0] = private[0] = 1;
    CHECK_EXITS(in_child, 0);
    CHECK_THAT("shared memory is one, private memory two", shared[0] == 2 && private[0] == 1);
    CHECK(shared[5 * PAGE] == 7);
}

/* A grandchild, a child that gives its part back, one that ends at once. */
static int grandchild(void)
{
    shared[1]++;
    return 0;
}

static int child_with_child(void)
{
    int status = check_child(grandchild);
    shared[2]++;
    return status == 0 && munmap(shared, PAGE) == 0 && shared[PAGE] == 5 ? 0 : 1;
}

static void test_generations(void)
{
    shared[PAGE] = 5;
    for (int i = 0; i < 3; i++)
        CHECK_EXITS(child_with_child, 0);
    CHECK_EQUAL(shared[1], 3);
    CHECK_EQUAL(shared[2], 3);
}

/* Children take turns, so that reader and writer share at the same time. */
static int turns(void)
{
    volatile char *turn = shared + 3 * PAGE;
    for (int i = 0; i < 20; i++) {
        while (*turn != 1)
            usleep(1000);
        shared[4 * PAGE]++;
        *turn = 0;
    }
    return 0;
}

static void test_turns(void)
{
    volatile char *turn = shared + 3 * PAGE;
    int wrong = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(turns());
    for (int i = 0; i < 20; i++) {
        *turn = 1;
        while (*turn != 0)
            usleep(1000);
        wrong += shared[4 * PAGE] != i + 1;
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_EQUAL(wrong, 0);
}

/* Protections and locks are each process's own. */
static int protect_in_child(void)
{
    if (mprotect(shared, PAGE, PROT_READ) != 0)
        return 1;
    return shared[0] == 2 ? 0 : 2;
}
static int write_read_only(void)
{
    mprotect(shared, PAGE, PROT_READ);
    shared[0] = 9;
    return 0;
}

static void test_protection(void)
{
    CHECK_EXITS(protect_in_child, 0);
    CHECK_KILLED(write_read_only, SIGSEGV);
    shared[0] = 3;
    CHECK(mprotect(shared, PAGE, PROT_NONE) == 0 && mprotect(shared, PAGE, RW) == 0);
    CHECK(shared[0] == 3);
    CHECK(mprotect(shared, PAGE, PROT_READ) == 0 && mprotect(shared, PAGE, RW) == 0);
    shared[0] = 4;
    CHECK(shared[0] == 4);
}

static void test_large(void)
{
    enum { MIB = 1 << 20 };
    char *large = map(40 * MIB, MAP_SHARED);
    int wrong = 0;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 40 * MIB; i += 64 * PAGE)
            large[i] = (char)(i >> 18);
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (int i = 0; i < 40 * MIB; i += PAGE)
        wrong += large[i] != (i % (64 * PAGE) == 0 ? (char)(i >> 18) : 0);
    CHECK_EQUAL(wrong, 0);
    CHECK(munmap(large + 10 * MIB, 20 * MIB) == 0);
    CHECK(large[9 * MIB] == (char)(9 * MIB >> 18) && large[35 * MIB] == (char)(35 * MIB >> 18));
    CHECK(munmap(large, 40 * MIB) == 0);
}

static char *volatile file;
static int write_file_copy(void)
{
    if (file[1] != 'E')
        return 1;
    file[1] = 'c';
    return file[1] == 'c' ? 0 : 2;
}
static int touch_behind(void)
{
    return file[0];
}

/* A page of a file is one frame for all until one writes; behind the last page is SIGBUS. */
static void test_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    off_t bytes = lseek(fd, 0, SEEK_END);
    file = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
    CHECK(fd >= 0 && bytes > PAGE && file != MAP_FAILED);
    CHECK_EXITS(write_file_copy, 0);
    CHECK(file[1] == 'E');
    file[1] = 'p';
    CHECK_EXITS(write_file_copy, 1);
    CHECK(file[1] == 'p');

    off_t last = bytes / PAGE * PAGE;
    char *tail = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, last), clean = 1;
    CHECK(tail != MAP_FAILED);
    for (off_t i = bytes % PAGE; i < PAGE; i++)
        clean &= tail[i] == 0;
    CHECK_THAT("behind the end the last page is zero", clean);
    file = tail + 2 * PAGE;
    CHECK_KILLED(touch_behind, SIGBUS);
    close(fd);
}

int main(int argc, char **argv)
{
    (void)argc;
    test_fork();
    test_generations();
    test_turns();
    test_protection();
    test_large();
    test_file(argv[0]);
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Files that are made and mapped: read(), write() and every mapping see the same bytes; what is behind
 * the end; truncation; private copies; files that are unlinked, and those that are run.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "file_place.h"

enum { PAGE = 4096 };

static sigjmp_buf jump;

static void on_bus(int number)
{
    siglongjmp(jump, number);
}

/* The signal that a touch of AT gets; 0: none. */
static int touch(volatile char *at, bool writes)
{
    int number = sigsetjmp(jump, 1);
    if (number == 0) {
        if (writes)
            *at = 't';
        else
            (void)*at;
    }
    return number;
}

static char *map(int fd, int pages, int protection, int flags)
{
    char *memory = mmap(NULL, (size_t)pages * PAGE, protection, flags, fd, 0);
    if (memory == MAP_FAILED)
        check_say(false, "a file can be mapped", __FILE__, __LINE__);
    return memory;
}

static void test_same_bytes(void)
{
    char buffer[10] = {0};
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(ftruncate(fd, 3 * PAGE), 0);
    char *shared = map(fd, 3, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *again = map(fd, 3, PROT_READ, MAP_SHARED);
    char *private = map(fd, 3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    shared[PAGE] = 'm';
    CHECK(pread(fd, buffer, 1, PAGE) == 1 && buffer[0] == 'm');
    CHECK(again[PAGE] == 'm' && private[PAGE] == 'm');
    CHECK_EQUAL(pwrite(fd, "w", 1, PAGE + 1), 1);
    CHECK(shared[PAGE + 1] == 'w' && again[PAGE + 1] == 'w' && private[PAGE + 1] == 'w');
    private[PAGE] = 'p';
    CHECK(shared[PAGE] == 'm' && pread(fd, buffer, 1, PAGE) == 1 && buffer[0] == 'm');
    CHECK_EQUAL(pwrite(fd, "x", 1, PAGE), 1);
    CHECK(private[PAGE] == 'p' && again[PAGE] == 'x');
    CHECK_EQUAL(file_status("file").st_blocks, 8);
    again = mremap(again, 3 * PAGE, PAGE, 0);
    shared[2 * PAGE] = 1; /* a hole is filled through the mapping */
    CHECK_EQUAL(file_status("file").st_blocks, 16);
    CHECK_EQUAL(pwrite(fd, shared + PAGE, 2, 0), 2); /* from the file to itself */
    CHECK(memcmp(shared, "xw", 2) == 0);
    CHECK_EQUAL(msync(shared, 3 * PAGE, MS_SYNC), 0);
    CHECK_EQUAL(fsync(fd), 0);
    munmap(shared, 3 * PAGE);
    munmap(again, PAGE);
    munmap(private, 3 * PAGE);
    CHECK(pread(fd, buffer, 2, 0) == 2 && memcmp(buffer, "xw", 2) == 0);
    close(fd);
    unlink("file");
}

static void test_end(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(pwrite(fd, "end", 3, PAGE), 3);
    char *shared = map(fd, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *private = map(fd, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK_EQUAL(touch(shared + PAGE + 100, true), 0); /* in the last page: allowed, and lost */
    CHECK_EQUAL(touch(shared + 2 * PAGE, false), SIGBUS);
    CHECK_EQUAL(touch(private + 2 * PAGE, true), SIGBUS);
    CHECK_EQUAL(file_status("file").st_size, PAGE + 3);
    CHECK_EQUAL(ftruncate(fd, 4 * PAGE), 0);
    CHECK_EQUAL(touch(shared + 2 * PAGE, true), 0);
    CHECK_EQUAL(touch(private + 3 * PAGE, true), 0);
    CHECK_EQUAL(touch(private + PAGE, true), 0);
    CHECK_EQUAL(ftruncate(fd, PAGE + 1), 0);
    CHECK_EQUAL(touch(shared + 2 * PAGE, false), SIGBUS);
    CHECK_EQUAL(touch(private + 3 * PAGE, false), SIGBUS); /* private copies go, too */
    CHECK(private[PAGE] == 't' && shared[PAGE] == 'e' && shared[PAGE + 1] == 0);
    CHECK_EQUAL(ftruncate(fd, 0), 0);
    CHECK_EQUAL(touch(private + PAGE, false), SIGBUS);
    CHECK_EQUAL(ftruncate(fd, 4 * PAGE), 0);
    CHECK(shared[PAGE] == 0 && private[PAGE] == 0 && private[3 * PAGE] == 0);
    munmap(shared, 4 * PAGE);
    munmap(private, 4 * PAGE);
    close(fd);
    unlink("file");
}

/* Truncated while a child has it mapped, by a table that both share. */
static void test_fork(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600), status, go[2], done[2];
    char byte;
    CHECK_EQUAL(ftruncate(fd, 2 * PAGE), 0);
    char *shared = map(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED);
    memset(shared, 's', 2 * PAGE);
    CHECK(pipe(go) == 0 && pipe(done) == 0);
    pid_t child = fork();
    if (child == 0) {
        byte = shared[PAGE] == 's';
        write(done[1], &byte, 1);
        read(go[0], &byte, 1);
        _exit(shared[0] == 's' ? touch(shared + PAGE, false) : 1);
    }
    CHECK(read(done[0], &byte, 1) == 1 && byte == 1);
    CHECK_EQUAL(ftruncate(fd, 10), 0);
    CHECK_EQUAL(write(go[1], "x", 1), 1);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(WEXITSTATUS(status), SIGBUS);
    munmap(shared, 2 * PAGE);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(done[i]);
    }
    close(fd);
    unlink("file");
}

static void test_unlinked(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_EQUAL(write(fd, "gone", 4), 4);
    char *shared = map(fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
    close(fd);
    CHECK_EQUAL(unlink("file"), 0);
    CHECK(memcmp(shared, "gone", 4) == 0);
    shared[0] = 'G';
    pid_t child = fork();
    if (child == 0) {
        shared[1] = 'O';
        _exit(memcmp(shared, "GOne", 4) == 0 ? 42 : 1);
    }
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(WEXITSTATUS(status), 42);
    CHECK(memcmp(shared, "GOne", 4) == 0);
    munmap(shared, PAGE);
}

static void test_rights(void)
{
    int fd = open("file", O_RDONLY | O_CREAT, 0600);
    CHECK_EQUAL(truncate("file", PAGE), 0);
    CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED &&
          errno == EACCES);
    char *memory = map(fd, 1, PROT_READ, MAP_SHARED);
    CHECK_ERROR(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), EACCES);
    munmap(memory, PAGE);
    memory = map(fd, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK_EQUAL(touch(memory, true), 0);
    munmap(memory, PAGE);
    close(fd);
    fd = open("file", O_WRONLY);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EACCES);
    close(fd);
    fd = open(".", O_RDONLY);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == ENODEV);
    close(fd);
    unlink("file");
}

static bool copy_program(const char *name)
{
    static char buffer[1 << 16];
    int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT, 0755);
    ssize_t bytes;
    while ((bytes = read(from, buffer, sizeof(buffer))) > 0)
        if (write(to, buffer, (size_t)bytes) != bytes)
            return false;
    close(from);
    close(to);
    return bytes == 0;
}

static int run_copy(void)
{
    char *const arguments[] = {"copy", "again", NULL}, *const environment[] = {NULL};
    execve("copy", arguments, environment);
    return errno;
}

/* A program that was written a moment ago runs; nobody may write it meanwhile, nor run what is written. */
static void test_run(void)
{
    CHECK(copy_program("copy"));
    CHECK_EQUAL(chmod("copy", 0644), 0);
    CHECK_EXITS(run_copy, EACCES);
    CHECK_EQUAL(chmod("copy", 0755), 0);
    CHECK_EXITS(run_copy, 42);
    int fd = open("copy", O_WRONLY);
    CHECK_EXITS(run_copy, ETXTBSY);
    close(fd);
    CHECK_EQUAL(unlink("copy"), 0);
}

static int again(void)
{
    char path[100] = {0};
    if (open("copy", O_WRONLY) != -1 || errno != ETXTBSY)
        return 1;
    if (readlink("/proc/self/exe", path, sizeof(path)) <= 0 || strstr(path, "/copy") == NULL)
        return 2;
    if (unlink("copy") != 0)
        return 3;
    int fd = open("/proc/self/exe", O_RDONLY); /* it is still there */
    if (fd < 0 || read(fd, path, 4) != 4 || memcmp(path, "\177ELF", 4) != 0)
        return 4;
    return copy_program("copy") ? 42 : 5;
}

static void test_memory_file(void)
{
    struct stat status;
    int fd = (int)syscall(SYS_memfd_create, "name", 1);
    CHECK(fd >= 0);
    CHECK_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK(fstat(fd, &status) == 0 && status.st_nlink == 0 && S_ISREG(status.st_mode));
    CHECK_EQUAL(write(fd, "memory", 6), 6);
    char *memory = map(fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK(memcmp(memory, "memory", 6) == 0);
    close(fd);
    memory[0] = 'M';
    munmap(memory, PAGE);
    CHECK_ERROR(syscall(SYS_memfd_create, "name", 0x100), EINVAL);
    CHECK_ERROR(syscall(SYS_memfd_create, 16, 0), EFAULT);
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "again") == 0)
        return again();
    signal(SIGBUS, on_bus);
    file_place_enter("mmap");
    test_same_bytes();
    test_end();
    test_fork();
    test_unlinked();
    test_rights();
    test_run();
    test_memory_file();
    file_place_leave();
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * execve that fails: with the right error, and the caller goes on as if nothing had been.
 */
#include "check.h"

#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

static char *none[] = {NULL};
static char *own_name;
static char *arguments[] = {"x", "again", NULL};

static int execve_raw(const char *path, void *argument_vector, void *environment)
{
    return execve(path, argument_vector, environment);
}

static void check_paths(void)
{
    static char path[5001];

    CHECK_ERROR(execve("", arguments, none), ENOENT);
    CHECK_ERROR(execve("/no-such-program", arguments, none), ENOENT);
    CHECK_ERROR(execve("no-such-program", arguments, none), ENOENT);
    CHECK_ERROR(execve("/no-such-directory/program", arguments, none), ENOENT);
    CHECK_ERROR(execve("/", arguments, none), EACCES);
    CHECK_ERROR(execve("/dev", arguments, none), EACCES);
    CHECK_ERROR(execve("/dev/null", arguments, none), EACCES);
    CHECK_ERROR(execve("/dev/null/program", arguments, none), ENOTDIR);
    memset(path, 'x', 5000);
    CHECK_ERROR(execve(path, arguments, none), ENAMETOOLONG);
    path[4095] = '\0';
    CHECK_ERROR(execve(path, arguments, none), ENAMETOOLONG);
}

static void check_pointers(void)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char **vector = (char **)(void *)(page + 4096 - 8);

    munmap(page + 4096, 4096);
    CHECK_ERROR(execve_raw(NULL, arguments, none), EFAULT);
    CHECK_ERROR(execve_raw((char *)0xFFFFF000, arguments, none), EFAULT);
    CHECK_ERROR(execve_raw(own_name, (void *)0xFFFFF000, none), EFAULT);
    CHECK_ERROR(execve_raw(own_name, arguments, (void *)0xFFFFF000), EFAULT);
    CHECK_ERROR(execve_raw(own_name, (void *)4, none), EFAULT);
    memset(page, 'x', 4096);
    char *last = page + 4096 - 100; /* its end is not before the hole */
    CHECK_ERROR(execve(last, arguments, none), EFAULT);
    CHECK_ERROR(execve(own_name, (char *[]){"x", last, NULL}, none), EFAULT);
    vector[0] = own_name;
    vector[1] = own_name; /* and no NULL before the hole */
    CHECK_ERROR(execve(own_name, vector, none), EFAULT);
    CHECK_ERROR(execve(own_name, arguments, vector), EFAULT);
    char *bad[] = {"x", (char *)0xFFFFF000, NULL};
    CHECK_ERROR(execve(own_name, bad, none), EFAULT);
    CHECK_ERROR(execve(own_name, arguments, bad), EFAULT);
    munmap(page, 4096);
}

static void check_sizes(void)
{
    static char *many[70000];
    char *text = malloc(200000);
    char *longest[] = {"x", "again", text, NULL};
    struct rlimit limit, small;

    memset(text, 'x', 199999);
    text[199999] = '\0';
    CHECK_ERROR(execve(own_name, longest, none), E2BIG);
    CHECK_ERROR(execve(own_name, arguments, longest), E2BIG);
    text[131072] = '\0'; /* one character too many */
    CHECK_ERROR(execve(own_name, longest, none), E2BIG);
    text[100000] = '\0';
    for (int i = 0; i < 69999; i++)
        many[i] = text;
    CHECK_ERROR(execve(own_name, many, none), E2BIG); /* 7 GB */
    getrlimit(RLIMIT_STACK, &limit);
    small = (struct rlimit){1 << 20, limit.rlim_max};
    setrlimit(RLIMIT_STACK, &small);
    for (int i = 0; i < 69999; i++)
        many[i] = "";
    CHECK_ERROR(execve(own_name, many, none), E2BIG); /* 5 bytes each, of a quarter of a MiB */
    setrlimit(RLIMIT_STACK, &limit);
    free(text);
}

int main(int count, char **given)
{
    if (count > 1 && strcmp(given[1], "again") == 0)
        return 0;
    if (getenv("PATH") == NULL)
        return 98; /* what was to fail has run */
    own_name = (char *)getauxval(AT_EXECFN);
    check_paths();
    check_pointers();
    check_sizes();
    CHECK_THAT("after all these errors it works", fork() != 0 || execve(own_name, arguments, none));
    int status;
    wait(&status);
    CHECK_EQUAL(status, 0);
    return check_end();
}

/* SPDX-License-Identifier: MIT */
/*
 * What a program finds on its first stack: arguments, environment, auxiliary vector, as the ABI and
 * getauxval(3) say; and what execve keeps and resets.
 */
#include "check.h"

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

extern char **environ;
extern char _end[];

/* The vector lies behind the environment's NULL. */
static unsigned long auxiliary(unsigned long type, bool *found)
{
    char **end = environ;

    while (*end != NULL)
        end++;
    for (const Elf32_auxv_t *pair = (void *)(end + 1); pair->a_type != AT_NULL; pair++)
        if (pair->a_type == type) {
            *found = true;
            return pair->a_un.a_val;
        }
    *found = false;
    return 0;
}

static unsigned long must_have(unsigned long type, const char *name)
{
    char text[64];
    bool found;
    unsigned long value = auxiliary(type, &found);

    snprintf(text, sizeof(text), "there is %s", name);
    CHECK_THAT(text, found);
    return value;
}
#define AUXILIARY(type) must_have(type, #type)

static bool is_string(uint32_t address, const char *text)
{
    return strcmp((const char *)address, text) == 0;
}

static void check_layout(int count, char **arguments)
{
    uint32_t *words = (uint32_t *)(void *)arguments;

    CHECK_THAT("ESP was a multiple of 16", (uintptr_t)(words - 1) % 16 == 0);
    CHECK_EQUAL(words[-1], (uint32_t)count);
    CHECK_THAT("the arguments end with NULL", arguments[count] == NULL);
    CHECK_THAT("the environment follows", environ == arguments + count + 1);
    const char *end = arguments[0];
    bool in_row = true;
    for (int i = 0; i < count; i++) {
        in_row = in_row && arguments[i] == end;
        end += strlen(end) + 1;
    }
    for (char **variable = environ; *variable != NULL; variable++) {
        in_row = in_row && *variable == end;
        end += strlen(end) + 1;
    }
    CHECK_THAT("the strings stand in a row: arguments, then environment", in_row);
    CHECK_THAT("then the path", end == (char *)AUXILIARY(AT_EXECFN));
    end += strlen(end) + 1;
    bool zero = true;
    for (; (uintptr_t)end % 4096 != 0; end++)
        zero = zero && *end == '\0';
    CHECK_THAT("then zeros, a word of the kernel's, up to the end of the stack",
               zero && end - (char *)getauxval(AT_EXECFN) < 4096);
}

static void check_auxiliary_vector(void)
{
    const Elf32_Ehdr *header = (void *)0x08048000;
    const Elf32_Phdr *first = (void *)AUXILIARY(AT_PHDR);

    CHECK_THAT("AT_PHDR is where the file says", (char *)first == (char *)header + header->e_phoff);
    CHECK_EQUAL(AUXILIARY(AT_PHENT), sizeof(Elf32_Phdr));
    CHECK_EQUAL(AUXILIARY(AT_PHNUM), header->e_phnum);
    CHECK_EQUAL(AUXILIARY(AT_ENTRY), header->e_entry);
    CHECK_EQUAL(AUXILIARY(AT_PAGESZ), 4096);
    CHECK_EQUAL(AUXILIARY(AT_CLKTCK), 100);
    CHECK_EQUAL(AUXILIARY(AT_BASE), 0);
    CHECK_EQUAL(AUXILIARY(AT_FLAGS), 0);
    CHECK_EQUAL(AUXILIARY(AT_SECURE), 0);
    CHECK_EQUAL(AUXILIARY(AT_UID), getuid());
    CHECK_EQUAL(AUXILIARY(AT_EUID), geteuid());
    CHECK_EQUAL(AUXILIARY(AT_GID), getgid());
    CHECK_EQUAL(AUXILIARY(AT_EGID), getegid());
    AUXILIARY(AT_HWCAP);
    AUXILIARY(AT_RANDOM);
    bool found;
    uint32_t platform = auxiliary(AT_PLATFORM, &found);
    CHECK_THAT("AT_PLATFORM names an x86",
               found && (is_string(platform, "i686") || is_string(platform, "x86_64")));
}

static const unsigned char *random_of_parent;

static int compare_random(void)
{
    return memcmp((void *)getauxval(AT_RANDOM), random_of_parent, 16) == 0;
}

/* ---- what execve keeps and resets: the second life of this program looks ---- */

static int bss_word, data_word = 7;

static int second_life(char **arguments)
{
    struct sigaction action;
    int kept = atoi(arguments[2]), closed = atoi(arguments[3]);
    sigset_t blocked;
    stack_t stack;

    CHECK_EQUAL(getpid(), atoi(arguments[4]));
    CHECK_THAT("variables are as in the file", bss_word == 0 && data_word == 7);
    CHECK_THAT("the heap begins anew", (uintptr_t)sbrk(0) - (uintptr_t)_end < 64 << 20);
    CHECK_THAT("a file stays open", fcntl(kept, F_GETFD) == 0);
    CHECK_ERROR(fcntl(closed, F_GETFD), EBADF);
    sigaction(SIGUSR1, NULL, &action);
    CHECK_THAT("a handler is forgotten", action.sa_handler == SIG_DFL);
    sigaction(SIGUSR2, NULL, &action);
    CHECK_THAT("what was ignored stays so", action.sa_handler == SIG_IGN);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    CHECK_THAT("blocked signals stay so", sigismember(&blocked, SIGTERM) == 1);
    sigpending(&blocked);
    CHECK_THAT("and pending ones", sigismember(&blocked, SIGTERM) == 1);
    sigaltstack(NULL, &stack);
    CHECK_EQUAL(stack.ss_flags, SS_DISABLE);
    CHECK_THAT("an empty argument is one", strcmp(arguments[5], "") == 0 && arguments[6] == NULL);
    CHECK_THAT("the environment is what was given", strcmp(environ[0], "ONE=1") == 0 &&
                                                        strcmp(environ[1], "no equals sign") == 0 &&
                                                        environ[2] == NULL);
    unsigned short control;
    __asm__ volatile("fnstcw %0" : "=m"(control));
    CHECK_EQUAL(control, 0x37F);
    return check_end();
}

static void handler(int signal)
{
    (void)signal;
}

static int first_life(const char *path)
{
    char kept[12], closed[12], pid[12];
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigset_t block;
    unsigned short control = 0x27F;

    snprintf(kept, sizeof(kept), "%d", dup(1));
    snprintf(closed, sizeof(closed), "%d", fcntl(1, F_DUPFD_CLOEXEC, 0));
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    kill(getpid(), SIGTERM);
    sigaltstack(&stack, NULL);
    bss_word = data_word = 1;
    __asm__ volatile("fldcw %0" : : "m"(control));
    char *arguments[] = {"a name of its own", "second", kept, closed, pid, "", NULL};
    char *environment[] = {"ONE=1", "no equals sign", NULL};
    execve(path, arguments, environment);
    return 99;
}

static const char *own_path;
static int live_twice(void)
{
    return first_life(own_path);
}

/* ---- extremes ---- */

static int status_of_exec(char **arguments, char **environment)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        execve(own_path, arguments, environment);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_extremes(void)
{
    static char *many[20002], *none[] = {NULL};
    char *text = malloc(131072);

    memset(text, 'x', 131071);
    text[131071] = '\0';
    char *longest[] = {"x", "count", text, NULL};
    CHECK_THAT("a string of 131071 characters", status_of_exec(longest, none) == 3);
    for (int i = 0; i < 20001; i++)
        many[i] = "count";
    CHECK_THAT("20001 arguments", status_of_exec(many, none) == 20001 % 100);
    CHECK_THAT("20001 variables", status_of_exec((char *[]){"x", "count", NULL}, many) == 2);
    CHECK_THAT("no arguments: one empty one", status_of_exec(none, none) == 77);
    CHECK_THAT("NULL is no arguments", status_of_exec(NULL, NULL) == 77);
    free(text);
}

int main(int count, char **arguments)
{
    if (arguments[0][0] == '\0')
        return count == 1 && arguments[1] == NULL ? 77 : 78;
    if (count > 1 && strcmp(arguments[1], "count") == 0)
        return count % 100;
    if (count > 1 && strcmp(arguments[1], "second") == 0)
        return second_life(arguments);
    own_path = (const char *)getauxval(AT_EXECFN);
    check_layout(count, arguments);
    check_auxiliary_vector();
    random_of_parent = (void *)getauxval(AT_RANDOM);
    CHECK_EXITS(compare_random, 1); /* fork keeps it */
    check_extremes();
    check_note("the second life counts for itself");
    CHECK_EXITS(live_twice, 0);
    return check_end();
}

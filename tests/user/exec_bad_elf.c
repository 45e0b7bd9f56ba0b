/* SPDX-License-Identifier: MIT */
/*
 * Files that lie about themselves: execve refuses them or ends the process, and nobody else is
 * hurt. See bad_elfs.h for the files and what is wanted of each.
 *
 * run: files=bad
 */
#include "bad_elfs.h"
#include "check.h"

#include <fcntl.h>

/* How the execution of a file ended: an errno of execve, or else what wait() says. */
struct outcome {
    int error, status;
};

static struct outcome execute(const char *name)
{
    char *arguments[] = {(char *)name, NULL};
    char *environment[] = {NULL};
    struct outcome outcome = {0, 0};
    int channel[2]; /* closes itself when execve succeeds */

    if (pipe2(channel, O_CLOEXEC) != 0)
        return (struct outcome){errno, 0};
    pid_t child = fork();
    if (child == 0) {
        execve(name, arguments, environment);
        int error = errno;
        _exit(write(channel[1], &error, sizeof(error)) == sizeof(error) ? 0 : 1);
    }
    close(channel[1]);
    if (read(channel[0], &outcome.error, sizeof(outcome.error)) != sizeof(outcome.error))
        outcome.error = 0;
    close(channel[0]);
    waitpid(child, &outcome.status, 0);
    return outcome;
}

static bool is_wanted(struct outcome outcome, enum wanted wanted)
{
    bool runs = outcome.error == 0;

    switch (wanted) {
    case ANYTHING:
        return true;
    case NOT_EXEC:
        return outcome.error == ENOEXEC;
    case NO_ENTRY:
        return outcome.error == ENOENT;
    case NO_ACCESS:
        return outcome.error == EACCES;
    case IS_A_LOOP:
        return outcome.error == ELOOP;
    case REFUSED:
        return outcome.error != 0 || WIFSIGNALED(outcome.status);
    case EXITS_42:
        return runs && WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 42;
    case EXITS_43:
        return runs && WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 43;
    case KILLED_SEGV:
        return runs && WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGSEGV;
    case KILLED_BUS:
        return runs && WIFSIGNALED(outcome.status) && WTERMSIG(outcome.status) == SIGBUS;
    }
    return false;
}

#define BAD_ELF(name, on_linux, on_droste) {"bad_" #name, {on_linux, on_droste}},
static const struct {
    const char *name;
    enum wanted wanted[2]; /* Linux, Droste */
} files[] = {BAD_ELFS};

int main(void)
{
    bool on_droste = check_on_droste();

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct outcome outcome = execute(files[i].name);
        char text[80];

        snprintf(text, sizeof(text), "%s: as wanted", files[i].name);
        if (!CHECK_THAT(text, is_wanted(outcome, files[i].wanted[on_droste])))
            check_note("  errno %d, wait status 0x%x", outcome.error, (unsigned)outcome.status);
    }
    return check_end();
}

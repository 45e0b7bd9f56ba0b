/* SPDX-License-Identifier: MIT */
/*
 * Scripts: execve of a file that names its interpreter in its first line (execve(2), "Interpreter
 * scripts"). This program is the interpreter; its exit status tells whether it was called right.
 *
 * run: files=scripts
 */
#include "check.h"

#include <sys/auxv.h>

/* What the interpreter must find in argv; the first is which script it is for. */
static const char *const wanted[][8] = {
    {"script_plain", "exec_script", "./script_plain", "one", "two", NULL},
    {"script_option", "exec_script", "an option  of words", "./script_option", "one", "two", NULL},
    {"script_of_script", "exec_script", "an option  of words", "script_option", "second option",
     "./script_of_script", "one", "two"},
    {"script_without_newline", "exec_script", "no-newline", "./script_without_newline", "one",
     "two", NULL},
    {"script_name_alone", "exec_script", "./script_name_alone", "one", "two", NULL},
    {"script_blank_at_end", "exec_script", "", "./script_blank_at_end", "one", "two", NULL},
    {"script_blanks_and_newline", "exec_script", "./script_blanks_and_newline", "one", "two", NULL},
    {"script_name_of_zero", "exec_script", "./script_name_of_zero", "one", "two", NULL},
    {"script_cut_option", "exec_script",
     "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234567890",
     "./script_cut_option", "one", "two", NULL},
};
enum { SCRIPTS = sizeof(wanted) / sizeof(wanted[0]) };

/* Called by script NUMBER: is all as it should be? */
static int interpret(int number, int count, char **arguments)
{
    char path[80];

    for (int i = 0; i < 7; i++) {
        const char *text = wanted[number][i + 1];
        if (text == NULL)
            break;
        if (i >= count || strcmp(arguments[i], text) != 0)
            return 50 + i;
    }
    if (strcmp(arguments[count - 1], "two") != 0)
        return 60;
    snprintf(path, sizeof(path), "./%s", wanted[number][0]);
    if (strcmp((const char *)getauxval(AT_EXECFN), path) != 0)
        return 61; /* AT_EXECFN is what was given to execve */
    if (strcmp(getenv("SCRIPT") == NULL ? "" : getenv("SCRIPT"), wanted[number][0]) != 0)
        return 62;
    return 7;
}

static int script_now;

static int run_script(void)
{
    char path[80], variable[80];

    snprintf(path, sizeof(path), "./%s", wanted[script_now][0]);
    snprintf(variable, sizeof(variable), "SCRIPT=%s", wanted[script_now][0]);
    char *arguments[] = {"never seen", "one", "two", NULL};
    char *environment[] = {variable, NULL};
    execve(path, arguments, environment);
    return 99;
}

int main(int count, char **arguments)
{
    const char *script = getenv("SCRIPT");

    for (int i = 0; script != NULL && i < SCRIPTS; i++)
        if (strcmp(script, wanted[i][0]) == 0)
            return interpret(i, count, arguments);
    for (script_now = 0; script_now < SCRIPTS; script_now++) {
        char text[80];
        snprintf(text, sizeof(text), "%s: arguments, AT_EXECFN, environment",
                 wanted[script_now][0]);
        int status = check_child(run_script);
        if (!CHECK_THAT(text, status == 7 << 8))
            check_note("  wait status 0x%x", (unsigned)status);
    }
    CHECK_ERROR(execl("./script_endless_name", "x", NULL), ENOEXEC);
    return check_end();
}

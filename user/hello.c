/* SPDX-License-Identifier: MIT */
/*
 * The first program: says what it was given.
 *
 *   make run INIT=build/user/hello ARGS="one two"
 */
#include <stdio.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments)
{
    printf("Hello from process %d.\n", (int)getpid());
    for (int i = 0; i < count; i++)
        printf("argument %d: %s\n", i, arguments[i]);
    for (char **variable = environ; *variable != NULL; variable++)
        printf("environment: %s\n", *variable);
    return count - 1; /* the exit status, which tools/run passes on and make reports */
}

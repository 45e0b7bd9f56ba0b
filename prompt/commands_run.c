/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands that let programs run: run, resume.
 */
#include "commands.h"

#include <kernel/printk.h>
#include <process/errno.h>
#include <program/init.h>
#include <prompt/prompt.h>

static const char *why(int32_t error)
{
    switch (-error) {
    case ENOENT:
        return "there is no such file";
    case EACCES:
        return "this is no file that can be run";
    case ENOEXEC:
        return "this is no static program for i386";
    case ENOMEM:
        return "memory is full";
    default:
        return "it can't be run";
    }
}

COMMAND("run", "FILE [WORD] [WORD] [WORD] [WORD] [WORD]", "start a program, and let all run")
{
    uint32_t pid;
    int32_t result = init_start_program(arguments->word, arguments->count, &pid);
    if (result < 0) {
        printk("run: %s: %s (error %d)\n", arguments->word[0], why(result), (int)-result);
        return true;
    }
    process_find(pid)->is_kernels_child = 1;
    prompt_end();
    return true;
}

COMMAND("resume", "", "let the frozen processes go on")
{
    if (process_count() == 0)
        printk("resume: there are no processes\n");
    else
        prompt_end();
    return true;
}

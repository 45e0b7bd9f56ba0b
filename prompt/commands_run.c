/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Commands that let programs run: run, resume.
 */
#include "commands.h"

#include <kernel/printk.h>
#include <program/init.h>
#include <prompt/prompt.h>

COMMAND("run", "FILE [WORD] [WORD] [WORD] [WORD] [WORD]", "start a program, and let all run")
{
    uint32_t pid;
    int32_t result = init_start_program(arguments->word, arguments->count, &pid);
    if (result < 0) {
        printk("run: %s: %s (error %d)\n", arguments->word[0], init_failed(result), (int)-result);
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

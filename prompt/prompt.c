/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. The prompt, main loop of a kernel that was asked for nothing else.
 *
 * It runs one command at a time on the kernel stack and knows none by name: `help` and all others
 * stand in a linker set (prompt/commands_*.c).
 */
#include "line.h"

#include <kernel/console.h>
#include <kernel/printk.h>
#include <kernel/string.h>
#include <prompt/prompt.h>

void words_split(char *line, struct words *words)
{
    words->count = 0;
    while (*line != '\0') {
        if (*line == ' ') {
            *line++ = '\0';
            continue;
        }
        if (words->count < WORDS_MAX)
            words->word[words->count] = line;
        words->count++;
        while (*line != ' ' && *line != '\0')
            line++;
    }
}

enum usage_verdict usage_check(const char *usage, unsigned count)
{
    unsigned needed = 0;
    unsigned allowed = 0;

    for (const char *at = usage; *at != '\0'; at++) {
        if (*at == ' ' || (at != usage && at[-1] != ' '))
            continue;
        allowed++;
        needed += *at != '[';
    }
    if (count < needed)
        return USAGE_TOO_FEW;
    return count > allowed ? USAGE_TOO_MANY : USAGE_RIGHT;
}

bool argument_size(const char *word, uint32_t *bytes)
{
    if (parse_size(word, bytes))
        return true;
    printk("'%s' is no number of bytes below 4 GiB: try 4096, 0x1000, 64K, 16M or 1G\n", word);
    return false;
}

bool argument_address(const char *word, vaddr_t *address)
{
    char hexadecimal[LINE_BYTES + 2] = "0x";
    bool has_mark = word[0] == 'V' || word[0] == 'v';

    if (parse_size(has_mark ? word + 1 : word, &address->v))
        return true;
    if (text_copy(hexadecimal + 2, LINE_BYTES, word) && parse_u32(hexadecimal, &address->v))
        return true;
    printk("'%s' is no address: try 0xc0100000, c0100000 or 3G\n", word);
    return false;
}

static const struct command *find_command(const char *name)
{
    for (const struct command *command = commands_first; command < commands_end; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

void prompt_run_line(char *line)
{
    struct words words;
    struct words arguments = {0};
    const struct command *command;
    enum usage_verdict verdict;

    words_split(line, &words);
    if (words.count == 0)
        return;
    command = find_command(words.word[0]);
    if (command == NULL) {
        printk("unknown command '%s': try help\n", words.word[0]);
        return;
    }
    arguments.count = words.count - 1;
    for (unsigned i = 0; i < arguments.count && i + 1 < WORDS_MAX; i++)
        arguments.word[i] = words.word[i + 1];
    verdict = usage_check(command->usage, arguments.count);
    if (verdict != USAGE_RIGHT)
        printk("too %s arguments\n", verdict == USAGE_TOO_FEW ? "few" : "many");
    if (verdict != USAGE_RIGHT || !command->run(&arguments))
        printk("usage: %s%s%s\n", command->name, command->usage[0] != '\0' ? " " : "",
               command->usage);
}

static bool is_over;

void prompt_end(void)
{
    is_over = true;
}

void prompt_run(void)
{
    static struct line line = {.echo = console_write};

    printk("\nType help to see what you can ask.\n");
    for (is_over = false; !is_over;) {
        enum line_result result;

        printk("droste> ");
        line_start(&line);
        do
            result = line_take_key(&line, console_read_key());
        while (result == LINE_GOES_ON);
        if (result == LINE_DONE)
            prompt_run_line(line.text);
        else if (result == LINE_TOO_LONG)
            printk("not done: the line has room for %u characters\n", LINE_BYTES - 1);
    }
}

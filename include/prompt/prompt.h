/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Uses: layers 0-5. Used by: prompt/.
 *
 * The prompt: reads a line, finds the command, runs it. Commands stand in a linker set; whoever
 * has one to offer writes it where it belongs.
 */
#ifndef PROMPT_PROMPT_H
#define PROMPT_PROMPT_H

#include <kernel/test.h>

enum { WORDS_MAX = 8 };

/* A line taken apart at its spaces. The texts live as long as the line. */
struct words {
    unsigned count;
    const char *word[WORDS_MAX];
};

struct command {
    const char *name;
    const char *usage;   /* its arguments, "ADDR [SIZE]": those in brackets may be missing */
    const char *purpose; /* what it does, in a few words */
    bool (*run)(const struct words *arguments); /* false: it has said what is wrong with them */
};

/*
 * COMMAND("walk", "ADDR", "the entries that lead to an address") { ... return true; }
 * The body gets `arguments`, without the command's name; the prompt has compared their number with
 * the usage text. After `return false` the prompt shows the usage.
 */
#define COMMAND(command_name, command_usage, command_purpose)                                      \
    static bool TEST_JOIN(command_run_, __LINE__)(const struct words *arguments);                  \
    static in_link_order const struct command TEST_JOIN(command_, __LINE__)                        \
        __attribute__((section(".commands"), used)) = {(command_name), (command_usage),            \
                                                       (command_purpose),                          \
                                                       TEST_JOIN(command_run_, __LINE__)};         \
    static bool TEST_JOIN(command_run_,                                                            \
                          __LINE__)(__attribute__((unused)) const struct words *arguments)

/* Read lines and run them, until a command calls prompt_end(). */
void prompt_run(void);
void prompt_end(void);

/* The set, in the order of the link; from linker.ld. */
extern const struct command commands_first[], commands_end[];

/* Cut LINE at its spaces, in place. Words beyond WORDS_MAX are counted, but not kept. */
void words_split(char *line, struct words *words);

/* Whether COUNT arguments are what USAGE asks for. */
enum usage_verdict { USAGE_RIGHT, USAGE_TOO_FEW, USAGE_TOO_MANY };
enum usage_verdict usage_check(const char *usage, unsigned count);

/* Run the command that LINE holds (it is cut up), or say why not. An empty line does nothing. */
void prompt_run_line(char *line);

/*
 * Arguments for a person's fingers: an address or size as parse_size() reads it; an address also as
 * the kernel prints it (V0xc0100000) and in bare hexadecimal with a letter in it (c0100000).
 *   returns false after a line that says what is wrong with WORD
 */
bool argument_address(const char *word, vaddr_t *address);
bool argument_size(const char *word, uint32_t *bytes);

#endif

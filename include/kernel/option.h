/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Uses: types. Used by: main and every unit that the command line can tell something.
 *
 * Options of the kernel's command line. A unit registers each with its rule; options_read() takes
 * the line apart once, at boot, checks every word by these rules, and says what it does not
 * understand.
 */
#ifndef KERNEL_OPTION_H
#define KERNEL_OPTION_H

#include <kernel/types.h>

enum option_kind {
    OPTION_FLAG,    /* NAME */
    OPTION_NUMBER,  /* NAME=N, N at most `max` */
    OPTION_TEXT,    /* NAME=TEXT, at most `max` characters; 0: any number */
    OPTION_SUBJECT, /* NAME for all, or NAME=TEXT for one */
};

struct option {
    const char *name;
    enum option_kind kind;
    uint32_t max;
    bool (*exists)(
        const char *text); /* is there something of this name? NULL: not to be asked here */
    bool is_task; /* what is to be done instead of asking at the prompt: of these one at most */
    /* From options_read() on: */
    bool is_given;
    uint32_t number;
    const char *text; /* "" where none is given; stays for good */
};

/* OPTION(overcommit, "overcommit", OPTION_NUMBER, .max = 2); then overcommit_option.is_given */
#define OPTION(variable, option_name, option_kind, ...)                                            \
    static struct option variable##_option = {                                                     \
        .name = (option_name), .kind = (option_kind), .text = "", __VA_ARGS__};                    \
    static struct option *const variable##_option_entry                                            \
        __attribute__((section(".options"), used)) = &variable##_option

/* The set, [options_first, options_end); from linker.ld. */
extern struct option *const options_first[], *const options_end[];

/*
 * Read LINE, words separated by spaces, into the options of [FIRST, END). LINE is cut into its
 * words and must stay. Of each word that is not taken a line says why: an unknown name, a value
 * that is missing, too many, or wrong, an option given twice (the first counts), a second task.
 *   returns how many were wrong, but for unknown ones: what was asked for is not what would be done
 */
unsigned options_read(char *line, struct option *const *first, struct option *const *end);

#endif

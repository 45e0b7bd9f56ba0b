/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Uses: layer 0. Used by: prompt, its tests.
 *
 * A line of text that is typed, edited and remembered. Keys go in, echo comes out; it reads no
 * device and so can be tested.
 */
#ifndef PROMPT_LINE_H
#define PROMPT_LINE_H

#include <kernel/types.h>

enum {
    LINE_BYTES = 71,   /* with the prompt and the cursor it stays within 80 columns */
    LINE_HISTORY = 16, /* lines remembered */
};

struct line {
    void (*echo)(const char *text, size_t bytes); /* printable text, '\b' and '\n' */
    char text[LINE_BYTES];                        /* always terminated */
    unsigned length, cursor;
    bool is_full; /* a character found no room, and nothing was edited since */
    char history[LINE_HISTORY][LINE_BYTES]; /* the line number n at n % LINE_HISTORY */
    unsigned remembered;                    /* lines so far */
    unsigned steps_back;                    /* which of them is shown; 0: the new one */
};

enum line_result {
    LINE_GOES_ON,
    LINE_DONE,      /* Enter: TEXT is the line */
    LINE_TOO_LONG,  /* Enter, but TEXT is not all that was typed: half an address is another one */
    LINE_ABANDONED, /* ^C */
};

/* Begin a new line. All of *LINE but `echo` is zero before the first one. */
void line_start(struct line *line);

/*
 * Take KEY, as of <kernel/console.h>: characters; Backspace, Delete; the cursor keys, Home (^A),
 * End (^E); ^U clears the line, ^K what is behind the cursor; Up and Down show earlier lines. What
 * does not fit is not taken, and the line is too long until something else is edited.
 */
enum line_result line_take_key(struct line *line, int key);

#endif

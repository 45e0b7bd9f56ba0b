/* SPDX-License-Identifier: MIT */
/*
 * Layer 6. Uses: layers 0-5, process. Used by: process/.
 *
 * Keys while processes run: all go to the terminal but ^] (and a break on the serial line), which
 * freezes the processes and opens the prompt. `resume` there lets them go on.
 */
#ifndef PROMPT_ATTENTION_H
#define PROMPT_ATTENTION_H

#include <process/process.h>

/* Keys come by interrupt from now on, if they do not yet. */
void attention_start(void);

/* Hand waiting keys on. While the prompt is open they are the prompt's. */
void attention_poll_keys(void);

/* If somebody asked for the prompt, or no process is left: open it. */
void attention_answer(void);

#endif

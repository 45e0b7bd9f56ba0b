/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Private. Uses: process/timer. Used by: prompt/.
 *
 * What `watch` asks of the loop that looks for keys: processes go on, a line is said each second, and
 * the next key, which is no program's, opens the prompt again.
 */
#ifndef PROMPT_WATCH_H
#define PROMPT_WATCH_H

#include <kernel/types.h>

bool watch_is_on(void);
void watch_end(void);

/* A second is over since the last line: the next one is to be said. */
bool watch_is_due(void);
void watch_say(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Words of the kernel command line.
 */
#include <kernel/boot_info.h>
#include <kernel/string.h>

/* What follows NAME in the word [WORD, END): END or its `=`. NULL if it is another word. */
static const char *match_name(const char *word, const char *end, const char *name)
{
    while (word < end && *name != '\0' && *word == *name) {
        word++;
        name++;
    }
    if (*name != '\0' || (word < end && *word != '='))
        return NULL;
    return word;
}

bool boot_option(const struct boot_info *info, const char *name, char *value, size_t value_bytes)
{
    const char *word = info->command_line;

    while (*word != '\0') {
        const char *end = word;
        const char *rest;

        while (*end != ' ' && *end != '\0')
            end++;
        rest = match_name(word, end, name);
        if (end > word && rest != NULL) {
            size_t i = 0;

            if (value == NULL || value_bytes == 0)
                return true;
            for (rest += rest < end; rest < end && i < value_bytes - 1; rest++)
                value[i++] = *rest;
            value[i] = '\0';
            return true;
        }
        word = *end == ' ' ? end + 1 : end;
    }
    return false;
}

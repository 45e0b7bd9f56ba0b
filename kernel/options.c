/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. The options of the kernel's command line (include/kernel/option.h).
 */
#include <kernel/option.h>
#include <kernel/printk.h>
#include <kernel/string.h>

/* VALUE is what stands behind the `=`, NULL without one. Returns what is wrong with it, or NULL. */
static const char *take_value(struct option *option, const char *value)
{
    if (value == NULL && option->kind != OPTION_FLAG && option->kind != OPTION_SUBJECT)
        return "a value is missing";
    if (value != NULL && option->kind == OPTION_FLAG)
        return "it takes no value";
    if (value != NULL && *value == '\0')
        return "its value is empty";
    if (option->kind == OPTION_NUMBER) {
        if (!parse_u32(value, &option->number))
            return "a number is meant";
        if (option->number > option->max)
            return "the number is too large";
    }
    if (option->kind == OPTION_TEXT && option->max != 0 && strlen(value) > option->max)
        return "its value is too long";
    if (value != NULL && option->exists != NULL && !option->exists(value))
        return "there is nothing of this name";
    option->is_given = true;
    option->text = value != NULL ? value : "";
    return NULL;
}

static struct option *find(const char *name, struct option *const *first, struct option *const *end)
{
    for (; first < end; first++)
        if (strcmp((*first)->name, name) == 0)
            return *first;
    return NULL;
}

/* Returns false for an option whose value is wrong. */
static bool read_word(char *word, struct option *const *first, struct option *const *end)
{
    char *equals = strchr(word, '=');
    const char *value = equals != NULL ? equals + 1 : NULL;
    const char *wrong;

    if (equals != NULL)
        *equals = '\0';
    struct option *option = find(word, first, end);
    if (option == NULL)
        wrong = "no option of this kernel, passed over";
    else if (option->is_given)
        wrong = "given before, which counts";
    else
        wrong = take_value(option, value);
    if (wrong == NULL)
        return true;
    printk("option %s%s%s: %s\n", word, value != NULL ? "=" : "", value != NULL ? value : "",
           wrong);
    if (option != NULL && option->kind == OPTION_NUMBER && !option->is_given)
        printk("option %s: a number from 0 to %u\n", option->name, (unsigned)option->max);
    return option == NULL || option->is_given;
}

/* Returns how many tasks are given besides the first. */
static unsigned refuse_more_tasks(struct option *const *first, struct option *const *end)
{
    const struct option *task = NULL;
    unsigned wrong = 0;

    for (; first < end; first++) {
        if (!(*first)->is_task || !(*first)->is_given)
            continue;
        if (task == NULL) {
            task = *first;
            continue;
        }
        printk("option %s: not together with %s\n", (*first)->name, task->name);
        (*first)->is_given = false;
        wrong++;
    }
    return wrong;
}

unsigned options_read(char *line, struct option *const *first, struct option *const *end)
{
    unsigned wrong = 0;

    while (*line != '\0') {
        char *word = line;
        while (*line != ' ' && *line != '\0')
            line++;
        if (*line == ' ')
            *line++ = '\0';
        if (*word != '\0' && !read_word(word, first, end))
            wrong++;
    }
    return wrong + refuse_more_tasks(first, end);
}

/* SPDX-License-Identifier: MIT */
/*
 * Host test, for libFuzzer: what people type. The first byte chooses: a kernel command line, a
 * memory map by hand, a number, keys of the line editor, a line of the prompt taken apart.
 */
#include <kernel/boot_info.h>
#include <kernel/console.h>
#include <kernel/option.h>
#include <prompt/prompt.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#include "../../kernel/memmap.h"
#include "../../prompt/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
bool parse_u32(const char *text, uint32_t *value) must_check;
bool parse_size(const char *text, uint32_t *bytes) must_check;

static struct boot_info info;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void try_options(const char *text)
{
    struct option options[] = {{.name = "nopse", .kind = OPTION_FLAG},
                               {.name = "panic", .kind = OPTION_TEXT},
                               {.name = "test", .kind = OPTION_SUBJECT},
                               {.name = "overcommit", .kind = OPTION_NUMBER, .max = 2}};
    struct option *set[ARRAY_LENGTH(options)];
    char *words = strdup(text);
    for (unsigned i = 0; i < ARRAY_LENGTH(options); i++)
        set[i] = &options[i];
    (void)options_read(words, set, set + ARRAY_LENGTH(set));
    for (unsigned i = 0; i < ARRAY_LENGTH(options); i++)
        if (options[i].is_given)
            must(strstr(text, options[i].name) != NULL && options[i].number <= options[i].max &&
                 (options[i].text[0] == 0 || strstr(text, options[i].text) != NULL));
    free(words);
}

static void try_map(const char *text)
{
    if (memmap_replace(text, &info) == KERR_OK)
        must(info.memory_count <= BOOT_MEMORY_RANGES_MAX);
}

static void try_number(const char *text)
{
    uint32_t value = 0x1234, size = 0x1234;
    vaddr_t address;
    uint32_t size_argument;
    bool is_number = parse_u32(text, &value), is_size = parse_size(text, &size);
    must(is_number || value == 0x1234);
    must(is_size || size == 0x1234);
    if (is_number && is_size)
        must(value == size);
    if (is_number && text[0] != '0' && strspn(text, "0123456789") == strlen(text))
        must(strtoull(text, NULL, 10) == value);
    must(argument_size(text, &size_argument) == is_size);
    if (is_number)
        must(argument_address(text, &address) && address.v == value);
}

/* What a terminal shows after all that was echoed, on one line. */
static char shown[4 * LINE_BYTES];
static size_t shown_at, shown_end;

static void show(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\b') {
            must(shown_at > 0);
            shown_at--;
            continue;
        }
        must(shown_at < sizeof(shown));
        shown[shown_at++] = text[i];
        if (shown_at > shown_end)
            shown_end = shown_at;
    }
}

static void must_show(const struct line *line)
{
    must(line->length == strlen(line->text) && line->length < LINE_BYTES);
    must(line->cursor <= line->length && shown_at == line->cursor);
    must(memcmp(shown, line->text, line->length) == 0);
    for (size_t i = line->length; i < shown_end; i++)
        must(shown[i] == ' ');
}

static void try_keys(const uint8_t *keys, size_t count)
{
    static struct line line;
    memset(&line, 0, sizeof(line));
    line.echo = show;
    line_start(&line);
    shown_at = shown_end = 0;
    for (size_t i = 0; i < count; i++) {
        int key = keys[i] < 0x80 ? keys[i] : KEY_UP + keys[i] % 7;
        if (line_take_key(&line, key) != LINE_GOES_ON) {
            line_start(&line);
            shown_at = shown_end = 0;
        }
        must_show(&line);
    }
}

static void try_words(char *text)
{
    struct words words;
    words_split(text, &words);
    for (unsigned i = 0; i < words.count && i < WORDS_MAX; i++)
        must(words.word[i][0] != 0 && strchr(words.word[i], ' ') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    char *text = malloc(bytes);
    machine_set_output(OUTPUT_HIDDEN);
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = 0;
    memset(&info, 0, sizeof(info));
    switch (data[0] % 5) {
    case 0:
        try_options(text);
        break;
    case 1:
        try_map(text);
        break;
    case 2:
        try_number(text);
        break;
    case 3:
        try_keys(data + 1, bytes - 1);
        break;
    default:
        try_words(text);
    }
    free(text);
    return 0;
}

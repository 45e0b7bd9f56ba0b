/* SPDX-License-Identifier: MIT */
/*
 * Layer 11. Tests of the line editor, and of how a line becomes a command.
 */
#include <kernel/console.h>
#include <kernel/string.h>
#include <prompt/line.h>
#include <prompt/prompt.h>

enum { SHOWN_BYTES = 80 };

static struct line line;

/* What a terminal shows of the echo, and where its cursor is. */
static char shown[SHOWN_BYTES + 1];
static unsigned shown_cursor;

static void show(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (text[i] == '\b')
            shown_cursor--;
        else if (text[i] != '\n' && shown_cursor < SHOWN_BYTES)
            shown[shown_cursor++] = text[i];
}

static void start_line(void)
{
    memset(shown, ' ', SHOWN_BYTES);
    shown_cursor = 0;
    line_start(&line);
}

static void start_editor(void)
{
    line = (struct line){.echo = show};
    start_line();
}

/* Take KEY; what the terminal shows must be the line, its cursor in place. */
static enum line_result take(int key)
{
    enum line_result result = line_take_key(&line, key);

    EXPECT_EQUAL(line.text[line.length], '\0');
    EXPECT(result == LINE_ABANDONED || memcmp(shown, line.text, line.length) == 0);
    for (unsigned i = line.length; result == LINE_GOES_ON && i < SHOWN_BYTES; i++)
        EXPECT_EQUAL(shown[i], ' ');
    if (result == LINE_GOES_ON)
        EXPECT_EQUAL(shown_cursor, line.cursor);
    return result;
}

static void take_text(const char *text)
{
    for (; *text != '\0'; text++)
        take(*text);
}

static void expect_line(const char *text)
{
    if (strcmp(line.text, text) != 0)
        test_fail(__FILE__, __LINE__, line.text);
}

TEST("prompt", "editing in the middle: the line and its echo agree")
{
    start_editor();
    take_text("wlk 0xc");
    for (unsigned i = 0; i < 6; i++)
        take(KEY_LEFT);
    take('a');
    take(KEY_END);
    take('\b');
    take_text("de");
    take(KEY_HOME);
    take(KEY_DELETE);
    take('W');
    expect_line("Walk 0xde");
    EXPECT_EQUAL(line.cursor, 1);
    EXPECT(take('\n') == LINE_DONE);
}

TEST("prompt", "keys with nothing to do: nothing happens")
{
    static const int keys[] = {'\b', KEY_DELETE, KEY_LEFT, KEY_RIGHT, KEY_UP, KEY_DOWN, 21, 11, 7};

    start_editor();
    for (unsigned i = 0; i < ARRAY_LENGTH(keys); i++)
        EXPECT(take(keys[i]) == LINE_GOES_ON);
    expect_line("");
}

TEST("prompt",
     "a line too long: what does not fit is not taken, and Enter says so until it is edited")
{
    start_editor();
    for (unsigned i = 0; i < LINE_BYTES - 1; i++)
        take('x');
    EXPECT(take('\n') == LINE_DONE);
    start_line();
    for (unsigned i = 0; i < 2 * LINE_BYTES; i++)
        take('x');
    EXPECT_EQUAL(line.length, LINE_BYTES - 1);
    EXPECT(line_take_key(&line, '\n') == LINE_TOO_LONG);
    start_line();
    take(KEY_UP);
    take('y');
    take('\b');
    take('z');
    EXPECT(take('\n') == LINE_DONE);
    start_line();
    take(KEY_UP);
    take(KEY_HOME);
    take('y');
    EXPECT_EQUAL(line.text[0], 'x');
}

TEST("prompt", "^U, ^K, ^C: clear, cut, give up")
{
    start_editor();
    take_text("frames");
    take(21);
    expect_line("");
    take_text("regions");
    take(KEY_LEFT);
    take(KEY_LEFT);
    take(11);
    expect_line("regio");
    EXPECT(take(3) == LINE_ABANDONED);
}

TEST("prompt", "history: up to its beginning and back, no line twice, the oldest forgotten")
{
    start_editor();
    for (unsigned i = 0; i < LINE_HISTORY + 3; i++) {
        take('a' + (int)i);
        take('\n');
        start_line();
    }
    take('a' + LINE_HISTORY + 2); /* the same again, and an empty one */
    take('\n');
    start_line();
    take('\n');
    start_line();

    take(KEY_UP);
    EXPECT_EQUAL(line.text[0], 'a' + LINE_HISTORY + 2);
    take(KEY_UP);
    EXPECT_EQUAL(line.text[0], 'a' + LINE_HISTORY + 1);
    for (unsigned i = 0; i < 2 * LINE_HISTORY; i++)
        take(KEY_UP);
    expect_line("d");
    for (unsigned i = 0; i < 2 * LINE_HISTORY; i++)
        take(KEY_DOWN);
    expect_line("");
}

TEST("prompt", "random keys: the line and its echo agree")
{
    static const int keys[] = {'a',        'b',      ' ',    'x',     '\b',
                               KEY_DELETE, KEY_LEFT, KEY_UP, KEY_END, KEY_RIGHT,
                               KEY_DOWN,   KEY_HOME, '\n',   'y',     'z'};
    uint32_t random = 1;

    start_editor();
    for (unsigned i = 0; i < 3000; i++)
        if (take(keys[test_random(&random) % ARRAY_LENGTH(keys)]) != LINE_GOES_ON)
            start_line();
}

TEST("prompt", "words: cut at spaces, however many")
{
    char text[] = "  touch  0x1000 4K ";
    char many[] = "1 2 3 4 5 6 7 8 9 10";
    char blank[] = "   ";
    struct words words;

    words_split(text, &words);
    EXPECT_EQUAL(words.count, 3);
    EXPECT(strcmp(words.word[0], "touch") == 0);
    EXPECT(strcmp(words.word[2], "4K") == 0);
    words_split(many, &words);
    EXPECT_EQUAL(words.count, 10);
    EXPECT(strcmp(words.word[WORDS_MAX - 1], "8") == 0);
    words_split(blank, &words);
    EXPECT_EQUAL(words.count, 0);
}

TEST("prompt", "arguments: as many as the usage asks for")
{
    EXPECT_EQUAL(usage_check("", 0), USAGE_RIGHT);
    EXPECT_EQUAL(usage_check("", 1), USAGE_TOO_MANY);
    EXPECT_EQUAL(usage_check("ADDR [SIZE]", 0), USAGE_TOO_FEW);
    EXPECT_EQUAL(usage_check("ADDR [SIZE]", 1), USAGE_RIGHT);
    EXPECT_EQUAL(usage_check("ADDR [SIZE]", 2), USAGE_RIGHT);
    EXPECT_EQUAL(usage_check("ADDR [SIZE]", 3), USAGE_TOO_MANY);
    EXPECT_EQUAL(usage_check("[NAME]", 0), USAGE_RIGHT);
}

TEST("prompt", "addresses: as typed and as printed")
{
    vaddr_t address = VADDR(0);

    EXPECT(argument_address("0xc0100000", &address) && address.v == 0xC0100000);
    EXPECT(argument_address("V0xffffffff", &address) && address.v == 0xFFFFFFFF);
    EXPECT(argument_address("c0de", &address) && address.v == 0xC0DE);
    EXPECT(argument_address("3G", &address) && address.v == 0xC0000000);
    EXPECT(argument_address("4096", &address) && address.v == 4096);
}

TEST("prompt", "commands: every one has a name of its own and says what it does")
{
    for (const struct command *command = commands_first; command < commands_end; command++) {
        EXPECT(command->name[0] != '\0' && command->purpose[0] != '\0');
        for (const struct command *other = commands_first; other < command; other++)
            EXPECT(strcmp(command->name, other->name) != 0);
    }
}

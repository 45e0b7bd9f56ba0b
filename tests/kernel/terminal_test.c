/* SPDX-License-Identifier: MIT */
/*
 * Layer 9. Tests of the terminal's input: keys in, characters out. Echo is off, so that the test's
 * own output stays readable; what programs ask of it is in tests/user/file_terminal.c.
 */
#include <file/terminal.h>
#include <kernel/console.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <process/errno.h>

static struct process reading;
static struct file file = {.operations = &terminal_operations};

/* The terminal as at boot, but silent; LOCAL: flags to switch off as well. */
static void begin(uint32_t local)
{
    struct termios settings = terminal_default_settings;
    settings.local &= ~(ECHO | local);
    terminal_flush_input();
    terminal_set(&settings);
}

static void end(void)
{
    terminal_flush_input();
    terminal_set(&terminal_default_settings);
}

static void type(const char *keys)
{
    for (; *keys != '\0'; keys++)
        EXPECT(terminal_take_key(*keys));
}

/* Read up to BYTES characters: are they WANTED? */
static bool reads(uint32_t bytes, const char *wanted)
{
    char text[64] = "";
    struct transfer transfer = transfer_of_kernel(text, bytes);
    int32_t done = terminal_operations.read(&reading, &file, &transfer);
    return done == (int32_t)strlen(wanted) && strcmp(text, wanted) == 0;
}

static bool reads_nothing(void)
{
    char text[64];
    struct transfer transfer = transfer_of_kernel(text, sizeof(text));
    return terminal_operations.read(&reading, &file, &transfer) == -EAGAIN;
}

TEST("terminal", "a line: is there when it is complete, one at a time, in parts as well")
{
    begin(0);
    type("hel");
    EXPECT(reads_nothing());
    EXPECT(terminal_operations.poll(&file) == POLL_WRITABLE);
    type("lo\nworld\n");
    EXPECT(terminal_operations.poll(&file) == (POLL_WRITABLE | POLL_READABLE));
    EXPECT(reads(60, "hello\n"));
    EXPECT(reads(3, "wor"));
    EXPECT(reads(60, "ld\n"));
    EXPECT(reads_nothing());
    end();
}

TEST("terminal", "a line edited: Backspace, ^W and ^U work on what is not complete")
{
    begin(0);
    type("one\nabx\bc\n");
    EXPECT(reads(60, "one\n"));
    EXPECT(reads(60, "abc\n"));
    type("x\n\b\b\bfirst second  \x17third\n");
    EXPECT(reads(60, "x\n"));
    EXPECT(reads(60, "first third\n"));
    type("forget\x15me\n");
    EXPECT(reads(60, "me\n"));
    end();
}

TEST("terminal", "^D: ends a line without a character; alone it is the end of the file, once")
{
    begin(0);
    type("ab\x04");
    EXPECT(reads(60, "ab"));
    EXPECT(reads_nothing());
    type("cd\x04");
    EXPECT(reads(2, "cd"));
    EXPECT(reads_nothing());
    type("\x04"
         "ef\n");
    EXPECT(reads(60, ""));
    EXPECT(reads(60, "ef\n"));
    end();
}

TEST("terminal", "not canonical: each character is there at once, keys as sequences")
{
    begin(ICANON);
    type("a\b\x04");
    EXPECT(reads(60, "a\x7f\x04"));
    EXPECT(terminal_take_key(KEY_UP) && terminal_take_key(KEY_DELETE));
    EXPECT(reads(60, "\033[A\033[3~"));
    EXPECT(reads_nothing());
    end();
}

TEST("terminal", "VMIN 0: an empty read; VMIN 3: waits for three")
{
    begin(ICANON);
    struct termios settings = terminal.settings;
    settings.characters[VMIN] = 0;
    terminal_set(&settings);
    EXPECT(reads(60, ""));
    settings.characters[VMIN] = 3;
    terminal_set(&settings);
    type("ab");
    EXPECT(reads_nothing());
    type("c");
    EXPECT(reads(60, "abc"));
    type("d");
    EXPECT(reads(1, "d"));
    end();
}

TEST("terminal", "canonical mode left: a line that was being edited is there")
{
    begin(0);
    type("part");
    struct termios settings = terminal.settings;
    settings.local &= ~(uint32_t)ICANON;
    terminal_set(&settings);
    EXPECT(reads(60, "part"));
    end();
}

TEST("terminal", "Enter without ICRNL: is a carriage return")
{
    begin(ICANON);
    struct termios settings = terminal.settings;
    settings.input &= ~(uint32_t)ICRNL;
    terminal_set(&settings);
    type("a\n");
    EXPECT(reads(60, "a\r"));
    end();
}

TEST("terminal", "lines that nobody reads: fill the ring, then keys are refused, none is lost")
{
    uint32_t typed = 0, read = 0;
    char text[8];
    begin(0);
    while (terminal_take_key(typed % 8 == 7 ? '\n' : 'a' + (int)(typed % 8)))
        typed++;
    EXPECT(typed > INPUT_CHARACTERS - 16);
    for (;;) {
        struct transfer transfer = transfer_of_kernel(text, sizeof(text));
        int32_t done = terminal_operations.read(&reading, &file, &transfer);
        if (done <= 0)
            break;
        EXPECT(memcmp(text, "abcdefg\n", 8) == 0);
        read += (uint32_t)done;
    }
    EXPECT_EQUAL(read, typed / 8 * 8);
    type("\n");
    end();
}

TEST("terminal", "a line longer than the ring: loses its end, and can be ended")
{
    uint32_t read = 0;
    char text[64];
    begin(0);
    for (unsigned i = 0; i < INPUT_CHARACTERS + 100; i++)
        EXPECT(terminal_take_key('x'));
    EXPECT(reads_nothing());
    type("\n");
    for (;;) {
        struct transfer transfer = transfer_of_kernel(text, sizeof(text));
        int32_t done = terminal_operations.read(&reading, &file, &transfer);
        if (done <= 0)
            break;
        read += (uint32_t)done;
    }
    EXPECT_EQUAL(read, INPUT_CHARACTERS);
    end();
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of the options of the command line, with a set of their own.
 */
#include <kernel/option.h>
#include <kernel/string.h>
#include <kernel/test.h>

static bool is_apple(const char *text)
{
    return strcmp(text, "apple") == 0;
}

static struct option flag, number, text, subject, task, other_task;
static struct option *const set[] = {&flag, &number, &text, &subject, &task, &other_task};
static char line[128];

/* How many values of the command line COMMAND_LINE are wrong. */
static unsigned read(const char *command_line)
{
    flag = (struct option){.name = "flag", .kind = OPTION_FLAG};
    number = (struct option){.name = "number", .kind = OPTION_NUMBER, .max = 22};
    text = (struct option){.name = "text", .kind = OPTION_TEXT, .max = 6};
    subject = (struct option){.name = "subject", .kind = OPTION_SUBJECT, .exists = is_apple};
    task = (struct option){.name = "task", .kind = OPTION_FLAG, .is_task = true};
    other_task = (struct option){.name = "other", .kind = OPTION_FLAG, .is_task = true};
    text_copy(line, sizeof(line), command_line);
    return options_read(line, set, set + ARRAY_LENGTH(set));
}

static unsigned given(void)
{
    return flag.is_given * 1u + number.is_given * 2u + text.is_given * 4u + subject.is_given * 8u;
}

TEST("options", "each kind with a right value: is given, with its value")
{
    EXPECT_EQUAL(read("  flag number=0x16  text=a=b,c subject=apple "), 0);
    EXPECT_EQUAL(given(), 15);
    EXPECT_EQUAL(number.number, 22);
    EXPECT(strcmp(text.text, "a=b,c") == 0);
    EXPECT(strcmp(subject.text, "apple") == 0);
    EXPECT_EQUAL(read("subject"), 0);
    EXPECT_EQUAL(given(), 8);
    EXPECT(strcmp(subject.text, "") == 0);
    EXPECT_EQUAL(read("number=0"), 0);
    EXPECT_EQUAL(given(), 2);
    EXPECT_EQUAL(number.number, 0);
}

TEST("options",
     "a value that is wrong, missing, empty or too many: is counted, the option not given")
{
    static const char *const lines[] = {
        "flag=",
        "flag=1",
        "number",
        "number=",
        "number=23",
        "number=-1",
        "number=abc",
        "number=2x",
        "number=0x",
        "text",
        "text=",
        "subject=",
        "subject=a",
        "number=2=2",
        "number=+2",
        "flag==",
        "subject=apples",
        "number=4294967296",
        "number=99999999999999999999",
        "text=abcdefg",
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++) {
        EXPECT_EQUAL(read(lines[i]), 1);
        EXPECT_EQUAL(given(), 0);
    }
    EXPECT_EQUAL(read("number=23 text= flag number=22"), 2);
    EXPECT_EQUAL(given(), 3);
}

TEST("options", "words that are no option: are passed over, and nothing is given")
{
    static const char *const lines[] = {
        "", " ", "=", " = ", "=flag", "fla", "flags", "flags=1", "FLAG", "x=flag", "numbe=2",
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(lines); i++) {
        EXPECT_EQUAL(read(lines[i]), 0);
        EXPECT_EQUAL(given(), 0);
    }
}

TEST("options", "an option given twice: the first counts")
{
    EXPECT_EQUAL(read("number=1 number=2 number=x flag flag"), 0);
    EXPECT_EQUAL(given(), 3);
    EXPECT_EQUAL(number.number, 1);
}

TEST("options", "the kernel's own: have names, each once")
{
    for (struct option *const *a = options_first; a < options_end; a++) {
        EXPECT((*a)->name[0] != '\0');
        for (struct option *const *b = options_first; b < a; b++)
            EXPECT(strcmp((*a)->name, (*b)->name) != 0);
    }
}

TEST("options", "two tasks: the second is counted as wrong, and not given")
{
    EXPECT_EQUAL(read("other flag"), 0);
    EXPECT(!task.is_given && other_task.is_given);
    EXPECT_EQUAL(read("other flag task"), 1);
    EXPECT(task.is_given && !other_task.is_given);
    EXPECT_EQUAL(given(), 1);
}

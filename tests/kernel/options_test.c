/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of the words of the command line.
 */
#include <kernel/boot_info.h>
#include <kernel/string.h>
#include <kernel/test.h>

/* Too large for the stack. */
static struct boot_info *const info = (void *)test_scratch;
_Static_assert(sizeof(*info) <= TEST_SCRATCH_BYTES, "it fits");

static bool option(const char *line, const char *name, char *value, size_t value_bytes)
{
    text_copy(info->command_line, sizeof(info->command_line), line);
    return boot_option(info, name, value, value_bytes);
}

TEST("options", "a word alone: found with an empty value")
{
    char value[8] = "#";

    EXPECT(option("test", "test", value, sizeof(value)));
    EXPECT(value[0] == '\0');
    EXPECT(option("  a  test  b ", "test", NULL, 0));
}

TEST("options", "NAME=VALUE: the value up to the next space, cut to the room")
{
    char value[8];

    EXPECT(option("x test=frame y", "test", value, sizeof(value)));
    EXPECT(strcmp(value, "frame") == 0);
    EXPECT(option("test=", "test", value, sizeof(value)));
    EXPECT(value[0] == '\0');
    EXPECT(option("m=a=b", "m", value, sizeof(value)));
    EXPECT(strcmp(value, "a=b") == 0);
    EXPECT(option("m=0123456789", "m", value, sizeof(value)));
    EXPECT(strcmp(value, "0123456") == 0);
    EXPECT(option("a=1 a=2", "a", value, sizeof(value)));
    EXPECT(strcmp(value, "1") == 0);
}

TEST("options", "part of a word: not found, the value untouched")
{
    char value[8] = "#";

    EXPECT(!option("", "test", value, sizeof(value)));
    EXPECT(!option("testing contest te", "test", value, sizeof(value)));
    EXPECT(!option("a=test", "test", value, sizeof(value)));
    EXPECT(!option(" = ", "", value, sizeof(value)) || value[0] == '\0');
    EXPECT(strcmp(value, "#") == 0 || value[0] == '\0');
}

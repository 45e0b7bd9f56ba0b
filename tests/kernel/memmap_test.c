/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of the memmap= option's reader, and of the symbol table.
 */
#include <kernel/memmap.h>
#include <kernel/string.h>
#include <kernel/symbols.h>
#include <kernel/test.h>

static struct boot_info *const info = (void *)test_scratch;
_Static_assert(sizeof(*info) <= TEST_SCRATCH_BYTES, "it fits");

TEST("memmap", "ranges with units, hexadecimal, beyond 4 GiB: are read as written")
{
    REQUIRE(memmap_replace("0+640K:1,0x100000+63M:1,4G+0x10:0xffffffff", info) == KERR_OK);
    EXPECT_EQUAL(info->memory_count, 3);
    EXPECT(info->memory[0].base == 0 && info->memory[0].bytes == 640u * 1024);
    EXPECT(info->memory[1].base == 0x100000 && info->memory[1].bytes == 63u * 1024 * 1024);
    EXPECT(info->memory[2].base == 0x100000000ull && info->memory[2].bytes == 0x10);
    EXPECT_EQUAL(info->memory[0].type, MEMORY_AVAILABLE);
    EXPECT_EQUAL(info->memory[2].type, 0xffffffff);
}

TEST("memmap", "a text of another form: is refused, the map untouched")
{
    static const char *const wrong[] = {"",
                                        "0",
                                        "0+1",
                                        "0+1:",
                                        "x+1:1",
                                        "0+1:1,",
                                        "0+1:1 ",
                                        "0-1:1",
                                        "0+1:1;0+1:1",
                                        "0x+1:1",
                                        "0+1:4G",
                                        "0+1:1,none",
                                        "0+99999999999999999999999:1",
                                        "0+17179869184G:1"};

    REQUIRE(memmap_replace("1M+1M:1", info) == KERR_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        EXPECT(memmap_replace(wrong[i], info) == KERR_BAD_VALUE);
    EXPECT_EQUAL(info->memory_count, 1);
    EXPECT(info->memory[0].base == 0x100000);
}

TEST("memmap", "none: leaves no entry")
{
    REQUIRE(memmap_replace("none", info) == KERR_OK);
    EXPECT_EQUAL(info->memory_count, 0);
}

TEST("symbols", "an address inside a function: is found with its offset")
{
    uint32_t address = (uint32_t)(uintptr_t)&memmap_replace;
    const char *name = "";
    uint32_t offset = 0;

    REQUIRE(symbol_find(address + 5, &name, &offset));
    EXPECT(strcmp(name, "memmap_replace") == 0);
    EXPECT_EQUAL(offset, 5);
}

TEST("symbols", "addresses outside the code: are unknown")
{
    const char *name;
    uint32_t offset;

    EXPECT(!symbol_find(0, &name, &offset));
    EXPECT(!symbol_find((uint32_t)(uintptr_t)info, &name, &offset));
    EXPECT(!symbol_find(UINT32_MAX, &name, &offset));
}

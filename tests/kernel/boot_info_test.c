/* SPDX-License-Identifier: MIT */
/*
 * Layer 0. Tests of boot/boot_info.c: blocks that are right, and blocks that lie.
 *
 * A block is put together in `block` by the put_...() functions, in the order in which a loader
 * writes it; finish() writes its size and returns what the parser says of it.
 */
#include <kernel/boot_info.h>
#include <kernel/string.h>
#include <kernel/test.h>

enum { END, COMMAND_LINE, LOADER_NAME, MODULE, MEMORY_MAP = 6, FRAMEBUFFER = 8, UNKNOWN = 4711 };

static uint8_t block[8192];
static uint32_t used;
static struct boot_info *const info = (void *)test_scratch;
_Static_assert(sizeof(*info) <= TEST_SCRATCH_BYTES, "it fits");

static const paddr_t block_start = {0x5000};

static void put_u32(uint32_t value)
{
    memcpy(block + used, &value, sizeof(value));
    used += sizeof(value);
}

static void put_text(const char *text)
{
    memcpy(block + used, text, strlen(text) + 1);
    used += (uint32_t)strlen(text) + 1;
}

static void put_padding(void)
{
    while (used % 8 != 0)
        block[used++] = 0xAA;
}

static void begin(void)
{
    memset(block, 0xAA, sizeof(block));
    used = 8;
}

static void put_tag(uint32_t type, uint32_t bytes)
{
    put_padding();
    put_u32(type);
    put_u32(bytes);
}

static void put_text_tag(uint32_t type, const char *text)
{
    put_tag(type, 8 + (uint32_t)strlen(text) + 1);
    put_text(text);
}

static void put_range(uint32_t base, uint32_t bytes, uint32_t type)
{
    put_u32(base);
    put_u32(0);
    put_u32(bytes);
    put_u32(0);
    put_u32(type);
    put_u32(0);
}

/* A memory map of one range: without one nothing is right. */
static void put_memory(void)
{
    put_tag(MEMORY_MAP, 16 + 24);
    put_u32(24);
    put_u32(0);
    put_range(0x100000, 0x3F00000, MEMORY_AVAILABLE);
}

static enum kerr finish_as(uint32_t total, uint32_t bytes)
{
    memcpy(block, &total, sizeof(total));
    return boot_info_parse(block, bytes, block_start, info);
}

static enum kerr finish(void)
{
    put_tag(END, 8);
    return finish_as(used, used);
}

TEST("boot_info", "a block with every tag: is read in full")
{
    begin();
    put_text_tag(COMMAND_LINE, "test memmap=x");
    put_text_tag(LOADER_NAME, "GRUB 2.06");
    put_tag(MODULE, 16 + 5);
    put_u32(0x200000);
    put_u32(0x200123);
    put_text("init");
    put_memory();
    put_tag(UNKNOWN, 8 + 3);
    put_text("??");
    put_tag(FRAMEBUFFER, 38);
    put_u32(0xE0000000);
    put_u32(0);
    put_u32(4096);
    put_u32(1024);
    put_u32(768);
    put_u32(32 | 1 << 8); /* bits per pixel, type RGB */
    put_u32(16 | 8 << 8 | 8 << 16 | 8u << 24);
    put_u32(0 | 8 << 8);
    EXPECT_EQUAL(finish(), KERR_OK);

    EXPECT(strcmp(info->command_line, "test memmap=x") == 0);
    EXPECT(strcmp(info->loader_name, "GRUB 2.06") == 0);
    EXPECT_EQUAL(info->module_count, 1);
    EXPECT_EQUAL(info->modules[0].start.v, 0x200000);
    EXPECT_EQUAL(info->modules[0].bytes, 0x123);
    EXPECT(strcmp(info->modules[0].name, "init") == 0);
    EXPECT_EQUAL(info->memory_count, 1);
    EXPECT_EQUAL(info->memory[0].base, 0x100000);
    EXPECT_EQUAL(info->memory[0].bytes, 0x3F00000);
    EXPECT_EQUAL(info->memory[0].type, MEMORY_AVAILABLE);
    EXPECT_EQUAL(info->framebuffer.pitch_bytes, 4096);
    EXPECT_EQUAL(info->framebuffer.bits_per_pixel, 32);
    EXPECT_EQUAL(info->framebuffer.red_position, 16);
    EXPECT_EQUAL(info->framebuffer.blue_bits, 8);
    EXPECT_EQUAL(info->information_start.v, block_start.v);
    EXPECT_EQUAL(info->information_bytes, used);
}

TEST("boot_info", "no memory map, or an empty one: is not found")
{
    begin();
    put_text_tag(COMMAND_LINE, "");
    EXPECT_EQUAL(finish(), KERR_NOT_FOUND);
    begin();
    put_tag(MEMORY_MAP, 16);
    put_u32(24);
    put_u32(0);
    EXPECT_EQUAL(finish(), KERR_NOT_FOUND);
}

TEST("boot_info", "a block cut at any byte: is refused")
{
    begin();
    put_text_tag(COMMAND_LINE, "test");
    put_memory();
    EXPECT_EQUAL(finish(), KERR_OK);
    uint32_t whole = used;
    for (uint32_t bytes = 0; bytes < whole; bytes++) {
        EXPECT_EQUAL(finish_as(bytes, bytes), KERR_BAD_VALUE); /* the loader says so, too */
        EXPECT_EQUAL(finish_as(whole, bytes), KERR_BAD_VALUE); /* it promises more */
    }
}

TEST("boot_info", "total sizes of 0 and 4 GiB - 1: are refused")
{
    begin();
    put_memory();
    put_tag(END, 8);
    EXPECT_EQUAL(finish_as(0, used), KERR_BAD_VALUE);
    EXPECT_EQUAL(finish_as(0xFFFFFFFF, used), KERR_BAD_VALUE);
}

TEST("boot_info", "a block that is not aligned: is refused")
{
    begin();
    put_memory();
    put_tag(END, 8);
    memcpy(block, &used, sizeof(used));
    EXPECT_EQUAL(boot_info_parse(block, used, PADDR(block_start.v + 4), info), KERR_BAD_VALUE);
}

TEST("boot_info", "tag sizes that can't be: are refused")
{
    static const uint32_t sizes[] = {0, 1, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF};

    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
        begin();
        put_memory();
        put_tag(UNKNOWN, sizes[i]);
        EXPECT_EQUAL(finish(), KERR_BAD_VALUE);
    }
}

TEST("boot_info", "tags too small for their type: are refused")
{
    static const struct {
        uint32_t type, bytes;
    } tags[] = {{COMMAND_LINE, 8}, {LOADER_NAME, 8}, {MODULE, 8},       {MODULE, 16},
                {MEMORY_MAP, 8},   {MEMORY_MAP, 12}, {FRAMEBUFFER, 30}, {FRAMEBUFFER, 8}};

    for (unsigned i = 0; i < ARRAY_LENGTH(tags); i++) {
        begin();
        put_memory();
        put_tag(tags[i].type, tags[i].bytes);
        while (used % 8 != 0 || used < 8 + 40 + tags[i].bytes)
            block[used++] = 0;
        EXPECT_EQUAL(finish(), KERR_BAD_VALUE);
    }
}

TEST("boot_info", "memory-map entries of a wrong size: are refused; larger ones are read")
{
    static const uint32_t sizes[] = {0, 1, 16, 20, 25, 36, 0xFFFFFFF8, 0x80000000};

    for (unsigned i = 0; i < ARRAY_LENGTH(sizes); i++) {
        begin();
        put_tag(MEMORY_MAP, 16 + 48);
        put_u32(sizes[i]);
        put_u32(0);
        put_range(0, 0x1000, MEMORY_AVAILABLE);
        put_range(0x1000, 0x1000, MEMORY_AVAILABLE);
        EXPECT_EQUAL(finish(), KERR_BAD_VALUE);
    }
    begin();
    put_tag(MEMORY_MAP, 16 + 48);
    put_u32(48);
    put_u32(0);
    put_range(0x7000, 0x1000, 3);
    put_range(0, 0, 0); /* what a later version appends */
    EXPECT_EQUAL(finish(), KERR_OK);
    EXPECT_EQUAL(info->memory_count, 1);
    EXPECT_EQUAL(info->memory[0].type, 3);
}

TEST("boot_info", "texts without an end: are refused; long ones are cut to whole words")
{
    static char text[BOOT_COMMAND_LINE_BYTES + 100];

    begin();
    put_memory();
    put_tag(COMMAND_LINE, 8 + 8);
    put_text("1234567");
    block[used - 1] = '8';
    EXPECT_EQUAL(finish(), KERR_BAD_VALUE);

    memset(text, 'x', sizeof(text) - 1);
    begin();
    put_memory();
    put_text_tag(COMMAND_LINE, text);
    EXPECT_EQUAL(finish(), KERR_OK);
    EXPECT_EQUAL(strlen(info->command_line), 0);
    for (uint32_t space = BOOT_COMMAND_LINE_BYTES - 3; space <= BOOT_COMMAND_LINE_BYTES; space++) {
        text[space] = ' ';
        begin();
        put_memory();
        put_text_tag(COMMAND_LINE, text);
        EXPECT_EQUAL(finish(), KERR_OK);
        EXPECT_EQUAL(strlen(info->command_line), space < BOOT_COMMAND_LINE_BYTES ? space : 0);
        text[space] = 'x';
    }
}

TEST("boot_info", "a module that ends before it starts: is refused")
{
    begin();
    put_memory();
    put_tag(MODULE, 16 + 1);
    put_u32(0x200001);
    put_u32(0x200000);
    put_text("");
    EXPECT_EQUAL(finish(), KERR_BAD_VALUE);
}

TEST("boot_info", "more ranges than the array holds: the smallest available give way, no other")
{
    enum { SMALL = BOOT_MEMORY_RANGES_MAX + 12, RESERVED = 2 };
    static const uint32_t places[] = {0, 5, BOOT_MEMORY_RANGES_MAX - 1, BOOT_MEMORY_RANGES_MAX,
                                      SMALL};

    for (unsigned i = 0; i < ARRAY_LENGTH(places); i++) {
        begin();
        put_tag(MEMORY_MAP, 16 + 24 * (SMALL + 2));
        put_u32(24);
        put_u32(0);
        for (uint32_t n = 0; n <= SMALL; n++) {
            if (n == places[i])
                put_range(0x3000000, 0x1000000, RESERVED);
            put_range(n << PAGE_SHIFT, n == SMALL ? 0x7000000 : 0x800, MEMORY_AVAILABLE);
        }
        EXPECT_EQUAL(finish(), KERR_OK);
        EXPECT_EQUAL(info->memory_count, BOOT_MEMORY_RANGES_MAX);
        bool has_reserved = false, has_large = false;
        for (uint32_t n = 0; n < info->memory_count; n++) {
            has_reserved |= info->memory[n].type == RESERVED;
            has_large |= info->memory[n].bytes == 0x7000000;
        }
        EXPECT(has_reserved && has_large);
    }
}

TEST("boot_info", "more ranges and modules than the arrays hold: are cut")
{
    begin();
    put_tag(MEMORY_MAP, 16 + 24 * (BOOT_MEMORY_RANGES_MAX + 3));
    put_u32(24);
    put_u32(0);
    for (uint32_t i = 0; i < BOOT_MEMORY_RANGES_MAX + 3; i++)
        put_range(i << PAGE_SHIFT, PAGE_BYTES, MEMORY_AVAILABLE);
    for (uint32_t i = 0; i < BOOT_MODULES_MAX + 3; i++) {
        put_tag(MODULE, 16 + 2);
        put_u32(i << PAGE_SHIFT);
        put_u32(i << PAGE_SHIFT);
        put_text("m");
    }
    EXPECT_EQUAL(finish(), KERR_OK);
    EXPECT_EQUAL(info->memory_count, BOOT_MEMORY_RANGES_MAX);
    EXPECT_EQUAL(info->module_count, BOOT_MODULES_MAX);
    EXPECT_EQUAL(info->memory[BOOT_MEMORY_RANGES_MAX - 1].base, (BOOT_MEMORY_RANGES_MAX - 1)
                                                                    << PAGE_SHIFT);
}

/* SPDX-License-Identifier: MIT */
/*
 * Layer 7. Tests of pages as fewer bytes, and of bytes that are no page.
 */
#include <kernel/printk.h>
#include <kernel/string.h>
#include <kernel/test.h>
#include <store/page_compress.h>

enum { MOST = 2 * PAGE_BYTES, GUARD = 64, ROUNDS = 400 };

static struct {
    struct page_compressor compressor;
    uint8_t page[PAGE_BYTES], packed[MOST], back[GUARD + PAGE_BYTES + GUARD];
} *const t = (void *)test_scratch;
_Static_assert(sizeof(*t) <= TEST_SCRATCH_BYTES, "the test's memory is large enough");

static bool guards_are_whole(void)
{
    for (uint32_t i = 0; i < GUARD; i++)
        if (t->back[i] != 0xA5 || t->back[GUARD + PAGE_BYTES + i] != 0xA5)
            return false;
    return true;
}

/* What BYTES bytes of t->packed make; nothing but a page is written. */
static bool decompress(uint32_t bytes)
{
    memset(t->back, 0xA5, sizeof(t->back));
    bool is_page = page_decompress(t->packed, bytes, t->back + GUARD);
    EXPECT(guards_are_whole());
    return is_page;
}

/* t->page comes back as it is; and takes at most MOST bytes. */
static void expect_same(uint32_t most)
{
    uint32_t bytes = page_compress(t->page, t->packed, MOST, &t->compressor);
    EXPECT(bytes > 0 && bytes <= most);
    EXPECT(decompress(bytes));
    EXPECT_EQUAL(memcmp(t->page, t->back + GUARD, PAGE_BYTES), 0);
    EXPECT(!decompress(bytes - 1)); /* each byte is needed */
}

/* Runs of one byte, of what came before, of words that are nearly the same, and of anything. */
static void make_page(uint32_t *state)
{
    for (uint32_t at = 0; at < PAGE_BYTES;) {
        uint32_t kind = test_random(state) % 5, left = PAGE_BYTES - at;
        uint32_t run = 1 + test_random(state) % (kind == 0 ? 1500 : 60), back = test_random(state);
        for (uint32_t i = 0; i < run && i < left; i++, at++)
            t->page[at] = kind == 0              ? (uint8_t)back
                          : kind < 3 && at > 0   ? t->page[at - 1 - back % at]
                          : kind == 3 && at >= 4 ? (uint8_t)(t->page[at - 4] + (at % 4 == 0))
                                                 : (uint8_t)test_random(state);
    }
}

TEST("page_compress", "pages of one byte, of a period, of text, of a match to the last byte")
{
    memset(t->page, 0, PAGE_BYTES);
    expect_same(24);
    for (uint32_t period = 1; period < 12; period++) {
        for (uint32_t i = 0; i < PAGE_BYTES; i++)
            t->page[i] = (uint8_t)(1 + i % period);
        expect_same(40);
    }
    for (uint32_t i = 0; i < PAGE_BYTES; i++)
        t->page[i] = (uint8_t) "a page of a program has words in it that come again "[i % 52];
    expect_same(100);
    uint32_t state = 7;
    for (uint32_t i = 0; i < PAGE_BYTES; i++)
        t->page[i] = i < PAGE_BYTES - 20 ? (uint8_t)test_random(&state) : t->page[i - 4000];
    expect_same(PAGE_BYTES * 9 / 8 + 16);
}

TEST("page_compress", "no room: is said, and nothing is written behind it")
{
    uint32_t state = 20240101;
    printk("# seed %u\n", state);
    for (uint32_t round = 0; round < ROUNDS / 4; round++) {
        make_page(&state);
        uint32_t most = test_random(&state) % (PAGE_BYTES + 600);
        memset(t->packed, 0x5A, MOST);
        uint32_t bytes = page_compress(t->page, t->packed, most, &t->compressor);
        EXPECT(bytes <= most);
        bool is_whole = true;
        for (uint32_t i = most; i < MOST; i++)
            is_whole = is_whole && t->packed[i] == 0x5A;
        EXPECT(is_whole);
        EXPECT(bytes == 0 || decompress(bytes));
    }
}

TEST("page_compress",
     "no page: a match before the beginning, behind the end, cut off; too few bytes")
{
    static const uint8_t wrong[][6] = {
        {0x01, 0x00, 0x00, 0, 0, 0},   /* nothing stands before the first byte */
        {0x02, 'a', 0x01, 0x00, 0, 0}, /* nor two back from the second */
        {0x02, 'a', 0x00, 0xF0, 0xFF, 0xFF},
        {0x02, 'a', 0x00, 0xF0, 0xFF, 0x00}, /* 274 bytes, and then none */
    };
    EXPECT(!decompress(0));
    for (uint32_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        for (uint32_t bytes = 1; bytes <= sizeof(wrong[i]); bytes++) {
            memcpy(t->packed, wrong[i], bytes);
            EXPECT(!decompress(bytes));
        }
}

/* A match of LENGTH bytes, more than 17, as item number ITEM of its group, behind letters. */
static uint32_t put_long_match(uint32_t item, uint32_t length)
{
    uint32_t bytes = 0;
    t->packed[bytes++] = (uint8_t)(1u << item);
    while (bytes <= item)
        t->packed[bytes++] = 'a';
    t->packed[bytes++] = 0; /* one back */
    t->packed[bytes++] = 0xF0;
    uint32_t rest = length - 18;
    for (; rest >= 255; rest -= 255)
        t->packed[bytes++] = 255;
    t->packed[bytes++] = (uint8_t)rest;
    return bytes;
}

TEST("page_compress", "a match that fills the page: from its second byte on, and to its end")
{
    EXPECT(decompress(put_long_match(1, PAGE_BYTES - 1)));
    EXPECT(decompress(put_long_match(4, PAGE_BYTES - 4)));
    EXPECT(!decompress(put_long_match(0, PAGE_BYTES)));     /* there is no byte before it */
    EXPECT(!decompress(put_long_match(1, PAGE_BYTES)));     /* one too many */
    EXPECT(!decompress(put_long_match(1, PAGE_BYTES - 2))); /* and one too few */
}

TEST("page_compress",
     "random pages: come back; any bytes: make a page, or are refused, and no more")
{
    uint32_t state = 20240102;
    printk("# seed %u\n", state);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        make_page(&state);
        expect_same(PAGE_BYTES * 9 / 8 + 16);
        uint32_t bytes = page_compress(t->page, t->packed, MOST, &t->compressor);
        for (uint32_t i = 0; i < 4; i++) /* some are wrong */
            t->packed[test_random(&state) % bytes] = (uint8_t)test_random(&state);
        (void)decompress(bytes);
        for (uint32_t i = 0; i < 300; i++)
            t->packed[i] = (uint8_t)(test_random(&state) | (round % 2 ? 0xFF : 0));
        (void)decompress(test_random(&state) % 300);
    }
}
